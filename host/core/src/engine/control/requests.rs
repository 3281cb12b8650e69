//! From a client's request to its reply: what is done at once, what waits its turn, what goes to the jobs thread, and what
//! belongs into the log of commands.

use super::{Asker, Control, Outcome};
use crate::control::{
    Answer, BeadsCommand, CameraCommand, Command, EngineCommand, EventKind, Refusal, RefusalKind, Reply, Request,
    Severity, StageCommand, TrackingCommand,
};
use crate::engine::LoggedCommand;
use crate::engine::jobs::Finish;
use crate::engine::times::utc_now_ns;

impl Control {
    pub(super) fn request(&mut self, request: Request) {
        if self.busy && !is_urgent(&request.command) {
            self.waiting.push_back(request);
            return;
        }
        let asker = Asker { client: request.client, request: request.request, command: request.command };
        match self.execute(&asker) {
            Ok(Outcome::Done(answer)) => self.done(&asker, None, answer),
            Ok(Outcome::Later) => {}
            Err(refusal) => self.reply(&asker, Err(refusal)),
        }
    }

    pub(super) fn execute(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
        match asker.command.clone() {
            Command::Camera(c) => self.camera_command(asker, c),
            Command::Beads(c) => self.beads_command(asker, c),
            Command::Tracking(c) => self.tracking_command(asker, c),
            Command::Zlut(c) => self.zlut_command(asker, c),
            Command::Stages(c) => self.stages_command(asker, c),
            Command::Sweep(c) => self.sweep_command(asker, c),
            Command::Recording(c) => self.recording_command(asker, c),
            Command::Engine(c) => self.engine_command(c),
        }
    }

    fn engine_command(&mut self, command: EngineCommand) -> Result<Outcome, Refusal> {
        let done = Ok(Outcome::Done(Answer::Done { from_frame: None }));
        match command {
            EngineCommand::Ping => done,
            EngineCommand::Acknowledge { warning } if self.warnings.acknowledge(warning) => done,
            EngineCommand::Acknowledge { warning } => Err(Refusal::new(
                RefusalKind::NotFound,
                format!("cannot acknowledge warning {warning}"),
                "there is none with this number",
                "the snapshot lists those that nobody has read",
            )),
            EngineCommand::Shutdown => {
                self.ending = true;
                done
            }
        }
    }

    /// A command has taken effect: it is written down, told, and answered.
    pub(crate) fn done(&mut self, asker: &Asker, frame: Option<u64>, answer: Answer) {
        self.took_effect(asker, frame);
        self.reply(asker, Ok(answer));
    }

    /// A command has taken effect: it is written down and told. Its answer comes later.
    pub(crate) fn took_effect(&mut self, asker: &Asker, frame: Option<u64>) {
        if !changes_something(&asker.command) {
            return;
        }
        let (client, command) = (asker.client, asker.command.clone());
        if let Some(sink) = &mut self.command_log {
            sink(&LoggedCommand { frame, client, time_utc_ns: utc_now_ns(), command: command.clone() });
        }
        self.tell(frame, Severity::Info, EventKind::Changed { client, command });
    }

    /// Answers, after the next snapshot.
    pub(crate) fn reply(&mut self, asker: &Asker, result: Result<Answer, Refusal>) {
        self.publisher.touch();
        self.replies.push(Reply { client: asker.client, request: asker.request, result });
    }

    pub(super) fn send_replies(&mut self) {
        for reply in self.replies.drain(..) {
            self.hub.reply(reply);
        }
    }

    /// Gives slow work to the jobs thread. Commands wait until it is done.
    pub(crate) fn job<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(&mut Control, T) + Send + 'static,
    ) -> Outcome {
        self.busy = true;
        self.jobs.put(Box::new(move || {
            let outcome = work();
            Box::new(move |control: &mut Control| then(control, outcome)) as Finish
        }));
        Outcome::Later
    }

    /// As [`Control::job`], of something that may fail: then that is the reply.
    pub(crate) fn try_job<T: Send + 'static>(
        &mut self,
        asker: &Asker,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
        then: impl FnOnce(&mut Control, Asker, T) + Send + 'static,
    ) -> Outcome {
        let asker = asker.clone();
        self.job(work, move |control, outcome| match outcome {
            Ok(made) => then(control, asker, made),
            Err(refusal) => control.reply(&asker, Err(refusal)),
        })
    }

    pub(super) fn finished(&mut self, finish: Finish) {
        self.busy = false;
        finish(self);
        self.publisher.touch();
        while !self.busy
            && let Some(request) = self.waiting.pop_front()
        {
            self.request(request);
        }
        self.go_on_at_barrier();
    }
}

/// True for commands that are done at once, whatever goes on.
fn is_urgent(command: &Command) -> bool {
    matches!(
        command,
        Command::Stages(StageCommand::StopAll | StageCommand::Disarm)
            | Command::Engine(EngineCommand::Acknowledge { .. } | EngineCommand::Shutdown)
            | Command::Tracking(TrackingCommand::CancelQuestion { .. })
            | Command::Beads(BeadsCommand::CancelFind)
    )
}

/// True for commands that belong into a log.
fn changes_something(command: &Command) -> bool {
    !matches!(
        command,
        Command::Engine(_)
            | Command::Camera(CameraCommand::Refresh)
            | Command::Beads(BeadsCommand::Find { .. } | BeadsCommand::CancelFind)
            | Command::Tracking(
                TrackingCommand::AskProfileLength
                    | TrackingCommand::AskProfile { .. }
                    | TrackingCommand::CancelQuestion { .. }
            )
    )
}
