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
