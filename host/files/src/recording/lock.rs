//! One writer per recording. The operating system drops the lock when its holder ends, however it ends, so the lock of a
//! killed program is never in the way; who held it stands in the metadata.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::metadata::{Metadata, RecordingState};
use super::names::LOCK;
use crate::error::{ErrorKind, FileError, Result};

/// Readers look at the lock for a moment; a writer tries so often before it believes that another one holds it.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// The right to write into a recording, as long as it lives.
#[derive(Debug)]
pub(crate) struct DirLock {
    file: File,
}

impl DirLock {
    /// Takes the lock, or says who holds it. `what` begins the message.
    pub(crate) fn take(dir: &Path, what: &str) -> Result<Self> {
        let path = dir.join(LOCK);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|e| {
            let plain = FileError::writing(&path, &e);
            FileError::new(plain.kind(), format!("{what} {}", dir.display()), plain.cause(), plain.mend())
        })?;
        for attempt in 0..ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::WouldBlock) if attempt + 1 < ATTEMPTS => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(FileError::writing(&path, &error)),
            }
        }
        let holder = match Metadata::read(dir) {
            Ok(m) => format!("process {} on {}, since {}", m.writer.process_id, m.writer.host_name, m.started_utc),
            Err(_) => "it has just begun".to_owned(),
        };
        Err(FileError::new(
            ErrorKind::Busy,
            format!("{what} {}", dir.display()),
            format!("another Tetherscope is writing into it ({holder})"),
            "choose another folder, or stop the other one first",
        ))
    }

    /// Whether somebody writes into the recording now.
    pub(crate) fn is_held(dir: &Path) -> bool {
        // Without the right to open the lock for reading nothing can be said; then the metadata decide.
        let Ok(file) = File::open(dir.join(LOCK)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Gives the right back before its end.
    pub(crate) fn release(&self) {
        // If it can't be, its end does it.
        let _ = self.file.unlock();
    }

    /// Whether the folder that was locked still has its name.
    pub(crate) fn still_in(&self, dir: &Path) -> bool {
        let there = std::fs::metadata(dir.join(LOCK));
        let ours = self.file.metadata();
        match (there, ours) {
            (Ok(there), Ok(ours)) => same_file(&there, &ours),
            _ => false,
        }
    }
}

#[cfg(unix)]
fn same_file(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Elsewhere an open file can't be removed.
#[cfg(not(unix))]
fn same_file(_: &std::fs::Metadata, _: &std::fs::Metadata) -> bool {
    true
}

/// What a recording is, from its metadata and its lock.
pub(crate) fn condition(dir: &Path, state: RecordingState) -> super::metadata::Condition {
    use super::metadata::Condition;
    match state {
        RecordingState::Finished => Condition::Finished,
        RecordingState::Recovered => Condition::Recovered,
        RecordingState::Recording if DirLock::is_held(dir) => Condition::Live,
        RecordingState::Recording => Condition::Torn,
    }
}
