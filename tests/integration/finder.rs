//! `finder.ncc` as the host calls it: loaded, given a frame in place, told to stop. What it finds in which fields is
//! checked in its own tests; the way from the command line in `cli/find.rs`.

use crate::harness::{plugin, program};
use std::sync::{Arc, LazyLock};
use tetherscope_kernels::optics::{
    PlacementParameters, RadialTable, RadialTableParameters, Scene, SceneParameters, Sensor, SensorParameters,
    place_beads,
};
use tetherscope_loader::abi::{PIXEL_MONO16, Rect, STATUS_CANCELLED, STATUS_INVALID_ARGUMENT};
use tetherscope_loader::{BeadFinder, CancelToken, Hit, Kind, PluginError, Registry, RoiSet, SearchOptions};

/// A user places ROIs by whole pixels.
const NEAR_PX: f64 = 1.0;
const WIDTH: usize = 640;
const HEIGHT: usize = 400;

static PLUGINS: LazyLock<Registry> = LazyLock::new(|| {
    let options =
        SearchOptions { usual_places: false, child: Some(program()), cache: None, ..SearchOptions::default() };
    let mut registry = Registry::default();
    registry.load_file(&plugin("finder-ncc"), &options).unwrap_or_else(|e| panic!("{e}"));
    registry
});

fn finder(pairs: &[(&str, &str)]) -> Arc<BeadFinder> {
    let component = PLUGINS.resolve(Kind::Finder, "finder.ncc").unwrap();
    BeadFinder::create(component, &component.params(pairs.iter().copied()).unwrap()).unwrap()
}

/// A field of 12 bits with some beads of different heights, and their places.
fn field(n_beads: usize) -> (Vec<u16>, Vec<[f64; 2]>) {
    let optics = RadialTableParameters { nm_per_px: 200.0, ..Default::default() };
    let table = Arc::new(RadialTable::new(optics).unwrap());
    let size = SceneParameters { width_px: WIDTH, height_px: HEIGHT, n_beads, ..Default::default() };
    let mut scene = Scene::new(size, table).unwrap();
    let placement = PlacementParameters { n_beads, width_px: WIDTH, height_px: HEIGHT, ..Default::default() };
    let places = place_beads(&placement, 2).unwrap().positions_px;
    for (i, [x, y]) in places.iter().enumerate() {
        scene.set_bead(i, *x, *y, 400.0 * (i % 6) as f64);
    }
    let mut pixels = vec![0; WIDTH * HEIGHT];
    Sensor::new(SensorParameters { bits: 12, ..Default::default() }).unwrap().expose(&scene, 1, 0, &mut pixels);
    (pixels, places)
}

fn find(pixels: &[u16], seed: Option<Rect>, progress: impl FnMut(f64)) -> Result<Vec<Hit>, PluginError> {
    let whole = RoiSet {
        memory: pixels.into(),
        offsets: &[0],
        row_stride_bytes: 2 * WIDTH as u64,
        pixel_stride_bytes: 2,
        w_px: WIDTH as u32,
        h_px: HEIGHT as u32,
        pixel_format: PIXEL_MONO16,
        bead_ids: &[0],
        frame_indices: &[0],
    };
    finder(&[("roi_px", "50")]).find(&whole, 12, seed, progress)
}

#[test]
fn the_finder_finds_every_simulated_bead_once_and_nothing_else() {
    let (pixels, places) = field(25);
    let mut told = Vec::new();
    let hits = find(&pixels, None, |done| told.push(done)).unwrap();
    assert_eq!(hits.len(), places.len(), "{hits:?}");
    for [x, y] in places {
        assert!(
            hits.iter().any(|h| (h.x_px - x).abs() < NEAR_PX && (h.y_px - y).abs() < NEAR_PX),
            "({x}, {y}) is missed"
        );
    }
    assert!(told.is_sorted() && told.last() == Some(&1.0), "{told:?}");
}

#[test]
fn the_finder_finds_nothing_in_an_empty_field() {
    assert!(find(&field(0).0, None, |_| {}).unwrap().is_empty());
    assert!(find(&vec![700; WIDTH * HEIGHT], None, |_| {}).unwrap().is_empty());
}

#[test]
fn the_finder_refuses_a_seed_without_contrast_or_outside_the_frame() {
    let flat = vec![700; WIDTH * HEIGHT];
    for (x_px, words) in
        [(100, "all its pixels are equal"), (-3, "lies wholly inside the frame"), (600, "640 x 400 px")]
    {
        let error = find(&flat, Some(Rect { x_px, y_px: 100, w_px: 50, h_px: 50 }), |_| {}).unwrap_err();
        assert_eq!(error.status, STATUS_INVALID_ARGUMENT);
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn the_finder_stops_when_the_user_gives_up() {
    let (pixels, places) = field(25);
    let corner = |at: f64| (at - 24.5).round() as i32;
    let seed = Rect { x_px: corner(places[0][0]), y_px: corner(places[0][1]), w_px: 50, h_px: 50 };
    for seed in [None, Some(seed)] {
        let (cancel, mut told) = (CancelToken::new(), Vec::new());
        let give_up = cancel.clone();
        let outcome = cancel.run(|| {
            find(&pixels, seed, |done| {
                told.push(done);
                give_up.cancel();
            })
        });
        assert_eq!(outcome.unwrap_err().status, STATUS_CANCELLED);
        assert_eq!(told, [0.0], "it went on");
    }
}
