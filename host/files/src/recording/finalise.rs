//! Gives a closed part its last form: rows become Parquet, and the live log goes only after rows and checksums of both were
//! compared; videos get ImageJ's labels and the chain of pages. Works from the files alone, so mending uses it too, and a
//! second time does no harm.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::arrow_log::{ArrowLogReader, Damage};
use super::arrow_rows::{rows_from, rows_schema};
use super::index::IndexHeader;
use super::live::live_error;
use super::metadata::{FileState, Metadata};
use super::names::Stream;
use super::records::FrameRecord;
use crate::error::{ErrorKind, FileError, Result};
use crate::rows::{Row, RowsReader, RowsWriter};
use crate::tiff_out::layout::{HEADER_BYTES, Labels, PAGE_IFD_BYTES};

/// More labels or pages than that make a file slow to open, and ROI stacks reach millions.
const MAX_LABELLED_PLANES: u64 = 1 << 16;

/// A part that grows no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClosedPart {
    pub(crate) stream: Stream,
    pub(crate) part: u32,
}

/// What became of one file.
#[derive(Debug, Clone)]
pub(crate) struct FinishedFile {
    pub(crate) name: String,
    /// The file that it stands for now.
    pub(crate) replaces: Option<String>,
    stream: String,
    part: u32,
    n_records: u64,
    frames: Option<(u64, u64)>,
    n_bytes: u64,
    crc32c: Option<String>,
    pub(crate) damage: Vec<Damage>,
}

impl FinishedFile {
    /// Rows, profiles or frames in it.
    pub(crate) fn n_records(&self) -> u64 {
        self.n_records
    }

    /// Enters the file into the metadata.
    pub(crate) fn enter(&self, metadata: &mut Metadata) {
        if let Some(old) = &self.replaces {
            metadata.files.retain(|f| f.name != *old);
        }
        let entry = metadata.file(&self.name, &self.stream, self.part);
        entry.state = FileState::Final;
        entry.n_records = self.n_records;
        (entry.first_frame, entry.last_frame) = (self.frames.map(|f| f.0), self.frames.map(|f| f.1));
        entry.n_bytes = Some(self.n_bytes);
        entry.crc32c.clone_from(&self.crc32c);
        metadata.problems.extend(self.damage.iter().map(|d| format!("{}: {}", d.file, d.what)));
    }
}

/// Finishes a part.
pub(crate) fn finish_part(dir: &Path, part: &ClosedPart, metadata: &Metadata) -> Result<Vec<FinishedFile>> {
    match &part.stream {
        Stream::Tracks(set) => finish_rows(dir, part, set, metadata).map(|f| vec![f]),
        Stream::Profiles(_) => finish_profiles(dir, part).map(|f| vec![f]),
        Stream::Frames | Stream::Rois => finish_stack(dir, part).map(|f| vec![f]),
    }
}

/// A checksum over rows in their order, whatever format they came from.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
struct RowsSum {
    n: u64,
    crc: u32,
    frames: Option<(u64, u64)>,
}

impl RowsSum {
    fn add(&mut self, rows: &[Row]) {
        for row in rows {
            let mut bytes = [0_u8; 80];
            let mut at = 0;
            let mut put = |b: &[u8]| {
                bytes[at..at + b.len()].copy_from_slice(b);
                at += b.len();
            };
            put(&row.frame.to_le_bytes());
            put(&row.bead.to_le_bytes());
            put(&row.time_ns.unwrap_or(0).to_le_bytes());
            put(&[u8::from(row.time_ns.is_some())]);
            [row.x_nm, row.y_nm, row.z_nm].iter().for_each(|v| put(&v.to_bits().to_le_bytes()));
            let small = [row.sigma_x_nm, row.sigma_y_nm, row.sigma_z_nm, row.quality];
            small.iter().for_each(|v| put(&v.to_bits().to_le_bytes()));
            put(&row.flags.to_le_bytes());
            put(&row.roi_x_px.to_le_bytes());
            put(&row.roi_y_px.to_le_bytes());
            self.crc = crc32c::crc32c_append(self.crc, &bytes);
            self.frames =
                Some(self.frames.map_or((row.frame, row.frame), |(a, b)| (a.min(row.frame), b.max(row.frame))));
        }
        self.n += rows.len() as u64;
    }
}

fn finish_rows(dir: &Path, part: &ClosedPart, set: &str, metadata: &Metadata) -> Result<FinishedFile> {
    let at = |extension: &str| dir.join(part.stream.file(part.part, extension));
    let (log, crc, parquet) = (at("arrows"), at("crc"), at("parquet"));
    let mut damage = Vec::new();
    if log.exists() {
        let (sum, found) = if parquet.exists() {
            // An earlier attempt came as far as the Parquet file.
            read_log(&log, &crc, |_| Ok(()))?
        } else {
            let mut writer = RowsWriter::create(&parquet)?;
            writer.add_metadata(&BTreeMap::from([
                ("tetherscope.recording_id".to_owned(), metadata.id.clone()),
                ("tetherscope.track_set".to_owned(), set.to_owned()),
                ("tetherscope.part".to_owned(), part.part.to_string()),
            ]));
            let read = read_log(&log, &crc, |rows| writer.write(rows))?;
            writer.finish()?;
            read
        };
        damage = found;
        let written = sum_of_parquet(&parquet)?;
        if written != sum {
            return Err(FileError::new(
                ErrorKind::Damaged,
                format!("cannot finish {}", log.display()),
                format!("{} has {} rows and other checksums, the log has {}", parquet.display(), written.n, sum.n),
                "both files are kept; compare them, and check the disk",
            ));
        }
        if damage.is_empty() {
            let removed = std::fs::remove_file(&log).and_then(|()| std::fs::remove_file(&crc));
            removed.map_err(|e| FileError::writing(&log, &e))?;
        } else {
            // What can't be vouched for is not in the Parquet file; nobody but the user may throw it away.
            let keep = |path: &Path| {
                let mut kept = path.as_os_str().to_owned();
                kept.push(".damaged");
                std::fs::rename(path, kept).map_err(|e| FileError::writing(path, &e))
            };
            keep(&log)?;
            keep(&crc)?;
        }
        crate::new_file::sync_folder(dir);
    } else if crc.exists() && parquet.exists() {
        // Killed between the two removals.
        std::fs::remove_file(&crc).map_err(|e| FileError::writing(&crc, &e))?;
    }
    let sum = sum_of_parquet(&parquet)?;
    let (n_bytes, crc32c) = sum_of_file(&parquet)?;
    Ok(FinishedFile {
        name: part.stream.file(part.part, "parquet"),
        replaces: Some(part.stream.file(part.part, "arrows")),
        stream: part.stream.name(),
        part: part.part,
        n_records: sum.n,
        frames: sum.frames,
        n_bytes,
        crc32c: Some(format!("{crc32c:08x}")),
        damage,
    })
}

fn read_log(log: &Path, crc: &Path, mut each: impl FnMut(&[Row]) -> Result<()>) -> Result<(RowsSum, Vec<Damage>)> {
    let mut reader = ArrowLogReader::open(log, crc, Some(&rows_schema(&[])))?;
    let (mut sum, mut rows) = (RowsSum::default(), Vec::new());
    while let Some(batch) = reader.next_batch()? {
        rows.clear();
        rows_from(&batch, &mut rows).map_err(|cause| FileError::damaged(log, cause))?;
        sum.add(&rows);
        each(&rows)?;
    }
    let mut damage = reader.damage().to_vec();
    let length = std::fs::metadata(log).map_err(|e| FileError::reading(log, &e))?.len();
    if length > reader.good_end() && damage.is_empty() {
        let n = length - reader.good_end();
        let file = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        damage.push(Damage { file, what: format!("{n} bytes at its end are of no whole batch"), n_lost: None });
    }
    Ok((sum, damage))
}

fn sum_of_parquet(path: &Path) -> Result<RowsSum> {
    let mut reader = RowsReader::open(path)?;
    let (mut sum, mut rows) = (RowsSum::default(), Vec::new());
    while reader.read_batch(&mut rows)? > 0 {
        sum.add(&rows);
        rows.clear();
    }
    Ok(sum)
}

/// Length and crc32c of a whole file.
pub(crate) fn sum_of_file(path: &Path) -> Result<(u64, u32)> {
    let mut file = File::open(path).map_err(|e| FileError::reading(path, &e))?;
    let mut buffer = vec![0; 1 << 20];
    let (mut length, mut crc) = (0, 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((length, crc)),
            Ok(n) => {
                crc = crc32c::crc32c_append(crc, &buffer[..n]);
                length += n as u64;
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(FileError::reading(path, &e)),
        }
    }
}

/// Profiles stay an Arrow stream with its checksums: pyarrow and polars read it as it is.
fn finish_profiles(dir: &Path, part: &ClosedPart) -> Result<FinishedFile> {
    let name = part.stream.file(part.part, "arrows");
    let path = dir.join(&name);
    let mut reader = ArrowLogReader::open(&path, &dir.join(part.stream.file(part.part, "crc")), None)?;
    let mut frames = None;
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        rows.clear();
        super::arrow_rows::profiles_from(&batch, &mut rows).map_err(|cause| FileError::damaged(&path, cause))?;
        for row in &rows {
            frames =
                Some(frames.map_or((row.frame, row.frame), |(a, b): (u64, u64)| (a.min(row.frame), b.max(row.frame))));
        }
    }
    let n_bytes = std::fs::metadata(&path).map_err(|e| FileError::reading(&path, &e))?.len();
    Ok(FinishedFile {
        name,
        replaces: None,
        stream: part.stream.name(),
        part: part.part,
        n_records: reader.n_read(),
        frames,
        n_bytes,
        crc32c: None,
        damage: reader.damage().to_vec(),
    })
}

/// Writes the header page anew, with the count of the index, and appends labels and the chain of pages where they fit.
fn finish_stack(dir: &Path, part: &ClosedPart) -> Result<FinishedFile> {
    let name = part.stream.file(part.part, "tif");
    let (path, index_path) = (dir.join(&name), dir.join(part.stream.file(part.part, "index")));
    let index = super::frames_reader::IndexReader::open(&index_path)?;
    let header = index.header();
    let tiff = header.tiff().map_err(|cause| FileError::damaged(&index_path, cause))?;
    let n_planes = index.n_frames() * u64::from(header.n_planes());
    let planes_end = HEADER_BYTES + index.n_frames() * header.frame_bytes();

    let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(|e| FileError::writing(&path, &e))?;
    let length = file.metadata().map_err(|e| FileError::reading(&path, &e))?.len();
    if length < planes_end {
        return Err(FileError::damaged(&path, format!("{length} bytes, but its index speaks of {planes_end}")));
    }
    let mut frames = None;
    let mut tail = Vec::new();
    let mut directory = tiff.final_directory(0, None);
    if n_planes > 0 && n_planes <= MAX_LABELLED_PLANES && planes_end < u64::from(u32::MAX) {
        let padding = planes_end % 2;
        let labels = labels(&index, header)?;
        let labels = Labels::new(planes_end + padding, &labels);
        if let Some(labels) = labels {
            tail = vec![0; padding as usize];
            tail.extend(&labels.bytes);
            tail.resize(tail.len().next_multiple_of(2), 0);
            let chain_at = planes_end + tail.len() as u64;
            let chain_at = chain_at + chain_at % 2;
            tail.resize((chain_at - planes_end) as usize, 0);
            let fits = chain_at + (n_planes - 1) * PAGE_IFD_BYTES <= u64::from(u32::MAX);
            let chained = n_planes > 1 && fits;
            if chained {
                tail.extend(tiff.chain(chain_at, n_planes));
            }
            directory = tiff.final_directory(if chained { chain_at } else { 0 }, Some(&labels));
        }
    }
    let mut page = tiff.page();
    for (offset, bytes) in tiff.count_patches(n_planes).iter().chain([&directory]) {
        page[*offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    // The tail first: until the header names it, it is nothing to a reader.
    let mut write = || {
        file.set_len(planes_end)?;
        file.seek(SeekFrom::Start(planes_end))?;
        file.write_all(&tail)?;
        file.sync_data()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&page)?;
        file.sync_all()
    };
    if let Err(error) = write() {
        let _ = file.set_len(planes_end);
        return Err(live_error(&path, &error));
    }
    let mut record = FrameRecord::default();
    for i in [0, index.n_frames().saturating_sub(1)] {
        if i < index.n_frames() && index.read(i, &mut record, &mut Vec::new())?.is_some() {
            frames = Some(frames.map_or((record.index, record.index), |(a, _)| (a, record.index)));
        }
    }
    Ok(FinishedFile {
        name,
        replaces: None,
        stream: part.stream.name(),
        part: part.part,
        n_records: index.n_frames(),
        frames,
        n_bytes: planes_end + tail.len() as u64,
        crc32c: None,
        damage: Vec::new(),
    })
}

/// A label for each plane: the time in seconds since the first frame of the file, the frame, and the bead.
fn labels(index: &super::frames_reader::IndexReader, header: &IndexHeader) -> Result<Vec<String>> {
    let mut labels = Vec::new();
    let (mut record, mut places) = (FrameRecord::default(), Vec::new());
    let mut first = None;
    for i in 0..index.n_frames() {
        let text = match index.read(i, &mut record, &mut places)? {
            None => "damaged".to_owned(),
            Some(_) => match (record.utc_ns, record.device_time_ns) {
                (Some(utc_ns), _) => {
                    let seconds = utc_ns.div_euclid(1_000_000_000);
                    format!("{seconds}.{:09} s frame {}", utc_ns.rem_euclid(1_000_000_000), record.index)
                }
                (None, Some(device_ns)) => {
                    let since = i128::from(device_ns) - i128::from(*first.get_or_insert(device_ns));
                    format!("{:.9} s frame {}", since as f64 * 1e-9, record.index)
                }
                (None, None) => format!("frame {}", record.index),
            },
        };
        match &header.beads {
            None => labels.push(text),
            Some(beads) => labels.extend(beads.iter().map(|bead| format!("{text} bead {bead}"))),
        }
    }
    Ok(labels)
}
