//! Safe wrappers over the function tables of plugins that run in this process. They keep the order of calls, give out
//! only memory that is large enough, and check what comes back.

mod camera;
mod finder;
mod rois;
mod stage;
mod tracker;
mod zlut;

pub use camera::{Camera, ChannelInfo, Device, FrameTarget, SettingInfo, SettingsInfo};
pub use finder::BeadFinder;
pub use rois::{ArraySet, FrameMemory, NamedArray, RoiSet};
pub use stage::{Axis, Stage};
pub use tracker::{TrackBuffers, Tracker, TrackerWorker};
pub use zlut::{LookupBuffers, SavedTable, SweepData, Table, TrackerStamp, ZlutStrategy, ZlutWorker};

use crate::library::Component;
use tetherscope_plugin_api::Kind;

/// The first function that a component's table must have and lacks.
///
/// # Safety
/// The component's table must be of the type that its kind names.
#[allow(unsafe_code)]
pub(crate) unsafe fn missing_function(component: &Component) -> Option<&'static str> {
    macro_rules! missing {
        ($table:ty: $($field:ident),+) => {{
            // SAFETY: passed on from the caller.
            let table: $table = unsafe { component.table() };
            [$((table.$field.is_none(), stringify!($field))),+].into_iter().find(|(gone, _)| *gone).map(|(_, name)| name)
        }};
    }
    use tetherscope_plugin_api::abi;
    match component.info.kind {
        Kind::Tracker => missing!(abi::TrackerTable: create, destroy, worker, free_worker, track),
        Kind::Zlut => {
            missing!(abi::ZlutStrategyTable: create, destroy, build, load, save, free_table, worker, free_worker, lookup)
        }
        Kind::Camera => missing!(abi::CameraTable: enumerate, open, close, settings, set, format, start, poll, stop),
        Kind::Stage => missing!(abi::StageTable: enumerate, open, close, axes, move_to, position, moving, stop),
        Kind::Finder => missing!(abi::FinderTable: create, destroy, find),
    }
}
