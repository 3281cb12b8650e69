//! Everything that a client needs to show the experiment as it is now. Made a few times a second, shared as one `Arc`; a
//! client that comes late knows as much as one that was always there.

use super::command::{BatchLimits, BeadRole, DataMode, NewRoi};
use super::event::Event;
use super::health::{HealthView, LedgerView};
use super::refusal::Refusal;
use super::sweep::SweepRequest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The experiment now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows with each snapshot.
    pub revision: u64,
    /// UTC.
    pub time_utc_ns: i64,
    /// Scale and noise of the images.
    pub optics: crate::Optics,
    /// The camera.
    pub camera: CameraView,
    /// Side of ROIs.
    pub roi_size_px: u32,
    /// The beads, by id.
    pub beads: Vec<BeadView>,
    /// Id that the next bead gets.
    pub next_bead: u32,
    /// Tracking.
    pub tracking: TrackingView,
    /// The Z-LUT in use.
    pub zlut: Option<ZlutView>,
    /// Stages, in the order in which they were opened.
    pub stages: Vec<StageView>,
    /// Seconds until moves by clients are forbidden again; none: disarmed.
    pub armed_for_s: Option<f64>,
    /// Who holds everything that moves: `sweep`; none: nobody.
    pub held_by: Option<String>,
    /// The sweep.
    pub sweep: SweepView,
    /// The recording.
    pub recording: RecordingView,
    /// Every frame.
    pub ledger: LedgerView,
    /// Speed, delays, load.
    pub health: HealthView,
    /// Warnings that nobody has read, oldest first.
    pub warnings: Vec<Warning>,
    /// The last events, oldest first; at most 200.
    pub events: Vec<Event>,
}

impl Snapshot {
    /// Nothing is open.
    pub(crate) fn empty(optics: crate::Optics) -> Self {
        Self {
            revision: 0,
            time_utc_ns: 0,
            optics,
            camera: CameraView::default(),
            roi_size_px: 50,
            beads: Vec::new(),
            next_bead: 0,
            tracking: TrackingView {
                tracker: MethodView::default(),
                mode: DataMode::default(),
                processing: true,
                batch: BatchLimits { max_frames: 16, max_ms: 5.0 },
                n_bins: None,
                workers_busy: 0,
                workers: 0,
            },
            zlut: None,
            stages: Vec::new(),
            armed_for_s: None,
            held_by: None,
            sweep: SweepView::default(),
            recording: RecordingView::default(),
            ledger: LedgerView::default(),
            health: HealthView::default(),
            warnings: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// A warning that stays until it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// Id for [`super::EngineCommand::Acknowledge`]; the number of its first event.
    pub id: u64,
    /// How often it happened.
    pub count: u64,
    /// The newest such event.
    pub event: Event,
}

/// State of the camera.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraState {
    /// None is open.
    #[default]
    Closed,
    /// Open, standing.
    Open,
    /// Delivering frames.
    Running,
    /// It could not be opened or started, or broke down; the engine lives on.
    Failed(Refusal),
    /// Gone; it is looked for again and again.
    Lost(Refusal),
}

/// The camera.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CameraView {
    /// State.
    pub state: CameraState,
    /// Method id; empty: none chosen.
    pub method: String,
    /// Device.
    pub device: String,
    /// Isolated in a process of its own.
    pub isolated: bool,
    /// What it delivers.
    pub format: Option<FormatView>,
    /// Settings as read back.
    pub settings: Vec<SettingView>,
    /// How it behaved since it was started last.
    #[serde(default)]
    pub conduct: ConductView,
}

/// What was odd about a camera that no lost frame shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConductView {
    /// How often, by name as in the gap table: `duplicate_id`, `ids_went_back`, `came_late`, `disconnected`, `reconnected`.
    pub oddities: BTreeMap<String, u64>,
    /// Slots that it had not given back when it had stopped; they were taken back.
    pub slots_taken_back: u64,
    /// Slots that it still has although it did not come back: out of use until the camera is started anew.
    pub slots_lost: u64,
}

/// What a camera delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FormatView {
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Bytes of a pixel as trackers get it: 1 or 2.
    pub bytes_per_px: u32,
    /// Frames that a finite source has; none: endless or unknown.
    pub n_frames: Option<u64>,
    /// Slots of the ring, 0 before it is armed, and bytes of all of them.
    pub ring_slots: u32,
    /// Bytes.
    pub ring_bytes: u64,
}

/// One setting or parameter with its present value: enough for a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingView {
    /// Key.
    pub key: String,
    /// `int`, `float`, `bool`, `text` or `choice`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence.
    pub help: String,
    /// Unit; empty for a bare number.
    pub unit: String,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Step of a control.
    pub step: Option<f64>,
    /// Words of a choice.
    pub choices: Vec<String>,
    /// `basic` or `expert`.
    pub level: String,
    /// `live`, `idle` or `rearm`.
    pub change: String,
    /// What a change makes unusable: `zlut`, `geometry`.
    pub invalidates: Vec<String>,
    /// Default.
    pub default: serde_json::Value,
    /// Present value.
    pub value: serde_json::Value,
    /// False: only to be read.
    pub writable: bool,
}

/// A bead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeadView {
    /// Id.
    pub bead: u32,
    /// Top-left pixel of its ROI.
    pub roi: NewRoi,
    /// Role.
    pub role: BeadRole,
    /// Its newest row; none before it was tracked.
    pub newest: Option<NewestRow>,
    /// Flagged rows without a position, one after the other, up to now.
    pub lost_for_frames: u64,
}

/// What clients show of a row. NaN is null in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NewestRow {
    /// Frame.
    pub frame: u64,
    /// Position, as in the files.
    #[serde(with = "nan_as_null_one")]
    pub x_nm: f64,
    /// Position.
    #[serde(with = "nan_as_null_one")]
    pub y_nm: f64,
    /// Position.
    #[serde(with = "nan_as_null_one")]
    pub z_nm: f64,
    /// Standard error.
    #[serde(with = "nan_as_null_one")]
    pub sigma_x_nm: f64,
    /// Standard error.
    #[serde(with = "nan_as_null_one")]
    pub sigma_y_nm: f64,
    /// Standard error.
    #[serde(with = "nan_as_null_one")]
    pub sigma_z_nm: f64,
    /// 0 to 1, 1 is best.
    #[serde(with = "nan_as_null_one")]
    pub quality: f64,
    /// Flags.
    pub flags: u32,
}

/// A method in use.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MethodView {
    /// Id; empty: none.
    pub method: String,
    /// Version.
    pub version: String,
    /// Hash of its build.
    pub hash: String,
    /// Isolated in a process of its own.
    pub isolated: bool,
    /// Parameters.
    pub parameters: Vec<SettingView>,
}

/// Tracking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackingView {
    /// Tracker.
    pub tracker: MethodView,
    /// What is done with frames.
    pub mode: DataMode,
    /// Frames are processed.
    pub processing: bool,
    /// Bounds of a batch.
    pub batch: BatchLimits,
    /// Bins of profiles; none before the first worker.
    pub n_bins: Option<u32>,
    /// Workers at work now, and all.
    pub workers_busy: u32,
    /// All workers.
    pub workers: u32,
}

/// A Z-LUT in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZlutView {
    /// Its file; none for one of a sweep that was not saved.
    pub path: Option<PathBuf>,
    /// Strategy.
    pub strategy: MethodView,
    /// Only its bins could be checked.
    pub unchecked: bool,
    /// What differs without making it unusable.
    pub warnings: Vec<String>,
    /// Tables.
    pub tables: Vec<TableView>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableView {
    /// Bead; none: for any bead.
    pub bead: Option<u32>,
    /// Planes.
    pub n_planes: u32,
    /// Bins.
    pub n_bins: u32,
    /// Smallest z.
    pub z_min_nm: f64,
    /// Largest z.
    pub z_max_nm: f64,
    /// One line on its quality; empty: not known.
    pub verdict: String,
}

/// An axis of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AxisView {
    /// `focus`, `magnet_height`, `magnet_rotation`, `x`, `y`.
    pub role: String,
    /// Unit.
    pub unit: String,
    /// Hard limit.
    pub min: f64,
    /// Hard limit.
    pub max: f64,
    /// Bound of this session.
    pub window_min: f64,
    /// Bound of this session.
    pub window_max: f64,
    /// Largest step of one move.
    pub max_step: f64,
    /// Largest speed.
    pub max_speed_per_s: f64,
    /// Measured position; none before it was asked.
    pub position: Option<f64>,
    /// Where it was last sent.
    pub target: Option<f64>,
    /// It moves.
    pub moving: bool,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageView {
    /// Name.
    pub name: String,
    /// Method id.
    pub method: String,
    /// Why it cannot be used now; none: it can.
    pub failure: Option<Refusal>,
    /// Axes.
    pub axes: Vec<AxisView>,
}

/// Where a sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepPhase {
    /// None runs.
    #[default]
    Idle,
    /// The stage moves or settles.
    Moving,
    /// Frames are taken.
    Capturing,
    /// A step failed; resume or cancel.
    Paused,
    /// The stage returns to where it was.
    Returning,
    /// Tables are built.
    Building,
    /// Tables are there, to be saved, used or discarded.
    Done,
    /// It failed; the failure says why.
    Failed,
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SweepView {
    /// Where it is.
    pub phase: SweepPhase,
    /// What was asked for.
    pub request: Option<SweepRequest>,
    /// Steps done.
    pub steps_done: u32,
    /// Steps of all.
    pub steps: u32,
    /// Frames captured.
    pub frames_done: u32,
    /// Frames of all.
    pub frames: u32,
    /// Position now.
    pub focus_nm: Option<f64>,
    /// Beads in it.
    pub beads: Vec<u32>,
    /// Beads whose table was rejected, and why.
    pub rejected: Vec<(u32, String)>,
    /// Tables of a finished sweep.
    pub tables: Vec<TableView>,
    /// Why it paused or failed.
    pub failure: Option<Refusal>,
}

/// State of the recording.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Nothing is written.
    #[default]
    Off,
    /// Written.
    On,
    /// Being finalised.
    Finishing,
    /// Ended by a failure; what was written is kept.
    Failed(Refusal),
}

/// The recording.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RecordingView {
    /// State.
    pub state: RecordingState,
    /// Its folder; of the last one, if none is written.
    pub folder: Option<PathBuf>,
    /// First frame in it.
    pub from_frame: Option<u64>,
    /// Frames written.
    pub frames: u64,
    /// Rows written.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Part, from 0.
    pub part: u32,
    /// Room on its disk.
    pub disk_free_bytes: Option<u64>,
    /// Seconds until that is full, at the rate of now.
    pub disk_full_in_s: Option<f64>,
    /// Parts of the queue to the disk in use, 0 to 1, and the most so far.
    pub queue_level: f64,
    /// Most so far.
    pub queue_high_water: f64,
}

/// JSON has no NaN: one number.
pub(crate) mod nan_as_null_one {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
        (!v.is_nan()).then_some(*v).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

/// JSON has no NaN: a list of numbers.
pub(crate) mod nan_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(all: &[f64], s: S) -> Result<S::Ok, S::Error> {
        all.iter().map(|v| (!v.is_nan()).then_some(*v)).collect::<Vec<_>>().serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Option<f64>>::deserialize(d)?.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_z_reads_back_without_z() {
        let row = NewestRow {
            frame: 4,
            x_nm: 1.5,
            y_nm: 2.5,
            z_nm: f64::NAN,
            sigma_x_nm: 0.5,
            sigma_y_nm: 0.5,
            sigma_z_nm: f64::NAN,
            quality: f64::NAN,
            flags: 16,
        };
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains(r#""z_nm":null"#), "{text}");
        let back: NewestRow = serde_json::from_str(&text).unwrap();
        assert!(back.z_nm.is_nan() && back.x_nm == 1.5 && back.flags == 16);
    }
}
