//! What the host offers a plugin: a log, a clock, parallel loops, and whether the user gave up.

use super::guard::str_of;
use crate::abi;
use std::ffi::c_void;

/// The host, as a plugin sees it. Copied freely, used from any thread.
#[derive(Clone, Copy)]
pub struct HostHandle {
    table: *const abi::Host,
}

// SAFETY: the host promises that its functions may be called from any thread.
unsafe impl Send for HostHandle {}
// SAFETY: as above.
unsafe impl Sync for HostHandle {}

/// Reads a function of the host's table, or None where the host is older than the function.
macro_rules! host_fn {
    ($self:ident, $field:ident) => {{
        let end = std::mem::offset_of!(abi::Host, $field) + size_of::<usize>();
        // SAFETY: the table is valid for the process' life; fields are read only inside its own size.
        unsafe {
            if $self.table.is_null() || ((*$self.table).struct_size as usize) < end {
                None
            } else {
                (*$self.table).$field.map(|f| (f, (*$self.table).ctx))
            }
        }
    }};
}

impl HostHandle {
    /// A handle for the table that `open` got. Null gives a host that offers nothing.
    ///
    /// # Safety
    /// `table` must be null or stay valid until the process ends.
    pub unsafe fn new(table: *const abi::Host) -> Self {
        Self { table }
    }

    /// A host that offers nothing: for a plugin's own tests.
    pub fn none() -> Self {
        Self { table: std::ptr::null() }
    }

    /// One line for the log, with one of the `LOG_*` levels. Never from the live path.
    pub fn log(&self, level: u32, text: &str) {
        if let Some((log, ctx)) = host_fn!(self, log) {
            // SAFETY: the host's function, its ctx, text that lives on.
            unsafe { log(ctx, level, str_of(text)) }
        }
    }

    /// The host's monotonic clock in ns; 0 where it has none.
    pub fn now_ns(&self) -> i64 {
        // SAFETY: the host's function and ctx.
        host_fn!(self, now_ns).map_or(0, |(now, ctx)| unsafe { now(ctx) })
    }

    /// True when the user gave up the job that this thread works on.
    pub fn cancelled(&self) -> bool {
        // SAFETY: the host's function and ctx.
        host_fn!(self, cancelled).is_some_and(|(cancelled, ctx)| unsafe { cancelled(ctx) } != 0)
    }

    /// Calls `task(i)` for each i in 0..n, perhaps in parallel. A panic in a task is passed on after the loop.
    pub fn parallel_for(&self, n: usize, task: impl Fn(usize) + Sync) {
        struct Job<'a> {
            task: &'a (dyn Fn(usize) + Sync),
            panicked: std::sync::atomic::AtomicBool,
        }
        unsafe extern "C" fn run(arg: *mut c_void, index: u64) {
            // SAFETY: `arg` is the Job below, which outlives the loop.
            let job = unsafe { &*arg.cast::<Job<'_>>() };
            let call = std::panic::AssertUnwindSafe(|| (job.task)(index as usize));
            if let Err(payload) = std::panic::catch_unwind(call) {
                std::mem::forget(payload);
                job.panicked.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let Some((parallel_for, ctx)) = host_fn!(self, parallel_for) else {
            return (0..n).for_each(task);
        };
        let mut job = Job { task: &task, panicked: false.into() };
        // SAFETY: `run` and `job` stay valid until the host returns, which it does after the last task.
        unsafe { parallel_for(ctx, n as u64, Some(run), (&raw mut job).cast()) };
        assert!(!job.panicked.into_inner(), "a task of a parallel loop panicked");
    }
}
