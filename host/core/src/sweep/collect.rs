//! A recorded sweep into memory: every frame tracked, its ROIs kept with the focus that the list gives for the frame.

use super::data::{Sweep, SweepEntry};
use crate::error::RunError;
use crate::plan::Plan;
use crate::run::{RunOptions, RunSummary, run};
use crate::source::FrameSource;
use tetherscope_files::FocusRow;

/// Which frames of a recorded sweep, and how to run.
#[derive(Debug, Clone, Default)]
pub struct SweepOptions {
    /// How to run.
    pub run: RunOptions,
    /// Use only frames for which this is true; the others are not looked at. None: all.
    pub use_frame: Option<fn(u64) -> bool>,
}

/// Tracks a recorded sweep and keeps what tables are built from. Frames without a focus value are an error; frames of the
/// focus list beyond the video too. A ROI that leaves the frame has no entries.
pub fn collect_sweep(
    source: FrameSource,
    plan: &Plan,
    focus: &[FocusRow],
    options: &SweepOptions,
) -> Result<(Sweep, RunSummary), RunError> {
    let focus_of: std::collections::HashMap<u64, f64> = focus.iter().map(|f| (f.frame, f.focus_nm)).collect();
    let n_bins = plan.layout().n_bins as usize;
    let mut sweep = Sweep::for_plan(plan);
    let wanted = |frame: u64| options.use_frame.is_none_or(|wanted| wanted(frame));
    let n_inside = plan.rois().len() - plan.beads_outside().len();
    sweep.reserve(focus.iter().filter(|f| wanted(f.frame)).count().saturating_mul(n_inside))?;
    let mut pixels = Vec::new();
    let run_options = RunOptions { keep_profiles: true, ..options.run.clone() };
    let summary = run(source, plan, &run_options, |batch| {
        for (f, frame) in batch.frames.iter().enumerate().filter(|(_, frame)| wanted(frame.index)) {
            let Some(&focus_nm) = focus_of.get(&frame.index) else {
                return Err(RunError::refused(
                    "cannot build a Z-LUT from this sweep",
                    format!("frame {} has no focus value; the focus list has {} rows", frame.index, focus.len()),
                    "give the focus list that belongs to this video: one row for every frame",
                ));
            };
            for (r, of_roi) in batch.rois.iter().enumerate() {
                batch.copy_roi(f, r, &mut pixels);
                if pixels.is_empty() {
                    continue;
                }
                let at = f * batch.rois.len() + r;
                sweep.push(&SweepEntry {
                    bead: of_roi.bead,
                    frame: frame.index,
                    focus_nm,
                    pixels: &pixels,
                    fix: batch.fixes[at],
                    profile: &batch.profiles[at * n_bins..(at + 1) * n_bins],
                    weights: &batch.weights[at * n_bins..(at + 1) * n_bins],
                })?;
            }
        }
        Ok(())
    })?;
    if let Some(beyond) = focus.iter().find(|f| f.frame >= summary.frames_tracked) {
        return Err(RunError::refused(
            "cannot build a Z-LUT from this sweep",
            format!("the focus list has frame {}, the video has {} frames", beyond.frame, summary.frames_tracked),
            "give the focus list that belongs to this video",
        ));
    }
    Ok((sweep, summary))
}
