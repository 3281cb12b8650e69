//! The best that an image allows: x, y, z, gain and offset of a bead fitted together on its pixels.
//!
//! [`JointTemplate`] is made from the pixels of a sweep by [`JointBuilder`]: for every plane a smooth radial profile, a
//! cubic spline in r, and a cubic spline in z through the planes. It never changes. [`JointFitter`] is the scratch of one
//! caller: Gauss–Newton on all pixels of an image, each weighted by the inverse of its variance, with the full 5 × 5
//! normal equations, because rings cut by the border couple x and y to z. Method: maximum likelihood for normal noise with
//! a measured template, as in the fits of single molecules; B. Lansdorp, S. Tabrizi, A. Dittmore, O. Saleh, Rev. Sci.
//! Instrum. 84, 044301 (2013) and R. Ober, S. Ram, E. Ward, Biophys. J. 86, 1185 (2004) for the bound that it comes near.

mod build;
mod fit;
mod lookup;
mod pass;
mod radial_spline;
mod solve;
mod template;
#[cfg(test)]
mod tests;

pub use build::{JointBuilder, SweepFrame};
pub use fit::{JointFit, JointFitter, JointOptions, JointOutcome, JointStart};
pub use lookup::JointLookup;
pub use template::{JointTemplate, JointTemplateError};
