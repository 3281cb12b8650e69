//! The bell between `stop` and a `poll` that waits: closed by `stop`, opened by `start`. A waiting `poll` wakes at once.

use crate::clock::Clock;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

    /// Waits until the clock shows `until_ns`, or until the gate is closed; true when it is closed.
    pub fn wait_until(&self, clock: &Clock, until_ns: i64) -> bool {
        let mut closed = lock(&self.closed);
        while !*closed {
            let left_ns = until_ns.saturating_sub(clock.now_ns());
            let Ok(left @ 1..) = u64::try_from(left_ns) else { break };
            if clock.put_forward(left_ns) {
                continue;
            }
            closed =
                self.bell.wait_timeout(closed, Duration::from_nanos(left)).unwrap_or_else(PoisonError::into_inner).0;
        }
        *closed
    }
}
