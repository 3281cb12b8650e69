//! Radial profile in quarter-pixel bins, each corrected for where its pixels really lie. The profile of the trackers of
//! this crate that are not MagTrack's: Z-LUT and track must be made by the same code, or z takes the difference for depth.

mod bins;
mod pass;

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::isa::{Isa, Supported, Vectorised};
use crate::pixel::{Pixel, assert_size};
use bins::Bins;
use pass::Pass;

/// Largest image, so that single precision still tells the radii apart.
const MAX_PX: usize = 4096;

/// Makes radial profiles of images of one size.
///
/// Bin b stands for the radius b / 4 px and is the mean of the pixels whose radius rounds to it; its weight is their
/// number. A bin has few pixels, which do not lie about its middle: what the local slope and curvature of the profile make
/// of that is taken off, or it would be several times the noise of the pixels. No pixel counts twice, so the noise of one
/// bin is independent of the next, and its variance is that of a pixel over the weight.
/// The corners are in: the last bin is at half the diagonal. Rings that the border cuts have less weight, empty bins are
/// NaN.
#[derive(Debug, Clone)]
pub struct RingProfile {
    size_px: usize,
    n_bins: usize,
    isa: Supported,
    pass: Pass,
    bins: Bins,
}

impl RingProfile {
    /// Distance between bins; the first is at 0.
    pub const STEP_PX: f64 = 0.25;

    /// Makes a worker for images of `size_px` x `size_px` pixels. Fails below 2 and above 4096 pixels.
    pub fn new(size_px: usize, isa: Isa) -> Result<RingProfile, KernelError> {
        if size_px < 2 {
            return Err(KernelError::SizeTooSmall { size_px, min_px: 2 });
        }
        if size_px > MAX_PX {
            let allowed = "at most 4096 pixels";
            return Err(KernelError::OutOfRange { name: "size_px", value: size_px as f64, allowed });
        }
        let half_diagonal = std::f64::consts::FRAC_1_SQRT_2 * size_px as f64;
        let n_bins = (half_diagonal / Self::STEP_PX).floor() as usize + 1;
        Ok(RingProfile {
            size_px,
            n_bins,
            isa: Supported::or_baseline(isa),
            pass: Pass::new(size_px, n_bins),
            bins: Bins::new(n_bins),
        })
    }

    /// Number of bins.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// Writes the profile round (`x_px`, `y_px`), [`RingProfile::n_bins`] means in units of a pixel value, and as many
    /// weights in pixels unless `weights` is empty.
    ///
    /// `image` is `[y, x]`, any stride. A centre that is not finite gives NaN and weights 0; a pixel that is not finite
    /// makes the bins near its own NaN. Panics when the image, `profile` or `weights` has another size.
    pub fn execute<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        x_px: f64,
        y_px: f64,
        profile: &mut [f64],
        weights: &mut [f32],
    ) {
        assert_size(&image, self.size_px);
        assert!(profile.len() == self.n_bins, "room for {} bins, there are {}", profile.len(), self.n_bins);
        let n_weights = weights.len();
        assert!([0, self.n_bins].contains(&n_weights), "room for {n_weights} weights, there are {}", self.n_bins);
        profile.fill(f64::NAN);
        weights.fill(0.0);
        if !(x_px.is_finite() && y_px.is_finite()) {
            return;
        }
        // Integers are exact in single precision; other pixels are counted from the first one.
        let zero = if P::IS_INTEGER { 0.0 } else { image.first().map_or(0.0, |p| p.to_f64()) };
        let isa = self.isa;
        self.pass.run(isa, image, (x_px, y_px), zero);
        isa.run(Collect(&mut self.bins, &self.pass));
        let Bins { value, n, corrections, .. } = &self.bins;
        for (profile, ((value, n), correction)) in profile.iter_mut().zip(value.iter().zip(n).zip(corrections)) {
            // Of an empty bin that is 0 / 0.
            *profile = zero + f64::from(*value) / f64::from(*n) - f64::from(*correction);
        }
        if n_weights > 0 {
            weights.copy_from_slice(n);
        }
    }
}

/// What becomes of the sums.
struct Collect<'a>(&'a mut Bins, &'a Pass);

impl Vectorised for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.0.collect(self.1.sums());
        self.0.correct();
    }
}

#[cfg(test)]
mod tests;
