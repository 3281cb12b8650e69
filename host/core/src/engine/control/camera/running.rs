//! A running camera: started with its ring, display and live thread, watched, and put away again. A camera that fails leaves
//! the engine as it is.

use super::no_camera;
use super::source::{Open, Source};
use crate::RunError;
use crate::control::{Answer, CameraState, ConductView, EventKind, Hub, Refusal, RefusalKind, Severity};
use crate::engine::control::{Asker, Control, Outcome};
use crate::engine::display;
use crate::engine::live::{Live, LiveSetup, Mailbox};
use crate::engine::meters::Meters;
use crate::engine::pool::LivePool;
use crate::ledger::Ledger;
use crate::live_camera::{self, CameraEnd, CameraOptions, LiveCamera, Reopen};
use crate::replay::ReplayPlayer;
use crate::ring::{Policy, Ring, RingOptions, SubscribeOptions};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tetherscope_loader::CameraFormat;

/// Most slots of a ring: beyond, more do not help.
const MOST_SLOTS: u64 = 2048;
/// Slots that stay for who looks at a frame now and then: the display, a finder.
const SLOTS_FOR_LOOKERS: usize = 6;
/// What fills the ring.
pub(super) enum Feeder {
    Camera(LiveCamera),
    Replay(ReplayPlayer, Arc<Ring>),
}

impl Feeder {
    fn stop(&mut self) -> CameraEnd {
        match self {
            Feeder::Camera(camera) => camera.stop(),
            Feeder::Replay(player, ring) => player.stop(ring),
        }
    }
}

/// A running camera and what it feeds.
pub(crate) struct Running {
    pub(super) camera: Option<Feeder>,
    pub(crate) ring: Arc<Ring>,
    live: Option<Live>,
    display: Option<JoinHandle<()>>,
    memory: Option<JoinHandle<()>>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(crate) ledger: Ledger,
    /// The live thread has told that it is through.
    pub(super) over: bool,
    /// Somebody is stopping it.
    stopping: bool,
    /// Frames of the past that are kept.
    pub(super) past_frames: usize,
}

impl Control {
    /// Frames of the past that are kept.
    fn n_past(&self, format: &CameraFormat) -> usize {
        (self.options.past_bytes / format.payload_bytes.max(1)).min(MOST_SLOTS) as usize
    }

    /// Slots of the ring for these frames, without those of the past.
    fn n_slots(&self, format: &CameraFormat) -> usize {
        let fit = (self.options.ring_bytes / format.payload_bytes.max(1)).min(MOST_SLOTS) as usize;
        let fewest = self.options.min_ring_slots.max(format.slots_wanted as usize + SLOTS_FOR_LOOKERS + 8);
        fit.max(fewest)
    }

    pub(in crate::engine::control) fn start_camera(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
        if let Some(running) = &self.camera.running {
            let cause = if running.stopping { "it is being stopped" } else { "it runs already" };
            return Err(Refusal::new(RefusalKind::NotNow, "cannot start the camera", cause, "stop it first"));
        }
        let open = self.camera.open.clone().ok_or_else(|| no_camera("start"))?;
        if self.gives_first_commands(asker) {
            return Ok(Outcome::Later);
        }
        let start = Start {
            reopen_every: self.options.reopen_every.filter(|_| !self.options.lossless),
            ring: RingOptions {
                n_slots: self.n_slots(&open.format) + self.n_past(&open.format),
                memory_budget_bytes: self.options.memory_budget_bytes,
                lossless: self.options.lossless,
                first_index: self.camera.next_frame,
                ..RingOptions::default()
            },
            past_frames: self.n_past(&open.format),
            open,
            threads: self.options.threads,
            hub: self.hub.clone(),
            meters: self.meters.clone(),
        };
        Ok(self.try_job(asker, move || start.ready().map_err(Refusal::from), Control::camera_started))
    }

    fn camera_started(&mut self, asker: Asker, ready: Ready) {
        let Ready { camera, ring, display, memory, subscription, pool, ledger, past_frames } = ready;
        let counts = ledger.stage("tracking");
        self.recording_stage(&ledger);
        let max_batch_frames = ((ring.status().n_slots - past_frames) / 8).max(1);
        let live = Live::start(LiveSetup {
            subscription,
            program: self.program.clone(),
            format: *ring.format(),
            optics: self.options.optics,
            history: self.history.clone(),
            pool,
            counts,
            meters: self.meters.clone(),
            notes: self.inputs.clone(),
            hang_limit: self.options.hang_limit,
            max_batch_frames,
            past_frames,
            questions: self.questions.clone(),
            barriers: self.barriers(),
        });
        let live = match live {
            Ok(live) => live,
            Err(e) => return self.reply(&asker, Err(e.into())),
        };
        let status = ring.status();
        if let Some(format) = &mut self.camera.view.format {
            (format.ring_slots, format.ring_bytes) = (status.n_slots as u32, status.bytes);
        }
        self.camera.view.state = CameraState::Running;
        self.camera.view.conduct = ConductView::default();
        self.camera.running = Some(Running {
            camera: Some(camera),
            ring,
            mailbox: live.mailbox.clone(),
            live: Some(live),
            display: Some(display),
            memory,
            ledger,
            over: false,
            stopping: false,
            past_frames,
        });
        self.beat_soon();
        let frame = self.camera.next_frame;
        self.tell(Some(frame), Severity::Info, EventKind::CameraStarted { camera: self.camera.label() });
        self.done(&asker, Some(frame), Answer::Done { from_frame: Some(frame) });
    }

    pub(super) fn stop_camera(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
        let Some(running) = self.camera.running.as_mut().filter(|r| !r.stopping) else {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot stop the camera",
                "it does not run",
                "nothing is to be done",
            ));
        };
        running.stopping = true;
        let parts = running.take_apart();
        let asker = asker.clone();
        Ok(self.job(
            move || parts.stop(),
            move |control, end| {
                control.put_away(&end, "asked for");
                let frame = control.camera.next_frame;
                control.done(&asker, Some(frame), Answer::Done { from_frame: Some(frame) });
            },
        ))
    }

    /// The live thread has passed on its last frame.
    pub(in crate::engine::control) fn live_ended(&mut self, next_frame: u64) {
        self.camera.next_frame = self.camera.next_frame.max(next_frame);
        let Some(running) = &mut self.camera.running else { return };
        running.over = true;
        let stopping = std::mem::replace(&mut running.stopping, true);
        let parts = (!stopping).then(|| running.take_apart());
        self.complete_switches(next_frame);
        if let Some(parts) = parts {
            // It ended by itself.
            self.job(
                move || parts.stop(),
                |control, end| {
                    let reason = reason_of(&end);
                    control.put_away(&end, &reason);
                },
            );
        }
    }

    /// The camera and its threads are gone.
    fn put_away(&mut self, end: &Option<CameraEnd>, reason: &str) {
        // Its last gaps, while there is somebody to ask.
        self.pass_gaps();
        if let Some(running) = self.camera.running.take() {
            let ring = running.ring.status();
            self.camera.next_frame = self.camera.next_frame.max(ring.next_index);
            let conduct = &mut self.camera.view.conduct;
            // Nobody fills the ring any more, so what is lent is lost.
            (conduct.slots_taken_back, conduct.slots_lost) = (ring.n_taken_back, ring.n_lent as u64);
            self.keep_last_ledger(&running);
        }
        let frame = self.camera.next_frame;
        self.complete_switches(frame);
        self.end_captures();
        let failure = |cause: &str| {
            Refusal::new(
                RefusalKind::Device,
                format!("{} broke down", self.camera.label()),
                cause.lines().collect::<Vec<_>>().join(": "),
                "see to the device, then start the camera again",
            )
        };
        let failed = match end {
            Some(CameraEnd::Disconnected(cause) | CameraEnd::Failed(cause) | CameraEnd::WrittenOff(cause)) => {
                Some(failure(cause))
            }
            _ => None,
        };
        self.camera.view.state = match &failed {
            Some(refusal) => CameraState::Failed(refusal.clone()),
            None => CameraState::Open,
        };
        self.tell(Some(frame), Severity::Info, EventKind::CameraStopped { reason: reason.to_owned() });
        if let Some(refusal) = failed {
            self.warn(Severity::Error, refusal);
        }
    }

    /// Looks whether the camera is there.
    pub(in crate::engine::control) fn watch_camera(&mut self) {
        let Some(Feeder::Camera(camera)) = self.camera.running.as_ref().and_then(|r| r.camera.as_ref()) else { return };
        let was_lost = matches!(self.camera.view.state, CameraState::Lost(_));
        match camera.state() {
            live_camera::CameraState::Reopening { cause, attempts } => {
                let refusal = Refusal::new(
                    RefusalKind::Device,
                    format!("{} is gone", self.camera.label()),
                    cause.lines().collect::<Vec<_>>().join(": "),
                    format!("connect it again: it is looked for all the time ({attempts} times so far)"),
                );
                self.camera.view.state = CameraState::Lost(refusal.clone());
                if !was_lost {
                    self.warn(Severity::Error, refusal);
                }
            }
            live_camera::CameraState::Running if was_lost => {
                self.camera.view.state = CameraState::Running;
                let frame = self.frame_now();
                self.tell(frame, Severity::Info, EventKind::CameraBack { camera: self.camera.label() });
            }
            _ => {}
        }
    }

    /// Stops the camera because the engine ends.
    pub(in crate::engine::control) fn stop_camera_for_end(&mut self) {
        let Some(running) = self.camera.running.as_mut().filter(|r| !r.stopping) else { return };
        running.stopping = true;
        let parts = running.take_apart();
        self.job(move || parts.stop(), |control, end| control.put_away(&end, "the engine ends"));
    }
}

fn reason_of(end: &Option<CameraEnd>) -> String {
    match end {
        None | Some(CameraEnd::Stopped) => "stopped".into(),
        Some(CameraEnd::EndOfData) => "end of data".into(),
        Some(CameraEnd::Disconnected(_)) => "disconnected".into(),
        Some(CameraEnd::Failed(_) | CameraEnd::WrittenOff(_)) => "failed".into(),
    }
}

/// What must end before a camera is put away.
struct Parts {
    camera: Option<Feeder>,
    live: Option<Live>,
    beside: [Option<JoinHandle<()>>; 2],
}

impl Running {
    fn take_apart(&mut self) -> Parts {
        Parts { camera: self.camera.take(), live: self.live.take(), beside: [self.display.take(), self.memory.take()] }
    }
}

impl Parts {
    /// Stops the camera, then lets what it delivered pass through.
    fn stop(mut self) -> Option<CameraEnd> {
        let end = self.camera.as_mut().map(Feeder::stop);
        if let Some(live) = self.live {
            live.join();
        }
        if self.beside.into_iter().flatten().any(|t| t.join().is_err()) {
            tracing::error!("the display's thread, or the one that takes the ring's memory, panicked");
        }
        end
    }
}

/// Takes the ring's memory on a thread of its own: half a gigabyte would keep the first frame waiting for a quarter of a
/// second. Without that thread frames take it as they come.
fn take_memory(ring: &Arc<Ring>) -> Option<JoinHandle<()>> {
    let ring = ring.clone();
    let taking = move || {
        if !ring.populate() {
            tracing::warn!("the memory of the ring could not be taken in advance: the first frames may come late");
        }
    };
    std::thread::Builder::new().name("ring-memory".into()).spawn(taking).ok()
}

/// What starts a camera, off the control thread.
struct Start {
    open: Open,
    ring: RingOptions,
    reopen_every: Option<Duration>,
    past_frames: usize,
    threads: usize,
    hub: Arc<Hub>,
    meters: Arc<Meters>,
}

/// A camera that runs, with all but the live thread.
struct Ready {
    camera: Feeder,
    ring: Arc<Ring>,
    display: JoinHandle<()>,
    memory: Option<JoinHandle<()>>,
    subscription: crate::ring::Subscription,
    pool: LivePool,
    ledger: Ledger,
    past_frames: usize,
}

impl Start {
    fn ready(self) -> Result<Ready, RunError> {
        let (format, channels) = match &self.open.source {
            Source::Camera(of) => (of.camera.format()?, of.camera.channels()?),
            Source::Recording { recording, .. } => (*recording.format(), recording.channels()),
        };
        let ledger = Ledger::new();
        let ring = Ring::new(&format, channels, &self.ring, &ledger)?;
        let pool = LivePool::new(self.threads)?;
        let past_frames = self.past_frames;
        let for_live = self.ring.n_slots - format.slots_wanted.max(1) as usize - SLOTS_FOR_LOOKERS;
        // A third of what is not for the past waits; the rest is being tracked or written.
        let capacity = ((for_live - past_frames) / 3).max(1);
        let subscription = ring.subscribe(&SubscribeOptions {
            name: "intake".into(),
            capacity,
            in_hand: for_live - capacity,
            policy: Policy::DropNewest,
        })?;
        let shown = ring.subscribe(&SubscribeOptions {
            name: "display".into(),
            capacity: 1,
            in_hand: 1,
            policy: Policy::NewestOnly,
        })?;
        // Before its frames, who takes them.
        let display = display::start(shown, format, self.hub.clone(), self.meters.clone())?;
        match self.feed(&ring) {
            Ok(camera) => {
                Ok(Ready { camera, memory: take_memory(&ring), ring, display, subscription, pool, ledger, past_frames })
            }
            Err(e) => {
                ring.finish();
                // It ends with the ring.
                let _ = display.join();
                Err(e)
            }
        }
    }

    fn feed(self, ring: &Arc<Ring>) -> Result<Feeder, RunError> {
        match self.open.source {
            Source::Camera(of) => {
                let reopen = self.reopen_every.map(|every| Reopen {
                    component: of.component.clone(),
                    device: of.device.clone(),
                    params: of.params.clone(),
                    every,
                });
                let options = CameraOptions { poll_for: Duration::from_millis(50), reopen, ..CameraOptions::default() };
                Ok(Feeder::Camera(LiveCamera::start(of.camera.clone(), ring.clone(), options)?))
            }
            Source::Recording { recording, timing } => {
                Ok(Feeder::Replay(ReplayPlayer::start(&recording, timing, ring.clone())?, ring.clone()))
            }
        }
    }
}
