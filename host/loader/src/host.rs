//! What this host offers its plugins: a line in the log, the clock, parallel loops on the pool that the call came from,
//! and whether the user gave up.
#![allow(unsafe_code)]

use rayon::prelude::*;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tetherscope_plugin_api::abi;

/// The table that every library gets. Lives as long as the process.
pub(crate) static HOST: abi::Host = abi::Host {
    struct_size: size_of::<abi::Host>() as u32,
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR,
    ctx: std::ptr::null_mut(),
    log: Some(log),
    now_ns: Some(plugin_now_ns),
    parallel_for: Some(parallel_for),
    cancelled: Some(cancelled),
};

thread_local! {
    static JOB: RefCell<Option<CancelToken>> = const { RefCell::new(None) };
}

/// Lets a user give up a job that a plugin works on.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
}

impl CancelToken {
    /// A job that goes on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the job up.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// True after [`CancelToken::cancel`].
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The job of this thread, if it is in one.
    pub fn current() -> Option<Self> {
        JOB.with(|j| j.borrow().clone())
    }

    /// Runs `f` as this job: what plugins ask for in it is answered for it.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore(Option<CancelToken>);
        impl Drop for Restore {
            fn drop(&mut self) {
                JOB.with(|j| *j.borrow_mut() = self.0.take());
            }
        }
        let _restore = Restore(JOB.with(|j| j.borrow_mut().replace(self.clone())));
        f()
    }
}

/// The host's monotonic clock: ns since the first time anybody asked.
pub fn now_ns() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i64::MAX)
}

unsafe extern "C" fn log(_ctx: *mut c_void, level: u32, text: abi::Str) {
    // SAFETY: a plugin passes readable text.
    let text = unsafe { crate::library::text_of(text) };
    if crate::child::tell_host(level, &text) {
        return;
    }
    // A panic must not cross into the plugin; a lost line is the lesser evil.
    let _ = catch_unwind(|| match level {
        abi::LOG_ERROR => tracing::error!(target: "plugin", "{text}"),
        abi::LOG_WARN => tracing::warn!(target: "plugin", "{text}"),
        abi::LOG_INFO => tracing::info!(target: "plugin", "{text}"),
        _ => tracing::debug!(target: "plugin", "{text}"),
    });
}

unsafe extern "C" fn plugin_now_ns(_ctx: *mut c_void) -> i64 {
    now_ns()
}

/// Parallel on the pool that the calling thread belongs to; serial on any other thread, so that rayon's global pool is
/// never started.
unsafe extern "C" fn parallel_for(
    _ctx: *mut c_void,
    n: u64,
    task: Option<unsafe extern "C" fn(arg: *mut c_void, index: u64)>,
    arg: *mut c_void,
) {
    let Some(task) = task else { return };
    struct Arg(*mut c_void);
    // SAFETY: the plugin promises that `task` may be called with `arg` from any thread.
    unsafe impl Sync for Arg {}
    let arg = Arg(arg);
    let arg = &arg;
    let job = JOB.with(|j| j.borrow().clone()).unwrap_or_default();
    let caller = crate::in_call::current();
    let one = |i: u64| {
        let _in_call = crate::in_call::enter(caller, "parallel_for");
        // SAFETY: as promised by the plugin; `task` does not unwind.
        job.run(|| unsafe { task(arg.0, i) })
    };
    let all = AssertUnwindSafe(|| {
        if rayon::current_thread_index().is_some() {
            (0..n).into_par_iter().for_each(one)
        } else {
            (0..n).for_each(one)
        }
    });
    if catch_unwind(all).is_err() {
        tracing::error!("a parallel loop for a plugin broke off");
    }
}

unsafe extern "C" fn cancelled(_ctx: *mut c_void) -> u32 {
    JOB.with(|j| j.borrow().as_ref().is_some_and(CancelToken::is_cancelled)).into()
}
