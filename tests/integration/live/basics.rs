//! The first steps: frames become rows, and a camera that is not there leaves everything else as it was.

use super::*;
use tetherscope_core::control::{CameraState, RefusalKind};

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
