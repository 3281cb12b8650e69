//! What a client may ask of Z-LUT sweeps: where they stop, what counts as settled, and which of their tables to take.

use super::command::MethodChoice;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where a sweep stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepPositions {
    /// Evenly; `stop` must lie on the grid.
    Range {
        /// First position.
        start_nm: f64,
        /// Step, with its sign.
        step_nm: f64,
        /// Last position.
        stop_nm: f64,
    },
    /// As listed.
    List {
        /// Positions.
        positions_nm: Vec<f64>,
    },
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepRequest {
    /// Where.
    pub positions: SweepPositions,
    /// Frames of each bead at each position.
    pub frames_per_step: u32,
    /// The position counts as reached within this.
    #[serde(default = "tolerance_nm")]
    pub tolerance_nm: f64,
    /// … for so long.
    #[serde(default = "settle_ms")]
    pub settle_ms: f64,
    /// A step that takes longer fails.
    #[serde(default = "step_timeout_s")]
    pub step_timeout_s: f64,
    /// Sweep back too, to measure hysteresis.
    #[serde(default)]
    pub both_directions: bool,
    /// Builds the tables.
    pub strategy: MethodChoice,
    /// Insist that the recording keeps the ROIs' pixels too, so that a strategy that needs pixels, or another tracker, can
    /// build from it later; refused when none is written that does.
    #[serde(default)]
    pub keep_rois: bool,
}

fn tolerance_nm() -> f64 {
    10.0
}

fn settle_ms() -> f64 {
    50.0
}

fn step_timeout_s() -> f64 {
    30.0
}

/// Which tables of a finished sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepWhich {
    /// A table for each bead.
    PerBead,
    /// One of a bead, for all beads.
    Bead(u32),
    /// One from all beads that were not rejected, for all beads.
    Average,
}

/// Commands about sweeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepCommand {
    /// Starts. The reply says that it runs; events and snapshot tell the rest.
    Start(SweepRequest),
    /// Ends it; the stage returns to where it was.
    Cancel,
    /// Goes on after a step that failed.
    Resume,
    /// Writes tables of the finished sweep.
    Save {
        /// New `.zlut` file.
        path: PathBuf,
        /// Which.
        which: SweepWhich,
    },
    /// Uses tables of the finished sweep from the next frame on.
    Use {
        /// Which.
        which: SweepWhich,
    },
    /// Forgets the finished sweep.
    Discard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_says_only_what_differs_from_the_usual() {
        let text = r#"{"positions": {"range": {"start_nm": 0, "step_nm": 100, "stop_nm": 500}}, "frames_per_step": 10,
                       "strategy": {"method": "zlut.spline"}}"#;
        let sweep: SweepRequest = serde_json::from_str(text).unwrap();
        assert_eq!((sweep.tolerance_nm, sweep.settle_ms, sweep.step_timeout_s), (10.0, 50.0, 30.0));
    }
}
