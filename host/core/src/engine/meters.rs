//! What is counted while frames pass, without locks: delays in buckets, frames, ROIs. Read once a second.

use crate::frame_clock::FrameClockReport;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Buckets for each doubling of a delay: a delay is told to within 9 %.
const PER_DOUBLING: usize = 8;
/// Doublings from 1 µs on: up to an hour.
const DOUBLINGS: usize = 32;
const BUCKETS: usize = PER_DOUBLING * DOUBLINGS;
/// Windows of a second that delays are told of.
const WINDOWS: usize = 10;

/// Delays since it was read last.
pub(crate) struct Delays {
    buckets: Box<[AtomicU64]>,
    max_ns: AtomicU64,
}

impl Default for Delays {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), max_ns: AtomicU64::new(0) }
    }
}

/// The bucket of a delay.
fn bucket(ns: u64) -> usize {
    let us = ns as f64 / 1e3;
    if us <= 1.0 { 0 } else { ((us.log2() * PER_DOUBLING as f64) as usize).min(BUCKETS - 1) }
}

/// The upper edge of a bucket.
fn edge_ns(bucket: usize) -> f64 {
    1e3 * ((bucket + 1) as f64 / PER_DOUBLING as f64).exp2()
}

impl Delays {
    /// One delay.
    pub(crate) fn note(&self, ns: i64) {
        let ns = u64::try_from(ns).unwrap_or(0);
        self.buckets[bucket(ns)].fetch_add(1, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    fn take(&self) -> Window {
        Window {
            counts: self.buckets.iter().map(|b| b.swap(0, Ordering::Relaxed)).collect(),
            max_ns: self.max_ns.swap(0, Ordering::Relaxed),
        }
    }
}

struct Window {
    counts: Vec<u64>,
    max_ns: u64,
}

/// Delays of the last seconds.
#[derive(Default)]
pub(crate) struct RecentDelays {
    windows: VecDeque<Window>,
}

/// Quantiles of delays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quantiles {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl RecentDelays {
    /// Takes what came since the last time.
    pub(crate) fn advance(&mut self, delays: &Delays) {
        if self.windows.len() == WINDOWS {
            self.windows.pop_front();
        }
        self.windows.push_back(delays.take());
    }

    /// None without a delay.
    pub(crate) fn quantiles(&self) -> Option<Quantiles> {
        let count = |b: usize| self.windows.iter().map(|w| w.counts[b]).sum::<u64>();
        let total: u64 = (0..BUCKETS).map(count).sum();
        let max_ns = self.windows.iter().map(|w| w.max_ns).max()?;
        let at = |part: f64| {
            let wanted = (total as f64 * part).ceil() as u64;
            let mut so_far = 0;
            let place = (0..BUCKETS).find(|b| {
                so_far += count(*b);
                so_far >= wanted
            });
            edge_ns(place.unwrap_or(BUCKETS - 1)).min(max_ns as f64) / 1e6
        };
        (total > 0).then(|| Quantiles { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: max_ns as f64 / 1e6 })
    }
}

/// What the live threads count.
#[derive(Default)]
pub(crate) struct Meters {
    /// Frames that the live thread took.
    pub(crate) frames: AtomicU64,
    /// Frames that were tracked.
    pub(crate) tracked: AtomicU64,
    /// ROIs that were tracked.
    pub(crate) rois: AtomicU64,
    /// Calls of plugins under way.
    pub(crate) busy: AtomicU64,
    /// Arrival of the newest frame, on the host's monotonic clock; 0 before the first.
    pub(crate) newest_ns: AtomicU64,
    /// From arrival until the batch is taken.
    pub(crate) to_batch: Delays,
    /// … until its row is there.
    pub(crate) to_row: Delays,
    /// … until it is written.
    pub(crate) to_written: Delays,
    /// … until it is shown.
    pub(crate) to_picture: Delays,
    /// The camera's clock.
    clock: Mutex<Option<FrameClockReport>>,
}

impl Meters {
    /// What is known of the camera's clock now.
    pub(crate) fn tell_clock(&self, report: FrameClockReport) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
    }

    /// What was known last.
    pub(crate) fn clock(&self) -> Option<FrameClockReport> {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Width of a bucket: one eighth of a doubling.
    const BUCKET_WIDTH: f64 = 1.0905;

    #[test]
    fn quantiles_are_those_of_the_delays_to_within_a_bucket() {
        let delays = Delays::default();
        (1..=1000).for_each(|i| delays.note(i * 10_000));
        let mut recent = RecentDelays::default();
        recent.advance(&delays);
        let q = recent.quantiles().unwrap();
        for (is, should) in [(q.p50_ms, 5.0), (q.p99_ms, 9.9)] {
            assert!((should / BUCKET_WIDTH..=should * BUCKET_WIDTH).contains(&is), "{is} for {should}");
        }
        assert_eq!(q.max_ms, 10.0);
    }

    #[test]
    fn old_delays_are_forgotten() {
        let delays = Delays::default();
        delays.note(5_000_000_000);
        let mut recent = RecentDelays::default();
        recent.advance(&delays);
        assert!(recent.quantiles().is_some());
        (0..WINDOWS).for_each(|_| recent.advance(&delays));
        assert_eq!(recent.quantiles(), None);
    }
}
