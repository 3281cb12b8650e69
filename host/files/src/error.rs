//! The one error of this crate. Every failure names the thing, the cause and the mend, in three
//! short lines, so that a message can be shown to a person as it is.

use std::fmt;
use std::io;
use std::path::Path;

/// What kind of failure it was, for code that wants to react; people read the three lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file or its folder does not exist.
    NotFound,
    /// The target is there already. Nothing is ever overwritten; another name helps.
    AlreadyExists,
    /// The operating system forbids it.
    PermissionDenied,
    /// The disk or the quota is full. Nothing was left under the target's name.
    DiskFull,
    /// Any other failure of the operating system. A retry may help.
    Io,
    /// The file's name has an extension that this crate doesn't read or write.
    UnknownFormat,
    /// The file was read, but what stands in it is not what it should be. A retry doesn't help.
    Malformed,
    /// The file was cut or changed after it had been written.
    Damaged,
    /// The file was written by a newer Tetherscope.
    TooNew,
    /// The caller gave values that can't be stored (lengths that don't match, NaN where a number
    /// is needed). Nothing was written.
    InvalidValue,
    /// The file is whole, but was made with other settings than those in use.
    Incompatible,
    /// Another program is writing into the recording. Waiting until it has ended helps.
    Busy,
    /// The recording's folder was moved or removed while it was written.
    Moved,
}

/// A failure to read or write a measurement file.
///
/// `Display` gives three lines: the thing, the cause, the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    kind: ErrorKind,
    what: String,
    cause: String,
    mend: String,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, FileError>;

impl FileError {
    /// An error from its three lines, without full stops: the thing, the cause, the mend.
    pub fn new(kind: ErrorKind, what: impl Into<String>, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { kind, what: what.into(), cause: cause.into(), mend: mend.into() }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The first line: which thing could not be done, with the file's name.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The second line: why, with the line number and the value where there are any.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// The third line: what to do about it.
    #[must_use]
    pub fn mend(&self) -> &str {
        &self.mend
    }

    /// The operating system refused to read `path`.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        Self::system(format!("cannot read {}", path.display()), error)
    }

    /// The operating system refused to write `path`.
    pub(crate) fn writing(path: &Path, error: &io::Error) -> Self {
        Self::system(cannot_write(path), error)
    }

    /// A target that exists is never replaced.
    pub(crate) fn exists(path: &Path) -> Self {
        Self::new(
            ErrorKind::AlreadyExists,
            cannot_write(path),
            "a file with this name exists, and nothing is overwritten",
            "choose another name, or move the old file away",
        )
    }

    /// What stands in `path` is wrong; `line` counts from 1.
    pub(crate) fn malformed(path: &Path, line: Option<u64>, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        let what = match line {
            Some(line) => format!("cannot read {}, line {line}", path.display()),
            None => format!("cannot read {}", path.display()),
        };
        Self::new(ErrorKind::Malformed, what, cause, mend)
    }

    /// `path` was cut or changed since it was written.
    pub(crate) fn damaged(path: &Path, cause: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Damaged,
            format!("cannot read {}", path.display()),
            cause,
            "the file was cut or changed: copy it again from where it was made, or make it anew",
        )
    }

    /// The caller's values can't be written to `path`.
    pub(crate) fn invalid(path: &Path, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidValue, cannot_write(path), cause, mend)
    }

    /// A writer that failed once stays failed: its file would have a hole.
    pub(crate) fn failed_before(path: &Path) -> Self {
        Self::new(
            ErrorKind::Io,
            cannot_write(path),
            "an earlier write to this file failed",
            "mend what the first error says, then write the file anew",
        )
    }

    fn system(what: String, error: &io::Error) -> Self {
        let (kind, mend) = match error.kind() {
            io::ErrorKind::NotFound => (ErrorKind::NotFound, "check the name, and that the folder exists"),
            io::ErrorKind::AlreadyExists => {
                (ErrorKind::AlreadyExists, "choose another name, or move the old file away")
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::PermissionDenied, "choose a folder of your own, or change the permissions")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                (ErrorKind::DiskFull, "make room, or write to another disk; no half file was left behind")
            }
            io::ErrorKind::IsADirectory => (ErrorKind::Io, "this is a folder: give the name of a file"),
            _ => (ErrorKind::Io, "check the disk or the network drive, then try again"),
        };
        Self::new(kind, what, error.to_string(), mend)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.what, self.cause, self.mend)
    }
}

impl std::error::Error for FileError {}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_three_lines_thing_cause_mend() {
        let error = FileError::exists(Path::new("a.csv"));
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, [error.what(), error.cause(), error.mend()]);
        assert_eq!(lines[0], "cannot write a.csv");
    }

    #[test]
    fn a_full_disk_has_a_kind_of_its_own() {
        let error = FileError::writing(Path::new("a.csv"), &io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), ErrorKind::DiskFull);
    }
}
