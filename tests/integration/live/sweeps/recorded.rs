//! Sweeps out of recordings: what a recorded sweep keeps is enough to build its tables again, to the bit, and others.

use super::*;
use tetherscope_core::loader::{CancelToken, Kind, ParamSet, ZlutStrategy};
use tetherscope_core::{RecordedSweepOptions, TableOptions, build_tables, collect_recorded_sweep, recorded_sweeps};
use tetherscope_files::{StoredZlut, ZlutTable, read_zlut};

/// Tables of the last sweep of a recording, one for each bead.
fn rebuilt(recording: &Path, strategy: &str, options: &RecordedSweepOptions) -> Result<Vec<ZlutTable>, String> {
    let read = collect_recorded_sweep(&PLUGINS, recording, options).map_err(|e| e.to_string())?;
    let component = PLUGINS.resolve(Kind::Zlut, strategy).unwrap();
    let params: ParamSet = component.params([]).unwrap();
    let strategy = ZlutStrategy::create(component, params).unwrap();
    let built = build_tables(&read.sweep, &strategy, &TableOptions::default()).map_err(|e| e.to_string())?;
    Ok(built.into_iter().map(|b| b.parts).collect())
}

/// Records a sweep in a mode; the recording's folder and the tables that the engine built.
fn swept(bench: &Bench, mode: DataMode) -> (PathBuf, Vec<ZlutTable>) {
    bench.ask(TrackingCommand::SetMode { mode });
    let name = format!("{mode:?}");
    let recording = bench.record(bench.folder.path(), &name);
    let keep_rois = mode != DataMode::Track;
    bench.sweep(SweepRequest { keep_rois, ..request(-1800.0, 100.0, -1200.0, 4) });
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Done, "{:?}", view.failure);
    bench.ask(RecordingCommand::Stop);
    let path = bench.folder.path().join(format!("{name}.zlut"));
    bench.ask(SweepCommand::Save { path: path.clone(), which: SweepWhich::PerBead });
    let Ok(StoredZlut::Own(file)) = read_zlut(&path) else { panic!("no table") };
    (recording, file.tables)
}

#[test]
fn tables_built_again_from_recorded_profiles_rois_or_frames_have_the_same_bits() {
    let bench = Bench::ready(&[], &[]);
    for mode in [DataMode::Track, DataMode::TrackAndRoiVideo, DataMode::TrackAndFullVideo] {
        let (recording, tables) = swept(&bench, mode);
        let found = recorded_sweeps(&Recording::open(&recording).unwrap()).unwrap();
        assert_eq!((found.len(), found[0].steps, found[0].planes.len(), found[0].ended), (1, 7, 7, true));
        assert!(tables.len() >= 3);
        for from_profiles in [false, true] {
            let options = RecordedSweepOptions { from_profiles, ..RecordedSweepOptions::default() };
            let again = rebuilt(&recording, "zlut.spline", &options).unwrap();
            for table in &tables {
                let same = again.iter().find(|t| t.bead == table.bead).expect("each bead is there again");
                assert_eq!(
                    same.checksum(),
                    table.checksum(),
                    "{mode:?}, profiles {from_profiles}, bead {:?}",
                    table.bead
                );
            }
        }
    }
}

#[test]
fn another_strategy_and_another_tracker_build_from_what_is_there_and_are_refused_from_what_is_not() {
    let bench = Bench::ready(&[], &[]);
    let (with_rois, _) = swept(&bench, DataMode::TrackAndRoiVideo);
    let usual = RecordedSweepOptions::default();
    let other = RecordedSweepOptions { tracker: Some(choice("tracker.magtrack", &[])), ..usual.clone() };
    assert!(rebuilt(&with_rois, "zlut.correlation", &usual).unwrap().len() >= 3);
    assert!(rebuilt(&with_rois, "zlut.correlation", &other).unwrap().len() >= 3);
    let missing = RecordedSweepOptions { number: Some(2), ..usual.clone() };
    assert!(rebuilt(&with_rois, "zlut.spline", &missing).unwrap_err().contains("no sweep 2"));

    let (without, _) = swept(&bench, DataMode::Track);
    assert!(rebuilt(&without, "zlut.correlation", &usual).unwrap().len() >= 3);
    assert!(rebuilt(&without, "zlut.correlation", &other).unwrap_err().contains("no pixels"));

    bench.ask(TrackingCommand::SetMode { mode: DataMode::Track });
    let none = bench.record(bench.folder.path(), "none");
    bench.wait_for_frames(5);
    bench.ask(RecordingCommand::Stop);
    assert!(rebuilt(&none, "zlut.spline", &usual).unwrap_err().contains("holds no Z-LUT sweep"));
}

#[test]
fn a_strategy_that_needs_pixels_is_refused_for_a_sweep_of_which_only_profiles_were_kept() {
    let bench = Bench::ready(&[], &[]);
    let (recording, _) = swept(&bench, DataMode::Track);
    let mut registry = Registry::default();
    let child = Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into());
    let search = SearchOptions { usual_places: false, child, cache: None, ..SearchOptions::default() };
    for name in ["tracker-quadrant", "zlut-joint"] {
        registry.load_file(&plugin(name), &search).unwrap_or_else(|e| panic!("{e}"));
    }
    let options = RecordedSweepOptions { cancel: CancelToken::new(), ..RecordedSweepOptions::default() };
    let read = collect_recorded_sweep(&registry, &recording, &options).unwrap_or_else(|e| panic!("{e}"));
    let component = registry.resolve(Kind::Zlut, "zlut.joint").unwrap();
    let strategy = ZlutStrategy::create(component, component.params([]).unwrap()).unwrap();
    let refused = build_tables(&read.sweep, &strategy, &TableOptions::default()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("zlut.joint") && refused.contains("only profiles were kept"), "{refused}");
}
