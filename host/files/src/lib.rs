//! Every measurement file that Tetherscope reads or writes.
//!
//! Two rules hold for all of them. A file appears whole or not at all: it is written under a
//! temporary name in the same folder, synced and renamed. Nothing is overwritten: an existing
//! target is an error that says so. Errors are three lines: the thing, the cause, the mend.
//!
//! This crate knows formats. It runs nothing, loads no plugin and draws nothing.

mod array_out;
mod error;
mod focus;
mod new_file;
mod png_out;
mod recording;
mod rois;
mod rows;
#[cfg(test)]
mod spoil;
mod text;
mod tiff_out;
mod truth;
mod zlut;

pub use array_out::write_array;
pub use error::{ErrorKind, FileError, Result};
pub use focus::{FOCUS_COLUMNS, FocusRow, read_focus, write_focus};
pub use png_out::write_png;
pub use recording::{
    ChannelName, Condition, DEFAULT_MAX_FILE_BYTES, Damage, DataRate, DiskSpace, EventRecord, FileEntry, FileState,
    FinishReport, FrameCondition, FrameRecord, FramesReader, GapRecord, KEEP_FREE_BYTES, MendedFile, Metadata,
    PlaneFormat, PlaneView, ProfileRow, RECORDING_VERSION, Recording, RecordingOptions, RecordingState,
    RecordingWriter, RecoverReport, RoiPlace, RoiStackOptions, StackOptions, StageSample, StoredFrame, Stream,
    SyncHandle, TrackSetId, TrackSetInfo, TrackSetOptions, TracksReader, WriterIdentity, crop_rois, disk_space,
    recover, seconds_left,
};
pub use rois::{ROI_COLUMNS, Roi, common_size, read_rois, write_rois};
pub use rows::{ROW_COLUMNS, ROWS_VERSION, ROWS_VERSION_KEY, Row, RowsReader, RowsWriter, read_rows};
pub use tiff_out::{GreyDepth, TiffStackOptions, TiffStackWriter};
pub use truth::{TRUTH_COLUMNS, TruthRow, TruthWriter, read_truth};
pub use zlut::{
    Compatibility, MethodStamp, Mismatch, ParamValue, ProfileGeometry, ProfileKind, StoredParameter, StoredZlut,
    ZlutFile, ZlutSettings, ZlutTable, read_zlut, read_zlut_text, write_zlut, write_zlut_text,
};
