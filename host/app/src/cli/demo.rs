//! `tetherscope demo`: the main job on embedded defaults. A simulated camera, a Z-LUT from a simulated sweep, tracking,
//! files, and how far the result is from the truth.

use super::output::{Ending, Output, number};
use super::simulate::setting;
use super::simulated_rig::{self, TruthChannel};
use super::{CommandResult, Context, progress};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tetherscope_core::loader::{Kind, ParamSet, Registry, Tracker, ZlutStrategy};
use tetherscope_core::{
    BiasReport, BuiltTable, FrameSource, Optics, Plan, PlanOptions, Roi, RowMaker, RunError, RunOptions, SweepOptions,
    TableOptions, Tables, ZlutPlan, build_tables, collect_sweep, run, zlut_settings,
};
use tetherscope_files::{FocusRow, RowsWriter, TruthWriter, ZlutFile};

/// Focus at which the demo measures: the rings are clear there, and no pixel is saturated.
const FOCUS_NM: f64 = -3000.0;
/// The sweep reaches so far to both sides of it,
const SWEEP_HALF_NM: f64 = 1500.0;
/// in planes so far apart,
const SWEEP_STEP_NM: f64 = 50.0;
/// with so many frames each.
const FRAMES_PER_PLANE: u32 = 4;
/// Side of the ROIs.
const ROI_PX: u32 = 64;
/// Frames per second.
const FRAME_RATE_HZ: f64 = 100.0;
/// Size of a pixel in the sample.
const NM_PER_PX: f64 = 100.0;

/// Show what Tetherscope does, without hardware and without arguments: simulated beads, tracked, with z
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Length of the simulated recording, in seconds of 100 frames
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=36_000))]
    seconds: u32,
    /// Folder for the files; without it a new one in the current folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The demo's camera, with the parameters that both of its runs share.
fn camera(registry: &Registry, more: &[(&str, String)]) -> Result<Arc<tetherscope_core::loader::Camera>, RunError> {
    let shared = [("nm_per_px", NM_PER_PX.to_string()), ("frame_rate_hz", FRAME_RATE_HZ.to_string())];
    let all: Vec<_> = shared.iter().chain(more).map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    simulated_rig::open(registry, &all)
}

impl Demo {
    /// Runs the demo.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let folder = self.folder()?;
        let registry = context.registry()?;
        let tracker = Tracker::create(
            registry.resolve(Kind::Tracker, "tracker.magtrack")?,
            defaults(&registry, "tracker.magtrack")?,
        )?;
        let strategy = ZlutStrategy::create(
            registry.resolve(Kind::Zlut, "zlut.correlation")?,
            defaults(&registry, "zlut.correlation")?,
        )?;
        let optics = Optics::new(NM_PER_PX);
        let options = RunOptions { cancel: context.cancel.clone(), ..RunOptions::default() };

        let (zlut_path, rois_path) = (folder.join("zlut.zlut"), folder.join("rois.csv"));
        let (table, all_rois) = self.sweep(context, &registry, &tracker, &strategy, &optics, &options, &zlut_path)?;
        tetherscope_files::write_rois(&rois_path, &all_rois)?;
        let zlut = ZlutPlan { strategy, tables: Tables::Shared(table) };
        let mut result = self.measure(context, &registry, tracker, zlut, all_rois, optics, &options, &folder)?;
        result.files.extend([zlut_path, rois_path]);
        Ok(result.report())
    }

    /// The folder for the files: new, and empty.
    fn folder(&self) -> Result<PathBuf, RunError> {
        let folder = self.out.clone().unwrap_or_else(|| {
            let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
            PathBuf::from(format!("tetherscope-demo-{now}"))
        });
        let refuse = |cause: String| {
            let mend = "choose a new folder with --out, where you may write";
            RunError::refused(format!("cannot write into {}", folder.display()), cause, mend)
        };
        let occupied = std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
        if occupied {
            return Err(refuse("it is not empty, and nothing is overwritten".into()));
        }
        std::fs::create_dir_all(&folder).map_err(|e| refuse(e.to_string()))?;
        Ok(folder)
    }

    /// A simulated focus sweep: one table from all beads that do not move. Also the ROIs of all beads.
    #[allow(clippy::too_many_arguments)]
    fn sweep(
        &self,
        context: &Context,
        registry: &Registry,
        tracker: &Arc<Tracker>,
        strategy: &Arc<ZlutStrategy>,
        optics: &Optics,
        options: &RunOptions,
        out: &Path,
    ) -> Result<(Arc<tetherscope_core::loader::Table>, Vec<Roi>), RunError> {
        let n_planes = (2.0 * SWEEP_HALF_NM / SWEEP_STEP_NM) as u32 + 1;
        let n_frames = n_planes * FRAMES_PER_PLANE;
        let script = [
            ("n_frames", n_frames.to_string()),
            ("focus_start_nm", (FOCUS_NM - SWEEP_HALF_NM).to_string()),
            ("focus_step_nm", SWEEP_STEP_NM.to_string()),
            ("frames_per_step", FRAMES_PER_PLANE.to_string()),
        ];
        // The first frame tells where the beads are, and how many of them do not move.
        let first = camera(registry, &script)?;
        let truth = TruthChannel::of(&first, optics.nm_per_px)?;
        let format = first.format()?;
        let n_fixed = integer_setting(&first, "n_fixed")?;
        let mut rois = Vec::new();
        FrameSource::start(first, 2)?.for_each_image(Some(1), &context.cancel, |frame, _| {
            rois = truth.rois(frame, ROI_PX, format.width_px, format.height_px);
            Ok(())
        })?;
        let fixed: Vec<Roi> = rois.iter().filter(|r| i64::from(r.bead) < n_fixed).copied().collect();
        let focus: Vec<FocusRow> = (0..n_frames)
            .map(|i| FocusRow {
                frame: i.into(),
                time_s: f64::from(i) / FRAME_RATE_HZ,
                focus_nm: FOCUS_NM - SWEEP_HALF_NM + f64::from(i / FRAMES_PER_PLANE) * SWEEP_STEP_NM,
            })
            .collect();
        let plan = Plan::new(
            PlanOptions { tracker: tracker.clone(), zlut: None, rois: Some(fixed), optics: *optics },
            &format,
        )?;
        let source = FrameSource::start_for(camera(registry, &script)?, plan.rois().len(), options)?;
        let collect = SweepOptions { run: options.clone(), ..SweepOptions::default() };
        let (sweep, _) = collect_sweep(source, &plan, &focus, &collect)?;
        let build = TableOptions { one_table: true, cancel: options.cancel.clone(), ..TableOptions::default() };
        let mut built = build_tables(&sweep, strategy, &build)?;
        let report = BiasReport::of(&built);
        let BuiltTable { table, parts, .. } = built.pop().expect("a sweep gives at least one table");
        let file = ZlutFile {
            settings: zlut_settings(tracker, strategy, plan.layout(), plan.config(), optics),
            tables: vec![parts],
            created_utc: jiff::Timestamp::now().to_string(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            notes: "made by the demo from a simulated sweep".into(),
            report: Some(report.to_json()),
        };
        tetherscope_files::write_zlut(out, &file)?;
        Ok((table, rois))
    }

    /// The recording: every frame tracked, compared with the truth, and written.
    #[allow(clippy::too_many_arguments)]
    fn measure(
        &self,
        context: &Context,
        registry: &Registry,
        tracker: Arc<Tracker>,
        zlut: ZlutPlan,
        rois: Vec<Roi>,
        optics: Optics,
        options: &RunOptions,
        folder: &Path,
    ) -> Result<DemoResult, RunError> {
        let n_frames = self.seconds * FRAME_RATE_HZ as u32;
        let camera = camera(registry, &[("n_frames", n_frames.to_string()), ("focus_start_nm", FOCUS_NM.to_string())])?;
        let truth = TruthChannel::of(&camera, setting(&camera, "nm_per_px")?)?;
        let format = camera.format()?;
        let plan = Plan::new(PlanOptions { tracker, zlut: Some(zlut), rois: Some(rois), optics }, &format)?;
        let (tracks_path, truth_path) = (folder.join("tracks.csv"), folder.join("truth.csv"));
        let mut writer = RowsWriter::create(&tracks_path)?;
        let mut truth_writer = TruthWriter::create(&truth_path)?;
        let utc_now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        // The simulated clock begins now.
        let maker = RowMaker::new(&optics, &format, Some(utc_now));
        let mut rows = Vec::new();
        let mut errors = Errors::default();
        let bar = progress::frames("tracking", n_frames.into(), context.interactive());
        let source = FrameSource::start_for(camera, plan.rois().len(), options)?;
        let begun = Instant::now();
        let summary = run(source, &plan, options, |batch| {
            maker.rows(batch, &mut rows);
            writer.write(&rows)?;
            for (frame, rows) in batch.frames.iter().zip(rows.chunks(batch.rois.len())) {
                truth_writer.write(&truth.rows(frame))?;
                for row in rows {
                    let t = truth.bead(frame, row.bead as usize);
                    errors.add([
                        row.x_nm - t.x_px * optics.nm_per_px,
                        row.y_nm - t.y_px * optics.nm_per_px,
                        row.z_nm - t.z_nm,
                    ]);
                }
            }
            bar.inc(batch.frames.len() as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        writer.finish()?;
        truth_writer.finish()?;
        Ok(DemoResult {
            beads: plan.rois().len(),
            frames: summary.frames_tracked,
            rows: summary.rows,
            rois_per_s: summary.rows as f64 / begun.elapsed().as_secs_f64(),
            rmse_nm: errors.rmse_nm(),
            without: errors.without,
            fine: summary.failed_calls == 0 && summary.dropped.is_empty(),
            files: vec![tracks_path, truth_path],
        })
    }
}

fn defaults(registry: &Registry, method: &str) -> Result<ParamSet, RunError> {
    Ok(ParamSet::defaults(&registry.find(method)?.info().parameters))
}

fn integer_setting(camera: &tetherscope_core::loader::Camera, key: &str) -> Result<i64, RunError> {
    let settings = camera.settings()?;
    match settings.settings.iter().find(|s| s.parameter.key == key).map(|s| &s.value) {
        Some(tetherscope_core::loader::Value::Int(v)) => Ok(*v),
        _ => Err(RunError::refused(
            "cannot run the demo",
            format!("camera.sim has no setting `{key}`"),
            "use the camera.sim that belongs to this Tetherscope",
        )),
    }
}

/// Squared errors along x, y and z, over rows that have a result.
#[derive(Default)]
struct Errors {
    squares: [f64; 3],
    n: [u64; 3],
    without: u64,
}

impl Errors {
    fn add(&mut self, errors_nm: [f64; 3]) {
        self.without += u64::from(errors_nm.iter().any(|e| !e.is_finite()));
        for (axis, e) in errors_nm.into_iter().enumerate().filter(|(_, e)| e.is_finite()) {
            self.squares[axis] += e * e;
            self.n[axis] += 1;
        }
    }

    fn rmse_nm(&self) -> [f64; 3] {
        std::array::from_fn(|a| (self.squares[a] / self.n[a] as f64).sqrt())
    }
}

struct DemoResult {
    beads: usize,
    frames: u64,
    rows: u64,
    rois_per_s: f64,
    rmse_nm: [f64; 3],
    without: u64,
    fine: bool,
    files: Vec<PathBuf>,
}

impl DemoResult {
    fn report(self) -> (Output, Ending) {
        let [x, y, z] = self.rmse_nm;
        let files: Vec<String> = self.files.iter().map(|f| f.display().to_string()).collect();
        let mut text = format!(
            "{} simulated beads, {} frames, {} rows at {:.0} ROIs/s\n",
            self.beads, self.frames, self.rows, self.rois_per_s
        );
        text += &format!("error against the truth (rms): x {x:.2} nm, y {y:.2} nm, z {z:.2} nm\n");
        if self.without > 0 {
            text += &format!("{} rows have no x, y or z; their flags say why\n", self.without);
        }
        files.iter().for_each(|f| text += &format!("wrote {f}\n"));
        let json = json!({
            "beads": self.beads,
            "frames": self.frames,
            "rows": self.rows,
            "rois_per_s": self.rois_per_s,
            "x_rmse_nm": number(x),
            "y_rmse_nm": number(y),
            "z_rmse_nm": number(z),
            "rows_without_result": self.without,
            "files": files,
        });
        (Output { text, json }, Ending::fine_if(self.fine))
    }
}
