//! The fault script, as the host sees it: what comes, what does not, and what the truth says of it.

use super::*;
use tetherscope_plugin_api::abi::{
    ENDED_DISCONNECTED, FRAME_CORRUPT, FRAME_INCOMPLETE, STATUS_DISCONNECTED, STATUS_INVALID_ARGUMENT,
};

fn script(text: &str) -> (&'static str, Value) {
    ("faults", Value::Text(text.into()))
}

/// The true numbers of the frames that came, from the channel `frame`.
fn numbers(sink: &TestSink) -> Vec<u64> {
    sink.log(|l| l.frames.iter().map(|f| f.channels[f.channels.len() - 2] as u64).collect())
}

#[test]
fn a_script_spoils_the_frames_that_it_names_and_no_others() {
    let changes = [n_frames(12), rate(100.0)];
    let whole = run_lossless(&open(&manual(), &changes));
    let faults = script("lost 1..2; lost 4 told; duplicate 5; corrupt 7; torn 8; drift 1000ppm");
    let camera = open(&manual(), &[&changes[..], &[faults]].concat());
    let keys: Vec<String> = camera.channels().unwrap().into_iter().map(|c| c.key).collect();
    assert_eq!(keys, ["focus_nm", "truth", "frame", "injected"]);
    let sink = run_lossless(&camera);
    assert_eq!(sink.log(|l| l.ids()), [0, 3, 5, 5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(numbers(&sink), sink.log(|l| l.ids()), "ids count from the run's first frame");
    assert_eq!(sink.log(|l| l.lost.clone()), [(1, LOST_CAMERA_GAP)]);
    let (seen, all) = (sink.log(|l| l.frames.clone()), whole.log(|l| l.frames.clone()));
    for (i, frame) in seen.iter().enumerate() {
        let same = &all[frame.info.device_frame_id as usize];
        let n = same.channels.len();
        assert_eq!(frame.channels[..n], same.channels, "the truth of what is seen does not depend on faults");
        let (status, injected) = match frame.info.device_frame_id {
            7 => (FRAME_CORRUPT, 4.0),
            8 => (FRAME_INCOMPLETE, 8.0),
            5 if i == 3 => (0, 2.0),
            _ => (0, 0.0),
        };
        assert_eq!((frame.info.status, frame.channels[n + 1]), (status, injected));
        assert_eq!(frame.bytes == same.bytes, status == 0);
        let true_ns = same.info.device_time_ticks;
        assert_eq!(frame.info.device_time_ticks, true_ns + true_ns / 1000);
    }
}

#[test]
fn late_frames_come_late_and_those_behind_them_after_them() {
    let bench = manual();
    let camera = open(&bench, &[rate(100.0), n_frames(6), script("late 2 25ms")]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    let mut at = Vec::new();
    while sink.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
        at.push(bench.clock().now_ns() / MS);
    }
    assert_eq!((sink.log(|l| l.ids()), sink.log(|l| l.n_lost())), ((0..6).collect(), 0));
    assert_eq!(at, [0, 10, 45, 45, 45, 50]);
    let times: Vec<i64> = sink.log(|l| l.frames.iter().map(|f| f.info.device_time_ticks / MS).collect());
    assert_eq!(times, [0, 10, 20, 30, 40, 50], "the device's time knows nothing of it");
}

#[test]
fn a_stall_is_a_silence_without_a_missing_frame_and_stop_ends_it() {
    let bench = manual();
    let camera = open(&bench, &[rate(100.0), n_frames(5), script("stall 3 2s")]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    while sink.log(|l| l.ended.is_empty()) {
        let _ = camera.poll(PATIENT);
    }
    camera.stop().unwrap();
    let times: Vec<i64> = sink.log(|l| l.frames.iter().map(|f| f.info.device_time_ticks / MS).collect());
    assert_eq!((times, sink.log(|l| l.n_lost())), (vec![0, 10, 20, 2030, 2040], 0));
    let bench = Arc::new(OpticalBench::open(HostHandle::none()).unwrap());
    let camera = open(&bench, &[rate(1000.0), script("stall 0 3600s")]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    let outcome = std::thread::scope(|scope| {
        let poll = scope.spawn(|| camera.poll(PATIENT));
        camera.stop().unwrap();
        poll.join().unwrap()
    });
    assert_eq!(outcome.unwrap_err().status(), STATUS_CANCELLED);
}

#[test]
fn an_unplugged_camera_is_gone_for_its_time_and_begins_anew() {
    let bench = manual();
    let changes = [rate(100.0), n_frames(40), script("lost 1; unplug 4 200ms; duplicate 25")];
    let camera = open(&bench, &changes);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    while sink.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
    }
    assert_eq!(sink.log(|l| (l.ids(), l.ended.clone())), (vec![0, 2, 3], vec![ENDED_DISCONNECTED]));
    camera.stop().unwrap();
    drop(camera);
    let gone = try_open(&bench, &changes).err().unwrap();
    assert_eq!(gone.status(), STATUS_DISCONNECTED);
    assert!(gone.message().contains("unplugged for another 200 ms"), "{gone}");
    try_open(&bench, &[rate(100.0)]).expect("another camera is not unplugged");
    bench.clock().put_forward(200 * MS);
    let camera = open(&bench, &changes);
    let again = TestSink::new(&camera, 2, false);
    camera.start(again.frames()).unwrap();
    while again.log(|l| l.ended.is_empty()) {
        camera.poll(PATIENT).unwrap();
    }
    let expected: Vec<u64> = (24..=25).chain(25..40).collect();
    assert_eq!(numbers(&again), expected);
    again.log(|l| {
        assert_eq!((l.ids()[..3].to_vec(), l.frames[0].info.device_time_ticks), (vec![0, 1, 1], 0));
        assert_eq!(l.ended, [ENDED_END_OF_DATA]);
    });
}

#[test]
fn a_script_that_loses_everything_neither_hangs_nor_runs_wild() {
    let camera = open(&manual(), &[rate(100.0), script("random 1 lost")]);
    let sink = TestSink::new(&camera, 2, false);
    camera.start(sink.frames()).unwrap();
    assert_eq!(camera.poll(Duration::from_secs(1)).unwrap_err().status(), STATUS_TIMED_OUT);
    assert_eq!(setting(&camera, "n_lost"), Value::Int(100));
}

#[test]
fn a_script_that_cannot_be_read_is_refused_and_one_cannot_change_while_it_runs() {
    let error = try_open(&manual(), &[script("lost x")]).err().unwrap();
    assert_eq!(error.status(), STATUS_INVALID_ARGUMENT);
    assert!(error.message().starts_with("`faults` cannot be read at `lost x`"), "{error}");
    let camera = open(&manual(), &[]);
    let n_before = camera.format().unwrap().n_channel_values;
    camera.set(&values(&[script("drift 1ppm")])).unwrap();
    assert_eq!(camera.format().unwrap().n_channel_values, n_before + 2);
    let sink = TestSink::new(&camera, 1, true);
    camera.start(sink.frames()).unwrap();
    assert_eq!(camera.set(&values(&[script("")])).unwrap_err().status(), STATUS_BUSY);
}

#[test]
fn nothing_is_allocated_for_a_frame_with_a_script() {
    let camera = open(&manual(), &[rate(1000.0), script("random 0.3 lost; random 0.3 duplicate; random 0.3 torn")]);
    let sink = TestSink::new(&camera, 2, false);
    sink.only_count();
    camera.start(sink.frames()).unwrap();
    camera.poll(PATIENT).unwrap();
    let allocated = allocation_counter::measure(|| {
        for _ in 0..20 {
            camera.poll(PATIENT).unwrap();
        }
    });
    camera.stop().unwrap();
    assert_eq!(allocated.count_total, 0);
}
