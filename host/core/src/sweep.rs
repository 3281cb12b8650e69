//! From a sweep to tables, in two steps that know nothing of each other: *collect* (frames of a source, tracked and kept in
//! memory, [`collect_sweep`]) and *build* (tables from what lies in memory, [`build_tables`]). A sweep that is recorded live
//! pushes its ROIs into a [`Sweep`] by itself and builds from it in the same way; out of a recording it comes by
//! [`collect_recorded_sweep`].

mod build;
mod collect;
mod data;
mod held_out;
mod recorded;
mod report;

pub use build::{BuiltTable, TableOptions, build_tables, judge_beads};
pub use collect::{SweepOptions, collect_sweep};
pub use data::{Sweep, SweepEntry, SweepPixels};
pub use recorded::{
    CollectedSweep, RecordedPlane, RecordedSweep, RecordedSweepOptions, collect_recorded_sweep, recorded_sweeps,
};
pub use report::{BiasReport, TableBias};
