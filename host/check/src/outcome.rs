//! How a check ends: the outcome that users see, and what a check's function returns on the way to it.

use serde::{Deserialize, Serialize};
use tetherscope_loader::{LoadError, PluginError};

/// How a check of a component ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "seen", rename_all = "snake_case")]
pub enum Outcome {
    /// The component does what the check asks.
    Success,
    /// It does, with something that is worth knowing.
    Warning(String),
    /// It does not; what was seen.
    Failed(String),
    /// The process of the check crashed or ended; how.
    Crashed(String),
    /// The process of the check was ended after its time limit.
    TimedOut(String),
    /// The check does not apply; why.
    Skipped(String),
}

impl Outcome {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Warning(_) => "warning",
            Outcome::Failed(_) => "failed",
            Outcome::Crashed(_) => "crashed",
            Outcome::TimedOut(_) => "timed out",
            Outcome::Skipped(_) => "skipped",
        }
    }

    /// What was seen; empty for a success.
    pub fn seen(&self) -> &str {
        match self {
            Outcome::Success => "",
            Outcome::Warning(s)
            | Outcome::Failed(s)
            | Outcome::Crashed(s)
            | Outcome::TimedOut(s)
            | Outcome::Skipped(s) => s,
        }
    }

    /// True if the component must not be trusted.
    pub fn is_failure(&self) -> bool {
        matches!(self, Outcome::Failed(_) | Outcome::Crashed(_) | Outcome::TimedOut(_))
    }
}

/// Why a check did not end with a plain success.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(String),
    Warning(String),
    Skipped(String),
}

/// What a check's function returns.
pub(crate) type Verdict = Result<(), Stop>;

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Ok(()) => Outcome::Success,
            Err(Stop::Failed(s)) => Outcome::Failed(s),
            Err(Stop::Warning(s)) => Outcome::Warning(s),
            Err(Stop::Skipped(s)) => Outcome::Skipped(s),
        }
    }
}

impl From<PluginError> for Stop {
    fn from(e: PluginError) -> Self {
        Stop::Failed(format!("{} failed: {}", e.function, e.message.replace('\n', "; ")))
    }
}

impl From<LoadError> for Stop {
    fn from(e: LoadError) -> Self {
        Stop::Failed(e.cause)
    }
}

/// Ends a check as failed, with what was seen.
macro_rules! fail {
    ($($seen:tt)+) => { return Err($crate::outcome::Stop::Failed(format!($($seen)+))) };
}

/// Ends a check as failed, with what was seen, unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if $holds {
        } else {
            $crate::outcome::fail!($($seen)+);
        }
    };
}

pub(crate) use {ensure, fail};
