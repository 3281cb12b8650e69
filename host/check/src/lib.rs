//! The conformance suite: what a tracker, Z-LUT strategy, camera, stage or bead finder must do to be trusted with an
//! experiment, as named checks.
//!
//! Each check of each component runs in a process of its own with a time limit, so that a crash or a hang is an outcome
//! like any other. The same executable is the child: `main` calls [`run_if_child`] right after the loader's. Nothing is
//! printed here, and nothing is measured: speed is no conformance.

mod camera;
mod checks;
mod child;
mod finder;
mod outcome;
mod params;
mod picture;
mod raw;
mod rows;
mod runner;
mod settings;
mod slots;
mod stage;
mod subject;
mod tracker;
mod zlut;

pub use checks::{Check, all, find, of_kind};
pub use child::run_if_child;
pub use outcome::Outcome;
pub use runner::{Finding, Mode, Options, check_component};
