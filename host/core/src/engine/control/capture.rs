//! Captures: the last seconds and some more, as a recording of their own beside the one that may be written.

use super::recording::Purpose;
use super::{Asker, Control, Outcome};
use crate::control::{Answer, Captured, EventKind, RecordingRequest, Refusal, RefusalKind, Severity};
use crate::engine::live::{Capture, Mail};
use crate::engine::recorder::{Finished, Inlet, Item, Limits};
use std::collections::HashMap;
use std::path::PathBuf;
use std::thread::JoinHandle;
use tetherscope_loader::now_ns;

/// Longest time after now.
const MOST_AFTER_S: f64 = 3600.0;

/// Captures under way, by the number of their inlet.
#[derive(Default)]
pub(crate) struct Captures(HashMap<u64, Under>);

struct Under {
    asker: Asker,
    inlet: Inlet,
    thread: JoinHandle<()>,
}

impl Captures {
    pub(super) fn is_active(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Control {
    pub(super) fn capture(
        &mut self,
        asker: &Asker,
        folder: PathBuf,
        before_s: f64,
        after_s: f64,
        what: Captured,
    ) -> Result<Outcome, Refusal> {
        let thing = "cannot capture";
        let is_time = |s: f64| (0.0..=MOST_AFTER_S).contains(&s);
        if !is_time(before_s) || !is_time(after_s) {
            let cause = format!("{before_s} s before and {after_s} s after");
            let mend = format!("give 0 to {MOST_AFTER_S} s");
            return Err(Refusal::new(RefusalKind::Invalid, thing, cause, mend));
        }
        if self.camera.mailbox().is_none() {
            return Err(Refusal::new(RefusalKind::NotNow, thing, "no camera runs", "start it first"));
        }
        if what == Captured::Rois && self.beads.is_empty() {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                thing,
                "there is no bead, so no ROI",
                "add one, or take frames",
            ));
        }
        let now = now_ns();
        let (from_ns, until_ns) = (now - (before_s * 1e9) as i64, now + (after_s * 1e9) as i64);
        let held_frames = self.camera.past_frames().max(1);
        let limits = Limits { batches: self.options.recorder_queue_batches, held_frames };
        let request = RecordingRequest { folder, ..RecordingRequest::default() };
        let begin = self.begin_of(limits, Purpose::Capture, request);
        Ok(self.try_job(
            asker,
            move || begin.begin(),
            move |control, asker, (inlet, _, thread)| {
                if let Some(running) = control.camera.running() {
                    inlet.count_in(
                        running.ledger.stage("none"),
                        running.ledger.stage(format!("capture.{}", inlet.id())),
                    );
                }
                let frame = control.frame_now();
                control.took_effect(&asker, frame);
                control.captures.0.insert(inlet.id(), Under { asker, inlet: inlet.clone(), thread });
                match control.camera.mailbox() {
                    Some(mailbox) => mailbox.post(Mail::Capture(Capture { inlet, what, from_ns, until_ns })),
                    None => control.end_captures(),
                }
            },
        ))
    }

    /// No frames come any more: captures have what they have.
    pub(super) fn end_captures(&mut self) {
        let end = self.camera.next_frame();
        for under in self.captures.0.values() {
            under.inlet.begin(end);
            under.inlet.end(end);
            under.inlet.put(Item::Finish);
        }
    }

    /// True if it was a capture that is on the disk now.
    pub(super) fn capture_finished(&mut self, finished: &Finished) -> bool {
        let Some(under) = self.captures.0.remove(&finished.id) else { return false };
        if under.thread.join().is_err() {
            tracing::error!("the recorder of a capture panicked");
        }
        let frame = under.inlet.first_frame();
        match finished.problems.first() {
            None => {
                let folder = finished.folder.clone();
                let kind = EventKind::Captured { folder: folder.clone(), frames: finished.frames };
                self.tell(frame, Severity::Info, kind);
                self.reply(&under.asker, Ok(Answer::Path(folder)));
            }
            Some(refusal) => {
                self.warn(Severity::Error, refusal.clone());
                self.reply(&under.asker, Err(refusal.clone()));
            }
        }
        true
    }
}
