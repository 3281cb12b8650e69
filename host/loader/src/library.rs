//! One opened library: its entry, its context, its components' tables, and what it writes. Opened once, never unloaded.
#![allow(unsafe_code)]

use crate::descriptor::ComponentInfo;
use crate::error::{LoadError, LoadErrorKind};
use crate::in_call::{self, Suspect};
use crate::layout::{self, Checked};
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tetherscope_plugin_api::abi::{self, LibraryTable, PluginEntry, Status, Str, Writer};

/// Most characters of a plugin's sentence that are shown.
pub(crate) const MAX_SENTENCE_CHARS: usize = 500;
/// Most bytes of error text that are kept.
pub(crate) const MAX_ERROR_BYTES: usize = 4096;
/// Most bytes of any other output; a table of 1,000 planes with pixels stays far below.
pub(crate) const MAX_OUTPUT_BYTES: usize = 1 << 30;

/// An opened library.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) path: PathBuf,
    pub(crate) layout: Checked,
    pub(crate) context: *mut c_void,
    table: LibraryTableCopy,
    /// As whom a crash accuses it; None where nobody writes crashes down.
    suspect: Option<&'static Suspect>,
}

/// A copy of the library's table, zeroed where the library is older.
struct LibraryTableCopy(LibraryTable);

impl std::fmt::Debug for LibraryTableCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LibraryTable")
    }
}

// SAFETY: the interface says that the library's functions may be called by any thread after `open`.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        if let Some(close) = self.table.0.close {
            let _in_call = in_call::enter(self.suspect, "close");
            // SAFETY: the context came from `open`; every object made from it holds this library and is gone.
            unsafe { close(self.context) }
        }
    }
}

/// The word for a status.
pub(crate) fn status_name(status: Status) -> String {
    match status {
        abi::STATUS_INVALID_ARGUMENT => "invalid argument",
        abi::STATUS_UNSUPPORTED => "unsupported",
        abi::STATUS_BUSY => "busy",
        abi::STATUS_TIMED_OUT => "timed out",
        abi::STATUS_CANCELLED => "cancelled",
        abi::STATUS_DISCONNECTED => "disconnected",
        abi::STATUS_IO => "input/output error",
        abi::STATUS_OUT_OF_MEMORY => "out of memory",
        abi::STATUS_PANICKED => "panicked",
        abi::STATUS_INTERNAL => "internal error",
        other => return format!("the unknown status {other}"),
    }
    .into()
}

/// Collects what a plugin writes. Takes no more than its limit.
pub(crate) struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

impl Output {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit }
    }

    /// For output other than error text.
    pub(crate) fn large() -> Self {
        Self::new(MAX_OUTPUT_BYTES)
    }

    /// A writer into this output; valid while the output is not moved.
    pub(crate) fn writer(&mut self) -> Writer {
        unsafe extern "C" fn write(ctx: *mut c_void, ptr: *const u8, len: u64) -> Status {
            // SAFETY: `ctx` is the Output below, which outlives the call that writes; the plugin's bytes are readable.
            let (out, bytes) = unsafe {
                let out = &mut *ctx.cast::<Output>();
                let empty = ptr.is_null() || len == 0;
                (out, if empty { &[] } else { std::slice::from_raw_parts(ptr, len as usize) })
            };
            let room = out.limit - out.bytes.len();
            out.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if bytes.len() > room { abi::STATUS_OUT_OF_MEMORY } else { abi::STATUS_OK }
        }
        Writer { ctx: (&raw mut *self).cast(), write: Some(write) }
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// As text, cut at a whole character, without control characters that would upset a terminal.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = if self.bytes.len() == self.limit { text.trim_end_matches('\u{fffd}') } else { &text };
        text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
    }

    /// As one line of a message: lines joined, and cut when it does not end.
    pub(crate) fn sentence(&self) -> String {
        one_line(&self.text(), MAX_SENTENCE_CHARS)
    }
}

/// Text as one line of a message: lines joined, no control characters, cut when it does not end.
pub(crate) fn one_line(text: &str, max_chars: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Copies text that a plugin passed.
///
/// # Safety
/// `s` must describe readable memory, or have length 0.
pub(crate) unsafe fn text_of(s: Str) -> String {
    if s.ptr.is_null() || s.len == 0 {
        return String::new();
    }
    // SAFETY: the caller promises it.
    let bytes = unsafe { std::slice::from_raw_parts(s.ptr, (s.len as usize).min(MAX_ERROR_BYTES)) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Copies a growing table: as many bytes as both sides know, the rest zero, so that an absent function is null.
///
/// # Safety
/// `from` must lead to a table that begins with its `struct_size`; all-zero must be a valid `T`.
pub(crate) unsafe fn copy_table<T>(from: *const c_void) -> T {
    // SAFETY: the caller promises it; never more is read than the table says it has.
    unsafe {
        let size = (*from.cast::<u32>() as usize).min(size_of::<T>());
        let mut table = std::mem::MaybeUninit::<T>::zeroed();
        std::ptr::copy_nonoverlapping(from.cast::<u8>(), table.as_mut_ptr().cast::<u8>(), size);
        table.assume_init()
    }
}

/// Kind code and descriptor text of each component, as the library tells them.
pub(crate) type Described = Vec<(u32, String)>;

/// Opens a library whose file was read, and asks for its components: kind and descriptor text of each. A crash meanwhile
/// accuses `suspect`.
pub(crate) fn open(path: &Path, suspect: Option<&'static Suspect>) -> Result<(Arc<Library>, Described), LoadError> {
    let _in_call = in_call::enter(suspect, "open");
    let refuse = |kind, cause: String, mend: &str| LoadError::file(kind, path, cause, mend);
    let failed = |cause: String| refuse(LoadErrorKind::Failed, cause, "report it to the plugin's author");
    // SAFETY: loading runs the library's constructors; a child process has survived them (see the probe).
    let library = unsafe { libloading::Library::new(path) }.map_err(|e| {
        let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        refuse(
            LoadErrorKind::Failed,
            format!("the system cannot load it: {why}"),
            "install what it needs, or build it again",
        )
    })?;
    // SAFETY: the symbol exists and is a `PluginEntry` of our major version (the file was inspected).
    let entry: &PluginEntry = unsafe {
        let symbol = library.get::<*const PluginEntry>(b"tetherscope_plugin_entry");
        &**symbol.map_err(|_| failed("its tetherscope_plugin_entry has gone since it was inspected".into()))?
    };
    let layout = layout::check(path, &library)?;
    if entry.library.is_null() {
        return Err(failed("its entry has no function table".into()));
    }
    // SAFETY: the entry's table is a constant of the library that begins with its size.
    let table: LibraryTable = unsafe { copy_table(entry.library.cast()) };
    // Never unloaded: there is no sound way to unload a library that ran Rust code.
    std::mem::forget(library);
    let (Some(open), Some(n_components), Some(kind), Some(_), Some(describe)) =
        (table.open, table.n_components, table.kind, table.table, table.describe)
    else {
        return Err(failed("its function table lacks one of open, n_components, kind, table, describe".into()));
    };
    let mut context = std::ptr::null_mut();
    let mut text = Output::new(MAX_ERROR_BYTES);
    // SAFETY: HOST lives forever; `context` is a valid place; the writer lives through the call.
    let status = unsafe { open(&crate::host::HOST, &mut context, text.writer()) };
    if status != abi::STATUS_OK {
        return Err(failed(format!("its open failed ({}): {}", status_name(status), text.sentence())));
    }
    let opened = Arc::new(Library { path: path.to_owned(), layout, context, table: LibraryTableCopy(table), suspect });
    // SAFETY: the library's functions, after `open`, with its context.
    let n = unsafe { n_components(context) };
    if n == 0 || n > 256 {
        return Err(refuse(
            LoadErrorKind::BadDescriptor,
            format!("it announces {n} components"),
            "1 to 256 are possible; report it to the plugin's author",
        ));
    }
    let mut components = Vec::with_capacity(n as usize);
    for index in 0..n {
        let (mut out, mut text) = (Output::new(1 << 20), Output::new(MAX_ERROR_BYTES));
        // SAFETY: as above; both writers live through the call.
        let (code, status) = unsafe { (kind(context, index), describe(context, index, out.writer(), text.writer())) };
        if status != abi::STATUS_OK {
            return Err(failed(format!(
                "it cannot describe component {index} ({}): {}",
                status_name(status),
                text.sentence()
            )));
        }
        components.push((code, out.text()));
    }
    Ok((opened, components))
}

/// The function table of a component of an opened library, checked to have what its kind needs.
pub(crate) fn table(library: &Arc<Library>, index: u32, info: &ComponentInfo) -> Result<*const c_void, LoadError> {
    let bad = |cause: String| {
        let mend = "report it to the plugin's author; `describe` in tetherscope-plugin-api shows the form";
        LoadError::file(LoadErrorKind::BadDescriptor, &library.path, cause, mend)
    };
    let get = library.table.0.table.expect("checked when the library was opened");
    let _in_call = in_call::enter(library.suspect, "table");
    // SAFETY: the library's function, after `open`, with its context.
    let table = unsafe { get(library.context, index) };
    if table.is_null() {
        return Err(bad(format!("{} has no function table", info.id)));
    }
    // SAFETY: the kind says which table it is.
    match unsafe { crate::direct::missing_function(info.kind, table) } {
        Some(name) => Err(bad(format!("the function table of {} lacks `{name}`", info.id))),
        None => Ok(table),
    }
}
