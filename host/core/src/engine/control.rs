//! The control thread: does what clients ask, one command after the other, and publishes what there is to know. It waits for
//! its inputs alone; slow work goes to the jobs thread, and commands that come meanwhile wait their turn, the urgent ones
//! apart. A reply is sent after the snapshot that shows what it says.

mod again;
mod beads;
mod build;
mod camera;
mod capture;
mod end;
mod live_thread;
mod publish;
mod recording;
mod requests;
mod stages;
mod sweep;
mod tracking;
mod zlut;

pub(crate) use build::read_choice as read_zlut_choice;

use super::health::Health;
use super::history::History;
use super::jobs::Jobs;
use super::meters::Meters;
use super::program::Program;
use super::question::Question;
use super::times::{Times, utc_now_ns};
use super::warnings::Warnings;
use super::{CommandSink, EngineOptions, Input, ReplayLog};
use crate::RunError;
use crate::control::{Answer, ClientId, Command, Event, EventKind, Hub, Refusal, Reply, Request, RequestId, Severity};
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
}
