//! Snapshots, the last events, and what the ledger says is missing.

use super::Control;
use crate::control::{
    DropCount, Event, EventKind, LedgerView, MethodView, Severity, Snapshot, StageLedger, TrackingView,
};
use crate::engine::settings::method_view;
use crate::engine::times::utc_now_ns;
use crate::ledger::{Ledger, LedgerSnapshot, StageSnapshot};
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
    /// The stage whose frames did not add up when they were looked at last.
    unbalanced: Option<String>,
    imbalance_told: bool,
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
        (self.publisher.unbalanced, self.publisher.imbalance_told) = (None, false);
    }

    /// Tells what was dropped since it was last told, and checks that everything adds up.
    pub(super) fn tell_drops(&mut self) {
        let Some(running) = self.camera.running() else { return };
        let ledger = running.ledger.snapshot();
        self.tell_drops_of(&ledger, false);
    }

    fn tell_drops_of(&mut self, ledger: &LedgerSnapshot, all: bool) {
        self.tell_imbalance(ledger, all);
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

    /// Tells once of a stage whose frames do not add up. While frames move, a thread may stand between two counters for
    /// as long as others have the processor, so then it must be off at two looks in a row.
    fn tell_imbalance(&mut self, ledger: &LedgerSnapshot, at_rest: bool) {
        let off = ledger.check().err();
        let stage = off.as_ref().map(|e| e.stage.stage.clone());
        let before = std::mem::replace(&mut self.publisher.unbalanced, stage.clone());
        let Some(e) = off.filter(|_| at_rest || stage == before) else { return };
        if !std::mem::replace(&mut self.publisher.imbalance_told, true) {
            tracing::error!("{}", e.to_string().replace('\n', ": "));
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
