//! A writer that is killed: it records as fast as it can, with new files all the time, and tells on its output what the
//! recording has taken. Who starts it ends it, at a moment that nobody knows.

use super::BEADS;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tetherscope_files::{
    DEFAULT_MAX_FILE_BYTES, EventRecord, FrameRecord, GreyDepth, PlaneView, RecordingOptions, RecordingWriter, Row,
    StackOptions, TrackSetOptions,
};

/// The variable that names the folder of its recording.
pub(super) const INTO: &str = "TETHERSCOPE_TEST_RECORD_INTO";
const W_PX: u32 = 64;
const H_PX: u32 = 48;

/// Pixels of a frame.
pub(super) fn pixels(frame: u64) -> Vec<u8> {
    (0..W_PX * H_PX).map(|i| (u64::from(i) * 7 + frame * 13) as u8).collect()
}

#[test]
#[ignore = "never ends by itself: a test starts it in a process of its own, and kills it"]
fn writes_until_it_is_killed() {
    // Run by hand, with all ignored tests, it has nowhere to write.
    let Some(dir) = std::env::var_os(INTO).map(PathBuf::from) else { return };
    let options = RecordingOptions {
        track_sets: vec![TrackSetOptions { id: "main".into(), description: "none".into() }],
        frames: Some(StackOptions {
            width_px: W_PX,
            height_px: H_PX,
            depth: GreyDepth::U8,
            significant_bits: 8,
            nm_per_px: None,
            frame_interval_s: None,
            channels: vec![],
            max_file_bytes: DEFAULT_MAX_FILE_BYTES.min(1 << 20), // many parts
        }),
        rotate_every: Some(Duration::from_millis(150)),
        ..RecordingOptions::default()
    };
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    let main = writer.track_set("main").unwrap();
    let handle = writer.sync_handle();
    // As a host does: one thread syncs and finishes closed parts, so the kill also comes while it does.
    std::thread::spawn(move || {
        loop {
            handle.sync().unwrap();
            while handle.finish_next_part().unwrap() {}
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    for frame in 0.. {
        let pixels = pixels(frame);
        let view = PlaneView {
            bytes: &pixels,
            row_stride_bytes: W_PX as usize,
            width_px: W_PX,
            height_px: H_PX,
            depth: GreyDepth::U8,
        };
        let record = FrameRecord { index: frame, ..FrameRecord::default() };
        writer.append_frame(&view, &record).unwrap();
        // Taken here, since a disk may make the frame wait.
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let rows: Vec<Row> = (0..BEADS).map(|bead| row(frame, bead as u32, now_ns)).collect();
        writer.append_rows(main, &rows).unwrap();
        let event = EventRecord { kind: "frame".into(), frame: Some(frame), utc_ns: now_ns, data: frame.into() };
        writer.append_event(&event).unwrap();
        // The dot shows that a line is whole.
        let mut out = std::io::stdout().lock();
        writeln!(out, "frame {frame} {now_ns}.").and_then(|()| out.flush()).unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
}

fn row(frame: u64, bead: u32, time_ns: i64) -> Row {
    Row {
        frame,
        bead,
        time_ns: Some(time_ns),
        x_nm: frame as f64,
        y_nm: f64::from(bead),
        z_nm: f64::NAN,
        sigma_x_nm: 1.0,
        sigma_y_nm: 1.0,
        sigma_z_nm: f32::NAN,
        quality: 1.0,
        flags: 0,
        roi_x_px: 0,
        roi_y_px: 0,
    }
}
