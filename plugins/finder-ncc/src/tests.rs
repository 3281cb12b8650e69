//! The finder through the SDK's trait, on fields of simulated beads whose places are known.

use crate::finder::NccFinder;
use crate::options::{self, schema};
use crate::search::{self, Search};
use ndarray::ArrayView2;
use std::ops::ControlFlow;
use std::sync::Arc;
use tetherscope_kernels::optics::{
    PlacementParameters, RadialTable, RadialTableParameters, Scene, SceneParameters, Sensor, SensorParameters,
    place_beads,
};
use tetherscope_plugin_api::abi::{FLAG_AT_BORDER, FLAG_NEIGHBOUR, Rect, STATUS_CANCELLED, STATUS_INVALID_ARGUMENT};
use tetherscope_plugin_api::{BeadFinder, FindJob, Hit, ParamValues, Result, RoisInImage, Value};

/// What a user needs of a centre: the ROI is placed by whole pixels.
const NEAR_PX: f64 = 1.0;
/// The beads' rings reach 25 px here, as far as a ROI of 50 px.
const ROI: u32 = 50;

struct Field {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    beads: Vec<[f64; 2]>,
}

/// Beads at these places (x, y, defocus) on a noisy background.
fn field(width: usize, height: usize, beads: &[[f64; 3]]) -> Field {
    let parameters = RadialTableParameters { nm_per_px: 200.0, ..Default::default() };
    let table = Arc::new(RadialTable::new(parameters).unwrap());
    let scene = SceneParameters { width_px: width, height_px: height, n_beads: beads.len(), ..Default::default() };
    let mut scene = Scene::new(scene, table).unwrap();
    for (i, [x, y, z]) in beads.iter().enumerate() {
        scene.set_bead(i, *x, *y, *z);
    }
    let mut pixels = vec![0; width * height];
    Sensor::new(SensorParameters::default()).unwrap().expose(&scene, 5, 0, &mut pixels);
    Field { width, height, pixels, beads: beads.iter().map(|b| [b[0], b[1]]).collect() }
}

/// Beads all over the image, their heights spread over 2 µm.
fn many(n_beads: usize) -> Field {
    let (width_px, height_px) = (640, 480);
    let placement = PlacementParameters { n_beads, width_px, height_px, margin_px: 27.0, ..Default::default() };
    let places = place_beads(&placement, 4).unwrap().positions_px;
    let beads: Vec<[f64; 3]> =
        places.iter().enumerate().map(|(i, p)| [p[0], p[1], 500.0 + (i % 5) as f64 * 500.0]).collect();
    field(width_px, height_px, &beads)
}

fn finder(changes: &[(&str, Value)]) -> NccFinder {
    let mut values = ParamValues::defaults(&schema());
    changes.iter().for_each(|(key, value)| values.set(key, value.clone()));
    NccFinder::create(&values).unwrap()
}

fn find(field: &Field, changes: &[(&str, Value)], seed: Option<Rect>) -> Result<Vec<Hit>> {
    let size = (field.width as u32, field.height as u32);
    let image = RoisInImage::u8(&field.pixels, field.width, size, &[(0, 0)]);
    finder(changes).find(&image.batch().roi(0), seed, &FindJob::unwatched())
}

/// The ROI round a place.
fn seed_at(x: f64, y: f64) -> Rect {
    let corner = |at: f64| (at - 24.5).round() as i32;
    Rect { x_px: corner(x), y_px: corner(y), w_px: ROI, h_px: ROI }
}

/// Every bead has one hit and every hit a bead.
fn assert_found(field: &Field, hits: &[Hit]) {
    for [x, y] in &field.beads {
        let n = hits.iter().filter(|h| (h.x_px - x).abs() < NEAR_PX && (h.y_px - y).abs() < NEAR_PX).count();
        assert_eq!(n, 1, "the bead at ({x:.1}, {y:.1}) has {n} hits among {hits:?}");
    }
    assert_eq!(hits.len(), field.beads.len(), "{hits:?}");
}

#[test]
fn without_a_seed_beads_of_different_heights_are_found_in_their_middle() {
    let field = many(30);
    let hits = find(&field, &[], None).unwrap();
    assert_found(&field, &hits);
    assert!(hits.is_sorted_by(|a, b| a.score >= b.score) && hits.iter().all(|h| h.score <= 1.0));
}

#[test]
fn with_a_seed_beads_like_it_are_found_and_it_comes_first() {
    let beads: Vec<[f64; 3]> =
        (0..12).map(|i| [60.3 + 97.7 * (i % 4) as f64, 55.8 + 90.4 * (i / 4) as f64, 1000.0]).collect();
    let field = field(420, 300, &beads);
    let hits = find(&field, &[], Some(seed_at(158.0, 146.2))).unwrap();
    assert_found(&field, &hits);
    assert!(hits[0].score > 0.999 && (hits[0].x_px - 158.0).abs() < NEAR_PX);
}

#[test]
fn a_seed_that_was_clicked_beside_its_bead_finds_middles_all_the_same() {
    let beads: Vec<[f64; 3]> =
        (0..6).map(|i| [60.3 + 97.7 * (i % 3) as f64, 55.8 + 90.4 * (i / 3) as f64, 1000.0]).collect();
    let field = field(320, 220, &beads);
    let seed = seed_at(158.0 + 7.0, 55.8 - 5.0);
    assert_found(&field, &find(&field, &[], Some(seed)).unwrap());
    let as_clicked = find(&field, &[("recentre_seed", Value::Bool(false))], Some(seed)).unwrap();
    assert!((as_clicked[0].x_px - 165.0).abs() < NEAR_PX && (as_clicked[0].y_px - 50.8).abs() < NEAR_PX);
}

#[test]
fn an_empty_field_has_no_bead_and_a_seed_in_it_only_itself() {
    let empty = field(400, 300, &[]);
    assert!(find(&empty, &[], None).unwrap().is_empty());
    let hits = find(&empty, &[], Some(seed_at(100.0, 100.0))).unwrap();
    assert_eq!(hits.len(), 1, "{hits:?}");
}

#[test]
fn a_flat_seed_and_one_outside_the_frame_are_refused_with_a_mend() {
    let mut field = field(200, 150, &[]);
    field.pixels.fill(255);
    let flat = find(&field, &[], Some(seed_at(100.0, 75.0))).unwrap_err();
    assert_eq!(flat.status(), STATUS_INVALID_ARGUMENT);
    assert!(flat.message().contains("all its pixels are equal"), "{flat}");
    for (x, y) in [(10.0, 75.0), (100.0, 140.0), (-500.0, 1e6)] {
        let outside = find(&field, &[], Some(seed_at(x, y))).unwrap_err();
        assert_eq!(outside.status(), STATUS_INVALID_ARGUMENT);
        assert!(outside.message().contains("the frame has 200 x 150 px") && outside.message().lines().count() == 3);
    }
    let small = find(&field, &[("roi_px", Value::Int(160))], None).unwrap_err();
    assert!(small.message().contains("the image has 200 x 150"), "{small}");
    assert!(find(&field, &[], None).unwrap().is_empty(), "a flat frame holds no bead");
}

#[test]
fn touching_beads_are_both_found_and_flagged_unless_overlap_is_forbidden() {
    let field = field(300, 200, &[[80.0, 60.0, 1000.0], [104.0, 60.0, 1000.0], [220.0, 130.0, 1000.0]]);
    let hits = find(&field, &[], None).unwrap();
    assert_found(&field, &hits);
    let alone = |h: &Hit| h.x_px > 200.0;
    assert!(hits.iter().all(|h| (h.flags & FLAG_NEIGHBOUR == 0) == alone(h)), "{hits:?}");
    let apart = find(&field, &[("max_overlap", Value::Float(0.0))], None).unwrap();
    assert!(apart.iter().all(|h| h.flags & FLAG_NEIGHBOUR == 0));
    assert_eq!(apart.iter().filter(|h| !alone(h)).count(), 1, "{apart:?}");
}

#[test]
fn a_bead_cut_by_the_edge_is_flagged_and_a_margin_keeps_away_from_it() {
    let field = field(300, 200, &[[12.0, 100.0, 1000.0], [90.0, 60.0, 1000.0], [220.0, 130.0, 1000.0]]);
    for seed in [None, Some(seed_at(90.0, 60.0))] {
        let hits = find(&field, &[], seed).unwrap();
        assert_eq!(hits.len(), 3, "{hits:?}");
        assert!(hits.iter().all(|h| (h.flags & FLAG_AT_BORDER != 0) == (h.x_px < 30.0)), "{hits:?}");
        let inner = find(&field, &[("margin_px", Value::Int(30))], seed).unwrap();
        assert!(inner.len() == 2 && inner.iter().all(|h| h.flags == 0), "{inner:?}");
        let one = find(&field, &[("margin_px", Value::Int(30)), ("max_beads", Value::Int(1))], seed).unwrap();
        assert_eq!(one.len(), 1);
    }
    assert!(find(&field, &[("margin_px", Value::Int(10_000))], None).unwrap().is_empty());
}

#[test]
fn a_threshold_of_ones_own_is_kept() {
    let field = many(10);
    let at = |t| [("threshold_mode", Value::Choice("value".into())), ("threshold", Value::Float(t))];
    let loose = find(&field, &at(0.1), None).unwrap();
    assert!(loose.len() > 10 && loose.iter().all(|h| h.score >= 0.1));
    assert!(find(&field, &at(1.0), None).unwrap().is_empty());
}

#[test]
fn frames_of_16_bits_with_gaps_between_rows_are_searched_alike() {
    let field = many(10);
    let mut wide = vec![9_u16; (field.width + 12) * field.height];
    for (row, out) in field.pixels.chunks(field.width).zip(wide.chunks_mut(field.width + 12)) {
        row.iter().zip(out).for_each(|(p, o)| *o = u16::from(*p));
    }
    let image = RoisInImage::u16(&wide, field.width + 12, (field.width as u32, field.height as u32), &[(0, 0)]);
    let hits = finder(&[]).find(&image.batch().roi(0), None, &FindJob::unwatched()).unwrap();
    assert_found(&field, &hits);
}

#[test]
fn a_search_that_is_given_up_ends_at_once_and_progress_only_grows() {
    let field = many(10);
    let image = ArrayView2::from_shape((field.height, field.width), &field.pixels).unwrap();
    let options = options::from_values(&ParamValues::defaults(&schema())).unwrap();
    for seed in [None, Some(seed_at(field.beads[0][0], field.beads[0][1]))] {
        let search = Search { options: &options, seed };
        let mut told = Vec::new();
        let mut listen = |done| {
            told.push(done);
            ControlFlow::Continue(())
        };
        search::find(&search, image, &mut listen).unwrap();
        assert!(told.len() >= 3 && told.is_sorted() && *told.last().unwrap() == 1.0, "{told:?}");
        let mut n_asked = 0;
        let mut stop = |_| {
            n_asked += 1;
            if n_asked == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(search::find(&search, image, &mut stop).unwrap_err().status(), STATUS_CANCELLED);
        assert_eq!(n_asked, 2, "it went on");
    }
}

#[test]
fn the_descriptor_names_its_sources() {
    let d = NccFinder::descriptor();
    assert!(d.id == "finder.ncc" && ["Lewis", "MagScope", "Kashkanova"].iter().all(|s| d.source.contains(s)));
}
