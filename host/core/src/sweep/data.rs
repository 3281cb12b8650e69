//! A sweep in memory: of every frame and bead the focus, the pixels, and what the tracker gave. It is what tables are built
//! from; it builds nothing, and does not know whether its frames came from a file or from a camera.

use crate::error::RunError;
use crate::plan::Plan;
use std::sync::Arc;
use tetherscope_loader::{
    Fix, LookupBuffers, ProfileLayout, RoiSet, SweepData, Table, TrackBuffers, Tracker, TrackerStamp, WorkerConfig,
    ZlutStrategy, abi,
};

/// Most bytes of ROIs that are kept in memory for a sweep.
const MAX_SWEEP_BYTES: usize = 8 << 30;

/// One ROI of one frame of a sweep.
#[derive(Debug, Clone, Copy)]
pub struct SweepEntry<'a> {
    /// The bead.
    pub bead: u32,
    /// The host's index of the frame.
    pub frame: u64,
    /// Focus while the frame was exposed. Equal values are one plane.
    pub focus_nm: f64,
    /// Row by row without gaps; one byte a pixel, or two in the machine's order.
    pub pixels: &'a [u8],
    /// What the tracker found in it.
    pub fix: Fix,
    /// The tracker's profile, one value per bin.
    pub profile: &'a [f64],
    /// The profile's weights, one per bin.
    pub weights: &'a [f32],
}

/// The pixels of one ROI, row by row without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepPixels<'a> {
    /// Mono8.
    U8(&'a [u8]),
    /// Mono16.
    U16(&'a [u16]),
}

/// All that tables are built from: entry i of every list is one ROI of one frame, in the order in which they came.
pub struct Sweep {
    tracker: Arc<Tracker>,
    layout: ProfileLayout,
    config: WorkerConfig,
    pixels: Store,
    /// False: only profiles and positions are there, and every entry shows one black ROI.
    has_pixels: bool,
    beads: Vec<u32>,
    frames: Vec<u64>,
    focus_nm: Vec<f64>,
    tracks: TrackBuffers,
}

enum Store {
    U8(Vec<u8>),
    U16(Vec<u16>),
}

impl Sweep {
    /// A sweep without entries. `layout` is that of the tracker's worker, `config` what the worker was made with.
    pub fn new(tracker: Arc<Tracker>, layout: ProfileLayout, config: WorkerConfig) -> Self {
        let mono8 = config.pixel_format == abi::PIXEL_MONO8;
        Self {
            tracker,
            layout,
            config,
            pixels: if mono8 { Store::U8(Vec::new()) } else { Store::U16(Vec::new()) },
            has_pixels: true,
            beads: Vec::new(),
            frames: Vec::new(),
            focus_nm: Vec::new(),
            tracks: TrackBuffers { n_bins: layout.n_bins as usize, ..TrackBuffers::default() },
        }
    }

    /// A sweep without entries that keeps no pixels: for strategies that need none.
    pub fn without_pixels(tracker: Arc<Tracker>, layout: ProfileLayout, config: WorkerConfig) -> Self {
        let mut sweep = Self::new(tracker, layout, config);
        let n_px = sweep.px_per_roi();
        match &mut sweep.pixels {
            Store::U8(p) => p.resize(n_px, 0),
            Store::U16(p) => p.resize(n_px, 0),
        }
        Self { has_pixels: false, ..sweep }
    }

    /// A sweep of the ROIs that a plan tracks.
    pub fn for_plan(plan: &Plan) -> Self {
        Self::new(plan.tracker().clone(), *plan.layout(), *plan.config())
    }

    /// Makes room for `n` more entries. Fails, before anything is recorded, when they would need too much memory.
    pub fn reserve(&mut self, n: usize) -> Result<(), RunError> {
        self.check_room(n)?;
        let (n_px, n_bins) = (self.px_at(n), self.tracks.n_bins);
        match &mut self.pixels {
            Store::U8(p) => p.reserve_exact(n_px),
            Store::U16(p) => p.reserve_exact(n_px),
        }
        self.beads.reserve(n);
        self.frames.reserve(n);
        self.focus_nm.reserve(n);
        self.tracks.fixes.reserve(n);
        self.tracks.profiles.reserve_exact(n * n_bins);
        self.tracks.weights.reserve_exact(n * n_bins);
        Ok(())
    }

    /// Adds an entry. Fails when the memory for sweeps is used up; then nothing was added. Panics on pixels (none, if the
    /// sweep keeps none), a profile or weights of another length than the sweep's.
    pub fn push(&mut self, entry: &SweepEntry<'_>) -> Result<(), RunError> {
        let (n_bytes, n_bins) = (self.px_at(1) * self.bytes_per_px(), self.tracks.n_bins);
        assert!(entry.pixels.len() == n_bytes, "{} bytes for a ROI of {n_bytes}", entry.pixels.len());
        assert!(entry.profile.len() == n_bins, "{} values for a profile of {n_bins} bins", entry.profile.len());
        assert!(entry.weights.len() == n_bins, "{} weights for a profile of {n_bins} bins", entry.weights.len());
        self.check_room(1)?;
        match &mut self.pixels {
            Store::U8(p) => p.extend_from_slice(entry.pixels),
            Store::U16(p) => p.extend(entry.pixels.as_chunks::<2>().0.iter().map(|b| u16::from_ne_bytes(*b))),
        }
        self.beads.push(entry.bead);
        self.frames.push(entry.frame);
        self.focus_nm.push(entry.focus_nm);
        self.tracks.fixes.push(entry.fix);
        self.tracks.profiles.extend_from_slice(entry.profile);
        self.tracks.weights.extend_from_slice(entry.weights);
        Ok(())
    }

    /// Adds an entry that was not tracked yet: [`Sweep::track`] does it later. Fails and panics as [`Sweep::push`].
    pub fn push_untracked(&mut self, bead: u32, frame: u64, focus_nm: f64, pixels: &[u8]) -> Result<(), RunError> {
        let n_bins = self.tracks.n_bins;
        let (profile, weights) = (vec![f64::NAN; n_bins], vec![f32::NAN; n_bins]);
        let fix = Fix::EMPTY;
        self.push(&SweepEntry { bead, frame, focus_nm, pixels, fix, profile: &profile, weights: &weights })
    }

    /// Tracks every entry with a worker of the sweep's tracker, and keeps what it gives. Fails when a call fails; entries up
    /// to there are tracked.
    pub fn track(&mut self) -> Result<(), RunError> {
        let mut worker = self.tracker.worker(&self.config)?;
        let mut made = TrackBuffers::default();
        let n_bins = self.tracks.n_bins;
        let all: Vec<usize> = (0..self.len()).collect();
        for batch in all.chunks(self.rois_per_call()) {
            worker.track(&self.select(batch).rois(), &mut made)?;
            let (from, to) = (batch[0], batch[0] + batch.len());
            self.tracks.fixes[from..to].copy_from_slice(&made.fixes);
            self.tracks.profiles[from * n_bins..to * n_bins].copy_from_slice(&made.profiles);
            self.tracks.weights[from * n_bins..to * n_bins].copy_from_slice(&made.weights);
        }
        Ok(())
    }

    /// A table from some entries, and nothing else: not tried on anything. [`crate::build_tables`] does more.
    pub fn build(&self, strategy: &Arc<ZlutStrategy>, entries: &[usize]) -> Result<Arc<Table>, RunError> {
        Ok(self.select(entries).with_data(|data| strategy.build(data))?)
    }

    /// What `table` says of some entries: the tracker's results with z. Fails when a call fails.
    pub fn look_up(&self, entries: &[usize], table: &Arc<Table>) -> Result<Vec<Fix>, RunError> {
        let mut worker = table.strategy().worker(&self.config, &self.layout)?;
        let (mut scratch, mut fixes) = (LookupBuffers::default(), Vec::with_capacity(entries.len()));
        for batch in entries.chunks(self.rois_per_call()) {
            let mut selection = self.select(batch);
            let mut tracks = std::mem::take(&mut selection.tracks);
            let tables: Vec<&Table> = vec![table; batch.len()];
            worker.lookup(&selection.rois(), &tables, &mut tracks, &mut scratch)?;
            fixes.append(&mut tracks.fixes);
        }
        Ok(fixes)
    }

    /// Most ROIs of a call: what the workers were told.
    fn rois_per_call(&self) -> usize {
        (self.config.max_rois as usize).max(1)
    }

    /// Forgets all entries from `n` on.
    pub fn truncate(&mut self, n: usize) {
        let n = n.min(self.len());
        let (n_px, n_bins) = (self.px_at(n), self.tracks.n_bins);
        match &mut self.pixels {
            _ if !self.has_pixels => {}
            Store::U8(p) => p.truncate(n_px),
            Store::U16(p) => p.truncate(n_px),
        }
        self.beads.truncate(n);
        self.frames.truncate(n);
        self.focus_nm.truncate(n);
        self.tracks.fixes.truncate(n);
        self.tracks.profiles.truncate(n * n_bins);
        self.tracks.weights.truncate(n * n_bins);
    }

    /// Takes the entries from `n` on out, into a sweep of their own.
    pub(crate) fn split_off(&mut self, n: usize) -> Self {
        let n = n.min(self.len());
        let (n_px, n_bins) = (self.px_at(n), self.tracks.n_bins);
        let mut rest = self.without_entries();
        match &mut self.pixels {
            _ if !self.has_pixels => {}
            Store::U8(p) => rest.pixels = Store::U8(p.split_off(n_px)),
            Store::U16(p) => rest.pixels = Store::U16(p.split_off(n_px)),
        }
        rest.beads = self.beads.split_off(n);
        rest.frames = self.frames.split_off(n);
        rest.focus_nm = self.focus_nm.split_off(n);
        rest.tracks.fixes = self.tracks.fixes.split_off(n);
        rest.tracks.profiles = self.tracks.profiles.split_off(n * n_bins);
        rest.tracks.weights = self.tracks.weights.split_off(n * n_bins);
        rest
    }

    /// One of the same kind, without entries.
    pub(crate) fn without_entries(&self) -> Self {
        let make = if self.has_pixels { Self::new } else { Self::without_pixels };
        make(self.tracker.clone(), self.layout, self.config)
    }

    fn check_room(&self, n_more: usize) -> Result<(), RunError> {
        let one = if self.has_pixels { self.roi_bytes() } else { self.tracks.n_bins * size_of::<f64>() };
        let total = one.saturating_mul(self.len().saturating_add(n_more));
        if total <= MAX_SWEEP_BYTES {
            return Ok(());
        }
        Err(RunError::refused(
            "cannot build a Z-LUT from this sweep",
            format!("its entries have {} MiB, at most {} MiB are kept in memory", total >> 20, MAX_SWEEP_BYTES >> 20),
            "build it from fewer beads or fewer frames at a time",
        ))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.beads.len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.beads.is_empty()
    }

    /// The tracker whose results these are.
    pub fn tracker(&self) -> &Arc<Tracker> {
        &self.tracker
    }

    /// Geometry of the profiles.
    pub fn layout(&self) -> &ProfileLayout {
        &self.layout
    }

    /// Size of the ROIs, pixel format, noise.
    pub fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// Per entry: the bead.
    pub fn beads(&self) -> &[u32] {
        &self.beads
    }

    /// Per entry: the frame.
    pub fn frames(&self) -> &[u64] {
        &self.frames
    }

    /// Per entry: the focus.
    pub fn focus_nm(&self) -> &[f64] {
        &self.focus_nm
    }

    /// Per entry: what the tracker found.
    pub fn fixes(&self) -> &[Fix] {
        &self.tracks.fixes
    }

    /// Profile of entry `i`.
    pub fn profile(&self, i: usize) -> &[f64] {
        self.tracks.profile(i)
    }

    /// Weights of the profile of entry `i`.
    pub fn weights(&self, i: usize) -> &[f32] {
        &self.tracks.weights[i * self.tracks.n_bins..(i + 1) * self.tracks.n_bins]
    }

    /// False if only profiles and positions are there.
    pub fn has_pixels(&self) -> bool {
        self.has_pixels
    }

    /// Pixels of entry `i`; black if the sweep keeps none.
    pub fn pixels(&self, i: usize) -> SweepPixels<'_> {
        let first = self.px_at(i);
        let range = first..first + self.px_per_roi();
        match &self.pixels {
            Store::U8(p) => SweepPixels::U8(&p[range]),
            Store::U16(p) => SweepPixels::U16(&p[range]),
        }
    }

    /// Whether the tracker found the bead in entry `i`. Strategies leave other entries out.
    pub fn has_position(&self, i: usize) -> bool {
        let fix = &self.tracks.fixes[i];
        fix.x_px.is_finite() && fix.y_px.is_finite()
    }

    /// The beads, each once, in the order in which they first came.
    pub fn distinct_beads(&self) -> Vec<u32> {
        let mut seen = std::collections::HashSet::new();
        self.beads.iter().copied().filter(|b| seen.insert(*b)).collect()
    }

    /// Entries of one bead.
    pub fn entries_of(&self, bead: u32) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.beads[i] == bead).collect()
    }

    /// Adds the pixel values of entry `i` to `sum`.
    pub(super) fn add_pixels(&self, i: usize, sum: &mut [f64]) {
        match self.pixels(i) {
            SweepPixels::U8(p) => sum.iter_mut().zip(p).for_each(|(s, &v)| *s += f64::from(v)),
            SweepPixels::U16(p) => sum.iter_mut().zip(p).for_each(|(s, &v)| *s += f64::from(v)),
        }
    }

    /// Pixels of a ROI.
    pub(super) fn px_per_roi(&self) -> usize {
        self.config.w_px as usize * self.config.h_px as usize
    }

    /// Place of the first pixel of entry `i`.
    fn px_at(&self, i: usize) -> usize {
        if self.has_pixels { i * self.px_per_roi() } else { 0 }
    }

    fn bytes_per_px(&self) -> usize {
        match self.pixels {
            Store::U8(_) => 1,
            Store::U16(_) => 2,
        }
    }

    fn roi_bytes(&self) -> usize {
        self.px_per_roi() * self.bytes_per_px()
    }

    /// Some of the entries, ready for a strategy. Pixels stay where they are.
    pub(super) fn select(&self, entries: &[usize]) -> Selection<'_> {
        let n_bins = self.tracks.n_bins;
        let mut tracks = TrackBuffers { n_bins, ..TrackBuffers::default() };
        tracks.fixes.extend(entries.iter().map(|&i| self.tracks.fixes[i]));
        tracks.profiles.reserve_exact(entries.len() * n_bins);
        tracks.weights.reserve_exact(entries.len() * n_bins);
        for &i in entries {
            tracks.profiles.extend_from_slice(self.profile(i));
            tracks.weights.extend_from_slice(self.weights(i));
        }
        Selection {
            sweep: self,
            offsets: entries.iter().map(|&i| (self.px_at(i) * self.bytes_per_px()) as u64).collect(),
            beads: entries.iter().map(|&i| self.beads[i]).collect(),
            frames: entries.iter().map(|&i| self.frames[i]).collect(),
            focus_nm: entries.iter().map(|&i| self.focus_nm[i]).collect(),
            tracks,
        }
    }
}

/// Some entries of a sweep, in the lists that a strategy wants.
pub(super) struct Selection<'a> {
    sweep: &'a Sweep,
    offsets: Vec<u64>,
    beads: Vec<u32>,
    frames: Vec<u64>,
    pub(super) focus_nm: Vec<f64>,
    pub(super) tracks: TrackBuffers,
}

impl Selection<'_> {
    /// The ROIs, in place.
    pub(super) fn rois(&self) -> RoiSet<'_> {
        let (sweep, config) = (self.sweep, &self.sweep.config);
        let pixel_bytes = sweep.bytes_per_px() as u32;
        RoiSet {
            memory: match &sweep.pixels {
                Store::U8(p) => p.as_slice().into(),
                Store::U16(p) => p.as_slice().into(),
            },
            offsets: &self.offsets,
            row_stride_bytes: u64::from(config.w_px) * u64::from(pixel_bytes),
            pixel_stride_bytes: pixel_bytes,
            w_px: config.w_px,
            h_px: config.h_px,
            pixel_format: config.pixel_format,
            bead_ids: &self.beads,
            frame_indices: &self.frames,
        }
    }

    /// Calls `f` with everything that `build` gets.
    pub(super) fn with_data<R>(&self, f: impl FnOnce(&SweepData<'_>) -> R) -> R {
        let tracker = self.sweep.tracker.component().info();
        let version = tracker.version.to_string();
        f(&SweepData {
            rois: self.rois(),
            focus_nm: &self.focus_nm,
            tracks: &self.tracks,
            layout: self.sweep.layout,
            config: self.sweep.config,
            tracker: TrackerStamp { id: &tracker.id, version: &version, params: self.sweep.tracker.params() },
        })
    }
}

/// Pixel values as a camera of this format would give them: rounded, between 0 and the saturation level.
pub(super) fn to_pixels(values: impl Iterator<Item = f64>, config: &WorkerConfig) -> Vec<u8> {
    let codes = values.map(|v| v.round().clamp(0.0, config.saturation_adu));
    match config.pixel_format {
        abi::PIXEL_MONO8 => codes.map(|v| v as u8).collect(),
        _ => codes.flat_map(|v| (v as u16).to_ne_bytes()).collect(),
    }
}
