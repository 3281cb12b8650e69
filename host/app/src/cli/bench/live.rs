//! `tetherscope bench live`: the rows of the design's table about the live path. Cameras are videos of simulated beads that
//! are replayed from the page cache, so that the camera costs next to nothing; the last of each pair of runs is the peer.

use super::children;
use super::cpu::Meter;
use super::kills;
use super::rows::Figure;
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
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u32,
    /// Only these rows: live, fast, ring, recording, start, idle, kill; may be given several times
    #[arg(long, value_name = "ROW", value_parser = ["live", "fast", "ring", "recording", "start", "idle", "kill"])]
    only: Vec<String>,
    /// Folder for videos and recordings; without it a temporary one, removed at the end
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// What all rows share.
pub(super) struct Bed<'a> {
    pub(super) context: &'a Context,
    pub(super) registry: Arc<Registry>,
    pub(super) folder: PathBuf,
    /// Options that children get too.
    pub(super) shared: Vec<String>,
    pub(super) seconds: f64,
}

impl Live {
    /// Measures.
    pub(super) fn run(self, context: &Context) -> CommandResult {
        if !(self.seconds.is_finite() && self.seconds >= 1.0) {
            let mend = "give at least one second";
            return Err(RunError::refused("cannot measure", format!("--seconds is {}", self.seconds), mend));
        }
        let own = self.folder.is_none();
        let folder = self
            .folder
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("tetherscope-bench-{}", std::process::id())));
        let unusable = |e: std::io::Error| {
            RunError::refused(format!("cannot use {}", folder.display()), e.to_string(), "give another --folder")
        };
        std::fs::create_dir_all(&folder).map_err(unusable)?;
        let folder = folder.canonicalize().map_err(unusable)?;
        let dirs = context.shared.plugin_dir.iter().map(|d| d.canonicalize().unwrap_or_else(|_| d.clone()));
        let shared = dirs.flat_map(|d| ["--plugin-dir".to_owned(), d.display().to_string()]).collect();
        let registry = Arc::new(context.registry()?);
        let bed = Bed { context, registry, folder: folder.clone(), shared, seconds: self.seconds };
        let outcome = self.rows(&bed);
        if own {
            // What is left in a temporary folder is the system's to remove.
            let _ = std::fs::remove_dir_all(&folder);
        }
        Ok(report(&outcome?))
    }

    fn rows(&self, bed: &Bed<'_>) -> Result<Vec<Figure>, RunError> {
        let wanted = |row: &str| self.only.is_empty() || self.only.iter().any(|o| o == row);
        let mut figures = Vec::new();
        type Row<'r> = (&'static str, &'r dyn Fn(&Bed<'_>) -> Result<Figure, RunError>);
        let kill = |bed: &Bed<'_>| kills::measure(bed, self.kills);
        let rows: [Row<'_>; 7] = [
            ("live", &|bed| tracking(bed, &LIVE)),
            ("fast", &|bed| tracking(bed, &FAST)),
            ("ring", &ring),
            ("recording", &recording),
            ("start", &start),
            ("idle", &idle),
            ("kill", &kill),
        ];
        for (name, measure) in rows.iter().filter(|(name, _)| wanted(name)) {
            if bed.context.cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            if bed.context.interactive() {
                eprintln!("measuring: {name}");
            }
            figures.push(measure(bed)?);
        }
        Ok(figures)
    }
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

/// A load of beads.
struct Load {
    name: &'static str,
    size: &'static str,
    beads: u32,
    rate_hz: u32,
    batch: &'static str,
}

const LIVE: Load =
    Load { name: "live", size: "1280x1024", beads: 100, rate_hz: 100, batch: "{ max_frames = 16, max_ms = 5.0 }" };
const FAST: Load =
    Load { name: "fast", size: "640x256", beads: 10, rate_hz: 1000, batch: "{ max_frames = 1, max_ms = 1.0 }" };

/// A video, the ROIs in it, and a Z-LUT, made once.
fn material(bed: &Bed<'_>, load: &Load) -> Result<(), RunError> {
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
fn rig(bed: &Bed<'_>, video: &str, rate_hz: u32, batch: &str, more: &str) -> Result<RigFile, RunError> {
    let speed = if rate_hz == 0 { "full" } else { "fixed" };
    let text = format!(
        "version = 1\n[camera]\nmethod = \"camera.replay\"\n[camera.parameters]\npath = \"{video}\"\nspeed = \"{speed}\"\n\
         frame_rate_hz = {}.0\nloop = true\n[optics]\nnm_per_px = 100.0\n[tracker]\nmethod = \"tracker.quadrant\"\n\
         [tracking]\nbatch = {batch}\n{more}",
        rate_hz.max(1)
    );
    RigFile::of_text(&text, &bed.folder)
}

/// What a run gave.
struct Run {
    /// In the middle of it.
    running: Arc<Snapshot>,
    last: Arc<Snapshot>,
    cores: f64,
    frames_per_s: f64,
}

/// Runs a rig for a while.
fn run(bed: &Bed<'_>, file: RigFile, seconds: f64, open_only: bool) -> Result<Run, RunError> {
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
        session.step(step)?;
    }
    session.start_camera()?;
    // Threads are warm, buffers are made.
    std::thread::sleep(Duration::from_millis(500));
    let frames = |s: &Snapshot| s.health.newest_frame.map_or(0, |f| f + 1);
    let (meter, first, begun) = (Meter::start(), frames(&session.snapshot()), Instant::now());
    while begun.elapsed().as_secs_f64() < seconds {
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
    let empty = || rig(bed, &video, load.rate_hz, "{ max_frames = 1, max_ms = 1.0 }", off);
    let name = load.name;
    let beads = format!(
        "[beads]\nfile = \"{name}.csv\"\n[zlut]\nfile = \"bench.zlut\"\n[recording]\nfolder = \"{name}\"\nname = \"run {{n}}\"\n"
    );
    let before = run(bed, empty()?, bed.seconds / 2.0, false)?;
    let loaded = run(bed, rig(bed, &video, load.rate_hz, load.batch, &beads)?, bed.seconds, false)?;
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

/// Bytes per second of one memcpy, of buffers that no cache holds.
fn memcpy_bytes_per_s() -> f64 {
    let (from, mut to) = (vec![1_u8; 256 << 20], vec![2_u8; 256 << 20]);
    let (begun, mut n) = (Instant::now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(1) {
        to.copy_from_slice(&from);
        std::hint::black_box(&mut to);
        n += from.len() as u64;
    }
    n as f64 / begun.elapsed().as_secs_f64()
}

/// Frames of 4 MiB as fast as a camera can put them into the ring.
fn ring(bed: &Bed<'_>) -> Result<Figure, RunError> {
    if !bed.folder.join("ring.tif").exists() {
        let args = ["simulate", "--json", "--size", "2048x2048", "--fixed", "4", "--tethered", "0", "--frames", "16"];
        let files = ["--out", "ring.tif", "--truth", "ring-truth.csv", "--nm-per-px", "100"];
        children::run(&bed.folder, &[&args[..], &files].concat(), &bed.shared)?;
    }
    let before = memcpy_bytes_per_s();
    let file = rig(bed, "ring.tif", 0, "{ max_frames = 16, max_ms = 5.0 }", "[recording]\non = false\n")?;
    let run = run(bed, file, bed.seconds / 2.0, false)?;
    let memcpy = (before + memcpy_bytes_per_s()) / 2.0;
    let bytes = run.frames_per_s * f64::from(2048 * 2048);
    Ok(Figure::of("ring: 2048 × 2048 px u8, replayed from the page cache as fast as it goes, nothing recorded")
        .with("rate", run.frames_per_s, "frames/s")
        .with("through the ring", bytes / 1e9, "GB/s")
        .with("one memcpy", memcpy / 1e9, "GB/s")
        .with("of one memcpy", bytes / memcpy, "")
        .with("frames dropped", drops(&run.last.ledger) as f64, "")
        .with("CPU", run.cores, "cores"))
}

/// Full frames to disk, beside the same camera without recording and beside plain writes.
fn recording(bed: &Bed<'_>) -> Result<Figure, RunError> {
    const PAYLOAD: usize = 1280 * 1024;
    const RATE_HZ: u32 = 100;
    material(bed, &LIVE)?;
    let batch = "{ max_frames = 16, max_ms = 5.0 }";
    // Tables come last, so the mode belongs to [tracking].
    let on = "mode = \"full_video\"\n[recording]\nfolder = \"full\"\nname = \"run {n}\"\n";
    let recorded = run(bed, rig(bed, "live.tif", RATE_HZ, batch, on)?, bed.seconds, false)?;
    let off = "[recording]\non = false\n";
    let without = run(bed, rig(bed, "live.tif", RATE_HZ, batch, off)?, bed.seconds / 2.0, false)?;
    let raw = raw_write(&bed.folder.join("raw.bin"), PAYLOAD, RATE_HZ, bed.seconds / 2.0).map_err(|e| {
        RunError::refused(format!("cannot write into {}", bed.folder.display()), e.to_string(), "give another --folder")
    })?;
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

/// From the start of the process to the first tracked row.
fn start(bed: &Bed<'_>) -> Result<Figure, RunError> {
    const TIMES: usize = 7;
    let (mut whole, mut inside) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let begun = Instant::now();
        let said = children::run(&bed.folder, &["bench", "first-row", "--json"], &bed.shared)?;
        whole.push(begun.elapsed().as_secs_f64());
        let parsed: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        inside.push(parsed["first_row_s"].as_f64().unwrap_or(f64::NAN));
    }
    whole.sort_by(f64::total_cmp);
    inside.sort_by(f64::total_cmp);
    Ok(Figure::of("start: from main() to the first tracked row, simulated camera, plugins known")
        .with("fastest", inside[0], "s")
        .with("middle", inside[TIMES / 2], "s")
        .with("slowest", inside[TIMES - 1], "s")
        .with("whole process, with its end, middle", whole[TIMES / 2], "s"))
}

/// One simulated bead, and no file.
const FIRST_ROW: &str = r#"version = 1
[camera]
method = "camera.sim"
[camera.parameters]
nm_per_px = 100.0
focus_start_nm = -3000.0
[optics]
nm_per_px = 100.0
[beads]
list = [{ bead = 0, x_px = 100, y_px = 100 }]
[tracker]
method = "tracker.quadrant"
[tracking]
batch = { max_frames = 1, max_ms = 1.0 }
"#;

/// The child of [`start`].
pub(super) fn first_row(context: &Context) -> CommandResult {
    let registry = Arc::new(context.registry()?);
    let file = RigFile::of_text(FIRST_ROW, Path::new(""))?;
    let options = file.rig.engine_options();
    let session = Session::start(context, registry, file, options)?;
    session.set_up()?;
    session.start_camera()?;
    let query = tetherscope_core::control::TraceQuery {
        bead: 0,
        minus: None,
        from_utc_ns: i64::MIN,
        to_utc_ns: i64::MAX,
        max_columns: 1,
    };
    while session.client.trace(&query).newest_utc_ns.is_none() {
        if session.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let seconds = crate::started().elapsed().as_secs_f64();
    let json = json!({ "first_row_s": seconds });
    Ok((Output { text: format!("{seconds:.3} s\n"), json }, Ending::Fine))
}

/// A camera that is open and stands.
fn idle(bed: &Bed<'_>) -> Result<Figure, RunError> {
    material(bed, &LIVE)?;
    let file = rig(bed, "live.tif", 100, "{ max_frames = 16, max_ms = 5.0 }", "[beads]\nfile = \"live.csv\"\n")?;
    let run = run(bed, file, bed.seconds, true)?;
    Ok(Figure::of("idle: camera open and standing, beads and tracker set").with(
        "CPU",
        100.0 * run.cores,
        "% of a core",
    ))
}
