//! Plugins that fail while frames come: flagged rows, no lost frame, and everything else goes on.

use super::*;
use tetherscope_core::control::EventKind;
use tetherscope_loader::IsolationOptions;
use tetherscope_loader::abi::{FLAG_DEADLINE, FLAG_PLUGIN_ERROR};

/// The bead at which the fixture does what it is told.
const BAD: u32 = 13;

fn place(i: i32) -> NewRoi {
    NewRoi { x_px: 5 + 40 * (i % 4), y_px: 5 + 40 * (i / 4) }
}

fn with_fault(rig: &Rig, fault: &str) {
    rig.track_with("tracker.fixture.crash", &[("fault", fault)]);
    rig.ask(BeadsCommand::SetRoiSize { size_px: 30 });
}

#[test]
fn an_isolated_tracker_that_crashes_costs_flagged_rows_and_no_frame() {
    let folder = crate::harness::scratch("live-crash");
    let isolation = IsolationOptions { methods: vec!["tracker.fixture.crash".into()], ..IsolationOptions::default() };
    let rig = Rig::of(registry_with(isolation), EngineOptions::new(optics()));
    rig.open(&[("frame_rate_hz", "500"), ("noise", "false")]);
    with_fault(&rig, "segfault");
    rig.ask(BeadsCommand::Restore { beads: (0..3).map(|i| (i, place(i as i32))).collect() });
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    rig.wait_for("good rows", |s| s.beads.iter().all(|b| b.newest.is_some_and(|n| n.flags == 0)));
    let crashing = rig.frame_of_event(BeadsCommand::Restore { beads: vec![(BAD, place(5))] });
    let failed = rig.wait_for("the crash", |s| {
        s.events.iter().any(|e| matches!(&e.kind, EventKind::PluginFailed { rows, .. } if *rows > 0))
    });
    assert_eq!(failed.camera.state, CameraState::Running);
    rig.ask(BeadsCommand::Remove { beads: vec![BAD] });
    rig.wait_for_frames(50);
    rig.ask(CameraCommand::Stop);
    let ended = rig.client.snapshot();
    assert_eq!(ended.ledger.unexplained, 0);
    let end = rig.frame_of(RecordingCommand::Stop);
    let rows = rows_of(&made, "main");
    // What the ring could not hold on a slow machine stands in the gap table; nothing else may be missing.
    let gaps: u64 =
        Recording::open(&made).unwrap().gaps().unwrap().0.iter().filter(|g| g.stage == "intake").map(|g| g.count).sum();
    let of_first = rows.iter().filter(|r| r.bead == 0).count() as u64;
    assert_eq!(of_first + gaps, end, "every frame has its row");
    assert!(rows.iter().any(|r| r.frame >= crashing && r.flags & FLAG_PLUGIN_ERROR != 0), "the crash is flagged");
    assert!(rows.iter().all(|r| r.frame >= crashing || r.flags == 0), "nothing is flagged before it");
}

#[test]
fn a_tracker_that_does_not_return_is_left_behind_and_the_engine_goes_on() {
    let folder = crate::harness::scratch("live-hang");
    let options = EngineOptions { hang_limit: Duration::from_secs(2), threads: 2, ..EngineOptions::new(optics()) };
    let rig = Rig::of(PLUGINS.clone(), options);
    rig.open(&[("frame_rate_hz", "20")]);
    with_fault(&rig, "hang");
    rig.ask(BeadsCommand::Restore { beads: vec![(0, place(0)), (BAD, place(5))] });
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    let told = rig.wait_for("that it is called no more", |s| {
        s.warnings.iter().any(|w| matches!(&w.event.kind, EventKind::PluginFailed { failure, .. } if failure.cause.contains("called no more")))
    });
    let hung = told.warnings.iter().find_map(|w| match &w.event.kind {
        EventKind::PluginFailed { failure, .. } => Some(failure.clone()),
        _ => None,
    });
    assert!(hung.unwrap().mend.contains("isolated"));
    // The engine answers, and another tracker works at once.
    rig.track_with("tracker.quadrant", &[]);
    let from = rig.client.snapshot().health.newest_frame.unwrap();
    rig.wait_for("rows of another tracker", |s| {
        s.beads.iter().all(|b| b.newest.is_some_and(|n| n.frame > from && n.flags & FLAG_PLUGIN_ERROR == 0))
    });
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    let ledger = &rig.client.snapshot().ledger;
    assert_eq!(ledger.unexplained, 0);
    let tracking = ledger.stages.iter().find(|s| s.stage == "tracking").unwrap();
    let dropped = |reason: &str| tracking.dropped.iter().filter(|d| d.reason == reason).map(|d| d.count).sum::<u64>();
    assert!(dropped("plugin_hung") >= 3, "three batches at least: {tracking:?}");
    let rows = rows_of(&made, "main");
    assert!(rows.iter().any(|r| r.flags & FLAG_DEADLINE != 0 && r.x_nm.is_nan()), "written off, never made up");
}

#[test]
fn a_tracker_that_panics_spoils_its_own_call_and_nothing_else() {
    let folder = crate::harness::scratch("live-panic");
    let rig = Rig::of(PLUGINS.clone(), EngineOptions { threads: 4, ..lossless() });
    rig.open(&[("n_frames", "40")]);
    with_fault(&rig, "panic");
    // Calls have at most 64 ROIs, so most beads are in other calls than the bad one.
    let beads = (0..200).map(|i| (i, place(i as i32 % 12)));
    rig.ask(BeadsCommand::Restore { beads: beads.collect() });
    let made = rig.record(folder.path(), "run");
    let ended = rig.run_out();
    assert_eq!(ended.ledger.unexplained, 0);
    rig.ask(RecordingCommand::Stop);
    let rows = rows_of(&made, "main");
    assert_eq!(rows.len(), 40 * 200);
    let flagged = rows.iter().filter(|r| r.flags & FLAG_PLUGIN_ERROR != 0).count();
    assert!((40..rows.len() / 2).contains(&flagged), "{flagged} rows are flagged");
    assert!(rows.iter().filter(|r| r.bead == BAD).all(|r| r.x_nm.is_nan() && r.flags & FLAG_PLUGIN_ERROR != 0));
}

/// Frames of the long run; a million with `TETHERSCOPE_LONG_TESTS`.
fn n_frames() -> u64 {
    if std::env::var_os("TETHERSCOPE_LONG_TESTS").is_some() { 1_000_000 } else { 4000 }
}

/// Records a lossless run over a camera with a fault script; how the ledger ended, the gaps, and the rows.
fn run_with(script: &str, n_frames: u64) -> (Arc<Snapshot>, Vec<tetherscope_files::GapRecord>, Vec<Row>) {
    let folder = crate::harness::scratch("live-faults");
    let rig = Rig::of(PLUGINS.clone(), lossless());
    let n = n_frames.to_string();
    let small = [("width_px", "64"), ("height_px", "64"), ("n_fixed", "1"), ("n_tethered", "0"), ("margin_px", "25")];
    let all: Vec<(&str, &str)> = small.into_iter().chain([("n_frames", n.as_str()), ("faults", script)]).collect();
    rig.open(&all);
    with_fault(&rig, "none");
    rig.ask(BeadsCommand::Restore { beads: vec![(0, place(0))] });
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    // A million frames take their time.
    let mut seen = 0;
    let ended = loop {
        let now = rig.wait_for("more frames, or the end", |s| {
            s.camera.state == CameraState::Open || s.health.newest_frame.is_some_and(|f| f > seen)
        });
        if now.camera.state == CameraState::Open {
            break now;
        }
        seen = now.health.newest_frame.unwrap_or(seen);
    };
    rig.ask(RecordingCommand::Stop);
    let recording = Recording::open(&made).unwrap();
    let (gaps, damage) = recording.gaps().unwrap();
    assert!(damage.is_empty());
    (ended, gaps, rows_of(&made, "main"))
}

#[test]
fn each_injected_fault_stands_in_the_gap_table_where_it_was() {
    let script = "lost 100..103; lost 200..201 told; duplicate 300; corrupt 400; torn 410";
    let (ended, gaps, rows) = run_with(script, 1000);
    assert_eq!(ended.ledger.unexplained, 0);
    let missing: Vec<(u64, u64, &str)> =
        gaps.iter().filter(|g| g.count > 0).map(|g| (g.first_frame_after, g.count, g.reason.as_str())).collect();
    // By the host's index, which counts what came: 4 fewer after the first gap, 2 fewer after the second, one more after
    // the frame that came twice.
    let injected = [(100, 4, "camera_gap"), (196, 2, "camera_gap"), (395, 1, "incomplete"), (404, 1, "incomplete")];
    assert_eq!(missing, injected);
    let ids = gaps[0].device_ids.expect("the ids of what is missing are known");
    assert_eq!(ids.1 - ids.0 + 1, 4);
    assert_eq!(gaps.iter().filter(|g| g.reason == "duplicate_id").count(), 1);
    assert_eq!(rows.len(), 1000 - 4 - 2 - 1 - 1 + 1);
    assert!(rows.iter().enumerate().all(|(i, r)| r.frame == i as u64), "the host's index has no gap");
}

#[test]
fn a_long_run_with_faults_explains_every_frame() {
    let n = n_frames();
    let script = "random 0.01 lost; random 0.005 duplicate; random 0.005 corrupt; random 0.005 torn; drift 50ppm";
    let (ended, gaps, rows) = run_with(script, n);
    assert_eq!(ended.ledger.unexplained, 0);
    let camera = ended.ledger.stages.iter().find(|s| s.stage == "camera").unwrap();
    assert_eq!(camera.delivered, rows.len() as u64);
    for reason in ["camera_gap", "incomplete"] {
        let in_ledger: u64 = camera.dropped.iter().filter(|d| d.reason == reason).map(|d| d.count).sum();
        let in_file: u64 = gaps.iter().filter(|g| g.reason == reason).map(|g| g.count).sum();
        assert!(in_ledger > 0, "{n} frames and no {reason}");
        assert_eq!(in_file, in_ledger, "{reason}: the gap table and the ledger agree");
    }
    let twice = gaps.iter().filter(|g| g.reason == "duplicate_id").count() as u64;
    let missing: u64 = gaps.iter().map(|g| g.count).sum();
    assert!(rows.len() as u64 + missing >= n && twice > 0, "{} rows, {missing} missing", rows.len());
}

#[test]
fn a_camera_that_is_unplugged_comes_back_and_the_recording_goes_on() {
    let folder = crate::harness::scratch("live-unplug");
    let rig = Rig::live();
    rig.open(&[("frame_rate_hz", "200"), ("faults", "unplug 60 400ms")]);
    with_fault(&rig, "none");
    rig.ask(BeadsCommand::Restore { beads: vec![(0, place(0))] });
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    let back = rig
        .wait_for("the camera to be back", |s| s.events.iter().any(|e| matches!(e.kind, EventKind::CameraBack { .. })));
    assert!(
        back.warnings
            .iter()
            .any(|w| matches!(&w.event.kind, EventKind::Message { text } if text.thing.ends_with("is gone")))
    );
    rig.wait_for_frames(30);
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    assert_eq!(rig.client.snapshot().ledger.unexplained, 0);
    let (gaps, _) = Recording::open(&made).unwrap().gaps().unwrap();
    let reasons: Vec<&str> = gaps.iter().map(|g| g.reason.as_str()).collect();
    assert!(reasons.contains(&"disconnected") && reasons.contains(&"reconnected"), "{reasons:?}");
    let rows = rows_of(&made, "main");
    assert!(rows.is_sorted_by_key(|r| r.frame) && rows.last().is_some_and(|r| r.frame > 80), "{} rows", rows.len());
}

#[test]
fn a_camera_that_keeps_the_slots_it_borrowed_is_told_and_costs_the_next_one_none() {
    let libraries = [plugin("sim"), rust_fixture("misbehaving")];
    let rig = Rig::of(registry_of(libraries, IsolationOptions::default()), EngineOptions::new(optics()));
    let camera = choice("camera.fixture.keeps-slots", &[]);
    rig.ask(CameraCommand::Open { camera, device: "0".into() });
    rig.ask(CameraCommand::Start);
    rig.wait_for("it to borrow every slot", |s| s.health.ring_slots > 0 && s.health.ring_in_use == s.health.ring_slots);
    rig.ask(CameraCommand::Stop);
    let conduct = rig.client.snapshot().camera.conduct.clone();
    assert!(conduct.slots_taken_back > 0 && conduct.slots_lost == 0, "{conduct:?}");
    rig.ask(CameraCommand::Close);
    rig.open(&[("frame_rate_hz", "200")]);
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(5);
    assert_eq!(rig.client.snapshot().camera.conduct.slots_taken_back, 0, "it is told of the camera that did it");
}
