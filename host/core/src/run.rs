//! The offline run: every frame of a lossless source through tracker and Z-LUT, results in order.
//!
//! Frames are taken in groups. While one group is tracked on the pool, the camera fills the other half of the slots.
//! A group is cut into pieces of [`ROIS_PER_CALL`] ROIs, whichever frames they belong to, and each piece is
//! one call of the plugins. Pieces write into their own part of the group's results, so nothing has to be put in order.

use crate::error::RunError;
use crate::piece::{Frames, Output, Piece, PixelGrid, ROIS_PER_CALL};
use crate::plan::{AT_BORDER, Plan};
use crate::source::{FrameMeta, FrameSource};
use crate::unpack;
use rayon::prelude::*;
use std::sync::Mutex;
use tetherscope_files::Roi;
use tetherscope_loader::{CancelToken, Fix, FrameMemory, PluginError, ProfileLayout};

/// Most frames of a group.
const MAX_GROUP_FRAMES: usize = 256;
/// Most bytes of all slots together.
const MAX_SLOT_BYTES: usize = 512 << 20;

/// How to run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Threads that track.
    pub threads: usize,
    /// Also keep profiles and weights for the consumer.
    pub keep_profiles: bool,
    /// Stop after so many frames.
    pub max_frames: Option<u64>,
    /// Lets the user give up.
    pub cancel: CancelToken,
}

impl Default for RunOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, keep_profiles: false, max_frames: None, cancel: CancelToken::new() }
    }
}

/// Where a batch's pixels are.
pub(crate) trait BatchPixels {
    /// The image of a frame as trackers see it, from its top-left pixel on.
    fn image(&self, frame: usize) -> std::borrow::Cow<'_, [u8]>;
    /// How its pixels lie.
    fn grid(&self) -> &PixelGrid;
}

/// Results of some frames, in order: `[frame][ROI]`, and `[frame][ROI][bin]` for profiles.
pub struct TrackedBatch<'a> {
    /// The frames.
    pub frames: &'a [FrameMeta],
    /// The ROIs of each frame.
    pub rois: &'a [Roi],
    /// One per frame and ROI.
    pub fixes: &'a [Fix],
    /// Profiles; empty unless kept.
    pub profiles: &'a [f64],
    /// Weights; empty unless kept.
    pub weights: &'a [f32],
    /// Geometry of the profiles.
    pub layout: &'a ProfileLayout,
    pub(crate) pixels: &'a dyn BatchPixels,
}

impl TrackedBatch<'_> {
    /// Copies the pixels of one ROI, row by row without gaps; one byte a pixel, or two in the machine's order. Empty for
    /// a ROI that is not wholly inside the frame.
    pub fn copy_roi(&self, frame: usize, roi: usize, into: &mut Vec<u8>) {
        self.pixels.grid().copy_roi(&self.pixels.image(frame), &self.rois[roi], into);
    }
}

/// What a run did. `seen = tracked + Σ dropped`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunSummary {
    /// Frames that the source delivered or told to be lost.
    pub frames_seen: u64,
    /// Frames that were tracked.
    pub frames_tracked: u64,
    /// Rows, of all frames and ROIs.
    pub rows: u64,
    /// Frames that were not tracked, by reason.
    pub dropped: Vec<(&'static str, u64)>,
    /// Rows without a position.
    pub rows_without_position: u64,
    /// Calls of a plugin that failed, and the first such error.
    pub failed_calls: u64,
    /// The first failure's three lines.
    pub first_failure: Option<String>,
}

/// Where the pixels of a group lie: in the camera's slots, or unpacked beside them.
struct Pixels<'a> {
    source: &'a FrameSource,
    unpacked: &'a [u16],
    grid: PixelGrid,
}

impl<'a> Pixels<'a> {
    fn new(source: &'a FrameSource, unpacked: &'a [u16]) -> Self {
        Self { source, unpacked, grid: PixelGrid::new(source.format(), !unpacked.is_empty()) }
    }

    fn memory(&self) -> FrameMemory<'a> {
        if self.unpacked.is_empty() { self.source.slots().memory() } else { FrameMemory::from(self.unpacked) }
    }

    /// From the memory's start to the top-left pixel of frame `i` of the group.
    fn offset_bytes(&self, frame: &FrameMeta, i: usize) -> u64 {
        if self.unpacked.is_empty() {
            self.source.slots().offset_bytes(frame.slot) + self.source.format().image_offset_bytes
        } else {
            (i * self.grid.width_px * self.grid.height_px * 2) as u64
        }
    }

    fn frame_bytes(&self, frame: &FrameMeta, i: usize) -> std::borrow::Cow<'a, [u8]> {
        if self.unpacked.is_empty() {
            let offset = self.source.format().image_offset_bytes as usize;
            std::borrow::Cow::Borrowed(&self.source.slots().payload(frame.slot)[offset..])
        } else {
            let n = self.grid.width_px * self.grid.height_px;
            let pixels = &self.unpacked[i * n..(i + 1) * n];
            std::borrow::Cow::Owned(pixels.iter().flat_map(|p| p.to_ne_bytes()).collect())
        }
    }
}

/// The pixels of one group.
struct GroupPixels<'a> {
    pixels: &'a Pixels<'a>,
    group: &'a [FrameMeta],
}

impl BatchPixels for GroupPixels<'_> {
    fn image(&self, frame: usize) -> std::borrow::Cow<'_, [u8]> {
        self.pixels.frame_bytes(&self.group[frame], frame)
    }

    fn grid(&self) -> &PixelGrid {
        &self.pixels.grid
    }
}

/// Frames of one group, and slots for two groups and what the camera holds.
pub(crate) fn group_and_slots(payload_bytes: u64, slots_wanted: u32, n_rois: usize, threads: usize) -> (usize, usize) {
    let payload = usize::try_from(payload_bytes).unwrap_or(usize::MAX).max(1);
    // A few pieces for each thread, so that no core waits long at the end of a group.
    let for_threads = (threads * 8 * ROIS_PER_CALL).div_ceil(n_rois.max(1));
    let for_memory = (MAX_SLOT_BYTES / payload / 2).max(1);
    let group = for_threads.min(for_memory).clamp(1, MAX_GROUP_FRAMES);
    (group, 2 * group + slots_wanted as usize)
}

impl FrameSource {
    /// Starts a source with slots that fit a plan.
    pub fn start_for(
        camera: std::sync::Arc<tetherscope_loader::Camera>,
        n_rois: usize,
        options: &RunOptions,
    ) -> Result<Self, RunError> {
        let format = camera.format()?;
        let (_, n_slots) = group_and_slots(format.payload_bytes, format.slots_wanted, n_rois, options.threads);
        Self::start(camera, n_slots)
    }
}

/// Tracks every frame of `source`; `consume` gets the results in order, on the calling thread.
pub fn run(
    mut source: FrameSource,
    plan: &Plan,
    options: &RunOptions,
    mut consume: impl FnMut(&TrackedBatch<'_>) -> Result<(), RunError>,
) -> Result<RunSummary, RunError> {
    let threads = options.threads.max(1);
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("bulk-{i}")).build().map_err(
            |e| RunError::refused("cannot start the tracking threads", e.to_string(), "use fewer --threads"),
        )?;
    plan.prepare(threads)?;
    let format = *source.format();
    let n_rois = plan.rois().len();
    let (group_frames, _) = group_and_slots(format.payload_bytes, format.slots_wanted, n_rois, threads);
    let mut summary = RunSummary::default();
    let mut results = Results::default();
    let mut unpacked: Vec<u16> = Vec::new();
    let mut group: Vec<FrameMeta> = Vec::with_capacity(group_frames);
    loop {
        while group.len() < group_frames
            && options.max_frames.is_none_or(|m| group.len() as u64 + summary.frames_tracked < m)
        {
            if options.cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            match source.next()? {
                Some(frame) => group.push(frame),
                None => break,
            }
        }
        if group.is_empty() {
            break;
        }
        if unpack::is_needed(&format) {
            let n = format.width_px as usize * format.height_px as usize;
            unpacked.resize(group.len() * n, 0);
            for (frame, pixels) in group.iter().zip(unpacked.chunks_mut(n)) {
                pool.install(|| unpack::unpack(&format, source.slots().payload(frame.slot), pixels));
            }
        }
        let pixels = Pixels::new(&source, &unpacked);
        results.resize(group.len() * n_rois, plan.layout().n_bins as usize, options.keep_profiles);
        let failures = pool.install(|| track_group(plan, &pixels, &group, &mut results))?;
        summary.failed_calls += failures.count;
        summary.first_failure = summary.first_failure.or(failures.first);
        summary.rows += results.fixes.len() as u64;
        summary.frames_tracked += group.len() as u64;
        let lost = |f: &&Fix| f.x_px.is_nan() || f.y_px.is_nan();
        summary.rows_without_position += results.fixes.iter().filter(lost).count() as u64;
        consume(&TrackedBatch {
            frames: &group,
            rois: plan.rois(),
            fixes: &results.fixes,
            profiles: &results.profiles,
            weights: &results.weights,
            layout: plan.layout(),
            pixels: &GroupPixels { pixels: &pixels, group: &group },
        })?;
        for frame in group.drain(..) {
            source.slots().release(frame.slot);
        }
    }
    summary.dropped = source.dropped();
    summary.frames_seen = summary.frames_tracked + summary.dropped.iter().map(|(_, n)| n).sum::<u64>();
    source.finish()?;
    Ok(summary)
}

/// Results of one group, kept from group to group.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) fixes: Vec<Fix>,
    profiles: Vec<f64>,
    weights: Vec<f32>,
    n_bins: usize,
}

impl Results {
    pub(crate) fn resize(&mut self, n: usize, n_bins: usize, keep_profiles: bool) {
        self.n_bins = if keep_profiles { n_bins } else { 0 };
        self.fixes.clear();
        self.fixes.resize(n, AT_BORDER);
        self.profiles.clear();
        self.profiles.resize(n * self.n_bins, f64::NAN);
        self.weights.clear();
        self.weights.resize(n * self.n_bins, f32::NAN);
    }
}

/// Calls of plugins that failed within one group.
#[derive(Default)]
pub(crate) struct Failures {
    pub(crate) count: u64,
    first: Option<String>,
}

fn track_group(
    plan: &Plan,
    pixels: &Pixels<'_>,
    group: &[FrameMeta],
    results: &mut Results,
) -> Result<Failures, RunError> {
    let offsets: Vec<u64> = group.iter().enumerate().map(|(i, f)| pixels.offset_bytes(f, i)).collect();
    let indices: Vec<u64> = group.iter().map(|f| f.index).collect();
    track_frames(
        plan,
        Frames { memory: pixels.memory(), offsets: &offsets, indices: &indices, grid: pixels.grid },
        results,
    )
}

/// Tracks frames into results of their size, on the pool that it is called on.
pub(crate) fn track_frames(plan: &Plan, frames: Frames<'_>, results: &mut Results) -> Result<Failures, RunError> {
    let failures = Mutex::new(Failures::default());
    let note = |e: &PluginError| {
        let mut f = failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        f.count += 1;
        f.first.get_or_insert_with(|| e.to_string());
    };
    let piece = |piece: usize| Piece { plan, frames, first: piece * ROIS_PER_CALL };
    let per_piece = (ROIS_PER_CALL * results.n_bins).max(1);
    let fixes = results.fixes.par_chunks_mut(ROIS_PER_CALL);
    if results.n_bins == 0 {
        fixes
            .enumerate()
            .try_for_each(|(i, fixes)| piece(i).track(Output { fixes, profiles: &mut [], weights: &mut [] }, &note))?;
    } else {
        let profiles = results.profiles.par_chunks_mut(per_piece).zip(results.weights.par_chunks_mut(per_piece));
        fixes.zip(profiles).enumerate().try_for_each(|(i, (fixes, (profiles, weights)))| {
            piece(i).track(Output { fixes, profiles, weights }, &note)
        })?;
    }
    Ok(failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}
