//! Finds, probes and loads plugin libraries, and calls what they offer.
//!
//! A library goes through one road, [`Registry::scan`]: its file is read ([`inspect`](mod@inspect)), a child process
//! loads it first if its content is new ([`probe`](mod@probe)), then it is opened here, its layouts are compared, and
//! its components are listed. Nothing is ever unloaded. What a component does is reached through the safe wrappers
//! [`Tracker`], [`ZlutStrategy`], [`Camera`], [`Stage`] and [`BeadFinder`]; they check what comes back. Each runs in this
//! process (`direct`) or, if its library is isolated ([`IsolationOptions`]), in child processes (`child`); callers do not
//! know which.
//!
//! The crate knows no camera ring, no file format and no experiment.

mod camera;
mod child;
mod component;
mod crashes;
mod descriptor;
mod direct;
mod error;
mod finder;
mod group;
mod host;
mod in_call;
mod inspect;
mod isolation;
mod layout;
mod library;
mod method;
mod params;
mod probe;
mod registry;
mod search;
mod shared;
mod stage;
mod tracker;
mod zlut;

pub use camera::Camera;
pub use child::run_if_child;
pub use component::Component;
pub use crashes::{Crash, forgive};
pub use descriptor::{ComponentInfo, Isolation, ParamType, ParameterInfo};
pub use direct::{
    ArraySet, Axis, ChannelInfo, Device, FrameMemory, FrameTarget, LookupBuffers, NamedArray, RoiSet, SavedTable,
    SettingInfo, SettingsInfo, SweepData, TrackBuffers, TrackerStamp,
};
pub use error::{LoadError, LoadErrorKind, PluginError, STATUS_CRASHED, STATUS_DISABLED, STATUS_HUNG};
pub use finder::BeadFinder;
pub use group::{ProcessGroup, end_with_starter};
pub use host::{CancelToken, now_ns};
pub use isolation::IsolationOptions;
pub use method::MethodRef;
pub use params::ParamSet;
pub use registry::{Note, Refused, Registry};
pub use search::SearchOptions;
pub use shared::SharedRegion;
pub use stage::Stage;
pub use tracker::{Tracker, TrackerWorker};
pub use zlut::{Table, ZlutStrategy, ZlutWorker};

/// Types of the interface that callers of this crate need by name.
pub use tetherscope_plugin_api::abi;
pub use tetherscope_plugin_api::{CameraFormat, Fix, FrameInfo, Hit, Kind, ProfileLayout, Value, WorkerConfig};

/// Version of the plugin interface that this host offers.
pub fn host_version() -> semver::Version {
    semver::Version::new(abi::ABI_MAJOR.into(), abi::ABI_MINOR.into(), 0)
}
