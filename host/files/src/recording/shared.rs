//! What the writer of a recording shares with the threads that sync it and finish its closed parts.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::finalise::{self, ClosedPart};
use super::live::OpenFiles;
use super::lock::DirLock;
use super::metadata::{FileState, Metadata};
use super::names::RESERVE;
use crate::error::{ErrorKind, FileError, Result};

/// Everything that is not the writer's alone.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) lock: DirLock,
    pub(crate) open: OpenFiles,
    metadata: Mutex<MetadataOnDisk>,
    closed: Mutex<VecDeque<ClosedPart>>,
    /// The writer is gone; nothing may be written any more.
    ended: AtomicBool,
    /// Held while a part is finished, so that the writer can wait for it.
    finishing: Mutex<()>,
}

#[derive(Debug)]
struct MetadataOnDisk {
    now: Metadata,
    dirty: bool,
}

impl Shared {
    pub(crate) fn new(dir: PathBuf, lock: DirLock, metadata: Metadata) -> Self {
        Self {
            dir,
            lock,
            open: OpenFiles::default(),
            metadata: Mutex::new(MetadataOnDisk { now: metadata, dirty: true }),
            closed: Mutex::default(),
            ended: AtomicBool::new(false),
            finishing: Mutex::default(),
        }
    }

    /// Changes the metadata; they are written with the next sync.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Metadata) -> T) -> T {
        let mut metadata = held(&self.metadata);
        metadata.dirty = true;
        change(&mut metadata.now)
    }

    pub(crate) fn metadata(&self) -> Metadata {
        held(&self.metadata).now.clone()
    }

    /// Writes the metadata if they changed. On a full disk the reserve is given back for it.
    pub(crate) fn write_metadata(&self) -> Result<()> {
        // Held while writing: two writers would else replace the newer by the older.
        let mut metadata = held(&self.metadata);
        if !metadata.dirty || self.has_ended() {
            return Ok(());
        }
        let written = match metadata.now.replace(&self.dir) {
            Err(error) if error.kind() == ErrorKind::DiskFull => {
                self.give_reserve_back();
                metadata.now.replace(&self.dir)
            }
            other => other,
        };
        metadata.dirty = written.is_err();
        written
    }

    /// Writes down what went wrong without an end of anything.
    pub(crate) fn note(&self, problem: &FileError) {
        let text = problem.to_string().replace('\n', ": ");
        self.change(|m| {
            if !m.problems.contains(&text) {
                m.problems.push(text);
            }
        });
    }

    /// Makes room on a full disk, once.
    pub(crate) fn give_reserve_back(&self) {
        // It may be gone already.
        let _ = std::fs::remove_file(self.dir.join(RESERVE));
    }

    /// Whether the folder is still where it was.
    pub(crate) fn check_folder(&self) -> Result<()> {
        if self.lock.still_in(&self.dir) {
            return Ok(());
        }
        Err(FileError::new(
            ErrorKind::Moved,
            format!("cannot go on recording into {}", self.dir.display()),
            "the folder was moved, replaced or removed while it was written",
            "stop and begin a new recording; leave its folder alone until it has ended",
        ))
    }

    /// Gives the folder free, whoever still has a handle.
    pub(crate) fn end(&self) {
        // Waits for who is writing.
        let _finishing = held(&self.finishing);
        let _metadata = held(&self.metadata);
        self.ended.store(true, Ordering::Release);
        self.lock.release();
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn push_closed(&self, part: ClosedPart) {
        held(&self.closed).push_back(part);
    }

    /// Finishes one closed part, if there is one. `Ok(false)`: there was none.
    pub(crate) fn finish_next(&self) -> Result<bool> {
        let _finishing = held(&self.finishing);
        if self.has_ended() {
            return Ok(false);
        }
        let Some(part) = held(&self.closed).pop_front() else { return Ok(false) };
        let metadata = self.metadata();
        let finished = finalise::finish_part(&self.dir, &part, &metadata);
        self.change(|m| match &finished {
            Ok(files) => files.iter().for_each(|f| f.enter(m)),
            Err(error) => {
                let text = error.to_string().replace('\n', ": ");
                m.problems.push(format!("{} part {} kept as it was recorded: {text}", part.stream.name(), part.part));
                m.files.iter_mut().filter(|f| f.stream == part.stream.name() && f.part == part.part).for_each(|f| {
                    f.state = FileState::Closed;
                });
            }
        });
        finished.map(|_| true)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For other threads than the writer's: brings what was written to the disk, and finishes closed parts.
#[derive(Debug, Clone)]
pub struct SyncHandle {
    pub(crate) shared: Arc<Shared>,
}

impl SyncHandle {
    /// Writes everything that was appended so far to the disk, and the metadata if they changed. Call it once a second,
    /// from a thread that may wait (10 to 100 ms, and seconds on a bad disk). Also notices that the folder was moved or
    /// removed. After an error the recording goes on, but what was written since the last sync may not survive a power cut.
    /// Once the writer is gone there is nothing left to do.
    pub fn sync(&self) -> Result<()> {
        if self.shared.has_ended() {
            return Ok(());
        }
        self.shared.check_folder()?;
        let files = self.shared.open.sync(&self.shared.dir);
        files.and(self.shared.write_metadata())
    }

    /// Gives one part that a rotation closed its last form (rows become Parquet, videos get labels and the chain of pages).
    /// `false`: there is none. Takes about 0.3 µs per row; call it where nobody waits. A part that nobody finished is
    /// finished when the recording is. If it fails, the part stays as it was recorded, and the metadata say why.
    pub fn finish_next_part(&self) -> Result<bool> {
        self.shared.finish_next()
    }
}
