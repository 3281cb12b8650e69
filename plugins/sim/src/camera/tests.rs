//! The camera as the host sees it: opened, set, run against a host in memory, stopped. Where time matters, the clock is one
//! that the tests put forward, so nothing depends on how busy the machine is.

use super::*;
use crate::clock::Clock;
use crate::stage::SimFocus;
use crate::test_sink::TestSink;
use tetherscope_plugin_api::abi::{
    ENDED_END_OF_DATA, LOST_CAMERA_GAP, LOST_UNDERRUN, STATUS_BUSY, STATUS_CANCELLED, STATUS_TIMED_OUT,
};
use tetherscope_plugin_api::{HostHandle, LibraryContext, Stage};

mod faults;
mod settings;

/// A poll that ends early when something happens; long enough that a loaded machine never ends it.
const PATIENT: Duration = Duration::from_secs(30);
/// A poll that only looks.
const GLANCE: Duration = Duration::from_millis(1);
const MS: i64 = 1_000_000;

fn manual() -> Arc<OpticalBench> {
    Arc::new(OpticalBench::with_clock(Clock::Manual(0.into())))
}

fn try_open(bench: &Arc<OpticalBench>, changes: &[(&str, Value)]) -> Result<SimCamera> {
    let mut values = ParamValues::defaults(&schema());
    // Small frames with a coarse table: quick to make.
    let small = [
        ("width_px", Value::Int(160)),
        ("height_px", Value::Int(120)),
        ("n_fixed", Value::Int(1)),
        ("n_tethered", Value::Int(1)),
        ("defocus_range_nm", Value::Float(3000.0)),
        ("margin_px", Value::Float(20.0)),
        ("crop_radius_nm", Value::Float(4000.0)),
    ];
    small.iter().chain(changes).for_each(|(key, value)| values.set(key, value.clone()));
    SimCamera::open(bench, "", &values)
}

fn open(bench: &Arc<OpticalBench>, changes: &[(&str, Value)]) -> SimCamera {
    try_open(bench, changes).unwrap()
}

fn n_frames(n: i64) -> (&'static str, Value) {
    ("n_frames", Value::Int(n))
}

fn rate(hz: f64) -> (&'static str, Value) {
    ("frame_rate_hz", Value::Float(hz))
}

fn values(changes: &[(&str, Value)]) -> ParamValues {
    ParamValues::from_values(changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())))
}

fn setting(camera: &SimCamera, key: &str) -> Value {
    let settings = camera.settings().unwrap().settings;
    settings.into_iter().find(|s| s.parameter.key() == key).unwrap().value
}

/// Runs a finite camera to its end into a sink with room for one frame.
fn run_lossless(camera: &SimCamera) -> Box<TestSink> {
    let sink = TestSink::new(camera, 1, true);
    camera.start(sink.frames()).unwrap();
    while sink.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
    }
    camera.stop().unwrap();
    sink
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_truth_in_every_run() {
    let run = |seed| {
        let camera = open(&manual(), &[n_frames(4), ("seed", Value::Int(seed)), ("bits", Value::Choice("12".into()))]);
        let all = |sink: Box<TestSink>| -> Vec<(Vec<u8>, Vec<f64>)> {
            sink.log(|l| l.frames.iter().map(|f| (f.bytes.clone(), f.channels.clone())).collect())
        };
        let first = all(run_lossless(&camera));
        assert_eq!(first, all(run_lossless(&camera)), "a second run begins anew");
        first
    };
    assert_eq!(run(3), run(3));
    let (a, b) = (run(3), run(4));
    assert_ne!(a[0].0, b[0].0);
    assert_ne!(a[0].1, b[0].1);
    assert_ne!(a[0].0, a[1].0, "each frame has its own noise");
}

#[test]
fn a_live_run_shows_the_frames_of_an_offline_run() {
    let changes = [n_frames(5), rate(200.0)];
    let offline = run_lossless(&open(&manual(), &changes));
    let camera = open(&manual(), &changes);
    let live = TestSink::new(&camera, 1, false);
    camera.start(live.frames()).unwrap();
    // Frames 1 and 2 find no slot; the beads move on without being seen.
    camera.poll(PATIENT).unwrap();
    live.hold();
    camera.poll(PATIENT).unwrap();
    while live.log(|l| l.n_lost() < 2) {
        let _ = camera.poll(GLANCE);
    }
    live.release();
    camera.poll(PATIENT).unwrap();
    camera.stop().unwrap();
    let (seen, all) = (live.log(|l| l.frames.clone()), offline.log(|l| l.frames.clone()));
    assert_eq!(live.log(|l| l.ids()), [0, 1, 4]);
    for frame in seen {
        let same = &all[frame.info.device_frame_id as usize];
        assert_eq!(frame.bytes, same.bytes);
        assert_eq!(frame.channels, same.channels);
        assert_eq!(frame.info.device_time_ticks, same.info.device_time_ticks);
    }
}

#[test]
fn ids_times_and_exposure_count_in_simulated_time_and_the_end_is_told_once() {
    let camera = open(&manual(), &[n_frames(3), rate(50.0), ("exposure_ms", Value::Float(4.0))]);
    let format = camera.format().unwrap();
    assert_eq!((format.flags, format.n_frames, format.ns_per_tick), (FORMAT_FINITE, 3, 1.0));
    let sink = TestSink::new(&camera, 2, true);
    camera.start(sink.frames()).unwrap();
    assert_eq!(camera.start(sink.frames()).unwrap_err().status(), STATUS_BUSY);
    for _ in 0..3 {
        camera.poll(PATIENT).unwrap();
    }
    assert_eq!(camera.poll(GLANCE).unwrap_err().status(), STATUS_TIMED_OUT);
    camera.stop().unwrap();
    camera.stop().unwrap();
    sink.log(|l| {
        assert_eq!(l.ended, [ENDED_END_OF_DATA]);
        let info: Vec<_> = l.frames.iter().map(|f| (f.info.device_frame_id, f.info.device_time_ticks)).collect();
        assert_eq!(info, [(0, 0), (1, 20 * MS), (2, 40 * MS)]);
        assert!(l.frames.iter().all(|f| f.info.exposure_ns == 4 * MS && f.info.status == 0));
    });
}

#[test]
fn a_scripted_sweep_is_added_to_the_stage() {
    let bench = manual();
    let stage = SimFocus::open(&bench, "", &ParamValues::defaults(&SimFocus::descriptor().parameters)).unwrap();
    stage.move_to(0, 250.0).unwrap();
    bench.clock().put_forward(1000 * MS);
    let script = [
        n_frames(5),
        ("focus_start_nm", Value::Float(-100.0)),
        ("focus_step_nm", Value::Float(50.0)),
        ("frames_per_step", Value::Int(2)),
        ("n_focus_steps", Value::Int(2)),
    ];
    let sink = run_lossless(&open(&bench, &script));
    let focus: Vec<f64> = sink.log(|l| l.frames.iter().map(|f| f.channels[0]).collect());
    assert_eq!(focus, [150.0, 150.0, 200.0, 200.0, 250.0]);
    assert!(sink.log(|l| l.frames.iter().all(|f| f.channels[3] == f.channels[0])), "a fixed bead's truth is the focus");
}

#[test]
fn moving_the_stage_defocuses_live_frames_in_the_middle_of_their_exposure() {
    let bench = manual();
    let camera = open(&bench, &[rate(100.0), ("exposure_ms", Value::Float(8.0)), ("noise", Value::Bool(false))]);
    let stage = SimFocus::open(&bench, "", &ParamValues::defaults(&SimFocus::descriptor().parameters)).unwrap();
    let sink = TestSink::new(&camera, 1, false);
    camera.start(sink.frames()).unwrap();
    camera.poll(PATIENT).unwrap();
    // Frame 0 is there at 8 ms; the stage leaves then, with 10 nm per ms. Frames 1, 2 … show 14 ms, 24 ms …
    stage.move_to(0, 200.0).unwrap();
    for _ in 0..4 {
        camera.poll(PATIENT).unwrap();
    }
    camera.stop().unwrap();
    let focus: Vec<f64> = sink.log(|l| l.frames.iter().map(|f| f.channels[0]).collect());
    for (seen, expected) in focus.iter().zip([0.0, 60.0, 160.0, 200.0, 200.0]) {
        assert!((seen - expected).abs() < 1e-9, "{focus:?}");
    }
    // The fixed bead: only the focus can change its picture.
    let centre = |frame: usize| {
        sink.log(|l| {
            let f = &l.frames[frame];
            let (x, y) = (f.channels[1].round() as usize, f.channels[2].round() as usize);
            (y - 3..=y + 3).flat_map(|row| f.bytes[row * 160 + x - 3..][..7].to_vec()).collect::<Vec<u8>>()
        })
    };
    assert_ne!(centre(0), centre(2));
    assert_eq!(centre(3), centre(4));
}

#[test]
fn live_frames_come_at_their_time_and_none_is_missing() {
    let bench = manual();
    let camera = open(&bench, &[rate(200.0), n_frames(50)]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    for frame in 0..50 {
        camera.poll(PATIENT).unwrap();
        assert_eq!(bench.clock().now_ns(), frame * 5 * MS + MS / 10, "at the end of its exposure");
    }
    assert_eq!(setting(&camera, "n_delivered"), Value::Int(50));
    let Value::Float(hz) = setting(&camera, "measured_frame_rate_hz") else { panic!("it is a number") };
    assert!((hz - 200.0).abs() < 10.0, "{hz}");
    camera.stop().unwrap();
    assert_eq!(sink.log(|l| l.ids()), (0..50).collect::<Vec<u64>>());
    assert_eq!(sink.log(|l| l.n_lost()), 0);
}

#[test]
fn with_the_real_clock_every_frame_is_delivered_or_told_as_lost() {
    let bench = Arc::new(OpticalBench::open(HostHandle::none()).unwrap());
    let camera = open(&bench, &[rate(200.0), n_frames(20)]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    while sink.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
    }
    camera.stop().unwrap();
    sink.log(|l| {
        let ids = l.ids();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]) && ids.last() == Some(&19), "{ids:?}");
        assert_eq!(ids.len() as u64 + l.n_lost(), 20);
    });
}

#[test]
fn live_frames_without_a_slot_are_lost_one_by_one_and_ids_show_the_gap() {
    let camera = open(&manual(), &[rate(1000.0), n_frames(10)]);
    let sink = TestSink::new(&camera, 2, false);
    sink.hold();
    camera.start(sink.frames()).unwrap();
    while sink.log(|l| l.n_lost() < 5) {
        // Times out while its frame may still get a slot.
        let _ = camera.poll(GLANCE);
    }
    sink.release();
    while sink.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
    }
    assert_eq!(setting(&camera, "n_lost"), Value::Int(sink.log(|l| l.n_lost()) as i64));
    camera.stop().unwrap();
    sink.log(|l| {
        assert!(l.lost.iter().all(|&lost| lost == (1, LOST_UNDERRUN)), "{:?}", l.lost);
        let ids = l.ids();
        assert_eq!(ids.len() as u64 + l.n_lost(), 10);
        assert_eq!((ids[0], ids[1], ids[2]), (0, 1, 2 + l.n_lost()));
    });
}

#[test]
fn a_camera_that_comes_too_late_goes_on_with_the_newest_frame() {
    let bench = manual();
    let camera = open(&bench, &[rate(1000.0), n_frames(3000)]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    camera.poll(PATIENT).unwrap();
    // A hiccup of 50 ms is caught up, …
    bench.clock().put_forward(50 * MS);
    for _ in 0..60 {
        camera.poll(PATIENT).unwrap();
    }
    assert_eq!(sink.log(|l| (l.ids(), l.n_lost())), ((0..61).collect(), 0));
    // … a second is not. Frame 60 came at 60.1 ms.
    bench.clock().put_forward(1000 * MS);
    camera.poll(PATIENT).unwrap();
    assert_eq!(sink.log(|l| (l.ids()[61], l.lost.clone())), (1060, vec![(999, LOST_CAMERA_GAP)]));
    // Beyond the end of the data the last frame is the newest.
    bench.clock().put_forward(10_000 * MS);
    camera.poll(PATIENT).unwrap();
    camera.stop().unwrap();
    sink.log(|l| {
        assert_eq!((l.ids()[62], &l.ended[..]), (2999, &[ENDED_END_OF_DATA][..]));
        assert_eq!(l.ids().len() as u64 + l.n_lost(), 3000);
    });
}

#[test]
fn offline_frames_wait_for_slots_and_none_is_lost() {
    let camera = open(&manual(), &[n_frames(6), rate(10_000.0)]);
    let sink = TestSink::new(&camera, 2, true);
    sink.hold();
    camera.start(sink.frames()).unwrap();
    camera.poll(GLANCE).unwrap();
    camera.poll(GLANCE).unwrap();
    for _ in 0..3 {
        assert_eq!(camera.poll(GLANCE).unwrap_err().status(), STATUS_TIMED_OUT);
    }
    sink.release();
    while sink.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
    }
    camera.stop().unwrap();
    assert_eq!(sink.log(|l| (l.ids(), l.n_lost())), ((0..6).collect(), 0));
}

#[test]
fn stop_wakes_a_poll_that_waits_and_nothing_is_called_after_it() {
    for (lossless, what) in [(false, "for its time"), (true, "for a slot")] {
        let bench = Arc::new(OpticalBench::open(HostHandle::none()).unwrap());
        let camera = open(&bench, &[rate(1.0), ("exposure_ms", Value::Float(1000.0))]);
        let sink = TestSink::new(&camera, 1, lossless);
        sink.hold();
        camera.start(sink.frames()).unwrap();
        if lossless {
            camera.poll(PATIENT).unwrap();
        }
        let outcome = std::thread::scope(|scope| {
            let poll = scope.spawn(|| camera.poll(PATIENT));
            camera.stop().unwrap();
            sink.close();
            poll.join().unwrap()
        });
        assert_eq!(outcome.unwrap_err().status(), STATUS_CANCELLED, "a poll that waits {what}");
        assert_eq!(sink.log(|l| l.n_late_calls), 0);
        sink.release();
        assert_eq!(sink.n_free(), 1, "every slot was given back");
        assert_eq!(camera.poll(GLANCE).unwrap_err().status(), STATUS_CANCELLED);
    }
}

#[test]
fn nothing_is_allocated_for_a_frame() {
    for lossless in [true, false] {
        let camera = open(&manual(), &[rate(1000.0), ("read_noise_e", Value::Float(3.0))]);
        let sink = TestSink::new(&camera, 2, lossless);
        sink.only_count();
        camera.start(sink.frames()).unwrap();
        camera.poll(PATIENT).unwrap();
        let allocated = allocation_counter::measure(|| {
            for _ in 0..20 {
                camera.poll(PATIENT).unwrap();
            }
        });
        camera.stop().unwrap();
        assert_eq!((sink.n_counted(), allocated.count_total), (21, 0), "lossless: {lossless}");
    }
}
