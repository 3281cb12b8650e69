//! CPU time of this process, to the nanosecond where the system tells it: what counts on a machine that others use too.

use std::time::{Duration, Instant};

/// CPU time of all threads of this process so far; None where the system does not tell.
pub(super) fn now() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let of_thread = |e: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let text = std::fs::read_to_string(e.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Some(Duration::from_nanos(tasks.filter_map(of_thread).sum()))
}

/// CPU time over wall time. Threads that end meanwhile are not counted, so nothing may end meanwhile.
pub(super) struct Meter {
    cpu: Option<Duration>,
    at: Instant,
}

impl Meter {
    /// From now on.
    pub(super) fn start() -> Self {
        Self { cpu: now(), at: Instant::now() }
    }

    /// Cores in use on average since the start; NaN where the system does not tell.
    pub(super) fn cores(&self) -> f64 {
        let spent = self.cpu.zip(now()).map(|(then, now)| now.saturating_sub(then));
        spent.map_or(f64::NAN, |s| s.as_secs_f64() / self.at.elapsed().as_secs_f64())
    }
}
