//! Stages: anything that moves along axes, from a focus piezo to a magnet motor.

use super::basic::{Params, Status, Str, Writer};
use core::ffi::c_void;

/// A stage driver's functions. Grows at its end.
///
/// Positions are in the axis' own unit (`axes` tells it). Threads: one caller at a time per stage, except `stop`, which
/// may come while another call runs. No function waits for a move to end: ask `moving`.
#[repr(C)]
pub struct StageTable {
    /// Size of this struct in bytes, as the library knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Writes the devices that could be opened, as JSON like a camera's. May take seconds.
    pub enumerate: Option<unsafe extern "C" fn(context: *mut c_void, out: Writer, error: Writer) -> Status>,
    /// Opens a device (empty text: the first, or the only one). Nothing moves.
    pub open: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            device: Str,
            params: Params,
            stage: *mut *mut c_void,
            error: Writer,
        ) -> Status,
    >,
    /// Closes a stage; what moves is stopped first.
    pub close: Option<unsafe extern "C" fn(stage: *mut c_void)>,
    /// Writes the axes as JSON: `[{"role": "focus" | "magnet_height" | "magnet_rotation" | "x" | "y", "unit": "nm",
    /// "min": -10000, "max": 10000, "max_speed_per_s": 1000}]`. The index in it names the axis elsewhere.
    pub axes: Option<unsafe extern "C" fn(stage: *mut c_void, out: Writer, error: Writer) -> Status>,
    /// Writes the present settings as a camera's. Null: no settings.
    pub settings: Option<unsafe extern "C" fn(stage: *mut c_void, out: Writer, error: Writer) -> Status>,
    /// Changes settings. Null: no settings.
    pub set: Option<unsafe extern "C" fn(stage: *mut c_void, params: Params, error: Writer) -> Status>,
    /// Begins a move. Outside the limits: [`super::STATUS_INVALID_ARGUMENT`], and nothing moves.
    pub move_to: Option<unsafe extern "C" fn(stage: *mut c_void, axis: u32, position: f64, error: Writer) -> Status>,
    /// The measured position.
    pub position:
        Option<unsafe extern "C" fn(stage: *mut c_void, axis: u32, position: *mut f64, error: Writer) -> Status>,
    /// 1 while the axis moves, else 0.
    pub moving: Option<unsafe extern "C" fn(stage: *mut c_void, axis: u32, moving: *mut u32, error: Writer) -> Status>,
    /// Stops all axes at once.
    pub stop: Option<unsafe extern "C" fn(stage: *mut c_void, error: Writer) -> Status>,
    /// Begins a homing run. Null: the axis knows its position.
    pub home: Option<unsafe extern "C" fn(stage: *mut c_void, axis: u32, error: Writer) -> Status>,
}

// SAFETY: a table is a constant of function pointers.
unsafe impl Sync for StageTable {}
