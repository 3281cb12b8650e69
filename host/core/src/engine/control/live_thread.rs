//! To the live thread and back: programs that are to take effect at a frame boundary, and what it has to tell.

use super::again::Barrier;
use super::{Asker, Control, Outcome, Then};
use crate::control::{Answer, EventKind, Refusal, RefusalKind, Reply, Severity};
use crate::engine::live::{Mail, Note};
use crate::engine::program::Program;
use crate::engine::question::QuestionId;
use std::sync::Arc;

impl Control {
    /// Swaps the program at the next frame boundary; `then` hears of it.
    pub(crate) fn switch(&mut self, program: Program, then: Then) {
        self.program = Arc::new(program);
        match self.camera.mailbox() {
            Some(mailbox) => {
                let id = self.next_switch;
                self.next_switch += 1;
                self.switches.insert(id, then);
                mailbox.post(Mail::Switch { id, program: self.program.clone() });
            }
            None => then(self, None),
        }
    }

    /// As [`Control::switch`] for a command whose answer is the frame.
    pub(crate) fn switch_for(&mut self, asker: &Asker, program: Program) -> Outcome {
        self.switch_with(asker, program, |from_frame| Answer::Done { from_frame })
    }

    /// As [`Control::switch`] for a command.
    pub(crate) fn switch_with(
        &mut self,
        asker: &Asker,
        program: Program,
        answer: impl FnOnce(Option<u64>) -> Answer + Send + 'static,
    ) -> Outcome {
        let asker = asker.clone();
        self.switch(program, Box::new(move |control, frame| control.done(&asker, frame, answer(frame))));
        Outcome::Later
    }

    pub(super) fn live_note(&mut self, note: Note) {
        match note {
            Note::Switched { id, frame } => {
                if let Some(then) = self.switches.remove(&id) {
                    then(self, Some(frame));
                }
                self.go_on_at_barrier();
            }
            Note::Answered { id, result } => self.answered(id, result),
            Note::PluginFailed { failure, rows, frame } => {
                tracing::warn!("{}", failure.to_string().replace('\n', ": "));
                self.tell(Some(frame), Severity::Warning, EventKind::PluginFailed { failure, rows });
            }
            Note::PluginHung { plugin, calls, rows, frame, disabled } => {
                let failure = hung(&plugin, calls, disabled);
                tracing::error!("{}", failure.to_string().replace('\n', ": "));
                self.tell(Some(frame), Severity::Error, EventKind::PluginFailed { failure, rows });
            }
            Note::Barrier { frame } => {
                let left = self.replay_log.as_mut().map(|l| l.take_until(Some(frame))).unwrap_or_default();
                self.barrier = Some(Barrier { left: left.into() });
                self.go_on_at_barrier();
            }
            Note::Recorded { id } => self.recording_has_all(id),
            Note::Ended { next_frame } => self.live_ended(next_frame),
        }
        self.publisher.touch();
    }

    /// A question has its answer, unless it was cancelled meanwhile.
    pub(crate) fn answered(&mut self, id: QuestionId, result: Result<Answer, Refusal>) {
        if let Some(at) = self.questions.iter().position(|q| q.id == id) {
            self.questions.remove(at);
            self.replies.push(Reply { client: id.0, request: id.1, result });
        }
    }

    /// Completes switches that the live thread did not see any more.
    pub(crate) fn complete_switches(&mut self, next_frame: u64) {
        let mut left: Vec<(u64, Then)> = self.switches.drain().collect();
        left.sort_by_key(|(id, _)| *id);
        for (_, then) in left {
            then(self, Some(next_frame));
        }
    }
}

fn hung(plugin: &str, calls: usize, disabled: bool) -> Refusal {
    let cause = if disabled {
        format!("{calls} of its calls did not return, again; it is called no more")
    } else {
        format!("{calls} of its calls did not return in time; their frames are written off")
    };
    let mend = "run it isolated (--isolate), so that it can be ended, or choose another tracker";
    Refusal::new(RefusalKind::Device, format!("{plugin} hangs"), cause, mend)
}
