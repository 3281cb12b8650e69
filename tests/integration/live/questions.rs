//! Questions that newly processed frames answer.

use super::*;
use tetherscope_core::control::DataMode;

fn running() -> (Rig, Vec<u32>) {
    let rig = Rig::live();
    rig.open(&[("frame_rate_hz", "200"), ("n_fixed", "0"), ("n_tethered", "1"), ("margin_px", "70")]);
    rig.track_with("tracker.magtrack", &[]);
    // The one bead keeps 70 px from every border.
    let beads = rig.add(&[(0, 0), (75, 50)]);
    rig.ask(CameraCommand::Start);
    (rig, beads)
}

#[test]
fn the_length_of_a_profile_is_told_by_a_new_frame() {
    let (rig, _) = running();
    let Answer::ProfileLength(n) = rig.ask(TrackingCommand::AskProfileLength) else { panic!("another answer") };
    assert_eq!(Some(n), rig.client.snapshot().tracking.n_bins);
    assert!(n > 10);
}

#[test]
fn the_profile_of_a_bead_comes_from_a_frame_after_the_question() {
    let (rig, beads) = running();
    // A frame that has its row: the newest that came may still wait its turn, and then it is the one that answers.
    let tracked = rig.wait_for("a row", |s| s.beads.iter().any(|b| b.newest.is_some()));
    let before = tracked.beads.iter().find_map(|b| b.newest).unwrap().frame;
    let Answer::Profile(profile) = rig.ask(TrackingCommand::AskProfile { bead: beads[1] }) else { panic!("another") };
    assert!(profile.frame > before, "frame {} is not after {before}", profile.frame);
    assert_eq!((profile.bead, profile.values.len() as u32), (beads[1], rig.client.snapshot().tracking.n_bins.unwrap()));
    assert!(profile.values.iter().any(|v| v.is_finite()) && profile.plane_z_nm.is_none() && profile.plane.is_empty());
    let unknown = rig.try_ask(TrackingCommand::AskProfile { bead: 99 }).unwrap_err();
    assert_eq!(unknown.kind, RefusalKind::NotFound);
}

#[test]
fn a_question_can_be_withdrawn_and_others_stay() {
    let rig = Rig::live();
    rig.open(&[]);
    rig.track_with("tracker.magtrack", &[]);
    rig.add(&[(10, 10)]);
    // No frame comes, so both wait.
    let withdrawn = rig.client.send(Command::Tracking(TrackingCommand::AskProfileLength));
    let kept = rig.client.send(Command::Tracking(TrackingCommand::AskProfileLength));
    rig.ask(TrackingCommand::CancelQuestion { request: withdrawn });
    let reply = rig.client.reply_to(withdrawn, PATIENCE).unwrap();
    assert_eq!(reply.result.unwrap_err().kind, RefusalKind::Cancelled);
    let again = rig.try_ask(TrackingCommand::CancelQuestion { request: withdrawn }).unwrap_err();
    assert_eq!(again.kind, RefusalKind::NotFound);
    rig.ask(CameraCommand::Start);
    let answer = rig.client.reply_to(kept, PATIENCE).unwrap().result.unwrap();
    assert!(matches!(answer, Answer::ProfileLength(_)));
}

#[test]
fn questions_that_no_frame_can_answer_are_refused_with_what_to_do_first() {
    let rig = Rig::live();
    rig.open(&[]);
    let refused = |mend: &str| {
        let refusal = rig.try_ask(TrackingCommand::AskProfileLength).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::NotNow);
        assert!(refusal.mend.contains(mend), "{refusal}");
    };
    refused("choose one");
    rig.track_with("tracker.magtrack", &[]);
    refused("add one");
    rig.add(&[(10, 10)]);
    rig.ask(TrackingCommand::SetProcessing { on: false });
    refused("switch processing on");
    rig.ask(TrackingCommand::SetProcessing { on: true });
    rig.ask(TrackingCommand::SetMode { mode: DataMode::RoiVideo });
    refused("choose a mode that tracks");
}
