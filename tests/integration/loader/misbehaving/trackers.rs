//! Bad trackers.

use super::super::{c_fixture, check_call, scan_alone};
use super::{BAD, Picture, create_tracker, track_five, tracker_worker};
use tetherscope_loader::TrackBuffers;
use tetherscope_loader::abi::{FLAG_NON_FINITE, FLAG_NOT_WRITTEN, FLAG_PLUGIN_ERROR};

fn assert_spoilt(out: &TrackBuffers) {
    assert_eq!(out.fixes.len(), 5);
    for fix in &out.fixes {
        assert!(fix.x_px.is_nan() && fix.y_px.is_nan() && fix.flags == FLAG_PLUGIN_ERROR, "{fix:?}");
    }
    assert!(out.profiles.iter().all(|v| v.is_nan()), "a spoilt batch has no profiles");
}

#[test]
fn the_good_tracker_of_the_bad_library_tracks() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.good"));
    outcome.unwrap();
    for fix in &out.fixes {
        assert_eq!((fix.x_px, fix.y_px, fix.flags), (3.5, 2.5, 0));
        assert!(fix.z_nm.is_nan());
    }
    assert!(out.profiles.iter().all(|&v| v == 1.0) && out.profiles.len() == 5 * 4);
}

#[test]
fn a_panic_in_create_is_an_error() {
    let outcome = create_tracker(&BAD, "tracker.fixture.panic-create");
    check_call(outcome, "tracker.fixture.panic-create", "create", "the plugin panicked: told to panic in create");
}

#[test]
fn an_error_in_create_is_told_in_the_plugins_words() {
    let outcome = create_tracker(&BAD, "tracker.fixture.error-create");
    check_call(outcome, "tracker.fixture.error-create", "create", "told to fail in create");
}

#[test]
fn a_panic_in_worker_is_an_error() {
    let tracker = create_tracker(&BAD, "tracker.fixture.panic-worker").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.panic-worker", "worker", "told to panic in worker");
}

#[test]
fn an_error_in_worker_is_told_in_the_plugins_words() {
    let tracker = create_tracker(&BAD, "tracker.fixture.error-worker").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.error-worker", "worker", "told to fail in worker");
}

#[test]
fn a_panic_in_track_spoils_the_batch_and_the_next_call_is_made_all_the_same() {
    let mut worker = tracker_worker(&BAD, "tracker.fixture.panic-track");
    for _ in 0..2 {
        let (outcome, out) = track_five(&mut worker);
        check_call(outcome, "tracker.fixture.panic-track", "track", "the plugin panicked: told to panic in track");
        assert_spoilt(&out);
    }
}

#[test]
fn a_panic_midway_leaves_no_half_batch() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.panic-midway"));
    check_call(outcome, "tracker.fixture.panic-midway", "track", "told to panic in midway");
    assert_spoilt(&out);
}

#[test]
fn a_panic_whose_payload_panics_too_is_an_error() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.panics-twice"));
    check_call(outcome, "tracker.fixture.panics-twice", "track", "the plugin panicked");
    assert_spoilt(&out);
}

#[test]
fn an_error_in_track_spoils_the_batch() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.error-track"));
    check_call(outcome, "tracker.fixture.error-track", "track", "told to fail in track");
    assert_spoilt(&out);
}

#[test]
fn a_panic_in_explain_is_an_error() {
    let mut worker = tracker_worker(&BAD, "tracker.fixture.panic-explain");
    let outcome = worker.explain(&Picture::flat(1, 8, 6).rois());
    check_call(outcome, "tracker.fixture.panic-explain", "explain", "told to panic in explain");
    track_five(&mut worker).0.unwrap();
}

#[test]
fn a_panic_while_a_worker_or_an_instance_is_freed_does_not_reach_the_host() {
    drop(tracker_worker(&BAD, "tracker.fixture.panic-free"));
    drop(tracker_worker(&BAD, "tracker.fixture.panic-destroy"));
    track_five(&mut tracker_worker(&BAD, "tracker.fixture.good")).0.unwrap();
}

#[test]
fn rows_that_a_tracker_leaves_out_are_flagged() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.leaves-rows"));
    outcome.unwrap();
    for (i, fix) in out.fixes.iter().enumerate() {
        let left = i % 2 == 1;
        assert_eq!(fix.x_px.is_nan(), left, "row {i}: {fix:?}");
        assert_eq!(fix.flags, if left { FLAG_NOT_WRITTEN } else { 0 }, "row {i}: {fix:?}");
    }
}

#[test]
fn nan_without_a_flag_gets_one() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.nan-without-flag"));
    outcome.unwrap();
    assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.flags == FLAG_NON_FINITE), "{:?}", out.fixes);
}

#[test]
fn infinite_values_become_nan_and_a_flag() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.infinite"));
    outcome.unwrap();
    for fix in &out.fixes {
        assert!(fix.y_px.is_nan() && fix.flags == FLAG_NON_FINITE, "{fix:?}");
        assert!(fix.sigma_x_px.is_nan() && fix.quality.is_nan(), "{fix:?}");
    }
}

#[test]
fn profiles_that_no_memory_holds_are_refused() {
    let tracker = create_tracker(&BAD, "tracker.fixture.too-many-bins").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.too-many-bins", "worker", "profiles of 4294967295 bins");
}

#[test]
fn profiles_of_an_unknown_kind_are_refused() {
    let tracker = create_tracker(&BAD, "tracker.fixture.strange-profile").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.strange-profile", "worker", "profiles of the unknown kind 99");
}

#[test]
fn profiles_without_a_step_are_refused() {
    let tracker = create_tracker(&BAD, "tracker.fixture.nan-step").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.nan-step", "worker", "NaN px apart");
}

#[test]
fn c_functions_that_fail_flood_or_return_nonsense_are_errors_of_three_lines() {
    for (case, definition, cause) in [
        ("track-error", "IN_TRACK=FAULT_ERROR", "the fixture was told to fail"),
        ("track-flood", "IN_TRACK=FAULT_FLOOD", "A plugin that never stops talking"),
        ("track-not-utf8", "IN_TRACK=FAULT_NOT_UTF8", " broken "),
        ("track-unknown", "IN_TRACK=FAULT_UNKNOWN", "a status that does not exist"),
    ] {
        let Some(library) = c_fixture("faulty.c", case, &[definition]) else { return };
        let (outcome, out) = track_five(&mut tracker_worker(&scan_alone(&library), "tracker.fixture.c"));
        check_call(outcome, "tracker.fixture.c", "track", cause);
        assert_spoilt(&out);
    }
}
