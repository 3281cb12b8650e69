//! The numerics of bead tracking as plain functions: views in, numbers out.
//!
//! This crate knows no plugin, no host, no file and no thread. An image is an [`ndarray::ArrayView2`] of [`Pixel`]s,
//! `[y, x]`, of any stride: a ROI of a camera frame is a slice of it, never a copy. Coordinates are ROI coordinates in
//! pixels, (0, 0) in the middle of the top-left pixel, x to the right, y down. Whatever cannot be had is NaN, for that
//! image alone, and an [`Outcome`] or [`ZOutcome`] beside it says why.
//!
//! A method that needs plans or scratch is a worker: made once for one image size, it owns them, and executing it
//! allocates nothing. Give each thread its own worker. A [`ZlutTable`] never changes and is shared.
//!
//! ```
//! use ndarray::{Array2, ArrayView2};
//! use tetherscope_kernels::{MagtrackChain, MagtrackOptions, Outcome};
//!
//! let frame = Array2::from_shape_fn((480, 640), |(i, j)| {
//!     let r = (i as f64 - 200.5).hypot(j as f64 - 300.25);
//!     (128.0 + 100.0 * (0.5 * r).cos() * (-0.01 * r * r).exp()) as u8
//! });
//! let mut chain = MagtrackChain::new(64, &MagtrackOptions::default())?;
//! let mut profile = vec![0.0; chain.n_bins()];
//! let roi: ArrayView2<u8> = frame.slice(ndarray::s![168..232, 268..332]);
//! let bead = chain.execute(roi, None, &mut profile);
//! assert_eq!(bead.outcome, Outcome::Found);
//! assert!((bead.x_px - 32.25).abs() < 0.05 && (bead.y_px - 32.5).abs() < 0.05);
//! # Ok::<(), tetherscope_kernels::KernelError>(())
//! ```
//!
//! Where the methods come from MagTrack, they repeat its arithmetic; the deliberate differences are listed in
//! `docs/magtrack-deviations.md`.
#![warn(missing_docs)]

mod auto_conv;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod binmean;
mod center_of_mass;
mod clipped_com;
mod crop;
mod error;
mod fft_profile;
mod gaussian;
#[cfg(test)]
mod hard_set;
mod isa;
mod joint;
mod lines;
mod lookup_z;
mod magtrack_chain;
mod median;
mod ncc;
mod noise_model;
mod outcome;
mod parabola;
mod pearson;
mod pixel;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod properties;
mod quadrant;
mod quadrant_chain;
mod radial_profile;
mod radial_symmetry;
mod ring_profile;
mod saturation;
mod self_convolution;
mod spline_z;
#[cfg(test)]
mod test_beads;
#[cfg(test)]
mod test_images;
mod three_point_parabola;

pub mod optics;

pub use auto_conv::{AutoConv, n_side_lines};
pub use binmean::binmean;
pub use center_of_mass::{Background, CenterOfMass};
pub use clipped_com::ClippedCom;
pub use crop::{RoiBounds, crop_stack_to_rois};
pub use error::KernelError;
pub use fft_profile::{FftProfile, FftProfileOptions};
pub use gaussian::{gaussian, gaussian_2d};
pub use isa::Isa;
pub use joint::{
    JointBuilder, JointFit, JointFitter, JointLookup, JointOptions, JointOutcome, JointStart, JointTemplate,
    JointTemplateError, SweepFrame,
};
pub use lookup_z::{ZEstimate, ZOutcome, ZlutTable};
pub use magtrack_chain::{ChainResult, MagtrackChain, MagtrackOptions, ProfileKind};
pub use ncc::{
    Blocked, CameraPixel, Candidate, LocalSymmetry, Ncc, RadialScore, SymmetryCenter, Watch, default_threshold,
    pick_best, sub_pixel,
};
pub use noise_model::{NoiseModel, VarianceLine};
pub use outcome::{Center, Outcome};
pub use parabola::{ParabolaFit, parabolic_vertex};
pub use pearson::pearson;
pub use pixel::Pixel;
pub use quadrant::{Quadrant, QuadrantFit, QuadrantOptions};
pub use quadrant_chain::QuadrantChain;
pub use radial_profile::{RadialProfile, radial_profile_bins};
pub use radial_symmetry::{RadialSymmetry, RadialSymmetryFit, RadialSymmetryOptions};
pub use ring_profile::RingProfile;
pub use saturation::is_saturated;
pub use spline_z::{
    BinGeometry, SplineFit, SplineLookup, SplineOptions, SplineOutcome, SplineTable, SplineTableError,
    append_mean_profile, known_weights, mean_and_variance,
};
pub use three_point_parabola::ThreePointParabola;
