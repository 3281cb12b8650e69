//! Statuses, text, the writer and typed parameter values: what every kind of plugin uses.

use core::ffi::c_void;

/// What a function returns: one of the `STATUS_*` values. The sentence for people goes to the error writer.
pub type Status = i32;
/// Done.
pub const STATUS_OK: Status = 0;
/// A value is outside what the function accepts; a retry with the same values fails again.
pub const STATUS_INVALID_ARGUMENT: Status = 1;
/// The plugin or device cannot do this at all.
pub const STATUS_UNSUPPORTED: Status = 2;
/// Not now (for example: the camera is running); a later retry may succeed.
pub const STATUS_BUSY: Status = 3;
/// Nothing happened within the time that was given. For `poll` this is ordinary.
pub const STATUS_TIMED_OUT: Status = 4;
/// The host asked to stop, and the function did.
pub const STATUS_CANCELLED: Status = 5;
/// The device is gone; open it again after it is back.
pub const STATUS_DISCONNECTED: Status = 6;
/// Reading, writing or talking to a device failed.
pub const STATUS_IO: Status = 7;
/// Memory could not be had.
pub const STATUS_OUT_OF_MEMORY: Status = 8;
/// The plugin panicked or threw; the guard round it caught that. The object it happened in is still valid to free.
pub const STATUS_PANICKED: Status = 9;
/// A defect of the plugin that it noticed itself.
pub const STATUS_INTERNAL: Status = 10;

/// UTF-8 text that the callee may read during the call. `ptr` may be null when `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Str {
    /// First byte.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: u64,
}

/// Where output of unknown size goes: call `write` as often as needed, each call appends.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Writer {
    /// Handed back to `write`.
    pub ctx: *mut c_void,
    /// Appends `len` bytes. Not [`STATUS_OK`] means: stop writing, the host takes no more. Null: nobody listens.
    pub write: Option<unsafe extern "C" fn(ctx: *mut c_void, ptr: *const u8, len: u64) -> Status>,
}

/// The value is in [`Param::int_value`].
pub const PARAM_INT: u32 = 1;
/// The value is in [`Param::float_value`].
pub const PARAM_FLOAT: u32 = 2;
/// The value is in [`Param::int_value`], 0 or 1.
pub const PARAM_BOOL: u32 = 3;
/// The value is in [`Param::text_value`].
pub const PARAM_TEXT: u32 = 4;
/// The value is in [`Param::text_value`], one of the schema's choices.
pub const PARAM_CHOICE: u32 = 5;

/// One parameter or setting. The host sends every key of the schema, defaults included, already checked against it.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Param {
    /// The schema's key.
    pub key: Str,
    /// One of the `PARAM_*` kinds.
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
    /// Value of an integer or switch.
    pub int_value: i64,
    /// Value of a number, in the schema's unit.
    pub float_value: f64,
    /// Value of a text or choice.
    pub text_value: Str,
}

/// A block of parameters: `len` entries at `ptr`.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Params {
    /// First entry; may be null when `len` is 0.
    pub ptr: *const Param,
    /// Number of entries.
    pub len: u64,
}

/// Takes the named arrays of an `explain` call. The data is copied during the call.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct ArraySink {
    /// Handed back to `array`.
    pub ctx: *mut c_void,
    /// Gives one array: its name, the unit of its values, its shape (slowest axis first) and its values.
    pub array: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            name: Str,
            unit: Str,
            shape: *const u64,
            n_axes: u32,
            values: *const f64,
        ) -> Status,
    >,
}
