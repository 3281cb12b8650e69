//! A tracker in this process: instance, workers, and the check of what `track` wrote.
#![allow(unsafe_code)]

use super::rois::{ArraySet, RoiSet};
use crate::component::Component;
use crate::error::PluginError;
use crate::params::ParamSet;
use std::ffi::c_void;
use std::sync::Arc;
use tetherscope_plugin_api::abi::{self, Batch, TrackOutput, TrackerTable};
use tetherscope_plugin_api::{Fix, ProfileLayout, WorkerConfig};

/// Most bins that a tracker may announce: a profile of more than a million bins is a defect, not a method.
const MAX_BINS: u32 = 1 << 20;

/// x of a row before `track` wrote it: a NaN that no arithmetic gives.
const NOT_WRITTEN: u64 = 0x7ff8_7465_7468_6572;

/// An instance: a method with its parameters.
pub struct Tracker {
    component: Component,
    table: TrackerTable,
    instance: *mut c_void,
}

// SAFETY: an instance is shared by all threads and never changed, says the interface.
unsafe impl Send for Tracker {}
// SAFETY: as above.
unsafe impl Sync for Tracker {}

impl Tracker {
    /// Makes an instance.
    pub fn create(component: &Component, params: &ParamSet) -> Result<Arc<Self>, PluginError> {
        // SAFETY: the component is a tracker, checked where it was resolved and by its table at load.
        let table: TrackerTable = unsafe { component.table() };
        let create = table.create.expect("checked at load");
        let mut instance = std::ptr::null_mut();
        params.with_abi(|p| {
            // SAFETY: the library's context, readable parameters, a valid place.
            component.call("create", |error| unsafe { create(component.context(), p, &mut instance, error) })
        })?;
        Ok(Arc::new(Self { component: component.clone(), table, instance }))
    }

    /// Makes a worker for ROIs of one shape. Off the live path.
    pub fn worker(self: &Arc<Self>, config: &WorkerConfig) -> Result<TrackerWorker, PluginError> {
        let make = self.table.worker.expect("checked at load");
        let (mut worker, mut layout) = (std::ptr::null_mut(), ProfileLayout::NONE);
        self.component.call("worker", |error| {
            // SAFETY: the instance is alive; config, worker and layout are valid places.
            unsafe { make(self.instance, config, &mut worker, &mut layout, error) }
        })?;
        let made = TrackerWorker { tracker: self.clone(), worker, layout, max_rois: config.max_rois as usize };
        check_layout(&layout).map_err(|m| self.component.error("worker", abi::STATUS_INTERNAL, m))?;
        Ok(made)
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let destroy = self.table.destroy.expect("checked at load");
        let _in_call = self.component.enter("destroy");
        // SAFETY: made by `create`, freed once; the workers hold this tracker, so they are gone.
        unsafe { destroy(self.instance) }
    }
}

/// Geometry that others can work with; the error names what makes no sense.
pub(crate) fn check_layout(layout: &ProfileLayout) -> Result<(), String> {
    let ProfileLayout { n_bins, kind, first_radius_px, step_px, .. } = *layout;
    if n_bins > MAX_BINS {
        return Err(format!("it announces profiles of {n_bins} bins, at most {MAX_BINS} are possible"));
    }
    if !(abi::PROFILE_NONE..=abi::PROFILE_OWN).contains(&kind) {
        return Err(format!("it announces profiles of the unknown kind {kind}"));
    }
    let rings = kind == abi::PROFILE_RADIAL || kind == abi::PROFILE_FFT;
    if n_bins > 0 && rings && !(first_radius_px.is_finite() && step_px.is_finite() && step_px > 0.0) {
        return Err(format!("it announces bins from {first_radius_px} px on, {step_px} px apart"));
    }
    Ok(())
}

/// Memory for the results of one batch, kept from batch to batch.
#[derive(Debug, Default, Clone)]
pub struct TrackBuffers {
    /// One per ROI.
    pub fixes: Vec<Fix>,
    /// `[n_rois × n_bins]`.
    pub profiles: Vec<f64>,
    /// `[n_rois × n_bins]`.
    pub weights: Vec<f32>,
    /// Bins per row.
    pub n_bins: usize,
}

impl TrackBuffers {
    /// Rows for `n_rois`, all without a result.
    pub(crate) fn prepare(&mut self, n_rois: usize, n_bins: usize) {
        let empty = Fix { x_px: f64::from_bits(NOT_WRITTEN), ..Fix::EMPTY };
        self.fixes.clear();
        self.fixes.resize(n_rois, empty);
        self.profiles.clear();
        self.profiles.resize(n_rois * n_bins, f64::NAN);
        self.weights.clear();
        self.weights.resize(n_rois * n_bins, f32::NAN);
        self.n_bins = n_bins;
    }

    /// All rows without a result and with one flag: the batch is lost, and says why.
    pub(crate) fn spoil(&mut self, flag: u32) {
        self.fixes.fill(Fix { flags: flag, ..Fix::EMPTY });
        self.profiles.fill(f64::NAN);
        self.weights.fill(f32::NAN);
    }

    /// Whether the tracker wrote weights at all: a method may have none, and strategies are then told so.
    pub(crate) fn has_weights(&self) -> bool {
        self.weights.iter().any(|w| w.is_finite())
    }

    /// The profile of row `i`.
    pub fn profile(&self, i: usize) -> &[f64] {
        &self.profiles[i * self.n_bins..(i + 1) * self.n_bins]
    }
}

/// True for the ordinary row, on which [`check`] has nothing to change: one product for the position, whole numbers for
/// the rest, since every row of every batch passes here.
#[inline]
fn is_ordinary(fix: &Fix) -> bool {
    const SIGN: u32 = 1 << 31;
    // Infinity times 0 is NaN, and NaN is not 0.
    let finite = fix.x_px * 0.0 + fix.y_px * 0.0 == 0.0;
    let none_or_positive = |s: f32| (s.to_bits() < SIGN) & (s.to_bits() != f32::INFINITY.to_bits());
    finite
        & (fix.z_nm.to_bits() << 1 != f64::INFINITY.to_bits() << 1)
        & none_or_positive(fix.sigma_x_px)
        & none_or_positive(fix.sigma_y_px)
        & none_or_positive(fix.sigma_z_nm)
        & ((fix.quality.to_bits() <= 1_f32.to_bits()) | fix.quality.is_nan())
        & (fix.reserved == 0)
}

/// Flags for numbers that should be finite and are not; what no plugin wrote is told apart.
#[inline]
pub(crate) fn check(fix: &mut Fix) {
    if !is_ordinary(fix) {
        mend(fix);
    }
}

#[cold]
fn mend(fix: &mut Fix) {
    if fix.x_px.to_bits() == NOT_WRITTEN {
        fix.x_px = f64::NAN;
        if fix.flags == 0 {
            fix.flags |= abi::FLAG_NOT_WRITTEN;
        }
    }
    for v in [&mut fix.x_px, &mut fix.y_px, &mut fix.z_nm] {
        if v.is_infinite() {
            *v = f64::NAN;
            fix.flags |= abi::FLAG_NON_FINITE;
        }
    }
    for s in [&mut fix.sigma_x_px, &mut fix.sigma_y_px, &mut fix.sigma_z_nm] {
        if !s.is_finite() || *s < 0.0 {
            *s = f32::NAN;
        }
    }
    if !(0.0..=1.0).contains(&fix.quality) {
        fix.quality = f32::NAN;
    }
    if (fix.x_px.is_nan() || fix.y_px.is_nan()) && fix.flags == 0 {
        fix.flags |= abi::FLAG_NON_FINITE;
    }
    fix.reserved = 0;
}

/// A worker: one caller at a time, moved between threads freely.
pub struct TrackerWorker {
    tracker: Arc<Tracker>,
    worker: *mut c_void,
    layout: ProfileLayout,
    max_rois: usize,
}

// SAFETY: a worker may be moved between threads, says the interface.
unsafe impl Send for TrackerWorker {}

impl TrackerWorker {
    /// Geometry of the profiles.
    pub fn layout(&self) -> &ProfileLayout {
        &self.layout
    }

    /// Tracks a batch. On an error every row is NaN with [`abi::FLAG_PLUGIN_ERROR`]; else every row is a result, or NaN
    /// and a flag. Panics if the batch has more ROIs than the worker was made for.
    pub fn track(&mut self, rois: &RoiSet<'_>, out: &mut TrackBuffers) -> Result<(), PluginError> {
        let n = rois.len();
        assert!(n <= self.max_rois, "{n} ROIs for a worker made for {}", self.max_rois);
        out.prepare(rois.len(), self.layout.n_bins as usize);
        let batch = rois.to_abi();
        let output = TrackOutput {
            fixes: out.fixes.as_mut_ptr(),
            profiles: out.profiles.as_mut_ptr(),
            weights: out.weights.as_mut_ptr(),
            n_bins: self.layout.n_bins,
            n_rois: batch.n_rois,
            reserved: [0; 2],
        };
        // SAFETY: batch and output describe memory that lives through the call.
        let done = unsafe { self.track_raw(&batch, &output) };
        match &done {
            Ok(()) => out.fixes.iter_mut().for_each(check),
            Err(_) => out.spoil(abi::FLAG_PLUGIN_ERROR),
        }
        done
    }

    /// The call alone: nothing is prepared or checked.
    ///
    /// # Safety
    /// Batch and output must describe memory that lives through the call, the output as large as the batch and the
    /// worker's bins need it.
    pub(crate) unsafe fn track_raw(&mut self, batch: &Batch, output: &TrackOutput) -> Result<(), PluginError> {
        let track = self.tracker.table.track.expect("checked at load");
        // SAFETY: the worker is alive and ours alone; the caller promises the rest.
        self.tracker.component.call("track", |error| unsafe { track(self.worker, batch, output, error) })
    }

    /// How the result of a batch of one ROI came about.
    pub fn explain(&mut self, rois: &RoiSet<'_>) -> Result<ArraySet, PluginError> {
        assert!(rois.len() == 1, "explain takes one ROI, not {}", rois.len());
        let component = &self.tracker.component;
        let Some(explain) = self.tracker.table.explain else {
            return Err(component.error("explain", abi::STATUS_UNSUPPORTED, "this tracker explains nothing".into()));
        };
        let batch = rois.to_abi();
        let mut set = ArraySet::default();
        let sink = set.sink();
        // SAFETY: as in `track`; the sink leads to `set`, which is not moved meanwhile.
        component.call("explain", |error| unsafe { explain(self.worker, &batch, sink, error) })?;
        Ok(set)
    }
}

impl Drop for TrackerWorker {
    fn drop(&mut self) {
        let free = self.tracker.table.free_worker.expect("checked at load");
        let _in_call = self.tracker.component.enter("free_worker");
        // SAFETY: made by `worker`, freed once.
        unsafe { free(self.worker) }
    }
}
