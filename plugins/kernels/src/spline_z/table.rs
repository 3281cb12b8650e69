//! A Z-LUT as splines: for every radial bin, value and slope at every plane. Immutable; knows nothing of a single profile.

use std::fmt;

use super::coarse::CoarsePlanes;
use super::cubic::{Hermite, interval_of, not_a_knot_slopes};
use super::plane_spacing::{PlaneSpacing, Planes};
use super::radial_smoother::smooth_along_radius;
use super::smoother::Smoother;

/// Numbers handled side by side; rows of a table are padded to a multiple of it.
pub(super) const LANES: usize = 4;

/// Most focus values that a message names.
const MAX_NAMED: usize = 6;

/// Fewest planes in which a bin must have a number to take part.
const LEAST_PLANES_OF_A_BIN: usize = 4;

/// Bins of a pixel from which on planes are smoothed along the radius.
const FINE_BINS_PER_PX: usize = 4;

/// Where the bins of a profile lie, for their areas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BinGeometry {
    /// Rings: radius of the middle of bin 0 and from one middle to the next, pixels.
    Radial {
        /// Middle of bin 0.
        first_radius_px: f64,
        /// From one middle to the next.
        step_px: f64,
    },
    /// Anything else (a spectrum, a method's own): bins count alike.
    Equal,
}

impl BinGeometry {
    /// Pixels in bin `b` of a bead whose rings all lie in the image; 1 for bins that are no rings.
    pub fn area(&self, b: usize) -> f64 {
        match *self {
            BinGeometry::Equal => 1.0,
            BinGeometry::Radial { first_radius_px, step_px } => {
                let middle = first_radius_px + b as f64 * step_px;
                let (inner, outer) = ((middle - step_px / 2.0).max(0.0), (middle + step_px / 2.0).max(0.0));
                std::f64::consts::PI * (outer * outer - inner * inner)
            }
        }
    }

    /// Bins that together are about a pixel wide.
    pub(super) fn bins_per_px(&self) -> usize {
        match *self {
            BinGeometry::Equal => 1,
            BinGeometry::Radial { step_px, .. } => (1.0 / step_px).round().clamp(1.0, 64.0) as usize,
        }
    }
}

/// Why a table cannot be made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SplineTableError {
    /// Fewer planes than a spline needs (4), or fewer bins than a fit needs (4).
    TooSmall {
        /// Number of planes.
        n_planes: usize,
        /// Number of bins.
        n_bins: usize,
    },
    /// Values or variances are not one per plane and bin.
    WrongLength {
        /// Numbers that were given.
        n_given: usize,
        /// Numbers that were needed.
        n_needed: usize,
    },
    /// Focus positions are not finite or do not rise.
    PlanesDoNotRise {
        /// The first plane at fault.
        plane: usize,
    },
    /// A value is infinite.
    InfiniteValue {
        /// Plane of the value.
        plane: usize,
        /// Bin of the value.
        bin: usize,
    },
    /// Too few bins have numbers in enough planes.
    EmptyBins {
        /// Bins that could be used.
        n_usable: usize,
    },
    /// There are planes in which no frame of the sweep was tracked.
    LostPlanes {
        /// Their focus positions.
        lost_nm: Vec<f64>,
        /// Planes of the sweep.
        n_planes: usize,
    },
}

impl fmt::Display for SplineTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall { n_planes, n_bins } => write!(
                f,
                "the Z-LUT has {n_planes} planes of {n_bins} bins\na spline needs 4 planes, a fit 4 bins\nrecord more focus positions"
            ),
            Self::LostPlanes { lost_nm, n_planes } => {
                let mut named: Vec<String> = lost_nm.iter().take(MAX_NAMED).map(|z| format!("{z} nm")).collect();
                if lost_nm.len() > MAX_NAMED {
                    named.push(format!("{} more", lost_nm.len() - MAX_NAMED));
                }
                write!(
                    f,
                    "no frame could be tracked in {} of {n_planes} planes: {}\na plane needs one tracked frame or \
                     more\nshorten the sweep, centre the bead in its ROI, or record more frames per plane",
                    lost_nm.len(),
                    named.join(", ")
                )
            }
            Self::WrongLength { n_given, n_needed } => write!(
                f,
                "the Z-LUT has {n_given} values\nits planes and bins need {n_needed}\nrecord the Z-LUT again, or load another file"
            ),
            Self::PlanesDoNotRise { plane } => write!(
                f,
                "z of plane {plane} is no number above the one before\nz must rise from plane to plane\nrecord the Z-LUT again, or load another file"
            ),
            Self::InfiniteValue { plane, bin } => write!(
                f,
                "bin {bin} of plane {plane} is infinite\nthe table is damaged\nrecord the Z-LUT again, or load another file"
            ),
            Self::EmptyBins { n_usable } => write!(
                f,
                "only {n_usable} bins have numbers in 4 planes or more\na fit needs 4 such bins\nrecord the sweep again with the bead inside its ROI"
            ),
        }
    }
}

impl std::error::Error for SplineTableError {}

/// A Z-LUT made ready for [`SplineLookup`](super::SplineLookup).
#[derive(Debug, Clone)]
pub struct SplineTable {
    pub(super) z_nm: Vec<f64>,
    pub(super) n_bins: usize,
    /// Bins of a row, with padding; what pads is NaN.
    pub(super) n_padded: usize,
    /// `[plane][bin]`: value and slope per nm; NaN where a bin has none.
    pub(super) values: Vec<f64>,
    pub(super) slopes: Vec<f64>,
    /// Pixels per bin that stand in where a profile comes without.
    pub(super) areas: Vec<f64>,
    /// Variance of the splines from the scatter of the sweep, per bin, ADU²; 0 where nothing is known.
    pub(super) noise: Vec<f64>,
    pub(super) mean_adu: f64,
    pub(super) coarse: CoarsePlanes,
    spacing: PlaneSpacing,
}

impl SplineTable {
    /// Makes splines of `profiles` (`[plane × bin]`, NaN where a bin is empty) at rising `z_nm`.
    ///
    /// `variance` (of `profiles`, same shape; may be empty, NaN where unknown) says how far to smooth along z: of each bin
    /// the mean over its planes counts. Of a bin without any it is estimated from how the planes scatter about a smooth
    /// curve; and where nothing at all is known, one frame a plane, quarter-pixel bins are smoothed along the radius too:
    /// noise in the slopes of the splines would pull z about. A bin that is empty in a single plane between two others is
    /// filled by its spline; elsewhere it takes no part. Fails when sizes do not fit, for fewer than 4 planes or bins, for z that does not rise
    /// and for infinite values.
    pub fn new(
        z_nm: &[f64],
        profiles: &[f64],
        variance: &[f64],
        geometry: &BinGeometry,
    ) -> Result<SplineTable, SplineTableError> {
        let n_planes = z_nm.len();
        let n_bins = profiles.len().checked_div(n_planes).unwrap_or(0);
        if n_planes < LEAST_PLANES_OF_A_BIN || n_bins < 4 {
            return Err(SplineTableError::TooSmall { n_planes, n_bins });
        }
        let n_needed = n_planes * n_bins;
        for n_given in [profiles.len(), variance.len()] {
            if n_given != n_needed && n_given != 0 {
                return Err(SplineTableError::WrongLength { n_given, n_needed });
            }
        }
        let rises = |k: usize| z_nm[k].is_finite() && (k == 0 || z_nm[k] > z_nm[k - 1]);
        if let Some(plane) = (0..n_planes).find(|&k| !rises(k)) {
            return Err(SplineTableError::PlanesDoNotRise { plane });
        }
        if let Some(i) = profiles.iter().position(|p| p.is_infinite()) {
            return Err(SplineTableError::InfiniteValue { plane: i / n_bins, bin: i % n_bins });
        }
        let mut smooth = profiles.to_vec();
        let mut noise = smooth_bins(z_nm, &mut smooth, variance, n_bins);
        // Several frames a plane have little noise to smooth. Wider bins may be a large part of a fringe.
        if variance.iter().all(|v| v.is_nan()) && geometry.bins_per_px() >= FINE_BINS_PER_PX {
            smooth_along_radius(&mut smooth, n_bins, &mut noise, |b| geometry.area(b));
        }
        let n_padded = n_bins.next_multiple_of(LANES);
        let mut values = vec![f64::NAN; n_planes * n_padded];
        let mut slopes = values.clone();
        let mut n_usable = 0;
        for b in 0..n_bins {
            let column: Vec<f64> = (0..n_planes).map(|k| smooth[k * n_bins + b]).collect();
            let Some((filled, column_slopes)) = spline_of(z_nm, &column) else { continue };
            n_usable += 1;
            for k in 0..n_planes {
                values[k * n_padded + b] = filled[k];
                slopes[k * n_padded + b] = column_slopes[k];
            }
        }
        if n_usable < 4 {
            return Err(SplineTableError::EmptyBins { n_usable });
        }
        let finite: Vec<f64> = smooth.iter().copied().filter(|v| v.is_finite()).collect();
        let mut areas: Vec<f64> = (0..n_bins).map(|b| geometry.area(b)).collect();
        areas.resize(n_padded, 0.0);
        noise.resize(n_padded, 0.0);
        let mean_adu = finite.iter().sum::<f64>() / finite.len() as f64;
        let planes = Planes { z_nm, values: &values, slopes: &slopes, stride: n_padded, areas: &areas, mean_adu };
        let spacing = PlaneSpacing::new(&planes);
        Ok(SplineTable {
            z_nm: z_nm.to_vec(),
            n_bins,
            n_padded,
            values,
            slopes,
            areas,
            noise,
            mean_adu,
            coarse: CoarsePlanes::new(&smooth, n_bins, geometry),
            spacing,
        })
    }

    /// Length of the profiles.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// Focus position of each plane.
    pub fn z_nm(&self) -> &[f64] {
        &self.z_nm
    }

    /// The profile that the splines have at `z_nm`, into `profile` ([`Self::n_bins`] numbers); NaN where a bin has none.
    pub fn profile_at(&self, z_nm: f64, profile: &mut [f64]) {
        assert!(profile.len() == self.n_bins, "room for {} bins, the table has {}", profile.len(), self.n_bins);
        let (hermite, ends) = self.piece(z_nm);
        for (b, to) in profile.iter_mut().enumerate() {
            *to = hermite.apply(ends.map(|row| row[b])).0;
        }
    }

    /// What the splines err by between the planes about `z_nm`, rms.
    pub(crate) fn spacing_error_nm(&self, z_nm: f64) -> f64 {
        self.spacing.error_nm(interval_of(&self.z_nm, z_nm))
    }

    /// The cubic at `z_nm` and the rows it is made of: left values and slopes, right values and slopes.
    #[inline]
    pub(super) fn piece(&self, z_nm: f64) -> (Hermite, [&[f64]; 4]) {
        let k = interval_of(&self.z_nm, z_nm);
        let row = |k: usize| k * self.n_padded..(k + 1) * self.n_padded;
        let ends = [&self.values[row(k)], &self.slopes[row(k)], &self.values[row(k + 1)], &self.slopes[row(k + 1)]];
        (Hermite::at(self.z_nm[k], self.z_nm[k + 1], z_nm), ends)
    }
}

/// Smooths every bin along z in place, by the mean of its variances, or by their estimate where there are none. Bins with
/// gaps are smoothed one by one over the planes that they have. The variance of what is left, per bin.
fn smooth_bins(z_nm: &[f64], profiles: &mut [f64], variance: &[f64], n_bins: usize) -> Vec<f64> {
    let mut noise = vec![0.0; n_bins];
    let n_planes = z_nm.len();
    let column = |of: &[f64], b: usize| -> Vec<f64> { (0..n_planes).map(|k| of[k * n_bins + b]).collect() };
    let stated = |b: usize| {
        let planes = if variance.is_empty() { Vec::new() } else { column(variance, b) };
        let known: Vec<f64> = planes.into_iter().filter(|v| v.is_finite()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    let mut smooth = |knots: &[f64], values: &mut [f64], bins: &[usize]| {
        let smoother = Smoother::new(knots);
        let mut variances: Vec<f64> = bins.iter().map(|&b| stated(b)).collect();
        if variances.iter().any(|v| v.is_nan()) {
            let estimates = smoother.estimate_variance(values, bins.len());
            let missing = variances.iter_mut().zip(estimates).filter(|(v, _)| v.is_nan());
            missing.for_each(|(variance, estimate)| *variance = estimate);
        }
        let left = smoother.smooth(values, bins.len(), &variances);
        for ((&b, left), variance) in bins.iter().zip(left).zip(variances) {
            noise[b] = if variance.is_finite() { left * variance } else { 0.0 };
        }
    };
    let (whole, gappy): (Vec<usize>, Vec<usize>) =
        (0..n_bins).partition(|&b| column(profiles, b).iter().all(|v| v.is_finite()));
    let mut values: Vec<f64> =
        (0..n_planes).flat_map(|k| whole.iter().map(move |&b| (k, b))).map(|(k, b)| profiles[k * n_bins + b]).collect();
    smooth(z_nm, &mut values, &whole);
    for (i, value) in values.into_iter().enumerate() {
        profiles[i / whole.len() * n_bins + whole[i % whole.len()]] = value;
    }
    for b in gappy {
        let planes: Vec<usize> = (0..n_planes).filter(|&k| profiles[k * n_bins + b].is_finite()).collect();
        if planes.len() < LEAST_PLANES_OF_A_BIN {
            continue;
        }
        let knots: Vec<f64> = planes.iter().map(|&k| z_nm[k]).collect();
        let mut values: Vec<f64> = planes.iter().map(|&k| profiles[k * n_bins + b]).collect();
        smooth(&knots, &mut values, &[b]);
        planes.iter().zip(values).for_each(|(&k, v)| profiles[k * n_bins + b] = v);
    }
    noise
}

/// Values and slopes of one bin at all planes; a gap of one plane is filled, longer ones and the ends stay NaN. None with
/// fewer than 4 numbers.
fn spline_of(z_nm: &[f64], column: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let planes: Vec<usize> = (0..column.len()).filter(|&k| column[k].is_finite()).collect();
    if planes.len() < LEAST_PLANES_OF_A_BIN {
        return None;
    }
    let knots: Vec<f64> = planes.iter().map(|&k| z_nm[k]).collect();
    let known: Vec<f64> = planes.iter().map(|&k| column[k]).collect();
    let mut known_slopes = vec![0.0; known.len()];
    not_a_knot_slopes(&knots, &known, &mut known_slopes);
    let (mut values, mut slopes) = (column.to_vec(), vec![f64::NAN; column.len()]);
    planes.iter().zip(&known_slopes).for_each(|(&k, &s)| slopes[k] = s);
    for (i, pair) in planes.windows(2).enumerate() {
        if pair[1] == pair[0] + 2 {
            let k = pair[0] + 1;
            let hermite = Hermite::at(knots[i], knots[i + 1], z_nm[k]);
            (values[k], slopes[k]) = hermite.apply([known[i], known_slopes[i], known[i + 1], known_slopes[i + 1]]);
        }
    }
    Some((values, slopes))
}
