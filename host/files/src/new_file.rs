//! A file that appears whole or not at all: written under a temporary name in the target's folder,
//! synced, then renamed without replacing anything. Dropped unfinished, it leaves nothing behind.

use std::fs::{File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{ErrorKind, FileError, Result};

/// How much of the target's name the temporary name repeats, so that it never gets too long.
const NAME_CHARS: usize = 60;

/// A file on its way. `Write` goes to the temporary name; [`NewFile::finish`] gives it the real one.
#[derive(Debug)]
pub(crate) struct NewFile {
    temp: NamedTempFile,
    target: PathBuf,
}

impl NewFile {
    /// Begins a file in the folder of `target`. Fails when the target exists or the folder doesn't.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        if target.symlink_metadata().is_ok() {
            return Err(FileError::exists(target));
        }
        let Some(name) = target.file_name() else {
            return Err(FileError::invalid(target, "this is not the name of a file", "give a folder and a file name"));
        };
        let short: String = name.to_string_lossy().chars().take(NAME_CHARS).collect();
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{short}.");
        builder.prefix(&prefix).suffix(".part");
        if let Some(permissions) = ordinary_permissions() {
            builder.permissions(permissions);
        }
        let temp = builder.tempfile_in(folder(target)).map_err(|e| FileError::writing(target, &e))?;
        Ok(Self { temp, target: target.to_owned() })
    }

    /// The name that the file will have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the content and gives the file its name. Fails when a file of that name has come up
    /// meanwhile; then the finished data stay under the temporary name, which the error tells.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { temp, target } = self;
        temp.as_file().sync_all().map_err(|e| FileError::writing(&target, &e))?;
        match temp.persist_noclobber(&target) {
            Ok(_) => {
                sync_folder(folder(&target));
                Ok(())
            }
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                let (_, kept) = e.file.keep().map_err(|e| FileError::writing(&target, &e.error))?;
                Err(FileError::new(
                    ErrorKind::AlreadyExists,
                    format!("cannot write {}", target.display()),
                    "a file with this name came up meanwhile, and nothing is overwritten",
                    format!("the data are whole in {}: rename that file", kept.display()),
                ))
            }
            Err(e) => Err(FileError::writing(&target, &e.error)),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temp.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temp.as_file_mut().flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.temp.as_file_mut().seek(to)
    }
}

/// Writes a small file in one go.
pub(crate) fn write_text(target: &Path, text: &str) -> Result<()> {
    write_bytes(target, text.as_bytes())
}

/// Writes a file in one go.
pub(crate) fn write_bytes(target: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(target)?;
    file.write_all(bytes).map_err(|e| FileError::writing(target, &e))?;
    file.finish()
}

/// The folder of a file; a bare name lies in the current one.
fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Temporary files are private by default; measurements get what the user's umask leaves.
#[cfg(unix)]
pub(crate) fn ordinary_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
pub(crate) fn ordinary_permissions() -> Option<Permissions> {
    None
}

/// Makes the new name survive a power cut. Some file systems can't sync a folder; the content is
/// safe by then, so that is no failure.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.csv");
        let mut file = NewFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!target.exists());
        file.write_all(b" and half").unwrap();
        file.finish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"half and half");
        assert_eq!(names_in(dir.path()), ["a.csv"]);
    }

    #[test]
    fn a_file_dropped_unfinished_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = NewFile::create(&dir.path().join("a.csv")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names_in(dir.path()).is_empty());
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.csv");
        std::fs::write(&target, "old").unwrap();
        let error = NewFile::create(&target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.mend().contains("another name"));
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
    }

    #[test]
    fn a_file_that_comes_up_meanwhile_stays_and_the_data_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.csv");
        let mut file = NewFile::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        std::fs::write(&target, "old").unwrap();
        let error = file.finish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        let names = names_in(dir.path());
        let kept = names.iter().find(|n| n.ends_with(".part")).unwrap();
        assert!(error.mend().contains(kept.as_str()));
        assert_eq!(std::fs::read(dir.path().join(kept)).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_named_with_its_mend() {
        let dir = tempfile::tempdir().unwrap();
        let error = NewFile::create(&dir.path().join("no/a.csv")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.mend().contains("folder"));
    }

    #[test]
    fn a_very_long_name_still_works() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join(format!("{}.csv", "µ".repeat(120)));
        NewFile::create(&target).unwrap().finish().unwrap();
        assert!(target.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_colleague_may_read_the_file_as_the_umask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (plain, ours) = (dir.path().join("plain"), dir.path().join("ours"));
        std::fs::write(&plain, "").unwrap();
        NewFile::create(&ours).unwrap().finish().unwrap();
        let mode = |p: &Path| p.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&plain), mode(&ours));
    }
}
