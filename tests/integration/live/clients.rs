//! Clients: all equal, none in the way of another.

use super::*;
use tetherscope_core::control::{EventKind, Message};

#[test]
fn a_client_that_comes_late_knows_as_much_from_one_snapshot() {
    let rig = Rig::live();
    rig.open(&[]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10), (80, 40)]);
    rig.ask(CameraCommand::Start);
    rig.wait_for("rows", |s| s.beads.iter().all(|b| b.newest.is_some()));
    let late = rig.engine.client("late");
    let (theirs, ours) = (late.snapshot(), rig.client.snapshot());
    assert_eq!(
        theirs.beads.iter().map(|b| (b.bead, b.roi)).collect::<Vec<_>>(),
        ours.beads.iter().map(|b| (b.bead, b.roi)).collect::<Vec<_>>()
    );
    assert_eq!(theirs.tracking.tracker.method, "tracker.quadrant");
    assert_eq!(theirs.camera.state, CameraState::Running);
    assert!(theirs.events.iter().any(|e| matches!(e.kind, EventKind::CameraStarted { .. })));
    // As JSON it is the same.
    let text = serde_json::to_string(&*theirs).unwrap();
    let back: Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(back.beads.len(), 2);
    late.ask(Command::Camera(CameraCommand::Stop), PATIENCE).unwrap();
    assert_eq!(rig.client.snapshot().camera.state, CameraState::Open, "it is as good as any other");
}

#[test]
fn what_was_sent_before_a_ping_is_done_when_it_is_answered() {
    let rig = Rig::live();
    let open = CameraCommand::Open { camera: choice("camera.sim", &[]), device: String::new() };
    let opened = rig.client.send(Command::Camera(open));
    let tracker = TrackingCommand::SetTracker { tracker: choice("tracker.quadrant", &[]) };
    let chosen = rig.client.send(Command::Tracking(tracker));
    rig.ask(EngineCommand::Ping);
    let snapshot = rig.client.snapshot();
    assert_eq!(snapshot.camera.state, CameraState::Open);
    assert_eq!(snapshot.tracking.tracker.method, "tracker.quadrant");
    for request in [opened, chosen] {
        assert!(rig.client.reply_to(request, Duration::ZERO).unwrap().result.is_ok());
        assert!(rig.client.reply_to(request, Duration::ZERO).is_none(), "one reply each");
    }
}

#[test]
fn a_change_is_told_to_every_client_with_its_frame() {
    let rig = Rig::lossless();
    rig.open(&[]);
    rig.track_with("tracker.quadrant", &[]);
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(5);
    let other = rig.engine.client("other");
    rig.add(&[(10, 10)]);
    let frame = loop {
        match other.next_message(PATIENCE).expect("an event comes") {
            Message::Event(e) if matches!(&e.kind, EventKind::Changed { client, command: Command::Beads(_) } if *client == rig.client.id()) =>
            {
                break e.frame;
            }
            _ => {}
        }
    };
    let newest =
        rig.wait_for("a row", |s| s.beads.first().is_some_and(|b| b.newest.is_some())).beads[0].newest.unwrap();
    assert!(frame.is_some_and(|f| f <= newest.frame));
}

#[test]
fn a_warning_stays_until_somebody_has_read_it() {
    let rig = Rig::lossless();
    rig.open(&[]);
    // Its fault is that of bead 13.
    rig.track_with("tracker.fixture.crash", &[("fault", "panic")]);
    rig.ask(BeadsCommand::Restore { beads: vec![(13, NewRoi { x_px: 5, y_px: 5 })] });
    rig.ask(CameraCommand::Start);
    let warned = rig.wait_for("a warning that came again", |s| s.warnings.iter().any(|w| w.count > 1));
    rig.ask(CameraCommand::Stop);
    let id = warned.warnings[0].id;
    assert_eq!(rig.client.snapshot().warnings[0].id, id, "the same warning counts up");
    rig.ask(EngineCommand::Acknowledge { warning: id });
    assert!(rig.client.snapshot().warnings.iter().all(|w| w.id != id));
    let again = rig.try_ask(EngineCommand::Acknowledge { warning: id }).unwrap_err();
    assert_eq!(again.kind, RefusalKind::NotFound);
}

#[test]
fn a_client_that_never_looks_stalls_nobody() {
    let rig = Rig::live();
    let _deaf = rig.engine.client("deaf");
    rig.open(&[("frame_rate_hz", "500")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    rig.ask(CameraCommand::Start);
    for _ in 0..200 {
        rig.ask(RecordingCommand::Note { text: "x".into() });
    }
    rig.wait_for_frames(100);
    rig.ask(CameraCommand::Stop);
}

#[test]
fn an_engine_that_ends_stops_its_camera_finishes_its_recording_and_answers_everybody() {
    let folder = crate::harness::scratch("live-end");
    let rig = Rig::live();
    rig.open(&[]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    let asked = rig.client.send(Command::Tracking(TrackingCommand::AskProfileLength));
    let made = rig.record(folder.path(), "run");
    rig.ask(TrackingCommand::SetProcessing { on: true });
    rig.ask(CameraCommand::Start);
    rig.wait_for("rows", |s| s.recording.rows > 0);
    let answered = rig.client.reply_to(asked, PATIENCE).unwrap();
    assert!(answered.result.is_ok());
    let never = {
        rig.ask(CameraCommand::Stop);
        rig.client.send(Command::Tracking(TrackingCommand::AskProfileLength))
    };
    rig.ask(EngineCommand::Shutdown);
    let Rig { client, engine } = rig;
    drop(engine);
    assert_eq!(client.reply_to(never, PATIENCE).unwrap().result.unwrap_err().kind, RefusalKind::Cancelled);
    let late = client.ask(Command::Engine(EngineCommand::Ping), PATIENCE).unwrap_err();
    assert_eq!(late.kind, RefusalKind::Cancelled);
    let recording = Recording::open(&made).unwrap();
    assert_eq!(recording.condition(), tetherscope_files::Condition::Finished);
    assert!(!rows_of(&made, "main").is_empty());
}

#[test]
fn a_window_that_stalls_misses_events_and_costs_no_frame() {
    let rig = Rig::lossless();
    rig.open(&[("n_frames", "3000")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    let folder = crate::harness::scratch("live-stalled");
    let made = rig.record(folder.path(), "run");
    // It holds what it looked at last, and hears nothing.
    let window = rig.engine.client("window");
    let (_picture, _snapshot) = (window.picture(), window.snapshot());
    rig.ask(CameraCommand::Start);
    // More than is kept for clients that look later.
    let mut last = None;
    for i in 0..11_000 {
        last = Some(rig.client.send(Command::Recording(RecordingCommand::Note { text: i.to_string() })));
    }
    assert!(rig.client.reply_to(last.unwrap(), PATIENCE).unwrap().result.is_ok());
    let ended = rig.wait_for("the end of the data", |s| s.camera.state == CameraState::Open);
    rig.ask(RecordingCommand::Stop);
    assert_eq!(ended.ledger.unexplained, 0);
    assert!(ended.ledger.stages.iter().all(|s| s.dropped.iter().all(|d| d.count == 0)), "{:?}", ended.ledger);
    assert_eq!(rows_of(&made, "main").len(), 3000);
    // Awake again, it hears the newest events and sees all from one snapshot.
    let mut heard = Vec::new();
    while let Some(message) = window.next_message(Duration::ZERO) {
        heard.extend(if let Message::Event(e) = message { Some(e.number) } else { None });
    }
    assert!(heard.len() > 9_000 && heard[0] > 0 && heard.is_sorted(), "{} events from {}", heard.len(), heard[0]);
    assert_eq!(window.snapshot().beads.len(), 1);
}

#[test]
fn a_search_for_beads_is_ended_by_who_asked_for_it_and_by_nobody_else() {
    let rig = Rig::live();
    rig.open(&[]);
    rig.ask(CameraCommand::Start);
    let finder = choice("finder.fixture.crash", &[("fault", "wait")]);
    let asked = rig.client.send(Command::Beads(BeadsCommand::Find { finder, seed: None }));
    let other = rig.engine.client("other");
    other.ask(Command::Beads(BeadsCommand::CancelFind), PATIENCE).unwrap();
    rig.wait_for_frames(20);
    assert!(rig.client.reply_to(asked, Duration::ZERO).is_none(), "it goes on");
    rig.ask(BeadsCommand::CancelFind);
    let reply = rig.client.reply_to(asked, PATIENCE).expect("it has ended");
    assert_eq!(reply.result.unwrap_err().kind, RefusalKind::Cancelled);
}
