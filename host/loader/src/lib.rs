//! Finds, probes and loads plugin libraries, and calls what they offer.
//!
//! A library goes through one road, [`Registry::scan`]: its file is read ([`inspect`](mod@inspect)), a child process
//! loads it first if its content is new ([`probe`](mod@probe)), then it is opened here, its layouts are compared, and
//! its components are listed. Nothing is ever unloaded. What a component does is reached through the safe wrappers
//! [`Tracker`], [`ZlutStrategy`], [`Camera`], [`Stage`] and [`BeadFinder`]; they check what comes back.
//!
//! The crate knows no camera ring, no file format and no experiment.

mod descriptor;
mod direct;
mod error;
mod host;
mod inspect;
mod layout;
mod library;
mod method;
mod params;
mod probe;
mod registry;
mod search;
mod shared;

pub use descriptor::{ComponentInfo, Isolation, ParamType, ParameterInfo};
pub use direct::{
    ArraySet, Axis, BeadFinder, Camera, ChannelInfo, Device, FrameMemory, FrameTarget, LookupBuffers, NamedArray,
    RoiSet, SavedTable, SettingInfo, SettingsInfo, Stage, SweepData, Table, TrackBuffers, Tracker, TrackerStamp,
    TrackerWorker, ZlutStrategy, ZlutWorker,
};
pub use error::{LoadError, LoadErrorKind, PluginError};
pub use host::{CancelToken, now_ns};
pub use library::Component;
pub use method::MethodRef;
pub use params::ParamSet;
pub use probe::run_if_child;
pub use registry::{Note, Refused, Registry};
pub use search::SearchOptions;
pub use shared::SharedRegion;

/// Types of the interface that callers of this crate need by name.
pub use tetherscope_plugin_api::abi;
pub use tetherscope_plugin_api::{CameraFormat, Fix, FrameInfo, Hit, Kind, ProfileLayout, Value, WorkerConfig};

/// Version of the plugin interface that this host offers.
pub fn host_version() -> semver::Version {
    semver::Version::new(abi::ABI_MAJOR.into(), abi::ABI_MINOR.into(), 0)
}
