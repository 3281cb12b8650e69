//! The camera as the host sees it: opened, set, run against a host in memory, stopped. Files are small and made by hand;
//! nothing is asserted on how long something takes.

mod folders;

use crate::camera::{ReplayCamera, ReplayContext};
use crate::options;
use crate::test_sink::TestSink;
use crate::test_tiff::{Style, imagej, native, picture, save, stack};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tetherscope_plugin_api::abi::{
    ENDED_END_OF_DATA, ENDED_ERROR, FORMAT_FINITE, NO_DEVICE_TIME, PIXEL_MONO8, PIXEL_MONO16, STATUS_BUSY,
    STATUS_CANCELLED, STATUS_TIMED_OUT,
};
use tetherscope_plugin_api::{Camera, Error, HostHandle, LibraryContext, ParamValues, Value};

const LITTLE: Style = Style { big_endian: false, big_tiff: false };
/// A poll that ends early when something happens; long enough that a loaded machine never ends it.
const PATIENT: Duration = Duration::from_secs(30);
/// A poll that only looks.
const GLANCE: Duration = Duration::from_millis(1);

fn open_with(device: &str, values: &[(&str, Value)]) -> Result<ReplayCamera, Error> {
    let context = Arc::new(ReplayContext::open(HostHandle::none()).unwrap());
    let mut params = ParamValues::defaults(&options::schema());
    for (key, value) in values {
        params.set(key, value.clone());
    }
    ReplayCamera::open(&context, device, &params)
}

fn open(path: &Path, values: &[(&str, Value)]) -> ReplayCamera {
    open_with(path.to_str().unwrap(), values).unwrap()
}

fn speed(name: &str) -> (&'static str, Value) {
    ("speed", Value::Choice(name.into()))
}

fn video(bits: u16, n: u32) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = save(folder.path(), "video.tif", &stack(LITTLE, (12, 9), bits, n));
    (folder, path)
}

/// Polls until the camera says that it ended.
fn run_to_the_end(camera: &ReplayCamera, sink: &TestSink) {
    while sink.log(|l| l.ended.is_none()) {
        camera.poll(PATIENT).unwrap();
    }
}

fn setting(camera: &ReplayCamera, key: &str) -> Value {
    let settings = camera.settings().unwrap();
    settings.settings.into_iter().find(|s| s.parameter.key() == key).unwrap().value
}

#[test]
fn a_video_is_delivered_frame_by_frame_and_ends() {
    for bits in [8, 16] {
        let (_folder, path) = video(bits, 6);
        let camera = open(&path, &[]);
        let format = camera.format().unwrap();
        assert_eq!((format.width_px, format.height_px, format.n_frames), (12, 9, 6));
        assert_eq!(format.pixel_format, if bits == 8 { PIXEL_MONO8 } else { PIXEL_MONO16 });
        assert_eq!(format.flags, FORMAT_FINITE);
        let sink = TestSink::new(2, format.payload_bytes as usize + 5, false);
        camera.start(sink.frames()).unwrap();
        run_to_the_end(&camera, &sink);
        sink.log(|l| {
            for (page, frame) in l.frames.iter().enumerate() {
                assert_eq!(frame.info.device_frame_id, page as u64);
                assert_eq!(frame.info.device_time_ticks, NO_DEVICE_TIME);
                let wanted = native(bits, &picture(12, 9, bits, page as u32));
                assert_eq!(frame.bytes[..format.payload_bytes as usize], wanted);
            }
            assert_eq!((l.frames.len(), l.n_lost), (6, 0));
            assert_eq!(l.ended, Some((ENDED_END_OF_DATA, String::new())));
        });
        assert_eq!(camera.poll(GLANCE).unwrap_err().status(), STATUS_TIMED_OUT, "after the end nothing comes");
        camera.stop().unwrap();
        assert_eq!(sink.n_free(), 2);
    }
}

#[test]
fn a_second_start_begins_with_the_first_frame() {
    let (_folder, path) = video(8, 3);
    let camera = open(&path, &[]);
    for _ in 0..2 {
        let sink = TestSink::new(1, 108, true);
        camera.start(sink.frames()).unwrap();
        assert_eq!(camera.start(sink.frames()).unwrap_err().status(), STATUS_BUSY);
        run_to_the_end(&camera, &sink);
        camera.stop().unwrap();
        sink.close();
        assert_eq!(sink.log(|l| l.frames.iter().map(|f| f.info.device_frame_id).collect::<Vec<_>>()), [0, 1, 2]);
    }
}

#[test]
fn offline_frames_wait_for_slots_at_every_speed() {
    for name in ["full", "fixed"] {
        let (_folder, path) = video(8, 5);
        let camera = open(&path, &[speed(name), ("frame_rate_hz", Value::Float(1e5))]);
        let sink = TestSink::new(2, 108, true);
        sink.hold();
        camera.start(sink.frames()).unwrap();
        let mut n_timed_out = 0;
        while n_timed_out < 3 {
            n_timed_out += u32::from(camera.poll(GLANCE).is_err_and(|e| e.status() == STATUS_TIMED_OUT));
        }
        assert_eq!(sink.log(|l| (l.frames.len(), l.n_lost)), (2, 0), "{name}");
        sink.release();
        run_to_the_end(&camera, &sink);
        camera.stop().unwrap();
        assert_eq!(sink.log(|l| (l.frames.len(), l.n_lost)), (5, 0), "{name}");
    }
}

#[test]
fn live_frames_without_a_slot_are_counted_as_lost() {
    let (_folder, path) = video(8, 40);
    let camera = open(&path, &[speed("fixed"), ("frame_rate_hz", Value::Float(2000.0))]);
    let sink = TestSink::new(2, 108, false);
    sink.hold();
    camera.start(sink.frames()).unwrap();
    while sink.log(|l| l.ended.is_none()) {
        // A poll whose frame is still due times out; the others lose theirs.
        let _ = camera.poll(Duration::from_millis(20));
    }
    let ids: Vec<u64> = sink.log(|l| l.frames.iter().map(|f| f.info.device_frame_id).collect());
    assert_eq!(ids, [0, 1]);
    assert_eq!(sink.log(|l| (l.n_lost, l.ended.clone())), (38, Some((ENDED_END_OF_DATA, String::new()))));
    assert_eq!(setting(&camera, "n_lost"), Value::Int(38));
    assert_eq!(setting(&camera, "position"), Value::Int(40));
    camera.stop().unwrap();
}

#[test]
fn recorded_speed_and_device_time_come_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = imagej(LITTLE, (12, 9), 8, 4, "frames=4\nfinterval=0.002\n");
    let path = save(folder.path(), "a.tif", &bytes);
    let camera = open(&path, &[speed("recorded")]);
    assert_eq!(camera.format().unwrap().ns_per_tick, 1.0);
    let sink = TestSink::new(2, 108, true);
    camera.start(sink.frames()).unwrap();
    run_to_the_end(&camera, &sink);
    camera.stop().unwrap();
    let times: Vec<i64> = sink.log(|l| l.frames.iter().map(|f| f.info.device_time_ticks).collect());
    assert_eq!(times, [0, 2_000_000, 4_000_000, 6_000_000]);
}

#[test]
fn a_file_without_times_needs_the_recorded_rate() {
    let (_folder, path) = video(8, 2);
    let error = open_with(path.to_str().unwrap(), &[speed("recorded")]).err().unwrap();
    assert!(error.message().contains("recorded_rate_hz") && error.message().contains("video.tif"), "{error}");
    let camera = open(&path, &[speed("recorded"), ("recorded_rate_hz", Value::Float(1000.0))]);
    assert_eq!(camera.format().unwrap().ns_per_tick, 1.0);
}

#[test]
fn a_loop_goes_on_counting() {
    let (_folder, path) = video(8, 3);
    let camera = open(&path, &[("loop", Value::Bool(true)), ("recorded_rate_hz", Value::Float(1000.0))]);
    let format = camera.format().unwrap();
    assert_eq!((format.flags, format.n_frames), (0, 0));
    let sink = TestSink::new(2, 108, true);
    camera.start(sink.frames()).unwrap();
    for _ in 0..7 {
        camera.poll(PATIENT).unwrap();
    }
    camera.stop().unwrap();
    sink.log(|l| {
        let last = &l.frames[6];
        assert_eq!((last.info.device_frame_id, last.info.device_time_ticks), (6, 6_000_000));
        assert_eq!(last.bytes, l.frames[0].bytes);
        assert_eq!(l.ended, None);
    });
}

#[test]
fn stop_ends_a_poll_that_waits_for_a_slot_and_one_that_waits_for_its_time() {
    for rate in [None, Some(0.001)] {
        let (_folder, path) = video(8, 9);
        let camera = match rate {
            None => open(&path, &[]),
            Some(hz) => open(&path, &[speed("fixed"), ("frame_rate_hz", Value::Float(hz))]),
        };
        let sink = TestSink::new(1, 108, true);
        sink.hold();
        camera.start(sink.frames()).unwrap();
        camera.poll(PATIENT).unwrap();
        std::thread::scope(|scope| {
            let poll = scope.spawn(|| camera.poll(Duration::from_secs(3600)));
            std::thread::sleep(Duration::from_millis(20));
            camera.stop().unwrap();
            sink.close();
            assert_eq!(poll.join().unwrap().unwrap_err().status(), STATUS_CANCELLED);
        });
        assert_eq!(camera.poll(GLANCE).unwrap_err().status(), STATUS_CANCELLED);
        camera.stop().unwrap();
        assert_eq!(sink.log(|l| (l.frames.len(), l.n_late_calls)), (1, 0));
    }
}

#[test]
fn what_came_before_the_damage_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = stack(LITTLE, (12, 9), 8, 5);
    let path = save(folder.path(), "cut.tif", &bytes[..bytes.len() * 7 / 10]);
    let camera = open(&path, &[("loop", Value::Bool(true))]);
    let Value::Text(damage) = setting(&camera, "damage") else { panic!("damage is a text") };
    assert!(damage.contains("cut.tif") && damage.contains("the 3 before it are complete"), "{damage}");
    assert_eq!(setting(&camera, "n_frames"), Value::Int(3));
    let sink = TestSink::new(2, 108, true);
    camera.start(sink.frames()).unwrap();
    run_to_the_end(&camera, &sink);
    camera.stop().unwrap();
    assert_eq!(sink.log(|l| (l.frames.len(), l.ended.clone())), (3, Some((ENDED_ERROR, damage))));
}

#[test]
fn a_file_that_shrinks_while_it_runs_ends_with_an_error() {
    let (_folder, path) = video(8, 5);
    let camera = open(&path, &[]);
    let sink = TestSink::new(2, 108, true);
    camera.start(sink.frames()).unwrap();
    camera.poll(PATIENT).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(10).unwrap();
    run_to_the_end(&camera, &sink);
    camera.stop().unwrap();
    let (reason, text) = sink.log(|l| l.ended.clone()).unwrap();
    assert_eq!(reason, ENDED_ERROR);
    assert!(text.contains("page 2 of 5") && text.contains("ends too early"), "{text}");
    assert_eq!(sink.n_free(), 2, "the slot came back");
}

#[test]
fn speed_changes_live_and_the_rest_waits_for_stop() {
    let (_folder, path) = video(16, 5);
    let camera = open(&path, &[]);
    let sink = TestSink::new(2, 216, true);
    camera.start(sink.frames()).unwrap();
    let set = |key: &str, value: Value| camera.set(&ParamValues::from_values([(key.to_owned(), value)]));
    set("frame_rate_hz", Value::Float(50_000.0)).unwrap();
    set("speed", Value::Choice("fixed".into())).unwrap();
    assert_eq!(camera.settings().unwrap().revision, 2);
    assert_eq!(set("significant_bits", Value::Int(12)).unwrap_err().status(), STATUS_BUSY);
    run_to_the_end(&camera, &sink);
    camera.stop().unwrap();
    set("significant_bits", Value::Int(12)).unwrap();
    assert_eq!(camera.format().unwrap().significant_bits, 12);
    assert!(set("speed", Value::Choice("recorded".into())).is_err(), "the file has no times");
    assert_eq!(sink.log(|l| l.frames.len()), 5);
}

#[test]
fn slots_that_are_too_small_are_refused() {
    let (_folder, path) = video(16, 2);
    let sink = TestSink::new(2, 215, true);
    let error = open(&path, &[]).start(sink.frames()).unwrap_err();
    assert!(error.message().contains("216") && error.message().contains("215"), "{error}");
}
