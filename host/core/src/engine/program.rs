//! What is done with each frame from some frame on: one value that is made off the live path and swapped in as a whole, at a
//! frame boundary. Every change that must be exact (beads, tracker, Z-LUT, mode, recording, sweep) is a new program.

use super::question::Planes;
use super::recorder::Inlet;
use crate::control::{BatchLimits, DataMode};
use crate::plan::Plan;
use crate::run::TrackedBatch;
use std::sync::Arc;

/// Who looks at tracked frames besides history and recording, with profiles and pixels: a sweep.
pub(crate) trait Tap: Send + Sync {
    /// Some tracked frames, in order, on the live thread: to copy what is needed and return.
    fn take(&self, batch: &TrackedBatch<'_>);
}

/// What is done with frames.
#[derive(Clone)]
pub(crate) struct Program {
    /// ROIs, tracker and tables; none: nothing can be tracked (no bead, no tracker).
    pub(crate) plan: Option<Arc<Plan>>,
    /// What is done with frames.
    pub(crate) mode: DataMode,
    /// False: nothing is done with frames.
    pub(crate) processing: bool,
    /// Bounds of a batch.
    pub(crate) batch: BatchLimits,
    /// Where frames and rows are recorded.
    pub(crate) recorder: Option<Inlet>,
    /// Profiles are recorded too.
    pub(crate) record_profiles: bool,
    /// Planes of the tables in use, for who asks about profiles.
    pub(crate) planes: Option<Arc<Planes>>,
    /// A sweep that captures.
    pub(crate) tap: Option<Arc<dyn Tap>>,
}

impl Program {
    /// Nothing to do yet.
    pub(crate) fn idle(batch: BatchLimits) -> Self {
        Self {
            plan: None,
            mode: DataMode::Track,
            processing: true,
            batch,
            recorder: None,
            record_profiles: false,
            planes: None,
            tap: None,
        }
    }

    /// The plan, if frames are tracked.
    pub(crate) fn tracking(&self) -> Option<&Arc<Plan>> {
        self.plan.as_ref().filter(|_| self.processing && self.mode.tracks())
    }
}
