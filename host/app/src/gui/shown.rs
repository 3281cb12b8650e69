//! How many frames were drawn, and when the first: what a bench of the window asks for.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Counted by whoever draws frames.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    count: AtomicU64,
    /// 0 before the first.
    first_utc_ns: AtomicI64,
}

impl Shown {
    /// Another frame was drawn.
    pub(super) fn note(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.first_utc_ns.store(utc_ns(), Ordering::Relaxed);
        }
    }

    /// Frames that were drawn.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// When the first was; none before it.
    pub(crate) fn first_utc_ns(&self) -> Option<i64> {
        Some(self.first_utc_ns.load(Ordering::Relaxed)).filter(|ns| *ns != 0)
    }
}

/// Now.
pub(crate) fn utc_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
