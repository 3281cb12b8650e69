//! The error that a plugin returns: a status for the host's decisions, a sentence for people.

use crate::abi::{self, Status};
use std::fmt;

/// Result of everything in the SDK that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a plugin's function failed. Say the cause and, where there is one, the mend; the host adds who said it.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    status: Status,
    message: String,
}

impl Error {
    /// An error with a status of [`crate::abi`].
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A value is outside what the function accepts.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(abi::STATUS_INVALID_ARGUMENT, message)
    }

    /// The plugin or device cannot do this.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(abi::STATUS_UNSUPPORTED, message)
    }

    /// Not now; a later retry may succeed.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(abi::STATUS_BUSY, message)
    }

    /// Nothing happened in time.
    pub fn timed_out() -> Self {
        Self::new(abi::STATUS_TIMED_OUT, "nothing happened in time")
    }

    /// The host asked to stop.
    pub fn cancelled() -> Self {
        Self::new(abi::STATUS_CANCELLED, "cancelled")
    }

    /// The device is gone.
    pub fn disconnected(message: impl Into<String>) -> Self {
        Self::new(abi::STATUS_DISCONNECTED, message)
    }

    /// Reading, writing or talking to a device failed.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(abi::STATUS_IO, message)
    }

    /// A defect of the plugin that it noticed itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(abi::STATUS_INTERNAL, message)
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Self::io(e.to_string())
    }
}
