//! Camera drivers: enumerate, open, set, start into the host's slots, poll, stop.

use super::basic::{Params, Status, Str, Writer};
use core::ffi::c_void;

/// [`CameraFormat::time_instant`]: nobody knows.
pub const TIME_UNKNOWN: u32 = 0;
/// [`CameraFormat::time_instant`]: the exposure's start.
pub const TIME_EXPOSURE_START: u32 = 1;
/// [`CameraFormat::time_instant`]: the exposure's end.
pub const TIME_EXPOSURE_END: u32 = 2;
/// [`CameraFormat::time_instant`]: the start of the read-out.
pub const TIME_READOUT: u32 = 3;

/// [`CameraFormat::flags`]: values lie in the high bits of their 16.
pub const FORMAT_MSB_ALIGNED: u32 = 1 << 0;
/// [`CameraFormat::flags`]: the source ends by itself, after `n_frames` frames if that is known.
pub const FORMAT_FINITE: u32 = 1 << 1;

/// [`FrameInfo::device_frame_id`] of a source without ids.
pub const NO_DEVICE_FRAME_ID: u64 = u64::MAX;
/// [`FrameInfo::device_time_ticks`] of a frame without a time.
pub const NO_DEVICE_TIME: i64 = i64::MIN;

/// [`FrameInfo::status`]: parts of the image are missing.
pub const FRAME_INCOMPLETE: u32 = 1 << 0;
/// [`FrameInfo::status`]: the device says that the image is damaged.
pub const FRAME_CORRUPT: u32 = 1 << 1;

/// Reason for `lost`: the device's ids say that frames are missing.
pub const LOST_CAMERA_GAP: u32 = 1;
/// Reason for `lost`: a frame came and no slot was free.
pub const LOST_UNDERRUN: u32 = 2;
/// Reason for `lost`: a frame came in parts and was thrown away.
pub const LOST_INCOMPLETE: u32 = 3;

/// Reason for `ended`: a finite source gave its last frame.
pub const ENDED_END_OF_DATA: u32 = 1;
/// Reason for `ended`: the device is gone.
pub const ENDED_DISCONNECTED: u32 = 2;
/// Reason for `ended`: something failed; the text says what.
pub const ENDED_ERROR: u32 = 3;

/// What a camera will deliver with its present settings.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct CameraFormat {
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
    /// PFNC code.
    pub pixel_format: u32,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Bytes from one row to the next.
    pub row_stride_bytes: u64,
    /// Bytes that a slot must hold; at least the image.
    pub payload_bytes: u64,
    /// Bytes from the slot's start to the image.
    pub image_offset_bytes: u64,
    /// Alignment that the driver needs of a slot; a power of two.
    pub alignment_bytes: u64,
    /// Slots that the driver would like to hold at once.
    pub slots_wanted: u32,
    /// One of the `TIME_*` values: which instant the device time names.
    pub time_instant: u32,
    /// Nanoseconds per tick of the device's clock; 0 without a clock.
    pub ns_per_tick: f64,
    /// Bits of the device's frame id, after which it wraps; 0 without ids.
    pub device_id_bits: u32,
    /// `FORMAT_*` bits.
    pub flags: u32,
    /// Values (f64) of all channels of one frame together.
    pub n_channel_values: u32,
    /// Zero.
    pub reserved0: u32,
    /// Frames that a finite source has; 0 unknown or endless.
    pub n_frames: u64,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What comes with each frame.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct FrameInfo {
    /// The device's id, as it came (it may wrap); [`NO_DEVICE_FRAME_ID`] without.
    pub device_frame_id: u64,
    /// The device's time in ticks; [`NO_DEVICE_TIME`] without.
    pub device_time_ticks: i64,
    /// Exposure in ns; -1 unknown.
    pub exposure_ns: i64,
    /// `FRAME_*` bits; 0 is a whole frame.
    pub status: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// Where a camera puts its frames. The host's; grows at its end. Every function may be called from any thread,
/// between `start` and the return of `stop`, never after.
#[repr(C)]
pub struct CameraSink {
    /// Size of this struct in bytes, as the host knows it.
    pub struct_size: u32,
    /// 1: offline; the source shall wait for slots and drop nothing.
    pub lossless: u32,
    /// Handed back to each function.
    pub ctx: *mut c_void,
    /// Addresses of all slots, so that an SDK can announce them once.
    pub slots: *const *mut u8,
    /// Number of slots.
    pub n_slots: u32,
    /// Values that the host reads at `channels`: the format's `n_channel_values` when `start` was called.
    pub n_channel_values: u32,
    /// Bytes of each slot.
    pub slot_bytes: u64,
    /// Lends a slot: its index, or -1 when none became free within `timeout_ns`. Several may be lent at once.
    pub lend: Option<unsafe extern "C" fn(ctx: *mut c_void, timeout_ns: i64) -> i32>,
    /// Gives a lent slot to the host as the next frame. `channels` are `n_channel_values` values, or null.
    pub commit: Option<
        unsafe extern "C" fn(ctx: *mut c_void, slot: i32, info: *const FrameInfo, channels: *const f64) -> Status,
    >,
    /// Gives a lent slot back unused.
    pub give_back: Option<unsafe extern "C" fn(ctx: *mut c_void, slot: i32) -> Status>,
    /// For SDKs that own their memory: copies `len_bytes` of payload into a slot and commits it; less than the format's
    /// `payload_bytes` only for a frame marked [`FRAME_INCOMPLETE`]. [`super::STATUS_BUSY`]: no slot was free, the host
    /// counted an underrun.
    pub push: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            payload: *const u8,
            len_bytes: u64,
            info: *const FrameInfo,
            channels: *const f64,
        ) -> Status,
    >,
    /// Tells of `count` frames that were lost before they reached a slot. `LOST_*`.
    pub lost: Option<unsafe extern "C" fn(ctx: *mut c_void, count: u64, reason: u32)>,
    /// Tells that no more frames come. `ENDED_*`. After it only `stop` follows.
    pub ended: Option<unsafe extern "C" fn(ctx: *mut c_void, reason: u32, text: Str)>,
}

/// A camera driver's functions. Grows at its end.
///
/// Threads: one caller at a time per camera, except `stop`, which may come while another call runs (a `poll` under way
/// then returns soon). `start` arms and returns. The host's camera thread then calls `poll` again and again; frames
/// may be delivered in it or from an SDK's own threads. After `stop` has returned, no function of the sink is called.
#[repr(C)]
pub struct CameraTable {
    /// Size of this struct in bytes, as the library knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Writes the devices that could be opened, as JSON:
    /// `[{"device": "text for open", "name": "...", "serial": "..."}]`. May take seconds.
    pub enumerate: Option<unsafe extern "C" fn(context: *mut c_void, out: Writer, error: Writer) -> Status>,
    /// Opens a device (empty text: the first, or the only one) with the component's parameters.
    pub open: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            device: Str,
            params: Params,
            camera: *mut *mut c_void,
            error: Writer,
        ) -> Status,
    >,
    /// Closes a camera; it was stopped before.
    pub close: Option<unsafe extern "C" fn(camera: *mut c_void)>,
    /// Writes the present settings as JSON: `{"revision": 7, "settings": [{..., "value": ..., "access": "rw"}]}`, each a
    /// parameter as in `describe` with its value and its access (`rw`, `r` or `none`). Asked again after every change,
    /// since ranges depend on each other.
    pub settings: Option<unsafe extern "C" fn(camera: *mut c_void, out: Writer, error: Writer) -> Status>,
    /// Changes settings. [`super::STATUS_BUSY`] for one that cannot change while the camera runs.
    pub set: Option<unsafe extern "C" fn(camera: *mut c_void, params: Params, error: Writer) -> Status>,
    /// What the camera delivers with its present settings.
    pub format: Option<unsafe extern "C" fn(camera: *mut c_void, format: *mut CameraFormat, error: Writer) -> Status>,
    /// Writes the channels of a frame as JSON: `[{"key": "exposure_ms", "unit": "ms", "length": 1}]`. Null: none.
    pub channels: Option<unsafe extern "C" fn(camera: *mut c_void, out: Writer, error: Writer) -> Status>,
    /// Arms the camera and returns. `sink` stays valid until `stop` has returned.
    pub start: Option<unsafe extern "C" fn(camera: *mut c_void, sink: *const CameraSink, error: Writer) -> Status>,
    /// Waits at most `timeout_ns` for frames and delivers them. [`super::STATUS_TIMED_OUT`] when none came.
    pub poll: Option<unsafe extern "C" fn(camera: *mut c_void, timeout_ns: i64, error: Writer) -> Status>,
    /// Stops. Gives every lent slot back. Harmless when not running.
    pub stop: Option<unsafe extern "C" fn(camera: *mut c_void, error: Writer) -> Status>,
}

// SAFETY: a table is a constant of function pointers.
unsafe impl Sync for CameraTable {}
