//! Trackers: from ROIs to positions and radial profiles.

use super::basic::{ArraySink, Params, Status, Writer};
use super::frame::{Batch, WorkerConfig};
use core::ffi::c_void;

/// Something the method needs lies outside the ROI or the frame.
pub const FLAG_AT_BORDER: u32 = 1 << 0;
/// Saturated pixels took part.
pub const FLAG_SATURATED: u32 = 1 << 1;
/// Nothing to track: a constant or empty ROI.
pub const FLAG_NO_SIGNAL: u32 = 1 << 2;
/// The iteration did not settle.
pub const FLAG_NOT_CONVERGED: u32 = 1 << 3;
/// The profile matches no plane inside the Z-LUT's range.
pub const FLAG_OUTSIDE_ZLUT: u32 = 1 << 4;
/// Too little contrast for a trustworthy result.
pub const FLAG_LOW_CONTRAST: u32 = 1 << 5;
/// Another bead disturbs.
pub const FLAG_NEIGHBOUR: u32 = 1 << 6;
/// A number that should be finite is not. The host adds it to rows that a plugin left NaN without a flag.
pub const FLAG_NON_FINITE: u32 = 1 << 7;
/// The result came too late to be used. Set by the host.
pub const FLAG_DEADLINE: u32 = 1 << 8;
/// The plugin's call failed; the row holds no result. Set by the host.
pub const FLAG_PLUGIN_ERROR: u32 = 1 << 9;
/// The plugin returned without writing this row. Set by the host.
pub const FLAG_NOT_WRITTEN: u32 = 1 << 10;
/// The first of the eight highest bits, which a method may use for itself and explains in its documentation.
pub const FLAG_METHOD_FIRST: u32 = 1 << 24;

/// One ROI's result. The host fills every field with NaN and every flag with 0 before the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Fix {
    /// Column of the bead's centre in the ROI; 0 is the middle of the ROI's left-most pixel.
    pub x_px: f64,
    /// Row of the bead's centre in the ROI; 0 is the middle of the ROI's top pixel.
    pub y_px: f64,
    /// Focus position of the sweep at which the bead looks the same; NaN from a tracker.
    pub z_nm: f64,
    /// Standard error of x; NaN where the method cannot tell.
    pub sigma_x_px: f32,
    /// Standard error of y; NaN where the method cannot tell.
    pub sigma_y_px: f32,
    /// Standard error of z; NaN where the method cannot tell.
    pub sigma_z_nm: f32,
    /// 0 to 1, 1 is best; NaN unknown.
    pub quality: f32,
    /// `FLAG_*` bits.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

/// The method makes no profile.
pub const PROFILE_NONE: u32 = 0;
/// Mean pixel value over rings round the bead's centre.
pub const PROFILE_RADIAL: u32 = 1;
/// Mean magnitude of the Fourier transform over rings round frequency zero.
pub const PROFILE_FFT: u32 = 2;
/// A profile that only this tracker and strategies that know it understand.
pub const PROFILE_OWN: u32 = 3;

/// Geometry of the profiles of one worker.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct ProfileLayout {
    /// Bins of a profile; 0 without profiles.
    pub n_bins: u32,
    /// One of the `PROFILE_*` kinds.
    pub kind: u32,
    /// Radius of the middle of bin 0 (radial: px; fft: 1/ROI width).
    pub first_radius_px: f64,
    /// From one bin's middle to the next.
    pub step_px: f64,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Where a batch's results go. All memory is the host's.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct TrackOutput {
    /// One per ROI. Never null when the batch has ROIs.
    pub fixes: *mut Fix,
    /// `[n_rois × n_bins]`, row by row; NaN is an empty bin. Null: nobody wants them.
    pub profiles: *mut f64,
    /// `[n_rois × n_bins]`: pixels per bin. Null: nobody wants them.
    pub weights: *mut f32,
    /// Bins per row, as the worker announced.
    pub n_bins: u32,
    /// ROIs, as in the batch.
    pub n_rois: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// A tracker's functions. Grows at its end.
///
/// Threads: `create`, `worker` and the freeing functions are called off the live path, by any thread. An instance is
/// shared and never changed. A worker has one caller at a time. `track` runs on the live path: it must not allocate,
/// lock, wait or print. No result may depend on an earlier batch, on the order of the ROIs or on their number.
#[repr(C)]
pub struct TrackerTable {
    /// Size of this struct in bytes, as the library knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes an instance from parameters. `context` is the library's.
    pub create: Option<
        unsafe extern "C" fn(context: *mut c_void, params: Params, instance: *mut *mut c_void, error: Writer) -> Status,
    >,
    /// Frees an instance; all its workers were freed before.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Makes a worker and tells the layout of its profiles. All memory that `track` will need is taken here.
    pub worker: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            config: *const WorkerConfig,
            worker: *mut *mut c_void,
            layout: *mut ProfileLayout,
            error: Writer,
        ) -> Status,
    >,
    /// Frees a worker.
    pub free_worker: Option<unsafe extern "C" fn(worker: *mut c_void)>,
    /// Tracks a batch. Anything but [`super::STATUS_OK`] spoils the whole batch; a bad ROI is NaN and a flag in its own
    /// row, never a failed call.
    pub track: Option<
        unsafe extern "C" fn(
            worker: *mut c_void,
            batch: *const Batch,
            output: *const TrackOutput,
            error: Writer,
        ) -> Status,
    >,
    /// Shows how the result of a batch of one ROI came about (profile, residual, steps). May be null. Off the live path.
    pub explain: Option<
        unsafe extern "C" fn(worker: *mut c_void, batch: *const Batch, arrays: ArraySink, error: Writer) -> Status,
    >,
}

// SAFETY: a table is a constant of function pointers.
unsafe impl Sync for TrackerTable {}
