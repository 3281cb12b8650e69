//! Started and stopped again and again: nothing is left behind. In a process of its own, where nobody else has threads.

use super::*;

/// Rounds; 1,000 with `TETHERSCOPE_LONG_TESTS`.
fn rounds() -> u32 {
    if std::env::var_os("TETHERSCOPE_LONG_TESTS").is_some() { 1000 } else { 20 }
}

/// What this process holds of the system: threads, maps of memory that it shares, open files.
#[derive(Debug, Clone, Copy)]
struct Holdings {
    threads: usize,
    maps: usize,
    files: usize,
}

#[cfg(target_os = "linux")]
impl Holdings {
    fn now() -> Self {
        let entries = |folder: &str| std::fs::read_dir(folder).unwrap().count();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let is_shared = |l: &&str| l.contains("memfd") || l.contains("/dev/shm") || l.contains("tetherscope");
        Self {
            threads: entries("/proc/self/task"),
            maps: maps.lines().filter(is_shared).count(),
            files: entries("/proc/self/fd"),
        }
    }

    fn is_within(self, other: Self) -> bool {
        self.threads <= other.threads && self.maps <= other.maps && self.files <= other.files
    }
}

#[test]
#[cfg(target_os = "linux")]
fn started_and_stopped_again_and_again_no_thread_memory_or_file_is_left() {
    let me = std::env::current_exe().unwrap();
    let inner = "live::life::rounds_of_starts_and_stops";
    let output = std::process::Command::new(me).args(["--exact", inner, "--ignored", "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "started by the test above, in a process of its own"]
#[cfg(target_os = "linux")]
fn rounds_of_starts_and_stops() {
    let rig = Rig::live();
    rig.open(&[("frame_rate_hz", "1000")]);
    rig.track_with("tracker.quadrant", &[]);
    rig.add(&[(10, 10)]);
    let mut first = None;
    for _ in 0..rounds() {
        rig.ask(CameraCommand::Start);
        rig.wait_for_frames(3);
        rig.ask(CameraCommand::Stop);
        assert_eq!(rig.client.snapshot().ledger.unexplained, 0);
        // Threads of a pool that was dropped end by themselves.
        let wanted = *first.get_or_insert_with(Holdings::now);
        rig.wait_for("the threads to end", |_| Holdings::now().is_within(wanted));
    }
    let after_first = first.unwrap();
    drop(rig);
    let until = Instant::now() + PATIENCE;
    while Holdings::now().threads >= after_first.threads {
        assert!(Instant::now() < until, "threads are left: {:?}", Holdings::now());
        std::thread::sleep(Duration::from_millis(10));
    }
}
