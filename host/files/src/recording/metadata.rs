//! `recording.json`: what a recording is, which files it has, and whatever its maker says about settings, plugins, optics
//! and outcome. It is replaced as a whole, so a reader always sees a complete one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::names::METADATA;
use crate::error::{ErrorKind, FileError, Result};

/// Version of `recording.json` and of the files it stands for. Grows when something changes its meaning.
pub const RECORDING_VERSION: u32 = 1;

const FORMAT: &str = "tetherscope.recording";

/// What `recording.json` says of the recording as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Begun and not ended: it is being written, or its writer was killed.
    Recording,
    /// Ended and complete.
    Finished,
    /// Its writer was killed; what was there was mended.
    Recovered,
}

/// What a recording is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Somebody is writing it.
    Live,
    /// Its writer was killed, and nobody has mended it yet. All whole records can be read.
    Torn,
    /// Ended and complete.
    Finished,
    /// Was torn, and is mended.
    Recovered,
}

/// What one file has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It grows.
    Live,
    /// It grows no more, and is still in the form in which it was written.
    Closed,
    /// It has its last form.
    Final,
}

/// One file of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// `tracks.main`, `frames`, …
    pub stream: String,
    /// Number of the part, from 1; 0 for what is not written in parts.
    pub part: u32,
    /// What it has come to.
    pub state: FileState,
    /// Rows, profiles, frames or lines in it; what a live file holds stands in the file.
    pub n_records: u64,
    /// Index of the first frame in it.
    pub first_frame: Option<u64>,
    /// Index of the last frame in it.
    pub last_frame: Option<u64>,
    /// Its length, once it has its last form.
    pub n_bytes: Option<u64>,
    /// crc32c of all of it, hexadecimal, where its records have no checksums of their own.
    pub crc32c: Option<String>,
}

/// Several methods may have tracked one recording; each has its set of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackSetInfo {
    /// Its name, a part of its files' names.
    pub id: String,
    /// Plugins, versions, parameters …, as given by its maker.
    pub description: Value,
    /// When it was begun, RFC 3339.
    pub begun_utc: String,
}

/// Who wrote a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterIdentity {
    /// Name and version of the program.
    pub program: String,
    /// Its process.
    pub process_id: u32,
    /// The machine.
    pub host_name: String,
}

/// What `recording.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// `tetherscope.recording`.
    pub format: String,
    /// [`RECORDING_VERSION`] of its writer.
    pub schema_version: u32,
    /// Whether it was ended.
    pub state: RecordingState,
    /// Unique among all recordings.
    pub id: String,
    /// Who writes or wrote it.
    pub writer: WriterIdentity,
    /// When it was begun, RFC 3339 in UTC.
    pub started_utc: String,
    /// The same, ns since 1970.
    pub started_utc_ns: i64,
    /// When it was ended or mended.
    pub ended_utc: Option<String>,
    /// The same, ns since 1970.
    pub ended_utc_ns: Option<i64>,
    /// Settings, plugins, camera, operator, clock fit, ledger, verdict …: the maker's words, by name.
    pub sections: BTreeMap<String, Value>,
    /// Who tracked, in the order in which the sets were begun.
    pub track_sets: Vec<TrackSetInfo>,
    /// All files but this one.
    pub files: Vec<FileEntry>,
    /// What went wrong while it was written, in words.
    pub problems: Vec<String>,
    /// What mending found and did.
    pub recovery: Option<Value>,
}

impl Metadata {
    /// Of a recording that begins now.
    pub(crate) fn begin(dir: &Path, sections: BTreeMap<String, Value>) -> Self {
        let now = now_utc_ns();
        let writer = this_writer();
        let mut hash = blake3::Hasher::new();
        hash.update(&now.to_le_bytes()).update(writer.host_name.as_bytes());
        hash.update(&writer.process_id.to_le_bytes()).update(dir.to_string_lossy().as_bytes());
        Self {
            format: FORMAT.to_owned(),
            schema_version: RECORDING_VERSION,
            state: RecordingState::Recording,
            id: hash.finalize().to_hex()[..32].to_owned(),
            writer,
            started_utc: utc_text(now),
            started_utc_ns: now,
            ended_utc: None,
            ended_utc_ns: None,
            sections,
            track_sets: Vec::new(),
            files: Vec::new(),
            problems: Vec::new(),
            recovery: None,
        }
    }

    /// Marks the end.
    pub(crate) fn end(&mut self, state: RecordingState) {
        let now = now_utc_ns();
        self.state = state;
        self.ended_utc = Some(utc_text(now));
        self.ended_utc_ns = Some(now);
    }

    /// Reads the metadata of the recording in `dir`.
    pub fn read(dir: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            schema_version: u32,
        }
        let path = dir.join(METADATA);
        let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => not_a_recording(dir),
            std::io::ErrorKind::InvalidData => FileError::damaged(&path, "it is no text"),
            _ => FileError::reading(&path, &e),
        })?;
        let damaged = |e: serde_json::Error| FileError::damaged(&path, e.to_string());
        let version: Version = serde_json::from_str(&text).map_err(damaged)?;
        if version.format != FORMAT {
            return Err(not_a_recording(dir));
        }
        if version.schema_version > RECORDING_VERSION {
            return Err(FileError::new(
                ErrorKind::TooNew,
                format!("cannot read {}", path.display()),
                format!("its version is {}, this Tetherscope knows {RECORDING_VERSION}", version.schema_version),
                "get a newer Tetherscope",
            ));
        }
        serde_json::from_str(&text).map_err(damaged)
    }

    /// Replaces the metadata in `dir` as a whole: written beside, synced, renamed over the old ones. The only file that is
    /// ever replaced, and only by the recording's own writer.
    pub(crate) fn replace(&self, dir: &Path) -> Result<()> {
        let path = dir.join(METADATA);
        let failed = |e: &std::io::Error| super::live::live_error(&path, e);
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| {
            FileError::invalid(&path, e.to_string(), "give settings that JSON can hold, nested less deep")
        })?;
        text.push(b'\n');
        let mut builder = tempfile::Builder::new();
        builder.prefix(".recording.json.").suffix(".part");
        if let Some(permissions) = crate::new_file::ordinary_permissions() {
            builder.permissions(permissions);
        }
        let mut file = builder.tempfile_in(dir).map_err(|e| failed(&e))?;
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
        file.persist(&path).map_err(|e| failed(&e.error))?;
        crate::new_file::sync_folder(dir);
        Ok(())
    }

    /// The entry of a file, made if it isn't there.
    pub(crate) fn file(&mut self, name: &str, stream: &str, part: u32) -> &mut FileEntry {
        let place = self.files.iter().position(|f| f.name == name).unwrap_or_else(|| {
            self.files.push(FileEntry {
                name: name.to_owned(),
                stream: stream.to_owned(),
                part,
                state: FileState::Live,
                n_records: 0,
                first_frame: None,
                last_frame: None,
                n_bytes: None,
                crc32c: None,
            });
            self.files.len() - 1
        });
        &mut self.files[place]
    }
}

fn not_a_recording(dir: &Path) -> FileError {
    FileError::new(
        ErrorKind::NotFound,
        format!("cannot read {}", dir.display()),
        format!("there is no {METADATA} of ours in it, so this is no recording"),
        "give the folder of a recording; if its other files are there, `tetherscope recover` makes a new one",
    )
}

/// This program, on this machine.
pub(crate) fn this_writer() -> WriterIdentity {
    WriterIdentity {
        program: concat!("tetherscope ", env!("CARGO_PKG_VERSION")).to_owned(),
        process_id: std::process::id(),
        host_name: host_name(),
    }
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// UTC in ns since 1970.
pub(crate) fn now_utc_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// RFC 3339 with nanoseconds. Days to a date: Hinnant, "chrono-compatible low-level date algorithms".
pub(crate) fn utc_text(ns: i64) -> String {
    let (seconds, ns) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ns:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(utc_text(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(utc_text(951_782_400_000_000_001), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(utc_text(1_795_820_399_999_999_999), "2026-11-27T22:59:59.999999999Z");
        assert_eq!(utc_text(-1), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn metadata_read_back_and_those_of_a_newer_program_are_refused_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let sections = BTreeMap::from([("camera".to_owned(), serde_json::json!({"nm_per_px": 54.2, "µ": null}))]);
        let mut metadata = Metadata::begin(dir.path(), sections);
        metadata.replace(dir.path()).unwrap();
        metadata.end(RecordingState::Finished);
        metadata.replace(dir.path()).unwrap();
        assert_eq!(Metadata::read(dir.path()).unwrap(), metadata);
        let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing is left beside it");

        metadata.schema_version = RECORDING_VERSION + 1;
        metadata.replace(dir.path()).unwrap();
        assert_eq!(Metadata::read(dir.path()).unwrap_err().kind(), ErrorKind::TooNew);
        assert_eq!(Metadata::read(&dir.path().join("no")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
