//! `tetherscope info`, `recover` and `rerun`, and what tests of recordings share: a rig of simulated beads whose places are
//! known, recorded by the program itself.

use super::tetherscope;
use crate::harness::{program, scratch};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tetherscope_files::{Condition, Recording, Row};

/// A machine under load needs long to begin; this only bounds a test that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Two ROIs of a simulation, with ROI video; `more` are further tables.
pub(super) fn roi_rig(more: &str) -> String {
    format!(
        "version = 1\n[camera]\nmethod = \"camera.sim\"\n[camera.parameters]\nnm_per_px = 100.0\nframe_rate_hz = 50.0\n\
         focus_start_nm = -3000.0\nn_fixed = 2\nn_tethered = 1\n[optics]\nnm_per_px = 100.0\n\
         [beads]\nlist = [{{ bead = 3, x_px = 100, y_px = 80 }}, {{ bead = 7, x_px = 300, y_px = 120 }}]\n\
         [tracker]\nmethod = \"tracker.quadrant\"\n[tracking]\nmode = \"track_and_roi_video\"\n\
         batch = {{ max_frames = 8, max_ms = 5.0 }}\n[recording]\nfolder = \"recordings\"\n{more}"
    )
}

/// Starts `acquire` on a rig.
pub(super) fn child(folder: &Path, rig: &str, args: &[&str], stdout: Stdio) -> Child {
    std::fs::write(folder.join("rig.toml"), rig).unwrap();
    Command::new(program())
        .args(["acquire", "--config", "rig.toml", "--json"])
        .args(args)
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder.join("state"))
        .env_remove("TETHERSCOPE_PLUGIN_PATH")
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until rows of a recording are on the disk.
#[track_caller]
pub(super) fn wait_for_rows(recording: &Path, child: &mut Child) {
    let begun = Instant::now();
    loop {
        if Recording::open(recording).is_ok_and(|r| r.track_sets().contains(&"main".to_owned()) && !rows(&r).is_empty())
        {
            return;
        }
        assert_eq!(child.try_wait().unwrap(), None, "the program has ended");
        assert!(begun.elapsed() < PATIENCE, "no row came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Records, and gives the recording's folder.
#[track_caller]
pub(super) fn record(folder: &Path, rig: &str, args: &[&str]) -> PathBuf {
    std::fs::write(folder.join("rig.toml"), rig).unwrap();
    let report = tetherscope(folder, &[&["acquire", "--config", "rig.toml", "--json"], args].concat()).fine();
    folder.join(report["recording"]["folder"].as_str().unwrap_or_else(|| panic!("{report}")))
}

/// All rows that the experiment made.
pub(super) fn rows(recording: &Recording) -> Vec<Row> {
    let mut reader = recording.tracks("main").unwrap();
    let mut rows = Vec::new();
    while reader.read_batch(&mut rows).unwrap() > 0 {}
    rows
}

/// Every checksum holds.
#[track_caller]
pub(super) fn spoiled_nothing(recording: &Recording) {
    let damage = recording.check().unwrap();
    assert!(damage.is_empty(), "{damage:?}");
}

#[test]
fn info_tells_what_a_recording_is_and_whether_it_is_whole() {
    let folder = scratch("info");
    let path = record(folder.path(), &roi_rig("operator = \"Ann\"\nnotes = \"first try\"\n"), &["--frames", "30"]);
    let shown = path.display().to_string();
    let info = tetherscope(folder.path(), &["info", &shown, "--check", "--json"]).fine();
    let n = rows(&Recording::open(&path).unwrap()).len();
    assert_eq!((info["condition"].as_str(), info["rows"]["main"].as_u64()), (Some("finished"), Some(n as u64)));
    let sections = &info["metadata"]["sections"];
    assert_eq!((sections["operator"].as_str(), sections["notes"].as_str()), (Some("Ann"), Some("first try")));
    assert_eq!(sections["tracker"]["id"], "tracker.quadrant");
    let text = tetherscope(folder.path(), &["info", &shown]);
    for word in ["finished", "Ann", "first try", "tracker.quadrant", "camera.sim", &format!("main: {n} rows")] {
        assert!(text.stdout.contains(word), "`{word}` is not in\n{}", text.stdout);
    }
    // One bit of a finished file.
    let parquet = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path());
    let parquet = parquet.into_iter().find(|p| p.extension().is_some_and(|e| e == "parquet")).unwrap();
    let mut bytes = std::fs::read(&parquet).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&parquet, bytes).unwrap();
    let spoiled = tetherscope(folder.path(), &["info", &shown, "--check", "--json"]);
    assert!(spoiled.code != 0, "{}", spoiled.stdout);
    tetherscope(folder.path(), &["info", ".", "--json"]).refused(&["recording"]);
}

#[test]
fn a_recording_tracked_again_has_the_same_bits() {
    let folder = scratch("rerun");
    for mode in ["track_and_roi_video", "track_and_full_video"] {
        let rig = roi_rig("").replace("track_and_roi_video", mode);
        let path = record(folder.path(), &rig, &["--frames", "40", "--name", mode]);
        let again = tetherscope(folder.path(), &["rerun", &path.display().to_string(), "--json"]).fine();
        let c = &again["comparison"];
        let n = rows(&Recording::open(&path).unwrap()).len() as u64;
        assert_eq!((c["equal"].as_u64(), c["different"].as_u64()), (Some(n), Some(0)), "{mode}: {again}");
        assert_eq!(Recording::open(&path).unwrap().track_sets(), ["main"], "nothing was asked to be added");
    }
}

#[test]
fn other_methods_add_a_second_set_and_leave_the_first() {
    let folder = scratch("rerun");
    let path = record(folder.path(), &roi_rig(""), &["--frames", "30"]);
    let before = rows(&Recording::open(&path).unwrap());
    let shown = path.display().to_string();
    let args = ["rerun", &shown, "--tracker", "tracker.magtrack", "--json"];
    let report = tetherscope(folder.path(), &args).fine();
    assert_eq!(report["set"], "tracker-magtrack", "{report}");
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.track_sets(), ["main", "tracker-magtrack"]);
    assert_eq!(recording.condition(), Condition::Finished);
    spoiled_nothing(&recording);
    let bits = |r: &Row| (r.frame, r.bead, r.x_nm.to_bits(), r.y_nm.to_bits(), r.flags);
    assert_eq!(rows(&recording).iter().map(bits).collect::<Vec<_>>(), before.iter().map(bits).collect::<Vec<_>>());
    let described = recording.metadata().track_sets.iter().find(|s| s.id == "tracker-magtrack").unwrap();
    assert_eq!(described.description["tracker"]["id"], "tracker.magtrack");
    // A set is never written over.
    tetherscope(folder.path(), &args).refused(&["tracker-magtrack"]);
    let named = ["rerun", &shown, "--tracker", "tracker.magtrack", "--set", "second", "--json"];
    assert_eq!(tetherscope(folder.path(), &named).fine()["set"], "second");
    let bad = ["rerun", &shown, "--param", "nonsense=1", "--json"];
    tetherscope(folder.path(), &bad).refused(&["nonsense"]);
}

#[test]
fn a_recording_without_images_cannot_be_tracked_again() {
    let folder = scratch("rerun");
    let rig = roi_rig("").replace("track_and_roi_video", "track");
    let path = record(folder.path(), &rig, &["--frames", "10"]);
    tetherscope(folder.path(), &["rerun", &path.display().to_string(), "--json"]).refused(&["no frames", "roi_video"]);
}

#[test]
fn recover_mends_whole_folders_and_says_what_it_found() {
    let folder = scratch("recover");
    let mut first = child(folder.path(), &roi_rig(""), &["--name", "torn"], Stdio::null());
    wait_for_rows(&folder.path().join("recordings/torn"), &mut first);
    first.kill().unwrap();
    first.wait().unwrap();
    let whole = record(folder.path(), &roi_rig(""), &["--frames", "10", "--name", "whole"]);
    let before = std::fs::read(whole.join("recording.json")).unwrap();
    let report = tetherscope(folder.path(), &["recover", "recordings", "--json"]).fine();
    let names = |key: &str| -> Vec<String> {
        let list = report[key].as_array().unwrap_or_else(|| panic!("{report}"));
        list.iter().map(|r| r["folder"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert_eq!((names("recovered"), names("whole")), (vec!["torn".to_owned()], vec!["whole".to_owned()]), "{report}");
    assert_eq!(std::fs::read(whole.join("recording.json")).unwrap(), before);
    // Doing it again does nothing.
    let again: Value = tetherscope(folder.path(), &["recover", "recordings", "--json"]).fine();
    assert_eq!(again["recovered"].as_array().map(Vec::len), Some(0), "{again}");
    tetherscope(folder.path(), &["recover", "state", "--json"]).refused(&["state"]);
}
