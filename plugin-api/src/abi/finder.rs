//! Bead finders: from a frame, and perhaps a seed, to the places of beads.

use super::basic::{Params, Status, Writer};
use super::frame::{Image, Rect};
use core::ffi::c_void;

/// One bead that was found.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Hit {
    /// Column of the bead's centre in the frame.
    pub x_px: f64,
    /// Row of the bead's centre in the frame.
    pub y_px: f64,
    /// The larger the surer; the scale is the method's.
    pub score: f64,
    /// `FLAG_*` bits.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
}

/// A bead finder's functions. Grows at its end.
///
/// Threads: an instance is shared and never changed; `find` may be called by several threads at once, off the live
/// path. It should ask the host's `cancelled` at least ten times a second.
#[repr(C)]
pub struct FinderTable {
    /// Size of this struct in bytes, as the library knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes an instance from parameters. `context` is the library's.
    pub create: Option<
        unsafe extern "C" fn(context: *mut c_void, params: Params, instance: *mut *mut c_void, error: Writer) -> Status,
    >,
    /// Frees an instance.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// Finds beads. `seed` is an example chosen by the user, or null. Progress is written as f64 values from 0 to 1;
    /// `hits` takes [`Hit`] structs, the surest first.
    pub find: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            image: *const Image,
            seed: *const Rect,
            progress: Writer,
            hits: Writer,
            error: Writer,
        ) -> Status,
    >,
}

// SAFETY: a table is a constant of function pointers.
unsafe impl Sync for FinderTable {}
