//! What lies in the queue to the disk.

use crate::control::DataMode;
use crate::engine::work::BatchFrames;
use crate::ledger::{Ledger, Ticket};
use crate::plan::Plan;
use serde_json::Value;
use std::sync::Arc;
use tetherscope_files::Row;
use tetherscope_files::{EventRecord, GapRecord, StageSample};

/// One thing to write.
pub(crate) enum Item {
    /// The recording begins with this frame.
    Begin(u64),
    /// Rows and frames of a batch.
    Batch(Box<BatchItem>),
    /// Something happened.
    Event(EventRecord),
    /// Frames are missing.
    Gap(GapRecord),
    /// Where a stage is.
    Stage(StageSample),
    /// A section of the metadata.
    Section(String, Value),
    /// Ledger and verdict into the metadata, as they are when everything before is written.
    Account(Ledger),
    /// New files from here on.
    Rotate,
    /// The recording ends before this frame.
    End(u64),
    /// Everything is said: finish.
    Finish,
}

/// Rows and frames of a batch.
pub(crate) struct BatchItem {
    pub(crate) n_frames: u64,
    /// The frame after its last one.
    pub(crate) end_frame: u64,
    pub(crate) arrivals_ns: Vec<i64>,
    pub(crate) rows: Vec<Row>,
    pub(crate) rows_ticket: Option<Ticket>,
    /// Bins, profiles, weights.
    pub(crate) profiles: Option<(u32, Vec<f64>, Vec<f32>)>,
    /// Frames, which keep their slots of the ring.
    pub(crate) video: Option<Arc<BatchFrames>>,
    pub(crate) video_ticket: Option<Ticket>,
    pub(crate) mode: DataMode,
    /// ROIs to cut out.
    pub(crate) rois: Option<Arc<Plan>>,
    /// Frames that it holds of the ring.
    pub(crate) held: usize,
}
