//! A plugin in a child gives the same bits as in this process.

use super::pictures::{Picture, bead};
use super::{PATIENCE, options};
use crate::harness::plugin;
use std::sync::Arc;
use tetherscope_loader::{
    Component, Fix, Kind, LookupBuffers, ParamSet, Registry, SavedTable, SweepData, Table, TrackBuffers, Tracker,
    TrackerStamp, ZlutStrategy,
};

/// Every number as its bits: NaN is equal to itself, 0 is not -0.
fn bits(fixes: &[Fix]) -> Vec<[u64; 8]> {
    let of = |f: &Fix| {
        let narrow = [f.sigma_x_px, f.sigma_y_px, f.sigma_z_nm, f.quality].map(|v| u64::from(v.to_bits()));
        let [a, b, c, d] = narrow;
        [f.x_px.to_bits(), f.y_px.to_bits(), f.z_nm.to_bits(), a, b, c, d, u64::from(f.flags)]
    };
    fixes.iter().map(of).collect()
}

fn words(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Everything that a sweep and a few beads give: tracks of the sweep, the table, tracks and z of the beads.
struct Outcome {
    sweep: TrackBuffers,
    table: SavedTable,
    beads: TrackBuffers,
}

fn run(tracker: &Component, strategy: &Component, params: &[(&str, &str)], bits: u32) -> Outcome {
    let scale = if bits == 8 { 1.0 } else { 16.0 };
    let tracker = Tracker::create(tracker, tracker.params(params.iter().copied()).unwrap()).unwrap();
    let strategy = ZlutStrategy::create(strategy, strategy.params([]).unwrap()).unwrap();
    let sweep = Picture::new(16, 40, 40, 3, bits, &|i, x, y| bead(x, y, (19.7, 20.2), i as f64 / 16.0, scale));
    let focus_nm: Vec<f64> = (0..16).map(|i| 100.0 * f64::from(i)).collect();
    let mut worker = tracker.worker(&sweep.config()).unwrap();
    let mut tracks = TrackBuffers::default();
    worker.track(&sweep.rois(), &mut tracks).unwrap();
    let table: Arc<Table> = strategy
        .build(&SweepData {
            rois: sweep.rois(),
            focus_nm: &focus_nm,
            tracks: &tracks,
            layout: *worker.layout(),
            config: sweep.config(),
            tracker: TrackerStamp { id: "tracker.magtrack", version: "1.0.0", params: &ParamSet::default() },
        })
        .unwrap();
    let beads = Picture::new(7, 40, 40, 5, bits, &|i, x, y| {
        let shift = i as f64 * 0.31;
        bead(x, y, (19.0 + shift, 20.5 - shift), 0.13 * i as f64, scale)
    });
    let mut out = TrackBuffers::default();
    worker.track(&beads.rois(), &mut out).unwrap();
    let mut z = strategy.worker(&beads.config(), worker.layout()).unwrap();
    let tables = vec![&*table; 7];
    z.lookup(&beads.rois(), &tables, &mut out, &mut LookupBuffers::default()).unwrap();
    Outcome { sweep: tracks, table: table.save().unwrap(), beads: out }
}

#[test]
fn the_magtrack_chain_gives_the_same_bits_in_children() {
    let mut options = options(PATIENCE);
    options.isolation.all = false;
    let mut registry = Registry::default();
    registry.load_file(&plugin("tracker-magtrack"), &options).unwrap();
    registry.load_file(&plugin("zlut-correlation"), &options).unwrap();
    let tracker = registry.resolve(Kind::Tracker, "tracker.magtrack").unwrap();
    let strategy = registry.resolve(Kind::Zlut, "zlut.correlation").unwrap();
    for depth in [8, 12] {
        let here = run(tracker, strategy, &[], depth);
        let there = run(&tracker.isolated(), &strategy.isolated(), &[], depth);
        assert!(here.beads.fixes.iter().any(|f| f.z_nm.is_finite()), "nothing to compare: {:?}", here.beads.fixes);
        assert_eq!(bits(&here.sweep.fixes), bits(&there.sweep.fixes));
        assert_eq!(words(&here.sweep.profiles), words(&there.sweep.profiles));
        assert_eq!(words(&here.table.profiles), words(&there.table.profiles));
        assert_eq!(words(&here.table.z_nm), words(&there.table.z_nm));
        assert_eq!(bits(&here.beads.fixes), bits(&there.beads.fixes));
        assert_eq!(words(&here.beads.profiles), words(&there.beads.profiles));
    }
}
