//! What a client may ask for, by area; sweeps stand in [`sweep`](super::sweep), what comes back in
//! [`answer`](super::answer). Every command has exactly one reply.

use super::client::RequestId;
use super::sweep::SweepCommand;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Values of parameters by key, as text: what a form or a command line gives. Checked against the schema.
pub type ParameterText = BTreeMap<String, String>;

/// A method and its parameters; those not named take their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodChoice {
    /// `id`, `id@semver` or `id#hash`.
    pub method: String,
    /// Parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: ParameterText,
}

/// One command. As JSON: `{"area": "beads", "do": {"remove": {"beads": [3]}}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "area", content = "do", rename_all = "snake_case")]
pub enum Command {
    /// The camera.
    Camera(CameraCommand),
    /// Beads and their ROIs.
    Beads(BeadsCommand),
    /// Tracker and what is done with frames.
    Tracking(TrackingCommand),
    /// Z-LUTs in use.
    Zlut(ZlutCommand),
    /// Stages.
    Stages(StageCommand),
    /// Z-LUT sweeps.
    Sweep(SweepCommand),
    /// What is written to disk.
    Recording(RecordingCommand),
    /// The engine itself.
    Engine(EngineCommand),
}

/// Commands to the camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraCommand {
    /// Opens a camera; an open one is closed first. Refused while recording.
    Open {
        /// Camera and parameters.
        camera: MethodChoice,
        /// Device, as `enumerate` names it; empty is the first.
        #[serde(default)]
        device: String,
    },
    /// Stops and closes it.
    Close,
    /// Changes settings. The answer holds all settings as they are afterwards.
    Set {
        /// Settings.
        values: ParameterText,
    },
    /// Reads all settings again.
    Refresh,
    /// Makes the ring and starts. Refused if it does not fit the memory budget.
    Start,
    /// Stops; frames on their way are tracked and recorded first.
    Stop,
}

/// A ROI to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRoi {
    /// Column of the top-left pixel.
    pub x_px: i32,
    /// Row of the top-left pixel.
    pub y_px: i32,
}

/// What a bead is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BeadRole {
    /// Measured.
    #[default]
    Bead,
    /// Stuck to the surface: others are shown relative to it.
    Reference,
}

/// Commands about beads. They take effect at a frame boundary, and an event says at which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeadsCommand {
    /// Adds beads at these top-left pixels, clamped into the frame. Answers the new ids; ids are never re-used.
    Add {
        /// Where.
        rois: Vec<NewRoi>,
    },
    /// Adds beads with ids of the client's, to restore a list. Refused if an id was used already in this session.
    Restore {
        /// Id and place.
        beads: Vec<(u32, NewRoi)>,
    },
    /// Moves ROIs to new top-left pixels, clamped into the frame.
    Move {
        /// Id and place.
        moves: Vec<(u32, NewRoi)>,
    },
    /// Removes beads.
    Remove {
        /// Ids.
        beads: Vec<u32>,
    },
    /// Removes all beads.
    RemoveAll,
    /// Numbers the beads anew from 0, roles kept. Refused while recording.
    Renumber,
    /// Adds beads at random places that keep a ROI's size from each other.
    AddRandom {
        /// How many.
        count: u32,
        /// Seed.
        seed: u64,
    },
    /// Side of all ROIs, 8 to 512, even. ROIs keep their middle. Refused while recording and while a Z-LUT is in use.
    SetRoiSize {
        /// Side.
        size_px: u32,
    },
    /// Gives a bead a role.
    SetRole {
        /// Bead.
        bead: u32,
        /// Role.
        role: BeadRole,
    },
    /// Finds beads in the next frame. Answers hits; adds nothing.
    Find {
        /// Finder and parameters.
        finder: MethodChoice,
        /// Top-left pixel of an example, of the ROIs' size.
        seed: Option<NewRoi>,
    },
    /// Ends the searches for beads that this client asked for; their replies are refusals of kind cancelled.
    CancelFind,
}

/// What is done with the frames of a running camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataMode {
    /// Track.
    #[default]
    Track,
    /// Track, and record ROI stacks.
    TrackAndRoiVideo,
    /// Track, and record full frames.
    TrackAndFullVideo,
    /// Record ROI stacks only.
    RoiVideo,
    /// Record full frames only.
    FullVideo,
}

impl DataMode {
    /// True if beads are tracked.
    pub fn tracks(self) -> bool {
        matches!(self, Self::Track | Self::TrackAndRoiVideo | Self::TrackAndFullVideo)
    }

    /// True if ROI stacks are recorded.
    pub fn records_rois(self) -> bool {
        matches!(self, Self::TrackAndRoiVideo | Self::RoiVideo)
    }

    /// True if full frames are recorded.
    pub fn records_frames(self) -> bool {
        matches!(self, Self::TrackAndFullVideo | Self::FullVideo)
    }
}

/// Bounds of a batch: whichever comes first ends it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchLimits {
    /// Frames; 1 for feedback.
    pub max_frames: u32,
    /// Age of the first frame.
    pub max_ms: f64,
}

/// Commands about tracking. Changes take effect at a frame boundary and stand as events in the recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackingCommand {
    /// Another tracker, or other parameters. A Z-LUT that does not fit is unloaded, and an event says so.
    SetTracker {
        /// Tracker.
        tracker: MethodChoice,
    },
    /// What is done with frames. Refused while recording or sweeping.
    SetMode {
        /// Mode.
        mode: DataMode,
    },
    /// False: the picture stays live and nothing is processed.
    SetProcessing {
        /// Process frames.
        on: bool,
    },
    /// Bounds of a batch.
    SetBatch {
        /// Bounds.
        limits: BatchLimits,
    },
    /// Answered by the next processed frame: bins of a profile.
    AskProfileLength,
    /// Answered by the next processed frame: profile of a bead, and the plane of its Z-LUT nearest to it.
    AskProfile {
        /// Bead.
        bead: u32,
    },
    /// Withdraws a question that was not answered yet; its reply is a refusal of kind cancelled.
    CancelQuestion {
        /// The question.
        request: RequestId,
    },
}

/// Commands about Z-LUTs in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZlutCommand {
    /// Loads a file. A file that does not fit is refused by name and leaves what is in use.
    Load {
        /// File.
        path: PathBuf,
        /// Strategy; none: the one that made it.
        #[serde(default)]
        strategy: Option<MethodChoice>,
    },
    /// No z from the next frame on.
    Unload,
}

/// Commands to stages. Positions are in the axis' own unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageCommand {
    /// Opens a stage under a name of the client's choice. Nothing moves.
    Open {
        /// Name, as rows and commands call it.
        name: String,
        /// Stage and parameters.
        stage: MethodChoice,
        /// Device; empty is the first.
        #[serde(default)]
        device: String,
    },
    /// Stops and closes a stage.
    Close {
        /// Stage.
        stage: String,
    },
    /// Allows moves by clients for some time.
    Arm {
        /// Seconds until it expires.
        seconds: f64,
    },
    /// Forbids moves by clients.
    Disarm,
    /// Moves an axis. Refused outside limits and window, above the largest step, disarmed, or while a sweep moves it.
    Move {
        /// Stage.
        stage: String,
        /// Axis.
        axis: u32,
        /// Where to.
        position: f64,
    },
    /// Moves an axis by a distance from its target.
    Jog {
        /// Stage.
        stage: String,
        /// Axis.
        axis: u32,
        /// Distance.
        by: f64,
    },
    /// Begins a homing run.
    Home {
        /// Stage.
        stage: String,
        /// Axis.
        axis: u32,
    },
    /// Stops everything that moves, ends a sweep, and disarms. Never refused.
    StopAll,
    /// Bounds of this session, inside the hard limits.
    SetWindow {
        /// Stage.
        stage: String,
        /// Axis.
        axis: u32,
        /// Smallest position.
        min: f64,
        /// Largest position.
        max: f64,
    },
    /// Caps of single moves.
    SetCaps {
        /// Stage.
        stage: String,
        /// Axis.
        axis: u32,
        /// Largest step of one move.
        max_step: f64,
        /// Largest speed.
        max_speed_per_s: f64,
    },
}

/// A recording to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingRequest {
    /// Folder in which the recording's own folder is made.
    pub folder: PathBuf,
    /// Name of the recording's folder; empty: date and time.
    pub name: String,
    /// Who.
    pub operator: String,
    /// What.
    pub notes: String,
    /// Also profiles.
    pub profiles: bool,
    /// A new tracks file after so many minutes; 0 never.
    pub rotate_minutes: f64,
    /// It ends by itself after so many frames of the camera, counted from its first; those of them that are missing stand in
    /// the gap table. None: it goes on until it is stopped.
    pub frames: Option<u64>,
}

/// What a capture holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Captured {
    /// Full frames.
    Frames,
    /// ROIs.
    Rois,
}

/// Commands about recording. Starts and stops exactly at a frame boundary; the reply names the frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingCommand {
    /// Starts.
    Start(RecordingRequest),
    /// Stops and finalises.
    Stop,
    /// New tracks file, without a gap.
    Rotate,
    /// A note among the events.
    Note {
        /// Text.
        text: String,
    },
    /// Saves the last seconds, and some more, as a capture of its own.
    Capture {
        /// Folder.
        folder: PathBuf,
        /// Seconds before now; at most what the ring holds.
        before_s: f64,
        /// Seconds after now.
        after_s: f64,
        /// What.
        what: Captured,
    },
}

/// Commands to the engine itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineCommand {
    /// Does nothing and is answered: everything sent before it has been done.
    Ping,
    /// A warning was read.
    Acknowledge {
        /// Its id.
        warning: u64,
    },
    /// Stops stages, camera and recording, tidily, and ends.
    Shutdown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::SweepWhich;

    #[test]
    fn a_command_is_one_line_of_json_that_reads_back() {
        let commands = [
            Command::Beads(BeadsCommand::Remove { beads: vec![3] }),
            Command::Camera(CameraCommand::Start),
            Command::Sweep(SweepCommand::Save { path: "a.zlut".into(), which: SweepWhich::Bead(4) }),
            Command::Zlut(ZlutCommand::Load { path: "b.zlut".into(), strategy: None }),
            Command::Engine(EngineCommand::Ping),
        ];
        for command in commands {
            let line = serde_json::to_string(&command).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Command>(&line).unwrap(), command, "{line}");
        }
        let text = r#"{"area": "beads", "do": {"remove": {"beads": [3]}}}"#;
        assert_eq!(
            serde_json::from_str::<Command>(text).unwrap(),
            Command::Beads(BeadsCommand::Remove { beads: vec![3] })
        );
    }

    #[test]
    fn an_unknown_command_is_refused_with_its_name() {
        let error = serde_json::from_str::<Command>(r#"{"area": "beads", "do": {"explode": {}}}"#).unwrap_err();
        assert!(error.to_string().contains("explode"), "{error}");
    }
}
