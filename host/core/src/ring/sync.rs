//! The atomics, locks and cells that `slots.rs` and `bell.rs` are made of: the standard library's. Their models in the
//! tests (`model.rs`) compile the same two files against loom's.

/// The lock of `combine.rs`: its model has one whose letting go loom sees.
pub(crate) use std::sync::Mutex as TurnMutex;
pub(crate) use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
pub(crate) use std::sync::{Arc, Condvar, Mutex};

/// A cell with the interface of loom's, so that one source serves both.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Its address, for reading.
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Its address, for writing.
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}
