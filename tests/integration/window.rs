//! The window from one end to the other: the real program on a virtual screen, with a mouse and a keyboard. What a user
//! sees is read from the screen, what became of it from the files, and the same commands once more, without a window and on
//! the recorded frames, give the same rows.

mod bench;
mod ending;
mod screen;

use crate::harness::{rust_fixture, scratch};
use crate::live::{PATIENCE, assert_same_bits, choice, lossless, registry_with, rows_of, timeless};
use screen::Screen;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tetherscope_core::control::{CameraCommand, CameraState, Command, RecordingCommand, RecordingRequest, ZlutCommand};
use tetherscope_core::{Engine, EngineOptions, LoggedCommand, ReplayLog};
use tetherscope_files::{Recording, Row};
use tetherscope_loader::IsolationOptions;
use tetherscope_loader::abi::FLAG_PLUGIN_ERROR;

/// Frames small enough for a machine that builds and draws at once.
const FRAME: (f64, f64) = (240.0, 180.0);
/// The fixture of a tracker that crashes at bead 13.
const CRASHING: &str = "tracker.fixture.crash";

/// Beads of the simulation, from the truth.
fn beads(folder: &Path) -> Vec<(f64, f64)> {
    let args = "simulate --size 240x180 --nm-per-px 100 --frames 1 --fixed 3 --tethered 0 --roi-px 48 --out v.tif \
                --truth truth.csv --rois rois.csv";
    let ran = std::process::Command::new(crate::harness::program())
        .args(args.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let rois = tetherscope_files::read_rois(folder.join("rois.csv")).unwrap();
    rois.iter().map(|r| (f64::from(r.x_px) + 24.0, f64::from(r.y_px) + 24.0)).collect()
}

/// The rig: one bead is there already, so that the next ones have the numbers 12 and 13.
fn rig(folder: &Path, first: (f64, f64)) {
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
faults = "random 0.01 lost"
[optics]
nm_per_px = 100.0
[beads]
roi_px = 48
list = [{{ bead = 11, x_px = {}, y_px = {} }}]
[tracker]
method = "tracker.quadrant"
[tracking]
mode = "track_and_full_video"
[[stages]]
name = "focus"
method = "stage.sim-focus"
[recording]
folder = "recordings"
name = "session"
"#,
        first.0 as i32 - 24,
        first.1 as i32 - 24
    );
    std::fs::write(folder.join("rig.toml"), text).unwrap();
    std::fs::write(folder.join("window.json"), r#"{"pictures_per_s": 5}"#).unwrap();
}

/// The place on the screen of a point of the frame, while all of the frame is shown.
fn on_screen(video: &screen::Seen, (x_px, y_px): (f64, f64)) -> (f64, f64) {
    let zoom = (video.size.0 / FRAME.0).min(video.size.1 / FRAME.1);
    let (x, y) = video.middle();
    (x + (x_px - (FRAME.0 - 1.0) / 2.0) * zoom, y + (y_px - (FRAME.1 - 1.0) / 2.0) * zoom)
}

fn log_lines(folder: &Path) -> Vec<LoggedCommand> {
    let text = std::fs::read_to_string(folder.join("commands")).unwrap_or_default();
    // The last line may be half written.
    text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
}

#[test]
#[cfg(all(unix, not(target_os = "macos")))]
fn without_a_display_the_program_says_so_and_what_works_without_one() {
    let folder = scratch("window-no-display");
    let mut program = std::process::Command::new(crate::harness::program());
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        program.env_remove(name);
    }
    let ran = program.current_dir(folder.path()).env("HOME", folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("no display") && told.contains("`tetherscope acquire`"), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
}

/// Waits until a command was accepted.
fn wait_for_command(folder: &Path, is_it: impl Fn(&Command) -> bool) {
    let ends = Instant::now() + PATIENCE;
    while !log_lines(folder).iter().any(|l| is_it(&l.command)) {
        assert!(Instant::now() < ends, "{:#?}", log_lines(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Chooses an entry of a list; again, if the list moved under the hand.
fn choose(screen: &mut Screen, folder: &Path, list: &str, entry: usize, is_it: impl Fn(&Command) -> bool) {
    for _ in 0..5 {
        screen.choose(list, entry);
        for _ in 0..100 {
            if log_lines(folder).iter().any(|l| is_it(&l.command)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        screen.key("Escape");
    }
    panic!("entry {entry} of {list} was not chosen: {:#?}", log_lines(folder));
}

#[test]
fn a_session_with_mouse_and_keyboard_is_recorded_survives_its_faults_and_can_be_replayed() {
    if let Some(tool) = screen::missing() {
        eprintln!("passed over: {tool} is not installed");
        return;
    }
    let folder = scratch("window-session");
    let folder = folder.path();
    let plugins = folder.join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let fixture = rust_fixture("crashing");
    std::fs::copy(&fixture, plugins.join(fixture.file_name().unwrap())).unwrap();
    let places = beads(folder);
    rig(folder, places[0]);
    let args = "gui --renderer cpu --config rig.toml --log-commands commands --write-texts seen --plugin-dir plugins \
                --isolate tracker.fixture.crash";
    let args: Vec<&str> = args.split_whitespace().collect();
    let mut screen = Screen::start(folder, &args);

    // Record, and add a bead with the mouse.
    screen.label("Stop camera");
    screen.focus();
    screen.click("Record");
    screen.label("RECORDING");
    let video = screen.place("video");
    screen.click_at(on_screen(&video, places[1]));
    screen.read("2 beads, 1 selected");

    // Another setting of the tracker, while frames come.
    screen.click("Tracking");
    screen.fill("field-clip_sigma", "1.5");
    screen.click("set");
    screen.wait("the new value", |s| s.name == "field-clip_sigma" && s.text == "1.5");

    // A sweep, its file, and z.
    screen.key("ctrl+2");
    screen.click("Arm for 10 min");
    screen.read("armed for");
    for (field, text) in [("sweep-start", "-600"), ("sweep-step", "200"), ("sweep-stop", "600"), ("sweep-frames", "3")]
    {
        screen.fill(field, text);
    }
    screen.click("Start sweep");
    screen.read("tables of 2 beads are ready");
    screen.fill("sweep-name", "made.zlut");
    screen.click("Save");
    screen.wait("the saved file", |s| s.name == "zlut-path" && s.text.ends_with("made.zlut"));
    screen.click("Load");
    wait_for_command(folder, |c| matches!(c, Command::Zlut(ZlutCommand::Load { .. })));

    // The camera loses frames now and then: it is told, and stays until it is read.
    screen.read("dropped in camera: camera gap");
    screen.read("dropped in camera:");

    // A tracker that crashes in its own process.
    let crashed_from = {
        screen.key("ctrl+1");
        screen.click("Tracking");
        choose(&mut screen, folder, "tracker", 0, |c| serde_json::to_string(c).unwrap().contains(CRASHING));
        screen.read("in processes of its own");
        choose(&mut screen, folder, "field-fault", 2, |c| {
            serde_json::to_string(c).unwrap().contains(r#""fault":"segfault""#)
        });
        let video = screen.place("video");
        screen.click_at(on_screen(&video, places[2]));
        screen.read("signal 11");
        screen.key("ctrl+4");
        screen.read("last failure");
        let is_it = |c: &Command| serde_json::to_string(c).unwrap().contains(CRASHING);
        log_lines(folder).iter().find(|l| is_it(&l.command)).and_then(|l| l.frame).unwrap()
    };
    let (width, height, pixels) = screen.picture();
    assert_eq!((width as u32, height as u32), screen::SIZE);
    let colors: std::collections::HashSet<&[u8]> = pixels.chunks_exact(4).map(|p| &p[..3]).collect();
    assert!(colors.len() > 30, "{} colours on the screen", colors.len());

    screen.click("Stop recording");
    screen.label("not recording");
    screen.key("ctrl+q");
    assert_eq!(screen.ended(), 0);
    drop(screen);

    // What became of it.
    let made = folder.join("recordings").join("session");
    let recording = Recording::open(&made).unwrap_or_else(|e| panic!("{e}"));
    let rows = rows_of(&made, "main");
    let (gaps, damage) = recording.gaps().unwrap();
    assert!(damage.is_empty());
    assert!(gaps.iter().any(|g| g.reason == "camera_gap"), "{gaps:?}");
    assert!(rows.iter().all(|r| r.frame >= crashed_from || r.flags & FLAG_PLUGIN_ERROR == 0));
    assert!(rows.iter().any(|r| r.bead == 13 && r.x_nm.is_nan() && r.flags & FLAG_PLUGIN_ERROR != 0));
    assert!(rows.iter().any(|r| r.bead == 12 && r.z_nm.is_finite()), "z from the sweep's table");
    assert!(rows.iter().any(|r| r.bead == 12 && r.z_nm.is_nan() && r.x_nm.is_finite()), "and none before it");

    replay(folder, &made, &rows, crashed_from);
}

/// The session's commands on the recorded frames, without a window: the same rows, up to the crash.
fn replay(folder: &Path, made: &Path, rows: &[Row], until: u64) {
    let first = rows.iter().map(|r| r.frame).min().unwrap();
    let elsewhere = |c: &Command| {
        matches!(
            c,
            Command::Camera(_) | Command::Engine(_) | Command::Recording(_) | Command::Stages(_) | Command::Sweep(_)
        )
    };
    // What was set before the first recorded frame is set before the recording begins, the rest at its frame.
    let (mut set_up, mut lines) = (Vec::new(), Vec::new());
    for mut logged in log_lines(folder).into_iter().filter(|l| !elsewhere(&l.command)) {
        // Frames are counted from the recording's first one now.
        logged.frame = logged.frame.filter(|f| *f > first).map(|f| f - first);
        match logged.frame {
            None => set_up.push(logged.command),
            Some(f) if f + first < until => lines.push(serde_json::to_string(&logged).unwrap()),
            Some(_) => {}
        }
    }
    assert!(set_up.len() >= 4 && lines.len() >= 3, "{set_up:#?} {lines:#?}");
    let isolation = IsolationOptions::default();
    let replay_log = Some(ReplayLog::parse(&lines.join("\n")).unwrap_or_else(|e| panic!("{e}")));
    let optics = tetherscope_core::Optics::new(100.0);
    let options = EngineOptions { replay_log, optics, ..lossless() };
    let engine = Engine::start(registry_with(isolation), options).unwrap();
    let client = engine.client("replay");
    let ask = |command| client.ask(command, PATIENCE).unwrap_or_else(|e| panic!("{e}"));
    let camera = choice("recording", &[("timing", "fast")]);
    ask(Command::Camera(CameraCommand::Open { camera, device: made.to_string_lossy().into_owned() }));
    set_up.into_iter().for_each(|command| drop(ask(command)));
    let request = RecordingRequest { folder: folder.into(), name: "again".into(), ..RecordingRequest::default() };
    ask(Command::Recording(RecordingCommand::Start(request)));
    ask(Command::Camera(CameraCommand::Start));
    let ends = Instant::now() + PATIENCE;
    while client.snapshot().camera.state != CameraState::Open {
        assert!(Instant::now() < ends, "{:#?}", client.snapshot());
        std::thread::sleep(Duration::from_millis(20));
    }
    ask(Command::Recording(RecordingCommand::Stop));
    let again: PathBuf = folder.join("again");
    let before: Vec<Row> =
        timeless(rows).into_iter().filter(|r| r.frame < until).map(|r| Row { frame: r.frame - first, ..r }).collect();
    let after: Vec<Row> = timeless(&rows_of(&again, "main")).into_iter().filter(|r| r.frame + first < until).collect();
    assert!(before.len() > 100, "{} rows", before.len());
    assert_same_bits(&before, &after);
}
