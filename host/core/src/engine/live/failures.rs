//! Failed calls, added up: a plugin that fails at every frame is told of a few times a second, with the rows that it cost.

use super::Note;
use crate::RunError;
use crate::control::{Refusal, RefusalKind};
use crate::engine::work::Failure;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Time between two notes.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Failures that were not told yet.
#[derive(Default)]
pub(super) struct Failures {
    by_text: BTreeMap<String, (Refusal, u64, u64)>,
    told: Option<Instant>,
}

impl Failures {
    /// A call failed, and spoiled so many rows.
    pub(super) fn add(&mut self, failure: &Failure, rows: u64, frame: u64) {
        let refusal = match failure {
            Failure::Plugin(e) => Refusal::from(RunError::Plugin((**e).clone())),
            Failure::Host(why) => {
                Refusal::new(RefusalKind::Device, "cannot track", why.clone(), "choose the tracker again, or report it")
            }
        };
        self.by_text.entry(refusal.to_string()).or_insert((refusal, 0, frame)).1 += rows;
    }

    /// What is to be told now.
    pub(super) fn due(&mut self) -> Vec<Note> {
        if self.by_text.is_empty() || self.told.is_some_and(|t| t.elapsed() < TELL_EVERY) {
            return Vec::new();
        }
        self.told = Some(Instant::now());
        let all = std::mem::take(&mut self.by_text);
        all.into_values().map(|(failure, rows, frame)| Note::PluginFailed { failure, rows, frame }).collect()
    }
}
