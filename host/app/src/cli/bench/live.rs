//! `tetherscope bench live`: the rows of the design's table about the live path. Cameras are videos of simulated beads that
//! are replayed from the page cache, so that the camera costs next to nothing; the last of each pair of runs is the peer.

use super::children;
use super::cpu::Meter;
use super::rows::Figure;
use super::{kills, ring, start};
use crate::cli::acquire::drops;
use crate::cli::live::Session;
use crate::cli::output::{Ending, Output, number};
use crate::cli::{CommandResult, Context};
use crate::rig_file::RigFile;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::RunError;
use tetherscope_core::control::{CameraCommand, Command, RecordingCommand, RecordingState, Snapshot};
use tetherscope_core::loader::Registry;

/// Simulated beads at a focus where rings are clear.
const FOCUS_NM: &str = "-3000";

/// Measure the live path
#[derive(clap::Args)]
pub(crate) struct Live {
    /// How long each run lasts
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// How often a recording is killed
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// After so long no further recording is killed
    #[arg(long, value_name = "SECONDS", default_value_t = 900.0)]
    kill_seconds: f64,
    /// How often the program is started until its first row
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// Only these rows: live, fast, ring, recording, start, idle, kill; may be given several times
    #[arg(long, value_name = "ROW", value_parser = ["live", "fast", "ring", "recording", "start", "idle", "kill"])]
    only: Vec<String>,
    /// Folder for videos and recordings; without it a temporary one, removed at the end
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// How much longer a run lasts at most until delays are known.
const PATIENCE_S: f64 = 10.0;

/// What all rows share.
pub(super) struct Bed<'a> {
    pub(super) context: &'a Context,
    pub(super) registry: Arc<Registry>,
    pub(super) folder: PathBuf,
    /// Options that children get too.
    pub(super) shared: Vec<String>,
    pub(super) seconds: f64,
}

impl Bed<'_> {
    /// The folder does not do.
    pub(super) fn unusable(&self, e: &std::io::Error) -> RunError {
        unusable(&self.folder, e)
    }

    /// Tells whoever waits how far it is.
    pub(super) fn say(&self, line: &str) {
        if !self.context.shared.json {
            eprintln!("{line}");
        }
    }
}

impl Live {
    /// Measures.
    pub(super) fn run(self, context: &Context) -> CommandResult {
        enough("--kill-seconds", self.kill_seconds)?;
        in_a_folder(context, self.folder.as_deref(), self.seconds, |bed| self.rows(bed))
    }

    fn rows(&self, bed: &Bed<'_>) -> Result<Vec<Figure>, RunError> {
        let wanted = |row: &str| self.only.is_empty() || self.only.iter().any(|o| o == row);
        let mut figures = Vec::new();
        type Row<'r> = (&'static str, &'r dyn Fn(&Bed<'_>) -> Result<Figure, RunError>);
        let kill = |bed: &Bed<'_>| kills::measure(bed, self.kills, Duration::from_secs_f64(self.kill_seconds));
        let rows: [Row<'_>; 7] = [
            ("live", &|bed| tracking(bed, &LIVE)),
            ("fast", &|bed| tracking(bed, &FAST)),
            ("ring", &ring::measure),
            ("recording", &recording),
            ("start", &|bed| start::measure(bed, self.starts as usize)),
            ("idle", &start::idle),
            ("kill", &kill),
        ];
        for (name, measure) in rows.iter().filter(|(name, _)| wanted(name)) {
            if bed.context.cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            bed.say(&format!("measuring: {name}"));
            figures.push(measure(bed)?);
        }
        Ok(figures)
    }
}

/// A time in which something can be measured.
fn enough(name: &str, value: f64) -> Result<(), RunError> {
    if value.is_finite() && value >= 0.1 {
        return Ok(());
    }
    let mend = "give at least a tenth of a second; figures that mean something want ten";
    Err(RunError::refused("cannot measure", format!("{name} is {value}"), mend))
}

/// Measures in this folder, or in a temporary one, and reports.
pub(super) fn in_a_folder(
    context: &Context,
    folder: Option<&Path>,
    seconds: f64,
    measure: impl FnOnce(&Bed<'_>) -> Result<Vec<Figure>, RunError>,
) -> CommandResult {
    enough("--seconds", seconds)?;
    let temporary = || std::env::temp_dir().join(format!("tetherscope-bench-{}", std::process::id()));
    let own = folder.is_none();
    let folder = folder.map_or_else(temporary, Path::to_owned);
    std::fs::create_dir_all(&folder).map_err(|e| unusable(&folder, &e))?;
    let folder = folder.canonicalize().map_err(|e| unusable(&folder, &e))?;
    let dirs = context.shared.plugin_dir.iter().map(|d| d.canonicalize().unwrap_or_else(|_| d.clone()));
    let shared = dirs.flat_map(|d| ["--plugin-dir".to_owned(), d.display().to_string()]).collect();
    let registry = Arc::new(context.registry()?);
    let bed = Bed { context, registry, folder: folder.clone(), shared, seconds };
    let outcome = measure(&bed);
    if own {
        // What is left in a temporary folder is the system's to remove.
        let _ = std::fs::remove_dir_all(&folder);
    }
    Ok(report(&outcome?))
}

fn unusable(folder: &Path, e: &std::io::Error) -> RunError {
    RunError::refused(format!("cannot use {}", folder.display()), e.to_string(), "give another --folder")
}

fn report(figures: &[Figure]) -> (Output, Ending) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").ok();
    let load = load.and_then(|l| l.split_whitespace().next().and_then(|v| v.parse::<f64>().ok())).unwrap_or(f64::NAN);
    let mut text = String::new();
    figures.iter().for_each(|f| text += &f.text());
    text +=
        &format!("{cores} cores, load average at the end {load:.1}: other work on the machine makes delays longer\n");
    let json = json!({
        "rows": figures.iter().map(Figure::json).collect::<Vec<_>>(),
        "cores": cores,
        "load_average": number(load),
    });
    (Output { text, json }, Ending::Fine)
}

/// How fast a video is replayed.
#[derive(Clone, Copy)]
pub(super) enum Speed {
    /// Frames per second.
    Hz(u32),
    /// As fast as frames are taken.
    Full,
}

/// A load of beads.
pub(super) struct Load {
    name: &'static str,
    size: &'static str,
    beads: u32,
    rate_hz: u32,
    batch: &'static str,
}

pub(super) const LIVE: Load =
    Load { name: "live", size: "1280x1024", beads: 100, rate_hz: 100, batch: "{ max_frames = 16, max_ms = 5.0 }" };
const FAST: Load =
    Load { name: "fast", size: "640x256", beads: 10, rate_hz: 1000, batch: "{ max_frames = 1, max_ms = 1.0 }" };

/// A video, the ROIs in it, and a Z-LUT, made once.
pub(super) fn material(bed: &Bed<'_>, load: &Load) -> Result<(), RunError> {
    let n = load.beads.to_string();
    let video = format!("{}.tif", load.name);
    if bed.folder.join(&video).exists() {
        return Ok(());
    }
    let (rois, truth) = (format!("{}.csv", load.name), format!("{}-truth.csv", load.name));
    let still = ["--nm-per-px", "100", "--tethered", "0", "--json"];
    let args = ["simulate", "--size", load.size, "--fixed", &n, "--frames", "40", "--focus-start-nm", FOCUS_NM];
    let files = ["--out", &video, "--truth", &truth, "--rois", &rois, "--param", "min_separation_px=64"];
    children::run(&bed.folder, &[&args[..], &still, &files].concat(), &bed.shared)?;
    if bed.folder.join("bench.zlut").exists() {
        return Ok(());
    }
    let args = ["simulate", "--size", "256x128", "--fixed", "2", "--frames", "244", "--frames-per-step", "4"];
    let sweep = ["--focus-start-nm", "-4500", "--focus-step-nm", "50", "--focus", "sweep.csv"];
    let files = ["--out", "sweep.tif", "--truth", "sweep-truth.csv", "--rois", "sweep-rois.csv"];
    children::run(&bed.folder, &[&args[..], &still, &sweep, &files].concat(), &bed.shared)?;
    let build = ["zlut", "build", "sweep.tif", "--focus", "sweep.csv", "--tracker", "tracker.quadrant"];
    let with = ["--strategy", "zlut.spline", "--nm-per-px", "100", "--rois", "sweep-rois.csv", "--one-table"];
    children::run(&bed.folder, &[&build[..], &with, &["--out", "bench.zlut", "--json"]].concat(), &bed.shared)?;
    Ok(())
}

/// A rig of a replayed video; `more` are further parts of it.
pub(super) fn rig(bed: &Bed<'_>, video: &str, speed: Speed, batch: &str, more: &str) -> Result<RigFile, RunError> {
    let speed = match speed {
        Speed::Hz(rate) => format!("speed = \"fixed\"\nframe_rate_hz = {rate}.0"),
        Speed::Full => "speed = \"full\"".to_owned(),
    };
    let text = format!(
        "version = 1\n[camera]\nmethod = \"camera.replay\"\n[camera.parameters]\npath = \"{video}\"\n{speed}\n\
         loop = true\n[optics]\nnm_per_px = 100.0\n[tracker]\nmethod = \"tracker.quadrant\"\n\
         [tracking]\nbatch = {batch}\n{more}"
    );
    RigFile::of_text(&text, &bed.folder)
}

/// What a run gave.
pub(super) struct Run {
    /// In the middle of it.
    running: Arc<Snapshot>,
    pub(super) last: Arc<Snapshot>,
    pub(super) cores: f64,
    pub(super) frames_per_s: f64,
}

/// Runs a rig for a while.
pub(super) fn run(bed: &Bed<'_>, file: RigFile, seconds: f64, open_only: bool) -> Result<Run, RunError> {
    let options = file.rig.engine_options();
    let session = Session::start(bed.context, bed.registry.clone(), file, options)?;
    session.set_up()?;
    if open_only {
        let meter = Meter::start();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let (cores, last) = (meter.cores(), session.snapshot());
        return Ok(Run { running: last.clone(), last, cores, frames_per_s: 0.0 });
    }
    if let Some(step) = session.file.rig.recording_step(None, "", "") {
        // As `acquire` does.
        std::fs::create_dir_all(&session.file.rig.recording.folder).map_err(|e| bed.unusable(&e))?;
        session.step(step)?;
    }
    session.start_camera()?;
    // Threads are warm, buffers are made.
    std::thread::sleep(Duration::from_millis(500));
    let frames = |s: &Snapshot| s.health.newest_frame.map_or(0, |f| f + 1);
    let (meter, first, begun) = (Meter::start(), frames(&session.snapshot()), Instant::now());
    // Delays are told once a second, so a very short run may have none yet.
    let last_step = if session.snapshot().recording.state == RecordingState::On { "written" } else { "batch" };
    let are_known = || session.snapshot().health.latencies.iter().any(|l| l.to == last_step);
    let is_over = |s: f64| s >= seconds && (are_known() || s >= seconds + PATIENCE_S);
    while !is_over(begun.elapsed().as_secs_f64()) {
        if session.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let (running, cores) = (session.snapshot(), meter.cores());
    let frames_per_s = (frames(&running) - first) as f64 / begun.elapsed().as_secs_f64();
    session.finish(Command::Camera(CameraCommand::Stop))?;
    if session.snapshot().recording.state == RecordingState::On {
        session.finish(Command::Recording(RecordingCommand::Stop))?;
    }
    let last = session.snapshot();
    Ok(Run { running, last, cores, frames_per_s })
}

/// Delay from arrival to a step of the path: median, 99th percentile.
fn delay(run: &Run, to: &str) -> (f64, f64) {
    let found = run.running.health.latencies.iter().find(|l| l.to == to);
    found.map_or((f64::NAN, f64::NAN), |l| (l.p50_ms, l.p99_ms))
}

/// Live tracking with z, rows recorded, beside a consumer that does nothing.
fn tracking(bed: &Bed<'_>, load: &Load) -> Result<Figure, RunError> {
    material(bed, load)?;
    let video = format!("{}.tif", load.name);
    let off = "[recording]\non = false\n";
    let empty = || rig(bed, &video, Speed::Hz(load.rate_hz), "{ max_frames = 1, max_ms = 1.0 }", off);
    let name = load.name;
    let beads = format!(
        "[beads]\nfile = \"{name}.csv\"\n[zlut]\nfile = \"bench.zlut\"\n[recording]\nfolder = \"{name}\"\nname = \"run {{n}}\"\n"
    );
    let before = run(bed, empty()?, bed.seconds / 2.0, false)?;
    let loaded = run(bed, rig(bed, &video, Speed::Hz(load.rate_hz), load.batch, &beads)?, bed.seconds, false)?;
    let after = run(bed, empty()?, bed.seconds / 2.0, false)?;
    let mean = |a: f64, b: f64| (a + b) / 2.0;
    let (empty50, empty99) = {
        let (a, b) = (delay(&before, "batch"), delay(&after, "batch"));
        (mean(a.0, b.0), mean(a.1, b.1))
    };
    let (row50, row99) = delay(&loaded, "row");
    let (written50, written99) = delay(&loaded, "written");
    let what = format!("{}: {} beads of 64 px at {} frames/s, with z, recorded", load.name, load.beads, load.rate_hz);
    let empty_cores = mean(before.cores, after.cores);
    Ok(Figure::of(what)
        .with("frames dropped", drops(&loaded.last.ledger) as f64, "")
        .with("frames dropped, empty consumer", (drops(&before.last.ledger) + drops(&after.last.ledger)) as f64, "")
        .with("frames without explanation", loaded.last.ledger.unexplained as f64, "")
        .with("rate", loaded.frames_per_s, "frames/s")
        .with("rows", loaded.last.recording.rows as f64, "")
        .with("frame to row, p50", row50, "ms")
        .with("frame to row, p99", row99, "ms")
        .with("frame to disk, p50", written50, "ms")
        .with("frame to disk, p99", written99, "ms")
        .with("frame to empty consumer, p50", empty50, "ms")
        .with("frame to empty consumer, p99", empty99, "ms")
        .with("frame to row, added, p50", row50 - empty50, "ms")
        .with("frame to row, added, p99", row99 - empty99, "ms")
        .with("CPU", loaded.cores, "cores")
        .with("CPU, empty consumer", empty_cores, "cores"))
}

/// Full frames to disk, beside the same camera without recording and beside plain writes.
fn recording(bed: &Bed<'_>) -> Result<Figure, RunError> {
    const PAYLOAD: usize = 1280 * 1024;
    const RATE_HZ: u32 = 100;
    material(bed, &LIVE)?;
    let batch = "{ max_frames = 16, max_ms = 5.0 }";
    // Tables come last, so the mode belongs to [tracking].
    let on = "mode = \"full_video\"\n[recording]\nfolder = \"full\"\nname = \"run {n}\"\n";
    let recorded = run(bed, rig(bed, "live.tif", Speed::Hz(RATE_HZ), batch, on)?, bed.seconds, false)?;
    let off = "[recording]\non = false\n";
    let without = run(bed, rig(bed, "live.tif", Speed::Hz(RATE_HZ), batch, off)?, bed.seconds / 2.0, false)?;
    let raw = raw_write(&bed.folder.join("raw.bin"), PAYLOAD, RATE_HZ, bed.seconds / 2.0);
    let raw = raw.map_err(|e| bed.unusable(&e))?;
    // Each run of full frames takes gigabytes.
    let _ = std::fs::remove_dir_all(bed.folder.join("full"));
    Ok(Figure::of("recording: 1280 × 1024 px u8 at 100 frames/s, full frames to disk")
        .with("frames dropped", drops(&recorded.last.ledger) as f64, "")
        .with("frames recorded", recorded.last.recording.frames as f64, "")
        .with("CPU", recorded.cores, "cores")
        .with("CPU, same camera, not recorded", without.cores, "cores")
        .with("CPU, of recording", recorded.cores - without.cores, "cores")
        .with("CPU, plain writes", raw, "cores"))
}

/// CPU of plain writes of the same bytes at the same rate.
fn raw_write(path: &Path, payload: usize, rate_hz: u32, seconds: f64) -> std::io::Result<f64> {
    use std::io::Write;
    let frame = vec![7_u8; payload];
    let mut file = std::fs::File::create(path)?;
    let (meter, begun) = (Meter::start(), Instant::now());
    let n = (seconds * f64::from(rate_hz)) as u32;
    for i in 1..=n {
        file.write_all(&frame)?;
        let due = begun + Duration::from_secs_f64(f64::from(i) / f64::from(rate_hz));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let cores = meter.cores();
    std::fs::remove_file(path)?;
    Ok(cores)
}
