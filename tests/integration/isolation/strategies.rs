//! Isolated Z-LUT strategies with a fault.

use super::pictures::Picture;
use super::{Expected, Fails, Flagged, Right, check_error, component, fixtures};
use std::sync::Arc;
use tetherscope_loader::abi::{FLAG_NON_FINITE, FLAG_PLUGIN_ERROR, PROFILE_RADIAL};
use tetherscope_loader::{
    Fix, Kind, LookupBuffers, ParamSet, ProfileLayout, Registry, SavedTable, SweepData, Table, TrackBuffers,
    TrackerStamp, ZlutStrategy, ZlutWorker,
};

const N_BINS: usize = 4;

fn layout() -> ProfileLayout {
    ProfileLayout::new(PROFILE_RADIAL, N_BINS, 0.5, 1.0)
}

fn strategy(registry: &Registry, id: &str, fault: &str) -> Arc<ZlutStrategy> {
    let component = component(registry, Kind::Zlut, id);
    ZlutStrategy::create(component, component.params([("fault", fault)]).unwrap()).unwrap()
}

/// A table whose first plane lies at this z.
fn table(strategy: &Arc<ZlutStrategy>, z_nm: f64) -> Arc<Table> {
    let saved = SavedTable { z_nm: vec![z_nm], profiles: vec![1.0; N_BINS], ..SavedTable::default() };
    strategy.load(&saved, &layout(), &Picture::flat(1, 8, 6).config()).unwrap()
}

fn tracks(n: usize) -> TrackBuffers {
    let fix = Fix { x_px: 1.25, y_px: 2.25, quality: 0.5, ..Fix::EMPTY };
    TrackBuffers {
        fixes: vec![fix; n],
        profiles: vec![1.0; n * N_BINS],
        weights: vec![1.0; n * N_BINS],
        n_bins: N_BINS,
    }
}

/// Looks beads up, each second one in the second table.
fn look_up(
    worker: &mut ZlutWorker,
    two: &[Arc<Table>; 2],
    beads: &[u32],
) -> (Result<(), tetherscope_loader::PluginError>, TrackBuffers) {
    let picture = Picture::flat(beads.len(), 8, 6).with_beads(beads);
    let mut tracks = tracks(beads.len());
    let tables: Vec<&Table> = (0..beads.len()).map(|i| &*two[i % 2]).collect();
    let outcome = worker.lookup(&picture.rois(), &tables, &mut tracks, &mut LookupBuffers::default());
    (outcome, tracks)
}

#[track_caller]
fn check_row(tracks: &TrackBuffers, i: usize, bead: u32) {
    let (fix, z) = (&tracks.fixes[i], [100.0, 2000.0][i % 2] + f64::from(bead));
    assert_eq!((fix.x_px, fix.y_px, fix.z_nm, fix.flags), (1.25, 2.25, z, 0), "row {i}: {fix:?}");
}

#[track_caller]
fn check_good(worker: &mut ZlutWorker, two: &[Arc<Table>; 2]) {
    let (outcome, tracks) = look_up(worker, two, &[1, 2, 3, 4]);
    outcome.unwrap();
    (1..=4).for_each(|bead| check_row(&tracks, bead as usize - 1, bead));
}

#[track_caller]
pub(super) fn survives(fault: &str, expected: Expected) {
    for (registry, id) in fixtures(fault, Kind::Zlut) {
        let strategy = strategy(&registry, id, fault);
        let two = [table(&strategy, 100.0), table(&strategy, 2000.0)];
        let mut worker = strategy.worker(&Picture::flat(1, 8, 6).config(), &layout()).unwrap();
        check_good(&mut worker, &two);
        let (outcome, tracks) = look_up(&mut worker, &two, &[1, 2, 13, 4]);
        match expected {
            Fails(cause) => {
                check_error(&outcome.unwrap_err(), id, "lookup", cause);
                let lost =
                    |f: &Fix| (f.x_px, f.y_px) == (1.25, 2.25) && f.z_nm.is_nan() && f.flags == FLAG_PLUGIN_ERROR;
                assert!(tracks.fixes.iter().all(lost), "{:?}", tracks.fixes);
            }
            Flagged(flags) => {
                outcome.unwrap();
                check_row(&tracks, 0, 1);
                check_row(&tracks, 1, 2);
                assert!(tracks.fixes[2].z_nm.is_nan() && tracks.fixes[2].flags == flags, "{:?}", tracks.fixes[2]);
                if fault == "count" {
                    assert!(tracks.fixes[3].z_nm.is_nan() && tracks.fixes[3].flags == flags);
                } else {
                    check_row(&tracks, 3, 4);
                }
            }
            Right => {
                outcome.unwrap();
                [1, 2, 13, 4].iter().enumerate().for_each(|(i, &bead)| check_row(&tracks, i, bead));
            }
        }
        // The new child has to be given its tables again.
        check_good(&mut worker, &two);
        check_good(&mut worker, &two);
    }
}

#[test]
fn a_strategy_that_panics_loses_its_batch() {
    survives("panic", Fails("the plugin panicked: told to panic"));
}

#[test]
fn a_strategy_that_segfaults_loses_its_batch() {
    survives("segfault", Fails("segmentation fault, signal 11"));
}

#[test]
fn a_strategy_that_aborts_loses_its_batch() {
    survives("abort", Fails("abort, signal 6"));
}

#[test]
fn a_strategy_that_exits_loses_its_batch() {
    survives("exit", Fails("exit code 3"));
}

#[test]
fn a_strategy_that_frees_twice_loses_its_batch() {
    survives("double-free", Fails("its process ended ("));
}

#[test]
fn a_strategy_that_never_comes_back_loses_its_batch() {
    survives("loop", Fails("it did not come back within 5 s"));
}

#[test]
fn a_strategy_that_writes_nan_has_that_row_flagged() {
    survives("nan", Flagged(FLAG_NON_FINITE));
}

#[test]
fn a_strategy_that_writes_too_few_rows_has_the_missing_flagged() {
    survives("count", Flagged(FLAG_NON_FINITE));
}

#[test]
fn a_strategy_that_writes_beyond_its_output_loses_its_batch() {
    survives("beyond", Fails("it wrote beyond its output"));
}

#[test]
fn a_slow_strategy_is_waited_for() {
    survives("slow", Right);
}

#[test]
fn a_strategy_that_floods_its_output_disturbs_nobody() {
    survives("flood", Right);
}

#[test]
fn a_strategy_that_writes_rubbish_into_the_pipe_loses_its_batch() {
    survives("pipe", Fails("makes no sense"));
}

#[test]
fn rubbish_in_the_rows_is_flagged_or_finite() {
    for (registry, id) in fixtures("garbage", Kind::Zlut) {
        let strategy = strategy(&registry, id, "garbage");
        let two = [table(&strategy, 100.0), table(&strategy, 2000.0)];
        let mut worker = strategy.worker(&Picture::flat(1, 8, 6).config(), &layout()).unwrap();
        let (outcome, tracks) = look_up(&mut worker, &two, &[1, 2, 13, 4]);
        outcome.unwrap();
        let fix = &tracks.fixes[2];
        assert_eq!((fix.x_px, fix.y_px), (1.25, 2.25), "it does not refine x and y");
        assert!(fix.z_nm.is_finite() || fix.flags != 0, "{fix:?}");
        [(0, 1), (1, 2), (3, 4)].iter().for_each(|&(i, bead)| check_row(&tracks, i, bead));
    }
}

#[test]
fn tables_that_nobody_has_any_more_do_not_stay_in_the_way() {
    for (registry, id) in fixtures("none", Kind::Zlut) {
        let strategy = strategy(&registry, id, "none");
        let mut worker = strategy.worker(&Picture::flat(1, 8, 6).config(), &layout()).unwrap();
        for _ in 0..100 {
            let two = [table(&strategy, 100.0), table(&strategy, 2000.0)];
            check_good(&mut worker, &two);
        }
    }
}

#[test]
fn building_crashes_or_succeeds_in_a_child_and_the_table_is_kept_here() {
    for (registry, id) in fixtures("segfault", Kind::Zlut) {
        let strategy = strategy(&registry, id, "segfault");
        let build = |beads: &[u32]| {
            let picture = Picture::flat(beads.len(), 8, 6).with_beads(beads);
            let tracks = tracks(beads.len());
            let data = SweepData {
                rois: picture.rois(),
                focus_nm: &[100.0, 2000.0],
                tracks: &tracks,
                layout: layout(),
                config: picture.config(),
                tracker: TrackerStamp { id: "tracker.fixture.crash", version: "1.0.0", params: &ParamSet::default() },
            };
            strategy.build(&data)
        };
        let Err(error) = build(&[1, 13]) else { panic!("{id} built a table") };
        check_error(&error, id, "build", "segmentation fault");
        let built = build(&[1, 2]).unwrap();
        assert_eq!(built.save().unwrap().z_nm[0], 100.0);
        let mut worker = strategy.worker(&Picture::flat(1, 8, 6).config(), &layout()).unwrap();
        check_good(&mut worker, &[built, table(&strategy, 2000.0)]);
    }
}
