//! Work that comes from several threads and is done by one at a time, in order, without anybody waiting: who finds the
//! work in other hands leaves it there, and who does it looks again before leaving.

use super::sync::{Ordering, TurnMutex, fence};
use std::sync::TryLockError;

/// State that one thread at a time works on.
#[derive(Debug)]
pub(crate) struct Combine<T> {
    state: TurnMutex<T>,
}

impl<T> Combine<T> {
    pub(crate) fn new(state: T) -> Self {
        Self { state: TurnMutex::new(state) }
    }

    /// Does what there is to do, unless somebody else is at it, who then does it. Never waits. To be called after the
    /// work was put where `is_there_work` sees it.
    pub(crate) fn settle(&self, is_there_work: impl Fn() -> bool, mut work: impl FnMut(&mut T)) {
        loop {
            // Between putting work down and trying the lock, and between letting go of the lock and looking for work:
            // so at least one of two threads sees what the other did.
            fence(Ordering::SeqCst);
            match self.state.try_lock() {
                Ok(mut state) => work(&mut state),
                // A panic in between: the counters in it are valid at every instant.
                Err(TryLockError::Poisoned(state)) => work(&mut state.into_inner()),
                Err(TryLockError::WouldBlock) => return,
            }
            fence(Ordering::SeqCst);
            if !is_there_work() {
                return;
            }
        }
    }

    /// Changes the state, waiting for who is at it. Not for the camera's path; `settle` must follow.
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
