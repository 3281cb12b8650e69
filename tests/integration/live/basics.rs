//! The first steps: frames become rows, and a camera that is not there leaves everything else as it was.

use super::*;

#[test]
fn frames_of_a_simulated_camera_become_rows_in_the_snapshot() {
    let rig = Rig::live();
    rig.open(&[]);
    rig.track_with("tracker.quadrant", &[]);
    let beads = rig.add(&[(10, 10), (80, 40)]);
    rig.ask(CameraCommand::Start);
    let snapshot =
        rig.wait_for("rows", |s| s.beads.len() == 2 && s.beads.iter().all(|b| b.newest.is_some_and(|n| n.frame > 3)));
    assert_eq!(snapshot.beads.iter().map(|b| b.bead).collect::<Vec<_>>(), beads);
    assert_eq!(snapshot.camera.state, CameraState::Running);
    assert!(
        rig.client.picture().is_some_and(|p| (p.width_px, p.height_px) == (200, 150)) || {
            rig.wait_for("a picture", |_| rig.client.picture().is_some());
            true
        }
    );
    rig.ask(CameraCommand::Stop);
    let stopped = rig.client.snapshot();
    assert_eq!(stopped.camera.state, CameraState::Open);
    assert_eq!(stopped.ledger.unexplained, 0);
    assert!(stopped.ledger.stages.iter().any(|s| s.stage == "tracking" && s.delivered > 3));
}

#[test]
fn a_camera_that_does_not_open_leaves_the_engine_running_and_says_why() {
    let rig = Rig::live();
    let bad = CameraCommand::Open { camera: choice("camera.nobody-has-it", &[]), device: String::new() };
    assert_eq!(rig.try_ask(bad).unwrap_err().kind, RefusalKind::NotFound);
    let out_of_range =
        CameraCommand::Open { camera: choice("camera.sim", &[("width_px", "3")]), device: String::new() };
    assert_eq!(rig.try_ask(out_of_range).unwrap_err().kind, RefusalKind::Invalid);
    assert_eq!(rig.try_ask(CameraCommand::Start).unwrap_err().kind, RefusalKind::NotNow);
    rig.open(&[]);
    rig.ask(CameraCommand::Start);
    rig.wait_for("frames", |s| s.health.newest_frame.is_some_and(|f| f > 2));
}

#[test]
fn the_snapshot_counts_workers_and_who_of_them_works() {
    let rig = Rig::new(EngineOptions { threads: 3, ..EngineOptions::new(optics()) });
    assert_eq!(rig.client.snapshot().tracking.workers, 0, "none while no camera runs");
    rig.open(&[("frame_rate_hz", "1")]);
    rig.track_with("tracker.fixture.crash", &[("fault", "slow")]);
    rig.ask(BeadsCommand::Restore { beads: vec![(13, NewRoi { x_px: 10, y_px: 10 })] });
    rig.ask(CameraCommand::Start);
    let busy = rig.wait_for("a busy worker", |s| s.tracking.workers_busy > 0);
    assert_eq!(busy.tracking.workers, 3);
    assert!(busy.tracking.workers_busy <= 3);
    rig.wait_for("an idle moment", |s| s.tracking.workers_busy == 0);
    rig.ask(CameraCommand::Stop);
}

#[test]
fn the_settings_of_a_camera_are_changed_and_read_back() {
    let rig = Rig::live();
    rig.open(&[]);
    let value = |s: &Snapshot, key: &str| s.camera.settings.iter().find(|s| s.key == key).map(|s| s.value.clone());
    let set = |key: &str, to: &str| CameraCommand::Set { values: [(key.to_owned(), to.to_owned())].into() };
    let Answer::Settings(settings) = rig.ask(set("exposure_ms", "0.25")) else { panic!("another answer") };
    assert!(settings.iter().any(|s| s.key == "exposure_ms" && s.value == 0.25));
    assert_eq!(value(&rig.client.snapshot(), "exposure_ms"), Some(0.25.into()));
    assert!(rig.try_ask(set("exposure_ms", "-1")).is_err());
    assert!(rig.try_ask(set("no_such_key", "1")).unwrap_err().to_string().contains("no_such_key"));
    // Other frames: what tracks them is made anew.
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    rig.ask(set("bits", "12"));
    assert_eq!(rig.client.snapshot().camera.format.as_ref().map(|f| f.significant_bits), Some(12));
    rig.ask(CameraCommand::Start);
    rig.wait_for("a position", |s| s.beads[0].newest.is_some_and(|n| n.x_nm.is_finite()));
    rig.ask(set("exposure_ms", "0.5"));
    rig.wait_for_frames(3);
}

#[test]
fn a_tracker_without_parameters_has_its_defaults_and_shows_them() {
    let rig = Rig::live();
    rig.track_with("tracker.magtrack", &[]);
    let tracker = rig.client.snapshot().tracking.tracker.clone();
    assert!(!tracker.parameters.is_empty() && tracker.parameters.iter().all(|p| p.value == p.default));
    assert!(!tracker.version.is_empty() && tracker.hash.len() == 64);
    let bad = TrackingCommand::SetTracker { tracker: choice("tracker.magtrack", &[("no_such_key", "1")]) };
    assert_eq!(rig.try_ask(bad).unwrap_err().kind, RefusalKind::Invalid);
    assert_eq!(rig.client.snapshot().tracking.tracker, tracker, "what is in use stays");
}

#[test]
fn the_tracker_changes_at_the_frame_that_is_named() {
    let folder = crate::harness::scratch("live-tracker");
    let rig = Rig::lossless();
    rig.open(&[]);
    // The fixture's position is the middle of the ROI, whatever is in it.
    rig.track_with("tracker.fixture.crash", &[]);
    rig.add(&[(10, 10)]);
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(20);
    let tracker = choice("tracker.quadrant", &[]);
    let changed = rig.frame_of(TrackingCommand::SetTracker { tracker });
    rig.wait_for_frames(20);
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    let middle = (10.0 + 24.5) * 200.0;
    let rows = rows_of(&made, "main");
    assert!(rows.iter().any(|r| r.frame >= changed) && rows.iter().any(|r| r.frame < changed));
    for r in rows {
        assert_eq!(r.x_nm == middle, r.frame < changed, "frame {}", r.frame);
    }
}
