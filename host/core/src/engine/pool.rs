//! The threads that track: a pool of the host's own, named `live`. A thread that a plugin does not return from is lost; then
//! the whole pool is left behind with it and a fresh one takes its place.

use crate::error::RunError;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;

/// The pool.
pub(crate) struct LivePool {
    pool: Arc<ThreadPool>,
    n_threads: usize,
}

impl LivePool {
    pub(crate) fn new(n_threads: usize) -> Result<Self, RunError> {
        let n_threads = n_threads.max(1);
        Ok(Self { pool: build(n_threads)?, n_threads })
    }

    pub(crate) fn n_threads(&self) -> usize {
        self.n_threads
    }

    pub(crate) fn pool(&self) -> &ThreadPool {
        &self.pool
    }

    /// Leaves this pool behind, with the threads that do not come back; the others end by themselves.
    pub(crate) fn replace(&mut self) -> Result<(), RunError> {
        self.pool = build(self.n_threads)?;
        Ok(())
    }
}

fn build(n_threads: usize) -> Result<Arc<ThreadPool>, RunError> {
    let pool = ThreadPoolBuilder::new().num_threads(n_threads).thread_name(|i| format!("live-{i}")).build();
    pool.map(Arc::new).map_err(|e| {
        RunError::refused(
            "cannot start the tracking threads",
            e.to_string(),
            "use fewer threads, or close other programs",
        )
    })
}
