//! The window that is measured, and the thread in it that measures: what was drawn is counted where it is drawn. It closes
//! the window when it has what it wants.

use super::super::cpu::Meter;
use super::super::live::Bed;
use crate::cli::acquire::drops;
use crate::cli::output::{Ending, Output};
use crate::cli::{CommandResult, Context};
use crate::gui::{self, Preferences, Renderer, Session, Shown};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::control::{CameraCommand, Client, Command};
use tetherscope_core::loader::CancelToken;
use tetherscope_core::{Engine, RunError};

/// A window that shows no picture by then never will.
const PATIENCE: Duration = Duration::from_secs(120);
/// Fonts are read and buffers are made by then.
const WARM_UP: Duration = Duration::from_secs(3);
/// How often the memory is looked at.
const MEMORY_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Rows that are kept for plots: as many are there before memory is looked at for long, so that what grows is something else.
const HISTORY_ROWS: usize = 100_000;

/// The child of `bench window`.
#[derive(clap::Args)]
pub(crate) struct Child {
    #[arg(long, value_enum)]
    renderer: Renderer,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    rate: u32,
    #[arg(long)]
    pictures: u32,
}

/// What it tells.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) drawn_by: String,
    pub(super) first_picture_utc_ns: i64,
    pub(super) pictures_per_s: f64,
    pub(super) frames_per_s: f64,
    pub(super) dropped: u64,
    pub(super) unexplained: i64,
    /// None where the system does not tell.
    pub(super) cores: Option<f64>,
    pub(super) window_cores: Option<f64>,
    pub(super) driver_cores: Option<f64>,
    pub(super) memory_bytes: Vec<u64>,
}

impl Child {
    /// Opens the window in the folder of the material, and closes it.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        gui::settle(self.renderer).map_err(|e| cannot(&e.to_string()))?;
        if !self.renderer.is_settled() {
            let cause =
                "ICED_BACKEND is set in the environment, so another renderer would be measured than the one named";
            return Err(RunError::refused("cannot measure the window", cause, "unset it and try again"));
        }
        let registry = Arc::new(context.registry()?);
        let folder = std::env::current_dir().map_err(|e| cannot(&e.to_string()))?;
        let bed = Bed {
            context,
            registry: registry.clone(),
            folder: folder.clone(),
            shared: Vec::new(),
            seconds: self.seconds,
        };
        let file = super::experiment(&bed, self.rate)?;
        let mut options = file.rig.engine_options();
        options.history_rows = HISTORY_ROWS;
        let engine = Engine::start(registry.clone(), options)?;
        let preferences = Preferences { pictures_per_s: self.pictures, folder, ..Preferences::default() };
        let mut session = Session::new(Arc::new(engine.client("window")), registry, preferences);
        // The user's own looks stay as they are.
        session.place = None;
        session.first = file.rig.setup().map_err(|p| file.error(p))?.into_iter().map(|s| s.command).collect();
        session.first.push(Command::Camera(CameraCommand::Start));
        session.rig = Some((PathBuf::new(), file.rig));
        let (shown, end, client) = (session.shown.clone(), session.asked_to_end.clone(), engine.client("bench"));
        let (cancel, seconds) = (context.cancel.clone(), self.seconds);
        let measuring = std::thread::Builder::new().name("bench".into()).spawn(move || {
            let measured = measure(&client, &shown, seconds, &cancel);
            end.cancel();
            measured
        });
        let measuring = measuring.map_err(|e| cannot(&e.to_string()))?;
        gui::run(session).map_err(|e| cannot(&e.to_string()))?;
        drop(engine);
        let mut measured = measuring.join().map_err(|_| cannot("the thread that measures panicked"))??;
        measured.drawn_by = self.renderer.drawn_by();
        let json = serde_json::to_value(&measured).map_err(|e| cannot(&e.to_string()))?;
        Ok((Output { text: format!("{json:#}\n"), json }, Ending::Fine))
    }
}

fn cannot(cause: &str) -> RunError {
    RunError::refused("cannot measure the window", cause, "give another --renderer, or another display")
}

/// Waits for the first picture, then counts for a while; nothing but the first picture without time.
fn measure(client: &Client, shown: &Shown, seconds: f64, cancel: &CancelToken) -> Result<Measured, RunError> {
    let wait = |until: Instant, done: &dyn Fn() -> bool| {
        while !done() && Instant::now() < until {
            if cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    };
    wait(Instant::now() + PATIENCE, &|| shown.first_utc_ns().is_some())?;
    let first_picture_utc_ns =
        shown.first_utc_ns().ok_or_else(|| cannot(&format!("no picture within {} s", PATIENCE.as_secs())))?;
    let mut measured = Measured { first_picture_utc_ns, ..Measured::default() };
    if seconds <= 0.0 {
        return Ok(measured);
    }
    let never = || false;
    wait(Instant::now() + WARM_UP, &never)?;
    let frames = || client.snapshot().health.newest_frame.map_or(0, |f| f + 1);
    let (meter, begun, pictures_before, frames_before) = (Meter::start(), Instant::now(), shown.count(), frames());
    let until = begun + Duration::from_secs_f64(seconds);
    loop {
        measured.memory_bytes.push(client.snapshot().health.memory_bytes);
        let next = until.min(Instant::now() + MEMORY_EVERY);
        wait(next, &never)?;
        if next == until {
            break;
        }
    }
    let (lasted, ledger) = (begun.elapsed().as_secs_f64(), client.snapshot().ledger.clone());
    measured.memory_bytes.push(client.snapshot().health.memory_bytes);
    measured.pictures_per_s = (shown.count() - pictures_before) as f64 / lasted;
    measured.frames_per_s = (frames() - frames_before) as f64 / lasted;
    (measured.dropped, measured.unexplained) = (drops(&ledger), ledger.unexplained);
    let known = |cores: f64| Some(cores).filter(|c| c.is_finite());
    measured.cores = known(meter.cores());
    // The window runs on the main thread, whose number is the process's.
    let main = std::process::id().to_string();
    measured.window_cores = known(meter.cores_of(|thread, _| thread == main));
    measured.driver_cores = known(meter.cores_of(|_, name| name.starts_with("llvmpipe")));
    Ok(measured)
}
