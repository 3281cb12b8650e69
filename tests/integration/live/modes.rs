//! The five data modes, batches, and frames that nobody processes.

use super::*;
use tetherscope_core::control::{BatchLimits, DataMode, EventKind};

#[test]
fn each_data_mode_writes_what_it_says() {
    const FRAMES: u64 = 12;
    let folder = crate::harness::scratch("live-modes");
    let rig = Rig::lossless();
    rig.open(&[("n_frames", &FRAMES.to_string())]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10), (80, 40)]);
    let modes = [
        DataMode::Track,
        DataMode::TrackAndRoiVideo,
        DataMode::TrackAndFullVideo,
        DataMode::RoiVideo,
        DataMode::FullVideo,
    ];
    for mode in modes {
        rig.ask(TrackingCommand::SetMode { mode });
        let made = rig.record(folder.path(), &format!("{mode:?}"));
        let refusal = rig.try_ask(TrackingCommand::SetMode { mode: DataMode::Track }).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::NotNow, "one recording is of one kind");
        let ended = rig.run_out();
        assert_eq!(ended.ledger.unexplained, 0);
        rig.ask(RecordingCommand::Stop);
        let recording = Recording::open(&made).unwrap();
        let rows = if mode.tracks() { rows_of(&made, "main").len() as u64 } else { 0 };
        assert_eq!(rows, if mode.tracks() { 2 * FRAMES } else { 0 }, "{mode:?}");
        let frames = recording.frames().map_or(0, |r| r.n_frames());
        assert_eq!(frames, if mode.records_frames() { FRAMES } else { 0 }, "{mode:?}");
        let rois = recording.rois().map_or(0, |r| r.n_frames());
        assert_eq!(rois, if mode.records_rois() { FRAMES } else { 0 }, "{mode:?}");
        assert!(recording.check().unwrap().is_empty(), "{mode:?}: checksums hold");
    }
}

#[test]
fn videos_of_rois_begin_with_the_first_bead_and_count_no_frame_before_it() {
    let folder = crate::harness::scratch("live-no-beads");
    let rig = Rig::lossless();
    rig.open(&[("n_frames", "3000")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.ask(TrackingCommand::SetMode { mode: DataMode::RoiVideo });
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    let before = rig.wait_for_frames(20);
    assert_eq!(before.recording.frames, 0, "without a bead there is nothing to write");
    let warned = before.warnings.iter().find_map(|w| match &w.event.kind {
        EventKind::Message { text } => Some(text.to_string()),
        _ => None,
    });
    assert!(warned.is_some_and(|w| w.contains("empty") && w.contains("no bead")), "and somebody should know");
    let from = rig.frame_of_event(BeadsCommand::Add { rois: vec![NewRoi { x_px: 10, y_px: 10 }] });
    rig.wait_for("the end of the data", |s| s.camera.state == CameraState::Open);
    rig.ask(RecordingCommand::Stop);
    let ended = rig.client.snapshot();
    let n = Recording::open(&made).unwrap().rois().map_or(0, |r| r.n_frames());
    assert_eq!((n, ended.recording.frames), (3000 - from, 3000 - from));
    let video = ended.ledger.stages.iter().find(|s| s.stage.starts_with("video.")).unwrap();
    assert_eq!((video.seen, video.delivered), (n, n), "the ledger counts what is in the file");
}

#[test]
fn without_processing_the_picture_lives_and_nothing_is_tracked() {
    let rig = Rig::live();
    rig.open(&[("frame_rate_hz", "200")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    rig.ask(TrackingCommand::SetProcessing { on: false });
    rig.ask(CameraCommand::Start);
    let first = loop {
        if let Some(picture) = rig.client.picture() {
            break picture.frame;
        }
        rig.wait_for_frames(1);
    };
    rig.wait_for("a newer picture", |_| rig.client.picture().is_some_and(|p| p.frame > first));
    assert!(rig.client.snapshot().beads[0].newest.is_none());
    let on = rig.frame_of(TrackingCommand::SetProcessing { on: true });
    let row = rig.wait_for("a row", |s| s.beads[0].newest.is_some()).beads[0].newest.unwrap();
    assert!(row.frame >= on);
    let ledger = &rig.client.snapshot().ledger;
    assert!(ledger.stages.iter().all(|s| s.stage != "tracking" || s.seen <= row.frame + 1 - on + 1000));
}

#[test]
fn batches_of_one_frame_and_of_many_give_the_same_rows() {
    let rows = |max_frames: u32| {
        let folder = crate::harness::scratch("live-batches");
        let rig = Rig::lossless();
        rig.ask(TrackingCommand::SetBatch { limits: BatchLimits { max_frames, max_ms: 100.0 } });
        timeless(&rows_of(&rig.record_run(folder.path(), 40), "main"))
    };
    assert_same_bits(&rows(1), &rows(64));
    let rig = Rig::live();
    let none = TrackingCommand::SetBatch { limits: BatchLimits { max_frames: 0, max_ms: 1.0 } };
    assert_eq!(rig.try_ask(none).unwrap_err().kind, RefusalKind::Invalid);
}
