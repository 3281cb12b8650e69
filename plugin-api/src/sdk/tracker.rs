//! The tracker's trait, and the function table made from it.

use super::batch::RoiBatch;
use super::error::{Error, Result};
use super::export::LibraryBox;
use super::guard::{NamedArrays, guard, guard_value};
use super::params::ParamValues;
use super::schema::Descriptor;
use crate::abi::{self, ArraySink, Batch, Fix, ProfileLayout, Status, TrackOutput, TrackerTable, WorkerConfig, Writer};
use std::ffi::c_void;

/// A tracking method: an immutable set of parameters that makes workers.
pub trait Tracker: Send + Sync + Sized + 'static {
    /// What does the work.
    type Worker: TrackerWorker;

    /// Identity and schema. Called at load, seldom, by any thread; the same each time.
    fn descriptor() -> Descriptor;

    /// An instance from parameters that are already checked against the schema. Called off the live path.
    fn create(params: &ParamValues) -> Result<Self>;

    /// A worker for ROIs of one shape, and the layout of its profiles (`n_bins` 0 without). Takes all memory that
    /// `track` will need. Called off the live path, by any thread.
    fn worker(&self, config: &WorkerConfig) -> Result<(Self::Worker, ProfileLayout)>;
}

/// Scratch memory and plans of one caller. Moved between threads, never called twice at once.
pub trait TrackerWorker: Send + 'static {
    /// Tracks each ROI of `batch` into the row of the same index. Called on the live path, for every batch: no
    /// allocating, locking, waiting or printing. A bad ROI is NaN and a flag in its row; an error spoils the batch.
    fn track(&mut self, batch: &RoiBatch<'_>, rows: &mut TrackRows<'_>) -> Result<()>;

    /// Shows how the result of the one ROI in `batch` came about. Called off the live path.
    fn explain(&mut self, batch: &RoiBatch<'_>, arrays: &mut NamedArrays<'_>) -> Result<()> {
        let _ = (batch, arrays);
        Err(Error::unsupported("this tracker explains nothing"))
    }
}

/// The rows of a batch, all NaN and without flags at first.
pub struct TrackRows<'a> {
    fixes: &'a mut [Fix],
    profiles: &'a mut [f64],
    weights: &'a mut [f32],
    n_bins: usize,
}

/// One ROI's row.
pub struct TrackRow<'a> {
    /// Position, errors, quality, flags.
    pub fix: &'a mut Fix,
    /// `[n_bins]`; empty when nobody wants profiles.
    pub profile: &'a mut [f64],
    /// `[n_bins]`, pixels per bin; empty when nobody wants them.
    pub weights: &'a mut [f32],
}

impl<'a> TrackRows<'a> {
    /// Rows over memory of one's own: for a plugin's tests and for linking a method statically. Profiles and weights are
    /// `[rows × n_bins]` or empty.
    pub fn new(fixes: &'a mut [Fix], profiles: &'a mut [f64], weights: &'a mut [f32], n_bins: usize) -> Self {
        let n = fixes.len() * n_bins;
        assert!(profiles.is_empty() || profiles.len() == n, "{} profile values for {n}", profiles.len());
        assert!(weights.is_empty() || weights.len() == n, "{} weights for {n}", weights.len());
        Self { fixes, profiles, weights, n_bins }
    }

    /// # Safety
    /// The memory must be the caller's, as large as `output` says.
    unsafe fn from_abi(output: &'a TrackOutput) -> Result<Self> {
        let (n, n_bins) = (output.n_rois as usize, output.n_bins as usize);
        if n > 0 && output.fixes.is_null() {
            return Err(Error::invalid("no memory for the results"));
        }
        // SAFETY: the caller promises it; lengths are the announced ones.
        unsafe {
            Ok(Self {
                fixes: super::export::slice_mut(output.fixes, n),
                profiles: super::export::slice_mut(output.profiles, n * n_bins),
                weights: super::export::slice_mut(output.weights, n * n_bins),
                n_bins,
            })
        }
    }

    /// Number of rows.
    #[inline]
    pub fn len(&self) -> usize {
        self.fixes.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.fixes.is_empty()
    }

    /// Row `i`. Panics if there is none.
    #[inline]
    pub fn row(&mut self, i: usize) -> TrackRow<'_> {
        let bins = i * self.n_bins..(i + 1) * self.n_bins;
        TrackRow {
            fix: &mut self.fixes[i],
            profile: self.profiles.get_mut(bins.clone()).unwrap_or_default(),
            weights: self.weights.get_mut(bins).unwrap_or_default(),
        }
    }
}

/// The function table of `T`.
pub(crate) struct TrackerGlue<T>(std::marker::PhantomData<T>);

impl<T: Tracker> TrackerGlue<T> {
    pub(crate) const TABLE: TrackerTable = TrackerTable {
        struct_size: size_of::<TrackerTable>() as u32,
        reserved: 0,
        create: Some(Self::create),
        destroy: Some(Self::destroy),
        worker: Some(Self::worker),
        free_worker: Some(Self::free_worker),
        track: Some(Self::track),
        explain: Some(Self::explain),
    };

    unsafe extern "C" fn create(
        _context: *mut c_void,
        params: abi::Params,
        instance: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the host passes readable parameters and a valid place for the instance.
            unsafe {
                let values = ParamValues::from_abi(params, &T::descriptor().parameters, true)?;
                *instance = Box::into_raw(Box::new(T::create(&values)?)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn destroy(instance: *mut c_void) {
        // SAFETY: made by `create` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(instance.cast::<T>()) }));
    }

    unsafe extern "C" fn worker(
        instance: *mut c_void,
        config: *const WorkerConfig,
        worker: *mut *mut c_void,
        layout: *mut ProfileLayout,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the instance was made by `create`; the other pointers are the host's and valid.
            unsafe {
                let (made, profile) = (*instance.cast::<T>()).worker(&*config)?;
                *layout = profile;
                *worker = Box::into_raw(Box::new(made)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn free_worker(worker: *mut c_void) {
        // SAFETY: made by `worker` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(worker.cast::<T::Worker>()) }));
    }

    unsafe extern "C" fn track(
        worker: *mut c_void,
        batch: *const Batch,
        output: *const TrackOutput,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the worker was made by `worker` and has no other caller; batch and output are the host's, valid
            // for this call, and output does not overlap the pixels.
            unsafe {
                let batch = RoiBatch::new(&*batch);
                let mut rows = TrackRows::from_abi(&*output)?;
                if rows.len() != batch.len() {
                    return Err(Error::invalid(format!("{} rows for {} ROIs", rows.len(), batch.len())));
                }
                (*worker.cast::<T::Worker>()).track(&batch, &mut rows)
            }
        })
    }

    unsafe extern "C" fn explain(worker: *mut c_void, batch: *const Batch, arrays: ArraySink, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: as in `track`.
            unsafe { (*worker.cast::<T::Worker>()).explain(&RoiBatch::new(&*batch), &mut NamedArrays::new(arrays)) }
        })
    }
}

/// The host handle of a library context, whatever its own type.
///
/// # Safety
/// `context` must come from this library's `open`.
pub(crate) unsafe fn host_of(context: *mut c_void) -> super::HostHandle {
    // SAFETY: `LibraryBox` is repr(C) and begins with the handle, for every context type.
    unsafe { (*context.cast::<LibraryBox<()>>()).host }
}
