//! Plugins in child processes: whatever one of them does, this process lives, the batch's rows say so, the next batches are
//! right, and the message names the plugin, the cause and what can be done.
//!
//! The fixtures `crashing` (Rust) and `c/crashing.c` do what their parameter says, at bead 13 or at the third frame.
//!
//! | | tracker | strategy | camera |
//! |---|---|---|---|
//! | panic (Rust), segfault, abort, exit, double free, endless loop, NaN, wrong count, write beyond the output, slow, flood | `trackers` | `strategies` | `cameras` |
//! | fork (C), processes that it started (Rust) | `hosts` | `hosts` | `hosts` |
//! | rubbish in the rows, in the memory, in the pipe | `trackers`, `memory` | `strategies`, `memory` | `cameras` (its memory is pixels alone) |

mod cameras;
mod crashed_hosts;
mod hosts;
mod memory;
mod same;
mod serving;
mod strategies;
mod trackers;

use super::harness::{c_fixture, plugin, rust_fixture};
use super::loader::pictures;
use std::path::Path;
use std::time::Duration;
use tetherscope_loader::{Component, IsolationOptions, Kind, PluginError, Registry, SearchOptions};

/// Begins as the program begins: see `child.rs`.
const CHILD: &str = env!("CARGO_BIN_EXE_tetherscope-test-child");
/// Long enough for any call on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a call that never comes back is waited for: long for a call of some microseconds.
const IMPATIENCE: Duration = Duration::from_secs(5);

/// What is expected of the batch with the fault.
#[derive(Clone, Copy)]
enum Expected {
    /// The call fails, with these words in its cause.
    Fails(&'static str),
    /// The row of bead 13 has these flags and no result, those after it too if it is the last; the others are right.
    Flagged(u32),
    /// All is right.
    Right,
}
use Expected::{Fails, Flagged, Right};

/// Nothing remembered, everything isolated.
fn options(call_limit: Duration) -> SearchOptions {
    SearchOptions {
        usual_places: false,
        cache: None,
        child: Some(CHILD.into()),
        probe_limit: PATIENCE,
        isolation: IsolationOptions { all: true, call_limit, job_limit: PATIENCE, ..IsolationOptions::default() },
        ..SearchOptions::default()
    }
}

fn load(library: &Path, options: &SearchOptions) -> Registry {
    let mut registry = Registry::default();
    registry.load_file(library, options).unwrap();
    registry
}

/// The fixtures that have a fault, isolated: the Rust one, and the C one if there is a compiler.
fn fixtures(fault: &str, kind: Kind) -> Vec<(Registry, &'static str)> {
    let options = options(if fault == "loop" { IMPATIENCE } else { PATIENCE });
    let ids = match kind {
        Kind::Tracker => ["tracker.fixture.crash", "tracker.fixture.c-crash"],
        Kind::Zlut => ["zlut.fixture.crash", "zlut.fixture.c-crash"],
        _ => ["camera.fixture.crash", "camera.fixture.c-crash"],
    };
    let mut all = Vec::new();
    if !fault.starts_with("fork") {
        all.push((load(&rust_fixture("crashing"), &options), ids[0]));
    }
    // C does not panic, and what concerns the host alone one language is enough for.
    if !["panic", "children", "pipe", "garbage", "last-words", "word", "answer"].contains(&fault)
        && let Some(library) = c_fixture("crashing.c", "crashing", &[])
    {
        all.push((load(&library, &options), ids[1]));
    }
    all
}

/// The fault's component, and its parameters.
fn component<'r>(registry: &'r Registry, kind: Kind, id: &str) -> &'r Component {
    let found = registry.resolve(kind, id).unwrap();
    assert!(found.is_isolated(), "{id} is not isolated");
    found
}

/// Checks an error: three lines that name the plugin, the cause, and something to do.
#[track_caller]
fn check_error(error: &PluginError, id: &str, function: &str, cause: &str) {
    assert_eq!(error.function, function, "{error}");
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "three lines were expected:\n{text}");
    assert!(lines[0].contains(id), "{id} was expected in the first line of\n{text}");
    assert!(lines[1].contains(cause), "`{cause}` was expected in the second line of\n{text}");
    assert!(lines[2].len() > 20, "nothing to do:\n{text}");
}

#[test]
fn an_isolated_library_is_never_opened_in_this_process() {
    for isolate in [false, true] {
        // A copy has a path of its own, which no other test opens.
        let folder = super::harness::alone([rust_fixture("crashing")]);
        let mut options = options(PATIENCE);
        options.isolation.all = false;
        if isolate {
            options.isolation.methods = vec!["tracker.fixture.crash@1".into()];
        }
        options.plugin_dirs = vec![folder.path().to_owned()];
        let registry = Registry::scan(&options);
        let tracker = registry.resolve(Kind::Tracker, "tracker.fixture.crash").unwrap();
        let camera = registry.resolve(Kind::Camera, "camera.fixture.crash").unwrap();
        assert_eq!(
            (tracker.is_isolated(), camera.is_isolated()),
            (isolate, isolate),
            "a library is isolated as a whole"
        );
        assert!(tracker.layout_check().contains("agree"), "{}", tracker.layout_check());
        let params = tracker.params([]).unwrap();
        tetherscope_loader::Tracker::create(tracker, params).unwrap();
        if cfg!(target_os = "linux") {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            assert_eq!(maps.contains(tracker.path().to_str().unwrap()), !isolate);
        }
    }
}

#[test]
fn a_plugin_that_asks_for_a_process_of_its_own_gets_one() {
    let json =
        r#"{\"id\": \"tracker.fixture.c\", \"name\": \"C\", \"version\": \"1.0.0\", \"isolation\": \"process\"}"#;
    let Some(library) = c_fixture("faulty.c", "asks-for-process", &[&format!("DESCRIPTOR=\"{json}\"")]) else { return };
    let mut options = options(PATIENCE);
    options.isolation.all = false;
    let registry = load(&library, &options);
    assert!(registry.resolve(Kind::Tracker, "tracker.fixture.c").unwrap().is_isolated());
}

#[test]
fn a_component_can_be_isolated_although_its_library_is_open() {
    let mut options = options(PATIENCE);
    options.isolation.all = false;
    let registry = load(&plugin("tracker-magtrack"), &options);
    let direct = registry.resolve(Kind::Tracker, "tracker.magtrack").unwrap();
    assert!(!direct.is_isolated() && direct.isolated().is_isolated());
    let isolated = direct.isolated();
    tetherscope_loader::Tracker::create(&isolated, isolated.params([]).unwrap()).unwrap();
}

#[test]
fn every_fault_has_a_test_for_every_kind_in_both_languages() {
    const FAULTS: [&str; 11] =
        ["panic", "segfault", "abort", "exit", "double-free", "loop", "nan", "count", "beyond", "slow", "flood"];
    let tests = [
        (Kind::Tracker, include_str!("isolation/trackers.rs")),
        (Kind::Zlut, include_str!("isolation/strategies.rs")),
        (Kind::Camera, include_str!("isolation/cameras.rs")),
    ];
    for (kind, text) in tests {
        for fault in FAULTS {
            assert!(text.contains(&format!("    survives(\"{fault}\", ")), "no test of {fault} for a {}", kind.name());
            let languages = fixtures(fault, kind).len();
            let in_c = usize::from(super::harness::compiler(super::harness::Language::C).is_some() && fault != "panic");
            assert_eq!(languages, 1 + in_c, "{fault} of a {}", kind.name());
        }
    }
    let hosts = include_str!("isolation/hosts.rs");
    assert!(["fork", "children"].iter().all(|fault| hosts.contains(&format!("crash_with(\"{fault}\")"))));
}
