//! The Z-LUT strategy's trait, the views it reads, and the function table made from it.

use super::batch::RoiBatch;
use super::error::{Error, Result};
use super::export::{slice, slice_mut};
use super::guard::{NamedArrays, guard, guard_value, text, write_all, write_numbers};
use super::host::HostHandle;
use super::params::ParamValues;
use super::schema::Descriptor;
use super::tracker::host_of;
use crate::abi::{
    self, ArraySink, Batch, Fix, Lookup, ProfileLayout, Status, Sweep, TableParts, TableSink, WorkerConfig, Writer,
    ZlutStrategyTable,
};
use std::ffi::c_void;

/// A way from profiles (or pixels) to z: an immutable set of parameters that makes tables and workers.
pub trait ZlutStrategy: Send + Sync + Sized + 'static {
    /// What is looked up in: immutable, shared by all workers.
    type Table: Send + Sync + 'static;
    /// What does the work.
    type Worker: ZlutWorker<Table = Self::Table>;

    /// Identity and schema. Called at load, seldom, by any thread; the same each time.
    fn descriptor() -> Descriptor;

    /// An instance from parameters that are already checked against the schema. Called off the live path.
    fn create(params: &ParamValues) -> Result<Self>;

    /// One table from a sweep of one bead, or of several that are averaged. Called off the live path; may take
    /// minutes, may use `host.parallel_for`, asks `host.cancelled` now and then.
    fn build(&self, sweep: &SweepView<'_>, host: &HostHandle) -> Result<Self::Table>;

    /// A table from its saved parts. Cut or altered bytes give an error, never a panic. Called off the live path.
    fn load(&self, parts: &SavedTableView<'_>) -> Result<Self::Table>;

    /// The parts that `load` needs. Called off the live path.
    fn save(table: &Self::Table) -> Result<SavedTable>;

    /// A worker for ROIs and profiles of one shape. Called off the live path, by any thread.
    fn worker(&self, config: &WorkerConfig, layout: &ProfileLayout) -> Result<Self::Worker>;
}

/// Scratch memory of one caller. Moved between threads, never called twice at once.
pub trait ZlutWorker: Send + 'static {
    /// The strategy's table.
    type Table;

    /// Fills z, sigma_z and flags of each row (x and y too if the strategy says `refines_xy`). Called on the live path,
    /// for every batch, under the rules of a tracker's `track`. `batch` has pixels only if the strategy says
    /// `needs_pixels`. Rows whose x or y is NaN come too and stay NaN.
    fn lookup(&mut self, batch: &RoiBatch<'_>, rows: &mut LookupRows<'_, Self::Table>) -> Result<()>;

    /// Shows how the result of the one ROI in `batch` came about. Called off the live path.
    fn explain(
        &mut self,
        batch: &RoiBatch<'_>,
        rows: &mut LookupRows<'_, Self::Table>,
        arrays: &mut NamedArrays<'_>,
    ) -> Result<()> {
        let _ = (batch, rows, arrays);
        Err(Error::unsupported("this strategy explains nothing"))
    }
}

/// A recorded sweep: entry i of every field is one ROI of one frame. Equal focus values are one plane.
pub struct SweepView<'a> {
    /// Pixels, bead ids, frame indices.
    pub batch: RoiBatch<'a>,
    /// Focus in nm.
    pub focus_nm: &'a [f64],
    /// The tracker's results.
    pub fixes: &'a [Fix],
    /// `[entries × n_bins]`; empty without profiles.
    pub profiles: &'a [f64],
    /// `[entries × n_bins]`, pixels per bin; empty without.
    pub weights: &'a [f32],
    /// Geometry of the profiles.
    pub layout: ProfileLayout,
    /// Shape of the ROIs and noise of the camera.
    pub config: WorkerConfig,
    /// Id of the tracker.
    pub tracker_id: String,
    /// Version of the tracker.
    pub tracker_version: String,
    /// Parameters of the tracker, all of its schema.
    pub tracker_params: ParamValues,
}

impl<'a> SweepView<'a> {
    /// # Safety
    /// `raw` must describe readable memory.
    unsafe fn from_abi(raw: &'a Sweep) -> Result<Self> {
        let n = raw.batch.n_rois as usize;
        let n_bins = raw.layout.n_bins as usize;
        // SAFETY: the caller promises it; lengths are the announced ones.
        unsafe {
            Ok(Self {
                batch: RoiBatch::new(&raw.batch),
                focus_nm: slice(raw.focus_nm, n),
                fixes: slice(raw.fixes, n),
                profiles: slice(raw.profiles, n * n_bins),
                weights: slice(raw.weights, n * n_bins),
                layout: raw.layout,
                config: raw.config,
                tracker_id: text(raw.tracker_id),
                tracker_version: text(raw.tracker_version),
                tracker_params: ParamValues::from_abi_unchecked(raw.tracker_params)?,
            })
        }
    }

    /// The profile of entry `i`; empty without profiles.
    pub fn profile(&self, i: usize) -> &'a [f64] {
        let n = self.layout.n_bins as usize;
        self.profiles.get(i * n..(i + 1) * n).unwrap_or_default()
    }

    /// The planes, rising in focus: each focus value and the entries that have it.
    pub fn planes(&self) -> Vec<(f64, Vec<usize>)> {
        let mut order: Vec<usize> = (0..self.focus_nm.len()).collect();
        order.sort_by(|&a, &b| self.focus_nm[a].total_cmp(&self.focus_nm[b]).then(a.cmp(&b)));
        let mut planes: Vec<(f64, Vec<usize>)> = Vec::new();
        for i in order {
            match planes.last_mut() {
                Some((z, entries)) if *z == self.focus_nm[i] => entries.push(i),
                _ => planes.push((self.focus_nm[i], vec![i])),
            }
        }
        planes
    }
}

/// The parts of a table, as `save` gives them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SavedTable {
    /// `[n_planes]`: focus in nm.
    pub z_nm: Vec<f64>,
    /// `[n_planes × n_bins]`, plane by plane.
    pub profiles: Vec<f64>,
    /// `[n_planes × n_bins]`: variance of `profiles`; empty without.
    pub variance: Vec<f64>,
    /// The strategy's own; little-endian, versioned, equal on every CPU; empty without.
    pub bytes: Vec<u8>,
}

/// The parts of a table, as `load` gets them.
pub struct SavedTableView<'a> {
    /// `[n_planes]`: focus in nm.
    pub z_nm: &'a [f64],
    /// `[n_planes × n_bins]`, plane by plane.
    pub profiles: &'a [f64],
    /// `[n_planes × n_bins]`: variance of `profiles`; None without.
    pub variance: Option<&'a [f64]>,
    /// The strategy's own; None without.
    pub bytes: Option<&'a [u8]>,
    /// Geometry of the profiles.
    pub layout: ProfileLayout,
    /// Shape of the ROIs and noise of the camera when the sweep was recorded.
    pub config: WorkerConfig,
}

impl<'a> SavedTableView<'a> {
    /// # Safety
    /// `raw` must describe readable memory.
    unsafe fn from_abi(raw: &'a TableParts) -> Self {
        let n = raw.n_planes as usize;
        let n_values = n * raw.layout.n_bins as usize;
        // SAFETY: the caller promises it; lengths are the announced ones.
        unsafe {
            Self {
                z_nm: slice(raw.z_nm, n),
                profiles: slice(raw.profiles, n_values),
                variance: (!raw.variance.is_null()).then(|| slice(raw.variance, n_values)),
                bytes: (!raw.bytes.is_null()).then(|| slice(raw.bytes, raw.len_bytes as usize)),
                layout: raw.layout,
                config: raw.config,
            }
        }
    }
}

/// The rows of a lookup.
pub struct LookupRows<'a, T> {
    tables: &'a [*const T],
    fixes: &'a mut [Fix],
    profiles: &'a [f64],
    weights: &'a [f32],
    n_bins: usize,
}

/// One ROI's row.
pub struct LookupRow<'a, T> {
    /// The bead's table.
    pub table: &'a T,
    /// In: the tracker's result. Out: with z.
    pub fix: &'a mut Fix,
    /// `[n_bins]`; empty without profiles.
    pub profile: &'a [f64],
    /// `[n_bins]`, pixels per bin; empty without.
    pub weights: &'a [f32],
}

impl<'a, T> LookupRows<'a, T> {
    /// Rows over memory of one's own: for a plugin's tests and for linking a method statically. One table per row;
    /// profiles and weights are `[rows × n_bins]` or empty.
    pub fn new(
        tables: &'a [&'a T],
        fixes: &'a mut [Fix],
        profiles: &'a [f64],
        weights: &'a [f32],
        n_bins: usize,
    ) -> Self {
        let n = fixes.len() * n_bins;
        assert!(tables.len() == fixes.len(), "{} tables for {} rows", tables.len(), fixes.len());
        assert!(profiles.is_empty() || profiles.len() == n, "{} profile values for {n}", profiles.len());
        assert!(weights.is_empty() || weights.len() == n, "{} weights for {n}", weights.len());
        // SAFETY: a reference has the layout of a pointer, and the tables live as long as the rows.
        let tables = unsafe { slice(tables.as_ptr().cast::<*const T>(), tables.len()) };
        Self { tables, fixes, profiles, weights, n_bins }
    }

    /// # Safety
    /// The memory must be as `raw` says, the tables of type `T`, the fixes the caller's alone.
    unsafe fn from_abi(raw: &'a Lookup) -> Self {
        let (n, n_bins) = (raw.n_rois as usize, raw.n_bins as usize);
        // SAFETY: the caller promises it; lengths are the announced ones.
        unsafe {
            Self {
                tables: slice(raw.tables.cast::<*const T>(), n),
                fixes: slice_mut(raw.fixes, n),
                profiles: slice(raw.profiles, n * n_bins),
                weights: slice(raw.weights, n * n_bins),
                n_bins,
            }
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.fixes.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.fixes.is_empty()
    }

    /// Row `i`. Panics if there is none.
    #[inline]
    pub fn row(&mut self, i: usize) -> LookupRow<'_, T> {
        let bins = i * self.n_bins..(i + 1) * self.n_bins;
        let table = self.tables[i];
        assert!(!table.is_null(), "ROI {i} has no table");
        LookupRow {
            // SAFETY: the host gives valid tables of this strategy, shared and never written.
            table: unsafe { &*table },
            fix: &mut self.fixes[i],
            profile: self.profiles.get(bins.clone()).unwrap_or_default(),
            weights: self.weights.get(bins).unwrap_or_default(),
        }
    }
}

/// What `create` gives to the host: the strategy, and the host that `build` may ask.
struct Instance<T> {
    strategy: T,
    host: HostHandle,
}

/// The function table of `T`.
pub(crate) struct ZlutGlue<T>(std::marker::PhantomData<T>);

impl<T: ZlutStrategy> ZlutGlue<T> {
    pub(crate) const TABLE: ZlutStrategyTable = ZlutStrategyTable {
        struct_size: size_of::<ZlutStrategyTable>() as u32,
        reserved: 0,
        create: Some(Self::create),
        destroy: Some(Self::destroy),
        build: Some(Self::build),
        load: Some(Self::load),
        save: Some(Self::save),
        free_table: Some(Self::free_table),
        worker: Some(Self::worker),
        free_worker: Some(Self::free_worker),
        lookup: Some(Self::lookup),
        explain: Some(Self::explain),
    };

    unsafe extern "C" fn create(
        context: *mut c_void,
        params: abi::Params,
        instance: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the context is this library's; the host passes readable parameters and a valid place.
            unsafe {
                let values = ParamValues::from_abi(params, &T::descriptor().parameters, true)?;
                let made = Instance { strategy: T::create(&values)?, host: host_of(context) };
                *instance = Box::into_raw(Box::new(made)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn destroy(instance: *mut c_void) {
        // SAFETY: made by `create` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(instance.cast::<Instance<T>>()) }));
    }

    unsafe extern "C" fn build(
        instance: *mut c_void,
        sweep: *const Sweep,
        table: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the instance was made by `create`; sweep and table are the host's and valid.
            unsafe {
                let instance = &*instance.cast::<Instance<T>>();
                let made = instance.strategy.build(&SweepView::from_abi(&*sweep)?, &instance.host)?;
                *table = Box::into_raw(Box::new(made)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn load(
        instance: *mut c_void,
        parts: *const TableParts,
        table: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: as in `build`.
            unsafe {
                let instance = &*instance.cast::<Instance<T>>();
                let made = instance.strategy.load(&SavedTableView::from_abi(&*parts))?;
                *table = Box::into_raw(Box::new(made)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn save(table: *const c_void, sink: *const TableSink, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the table was made by `build` or `load`; the sink is the host's and valid.
            let (saved, sink) = unsafe { (T::save(&*table.cast::<T::Table>())?, &*sink) };
            write_numbers(sink.z_nm, &saved.z_nm)?;
            write_numbers(sink.profiles, &saved.profiles)?;
            write_numbers(sink.variance, &saved.variance)?;
            write_all(sink.bytes, &saved.bytes)
        })
    }

    unsafe extern "C" fn free_table(table: *mut c_void) {
        // SAFETY: made by `build` or `load` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(table.cast::<T::Table>()) }));
    }

    unsafe extern "C" fn worker(
        instance: *mut c_void,
        config: *const WorkerConfig,
        layout: *const ProfileLayout,
        worker: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the instance was made by `create`; the other pointers are the host's and valid.
            unsafe {
                let made = (*instance.cast::<Instance<T>>()).strategy.worker(&*config, &*layout)?;
                *worker = Box::into_raw(Box::new(made)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn free_worker(worker: *mut c_void) {
        // SAFETY: made by `worker` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(worker.cast::<T::Worker>()) }));
    }

    unsafe extern "C" fn lookup(
        worker: *mut c_void,
        batch: *const Batch,
        lookup: *const Lookup,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the worker was made by `worker` and has no other caller; batch and lookup are the host's, valid
            // for this call; the tables are this strategy's.
            unsafe {
                let batch = RoiBatch::new(&*batch);
                let mut rows = LookupRows::from_abi(&*lookup);
                if rows.len() != batch.len() {
                    return Err(Error::invalid(format!("{} rows for {} ROIs", rows.len(), batch.len())));
                }
                (*worker.cast::<T::Worker>()).lookup(&batch, &mut rows)
            }
        })
    }

    unsafe extern "C" fn explain(
        worker: *mut c_void,
        batch: *const Batch,
        lookup: *const Lookup,
        arrays: ArraySink,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: as in `lookup`.
            unsafe {
                let mut rows = LookupRows::from_abi(&*lookup);
                (*worker.cast::<T::Worker>()).explain(&RoiBatch::new(&*batch), &mut rows, &mut NamedArrays::new(arrays))
            }
        })
    }
}
