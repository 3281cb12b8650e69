//! `tetherscope zlut sweep`: one command from a rig to a Z-LUT, and what it says when it cannot.

use super::*;

/// Four beads that stand on the surface, found by the program, and the focus stage of the same bench.
const RIG: &str = r#"
version = 1
[camera]
method = "camera.sim"
[camera.parameters]
width_px = 300
height_px = 300
nm_per_px = 100.0
frame_rate_hz = 60.0
n_fixed = 4
n_tethered = 0
margin_px = 45
focus_start_nm = -1500.0
[optics]
nm_per_px = 100.0
[beads]
roi_px = 64
[beads.find]
[tracker]
method = "tracker.quadrant"
[[stages]]
name = "focus"
method = "stage.sim-focus"
[recording]
on = false
"#;

fn sweep(folder: &Path, more: &[&str]) -> Ran {
    let usual =
        ["zlut", "sweep", "--json", "--start-nm", "-300", "--step-nm", "100", "--stop-nm", "300", "--frames", "4"];
    tetherscope(folder, &[&usual[..], &["--out", "beads.zlut"], more].concat())
}

#[test]
fn one_command_makes_beads_a_sweep_and_a_table_that_inspect_judges() {
    let folder = scratch("sweep");
    std::fs::write(folder.path().join("rig.toml"), RIG).unwrap();
    let report = sweep(folder.path(), &["--config", "rig.toml"]).fine();
    assert_eq!((report["steps"].as_u64(), report["frames"].as_u64()), (Some(7), Some(28)));
    assert!(report["tables"].as_array().is_some_and(|t| t.len() >= 3), "{report}");
    let inspected = tetherscope(folder.path(), &["zlut", "inspect", "--json", "beads.zlut", "--png", "beads.png"]);
    assert_eq!(inspected.code, 0, "{}", inspected.stderr);
    assert!(folder.path().join("beads.png").is_file());
    let tables = inspected.json()["tables"].clone();
    assert!(tables.as_array().is_some_and(|t| t.iter().all(|t| t["n_planes"] == 7)), "{tables}");
    sweep(folder.path(), &["--config", "rig.toml"]).refused(&["beads.zlut", "nothing is overwritten"]);
}

#[test]
fn a_rig_without_a_focus_stage_and_a_sweep_beyond_the_limits_are_refused() {
    let folder = scratch("sweep");
    let without = RIG.replace("[[stages]]\nname = \"focus\"\nmethod = \"stage.sim-focus\"\n", "");
    std::fs::write(folder.path().join("without.toml"), without).unwrap();
    sweep(folder.path(), &["--config", "without.toml"]).refused(&["no open stage has a focus axis"]);
    std::fs::write(folder.path().join("rig.toml"), RIG).unwrap();
    let far = ["zlut", "sweep", "--json", "--start-nm", "0", "--step-nm", "5000", "--stop-nm", "15000"];
    let far = tetherscope(folder.path(), &[&far[..], &["--out", "far.zlut", "--config", "rig.toml"]].concat());
    far.refused(&["limits: -10000 … 10000 nm"]);
    assert!(!folder.path().join("far.zlut").exists());
}

#[test]
fn a_recorded_sweep_is_built_again_with_another_strategy_by_one_command() {
    let folder = scratch("rebuild");
    std::fs::write(folder.path().join("rig.toml"), RIG).unwrap();
    let list = ["zlut", "sweep", "--json", "--positions-nm", "-300,-200,-100,0,50,100", "--both-directions"];
    let more = ["--config", "rig.toml", "--frames", "3", "--out", "a.zlut", "--record", "swept", "--keep-rois"];
    let report = tetherscope(folder.path(), &[&list[..], &more].concat()).fine();
    assert_eq!((report["steps"].as_u64(), report["frames"].as_u64()), (Some(12), Some(36)));

    let again = ["zlut", "rebuild", "swept", "--json", "--strategy"];
    let joint = tetherscope(folder.path(), &[&again[..], &["zlut.joint", "--out", "joint.zlut"]].concat()).fine();
    assert_eq!(
        (joint["planes"].as_u64(), joint["built_from"].as_str()),
        (Some(6), Some("pixels")),
        "the way there only"
    );
    let profiles = [&again[..], &["zlut.correlation", "--one-table", "--from-profiles", "--out", "one.zlut"]].concat();
    let profiles = tetherscope(folder.path(), &profiles).fine();
    assert_eq!(
        (profiles["built_from"].as_str(), profiles["tables"].as_array().map(Vec::len)),
        (Some("profiles"), Some(1))
    );
    let refused = |more: &[&str], words: &[&str]| {
        tetherscope(folder.path(), &[&again[..], more].concat()).refused(words);
    };
    refused(&["zlut.spline", "--out", "one.zlut"], &["one.zlut", "nothing is overwritten"]);
    refused(&["zlut.spline", "--out", "new.zlut", "--sweep", "3"], &["no sweep 3", "1 to 1"]);
    refused(&["zlut.joint", "--out", "new.zlut", "--from-profiles"], &["zlut.joint", "needs pixels"]);
}
