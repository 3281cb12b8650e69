//! What can go wrong on the way: stage, camera, beads, tracker, host. Each is told, and none hangs.

use super::*;
use std::process::{Command as Process, Stdio};

#[test]
fn a_stuck_stage_pauses_the_sweep_with_its_position_and_cancel_ends_it() {
    let bench = Bench::ready(&[], &[("fault", "stuck"), ("fault_after_moves", "2")]);
    bench.sweep(SweepRequest { step_timeout_s: 5.0, ..request(-1800.0, 100.0, -1200.0, 3) });
    let view = bench.wait_sweep("the pause", |s| s.phase == SweepPhase::Paused);
    let failure = view.failure.expect("a pause has a reason");
    assert!(failure.thing.contains("did not reach -1600 nm"), "{failure}");
    assert!(failure.cause.contains("stands at -1700 nm"), "{failure}");
    assert_eq!(view.steps_done, 2);
    bench.ask(SweepCommand::Cancel);
    assert_eq!(bench.end_of_sweep().phase, SweepPhase::Idle);
    bench.wait_for("nothing is held", |s| s.held_by.is_none());
}

#[test]
fn an_unplugged_stage_is_told_found_again_and_the_sweep_goes_on() {
    let bench = Bench::ready(&[], &[("fault", "unplugged"), ("fault_after_moves", "2"), ("fault_for_s", "1.5")]);
    bench.sweep(SweepRequest { step_timeout_s: 5.0, ..request(-1800.0, 100.0, -1200.0, 3) });
    bench.wait_sweep("the pause", |s| s.phase == SweepPhase::Paused);
    let snapshot = bench.wait_for("the stage is gone", |s| s.stages[0].failure.is_some() || s.warnings.len() > 1);
    assert!(
        snapshot.warnings.iter().any(|w| matches!(&w.event.kind, EventKind::StageConnection { connected: false, .. }))
    );
    // A motor that is found again begins with new moves: its fault comes back after two of them.
    bench.wait_for("the stage is back", |s| s.stages[0].failure.is_none() && s.stages[0].axes[0].position.is_some());
    bench.ask(SweepCommand::Resume);
    bench.wait_sweep("more steps", |s| s.steps_done > 2);
    bench.ask(SweepCommand::Cancel);
    bench.end_of_sweep();
}

#[test]
fn a_camera_that_stalls_pauses_the_sweep_and_resume_goes_on() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(SweepRequest { step_timeout_s: 5.0, ..request(-1800.0, 100.0, -1200.0, 10) });
    bench.wait_sweep("the first frames", |s| s.frames_done > 0);
    bench.ask(CameraCommand::Stop);
    let view = bench.wait_sweep("the pause", |s| s.phase == SweepPhase::Paused);
    let failure = view.failure.expect("a pause has a reason");
    assert!(failure.cause.contains("then none for 5 s"), "{failure}");
    bench.ask(CameraCommand::Start);
    bench.ask(SweepCommand::Resume);
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Done, "{:?}", view.failure);
}

#[test]
fn a_bead_that_is_lost_costs_its_table_and_not_the_others() {
    let bench = Bench::ready(&[], &[]);
    // Empty background: nothing to be found there.
    let Answer::Beads(empty) = bench.ask(BeadsCommand::Add { rois: vec![NewRoi { x_px: 0, y_px: 0 }] }) else {
        panic!("no bead was added")
    };
    bench.sweep(request(-1800.0, 100.0, -1200.0, 6));
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Done, "{:?}", view.failure);
    assert!(view.tables.iter().filter(|t| t.bead.is_some()).count() >= 3);
    let rejected: Vec<u32> = view.rejected.iter().map(|r| r.0).collect();
    assert!(rejected.contains(&empty[0]), "rejected are {:?}", view.rejected);
}

#[test]
fn a_tracker_that_panics_hangs_no_sweep() {
    let bench = Bench::new(
        EngineOptions { roi_size_px: 64, ..EngineOptions::new(Optics::new(100.0)) },
        &[&rust_fixture("crashing")],
    );
    bench.start(&[], &[], "tracker.quadrant");
    bench.track_with("tracker.fixture.crash", &[("fault", "panic")]);
    bench.sweep(SweepRequest { step_timeout_s: 5.0, ..request(-1800.0, 300.0, -1200.0, 4) });
    let view = bench.wait_sweep("an end or a pause", |s| {
        matches!(s.phase, SweepPhase::Done | SweepPhase::Failed | SweepPhase::Paused)
    });
    // It panics at a bead of its own choice, so either end is right: what must not be is a sweep that stays under way.
    if view.phase == SweepPhase::Paused {
        assert!(view.failure.is_some());
        bench.ask(SweepCommand::Cancel);
        bench.end_of_sweep();
    }
    bench.ask(EngineCommand::Ping);
}

#[test]
fn an_engine_that_is_started_again_tells_where_the_stage_stands_and_moves_nothing() {
    let bench = Bench::ready(&[], &[]);
    bench.arm();
    bench.move_to(300.0);
    bench.ask(StageCommand::Close { stage: "focus".into() });
    bench.ask(StageCommand::Open {
        name: "focus".into(),
        stage: choice("stage.sim-focus", &[]),
        device: String::new(),
    });
    let snapshot = bench.wait_for("the position", |s| s.stages.len() == 1 && s.stages[0].axes[0].position.is_some());
    let axis = &snapshot.stages[0].axes[0];
    assert_eq!((axis.position, axis.target, axis.moving), (Some(300.0), None, false));
    assert_eq!(snapshot.sweep.phase, SweepPhase::Idle);
}

#[test]
fn a_tracker_that_crashes_in_its_process_pauses_the_sweep_and_another_one_can_sweep_then() {
    let options = EngineOptions { roi_size_px: 64, ..EngineOptions::new(Optics::new(100.0)) };
    let bench = Bench::isolating(options, &[&rust_fixture("crashing")], &["tracker.fixture.crash"]);
    bench.start(&[], &[], "tracker.quadrant");
    bench.track_with("tracker.fixture.crash", &[("fault", "segfault")]);
    // The bead at which it crashes takes all beads of its batch with it.
    let roi = bench.client.snapshot().beads[0].roi;
    bench.ask(BeadsCommand::Restore { beads: vec![(13, NewRoi { x_px: roi.x_px, y_px: roi.y_px })] });
    bench.sweep(SweepRequest { step_timeout_s: 5.0, ..request(-1800.0, 300.0, -1200.0, 4) });
    let view = bench.wait_sweep("the pause", |s| s.phase == SweepPhase::Paused);
    let failure = view.failure.expect("a pause has a reason");
    assert!(failure.cause.contains("no bead was found") || failure.cause.contains("then none for"), "{failure}");
    let snapshot = bench.client.snapshot();
    let told = snapshot.events.iter().find_map(|e| match &e.kind {
        EventKind::PluginFailed { failure, .. } => Some(failure.to_string()),
        _ => None,
    });
    let told = told.expect("the crash is told");
    assert!(told.contains("tracker.fixture.crash") && told.contains("segmentation fault"), "{told}");
    bench.ask(SweepCommand::Cancel);
    bench.end_of_sweep();
    bench.wait_for("nothing is held", |s| s.held_by.is_none());
    bench.ask(BeadsCommand::Remove { beads: vec![13] });
    bench.track_with("tracker.quadrant", &[]);
    bench.sweep(request(-1800.0, 100.0, -1200.0, 4));
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Done, "{:?}", view.failure);
    assert_eq!(bench.client.snapshot().ledger.unexplained, 0);
}

/// A rig whose stage keeps its position when the program dies, as a motor with an absolute encoder does.
const RIG: &str = r#"
version = 1
[camera]
method = "camera.sim"
[camera.parameters]
width_px = 300
height_px = 300
nm_per_px = 100.0
frame_rate_hz = 60.0
n_fixed = 4
n_tethered = 0
margin_px = 45
[optics]
nm_per_px = 100.0
[beads]
roi_px = 64
[beads.find]
[tracker]
method = "tracker.quadrant"
[[stages]]
name = "focus"
method = "stage.sim-focus"
[stages.parameters]
position_file = "focus.txt"
"#;

#[test]
fn a_host_that_was_killed_during_a_sweep_and_is_started_again_tells_where_the_stage_stands_and_moves_nothing() {
    let folder = crate::harness::scratch("killed-sweep");
    std::fs::write(folder.path().join("rig.toml"), RIG).unwrap();
    let range = ["--start-nm", "-1800", "--step-nm", "10", "--stop-nm", "-1000", "--frames", "20"];
    let mut host = Process::new(crate::harness::program())
        .args(["zlut", "sweep", "--config", "rig.toml", "--out", "a.zlut", "--record", "swept", "--json"])
        .args(range)
        .current_dir(folder.path())
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .env_remove("TETHERSCOPE_PLUGIN_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = folder.path().join("focus.txt");
    let stands_at = || std::fs::read_to_string(&file).ok().and_then(|t| t.trim().parse::<f64>().ok());
    let until = Instant::now() + PATIENCE;
    while !stands_at().is_some_and(|nm| nm > -1790.0 && nm < -1000.0) {
        assert_eq!(host.try_wait().unwrap(), None, "the sweep has ended");
        assert!(Instant::now() < until, "the sweep did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    host.kill().unwrap();
    host.wait().unwrap();
    let stood_nm = stands_at().expect("the motor keeps its position");

    let bench = Bench::new(EngineOptions { roi_size_px: 64, ..EngineOptions::new(Optics::new(100.0)) }, &[]);
    let kept = file.display().to_string();
    bench.start(&[("focus_start_nm", "-1500")], &[("position_file", &kept)], "tracker.quadrant");
    let snapshot = bench.client.snapshot();
    let axis = &snapshot.stages[0].axes[0];
    assert_eq!((axis.position, axis.target, axis.moving), (Some(stood_nm), None, false));
    assert_eq!((snapshot.sweep.phase, snapshot.armed_for_s), (SweepPhase::Idle, None));
    bench.wait_for_frames(30);
    assert_eq!((bench.position(), stands_at()), (stood_nm, Some(stood_nm)), "nothing moved");

    // What was recorded says how far the sweep came, and can be mended and read.
    let swept = folder.path().join("swept");
    let recording = Recording::open(&swept).unwrap();
    let sweeps = tetherscope_core::recorded_sweeps(&recording).unwrap();
    assert_eq!((sweeps.len(), sweeps[0].ended, sweeps[0].steps), (1, false, 81));
    assert!(sweeps[0].planes.len() < 81, "{sweeps:?}");
}
