//! Hosts that go down with a plugin in their own process, and what the next host knows of it: the plugin that did it is
//! isolated, whoever did not is not.
#![cfg(unix)]

use super::{CHILD, PATIENCE};
use crate::harness::{c_fixture, rust_fixture, scratch};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use tetherscope_loader::{Registry, SearchOptions, forgive};

fn options(folder: &Path) -> SearchOptions {
    SearchOptions {
        usual_places: false,
        cache: Some(folder.join("plugins.json")),
        child: Some(CHILD.into()),
        probe_limit: PATIENCE,
        ..SearchOptions::default()
    }
}

/// A host that tracks in its own process: see `child.rs`. Has tracked its first batch.
fn host(fault: &str, library: &Path, folder: &Path) -> (Child, impl Iterator<Item = std::io::Result<String>>) {
    let mut command = Command::new(CHILD);
    command.args(["direct", fault]).arg(library).arg(folder.join("plugins.json"));
    let mut host = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    (host, lines)
}

/// Lets a host go down with the fault, and loads the library as the next host.
fn after(fault: &str, library: &Path, folder: &Path) -> (ExitStatus, Registry) {
    let (mut host, _lines) = host(fault, library, folder);
    drop(host.stdin.take());
    let status = host.wait().unwrap();
    (status, next(library, folder))
}

/// The next host.
fn next(library: &Path, folder: &Path) -> Registry {
    let mut registry = Registry::default();
    registry.load_file(library, &options(folder)).unwrap();
    registry
}

fn libraries() -> Vec<std::path::PathBuf> {
    [Some(rust_fixture("crashing")), c_fixture("crashing.c", "crashing", &[])].into_iter().flatten().collect()
}

#[test]
fn a_plugin_that_takes_its_host_down_is_isolated_in_the_next_one_by_name_and_cause() {
    let faults = [
        ("segfault", "segmentation fault, signal 11"),
        ("abort", "abort, signal 6"),
        ("double-free", "abort, signal 6"),
        ("exit", "it ended the program with `exit`"),
    ];
    for library in libraries() {
        for (fault, cause) in faults {
            let folder = scratch("crashed");
            let (status, registry) = after(fault, &library, folder.path());
            // It dies as it would have without anybody writing it down.
            let dies = if fault == "exit" { status.code() == Some(3) } else { status.signal().is_some() };
            assert!(dies, "{fault}: {status}");
            let [crash] = registry.crashes() else { panic!("{fault}: {:?}", registry.crashes()) };
            assert!(crash.method().starts_with("tracker.fixture.") && crash.is_certain(), "{crash}");
            let lines: Vec<String> = crash.to_string().lines().map(str::to_owned).collect();
            assert_eq!(lines.len(), 3, "{crash}");
            assert!(lines[1].contains(cause) && lines[1].contains("in `track`"), "{crash}");
            assert!(lines[2].contains(&format!("plugins forgive {}`", crash.method())), "{crash}");
            assert!(registry.components().iter().all(|c| c.is_isolated()), "a library is isolated as a whole");
            // Not only once.
            assert_eq!(next(&library, folder.path()).crashes().len(), 1);
        }
    }
}

#[test]
fn a_crash_in_a_thread_that_the_plugin_made_is_laid_to_who_was_in_a_call_without_certainty() {
    let folder = scratch("thread");
    let (status, registry) = after("thread", &rust_fixture("crashing"), folder.path());
    assert_eq!(status.signal(), Some(11));
    let [crash] = registry.crashes() else { panic!("{:?}", registry.crashes()) };
    assert_eq!((crash.method(), crash.is_certain()), ("tracker.fixture.crash", false));
    assert!(crash.cause().contains("it was in a call when Tetherscope went down elsewhere"), "{crash}");
}

#[test]
fn a_host_that_is_killed_from_outside_accuses_nobody_idle_or_in_a_call() {
    let library = rust_fixture("crashing");
    for (fault, signal) in [("none", "KILL"), ("hang", "KILL"), ("none", "ABRT"), ("hang", "ABRT"), ("hang", "FPE")] {
        let folder = scratch("killed");
        let (mut host, mut lines) = host(fault, &library, folder.path());
        if fault == "none" {
            assert_eq!(lines.next().unwrap().unwrap(), "tracked");
        } else {
            // The call that hangs begins right after the line; a moment later it is in it.
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        assert!(Command::new("kill").args([format!("-{signal}"), host.id().to_string()]).status().unwrap().success());
        let died_of = host.wait().unwrap().signal();
        assert!(died_of.is_some(), "SIG{signal} does not end it");
        let registry = next(&library, folder.path());
        assert!(registry.crashes().is_empty(), "{fault}, SIG{signal}: {:?}", registry.crashes());
        assert!(registry.components().iter().all(|c| !c.is_isolated()));
    }
}

#[test]
fn a_host_that_ends_well_leaves_nothing_behind() {
    let folder = scratch("well");
    let (status, registry) = after("none", &rust_fixture("crashing"), folder.path());
    assert!(status.success() && registry.crashes().is_empty());
    assert_eq!(std::fs::read_dir(folder.path().join("crashes")).unwrap().count(), 0);
}

#[test]
fn a_process_that_a_plugin_forked_off_accuses_nobody_when_it_crashes() {
    let Some(library) = c_fixture("crashing.c", "crashing", &[]) else { return };
    let folder = scratch("forked");
    let (status, registry) = after("fork-crash", &library, folder.path());
    assert!(status.success(), "the host lives on: {status}");
    assert!(registry.crashes().is_empty(), "{:?}", registry.crashes());
}

#[test]
fn a_library_that_was_built_anew_is_trusted_and_so_is_one_that_was_forgiven() {
    let folder = scratch("anew");
    let old = folder.path().join(format!("crashing{}", std::env::consts::DLL_SUFFIX));
    std::fs::copy(rust_fixture("crashing"), &old).unwrap();
    let (_, registry) = after("abort", &old, folder.path());
    assert!(registry.components().iter().all(|c| c.is_isolated()));
    // Under another name it is the same library.
    let copy = folder.path().join(format!("copy{}", std::env::consts::DLL_SUFFIX));
    std::fs::copy(&old, &copy).unwrap();
    assert_eq!(next(&copy, folder.path()).crashes().len(), 1);
    // Another content at the same place is another library.
    let mut bytes = std::fs::read(&old).unwrap();
    bytes.extend_from_slice(b"built anew");
    std::fs::remove_file(&old).unwrap();
    std::fs::write(&old, bytes).unwrap();
    assert!(next(&old, folder.path()).crashes().is_empty());
    let forgiven = forgive(&options(folder.path()), Some("tracker.fixture.crash@1")).unwrap();
    assert_eq!(forgiven.len(), 1);
    let registry = next(&copy, folder.path());
    assert!(registry.crashes().is_empty() && registry.components().iter().all(|c| !c.is_isolated()));
}

#[test]
fn who_isolates_nothing_is_not_told_either() {
    let folder = scratch("never");
    let library = rust_fixture("crashing");
    assert_eq!(after("abort", &library, folder.path()).1.crashes().len(), 1);
    let mut options = options(folder.path());
    options.isolation.never = true;
    let mut registry = Registry::default();
    registry.load_file(&library, &options).unwrap();
    assert!(registry.crashes().is_empty() && registry.components().iter().all(|c| !c.is_isolated()));
}
