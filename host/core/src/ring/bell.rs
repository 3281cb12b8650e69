//! Wakes who waits for a free slot. Who frees a slot pays a fence and a load while nobody waits, and takes the lock only to
//! wake somebody.

use super::sync::{AtomicU32, Condvar, Mutex, Ordering, fence};
use std::time::{Duration, Instant};

/// Longest wait at once: what is waited for is looked at again after it, whatever happened.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A bell.
#[derive(Debug)]
pub(crate) struct Bell {
    n_waiting: AtomicU32,
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { n_waiting: AtomicU32::new(0), lock: Mutex::new(()), rung: Condvar::new() }
    }

    /// Something has changed; to be called after the change.
    pub(crate) fn ring(&self) {
        // Either we see who waits, or who waits sees the change: both sides have a fence between their write and their
        // read.
        fence(Ordering::SeqCst);
        if self.n_waiting.load(Ordering::Relaxed) > 0 {
            // Whoever has found nothing and does not sleep yet holds the lock.
            drop(self.lock.lock());
            self.rung.notify_all();
        }
    }

    /// Looks until `look` finds something, at most until `until` (None: for ever).
    pub(crate) fn wait_for<T>(&self, until: Option<Instant>, look: impl Fn() -> Option<T>) -> Option<T> {
        if let Some(found) = look() {
            return Some(found);
        }
        self.n_waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let found = self.sleep_and_look(until, look);
        self.n_waiting.fetch_sub(1, Ordering::Relaxed);
        found
    }

    fn sleep_and_look<T>(&self, until: Option<Instant>, look: impl Fn() -> Option<T>) -> Option<T> {
        // A poisoned lock guards nothing: there is no data in it.
        let mut guard = self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            let left = match until {
                Some(until) => until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?,
                None => LOOK_AGAIN,
            };
            let waited = self.rung.wait_timeout(guard, left.min(LOOK_AGAIN));
            guard = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }
}
