//! `tetherscope camera`: what there is, and what one sustains.

use super::tetherscope;
use crate::harness::scratch;

#[test]
fn every_camera_plugin_is_listed_with_its_devices() {
    let folder = scratch("cameras");
    let report = tetherscope(folder.path(), &["camera", "list", "--json"]).fine();
    let cameras = report["cameras"].as_array().unwrap();
    let of = |id: &str| cameras.iter().find(|c| c["method"] == id).unwrap_or_else(|| panic!("{report}"));
    assert_eq!(of("camera.sim")["devices"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(of("camera.replay")["devices"].as_array().map(Vec::len), Some(0), "{report}");
}

#[test]
fn a_test_tells_rate_gaps_clock_and_delays() {
    let folder = scratch("cameras");
    let args = ["camera", "test", "camera.sim", "--param", "frame_rate_hz=50", "--seconds", "4", "--json"];
    let ran = tetherscope(folder.path(), &args);
    // Frames may be missed on a machine that is busy with other tests; then the exit code says so.
    let report = ran.json();
    let lost: u64 = report["dropped"].as_object().unwrap().values().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(ran.code, i32::from(lost > 0), "{report}");
    assert!(report["frames"].as_u64().unwrap() > 0 && report["frame_rate_hz"].as_f64().unwrap() > 0.0, "{report}");
    assert_eq!(report["ledger"]["unexplained"], 0);
    assert_eq!(report["format"]["width_px"], 512);
    assert!(report["latencies"].is_array());
    let rate = report["settings"].as_array().unwrap().iter().find(|s| s["key"] == "frame_rate_hz").unwrap();
    assert_eq!(rate["value"], 50.0);
}

#[test]
fn what_is_odd_about_a_camera_is_told_although_no_frame_is_missing() {
    let folder = scratch("cameras");
    let test = |faults: &str| {
        let faults = format!("faults={faults}");
        let args = ["camera", "test", "camera.sim", "--param", "n_frames=60", "--param", &faults, "--seconds", "600"];
        let text = tetherscope(folder.path(), &args).stdout;
        (tetherscope(folder.path(), &[&args[..], &["--json"]].concat()).json(), text)
    };
    let (report, text) = test("duplicate 20; duplicate 40");
    assert_eq!(report["conduct"]["oddities"], serde_json::json!({"duplicate_id": 2}), "{report}");
    assert!(text.contains("duplicate_id: 2 times"), "{text}");
    let (report, text) = test("lost 20..22");
    assert_eq!(report["conduct"]["oddities"], serde_json::json!({}), "{report}");
    assert!(!text.contains("duplicate"), "{text}");
}

#[test]
fn a_camera_that_ends_by_itself_is_measured_until_then() {
    let folder = scratch("cameras");
    let args = ["camera", "test", "camera.sim", "--param", "n_frames=20", "--seconds", "600", "--json"];
    let report = tetherscope(folder.path(), &args).json();
    assert_eq!(report["ended_by_itself"], true, "{report}");
    let ledger = &report["ledger"]["stages"];
    assert!(ledger.as_array().is_some_and(|s| !s.is_empty()), "{report}");
}

#[test]
fn cameras_and_parameters_that_do_not_exist_are_refused() {
    let folder = scratch("cameras");
    let test = |more: &[&str]| tetherscope(folder.path(), &[&["camera", "test", "--json"], more].concat());
    test(&["camera.nobody"]).refused(&["camera.nobody", "camera.sim"]);
    test(&["tracker.magtrack"]).refused(&["is a tracker, a camera is wanted"]);
    test(&["camera.sim", "--param", "frame_rate=1"]).refused(&["frame_rate", "frame_rate_hz"]);
    test(&["camera.sim", "--seconds=-1"]).refused(&["seconds"]);
    test(&["camera.replay", "--param", "path=nowhere.tif"]).refused(&["nowhere.tif"]);
}
