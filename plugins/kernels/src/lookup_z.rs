//! Z of a bead: the plane of the Z-LUT whose profile correlates best, refined by a parabola.

use ndarray::{ArrayView1, ArrayView2, Axis};

use crate::error::KernelError;
use crate::isa::{Supported, Vectorised};
use crate::parabola::ParabolaFit;
use crate::pearson::{centered, mean_and_norm};

/// Planes whose bins lie side by side.
const BLOCK: usize = 8;

/// Planes that are correlated side by side in single precision.
const WIDE_BLOCK: usize = 32;

/// A Z-LUT made ready for looking up: every plane without its mean and of length one.
///
/// It never changes, so one table serves many workers. Bin 0 (the one or few pixels in the middle) is left out of the
/// correlation, of planes and profiles. Method: `lookup_z` of MagTrack 1.0.0.
#[derive(Debug, Clone)]
pub struct ZlutTable {
    z_nm: Vec<f64>,
    n_bins: usize,
    /// `[block][bin - 1][plane of the block]`; planes that are flat or only fill the block are NaN.
    planes: Vec<[f64; BLOCK]>,
    /// The same in single precision, to find the few planes that may be the best.
    wide_planes: Vec<[f32; WIDE_BLOCK]>,
}

/// How a look-up went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ZOutcome {
    /// z lies between two planes, from the parabola.
    #[default]
    Found,
    /// The table has fewer planes than the parabola needs: z is that of the best plane.
    CoarsePlane,
    /// The best plane lies so near an end of the table that no parabola fits, or its vertex lies outside.
    PeakAtEnd,
    /// The profile is flat or NaN: nothing correlates.
    NoCorrelation,
    /// There was no centre, hence no profile.
    NoCenter,
    /// There was no table.
    NoTable,
    /// The table belongs to profiles of another length.
    BinMismatch,
}

/// Z and how it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZEstimate {
    /// z in the unit of the table (nm); NaN when there is none.
    pub z_nm: f64,
    /// Pearson correlation with the best plane; NaN when nothing correlates.
    pub correlation: f64,
    /// How it went.
    pub outcome: ZOutcome,
}

impl ZEstimate {
    pub(crate) fn none(outcome: ZOutcome) -> ZEstimate {
        ZEstimate { z_nm: f64::NAN, correlation: f64::NAN, outcome }
    }
}

impl ZlutTable {
    /// Prepares a table: `z_nm[plane]` and `profiles[plane, bin]`.
    ///
    /// A NaN bin counts as equal to the mean of its plane; a flat plane is never found. Fails when there is no plane or
    /// fewer than 2 bins. Panics when the numbers of planes differ.
    pub fn new(z_nm: ArrayView1<'_, f64>, profiles: ArrayView2<'_, f64>) -> Result<ZlutTable, KernelError> {
        assert!(z_nm.len() == profiles.nrows(), "{} z values for {} planes", z_nm.len(), profiles.nrows());
        if z_nm.is_empty() {
            return Err(KernelError::OutOfRange { name: "n_planes", value: 0.0, allowed: "1 plane or more" });
        }
        let n_bins = profiles.ncols();
        if n_bins < 2 {
            let allowed = "2 bins or more";
            return Err(KernelError::OutOfRange { name: "n_bins", value: n_bins as f64, allowed });
        }
        let mut planes = vec![[f64::NAN; BLOCK]; z_nm.len().div_ceil(BLOCK) * (n_bins - 1)];
        let mut wide_planes = vec![[f32::NAN; WIDE_BLOCK]; z_nm.len().div_ceil(WIDE_BLOCK) * (n_bins - 1)];
        for (plane, profile) in profiles.axis_iter(Axis(0)).enumerate() {
            let used = profile.slice_move(ndarray::s![1..]);
            let (mean, norm) = mean_and_norm(used);
            let first = plane / BLOCK * (n_bins - 1);
            let wide_first = plane / WIDE_BLOCK * (n_bins - 1);
            for (bin, &value) in used.iter().enumerate() {
                let value = centered(value, mean) / norm;
                planes[first + bin][plane % BLOCK] = value;
                wide_planes[wide_first + bin][plane % WIDE_BLOCK] = value as f32;
            }
        }
        Ok(ZlutTable { z_nm: z_nm.to_vec(), n_bins, planes, wide_planes })
    }

    /// Length of the profiles, bin 0 included.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// Number of planes.
    pub fn n_planes(&self) -> usize {
        self.z_nm.len()
    }

    /// Looks up one radial profile.
    ///
    /// `scratch` has the length of the profile and is overwritten. A profile without a number that varies has no z; in a
    /// table too short for `fit` it gets plane 0, as in MagTrack, with [`ZOutcome::NoCorrelation`]. Fails when the
    /// profile has another length than the table.
    pub fn lookup_z(&self, profile: &[f64], fit: &ParabolaFit, scratch: &mut [f64]) -> Result<ZEstimate, KernelError> {
        if profile.len() != self.n_bins {
            return Err(KernelError::BinMismatch { n_bins_profile: profile.len(), n_bins_zlut: self.n_bins });
        }
        assert!(scratch.len() == profile.len(), "scratch of {}, profile of {}", scratch.len(), profile.len());
        let used = ArrayView1::from(&profile[1..]);
        let (mean, norm) = mean_and_norm(used);
        let scratch = &mut scratch[1..];
        for (to, &value) in scratch.iter_mut().zip(used) {
            *to = centered(value, mean);
        }
        let (plane, product) = self.best_plane(scratch, norm);
        let correlation = product / norm;
        let coarse = self.n_planes() < fit.n_local();
        let found = |z_nm, outcome| Ok(ZEstimate { z_nm, correlation, outcome });
        if !correlation.is_finite() {
            let z_nm = if coarse { self.z_nm[0] } else { f64::NAN };
            return Ok(ZEstimate { z_nm, correlation: f64::NAN, outcome: ZOutcome::NoCorrelation });
        }
        if coarse {
            return found(self.z_nm[plane], ZOutcome::CoarsePlane);
        }
        let Some((middle, first)) = fit.place(self.n_planes(), plane as f64) else {
            return found(f64::NAN, ZOutcome::PeakAtEnd);
        };
        let offset = fit.offset_of(|u| self.product(scratch, first + u));
        let z_nm = self.z_at(middle as f64 + offset);
        found(z_nm, if z_nm.is_nan() { ZOutcome::PeakAtEnd } else { ZOutcome::Found })
    }

    /// The first plane with the largest product, and the product; NaN when no plane has a number.
    fn best_plane(&self, centered: &[f64], norm: f64) -> (usize, f64) {
        Supported::best().run(BestPlane { table: self, centered, norm })
    }

    /// The product with one plane.
    #[inline(always)]
    fn product(&self, centered: &[f64], plane: usize) -> f64 {
        let first = plane / BLOCK * (self.n_bins - 1);
        let bins = &self.planes[first..first + self.n_bins - 1];
        centered.iter().zip(bins).map(|(value, planes)| value * planes[plane % BLOCK]).sum()
    }

    /// z between the planes; NaN outside the table.
    fn z_at(&self, plane: f64) -> f64 {
        let last = self.n_planes() - 1;
        if !(0.0..=last as f64).contains(&plane) {
            return f64::NAN;
        }
        let below = plane as usize;
        let (z, next) = (self.z_nm[below], self.z_nm[(below + 1).min(last)]);
        z + (plane - below as f64) * (next - z)
    }
}

struct BestPlane<'a> {
    table: &'a ZlutTable,
    centered: &'a [f64],
    norm: f64,
}

impl Vectorised for BestPlane<'_> {
    type Output = (usize, f64);

    /// Single precision rules out all planes but those within its rounding of the best: they are decided in double
    /// precision, in the order of the table.
    #[inline(always)]
    fn run(self) -> (usize, f64) {
        let BestPlane { table, centered, norm } = self;
        let n_bins = centered.len();
        // Both sides have length one, so the products of n bins add up to one at most: n + 3 roundings of 2^-24, for either
        // of two planes, with room to spare.
        let rounding = 2.5e-7 * (n_bins + 3) as f32;
        let scale = 1.0 / norm;
        let mut best = (0, f64::NAN);
        let mut largest = f32::NEG_INFINITY;
        for (block, bins) in table.wide_planes.chunks_exact(n_bins).enumerate() {
            let mut products = [0.0; WIDE_BLOCK];
            for (&value, planes) in centered.iter().zip(bins) {
                let value = (value * scale) as f32;
                for (product, plane) in products.iter_mut().zip(planes) {
                    *product += value * plane;
                }
            }
            let of_block = products.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            largest = largest.max(of_block);
            if of_block < largest - rounding {
                continue;
            }
            for (lane, product) in products.into_iter().enumerate() {
                if product >= largest - rounding {
                    let plane = block * WIDE_BLOCK + lane;
                    let product = table.product(centered, plane);
                    if product > best.1 || best.1.is_nan() && !product.is_nan() {
                        best = (plane, product);
                    }
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2};

    /// Rounding of a few dozen products of numbers of order one.
    const ROUNDING: f64 = 1e-9;

    fn table(n_planes: usize) -> (Array1<f64>, Array2<f64>) {
        let z = Array1::from_shape_fn(n_planes, |k| 100.0 * k as f64 - 500.0);
        let profiles = Array2::from_shape_fn((n_planes, 24), |(k, b)| (0.4 * b as f64 + 0.15 * k as f64).sin());
        (z, profiles)
    }

    #[test]
    fn brightness_and_contrast_do_not_move_z() {
        let (z, profiles) = table(21);
        let table = ZlutTable::new(z.view(), profiles.view()).unwrap();
        let fit = ParabolaFit::weighted(7).unwrap();
        let mut scratch = vec![0.0; 24];
        let profile: Vec<f64> = (0..24).map(|b| (0.4 * b as f64 + 1.53).sin()).collect();
        let z = table.lookup_z(&profile, &fit, &mut scratch).unwrap();
        assert_eq!(z.outcome, ZOutcome::Found);
        assert!((z.z_nm - 520.0).abs() < 5.0, "between planes 10 and 11: {z:?}");
        let brighter: Vec<f64> = profile.iter().map(|p| 30.0 + 12.0 * p).collect();
        let again = table.lookup_z(&brighter, &fit, &mut scratch).unwrap();
        assert!((again.z_nm - z.z_nm).abs() < ROUNDING);
    }

    #[test]
    fn what_cannot_be_looked_up_says_why() {
        let (z, profiles) = table(21);
        let table = ZlutTable::new(z.view(), profiles.view()).unwrap();
        let fit = ParabolaFit::weighted(7).unwrap();
        let mut scratch = vec![0.0; 24];
        let end = profiles.row(1).to_vec();
        assert_eq!(table.lookup_z(&end, &fit, &mut scratch).unwrap().outcome, ZOutcome::PeakAtEnd);
        for nothing in [vec![3.0; 24], vec![f64::NAN; 24]] {
            let z = table.lookup_z(&nothing, &fit, &mut scratch).unwrap();
            assert_eq!(z.outcome, ZOutcome::NoCorrelation);
            assert!(z.z_nm.is_nan() && z.correlation.is_nan());
        }
        let mismatch = table.lookup_z(&end[1..], &fit, &mut scratch[1..]);
        assert_eq!(mismatch, Err(KernelError::BinMismatch { n_bins_profile: 23, n_bins_zlut: 24 }));
    }

    #[test]
    fn a_flat_plane_does_not_spoil_the_others() {
        let (z, mut profiles) = table(21);
        profiles.row_mut(0).fill(5.0);
        let profile = profiles.row(12).to_vec();
        let table = ZlutTable::new(z.view(), profiles.view()).unwrap();
        let fit = ParabolaFit::weighted(5).unwrap();
        let found = table.lookup_z(&profile, &fit, &mut [0.0; 24]).unwrap();
        assert!((found.z_nm - z[12]).abs() < 2.0, "the parabola's bias is below 2 nm: {found:?}");
        assert!((found.correlation - 1.0).abs() < ROUNDING);
    }
}
