//! The live engine, driven as its clients drive it: a simulated camera, commands, and what comes of them. One named test for
//! each thing that the peer's manager and workers do (`members.rs` lists them), and for each way in which it must not fail.
//! No test asserts on time: each waits for a condition, with more patience than any machine needs.

mod basics;

use crate::harness::{plugin, rust_fixture};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tetherscope_core::control::{
    Answer, BeadsCommand, CameraCommand, Client, Command, EngineCommand, MethodChoice, NewRoi, RecordingCommand,
    Refusal, Snapshot, TrackingCommand, ZlutCommand,
};
use tetherscope_core::{Engine, EngineOptions, Optics};
use tetherscope_loader::{Registry, SearchOptions};

/// A machine that is slower than this is broken.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The plugins of the workspace that the engine's tests use, and the fixture that fails on request.
pub static PLUGINS: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(registry()));

pub fn registry() -> Registry {
    let child = Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into());
    let options = SearchOptions { usual_places: false, child, cache: None, ..SearchOptions::default() };
    let mut registry = Registry::default();
    let ours = ["sim", "tracker-magtrack", "tracker-quadrant", "zlut-correlation", "zlut-spline", "finder-ncc"];
    let all = ours.iter().map(|p| plugin(p)).chain([rust_fixture("crashing")]);
    all.for_each(|library| registry.load_file(&library, &options).unwrap_or_else(|e| panic!("{e}")));
    registry
}

/// An engine and one client of it.
pub struct Rig {
    pub client: Client,
    _engine: Engine,
}

/// A method with parameters.
pub fn choice(method: &str, pairs: &[(&str, &str)]) -> MethodChoice {
    let parameters = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    MethodChoice { method: method.into(), parameters }
}

pub fn optics() -> Optics {
    Optics::new(200.0)
}

impl Rig {
    pub fn new(options: EngineOptions) -> Self {
        let engine = Engine::start(PLUGINS.clone(), options).unwrap_or_else(|e| panic!("{e}"));
        Self { client: engine.client("test"), _engine: engine }
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
       RecordingCommand => Recording, EngineCommand => Engine);
