//! Mean brightness per ring around a centre.

use ndarray::ArrayView2;

use crate::binmean::divide;
use crate::error::KernelError;
use crate::isa::{Supported, Vectorised};
use crate::pixel::{PIECE, Pixel, assert_size, for_each_piece};
use chords::{Chords, SumRings};

mod chords;

/// Adding this to a number below 2^51 (2^22) leaves the number, rounded to even on ties, in the low bits.
const ROUND_F64: f64 = 6_755_399_441_055_744.0;
const ROUND_F32: f32 = 12_582_912.0;
const ROUND_F32_MASK: u32 = (1 << 22) - 1;

/// Bound on the relative error of a radius in single precision: two conversions, a sum, a square root, a product and
/// the subtraction that follows, each at most 2^-24 = 6e-8, with room to spare.
const F32_ROUNDING: f32 = 5e-7;

/// Accumulators side by side: neighbours often share a bin, and a bin that was just written is slow to read.
const LANES: usize = 4;

/// Where the count begins in a packed word, and the largest image whose sums and counts fit into their parts.
const COUNT_SHIFT: u32 = 40;
const MAX_PX: usize = 4096;

/// Bins per pixel up to which chords are the quicker way to sum integers: their time grows with the bins.
const MAX_OVERSAMPLE_OF_CHORDS: usize = 2;

/// Makes radial profiles of images of one size.
///
/// A pixel belongs to the bin `round(distance * oversample)`, ties to even; a bin holds the mean of its pixels, without
/// interpolation. The corners beyond the last bin are dropped; a bin without a pixel is NaN. Method: `radial_profile`
/// of MagTrack 1.0.0.
#[derive(Debug, Clone)]
pub struct RadialProfile {
    size_px: usize,
    oversample: usize,
    n_bins: usize,
    /// Squared distance of each column from the centre.
    x_squared: Vec<f64>,
    x_squared_f32: Vec<f32>,
    chords: Chords,
    /// Integers: count above bit 40, sum below, in each word; one more bin for the corners.
    packed: Vec<[u64; LANES]>,
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl RadialProfile {
    /// Makes a worker for images of `size_px` x `size_px` pixels and `oversample` bins per pixel.
    ///
    /// Fails below 2 pixels, above 4096 (sums of 16-bit pixels would no longer fit) and without bins.
    pub fn new(size_px: usize, oversample: usize) -> Result<RadialProfile, KernelError> {
        if size_px < 2 {
            return Err(KernelError::SizeTooSmall { size_px, min_px: 2 });
        }
        if size_px > MAX_PX {
            let allowed = "4096 pixels or fewer";
            return Err(KernelError::OutOfRange { name: "size_px", value: size_px as f64, allowed });
        }
        if oversample == 0 {
            return Err(KernelError::OutOfRange { name: "oversample", value: 0.0, allowed: "1 or more" });
        }
        let n_bins = radial_profile_bins(size_px, oversample);
        Ok(RadialProfile {
            size_px,
            oversample,
            n_bins,
            x_squared: vec![0.0; size_px],
            x_squared_f32: vec![0.0; size_px],
            chords: Chords::new(size_px, oversample, n_bins),
            packed: vec![[0; LANES]; n_bins + 1],
            sums: vec![0.0; n_bins + 1],
            counts: vec![0; n_bins + 1],
        })
    }

    /// Length of a profile.
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    /// The profile of `image` (`[y, x]`, any stride) around a centre in ROI coordinates, into `profile`.
    ///
    /// All NaN when the centre is not finite. A pixel that is NaN makes its bin NaN. Panics when the image has another
    /// size or `profile` another length than [`RadialProfile::n_bins`].
    pub fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64, profile: &mut [f64]) {
        assert_size(&image, self.size_px);
        assert!(profile.len() == self.n_bins, "room for {} bins, the profile has {}", profile.len(), self.n_bins);
        if !(x_px.is_finite() && y_px.is_finite()) {
            profile.fill(f64::NAN);
            return;
        }
        let inside = (0.0..self.size_px as f64).contains(&x_px) && (0.0..self.size_px as f64).contains(&y_px);
        if P::IS_INTEGER && inside && self.oversample <= MAX_OVERSAMPLE_OF_CHORDS {
            Supported::best().run(SumRings {
                chords: &mut self.chords,
                image,
                x_px,
                y_px,
                sums: &mut self.sums[..self.n_bins],
                counts: &mut self.counts[..self.n_bins],
            });
        } else {
            self.sum_pixels(image, x_px, y_px);
        }
        profile.copy_from_slice(&self.sums[..self.n_bins]);
        divide(profile, &self.counts);
    }

    /// Sums pixel by pixel.
    fn sum_pixels<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64) {
        for (j, (squared, single)) in self.x_squared.iter_mut().zip(&mut self.x_squared_f32).enumerate() {
            *squared = (j as f64 - x_px).powi(2);
            *single = *squared as f32;
        }
        if P::IS_INTEGER { self.sum_integers(image, y_px) } else { self.sum_floats(image, y_px) }
    }

    fn sum_integers<P: Pixel>(&mut self, image: ArrayView2<'_, P>, y_px: f64) {
        let packed = &mut self.packed[..self.n_bins + 1];
        let geometry = Geometry {
            x_squared: &self.x_squared,
            x_squared_f32: &self.x_squared_f32,
            y_px,
            oversample: self.oversample,
            n_bins: self.n_bins,
        };
        Supported::best().run(SumIntegers { geometry, packed, image });
        for (lanes, (sum, count)) in self.packed.iter().zip(self.sums.iter_mut().zip(&mut self.counts)) {
            let whole: u64 = lanes.iter().map(|&word| word & ((1 << COUNT_SHIFT) - 1)).sum();
            *sum = whole as f64;
            *count = lanes.iter().map(|&word| (word >> COUNT_SHIFT) as u32).sum();
        }
    }

    fn sum_floats<P: Pixel>(&mut self, image: ArrayView2<'_, P>, y_px: f64) {
        let geometry = Geometry {
            x_squared: &self.x_squared,
            x_squared_f32: &self.x_squared_f32,
            y_px,
            oversample: self.oversample,
            n_bins: self.n_bins,
        };
        let (sums, counts) = (&mut self.sums[..self.n_bins + 1], &mut self.counts[..self.n_bins + 1]);
        sums.fill(0.0);
        counts.fill(0);
        for_each_piece(image, |i, j, piece| {
            let bins = geometry.bins(i, j, piece.len());
            for (p, &bin) in piece.iter().zip(&bins) {
                sums[bin as usize] += p.to_f64();
                counts[bin as usize] += 1;
            }
        });
    }
}

/// The pass over integer pixels.
struct SumIntegers<'a, 'b, P> {
    geometry: Geometry<'a>,
    packed: &'a mut [[u64; LANES]],
    image: ArrayView2<'b, P>,
}

impl<P: Pixel> Vectorised for SumIntegers<'_, '_, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let SumIntegers { geometry, packed, image } = self;
        packed.fill([0; LANES]);
        for_each_piece(image, |i, j, piece| {
            let bins = geometry.bins(i, j, piece.len());
            let (fours, rest) = piece.as_chunks::<LANES>();
            for (pixels, bins) in fours.iter().zip(bins.as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    packed[bins[lane] as usize][lane] += (1 << COUNT_SHIFT) | pixels[lane].to_i32() as u64;
                }
            }
            for (p, &bin) in rest.iter().zip(&bins[fours.len() * LANES..]) {
                packed[bin as usize][0] += (1 << COUNT_SHIFT) | p.to_i32() as u64;
            }
        });
    }
}

/// Number of bins of a radial profile: `size_px / 2` (rounded down) times `oversample`.
pub fn radial_profile_bins(size_px: usize, oversample: usize) -> usize {
    size_px / 2 * oversample
}

struct Geometry<'a> {
    x_squared: &'a [f64],
    x_squared_f32: &'a [f32],
    y_px: f64,
    oversample: usize,
    n_bins: usize,
}

impl Geometry<'_> {
    /// Bins of `n` pixels of row `i` from column `j` on; `n_bins` stands for everything beyond.
    ///
    /// Square roots in single precision are three times as quick, and right unless a radius comes near the border of
    /// two bins: then the whole piece is done again in double precision. So the bins are those of double precision.
    #[inline(always)]
    fn bins(&self, i: usize, j: usize, n: usize) -> [u32; PIECE] {
        let mut bins = [0; PIECE];
        let y_squared = (i as f64 - self.y_px).powi(2);
        let y_squared_f32 = y_squared as f32;
        let (scale, last) = (self.oversample as f32, self.n_bins as f32);
        let limit = 0.5 - last * F32_ROUNDING;
        let mut near_border = 0u32;
        for (bin, x_squared) in bins.iter_mut().zip(&self.x_squared_f32[j..j + n]) {
            let radius = (x_squared + y_squared_f32).sqrt() * scale;
            let radius = if radius < last { radius } else { last };
            let rounded = radius + ROUND_F32;
            *bin = rounded.to_bits() & ROUND_F32_MASK;
            // Counted rather than branched upon or maximised: so the loop stays free of dependencies.
            near_border += u32::from((radius - (rounded - ROUND_F32)).abs() > limit);
        }
        if near_border > 0 {
            self.bins_in_double_precision(y_squared, &self.x_squared[j..j + n], &mut bins);
        }
        bins
    }

    #[inline(never)]
    fn bins_in_double_precision(&self, y_squared: f64, x_squared: &[f64], bins: &mut [u32; PIECE]) {
        for (bin, x_squared) in bins.iter_mut().zip(x_squared) {
            *bin = bin_in_double_precision(x_squared + y_squared, self.oversample, self.n_bins);
        }
    }
}

/// The bin of a pixel at this squared distance; `last` stands for everything beyond.
#[inline(always)]
fn bin_in_double_precision(squared_distance: f64, oversample: usize, last: usize) -> u32 {
    let (radius, last) = (squared_distance.sqrt() * oversample as f64, last as f64);
    let radius = if radius < last { radius } else { last };
    (radius + ROUND_F64).to_bits() as u32
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::plain;
    use crate::test_images::Random;

    #[test]
    fn every_pixel_lands_in_the_bin_of_the_plain_version() {
        let mut random = Random(4);
        for (size_px, oversample) in [(2, 1), (17, 3), (64, 1), (64, 2), (64, 5), (101, 2), (130, 1)] {
            let image = Array2::from_shape_simple_fn((size_px, size_px), || (256.0 * random.uniform()) as u8);
            let mut worker = RadialProfile::new(size_px, oversample).unwrap();
            let mut profile = vec![0.0; worker.n_bins()];
            for trial in 0..60 {
                // Halves of pixels put many pixels exactly on the border of two bins.
                let at = |u: f64| if trial % 2 == 0 { u } else { (2.0 * u).round() / 2.0 };
                let (x, y) = (at(size_px as f64 * random.uniform()), at(size_px as f64 * random.uniform()));
                worker.execute(image.view(), x, y, &mut profile);
                let plain = plain::radial_profile(&image.mapv(f64::from), x, y, oversample);
                let equal = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
                assert!(profile.iter().zip(&plain).all(equal), "{size_px} px x {oversample} around ({x}, {y})");
            }
        }
    }

    #[test]
    fn a_centre_far_away_or_nan_has_an_empty_profile() {
        let mut worker = RadialProfile::new(32, 1).unwrap();
        let mut profile = [0.0; 16];
        for x in [f64::NAN, f64::INFINITY, 1e30, -400.0] {
            worker.execute(Array2::from_elem((32, 32), 9u16).view(), x, 16.0, &mut profile);
            assert!(profile.iter().all(|p| p.is_nan()), "x = {x}");
        }
    }
}
