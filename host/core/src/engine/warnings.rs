//! Warnings that stay until somebody has read them: the same warning again only counts up.

use crate::control::{Event, EventKind, Severity, Warning};

/// Warnings that nobody has read.
#[derive(Default)]
pub(crate) struct Warnings {
    open: Vec<Warning>,
}

/// What makes two warnings the same.
fn key(kind: &EventKind) -> String {
    match kind {
        EventKind::FramesDropped { stage, reason, .. } => format!("dropped {stage} {reason}"),
        EventKind::PluginFailed { failure, .. } => format!("failed {} {}", failure.thing, failure.cause),
        EventKind::Message { text } => format!("message {} {}", text.thing, text.cause),
        EventKind::StageConnection { stage, .. } => format!("stage {stage}"),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

impl Warnings {
    /// Takes an event, if it is a warning or an error.
    pub(crate) fn note(&mut self, event: &Event) {
        if event.severity < Severity::Warning {
            return;
        }
        let same = key(&event.kind);
        match self.open.iter_mut().find(|w| key(&w.event.kind) == same) {
            Some(w) => {
                w.count += 1;
                w.event = event.clone();
            }
            None => self.open.push(Warning { id: event.number, count: 1, event: event.clone() }),
        }
    }

    /// Somebody has read it; false if there is none with this id.
    pub(crate) fn acknowledge(&mut self, id: u64) -> bool {
        let before = self.open.len();
        self.open.retain(|w| w.id != id);
        self.open.len() < before
    }

    pub(crate) fn open(&self) -> &[Warning] {
        &self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(number: u64, reason: &str, severity: Severity) -> Event {
        let kind = EventKind::FramesDropped { stage: "tracking".into(), reason: reason.into(), count: 1 };
        Event { number, time_utc_ns: 0, frame: None, severity, kind }
    }

    #[test]
    fn a_warning_that_comes_again_counts_up_and_keeps_its_id() {
        let mut warnings = Warnings::default();
        warnings.note(&dropped(3, "ring_full", Severity::Warning));
        warnings.note(&dropped(4, "ring_full", Severity::Info));
        warnings.note(&dropped(5, "consumer_slow", Severity::Warning));
        warnings.note(&dropped(6, "ring_full", Severity::Error));
        let told: Vec<_> = warnings.open().iter().map(|w| (w.id, w.count, w.event.number)).collect();
        assert_eq!(told, [(3, 2, 6), (5, 1, 5)]);
        assert!(warnings.acknowledge(3) && !warnings.acknowledge(3));
        warnings.note(&dropped(7, "ring_full", Severity::Warning));
        assert_eq!(warnings.open()[1].id, 7, "a new one after the old one was read");
    }
}
