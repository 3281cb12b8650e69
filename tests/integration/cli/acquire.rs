//! `tetherscope acquire` end to end: the example, Ctrl-C, two hosts beside each other, commands logged and replayed, and
//! everything that can go wrong with a disk: a clear message each, and nothing recorded is lost.

use super::recordings::{child, record, roi_rig, rows, spoiled_nothing, wait_for_rows};
use super::tetherscope;
use crate::harness::scratch;
use std::path::Path;
use std::process::Stdio;
use tetherscope_files::{Condition, Recording};
use tetherscope_loader::abi;

#[test]
fn the_example_runs_as_it_is_and_every_frame_is_accounted_for() {
    let folder = scratch("acquire");
    let ran = tetherscope(folder.path(), &["acquire", "--frames", "60", "--json"]);
    let report = ran.fine();
    assert_eq!((report["ended"].as_str(), report["fine"].as_bool()), (Some("frames"), Some(true)), "{report}");
    assert_eq!(report["ledger"]["unexplained"], 0);
    let path = folder.path().join(report["recording"]["folder"].as_str().unwrap());
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.condition(), Condition::Finished);
    spoiled_nothing(&recording);
    let rows = rows(&recording);
    let n_beads = report["beads"].as_u64().unwrap();
    assert!(n_beads >= 4, "{report}");
    assert_eq!(rows.len() as u64, report["recording"]["rows"].as_u64().unwrap());
    assert_eq!(rows.len() as u64 % n_beads, 0);
    assert!(report["recording"]["frames"].as_u64().unwrap() >= 60);
    // Simulated beads are found and tracked, not merely counted. On a machine that is busy with other tests a call may
    // take so long that its rows are written off; that they say.
    let tracked: Vec<_> =
        rows.iter().filter(|r| r.flags & (abi::FLAG_PLUGIN_ERROR | abi::FLAG_DEADLINE) == 0).collect();
    assert!(tracked.iter().filter(|r| r.x_nm.is_finite()).count() * 10 >= tracked.len() * 9, "{report}");
    assert!(rows.iter().all(|r| r.x_nm.is_finite() || r.flags != 0), "no number without a reason");
    assert!(rows.iter().all(|r| r.time_ns.is_some()));
}

#[test]
fn without_a_recording_nothing_is_written() {
    let folder = scratch("acquire");
    let report = tetherscope(folder.path(), &["acquire", "--frames", "20", "--no-record", "--json"]).fine();
    assert!(report["recording"].is_null(), "{report}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_wrong_rig_is_refused_with_file_line_and_key_before_anything_is_made() {
    let folder = scratch("acquire");
    let rig = roi_rig("").replace("tracker.quadrant", "tracker.nobody");
    std::fs::write(folder.path().join("rig.toml"), &rig).unwrap();
    let run = |more: &[&str]| {
        tetherscope(folder.path(), &[&["acquire", "--config", "rig.toml", "--frames", "5", "--json"], more].concat())
    };
    let line = 1 + rig.lines().position(|l| l.contains("tracker.nobody")).unwrap();
    run(&[]).refused(&["rig.toml", &format!("line {line}, tracker.method"), "tracker.nobody", "available"]);
    // What only the open camera knows is placed too.
    std::fs::write(folder.path().join("rig.toml"), roi_rig("[camera.settings]\nexposure_ms = 5000.0\n")).unwrap();
    run(&[]).refused(&["rig.toml", "camera.settings", "exposure_ms"]);
    tetherscope(folder.path(), &["acquire", "--config", "nowhere.toml", "--json"]).refused(&["nowhere.toml"]);
    tetherscope(folder.path(), &["acquire", "--seconds", "0", "--json"]).refused(&["arguments"]);
    assert!(!folder.path().join("recordings").exists());
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_recording() {
    let folder = scratch("acquire");
    let mut child = child(folder.path(), &roi_rig(""), &["--name", "run"], Stdio::piped());
    let recording = folder.path().join("recordings/run");
    wait_for_rows(&recording, &mut child);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), report["ended"].as_str()), (Some(0), Some("asked")), "{report}");
    let recording = Recording::open(&recording).unwrap();
    assert_eq!(recording.condition(), Condition::Finished);
    spoiled_nothing(&recording);
    assert_eq!(rows(&recording).len() as u64, report["recording"]["rows"].as_u64().unwrap());
}

#[test]
fn a_name_that_is_taken_is_refused_and_numbers_find_a_free_one() {
    let folder = scratch("acquire");
    let first = record(folder.path(), &roi_rig(""), &["--frames", "10", "--name", "run"]);
    let before = std::fs::read(first.join("recording.json")).unwrap();
    let again = ["acquire", "--config", "rig.toml", "--frames", "10", "--name", "run", "--json"];
    tetherscope(folder.path(), &again).refused(&["recordings/run", "nothing is overwritten"]);
    assert_eq!(std::fs::read(first.join("recording.json")).unwrap(), before);
    for n in 1..=2 {
        let numbered = record(folder.path(), &roi_rig(""), &["--frames", "10", "--name", "run {n}"]);
        assert!(numbered.ends_with(format!("run {n}")), "{}", numbered.display());
    }
}

#[test]
fn two_hosts_record_beside_each_other_and_never_into_one_folder() {
    let folder = scratch("acquire");
    let mut one = child(folder.path(), &roi_rig(""), &["--name", "one"], Stdio::null());
    wait_for_rows(&folder.path().join("recordings/one"), &mut one);
    let two = record(folder.path(), &roi_rig(""), &["--frames", "20", "--name", "two"]);
    spoiled_nothing(&Recording::open(&two).unwrap());
    // The first still records: its folder belongs to it.
    let into_one = ["acquire", "--config", "rig.toml", "--frames", "10", "--name", "one", "--json"];
    tetherscope(folder.path(), &into_one).refused(&["one"]);
    tetherscope(folder.path(), &["rerun", "recordings/one", "--json"]).refused(&["is being written"]);
    tetherscope(folder.path(), &["recover", "recordings/one", "--json"]).refused(&["one"]);
    let live = tetherscope(folder.path(), &["info", "recordings/one", "--json"]).fine();
    assert_eq!(live["condition"], "live");
    one.kill().unwrap();
    one.wait().unwrap();
    let torn = tetherscope(folder.path(), &["info", "recordings/one", "--json"]);
    assert_eq!((torn.code, torn.json()["condition"].as_str()), (1, Some("torn")));
    let mended = tetherscope(folder.path(), &["recover", "recordings/one", "--json"]).fine();
    assert!(mended["recovered"].as_array().is_some_and(|r| r.len() == 1), "{mended}");
    let recording = Recording::open(folder.path().join("recordings/one")).unwrap();
    assert_eq!(recording.condition(), Condition::Recovered);
    spoiled_nothing(&recording);
    assert!(!rows(&recording).is_empty());
}

#[test]
fn commands_that_were_logged_give_the_same_rows_on_the_same_frames() {
    let folder = scratch("acquire");
    let simulate = ["simulate", "--json", "--frames", "60", "--nm-per-px", "100", "--focus-start-nm", "-3000"];
    tetherscope(folder.path(), &[&simulate[..], &["--out", "video.tif", "--truth", "t.csv"]].concat()).fine();
    let rig = "version = 1\n[camera]\nmethod = \"camera.replay\"\nlossless = true\n[camera.parameters]\npath = \"video.tif\"\n\
               [optics]\nnm_per_px = 100.0\n[beads]\nroi_px = 64\n[beads.find]\nmethod = \"finder.ncc\"\n\
               [tracker]\nmethod = \"tracker.quadrant\"\n[recording]\nfolder = \"recordings\"\n";
    let first = record(folder.path(), rig, &["--name", "first", "--log-commands", "commands.jsonl"]);
    let again = record(folder.path(), rig, &["--name", "again", "--replay-commands", "commands.jsonl"]);
    let (first, again) = (rows(&Recording::open(first).unwrap()), rows(&Recording::open(again).unwrap()));
    assert!(!first.is_empty());
    let key = |r: &tetherscope_files::Row| (r.frame, r.bead);
    for row in &first {
        let twin = again.iter().find(|a| key(a) == key(row)).unwrap_or_else(|| panic!("{:?} is missing", key(row)));
        let bits = |r: &tetherscope_files::Row| {
            (r.x_nm.to_bits(), r.y_nm.to_bits(), r.sigma_x_nm.to_bits(), r.quality.to_bits(), r.flags, r.roi_x_px)
        };
        assert_eq!(bits(twin), bits(row));
    }
    // A log is never written over.
    let again = ["acquire", "--config", "rig.toml", "--log-commands", "commands.jsonl", "--json"];
    tetherscope(folder.path(), &again).refused(&["commands.jsonl"]);
    std::fs::write(folder.path().join("bad.jsonl"), "no command\n").unwrap();
    let bad = ["acquire", "--config", "rig.toml", "--replay-commands", "bad.jsonl", "--json"];
    tetherscope(folder.path(), &bad).refused(&["line 1"]);
}

#[test]
fn problems_stand_in_the_log_and_frames_do_not() {
    let folder = scratch("acquire");
    let log = format!("[log]\nfolder = \"log\"\nlevel = \"info\"\n{}", roi_rig(""));
    // Tables may come in any order.
    let rig = format!("version = 1\n{}", log.replace("version = 1\n", ""));
    record(folder.path(), &rig, &["--frames", "50"]);
    let files: Vec<_> = std::fs::read_dir(folder.path().join("log")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("recording into") && text.contains("the camera stands"), "{text}");
    assert!(text.lines().count() < 40, "a line for each frame?\n{text}");
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = scratch("acquire");
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(closed.join("probe"), "").is_ok() {
        // Root may write everywhere; a file in the way stands for the folder that cannot be made.
        std::fs::write(folder.path().join("file"), "").unwrap();
        let into_file = ["acquire", "--frames", "5", "--out", "file/below", "--json"];
        tetherscope(folder.path(), &into_file).refused(&["file/below"]);
        return;
    }
    tetherscope(folder.path(), &["acquire", "--frames", "5", "--out", "closed", "--json"])
        .refused(&["closed", "ermission"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_removed_while_it_is_recorded_into_is_told() {
    let folder = scratch("acquire");
    let mut child = child(folder.path(), &roi_rig(""), &["--seconds", "60", "--name", "gone"], Stdio::piped());
    let recording = folder.path().join("recordings/gone");
    wait_for_rows(&recording, &mut child);
    // The recorder may put a file into it meanwhile.
    while recording.exists() {
        let _ = std::fs::remove_dir_all(&recording);
    }
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), report["ended"].as_str()), (Some(1), Some("recording")), "{report}");
    let failure = report["failure"].to_string();
    assert!(failure.contains("gone"), "{failure}");
}

/// A small disk of its own, where the tests may make one.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(mib: u32) -> Option<Self> {
        let folder = scratch("small-disk");
        let size = format!("size={mib}m");
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|s| s.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_ends_the_recording_loudly_and_keeps_what_is_on_it() {
    let Some(disk) = SmallDisk::mount(600) else {
        eprintln!("passed over: no small disk can be mounted here");
        return;
    };
    let folder = scratch("acquire");
    let out = disk.path().display().to_string();
    let mut child =
        child(folder.path(), &roi_rig(""), &["--seconds", "120", "--out", &out, "--name", "full"], Stdio::piped());
    let recording = disk.path().join("full");
    wait_for_rows(&recording, &mut child);
    let before = rows(&Recording::open(&recording).unwrap()).len() as u64;
    // Somebody else fills it.
    let filler = std::fs::File::create(disk.path().join("filler")).unwrap();
    let mut filler = std::io::BufWriter::with_capacity(1 << 20, filler);
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), report["ended"].as_str()), (Some(1), Some("recording")), "{report}");
    let failure = report["failure"].to_string().to_lowercase();
    assert!(failure.contains("space") || failure.contains("full"), "{failure}");
    drop(filler);
    std::fs::remove_file(disk.path().join("filler")).unwrap();
    if Recording::open(&recording).unwrap().condition() == Condition::Torn {
        tetherscope(folder.path(), &["recover", &recording.display().to_string(), "--json"]).fine();
    }
    let recording = Recording::open(&recording).unwrap();
    let (kept, told) = (rows(&recording).len() as u64, report["recording"]["rows"].as_u64().unwrap());
    // What was on the disk before it was full is still there, and nothing is told to be there that is not.
    assert!(before > 0 && kept >= before, "{kept} rows are there: {report}");
    assert_eq!(kept, told, "{report}");
    let stages = report["ledger"]["stages"].as_array().unwrap();
    let of = |name: &str| {
        let stage = stages.iter().find(|s| s["stage"] == format!("{name}.1")).unwrap_or_else(|| panic!("{report}"));
        let lost = stage["dropped"].as_array().unwrap().iter().filter(|d| d["reason"] == "disk_error");
        (
            stage["delivered"].as_u64().unwrap(),
            lost.map(|d| d["count"].as_u64().unwrap()).sum::<u64>(),
            stage["in_flight"].clone(),
        )
    };
    let frames_of = |rows: &[tetherscope_files::Row]| rows.chunk_by(|a, b| a.frame == b.frame).count() as u64;
    let (tracked, lost_rows, in_flight) = of("tracks");
    assert_eq!((tracked, &in_flight), (frames_of(&rows(&recording)), &0.into()), "frames with rows: {report}");
    let (in_video, lost_video, in_flight) = of("video");
    assert_eq!(
        (in_video, &in_flight),
        (recording.rois().unwrap().n_frames(), &0.into()),
        "frames of the video: {report}"
    );
    // Rows that still fit are written: which of the two loses is a matter of chance.
    assert!(lost_rows + lost_video > 0, "{report}");
    let gaps = recording.gaps().unwrap().0;
    for (name, lost) in [("tracks", lost_rows), ("video", lost_video)] {
        let in_file = gaps.iter().filter(|g| g.stage == name && g.reason == "disk_error").map(|g| g.count).sum::<u64>();
        assert_eq!(in_file, lost, "the gap table has all that {name} lost: {gaps:?}");
    }
    let damage = recording.check().unwrap();
    assert!(damage.iter().all(|d| d.file.starts_with("rois")), "{damage:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_would_soon_be_full_is_refused_before_the_start() {
    let Some(disk) = SmallDisk::mount(8) else {
        eprintln!("passed over: no small disk can be mounted here");
        return;
    };
    let folder = scratch("acquire");
    std::fs::write(folder.path().join("rig.toml"), roi_rig("")).unwrap();
    let out = disk.path().display().to_string();
    let ran =
        tetherscope(folder.path(), &["acquire", "--config", "rig.toml", "--frames", "5", "--out", &out, "--json"]);
    ran.refused(&["free"]);
}
