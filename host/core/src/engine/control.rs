//! The control thread: does what clients ask, one command after the other, and publishes what there is to know. It waits for
//! its inputs alone; slow work goes to the jobs thread, and commands that come meanwhile wait their turn, the urgent ones
//! apart. A reply is sent after the snapshot that shows what it says.

mod again;
mod beads;
mod build;
mod camera;
mod capture;
mod end;
mod publish;
mod recording;
mod stages;
mod sweep;
mod tracking;
mod zlut;

pub(crate) use build::read_choice as read_zlut_choice;

use super::health::Health;
use super::history::History;
use super::jobs::{Finish, Jobs};
use super::live::{Mail, Note};
use super::meters::Meters;
use super::program::Program;
use super::question::{Question, QuestionId};
use super::times::{Times, utc_now_ns};
use super::warnings::Warnings;
use super::{CommandSink, EngineOptions, Input, LoggedCommand, ReplayLog};
use crate::RunError;
use crate::control::{
    Answer, BeadsCommand, CameraCommand, ClientId, Command, EngineCommand, Event, EventKind, Hub, Refusal, RefusalKind,
    Reply, Request, RequestId, Severity, StageCommand, TrackingCommand,
};
use crate::stages::Stages;
use again::Barrier;
use beads::Beads;
use build::Built;
use camera::CameraArea;
use capture::Captures;
use publish::Publisher;
use recording::RecordingArea;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use sweep::SweepArea;
use tetherscope_loader::Registry;

/// How often there is something to look after while a camera runs.
const BEAT: Duration = Duration::from_millis(100);
/// How often nothing is looked after.
const IDLE: Duration = Duration::from_secs(3600);
/// Inputs that are taken before a snapshot is published.
const MOST_INPUTS_AT_ONCE: usize = 256;

/// Who asked for what.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) client: ClientId,
    pub(crate) request: RequestId,
    pub(crate) command: Command,
}

/// What became of a command.
pub(crate) enum Outcome {
    /// It is done.
    Done(Answer),
    /// The reply comes later.
    Later,
}

/// What is done when a program is in effect; the frame, if a camera runs.
pub(crate) type Then = Box<dyn FnOnce(&mut Control, Option<u64>) + Send>;

/// The state of the experiment, and everything that acts on it.
pub(crate) struct Control {
    pub(crate) registry: Arc<Registry>,
    pub(crate) options: EngineOptions,
    pub(crate) hub: Arc<Hub>,
    pub(crate) inputs: Sender<Input>,
    pub(crate) history: Arc<History>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) camera: CameraArea,
    pub(crate) beads: Beads,
    recording: RecordingArea,
    captures: Captures,
    pub(crate) stages: Arc<Stages>,
    pub(crate) sweep: SweepArea,
    /// Relates the host's clock and UTC, for what is told while no camera runs.
    pub(crate) times: Times,
    /// Tracker and Z-LUT as they were made.
    pub(crate) built: Built,
    /// What is done with frames from the next boundary on.
    pub(crate) program: Arc<Program>,
    pub(crate) warnings: Warnings,
    pub(crate) health: Health,
    pub(crate) questions: Vec<Question>,
    publisher: Publisher,
    jobs: Jobs,
    busy: bool,
    waiting: VecDeque<Request>,
    replies: Vec<Reply>,
    switches: HashMap<u64, Then>,
    next_switch: u64,
    command_log: Option<CommandSink>,
    replay_log: Option<ReplayLog>,
    /// A frame before which the live thread waits until all that belongs there is done.
    barrier: Option<Barrier>,
    /// Who wants the camera started when that is done.
    starts_after: Option<Asker>,
    ending: bool,
    next_beat: Instant,
}

impl Control {
    pub(crate) fn new(
        registry: Arc<Registry>,
        mut options: EngineOptions,
        hub: Arc<Hub>,
        history: Arc<History>,
        inputs: Sender<Input>,
    ) -> Result<Self, RunError> {
        let (command_log, replay_log) = (options.command_log.take(), options.replay_log.take());
        Ok(Self {
            jobs: Jobs::start(inputs.clone())?,
            program: Arc::new(Program::idle(options.batch)),
            beads: Beads::new(options.roi_size_px),
            camera: CameraArea::default(),
            recording: RecordingArea::default(),
            captures: Captures::default(),
            stages: stages::stages_for(&inputs),
            sweep: SweepArea::default(),
            times: Times::now(),
            built: Built::default(),
            meters: Arc::default(),
            warnings: Warnings::default(),
            health: Health::new(),
            questions: Vec::new(),
            publisher: Publisher::default(),
            busy: false,
            waiting: VecDeque::new(),
            replies: Vec::new(),
            switches: HashMap::new(),
            next_switch: 0,
            command_log,
            replay_log,
            barrier: None,
            starts_after: None,
            ending: false,
            next_beat: Instant::now(),
            registry,
            options,
            hub,
            inputs,
            history,
        })
    }

    /// Until somebody ends it.
    pub(crate) fn run(mut self, inbox: &Receiver<Input>) {
        self.publish();
        while !self.ending {
            let wait = self.next_beat.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(wait) {
                Ok(input) => {
                    self.take(input);
                    for input in inbox.try_iter().take(MOST_INPUTS_AT_ONCE) {
                        self.take(input);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= self.next_beat {
                self.beat();
            }
            self.publish_if_due();
            self.send_replies();
        }
        self.end(inbox);
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Request(request) => self.request(request),
            Input::Finished(finish) => self.finished(finish),
            Input::Beside(then) => then(self),
            Input::Live(note) => self.live_note(note),
            Input::End => self.ending = true,
        }
    }

    /// What is to be looked after from time to time.
    fn beat(&mut self) {
        let running = self.camera.is_running() || self.recording.is_active();
        self.next_beat = Instant::now() + if running { BEAT } else { IDLE };
        if running {
            self.watch_camera();
            self.pass_gaps();
            self.publisher.touch();
        }
        if self.publisher.is_second_over() {
            self.health.advance(&self.meters);
            self.tell_drops();
            self.watch_disk();
            self.rotate_if_due();
        }
    }

    /// Looks after things soon: something began to run.
    pub(crate) fn beat_soon(&mut self) {
        self.next_beat = self.next_beat.min(Instant::now() + BEAT);
    }

    fn request(&mut self, request: Request) {
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

    fn execute(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
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

    fn send_replies(&mut self) {
        for reply in self.replies.drain(..) {
            self.hub.reply(reply);
        }
    }

    /// Tells everybody.
    pub(crate) fn tell(&mut self, frame: Option<u64>, severity: Severity, kind: EventKind) -> Event {
        let event = self.hub.tell(frame, severity, kind, utc_now_ns());
        self.warnings.note(&event);
        self.publisher.note(&event);
        self.record_event(&event);
        event
    }

    /// Tells of a failure that no command is there to hear.
    pub(crate) fn warn(&mut self, severity: Severity, text: Refusal) {
        tracing::warn!("{}", text.to_string().replace('\n', ": "));
        let frame = self.frame_now();
        self.tell(frame, severity, EventKind::Message { text });
    }

    /// The next frame, if a camera runs.
    pub(crate) fn frame_now(&self) -> Option<u64> {
        self.camera.is_running().then(|| self.camera.next_frame())
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

    fn finished(&mut self, finish: Finish) {
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

    fn live_note(&mut self, note: Note) {
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

fn hung(plugin: &str, calls: usize, disabled: bool) -> Refusal {
    let cause = if disabled {
        format!("{calls} of its calls did not return, again; it is called no more")
    } else {
        format!("{calls} of its calls did not return in time; their frames are written off")
    };
    let mend = "run it isolated (--isolate), so that it can be ended, or choose another tracker";
    Refusal::new(RefusalKind::Device, format!("{plugin} hangs"), cause, mend)
}
