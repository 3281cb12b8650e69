//! A tracker and a strategy with the workers that are made of them: what stays when only ROIs change. Workers come from a
//! free list, never by thread, since a waiting pool thread may take another piece.

use crate::error::RunError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tetherscope_loader::{
    LookupBuffers, PluginError, ProfileLayout, RoiSet, Table, TrackBuffers, Tracker, TrackerWorker, WorkerConfig,
    ZlutStrategy, ZlutWorker,
};

/// What one thread needs to track.
pub(crate) struct Workers {
    tracker: TrackerWorker,
    zlut: Option<ZlutWorker>,
    lookup: LookupBuffers,
    pub(crate) tracks: TrackBuffers,
}

impl Workers {
    /// Tracks ROIs and looks their z up; without tables, only tracks. An error is the plugin's; the rows then hold NaN and
    /// the flag that says so.
    pub(crate) fn work(&mut self, rois: &RoiSet<'_>, tables: &[&Table]) -> Result<(), PluginError> {
        self.tracker.track(rois, &mut self.tracks)?;
        match &mut self.zlut {
            Some(z) if !tables.is_empty() => z.lookup(rois, tables, &mut self.tracks, &mut self.lookup),
            _ => Ok(()),
        }
    }
}

/// Methods in use for ROIs of one shape.
pub(crate) struct Chain {
    tracker: Arc<Tracker>,
    strategy: Option<Arc<ZlutStrategy>>,
    config: WorkerConfig,
    layout: ProfileLayout,
    free: Mutex<Vec<Workers>>,
}

impl Chain {
    /// Makes the first worker, and knows the profiles from it.
    pub(crate) fn new(
        tracker: Arc<Tracker>,
        strategy: Option<Arc<ZlutStrategy>>,
        config: WorkerConfig,
    ) -> Result<Self, RunError> {
        let first = tracker.worker(&config)?;
        let layout = *first.layout();
        let chain = Self { tracker, strategy, config, layout, free: Mutex::default() };
        let workers = chain.with_strategy(first)?;
        chain.give_back(workers);
        Ok(chain)
    }

    fn with_strategy(&self, tracker: TrackerWorker) -> Result<Workers, RunError> {
        let zlut = match &self.strategy {
            None => None,
            Some(s) => Some(s.worker(&self.config, &self.layout)?),
        };
        Ok(Workers { tracker, zlut, lookup: LookupBuffers::default(), tracks: TrackBuffers::default() })
    }

    /// The tracker.
    pub(crate) fn tracker(&self) -> &Arc<Tracker> {
        &self.tracker
    }

    /// The strategy, if z is looked up.
    pub(crate) fn strategy(&self) -> Option<&Arc<ZlutStrategy>> {
        self.strategy.as_ref()
    }

    /// What workers were told.
    pub(crate) fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// Geometry of the tracker's profiles.
    pub(crate) fn layout(&self) -> &ProfileLayout {
        &self.layout
    }

    /// Makes workers until `n` are free. Off the live path.
    pub(crate) fn prepare(&self, n: usize) -> Result<(), RunError> {
        let there = self.free().len();
        for _ in there..n {
            let made = self.with_strategy(self.tracker.worker(&self.config)?)?;
            self.give_back(made);
        }
        Ok(())
    }

    fn free(&self) -> MutexGuard<'_, Vec<Workers>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Workers that nobody uses; made anew if all are in use.
    pub(crate) fn take(&self) -> Result<Workers, RunError> {
        let free = self.free().pop();
        match free {
            Some(workers) => Ok(workers),
            None => self.with_strategy(self.tracker.worker(&self.config)?),
        }
    }

    pub(crate) fn give_back(&self, workers: Workers) {
        self.free().push(workers);
    }
}
