//! The part of a snapshot that says how well the experiment runs: every frame's account, speed, delays, load, clocks.

use serde::{Deserialize, Serialize};

/// Frames dropped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropCount {
    /// Reason.
    pub reason: String,
    /// Frames.
    pub count: u64,
}

/// The account of one stage. `seen = delivered + Σ dropped + in_flight`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageLedger {
    /// `camera`, `tracking`, `recording` …
    pub stage: String,
    /// Frames that reached it.
    pub seen: u64,
    /// Frames that it passed on or finished.
    pub delivered: u64,
    /// Frames that it dropped.
    pub dropped: Vec<DropCount>,
    /// Frames that it holds.
    pub in_flight: u64,
}

/// Every frame since the camera started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LedgerView {
    /// By stage.
    pub stages: Vec<StageLedger>,
    /// Frames that no stage can explain; always 0.
    pub unexplained: i64,
}

/// Delays of one step of the path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyView {
    /// From arrival to: `batch`, `row`, `written`, `picture`.
    pub to: String,
    /// Middle.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Largest.
    pub max_ms: f64,
}

/// Speed, delays, load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HealthView {
    /// Newest frame; none before the first.
    pub newest_frame: Option<u64>,
    /// Frames per second that arrived.
    pub frame_rate_hz: f64,
    /// Frames per second that were tracked.
    pub tracked_rate_hz: f64,
    /// ROIs per second that were tracked.
    pub rois_per_s: f64,
    /// Age of the newest frame.
    pub newest_age_ms: Option<f64>,
    /// Slots of the ring in use.
    pub ring_in_use: u32,
    /// Slots of the ring.
    pub ring_slots: u32,
    /// Queue to tracking, in frames.
    pub tracking_queue: u32,
    /// Delays.
    pub latencies: Vec<LatencyView>,
    /// CPU of this process, in cores.
    pub cpu_cores: f64,
    /// Memory of this process.
    pub memory_bytes: u64,
    /// Device clock against the host's: rate difference.
    pub clock_ppm: Option<f64>,
    /// Device clock against the host's: residual of the fit.
    pub clock_residual_ns: Option<f64>,
    /// Jitter of arrivals.
    pub arrival_jitter_ns: Option<f64>,
}
