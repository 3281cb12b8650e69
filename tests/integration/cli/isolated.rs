//! Runs of the program with plugins in processes of their own: the same files, and a crash that costs its rows only.

use super::{build, rig, tetherscope, zlut};
use crate::harness::{alone, rust_fixture, scratch};
use tetherscope_files::read_rows;
use tetherscope_loader::abi::FLAG_PLUGIN_ERROR;

#[test]
fn a_run_with_every_plugin_isolated_gives_the_same_bits() {
    let (rig, folder) = (rig(), scratch("isolated"));
    let (sweep, focus, fixed) = (rig.path("sweep.tif"), rig.path("sweep.csv"), rig.path("fixed.csv"));
    let (video, rois, there) = (rig.path("video.tif"), rig.path("rois.csv"), zlut().display().to_string());
    let isolate = ["tracker.magtrack", "zlut.correlation", "camera.replay"].map(|m| ["--isolate", m]).concat();
    let build = [build(&sweep, &focus, &fixed, "any.zlut"), vec!["--one-table"], isolate.clone()].concat();
    tetherscope(folder.path(), &build).fine();
    let track = |zlut: &str, out: &str, more: &[&str]| {
        let files = ["track", &video, "--rois", &rois, "--zlut", zlut, "--out", out, "--json"];
        let method = ["--tracker", "tracker.magtrack", "--nm-per-px", "100", "--threads", "2"];
        tetherscope(folder.path(), &[&files[..], &method, more].concat()).fine();
        read_rows(folder.path().join(out)).unwrap()
    };
    let direct = track(&there, "direct.csv", &[]);
    let isolated = track("any.zlut", "isolated.csv", &isolate);
    assert_eq!((direct.len(), isolated.len()), (120, 120));
    assert!(direct.iter().any(|r| r.z_nm.is_finite()));
    assert!(direct.iter().zip(&isolated).all(|(a, b)| a.same_bits(b)));
}

#[test]
fn a_run_comes_to_its_end_through_crashes_and_says_so() {
    let (rig, folder) = (rig(), scratch("crashes"));
    let plugin_folder = alone([rust_fixture("crashing")]);
    let plugins = plugin_folder.path().display().to_string();
    let (video, rois) = (rig.path("video.tif"), folder.path().join("rois.csv"));
    let beads: String = (0..40).map(|i| format!("{},{},20,32,32\n", 100 + i, 20 + i)).collect();
    std::fs::write(&rois, format!("bead,x_px,y_px,w_px,h_px\n{beads}")).unwrap();
    let rois = rois.display().to_string();
    let args = ["track", &video, "--rois", &rois, "--out", "rows.csv", "--json", "--plugin-dir", &plugins];
    let method = ["--tracker", "tracker.fixture.crash", "--nm-per-px", "100", "--isolate", "tracker.fixture.crash"];
    let ran = tetherscope(folder.path(), &[&args[..], &method, &["--param", "fault=none"]].concat());
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    let bad: String = beads.replacen("100,20", "13,20", 1);
    std::fs::write(&rois, format!("bead,x_px,y_px,w_px,h_px\n{bad}")).unwrap();
    let args = ["track", &video, "--rois", &rois, "--out", "bad.csv", "--json", "--plugin-dir", &plugins];
    let ran = tetherscope(folder.path(), &[&args[..], &method, &["--param", "fault=segfault"]].concat());
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    let words = ["tracker.fixture.crash", "segmentation fault"];
    assert!(words.iter().all(|w| ran.stdout.contains(w)), "{}", ran.stdout);
    let rows = read_rows(folder.path().join("bad.csv")).unwrap();
    assert_eq!(rows.len(), 40 * 40, "every row is there");
    let lost = rows.iter().filter(|r| r.x_nm.is_nan() && r.flags & FLAG_PLUGIN_ERROR != 0).count();
    assert!(lost > 0 && rows.iter().filter(|r| r.bead == 13).all(|r| r.x_nm.is_nan()), "{lost} rows are lost");
}

#[test]
fn a_method_to_isolate_that_is_not_there_is_refused() {
    let folder = scratch("nothing");
    let ran = tetherscope(folder.path(), &["plugins", "list", "--json", "--isolate", "tracker.no-such"]);
    ran.refused(&["tracker.no-such"]);
}
