//! Started and stopped again and again: nothing is left behind. In a process of its own, where nobody else has threads.

use super::*;

/// Rounds; 1,000 with `TETHERSCOPE_LONG_TESTS`.
fn rounds() -> u32 {
    if std::env::var_os("TETHERSCOPE_LONG_TESTS").is_some() { 1000 } else { 20 }
}

#[cfg(target_os = "linux")]
fn threads_and_maps() -> (usize, usize) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    (
        threads,
        maps.lines().filter(|l| l.contains("memfd") || l.contains("/dev/shm") || l.contains("tetherscope")).count(),
    )
}

#[test]
#[cfg(target_os = "linux")]
fn started_and_stopped_again_and_again_no_thread_and_no_memory_is_left() {
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
        let wanted = *first.get_or_insert_with(threads_and_maps);
        rig.wait_for("the threads to end", |_| {
            let now = threads_and_maps();
            now.0 <= wanted.0 && now.1 <= wanted.1
        });
    }
    let after_first = first.unwrap();
    drop(rig);
    let until = Instant::now() + PATIENCE;
    while threads_and_maps().0 >= after_first.0 {
        assert!(Instant::now() < until, "threads are left: {:?}", threads_and_maps());
        std::thread::sleep(Duration::from_millis(10));
    }
}
