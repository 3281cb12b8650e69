//! What happened: told to every client in order, and written into a recording. Rare; never one per frame.

use super::client::ClientId;
use super::command::Command;
use super::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How much an event matters to who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Something to know: stays on the screen until it is read.
    Warning,
    /// Something failed: stays on the screen until it is read.
    Error,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 0, 1, 2 … without gaps: who misses some, sees it.
    pub number: u64,
    /// UTC.
    pub time_utc_ns: i64,
    /// First frame that it holds for; none while no camera runs.
    pub frame: Option<u64>,
    /// How much it matters.
    pub severity: Severity,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// A command changed something, at the event's frame.
    Changed {
        /// Who.
        client: ClientId,
        /// What, as it can be sent again.
        command: Command,
    },
    /// The camera runs.
    CameraStarted {
        /// Its label.
        camera: String,
    },
    /// The camera stands: asked for, at the end of its data, or gone.
    CameraStopped {
        /// Why.
        reason: String,
    },
    /// A camera that was gone delivers again.
    CameraBack {
        /// Its label.
        camera: String,
    },
    /// Frames are missing.
    FramesDropped {
        /// Where: `camera`, `tracking`, `recording` …
        stage: String,
        /// Reason, as in the ledger.
        reason: String,
        /// How many since the last such event.
        count: u64,
    },
    /// A plugin failed, crashed or hung.
    PluginFailed {
        /// Plugin, cause and mend.
        failure: Refusal,
        /// Rows that hold NaN because of it, since the last such event.
        rows: u64,
    },
    /// A Z-LUT came into use.
    ZlutLoaded {
        /// Its file; none for one of a sweep that was not saved.
        path: Option<PathBuf>,
    },
    /// No Z-LUT from here on.
    ZlutUnloaded {
        /// Why.
        reason: String,
    },
    /// A recording began.
    RecordingStarted {
        /// Its folder.
        folder: PathBuf,
    },
    /// A recording ended and was finalised.
    RecordingStopped {
        /// Its folder.
        folder: PathBuf,
        /// Rows in it.
        rows: u64,
        /// Why it ended.
        reason: String,
    },
    /// A new file within a recording.
    RecordingRotated {
        /// Number of the part, from 0.
        part: u32,
    },
    /// A capture is on disk.
    Captured {
        /// Its folder.
        folder: PathBuf,
        /// Frames in it.
        frames: u64,
    },
    /// A note of the user's.
    Note {
        /// Text.
        text: String,
    },
    /// A stage began to move.
    StageMoved {
        /// Stage.
        stage: String,
        /// Axis.
        axis: u32,
        /// Target.
        target: f64,
        /// Who: a client, or `sweep`.
        by: String,
    },
    /// Everything that moves was stopped.
    StagesStopped {
        /// Why.
        reason: String,
    },
    /// A stage is gone, or back.
    StageConnection {
        /// Stage.
        stage: String,
        /// True: back.
        connected: bool,
        /// Cause.
        cause: String,
    },
    /// A sweep began.
    SweepStarted {
        /// Steps.
        steps: u32,
    },
    /// The stage has settled for a step of the sweep; frames are taken from now on.
    SweepStep {
        /// Number of the step, from 0.
        step: u32,
        /// Position.
        focus_nm: f64,
    },
    /// A step of the sweep has all its frames: what a table can be built from later, if they are recorded.
    SweepPlane {
        /// Number of the step, from 0.
        step: u32,
        /// Position.
        focus_nm: f64,
        /// The first of its frames.
        first_frame: u64,
        /// The last of them; every tracked frame between is one too.
        last_frame: u64,
        /// The stage came from the other side: for the hysteresis, not for tables.
        way_back: bool,
    },
    /// A sweep ended: tables are there, or the refusal says why not.
    SweepEnded {
        /// Beads with a table.
        result: Result<Vec<u32>, Refusal>,
        /// One line on the tables' quality.
        verdict: String,
    },
    /// Anything else that a person should know.
    Message {
        /// Three lines.
        text: Refusal,
    },
}
