//! A file that grows record by record while an experiment runs, and never ends in half a record: a write that fails is
//! cut back. Data go straight to the operating system, so that a killed program loses nothing that was appended.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{ErrorKind, FileError, Result};

/// A handle that the writer and the thread which syncs share.
#[derive(Debug)]
pub(crate) struct SharedFile {
    file: File,
    dirty: AtomicBool,
    /// Nothing more will be written; the next sync is the last.
    closed: AtomicBool,
}

/// The open files of a recording, for the thread that syncs them.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    files: Mutex<Vec<(PathBuf, Arc<SharedFile>)>>,
    /// Names that came or went since the folder was synced.
    folder_dirty: AtomicBool,
}

impl OpenFiles {
    fn held(&self) -> std::sync::MutexGuard<'_, Vec<(PathBuf, Arc<SharedFile>)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, path: &Path, file: &Arc<SharedFile>) {
        self.held().push((path.to_owned(), file.clone()));
        self.folder_dirty.store(true, Ordering::Release);
    }

    /// Writes what was appended since the last time to the disk. Goes on after a failure; the first one is told.
    pub(crate) fn sync(&self, dir: &Path) -> Result<()> {
        let files = self.held().clone();
        let mut first = Ok(());
        for (path, file) in files {
            let closed = file.closed.load(Ordering::Acquire);
            // Cleared before, so that what is written meanwhile is synced the next time.
            if file.dirty.swap(false, Ordering::AcqRel)
                && let Err(error) = file.file.sync_data()
            {
                first = first.and(Err(live_error(&path, &error)));
            }
            if closed {
                self.held().retain(|(_, f)| !Arc::ptr_eq(f, &file));
            }
        }
        if self.folder_dirty.swap(false, Ordering::AcqRel) {
            crate::new_file::sync_folder(dir);
        }
        first
    }
}

/// A growing file. `end` is where the last whole record ends.
#[derive(Debug)]
pub(crate) struct LiveFile {
    path: PathBuf,
    shared: Arc<SharedFile>,
    end: u64,
    failed: bool,
}

impl LiveFile {
    /// Begins a file; an existing one is never touched.
    pub(crate) fn create(path: &Path, open: &OpenFiles) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => FileError::exists(path),
            _ => live_error(path, &e),
        })?;
        Ok(Self::over(path, file, 0, open))
    }

    /// Goes on with a file that ends whole at `end`; what stands behind is cut off.
    pub(crate) fn resume(path: &Path, end: u64, open: &OpenFiles) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|e| live_error(path, &e))?;
        let mut live = Self::over(path, file, end, open);
        live.cut().map_err(|e| live_error(path, &e))?;
        Ok(live)
    }

    fn over(path: &Path, file: File, end: u64, open: &OpenFiles) -> Self {
        let shared = Arc::new(SharedFile { file, dirty: AtomicBool::new(true), closed: AtomicBool::new(false) });
        open.add(path, &shared);
        Self { path: path.to_owned(), shared, end, failed: false }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are whole.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether a write failed; then nothing more is written.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// Appends one record and returns where it begins. If it does not go in whole, the file is as it was before, and
    /// takes no more records.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<u64> {
        if self.failed {
            return Err(FileError::failed_before(&self.path));
        }
        let start = self.end;
        match (&self.shared.file).write_all(record) {
            Ok(()) => {
                self.end += record.len() as u64;
                self.shared.dirty.store(true, Ordering::Release);
                Ok(start)
            }
            Err(error) => {
                self.failed = true;
                // If this fails too, the checksums tell where the last whole record ends.
                let _ = self.cut();
                Err(live_error(&self.path, &error))
            }
        }
    }

    /// Takes back what was appended from `end` on, because a record that belongs to it could not be written.
    pub(crate) fn take_back(&mut self, end: u64) {
        self.end = end;
        self.failed = true;
        let _ = self.cut();
    }

    /// Overwrites bytes that are there already, in place; needs no space on the disk.
    pub(crate) fn patch(&mut self, patches: &[(u64, Vec<u8>)]) -> Result<()> {
        let mut file = &self.shared.file;
        let mut write = || {
            for (offset, bytes) in patches {
                file.seek(SeekFrom::Start(*offset))?;
                file.write_all(bytes)?;
            }
            file.seek(SeekFrom::Start(self.end)).map(|_| ())
        };
        let written = write();
        self.shared.dirty.store(true, Ordering::Release);
        written.map_err(|e| live_error(&self.path, &e))
    }

    fn cut(&mut self) -> io::Result<()> {
        let mut file = &self.shared.file;
        file.set_len(self.end)?;
        file.seek(SeekFrom::Start(self.end))?;
        self.shared.dirty.store(true, Ordering::Release);
        Ok(())
    }
}

/// What was written last is synced with the others; whoever closes a file waits for no disk.
impl Drop for LiveFile {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
    }
}

/// What is said when the operating system refuses a write into a recording.
pub(crate) fn live_error(path: &Path, error: &io::Error) -> FileError {
    let plain = FileError::writing(path, error);
    match plain.kind() {
        ErrorKind::DiskFull => FileError::new(
            ErrorKind::DiskFull,
            format!("cannot go on writing {}", path.display()),
            error.to_string(),
            "everything before is whole and kept; make room, then begin a new recording",
        ),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_that_is_taken_back_leaves_the_file_as_it_was_and_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let open = OpenFiles::default();
        let mut file = LiveFile::create(&path, &open).unwrap();
        assert_eq!(file.append(b"one").unwrap(), 0);
        let start = file.append(b"two").unwrap();
        file.take_back(start);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert!(file.failed() && file.append(b"x").is_err());
    }

    #[test]
    fn a_patch_changes_bytes_in_place_and_the_file_goes_on_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let open = OpenFiles::default();
        let mut file = LiveFile::create(&path, &open).unwrap();
        file.append(b"abcdef").unwrap();
        file.patch(&[(1, b"XY".to_vec())]).unwrap();
        file.append(b"g").unwrap();
        open.sync(dir.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"aXYdefg");
        assert_eq!(LiveFile::create(&path, &open).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
