//! The live engine, driven as its clients drive it: a simulated camera, commands, and what comes of them. One named test for
//! each thing that the peer's manager and workers do (`members.rs` lists them), and for each way in which it must not fail.
//! No test asserts on time: each waits for a condition, with more patience than any machine needs.

mod basics;
mod clients;
mod faults;
mod forms;
mod life;
mod members;
mod modes;
mod questions;
mod recordings;
mod replays;
mod rows;
mod sweeps;
mod tables;

use crate::harness::{plugin, rust_fixture};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tetherscope_core::control::{
    Answer, BeadsCommand, CameraCommand, CameraState, Client, Command, EngineCommand, EventKind, MethodChoice, NewRoi,
    RecordingCommand, RecordingRequest, Refusal, RefusalKind, Snapshot, StageCommand, SweepCommand, TrackingCommand,
    ZlutCommand,
};
use tetherscope_core::{Engine, EngineOptions, Optics};
use tetherscope_files::{Recording, Row};
use tetherscope_loader::{IsolationOptions, Registry, SearchOptions};

/// A machine that is slower than this is broken.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The plugins of the workspace that the engine's tests use, and the fixture that fails on request.
pub static PLUGINS: LazyLock<Arc<Registry>> = LazyLock::new(|| registry_with(IsolationOptions::default()));

pub fn registry_with(isolation: IsolationOptions) -> Arc<Registry> {
    let ours = ["sim", "tracker-magtrack", "tracker-quadrant", "zlut-correlation", "zlut-spline", "finder-ncc"];
    registry_of(ours.iter().map(|p| plugin(p)).chain([rust_fixture("crashing")]), isolation)
}

pub fn registry_of(libraries: impl IntoIterator<Item = PathBuf>, isolation: IsolationOptions) -> Arc<Registry> {
    let child = Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into());
    let options = SearchOptions { usual_places: false, child, cache: None, isolation, ..SearchOptions::default() };
    let mut registry = Registry::default();
    for library in libraries {
        registry.load_file(&library, &options).unwrap_or_else(|e| panic!("{e}"));
    }
    Arc::new(registry)
}

/// An engine and one client of it.
pub struct Rig {
    pub client: Client,
    pub engine: Engine,
}

/// A method with parameters.
pub fn choice(method: &str, pairs: &[(&str, &str)]) -> MethodChoice {
    let parameters = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    MethodChoice { method: method.into(), parameters }
}

pub fn optics() -> Optics {
    Optics::new(200.0)
}

/// Options under which no frame is dropped.
pub fn lossless() -> EngineOptions {
    EngineOptions { lossless: true, ..EngineOptions::new(optics()) }
}

/// The rows of a track set, in the order of the file.
pub fn rows_of(folder: &Path, set: &str) -> Vec<Row> {
    let recording = Recording::open(folder).unwrap_or_else(|e| panic!("{e}"));
    let mut reader = recording.tracks(set).unwrap_or_else(|e| panic!("{e}"));
    let mut rows = Vec::new();
    while reader.read_batch(&mut rows).unwrap() > 0 {}
    rows
}

/// Rows without their times, which differ from run to run.
pub fn timeless(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|r| Row { time_ns: None, ..*r }).collect()
}

/// Panics at the first row that is not the same to the bit.
pub fn assert_same_bits(a: &[Row], b: &[Row]) {
    assert_eq!(a.len(), b.len(), "rows");
    for (x, y) in a.iter().zip(b) {
        assert!(x.same_bits(y), "{x:?}\n{y:?}");
    }
}

impl Rig {
    pub fn new(options: EngineOptions) -> Self {
        Self::of(PLUGINS.clone(), options)
    }

    pub fn of(registry: Arc<Registry>, options: EngineOptions) -> Self {
        // Small rings: many engines run beside each other here.
        let (ring_bytes, past_bytes) = (options.ring_bytes.min(16 << 20), options.past_bytes.min(8 << 20));
        let options = EngineOptions { ring_bytes, past_bytes, ..options };
        let engine = Engine::start(registry, options).unwrap_or_else(|e| panic!("{e}"));
        Self { client: engine.client("test"), engine }
    }

    /// Frames tracked as fast as that goes, none of them dropped: every run is the same.
    pub fn lossless() -> Self {
        Self::new(lossless())
    }

    pub fn live() -> Self {
        Self::new(EngineOptions::new(optics()))
    }

    pub fn try_ask(&self, command: impl Into<Ask>) -> Result<Answer, Refusal> {
        self.client.ask(command.into().0, PATIENCE)
    }

    pub fn ask(&self, command: impl Into<Ask>) -> Answer {
        self.try_ask(command).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Opens the simulated camera with small frames and these settings.
    pub fn open(&self, pairs: &[(&str, &str)]) {
        let usual =
            [("width_px", "200"), ("height_px", "150"), ("n_fixed", "2"), ("n_tethered", "1"), ("margin_px", "30")];
        let mut all: Vec<(&str, &str)> = usual.into_iter().filter(|(k, _)| pairs.iter().all(|p| p.0 != *k)).collect();
        all.extend(pairs);
        self.ask(CameraCommand::Open { camera: choice("camera.sim", &all), device: String::new() });
    }

    pub fn track_with(&self, method: &str, pairs: &[(&str, &str)]) {
        self.ask(TrackingCommand::SetTracker { tracker: choice(method, pairs) });
    }

    pub fn add(&self, places: &[(i32, i32)]) -> Vec<u32> {
        let rois = places.iter().map(|&(x_px, y_px)| NewRoi { x_px, y_px }).collect();
        match self.ask(BeadsCommand::Add { rois }) {
            Answer::Beads(ids) => ids,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a snapshot shows it.
    pub fn wait_for(&self, what: &str, mut look: impl FnMut(&Snapshot) -> bool) -> Arc<Snapshot> {
        let until = Instant::now() + PATIENCE;
        loop {
            let snapshot = self.client.snapshot();
            if look(&snapshot) {
                return snapshot;
            }
            assert!(Instant::now() < until, "waited in vain for {what}: {snapshot:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Rig {
    pub fn record(&self, folder: &Path, name: &str) -> PathBuf {
        let request = RecordingRequest { folder: folder.into(), name: name.into(), ..RecordingRequest::default() };
        self.ask(RecordingCommand::Start(request));
        folder.join(name)
    }

    /// Starts the camera and waits until it has given all its frames.
    pub fn run_out(&self) -> Arc<Snapshot> {
        self.ask(CameraCommand::Start);
        self.wait_for("the end of the data", |s| s.camera.state == CameraState::Open)
    }

    /// Waits until frames from now on were taken.
    pub fn wait_for_frames(&self, n: u64) -> Arc<Snapshot> {
        let newest = |s: &Snapshot| s.health.newest_frame.map_or(0, |f| f + 1);
        let from = newest(&self.client.snapshot());
        self.wait_for("frames", |s| newest(s) >= from + n)
    }

    /// The first frame that a command holds for.
    pub fn frame_of(&self, command: impl Into<Ask>) -> u64 {
        match self.ask(command) {
            Answer::Done { from_frame: Some(frame) } => frame,
            other => panic!("{other:?}"),
        }
    }

    /// The first frame that a command holds for, as the event tells it.
    pub fn frame_of_event(&self, command: BeadsCommand) -> u64 {
        let given = Command::Beads(command.clone());
        self.ask(command);
        let snapshot = self.client.snapshot();
        let is_it = |k: &EventKind| matches!(k, EventKind::Changed { command, .. } if *command == given);
        let event = snapshot.events.iter().rev().find(|e| is_it(&e.kind));
        event.and_then(|e| e.frame).expect("a change while frames come has a frame")
    }

    /// Records a lossless run of so many frames with two beads, and gives its folder.
    pub fn record_run(&self, folder: &Path, n_frames: u64) -> PathBuf {
        self.open(&[("n_frames", &n_frames.to_string())]);
        self.track_with("tracker.quadrant", &[]);
        self.add(&[(10, 10), (80, 40)]);
        let made = self.record(folder, "run");
        self.run_out();
        self.ask(RecordingCommand::Stop);
        made
    }
}

/// Commands of every area, to be asked alike.
pub struct Ask(pub Command);

macro_rules! areas {
    ($($kind:ty => $area:ident),* $(,)?) => {
        $(impl From<$kind> for Ask {
            fn from(command: $kind) -> Self {
                Ask(Command::$area(command))
            }
        })*
    };
}

areas!(CameraCommand => Camera, BeadsCommand => Beads, TrackingCommand => Tracking, ZlutCommand => Zlut,
       RecordingCommand => Recording, EngineCommand => Engine, StageCommand => Stages, SweepCommand => Sweep);
