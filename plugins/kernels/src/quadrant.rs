//! Centre of a bead by quadrant interpolation: the rings are sampled on a polar grid round an estimate, the quadrants
//! averaged into half profiles, and the shift that makes right and left (down and up) equal moves the estimate. Needs no
//! Z-LUT, does not care whether rings are bright or dark, and gives the standard error of what it found.

mod fit;
mod half_profiles;
mod plan;
mod sample;

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::isa::{Isa, Supported, Vectorised};
use crate::noise_model::NoiseModel;
use crate::outcome::Outcome;
use crate::pixel::{Pixel, assert_size};
use fit::{Levels, Scratch, Step, lag, newton};
use half_profiles::HalfProfiles;
use plan::Plan;
use sample::{Filled, Taps};

/// Settings of [`Quadrant`]. The defaults stay within 1.3 times the Cramér–Rao bound at 64 and 100 px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuadrantOptions {
    /// Distance between rings, pixels.
    pub ring_step_px: f64,
    /// Distance between points of a ring, pixels of arc.
    pub arc_step_px: f64,
    /// The first passes, which only have to come near, take points this many times farther apart along the rings.
    pub coarse_factor: f64,
    /// Rings nearer to the centre than about this count less, pixels: few points share what interpolation does to a
    /// sharp spot.
    pub center_px: f64,
    /// Stop when a step is shorter than this, pixels. A step is right to a few per cent, so the error left is far less.
    pub tolerance_px: f64,
    /// Most fine passes.
    pub max_passes: usize,
    /// Pixel value from which a pixel is saturated; NaN when not known.
    pub saturation: f64,
    /// The camera's noise; [`NoiseModel::UNKNOWN`] takes it from the image.
    pub noise: NoiseModel,
    /// Instructions to use; the baseline where the processor lacks them. The numbers do not depend on it.
    pub isa: Isa,
}

impl Default for QuadrantOptions {
    fn default() -> Self {
        QuadrantOptions {
            ring_step_px: 0.5,
            arc_step_px: 1.0,
            coarse_factor: 3.0,
            center_px: 4.0,
            tolerance_px: 0.03,
            max_passes: 8,
            saturation: f64::NAN,
            noise: NoiseModel::UNKNOWN,
            isa: Isa::detect(),
        }
    }
}

/// What quadrant interpolation found in one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuadrantFit {
    /// Column of the centre, pixels; NaN when lost.
    pub x_px: f64,
    /// Row of the centre, pixels; NaN when lost.
    pub y_px: f64,
    /// Standard error of `x_px`; NaN when lost.
    pub sigma_x_px: f64,
    /// Standard error of `y_px`; NaN when lost.
    pub sigma_y_px: f64,
    /// Correlation of opposite half profiles, 0 to 1: the share of their variance that is symmetric.
    pub symmetry: f64,
    /// Mean square of how opposite half profiles differ, over the noise of the camera: 1 for a bead alone, more where
    /// something else lies in the image or a ring was taken for the centre. NaN without a known gain.
    pub chi2: f64,
    /// Fine passes taken.
    pub n_passes: usize,
    /// False when the last step was still longer than the tolerance.
    pub converged: bool,
    /// How the search went.
    pub outcome: Outcome,
}

impl QuadrantFit {
    /// [`Self::chi2`] from here on tells of something else in the image. A bead alone has up to 8 in small images near
    /// focus, where interpolation of a sharp spot differs by more than the noise.
    pub const NEIGHBOUR_CHI2: f64 = 12.0;

    /// True where opposite halves differ by more than noise and interpolation make them.
    pub fn has_neighbour(&self) -> bool {
        self.chi2 > Self::NEIGHBOUR_CHI2
    }

    pub(crate) fn none(outcome: Outcome) -> QuadrantFit {
        let nan = f64::NAN;
        QuadrantFit {
            x_px: nan,
            y_px: nan,
            sigma_x_px: nan,
            sigma_y_px: nan,
            symmetry: nan,
            chi2: nan,
            n_passes: 0,
            converged: false,
            outcome,
        }
    }
}

/// Finds centres in images of one size; owns the polar grids and all scratch, so that executing allocates nothing.
///
/// Method: M. T. J. van Loenhout et al., Biophys. J. 102, 2362 (2012): rings are sampled by bilinear interpolation, the
/// quadrants averaged into right, left, lower and upper half profiles, and the peak of the convolution of one with its
/// mirrored opposite gives the shift. Different here, each for its share of the error:
/// - a half profile weighs its points by the cosine of their angle to the axis, and rings count by their inverse variance
///   (in the original, quadrants and rings have one weight);
/// - after a first step by whole lags the peak is found by Newton's method, with the slope of the profile, not by a
///   parabola;
/// - points are about a pixel apart on every ring, out to the corners, and a point counts only where its three mirror
///   images lie inside the image too: the mask follows the bead, and rings cut by the border do not pull;
/// - rings with saturated pixels are left out.
///
/// The standard errors are the noise of a pixel carried through the weights, with the correlation of samples that share
/// pixels. The noise is the camera's, when its gain is known: errors over standard errors are then 0.9 to 1.1 over bands of
/// defocus, from 10^3 to 10^5 electrons at full scale. Otherwise it is taken from how opposite halves differ once they are
/// centred: 15 % too small at 10^3 electrons, where bright rings are noisier than dark ones, right at 10^4, and 20 % too
/// large at 10^5, where interpolation differs by more than the noise.
#[derive(Debug, Clone)]
pub struct Quadrant {
    size_px: usize,
    options: QuadrantOptions,
    coarse: Plan,
    fine: Plan,
    taps: Taps,
    halves: HalfProfiles,
    scratch: Scratch,
    isa: Supported,
}

/// The lag is taken anew while it is longer than this, pixels, at most this often.
const LONG_LAG_PX: f64 = 1.5;
const MOST_LAGS: usize = 4;

/// Coarse passes end with a step shorter than this, pixels, or when there were this many.
const COARSE_PX: f64 = 0.1;
const MOST_COARSE: usize = 4;

/// Below this symmetry there is no bead, and its centre would be a plausible number without meaning.
const LEAST_SYMMETRY: f64 = 0.1;

/// Smallest image: a handful of rings.
const MIN_PX: usize = 12;

/// Largest image: pixel indices are whole numbers in single precision.
const MAX_PX: usize = 2048;

/// The centre must stay this far inside the image, or too few rings are left to compare.
const MARGIN_PX: f64 = 3.0;

impl Quadrant {
    /// Makes a worker for images of `size_px` x `size_px` pixels.
    ///
    /// Fails below 12 and above 2048 pixels and when an option cannot be used.
    pub fn new(size_px: usize, options: &QuadrantOptions) -> Result<Quadrant, KernelError> {
        if size_px < MIN_PX {
            return Err(KernelError::SizeTooSmall { size_px, min_px: MIN_PX });
        }
        check(size_px, options)?;
        let reach = std::f64::consts::FRAC_1_SQRT_2 * size_px as f64;
        let plan = |arc: f64| Plan::new(reach, options.ring_step_px, arc, options.center_px);
        let coarse = plan(options.arc_step_px * options.coarse_factor);
        let fine = plan(options.arc_step_px);
        let (halves, scratch) = (HalfProfiles::new(&fine), Scratch::new(fine.rings.len()));
        let isa = Supported::or_baseline(options.isa);
        let taps = Taps::new(size_px, isa);
        Ok(Quadrant { size_px, options: *options, coarse, fine, taps, halves, scratch, isa })
    }

    /// Refines a centre that is right to about 3 pixels; a farther one is followed as long as rings correlate.
    ///
    /// `image` is `[y, x]`, any stride; positions in pixels. Integer pixels are taken as they are, others rounded to 65,536
    /// steps of their range. NaN with [`Outcome::NoSignal`] when no contrast or no symmetry is left, [`Outcome::PeakAtBorder`] when the
    /// centre comes within 3 px of the border, [`Outcome::NonFinitePixels`] and [`Outcome::NonFiniteStart`]. Panics when
    /// the image has another size.
    pub fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64) -> QuadrantFit {
        assert_size(&image, self.size_px);
        if !(x_px.is_finite() && y_px.is_finite()) {
            return QuadrantFit::none(Outcome::NonFiniteStart);
        }
        match self.taps.fill(image) {
            Filled::Ready => {}
            Filled::Flat => return QuadrantFit::none(Outcome::NoSignal),
            Filled::NotFinite => return QuadrantFit::none(Outcome::NonFinitePixels),
        }
        self.search(x_px, y_px)
    }

    /// As [`Self::execute`], for a centre that is right to half a pixel: fine passes only, no search.
    pub fn refine<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64) -> QuadrantFit {
        assert_size(&image, self.size_px);
        if !(x_px.is_finite() && y_px.is_finite()) {
            return QuadrantFit::none(Outcome::NonFiniteStart);
        }
        match self.taps.fill(image) {
            Filled::Ready => {}
            Filled::Flat => return QuadrantFit::none(Outcome::NoSignal),
            Filled::NotFinite => return QuadrantFit::none(Outcome::NonFinitePixels),
        }
        self.settle(x_px, y_px, MOST_COARSE)
    }

    fn search(&mut self, mut x: f64, mut y: f64) -> QuadrantFit {
        for _ in 0..MOST_LAGS {
            if !self.is_inside(x, y) {
                return QuadrantFit::none(Outcome::PeakAtBorder);
            }
            self.halves.measure(self.isa, &self.coarse, &self.taps, x, y);
            let Some((dx, dy)) = lag(&self.coarse, &self.halves, &mut self.scratch) else {
                return QuadrantFit::none(Outcome::NoSignal);
            };
            (x, y) = (x + dx, y + dy);
            if dx.abs().max(dy.abs()) < LONG_LAG_PX {
                break;
            }
        }
        self.settle(x, y, 0)
    }

    /// Newton's steps: coarse ones unless there were enough, then fine ones until they are short.
    fn settle(&mut self, mut x: f64, mut y: f64, mut n_coarse: usize) -> QuadrantFit {
        let levels = self.taps.levels(self.options.saturation, self.options.noise);
        let mut n_passes = 0;
        loop {
            if !self.is_inside(x, y) {
                return QuadrantFit::none(Outcome::PeakAtBorder);
            }
            let coarse = n_passes == 0 && n_coarse < MOST_COARSE;
            let plan = if coarse { &self.coarse } else { &self.fine };
            self.halves.measure(self.isa, plan, &self.taps, x, y);
            let work = Newton { plan, halves: &self.halves, levels: &levels, scratch: &mut self.scratch };
            let Some(step) = self.isa.run(work) else {
                return QuadrantFit::none(Outcome::NoSignal);
            };
            (x, y) = (x + step.x_px, y + step.y_px);
            let length = step.x_px.abs().max(step.y_px.abs());
            if coarse {
                n_coarse = if length < COARSE_PX { MOST_COARSE } else { n_coarse + 1 };
                continue;
            }
            n_passes += 1;
            let converged = length < self.options.tolerance_px;
            if converged || n_passes == self.options.max_passes {
                if step.symmetry < LEAST_SYMMETRY {
                    return QuadrantFit::none(Outcome::NoSignal);
                }
                return QuadrantFit {
                    x_px: x,
                    y_px: y,
                    sigma_x_px: step.sigma_x_px,
                    sigma_y_px: step.sigma_y_px,
                    symmetry: step.symmetry,
                    chi2: step.chi2,
                    n_passes,
                    converged,
                    outcome: Outcome::Found,
                };
            }
        }
    }

    fn is_inside(&self, x: f64, y: f64) -> bool {
        let last = (self.size_px - 1) as f64 - MARGIN_PX;
        (MARGIN_PX..=last).contains(&x) && (MARGIN_PX..=last).contains(&y)
    }
}

/// One step of Newton's.
struct Newton<'a> {
    plan: &'a Plan,
    halves: &'a HalfProfiles,
    levels: &'a Levels,
    scratch: &'a mut Scratch,
}

impl Vectorised for Newton<'_> {
    type Output = Option<Step>;
    #[inline(always)]
    fn run(self) -> Option<Step> {
        newton(self.plan, self.halves, self.levels, self.scratch)
    }
}

fn check(size_px: usize, options: &QuadrantOptions) -> Result<(), KernelError> {
    let refuse = |name, value, allowed| Err(KernelError::OutOfRange { name, value, allowed });
    if size_px > MAX_PX {
        return refuse("size_px", size_px as f64, "at most 2048 pixels");
    }
    for (name, value) in [("ring_step_px", options.ring_step_px), ("arc_step_px", options.arc_step_px)] {
        if !(0.1..=4.0).contains(&value) {
            return refuse(name, value, "a distance from 0.1 to 4 px");
        }
    }
    if !(1.0..=16.0).contains(&options.coarse_factor) {
        return refuse("coarse_factor", options.coarse_factor, "a factor from 1 to 16");
    }
    if !(0.01..=1000.0).contains(&options.center_px) {
        return refuse("center_px", options.center_px, "a radius from 0.01 to 1000 px");
    }
    if !(options.tolerance_px > 0.0 && options.tolerance_px <= 1.0) {
        return refuse("tolerance_px", options.tolerance_px, "a length above 0, up to 1 px");
    }
    if options.max_passes == 0 {
        return refuse("max_passes", 0.0, "one pass or more");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
