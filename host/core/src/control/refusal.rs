//! Why a command was refused or failed: a kind for programs, three lines for people.

use crate::RunError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of refusal it is, for clients that want to react; people read the three lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefusalKind {
    /// What was asked for makes no sense, now or later.
    Invalid,
    /// It names something that is not there: a bead, a stage, a method, a file.
    NotFound,
    /// Not in this state: it needs a running camera, a stopped recording, a table. The third line says what to do first.
    NotNow,
    /// Somebody else holds what it needs: a sweep runs, another client records. The second line says who.
    Held,
    /// A plugin or device failed.
    Device,
    /// A file or folder failed.
    File,
    /// It was cancelled, or the engine ends.
    Cancelled,
    /// No answer came in time.
    TimedOut,
}

/// A refusal or failure. `Display` gives three lines: thing, cause, mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Kind.
    pub kind: RefusalKind,
    /// What could not be done.
    pub thing: String,
    /// Why.
    pub cause: String,
    /// What helps.
    pub mend: String,
}

impl Refusal {
    /// From its three lines, without full stops.
    pub fn new(kind: RefusalKind, thing: impl Into<String>, cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { kind, thing: thing.into(), cause: cause.into(), mend: mend.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.thing, self.cause, self.mend)
    }
}

impl std::error::Error for Refusal {}

impl From<RunError> for Refusal {
    fn from(e: RunError) -> Self {
        let kind = match &e {
            RunError::Load(_) => RefusalKind::NotFound,
            RunError::Plugin(_) => RefusalKind::Device,
            RunError::File(_) => RefusalKind::File,
            RunError::Refused { .. } => RefusalKind::Invalid,
            RunError::Cancelled => RefusalKind::Cancelled,
        };
        let text = e.to_string();
        let mut lines = text.lines();
        let thing = lines.next().unwrap_or_default().to_owned();
        let cause = lines.next().unwrap_or_default().to_owned();
        let mend = lines.collect::<Vec<_>>().join("\n");
        Self { kind, thing, cause, mend }
    }
}

impl From<Refusal> for RunError {
    fn from(r: Refusal) -> Self {
        RunError::Refused { thing: r.thing, cause: r.cause, mend: r.mend }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_error_keeps_its_three_lines() {
        let refusal = Refusal::from(RunError::refused("cannot a", "because b", "do c"));
        assert_eq!(refusal, Refusal::new(RefusalKind::Invalid, "cannot a", "because b", "do c"));
        assert_eq!(RunError::from(refusal).to_string(), "cannot a\nbecause b\ndo c");
    }
}
