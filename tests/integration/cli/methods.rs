//! `plugins bench` and `plugins explain`: that they measure and show what they say, for trackers and for strategies.

use super::{rig, tetherscope, zlut};
use crate::harness::scratch;

#[test]
fn a_tracker_and_a_strategy_are_measured_by_size_batch_and_depth() {
    let folder = scratch("bench");
    for method in ["tracker.magtrack", "zlut.correlation"] {
        let report = tetherscope(folder.path(), &["plugins", "bench", method, "--json"]).fine();
        let figures = report["figures"].as_array().unwrap();
        assert_eq!(figures.len(), 4 * 2 * 3, "{report}");
        assert!(figures.iter().all(|f| f["rois_per_s"].as_f64().unwrap() > 0.0), "{report}");
        assert_eq!(report["empty_call_ns"].is_null(), method.starts_with("zlut"));
        assert!(report["refused"].as_array().unwrap().is_empty(), "{report}");
    }
    tetherscope(folder.path(), &["plugins", "bench", "camera.sim", "--json"]).refused(&["camera.sim", "is a camera"]);
}

#[test]
fn a_result_is_explained_by_tables_and_pictures() {
    let (rig, folder) = (rig(), scratch("explain"));
    let rois = std::fs::read_to_string(rig.path("rois.csv")).unwrap();
    let roi = rois.lines().nth(1).unwrap().split_once(',').unwrap().1.to_owned();
    let (video, table) = (rig.path("video.tif"), zlut().display().to_string());
    let explain = |method: &str, out: &str, more: &[&str]| {
        let args = ["plugins", "explain", method, &video, "--roi", &roi, "--out", out, "--json"];
        tetherscope(folder.path(), &[&args[..], more].concat())
    };
    for (method, out, more) in
        [("tracker.magtrack", "tracker", &[][..]), ("zlut.correlation", "strategy", &["--zlut", &table])]
    {
        let report = explain(method, out, more).fine();
        let arrays = report["arrays"].as_array().unwrap();
        assert!(!arrays.is_empty(), "{report}");
        for array in arrays {
            let n: u64 = array["shape"].as_array().unwrap().iter().map(|s| s.as_u64().unwrap()).product();
            let csv = std::fs::read_to_string(folder.path().join(array["files"][0].as_str().unwrap())).unwrap();
            let values = csv.lines().flat_map(|l| l.split(',')).filter(|v| v.parse::<f64>().is_ok()).count();
            assert_eq!(values as u64, n, "{array}");
            let png = std::fs::read(folder.path().join(array["files"][1].as_str().unwrap())).unwrap();
            assert!(png.starts_with(b"\x89PNG"), "{array}");
        }
    }
    explain("zlut.correlation", "none", &[]).refused(&["--zlut"]);
    explain("camera.sim", "none", &[]).refused(&["is a camera"]);
    let outside = ["plugins", "explain", "tracker.magtrack", &video, "--roi", "290,9,64,64", "--out", "none", "--json"];
    tetherscope(folder.path(), &outside).refused(&["300 × 120"]);
}
