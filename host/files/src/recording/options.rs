//! What a recording is begun with.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::records::StackOptions;

/// What a recording is begun with. Everything listed here is begun together or not at all.
#[derive(Debug, Clone, Default)]
pub struct RecordingOptions {
    /// Settings, plugins, camera, operator …: stored as they are, by name.
    pub sections: BTreeMap<String, Value>,
    /// The track sets; their handles are [`TrackSetId`]s in this order.
    pub track_sets: Vec<TrackSetOptions>,
    /// Full frames, if they are recorded from the start.
    pub frames: Option<StackOptions>,
    /// ROI stacks, if they are recorded from the start.
    pub rois: Option<RoiStackOptions>,
    /// Rows, profiles and videos begin new files so often; `None`: rows only when asked, videos also at their size.
    pub rotate_every: Option<Duration>,
    /// Space that must be free at the start, beside [`super::KEEP_FREE_BYTES`].
    pub needed_bytes: u64,
}

/// One method's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackSetOptions {
    /// A part of the file's name: a-z, 0-9, - and _. `main` by custom for the method that is in charge.
    pub id: String,
    /// Plugins, versions, parameters …
    pub description: Value,
}

/// ROI stacks: one plane for each bead and frame.
#[derive(Debug, Clone, PartialEq)]
pub struct RoiStackOptions {
    /// What a plane is like; width and height are the ROI's.
    pub stack: StackOptions,
    /// The beads, in the order of the planes. When others come, a new file is begun.
    pub beads: Vec<u32>,
}

/// A track set of a recording that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackSetId(pub(crate) usize);

/// What came of finishing a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct FinishReport {
    /// Parts that could not be given their last form, or data that could not be written. What was recorded is kept.
    pub problems: Vec<crate::FileError>,
}
