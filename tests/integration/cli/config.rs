//! `tetherscope config`: the example runs as it is, every problem of a rig is named with its line and key, and the rigs
//! that we give away are fine.

use super::tetherscope;
use crate::harness::{repository, scratch};
use serde_json::Value;
use std::path::Path;

/// The example with some text replaced.
fn example_with(changes: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(repository().join("examples/rigs/sim.toml")).unwrap();
    changes.iter().fold(text, |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "`{from}` should stand once in the example");
        text.replace(from, to)
    })
}

/// The problems that `config check` finds in a rig.
fn problems(folder: &Path, rig: &str) -> Vec<Value> {
    std::fs::write(folder.join("rig.toml"), rig).unwrap();
    let ran = tetherscope(folder, &["config", "check", "rig.toml", "--json"]);
    let report = ran.json();
    let problems = report["problems"].as_array().unwrap_or_else(|| panic!("{report}")).clone();
    assert_eq!(ran.code, i32::from(!problems.is_empty()), "{report}");
    assert_eq!(report["fine"], problems.is_empty(), "{report}");
    problems
}

/// The one problem of the example with a change is at this line and key, and says these words.
#[track_caller]
fn one_problem(from: &str, to: &str, key: &str, words: &[&str]) {
    let folder = scratch("config");
    let rig = example_with(&[(from, to)]);
    let found = problems(folder.path(), &rig);
    assert_eq!(found.len(), 1, "{found:#?}");
    let line = found[0]["line"].as_u64().unwrap() as usize;
    assert_eq!(found[0]["key"], key, "{found:#?}");
    let last = key.rsplit('.').next().unwrap().trim_end_matches(|c: char| c == ']' || c == '[' || c.is_ascii_digit());
    let there = rig.lines().nth(line - 1).unwrap();
    assert!(there.contains(last), "line {line} is `{there}`, the key is {key}");
    let said = format!("{} {}", found[0]["cause"], found[0]["mend"]);
    for word in words {
        assert!(said.contains(word), "`{word}` is not in {said}");
    }
}

#[test]
fn the_example_is_printed_and_is_fine() {
    let folder = scratch("config");
    let ran = tetherscope(folder.path(), &["config", "example"]);
    assert_eq!((ran.code, &ran.stdout), (0, &example_with(&[])));
    assert_eq!(problems(folder.path(), &ran.stdout), Vec::<Value>::new());
}

#[test]
fn every_example_rig_is_fine() {
    let folder = scratch("config");
    let simulate =
        ["simulate", "--json", "--frames", "3", "--nm-per-px", "100", "--out", "video.tif", "--truth", "t.csv"];
    tetherscope(folder.path(), &[&simulate[..], &["--rois", "rois.csv"]].concat()).fine();
    let mut seen = 0;
    for entry in std::fs::read_dir(repository().join("examples/rigs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let rig = std::fs::read_to_string(&path).unwrap();
            assert_eq!(problems(folder.path(), &rig), Vec::<Value>::new(), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} rigs were seen");
}

#[test]
fn methods_parameters_and_ranges_are_named_with_their_line() {
    one_problem("\"camera.sim\"", "\"camera.nobody\"", "camera.method", &["camera.nobody", "available: camera."]);
    one_problem("\"tracker.quadrant\"", "\"camera.sim\"", "tracker.method", &["is a camera, a tracker is wanted"]);
    one_problem("n_fixed = 5", "n_fixed = -5", "camera.parameters.n_fixed", &["is -5", "allowed is"]);
    one_problem("n_fixed = 5", "n_fixd = 5", "camera.parameters.n_fixd", &["no parameter `n_fixd`", "n_fixed"]);
    one_problem("frame_rate_hz = 100.0", "frame_rate_hz = \"fast\"", "camera.parameters.frame_rate_hz", &["fast"]);
    one_problem("focal_shift_factor = 1.0", "focal_shift_factor = 0", "optics.focal_shift_factor", &["positive"]);
    one_problem("roi_px = 64", "roi_px = 63", "beads.roi_px", &["63", "even"]);
    one_problem("max_ms = 5.0", "max_ms = nan", "tracking.batch.max_ms", &["NaN"]);
    one_problem("{date}_{time}", "{day}", "recording.name", &["{day}", "{date}"]);
}

#[test]
fn grammar_is_told_with_line_and_key() {
    one_problem("roi_px = 64", "roi_pixels = 64", "beads.roi_pixels", &["roi_pixels", "roi_px"]);
    one_problem("mode = \"track\"", "mode = \"sleep\"", "tracking.mode", &["sleep", "roi_video"]);
    one_problem("version = 1", "version = 7", "version", &["7", "newer"]);
    let folder = scratch("config");
    let found = problems(folder.path(), &example_with(&[("[optics]", "[optics")]));
    assert_eq!((found.len(), found[0]["key"].as_str()), (1, Some("")));
}

#[test]
fn two_scales_that_differ_are_refused_since_every_length_would_be_wrong() {
    one_problem("nm_per_px = 100.0\nfocal", "nm_per_px = 110.0\nfocal", "optics.nm_per_px", &["110", "100"]);
}

#[test]
fn files_that_are_missing_or_do_not_fit_are_named() {
    let find = "[beads.find]              # or: file = \"rois.csv\", or: list = [{ bead = 0, x_px = 10, y_px = 20 }]\nmethod = \"finder.ncc\"\n";
    one_problem(find, "file = \"nowhere.csv\"\n", "beads.file", &["nowhere.csv"]);
    one_problem("# [zlut]", "[zlut]\nfile = \"nowhere.zlut\"\n# [zlut]", "zlut.file", &["nowhere.zlut"]);
    let folder = scratch("config");
    std::fs::write(folder.path().join("rois.csv"), "bead,x_px,y_px,w_px,h_px\n0,1,2,32,32\n").unwrap();
    let found = problems(folder.path(), &example_with(&[(find, "file = \"rois.csv\"\n")]));
    assert_eq!((found.len(), found[0]["key"].as_str()), (1, Some("beads.file")), "{found:#?}");
    assert!(found[0]["cause"].as_str().unwrap().contains("32 px wide, beads.roi_px is 64"), "{found:#?}");
    let replay = std::fs::read_to_string(repository().join("examples/rigs/replay.toml")).unwrap();
    let found = problems(folder.path(), &replay);
    assert_eq!((found.len(), found[0]["key"].as_str()), (1, Some("camera.parameters.path")), "{found:#?}");
}

#[test]
fn all_problems_are_told_at_once() {
    let folder = scratch("config");
    let rig =
        example_with(&[("roi_px = 64", "roi_px = 7"), ("max_frames = 16", "max_frames = 0"), ("n_tethered", "n_x")]);
    let found = problems(folder.path(), &rig);
    let keys: Vec<&str> = found.iter().map(|p| p["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["camera.parameters.n_x", "beads.roi_px", "tracking.batch.max_frames"]);
    let text = tetherscope(folder.path(), &["config", "check", "rig.toml"]);
    assert!(text.stdout.contains("rig.toml, line") && text.stdout.ends_with("3 problems\n"), "{}", text.stdout);
}

#[test]
fn a_rig_that_cannot_be_read_is_an_error() {
    let folder = scratch("config");
    tetherscope(folder.path(), &["config", "check", "nowhere.toml", "--json"])
        .refused(&["nowhere.toml", "config example"]);
    std::fs::write(folder.path().join("binary.toml"), [0xff, 0xfe, 0x00]).unwrap();
    tetherscope(folder.path(), &["config", "check", "binary.toml", "--json"]).refused(&["binary.toml", "UTF-8"]);
}

#[test]
fn the_schema_knows_every_key_of_the_example_and_says_what_each_means() {
    let folder = scratch("config");
    let schema = tetherscope(folder.path(), &["config", "schema", "--json"]).fine();
    let part = |value: &Value| -> Value {
        let name = value["$ref"].as_str().or_else(|| value["anyOf"][0]["$ref"].as_str()).unwrap_or_default();
        name.strip_prefix("#/$defs/").map_or_else(|| value.clone(), |n| schema["$defs"][n].clone())
    };
    for (key, value) in schema["properties"].as_object().unwrap() {
        assert!(value["description"].is_string(), "{key} has no description: {value}");
        for (inner, value) in part(value)["properties"].as_object().into_iter().flatten() {
            assert!(value["description"].is_string(), "{key}.{inner} has no description: {value}");
        }
    }
    for key in ["camera", "optics", "beads", "tracker", "zlut", "tracking", "stages", "recording", "ring", "log"] {
        assert!(schema["properties"][key].is_object(), "the schema lacks {key}");
    }
    assert_eq!(part(&schema["properties"]["camera"])["additionalProperties"], false);
}
