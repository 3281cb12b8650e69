//! A thousand starts and stops leave no thread, no open file and no memory behind. Counted in a process of its own, since
//! the other tests of this binary have threads too.

use super::{CameraEnd, CameraOptions, LiveCamera, PATIENCE, Sim, load, ring, subscribe};
use crate::harness::plugin;
use tetherscope_core::Next;

/// Set in the process that counts.
const COUNTS: &str = "TETHERSCOPE_TEST_COUNTS";
const STARTS: usize = 1000;
/// What the allocator keeps varies by some pages; a ring left behind each time would be 36 MB, a thread's stack 8 MB.
const MOST_GROWTH_KB: u64 = 2048;

/// Threads, open files and resident kB of this process.
fn census() -> (usize, usize, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |key: &str| -> u64 {
        let line = status.lines().find_map(|l| l.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let files = std::fs::read_dir("/proc/self/fd").unwrap().count();
    (number("Threads:") as usize, files, number("VmRSS:"))
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "counts by /proc")]
fn a_thousand_starts_and_stops_leave_nothing_behind() {
    if std::env::var_os(COUNTS).is_some() {
        return count();
    }
    let name = "live_camera::leaks::a_thousand_starts_and_stops_leave_nothing_behind";
    let _ = plugin("sim");
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads", "1", "--nocapture"])
        .env(COUNTS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("counted 1000"), "{said}\n{complained}");
}

fn count() {
    let registry = load(&plugin("sim"), false);
    let sim = Sim::new(&registry, &[("frame_rate_hz", "10000")]);
    // Opened once: it takes the simulation a tenth of a second to learn what its beads look like.
    let camera = sim.open();
    let once = || {
        let ring = ring(&camera, 8, false);
        let mut all = subscribe(&ring, "all", 1);
        let mut live = LiveCamera::start(camera.clone(), ring.clone(), CameraOptions::default()).unwrap();
        let first = all.next(PATIENCE);
        let end = live.stop();
        assert!(matches!(first, Next::Frame(_)), "no frame came: {first:?}, {end:?}");
        assert_eq!(end, CameraEnd::Stopped);
        drop(first);
        ring.ledger().snapshot().check().unwrap();
    };
    (0..100).for_each(|_| once());
    let before = census();
    (100..STARTS).for_each(|_| once());
    let after = census();
    println!("counted {STARTS}: {before:?} then {after:?}");
    assert_eq!((after.0, after.1), (before.0, before.1), "threads and open files");
    assert!(after.2 < before.2 + MOST_GROWTH_KB, "from {} kB to {} kB", before.2, after.2);
}
