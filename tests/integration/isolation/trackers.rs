//! Isolated trackers with a fault.

use super::pictures::Picture;
use super::{Expected, Fails, Flagged, PATIENCE, Right, check_error, component, fixtures, options};
use crate::harness::rust_fixture;
use tetherscope_loader::abi::{FLAG_NON_FINITE, FLAG_NOT_WRITTEN, FLAG_PLUGIN_ERROR};
use tetherscope_loader::{Kind, Registry, STATUS_DISABLED, TrackBuffers, Tracker, TrackerWorker};

fn worker(registry: &Registry, id: &str, fault: &str) -> TrackerWorker {
    let component = component(registry, Kind::Tracker, id);
    let tracker = Tracker::create(component, component.params([("fault", fault)]).unwrap()).unwrap();
    tracker.worker(&Picture::flat(1, 8, 6).config()).unwrap()
}

fn good() -> Picture {
    Picture::flat(4, 8, 6).with_beads(&[1, 2, 3, 4])
}

fn bad() -> Picture {
    Picture::flat(4, 8, 6).with_beads(&[1, 2, 13, 4])
}

#[track_caller]
fn check_row(out: &TrackBuffers, i: usize, bead: u32) {
    let fix = &out.fixes[i];
    assert_eq!((fix.x_px, fix.y_px, fix.flags), (3.5, 2.5, 0), "row {i}: {fix:?}");
    assert!(out.profile(i).iter().all(|&v| v == f64::from(bead)), "row {i}: {:?}", out.profile(i));
}

/// Tracks a good batch.
#[track_caller]
fn check_good(worker: &mut TrackerWorker) {
    let mut out = TrackBuffers::default();
    worker.track(&good().rois(), &mut out).unwrap();
    (1..=4).for_each(|bead| check_row(&out, bead as usize - 1, bead));
}

#[track_caller]
pub(super) fn survives(fault: &str, expected: Expected) {
    for (registry, id) in fixtures(fault, Kind::Tracker) {
        let mut worker = worker(&registry, id, fault);
        check_good(&mut worker);
        let mut out = TrackBuffers::default();
        let outcome = worker.track(&bad().rois(), &mut out);
        match expected {
            Fails(cause) => {
                check_error(&outcome.unwrap_err(), id, "track", cause);
                assert_eq!(out.fixes.len(), 4);
                assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.y_px.is_nan() && f.flags == FLAG_PLUGIN_ERROR));
                assert!(out.profiles.iter().all(|v| v.is_nan()));
            }
            Flagged(flags) => {
                outcome.unwrap();
                check_row(&out, 0, 1);
                check_row(&out, 1, 2);
                assert!(out.fixes[2].x_px.is_nan() && out.fixes[2].flags == flags, "{:?}", out.fixes[2]);
                // With a wrong count the rows behind are missing too.
                match flags {
                    FLAG_NOT_WRITTEN => assert!(out.fixes[3].x_px.is_nan() && out.fixes[3].flags == flags),
                    _ => check_row(&out, 3, 4),
                }
            }
            Right => {
                outcome.unwrap();
                [1, 2, 13, 4].iter().enumerate().for_each(|(i, &bead)| check_row(&out, i, bead));
            }
        }
        check_good(&mut worker);
        check_good(&mut worker);
    }
}

#[test]
fn a_tracker_that_panics_loses_its_batch() {
    survives("panic", Fails("the plugin panicked: told to panic"));
}

#[test]
fn a_tracker_that_segfaults_loses_its_batch() {
    survives("segfault", Fails("segmentation fault, signal 11"));
}

#[test]
fn a_tracker_that_aborts_loses_its_batch() {
    survives("abort", Fails("abort, signal 6"));
}

#[test]
fn a_tracker_that_exits_loses_its_batch() {
    survives("exit", Fails("exit code 3"));
}

#[test]
fn a_tracker_that_frees_twice_loses_its_batch() {
    survives("double-free", Fails("its process ended ("));
}

#[test]
fn a_tracker_that_never_comes_back_loses_its_batch() {
    survives("loop", Fails("it did not come back within 5 s"));
}

#[test]
fn a_tracker_that_writes_nan_has_that_row_flagged() {
    survives("nan", Flagged(FLAG_NON_FINITE));
}

#[test]
fn a_tracker_that_writes_too_few_rows_has_the_missing_flagged() {
    survives("count", Flagged(FLAG_NOT_WRITTEN));
}

#[test]
fn a_tracker_that_writes_beyond_its_output_loses_its_batch() {
    survives("beyond", Fails("it wrote beyond its output"));
}

#[test]
fn a_slow_tracker_is_waited_for() {
    survives("slow", Right);
}

#[test]
fn a_tracker_that_floods_its_output_disturbs_nobody() {
    survives("flood", Right);
}

#[test]
fn a_tracker_that_writes_rubbish_into_the_pipe_loses_its_batch() {
    survives("pipe", Fails("makes no sense"));
}

#[test]
fn last_words_are_told() {
    survives("last-words", Fails("exit code 4); its last words: the lamp is off"));
}

#[test]
fn rubbish_in_the_rows_is_flagged_or_finite_and_the_other_rows_are_right() {
    for (registry, id) in fixtures("garbage", Kind::Tracker) {
        let mut worker = worker(&registry, id, "garbage");
        let mut out = TrackBuffers::default();
        worker.track(&bad().rois(), &mut out).unwrap();
        let fix = &out.fixes[2];
        assert!((fix.x_px.is_finite() && fix.y_px.is_finite()) || fix.flags != 0, "{fix:?}");
        assert!([fix.x_px, fix.y_px, fix.z_nm].iter().all(|v| !v.is_infinite()), "{fix:?}");
        let sigmas = [fix.sigma_x_px, fix.sigma_y_px, fix.sigma_z_nm];
        assert!(sigmas.iter().all(|s| s.is_nan() || (s.is_finite() && *s >= 0.0)), "{fix:?}");
        assert!(fix.quality.is_nan() || (0.0..=1.0).contains(&fix.quality), "{fix:?}");
        [(0, 1), (1, 2), (3, 4)].iter().for_each(|&(i, bead)| check_row(&out, i, bead));
    }
}

#[test]
fn three_strikes_switch_a_tracker_off_and_say_why() {
    for (registry, id) in fixtures("segfault", Kind::Tracker) {
        let mut two = [worker(&registry, id, "segfault"), worker(&registry, id, "segfault")];
        let mut out = TrackBuffers::default();
        for strike in 0..3 {
            // All workers of a plugin count together, and what succeeds between does not make it harmless.
            let error = two[strike % 2].track(&bad().rois(), &mut out).unwrap_err();
            check_error(&error, id, "track", "segmentation fault");
            if strike < 2 {
                check_good(&mut two[0]);
            }
        }
        let error = two[0].track(&good().rois(), &mut out).unwrap_err();
        check_error(&error, id, "track", "switched off after 3 crashes or hangs; the last: its process ended (segm");
        assert_eq!(error.status, STATUS_DISABLED);
        assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.flags == FLAG_PLUGIN_ERROR));
        let component = component(&registry, Kind::Tracker, id);
        let Err(error) = Tracker::create(component, component.params([]).unwrap()) else { panic!("{id} was made") };
        check_error(&error, id, "create", "switched off");
    }
}

#[test]
fn faults_before_the_first_batch_are_told() {
    let registry = super::load(&rust_fixture("misbehaving"), &options(PATIENCE));
    let create = |id: &str| {
        let component = component(&registry, Kind::Tracker, id);
        Tracker::create(component, component.params([]).unwrap())
    };
    let config = Picture::flat(1, 8, 6).config();
    let told = |id: &str, function: &str, cause: &str| {
        let error = match create(id) {
            Err(e) => e,
            Ok(tracker) => match tracker.worker(&config) {
                Err(e) => e,
                Ok(_) => panic!("{id} was made"),
            },
        };
        check_error(&error, id, function, cause);
    };
    told("tracker.fixture.panic-create", "create", "told to panic in create");
    told("tracker.fixture.error-create", "create", "told to fail in create");
    told("tracker.fixture.error-worker", "worker", "told to fail in worker");
    told("tracker.fixture.too-many-bins", "worker", "bins");
    told("tracker.fixture.strange-profile", "worker", "unknown kind 99");
    let mut worker = create("tracker.fixture.panic-explain").unwrap().worker(&config).unwrap();
    let error = worker.explain(&Picture::flat(1, 8, 6).first()).unwrap_err();
    check_error(&error, "tracker.fixture.panic-explain", "explain", "told to panic in explain");
    let mut worker = create("tracker.fixture.good").unwrap().worker(&config).unwrap();
    let arrays = worker.explain(&Picture::flat(1, 8, 6).first()).unwrap().arrays;
    assert_eq!(
        (arrays[0].name.as_str(), arrays[0].shape.as_slice(), arrays[0].values.len()),
        ("nothing", [2].as_slice(), 2)
    );
}
