//! An engine that stands still, for tests of the window: one picture, one snapshot, and a list of the commands that were sent.

use super::app::{App, Message, Session};
use super::link::Link;
use super::preferences::Preferences;
use iced::Event;
use iced_test::Simulator;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tetherscope_core::Optics;
use tetherscope_core::control::{
    self, Answer, BatchLimits, BeadRole, BeadView, CameraState, CameraView, ClientId, Command, ConductView, DataMode,
    DropCount, Event as EngineEvent, EventKind, FormatView, HealthView, LatencyView, LedgerView, MethodView, MinMax,
    NewRoi, NewestRow, Picture, PicturePixels, RecordingView, Refusal, RefusalKind, Reply, RequestId, SettingView,
    Severity, Snapshot, StageLedger, SweepView, Trace, TraceColumn, TraceQuery, TrackingView, Warning,
};
use tetherscope_core::loader::{CancelToken, Registry};

/// Size of the frame.
pub(crate) const FRAME: (u32, u32) = (640, 480);
/// When it stands still.
const NOW_NS: i64 = 1_764_000_000_000_000_000;

/// The engine.
pub(crate) struct Still {
    snapshot: Mutex<Arc<Snapshot>>,
    picture: Arc<Picture>,
    sent: Mutex<Vec<Command>>,
}

impl Link for Still {
    fn send(&self, command: Command) -> RequestId {
        let mut sent = self.sent.lock().unwrap();
        sent.push(command);
        RequestId(sent.len() as u64 - 1)
    }
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.lock().unwrap().clone()
    }
    fn picture(&self) -> Option<Arc<Picture>> {
        Some(self.picture.clone())
    }
    fn trace(&self, q: &TraceQuery) -> Trace {
        let (oldest, newest) = (NOW_NS - 60_000_000_000, NOW_NS);
        let n = i64::from(q.max_columns.max(1));
        let step = ((q.to_utc_ns - q.from_utc_ns) / n).max(1);
        let value = |t: i64, phase: f64| {
            let v = 40.0 * ((t - NOW_NS) as f64 * 1e-9 + phase).sin() + f64::from(q.bead) * 15.0;
            MinMax { min: v - 4.0, max: v + 4.0 }
        };
        let column = |from: i64| TraceColumn {
            from_utc_ns: from,
            to_utc_ns: from + step - 1,
            n_rows: 10,
            x_nm: value(from, 0.0),
            y_nm: value(from, 2.0),
            z_nm: value(from, 4.0),
        };
        let starts = (0..n).map(|i| q.from_utc_ns + i * step).filter(|t| (oldest..newest).contains(t));
        let columns = if q.to_utc_ns > q.from_utc_ns { starts.map(column).collect() } else { Vec::new() };
        Trace { columns, oldest_utc_ns: Some(oldest), newest_utc_ns: Some(newest) }
    }
    fn next_message(&self, _: Duration) -> Option<control::Message> {
        std::thread::sleep(Duration::from_millis(20));
        None
    }
}

/// A setting of a form.
pub(crate) fn setting(key: &str, kind: &str, value: serde_json::Value) -> SettingView {
    SettingView {
        key: key.into(),
        kind: kind.into(),
        help: format!("what {key} does"),
        unit: String::new(),
        min: None,
        max: None,
        step: None,
        choices: Vec::new(),
        level: "basic".into(),
        change: "live".into(),
        invalidates: Vec::new(),
        default: value.clone(),
        value,
        writable: true,
    }
}

fn camera_settings() -> Vec<SettingView> {
    let mut exposure = setting("exposure_ms", "float", 8.0.into());
    (exposure.unit, exposure.min, exposure.max, exposure.step) = ("ms".into(), Some(0.1), Some(100.0), Some(0.1));
    let mut width = setting("width_px", "int", 640.into());
    (width.unit, width.min, width.max, width.change) = ("px".into(), Some(16.0), Some(4096.0), "rearm".into());
    let mut format = setting("pixel_format", "choice", "Mono12".into());
    format.choices = vec!["Mono8".into(), "Mono12".into()];
    let noise = setting("noise", "bool", true.into());
    let mut seed = setting("seed", "int", 1.into());
    seed.level = "expert".into();
    vec![exposure, width, format, noise, seed]
}

fn bead(bead: u32) -> BeadView {
    let roi = NewRoi { x_px: 40 + 150 * (bead as i32 % 4), y_px: 40 + 140 * (bead as i32 / 4) };
    let lost = bead == 5;
    let nan = f64::NAN;
    let number = |v: f64| if lost { nan } else { v };
    BeadView {
        bead,
        roi,
        role: if bead == 0 { BeadRole::Reference } else { BeadRole::Bead },
        newest: (bead != 11).then(|| NewestRow {
            frame: 1000,
            x_nm: number(f64::from(roi.x_px) * 100.0 + 2500.0),
            y_nm: number(f64::from(roi.y_px) * 100.0 + 2500.0),
            z_nm: number(f64::from(bead) * 120.0 - 400.0),
            sigma_x_nm: number(1.2),
            sigma_y_nm: number(1.3),
            sigma_z_nm: number(2.5),
            quality: number(0.97 - f64::from(bead) * 0.03),
            flags: if lost { 4 } else { u32::from(bead == 7) * 2 },
        }),
        lost_for_frames: if lost { 120 } else { 0 },
    }
}

/// Twelve beads on a running camera.
pub(crate) fn scene() -> Snapshot {
    let event = |number: u64, severity, kind| EngineEvent {
        number,
        time_utc_ns: NOW_NS - 1_000_000_000 * (20 - number as i64),
        frame: Some(900 + number),
        severity,
        kind,
    };
    let events = vec![
        event(0, Severity::Info, EventKind::CameraStarted { camera: "camera.sim 0.1.0".into() }),
        event(
            1,
            Severity::Warning,
            EventKind::FramesDropped { stage: "camera".into(), reason: "camera_gap".into(), count: 3 },
        ),
        event(2, Severity::Info, EventKind::Note { text: "buffer exchanged".into() }),
    ];
    let stage = |stage: &str, dropped: &[(&str, u64)]| StageLedger {
        stage: stage.into(),
        seen: 1003,
        delivered: 1000 - dropped.iter().map(|d| d.1).sum::<u64>(),
        dropped: dropped.iter().map(|(r, c)| DropCount { reason: (*r).into(), count: *c }).collect(),
        in_flight: 3,
    };
    let mut iterations = setting("iterations", "int", 5.into());
    (iterations.min, iterations.max) = (Some(1.0), Some(50.0));
    Snapshot {
        revision: 7,
        time_utc_ns: NOW_NS,
        optics: Optics::new(100.0),
        camera: CameraView {
            state: CameraState::Running,
            method: "camera.sim".into(),
            device: String::new(),
            isolated: false,
            conduct: ConductView::default(),
            format: Some(FormatView {
                bytes_per_px: 2,
                width_px: FRAME.0,
                height_px: FRAME.1,
                significant_bits: 12,
                n_frames: None,
                ring_slots: 64,
                ring_bytes: 40 << 20,
            }),
            settings: camera_settings(),
        },
        roi_size_px: 50,
        beads: (0..12).map(bead).collect(),
        next_bead: 12,
        tracking: TrackingView {
            tracker: MethodView {
                method: "tracker.quadrant".into(),
                version: "0.1.0".into(),
                hash: "0123456789abcdef".into(),
                isolated: false,
                parameters: vec![iterations],
            },
            mode: DataMode::Track,
            processing: true,
            batch: BatchLimits { max_frames: 16, max_ms: 5.0 },
            n_bins: Some(96),
            workers_busy: 1,
            workers: 2,
        },
        zlut: None,
        stages: Vec::new(),
        armed_for_s: None,
        held_by: None,
        sweep: SweepView::default(),
        recording: RecordingView { disk_free_bytes: Some(120_000_000_000), ..RecordingView::default() },
        ledger: LedgerView {
            stages: vec![stage("camera", &[("camera_gap", 3)]), stage("tracking", &[])],
            unexplained: 0,
        },
        health: HealthView {
            newest_frame: Some(1002),
            frame_rate_hz: 100.0,
            tracked_rate_hz: 100.0,
            rois_per_s: 1200.0,
            ring_in_use: 3,
            ring_slots: 64,
            latencies: vec![LatencyView { to: "row".into(), p50_ms: 3.1, p99_ms: 7.9, max_ms: 12.0 }],
            cpu_cores: 0.41,
            memory_bytes: 120_000_000,
            ..HealthView::default()
        },
        warnings: vec![Warning { id: 1, count: 2, event: events[1].clone() }],
        events,
    }
}

/// Rings where the beads are.
fn picture(snapshot: &Snapshot) -> Picture {
    let mut pixels = Vec::with_capacity((FRAME.0 * FRAME.1) as usize);
    for y in 0..FRAME.1 {
        for x in 0..FRAME.0 {
            let mut v = 1600.0 + f64::from((x * 7 + y * 13) % 50);
            for b in &snapshot.beads {
                let (dx, dy) =
                    (f64::from(x) - f64::from(b.roi.x_px) - 25.0, f64::from(y) - f64::from(b.roi.y_px) - 25.0);
                let r = dx.hypot(dy);
                v += 900.0 * (r * 0.9).cos() * (-r * r / 120.0).exp();
            }
            pixels.push(v.clamp(0.0, 4095.0) as u16);
        }
    }
    Picture {
        frame: 1002,
        width_px: FRAME.0,
        height_px: FRAME.1,
        significant_bits: 12,
        pixels: PicturePixels::U16(pixels),
    }
}

/// Where its recordings would go.
pub(crate) fn folder() -> PathBuf {
    std::env::temp_dir().join("tetherscope-window-tests")
}

/// A window over an engine that stands still.
pub(crate) struct Bench {
    /// The window.
    pub(crate) app: App,
    still: Arc<Still>,
    seen: usize,
}

impl Bench {
    /// The window over [`scene`].
    pub(crate) fn new() -> Self {
        Self::with(scene())
    }

    /// The window over a snapshot.
    fn with(snapshot: Snapshot) -> Self {
        let picture = Arc::new(picture(&snapshot));
        Self::over(Arc::new(Still { snapshot: Mutex::new(Arc::new(snapshot)), picture, sent: Mutex::default() }))
    }

    /// Another window over the same engine.
    pub(crate) fn beside(&self) -> Self {
        Self::over(self.still.clone())
    }

    /// The window that opens a rig, as `--config` does.
    pub(crate) fn of_rig(text: &str) -> Self {
        let file = crate::rig_file::RigFile::of_text(text, std::path::Path::new("")).unwrap();
        let snapshot = scene();
        let picture = Arc::new(picture(&snapshot));
        let still = Arc::new(Still { snapshot: Mutex::new(Arc::new(snapshot)), picture, sent: Mutex::default() });
        let steps = file.rig.setup().unwrap().into_iter().chain(file.rig.find_step());
        let first = steps.map(|s| s.command).collect();
        Self::opened(still, |session| Session { first, rig: Some((PathBuf::new(), file.rig)), ..session })
    }

    fn over(still: Arc<Still>) -> Self {
        Self::opened(still, |session| session)
    }

    fn opened(still: Arc<Still>, change: impl FnOnce(Session) -> Session) -> Self {
        let preferences = Preferences { folder: folder(), ..Preferences::default() };
        let session = Session {
            link: still.clone(),
            registry: Arc::new(Registry::default()),
            preferences,
            place: None,
            renderer: "the CPU".into(),
            open_last: false,
            first: Vec::new(),
            rig: None,
            told: Vec::new(),
            texts: None,
            watch_disk: false,
            asked_to_end: CancelToken::new(),
            shown: Arc::default(),
        };
        Self { app: App::new(change(session)).0, still, seen: 0 }
    }

    /// The engine is in another state.
    pub(crate) fn set(&mut self, change: impl FnOnce(&mut Snapshot)) {
        let mut next = (*self.still.snapshot()).clone();
        change(&mut next);
        next.revision += 1;
        *self.still.snapshot.lock().unwrap() = Arc::new(next);
        self.tell(Message::Look);
    }

    /// Something happens.
    pub(crate) fn tell(&mut self, message: Message) {
        drop(self.app.update(message));
    }

    fn simulator(&self) -> Simulator<'_, Message> {
        let settings = iced::Settings { default_font: iced::Font::with_name("Fira Sans"), ..iced::Settings::default() };
        Simulator::with_size(settings, iced::Size::new(1480.0, 940.0), self.app.view())
    }

    /// Clicks what carries this text.
    pub(crate) fn click(&mut self, text: &str) {
        let mut ui = self.simulator();
        ui.click(text).unwrap_or_else(|e| panic!("cannot click `{text}`: {e}"));
        let messages: Vec<Message> = ui.into_messages().collect();
        messages.into_iter().for_each(|m| self.tell(m));
    }

    /// Clicks the field with this id and types.
    pub(crate) fn type_into(&mut self, id: &str, text: &str) {
        let mut ui = self.simulator();
        ui.click(iced_test::selector::id(id.to_owned()))
            .unwrap_or_else(|e| panic!("cannot click the field `{id}`: {e}"));
        ui.typewrite(text);
        let messages: Vec<Message> = ui.into_messages().collect();
        messages.into_iter().for_each(|m| self.tell(m));
    }

    /// Whether this text is seen.
    pub(crate) fn sees(&self, text: &str) -> bool {
        self.simulator().find(text).is_ok()
    }

    /// Where this text is.
    pub(crate) fn bounds(&self, text: &str) -> iced::Rectangle {
        let found = self.simulator().find(text).unwrap_or_else(|e| panic!("no `{text}`: {e}"));
        iced_test::selector::Bounded::bounds(&found)
    }

    /// The engine's state.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        Link::snapshot(&*self.still)
    }

    /// Events of mouse and keys, all to one view.
    pub(crate) fn events(&mut self, events: impl IntoIterator<Item = Event>) {
        let mut ui = self.simulator();
        ui.simulate(events);
        let messages: Vec<Message> = ui.into_messages().collect();
        messages.into_iter().for_each(|m| self.tell(m));
    }

    /// The place in the window of a pixel of the frame, while all of the frame is shown.
    pub(crate) fn place(&self, x_px: f32, y_px: f32) -> iced::Point {
        let mut ui = self.simulator();
        let video = ui.find(iced_test::selector::id("video")).unwrap();
        let bounds = iced_test::selector::Bounded::bounds(&video);
        let widget = (bounds.width, bounds.height);
        let fit = super::widget::video::transform::Transform::fit((FRAME.0 as f32, FRAME.1 as f32), widget);
        let (x, y) = fit.to_widget((x_px, y_px), widget);
        iced::Point::new(bounds.x + x, bounds.y + y)
    }

    /// The commands that were sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<Command> {
        let all = self.still.sent.lock().unwrap();
        let new = all[self.seen..].to_vec();
        self.seen = all.len();
        new
    }

    /// Answers the command that was sent last.
    pub(crate) fn answer(&mut self, result: Result<Answer, Refusal>) {
        let last = self.still.sent.lock().unwrap().len() as u64 - 1;
        self.answer_to(last, result);
    }

    /// Answers a command by its place among all.
    pub(crate) fn answer_to(&mut self, request: u64, result: Result<Answer, Refusal>) {
        let reply = Reply { client: ClientId(0), request: RequestId(request), result };
        self.tell(Message::Heard(Arc::new(vec![control::Message::Reply(reply)])));
    }
}

/// A refusal of three lines.
pub(crate) fn no() -> Refusal {
    Refusal::new(RefusalKind::NotNow, "cannot do it", "the cause", "the mend")
}
