//! How much room is left where the next recording goes, before anything is recorded: looked up now and then on a thread of
//! its own, because a disk far away may take its time.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3);
/// Nothing is known.
const UNKNOWN: u64 = u64::MAX;

struct Shared {
    folder: Mutex<PathBuf>,
    free: AtomicU64,
}

/// The thread ends with it.
pub(super) struct Disk(Arc<Shared>);

impl Disk {
    /// Starts to look at `folder`.
    pub(super) fn watch(folder: &Path) -> Self {
        let shared = Arc::new(Shared { folder: Mutex::new(folder.to_owned()), free: AtomicU64::new(UNKNOWN) });
        let weak = Arc::downgrade(&shared);
        let started = std::thread::Builder::new().name("disk".into()).spawn(move || {
            while let Some(shared) = weak.upgrade() {
                let folder = shared.folder.lock().unwrap_or_else(PoisonError::into_inner).clone();
                shared.free.store(free(&folder).unwrap_or(UNKNOWN), Ordering::Relaxed);
                drop(shared);
                std::thread::sleep(EVERY);
            }
        });
        if let Err(e) = started {
            tracing::warn!("nobody looks how full the disk is: {e}");
        }
        Self(shared)
    }

    /// Looks at another folder from now on.
    pub(super) fn look_at(&self, folder: &Path) {
        let mut now = self.0.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != folder {
            folder.clone_into(&mut now);
        }
    }

    /// Bytes that are free; none if that is not known.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        Some(self.0.free.load(Ordering::Relaxed)).filter(|f| *f != UNKNOWN)
    }
}

/// Of the disk on which a folder is, or will be made.
fn free(folder: &Path) -> Option<u64> {
    let there = folder.ancestors().find(|f| f.is_dir())?;
    Some(tetherscope_files::disk_space(there).ok()??.free_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_known_for_a_folder_that_is_still_to_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let later = folder.path().join("a").join("b");
        assert!(free(&later).is_some_and(|f| f > 0) || cfg!(windows));
        assert_eq!(free(Path::new("no such place, and not below the root")), None);
    }
}
