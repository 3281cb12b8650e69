//! Whole ways from video to rows: right numbers, the same bits whatever the threads, and plugins of strangers in the place
//! of ours.

use super::{build, rig, tetherscope, zlut};
use crate::harness::{alone, c_fixture, rust_fixture, scratch};
use std::collections::HashMap;
use tetherscope_files::{Row, read_rows, read_truth};

/// Largest error along x or y of the magtrack chain on clean simulated beads, rms. Its half-pixel sawtooth and the beads'
/// motion give below 3 nm here; three times that would be another method.
const XY_RMSE_NM: f64 = 9.0;
/// The same along z. Its parabola over planes of 50 nm gives below 15 nm here.
const Z_RMSE_NM: f64 = 45.0;

/// Errors rms along x, y and z of rows against the rig's truth.
fn rmse_nm(rows: &[Row], truth: &str) -> [f64; 3] {
    let truth: HashMap<(u64, u32), _> =
        read_truth(truth).unwrap().into_iter().map(|t| ((t.frame, t.bead), t)).collect();
    let mut sums = [0.0; 3];
    for row in rows {
        let t = &truth[&(row.frame, row.bead)];
        // The row's z is the focus of the sweep; the truth's says the same of the bead at the recording's focus.
        for (sum, e) in sums.iter_mut().zip([row.x_nm - t.x_nm, row.y_nm - t.y_nm, row.z_nm - t.z_nm]) {
            *sum += e * e / rows.len() as f64;
        }
    }
    sums.map(f64::sqrt)
}

fn track<'a>(video: &'a str, rois: &'a str, zlut: &'a str, out: &'a str) -> Vec<&'a str> {
    vec![
        "track",
        video,
        "--tracker",
        "tracker.magtrack",
        "--zlut",
        zlut,
        "--nm-per-px",
        "100",
        "--rois",
        rois,
        "--out",
        out,
        "--json",
    ]
}

#[test]
fn simulated_beads_are_tracked_to_where_they_are() {
    let (rig, folder) = (rig(), scratch("chain"));
    let (video, rois, table) = (rig.path("video.tif"), rig.path("rois.csv"), zlut().display().to_string());
    let report = tetherscope(folder.path(), &track(&video, &rois, &table, "rows.csv")).fine();
    assert_eq!((report["frames"].as_u64(), report["rows"].as_u64()), (Some(40), Some(120)));
    let rows = read_rows(folder.path().join("rows.csv")).unwrap();
    assert!(rows.iter().all(|r| r.time_ns.is_none()), "a video file knows no time");
    let [x, y, z] = rmse_nm(&rows, &rig.path("truth.csv"));
    assert!(x < XY_RMSE_NM && y < XY_RMSE_NM, "x {x} nm, y {y} nm");
    assert!(z < Z_RMSE_NM, "z {z} nm");
}

#[test]
fn rows_have_the_same_bits_whatever_the_threads_and_the_format() {
    let (rig, folder) = (rig(), scratch("bits"));
    let (video, rois, table) = (rig.path("video.tif"), rig.path("rois.csv"), zlut().display().to_string());
    let mut all = Vec::new();
    for (threads, out) in [("1", "one.csv"), ("2", "two.csv"), ("3", "three.parquet")] {
        let mut args = track(&video, &rois, &table, out);
        args.extend(["--threads", threads]);
        tetherscope(folder.path(), &args).fine();
        all.push(read_rows(folder.path().join(out)).unwrap());
    }
    for other in &all[1..] {
        assert_eq!(all[0].len(), other.len());
        assert!(all[0].iter().zip(other).all(|(a, b)| a.same_bits(b)));
    }
}

#[test]
fn rows_have_the_same_bits_on_the_baseline_and_the_report_says_which_instructions_were_used() {
    let (rig, folder) = (rig(), scratch("isa"));
    let (video, rois, table) = (rig.path("video.tif"), rig.path("rois.csv"), zlut().display().to_string());
    let mut all = Vec::new();
    for (isa, out) in [("auto", "best.csv"), ("baseline", "baseline.csv")] {
        let mut args = track(&video, &rois, &table, out);
        args.extend(["--isa", isa]);
        let report = tetherscope(folder.path(), &args).fine();
        let said = report["settings"]["isa"].as_str().unwrap().to_owned();
        assert!(said.starts_with(std::env::consts::ARCH), "{said}");
        assert!(isa == "auto" || said.ends_with("-baseline"), "{said}");
        all.push(read_rows(folder.path().join(out)).unwrap());
    }
    assert!(all[0].len() == 120 && all[0].iter().zip(&all[1]).all(|(a, b)| a.same_bits(b)));
}

#[test]
fn each_bead_has_its_own_table_and_the_factor_multiplies_z_once() {
    let (rig, folder) = (rig(), scratch("beads"));
    let (sweep, focus, rois) = (rig.path("sweep.tif"), rig.path("sweep.csv"), rig.path("fixed.csv"));
    let video = rig.path("video.tif");
    let mut args = build(&sweep, &focus, &rois, "beads.zlut");
    args.extend(["--focal-shift-factor", "0.88"]);
    let report = tetherscope(folder.path(), &args).fine();
    assert_eq!(report["tables"].as_array().unwrap().len(), 2);
    let seen = tetherscope(folder.path(), &["zlut", "inspect", "beads.zlut", "--json"]).fine();
    assert_eq!(seen["settings"]["focal_shift_factor"], 0.88);
    let mut args = track(&video, &rois, "beads.zlut", "rows.csv");
    args.extend(["--focal-shift-factor", "0.88"]);
    tetherscope(folder.path(), &args).fine();
    for row in read_rows(folder.path().join("rows.csv")).unwrap() {
        assert!((row.z_nm - 0.88 * 3000.0).abs() < 0.88 * 2.0 * Z_RMSE_NM, "{}", row.z_nm);
    }
    // The third bead has no table.
    let all = rig.path("rois.csv");
    let mut args = track(&video, &all, "beads.zlut", "all.csv");
    args.extend(["--focal-shift-factor", "0.88"]);
    tetherscope(folder.path(), &args).refused(&["no table for bead 2"]);
}

#[test]
fn a_tracker_in_c_and_a_strategy_with_pixels_and_own_bytes_go_the_whole_way() {
    let Some(c_tracker) = c_fixture("com.c", "com", &[]) else {
        println!("no C compiler here: not run");
        return;
    };
    let (rig, folder) = (rig(), scratch("strangers"));
    let plugins = alone([c_tracker, rust_fixture("zlut-pixels")]);
    let plugins = plugins.path().display().to_string();
    let (sweep, focus, rois) = (rig.path("sweep.tif"), rig.path("sweep.csv"), rig.path("fixed.csv"));
    let (video, truth) = (rig.path("video.tif"), rig.path("truth.csv"));
    let methods = ["--plugin-dir", &plugins, "--nm-per-px", "100", "--rois", &rois, "--json"];
    let build = [
        &["zlut", "build", &sweep, "--focus", &focus, "--tracker", "tracker.fixture.c-com", "--strategy"][..],
        &["zlut.fixture.pixels", "--out", "p.zlut"],
        &methods,
    ];
    let report = tetherscope(folder.path(), &build.concat()).fine();
    assert!(report["tables"][0]["own_bytes"].as_u64().unwrap() > 0, "{report}");
    let track = |out: &'static str, zlut: &[&'static str]| {
        let args =
            [&["track", &video, "--tracker", "tracker.fixture.c-com", "--out", out][..], zlut, &methods].concat();
        tetherscope(folder.path(), &args).fine();
        read_rows(folder.path().join(out)).unwrap()
    };
    let with_z = track("z.csv", &["--zlut", "p.zlut"]);
    let without = track("xy.csv", &[]);
    assert!(without.iter().all(|r| r.z_nm.is_nan() && r.x_nm.is_finite()));
    assert!(with_z.iter().all(|r| r.z_nm.is_finite()), "every bead has its own table");
    let refined = with_z.iter().zip(&without).filter(|(a, b)| a.x_nm != b.x_nm).count();
    assert!(refined > with_z.len() / 2, "the strategy refines x and y, but only {refined} rows changed");
    let [x, y, z] = rmse_nm(&with_z, &truth);
    // A centre of mass is pulled towards the middle of its ROI; planes are 50 nm apart.
    assert!(x < 100.0 && y < 100.0 && z < 100.0, "x {x} nm, y {y} nm, z {z} nm");
}

#[test]
fn the_demo_prints_its_error_against_the_truth_and_writes_its_files() {
    let folder = scratch("demo");
    let report = tetherscope(folder.path(), &["demo", "--seconds", "1", "--out", "demo", "--json"]).fine();
    assert_eq!((report["beads"].as_u64(), report["frames"].as_u64()), (Some(8), Some(100)));
    assert_eq!(report["rows"].as_u64(), Some(800));
    assert!(report["rois_per_s"].as_f64().unwrap() > 0.0);
    for (key, most) in [("x_rmse_nm", XY_RMSE_NM), ("y_rmse_nm", XY_RMSE_NM), ("z_rmse_nm", Z_RMSE_NM)] {
        let rmse = report[key].as_f64().unwrap();
        assert!(rmse > 0.0 && rmse < most, "{key} is {rmse}");
    }
    for file in report["files"].as_array().unwrap() {
        let path = folder.path().join(file.as_str().unwrap());
        assert!(path.metadata().unwrap().len() > 0, "{}", path.display());
    }
    let again = tetherscope(folder.path(), &["demo", "--seconds", "1", "--out", "demo", "--json"]);
    again.refused(&["not empty", "nothing is overwritten"]);
}
