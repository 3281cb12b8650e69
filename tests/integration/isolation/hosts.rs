//! What is left behind: nothing, whether a plugin starts processes of its own or the host is killed.
#![cfg(target_os = "linux")]

use super::pictures::Picture;
use super::{CHILD, Fails, IMPATIENCE, PATIENCE, cameras, check_error, component, strategies, trackers};
use crate::harness::{c_fixture, rust_fixture};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tetherscope_loader::{BeadFinder, CancelToken, Kind, abi};

/// A running process: its number, its parent's, and its command line.
struct Running {
    id: u32,
    parent: u32,
    command: String,
}

/// All processes that have not ended; those that only wait to be counted have.
fn processes() -> Vec<Running> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        // One that ends meanwhile is none.
        let (Ok(stat), Ok(command)) =
            (std::fs::read_to_string(entry.path().join("stat")), std::fs::read(entry.path().join("cmdline")))
        else {
            continue;
        };
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = after_name.split_whitespace();
        let (state, parent) = (fields.next(), fields.next().and_then(|p| p.parse().ok()));
        if let Some(parent) = parent.filter(|_| !matches!(state, Some("Z" | "X"))) {
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            all.push(Running { id, parent, command });
        }
    }
    all
}

/// Waits until no process is left for which this is true.
#[track_caller]
fn none_left(of: impl Fn(&Running) -> bool) {
    let begun = Instant::now();
    loop {
        let left: Vec<String> =
            processes().into_iter().filter(&of).map(|p| format!("{} {}", p.id, p.command)).collect();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "still there: {left:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A crash of each kind of plugin while processes that it started run on.
fn crash_with(fault: &str) {
    let lost = Fails("abort, signal 6");
    trackers::survives(fault, lost);
    strategies::survives(fault, lost);
    cameras::survives(fault, lost);
}

#[test]
fn processes_that_a_plugin_started_end_with_it() {
    crash_with("children");
    let theirs = format!("sleep {}", 8_640_000 + std::process::id());
    none_left(|p| p.command.trim() == theirs);
}

#[test]
fn a_fork_that_holds_the_pipe_does_not_hide_the_crash_and_ends_too() {
    crash_with("fork");
    let ours = format!("serve {}", std::process::id());
    none_left(|p| p.parent != std::process::id() && p.command.trim().ends_with(&ours));
}

#[test]
fn processes_that_a_checked_plugin_started_end_with_its_check() {
    let registry = super::load(&rust_fixture("crashing"), &super::options(PATIENCE));
    let tracker = component(&registry, Kind::Tracker, "tracker.fixture.crash");
    let check = |fault: &str, limit: Duration| {
        let options = tetherscope_check::Options {
            mode: tetherscope_check::Mode::Child(Some(CHILD.into())),
            limit,
            params: vec![("fault".into(), fault.into())],
            only: vec!["tracker.roi-counts".into()],
        };
        tetherscope_check::check_component(tracker, &options, |_| {}).remove(0).outcome
    };
    let hung = check("children-hang", IMPATIENCE);
    assert!(matches!(hung, tetherscope_check::Outcome::TimedOut(_)), "{hung:?}");
    let well = check("children-stay", PATIENCE);
    assert_eq!(well, tetherscope_check::Outcome::Success);
    for seconds in [18_640_000, 28_640_000] {
        let theirs = format!("sleep {}", seconds + std::process::id());
        none_left(|p| p.command.trim() == theirs);
    }
}

#[test]
fn processes_that_a_library_starts_while_it_is_loaded_end_with_the_attempt() {
    let Some(library) = c_fixture("crashing.c", "hangs-at-load", &["HANGS_AT_LOAD"]) else { return };
    let mut options = super::options(PATIENCE);
    options.probe_limit = Duration::from_secs(1);
    let error = tetherscope_loader::Registry::default().load_file(&library, &options).unwrap_err();
    assert!(error.cause.contains("did not finish loading within 1 s"), "{error}");
    let path = library.canonicalize().unwrap().display().to_string();
    none_left(|p| p.command.contains("--tetherscope-child") && p.command.contains(&path));
}

#[test]
fn children_end_when_their_objects_are_dropped() {
    // A host of its own, so that the children of other tests do not count.
    let mut host = helper("drop");
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    assert_eq!(lines.next().unwrap().unwrap(), "dropped");
    none_left(|p| p.parent == host.id());
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success());
}

/// A program that is a host of isolated plugins: see `child.rs`.
fn helper(mode: &str) -> std::process::Child {
    let mut command = Command::new(CHILD);
    command.args(["host", mode]).arg(rust_fixture("crashing"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn no_child_outlives_a_killed_host_not_even_one_that_loops() {
    let mut host = helper("loop");
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    // One that waits, and one that never comes back from its batch.
    let children: Vec<u32> = processes().iter().filter(|p| p.parent == host.id()).map(|p| p.id).collect();
    assert_eq!(children.len(), 2, "children of {}: {children:?}", host.id());
    host.kill().unwrap();
    host.wait().unwrap();
    none_left(|p| children.contains(&p.id) && p.command.contains("--tetherscope-child"));
}

#[test]
fn a_finder_tells_its_progress_and_can_be_given_up() {
    let registry = super::load(&rust_fixture("crashing"), &super::options(PATIENCE));
    let finder = component(&registry, Kind::Finder, "finder.fixture.crash");
    let make = |fault: &str| BeadFinder::create(finder, &finder.params([("fault", fault)]).unwrap()).unwrap();
    let picture = Picture::flat(1, 8, 6);
    let mut heard = Vec::new();
    let hits = make("none").find(&picture.first(), 8, None, |p| heard.push(p)).unwrap();
    assert_eq!((hits.len(), hits[0].x_px, hits[0].y_px), (1, 3.5, 2.5));
    assert_eq!(heard, [0.5]);
    // Goes on until it is given up.
    let cancel = CancelToken::new();
    let error = cancel.run(|| make("wait").find(&picture.first(), 8, None, |_| cancel.cancel())).unwrap_err();
    assert_eq!(error.status, abi::STATUS_CANCELLED, "{error}");
    let crashing = make("segfault");
    let error = crashing.find(&picture.first(), 8, None, |_| {}).unwrap_err();
    check_error(&error, "finder.fixture.crash", "find", "segmentation fault");
}
