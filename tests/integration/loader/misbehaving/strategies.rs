//! Bad Z-LUT strategies.

use super::super::check_call;
use super::{BAD, Picture, component, defaults, track_five, tracker_worker};
use std::sync::Arc;
use tetherscope_loader::abi::{FLAG_NON_FINITE, FLAG_PLUGIN_ERROR};
use tetherscope_loader::{
    Kind, LookupBuffers, ParamSet, PluginError, SavedTable, SweepData, Table, TrackBuffers, TrackerStamp, ZlutStrategy,
};

fn create_strategy(id: &str) -> Arc<ZlutStrategy> {
    let component = component(Kind::Zlut, id);
    ZlutStrategy::create(component, defaults(component)).unwrap()
}

/// Builds a table of three planes, with the profiles of the good tracker.
fn build(strategy: &Arc<ZlutStrategy>) -> Result<Arc<Table>, PluginError> {
    let mut worker = tracker_worker(&BAD, "tracker.fixture.good");
    let picture = Picture::flat(3, 8, 6);
    let mut tracks = TrackBuffers::default();
    worker.track(&picture.rois(), &mut tracks).unwrap();
    strategy.build(&SweepData {
        rois: picture.rois(),
        focus_nm: &[0.0, 100.0, 200.0],
        tracks: &tracks,
        layout: *worker.layout(),
        config: picture.config(),
        tracker: TrackerStamp { id: "tracker.fixture.good", version: "1.0.0", params: &ParamSet::default() },
    })
}

/// Looks five ROIs up, whose x and y are 3.5 and 2.5.
fn look_up_five(id: &str) -> (Result<(), PluginError>, TrackBuffers) {
    let strategy = create_strategy(id);
    let table = build(&strategy).unwrap();
    let picture = Picture::flat(5, 8, 6);
    let mut worker = strategy.worker(&picture.config(), table.layout()).unwrap();
    let (_, mut tracks) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.good"));
    let outcome = worker.lookup(&picture.rois(), &[&*table; 5], &mut tracks, &mut LookupBuffers::default());
    (outcome, tracks)
}

#[test]
fn the_good_strategy_of_the_bad_library_looks_up() {
    let (outcome, tracks) = look_up_five("zlut.fixture.good");
    outcome.unwrap();
    // All planes are alike, so the first is the nearest.
    assert!(tracks.fixes.iter().all(|f| f.z_nm == 0.0 && f.flags == 0), "{:?}", tracks.fixes);
}

#[test]
fn a_panic_in_a_strategys_create_is_an_error() {
    let component = component(Kind::Zlut, "zlut.fixture.panic-create");
    let outcome = ZlutStrategy::create(component, defaults(component));
    check_call(outcome, "zlut.fixture.panic-create", "create", "told to panic in create");
}

#[test]
fn a_panic_in_build_is_an_error() {
    let outcome = build(&create_strategy("zlut.fixture.panic-build"));
    check_call(outcome, "zlut.fixture.panic-build", "build", "told to panic in build");
}

#[test]
fn an_error_in_build_is_told_in_the_plugins_words() {
    let outcome = build(&create_strategy("zlut.fixture.error-build"));
    check_call(outcome, "zlut.fixture.error-build", "build", "told to fail in build");
}

fn load(id: &str) -> Result<Arc<Table>, PluginError> {
    let table = build(&create_strategy("zlut.fixture.good")).unwrap();
    create_strategy(id).load(&table.save().unwrap(), table.layout(), &Picture::flat(1, 8, 6).config())
}

#[test]
fn a_panic_in_load_is_an_error() {
    check_call(load("zlut.fixture.panic-load"), "zlut.fixture.panic-load", "load", "told to panic in load");
}

#[test]
fn an_error_in_load_is_told_in_the_plugins_words() {
    check_call(load("zlut.fixture.error-load"), "zlut.fixture.error-load", "load", "told to fail in load");
}

fn save(id: &str) -> Result<SavedTable, PluginError> {
    build(&create_strategy(id)).unwrap().save()
}

#[test]
fn a_panic_in_save_is_an_error() {
    check_call(save("zlut.fixture.panic-save"), "zlut.fixture.panic-save", "save", "told to panic in save");
}

#[test]
fn a_table_saved_with_too_few_profile_values_is_refused() {
    let cause = "it saved 3 planes, 11 profile values and 0 variances, with 4 bins a plane";
    check_call(save("zlut.fixture.wrong-count"), "zlut.fixture.wrong-count", "save", cause);
}

#[test]
fn a_table_saved_without_planes_is_refused() {
    check_call(save("zlut.fixture.saves-nothing"), "zlut.fixture.saves-nothing", "save", "it saved 0 planes");
}

#[test]
fn a_panic_in_a_strategys_worker_is_an_error() {
    let strategy = create_strategy("zlut.fixture.panic-worker");
    let table = build(&strategy).unwrap();
    let outcome = strategy.worker(&Picture::flat(1, 8, 6).config(), table.layout());
    check_call(outcome, "zlut.fixture.panic-worker", "worker", "told to panic in worker");
}

#[test]
fn a_lookup_that_panics_or_fails_leaves_x_and_y_and_flags_the_rows() {
    for (id, cause) in [
        ("zlut.fixture.panic-lookup", "told to panic in lookup"),
        ("zlut.fixture.error-lookup", "told to fail in lookup"),
    ] {
        let (outcome, tracks) = look_up_five(id);
        check_call(outcome, id, "lookup", cause);
        for fix in &tracks.fixes {
            assert_eq!((fix.x_px, fix.y_px, fix.flags), (3.5, 2.5, FLAG_PLUGIN_ERROR), "{id}");
            assert!(fix.z_nm.is_nan(), "{id}");
        }
    }
}

#[test]
fn z_that_is_nan_or_infinite_without_a_flag_gets_one() {
    for id in ["zlut.fixture.nan-without-flag", "zlut.fixture.infinite"] {
        let (outcome, tracks) = look_up_five(id);
        outcome.unwrap();
        assert!(tracks.fixes.iter().all(|f| f.z_nm.is_nan() && f.flags == FLAG_NON_FINITE), "{id}: {:?}", tracks.fixes);
    }
}

#[test]
fn a_strategy_that_does_not_refine_x_cannot_move_it() {
    let (outcome, tracks) = look_up_five("zlut.fixture.moves-xy");
    outcome.unwrap();
    assert!(tracks.fixes.iter().all(|f| f.x_px == 3.5), "{:?}", tracks.fixes);
}

#[test]
fn a_panic_in_a_strategys_explain_is_an_error_and_its_table_may_panic_when_freed() {
    let strategy = create_strategy("zlut.fixture.panic-explain");
    let table = build(&strategy).unwrap();
    let picture = Picture::flat(1, 8, 6);
    let mut worker = strategy.worker(&picture.config(), table.layout()).unwrap();
    let mut tracks = TrackBuffers::default();
    tracker_worker(&BAD, "tracker.fixture.good").track(&picture.rois(), &mut tracks).unwrap();
    let outcome = worker.explain(&picture.rois(), &table, &mut tracks);
    check_call(outcome, "zlut.fixture.panic-explain", "explain", "told to panic in explain");
    drop(build(&create_strategy("zlut.fixture.panic-free")).unwrap());
}
