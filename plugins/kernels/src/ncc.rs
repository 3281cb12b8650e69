//! Beads in a whole image: normalised cross-correlation with a template, the same with the best radially symmetric
//! template at each place, and the choice of the best places. No threshold is applied here; [`default_threshold`] only
//! proposes one. Off the live path, so [`Ncc`] and [`RadialScore`] allocate when they are made, not while they execute.
//!
//! Long work reports to a [`Watch`]: it is told the fraction done, several times a second, and may break off.

mod candidates;
mod local_symmetry;
mod radial_score;
mod template;
#[cfg(test)]
mod tests;
mod threshold;
mod tile_fft;
mod tiles;
mod windows;

pub use candidates::{Blocked, Candidate, pick_best, sub_pixel};
pub use local_symmetry::{LocalSymmetry, SymmetryCenter};
pub use radial_score::RadialScore;
pub use template::Ncc;
pub use threshold::default_threshold;

use crate::pixel::Pixel;
use std::ops::ControlFlow;

/// Hears the fraction that is done, 0 to 1, and answers whether to go on.
pub type Watch<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<()>;

/// What cameras deliver, `u8` or `u16`: sums over windows are then exact.
pub trait CameraPixel: Pixel + Into<u64> + Into<f64> {}

impl CameraPixel for u8 {}
impl CameraPixel for u16 {}

/// Mean of all pixels; taken away before transforms, which then lose fewer digits. No score depends on it.
fn mean<P: CameraPixel>(image: ndarray::ArrayView2<'_, P>) -> f64 {
    let sum: u64 = image.iter().map(|&p| -> u64 { p.into() }).sum();
    sum as f64 / image.len().max(1) as f64
}
