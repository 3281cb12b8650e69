//! The guard round every function that the host calls: errors become statuses, panics become messages.

use super::error::{Error, Result};
use crate::abi::{self, ArraySink, Status, Str, Writer};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps a panic's message and place instead of printing a backtrace: symbolising one takes 0.1–0.2 s, which would
/// stall a live camera.
pub(crate) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let what = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".into());
        let place = info.location().map(|l| format!(" ({}:{})", l.file(), l.line())).unwrap_or_default();
        LAST_PANIC.with(|p| *p.borrow_mut() = format!("{what}{place}"));
    }));
}

/// Runs `f`; its error or panic goes to the writer, its status to the caller.
pub(crate) fn guard(error: Writer, f: impl FnOnce() -> Result<()>) -> Status {
    let outcome = catch_unwind(AssertUnwindSafe(f));
    let e = match outcome {
        Ok(Ok(())) => return abi::STATUS_OK,
        Ok(Err(e)) => e,
        Err(payload) => {
            // Dropping a payload can panic again.
            std::mem::forget(payload);
            let what = LAST_PANIC.with(|p| std::mem::take(&mut *p.borrow_mut()));
            Error::new(abi::STATUS_PANICKED, format!("the plugin panicked: {what}"))
        }
    };
    // A full or absent writer is the host's choice; the status says enough.
    let _ = write_all(error, e.message().as_bytes());
    e.status()
}

/// Runs `f` where there is no status to return: a panic gives `otherwise`.
pub(crate) fn guard_value<T>(otherwise: T, f: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        std::mem::forget(payload);
        otherwise
    })
}

/// Sends bytes to a writer.
pub(crate) fn write_all(to: Writer, bytes: &[u8]) -> Result<()> {
    let Some(write) = to.write else { return Ok(()) };
    // SAFETY: the host promises that `write` may be called with its `ctx` during this call; the bytes live on.
    match unsafe { write(to.ctx, bytes.as_ptr(), bytes.len() as u64) } {
        abi::STATUS_OK => Ok(()),
        status => Err(Error::new(status, "the host took no more output")),
    }
}

/// Sends numbers to a writer as native-endian f64.
pub(crate) fn write_numbers(to: Writer, values: &[f64]) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
    write_all(to, &bytes)
}

/// Copies text that crossed the interface; what is not UTF-8 is replaced.
///
/// # Safety
/// `s` must describe readable memory, or have length 0.
pub(crate) unsafe fn text(s: Str) -> String {
    if s.ptr.is_null() || s.len == 0 {
        return String::new();
    }
    // SAFETY: the caller promises it.
    let bytes = unsafe { std::slice::from_raw_parts(s.ptr, s.len as usize) };
    String::from_utf8_lossy(bytes).into_owned()
}

/// Text as it crosses the interface; valid as long as `s`.
pub(crate) fn str_of(s: &str) -> Str {
    Str { ptr: s.as_ptr(), len: s.len() as u64 }
}

/// Takes the named arrays of an `explain`.
pub struct NamedArrays<'a> {
    sink: ArraySink,
    _call: std::marker::PhantomData<&'a ()>,
}

impl NamedArrays<'_> {
    pub(crate) fn new(sink: ArraySink) -> Self {
        Self { sink, _call: std::marker::PhantomData }
    }

    /// Gives one array: `shape` slowest axis first, its product must be the number of values.
    pub fn add(&mut self, name: &str, unit: &str, shape: &[usize], values: &[f64]) -> Result<()> {
        let n: usize = shape.iter().product();
        if n != values.len() {
            return Err(Error::internal(format!(
                "array `{name}`: shape {shape:?} needs {n} values, got {}",
                values.len()
            )));
        }
        let Some(array) = self.sink.array else { return Ok(()) };
        let shape: Vec<u64> = shape.iter().map(|&s| s as u64).collect();
        // SAFETY: the host promises that `array` may be called during this call; all pointers live on.
        let status = unsafe {
            array(self.sink.ctx, str_of(name), str_of(unit), shape.as_ptr(), shape.len() as u32, values.as_ptr())
        };
        if status == abi::STATUS_OK { Ok(()) } else { Err(Error::new(status, "the host took no more arrays")) }
    }
}
