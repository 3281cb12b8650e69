//! A rig: everything that an experiment needs to know before its first frame, as people write it into `rig.toml`. These
//! types are the format (their documentation is its manual, through the JSON schema); checking a rig stands in `check`,
//! what it asks the engine for in `commands`. Reading TOML is the program's business.

mod check;
mod commands;
mod name;
mod value;

pub use check::RigProblem;
pub use commands::RigStep;
pub use name::{NameWords, recording_name};
pub use value::ParameterValue;

use crate::control::{BatchLimits, BeadRole, Captured, DataMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the format that this program writes, and the newest that it reads.
pub const RIG_VERSION: u32 = 1;

/// Parameters by key, as `tetherscope plugins inspect METHOD` lists them; those not named take their defaults. A relative
/// `path` counts from this file's folder, and so does any text that begins with `./` or `../`.
pub type Parameters = BTreeMap<String, ParameterValue>;

/// A rig for Tetherscope. Relative paths count from this file's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rig {
    /// Version of this format: 1.
    pub version: u32,
    /// The camera.
    pub camera: Camera,
    /// Memory for frames on their way.
    #[serde(default)]
    pub ring: Ring,
    /// Scale and noise of the images.
    pub optics: RigOptics,
    /// The beads and their ROIs.
    #[serde(default)]
    pub beads: Beads,
    /// The tracking method.
    pub tracker: Method,
    /// The Z-LUT; without it rows have no z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zlut: Option<Zlut>,
    /// What is done with frames.
    #[serde(default)]
    pub tracking: Tracking,
    /// Stages to open. Nothing moves by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// What is written, and where.
    #[serde(default)]
    pub recording: Recording,
    /// The log of problems.
    #[serde(default)]
    pub log: Log,
}

/// A method and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Method {
    /// `id`, `id@version` or `id#hash`.
    pub method: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: Parameters,
}

/// The camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// `id`, `id@version` or `id#hash`.
    pub method: String,
    /// Device, as `tetherscope camera list` names it; empty is the first.
    #[serde(default)]
    pub device: String,
    /// The camera waits instead of dropping frames: for frames that are files, tracked as fast as that goes.
    #[serde(default)]
    pub lossless: bool,
    /// Parameters that it is opened with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: Parameters,
    /// Settings that are changed once it is open, as the open camera lists them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: Parameters,
}

/// Memory for frames on their way: a reader that falls behind by more than this loses frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ring {
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Fewest frames, even if they need more memory than that.
    pub min_frames: u32,
    /// Most memory, in MiB: a camera whose frames need more is refused before it starts. Without it three quarters of
    /// what is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_memory_mib: Option<u32>,
}

impl Default for Ring {
    fn default() -> Self {
        Self { memory_mib: 256, min_frames: 64, most_memory_mib: None }
    }
}

/// Scale and noise of the images. What is not given is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RigOptics {
    /// Size of a pixel in the sample, in nm.
    pub nm_per_px: f64,
    /// Focal shift per focus travel (refractive-index mismatch): z is multiplied by it.
    #[serde(default = "one")]
    pub focal_shift_factor: f64,
    /// Bits of a pixel that carry the value; without it as the camera says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub significant_bits: Option<u32>,
    /// Electrons per unit of a pixel's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_e_per_adu: Option<f64>,
    /// Pixel value without light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_adu: Option<f64>,
    /// Read noise, rms, in electrons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_noise_e: Option<f64>,
}

fn one() -> f64 {
    1.0
}

/// The beads: from a file, from the list here, or found in the first frame; without any of them nothing is tracked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Beads {
    /// Side of all ROIs, in px: even, 8 to 512. Without it the file's, or 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roi_px: Option<u32>,
    /// ROI list (CSV: bead,x_px,y_px,w_px,h_px).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The beads one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Bead>,
    /// Finds beads in the first frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
}

/// A bead and its ROI.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bead {
    /// Id, used once.
    pub bead: u32,
    /// Column of the ROI's top-left pixel.
    pub x_px: i32,
    /// Row of the ROI's top-left pixel.
    pub y_px: i32,
    /// What it is for: `bead` or `reference`.
    #[serde(default)]
    pub role: BeadRole,
}

/// How beads are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// Finder: `id`, `id@version` or `id#hash`.
    #[serde(default = "finder")]
    pub method: String,
    /// Its parameters; `roi_px` is told to a finder that asks for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: Parameters,
    /// Top-left pixel of the ROI of an example bead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Corner>,
    /// Beads with a lower score are left out: 0 to 1.
    #[serde(default)]
    pub min_score: f64,
    /// Most beads; the surest are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_beads: Option<u32>,
}

fn finder() -> String {
    "finder.ncc".into()
}

/// Top-left pixel of a ROI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corner {
    /// Column.
    pub x_px: i32,
    /// Row.
    pub y_px: i32,
}

/// A Z-LUT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zlut {
    /// A .zlut file, or a .txt of MagScope.
    pub file: PathBuf,
    /// Method that looks z up; without it the one that the file was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Method>,
}

/// What is done with frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tracking {
    /// `track`, `track_and_roi_video`, `track_and_full_video`, `roi_video` or `full_video`.
    pub mode: DataMode,
    /// Frames are tracked in batches: whichever bound comes first ends one.
    pub batch: BatchLimits,
    /// Threads that track; without it one for each core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self { mode: DataMode::default(), batch: BatchLimits { max_frames: 16, max_ms: 5.0 }, threads: None }
    }
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name, as commands and recordings call it.
    pub name: String,
    /// `id`, `id@version` or `id#hash`.
    pub method: String,
    /// Device; empty is the first.
    #[serde(default)]
    pub device: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: Parameters,
    /// Bounds of this session, inside the hard limits of the stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<Axis>,
}

/// Bounds of an axis, in its own unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// Number of the axis, from 0.
    pub axis: u32,
    /// Where it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How far and how fast at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<Caps>,
}

/// Where an axis may go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Smallest position.
    pub min: f64,
    /// Largest position.
    pub max: f64,
}

/// Caps of single moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Largest step of one move.
    pub max_step: f64,
    /// Largest speed.
    pub max_speed_per_s: f64,
}

/// What is written, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recording {
    /// False: nothing is recorded.
    pub on: bool,
    /// Folder in which each recording gets a folder of its own.
    pub folder: PathBuf,
    /// Name of that folder: text with `{date}`, `{time}`, `{operator}` and `{n}`, the first number that is free. Empty: date
    /// and time.
    pub name: String,
    /// Who.
    pub operator: String,
    /// What.
    pub notes: String,
    /// Also record radial profiles.
    pub profiles: bool,
    /// A new tracks file after so many minutes; 0 never.
    pub rotate_minutes: f64,
    /// Saves the seconds round a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            on: true,
            folder: PathBuf::from("."),
            name: String::new(),
            operator: String::new(),
            notes: String::new(),
            profiles: false,
            rotate_minutes: 0.0,
            capture: None,
        }
    }
}

/// Saves video of the seconds round a problem, beside the recording. The seconds before must fit into the ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Events that trigger it: `warning` (and worse) or `error`.
    #[serde(default)]
    pub on: CaptureOn,
    /// Seconds before.
    pub before_s: f64,
    /// Seconds after.
    pub after_s: f64,
    /// `rois` or `frames`.
    pub what: Captured,
    /// Most captures of one run.
    #[serde(default = "ten")]
    pub most: u32,
}

fn ten() -> u32 {
    10
}

/// Events that trigger a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureOn {
    /// Warnings and errors.
    Warning,
    /// Errors.
    #[default]
    Error,
}

/// The log: one line for each problem, never one for each frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Its folder; without it `tetherscope/log` in the user's state folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Least level that is written.
    pub level: LogLevel,
    /// Size at which a new file is begun, in MiB.
    pub file_mib: u32,
    /// Files that are kept; older ones are removed.
    pub files: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { folder: None, level: LogLevel::default(), file_mib: 4, files: 20 }
    }
}

/// Least level that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Failures.
    Error,
    /// And things to know.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And what is only for developers.
    Debug,
}

impl LogLevel {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// The JSON schema of a rig, with the meaning of every key.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Rig).to_value()
}

impl Rig {
    /// Scale and noise as tracking wants them.
    pub fn optics(&self) -> crate::Optics {
        let o = &self.optics;
        crate::Optics {
            focal_shift_factor: o.focal_shift_factor,
            significant_bits: o.significant_bits,
            gain_e_per_adu: o.gain_e_per_adu.unwrap_or(f64::NAN),
            offset_adu: o.offset_adu.unwrap_or(f64::NAN),
            read_noise_e: o.read_noise_e.unwrap_or(f64::NAN),
            ..crate::Optics::new(o.nm_per_px)
        }
    }

    /// Makes relative paths count from `folder`: those of files and folders, parameters called `path`, and texts of
    /// parameters that begin with `./` or `../`.
    pub fn resolve_paths(&mut self, folder: &Path) {
        let whole = |path: &mut PathBuf| *path = folder.join(&*path);
        [self.beads.file.as_mut(), self.zlut.as_mut().map(|z| &mut z.file), self.log.folder.as_mut()]
            .into_iter()
            .flatten()
            .chain([&mut self.recording.folder])
            .for_each(whole);
        let strategy = self.zlut.as_mut().and_then(|z| z.strategy.as_mut());
        let parameters = [&mut self.camera.parameters, &mut self.camera.settings, &mut self.tracker.parameters]
            .into_iter()
            .chain(strategy.map(|s| &mut s.parameters))
            .chain(self.beads.find.as_mut().map(|f| &mut f.parameters))
            .chain(self.stages.iter_mut().map(|s| &mut s.parameters));
        for (key, value) in parameters.flatten() {
            if let ParameterValue::Text(text) = value
                && !text.is_empty()
                && (key == "path" || text.starts_with("./") || text.starts_with("../"))
            {
                *text = folder.join(&*text).display().to_string();
            }
        }
    }
}
