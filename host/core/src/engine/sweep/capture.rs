//! Frames for a sweep: looks at every tracked batch, and keeps those that were exposed after the stage had settled, with
//! pixels, profiles and positions, until a step has enough. On the live thread it only copies.

use crate::SweepEntry;
use crate::engine::program::Tap;
use crate::loader::CancelToken;
use crate::run::TrackedBatch;
use crate::{RunError, Sweep};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a wait looks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// The frames of a sweep so far.
pub(crate) struct Capture {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    sweep: Sweep,
    step: Option<Step>,
    roi: Vec<u8>,
    /// Batches that were looked at.
    n_batches: u64,
    failure: Option<RunError>,
}

/// A step that takes frames.
struct Step {
    focus_nm: f64,
    /// Frames exposed before this instant of the host's monotonic clock still show the move.
    after_ns: i64,
    wanted: u32,
    taken: u32,
    /// The first frame after the instant may have been exposed before it, as far as its read-out took.
    passed_over: bool,
}

/// How a wait for frames ended.
#[derive(Debug)]
pub(crate) enum Waited {
    /// The step has all its frames.
    Full,
    /// No frame came for too long; so many were there.
    Stalled(u32),
    /// The sweep was cancelled or stopped.
    Cancelled,
    /// A frame could not be kept.
    Failed(RunError),
}

impl Capture {
    /// Frames go into `sweep`.
    pub(crate) fn new(sweep: Sweep) -> Self {
        let inner = Inner { sweep, step: None, roi: Vec::new(), n_batches: 0, failure: None };
        Self { inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries so far: where a step that is to be repeated began.
    pub(crate) fn mark(&self) -> usize {
        self.lock().sweep.len()
    }

    /// Takes frames for a step from now on.
    pub(crate) fn begin(&self, focus_nm: f64, after_ns: i64, wanted: u32) {
        self.lock().step = Some(Step { focus_nm, after_ns, wanted, taken: 0, passed_over: false });
    }

    /// Waits until the step has its frames; `progress` hears how many there are. Ends when no frame at all was tracked for
    /// `stall`: a tracker that is behind comes to the step's frames later.
    pub(crate) fn wait(&self, stall: Duration, cancel: &CancelToken, mut progress: impl FnMut(u32)) -> Waited {
        let (mut seen, mut batches, mut since) = (0, 0, Instant::now());
        let mut inner = self.lock();
        loop {
            if let Some(e) = inner.failure.take() {
                inner.step = None;
                return Waited::Failed(e);
            }
            let taken = inner.step.as_ref().map_or(0, |s| s.taken);
            if taken > seen {
                seen = taken;
                progress(taken);
            }
            if inner.n_batches != batches {
                (batches, since) = (inner.n_batches, Instant::now());
            }
            if inner.step.as_ref().is_none_or(|s| s.taken >= s.wanted) {
                inner.step = None;
                return Waited::Full;
            }
            if cancel.is_cancelled() {
                inner.step = None;
                return Waited::Cancelled;
            }
            if since.elapsed() >= stall {
                inner.step = None;
                return Waited::Stalled(taken);
            }
            inner = self.changed.wait_timeout(inner, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Forgets what came after a mark.
    pub(crate) fn rewind(&self, mark: usize) {
        self.lock().sweep.truncate(mark);
    }

    /// Of the entries after a mark: each bead, its entries, and those with a position.
    pub(crate) fn positions_since(&self, mark: usize) -> Vec<(u32, usize, usize)> {
        let inner = self.lock();
        let mut beads: Vec<(u32, usize, usize)> = Vec::new();
        for i in mark..inner.sweep.len() {
            let (bead, found) = (inner.sweep.beads()[i], usize::from(inner.sweep.has_position(i)));
            match beads.iter_mut().find(|b| b.0 == bead) {
                Some(b) => (b.1, b.2) = (b.1 + 1, b.2 + found),
                None => beads.push((bead, 1, found)),
            }
        }
        beads
    }

    /// The focus after a mark, and the first and the last frame there.
    pub(crate) fn plane_since(&self, mark: usize) -> Option<(f64, u64, u64)> {
        let inner = self.lock();
        let frames = inner.sweep.frames().get(mark..)?;
        Some((*inner.sweep.focus_nm().get(mark)?, *frames.first()?, *frames.last()?))
    }

    /// Everything that was taken. Nothing is taken any more.
    pub(crate) fn take_sweep(&self) -> Sweep {
        let mut inner = self.lock();
        inner.step = None;
        let empty = inner.sweep.without_entries();
        std::mem::replace(&mut inner.sweep, empty)
    }
}

impl Tap for Capture {
    fn take(&self, batch: &TrackedBatch<'_>) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.n_batches += 1;
        let Some(step) = &mut inner.step else { return };
        let (n_rois, n_bins) = (batch.rois.len(), batch.layout.n_bins as usize);
        for (f, frame) in batch.frames.iter().enumerate() {
            let began_ns = frame.arrival_ns.map_or(i64::MIN, |at| at - frame.exposure_ns.unwrap_or(0));
            if step.taken >= step.wanted || began_ns <= step.after_ns {
                continue;
            }
            if !std::mem::replace(&mut step.passed_over, true) {
                continue;
            }
            for (r, roi) in batch.rois.iter().enumerate() {
                batch.copy_roi(f, r, &mut inner.roi);
                if inner.roi.is_empty() {
                    // Not wholly inside the frame: there are no pixels to keep.
                    continue;
                }
                let at = f * n_rois + r;
                let entry = SweepEntry {
                    bead: roi.bead,
                    frame: frame.index,
                    focus_nm: step.focus_nm,
                    pixels: &inner.roi,
                    fix: batch.fixes[at],
                    profile: &batch.profiles[at * n_bins..(at + 1) * n_bins],
                    weights: &batch.weights[at * n_bins..(at + 1) * n_bins],
                };
                if let Err(e) = inner.sweep.push(&entry) {
                    inner.failure = Some(e);
                    inner.step = None;
                    self.changed.notify_all();
                    return;
                }
            }
            step.taken += 1;
        }
        drop(guard);
        self.changed.notify_all();
    }
}
