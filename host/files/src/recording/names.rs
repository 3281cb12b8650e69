//! Names of the files in a recording. One scan of the folder tells what is there; nothing depends on a list that a
//! killed program may not have written.

use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, FileError, Result};

pub(crate) const METADATA: &str = "recording.json";
pub(crate) const LOCK: &str = ".lock";
/// Space that is given back when the disk is full, so that the metadata can still be written.
pub(crate) const RESERVE: &str = ".reserve";
pub(crate) const EVENTS: &str = "events.jsonl";
pub(crate) const GAPS: &str = "gaps.jsonl";
pub(crate) const STAGES: &str = "stages.jsonl";

const MAX_SET_CHARS: usize = 48;

/// A kind of data that is written in numbered parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Rows of a track set.
    Tracks(String),
    /// Radial profiles of a track set.
    Profiles(String),
    /// Full frames.
    Frames,
    /// ROI stacks.
    Rois,
}

impl Stream {
    /// `tracks.main`, `frames` …: what its files' names begin with.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Tracks(set) => format!("tracks.{set}"),
            Self::Profiles(set) => format!("profiles.{set}"),
            Self::Frames => "frames".to_owned(),
            Self::Rois => "rois".to_owned(),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        match name.split_once('.') {
            None if name == "frames" => Some(Self::Frames),
            None if name == "rois" => Some(Self::Rois),
            Some(("tracks", set)) if valid_set(set) => Some(Self::Tracks(set.to_owned())),
            Some(("profiles", set)) if valid_set(set) => Some(Self::Profiles(set.to_owned())),
            _ => None,
        }
    }

    /// `frames.0001.tif`.
    pub(crate) fn file(&self, part: u32, extension: &str) -> String {
        format!("{}.{part:04}.{extension}", self.name())
    }
}

/// The files that one part of a stream has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartFiles {
    pub(crate) stream: Stream,
    pub(crate) part: u32,
    pub(crate) extensions: Vec<String>,
}

impl PartFiles {
    pub(crate) fn has(&self, extension: &str) -> bool {
        self.extensions.iter().any(|e| e == extension)
    }

    pub(crate) fn path(&self, dir: &Path, extension: &str) -> PathBuf {
        dir.join(self.stream.file(self.part, extension))
    }
}

/// All parts in a folder, in order of stream and number.
pub(crate) fn scan(dir: &Path) -> Result<Vec<PartFiles>> {
    let mut found: std::collections::BTreeMap<(Stream, u32), Vec<String>> = Default::default();
    for entry in std::fs::read_dir(dir).map_err(|e| FileError::reading(dir, &e))? {
        let entry = entry.map_err(|e| FileError::reading(dir, &e))?;
        let name = entry.file_name();
        let Some((stream, part, extension)) = name.to_str().and_then(parse) else { continue };
        found.entry((stream, part)).or_default().push(extension);
    }
    Ok(found
        .into_iter()
        .map(|((stream, part), mut extensions)| {
            extensions.sort();
            PartFiles { stream, part, extensions }
        })
        .collect())
}

fn parse(name: &str) -> Option<(Stream, u32, String)> {
    let mut pieces = name.rsplitn(3, '.');
    let (extension, part, stream) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let known = matches!(extension, "arrows" | "crc" | "parquet" | "tif" | "index");
    let number = part.len() >= 4 && part.bytes().all(|b| b.is_ascii_digit());
    if !known || !number {
        return None;
    }
    Some((Stream::parse(stream)?, part.parse().ok()?, extension.to_owned()))
}

fn valid_set(set: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !set.is_empty() && set.len() <= MAX_SET_CHARS && set.bytes().all(fits)
}

/// The name of a track set is part of file names.
pub(crate) fn check_set(dir: &Path, set: &str) -> Result<()> {
    if valid_set(set) {
        return Ok(());
    }
    Err(FileError::new(
        ErrorKind::InvalidValue,
        format!("cannot write tracks into {}", dir.display()),
        format!("{set:?} is no name for a track set"),
        format!("use 1 to {MAX_SET_CHARS} of the characters a-z, 0-9, - and _, for example main or shadow-1"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_read_back_and_others_are_passed_over() {
        let streams =
            [Stream::Tracks("main".into()), Stream::Profiles("shadow-1".into()), Stream::Frames, Stream::Rois];
        for stream in streams {
            for (part, extension) in [(1, "arrows"), (12_345, "index")] {
                let name = stream.file(part, extension);
                assert_eq!(parse(&name), Some((stream.clone(), part, extension.to_owned())), "{name}");
            }
        }
        for other in ["frames.tif", "frames.1.tif", "tracks..0001.arrows", "notes.0001.txt", "tracks.A.0001.crc", "x"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
