//! Begins a recording, wholly or not at all.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::lines::LineLog;
use super::lock::DirLock;
use super::metadata::{Metadata, RecordingState};
use super::names::{self, EVENTS, GAPS, LOCK, METADATA, RESERVE, STAGES, Stream};
use super::options::RecordingOptions;
use super::shared::Shared;
use super::space;
use super::writer::RecordingWriter;
use crate::error::{ErrorKind, FileError, Result};

/// Begins every refusal.
const CANNOT: &str = "cannot begin a recording in";

/// Enough for the metadata of a recording with many files, twice.
const RESERVE_BYTES: usize = 1 << 20;

pub(super) fn create(dir: &Path, options: &RecordingOptions) -> Result<RecordingWriter> {
    create_with(dir, options, |dir| space::require(dir, options.needed_bytes))
}

/// As [`create`], on a disk that is too small to begin with.
#[cfg(test)]
pub(super) fn create_in_any_space(dir: &Path, options: &RecordingOptions) -> Result<RecordingWriter> {
    create_with(dir, options, |_| Ok(()))
}

fn create_with(
    dir: &Path,
    options: &RecordingOptions,
    require_space: impl FnOnce(&Path) -> Result<()>,
) -> Result<RecordingWriter> {
    options.track_sets.iter().try_for_each(|s| names::check_set(dir, &s.id))?;
    let made = make_folder(dir)?;
    if !made {
        require_empty(dir)?;
    }
    let locked = DirLock::take(dir, CANNOT).and_then(|lock| {
        // Another host may have been quicker.
        require_empty(dir)?;
        Ok(lock)
    });
    let lock = locked.inspect_err(|_| {
        if made {
            // Only goes if nobody has put anything into it.
            let _ = std::fs::remove_dir(dir);
        }
    })?;
    require_space(dir).and_then(|()| begin(dir, lock, options)).inspect_err(|_| clear(dir, made))
}

/// Opens a finished recording for further track sets.
pub(super) fn reopen(dir: &Path) -> Result<RecordingWriter> {
    let what = format!("cannot add to {}", dir.display());
    Metadata::read(dir)?;
    let lock = DirLock::take(dir, "cannot add to")?;
    let metadata = Metadata::read(dir)?;
    let torn = names::scan(dir)?.iter().any(|p| matches!(p.stream, Stream::Tracks(_)) && !p.has("parquet"));
    if metadata.state == RecordingState::Recording || torn {
        return Err(FileError::new(
            ErrorKind::Damaged,
            what,
            "its writer was killed, and it was not mended since",
            "mend it first: `tetherscope recover`",
        ));
    }
    let end_state = metadata.state;
    let parts = names::scan(dir)?;
    let shared = Arc::new(Shared::new(dir.to_owned(), lock, metadata));
    let lines = |name: &str| {
        let path = dir.join(name);
        if path.exists() { LineLog::resume(&path, &shared.open) } else { LineLog::create(&path, &shared.open) }
    };
    let next = |stream: &Stream| parts.iter().filter(|p| p.stream == *stream).map(|p| p.part).max().unwrap_or(0) + 1;
    Ok(RecordingWriter {
        tracks: Vec::new(),
        frames: None,
        rois: None,
        next_frames_part: next(&Stream::Frames),
        next_rois_part: next(&Stream::Rois),
        events: lines(EVENTS)?,
        gaps: lines(GAPS)?,
        stages: lines(STAGES)?,
        rotate_every: None,
        end_state,
        shared,
    })
}

fn begin(dir: &Path, lock: DirLock, options: &RecordingOptions) -> Result<RecordingWriter> {
    let shared = Arc::new(Shared::new(dir.to_owned(), lock, Metadata::begin(dir, options.sections.clone())));
    reserve(dir)?;
    let lines = |name: &str| {
        shared.change(|m| {
            m.file(name, name.trim_end_matches(".jsonl"), 0);
        });
        LineLog::create(&dir.join(name), &shared.open)
    };
    let mut writer = RecordingWriter {
        tracks: Vec::new(),
        frames: None,
        rois: None,
        next_frames_part: 1,
        next_rois_part: 1,
        events: lines(EVENTS)?,
        gaps: lines(GAPS)?,
        stages: lines(STAGES)?,
        rotate_every: options.rotate_every,
        end_state: RecordingState::Finished,
        shared: shared.clone(),
    };
    for set in &options.track_sets {
        writer.add_track_set(set)?;
    }
    if let Some(frames) = &options.frames {
        writer.start_frames(frames)?;
    }
    if let Some(rois) = &options.rois {
        writer.start_rois(rois)?;
    }
    shared.write_metadata()?;
    Ok(writer)
}

/// Takes the space that is given back when the disk is full.
fn reserve(dir: &Path) -> Result<()> {
    let path = dir.join(RESERVE);
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut f| f.write_all(&vec![0; RESERVE_BYTES]));
    written.map_err(|e| FileError::writing(&path, &e))
}

/// Removes what a start that failed has made; the folder was empty before.
fn clear(dir: &Path, made: bool) {
    let fixed = [METADATA, RESERVE, EVENTS, GAPS, STAGES, LOCK].map(str::to_owned);
    let parts = names::scan(dir).unwrap_or_default();
    let parts = parts.iter().flat_map(|p| p.extensions.iter().map(|e| p.stream.file(p.part, e)));
    for name in parts.chain(fixed) {
        let _ = std::fs::remove_file(dir.join(name));
    }
    if made {
        let _ = std::fs::remove_dir(dir);
    }
}

/// A recording begins in an empty folder.
fn require_empty(dir: &Path) -> Result<()> {
    let entries = std::fs::read_dir(dir).map_err(|e| refused(dir, &e))?;
    let taken = entries.flatten().any(|e| e.file_name() != LOCK);
    if !taken {
        return Ok(());
    }
    if DirLock::is_held(dir) {
        return Err(DirLock::take(dir, CANNOT).err().unwrap_or_else(|| FileError::exists(dir)));
    }
    Err(FileError::new(
        ErrorKind::AlreadyExists,
        format!("{CANNOT} {}", dir.display()),
        "the folder is there already and not empty, and nothing is overwritten",
        "choose another name",
    ))
}

/// Makes the folder; `true` if it was not there.
fn make_folder(dir: &Path) -> Result<bool> {
    match std::fs::create_dir(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(false),
        Err(error) => Err(refused(dir, &error)),
    }
}

/// Why a recording can't begin in a folder.
fn refused(dir: &Path, error: &io::Error) -> FileError {
    let above = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (kind, cause, mend) = match error.kind() {
        io::ErrorKind::AlreadyExists => (
            ErrorKind::AlreadyExists,
            "a file with this name exists, and nothing is overwritten".to_owned(),
            "choose another name, or move the old file away",
        ),
        io::ErrorKind::NotFound => (
            ErrorKind::NotFound,
            format!("the folder {} does not exist", above.display()),
            "make it, or choose another one",
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::PermissionDenied, error.to_string(), "choose a folder of your own, or change the permissions")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::DiskFull, error.to_string(), "make room, or choose another disk")
        }
        _ => (ErrorKind::Io, error.to_string(), "check the disk or the network drive, then try again"),
    };
    FileError::new(kind, format!("{CANNOT} {}", dir.display()), cause, mend)
}
