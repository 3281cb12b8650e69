//! One call's worth of ROIs, wherever their frames lie: what the offline run and the live engine have in common.
//!
//! A piece is a run of rows in the order `[frame][ROI]`. It reads its ROIs in place, calls tracker and strategy, and gives
//! one result for each row. A ROI that is not wholly inside its frame never reaches a plugin.

use crate::error::RunError;
use crate::plan::{AT_BORDER, Plan};
use tetherscope_loader::{CameraFormat, Fix, FrameMemory, PluginError, RoiSet, Table, abi};

/// ROIs that one call of a plugin gets at most: enough that the call costs nothing, few enough that all cores have work.
pub(crate) const ROIS_PER_CALL: usize = 64;

/// How pixels lie within a frame that trackers see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixelGrid {
    pub(crate) width_px: usize,
    pub(crate) height_px: usize,
    pub(crate) bytes_per_px: usize,
    pub(crate) row_stride_bytes: usize,
}

impl PixelGrid {
    /// Of frames as the camera writes them, or, `unpacked`, as 16-bit pixels without gaps.
    pub(crate) fn new(format: &CameraFormat, unpacked: bool) -> Self {
        let bytes_per_px = if format.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
        let width_px = format.width_px as usize;
        let row_stride_bytes = if unpacked { width_px * bytes_per_px } else { format.row_stride_bytes as usize };
        Self { width_px, height_px: format.height_px as usize, bytes_per_px, row_stride_bytes }
    }

    /// Copies the pixels of one ROI out of an image, row by row without gaps; one byte a pixel, or two in the machine's
    /// order. Empty for a ROI that is not wholly inside.
    pub(crate) fn copy_roi(&self, image: &[u8], roi: &crate::plan::Roi, into: &mut Vec<u8>) {
        into.clear();
        let (w, h) = (roi.w_px as usize, roi.h_px as usize);
        let fits = roi.x_px >= 0 && roi.y_px >= 0 && roi.x_px as usize + w <= self.width_px;
        if !fits || roi.y_px as usize + h > self.height_px {
            return;
        }
        for y in 0..h {
            let at = (roi.y_px as usize + y) * self.row_stride_bytes + roi.x_px as usize * self.bytes_per_px;
            into.extend_from_slice(&image[at..at + w * self.bytes_per_px]);
        }
    }
}

/// Some frames in one piece of memory.
#[derive(Clone, Copy)]
pub(crate) struct Frames<'a> {
    /// The memory.
    pub(crate) memory: FrameMemory<'a>,
    /// Per frame: from the memory's start to its top-left pixel.
    pub(crate) offsets: &'a [u64],
    /// Per frame: its index.
    pub(crate) indices: &'a [u64],
    /// How its pixels lie.
    pub(crate) grid: PixelGrid,
}

/// One call's worth of rows: those from `first` on, as many as there are results.
pub(crate) struct Piece<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) frames: Frames<'a>,
    pub(crate) first: usize,
}

/// Where results go; profiles and weights may be empty, then nobody wants them.
pub(crate) struct Output<'a> {
    pub(crate) fixes: &'a mut [Fix],
    pub(crate) profiles: &'a mut [f64],
    pub(crate) weights: &'a mut [f32],
}

impl Piece<'_> {
    /// Tracks the rows of ROIs inside the frame; the others get [`AT_BORDER`]. `failed` hears of calls that failed; their
    /// rows hold NaN and the flag that says so. An error means that there is no worker at all.
    pub(crate) fn track(&self, out: Output<'_>, failed: &(dyn Fn(&PluginError) + Sync)) -> Result<(), RunError> {
        out.fixes.fill(AT_BORDER);
        let n_rois = self.plan.rois().len();
        let rows = |with_table: bool| {
            let wanted = move |row: &usize| {
                let roi = (self.first + row) % n_rois;
                self.plan.is_inside(roi) && self.plan.table(roi).is_some() == with_table
            };
            (0..out.fixes.len()).filter(wanted).collect::<Vec<usize>>()
        };
        // Usually all beads have a table or none has; then this is one call.
        let (with, without) = (rows(true), rows(false));
        let Output { fixes, profiles, weights } = out;
        for rows in [with, without] {
            if !rows.is_empty() {
                let out = Output { fixes: &mut *fixes, profiles: &mut *profiles, weights: &mut *weights };
                self.call(&rows, out, failed)?;
            }
        }
        Ok(())
    }

    fn call(&self, rows: &[usize], out: Output<'_>, failed: &(dyn Fn(&PluginError) + Sync)) -> Result<(), RunError> {
        let (plan, n_rois, grid) = (self.plan, self.plan.rois().len(), self.frames.grid);
        let mut offsets = Vec::with_capacity(rows.len());
        let mut bead_ids = Vec::with_capacity(rows.len());
        let mut frame_indices = Vec::with_capacity(rows.len());
        let mut tables: Vec<&Table> = Vec::with_capacity(rows.len());
        for row in rows {
            let (frame, r) = ((self.first + row) / n_rois, (self.first + row) % n_rois);
            let roi = &plan.rois()[r];
            let in_frame = roi.y_px as u64 * grid.row_stride_bytes as u64 + roi.x_px as u64 * grid.bytes_per_px as u64;
            offsets.push(self.frames.offsets[frame] + in_frame);
            bead_ids.push(roi.bead);
            frame_indices.push(self.frames.indices[frame]);
            tables.extend(plan.table(r));
        }
        let config = plan.config();
        let set = RoiSet {
            memory: self.frames.memory,
            offsets: &offsets,
            row_stride_bytes: grid.row_stride_bytes as u64,
            pixel_stride_bytes: grid.bytes_per_px as u32,
            w_px: config.w_px,
            h_px: config.h_px,
            pixel_format: config.pixel_format,
            bead_ids: &bead_ids,
            frame_indices: &frame_indices,
        };
        let mut workers = plan.chain().take()?;
        if let Err(e) = workers.work(&set, &tables) {
            failed(&e);
        }
        let (tracks, n_bins) = (&workers.tracks, workers.tracks.n_bins);
        for (i, &row) in rows.iter().enumerate() {
            out.fixes[row] = tracks.fixes[i];
            if !out.profiles.is_empty() {
                let (from, to) = (i * n_bins..(i + 1) * n_bins, row * n_bins..(row + 1) * n_bins);
                out.profiles[to.clone()].copy_from_slice(&tracks.profiles[from.clone()]);
                out.weights[to].copy_from_slice(&tracks.weights[from]);
            }
        }
        plan.chain().give_back(workers);
        Ok(())
    }
}
