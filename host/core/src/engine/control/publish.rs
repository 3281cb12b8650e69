//! Snapshots, the last events, and what the ledger says is missing.

use super::Control;
use crate::control::{
    DropCount, Event, EventKind, LedgerView, MethodView, Severity, Snapshot, StageLedger, TrackingView,
};
use crate::engine::settings::method_view;
use crate::engine::times::utc_now_ns;
use crate::ledger::{Ledger, LedgerSnapshot, OutOfBalance, StageSnapshot};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Events that a snapshot holds.
const EVENTS_SHOWN: usize = 200;
/// Time between two snapshots while things change all the time.
const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// Time between two events about the same kind of loss.
const TELL_DROPS_EVERY: Duration = Duration::from_secs(5);

/// What is to be published, and what was.
#[derive(Default)]
pub(crate) struct Publisher {
    changed: bool,
    published: Option<Instant>,
    second: Option<Instant>,
    revision: u64,
    events: VecDeque<Event>,
    /// Of a camera that stands: its ledger, in which a recording may still be counting.
    last_ledger: Ledger,
    /// Losses that were told, by stage and reason, and when.
    told: BTreeMap<(String, &'static str), (u64, Instant)>,
    balance: Balance,
}

/// Whether the frames of every stage add up. While frames move, a thread may stand between two counters for as long as
/// others have the processor, so then a stage must be off at two looks in a row.
#[derive(Default)]
struct Balance {
    /// The stage that was off at the last look.
    off: Option<String>,
    told: bool,
}

impl Balance {
    /// The stage that is off, once.
    fn look(&mut self, ledger: &LedgerSnapshot, at_rest: bool) -> Option<OutOfBalance> {
        let found = ledger.check().err();
        let off = found.as_ref().map(|e| e.stage.stage.clone());
        let before = std::mem::replace(&mut self.off, off.clone());
        let sure = found.filter(|_| !self.told && (at_rest || off == before));
        self.told |= sure.is_some();
        sure
    }
}

impl Publisher {
    /// Something changed.
    pub(crate) fn touch(&mut self) {
        self.changed = true;
    }

    pub(crate) fn note(&mut self, event: &Event) {
        self.changed = true;
        if self.events.len() == EVENTS_SHOWN {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
    }

    /// True once a second.
    pub(crate) fn is_second_over(&mut self) -> bool {
        let over = self.second.is_none_or(|t| t.elapsed() >= Duration::from_secs(1));
        if over {
            self.second = Some(Instant::now());
        }
        over
    }
}

impl Control {
    /// Publishes if something changed and somebody waits for a reply, or the last snapshot is old enough.
    pub(super) fn publish_if_due(&mut self) {
        let p = &self.publisher;
        let is_old = p.published.is_none_or(|t| t.elapsed() >= PUBLISH_EVERY);
        if p.changed && (is_old || !self.replies.is_empty()) {
            self.publish();
        } else if p.changed {
            self.next_beat = self.next_beat.min(Instant::now() + PUBLISH_EVERY);
        }
    }

    pub(super) fn publish(&mut self) {
        self.publisher.changed = false;
        self.publisher.published = Some(Instant::now());
        self.publisher.revision += 1;
        let snapshot = self.snapshot();
        self.hub.publish(snapshot);
    }

    /// Everything as it stands, for the metadata of a recording.
    pub(super) fn snapshot_for_files(&self) -> Snapshot {
        self.snapshot()
    }

    /// Frames per second that arrive.
    pub(super) fn health_rate(&self) -> f64 {
        self.health.view(&self.meters, None).frame_rate_hz
    }

    fn snapshot(&self) -> Snapshot {
        let newest = self.history.newest();
        let running = self.camera.running();
        let ring = running.map(|r| r.ring.status());
        let ledger = ledger_view(&self.ledger_now());
        let next_frame = self.camera.next_frame();
        let mut health = self.health.view(&self.meters, next_frame.checked_sub(1));
        if let Some(ring) = ring {
            (health.ring_slots, health.ring_in_use) = (ring.n_slots as u32, (ring.n_held + ring.n_lent) as u32);
        }
        let intake = ledger.stages.iter().find(|s| s.stage == "intake");
        health.tracking_queue = intake.map_or(0, |s| u32::try_from(s.in_flight).unwrap_or(u32::MAX));
        let workers = if self.camera.is_running() { self.options.threads as u32 } else { 0 };
        let tracker = self.built.tracker.as_ref();
        Snapshot {
            revision: self.publisher.revision,
            time_utc_ns: utc_now_ns(),
            optics: self.options.optics,
            camera: self.camera.view.clone(),
            roi_size_px: self.beads.roi_size_px(),
            beads: self.beads.views(&newest),
            next_bead: self.beads.next(),
            tracking: TrackingView {
                tracker: tracker.map_or_else(MethodView::default, |t| method_view(t.component(), t.params())),
                mode: self.program.mode,
                processing: self.program.processing,
                batch: self.program.batch,
                n_bins: self.built.chain.as_ref().map(|c| c.layout().n_bins),
                workers_busy: u32::try_from(self.meters.busy.load(Relaxed)).unwrap_or(u32::MAX).min(workers),
                workers,
            },
            zlut: self.built.zlut.as_ref().map(|z| z.view.clone()),
            stages: self.stages.views(),
            armed_for_s: self.stages.armed_for().map(|d| d.as_secs_f64()),
            held_by: self.held_by(),
            sweep: self.sweep.view(),
            recording: self.recording_view(),
            ledger,
            health,
            warnings: self.warnings.open().to_vec(),
            events: self.publisher.events.iter().cloned().collect(),
        }
    }

    /// How all stages stand; of a camera that stands, how they stood.
    pub(crate) fn ledger_now(&self) -> LedgerSnapshot {
        self.ledger().snapshot()
    }

    /// The ledger of the camera that runs, or ran last.
    pub(super) fn ledger(&self) -> &Ledger {
        self.camera.running().map_or(&self.publisher.last_ledger, |r| &r.ledger)
    }

    pub(super) fn keep_last_ledger(&mut self, running: &super::camera::Running) {
        self.publisher.last_ledger = running.ledger.clone();
        self.tell_drops_of(&running.ledger.snapshot(), true);
        self.publisher.told.clear();
        self.publisher.balance = Balance::default();
    }

    /// Tells what was dropped since it was last told, and checks that everything adds up.
    pub(super) fn tell_drops(&mut self) {
        let Some(running) = self.camera.running() else { return };
        let ledger = running.ledger.snapshot();
        self.tell_drops_of(&ledger, false);
    }

    fn tell_drops_of(&mut self, ledger: &LedgerSnapshot, all: bool) {
        if let Some(e) = self.publisher.balance.look(ledger, all) {
            tracing::error!("{}", e.to_string().replace('\n', ": "));
        }
        let frame = self.frame_now();
        for stage in &ledger.stages {
            for d in stage.dropped.iter().filter(|d| !d.reason.is_wanted()) {
                let key = (stage.stage.clone(), d.reason.name());
                let (told, due) = match self.publisher.told.get(&key) {
                    Some((n, at)) => (*n, all || at.elapsed() >= TELL_DROPS_EVERY),
                    None => (0, true),
                };
                if d.frames > told && due {
                    self.publisher.told.insert(key, (d.frames, Instant::now()));
                    let kind = EventKind::FramesDropped {
                        stage: stage.stage.clone(),
                        reason: d.reason.name().to_owned(),
                        count: d.frames - told,
                    };
                    self.tell(frame, Severity::Warning, kind);
                }
            }
        }
    }

    /// Ends what runs; the jobs thread finishes it.
    pub(super) fn stop_for_end(&mut self) {
        self.stop_camera_for_end();
        self.stop_recording_for_end();
    }
}

fn ledger_view(ledger: &LedgerSnapshot) -> LedgerView {
    let stage = |s: &StageSnapshot| StageLedger {
        stage: s.stage.clone(),
        seen: s.seen,
        delivered: s.delivered,
        dropped: s.dropped.iter().map(|d| DropCount { reason: d.reason.name().to_owned(), count: d.frames }).collect(),
        in_flight: s.in_flight,
    };
    LedgerView {
        stages: ledger.stages.iter().map(stage).collect(),
        unexplained: i64::try_from(ledger.unexplained()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_called_out_of_balance_when_it_is_so_twice_or_at_rest_and_once() {
        let ledger = |missing: &str| {
            let stage = |name: &str| {
                let (seen, delivered) = (10, if name == missing { 9 } else { 10 });
                let stage = name.to_owned();
                StageSnapshot {
                    stage,
                    seen,
                    delivered,
                    dropped: Vec::new(),
                    in_flight: 0,
                    passed_over: 0,
                    left_unexplained: 0,
                }
            };
            LedgerSnapshot { stages: vec![stage("camera"), stage("tracking")] }
        };
        let mut moving = Balance::default();
        let mut told = |missing: &str| moving.look(&ledger(missing), false).map(|e| e.stage.stage);
        // Off for a moment, here and there.
        let moments = ["", "camera", "", "camera", "tracking", "camera", ""];
        assert!(moments.iter().all(|m| told(m).is_none()));
        assert_eq!([told("tracking"), told("tracking"), told("tracking")], [None, Some("tracking".into()), None]);
        assert!(Balance::default().look(&ledger("camera"), true).is_some(), "at rest nothing moves");
    }
}
