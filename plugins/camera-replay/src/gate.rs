//! The bell between `stop` and a `poll` that waits: closed by `stop`, opened by `start`. A waiting `poll` wakes at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Locks a mutex whose holder may have panicked: the guard round each call of the interface has reported that, and
/// everything behind these mutexes is valid at every instant.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether frames may flow.
#[derive(Debug, Default)]
pub struct Gate {
    closed: Mutex<bool>,
    bell: Condvar,
}

impl Gate {
    /// Frames may flow.
    pub fn open(&self) {
        *lock(&self.closed) = false;
    }

    /// Frames may flow no more; wakes whoever waits.
    pub fn close(&self) {
        *lock(&self.closed) = true;
        self.bell.notify_all();
    }

    /// True after `close`.
    pub fn is_closed(&self) -> bool {
        *lock(&self.closed)
    }

    /// Waits until `until`, or until the gate is closed; true when it is closed.
    pub fn wait_until(&self, until: Instant) -> bool {
        let mut closed = lock(&self.closed);
        while !*closed {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else { break };
            closed = self.bell.wait_timeout(closed, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *closed
    }
}
