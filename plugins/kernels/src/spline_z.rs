//! Z of a bead from its radial profile: a cubic spline in z for every radial bin, and Gauss–Newton on it.
//!
//! [`SplineTable`] is made from the planes of a Z-LUT, smoothed along z and r as far as their variance asks for, and never
//! changes.
//! [`SplineLookup`] is the scratch of one caller. The profile is taken as `gain * S(z) + offset`; gain and offset are solved
//! with z, so brightness and contrast move nothing. Source: weighted least squares on a spline Z-LUT, as in the tracking
//! code of D. T. Kovari (2019); the choice of the smoothing is Mallows' criterion on Reinsch's spline.

mod coarse;
pub(crate) mod cubic;
mod frames;
mod lookup;
pub(crate) mod plane_spacing;
mod radial_smoother;
pub(crate) mod smoother;
mod table;
#[cfg(test)]
mod tests;

pub use frames::{append_mean_profile, known_weights, mean_and_variance};
pub use lookup::{SplineFit, SplineLookup, SplineOptions, SplineOutcome};
pub use table::{BinGeometry, SplineTable, SplineTableError};
