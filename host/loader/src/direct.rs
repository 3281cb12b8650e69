//! Safe wrappers over the function tables of plugins that run in this process. They keep the order of calls, give out
//! only memory that is large enough, and check what comes back.

mod camera;
mod finder;
mod rois;
mod stage;
mod tracker;
mod zlut;

pub(crate) use camera::{Camera, check_format};
pub use camera::{ChannelInfo, Device, FrameTarget, SettingInfo, SettingsInfo};
pub(crate) use finder::{BeadFinder, MAX_HITS, check_hits};
pub use rois::{ArraySet, FrameMemory, NamedArray, RoiSet};
pub use stage::Axis;
pub(crate) use stage::{Stage, axis_of, check_axes, check_move};
pub use tracker::TrackBuffers;
pub(crate) use tracker::{Tracker, TrackerWorker, check as check_fix, check_layout};
pub use zlut::{LookupBuffers, SavedTable, SweepData, TrackerStamp};
pub(crate) use zlut::{Table, ZlutStrategy, ZlutWorker};

use tetherscope_plugin_api::Kind;

/// The first function that a component's table must have and lacks.
///
/// # Safety
/// The table must be of the type that the kind names.
#[allow(unsafe_code)]
pub(crate) unsafe fn missing_function(kind: Kind, table: *const std::ffi::c_void) -> Option<&'static str> {
    macro_rules! missing {
        ($table:ty: $($field:ident),+) => {{
            // SAFETY: passed on from the caller.
            let table: $table = unsafe { crate::library::copy_table(table) };
            [$((table.$field.is_none(), stringify!($field))),+].into_iter().find(|(gone, _)| *gone).map(|(_, name)| name)
        }};
    }
    use tetherscope_plugin_api::abi;
    match kind {
        Kind::Tracker => missing!(abi::TrackerTable: create, destroy, worker, free_worker, track),
        Kind::Zlut => {
            missing!(abi::ZlutStrategyTable: create, destroy, build, load, save, free_table, worker, free_worker, lookup)
        }
        Kind::Camera => missing!(abi::CameraTable: enumerate, open, close, settings, set, format, start, poll, stop),
        Kind::Stage => missing!(abi::StageTable: enumerate, open, close, axes, move_to, position, moving, stop),
        Kind::Finder => missing!(abi::FinderTable: create, destroy, find),
    }
}
