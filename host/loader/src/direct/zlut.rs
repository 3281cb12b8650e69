//! A Z-LUT strategy in this process: instance, tables, workers, and the check of what `lookup` wrote.
#![allow(unsafe_code)]

use super::rois::{ArraySet, RoiSet};
use super::tracker::TrackBuffers;
use crate::component::Component;
use crate::error::PluginError;
use crate::library::Output;
use crate::params::ParamSet;
use std::ffi::c_void;
use std::sync::Arc;
use tetherscope_plugin_api::abi::{self, Batch, Lookup, Params, Str, Sweep, TableParts, TableSink, ZlutStrategyTable};
use tetherscope_plugin_api::{Fix, ProfileLayout, WorkerConfig};

/// A sweep for `build`: entry i of every field is one ROI of one frame.
pub struct SweepData<'a> {
    /// Pixels, bead ids, frame indices.
    pub rois: RoiSet<'a>,
    /// Focus in nm.
    pub focus_nm: &'a [f64],
    /// What the tracker gave for these ROIs.
    pub tracks: &'a TrackBuffers,
    /// Geometry of the profiles.
    pub layout: ProfileLayout,
    /// Shape of the ROIs and noise of the camera.
    pub config: WorkerConfig,
    /// The tracker.
    pub tracker: TrackerStamp<'a>,
}

impl SweepData<'_> {
    /// Panics if the arrays do not fit together.
    pub(crate) fn check(&self) {
        let (n, n_bins) = (self.rois.len(), self.layout.n_bins as usize);
        assert!(self.focus_nm.len() == n, "{} focus values for {n} ROIs", self.focus_nm.len());
        assert!(self.tracks.fixes.len() == n, "{} tracks for {n} ROIs", self.tracks.fixes.len());
        assert!(self.tracks.n_bins == n_bins, "profiles and their layout differ in bins");
        let n_values = (self.tracks.profiles.len(), self.tracks.weights.len());
        assert!(n_values == (n * n_bins, n * n_bins), "{n_values:?} values for {n} ROIs of {n_bins} bins");
    }
}

/// Who made the profiles of a sweep.
#[derive(Clone, Copy)]
pub struct TrackerStamp<'a> {
    /// Id.
    pub id: &'a str,
    /// Version.
    pub version: &'a str,
    /// Parameters.
    pub params: &'a ParamSet,
}

/// The parts of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SavedTable {
    /// `[n_planes]`: focus in nm.
    pub z_nm: Vec<f64>,
    /// `[n_planes × n_bins]`, plane by plane.
    pub profiles: Vec<f64>,
    /// `[n_planes × n_bins]`: variance of `profiles`.
    pub variance: Option<Vec<f64>>,
    /// The strategy's own.
    pub bytes: Option<Vec<u8>>,
}

impl SavedTable {
    /// Parts that fit together; the error says which do not.
    pub(crate) fn check(&self, layout: &ProfileLayout) -> Result<(), String> {
        let (n_planes, n_bins) = (self.z_nm.len(), layout.n_bins as usize);
        let n_values = n_planes * n_bins;
        if self.profiles.len() != n_values {
            let is = self.profiles.len();
            return Err(format!("{is} profile values where {n_planes} planes of {n_bins} bins need {n_values}"));
        }
        match &self.variance {
            Some(v) if v.len() != n_values => Err(format!("{} variances for {n_values} profile values", v.len())),
            _ => Ok(()),
        }
    }

    /// The same for parts that a strategy saved, which must have a plane at least.
    pub(crate) fn check_saved(&self, layout: &ProfileLayout) -> Result<(), String> {
        if self.z_nm.is_empty() || self.check(layout).is_err() {
            return Err(format!(
                "it saved {} planes, {} profile values and {} variances, with {} bins a plane",
                self.z_nm.len(),
                self.profiles.len(),
                self.variance.as_ref().map_or(0, Vec::len),
                layout.n_bins
            ));
        }
        Ok(())
    }
}

/// An instance: a strategy with its parameters.
pub struct ZlutStrategy {
    component: Component,
    table: ZlutStrategyTable,
    instance: *mut c_void,
    needs_pixels: bool,
    refines_xy: bool,
}

// SAFETY: an instance is shared by all threads and never changed, says the interface.
unsafe impl Send for ZlutStrategy {}
// SAFETY: as above.
unsafe impl Sync for ZlutStrategy {}

impl ZlutStrategy {
    /// Makes an instance.
    pub fn create(component: &Component, params: &ParamSet) -> Result<Arc<Self>, PluginError> {
        // SAFETY: the component is a strategy, checked where it was resolved and by its table at load.
        let table: ZlutStrategyTable = unsafe { component.table() };
        let create = table.create.expect("checked at load");
        let mut instance = std::ptr::null_mut();
        params.with_abi(|p| {
            // SAFETY: the library's context, readable parameters, a valid place.
            component.call("create", |error| unsafe { create(component.context(), p, &mut instance, error) })
        })?;
        let (needs_pixels, refines_xy) = (component.info().can("needs_pixels"), component.info().can("refines_xy"));
        Ok(Arc::new(Self { component: component.clone(), table, instance, needs_pixels, refines_xy }))
    }

    /// Builds a table from a sweep. May take minutes.
    pub fn build(self: &Arc<Self>, sweep: &SweepData<'_>) -> Result<Arc<Table>, PluginError> {
        sweep.check();
        let text = |s: &str| Str { ptr: s.as_ptr(), len: s.len() as u64 };
        let build = self.table.build.expect("checked at load");
        let with_profiles = sweep.layout.n_bins > 0;
        let mut table = std::ptr::null_mut();
        sweep.tracker.params.with_abi(|tracker_params: Params| {
            let raw = Sweep {
                batch: sweep.rois.to_abi(),
                focus_nm: sweep.focus_nm.as_ptr(),
                fixes: sweep.tracks.fixes.as_ptr(),
                profiles: if with_profiles { sweep.tracks.profiles.as_ptr() } else { std::ptr::null() },
                weights: if sweep.tracks.has_weights() { sweep.tracks.weights.as_ptr() } else { std::ptr::null() },
                layout: sweep.layout,
                config: sweep.config,
                tracker_id: text(sweep.tracker.id),
                tracker_version: text(sweep.tracker.version),
                tracker_params,
                reserved: [0; 4],
            };
            // SAFETY: the instance is alive; the sweep describes memory that lives through the call.
            self.component.call("build", |error| unsafe { build(self.instance, &raw, &mut table, error) })
        })?;
        Ok(Arc::new(Table { strategy: self.clone(), table, layout: sweep.layout }))
    }

    /// Makes a table from its saved parts.
    pub fn load(
        self: &Arc<Self>,
        saved: &SavedTable,
        layout: &ProfileLayout,
        config: &WorkerConfig,
    ) -> Result<Arc<Table>, PluginError> {
        saved.check(layout).map_err(|m| self.component.error("load", abi::STATUS_INVALID_ARGUMENT, m))?;
        let parts = TableParts {
            z_nm: saved.z_nm.as_ptr(),
            profiles: saved.profiles.as_ptr(),
            variance: saved.variance.as_ref().map_or(std::ptr::null(), |v| v.as_ptr()),
            bytes: saved.bytes.as_ref().map_or(std::ptr::null(), |b| b.as_ptr()),
            len_bytes: saved.bytes.as_ref().map_or(0, |b| b.len() as u64),
            n_planes: u32::try_from(saved.z_nm.len()).expect("a table has fewer than 2^32 planes"),
            reserved0: 0,
            layout: *layout,
            config: *config,
            reserved: [0; 4],
        };
        let load = self.table.load.expect("checked at load");
        let mut table = std::ptr::null_mut();
        // SAFETY: the instance is alive; the parts describe memory that lives through the call.
        self.component.call("load", |error| unsafe { load(self.instance, &parts, &mut table, error) })?;
        Ok(Arc::new(Table { strategy: self.clone(), table, layout: *layout }))
    }

    /// Makes a worker for ROIs and profiles of one shape. Off the live path.
    pub fn worker(self: &Arc<Self>, config: &WorkerConfig, layout: &ProfileLayout) -> Result<ZlutWorker, PluginError> {
        let make = self.table.worker.expect("checked at load");
        let mut worker = std::ptr::null_mut();
        // SAFETY: the instance is alive; config, layout and worker are valid places.
        self.component.call("worker", |error| unsafe { make(self.instance, config, layout, &mut worker, error) })?;
        let n_bins = layout.n_bins as usize;
        Ok(ZlutWorker { strategy: self.clone(), worker, n_bins, max_rois: config.max_rois as usize })
    }
}

impl Drop for ZlutStrategy {
    fn drop(&mut self) {
        let destroy = self.table.destroy.expect("checked at load");
        let _in_call = self.component.enter("destroy");
        // SAFETY: made by `create`, freed once; tables and workers hold this strategy, so they are gone.
        unsafe { destroy(self.instance) }
    }
}

/// A table: immutable, shared by all workers.
pub struct Table {
    strategy: Arc<ZlutStrategy>,
    table: *mut c_void,
    layout: ProfileLayout,
}

// SAFETY: a table is shared by all threads and never changed, says the interface.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// Where the plugin has it.
    pub(crate) fn address(&self) -> *const c_void {
        self.table.cast_const()
    }

    /// Takes the table apart, and checks that the parts fit together.
    pub fn save(&self) -> Result<SavedTable, PluginError> {
        let component = &self.strategy.component;
        let save = self.strategy.table.save.expect("checked at load");
        let (mut z, mut profiles, mut variance, mut bytes) =
            (Output::large(), Output::large(), Output::large(), Output::large());
        let sink = TableSink {
            z_nm: z.writer(),
            profiles: profiles.writer(),
            variance: variance.writer(),
            bytes: bytes.writer(),
            reserved: [0; 4],
        };
        // SAFETY: the table is alive; the sink's writers lead to outputs that are not moved meanwhile.
        component.call("save", |error| unsafe { save(self.table, &sink, error) })?;
        let numbers = |o: Output| -> Vec<f64> {
            o.into_bytes().as_chunks::<8>().0.iter().map(|c| f64::from_ne_bytes(*c)).collect()
        };
        let (z_nm, profiles, variance, bytes) = (numbers(z), numbers(profiles), numbers(variance), bytes.into_bytes());
        let saved = SavedTable {
            z_nm,
            profiles,
            variance: (!variance.is_empty()).then_some(variance),
            bytes: (!bytes.is_empty()).then_some(bytes),
        };
        saved.check_saved(&self.layout).map_err(|m| component.error("save", abi::STATUS_INTERNAL, m))?;
        Ok(saved)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let free = self.strategy.table.free_table.expect("checked at load");
        let _in_call = self.strategy.component.enter("free_table");
        // SAFETY: made by `build` or `load`, freed once.
        unsafe { free(self.table) }
    }
}

/// Memory of one caller of `lookup`, kept from batch to batch.
#[derive(Debug, Default)]
pub struct LookupBuffers {
    tables: Vec<*const c_void>,
    before: Vec<Fix>,
}

impl LookupBuffers {
    /// Remembers what the tracker gave.
    pub(crate) fn remember(&mut self, tracks: &TrackBuffers) {
        self.before.clear();
        self.before.extend_from_slice(&tracks.fixes);
    }

    /// Checks what a lookup made of it; what a failed one made of it is forgotten.
    pub(crate) fn settle(&self, tracks: &mut TrackBuffers, failed: bool, refines_xy: bool) {
        for (fix, before) in tracks.fixes.iter_mut().zip(&self.before) {
            if failed {
                *fix = Fix { flags: before.flags | abi::FLAG_PLUGIN_ERROR, ..*before };
            } else {
                check(fix, before, refines_xy);
            }
        }
    }
}

// SAFETY: the pointers are only used within one call of `lookup`, which fills them first.
unsafe impl Send for LookupBuffers {}

/// A worker: one caller at a time, moved between threads freely.
pub struct ZlutWorker {
    strategy: Arc<ZlutStrategy>,
    worker: *mut c_void,
    n_bins: usize,
    max_rois: usize,
}

// SAFETY: a worker may be moved between threads, says the interface.
unsafe impl Send for ZlutWorker {}

impl ZlutWorker {
    /// Looks a batch up: `tracks` holds the tracker's results and gets z. x and y stay as the tracker gave them, unless
    /// the strategy refines them. On an error z is NaN with [`abi::FLAG_PLUGIN_ERROR`], and x and y stay.
    pub fn lookup<'t>(
        &mut self,
        rois: &RoiSet<'_>,
        tables: impl Iterator<Item = &'t Table>,
        tracks: &mut TrackBuffers,
        scratch: &mut LookupBuffers,
    ) -> Result<(), PluginError> {
        scratch.remember(tracks);
        let (batch, lookup) = self.prepare(rois, tables, tracks, scratch);
        // SAFETY: batch and lookup describe memory that lives through the call; the tables are this strategy's (checked
        // in `prepare`).
        let done = unsafe { self.lookup_raw(&batch, &lookup) };
        scratch.settle(tracks, done.is_err(), self.strategy.refines_xy);
        done
    }

    /// The call alone: nothing is prepared or checked.
    ///
    /// # Safety
    /// Batch and lookup must describe memory that lives through the call, as large as the batch and the worker's bins
    /// need it; the tables must be this strategy's.
    pub(crate) unsafe fn lookup_raw(&mut self, batch: &Batch, lookup: &Lookup) -> Result<(), PluginError> {
        let call = self.strategy.table.lookup.expect("checked at load");
        // SAFETY: the worker is alive and ours alone; the caller promises the rest.
        self.strategy.component.call("lookup", |error| unsafe { call(self.worker, batch, lookup, error) })
    }

    /// How the result of a batch of one ROI came about.
    pub fn explain(
        &mut self,
        rois: &RoiSet<'_>,
        table: &Table,
        tracks: &mut TrackBuffers,
    ) -> Result<ArraySet, PluginError> {
        assert!(rois.len() == 1, "explain takes one ROI, not {}", rois.len());
        let mut scratch = LookupBuffers::default();
        let (batch, lookup) = self.prepare(rois, std::iter::once(table), tracks, &mut scratch);
        // SAFETY: batch and lookup describe memory that lives through the call; the table is this strategy's.
        unsafe { self.explain_raw(&batch, &lookup) }
    }

    /// The call alone: nothing is prepared.
    ///
    /// # Safety
    /// As for [`ZlutWorker::lookup_raw`].
    pub(crate) unsafe fn explain_raw(&mut self, batch: &Batch, lookup: &Lookup) -> Result<ArraySet, PluginError> {
        let component = &self.strategy.component;
        let Some(explain) = self.strategy.table.explain else {
            return Err(component.error("explain", abi::STATUS_UNSUPPORTED, "this strategy explains nothing".into()));
        };
        let mut set = ArraySet::default();
        let sink = set.sink();
        // SAFETY: the worker is alive and ours alone; the sink leads to `set`, which is not moved meanwhile; the caller
        // promises the rest.
        component.call("explain", |error| unsafe { explain(self.worker, batch, lookup, sink, error) })?;
        Ok(set)
    }

    fn prepare<'t>(
        &self,
        rois: &RoiSet<'_>,
        tables: impl Iterator<Item = &'t Table>,
        tracks: &mut TrackBuffers,
        scratch: &mut LookupBuffers,
    ) -> (Batch, Lookup) {
        let n = rois.len();
        assert!(n <= self.max_rois, "{n} ROIs for a worker made for {}", self.max_rois);
        assert!(tracks.fixes.len() == n, "{} tracks for {n} ROIs", tracks.fixes.len());
        assert!(tracks.n_bins == self.n_bins, "profiles of {} bins for a worker of {}", tracks.n_bins, self.n_bins);
        scratch.tables.clear();
        for t in tables {
            assert!(Arc::ptr_eq(&t.strategy, &self.strategy), "a table of another instance");
            scratch.tables.push(t.address());
        }
        assert!(scratch.tables.len() == n, "{} tables for {n} ROIs", scratch.tables.len());
        let mut batch = rois.to_abi();
        if !self.strategy.needs_pixels {
            (batch.base, batch.len_bytes) = (std::ptr::null(), 0);
        }
        let with_profiles = self.n_bins > 0;
        let lookup = Lookup {
            tables: scratch.tables.as_ptr(),
            fixes: tracks.fixes.as_mut_ptr(),
            profiles: if with_profiles { tracks.profiles.as_ptr() } else { std::ptr::null() },
            weights: if tracks.has_weights() { tracks.weights.as_ptr() } else { std::ptr::null() },
            n_bins: self.n_bins as u32,
            n_rois: batch.n_rois,
            reserved: [0; 2],
        };
        (batch, lookup)
    }
}

/// Keeps what the strategy may change, and flags what should be finite and is not.
fn check(fix: &mut Fix, before: &Fix, refines_xy: bool) {
    fix.flags |= before.flags;
    fix.reserved = 0;
    if !refines_xy {
        (fix.x_px, fix.y_px) = (before.x_px, before.y_px);
        (fix.sigma_x_px, fix.sigma_y_px) = (before.sigma_x_px, before.sigma_y_px);
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
    if (fix.x_px.is_nan() || fix.y_px.is_nan() || fix.z_nm.is_nan()) && fix.flags == 0 {
        fix.flags |= abi::FLAG_NON_FINITE;
    }
}

impl Drop for ZlutWorker {
    fn drop(&mut self) {
        let free = self.strategy.table.free_worker.expect("checked at load");
        let _in_call = self.strategy.component.enter("free_worker");
        // SAFETY: made by `worker`, freed once.
        unsafe { free(self.worker) }
    }
}
