//! Recordings: begun and ended at exact frames, refused before they start, and never in the way of tracking.

use super::*;
use tetherscope_core::control::{Captured, DataMode, EventKind, RecordingState};

fn tracking(options: EngineOptions) -> Rig {
    let rig = Rig::new(options);
    rig.open(&[("frame_rate_hz", "200")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10), (80, 40)]);
    rig
}

#[test]
fn a_recording_begins_and_ends_exactly_at_the_frames_that_are_named() {
    let folder = crate::harness::scratch("live-boundary");
    let rig = tracking(lossless());
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(10);
    for name in ["first", "second"] {
        let request = RecordingRequest { folder: folder.path().into(), name: name.into(), ..Default::default() };
        let from = rig.frame_of(RecordingCommand::Start(request));
        let shown = rig.client.snapshot();
        assert_eq!((&shown.recording.state, shown.recording.from_frame), (&RecordingState::On, Some(from)));
        rig.wait_for_frames(30);
        let end = rig.frame_of(RecordingCommand::Stop);
        let rows = rows_of(&folder.path().join(name), "main");
        let frames: Vec<u64> = rows.iter().map(|r| r.frame).collect();
        let wanted: Vec<u64> = (from..end).flat_map(|f| [f, f]).collect();
        assert_eq!(frames, wanted, "every frame from {from} up to {end}, and no other");
        assert_eq!(rig.client.snapshot().recording.state, RecordingState::Off);
    }
    assert_eq!(rig.try_ask(RecordingCommand::Stop).unwrap_err().kind, RefusalKind::NotNow);
}

#[test]
fn a_recording_of_so_many_frames_ends_by_itself_exactly_there() {
    let folder = crate::harness::scratch("live-so-many");
    let rig = tracking(lossless());
    let request = |name: &str, frames| RecordingRequest {
        folder: folder.path().into(),
        name: name.into(),
        frames: Some(frames),
        ..Default::default()
    };
    let none = rig.try_ask(RecordingCommand::Start(request("none", 0))).unwrap_err();
    assert_eq!(none.kind, RefusalKind::Invalid);
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(10);
    for (name, n) in [("one", 1), ("some", 25), ("many", 100)] {
        let from = rig.frame_of(RecordingCommand::Start(request(name, n)));
        let ended = rig.wait_for("its end", |s| s.recording.state == RecordingState::Off);
        let frames: Vec<u64> = rows_of(&folder.path().join(name), "main").iter().map(|r| r.frame).collect();
        assert_eq!(frames, (from..from + n).flat_map(|f| [f, f]).collect::<Vec<_>>(), "{name}");
        assert_eq!((ended.recording.frames, ended.recording.rows), (n, 2 * n));
        let stopped = ended.events.iter().rev().find(|e| matches!(e.kind, EventKind::RecordingStopped { .. }));
        assert_eq!(stopped.and_then(|e| e.frame), Some(from + n));
        // What the file says of itself is what is in it: nothing was under way any more.
        let recording = Recording::open(folder.path().join(name)).unwrap();
        let stages = recording.metadata().sections["ledger"]["stages"].clone();
        let is_its =
            |s: &&serde_json::Value| s["delivered"] == n && s["stage"].as_str().unwrap().starts_with("tracks.");
        let its = stages.as_array().unwrap().iter().rfind(is_its).unwrap();
        assert_eq!((&its["seen"], &its["in_flight"]), (&n.into(), &0.into()), "{stages:#}");
    }
    assert_eq!(rig.client.snapshot().camera.state, CameraState::Running);
}

#[test]
fn what_the_camera_lost_after_the_last_frame_is_no_gap_of_the_recording() {
    let folder = crate::harness::scratch("live-gap-after");
    let rig = Rig::lossless();
    rig.open(&[("n_frames", "600"), ("faults", "lost 40..43; lost 100..103; lost 200..210")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    // By the host's index, which counts what came, the second gap lies before the 97th frame of each run.
    for (name, frames, gaps) in [("before", 96, vec![(40, 4)]), ("with", 97, vec![(40, 4), (96, 4)])] {
        let request = RecordingRequest {
            folder: folder.path().into(),
            name: name.into(),
            frames: Some(frames),
            ..Default::default()
        };
        rig.ask(RecordingCommand::Start(request));
        rig.run_out();
        rig.wait_for("its end", |s| s.recording.state == RecordingState::Off);
        let made = folder.path().join(name);
        let from = rows_of(&made, "main")[0].frame;
        let (found, _) = Recording::open(&made).unwrap().gaps().unwrap();
        let found: Vec<(u64, u64)> = found.iter().map(|g| (g.first_frame_after - from, g.count)).collect();
        assert_eq!(found, gaps, "{name}");
    }
}

#[test]
fn new_files_are_begun_without_a_gap() {
    let folder = crate::harness::scratch("live-rotate");
    let rig = tracking(lossless());
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    for _ in 0..3 {
        rig.wait_for_frames(20);
        rig.ask(RecordingCommand::Rotate);
    }
    rig.wait_for_frames(20);
    rig.ask(CameraCommand::Stop);
    let end = rig.frame_of(RecordingCommand::Stop);
    let frames: Vec<u64> = rows_of(&made, "main").iter().map(|r| r.frame).collect();
    assert_eq!(frames, (0..end).flat_map(|f| [f, f]).collect::<Vec<_>>());
    assert!(made.join("tracks.main.0004.parquet").is_file(), "three rotations make four parts");
}

#[test]
fn a_second_client_is_told_who_records() {
    let folder = crate::harness::scratch("live-held");
    let rig = tracking(EngineOptions::new(optics()));
    let other = rig.engine.client("other");
    rig.record(folder.path(), "run");
    let request = RecordingRequest { folder: folder.path().into(), name: "mine".into(), ..Default::default() };
    let start = Command::Recording(RecordingCommand::Start(request.clone()));
    let refusal = other.ask(start, PATIENCE).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Held);
    assert!(refusal.cause.contains(&format!("client {}", rig.client.id().0)), "{refusal}");
    assert_eq!(rig.try_ask(RecordingCommand::Start(request)).unwrap_err().kind, RefusalKind::NotNow);
    assert!(!folder.path().join("mine").exists(), "nothing is left of it");
}

#[test]
fn what_makes_a_recording_impossible_is_refused_before_it_starts() {
    let folder = crate::harness::scratch("live-refused");
    let rig = tracking(EngineOptions::new(optics()));
    let refused = |folder: PathBuf, name: &str| {
        let request = RecordingRequest { folder, name: name.into(), ..Default::default() };
        rig.try_ask(RecordingCommand::Start(request)).unwrap_err()
    };
    assert_eq!(refused(folder.path().join("nowhere"), "run").kind, RefusalKind::File);
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    std::fs::write(folder.path().join("taken/notes.txt"), "mine").unwrap();
    assert_eq!(refused(folder.path().into(), "taken").kind, RefusalKind::File);
    assert_eq!(std::fs::read(folder.path().join("taken/notes.txt")).unwrap(), b"mine");
    let open_another = CameraCommand::Open { camera: choice("camera.sim", &[]), device: String::new() };
    rig.record(folder.path(), "run");
    for command in [Ask::from(open_another), CameraCommand::Close.into(), BeadsCommand::Renumber.into()] {
        assert_eq!(rig.try_ask(command).unwrap_err().kind, RefusalKind::NotNow);
    }
}

#[test]
fn a_write_error_is_told_at_once_and_tracking_goes_on() {
    let folder = crate::harness::scratch("live-disk");
    let rig = tracking(EngineOptions::new(optics()));
    rig.ask(CameraCommand::Start);
    let made = rig.record(folder.path(), "run");
    rig.wait_for("rows", |s| s.recording.rows > 0);
    // As if somebody tidied up.
    std::fs::rename(&made, folder.path().join("moved")).unwrap();
    let failed = rig.wait_for("the failure", |s| matches!(s.recording.state, RecordingState::Failed(_)));
    assert!(failed.warnings.iter().any(|w| matches!(&w.event.kind, EventKind::Message { .. })), "it stays until read");
    let row = failed.beads[0].newest.unwrap().frame;
    rig.wait_for("newer rows", |s| s.beads[0].newest.is_some_and(|n| n.frame > row + 20));
    assert_eq!(rig.client.snapshot().camera.state, CameraState::Running);
    rig.wait_for("the end of the recording", |s| {
        s.events.iter().any(|e| matches!(e.kind, EventKind::RecordingStopped { .. }))
    });
    // Another one can be begun.
    let again = rig.record(folder.path(), "again");
    rig.wait_for("rows", |s| s.recording.state == RecordingState::On && s.recording.rows > 0);
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    assert!(!rows_of(&again, "main").is_empty());
    assert_eq!(rig.client.snapshot().ledger.unexplained, 0);
}

#[test]
fn everything_that_is_needed_to_understand_a_recording_is_in_it() {
    let folder = crate::harness::scratch("live-provenance");
    let rig = tracking(lossless());
    let request = RecordingRequest {
        folder: folder.path().into(),
        name: "run".into(),
        operator: "Ada".into(),
        notes: "first try".into(),
        profiles: true,
        ..Default::default()
    };
    rig.ask(RecordingCommand::Start(request));
    rig.ask(CameraCommand::Start);
    rig.ask(RecordingCommand::Note { text: "the bead stuck".into() });
    rig.wait_for_frames(5);
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    let recording = Recording::open(folder.path().join("run")).unwrap();
    let section = |name: &str| recording.metadata().sections.get(name).cloned().unwrap_or_default();
    assert_eq!((section("operator"), section("notes")), ("Ada".into(), "first try".into()));
    assert_eq!(section("tracker")["id"], "tracker.quadrant");
    assert_eq!(section("tracker")["hash"].as_str().map(str::len), Some(64));
    assert_eq!(section("camera")["settings"]["width_px"], 200);
    assert_eq!(section("optics")["nm_per_px"], 200.0);
    assert_eq!(section("beads").as_array().map(Vec::len), Some(2));
    assert!(section("ledger")["stages"].as_array().is_some_and(|s| !s.is_empty()));
    assert!(!section("isa").as_str().unwrap().is_empty());
    let events = recording.events().unwrap().0;
    assert!(events.iter().any(|e| e.kind == "note" && e.data["text"] == "the bead stuck"), "{events:?}");
    let mut n_profiles = 0;
    recording.profiles("main", |rows| n_profiles += rows.len()).unwrap();
    assert_eq!(n_profiles, rows_of(&folder.path().join("run"), "main").len());
}

#[test]
fn a_capture_holds_frames_from_before_somebody_asked_for_it() {
    let folder = crate::harness::scratch("live-capture");
    let rig = tracking(EngineOptions::new(optics()));
    let early =
        RecordingCommand::Capture { folder: folder.path().into(), before_s: 1.0, after_s: 0.0, what: Captured::Frames };
    assert_eq!(rig.try_ask(early).unwrap_err().kind, RefusalKind::NotNow);
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(30);
    for what in [Captured::Frames, Captured::Rois] {
        let newest = rig.client.snapshot().health.newest_frame.unwrap();
        let capture = RecordingCommand::Capture { folder: folder.path().into(), before_s: 3600.0, after_s: 0.05, what };
        let Answer::Path(made) = rig.ask(capture) else { panic!("another answer") };
        let recording = Recording::open(&made).unwrap();
        let mut reader = if what == Captured::Frames { recording.frames() } else { recording.rois() }.unwrap();
        let mut frame = tetherscope_files::StoredFrame::default();
        assert!(reader.read(&mut frame).unwrap().is_some());
        assert!(frame.record.index < newest, "frame {} was there before frame {newest}", frame.record.index);
        let told = |e: &tetherscope_core::control::Event| matches!(&e.kind, EventKind::Captured { folder, frames } if *folder == made && *frames == reader.n_frames());
        assert!(rig.client.snapshot().events.iter().any(told));
    }
    assert_eq!(rig.client.snapshot().ledger.unexplained, 0);
}

#[test]
fn a_disk_that_is_slower_than_the_camera_costs_video_and_says_so() {
    // A queue without room: as if the disk never came back.
    let folder = crate::harness::scratch("live-slow-disk");
    let rig = tracking(EngineOptions { recorder_queue_batches: 0, ..lossless() });
    rig.ask(TrackingCommand::SetMode { mode: DataMode::TrackAndFullVideo });
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    rig.wait_for("an overrun", |s| {
        let video = |stage: &&tetherscope_core::control::StageLedger| stage.stage.starts_with("video");
        s.ledger.stages.iter().filter(video).any(|stage| stage.dropped.iter().any(|d| d.reason == "writer_full"))
    });
    rig.ask(CameraCommand::Stop);
    let ended = rig.client.snapshot();
    assert_eq!(ended.ledger.unexplained, 0);
    let end = rig.frame_of(RecordingCommand::Stop);
    let recording = Recording::open(&made).unwrap();
    let gaps = recording.gaps().unwrap().0;
    let missing: u64 = gaps.iter().filter(|g| g.stage == "video").map(|g| g.count).sum();
    assert_eq!(
        recording.frames().map_or(0, |r| r.n_frames()) + missing,
        end,
        "each frame is there or in the gap table"
    );
    let rows: u64 = gaps.iter().filter(|g| g.stage == "tracks").map(|g| g.count).sum();
    assert_eq!((rows, missing), (end, end));
    assert!(ended.beads.iter().all(|b| b.newest.is_some()), "tracking went on");
}
