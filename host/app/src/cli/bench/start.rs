//! The rows `start` and `idle`: how long it takes until the first row, and what a program costs that does nothing.

use super::children;
use super::live::{Bed, LIVE, Speed, material, rig, run};
use super::rows::Figure;
use crate::cli::live::Session;
use crate::cli::output::{Ending, Output};
use crate::cli::{CommandResult, Context};
use crate::rig_file::RigFile;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::RunError;
use tetherscope_core::control::TraceQuery;

/// From the start of the process to the first tracked row, `n` times.
pub(super) fn measure(bed: &Bed<'_>, n: usize) -> Result<Figure, RunError> {
    let (mut whole, mut inside) = (Vec::new(), Vec::new());
    for _ in 0..n {
        if bed.context.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        let begun = Instant::now();
        let said = children::run(&bed.folder, &["bench", "first-row", "--json"], &bed.shared)?;
        whole.push(begun.elapsed().as_secs_f64());
        let parsed: serde_json::Value = serde_json::from_str(&said).unwrap_or_default();
        inside.push(parsed["first_row_s"].as_f64().unwrap_or(f64::NAN));
    }
    whole.sort_by(f64::total_cmp);
    inside.sort_by(f64::total_cmp);
    Ok(Figure::of(format!("start: from main() to the first tracked row, simulated camera, plugins known; {n} times"))
        .with("fastest", inside[0], "s")
        .with("middle", inside[n / 2], "s")
        .with("slowest", inside[n - 1], "s")
        .with("whole process, with its end, middle", whole[n / 2], "s"))
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

/// The child of [`measure`].
pub(super) fn first_row(context: &Context) -> CommandResult {
    let registry = Arc::new(context.registry()?);
    let file = RigFile::of_text(FIRST_ROW, Path::new(""))?;
    let options = file.rig.engine_options();
    let session = Session::start(context, registry, file, options)?;
    session.set_up()?;
    session.start_camera()?;
    let query = TraceQuery { bead: 0, minus: None, from_utc_ns: i64::MIN, to_utc_ns: i64::MAX, max_columns: 1 };
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
pub(super) fn idle(bed: &Bed<'_>) -> Result<Figure, RunError> {
    material(bed, &LIVE)?;
    let batch = "{ max_frames = 16, max_ms = 5.0 }";
    let file = rig(bed, "live.tif", Speed::Hz(100), batch, "[beads]\nfile = \"live.csv\"\n")?;
    let run = run(bed, file, bed.seconds, true)?;
    let what = "idle: camera open and standing, beads and tracker set";
    Ok(Figure::of(what).with("CPU", 100.0 * run.cores, "% of a core"))
}
