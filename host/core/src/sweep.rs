//! From a sweep to tables, in two steps that know nothing of each other: *collect* (frames of a source, tracked and kept in
//! memory, [`collect_sweep`]) and *build* (tables from what lies in memory, [`build_tables`]). A sweep that is recorded live
//! pushes its ROIs into a [`Sweep`] by itself and builds from it in the same way.

mod build;
mod collect;
mod data;
mod held_out;
mod report;

pub use build::{BuiltTable, TableOptions, build_tables, judge_beads};
pub use collect::{SweepOptions, collect_sweep};
pub use data::{Sweep, SweepEntry, SweepPixels};
pub use report::{BiasReport, TableBias};
