//! Bad files and bad arguments: a clear error each, exit code 2, and no half-written file.

use super::{build, rig, tetherscope, zlut};
use crate::harness::scratch;
use std::path::Path;

/// Nothing but what was there before may lie in a folder.
#[track_caller]
fn holds_only(folder: &Path, names: &[&str]) {
    let mut found: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    found.sort();
    let mut names = names.to_vec();
    names.sort_unstable();
    assert_eq!(found, names);
}

/// `track` on the rig's video, with some arguments more.
fn track(folder: &Path, video: &str, more: &[&str]) -> super::Ran {
    let args = [&["track", video, "--nm-per-px", "100", "--out", "rows.csv", "--json"][..], more].concat();
    tetherscope(folder, &args)
}

const MAGTRACK: [&str; 2] = ["--tracker", "tracker.magtrack"];

#[test]
fn methods_and_parameters_that_do_not_exist_are_named() {
    let folder = scratch("methods");
    let video = rig().path("video.tif");
    let with = |more: &[&str]| track(folder.path(), &video, more);
    with(&["--tracker", "tracker.nobody"]).refused(&["tracker.nobody", "tracker.magtrack"]);
    with(&["--tracker", "tracker.magtrack@99"]).refused(&["tracker.magtrack@99", "there as 1."]);
    with(&["--tracker", "tracker.magtrack#00000000"]).refused(&["tracker.magtrack#00000000"]);
    with(&["--tracker", "zlut.correlation"]).refused(&["is a zlut, a tracker is wanted"]);
    let rois = rig().path("rois.csv");
    let param = |p: &str| with(&[&MAGTRACK[..], &["--rois", &rois, "--param", p]].concat());
    param("nonsense=1").refused(&["tracker.magtrack", "`nonsense`", "plugins inspect"]);
    param("n_local=many").refused(&["`n_local` must be int"]);
    param("n_local=-3").refused(&["`n_local` is -3", "allowed is"]);
    param("background=green").refused(&["`background` is `green`", "median"]);
    param("n_local").refused(&["key=value"]);
    with(&[]).refused(&["arguments"]);
    holds_only(folder.path(), &[]);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let folder = scratch("numbers");
    let (video, rois) = (rig().path("video.tif"), rig().path("rois.csv"));
    for (name, value) in [
        ("--focal-shift-factor", "0"),
        ("--focal-shift-factor", "nan"),
        ("--gain-e-per-adu", "-1"),
        ("--read-noise-e", "-2"),
        ("--bits", "33"),
        ("--threads", "0"),
    ] {
        let flag = format!("{name}={value}");
        track(folder.path(), &video, &[&MAGTRACK[..], &["--rois", &rois, &flag]].concat()).refused(&[]);
    }
    let no_scale =
        ["track", &video, "--tracker", "tracker.magtrack", "--nm-per-px", "0", "--out", "rows.csv", "--json"];
    tetherscope(folder.path(), &no_scale).refused(&["nm_per_px = 0"]);
    holds_only(folder.path(), &[]);
}

#[test]
fn rois_that_do_not_fit_are_refused_or_flagged() {
    let folder = scratch("rois");
    let video = rig().path("video.tif");
    let with = |text: &str| {
        std::fs::write(folder.path().join("rois.csv"), text).unwrap();
        track(folder.path(), &video, &[&MAGTRACK[..], &["--rois", "rois.csv"]].concat())
    };
    with("").refused(&["rois.csv"]);
    with("bead,x_px,y_px,w_px\n0,1,2,64\n").refused(&["rois.csv", "h_px"]);
    with("bead,x_px,y_px,w_px,h_px\n0,1,two,64,64\n").refused(&["rois.csv", "two"]);
    with("bead,x_px,y_px,w_px,h_px\n0,1,2,64,64\n0,9,2,64,64\n").refused(&["rois.csv", "bead 0"]);
    with("bead,x_px,y_px,w_px,h_px\n0,1,2,64,64\n1,9,2,32,32\n").refused(&["64", "32"]);
    with("bead,x_px,y_px,w_px,h_px\n5,5000,2,64,64\n").refused(&["bead 5", "300 × 120"]);
    with("bead,x_px,y_px,w_px,h_px\n0,1,2,64,40\n").refused(&["tracker.magtrack", "64", "40"]);
    holds_only(folder.path(), &["rois.csv"]);
    // One that leaves the frame beside one that does not: rows of both, the first flagged.
    let good = std::fs::read_to_string(rig().path("rois.csv")).unwrap();
    let bead_1 = good.lines().find(|l| l.starts_with("1,")).unwrap();
    let report = with(&format!("bead,x_px,y_px,w_px,h_px\n0,280,2,64,64\n{bead_1}\n")).fine();
    assert_eq!(report["flags"]["at_border"].as_u64(), Some(40));
    let rows = tetherscope_files::read_rows(folder.path().join("rows.csv")).unwrap();
    assert!(rows.iter().all(|r| (r.bead == 0) == r.x_nm.is_nan()), "only the bead at the border has no position");
}

#[test]
fn videos_that_cannot_be_read_are_named() {
    let folder = scratch("videos");
    let with = |video: &str| track(folder.path(), video, &MAGTRACK);
    with("nowhere.tif").refused(&["nowhere.tif"]);
    std::fs::write(folder.path().join("letter.tif"), "This is no video.").unwrap();
    with("letter.tif").refused(&["letter.tif"]);
    std::fs::write(folder.path().join("empty.tif"), "").unwrap();
    with("empty.tif").refused(&["empty.tif"]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    with("folder").refused(&["folder"]);
    holds_only(folder.path(), &["letter.tif", "empty.tif", "folder"]);
}

#[test]
fn a_video_that_is_cut_anywhere_gives_an_error_and_no_rows() {
    let folder = scratch("cut");
    let small = [
        "simulate",
        "--out",
        "small.tif",
        "--truth",
        "t.csv",
        "--frames",
        "2",
        "--fixed",
        "1",
        "--tethered",
        "0",
        "--size",
        "100x100",
        "--json",
    ];
    tetherscope(folder.path(), &small).fine();
    let whole = std::fs::read(folder.path().join("small.tif")).unwrap();
    let pixels_end = 4096 + 2 * 100 * 100;
    // Each run starts the program; the plugin's own tests cut at every length.
    let cuts = (0..pixels_end).step_by(1499).chain([1, 4, 8, 4095, 4096, 4097, pixels_end - 1]);
    for cut in cuts {
        std::fs::write(folder.path().join("cut.tif"), &whole[..cut]).unwrap();
        track(folder.path(), "cut.tif", &MAGTRACK).refused(&["cut.tif"]);
        holds_only(folder.path(), &["small.tif", "t.csv", "cut.tif"]);
    }
}

#[test]
fn text_zluts_that_make_no_sense_are_refused_by_line_or_plane() {
    let folder = scratch("text");
    let (video, rois) = (rig().path("video.tif"), rig().path("rois.csv"));
    let with = |text: &str| {
        std::fs::write(folder.path().join("z.txt"), text).unwrap();
        track(folder.path(), &video, &[&MAGTRACK[..], &["--rois", &rois, "--zlut", "z.txt"]].concat())
    };
    with("").refused(&["z.txt"]);
    with("0 100 200\n1 2 3\n4 5\n").refused(&["z.txt", "line 3"]);
    with("0 nan 200\n1 2 3\n4 5 6\n").refused(&["z.txt", "plane 2", "NaN"]);
    with("0\n1\n2\n").refused(&["z.txt", "two planes"]);
    with("0 100 200\n1 2 3\n4 5 6\n").refused(&["n_bins", "2 in the file", "32 in use"]);
    holds_only(folder.path(), &["z.txt"]);
}

#[test]
fn a_zlut_made_with_other_settings_is_refused_with_both_values() {
    // With every strategy: none of them needs to know.
    for strategy in ["zlut.correlation", "zlut.spline", "zlut.joint"] {
        let folder = scratch("settings");
        let (video, rois) = (rig().path("video.tif"), rig().path("rois.csv"));
        let table = if strategy == "zlut.correlation" {
            zlut().display().to_string()
        } else {
            let (sweep, focus, fixed) = (rig().path("sweep.tif"), rig().path("sweep.csv"), rig().path("fixed.csv"));
            let build = ["zlut", "build", &sweep, "--focus", &focus, "--rois", &fixed, "--nm-per-px", "100"];
            let method = ["--tracker", "tracker.magtrack", "--strategy", strategy, "--out", "a.zlut"];
            tetherscope(folder.path(), &[&build[..], &method[..], &["--one-table", "--json"]].concat()).fine();
            folder.path().join("a.zlut").display().to_string()
        };
        let with = |rois: &str, more: &[&str]| {
            let args = ["track", &video, "--rois", rois, "--zlut", &table, "--out", "rows.csv", "--json"];
            tetherscope(folder.path(), &[&args[..], &["--tracker", "tracker.magtrack"], more].concat())
        };
        with(&rois, &["--nm-per-px", "90"]).refused(&["nm_per_px: 100 nm in the file, 90 nm in use"]);
        let scale = ["--nm-per-px", "100"];
        for (more, cause) in [
            (["--focal-shift-factor", "0.9"], "focal_shift_factor: 1 in the file, 0.9 in use"),
            (["--param", "oversample=2"], "tracker.oversample: 1 1/px in the file, 2 1/px in use"),
            (["--param", "profile=fft"], r#"tracker.profile: "radial" in the file, "fft" in use"#),
        ] {
            with(&rois, &[&scale[..], &more[..]].concat()).refused(&[cause]);
        }
        std::fs::write(folder.path().join("other.csv"), "bead,x_px,y_px,w_px,h_px\n0,9,9,48,48\n").unwrap();
        with("other.csv", &scale).refused(&["roi_w_px: 64 px in the file, 48 px in use"]);
        assert!(!folder.path().join("rows.csv").exists(), "{strategy}: nothing is written");
    }
}

#[test]
fn a_focus_list_that_does_not_belong_to_the_sweep_is_refused() {
    let folder = scratch("focus");
    let (sweep, rois) = (rig().path("sweep.tif"), rig().path("fixed.csv"));
    let whole = std::fs::read_to_string(rig().path("sweep.csv")).unwrap();
    let with = |text: &str| {
        std::fs::write(folder.path().join("focus.csv"), text).unwrap();
        tetherscope(folder.path(), &build(&sweep, "focus.csv", &rois, "z.zlut"))
    };
    with("frame,time_s\n0,0\n").refused(&["focus.csv", "focus_nm"]);
    with("frame,time_s,focus_nm\n0,0,nan\n").refused(&["focus.csv"]);
    with(whole.lines().take(10).collect::<Vec<_>>().join("\n").as_str()).refused(&["frame 9", "no focus value"]);
    with(&format!("{}\n900,9,9\n", whole.trim_end())).refused(&["frame 900", "183 frames"]);
    with("frame,time_s,focus_nm\n").refused(&["focus.csv"]);
    let flat: String = (0..183).map(|i| format!("{i},{i},50\n")).collect();
    with(&format!("frame,time_s,focus_nm\n{flat}")).refused(&["zlut.correlation", "plane"]);
    holds_only(folder.path(), &["focus.csv"]);
}

#[test]
fn nothing_is_overwritten_and_unknown_endings_are_refused_at_once() {
    let folder = scratch("names");
    let (video, rois) = (rig().path("video.tif"), rig().path("rois.csv"));
    std::fs::write(folder.path().join("rows.csv"), "precious").unwrap();
    track(folder.path(), &video, &[&MAGTRACK[..], &["--rois", &rois]].concat()).refused(&["rows.csv"]);
    assert_eq!(std::fs::read_to_string(folder.path().join("rows.csv")).unwrap(), "precious");
    let args =
        ["track", &video, "--rois", &rois, "--tracker", "tracker.magtrack", "--nm-per-px", "100", "--json", "--out"];
    tetherscope(folder.path(), &[&args[..], &["rows.xls"]].concat()).refused(&["rows.xls", ".parquet"]);
    let (sweep, focus) = (rig().path("sweep.tif"), rig().path("sweep.csv"));
    tetherscope(folder.path(), &build(&sweep, &focus, &rois, "z.bin")).refused(&["z.bin", ".zlut"]);
    holds_only(folder.path(), &["rows.csv"]);
}

#[test]
fn plugins_are_listed_with_what_was_refused_and_why() {
    let folder = scratch("plugins");
    let listed = tetherscope(folder.path(), &["plugins", "list", "--json"]).fine();
    let ids: Vec<&str> =
        listed["components"].as_array().unwrap().iter().map(|c| c["component"]["id"].as_str().unwrap()).collect();
    for id in ["tracker.magtrack", "zlut.correlation", "camera.replay", "camera.sim", "stage.sim-focus"] {
        assert!(ids.contains(&id), "{id} is not among {ids:?}");
    }
    let bad = folder.path().join("plugins");
    std::fs::create_dir(&bad).unwrap();
    let name = format!("{}bad{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::fs::write(bad.join(&name), "not a library").unwrap();
    let with_bad = tetherscope(folder.path(), &["plugins", "list", "--plugin-dir", "plugins", "--json"]);
    assert_eq!(with_bad.code, 1, "a refused library is not fine");
    let refused = with_bad.json()["refused"][0].clone();
    assert!(refused["thing"].as_str().unwrap().contains(&name) && !refused["mend"].as_str().unwrap().is_empty());
    let shown = tetherscope(folder.path(), &["plugins", "inspect", "tracker.magtrack", "--json"]).fine();
    let parameters = shown["component"]["parameters"].as_array().unwrap();
    assert!(parameters.iter().any(|p| p["key"] == "line_ratio" && p["help"].as_str().unwrap().len() > 10));
    tetherscope(folder.path(), &["plugins", "inspect", "tracker.nobody", "--json"]).refused(&["tracker.nobody"]);
}

#[test]
fn help_completions_and_manual_come_from_one_description() {
    let folder = scratch("help");
    for args in [&["--help"][..], &["track", "--help"], &["--version"], &["completions", "bash"], &["man"]] {
        let ran = tetherscope(folder.path(), args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        assert!(ran.stdout.contains("tetherscope"), "{args:?}: {}", ran.stdout);
    }
    let wrong = tetherscope(folder.path(), &["trak"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("track"), "{}", wrong.stderr);
    tetherscope(folder.path(), &["--json", "trak"]).refused(&["trak"]);
}
