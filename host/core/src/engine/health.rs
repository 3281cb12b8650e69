//! Rates, delays and load, read once a second.

use super::meters::{Meters, RecentDelays};
use crate::control::{HealthView, LatencyView};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;
use tetherscope_loader::now_ns;

/// Kernel ticks of CPU time per second on Linux: fixed for programs, whatever the kernel's own rate.
const TICKS_PER_S: f64 = 100.0;
/// Bytes of a page as `/proc/self/statm` counts them on the machines that we build for.
const PAGE_BYTES: u64 = 4096;

/// What was read last.
pub(crate) struct Health {
    at: Instant,
    frames: u64,
    tracked: u64,
    rois: u64,
    cpu_s: Option<f64>,
    delays: [(&'static str, RecentDelays); 4],
    view: HealthView,
}

impl Health {
    pub(crate) fn new() -> Self {
        let names = ["batch", "row", "written", "picture"];
        Self {
            at: Instant::now(),
            frames: 0,
            tracked: 0,
            rois: 0,
            cpu_s: cpu_s(),
            delays: names.map(|n| (n, RecentDelays::default())),
            view: HealthView::default(),
        }
    }

    /// Reads everything anew.
    pub(crate) fn advance(&mut self, meters: &Meters) {
        let seconds = self.at.elapsed().as_secs_f64().max(1e-3);
        self.at = Instant::now();
        let rate = |now: u64, before: &mut u64| {
            let rate = now.saturating_sub(*before) as f64 / seconds;
            *before = now;
            rate
        };
        self.view.frame_rate_hz = rate(meters.frames.load(Relaxed), &mut self.frames);
        self.view.tracked_rate_hz = rate(meters.tracked.load(Relaxed), &mut self.tracked);
        self.view.rois_per_s = rate(meters.rois.load(Relaxed), &mut self.rois);
        let all = [&meters.to_batch, &meters.to_row, &meters.to_written, &meters.to_picture];
        for ((_, recent), delays) in self.delays.iter_mut().zip(all) {
            recent.advance(delays);
        }
        let latency = |(to, recent): &(&str, RecentDelays)| {
            let q = recent.quantiles()?;
            Some(LatencyView { to: (*to).to_owned(), p50_ms: q.p50_ms, p99_ms: q.p99_ms, max_ms: q.max_ms })
        };
        self.view.latencies = self.delays.iter().filter_map(latency).collect();
        let cpu = cpu_s();
        self.view.cpu_cores = match (cpu, self.cpu_s) {
            (Some(now), Some(before)) => (now - before) / seconds,
            _ => 0.0,
        };
        self.cpu_s = cpu;
        self.view.memory_bytes = memory_bytes().unwrap_or(0);
    }

    /// As it stands, with what moves all the time read now.
    pub(crate) fn view(&self, meters: &Meters, newest_frame: Option<u64>) -> HealthView {
        let newest_ns = meters.newest_ns.load(Relaxed);
        let age = |ns: u64| (now_ns() - i64::try_from(ns).unwrap_or(i64::MAX)) as f64 / 1e6;
        let clock = meters.clock().map(|c| c.clock);
        let known = |v: f64| v.is_finite().then_some(v);
        HealthView {
            newest_frame,
            newest_age_ms: (newest_ns > 0).then(|| age(newest_ns)),
            clock_ppm: clock.and_then(|c| c.model).and_then(|m| known(m.ppm)),
            clock_residual_ns: clock.and_then(|c| known(c.residual_ns)),
            arrival_jitter_ns: clock.and_then(|c| known(c.jitter_p99_ns)),
            ..self.view.clone()
        }
    }
}

/// CPU time of this process; None where the system does not tell.
fn cpu_s() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// Memory of this process; None where the system does not tell.
fn memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
