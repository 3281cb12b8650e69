//! `tetherscope zlut build`: from a recorded focus sweep to a file.

use super::super::frames::{FrameArgs, outside_warning};
use super::super::{CommandResult, Context};
use super::make::{MakeArgs, Told};
use serde_json::json;
use std::path::PathBuf;
use tetherscope_core::{FrameSource, Plan, PlanOptions, SweepOptions, collect_sweep};

/// Which frames of a sweep are used.
#[derive(Clone, Copy, clap::ValueEnum)]
enum UsedFrames {
    /// Every frame
    All,
    /// 0, 2, 4 …: the odd ones can then be tracked as a test
    Even,
    /// 1, 3, 5 …
    Odd,
}

/// Build a Z-LUT from a recorded focus sweep
#[derive(clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    frames: FrameArgs,
    /// Focus of each frame (CSV: frame,time_s,focus_nm); frames of one focus are one plane
    #[arg(long, value_name = "FILE")]
    focus: PathBuf,
    /// Frames to use
    #[arg(long, value_enum, default_value = "all")]
    use_frames: UsedFrames,
    #[command(flatten)]
    make: MakeArgs,
}

impl Build {
    /// Builds and writes.
    pub(super) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let tracker = self.frames.tracker(&registry)?;
        let strategy = self.make.strategy(&registry)?;
        let focus = tetherscope_files::read_focus(&self.focus)?;
        let rois = self.frames.read_rois()?;
        let camera = self.frames.open(&registry)?;
        let format = camera.format()?;
        let optics = self.frames.optics();
        let plan = Plan::new(PlanOptions { tracker, zlut: None, rois, optics }, &format)?;
        let warnings: Vec<String> = outside_warning(&plan.beads_outside(), &format).into_iter().collect();
        let run = self.frames.run_options(context);
        let source = FrameSource::start_for(camera, plan.rois().len(), &run)?;
        let use_frame: Option<fn(u64) -> bool> = match self.use_frames {
            UsedFrames::All => None,
            UsedFrames::Even => Some(|f| f % 2 == 0),
            UsedFrames::Odd => Some(|f| f % 2 == 1),
        };
        let (threads, cancel) = (run.threads, run.cancel.clone());
        let (sweep, summary) = collect_sweep(source, &plan, &focus, &SweepOptions { run, use_frame })?;
        let more = json!({ "failed_calls": summary.failed_calls, "first_failure": summary.first_failure });
        let fine = summary.failed_calls == 0 && summary.dropped.is_empty();
        let told = Told { frames: summary.frames_tracked, warnings, more, fine };
        self.make.make(sweep, &strategy, &optics, threads, cancel, told)
    }
}
