//! Z-LUTs in use: loaded, checked, changed and put away while frames come.

use super::*;
use tetherscope_core::control::{EventKind, Severity};
use tetherscope_files::{ZlutTable, write_zlut_text};

/// A rig that tracks as fast as it can, and a text table with as many bins as its tracker has.
fn rig_and_table(folder: &Path) -> (Rig, PathBuf, u32) {
    let rig = Rig::lossless();
    rig.open(&[("n_fixed", "1"), ("n_tethered", "0"), ("margin_px", "70")]);
    rig.track_with("tracker.magtrack", &[]);
    // The one bead keeps 70 px from every border.
    let bead = rig.add(&[(75, 50)])[0];
    rig.ask(CameraCommand::Start);
    let Answer::Profile(profile) = rig.ask(TrackingCommand::AskProfile { bead }) else { panic!("another answer") };
    let path = folder.join("table.txt");
    write_zlut_text(&path, &table(&profile.values)).unwrap();
    (rig, path, bead)
}

/// Planes that become flatter from the bead's own profile on.
fn table(profile: &[f64]) -> ZlutTable {
    let z_nm: Vec<f64> = (0..11).map(|i| f64::from(i) * 100.0 - 500.0).collect();
    let mean = profile.iter().filter(|v| v.is_finite()).sum::<f64>() / profile.len() as f64;
    let plane = |i: usize| {
        profile.iter().enumerate().map(move |(k, v)| {
            let v = if v.is_finite() { *v } else { mean };
            v + (k as f64 * 0.3 + i as f64 * 0.4).sin() * 0.1 * mean
        })
    };
    ZlutTable {
        bead: None,
        profiles: (0..z_nm.len()).flat_map(plane).collect(),
        n_frames_per_plane: vec![1; z_nm.len()],
        variance: None,
        bytes: None,
        z_nm,
    }
}

#[test]
fn a_zlut_gives_z_from_a_named_frame_on_and_none_after_it_was_unloaded() {
    let folder = crate::harness::scratch("live-zlut");
    let (rig, path, bead) = rig_and_table(folder.path());
    let made = rig.record(folder.path(), "run");
    rig.wait_for_frames(10);
    let loaded = rig.frame_of(ZlutCommand::Load { path: path.clone(), strategy: None });
    let view = rig.client.snapshot().zlut.clone().unwrap();
    assert_eq!((view.path, view.unchecked, view.tables[0].n_planes), (Some(path), true, 11));
    assert_eq!((view.tables[0].z_min_nm, view.tables[0].z_max_nm), (-500.0, 500.0));
    rig.wait_for_frames(10);
    let Answer::Profile(profile) = rig.ask(TrackingCommand::AskProfile { bead }) else { panic!("another answer") };
    assert!(profile.plane_z_nm.is_some() && profile.plane.len() == profile.values.len());
    let unloaded = rig.frame_of(ZlutCommand::Unload);
    rig.wait_for_frames(10);
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    let rows = rows_of(&made, "main");
    assert!(rows.iter().any(|r| (loaded..unloaded).contains(&r.frame)));
    for r in &rows {
        assert_eq!(r.z_nm.is_finite(), (loaded..unloaded).contains(&r.frame), "frame {}", r.frame);
        assert!(r.x_nm.is_finite(), "x and y never depend on it");
    }
}

#[test]
fn a_zlut_that_does_not_fit_is_refused_by_name_and_the_one_in_use_stays() {
    let folder = crate::harness::scratch("live-zlut-bad");
    let (rig, path, _) = rig_and_table(folder.path());
    rig.ask(ZlutCommand::Load { path: path.clone(), strategy: None });
    let other = folder.path().join("other.txt");
    write_zlut_text(&other, &table(&[1.0, 2.0, 3.0])).unwrap();
    let nonsense = folder.path().join("nonsense.txt");
    std::fs::write(&nonsense, "not a table\n").unwrap();
    let refused = |path: PathBuf| rig.try_ask(ZlutCommand::Load { path, strategy: None }).unwrap_err();
    assert!(refused(other).to_string().contains("bins"));
    assert_eq!(refused(nonsense).kind, RefusalKind::File);
    assert_eq!(refused(folder.path().join("nowhere.txt")).kind, RefusalKind::File);
    assert_eq!(rig.client.snapshot().zlut.as_ref().and_then(|z| z.path.clone()), Some(path));
    let size = rig.try_ask(BeadsCommand::SetRoiSize { size_px: 60 }).unwrap_err();
    assert!(size.mend.contains("unload the Z-LUT"), "{size}");
}

#[test]
fn a_tracker_that_the_zlut_does_not_fit_unloads_it_and_says_so_once() {
    let folder = crate::harness::scratch("live-zlut-tracker");
    let (rig, path, bead) = rig_and_table(folder.path());
    rig.ask(ZlutCommand::Load { path, strategy: None });
    rig.wait_for("z", |s| s.beads[0].newest.is_some_and(|n| n.z_nm.is_finite()));
    rig.track_with("tracker.quadrant", &[]);
    rig.wait_for("no z", |s| {
        s.zlut.is_none() && s.beads[0].newest.is_some_and(|n| n.z_nm.is_nan() && n.x_nm.is_finite())
    });
    rig.wait_for_frames(50);
    let snapshot = rig.client.snapshot();
    let told = snapshot.warnings.iter().filter(|w| matches!(w.event.kind, EventKind::ZlutUnloaded { .. }));
    assert_eq!(told.map(|w| (w.count, w.event.severity)).collect::<Vec<_>>(), [(1, Severity::Warning)]);
    assert_eq!(snapshot.beads[0].bead, bead);
}

#[test]
fn a_zlut_without_a_camera_is_refused_with_what_to_do_first() {
    let folder = crate::harness::scratch("live-zlut-early");
    let path = folder.path().join("table.txt");
    write_zlut_text(&path, &table(&[1.0, 2.0, 3.0, 2.5])).unwrap();
    let rig = Rig::live();
    let refusal = rig.try_ask(ZlutCommand::Load { path, strategy: None }).unwrap_err();
    assert!(refusal.mend.contains("open the camera"), "{refusal}");
    assert_eq!(rig.try_ask(ZlutCommand::Unload).unwrap_err().kind, RefusalKind::NotNow);
}
