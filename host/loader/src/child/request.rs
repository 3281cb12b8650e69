//! What a host asks of a child, and how parameters and errors cross: JSON, with numbers as bits where every bit counts.

use super::pod::{Pod, bytes_of, value_of};
use crate::component::Component;
use crate::error::PluginError;
use crate::library::{MAX_SENTENCE_CHARS, one_line};
use crate::params::ParamSet;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tetherscope_plugin_api::{Value, abi};

/// A request. Structs of the interface cross as their bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Opens the library, which must have this content.
    Load { path: PathBuf, hash: String },
    /// Makes the tracker.
    CreateTracker { index: u32, params: Vec<WireParam> },
    /// Makes its worker; gives the layout of its profiles.
    TrackerWorker { config: Vec<u8> },
    /// Maps the memory for batches.
    MapArena { path: PathBuf, bytes: usize, shape: super::arena::Shape },
    /// Explains the one ROI in the arena.
    ExplainTrack,
    /// Makes the strategy.
    CreateStrategy { index: u32, params: Vec<WireParam> },
    /// Makes its worker.
    ZlutWorker { config: Vec<u8>, layout: Vec<u8> },
    /// Builds a table from the sweep in a region, and gives its parts.
    Build(Box<WireSweep>),
    /// Loads a table from its parts, which follow as bytes.
    LoadTable { id: u64, parts: PartSizes, layout: Vec<u8>, config: Vec<u8> },
    /// Forgets tables.
    FreeTables { ids: Vec<u64> },
    /// Explains the one ROI in the arena.
    ExplainLookup,
    /// Makes the finder.
    CreateFinder { index: u32, params: Vec<WireParam> },
    /// Finds beads in the image in a region.
    Find { path: PathBuf, bytes: usize, w_px: u32, h_px: u32, pixel_format: u32, bits: u32, seed: Option<Vec<u8>> },
    /// Lists the devices of a camera or stage component.
    Enumerate { index: u32 },
    /// Opens a camera under a number of the host's.
    OpenCamera { index: u32, device: String, params: Vec<WireParam>, camera: u64 },
    /// Opens a stage under a number of the host's; gives its axes.
    OpenStage { index: u32, device: String, params: Vec<WireParam>, stage: u64 },
    /// A call of an open device.
    Device { device: u64, call: DeviceCall },
}

/// A call of an open camera or stage.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DeviceCall {
    Settings,
    Set {
        pairs: Vec<(String, String)>,
    },
    Format,
    Channels,
    /// Maps the slots of a camera that is about to start.
    Map {
        path: PathBuf,
        bytes: usize,
        offsets: Vec<u64>,
        slot_bytes: usize,
        lossless: bool,
    },
    Start,
    Poll {
        timeout_ns: u64,
    },
    Stop,
    Close,
    MoveTo {
        axis: u32,
        position: u64,
    },
    Position {
        axis: u32,
    },
    Moving {
        axis: u32,
    },
    Home {
        axis: u32,
    },
}

/// Numbers of values in the parts of a table, in the order in which they follow: z, profiles, variance, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct PartSizes {
    pub(crate) n_planes: usize,
    pub(crate) n_values: usize,
    pub(crate) n_variances: Option<usize>,
    pub(crate) n_bytes: Option<usize>,
}

/// A sweep: where its arrays lie in a region, and what cannot lie there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireSweep {
    pub(crate) path: PathBuf,
    pub(crate) bytes: usize,
    pub(crate) shape: super::arena::Shape,
    pub(crate) n_rois: usize,
    pub(crate) layout: Vec<u8>,
    pub(crate) config: Vec<u8>,
    pub(crate) tracker_id: String,
    pub(crate) tracker_version: String,
    pub(crate) tracker_params: Vec<WireParam>,
}

/// A parameter. A number crosses as its bits, so that a child computes with the very same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WireParam {
    key: String,
    value: WireValue,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum WireValue {
    Int(i64),
    FloatBits(u64),
    Bool(bool),
    Text(String),
    Choice(String),
}

/// Parameters as they cross.
pub(crate) fn to_wire(params: &ParamSet) -> Vec<WireParam> {
    let value = |v: &Value| match v {
        Value::Int(v) => WireValue::Int(*v),
        Value::Float(v) => WireValue::FloatBits(v.to_bits()),
        Value::Bool(v) => WireValue::Bool(*v),
        Value::Text(v) => WireValue::Text(v.clone()),
        Value::Choice(v) => WireValue::Choice(v.clone()),
    };
    params.iter().map(|(key, v)| WireParam { key: key.to_owned(), value: value(v) }).collect()
}

/// Parameters that crossed.
pub(crate) fn from_wire(params: Vec<WireParam>) -> ParamSet {
    let value = |v| match v {
        WireValue::Int(v) => Value::Int(v),
        WireValue::FloatBits(v) => Value::Float(f64::from_bits(v)),
        WireValue::Bool(v) => Value::Bool(v),
        WireValue::Text(v) => Value::Text(v),
        WireValue::Choice(v) => Value::Choice(v),
    };
    ParamSet::from_entries(params.into_iter().map(|p| (p.key, value(p.value))).collect())
}

/// A struct as it crosses.
pub(crate) fn pod<T: Pod>(value: &T) -> Vec<u8> {
    bytes_of(std::slice::from_ref(value)).to_vec()
}

/// A struct that crossed; the error says what came instead.
pub(crate) fn from_pod<T: Pod>(bytes: &[u8]) -> Result<T, String> {
    value_of(bytes).ok_or_else(|| format!("{} bytes came where {} were wanted", bytes.len(), size_of::<T>()))
}

/// A plugin's error as it crosses.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireError {
    function: String,
    status: abi::Status,
    message: String,
}

impl WireError {
    pub(crate) fn of(e: &PluginError) -> Self {
        Self { function: e.function.to_owned(), status: e.status, message: e.message.clone() }
    }

    /// The error of a request that makes no sense to the child.
    pub(crate) fn nonsense(message: impl Into<String>) -> Self {
        Self { function: String::new(), status: abi::STATUS_INTERNAL, message: message.into() }
    }

    /// As the host tells it. What a child claims is cut to a sentence, and only statuses of plugins are believed.
    pub(crate) fn told(self, component: &Component, asked: &'static str) -> PluginError {
        const FUNCTIONS: [&str; 6] = ["settings", "set", "format", "channels", "start", "stop"];
        let function = FUNCTIONS.into_iter().find(|f| *f == self.function).unwrap_or(asked);
        let status = if self.status > 0 { self.status } else { abi::STATUS_INTERNAL };
        component.error(function, status, one_line(&self.message, MAX_SENTENCE_CHARS))
    }
}
