//! How far a Z-LUT's z can be trusted: what `zlut build` finds out on held-out frames, keeps in the file and `zlut inspect`
//! shows, the same for every strategy.

use super::{build, rig, tetherscope};
use crate::harness::scratch;
use serde_json::Value;

/// The map of the first table.
fn map(report: &Value) -> &Value {
    &report["bias"]["tables"][0]["map"]
}

/// `zlut build` on the rig's sweep by a method.
fn built(folder: &std::path::Path, tracker: &str, strategy: &str, out: &str, more: &[&str]) -> Value {
    let (sweep, focus, rois) = (rig().path("sweep.tif"), rig().path("sweep.csv"), rig().path("fixed.csv"));
    let args: Vec<&str> = build(&sweep, &focus, &rois, out)
        .into_iter()
        .map(|a| match a {
            "tracker.magtrack" => tracker,
            "zlut.correlation" => strategy,
            other => other,
        })
        .chain(more.iter().copied())
        .collect();
    tetherscope(folder, &args).fine()
}

#[test]
fn every_z_lut_says_how_far_its_z_can_be_trusted() {
    let folder = scratch("bias");
    let noise = ["--gain-e-per-adu", "98", "--offset-adu", "0", "--read-noise-e", "0"];
    let spline = built(folder.path(), "tracker.quadrant", "zlut.spline", "spline.zlut", &noise);
    let correlation = built(folder.path(), "tracker.magtrack", "zlut.correlation", "correlation.zlut", &[]);
    assert_eq!(spline["bias"]["tables"].as_array().unwrap().len(), 2, "one for each bead");
    for report in [&spline, &correlation] {
        let map = map(report);
        assert_eq!((&map["scheme"], &map["between_scheme"]), (&"half_of_frames".into(), &"between_planes".into()));
        assert_eq!((map["planes"].as_array().unwrap().len(), map["plane_step_nm"].as_f64()), (61, Some(50.0)));
        assert_eq!(map["between"].as_array().unwrap().len(), 8);
        // The parabola of the correlation sees no z in three planes at either end.
        assert!(map["n_held_out"].as_u64().unwrap() >= 50 && map["n_without_z"] == 0, "{map}");
        assert!(map["coarse_rms_nm"].as_f64().unwrap() > 0.0, "{map}");
    }
    let rms = |report: &Value| map(report)["error_rms_nm"].as_f64().unwrap();
    let between = |report: &Value| map(report)["worst_between_nm"].as_f64().unwrap().abs();
    // 25,000 electrons leave 0.25 nm to the spline; the parabola's own bias is 7 nm. Four times and twice that.
    assert!(rms(&spline) < 1.0 && rms(&correlation) < 15.0, "{} {}", rms(&spline), rms(&correlation));
    assert!(between(&spline) < 1.0, "{}", map(&spline));
    let sigma = map(&spline)["sigma_nm"].as_f64().unwrap();
    assert!(
        (0.3..3.0).contains(&(rms(&spline) / sigma)),
        "the method's own error explains what is found: {}",
        map(&spline)
    );
    assert!(map(&correlation)["sigma_nm"].is_null(), "the correlation says no error");
}

#[test]
fn the_file_keeps_it_and_inspect_shows_it_as_text_json_and_picture() {
    let folder = scratch("inspect");
    let report = built(folder.path(), "tracker.quadrant", "zlut.spline", "a.zlut", &[]);
    let seen = tetherscope(folder.path(), &["zlut", "inspect", "a.zlut", "--png", "a.png", "--json"]).fine();
    assert_eq!(seen["bias"], report["bias"]);
    assert!(std::fs::read(folder.path().join("a.png")).unwrap().starts_with(b"\x89PNG"));
    let text = tetherscope(folder.path(), &["zlut", "inspect", "a.zlut", "--bead", "1"]);
    let sentence = report["bias"]["tables"][1]["map"]["verdict"]["sentence"].as_str().unwrap();
    assert!(text.code == 0 && text.stdout.contains(sentence), "{sentence}\n{}", text.stdout);
    assert!(text.stdout.contains("bead 1:") && !text.stdout.contains("bead 0:"), "{}", text.stdout);
    tetherscope(folder.path(), &["zlut", "inspect", "a.zlut", "--bead", "7", "--json"])
        .refused(&["bead 7", "bead 0, bead 1"]);
    tetherscope(folder.path(), &["zlut", "inspect", "a.zlut", "--png", "a.png", "--json"]).refused(&["a.png"]);
}

#[test]
fn a_tracker_without_weights_goes_with_a_strategy_that_can_use_them_in_process_and_in_a_child() {
    let folder = scratch("weights");
    let here = built(folder.path(), "tracker.magtrack", "zlut.spline", "a.zlut", &[]);
    let child = built(folder.path(), "tracker.magtrack", "zlut.spline", "b.zlut", &["--isolate", "zlut.spline"]);
    assert_eq!(map(&here), map(&child));
    assert!(map(&here)["n_without_z"] == 0 && map(&here)["error_rms_nm"].as_f64().unwrap() < 10.0, "{}", map(&here));
}

#[test]
fn with_one_frame_a_plane_every_second_plane_is_held_out() {
    let folder = scratch("single");
    let focus = std::fs::read_to_string(rig().path("sweep.csv")).unwrap();
    // As if the three frames of a plane had been 1 nm apart: 183 planes of one frame.
    let rows = focus.lines().skip(1).enumerate().map(|(i, line)| {
        let (head, z) = line.rsplit_once(',').unwrap();
        format!("{head},{}\n", z.parse::<f64>().unwrap() + (i % 3) as f64)
    });
    std::fs::write(folder.path().join("focus.csv"), "frame,time_s,focus_nm\n".to_owned() + &rows.collect::<String>())
        .unwrap();
    let (sweep, rois) = (rig().path("sweep.tif"), rig().path("fixed.csv"));
    let report = tetherscope(folder.path(), &build(&sweep, "focus.csv", &rois, "a.zlut")).fine();
    let map = map(&report);
    assert_eq!((&map["scheme"], &map["between_scheme"]), (&"every_second_plane".into(), &"every_second_plane".into()));
    assert_eq!(map["planes"].as_array().unwrap().len(), 181, "all planes but the first and the last: {map}");
}

#[test]
fn a_bead_that_is_lost_is_left_out_of_an_averaged_table_unless_it_is_wanted() {
    let folder = scratch("outlier");
    let rois = std::fs::read_to_string(rig().path("fixed.csv")).unwrap();
    // Half of this one lies beside its bead, so its centre leaves the ROI on the way through focus, or looks unlike.
    let first = rois.lines().nth(1).unwrap().split(',').collect::<Vec<_>>();
    let x: i32 = first[1].parse().unwrap();
    let away = format!("9,{},{},64,64\n", x + if x > 150 { -29 } else { 29 }, first[2]);
    std::fs::write(folder.path().join("rois.csv"), rois + &away).unwrap();
    let (sweep, focus) = (rig().path("sweep.tif"), rig().path("sweep.csv"));
    let all = build(&sweep, &focus, "rois.csv", "a.zlut");
    let report = tetherscope(folder.path(), &[&all[..], &["--one-table"]].concat()).fine();
    assert_eq!(report["beads"].as_array().unwrap().len(), 3);
    let lost = report["beads"][2]["outlier"].as_str().unwrap_or_else(|| panic!("{}", report["beads"]));
    assert!(report["warnings"].to_string().contains("bead 9 is left out") && lost.contains("frames only"), "{report}");
    let all = build(&sweep, &focus, "rois.csv", "b.zlut");
    let kept = tetherscope(folder.path(), &[&all[..], &["--one-table", "--keep-all-beads"]].concat()).fine();
    assert_ne!(report["tables"][0]["checksum"], kept["tables"][0]["checksum"]);
}
