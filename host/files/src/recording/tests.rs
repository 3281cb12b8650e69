//! Tests of whole recordings: what goes in comes out, from finished, live and torn ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::rows::Row;
use crate::{ErrorKind, GreyDepth};

mod starts;
mod torn;
mod whole;

/// Rows of `n_beads` beads in frames `frames`, with awkward values among them.
pub(super) fn rows(frames: std::ops::Range<u64>, n_beads: u32) -> Vec<Row> {
    frames.flat_map(|frame| (0..n_beads).map(move |bead| row(frame, bead))).collect()
}

pub(super) fn row(frame: u64, bead: u32) -> Row {
    let t = frame as f64 + f64::from(bead) / 7.0;
    Row {
        frame,
        bead,
        time_ns: (frame % 5 != 4).then_some(1_795_000_000_000_000_000 + frame as i64 * 10_000_000),
        x_nm: (t * 0.1).sin() * 5000.0,
        y_nm: if bead == 1 { -0.0 } else { t / 3.0 },
        z_nm: if frame.is_multiple_of(4) { f64::NAN } else { -t * 1e-9 },
        sigma_x_nm: 0.1 + t as f32,
        sigma_y_nm: f32::NAN,
        sigma_z_nm: f32::MIN_POSITIVE,
        quality: 0.3,
        flags: frame as u32 & 0xff,
        roi_x_px: -3,
        roi_y_px: frame as i32,
    }
}

pub(super) fn assert_same(found: &[Row], expected: &[Row]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!(a.same_bits(b), "{b:?} became {a:?}");
    }
}

pub(super) fn set(id: &str) -> TrackSetOptions {
    TrackSetOptions { id: id.to_owned(), description: json!({"tracker": "tracker.quadrant 1.0.0"}) }
}

pub(super) fn options() -> RecordingOptions {
    RecordingOptions {
        sections: BTreeMap::from([("camera".to_owned(), json!({"nm_per_px": 54.2}))]),
        track_sets: vec![set("main")],
        ..RecordingOptions::default()
    }
}

pub(super) fn stack(depth: GreyDepth) -> StackOptions {
    StackOptions {
        width_px: 9,
        height_px: 7,
        depth,
        significant_bits: 8 * depth.bytes_per_px(),
        nm_per_px: Some(54.2),
        frame_interval_s: Some(0.01),
        channels: vec![ChannelName { key: "temperature_c".into(), unit: "°C".into() }],
        max_file_bytes: DEFAULT_MAX_FILE_BYTES,
    }
}

pub(super) fn record(index: u64) -> FrameRecord {
    FrameRecord {
        index,
        device_id: Some(1000 + index),
        device_time_ns: (!index.is_multiple_of(3)).then_some(index as i64 * 10_000_000),
        arrival_mono_ns: 77 + index,
        utc_ns: Some(1_795_000_000_000_000_000 + index as i64 * 10_000_000),
        exposure_ns: Some(1_000_000),
        status: (index % 2) as u32,
        channels: vec![20.0 + index as f64 / 10.0],
    }
}

/// Pixels of a frame of [`stack`], padded to `stride` bytes a row.
pub(super) fn pixels(index: u64, depth: GreyDepth, stride: usize) -> Vec<u8> {
    let row = 9 * depth.bytes_per_px() as usize;
    (0..7)
        .flat_map(|y| (0..stride).map(move |x| if x < row { (index as usize * 31 + y * 17 + x) as u8 } else { 0xee }))
        .collect()
}

pub(super) fn view(bytes: &[u8], depth: GreyDepth, stride: usize) -> PlaneView<'_> {
    PlaneView { bytes, row_stride_bytes: stride, width_px: 9, height_px: 7, depth }
}

pub(super) fn event(frame: u64) -> EventRecord {
    EventRecord {
        kind: "tracker_changed".into(),
        frame: Some(frame),
        utc_ns: frame as i64,
        data: json!({"to": "tracker.magtrack", "x": 0.1}),
    }
}

pub(super) fn gap(frame: u64) -> GapRecord {
    GapRecord {
        stage: "camera".into(),
        first_frame_after: frame,
        count: 3,
        reason: "camera_gap".into(),
        device_ids: Some((frame, frame + 2)),
        utc_ns: Some(5),
    }
}

pub(super) fn sample(i: i64) -> StageSample {
    StageSample {
        utc_ns: i,
        stage: "focus".into(),
        axis: 0,
        unit: "nm".into(),
        position: (i != 3).then_some(i as f64 * 0.1),
        target: Some(100.0),
        moving: i % 2 == 0,
    }
}

pub(super) fn all_rows(dir: &Path, set: &str) -> (Vec<Row>, Vec<Damage>) {
    let mut reader = Recording::open(dir).unwrap().tracks(set).unwrap();
    let mut rows = Vec::new();
    while reader.read_batch(&mut rows).unwrap() > 0 {}
    (rows, reader.damage().to_vec())
}

pub(super) fn all_frames(mut reader: FramesReader) -> Vec<(FrameCondition, StoredFrame)> {
    let mut found = Vec::new();
    let mut frame = StoredFrame::default();
    while let Some(condition) = reader.read(&mut frame).unwrap() {
        found.push((condition, frame.clone()));
    }
    found
}

pub(super) fn names_in(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub(super) fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let recording = dir.path().join("rec");
    (dir, recording)
}
