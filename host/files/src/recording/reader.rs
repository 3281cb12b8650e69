//! Reads recordings: finished ones, torn ones, and ones that are being written. What is damaged is never given out as
//! data; it is told.

use std::path::{Path, PathBuf};

use super::arrow_log::{ArrowLogReader, Damage};
use super::arrow_rows::{ProfileRow, profiles_from, rows_from, rows_schema};
use super::frames_reader::FramesReader;
use super::lines;
use super::lock::condition;
use super::metadata::{Condition, Metadata};
use super::names::{EVENTS, GAPS, PartFiles, STAGES, Stream, scan};
use super::records::{EventRecord, GapRecord, StageSample};
use crate::error::{FileError, Result};
use crate::rows::{Row, RowsReader};

/// A recording that is open for reading.
#[derive(Debug)]
pub struct Recording {
    dir: PathBuf,
    metadata: Metadata,
    condition: Condition,
    parts: Vec<PartFiles>,
}

impl Recording {
    /// Opens the recording in `dir`. Reads its metadata and looks which files are there, nothing else.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let metadata = Metadata::read(dir)?;
        let condition = condition(dir, metadata.state);
        Ok(Self { dir: dir.to_owned(), condition, parts: scan(dir)?, metadata })
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What `recording.json` says.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What it is now: live, torn, finished or mended.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.condition
    }

    /// Names of the track sets that have files, in order of name.
    #[must_use]
    pub fn track_sets(&self) -> Vec<String> {
        let mut sets: Vec<String> = self
            .parts
            .iter()
            .filter_map(|p| match &p.stream {
                Stream::Tracks(set) => Some(set.clone()),
                _ => None,
            })
            .collect();
        sets.dedup();
        sets
    }

    /// The rows of a track set, over all its parts.
    pub fn tracks(&self, set: &str) -> Result<TracksReader> {
        let stream = Stream::Tracks(set.to_owned());
        let parts = self.parts_of(&stream, "tracks", set)?;
        Ok(TracksReader { dir: self.dir.clone(), parts, now: None, damage: Vec::new(), growing: self.growing() })
    }

    /// The profiles of a track set, over all parts, batch by batch into `each`. Returns what was damaged.
    pub fn profiles(&self, set: &str, mut each: impl FnMut(&[ProfileRow])) -> Result<Vec<Damage>> {
        let stream = Stream::Profiles(set.to_owned());
        let mut damage = Vec::new();
        for part in self.parts_of(&stream, "profiles", set)? {
            let path = part.path(&self.dir, "arrows");
            let mut reader = ArrowLogReader::open(&path, &part.path(&self.dir, "crc"), None)?;
            while let Some(batch) = reader.next_batch()? {
                let mut rows = Vec::new();
                profiles_from(&batch, &mut rows).map_err(|cause| FileError::damaged(&path, cause))?;
                each(&rows);
            }
            damage.extend(reader.damage().iter().cloned());
        }
        Ok(damage)
    }

    /// The full frames; none is no error.
    pub fn frames(&self) -> Result<FramesReader> {
        FramesReader::open(&self.dir, &self.parts, &Stream::Frames, self.growing())
    }

    /// The ROI stacks; none is no error.
    pub fn rois(&self) -> Result<FramesReader> {
        FramesReader::open(&self.dir, &self.parts, &Stream::Rois, self.growing())
    }

    /// What happened, in order, and which lines were damaged.
    pub fn events(&self) -> Result<(Vec<EventRecord>, Vec<Damage>)> {
        lines::read(&self.dir.join(EVENTS), self.growing())
    }

    /// Missing frames, in the order in which they were noticed, and which lines were damaged.
    pub fn gaps(&self) -> Result<(Vec<GapRecord>, Vec<Damage>)> {
        lines::read(&self.dir.join(GAPS), self.growing())
    }

    /// Positions of stages, in order, and which lines were damaged.
    pub fn stages(&self) -> Result<(Vec<StageSample>, Vec<Damage>)> {
        lines::read(&self.dir.join(STAGES), self.growing())
    }

    /// Reads everything and checks every checksum; what is missing or was changed. Empty: all is whole.
    pub fn check(&self) -> Result<Vec<Damage>> {
        let mut damage = self.missing_files();
        for set in self.track_sets() {
            let mut reader = self.tracks(&set)?;
            let mut rows = Vec::new();
            let read = loop {
                match reader.read_batch(&mut rows) {
                    Ok(0) => break Ok(reader.damage().to_vec()),
                    Ok(_) => rows.clear(),
                    Err(error) => break Err(error),
                }
            };
            damage.extend(told(&format!("tracks.{set}"), read)?);
        }
        for part in &self.parts {
            if let Stream::Profiles(set) = &part.stream
                && part.part == self.parts.iter().filter(|p| p.stream == part.stream).map(|p| p.part).min().unwrap_or(0)
            {
                damage.extend(told(&part.stream.name(), self.profiles(set, |_| {}))?);
            }
        }
        for mut frames in [self.frames()?, self.rois()?] {
            let mut frame = Default::default();
            while frames.read(&mut frame)?.is_some() {}
            damage.extend(frames.damage().iter().cloned());
        }
        damage.extend(self.events()?.1);
        damage.extend(self.gaps()?.1);
        damage.extend(self.stages()?.1);
        damage.extend(self.changed_files()?);
        Ok(damage)
    }

    /// Files that the metadata name and that are not there.
    fn missing_files(&self) -> Vec<Damage> {
        let gone = |name: &str| {
            // A live log may have become Parquet since the metadata were written.
            let finished = name.strip_suffix(".arrows").map(|stem| self.dir.join(format!("{stem}.parquet")));
            !self.dir.join(name).exists() && !finished.is_some_and(|f| f.exists())
        };
        let files = self.metadata.files.iter().filter(|f| gone(&f.name));
        files
            .map(|f| Damage { file: f.name.clone(), what: "the file is missing".to_owned(), n_lost: Some(f.n_records) })
            .collect()
    }

    /// Finished files whose checksum over all of them is not the one that was written down.
    fn changed_files(&self) -> Result<Vec<Damage>> {
        let mut damage = Vec::new();
        for file in &self.metadata.files {
            let path = self.dir.join(&file.name);
            let Some(stored) = file.crc32c.as_ref().filter(|_| path.exists()) else { continue };
            let (n_bytes, crc) = super::finalise::sum_of_file(&path)?;
            if *stored != format!("{crc:08x}") || file.n_bytes.is_some_and(|n| n != n_bytes) {
                let what = "the file was changed after the recording had ended".to_owned();
                damage.push(Damage { file: file.name.clone(), what, n_lost: None });
            }
        }
        Ok(damage)
    }

    /// Whether an unfinished record at an end is to be expected.
    fn growing(&self) -> bool {
        self.condition == Condition::Live
    }

    fn parts_of(&self, stream: &Stream, what: &str, set: &str) -> Result<Vec<PartFiles>> {
        let parts: Vec<PartFiles> = self.parts.iter().filter(|p| p.stream == *stream).cloned().collect();
        if !parts.is_empty() {
            return Ok(parts);
        }
        let sets = self.track_sets();
        Err(FileError::new(
            crate::ErrorKind::NotFound,
            format!("cannot read {what} {set:?} of {}", self.dir.display()),
            format!("this recording has no {what} of that name"),
            if sets.is_empty() { "it has no track set".to_owned() } else { format!("it has: {}", sets.join(", ")) },
        ))
    }
}

/// A file that can't be read because it is damaged is damage; other errors stay errors.
fn told(file: &str, read: Result<Vec<Damage>>) -> Result<Vec<Damage>> {
    match read {
        Err(error) if matches!(error.kind(), crate::ErrorKind::Damaged | crate::ErrorKind::Malformed) => {
            Ok(vec![Damage { file: file.to_owned(), what: error.cause().to_owned(), n_lost: None }])
        }
        other => other,
    }
}

/// Reads the rows of one track set, part after part.
#[derive(Debug)]
pub struct TracksReader {
    dir: PathBuf,
    /// What is still to come, in order.
    parts: Vec<PartFiles>,
    now: Option<PartReader>,
    damage: Vec<Damage>,
    growing: bool,
}

#[derive(Debug)]
enum PartReader {
    Parquet(Box<RowsReader>),
    Log(PathBuf, Box<ArrowLogReader>),
}

impl TracksReader {
    /// Appends the next rows and returns how many; 0 is the end.
    pub fn read_batch(&mut self, rows: &mut Vec<Row>) -> Result<usize> {
        loop {
            let before = rows.len();
            match &mut self.now {
                None => {
                    if self.parts.is_empty() {
                        return Ok(0);
                    }
                    let part = self.parts.remove(0);
                    self.open(&part)?;
                    continue;
                }
                Some(PartReader::Parquet(reader)) => {
                    if reader.read_batch(rows)? > 0 {
                        return Ok(rows.len() - before);
                    }
                }
                Some(PartReader::Log(path, reader)) => match reader.next_batch()? {
                    Some(batch) => {
                        rows_from(&batch, rows).map_err(|cause| FileError::damaged(path, cause))?;
                        if rows.len() > before {
                            return Ok(rows.len() - before);
                        }
                        continue;
                    }
                    None => {
                        self.damage.extend(reader.damage().iter().cloned());
                        let length = std::fs::metadata(&*path).map_or(0, |m| m.len());
                        if !self.growing && length > reader.good_end() && reader.damage().is_empty() {
                            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                            let n = length - reader.good_end();
                            let what = format!("{n} bytes at its end are of no whole batch");
                            self.damage.push(Damage { file, what, n_lost: None });
                        }
                    }
                },
            }
            self.now = None;
        }
    }

    /// What was damaged so far; complete at the end.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    fn open(&mut self, part: &PartFiles) -> Result<()> {
        let at = |extension: &str| part.path(&self.dir, extension);
        // A part that was finished since the folder was looked at has its Parquet file now.
        if part.has("parquet") || at("parquet").exists() {
            self.now = Some(PartReader::Parquet(Box::new(RowsReader::open(at("parquet"))?)));
        } else if part.has("arrows") && part.has("crc") {
            let reader = ArrowLogReader::open(&at("arrows"), &at("crc"), Some(&rows_schema(&[])))?;
            self.now = Some(PartReader::Log(at("arrows"), Box::new(reader)));
        } else {
            let file = part.stream.file(part.part, &part.extensions[0]);
            let what = "the file of rows or that of their checksums is missing".to_owned();
            self.damage.push(Damage { file, what, n_lost: None });
        }
        Ok(())
    }
}
