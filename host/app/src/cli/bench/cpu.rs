//! CPU time of this process, to the nanosecond where the system tells it: what counts on a machine that others use too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// One thread: its name, and its CPU time so far.
#[derive(Debug, Clone, PartialEq)]
struct Thread {
    name: String,
    ns: u64,
}

/// The threads of this process by their ids; None where the system does not tell.
fn threads() -> Option<BTreeMap<String, Thread>> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let of_thread = |e: std::io::Result<std::fs::DirEntry>| -> Option<(String, Thread)> {
        let entry = e.ok()?;
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let ns = text.split_whitespace().next()?.parse().ok()?;
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?.trim_end().to_owned();
        Some((entry.file_name().to_string_lossy().into_owned(), Thread { name, ns }))
    };
    Some(tasks.filter_map(of_thread).collect())
}

/// CPU time from one reading to the next, of some threads. A thread that ended meanwhile counts as nothing: what it had spent
/// before must not be taken from what the others spent.
fn spent(
    before: &BTreeMap<String, Thread>,
    now: &BTreeMap<String, Thread>,
    which: impl Fn(&str, &str) -> bool,
) -> Duration {
    let wanted = now.iter().filter(|(id, thread)| which(id, &thread.name));
    let of_thread = |(id, thread): (&String, &Thread)| thread.ns.saturating_sub(before.get(id).map_or(0, |t| t.ns));
    Duration::from_nanos(wanted.map(of_thread).sum())
}

/// CPU time over wall time.
pub(super) struct Meter {
    cpu: Option<BTreeMap<String, Thread>>,
    at: Instant,
}

impl Meter {
    /// From now on.
    pub(super) fn start() -> Self {
        Self { cpu: threads(), at: Instant::now() }
    }

    /// Cores in use on average since the start; NaN where the system does not tell.
    pub(super) fn cores(&self) -> f64 {
        self.cores_of(|_, _| true)
    }

    /// The same of some threads, by id and name; Linux cuts names after 15 letters.
    pub(super) fn cores_of(&self, which: impl Fn(&str, &str) -> bool) -> f64 {
        let spent = self.cpu.as_ref().zip(threads()).map(|(then, now)| spent(then, &now, which));
        spent.map_or(f64::NAN, |s| s.as_secs_f64() / self.at.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_takes_nothing_from_the_others() {
        let thread = |(id, ns): &(&str, u64)| ((*id).to_owned(), Thread { name: format!("t{id}"), ns: *ns });
        let of = |all: &[(&str, u64)]| all.iter().map(thread).collect();
        let (before, now) = (of(&[("1", 100), ("2", 900)]), of(&[("1", 150), ("3", 20)]));
        assert_eq!(spent(&before, &now, |_, _| true), Duration::from_nanos(70));
        assert_eq!(spent(&before, &now, |_, name| name == "t3"), Duration::from_nanos(20));
    }
}
