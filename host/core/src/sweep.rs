//! From a recorded sweep to tables: every frame tracked, its ROIs kept, one table built for each bead.

use crate::error::RunError;
use crate::plan::Plan;
use crate::run::{RunOptions, RunSummary, run};
use crate::source::FrameSource;
use std::sync::Arc;
use tetherscope_files::{FocusRow, ZlutTable};
use tetherscope_loader::{RoiSet, SweepData, Table, TrackBuffers, TrackerStamp, ZlutStrategy, abi};

/// Most bytes of ROIs that are kept in memory for a sweep.
const MAX_SWEEP_BYTES: usize = 8 << 30;

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct SweepOptions {
    /// How to run.
    pub run: RunOptions,
    /// Use only frames for which this is true; the others are not looked at. None: all.
    pub use_frame: Option<fn(u64) -> bool>,
    /// One table from all beads together, for any bead, instead of one for each.
    pub one_table: bool,
}

/// One table that was built.
pub struct BuiltTable {
    /// The bead; None for a table for any bead.
    pub bead: Option<u32>,
    /// The table, ready to look up in.
    pub table: Arc<Table>,
    /// Its parts, ready to be stored.
    pub parts: ZlutTable,
    /// Frames that the table was built from, and frames of the sweep.
    pub frames_used: (usize, usize),
}

/// What is kept while the sweep runs of one bead, or of all that one table is made from.
#[derive(Default)]
struct BeadSweep {
    pixels: Vec<u8>,
    beads: Vec<u32>,
    focus_nm: Vec<f64>,
    frames: Vec<u64>,
    tracks: TrackBuffers,
}

/// Tracks a sweep and builds a table for each ROI of the plan, or one from all of them (also if there is only one ROI).
/// Frames without a focus value are an error; frames of the
/// focus list beyond the video too.
pub fn build_tables(
    source: FrameSource,
    plan: &Plan,
    strategy: &Arc<ZlutStrategy>,
    focus: &[FocusRow],
    options: &SweepOptions,
) -> Result<(Vec<BuiltTable>, RunSummary), RunError> {
    let focus_of: std::collections::HashMap<u64, f64> = focus.iter().map(|f| (f.frame, f.focus_nm)).collect();
    let n_bins = plan.layout().n_bins as usize;
    let config = *plan.config();
    let bytes_per_px = if config.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
    let roi_bytes = config.w_px as usize * config.h_px as usize * bytes_per_px;
    let total = roi_bytes.saturating_mul(plan.rois().len()).saturating_mul(focus.len());
    if total > MAX_SWEEP_BYTES {
        return Err(RunError::refused(
            "cannot build a Z-LUT from this sweep",
            format!("its ROIs have {} MiB, at most {} MiB are kept in memory", total >> 20, MAX_SWEEP_BYTES >> 20),
            "build it from fewer beads or fewer frames at a time",
        ));
    }
    let one_table = options.one_table || plan.rois().len() == 1;
    let n_tables = if one_table { 1 } else { plan.rois().len() };
    let mut beads: Vec<BeadSweep> = (0..n_tables).map(|_| BeadSweep::default()).collect();
    for b in &mut beads {
        b.tracks.n_bins = n_bins;
    }
    let mut roi = Vec::with_capacity(roi_bytes);
    let run_options = RunOptions { keep_profiles: true, ..options.run.clone() };
    let summary = run(source, plan, &run_options, |batch| {
        for (f, frame) in batch.frames.iter().enumerate() {
            if options.use_frame.is_some_and(|wanted| !wanted(frame.index)) {
                continue;
            }
            let Some(&focus_nm) = focus_of.get(&frame.index) else {
                return Err(RunError::refused(
                    "cannot build a Z-LUT from this sweep",
                    format!("frame {} has no focus value; the focus list has {} rows", frame.index, focus.len()),
                    "give the focus list that belongs to this video: one row for every frame",
                ));
            };
            for (r, of_roi) in batch.rois.iter().enumerate() {
                let bead = &mut beads[if one_table { 0 } else { r }];
                batch.copy_roi(f, r, &mut roi);
                if roi.len() != roi_bytes {
                    continue;
                }
                let at = f * batch.rois.len() + r;
                bead.pixels.extend_from_slice(&roi);
                bead.beads.push(of_roi.bead);
                bead.focus_nm.push(focus_nm);
                bead.frames.push(frame.index);
                bead.tracks.fixes.push(batch.fixes[at]);
                bead.tracks.profiles.extend_from_slice(&batch.profiles[at * n_bins..(at + 1) * n_bins]);
                bead.tracks.weights.extend_from_slice(&batch.weights[at * n_bins..(at + 1) * n_bins]);
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
    let mut built = Vec::with_capacity(beads.len());
    for (roi, bead) in plan.rois().iter().zip(&beads) {
        if options.run.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        let id = (!one_table).then_some(roi.bead);
        built.push(options.run.cancel.run(|| build_one(plan, strategy, id, bead))?);
    }
    Ok((built, summary))
}

fn build_one(
    plan: &Plan,
    strategy: &Arc<ZlutStrategy>,
    bead: Option<u32>,
    sweep: &BeadSweep,
) -> Result<BuiltTable, RunError> {
    if sweep.focus_nm.is_empty() {
        return Err(RunError::refused(
            bead.map_or_else(|| "cannot build a Z-LUT".into(), |b| format!("cannot build a Z-LUT of bead {b}")),
            "no frame is used, or its ROI does not lie wholly inside the frame",
            "move the ROI, or leave the bead out of the ROI list",
        ));
    }
    let config = *plan.config();
    let pixel_bytes = if config.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
    let row_bytes = u64::from(config.w_px) * u64::from(pixel_bytes);
    let n = sweep.focus_nm.len();
    let offsets: Vec<u64> = (0..n as u64).map(|i| i * row_bytes * u64::from(config.h_px)).collect();
    let words: Vec<u16>;
    let memory = if pixel_bytes == 1 {
        sweep.pixels.as_slice().into()
    } else {
        // Two bytes a pixel must lie where 16-bit numbers may lie.
        words = sweep.pixels.as_chunks::<2>().0.iter().map(|b| u16::from_ne_bytes(*b)).collect();
        words.as_slice().into()
    };
    let tracker = plan.tracker();
    let version = tracker.component().info().version.to_string();
    let table = strategy.build(&SweepData {
        rois: RoiSet {
            memory,
            offsets: &offsets,
            row_stride_bytes: row_bytes,
            pixel_stride_bytes: pixel_bytes,
            w_px: config.w_px,
            h_px: config.h_px,
            pixel_format: config.pixel_format,
            bead_ids: &sweep.beads,
            frame_indices: &sweep.frames,
        },
        focus_nm: &sweep.focus_nm,
        tracks: &sweep.tracks,
        layout: *plan.layout(),
        config,
        tracker: TrackerStamp { id: &tracker.component().info().id, version: &version, params: tracker.params() },
    })?;
    let saved = table.save()?;
    let with_fix = |f: &tetherscope_loader::Fix| f.x_px.is_finite() && f.y_px.is_finite();
    let used = sweep.tracks.fixes.iter().filter(|f| with_fix(f)).count();
    let frames_in_plane = |z: f64| {
        let planes = sweep.focus_nm.iter().zip(&sweep.tracks.fixes);
        planes.filter(|(focus, fix)| **focus == z && with_fix(fix)).count() as u32
    };
    let parts = ZlutTable {
        bead,
        n_frames_per_plane: saved.z_nm.iter().map(|z| frames_in_plane(*z)).collect(),
        z_nm: saved.z_nm,
        profiles: saved.profiles,
        variance: saved.variance,
        bytes: saved.bytes,
    };
    Ok(BuiltTable { bead, table, parts, frames_used: (used, n) })
}
