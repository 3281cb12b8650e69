//! Runs an experiment: frames from a camera plugin through trackers and Z-LUTs to rows.
//!
//! So far the offline run: a lossless source, every frame tracked, rows in order ([`run`](fn@run)). It owns the frames
//! ([`FrameSlots`]), the threads and the conversion from pixels to nanometres; it knows no widget, and files only
//! through `tetherscope-files`.

mod chain;
mod clock_fit;
pub mod control;
mod engine;
mod error;
mod find;
mod frame_clock;
mod isa;
mod ledger;
mod live_camera;
mod optics;
mod piece;
mod plan;
mod replay;
mod rerun;
pub mod rig;
mod ring;
mod rows;
mod run;
mod slots;
mod source;
mod stages;
mod sweep;
mod unpack;
mod zlut;

pub use clock_fit::{ClockFit, ClockModel, ClockReport};
pub use engine::{CommandSink, Engine, EngineOptions, LoggedCommand, ReplayLog};
pub use error::RunError;
pub use find::{Pixels, StillImage, find_beads, first_image, roi_round, rois_round};
pub use frame_clock::{FrameClock, FrameClockReport, FrameTime, HostUtc, TimeSource};
pub use isa::{ISA_BASELINE, ISA_VARIABLE, isa};
pub use ledger::{DropReason, Dropped, Ledger, LedgerSnapshot, OutOfBalance, StageCounts, StageSnapshot, Ticket};
pub use live_camera::{CameraEnd, CameraOptions, CameraState, LiveCamera, Reopen};
pub use optics::Optics;
pub use plan::{Plan, PlanOptions, Roi, Tables, ZlutPlan};
pub use replay::{ReplaySource, ReplayTiming};
pub use rerun::{RerunMethods, RerunOptions, RerunReport, rerun};
pub use ring::{
    CAMERA_STAGE, ConsumerWaker, Frame, GapKind, GapRecord, Next, Policy, Ring, RingOptions, RingStatus,
    SubscribeOptions, Subscription, available_memory_bytes,
};
pub use rows::RowMaker;
pub use run::{RunOptions, RunSummary, TrackedBatch, run};
pub use slots::{ArrivedFrame, FrameSlots};
pub use source::{FrameMeta, FrameSource};
pub use sweep::{
    BiasReport, BuiltTable, CollectedSweep, RecordedPlane, RecordedSweep, RecordedSweepOptions, Sweep, SweepEntry,
    SweepOptions, SweepPixels, TableBias, TableOptions, build_tables, collect_recorded_sweep, collect_sweep,
    judge_beads, recorded_sweeps,
};
pub use zlut::{LoadedZlut, load_zlut, zlut_settings};

/// What the program needs of the loader.
pub use tetherscope_loader as loader;
