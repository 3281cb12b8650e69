//! JSON lines with a checksum each: `{…,"crc32c":"1a2b3c4d"}`, where the checksum is of everything on the line before the
//! comma in front of it. Any tool reads them; ours also notices a line that was cut or changed.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arrow_log::Damage;
use super::live::{LiveFile, OpenFiles};
use crate::error::{ErrorKind, FileError, Result};

/// `,"crc32c":"` + 8 digits + `"}`.
const SEAL_START: &str = ",\"crc32c\":\"";
const SEAL_BYTES: usize = 11 + 8 + 2;

/// Writes lines.
#[derive(Debug)]
pub(crate) struct LineLog {
    file: LiveFile,
    n: u64,
}

impl LineLog {
    pub(crate) fn create(path: &Path, open: &OpenFiles) -> Result<Self> {
        Ok(Self { file: LiveFile::create(path, open)?, n: 0 })
    }

    /// Goes on behind the last whole line of a file.
    pub(crate) fn resume(path: &Path, open: &OpenFiles) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| FileError::reading(path, &e))?;
        let (end, n) = whole(&bytes);
        Ok(Self { file: LiveFile::resume(path, end, open)?, n })
    }

    pub(crate) fn append(&mut self, record: &impl Serialize) -> Result<()> {
        let line = line(record).map_err(|cause| {
            FileError::new(
                ErrorKind::InvalidValue,
                format!("cannot write a record into {}", self.file.path().display()),
                cause,
                "this is a bug in Tetherscope: please report it with this message",
            )
        })?;
        self.file.append(line.as_bytes())?;
        self.n += 1;
        Ok(())
    }

    pub(crate) fn n(&self) -> u64 {
        self.n
    }
}

fn line(record: &impl Serialize) -> std::result::Result<String, String> {
    let mut text = serde_json::to_string(record).map_err(|e| e.to_string())?;
    // A struct with fields; anything else would give no valid line.
    if text.len() < 3 || text.pop() != Some('}') {
        return Err("it is no object with fields".to_owned());
    }
    let crc = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("{SEAL_START}{crc:08x}\"}}\n"));
    Ok(text)
}

/// The record on a line without its end, if the line is whole.
fn parse<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(line).ok()?;
    let body = checked(text)?;
    serde_json::from_str(&format!("{body}}}")).ok()
}

/// What stands before the checksum, if it matches.
fn checked(text: &str) -> Option<&str> {
    let place = text.len().checked_sub(SEAL_BYTES)?;
    let (body, seal) = text.split_at_checked(place)?;
    let digits = seal.strip_prefix(SEAL_START)?.strip_suffix("\"}")?;
    let same = digits == format!("{:08x}", crc32c::crc32c(body.as_bytes()));
    same.then_some(body)
}

/// Where the last whole line ends, and how many are whole.
pub(crate) fn whole(bytes: &[u8]) -> (u64, u64) {
    let (mut end, mut n, mut at) = (0, 0, 0);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        let text = line.strip_suffix(b"\n").and_then(|l| std::str::from_utf8(l).ok());
        if text.and_then(checked).is_some() {
            end = at as u64;
            n += 1;
        }
    }
    (end, n)
}

/// All whole records of a file, and what was damaged. A file that isn't there has none. An unfinished last line of a file
/// that is `growing` is no damage.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, growing: bool) -> Result<(Vec<T>, Vec<Damage>)> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        bytes => bytes.map_err(|e| FileError::reading(path, &e))?,
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut records, mut damage) = (Vec::new(), Vec::new());
    for (i, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        match line.strip_suffix(b"\n").map(parse) {
            Some(Some(record)) => records.push(record),
            None if growing => {}
            ended => damage.push(Damage {
                file: file.clone(),
                what: match ended {
                    None => format!("line {} is cut", i + 1),
                    Some(_) => format!("line {} doesn't match its checksum", i + 1),
                },
                n_lost: Some(1),
            }),
        }
    }
    Ok((records, damage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::records::GapRecord;

    fn gap(i: u64) -> GapRecord {
        let device_ids = i.is_multiple_of(2).then_some((i, i + 3));
        GapRecord {
            stage: "camera".into(),
            first_frame_after: i,
            count: 4,
            reason: "camera_gap".into(),
            device_ids,
            utc_ns: None,
        }
    }

    #[test]
    fn lines_are_plain_json_and_a_file_cut_or_changed_anywhere_gives_the_whole_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gaps.jsonl");
        let open = OpenFiles::default();
        let mut log = LineLog::create(&path, &open).unwrap();
        let gaps: Vec<GapRecord> = (0..5).map(gap).collect();
        let mut ends = vec![0];
        for gap in &gaps {
            log.append(gap).unwrap();
            ends.push(std::fs::metadata(&path).unwrap().len() as usize);
        }
        let good = std::fs::read(&path).unwrap();
        for line in std::str::from_utf8(&good).unwrap().lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["crc32c"].is_string());
        }
        crate::spoil::every_prefix("gaps.jsonl", &good, |path, n| {
            let whole = ends.iter().filter(|e| **e <= n).count() - 1;
            let (found, damage) = read::<GapRecord>(path, false).unwrap();
            assert_eq!(found, gaps[..whole], "cut at {n}");
            assert_eq!(damage.is_empty(), ends.contains(&n), "cut at {n}");
        });
        crate::spoil::every_flip("gaps.jsonl", &good, &[1, 0x80], |path, n| {
            let hit = ends.iter().filter(|e| **e <= n).count() - 1;
            let (found, damage) = read::<GapRecord>(path, false).unwrap();
            assert!(!damage.is_empty(), "flipped at {n}");
            let expected: Vec<_> = (0..5).filter(|i| *i != hit).map(gap_at).collect();
            // A flipped line end joins two lines.
            let joined: Vec<_> = (0..5).filter(|i| *i != hit && *i != hit + 1).map(gap_at).collect();
            assert!(found == expected || (n + 1 == ends[hit + 1] && found == joined), "flipped at {n}: {found:?}");
        });
    }

    fn gap_at(i: usize) -> GapRecord {
        gap(i as u64)
    }
}
