//! What a recording holds besides rows: frames, places of ROIs, events, gaps and positions of stages. Plain values, the
//! same for writing and for reading.

use serde::{Deserialize, Serialize};

use crate::tiff_out::GreyDepth;

/// What is known of one frame. Times are integer ns; `None` where the camera or the host doesn't know.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameRecord {
    /// Frame index of the host.
    pub index: u64,
    /// The device's id, unwrapped.
    pub device_id: Option<u64>,
    /// The device's time.
    pub device_time_ns: Option<i64>,
    /// When the frame reached the host, on its monotonic clock.
    pub arrival_mono_ns: u64,
    /// UTC of the exposure's middle, since 1970.
    pub utc_ns: Option<i64>,
    /// Exposure.
    pub exposure_ns: Option<i64>,
    /// The plugin interface's `FRAME_*` bits; 0 is a whole frame.
    pub status: u32,
    /// Values of the camera's channels, in the order of [`StackOptions::channels`]; a channel of n values has n.
    pub channels: Vec<f64>,
}

/// One of the values that a camera delivers with each frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelName {
    /// Its key, for example `temperature_c`.
    pub key: String,
    /// Its unit, for people.
    pub unit: String,
}

/// Pixels in memory: rows of `width_px` pixels, `row_stride_bytes` apart. u16 in the machine's byte order.
#[derive(Debug, Clone, Copy)]
pub struct PlaneView<'a> {
    /// From the first byte of the top-left pixel on.
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub row_stride_bytes: usize,
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
    /// Type of a pixel.
    pub depth: GreyDepth,
}

/// What every plane of a video is like.
#[derive(Debug, Clone, PartialEq)]
pub struct StackOptions {
    /// Width of a plane: of the frame, or of every ROI.
    pub width_px: u32,
    /// Height of a plane.
    pub height_px: u32,
    /// Type of a pixel.
    pub depth: GreyDepth,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Size of a pixel in the sample; ImageJ then measures in nm.
    pub nm_per_px: Option<f64>,
    /// Time from frame to frame as far as it is known; ImageJ shows it. The true times stand in the index.
    pub frame_interval_s: Option<f64>,
    /// One name for each value of [`FrameRecord::channels`].
    pub channels: Vec<ChannelName>,
    /// Size at which the next file is begun; [`DEFAULT_MAX_FILE_BYTES`] unless there is a reason.
    pub max_file_bytes: u64,
}

/// 4 GB: below the 4 GiB of a classic TIFF, with room for what is appended when the file is finished.
pub const DEFAULT_MAX_FILE_BYTES: u64 = 4_000_000_000;

/// Where one bead's ROI was in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoiPlace {
    /// Bead id.
    pub bead: u32,
    /// Column of the top-left pixel in the frame.
    pub x_px: i32,
    /// Row of the top-left pixel in the frame.
    pub y_px: i32,
    /// Whether the ROI lay wholly inside the frame. If not, its plane is black and says nothing.
    pub inside: bool,
}

/// Something that happened: a command, a changed parameter, a warning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// What kind, for example `tracker_changed`.
    pub kind: String,
    /// The first frame to which it applies.
    pub frame: Option<u64>,
    /// When, UTC in ns since 1970.
    pub utc_ns: i64,
    /// Whatever belongs to it.
    pub data: serde_json::Value,
}

/// Frames that are missing somewhere, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRecord {
    /// Where they were lost: `camera`, `tracking`, `frames`, `rois`, `tracks` …
    pub stage: String,
    /// Index of the first frame after the gap.
    pub first_frame_after: u64,
    /// How many frames are missing.
    pub count: u64,
    /// One of the ledger's reasons, for example `camera_gap`.
    pub reason: String,
    /// The device's ids of the first and the last missing frame, where they are known.
    pub device_ids: Option<(u64, u64)>,
    /// When it was noticed, UTC in ns since 1970.
    pub utc_ns: Option<i64>,
}

/// Where an axis of a stage was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageSample {
    /// When, UTC in ns since 1970.
    pub utc_ns: i64,
    /// The stage's name in the recording's settings.
    pub stage: String,
    /// The axis, by its index in the stage's list.
    pub axis: u32,
    /// Unit of the positions, for example `nm`.
    pub unit: String,
    /// The measured position; `None` if the stage didn't answer.
    pub position: Option<f64>,
    /// Where it was sent last.
    pub target: Option<f64>,
    /// Whether it was moving.
    pub moving: bool,
}
