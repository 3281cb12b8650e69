//! Mends a recording whose writer was killed: every live file is cut back to its last whole record, counts are brought up to
//! date, everything gets its last form, and the metadata tell what was lost. A second time it finds nothing to do.
//!
//! Nothing that could be data is thrown away: what is cut off is kept beside the file when it is more than one record that
//! was just being written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::arrow_log::ArrowLogReader;
use super::crc_log;
use super::finalise::{ClosedPart, finish_part};
use super::frames_reader::{IndexReader, read_at};
use super::lines;
use super::lock::DirLock;
use super::metadata::{FileState, Metadata, RecordingState, now_utc_ns, this_writer, utc_text};
use super::names::{EVENTS, GAPS, METADATA, PartFiles, RESERVE, STAGES, Stream, scan};
use super::records::FrameRecord;
use crate::error::{ErrorKind, FileError, Result};
use crate::tiff_out::layout::{HEADER_BYTES, Labels};

/// A torn end of rows up to this size is what was just being written; more is kept.
const TORN_ROWS_BYTES: u64 = 4 << 20;

/// What mending did to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MendedFile {
    /// Its name, as it is now.
    pub name: String,
    /// Rows, frames or lines that are in it and whole.
    pub n_records: u64,
    /// What is lost or was kept aside, in words; empty if nothing.
    pub lost: Vec<String>,
}

/// What mending did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoverReport {
    /// There was nothing to mend, and nothing was changed.
    pub was_whole: bool,
    /// The files that were looked at.
    pub files: Vec<MendedFile>,
    /// What could not be mended, in words; those files are as they were.
    pub problems: Vec<String>,
}

impl RecoverReport {
    /// Everything that was lost, in words.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        self.files.iter().flat_map(|f| f.lost.iter().map(|l| format!("{}: {l}", f.name))).collect()
    }
}

/// Mends the recording in `dir`. Reads every file that was not finished; others are not touched.
///
/// Fails when another host is writing into it, when the folder is no recording, and when the metadata can't be written (a
/// full disk, no permission).
pub fn recover(dir: impl AsRef<Path>) -> Result<RecoverReport> {
    let dir = dir.as_ref();
    let known = Metadata::read(dir);
    let parts = scan(dir)?;
    let lines = [EVENTS, GAPS, STAGES].into_iter().any(|n| dir.join(n).exists());
    match &known {
        Err(error) if error.kind() == ErrorKind::TooNew || (parts.is_empty() && !lines) => return Err(error.clone()),
        _ => {}
    }
    let _lock = DirLock::take(dir, "cannot mend")?;
    let mut report = RecoverReport { was_whole: false, files: Vec::new(), problems: Vec::new() };
    // Read again: now nobody else changes them.
    let mut metadata = match Metadata::read(dir) {
        Ok(metadata) => metadata,
        Err(error) => metadata_anew(dir, &error, &mut report)?,
    };
    let parts: Vec<PartFiles> = scan(dir)?.into_iter().filter(|p| unfinished(p, &metadata)).collect();
    if metadata.state != RecordingState::Recording && parts.is_empty() {
        report.was_whole = true;
        return Ok(report);
    }
    remove_leftovers(dir)?;
    for name in [EVENTS, GAPS, STAGES] {
        mend_lines(dir, name, &mut metadata, &mut report)?;
    }
    for part in &parts {
        let closed = ClosedPart { stream: part.stream.clone(), part: part.part };
        let mended = mend_part(dir, part).and_then(|(lost, left)| match left {
            Left::Something => finish_part(dir, &closed, &metadata).map(|files| (lost, files)),
            Left::Nothing => Ok((lost, Vec::new())),
        });
        match mended {
            Ok((lost, files)) if files.is_empty() => {
                metadata.files.retain(|f| f.stream != part.stream.name() || f.part != part.part);
                if !lost.is_empty() {
                    let name = part.stream.file(part.part, &part.extensions[0]);
                    report.files.push(MendedFile { name, n_records: 0, lost });
                }
            }
            Ok((mut lost, files)) => {
                for file in files {
                    file.enter(&mut metadata);
                    lost.extend(file.damage.iter().map(|d| d.what.clone()));
                    let (name, n_records) = (file.name.clone(), file.n_records());
                    report.files.push(MendedFile { name, n_records, lost: std::mem::take(&mut lost) });
                }
            }
            Err(error) => report.problems.push(error.to_string().replace('\n', ": ")),
        }
    }
    metadata.problems.extend(report.problems.iter().cloned());
    let already = metadata.recovery.take();
    metadata.recovery = Some(json!({
        "at_utc": utc_text(now_utc_ns()),
        "by": this_writer(),
        "report": report,
        "earlier": already,
    }));
    metadata.end(RecordingState::Recovered);
    metadata.replace(dir)?;
    Ok(report)
}

/// Whether a part has not its last form.
fn unfinished(part: &PartFiles, metadata: &Metadata) -> bool {
    if matches!(part.stream, Stream::Tracks(_)) {
        return part.has("arrows") || part.has("crc");
    }
    let name = part.stream.name();
    let entry = metadata.files.iter().find(|f| f.stream == name && f.part == part.part);
    entry.is_none_or(|f| f.state != FileState::Final)
}

/// Metadata that are lost are made anew from what is there; damaged ones are kept aside.
fn metadata_anew(dir: &Path, error: &FileError, report: &mut RecoverReport) -> Result<Metadata> {
    let path = dir.join(METADATA);
    let mut lost = vec!["settings, plugins and notes: the file was missing".to_owned()];
    if path.exists() {
        let kept = keep_aside(&path, "damaged")?;
        lost = vec![format!("settings, plugins and notes may stand in {kept}: {}", error.cause())];
    }
    report.files.push(MendedFile { name: METADATA.to_owned(), n_records: 0, lost });
    Ok(Metadata::begin(dir, Default::default()))
}

/// Renames a file to a name beside it that is free.
fn keep_aside(path: &Path, suffix: &str) -> Result<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..).map(|i| if i == 1 { format!("{name}.{suffix}") } else { format!("{name}.{suffix}{i}") });
    let free = free.into_iter().find(|n| !path.with_file_name(n).exists()).expect("one of endless names is free");
    std::fs::rename(path, path.with_file_name(&free)).map_err(|e| FileError::writing(path, &e))?;
    Ok(free)
}

/// What an unfinished step of a killed writer left: files with temporary names, and the reserve.
fn remove_leftovers(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir).map_err(|e| FileError::reading(dir, &e))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = [".tracks.", ".recording.json."].iter().any(|p| name.starts_with(p)) && name.ends_with(".part");
        if ours || name == RESERVE {
            std::fs::remove_file(entry.path()).map_err(|e| FileError::writing(&entry.path(), &e))?;
        }
    }
    Ok(())
}

fn mend_lines(dir: &Path, name: &str, metadata: &mut Metadata, report: &mut RecoverReport) -> Result<()> {
    let path = dir.join(name);
    let mut lost = Vec::new();
    let n_records = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Killed while it began, or removed; a recording has all three.
            File::create_new(&path).map_err(|e| FileError::writing(&path, &e))?;
            0
        }
        Err(error) => return Err(FileError::reading(&path, &error)),
        Ok(bytes) => {
            let (end, n) = lines::whole(&bytes);
            let inside = bytes[..end as usize].split_inclusive(|b| *b == b'\n').count() as u64 - n;
            if inside > 0 {
                lost.push(format!("{inside} lines among the others don't match their checksums"));
            }
            if end < bytes.len() as u64 {
                cut(&path, end, 1 << 16, &mut lost)?;
            }
            n
        }
    };
    let entry = metadata.file(name, name.trim_end_matches(".jsonl"), 0);
    (entry.state, entry.n_records) = (FileState::Final, n_records);
    report.files.push(MendedFile { name: name.to_owned(), n_records, lost });
    Ok(())
}

/// Whether anything of a part is left.
enum Left {
    Something,
    /// It held nothing, or nothing that could be vouched for and that is kept aside; its files are gone.
    Nothing,
}

/// Cuts a part back to what is whole, and tells what is lost.
fn mend_part(dir: &Path, part: &PartFiles) -> Result<(Vec<String>, Left)> {
    let mut lost = Vec::new();
    let missing = |what: &str| {
        let name = part.stream.file(part.part, &part.extensions[0]);
        Err(FileError::damaged(&dir.join(name), format!("{what} is missing")))
    };
    match &part.stream {
        Stream::Tracks(_) | Stream::Profiles(_) => {
            if part.has("arrows") && part.has("crc") {
                mend_log(&part.path(dir, "arrows"), &part.path(dir, "crc"), &mut lost)?;
                let nothing = std::fs::metadata(part.path(dir, "arrows")).is_ok_and(|m| m.len() == 0);
                if nothing && matches!(part.stream, Stream::Profiles(_)) {
                    remove(&part.path(dir, "arrows"))?;
                    remove(&part.path(dir, "crc"))?;
                    return Ok((lost, Left::Nothing));
                }
            } else if part.has("arrows") && !part.has("parquet") {
                // Begun, and killed before its checksums were.
                let path = part.path(dir, "arrows");
                if std::fs::metadata(&path).is_ok_and(|m| m.len() == 0) {
                    remove(&path)?;
                    return Ok((lost, Left::Nothing));
                }
                return missing("the file of its checksums");
            } else if !part.has("arrows") && !part.has("parquet") {
                return missing("the file that its checksums belong to");
            }
        }
        Stream::Frames | Stream::Rois => {
            let (tif, index) = (part.path(dir, "tif"), part.path(dir, "index"));
            let length = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
            match IndexReader::open(&index) {
                Ok(_) if !part.has("tif") => return missing("the video that it belongs to"),
                Ok(reader) => mend_stack(&tif, &index, reader, &mut lost)?,
                // Begun, and killed before the first frame.
                Err(_) if length(&tif) <= HEADER_BYTES && length(&index) < 1 << 16 => {
                    remove(&tif)?;
                    remove(&index)?;
                    return Ok((lost, Left::Nothing));
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok((lost, Left::Something))
}

/// Cuts rows and their checksums back to the last batch that is whole.
fn mend_log(data: &Path, crc: &Path, lost: &mut Vec<String>) -> Result<()> {
    let records = crc_log::read(crc)?;
    let mut file = File::open(data).map_err(|e| FileError::reading(data, &e))?;
    let length = file.metadata().map_err(|e| FileError::reading(data, &e))?.len();
    let good = records.iter().rposition(|r| r.is_some_and(|r| ArrowLogReader::is_whole(&mut file, length, &r)));
    let n_good = good.map_or(0, |g| g + 1);
    let end = good.and_then(|g| records[g]).map_or(0, |r| r.end);
    let n_rows: u64 = records[n_good..].iter().flatten().map(|r| u64::from(r.n_rows)).sum();
    if n_rows > 0 {
        lost.push(format!("{n_rows} rows at the end were not whole"));
    }
    if end < length {
        // Without a single good record it is the checksums that are lost, not the rows.
        cut(data, end, if good.is_some() { TORN_ROWS_BYTES } else { 0 }, lost)?;
    }
    let crc_end = ((n_good + 1) * crc_log::RECORD_BYTES) as u64;
    if crc_end < std::fs::metadata(crc).map_err(|e| FileError::reading(crc, &e))?.len() {
        cut(crc, crc_end, if good.is_some() { TORN_ROWS_BYTES } else { 0 }, &mut Vec::new())?;
    }
    Ok(())
}

/// Cuts a video and its index back to the last frame that is whole; the header page is written anew when it is finished.
fn mend_stack(tif: &Path, index: &Path, reader: IndexReader, lost: &mut Vec<String>) -> Result<()> {
    let size = reader.header().frame_bytes();
    let mut file = OpenOptions::new().read(true).write(true).open(tif).map_err(|e| FileError::writing(tif, &e))?;
    let length = file.metadata().map_err(|e| FileError::reading(tif, &e))?.len();
    let (mut record, mut places, mut pixels) = (FrameRecord::default(), Vec::new(), vec![0; size as usize]);
    let (mut n_whole, mut n_bad_inside, mut n_bad) = (0, 0_u64, 0_u64);
    for i in 0..reader.n_frames() {
        let crc = reader.read(i, &mut record, &mut places)?;
        let there = HEADER_BYTES + (i + 1) * size <= length;
        if there {
            read_at(&file, HEADER_BYTES + i * size, &mut pixels).map_err(|e| FileError::reading(tif, &e))?;
        }
        if there && crc == Some(crc32c::crc32c(&pixels)) {
            (n_bad_inside, n_whole) = (n_bad_inside + n_bad, i + 1);
            n_bad = 0;
        } else {
            n_bad += 1;
        }
    }
    let n_torn = n_bad + u64::from(reader.n_torn_bytes > 0);
    if n_torn > 0 {
        lost.push(format!("{n_torn} frames at the end were not whole"));
    }
    if n_bad_inside > 0 {
        lost.push(format!(
            "{n_bad_inside} frames among the others don't match their checksums; they stay where they are"
        ));
    }
    let end = HEADER_BYTES + n_whole * size;
    if length < HEADER_BYTES {
        let page = reader.header().tiff().map_err(|cause| FileError::damaged(index, cause))?.page();
        let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&page));
        written.map_err(|e| FileError::writing(tif, &e))?;
    }
    let n_planes = n_whole * u64::from(reader.header().n_planes());
    let finishing = Labels::begin_at(&file, end, n_planes).map_err(|e| FileError::reading(tif, &e))?;
    drop(file);
    if finishing {
        // Labels and pages of a finisher that was killed; they are made anew.
        cut(tif, end, u64::MAX, &mut Vec::new())?;
    } else if end < length {
        // One frame was just being written; more is kept.
        cut(tif, end, size, lost)?;
    }
    let index_end = reader.offset(n_whole);
    if index_end < std::fs::metadata(index).map_err(|e| FileError::reading(index, &e))?.len() {
        cut(index, index_end, u64::MAX, &mut Vec::new())?;
    }
    Ok(())
}

/// Cuts a file; what is cut off is kept beside it if it is more than `limit` bytes.
fn cut(path: &Path, end: u64, limit: u64, lost: &mut Vec<String>) -> Result<()> {
    let failed = |e: io::Error| FileError::writing(path, &e);
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    let n = file.metadata().map_err(failed)?.len() - end;
    if n > limit {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = (1..).map(|i| path.with_file_name(format!("{name}.torn{i}"))).find(|p| !p.exists());
        let kept = kept.expect("one of endless names is free");
        file.seek(SeekFrom::Start(end)).map_err(failed)?;
        let mut aside = crate::new_file::NewFile::create(&kept)?;
        io::copy(&mut (&mut file).take(n), &mut aside).map_err(|e| FileError::writing(&kept, &e))?;
        aside.finish()?;
        lost.push(format!("{n} bytes behind the last whole record are kept in {}", kept.display()));
    } else {
        lost.push(format!("{n} bytes behind the last whole record were cut off"));
    }
    file.set_len(end).and_then(|()| file.sync_all()).map_err(failed)
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::writing(path, &error)),
        _ => Ok(()),
    }
}
