//! The fit: z, gain and offset of one profile by Gauss–Newton, every bin weighted by its pixels over their variance.
//! Allocates nothing once made.

use super::cubic::{Hermite, interval_of};
use super::table::{LANES, SplineTable};
use crate::error::KernelError;
use crate::isa::{Supported, Vectorised};
use crate::noise_model::NoiseModel;

/// Of a bin's spline beyond the last planes, as a share of the last interval: a fit may pass there, not end there.
const OVERHANG: f64 = 0.5;
/// A step ends the fit that leaves less than this share of z's standard error: about its square over the length at which
/// the profile bends, a quarter of a fringe.
const SETTLED: f64 = 0.02;
const BEND_NM: f64 = 150.0;
/// A step below this ends it too, where there is no noise.
const SETTLED_NM: f64 = 1e-3;
/// Fewest bins of a fit: three parameters and something left over.
const LEAST_BINS: usize = 4;

/// Settings of the fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineOptions {
    /// Most steps, 1 to 100, default 8. Three or four do.
    pub max_iterations: usize,
    /// A gain below this many of its standard errors is no contrast, default 5.
    pub least_contrast: f64,
}

impl Default for SplineOptions {
    fn default() -> Self {
        SplineOptions { max_iterations: 8, least_contrast: 5.0 }
    }
}

/// How a fit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SplineOutcome {
    /// z is inside the table.
    #[default]
    Found,
    /// z lies below the first or above the last plane.
    OutsideTable,
    /// The steps did not become small.
    NotConverged,
    /// The profile is flat, upside down, or its contrast is lost in the noise.
    LowContrast,
    /// Fewer than 4 bins have a number in profile and table.
    NoProfile,
}

/// What a fit found; NaN where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplineFit {
    /// Focus position of the sweep; NaN unless found.
    pub z_nm: f64,
    /// Standard error of z. With a known noise model from it, raised by √χ² where χ² is above 1; else from the residual. To
    /// this comes what the splines err by between planes.
    pub sigma_z_nm: f64,
    /// Contrast relative to the table's.
    pub gain: f64,
    /// Brightness that is left, ADU.
    pub offset_adu: f64,
    /// Reduced χ²; NaN without a known noise model.
    pub chi2: f64,
    /// Share of the profile's weighted variance that the fit explains, 0 to 1.
    pub explained: f64,
    /// Steps taken.
    pub n_iterations: usize,
    /// How it went.
    pub outcome: SplineOutcome,
}

impl SplineFit {
    /// Reduced χ² from here on is a misfit. A ROI of 40 px has 110 bins, so that chance gives 1.6 once in 100,000 times.
    pub const MISFIT_CHI2: f64 = 1.6;

    /// True where the profile differs from the table by more than the camera's noise.
    pub fn is_misfit(&self) -> bool {
        self.chi2 > Self::MISFIT_CHI2
    }

    fn none(outcome: SplineOutcome) -> SplineFit {
        let nan = f64::NAN;
        SplineFit {
            z_nm: nan,
            sigma_z_nm: nan,
            gain: nan,
            offset_adu: nan,
            chi2: nan,
            explained: nan,
            n_iterations: 0,
            outcome,
        }
    }
}

/// Scratch of one caller, for profiles of one length.
#[derive(Debug, Clone)]
pub struct SplineLookup {
    options: SplineOptions,
    noise: NoiseModel,
    n_bins: usize,
    groups: Vec<f32>,
    /// The profile, 0 where it has no number, and its pixels, 0 there too. Padded.
    data: Vec<f64>,
    pixels: Vec<f64>,
}

impl SplineLookup {
    /// For profiles of `n_bins` bins, from a camera with this noise. Fails below 4 bins and for options out of range.
    pub fn new(n_bins: usize, noise: NoiseModel, options: SplineOptions) -> Result<SplineLookup, KernelError> {
        if n_bins < LEAST_BINS {
            return Err(KernelError::OutOfRange { name: "n_bins", value: n_bins as f64, allowed: "4 bins or more" });
        }
        if !(1..=100).contains(&options.max_iterations) {
            let value = options.max_iterations as f64;
            return Err(KernelError::OutOfRange { name: "max_iterations", value, allowed: "1 to 100" });
        }
        if options.least_contrast.is_nan() || options.least_contrast < 0.0 {
            let value = options.least_contrast;
            return Err(KernelError::OutOfRange { name: "least_contrast", value, allowed: "0 or more" });
        }
        let padded = vec![0.0; n_bins.next_multiple_of(LANES)];
        Ok(SplineLookup { options, noise, n_bins, groups: vec![0.0; n_bins], data: padded.clone(), pixels: padded })
    }

    /// Length of the profiles.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// Looks up one profile. `weights` are the pixels of each bin, or empty: then the areas of the table's bins count.
    /// Bins that are NaN, or have no pixels, take no part.
    ///
    /// Fails when profile, weights or table have another length than the lookup was made for.
    pub fn execute(&mut self, table: &SplineTable, profile: &[f64], weights: &[f32]) -> Result<SplineFit, KernelError> {
        let mut fit = self.approach(table, profile, weights, self.options.max_iterations)?;
        if fit.outcome != SplineOutcome::Found {
            (fit.z_nm, fit.sigma_z_nm) = (f64::NAN, f64::NAN);
        }
        Ok(fit)
    }

    /// As [`Self::execute`], but with at most `max_iterations` steps, and z stays where they ended: a start for a finer
    /// fit, which may be [`SplineOutcome::NotConverged`] or [`SplineOutcome::OutsideTable`] by little. NaN where there is
    /// no profile or no contrast.
    pub fn approach(
        &mut self,
        table: &SplineTable,
        profile: &[f64],
        weights: &[f32],
        max_iterations: usize,
    ) -> Result<SplineFit, KernelError> {
        for n in [profile.len(), table.n_bins, if weights.is_empty() { self.n_bins } else { weights.len() }] {
            if n != self.n_bins {
                return Err(KernelError::BinMismatch { n_bins_profile: n, n_bins_zlut: self.n_bins });
            }
        }
        Ok(Supported::best().run(Approach { lookup: self, table, profile, weights, max_iterations }))
    }

    #[inline(always)]
    fn go(&mut self, table: &SplineTable, profile: &[f64], weights: &[f32], max_iterations: usize) -> SplineFit {
        let mut n_used = 0;
        for b in 0..self.n_bins {
            let pixels = if weights.is_empty() { table.areas[b] } else { f64::from(weights[b]) };
            let used = profile[b].is_finite() && pixels > 0.0 && pixels.is_finite();
            self.data[b] = if used { profile[b] } else { 0.0 };
            self.pixels[b] = if used { pixels } else { 0.0 };
            n_used += usize::from(used);
        }
        if n_used < LEAST_BINS {
            return SplineFit::none(SplineOutcome::NoProfile);
        }
        let (data, pixels) = (&self.data[..self.n_bins], &self.pixels[..self.n_bins]);
        match table.coarse.best_plane(data, pixels, &mut self.groups[..table.coarse.n_groups()]) {
            None => SplineFit::none(SplineOutcome::LowContrast),
            Some(plane) => self.fit(table, table.z_nm[plane], max_iterations),
        }
    }

    #[inline(always)]
    fn fit(&self, table: &SplineTable, start_nm: f64, max_iterations: usize) -> SplineFit {
        let z_nm = &table.z_nm;
        let last = z_nm.len() - 1;
        let lowest = z_nm[0] - OVERHANG * (z_nm[1] - z_nm[0]);
        let highest = z_nm[last] + OVERHANG * (z_nm[last] - z_nm[last - 1]);
        let line = self.noise.line(table.mean_adu);
        let mut fit = SplineFit::none(SplineOutcome::NotConverged);
        // Before there is a gain and an offset, bins count by their pixels alone.
        let (mut z, mut brightness) = (start_nm, None);
        for i in 1..=max_iterations {
            let (hermite, ends) = table.piece(z);
            let variance = brightness.map(|(gain, offset): (f64, f64)| {
                let table = if self.noise.is_known() { gain * gain } else { 0.0 };
                Variance {
                    rise: gain * line.slope,
                    base: (offset - line.offset_adu) * line.slope,
                    floor: line.floor,
                    table,
                }
            });
            let sums = Sums::over(&self.data, &self.pixels, &table.noise, &hermite, ends, variance);
            let Some(step) = sums.solve() else {
                fit.outcome =
                    if sums.n_bins < LEAST_BINS as f64 { SplineOutcome::NoProfile } else { SplineOutcome::LowContrast };
                return fit;
            };
            let first = brightness.is_none();
            brightness = Some((step.gain, step.offset));
            if step.gain.is_nan() || step.gain <= 0.0 {
                fit.outcome = SplineOutcome::LowContrast;
                return fit;
            }
            let longest = plane_step(z_nm, z);
            let moved = (step.rise / step.gain).clamp(-longest, longest);
            let next = (z + moved).clamp(lowest, highest);
            let known = self.noise.is_known();
            let chi2 = step.chi2 / (sums.n_bins - 3.0).max(1.0);
            let scale = if known { chi2.max(1.0).sqrt() } else { chi2.sqrt() };
            fit = SplineFit {
                z_nm: next,
                sigma_z_nm: step.rise_variance.sqrt() * scale / step.gain,
                gain: step.gain,
                offset_adu: step.offset,
                chi2: if known { chi2 } else { f64::NAN },
                explained: (1.0 - step.chi2 / step.total).clamp(0.0, 1.0),
                n_iterations: i,
                outcome: SplineOutcome::NotConverged,
            };
            let moved = (next - z).abs();
            let settled = moved <= SETTLED_NM || moved * moved <= SETTLED * BEND_NM * fit.sigma_z_nm;
            z = next;
            if settled && !first {
                fit.sigma_z_nm = fit.sigma_z_nm.hypot(table.spacing_error_nm(z));
                fit.outcome = if !(z_nm[0]..=z_nm[last]).contains(&z) {
                    SplineOutcome::OutsideTable
                } else if step.gain < self.options.least_contrast * step.gain_variance.sqrt() * scale {
                    SplineOutcome::LowContrast
                } else {
                    SplineOutcome::Found
                };
                break;
            }
        }
        fit
    }
}

struct Approach<'a> {
    lookup: &'a mut SplineLookup,
    table: &'a SplineTable,
    profile: &'a [f64],
    weights: &'a [f32],
    max_iterations: usize,
}

impl Vectorised for Approach<'_> {
    type Output = SplineFit;

    #[inline(always)]
    fn run(self) -> SplineFit {
        self.lookup.go(self.table, self.profile, self.weights, self.max_iterations)
    }
}

/// From one plane to the next, at `z`: the longest step of a fit.
fn plane_step(knots: &[f64], z: f64) -> f64 {
    let k = interval_of(knots, z);
    knots[k + 1] - knots[k]
}

/// What a pixel's variance is made of.
#[derive(Clone, Copy)]
struct Variance {
    /// Per value of the spline.
    rise: f64,
    /// Added to that; both together not below 0.
    base: f64,
    floor: f64,
    /// Share of the table's variance that counts, per bin and not per pixel.
    table: f64,
}

/// Weighted sums of a profile p against value s and slope d of the splines.
struct Sums {
    n_bins: f64,
    w: f64,
    s: f64,
    d: f64,
    p: f64,
    ss: f64,
    sd: f64,
    dd: f64,
    sp: f64,
    dp: f64,
    pp: f64,
}

/// Solution of the linearised fit.
struct Step {
    gain: f64,
    offset: f64,
    /// Gain times the step in z.
    rise: f64,
    rise_variance: f64,
    gain_variance: f64,
    chi2: f64,
    /// What χ² would be of a constant.
    total: f64,
}

impl Sums {
    /// `noise` is the variance of the table. Without a `variance` that of a pixel is 1.
    #[inline(always)]
    fn over(
        data: &[f64],
        pixels: &[f64],
        noise: &[f64],
        hermite: &Hermite,
        ends: [&[f64]; 4],
        variance: Option<Variance>,
    ) -> Sums {
        let plain = Variance { rise: 0.0, base: 0.0, floor: 1.0, table: 0.0 };
        let Variance { rise, base, floor, table } = variance.unwrap_or(plain);
        let mut acc = [[0.0f64; LANES]; 11];
        let n = data.len() / LANES;
        let (data, pixels) = (data.as_chunks::<LANES>().0, pixels.as_chunks::<LANES>().0);
        let noise = noise.as_chunks::<LANES>().0;
        let [a, b, c, e] = ends.map(|row| row.as_chunks::<LANES>().0);
        for i in 0..n {
            for l in 0..LANES {
                let (s, d) = hermite.apply([a[i][l], b[i][l], c[i][l], e[i][l]]);
                // NaN is an empty bin of the table: it becomes a 0 of weight 0.
                let there = !s.is_nan() && !d.is_nan();
                let s = if there { s } else { 0.0 };
                let d = if there { d } else { 0.0 };
                let m = if there { pixels[i][l] } else { 0.0 };
                let p = data[i][l];
                let w = m / ((rise * s + base).max(0.0) + floor + m * table * noise[i][l]);
                let (ws, wd, wp) = (w * s, w * d, w * p);
                let terms =
                    [if m > 0.0 { 1.0 } else { 0.0 }, w, ws, wd, wp, ws * s, ws * d, wd * d, ws * p, wd * p, wp * p];
                for (sum, term) in acc.iter_mut().zip(terms) {
                    sum[l] += term;
                }
            }
        }
        let [n_bins, w, s, d, p, ss, sd, dd, sp, dp, pp] = acc.map(|lanes| lanes.iter().sum::<f64>());
        Sums { n_bins, w, s, d, p, ss, sd, dd, sp, dp, pp }
    }

    /// Least squares of p = gain s + rise d + offset; None where s and d do not tell gain and rise apart.
    fn solve(&self) -> Option<Step> {
        if !(self.n_bins >= LEAST_BINS as f64 && self.w > 0.0) {
            return None;
        }
        let (s, d, p) = (self.s / self.w, self.d / self.w, self.p / self.w);
        let ss = self.ss - s * self.s;
        let (sd, dd) = (self.sd - s * self.d, self.dd - d * self.d);
        let (sp, dp, pp) = (self.sp - s * self.p, self.dp - d * self.p, self.pp - p * self.p);
        let determinant = ss * dd - sd * sd;
        // Rounding leaves about 1e-16 of the products; below 1e-12 nothing can be told.
        if !(determinant > 1e-12 * ss * dd && pp > 0.0) {
            return None;
        }
        let gain = (sp * dd - dp * sd) / determinant;
        let rise = (dp * ss - sp * sd) / determinant;
        Some(Step {
            gain,
            rise,
            offset: p - gain * s - rise * d,
            rise_variance: ss / determinant,
            gain_variance: dd / determinant,
            chi2: (pp - gain * sp - rise * dp).max(0.0),
            total: pp,
        })
    }
}
