//! A component without the host in between: for what the loader's wrappers check, complete or refuse themselves, so that a
//! check could never see what the plugin did. The library is opened a second time, with a context of its own.
#![allow(unsafe_code)]

mod devices;
mod guarded;
mod tracker;
mod zlut;

pub(crate) use devices::{RawCamera, RawStage};
pub(crate) use tracker::{RawTracks, Wanted, track};
pub(crate) use zlut::lookup;

use crate::outcome::{Stop, fail};
use crate::subject::Subject;
use std::ffi::c_void;
use tetherscope_loader::abi::{self, Batch, Host, LibraryTable, Param, Params, PluginEntry, Status, Str, Writer};
use tetherscope_loader::{ParamSet, RoiSet, Value, now_ns};

/// A host that has a clock and nothing else, which the interface allows.
static HOST: Host = Host {
    struct_size: size_of::<Host>() as u32,
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR,
    ctx: std::ptr::null_mut(),
    log: None,
    now_ns: Some(clock),
    parallel_for: None,
    cancelled: None,
};

unsafe extern "C" fn clock(_ctx: *mut c_void) -> i64 {
    now_ns()
}

/// A library's context and one of its components' table. Never closed or unloaded, as the loader does it.
struct Raw<T> {
    context: *mut c_void,
    table: T,
}

impl<T> Raw<T> {
    /// Opens the library of a subject and copies the subject's table.
    ///
    /// # Safety
    /// `T` must be the table type of the subject's kind.
    unsafe fn open(subject: &Subject) -> Result<Self, Stop> {
        let component = &subject.component;
        // SAFETY: the loader has opened this very file before, and found an entry of our major version in it.
        let entry: &PluginEntry = unsafe {
            let library = libloading::Library::new(component.path())
                .map_err(|e| Stop::Failed(format!("its library cannot be opened again: {e}")))?;
            let symbol = library.get::<*const PluginEntry>(b"tetherscope_plugin_entry");
            let entry: *const PluginEntry = *symbol.map_err(|e| Stop::Failed(format!("its entry has gone: {e}")))?;
            std::mem::forget(library);
            &*entry
        };
        // SAFETY: the entry's table is a constant of the library that begins with its size.
        let library: LibraryTable = unsafe { copy_table(entry.library.cast()) };
        let (Some(open), Some(n), Some(table), Some(describe)) =
            (library.open, library.n_components, library.table, library.describe)
        else {
            fail!("its library lacks a function");
        };
        let mut context = std::ptr::null_mut();
        // SAFETY: the host's table lives forever, the place is valid.
        call("open", |error| unsafe { open(&HOST, &mut context, error) })?;
        // SAFETY: the context was made by `open`.
        for index in 0..unsafe { n(context) } {
            let mut json = Vec::new();
            // SAFETY: as above; the writer leads to `json`, which lives through the call.
            call("describe", |error| unsafe { describe(context, index, writer(&mut json), error) })?;
            let described: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
            if described["id"] == component.info().id.as_str() {
                // SAFETY: the table is a constant that begins with its size, of the type that the caller promises.
                return Ok(Self { context, table: unsafe { copy_table(table(context, index)) } });
            }
        }
        fail!("its library no longer offers {}", component.info().id)
    }
}

/// Copies a function table; functions that it does not have are null.
///
/// # Safety
/// `from` must lead to a table of type `T`, as large as its first word says.
unsafe fn copy_table<T>(from: *const c_void) -> T {
    // SAFETY: the caller promises it; never more is read than the table says it has, and zero is a valid absent function.
    unsafe {
        let size = (*from.cast::<u32>() as usize).min(size_of::<T>());
        let mut table = std::mem::MaybeUninit::<T>::zeroed();
        std::ptr::copy_nonoverlapping(from.cast::<u8>(), table.as_mut_ptr().cast::<u8>(), size);
        table.assume_init()
    }
}

/// A writer into a vector, valid while the vector is not moved.
fn writer(into: &mut Vec<u8>) -> Writer {
    unsafe extern "C" fn write(ctx: *mut c_void, ptr: *const u8, len: u64) -> Status {
        if ptr.is_null() || len > 1 << 24 {
            return abi::STATUS_INVALID_ARGUMENT;
        }
        // SAFETY: ctx is the vector below, which outlives the call; the plugin's bytes are readable.
        unsafe {
            (*ctx.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(ptr, len as usize));
        }
        abi::STATUS_OK
    }
    Writer { ctx: (&raw mut *into).cast(), write: Some(write) }
}

/// One call: its status and what the plugin said.
fn status_of(f: impl FnOnce(Writer) -> Status) -> (Status, String) {
    let mut said = Vec::new();
    let status = f(writer(&mut said));
    (status, String::from_utf8_lossy(&said).replace('\n', "; "))
}

/// One call that must succeed.
fn call(function: &str, f: impl FnOnce(Writer) -> Status) -> Result<(), Stop> {
    match status_of(f) {
        (abi::STATUS_OK, _) => Ok(()),
        (status, said) => fail!("{function} failed with status {status}: {said}"),
    }
}

fn str_of(text: &str) -> Str {
    Str { ptr: text.as_ptr(), len: text.len() as u64 }
}

/// Calls `f` with values as they cross the interface.
fn with_params<R>(set: &ParamSet, f: impl FnOnce(Params) -> R) -> R {
    let entries: Vec<Param> = set.iter().map(|(key, value)| param(key, value)).collect();
    f(Params { ptr: entries.as_ptr(), len: entries.len() as u64 })
}

/// One value as it crosses the interface; it points to `key` and `value`.
fn param(key: &str, value: &Value) -> Param {
    let mut p = Param {
        key: str_of(key),
        kind: abi::PARAM_INT,
        reserved: 0,
        int_value: 0,
        float_value: 0.0,
        text_value: str_of(""),
    };
    match value {
        Value::Int(v) => p.int_value = *v,
        Value::Float(v) => (p.kind, p.float_value) = (abi::PARAM_FLOAT, *v),
        Value::Bool(v) => (p.kind, p.int_value) = (abi::PARAM_BOOL, i64::from(*v)),
        Value::Text(v) => (p.kind, p.text_value) = (abi::PARAM_TEXT, str_of(v)),
        Value::Choice(v) => (p.kind, p.text_value) = (abi::PARAM_CHOICE, str_of(v)),
    }
    p
}

/// ROIs as they cross the interface, with their pixels at `base`. It points to what `rois` points to.
fn batch_of(rois: &RoiSet<'_>, base: *const u8, len_bytes: usize) -> Batch {
    Batch {
        base,
        len_bytes: len_bytes as u64,
        offsets: rois.offsets.as_ptr(),
        row_stride_bytes: rois.row_stride_bytes,
        pixel_stride_bytes: rois.pixel_stride_bytes,
        n_rois: rois.offsets.len() as u32,
        w_px: rois.w_px,
        h_px: rois.h_px,
        pixel_format: rois.pixel_format,
        reserved0: 0,
        bead_ids: rois.bead_ids.as_ptr(),
        frame_indices: rois.frame_indices.as_ptr(),
        reserved: [0; 4],
    }
}
