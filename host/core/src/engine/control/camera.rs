//! Commands to the camera, and what becomes of a running one: started with its ring, display and live thread, watched, and
//! put away again. A camera that fails leaves the engine as it is.

use super::build::{self, Built, Spec};
use super::{Asker, Control, Outcome};
use crate::RunError;
use crate::control::{
    Answer, CameraCommand, CameraState, CameraView, EventKind, FormatView, MethodChoice, Refusal, RefusalKind,
    SettingView, Severity,
};
use crate::engine::display;
use crate::engine::live::{Live, LiveSetup, Mailbox};
use crate::engine::pool::LivePool;
use crate::engine::settings::{resolve, settings_view};
use crate::engine::times::Times;
use crate::ledger::Ledger;
use crate::live_camera::{self, CameraEnd, CameraOptions, LiveCamera, Reopen};
use crate::replay::{ReplayPlayer, ReplaySource, ReplayTiming};
use crate::ring::{Policy, Ring, RingOptions, SubscribeOptions};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tetherscope_files::ChannelName;
use tetherscope_loader::{Camera, CameraFormat, ChannelInfo, Component, Kind, ParamSet, PluginError};

/// Most slots of a ring: beyond, more do not help.
const MOST_SLOTS: u64 = 2048;
/// Slots that stay for who looks at a frame now and then: the display, a finder.
const SLOTS_FOR_LOOKERS: usize = 6;
/// Method that plays a recording.
const REPLAY: &str = "recording";

/// The camera.
#[derive(Default)]
pub(crate) struct CameraArea {
    pub(crate) view: CameraView,
    open: Option<Open>,
    running: Option<Running>,
    /// Index of the next frame, of whatever camera.
    next_frame: u64,
}

/// An open camera, or a recording in its place.
#[derive(Clone)]
struct Open {
    source: Source,
    label: String,
    format: CameraFormat,
    channels: Vec<ChannelName>,
}

/// Where frames come from.
#[derive(Clone)]
enum Source {
    Camera(Arc<OpenDevice>),
    Recording { recording: Arc<ReplaySource>, timing: ReplayTiming },
}

/// An open camera, and how to open it again.
struct OpenDevice {
    camera: Arc<Camera>,
    component: Component,
    device: String,
    params: ParamSet,
}

impl Open {
    /// The camera; a recording has no settings.
    fn camera(&self, what: &str) -> Result<Arc<Camera>, Refusal> {
        match &self.source {
            Source::Camera(of) => Ok(of.camera.clone()),
            Source::Recording { .. } => Err(Refusal::new(
                RefusalKind::Invalid,
                format!("cannot {what}"),
                "a recording is played, and has no settings",
                "open a camera",
            )),
        }
    }
}

/// What fills the ring.
enum Feeder {
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
    camera: Option<Feeder>,
    pub(crate) ring: Arc<Ring>,
    live: Option<Live>,
    display: Option<JoinHandle<()>>,
    mailbox: Arc<Mailbox>,
    pub(crate) ledger: Ledger,
    /// The live thread has told that it is through.
    over: bool,
    /// Somebody is stopping it.
    stopping: bool,
    /// Frames of the past that are kept.
    past_frames: usize,
}

impl CameraArea {
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Where the live thread gets its mail; none when nobody would read it.
    pub(crate) fn mailbox(&self) -> Option<Arc<Mailbox>> {
        self.running.as_ref().filter(|r| !r.over).map(|r| r.mailbox.clone())
    }

    /// Frames of the past that are kept for captures.
    pub(crate) fn past_frames(&self) -> usize {
        self.running.as_ref().map_or(0, |r| r.past_frames)
    }

    /// Format of the open camera.
    pub(crate) fn format(&self) -> Option<CameraFormat> {
        self.open.as_ref().map(|o| o.format)
    }

    /// Index of the next frame.
    pub(crate) fn next_frame(&self) -> u64 {
        self.running.as_ref().map_or(self.next_frame, |r| r.ring.status().next_index.max(self.next_frame))
    }

    /// One name for each value of a frame's channels.
    pub(crate) fn channels(&self) -> Vec<ChannelName> {
        self.open.as_ref().map_or_else(Vec::new, |o| o.channels.clone())
    }

    /// Name and version of the open camera.
    pub(crate) fn label(&self) -> String {
        self.open.as_ref().map_or_else(String::new, |o| o.label.clone())
    }
}

fn no_camera(what: &str) -> Refusal {
    Refusal::new(RefusalKind::NotNow, format!("cannot {what}"), "no camera is open", "open one first")
}

fn format_view(format: &CameraFormat, settings: &[SettingView]) -> FormatView {
    let n_frames = settings.iter().find(|s| s.key == "n_frames").and_then(|s| s.value.as_u64()).filter(|n| *n > 0);
    FormatView {
        width_px: format.width_px,
        height_px: format.height_px,
        significant_bits: format.significant_bits,
        n_frames,
        ring_slots: 0,
        ring_bytes: 0,
    }
}

impl Control {
    pub(super) fn camera_command(&mut self, asker: &Asker, command: CameraCommand) -> Result<Outcome, Refusal> {
        match command {
            CameraCommand::Open { camera, device } => self.open_camera(asker, &camera, device),
            CameraCommand::Close => self.close_camera(asker),
            CameraCommand::Set { values } => {
                let open = self.camera.open.clone().ok_or_else(|| no_camera("change settings"))?;
                let camera = open.camera("change settings")?;
                let pairs: Vec<(String, String)> = values.into_iter().collect();
                // The running camera keeps what it was told, to be told again after it was unplugged.
                let running = self.camera.running.as_mut().and_then(|r| r.camera.take());
                let spec = self.spec();
                Ok(self.job(
                    move || {
                        let changed = match &running {
                            Some(Feeder::Camera(live)) => live.set(&pairs).map_err(Refusal::from),
                            _ => {
                                let pairs = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()));
                                camera.set(pairs).map_err(device_refusal)
                            }
                        };
                        let result = changed.and_then(|s| reopen_format(&camera, open, spec, settings_view(&s)));
                        (running, result)
                    },
                    {
                        let asker = asker.clone();
                        move |control, (running, result)| {
                            if let Some(r) = &mut control.camera.running {
                                r.camera = running;
                            }
                            control.camera_changed(&asker, result);
                        }
                    },
                ))
            }
            CameraCommand::Refresh => {
                let open = self.camera.open.as_ref().ok_or_else(|| no_camera("read settings"))?;
                let camera = open.camera("read settings")?;
                let asker = asker.clone();
                Ok(self.job(
                    move || camera.settings().map(|s| settings_view(&s)).map_err(device_refusal),
                    move |control, read| match read {
                        Ok(settings) => {
                            control.camera.view.settings.clone_from(&settings);
                            control.done(&asker, None, Answer::Settings(settings));
                        }
                        Err(refusal) => control.reply(&asker, Err(refusal)),
                    },
                ))
            }
            CameraCommand::Start => self.start_camera(asker),
            CameraCommand::Stop => self.stop_camera(asker),
        }
    }

    /// What workers and tables are to be made from, as things are.
    pub(super) fn spec(&self) -> Spec {
        Spec {
            tracker: self.built.tracker.clone(),
            format: self.camera.format(),
            roi_size_px: self.beads.roi_size_px(),
            optics: self.options.optics,
            zlut: self.built.zlut.as_ref().map(|z| z.choice.clone()),
            threads: self.options.threads,
        }
    }

    fn open_camera(&mut self, asker: &Asker, choice: &MethodChoice, device: String) -> Result<Outcome, Refusal> {
        self.refuse_while_recording("open another camera")?;
        if self.camera.is_running() {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot open another camera",
                format!("{} runs", self.camera.label()),
                "stop it first",
            ));
        }
        if choice.method == REPLAY {
            return self.open_recording(asker, choice, device);
        }
        let (component, params) = resolve(&self.registry, Kind::Camera, choice)?;
        let old = self.camera.open.take();
        self.camera.view = CameraView {
            method: component.info().id.clone(),
            device: device.clone(),
            isolated: component.is_isolated(),
            ..CameraView::default()
        };
        let spec = Spec { format: None, ..self.spec() };
        let asker = asker.clone();
        Ok(self.job(
            move || {
                drop(old);
                open(component, device, params, spec)
            },
            move |control, opened| control.camera_changed(&asker, opened),
        ))
    }

    /// A recording in the place of a camera; `device` is its folder.
    fn open_recording(&mut self, asker: &Asker, choice: &MethodChoice, device: String) -> Result<Outcome, Refusal> {
        let timing = match choice.parameters.get("timing").map(String::as_str) {
            None | Some("recorded") => ReplayTiming::Recorded,
            Some("fast") => ReplayTiming::Fast,
            Some(other) => {
                let cause = format!("timing is {other:?}");
                return Err(Refusal::new(
                    RefusalKind::Invalid,
                    "cannot play a recording",
                    cause,
                    "use recorded or fast",
                ));
            }
        };
        let old = self.camera.open.take();
        self.camera.view = CameraView { method: REPLAY.into(), device: device.clone(), ..CameraView::default() };
        let spec = Spec { format: None, ..self.spec() };
        let asker = asker.clone();
        Ok(self.job(
            move || {
                drop(old);
                let recording = Arc::new(ReplaySource::open(Path::new(&device))?);
                let format = *recording.format();
                let open = Open {
                    label: format!("recording {device}"),
                    format,
                    channels: names_of(&recording.channels()),
                    source: Source::Recording { recording, timing },
                };
                let built = build::build(&Spec { format: Some(format), ..spec })?;
                Ok(Opened { open, settings: Vec::new(), built: Some(built) })
            },
            move |control, opened| control.camera_changed(&asker, opened),
        ))
    }

    /// A camera was opened or changed, or could not be.
    fn camera_changed(&mut self, asker: &Asker, opened: Result<Opened, Refusal>) {
        match opened {
            Ok(opened) => {
                let keep_open = matches!(asker.command, crate::control::Command::Camera(CameraCommand::Set { .. }));
                self.camera.view.settings.clone_from(&opened.settings);
                if !self.camera.is_running() {
                    self.camera.view.state = CameraState::Open;
                    self.camera.view.format = Some(format_view(&opened.open.format, &opened.settings));
                }
                self.camera.open = Some(opened.open);
                let answer =
                    if keep_open { Answer::Settings(opened.settings) } else { Answer::Done { from_frame: None } };
                match opened.built {
                    None => {
                        let frame = self.frame_now();
                        self.done(asker, frame, answer);
                    }
                    Some((built, dropped)) => {
                        let asker = asker.clone();
                        self.install(
                            built,
                            dropped,
                            Box::new(move |control, frame| control.done(&asker, frame, answer)),
                        );
                    }
                }
            }
            Err(refusal) => {
                if self.camera.open.is_none() {
                    self.camera.view.state = CameraState::Failed(refusal.clone());
                }
                self.reply(asker, Err(refusal));
            }
        }
    }

    fn close_camera(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
        self.refuse_while_recording("close the camera")?;
        if self.camera.is_running() {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot close the camera",
                "it runs",
                "stop it first, so that frames on their way are not lost",
            ));
        }
        let old = self.camera.open.take();
        self.camera.view = CameraView::default();
        let asker = asker.clone();
        Ok(self.job(
            move || drop(old),
            move |control, ()| {
                control.built.chain = None;
                let program = control.make_program();
                control.switch_for(&asker, program);
            },
        ))
    }

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

    pub(super) fn start_camera(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
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
        let Ready { camera, ring, display, subscription, pool, ledger, past_frames } = ready;
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
            times: Arc::new(Times::now()),
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
        self.camera.running = Some(Running {
            camera: Some(camera),
            ring,
            mailbox: live.mailbox.clone(),
            live: Some(live),
            display: Some(display),
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

    fn stop_camera(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
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
    pub(super) fn live_ended(&mut self, next_frame: u64) {
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
        if let Some(running) = self.camera.running.take() {
            self.camera.next_frame = self.camera.next_frame.max(running.ring.status().next_index);
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
    pub(super) fn watch_camera(&mut self) {
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
    pub(super) fn stop_camera_for_end(&mut self) {
        let Some(running) = self.camera.running.as_mut().filter(|r| !r.stopping) else { return };
        running.stopping = true;
        let parts = running.take_apart();
        self.job(move || parts.stop(), |control, end| control.put_away(&end, "the engine ends"));
    }
}

fn device_refusal(e: PluginError) -> Refusal {
    Refusal::from(RunError::from(e))
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
    display: Option<JoinHandle<()>>,
}

impl Running {
    fn take_apart(&mut self) -> Parts {
        Parts { camera: self.camera.take(), live: self.live.take(), display: self.display.take() }
    }
}

impl Parts {
    /// Stops the camera, then lets what it delivered pass through.
    fn stop(mut self) -> Option<CameraEnd> {
        let end = self.camera.as_mut().map(Feeder::stop);
        if let Some(live) = self.live {
            live.join();
        }
        if self.display.is_some_and(|d| d.join().is_err()) {
            tracing::error!("the display's thread panicked");
        }
        end
    }
}

/// A camera that was opened or changed.
struct Opened {
    open: Open,
    settings: Vec<SettingView>,
    /// Workers and tables for its format, if that is another one.
    built: Option<(Built, Option<Refusal>)>,
}

fn open(component: Component, device: String, params: ParamSet, spec: Spec) -> Result<Opened, Refusal> {
    let camera = Arc::new(Camera::open(&component, &device, &params).map_err(device_refusal)?);
    let settings = settings_view(&camera.settings().map_err(device_refusal)?);
    let format = camera.format().map_err(device_refusal)?;
    let built = build::build(&Spec { format: Some(format), ..spec })?;
    let channels = names_of(&camera.channels().map_err(device_refusal)?);
    let label = component.label();
    let source = Source::Camera(Arc::new(OpenDevice { camera, component, device, params }));
    Ok(Opened { open: Open { source, label, format, channels }, settings, built: Some(built) })
}

/// After settings were changed: the format may be another one.
fn reopen_format(camera: &Camera, open: Open, spec: Spec, settings: Vec<SettingView>) -> Result<Opened, Refusal> {
    let format = camera.format().map_err(device_refusal)?;
    let key =
        |f: &CameraFormat| (f.width_px, f.height_px, f.pixel_format, f.significant_bits, f.row_stride_bytes, f.flags);
    let built = if key(&format) == key(&open.format) {
        None
    } else {
        Some(build::build(&Spec { format: Some(format), ..spec })?)
    };
    let channels = names_of(&camera.channels().map_err(device_refusal)?);
    Ok(Opened { open: Open { format, channels, ..open }, settings, built })
}

/// One name for each value: a channel of several gets numbers.
fn names_of(channels: &[ChannelInfo]) -> Vec<ChannelName> {
    let name = |c: &ChannelInfo, i: u32| ChannelName {
        key: if c.length == 1 { c.key.clone() } else { format!("{}[{i}]", c.key) },
        unit: c.unit.clone(),
    };
    channels.iter().flat_map(|c| (0..c.length).map(move |i| name(c, i))).collect()
}

/// What starts a camera, off the control thread.
struct Start {
    open: Open,
    ring: RingOptions,
    reopen_every: Option<Duration>,
    past_frames: usize,
    threads: usize,
    hub: Arc<crate::control::Hub>,
    meters: Arc<crate::engine::meters::Meters>,
}

/// A camera that runs, with all but the live thread.
struct Ready {
    camera: Feeder,
    ring: Arc<Ring>,
    display: JoinHandle<()>,
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
            Ok(camera) => Ok(Ready { camera, ring, display, subscription, pool, ledger, past_frames }),
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
