//! Radial profile in quarter-pixel bins, each corrected for where its pixels really lie. The profile of the trackers of
//! this crate that are not MagTrack's: Z-LUT and track must be made by the same code, or z takes the difference for depth.

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::isa::{Isa, Supported, Vectorised};
use crate::pixel::{PIECE, Pixel, assert_size, for_each_piece};

/// Adding this rounds a number below two million to a whole one; its lowest bits then hold the number.
const ROUND: f32 = 12_582_912.0;
const INDEX_MASK: u32 = 0x3f_ffff;

/// Accumulators side by side: neighbours often share a bin, and a bin that was just written is slow to read.
const LANES: usize = 4;

/// Largest image, so that single precision still tells the radii apart.
const MAX_PX: usize = 4096;

/// Bins on either side that slope and curvature of a bin are taken from.
const REACH: usize = 3;

/// Slope and curvature of a cubic through seven points, per bin. A. Savitzky and M. Golay, Anal. Chem. 36, 1627 (1964).
const SLOPE: [f32; REACH] = [58.0 / 252.0, 67.0 / 252.0, -22.0 / 252.0];
const CURVATURE: [f32; REACH + 1] = [-4.0 / 42.0, -3.0 / 42.0, 0.0, 5.0 / 42.0];

/// Mean square of the distance from the middle of a bin, in bins, of pixels that lie evenly in it.
const EVEN: f32 = 1.0 / 12.0;

/// Rounds of "slopes of the profile, profile without what the slopes explain": the first slopes are those of raw means.
const ROUNDS: usize = 2;

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
    dx_squared: Vec<f32>,
    /// Per bin and lane: sums of value, 1, distance from the middle of the bin and its square.
    sums: Vec<[[f32; 4]; LANES]>,
    bins: Bins,
}

/// What the pass over the pixels leaves, bin by bin.
#[derive(Debug, Clone)]
struct Bins {
    /// Sums of values and number of pixels.
    value: Vec<f32>,
    n: Vec<f32>,
    /// Means of value, distance and square of the distance, the latter beyond that of even pixels; NaN in empty bins.
    mean: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    /// Runs of empty bins.
    empty: Vec<std::ops::Range<usize>>,
    /// What the means miss.
    corrections: Vec<f32>,
    /// The profile without gaps, [`REACH`] values longer at either end.
    filled: Vec<f32>,
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
            // One more for everything beyond.
            sums: vec![[[0.0; 4]; LANES]; n_bins + 1],
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
        isa.run(Add { worker: self, image, x_px, y_px, zero });
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

impl Bins {
    fn new(n_bins: usize) -> Bins {
        let zeros = || vec![0.0; n_bins];
        Bins {
            value: zeros(),
            n: zeros(),
            mean: zeros(),
            first: zeros(),
            second: zeros(),
            empty: Vec::with_capacity(n_bins),
            corrections: zeros(),
            filled: vec![0.0; n_bins + 2 * REACH],
        }
    }

    /// Takes the sums of all lanes over.
    #[inline(always)]
    fn collect(&mut self, sums: &[[[f32; 4]; LANES]]) {
        self.empty.clear();
        let columns = (self.value.iter_mut().zip(&mut self.n))
            .zip(self.mean.iter_mut().zip(&mut self.first).zip(&mut self.second));
        for (b, (lanes, ((value, n), ((mean, first), second)))) in sums.iter().zip(columns).enumerate() {
            let mut total = lanes[0];
            for lane in &lanes[1..] {
                for (total, term) in total.iter_mut().zip(lane) {
                    *total += term;
                }
            }
            (*value, *n) = (total[0], total[1]);
            (*mean, *first, *second) = (total[0] / total[1], total[2] / total[1], total[3] / total[1] - EVEN);
            if total[1] == 0.0 {
                match self.empty.last_mut() {
                    Some(run) if run.end == b => run.end += 1,
                    _ => self.empty.push(b..b + 1),
                }
            }
        }
    }

    /// What slope and curvature make of how the pixels of each bin lie.
    #[inline(always)]
    fn correct(&mut self) {
        self.corrections.fill(0.0);
        for _ in 0..ROUNDS {
            if !self.fill() {
                return;
            }
            let n = self.mean.len();
            let at: [&[f32]; 2 * REACH + 1] = std::array::from_fn(|k| &self.filled[k..k + n]);
            let (first, second) = (&self.first[..n], &self.second[..n]);
            for (b, correction) in self.corrections[..n].iter_mut().enumerate() {
                let [mut slope, mut curvature] = [0.0, CURVATURE[0] * at[REACH][b]];
                for k in 1..=REACH {
                    slope += SLOPE[k - 1] * (at[REACH + k][b] - at[REACH - k][b]);
                    curvature += CURVATURE[k] * (at[REACH + k][b] + at[REACH - k][b]);
                }
                *correction = slope * first[b] + 0.5 * curvature * second[b];
            }
        }
    }

    /// The corrected profile: gaps by straight lines, mirrored at the centre, constant beyond the end. False without any
    /// pixel.
    #[inline(always)]
    fn fill(&mut self) -> bool {
        let n = self.mean.len();
        let inner = &mut self.filled[REACH..REACH + n];
        for (to, (mean, correction)) in inner.iter_mut().zip(self.mean.iter().zip(&self.corrections)) {
            *to = mean - correction;
        }
        for run in &self.empty {
            let before = run.start.checked_sub(1).map(|b| inner[b]);
            let after = inner.get(run.end).copied();
            let (from, to) = match (before, after) {
                (Some(before), Some(after)) => (before, after),
                (Some(only), None) | (None, Some(only)) => (only, only),
                (None, None) => return false,
            };
            let step = (to - from) / (run.len() + 1) as f32;
            for (k, value) in inner[run.clone()].iter_mut().enumerate() {
                *value = from + step * (k + 1) as f32;
            }
        }
        let end = self.filled[REACH + n - 1];
        self.filled[REACH + n..].fill(end);
        for k in 1..=REACH.min(n - 1) {
            self.filled[REACH - k] = self.filled[REACH + k];
        }
        true
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
        let RingProfile { n_bins, dx_squared, sums, bins: found, .. } = self.worker;
        let (dx_squared, sums) = (&mut dx_squared[..], &mut sums[..]);
        sums.fill([[0.0; 4]; LANES]);
        for (j, square) in dx_squared.iter_mut().enumerate() {
            *square = (j as f64 - self.x_px).powi(2) as f32;
        }
        let last = *n_bins as f32;
        let bins_per_px = (1.0 / RingProfile::STEP_PX) as f32;
        for_each_piece(self.image, |i, j, piece| {
            let dy_squared = (i as f64 - self.y_px).powi(2) as f32;
            let (mut bins, mut distances, mut values) = ([0u32; PIECE], [0.0f32; PIECE], [0.0f32; PIECE]);
            let geometry = bins.iter_mut().zip(&mut distances).zip(&dx_squared[j..j + piece.len()]);
            for ((bin, distance), &dx_squared) in geometry {
                let radius = (dx_squared + dy_squared).sqrt() * bins_per_px;
                let radius = if radius < last { radius } else { last };
                let shifted = radius + ROUND;
                *bin = shifted.to_bits() & INDEX_MASK;
                *distance = radius - (shifted - ROUND);
            }
            for (value, &p) in values.iter_mut().zip(piece) {
                *value = if P::IS_INTEGER { p.to_i32() as f32 } else { (p.to_f64() - self.zero) as f32 };
            }
            // Put together several at a time, so that each pixel adds four numbers at once.
            let mut terms = [[0.0f32; 4]; PIECE];
            for ((terms, &value), &distance) in terms.iter_mut().zip(&values).zip(&distances) {
                *terms = [value, 1.0, distance, distance * distance];
            }
            let mut add = |bin: u32, lane: usize, terms: &[f32; 4]| {
                for (sum, term) in sums[bin as usize][lane].iter_mut().zip(terms) {
                    *sum += term;
                }
            };
            let n = piece.len();
            let ((terms, terms_rest), (bins, bins_rest)) = (terms[..n].as_chunks(), bins[..n].as_chunks());
            for (terms, bins) in terms.iter().zip(bins) {
                let (terms, bins): (&[_; LANES], &[_; LANES]) = (terms, bins);
                for lane in 0..LANES {
                    add(bins[lane], lane, &terms[lane]);
                }
            }
            for (lane, (terms, &bin)) in terms_rest.iter().zip(bins_rest).enumerate() {
                add(bin, lane, terms);
            }
        });
        found.collect(sums);
        found.correct();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_images::Random;
    use ndarray::{Array2, s};

    /// Single precision: sums of up to 80 pixels and slopes of up to 4,000 a bin.
    const ROUNDING: f64 = 1e-5;

    /// As defined, in double precision but for the radius, which decides to which bin a pixel on a border belongs.
    fn plain(image: &Array2<f64>, x: f64, y: f64, n_bins: usize) -> (Vec<f64>, Vec<f64>) {
        let mut pixels = vec![Vec::new(); n_bins + 1];
        for ((i, j), &p) in image.indexed_iter() {
            let squares = ((j as f64 - x).powi(2) as f32) + ((i as f64 - y).powi(2) as f32);
            let r = (4.0 * squares.sqrt()).min(n_bins as f32);
            let b = r.round_ties_even();
            pixels[b as usize].push((p, f64::from(r - b)));
        }
        pixels.pop();
        let mean =
            |b: usize, of: fn(f64) -> f64| pixels[b].iter().map(|&(_, d)| of(d)).sum::<f64>() / pixels[b].len() as f64;
        let raw = |b: usize| pixels[b].iter().map(|&(p, _)| p).sum::<f64>() / pixels[b].len() as f64;
        let mut profile: Vec<f64> = (0..n_bins).map(raw).collect();
        let full: Vec<usize> = (0..n_bins).filter(|&b| !pixels[b].is_empty()).collect();
        for _ in 0..ROUNDS {
            let at = |b: i64| {
                let b = (b.unsigned_abs() as usize).min(n_bins - 1);
                let after = full.partition_point(|&k| k < b);
                let (low, high) = (full[after.saturating_sub(1)], full[after.min(full.len() - 1)]);
                if low >= b || high <= low {
                    return profile[high];
                }
                profile[low] + (profile[high] - profile[low]) * (b - low) as f64 / (high - low) as f64
            };
            let corrected = |b: usize| {
                let k = b as i64;
                let slope = (58.0 * (at(k + 1) - at(k - 1)) + 67.0 * (at(k + 2) - at(k - 2))
                    - 22.0 * (at(k + 3) - at(k - 3)))
                    / 252.0;
                let curvature = (5.0 * (at(k + 3) + at(k - 3)) - 3.0 * (at(k + 1) + at(k - 1)) - 4.0 * at(k)) / 42.0;
                raw(b) - slope * mean(b, |d| d) - 0.5 * curvature * mean(b, |d| d * d - 1.0 / 12.0)
            };
            profile = (0..n_bins).map(corrected).collect();
        }
        (profile, pixels.iter().map(|p| p.len() as f64).collect())
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
                    assert_eq!(f64::from(weights[b]), pixels[b], "weight {b}");
                    let (a, e) = (profile[b], expected[b]);
                    assert_eq!(a.is_nan(), pixels[b] == 0.0, "bin {b}");
                    assert!(a.is_nan() || (a - e).abs() < 4000.0 * ROUNDING, "{size_px} px, bin {b}: {a}, {e}");
                }
                bits.push(profile.iter().map(|p| p.to_bits()).collect::<Vec<_>>());
            }
            assert_eq!(bits[0], bits[1], "one instruction set rounds as the other");
        }
    }

    #[test]
    fn rings_are_read_at_the_middle_of_their_bins_wherever_the_bead_lies() {
        // Fringes of 3.5 px, as sharp as optics makes them. Without the correction a bin errs by up to 10 levels.
        let level = |r: f64| 100.0 + 40.0 * (1.8 * r).cos();
        let mut worker = RingProfile::new(64, Isa::detect()).unwrap();
        let (mut profile, mut weights) = (vec![0.0; worker.n_bins()], vec![0.0; worker.n_bins()]);
        for (x, y) in [(31.5, 31.5), (32.13, 30.77), (29.9, 33.4)] {
            let image = Array2::from_shape_fn((64, 64), |(i, j)| level((j as f64 - x).hypot(i as f64 - y)) as f32);
            worker.execute(image.view(), x, y, &mut profile, &mut weights);
            for b in (8..120).filter(|&b| weights[b] > 0.0) {
                let expected = level(0.25 * b as f64);
                // A mean over a bin is flatter than its middle by 0.4 %, and few pixels leave some of the third order.
                assert!((profile[b] - expected).abs() < 1.0, "bin {b}, {} px: {} {expected}", weights[b], profile[b]);
            }
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
