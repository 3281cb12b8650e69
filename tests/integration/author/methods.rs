//! The templates' tracker, strategy and finder at work on simulated beads, in all languages: the same method gives the
//! same numbers in each, and numbers that are right.

use super::{LANGUAGES, Made, fine, load, made, scratch, tetherscope};
use std::path::Path;
use std::sync::LazyLock;
use tetherscope_files::{Row, read_rows, read_truth};
use tetherscope_loader::abi::{FLAG_SATURATED, PIXEL_MONO8};
use tetherscope_loader::{BeadFinder, Kind, RoiSet};

/// One method in two languages: sums of doubles in the same order may differ by a fused operation or a library's sine.
const ROUNDING_NM: f64 = 1e-6;
/// A clipped centre of mass of a bead near the middle of its ROI, at 100 nm per px: its pixel grid shows.
const XY_NM: f64 = 50.0;
/// A parabola through planes 50 nm apart, over three frames each.
const Z_NM: f64 = 60.0;

/// A sweep and a video of two beads that keep their place, with the truth.
fn rig() -> &'static Path {
    static RIG: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = scratch("author-rig");
        let shared = "simulate --nm-per-px 100 --fixed 2 --tethered 0 --size 256x128";
        let sweep = "--frames 183 --focus-start-nm 1500 --focus-step-nm 50 --frames-per-step 3 --out sweep.tif --truth \
                     sweep-truth.csv --focus sweep.csv";
        let video = "--frames 20 --focus-start-nm 3010 --out video.tif --truth truth.csv --rois rois.csv";
        for part in [sweep, video] {
            let args: Vec<&str> = shared.split(' ').chain(part.split(' ')).collect();
            fine(&tetherscope(folder.path(), &args));
        }
        folder
    });
    RIG.path()
}

fn plugin_dir(made: &Made) -> tempfile::TempDir {
    super::alone([&made.library])
}

/// Rows of the video, tracked with these methods.
fn rows(out: &str, plugins: &[&tempfile::TempDir], methods: &[&str]) -> Vec<Row> {
    let folders: Vec<String> = plugins.iter().map(|p| p.path().display().to_string()).collect();
    let mut args = vec!["track", "video.tif", "--nm-per-px", "100", "--rois", "rois.csv", "--out", out];
    args.extend(methods);
    folders.iter().for_each(|f| args.extend(["--plugin-dir", f]));
    fine(&tetherscope(rig(), &args));
    read_rows(rig().join(out)).unwrap()
}

/// Checks rows against the truth, and against those of another language.
fn check(rows: &[Row], first: Option<&[Row]>, with_z: bool) {
    assert_eq!(rows.len(), 40);
    for (row, truth) in rows.iter().zip(read_truth(rig().join("truth.csv")).unwrap()) {
        // The brightest of the simulated rings may saturate, which is a warning, not a failure.
        assert_eq!((row.frame, row.bead, row.flags & !FLAG_SATURATED), (truth.frame, truth.bead, 0));
        let off = (row.x_nm - truth.x_nm).hypot(row.y_nm - truth.y_nm);
        assert!(off < XY_NM, "frame {}, bead {}: {off} nm off", row.frame, row.bead);
        let z_off = (row.z_nm - truth.z_nm).abs();
        assert!(if with_z { z_off < Z_NM } else { row.z_nm.is_nan() }, "z {} for {}", row.z_nm, truth.z_nm);
    }
    for (a, b) in rows.iter().zip(first.unwrap_or_default()) {
        let same = |a: f64, b: f64| (a.is_nan() && b.is_nan()) || (a - b).abs() < ROUNDING_NM;
        assert!(
            same(a.x_nm, b.x_nm) && same(a.y_nm, b.y_nm) && same(a.z_nm, b.z_nm) && a.flags == b.flags,
            "{a:?}\n{b:?}"
        );
    }
}

#[test]
fn trackers_of_one_method_in_rust_c_and_cpp_agree_within_rounding_on_the_same_video() {
    let mut first: Option<Vec<Row>> = None;
    for made in LANGUAGES.iter().filter_map(|lang| made(Kind::Tracker, lang)) {
        let rows = rows(&format!("{}.csv", made.id), &[&plugin_dir(&made)], &["--tracker", &made.id]);
        check(&rows, first.as_deref(), false);
        first.get_or_insert(rows);
    }
}

#[test]
fn strategies_of_one_method_in_rust_c_and_cpp_build_a_table_and_agree_on_z() {
    let tracker = made(Kind::Tracker, "rust").expect("Rust is here");
    let trackers = plugin_dir(&tracker);
    let mut first: Option<Vec<Row>> = None;
    for made in LANGUAGES.iter().filter_map(|lang| made(Kind::Zlut, lang)) {
        let strategies = plugin_dir(&made);
        let (table, out) = (format!("{}.zlut", made.id), format!("{}.csv", made.id));
        let dirs = [&trackers, &strategies].map(|d| d.path().display().to_string());
        let build = [
            &["zlut", "build", "sweep.tif", "--focus", "sweep.csv", "--tracker", &tracker.id, "--strategy", &made.id][..],
            &["--nm-per-px", "100", "--rois", "rois.csv", "--out", &table],
            &["--plugin-dir", &dirs[0], "--plugin-dir", &dirs[1]],
        ];
        fine(&tetherscope(rig(), &build.concat()));
        let rows = rows(&out, &[&trackers, &strategies], &["--tracker", &tracker.id, "--zlut", &table]);
        check(&rows, first.as_deref(), true);
        first.get_or_insert(rows);
    }
}

/// A frame of 200 × 150 px with beads at these places and noise of a fixed seed.
fn frame(centres: &[(f64, f64)]) -> Vec<u8> {
    let mut state = 1_u32;
    let pixel = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from((state >> 24) % 7) - 3.0;
        let bead = |&(x0, y0): &(f64, f64)| {
            let r = ((i % 200) as f64 - x0).hypot((i / 200) as f64 - y0) / 1.5;
            120.0 * (-r * r / 8.0).exp() * r.cos()
        };
        (60.0 + noise + centres.iter().map(bead).sum::<f64>()).round() as u8
    };
    (0..200 * 150).map(pixel).collect()
}

#[test]
fn finders_of_one_method_in_rust_c_and_cpp_find_the_same_beads_and_nothing_in_an_empty_field() {
    let centres = [(40.0, 30.0), (150.4, 40.2), (60.0, 110.0), (160.0, 120.0)];
    let mut first: Option<Vec<(f64, f64)>> = None;
    for made in LANGUAGES.iter().filter_map(|lang| made(Kind::Finder, lang)) {
        let (_registry, component) = load(&made);
        let finder = BeadFinder::create(&component, &component.params([]).unwrap()).unwrap();
        let mut progress = Vec::new();
        let mut find = |pixels: &[u8]| {
            let image = RoiSet {
                memory: pixels.into(),
                offsets: &[0],
                row_stride_bytes: 200,
                pixel_stride_bytes: 1,
                w_px: 200,
                h_px: 150,
                pixel_format: PIXEL_MONO8,
                bead_ids: &[0],
                frame_indices: &[0],
            };
            finder.find(&image, 8, None, |p| progress.push(p)).unwrap()
        };
        assert!(find(&frame(&[])).is_empty(), "{}", made.id);
        let hits = find(&frame(&centres));
        assert_eq!(hits.len(), centres.len(), "{}: {hits:?}", made.id);
        for (x, y) in centres {
            assert!(hits.iter().any(|h| (h.x_px - x).hypot(h.y_px - y) < 1.5), "{}: none at ({x}, {y})", made.id);
        }
        let places: Vec<(f64, f64)> = hits.iter().map(|h| (h.x_px, h.y_px)).collect();
        for (a, b) in places.iter().zip(first.as_deref().unwrap_or_default()) {
            assert!((a.0 - b.0).hypot(a.1 - b.1) < 1e-9, "{}: {a:?} for {b:?}", made.id);
        }
        first.get_or_insert(places);
        assert!(progress.len() > 2 && progress.is_sorted_by(|a, b| a <= b || *a == 0.8), "{progress:?}");
    }
}
