//! Why a run failed: a plugin, a file, or what was asked for.

use std::fmt;
use tetherscope_files::FileError;
use tetherscope_loader::{LoadError, PluginError};

/// Why a run failed. Displays as three lines: thing, cause, mend.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A library or method could not be used.
    Load(LoadError),
    /// A call into a plugin failed.
    Plugin(PluginError),
    /// A file could not be read or written.
    File(FileError),
    /// What was asked for cannot be done.
    Refused {
        /// First line.
        thing: String,
        /// Second line.
        cause: String,
        /// Third line.
        mend: String,
    },
    /// The user gave up.
    Cancelled,
}

impl RunError {
    /// What was asked for cannot be done.
    pub fn refused(thing: impl Into<String>, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Refused { thing: thing.into(), cause: cause.into(), mend: mend.into() }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(e) => e.fmt(f),
            Self::Plugin(e) => e.fmt(f),
            Self::File(e) => e.fmt(f),
            Self::Refused { thing, cause, mend } => write!(f, "{thing}\n{cause}\n{mend}"),
            Self::Cancelled => {
                f.write_str("cancelled\nthe user asked to stop\nnothing was written; start it again when you want it")
            }
        }
    }
}

impl std::error::Error for RunError {}

impl From<LoadError> for RunError {
    fn from(e: LoadError) -> Self {
        Self::Load(e)
    }
}

impl From<PluginError> for RunError {
    fn from(e: PluginError) -> Self {
        Self::Plugin(e)
    }
}

impl From<FileError> for RunError {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}
