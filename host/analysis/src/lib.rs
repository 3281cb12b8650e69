//! What measurements are worth: the physical limit of a position (Cramér–Rao), the bias of a Z-LUT on frames that it was not
//! made from, the quality of the beads of a sweep.
//!
//! Plain numbers in, plain numbers out: nothing here loads a plugin, reads a file, or makes a thread. Images come from
//! `tetherscope-kernels`.
#![warn(missing_docs)]

mod bead_quality;
mod bias_map;
mod canvas;
mod cramer_rao;
mod matrix;
mod statistics;

pub use bead_quality::{BeadProfiles, BeadQuality, bead_qualities};
pub use bias_map::{
    Ambiguity, BIAS_MAP_VERSION, BetweenPlanes, BiasMap, Grade, HeldOut, HeldOutScheme, LookedUp, PlaneBias, Verdict,
    bias_map,
};
pub use canvas::{Canvas, LETTER_PX, LINE_PX, TEXT_PX};
pub use cramer_rao::{Bound, Brightness, CameraNoise, bound_of_bead, cramer_rao_bound};
