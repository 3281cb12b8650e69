//! Tracker, data mode, batches, and questions that frames answer.

use super::build::{Built, Spec, build};
use super::{Asker, Control, Outcome, Then};
use crate::RunError;
use crate::control::{
    Answer, BatchLimits, DataMode, EventKind, MethodChoice, Refusal, RefusalKind, RequestId, Severity, TrackingCommand,
};
use crate::engine::live::Mail;
use crate::engine::program::Program;
use crate::engine::question::{Asked, Question, gone};
use crate::engine::settings::resolve;
use tetherscope_loader::{Kind, Tracker};

impl Control {
    pub(super) fn tracking_command(&mut self, asker: &Asker, command: TrackingCommand) -> Result<Outcome, Refusal> {
        match command {
            TrackingCommand::SetTracker { tracker } => self.set_tracker(asker, &tracker),
            TrackingCommand::SetMode { mode } => self.set_mode(asker, mode),
            TrackingCommand::SetProcessing { on } => {
                if !on {
                    self.refuse_while_held("stop processing")?;
                }
                let program = Program { processing: on, ..(*self.program).clone() };
                Ok(self.switch_for(asker, program))
            }
            TrackingCommand::SetBatch { limits } => self.set_batch(asker, limits),
            TrackingCommand::AskProfileLength => self.ask(asker, Asked::ProfileLength),
            TrackingCommand::AskProfile { bead } => self.ask(asker, Asked::Profile { bead }),
            TrackingCommand::CancelQuestion { request } => self.cancel_question(asker, request),
        }
    }

    fn set_tracker(&mut self, asker: &Asker, choice: &MethodChoice) -> Result<Outcome, Refusal> {
        self.refuse_while_held("change the tracker")?;
        let (component, params) = resolve(&self.registry, Kind::Tracker, choice)?;
        let spec = self.spec();
        let work = move || {
            let tracker = Tracker::create(&component, params).map_err(|e| Refusal::from(RunError::from(e)))?;
            build(&Spec { tracker: Some(tracker), ..spec })
        };
        Ok(self.try_job(asker, work, |control, asker, (built, dropped)| {
            control.install(
                built,
                dropped,
                Box::new(move |control, from_frame| {
                    control.done(&asker, from_frame, Answer::Done { from_frame });
                }),
            );
        }))
    }

    /// Uses what was made, from the next frame on. A Z-LUT that does not fit any more is told of.
    pub(super) fn install(&mut self, built: Built, dropped: Option<Refusal>, then: Then) {
        self.built = built;
        let program = self.make_program();
        self.switch(
            program,
            Box::new(move |control, frame| {
                if let Some(refusal) = dropped {
                    let reason = refusal.to_string().replace('\n', ": ");
                    control.tell(frame, Severity::Warning, EventKind::ZlutUnloaded { reason });
                }
                then(control, frame);
            }),
        );
    }

    fn set_mode(&mut self, asker: &Asker, mode: DataMode) -> Result<Outcome, Refusal> {
        self.refuse_while_recording("change the data mode")?;
        self.refuse_while_held("change the data mode")?;
        let program = Program { mode, ..(*self.program).clone() };
        Ok(self.switch_for(asker, program))
    }

    fn set_batch(&mut self, asker: &Asker, batch: BatchLimits) -> Result<Outcome, Refusal> {
        if batch.max_frames == 0 || !batch.max_ms.is_finite() || batch.max_ms < 0.0 {
            return Err(Refusal::new(
                RefusalKind::Invalid,
                "cannot use these bounds of a batch",
                format!("{} frames, {} ms", batch.max_frames, batch.max_ms),
                "use 1 or more frames, and 0 or more ms",
            ));
        }
        let program = Program { batch, ..(*self.program).clone() };
        Ok(self.switch_for(asker, program))
    }

    fn ask(&mut self, asker: &Asker, what: Asked) -> Result<Outcome, Refusal> {
        let thing = "cannot answer from the next frame";
        if let Asked::Profile { bead } = what
            && !self.beads.has(bead)
        {
            return Err(gone(bead));
        }
        let not_now = |cause: &str, mend: &str| Err(Refusal::new(RefusalKind::NotNow, thing, cause, mend));
        if !self.program.mode.tracks() {
            return not_now("nothing is tracked in this data mode", "choose a mode that tracks");
        }
        if !self.program.processing {
            return not_now("frames are not processed", "switch processing on");
        }
        if self.built.tracker.is_none() {
            return not_now("no tracker is chosen", "choose one");
        }
        if self.beads.is_empty() {
            return not_now("there is no bead", "add one");
        }
        let question = Question { id: (asker.client, asker.request), what };
        self.questions.push(question);
        if let Some(mailbox) = self.camera.mailbox() {
            mailbox.post(Mail::Ask(question));
        }
        Ok(Outcome::Later)
    }

    fn cancel_question(&mut self, asker: &Asker, request: RequestId) -> Result<Outcome, Refusal> {
        let id = (asker.client, request);
        if !self.questions.iter().any(|q| q.id == id) {
            return Err(Refusal::new(
                RefusalKind::NotFound,
                format!("cannot cancel question {}", request.0),
                "it is no question of this client, or it is answered",
                "nothing is to be done",
            ));
        }
        if let Some(mailbox) = self.camera.mailbox() {
            mailbox.post(Mail::Cancel(id));
        }
        self.answered(
            id,
            Err(Refusal::new(RefusalKind::Cancelled, "no answer", "the question was withdrawn", "ask again")),
        );
        Ok(Outcome::Done(Answer::Done { from_frame: None }))
    }
}
