//! What must never cost a frame or a recording: a screen that answers no more, and a program that is told to end. The real
//! program on a virtual screen that can be stopped, while it records.

use super::screen::{self, Screen};
use crate::harness::scratch;
use crate::live::rows_of;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tetherscope_files::{Condition, Recording};

/// How long a window stalls.
const STALL_S: u32 = 10;
const BEADS: u64 = 3;

/// A rig whose every frame can be counted.
fn rig(folder: &Path) {
    let list: Vec<String> = super::beads(folder)
        .iter()
        .enumerate()
        .map(|(i, b)| format!("{{ bead = {i}, x_px = {}, y_px = {} }}", b.0 as i32 - 24, b.1 as i32 - 24))
        .collect();
    assert_eq!(list.len() as u64, BEADS);
    let text = format!(
        r#"
version = 1
[camera]
method = "camera.sim"
[camera.parameters]
width_px = 240
height_px = 180
nm_per_px = 100.0
frame_rate_hz = 20.0
focus_start_nm = -2000.0
n_fixed = 3
n_tethered = 0
[optics]
nm_per_px = 100.0
[beads]
roi_px = 48
list = [{}]
[tracker]
method = "tracker.quadrant"
[recording]
folder = "recordings"
name = "session"
"#,
        list.join(", ")
    );
    std::fs::write(folder.join("rig.toml"), text).unwrap();
}

/// The window, recording, with rows on the disk.
fn recording_window(folder: &Path) -> Screen {
    rig(folder);
    let mut screen =
        Screen::start(folder, &["gui", "--renderer", "cpu", "--config", "rig.toml", "--write-texts", "seen"]);
    screen.label("Stop camera");
    screen.focus();
    screen.click("Record");
    screen.label("RECORDING");
    screen.wait("rows on the disk", |s| n_rows(&s.text).is_some_and(|n| n > 0));
    screen
}

/// From "1234 rows, 5.6 kB".
fn n_rows(text: &str) -> Option<u64> {
    text.split_once(" rows, ")?.0.parse().ok()
}

/// Bytes of all files of a recording.
fn bytes(recording: &Path) -> u64 {
    let files = std::fs::read_dir(recording).unwrap().flatten().filter_map(|e| e.metadata().ok());
    files.map(|m| m.len()).sum()
}

/// The recording is finished, and has a row of each bead in each of its frames.
#[track_caller]
fn whole(folder: &Path) {
    let made: PathBuf = folder.join("recordings").join("session");
    let recording = Recording::open(&made).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(recording.condition(), Condition::Finished);
    let (gaps, damage) = recording.gaps().unwrap();
    // On a machine that is busy with other tests the simulated camera itself comes late; nobody who waits can bring that about.
    assert!(gaps.iter().all(|g| g.reason == "camera_gap") && damage.is_empty(), "{gaps:?} {damage:?}");
    let frames: Vec<u64> = rows_of(&made, "main").iter().map(|r| r.frame).collect();
    let (first, last) = (*frames.iter().min().unwrap(), *frames.iter().max().unwrap());
    assert_eq!(frames.len() as u64, BEADS * (last - first + 1), "frames {first} to {last}");
}

fn missing() -> bool {
    let tool = screen::missing();
    tool.inspect(|tool| eprintln!("passed over: {tool} is not installed")).is_some()
}

#[test]
fn a_signal_closes_the_window_without_a_question_and_the_recording_is_finished() {
    if missing() {
        return;
    }
    let folder = scratch("window-signal");
    let mut screen = recording_window(folder.path());
    screen.signal("TERM");
    assert_eq!(screen.ended(), 0);
    whole(folder.path());
}

#[test]
fn ctrl_c_ends_a_window_whose_screen_answers_no_more_and_the_recording_is_finished() {
    if missing() {
        return;
    }
    let folder = scratch("window-hangs");
    let mut screen = recording_window(folder.path());
    screen.stall();
    screen.signal("INT");
    assert_eq!(screen.ended(), 0);
    whole(folder.path());
}

#[test]
fn a_window_that_stalls_for_ten_seconds_costs_no_frame_and_goes_on() {
    if missing() {
        return;
    }
    let folder = scratch("window-stalls");
    let mut screen = recording_window(folder.path());
    screen.stall();
    // It draws what it had begun, and stands.
    std::thread::sleep(Duration::from_secs(1));
    let recording = folder.path().join("recordings").join("session");
    let seen = screen.seen();
    for _ in 0..STALL_S / 2 {
        let before = bytes(&recording);
        std::thread::sleep(Duration::from_secs(2));
        assert!(bytes(&recording) > before, "rows come in all the while");
    }
    assert_eq!(screen.seen(), seen, "the window went on although its screen did not");
    screen.go_on();
    let shown = |s: &[screen::Seen]| s.iter().find_map(|s| n_rows(&s.text)).unwrap_or(0);
    let at_stall = shown(&seen);
    screen.wait("newer rows", |s| n_rows(&s.text).is_some_and(|n| n > at_stall));
    screen.click("Stop recording");
    screen.label("not recording");
    screen.key("ctrl+q");
    assert_eq!(screen.ended(), 0);
    whole(folder.path());
}
