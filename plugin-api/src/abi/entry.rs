//! How a library introduces itself: the exported static, the library table, and the handle it gets of its host.

use super::basic::{Status, Str, Writer};
use core::ffi::c_void;

/// First word of [`PluginEntry`]: the bytes `TSPL` read little-endian.
pub const MAGIC: u32 = 0x4c50_5354;
/// Major version of this interface. Another major is refused.
pub const ABI_MAJOR: u16 = 1;
/// Minor version of this interface. An older minor always loads; a newer one if its `min_host` allows.
pub const ABI_MINOR: u16 = 0;
/// Slots of [`PluginEntry::sizes`].
pub const MAX_SIZES: usize = 32;
/// How many slots of [`PluginEntry::sizes`] this version fills.
pub const N_SIZES: u32 = 19;

/// What a library exports as the static `tetherscope_plugin_entry`. Everything but `library` is read from the file
/// before any code of the library runs, so it needs constant initialisers.
#[repr(C)]
pub struct PluginEntry {
    /// [`MAGIC`].
    pub magic: u32,
    /// [`ABI_MAJOR`] of the interface that the library was built against.
    pub abi_major: u16,
    /// [`ABI_MINOR`] of the interface that the library was built against.
    pub abi_minor: u16,
    /// Size of this struct in bytes.
    pub struct_size: u32,
    /// How many of `sizes` are filled.
    pub n_sizes: u32,
    /// Oldest host that will do: major, minor, patch of its plugin interface, then 0. All zero: a host of at least
    /// `abi_major.abi_minor`.
    pub min_host: [u16; 4],
    /// Sizes in bytes of the frozen structs, in this order: str, writer, param, params, array_sink, fix, batch,
    /// worker_config, profile_layout, track_output, lookup, sweep, table_parts, table_sink, camera_format, frame_info,
    /// rect, image, hit. The rest is zero.
    pub sizes: [u32; MAX_SIZES],
    /// The library's functions.
    pub library: *const LibraryTable,
}

// SAFETY: an entry is a constant; its pointer leads to another constant.
unsafe impl Sync for PluginEntry {}

/// Kind of a component: a tracker, with a [`super::TrackerTable`].
pub const KIND_TRACKER: u32 = 1;
/// Kind of a component: a Z-LUT strategy, with a [`super::ZlutStrategyTable`].
pub const KIND_ZLUT: u32 = 2;
/// Kind of a component: a camera driver, with a [`super::CameraTable`].
pub const KIND_CAMERA: u32 = 3;
/// Kind of a component: a stage driver, with a [`super::StageTable`].
pub const KIND_STAGE: u32 = 4;
/// Kind of a component: a bead finder, with a [`super::FinderTable`].
pub const KIND_FINDER: u32 = 5;

/// A library's functions. Grows at its end.
///
/// Threads: `open` and `close` are called once per process, by one thread, with no other call under way. The others
/// may be called by any thread after `open`.
#[repr(C)]
pub struct LibraryTable {
    /// Size of this struct in bytes, as the library knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes the context that all components of the library share. Touches no device. `host` stays valid until the
    /// process ends. May wait up to a second.
    pub open: Option<unsafe extern "C" fn(host: *const Host, context: *mut *mut c_void, error: Writer) -> Status>,
    /// Ends the library: everything made from the context was freed before.
    pub close: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Number of components. Constant.
    pub n_components: Option<unsafe extern "C" fn(context: *mut c_void) -> u32>,
    /// Kind of component `index` (`KIND_*`), 0 for an index that does not exist.
    pub kind: Option<unsafe extern "C" fn(context: *mut c_void, index: u32) -> u32>,
    /// Function table of component `index`, of the type that its kind names; null for an index that does not exist.
    pub table: Option<unsafe extern "C" fn(context: *mut c_void, index: u32) -> *const c_void>,
    /// Writes the descriptor of component `index` as one JSON object (constant text is enough):
    ///
    /// `{"id": "tracker.lab.name", "name": "...", "version": "1.2.3", "summary": "...", "source": "paper or system",
    /// "licence": "...", "isolation": "any" | "process", "capabilities": ["..."], "parameters": [...]}`
    ///
    /// `id` is `kind.method` or `kind.lab.method`, lower case letters, digits and `-`; `version` is semver.
    /// Capabilities: tracker `profile`, `mono8`, `mono16`; strategy `needs_pixels`, `refines_xy`, `own_bytes`.
    /// Each of `parameters` is
    /// `{"key": "...", "type": "int" | "float" | "bool" | "text" | "choice", "help": "...", "default": ...,
    /// "unit": "px", "min": 0, "max": 1, "step": 0.1, "choices": ["..."], "level": "basic" | "expert",
    /// "change": "live" | "idle" | "rearm", "invalidates": ["zlut", "geometry"], "old_names": ["..."],
    /// "value_before": ...}`; key, type, help and default are required, a choice needs `choices`.
    pub describe: Option<unsafe extern "C" fn(context: *mut c_void, index: u32, out: Writer, error: Writer) -> Status>,
}

// SAFETY: a table is a constant of function pointers.
unsafe impl Sync for LibraryTable {}

/// Log level: something failed.
pub const LOG_ERROR: u32 = 1;
/// Log level: something is odd, the work goes on.
pub const LOG_WARN: u32 = 2;
/// Log level: worth knowing once.
pub const LOG_INFO: u32 = 3;
/// Log level: for the plugin's author.
pub const LOG_DEBUG: u32 = 4;

/// What the host offers its plugins, and nothing else. Grows at its end. All functions may be called by any thread.
#[repr(C)]
pub struct Host {
    /// Size of this struct in bytes, as the host knows it.
    pub struct_size: u32,
    /// Major version of the interface that the host offers.
    pub abi_major: u16,
    /// Minor version of the interface that the host offers.
    pub abi_minor: u16,
    /// Handed back to each function.
    pub ctx: *mut c_void,
    /// Puts one line into the host's log. Never from `track`, `lookup` or `poll` for each frame.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, level: u32, text: Str)>,
    /// The host's monotonic clock in ns. The same clock stamps the arrival of frames.
    pub now_ns: Option<unsafe extern "C" fn(ctx: *mut c_void) -> i64>,
    /// Calls `task(arg, i)` for each i in 0..n, perhaps in parallel, perhaps serially; returns when all are done. For
    /// rare big jobs (building a table). Hold no lock across it; `task` must not unwind.
    pub parallel_for: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            n: u64,
            task: Option<unsafe extern "C" fn(arg: *mut c_void, index: u64)>,
            arg: *mut c_void,
        ),
    >,
    /// 1 when the user gave up the job that the calling thread works on; then return [`super::STATUS_CANCELLED`] soon.
    pub cancelled: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u32>,
}

// SAFETY: the host promises that its handle may be used by any thread.
unsafe impl Sync for Host {}
