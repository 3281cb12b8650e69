//! A recording: a folder with everything that was measured and everything that must be known about it.
//!
//! | file | content |
//! |---|---|
//! | `recording.json` | what it is: settings, plugins, files, outcome; replaced as a whole |
//! | `tracks.SET.0001.arrows`, `.crc` | rows while they are recorded: an Arrow stream and its checksums |
//! | `tracks.SET.0001.parquet` | the same rows, finished |
//! | `profiles.SET.0001.arrows`, `.crc` | radial profiles, if they were asked for |
//! | `frames.0001.tif`, `.index` | full frames as ImageJ opens them; times, channels and checksums of each |
//! | `rois.0001.tif`, `.index` | ROI stacks, one channel for each bead |
//! | `events.jsonl`, `gaps.jsonl`, `stages.jsonl` | what happened, what is missing, where stages were; a checksum on each line |
//!
//! While it is recorded every file only grows, by whole records with a checksum each, so whatever ends the program leaves
//! all whole records readable. [`RecordingWriter`] writes, [`Recording`] reads (also one that is being written or was torn).
//! Nothing is overwritten, and no data are thrown away that could not be vouched for.

mod arrow_log;
mod arrow_rows;
mod crc_log;
mod finalise;
mod frames_reader;
mod index;
mod lines;
mod live;
mod lock;
mod metadata;
mod names;
mod options;
mod reader;
mod records;
mod recover;
mod shared;
mod space;
mod stack;
mod start;
mod track_log;
mod video_log;
mod writer;

pub use arrow_log::Damage;
pub use arrow_rows::ProfileRow;
pub use frames_reader::{FrameCondition, FramesReader, PlaneFormat, StoredFrame};
pub use metadata::{
    Condition, FileEntry, FileState, Metadata, RECORDING_VERSION, RecordingState, TrackSetInfo, WriterIdentity,
};
pub use names::Stream;
pub use options::{FinishReport, RecordingOptions, RoiStackOptions, TrackSetId, TrackSetOptions};
pub use reader::{Recording, TracksReader};
pub use records::{
    ChannelName, DEFAULT_MAX_FILE_BYTES, EventRecord, FrameRecord, GapRecord, PlaneView, RoiPlace, StackOptions,
    StageSample,
};
pub use recover::{MendedFile, RecoverReport, recover};
pub use shared::SyncHandle;
pub use space::{DataRate, DiskSpace, KEEP_FREE_BYTES, disk_space, seconds_left};
pub use stack::crop_rois;
pub use writer::RecordingWriter;

#[cfg(test)]
mod tests;
