//! Rows: the same bits as offline, in order, for the beads of their frame.

use super::*;
use std::collections::BTreeMap;
use tetherscope_core::{FrameSource, Plan, PlanOptions, Roi, RowMaker, RunOptions, run};
use tetherscope_loader::{Camera, Kind, Tracker};

const SETTINGS: [(&str, &str); 5] =
    [("height_px", "150"), ("n_fixed", "2"), ("n_tethered", "1"), ("margin_px", "30"), ("n_frames", "60")];
const PLACES: [(i32, i32); 3] = [(10, 10), (80, 40), (145, 95)];

fn settings(width: &'static str) -> Vec<(&'static str, &'static str)> {
    SETTINGS.into_iter().chain([("width_px", width)]).collect()
}

/// Rows of the offline run over the same camera.
fn offline(width: &'static str) -> Vec<Row> {
    let component = PLUGINS.resolve(Kind::Camera, "camera.sim").unwrap();
    let params = component.params(settings(width)).unwrap();
    let camera = Arc::new(Camera::open(component, "", &params).unwrap());
    let format = camera.format().unwrap();
    let tracker = PLUGINS.resolve(Kind::Tracker, "tracker.quadrant").unwrap();
    let rois = (0..).zip(PLACES).map(|(bead, (x_px, y_px))| Roi { bead, x_px, y_px, w_px: 50, h_px: 50 }).collect();
    let plan = Plan::new(
        PlanOptions {
            tracker: Tracker::create(tracker, tracker.params([]).unwrap()).unwrap(),
            zlut: None,
            rois: Some(rois),
            optics: optics(),
        },
        &format,
    )
    .unwrap();
    let options = RunOptions { threads: 1, ..RunOptions::default() };
    let maker = RowMaker::new(&optics(), &format, None);
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    let source = FrameSource::start_for(camera, PLACES.len(), &options).unwrap();
    run(source, &plan, &options, |batch| {
        maker.rows(batch, &mut rows);
        all.extend_from_slice(&rows);
        Ok(())
    })
    .unwrap();
    all
}

fn live(width: &'static str, options: EngineOptions) -> Vec<Row> {
    let folder = crate::harness::scratch("live-rows");
    let rig = Rig::new(options);
    rig.open(&settings(width));
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&PLACES);
    let made = rig.record(folder.path(), "run");
    let ended = rig.run_out();
    assert_eq!(ended.ledger.unexplained, 0);
    rig.ask(RecordingCommand::Stop);
    rows_of(&made, "main")
}

#[test]
fn live_rows_are_those_of_an_offline_run_bit_for_bit() {
    // A width that is no multiple of four is nothing special.
    for width in ["200", "203"] {
        let (live, offline) = (live(width, lossless()), offline(width));
        assert_eq!(offline.len(), 60 * PLACES.len());
        assert!(live.iter().all(|r| r.time_ns.is_some()), "a running camera has a clock");
        assert_same_bits(&timeless(&live), &timeless(&offline));
    }
}

#[test]
fn rows_come_in_order_with_the_same_bits_however_many_threads_track() {
    let with = |threads: usize| timeless(&live("200", EngineOptions { threads, ..lossless() }));
    let (one, four) = (with(1), with(4));
    let key = |r: &Row| (r.frame, r.bead);
    assert!(one.is_sorted_by_key(key) && one.len() == 60 * PLACES.len());
    assert_same_bits(&one, &four);
}

#[test]
fn a_ring_of_the_fewest_slots_loses_no_frame() {
    let smallest = EngineOptions { ring_bytes: 1, past_bytes: 0, min_ring_slots: 1, ..lossless() };
    assert_eq!(live("200", smallest).len(), 60 * PLACES.len());
}

#[test]
fn a_ring_beyond_the_memory_budget_is_refused_with_the_sum() {
    let rig = Rig::new(EngineOptions { memory_budget_bytes: Some(100_000), ..lossless() });
    rig.open(&[]);
    let refusal = rig.try_ask(CameraCommand::Start).unwrap_err();
    assert!(refusal.cause.contains("the budget is 0.10 MB"), "{refusal}");
    assert_eq!(rig.client.snapshot().camera.state, CameraState::Open);
}

#[test]
fn beads_are_added_moved_and_removed_at_the_frames_that_are_named() {
    let folder = crate::harness::scratch("live-beads");
    let rig = Rig::lossless();
    rig.open(&[]);
    rig.track_with("tracker.quadrant", &[]);
    let first = rig.add(&[(10, 10)])[0];
    let made = rig.record(folder.path(), "run");
    rig.ask(CameraCommand::Start);
    rig.wait_for_frames(20);
    let second = rig.add(&[(80, 40)])[0];
    rig.wait_for_frames(20);
    let moved = rig.frame_of(BeadsCommand::Move { moves: vec![(second, NewRoi { x_px: 82, y_px: 39 })] });
    rig.wait_for_frames(20);
    let removed = rig.frame_of(BeadsCommand::Remove { beads: vec![second] });
    rig.wait_for_frames(20);
    rig.ask(CameraCommand::Stop);
    rig.ask(RecordingCommand::Stop);
    let rows = rows_of(&made, "main");
    let of = |bead: u32| rows.iter().filter(|r| r.bead == bead).collect::<Vec<_>>();
    let (a, b) = (of(first), of(second));
    assert!(a.iter().enumerate().all(|(i, r)| r.frame == i as u64), "the bead that stayed has every frame");
    let added = b[0].frame;
    assert!(b.iter().enumerate().all(|(i, r)| r.frame == added + i as u64));
    assert_eq!(b.last().unwrap().frame + 1, removed);
    for r in &b {
        let place = if r.frame < moved { (80, 40) } else { (82, 39) };
        assert_eq!((r.roi_x_px, r.roi_y_px), place, "frame {}", r.frame);
    }
    // The recording tells the same story.
    let events = Recording::open(&made).unwrap().events().unwrap().0;
    let changed: BTreeMap<Option<u64>, usize> =
        events.iter().filter(|e| e.kind == "changed").fold(BTreeMap::new(), |mut all, e| {
            *all.entry(e.frame).or_default() += 1;
            all
        });
    for frame in [added, moved, removed] {
        assert!(changed.contains_key(&Some(frame)), "no event at frame {frame}: {changed:?}");
    }
}

#[test]
fn one_constant_roi_loses_nothing_of_the_other_beads() {
    let folder = crate::harness::scratch("live-constant");
    let rig = Rig::lossless();
    rig.open(&[("noise", "false"), ("n_fixed", "0"), ("n_tethered", "1"), ("n_frames", "30"), ("margin_px", "70")]);
    rig.track_with("tracker.quadrant", &[]);
    // The bead keeps 70 px from every border, so the corner is empty.
    let beads = rig.add(&[(75, 50), (0, 0)]);
    let made = rig.record(folder.path(), "run");
    rig.run_out();
    rig.ask(RecordingCommand::Stop);
    let rows = rows_of(&made, "main");
    let of = |bead: u32| rows.iter().filter(move |r| r.bead == bead);
    assert_eq!((of(beads[0]).count(), of(beads[1]).count()), (30, 30));
    assert!(of(beads[0]).all(|r| r.x_nm.is_finite() && r.y_nm.is_finite()), "the bead is tracked");
    assert!(of(beads[1]).all(|r| r.x_nm.is_nan() && r.flags != 0), "nothing is no position");
}
