//! The conformance suite, tried on plugins whose only defect is known: `tests/fixtures/mutants` has for each check one
//! component that must fail this check and no other. And the other way round: what is shipped passes the whole suite.

mod mutants;
mod shipped;

use super::harness::rust_fixture;
use std::path::Path;
use std::time::Duration;
use tetherscope_check::{Finding, Mode, Options, Outcome, check_component};
use tetherscope_loader::{Component, Registry, SearchOptions};

/// Begins as the program begins: see `child.rs`.
const CHILD: &str = env!("CARGO_BIN_EXE_tetherscope-test-child");

fn load(library: &Path) -> Registry {
    let mut registry = Registry::default();
    let options = SearchOptions {
        usual_places: false,
        cache: None,
        child: Some(CHILD.into()),
        probe_limit: Duration::from_secs(120),
        ..SearchOptions::default()
    };
    registry.load_file(library, &options).unwrap();
    registry
}

/// Each check in a process of its own, as the program does it.
fn in_children() -> Options {
    Options { mode: Mode::Child(Some(CHILD.into())), limit: Duration::from_secs(120), ..Options::default() }
}

/// Does `work` with each item, on two threads.
fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let some = || {
        while let Some(item) = items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            work(item);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(some);
        some();
        if let Err(payload) = other.join() {
            std::panic::resume_unwind(payload);
        }
    });
}

/// One line per check that did not end with a plain success.
fn not_fine(findings: &[Finding]) -> Vec<String> {
    let line = |f: &Finding| format!("{} {}: {}", f.check.name, f.outcome.word(), f.outcome.seen());
    findings.iter().filter(|f| f.outcome != Outcome::Success).map(line).collect()
}

fn find<'r>(registry: &'r Registry, id: &str) -> &'r Component {
    registry.components().iter().find(|c| c.info().id == id).unwrap_or_else(|| panic!("there is no {id}"))
}

/// The only finding of one check on one component.
fn one(component: &Component, check: &str, options: Options) -> Outcome {
    let options = Options { only: vec![check.to_owned()], ..options };
    let mut findings = check_component(component, &options, |_| {});
    findings.retain(|f| f.check.name == check);
    assert_eq!(findings.len(), 1, "{check}");
    findings.remove(0).outcome
}

#[test]
fn a_crash_an_exit_and_a_hang_of_a_plugin_are_outcomes_of_its_check() {
    let registry = load(&rust_fixture("crashing"));
    let tracker = find(&registry, "tracker.fixture.crash");
    // It does it at bead 13, so in the batch with the announced number of ROIs.
    let outcome = |fault: &str, limit: Duration| {
        let params = vec![("fault".to_owned(), fault.to_owned())];
        one(tracker, "tracker.roi-counts", Options { limit, params, ..in_children() })
    };
    let patient = in_children().limit;
    assert_eq!(outcome("none", patient), Outcome::Success);
    let crashed = |fault: &str, words: &str| match outcome(fault, patient) {
        Outcome::Crashed(seen) => assert!(seen.contains(words), "{fault}: {seen}"),
        other => panic!("{fault}: {other:?}"),
    };
    crashed("exit", "exit code 3");
    crashed("last-words", "the lamp is off");
    if cfg!(unix) {
        crashed("segfault", "segmentation fault (signal 11)");
        crashed("abort", "abort (signal 6)");
    }
    let hang = outcome("loop", Duration::from_secs(3));
    assert!(matches!(&hang, Outcome::TimedOut(seen) if seen.contains("not done after 3 s")), "{hang:?}");
}
