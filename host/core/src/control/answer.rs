//! What a command gives back: its one reply, with an answer or a refusal.

use super::client::{ClientId, RequestId};
use super::command::NewRoi;
use super::refusal::Refusal;
use super::snapshot::SettingView;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A bead that a finder found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoundBead {
    /// Middle, in the frame.
    pub x_px: f64,
    /// Middle, in the frame.
    pub y_px: f64,
    /// 0 to 1, 1 is best.
    pub score: f64,
    /// Flags.
    pub flags: u32,
    /// Top-left pixel of a ROI round it; none if that is cut by the frame's edge.
    pub roi: Option<NewRoi>,
}

/// A profile of one bead in one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileAnswer {
    /// Frame.
    pub frame: u64,
    /// Bead.
    pub bead: u32,
    /// Radius of the first bin.
    pub first_radius_px: f64,
    /// Radius from bin to bin.
    pub step_px: f64,
    /// Values; NaN (null in JSON) is an empty bin.
    #[serde(with = "super::snapshot::nan_as_null")]
    pub values: Vec<f64>,
    /// z of the plane nearest to the bead's z; none without Z-LUT or z.
    pub plane_z_nm: Option<f64>,
    /// That plane's profile; empty without.
    #[serde(with = "super::snapshot::nan_as_null")]
    pub plane: Vec<f64>,
}

/// What a command gives back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done. `from_frame` is the first frame that it holds for, where there is one.
    Done {
        /// Frame.
        from_frame: Option<u64>,
    },
    /// Ids of new beads.
    Beads(Vec<u32>),
    /// Settings after a change.
    Settings(Vec<SettingView>),
    /// What a finder found, the surest first, with the threshold that the finder suggests.
    Found(Vec<FoundBead>),
    /// Bins of a profile.
    ProfileLength(u32),
    /// A profile.
    Profile(ProfileAnswer),
    /// A file or folder that was made.
    Path(PathBuf),
}

/// The one reply to a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Who asked.
    pub client: ClientId,
    /// What it asked.
    pub request: RequestId,
    /// Answer or refusal.
    pub result: Result<Answer, Refusal>,
}
