//! Why a library was not loaded, and why a call into a plugin failed. Three short lines: thing, cause, mend.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use tetherscope_plugin_api::abi;

/// At which step a library or a method failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// The file cannot be read at all.
    Unreadable,
    /// The file is no shared library for this machine.
    WrongFormat,
    /// A library, but not a plugin.
    NotAPlugin,
    /// Built for an interface that this host does not offer.
    Incompatible,
    /// Crashed, hung or failed while it was probed or opened.
    Failed,
    /// What it says of itself makes no sense.
    BadDescriptor,
    /// There is no such method, or the name is ambiguous.
    NotFound,
    /// A parameter is unknown, of the wrong type or out of range.
    BadParameter,
}

/// A library that was refused, or a method that could not be made.
#[derive(Debug, Clone)]
pub struct LoadError {
    /// At which step.
    pub kind: LoadErrorKind,
    /// The thing: first line.
    pub thing: String,
    /// The cause: second line.
    pub cause: String,
    /// The mend: third line.
    pub mend: String,
}

impl LoadError {
    pub(crate) fn new(
        kind: LoadErrorKind,
        thing: impl Into<String>,
        cause: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { kind, thing: thing.into(), cause: cause.into(), mend: mend.into() }
    }

    /// An error about a library file.
    pub(crate) fn file(kind: LoadErrorKind, path: &Path, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let folder = path.parent().map(|p| format!(" in {}", p.display())).unwrap_or_default();
        Self::new(kind, format!("cannot load {name}{folder}"), cause, mend)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.thing, self.cause, self.mend)
    }
}

impl std::error::Error for LoadError {}

/// [`PluginError::status`] of the host: the child process in which the plugin ran has ended.
pub const STATUS_CRASHED: abi::Status = -1;
/// [`PluginError::status`] of the host: the call took too long, and its process was ended.
pub const STATUS_HUNG: abi::Status = -2;
/// [`PluginError::status`] of the host: the plugin crashed or hung too often and is not called any more.
pub const STATUS_DISABLED: abi::Status = -3;

/// A call into a plugin that failed.
#[derive(Debug, Clone)]
pub struct PluginError {
    /// Id and version of the component.
    pub plugin: String,
    /// File of its library.
    pub file: PathBuf,
    /// The function that was called.
    pub function: &'static str,
    /// One of the interface's `STATUS_*`, or of this crate's, which are negative.
    pub status: abi::Status,
    /// What the plugin said, or what the host found.
    pub message: String,
}

impl PluginError {
    /// What can be done about it.
    fn mend(&self) -> &'static str {
        match self.status {
            STATUS_CRASHED => "it is started again with its next call; report it to the plugin's author",
            STATUS_HUNG => {
                "it is started again with its next call; use smaller batches, or report it to the plugin's author"
            }
            STATUS_DISABLED => "choose another method, or start Tetherscope again with a mended plugin",
            abi::STATUS_INVALID_ARGUMENT => {
                "correct what is named above; `tetherscope plugins inspect` shows what is allowed"
            }
            abi::STATUS_UNSUPPORTED => "choose another method or device for this; it will not work later either",
            abi::STATUS_BUSY => "stop what is running, or try again in a moment",
            abi::STATUS_TIMED_OUT => "see whether the device is connected and running, then try again",
            abi::STATUS_CANCELLED => "start it again when you want it",
            abi::STATUS_DISCONNECTED => "connect the device again, then open it again",
            abi::STATUS_IO => "see to the file or device that is named above, then try again",
            abi::STATUS_OUT_OF_MEMORY => "close other programs, or use fewer beads or smaller buffers",
            _ => "report it to the plugin's author; other methods are not affected",
        }
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        write!(f, "{} ({file}) failed in {}\n{}\n{}", self.plugin, self.function, self.message, self.mend())
    }
}

impl std::error::Error for PluginError {}
