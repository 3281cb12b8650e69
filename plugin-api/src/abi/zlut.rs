//! Z-LUT strategies: from a sweep to a table, from a profile (or pixels) and a table to z.

use super::basic::{ArraySink, Params, Status, Str, Writer};
use super::frame::{Batch, WorkerConfig};
use super::tracker::{Fix, ProfileLayout};
use core::ffi::c_void;

/// A recorded sweep, frame by frame: entry i is one ROI of one frame. Equal focus values are one plane.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Sweep {
    /// The pixels, with bead ids and frame indices.
    pub batch: Batch,
    /// Per entry: focus position in nm.
    pub focus_nm: *const f64,
    /// Per entry: the tracker's result.
    pub fixes: *const Fix,
    /// `[n_rois × n_bins]`: the tracker's profiles; null without.
    pub profiles: *const f64,
    /// `[n_rois × n_bins]`: pixels per bin; null without.
    pub weights: *const f32,
    /// Geometry of the profiles.
    pub layout: ProfileLayout,
    /// Shape of the ROIs and noise of the camera.
    pub config: WorkerConfig,
    /// Id of the tracker.
    pub tracker_id: Str,
    /// Version of the tracker.
    pub tracker_version: Str,
    /// Parameters of the tracker.
    pub tracker_params: Params,
    /// Zero.
    pub reserved: [u64; 4],
}

/// A saved table, in parts. A strategy that needs `bytes` which are missing refuses and says so.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct TableParts {
    /// `[n_planes]`: focus in nm.
    pub z_nm: *const f64,
    /// `[n_planes × n_bins]`, plane by plane.
    pub profiles: *const f64,
    /// `[n_planes × n_bins]`: variance of `profiles`; null without.
    pub variance: *const f64,
    /// What the strategy itself wrote; null without.
    pub bytes: *const u8,
    /// Number of `bytes`.
    pub len_bytes: u64,
    /// Number of planes.
    pub n_planes: u32,
    /// Zero.
    pub reserved0: u32,
    /// Geometry of the profiles.
    pub layout: ProfileLayout,
    /// Shape of the ROIs and noise of the camera when the sweep was recorded.
    pub config: WorkerConfig,
    /// Zero.
    pub reserved: [u64; 4],
}

/// Takes a table apart: the same parts that `load` gets. Numbers are written as native-endian f64.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct TableSink {
    /// `[n_planes]` f64.
    pub z_nm: Writer,
    /// `[n_planes × n_bins]` f64.
    pub profiles: Writer,
    /// `[n_planes × n_bins]` f64, or nothing.
    pub variance: Writer,
    /// Little-endian, versioned by the strategy, equal on every CPU; or nothing.
    pub bytes: Writer,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What `lookup` works on: one entry per ROI of its batch.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Lookup {
    /// Per ROI: its table. Never null inside.
    pub tables: *const *const c_void,
    /// Per ROI: in, the tracker's result; out, z, sigma_z and flags (x and y too if the strategy `refines_xy`).
    pub fixes: *mut Fix,
    /// `[n_rois × n_bins]`: the tracker's profiles; null without.
    pub profiles: *const f64,
    /// `[n_rois × n_bins]`: pixels per bin; null without.
    pub weights: *const f32,
    /// Bins per row.
    pub n_bins: u32,
    /// ROIs, as in the batch.
    pub n_rois: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// A Z-LUT strategy's functions. Grows at its end.
///
/// Three objects: an *instance* (parameters), *tables* (immutable, shared by all workers, made by `build` or `load`)
/// and *workers* (scratch, one caller at a time). `lookup` runs on the live path under the rules of `track`; the rest
/// runs off it. `build` may use the host's `parallel_for` and should ask `cancelled` now and then.
#[repr(C)]
pub struct ZlutStrategyTable {
    /// Size of this struct in bytes, as the library knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes an instance from parameters. `context` is the library's.
    pub create: Option<
        unsafe extern "C" fn(context: *mut c_void, params: Params, instance: *mut *mut c_void, error: Writer) -> Status,
    >,
    /// Frees an instance; its tables and workers were freed before.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Makes one table from a sweep (of one bead, or of several that are averaged).
    pub build: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            sweep: *const Sweep,
            table: *mut *mut c_void,
            error: Writer,
        ) -> Status,
    >,
    /// Makes a table from its saved parts. Cut or altered bytes give an error, never a crash.
    pub load: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            parts: *const TableParts,
            table: *mut *mut c_void,
            error: Writer,
        ) -> Status,
    >,
    /// Takes a table apart into the parts that `load` accepts.
    pub save: Option<unsafe extern "C" fn(table: *const c_void, sink: *const TableSink, error: Writer) -> Status>,
    /// Frees a table.
    pub free_table: Option<unsafe extern "C" fn(table: *mut c_void)>,
    /// Makes a worker for ROIs and profiles of one shape.
    pub worker: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            config: *const WorkerConfig,
            layout: *const ProfileLayout,
            worker: *mut *mut c_void,
            error: Writer,
        ) -> Status,
    >,
    /// Frees a worker.
    pub free_worker: Option<unsafe extern "C" fn(worker: *mut c_void)>,
    /// Looks a batch up. The batch has pixels only if the strategy `needs_pixels`.
    pub lookup: Option<
        unsafe extern "C" fn(worker: *mut c_void, batch: *const Batch, lookup: *const Lookup, error: Writer) -> Status,
    >,
    /// Shows how the result of a batch of one ROI came about. May be null. Off the live path.
    pub explain: Option<
        unsafe extern "C" fn(
            worker: *mut c_void,
            batch: *const Batch,
            lookup: *const Lookup,
            arrays: ArraySink,
            error: Writer,
        ) -> Status,
    >,
}

// SAFETY: a table is a constant of function pointers.
unsafe impl Sync for ZlutStrategyTable {}
