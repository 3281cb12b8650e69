//! CPU time of this process, to the nanosecond where the system tells it: what counts on a machine that others use too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// CPU time of each thread of this process so far, by its id; None where the system does not tell.
fn of_threads() -> Option<BTreeMap<String, u64>> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let of_thread = |e: std::io::Result<std::fs::DirEntry>| -> Option<(String, u64)> {
        let entry = e.ok()?;
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let ns = text.split_whitespace().next()?.parse().ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), ns))
    };
    Some(tasks.filter_map(of_thread).collect())
}

/// CPU time from one reading to the next. A thread that ended meanwhile counts as nothing: what it had spent before must
/// not be taken from what the others spent.
fn spent(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Duration {
    let of_thread = |(id, ns): (&String, &u64)| ns.saturating_sub(before.get(id).copied().unwrap_or(0));
    Duration::from_nanos(now.iter().map(of_thread).sum())
}

/// CPU time over wall time.
pub(super) struct Meter {
    cpu: Option<BTreeMap<String, u64>>,
    at: Instant,
}

impl Meter {
    /// From now on.
    pub(super) fn start() -> Self {
        Self { cpu: of_threads(), at: Instant::now() }
    }

    /// Cores in use on average since the start; NaN where the system does not tell.
    pub(super) fn cores(&self) -> f64 {
        let spent = self.cpu.as_ref().zip(of_threads()).map(|(then, now)| spent(then, &now));
        spent.map_or(f64::NAN, |s| s.as_secs_f64() / self.at.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_takes_nothing_from_the_others() {
        let of = |all: &[(&str, u64)]| all.iter().map(|(id, ns)| ((*id).to_owned(), *ns)).collect();
        let (before, now) = (of(&[("1", 100), ("2", 900)]), of(&[("1", 150), ("3", 20)]));
        assert_eq!(spent(&before, &now), Duration::from_nanos(70));
    }
}
