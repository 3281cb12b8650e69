//! Radial profile in quarter-pixel bins, every pixel shared between its two nearest bins. The profile of the trackers of
//! this crate that are not MagTrack's: Z-LUT and track must be made by the same code, or z takes the difference for depth.

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::isa::{Isa, Supported, Vectorised};
use crate::pixel::{PIECE, Pixel, assert_size, for_each_piece};

/// Adding this rounds a number below two million to a whole one; its lowest bits then hold the number.
const ROUND: f32 = 12_582_912.0;
const INDEX_MASK: u32 = 0x3f_ffff;

/// Accumulators side by side: neighbours often share a bin, and a bin that was just written is slow to read.
const LANES: usize = 2;

/// A bin with less than this many pixels is empty.
const LEAST_WEIGHT: f32 = 1e-3;

/// Largest image, so that single precision still tells the radii apart.
const MAX_PX: usize = 4096;

/// Makes radial profiles of images of one size.
///
/// Bin b stands for the radius b / 4 px. A pixel at radius r counts in the two nearest bins with tent weights, 1 at the
/// bin's radius and 0 a quarter pixel off; a bin is the weighted mean of its pixels and its weight their sum, in pixels.
/// The corners are in: the last bin is at half the diagonal. Rings that the border cuts have less weight, empty bins are
/// NaN.
#[derive(Debug, Clone)]
pub struct RingProfile {
    size_px: usize,
    n_bins: usize,
    isa: Supported,
    dx_squared: Vec<f32>,
    /// Per bin: value and weight for itself, value and weight for the next bin.
    sums: Vec<[[f32; 4]; LANES]>,
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
            dx_squared: vec![0.0; size_px],
            sums: vec![[[0.0; 4]; LANES]; n_bins + 2],
        })
    }

    /// Number of bins.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// Writes the profile round (`x_px`, `y_px`), [`RingProfile::n_bins`] means in units of a pixel value, and as many
    /// weights in pixels unless `weights` is empty.
    ///
    /// `image` is `[y, x]`, any stride. A centre that is not finite gives NaN and weights 0; so does a pixel that is not
    /// finite in the bins that it counts in. Panics when the image, `profile` or `weights` has another size.
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
        isa.run(Add { worker: self, image, x_px, y_px, zero });
        for (b, profile) in profile.iter_mut().enumerate() {
            let own = |k: usize| self.sums[b].iter().map(|lane| lane[k]).sum::<f32>();
            let before = |k: usize| if b == 0 { 0.0 } else { self.sums[b - 1].iter().map(|lane| lane[k]).sum::<f32>() };
            let weight = own(1) + before(3);
            if weight < LEAST_WEIGHT {
                continue;
            }
            *profile = zero + f64::from(own(0) + before(2)) / f64::from(weight);
            if let Some(to) = weights.get_mut(b) {
                *to = weight;
            }
        }
    }
}

/// The pass over the pixels.
struct Add<'a, 'b, P> {
    worker: &'a mut RingProfile,
    image: ArrayView2<'b, P>,
    x_px: f64,
    y_px: f64,
    zero: f64,
}

impl<P: Pixel> Vectorised for Add<'_, '_, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let RingProfile { n_bins, dx_squared, sums, .. } = self.worker;
        sums.fill([[0.0; 4]; LANES]);
        for (j, square) in dx_squared.iter_mut().enumerate() {
            *square = (j as f64 - self.x_px).powi(2) as f32;
        }
        let last = *n_bins as f32;
        let bins_per_px = (1.0 / RingProfile::STEP_PX) as f32;
        for_each_piece(self.image, |i, j, piece| {
            let dy_squared = (i as f64 - self.y_px).powi(2) as f32;
            let (mut bins, mut fractions, mut values) = ([0u32; PIECE], [0.0f32; PIECE], [0.0f32; PIECE]);
            let geometry = bins.iter_mut().zip(&mut fractions).zip(&dx_squared[j..j + piece.len()]);
            for ((bin, fraction), &dx_squared) in geometry {
                let radius = (dx_squared + dy_squared).sqrt() * bins_per_px;
                let radius = if radius < last { radius } else { last };
                // Rounds at - 1/2; a whole number may fall into the bin before, with fraction 1: the same bin.
                let shifted = (radius - 0.5) + ROUND;
                *bin = shifted.to_bits() & INDEX_MASK;
                *fraction = radius - (shifted - ROUND);
            }
            for (value, &p) in values.iter_mut().zip(piece) {
                *value = if P::IS_INTEGER { p.to_i32() as f32 } else { (p.to_f64() - self.zero) as f32 };
            }
            for k in 0..piece.len() {
                let (value, far) = (values[k], fractions[k]);
                let near = 1.0 - far;
                let sum = &mut sums[bins[k] as usize][k % LANES];
                let add = [near * value, near, far * value, far];
                for (sum, add) in sum.iter_mut().zip(add) {
                    *sum += add;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_images::Random;
    use ndarray::{Array2, s};

    /// Single precision: radii to 2e-5 bins, sums of up to 80 pixels.
    const ROUNDING: f64 = 2e-4;

    /// As defined, in double precision.
    fn plain(image: &Array2<f64>, x: f64, y: f64, n_bins: usize) -> (Vec<f64>, Vec<f64>) {
        let (mut sums, mut weights) = (vec![0.0; n_bins], vec![0.0; n_bins]);
        for ((i, j), p) in image.indexed_iter() {
            let r = 4.0 * (j as f64 - x).hypot(i as f64 - y);
            for b in 0..n_bins {
                let w = (1.0 - (r - b as f64).abs()).max(0.0);
                sums[b] += w * p;
                weights[b] += w;
            }
        }
        (sums.iter().zip(&weights).map(|(s, w)| s / w).collect(), weights)
    }

    #[test]
    fn profile_and_weights_are_those_of_the_plain_version_on_every_isa() {
        let mut random = Random(11);
        for (size_px, x, y) in
            [(16, 7.3, 8.9), (33, 16.0, 16.0), (64, 30.21, 33.7), (100, 49.5, 48.25), (40, 2.0, 37.0)]
        {
            let image = Array2::from_shape_simple_fn((size_px, size_px), || (4000.0 * random.uniform()) as u16);
            let mut bits = Vec::new();
            for isa in [Isa::Baseline, Isa::Avx2] {
                let mut worker = RingProfile::new(size_px, isa).unwrap();
                let n_bins = worker.n_bins();
                let (mut profile, mut weights) = (vec![0.0; n_bins], vec![0.0; n_bins]);
                worker.execute(image.view(), x, y, &mut profile, &mut weights);
                let (expected, pixels) = plain(&image.mapv(f64::from), x, y, n_bins);
                for b in 0..n_bins {
                    assert!((f64::from(weights[b]) - pixels[b]).abs() < LEAST_WEIGHT.into(), "weight {b}");
                    if pixels[b] > 0.01 {
                        let (a, e) = (profile[b], expected[b]);
                        assert!(
                            (a - e).abs() < 4000.0 * ROUNDING / pixels[b].min(1.0),
                            "{size_px} px, bin {b}: {a}, {e}"
                        );
                    }
                    assert_eq!(profile[b].is_nan(), weights[b] == 0.0, "bin {b}");
                }
                bits.push(profile.iter().map(|p| p.to_bits()).collect::<Vec<_>>());
            }
            assert_eq!(bits[0], bits[1], "one instruction set rounds as the other");
        }
    }

    #[test]
    fn every_pixel_within_reach_counts_once() {
        let mut worker = RingProfile::new(64, Isa::detect()).unwrap();
        let (mut profile, mut weights) = (vec![0.0; worker.n_bins()], vec![0.0; worker.n_bins()]);
        worker.execute(Array2::from_elem((64, 64), 77u8).view(), 31.5, 31.5, &mut profile, &mut weights);
        assert!((weights.iter().sum::<f32>() - 4096.0).abs() < 0.01, "{}", weights.iter().sum::<f32>());
        assert!(profile.iter().filter(|p| p.is_finite()).all(|p| (p - 77.0).abs() < 1e-4));
        assert_eq!(worker.n_bins(), 182);
    }

    #[test]
    fn strides_and_pixel_types_do_not_matter() {
        let mut random = Random(3);
        let frame = Array2::from_shape_simple_fn((64, 100), || (255.0 * random.uniform()) as u8);
        let roi = frame.slice(s![10..42, 31..63]);
        let mut worker = RingProfile::new(32, Isa::detect()).unwrap();
        let mut profile = |image: Array2<f64>, strided: bool| {
            let mut profile = vec![0.0; worker.n_bins()];
            match strided {
                true => worker.execute(roi, 15.2, 16.9, &mut profile, &mut []),
                false => worker.execute(image.mapv(|p| p as u16).view(), 15.2, 16.9, &mut profile, &mut []),
            }
            profile.iter().map(|p| p.to_bits()).collect::<Vec<_>>()
        };
        let copy = roi.mapv(f64::from);
        assert_eq!(profile(copy.clone(), true), profile(copy, false));
    }

    #[test]
    fn a_centre_far_away_or_not_finite_has_an_empty_profile() {
        let mut worker = RingProfile::new(32, Isa::detect()).unwrap();
        let (mut profile, mut weights) = (vec![0.0; worker.n_bins()], vec![1.0; worker.n_bins()]);
        for x in [f64::NAN, f64::INFINITY, 1e30, -4000.0] {
            worker.execute(Array2::from_elem((32, 32), 9u16).view(), x, 16.0, &mut profile, &mut weights);
            assert!(profile.iter().all(|p| p.is_nan()) && weights.iter().all(|&w| w == 0.0), "x = {x}");
        }
    }
}
