//! A safe Rust layer over [`crate::abi`]: traits to implement, views to read, and [`crate::export_plugin!`].
//!
//! Every function that the host calls is wrapped in a guard: an error becomes a status and a sentence, a panic becomes
//! [`crate::abi::STATUS_PANICKED`] with its message, and the next call works.

mod batch;
mod camera;
mod error;
mod export;
mod finder;
mod guard;
mod host;
mod json;
mod layout;
mod params;
mod schema;
mod stage;
mod tracker;
mod values;
mod zlut;

pub use batch::{Roi, RoiBatch, RoisInImage};
pub use camera::{Camera, Channel, Device, FrameSink, Setting, Settings, Slot};
pub use error::{Error, Result};
pub use export::{Component, Library, LibraryContext, entry, library_table};
pub use finder::{BeadFinder, FindJob};
pub use guard::NamedArrays;
pub use host::HostHandle;
pub use layout::{FROZEN_NAMES, FROZEN_SIZES};
#[cfg(feature = "layout-check")]
pub use layout::{LAYOUT_CHECK, LayoutCheck, LayoutFn};
pub use params::{ParamValues, Value};
pub use schema::{Change, Descriptor, Invalidates, Isolation, Kind, Level, Parameter};
pub use stage::{Axis, Stage};
pub use tracker::{TrackRow, TrackRows, Tracker, TrackerWorker};
pub use zlut::{LookupRow, LookupRows, SavedTable, SavedTableView, SweepView, ZlutStrategy, ZlutWorker};

pub use crate::abi::{CameraFormat, Fix, FrameInfo, Hit, ProfileLayout, WorkerConfig};
