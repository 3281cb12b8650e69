//! The same experiment again: commands on replayed frames, recordings as cameras, recordings tracked again.

use super::*;
use std::sync::Mutex;
use tetherscope_core::control::DataMode;
use tetherscope_core::{LoggedCommand, ReplayLog, RerunMethods, RerunOptions, rerun};
use tetherscope_files::FrameCondition;

#[test]
fn a_log_of_commands_on_the_same_frames_gives_identical_rows() {
    let folder = crate::harness::scratch("live-log");
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = {
        let log = log.clone();
        Box::new(move |c: &LoggedCommand| log.lock().unwrap().push(serde_json::to_string(c).unwrap()))
    };
    let settings = [("n_frames", "20000")];
    let rig = Rig::new(EngineOptions { command_log: Some(sink), ..lossless() });
    rig.open(&settings);
    rig.track_with("tracker.quadrant", &[]);
    let bead = rig.add(&[(10, 10)])[0];
    let first = rig.record(folder.path(), "first");
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(20);
    rig.add(&[(80, 40)]);
    rig.wait_for_frames(20);
    rig.ask(BeadsCommand::Move { moves: vec![(bead, NewRoi { x_px: 13, y_px: 12 })] });
    rig.wait_for_frames(20);
    rig.track_with("tracker.magtrack", &[]);
    rig.wait_for_frames(20);
    rig.ask(BeadsCommand::Remove { beads: vec![bead] });
    rig.wait_for_frames(20);
    let end = rig.frame_of(RecordingCommand::Stop);
    rig.ask(CameraCommand::Stop);
    drop(rig);

    // The recording goes elsewhere; all else is as it was.
    let lines = log.lock().unwrap().join("\n").replace(r#""name":"first""#, r#""name":"second""#);
    let replay_log = Some(ReplayLog::parse(&lines).unwrap());
    let again = Rig::new(EngineOptions { replay_log, ..lossless() });
    let n_frames = (end + 200).to_string();
    again.open(&[("n_frames", &n_frames)]);
    let ended = again.run_out();
    assert!(ended.warnings.is_empty(), "{:?}", ended.warnings);
    again.wait_for("the end of the recording", |s| s.recording.state == tetherscope_core::control::RecordingState::Off);
    let rows = |name: &Path| timeless(&rows_of(name, "main"));
    let (a, b) = (rows(&first), rows(&folder.path().join("second")));
    assert!(a.len() > 100);
    assert_same_bits(&a, &b);
}

/// A recording with video of both kinds of source, and its rows.
fn recorded(folder: &Path, mode: DataMode) -> (PathBuf, Vec<Row>) {
    let rig = Rig::lossless();
    rig.ask(TrackingCommand::SetMode { mode });
    let made = rig.record_run(folder, 30);
    let rows = rows_of(&made, "main");
    assert_eq!(rows.len(), 60);
    (made, rows)
}

#[test]
fn a_recording_tracked_again_gives_the_same_bits() {
    for mode in [DataMode::TrackAndFullVideo, DataMode::TrackAndRoiVideo] {
        let folder = crate::harness::scratch("live-rerun");
        let (made, rows) = recorded(folder.path(), mode);
        let options = RerunOptions { save_as: Some("again".into()), ..RerunOptions::default() };
        let report = rerun(&PLUGINS, &made, &options).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((report.frames, report.rows, report.rows_same), (30, 60, 60), "{mode:?}: {report:?}");
        assert!(report.notes.is_empty() && report.first_difference.is_none(), "{report:?}");
        assert_same_bits(&rows_of(&made, "again"), &rows);
        assert_same_bits(&rows_of(&made, "main"), &rows);
    }
}

#[test]
fn other_methods_add_a_second_track_set_to_the_same_recording() {
    let folder = crate::harness::scratch("live-rerun-other");
    let (made, rows) = recorded(folder.path(), DataMode::TrackAndFullVideo);
    let methods = Some(RerunMethods { tracker: choice("tracker.magtrack", &[]), zlut: None });
    let options = RerunOptions { methods, save_as: Some("magtrack".into()), ..RerunOptions::default() };
    let report = rerun(&PLUGINS, &made, &options).unwrap_or_else(|e| panic!("{e}"));
    assert!(report.rows_same < 60 && report.first_difference.is_some());
    let other = rows_of(&made, "magtrack");
    let key = |r: &Row| (r.frame, r.bead, r.time_ns, r.roi_x_px, r.roi_y_px);
    assert_eq!(other.iter().map(key).collect::<Vec<_>>(), rows.iter().map(key).collect::<Vec<_>>());
    assert_same_bits(&rows_of(&made, "main"), &rows);
    let taken = rerun(&PLUGINS, &made, &options).unwrap_err().to_string();
    assert!(taken.contains("magtrack"), "{taken}");
}

#[test]
fn a_recording_without_pixels_says_so_when_it_is_to_be_tracked_again() {
    let folder = crate::harness::scratch("live-rerun-none");
    let (made, _) = recorded(folder.path(), DataMode::Track);
    let refusal = rerun(&PLUGINS, &made, &RerunOptions::default()).unwrap_err().to_string();
    assert!(refusal.contains("no frames and no ROI stacks"), "{refusal}");
}

#[test]
fn a_recording_is_played_as_a_camera_and_gives_the_same_rows() {
    let folder = crate::harness::scratch("live-replay");
    let (made, rows) = recorded(folder.path(), DataMode::TrackAndFullVideo);
    for timing in ["fast", "recorded"] {
        let rig = Rig::lossless();
        let camera = choice("recording", &[("timing", timing)]);
        rig.ask(CameraCommand::Open { camera, device: made.to_string_lossy().into_owned() });
        rig.track_with("tracker.quadrant", &[]);
        rig.add(&[(10, 10), (80, 40)]);
        let again = rig.record(folder.path(), timing);
        let ended = rig.run_out();
        assert_eq!(ended.ledger.unexplained, 0);
        rig.ask(RecordingCommand::Stop);
        assert_same_bits(&timeless(&rows_of(&again, "main")), &timeless(&rows));
    }
    let rig = Rig::live();
    let nothing =
        CameraCommand::Open { camera: choice("recording", &[]), device: folder.path().to_string_lossy().into_owned() };
    assert_eq!(rig.try_ask(nothing).unwrap_err().kind, RefusalKind::File);
}

#[test]
fn frames_that_were_missing_then_are_missing_in_the_replay() {
    let folder = crate::harness::scratch("live-replay-gaps");
    let (made, _) = recorded(folder.path(), DataMode::TrackAndFullVideo);
    // As if the disk had been full for a while: a copy of the recording without some of its frames.
    let gappy = folder.path().join("gappy");
    let source = Recording::open(&made).unwrap();
    let mut frames = source.frames().unwrap();
    let format = frames.format().unwrap();
    let stack = tetherscope_files::StackOptions {
        width_px: format.width_px,
        height_px: format.height_px,
        depth: format.depth,
        significant_bits: format.significant_bits,
        nm_per_px: None,
        frame_interval_s: None,
        channels: format.channels.clone(),
        max_file_bytes: tetherscope_files::DEFAULT_MAX_FILE_BYTES,
    };
    let options = tetherscope_files::RecordingOptions { frames: Some(stack), ..Default::default() };
    let mut writer = tetherscope_files::RecordingWriter::create(&gappy, &options).unwrap();
    let mut stored = tetherscope_files::StoredFrame::default();
    while let Some(condition) = frames.read(&mut stored).unwrap() {
        assert_eq!(condition, FrameCondition::Whole);
        if !(10..17).contains(&stored.record.index) {
            let view = tetherscope_files::PlaneView {
                bytes: &stored.pixels,
                row_stride_bytes: (format.width_px * format.depth.bytes_per_px()) as usize,
                width_px: format.width_px,
                height_px: format.height_px,
                depth: format.depth,
            };
            writer.append_frame(&view, &stored.record).unwrap();
        }
    }
    writer.finish().unwrap();
    let rig = Rig::lossless();
    let camera = choice("recording", &[("timing", "fast")]);
    rig.ask(CameraCommand::Open { camera, device: gappy.to_string_lossy().into_owned() });
    let ended = rig.run_out();
    let camera = ended.ledger.stages.iter().find(|s| s.stage == "camera").unwrap();
    assert_eq!((camera.seen, camera.delivered), (30, 23), "{camera:?}");
    assert_eq!(camera.dropped.iter().map(|d| (d.reason.as_str(), d.count)).collect::<Vec<_>>(), [("camera_gap", 7)]);
}
