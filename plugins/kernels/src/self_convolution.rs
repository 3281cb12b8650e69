//! Convolution of one windowed line with itself: its peak lies at twice the centre of symmetry.
//!
//! Direct sums rather than FFTs: at the 32 to 128 pixels of a ROI the symmetric half of the products is quicker, and
//! nothing is padded or rounded in between.

use crate::isa::{Supported, Vectorised};
use crate::outcome::Outcome;
use crate::parabola::ParabolaFit;

/// Outputs that are summed side by side, and therefore zeros behind the line.
const BLOCK: usize = 16;

/// One line, its window and its self-convolution. Source: `auto_conv` of MagTrack 1.0.0.
#[derive(Debug, Clone)]
pub(crate) struct SelfConvolution {
    n: usize,
    /// `exp(-k^2 / (2 s^2))` for k = 0 .. n.
    gauss: Vec<f64>,
    /// `1 / s^2`, with s = n / 6.
    inverse_variance: f64,
    /// The windowed line, then zeros.
    line: Vec<f64>,
    /// The middle n values of the full convolution, then what the last block computes beyond them.
    same: Vec<f64>,
    peak: usize,
    outcome: Outcome,
}

impl SelfConvolution {
    pub(crate) fn new(n: usize) -> SelfConvolution {
        let inverse_variance = 36.0 / (n * n) as f64;
        SelfConvolution {
            n,
            gauss: (0..n).map(|k| (-0.5 * (k * k) as f64 * inverse_variance).exp()).collect(),
            inverse_variance,
            line: vec![0.0; n + BLOCK],
            same: vec![0.0; n.next_multiple_of(BLOCK)],
            peak: 0,
            outcome: Outcome::NonFiniteStart,
        }
    }

    /// No line could be made: everything reads NaN until the next execution.
    pub(crate) fn fail(&mut self, outcome: Outcome) {
        self.same.fill(f64::NAN);
        self.peak = 0;
        self.outcome = outcome;
    }

    /// Takes the mean off a line, windows it around `center` (finite), convolves it with itself and finds the peak.
    /// `sum` is the sum of `n_lines` lines; the result is scaled to their mean.
    pub(crate) fn execute(&mut self, sum: &[f64], center: f64, n_lines: usize) {
        self.outcome = Supported::best().run(Execute { line: self, sum, center, n_lines: n_lines as f64 });
        match self.outcome {
            Outcome::NonFinitePixels => self.fail(Outcome::NonFinitePixels),
            Outcome::NoSignal => {
                self.fail(Outcome::NoSignal);
                self.same.fill(0.0);
            }
            _ => {}
        }
    }

    #[inline(always)]
    fn go(&mut self, sum: &[f64], center: f64, n_lines: f64) -> Outcome {
        // Sums of whole numbers are exact, in any order.
        let mean = fold(sum, 0.0, |a, b| a + b) / self.n as f64;
        if !mean.is_finite() {
            return Outcome::NonFinitePixels;
        }
        self.window(sum, mean, center, n_lines);
        if self.line[..self.n].iter().all(|&v| v == 0.0) {
            return Outcome::NoSignal;
        }
        self.convolve();
        // The largest first: a comparison that depends on the last one is slow.
        let same = &self.same[..self.n];
        let largest = fold(same, f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
        self.peak = same.iter().position(|&v| v == largest).unwrap_or(0);
        Outcome::Found
    }

    /// The Gaussian splits into `gauss[k] * g^k * constant` around the pixel nearest to the centre: one table and two
    /// exponentials instead of one exponential per pixel.
    #[inline(always)]
    fn window(&mut self, sum: &[f64], mean: f64, center: f64, n_lines: f64) {
        let line = &mut self.line[..self.n];
        let middle = center.round_ties_even();
        if middle < 0.0 || middle >= self.n as f64 {
            for (j, (to, v)) in line.iter_mut().zip(sum).enumerate() {
                let d = j as f64 - center;
                *to = (v - mean) * (-0.5 * d * d * self.inverse_variance).exp() / n_lines;
            }
            return;
        }
        let fraction = center - middle;
        let scale = (-0.5 * fraction * fraction * self.inverse_variance).exp() / n_lines;
        let up = (fraction * self.inverse_variance).exp();
        let down = 1.0 / up;
        let (left, right) = line.split_at_mut(middle as usize);
        let (left_sum, right_sum) = sum.split_at(middle as usize);
        let mut factors = Powers::new(scale, up);
        let (right, right_sum) = (right.chunks_mut(Powers::N), right_sum.chunks(Powers::N));
        for ((to, v), gauss) in right.zip(right_sum).zip(self.gauss.chunks(Powers::N)) {
            for (((to, v), gauss), factor) in to.iter_mut().zip(v).zip(gauss).zip(factors.next()) {
                *to = (v - mean) * (gauss * factor);
            }
        }
        let mut factors = Powers::new(scale * down, down);
        let (left, left_sum) = (left.rchunks_mut(Powers::N), left_sum.rchunks(Powers::N));
        for ((to, v), gauss) in left.zip(left_sum).zip(self.gauss[1..].chunks(Powers::N)) {
            for (((to, v), gauss), factor) in to.iter_mut().rev().zip(v.iter().rev()).zip(gauss).zip(factors.next()) {
                *to = (v - mean) * (gauss * factor);
            }
        }
    }

    /// `same[k]` = sum over i of `line[i] line[k + r - i]`, r = (n - 1) / 2. Each product of two different pixels
    /// appears twice, so half of them are summed.
    #[inline(always)]
    fn convolve(&mut self) {
        let r = (self.n - 1) / 2;
        let line = &self.line[..];
        for (block, same) in self.same.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let sum = block * BLOCK + r;
            // Pairs of a pixel before the middle and one from there on; zeros stand behind the line.
            let (low, middle) = ((sum + 1).saturating_sub(self.n), sum.div_ceil(2));
            let mut twice = [0.0; BLOCK];
            let partners = line[sum + 1 - middle..sum - low + BLOCK].array_windows::<BLOCK>().rev();
            for (&a, partner) in line[low..middle].iter().zip(partners) {
                for (twice, b) in twice.iter_mut().zip(partner) {
                    *twice += a * b;
                }
            }
            // Pairs from the middle on, each in both orders, and the square of the middle.
            let mut padded = [0.0; 2 * BLOCK];
            padded[BLOCK..].copy_from_slice(&line[middle..middle + BLOCK]);
            let mut rest = [0.0; BLOCK];
            let partners = padded[..2 * BLOCK - (2 * middle - sum)].array_windows::<BLOCK>().rev();
            for (&a, partner) in line[middle..middle + BLOCK].iter().zip(partners) {
                for (rest, b) in rest.iter_mut().zip(partner) {
                    *rest += a * b;
                }
            }
            for ((same, twice), rest) in same.iter_mut().zip(twice).zip(rest) {
                *same = 2.0 * twice + rest;
            }
        }
    }

    /// The middle n values of the convolution; zeros for a flat line, NaN for an impossible one.
    pub(crate) fn convolution(&self) -> &[f64] {
        &self.same[..self.n]
    }

    /// Index of the first maximum of [`SelfConvolution::convolution`].
    pub(crate) fn peak_index(&self) -> usize {
        self.peak
    }

    /// The centre on the half-pixel lattice, and how the search went.
    ///
    /// A line that is flat or not finite has its first maximum at 0, hence the number (n - 1) / 2 / 2, as MagTrack
    /// has it; the outcome tells. A line that could not be made gives NaN.
    pub(crate) fn whole_peak(&self) -> (f64, Outcome) {
        match self.outcome {
            Outcome::Found | Outcome::NoSignal | Outcome::NonFinitePixels => {
                (self.center_of(self.peak as f64), self.outcome)
            }
            _ => (f64::NAN, self.outcome),
        }
    }

    /// The centre from a parabola around the maximum, and how the search went.
    pub(crate) fn fitted_peak(&self, fit: &ParabolaFit) -> (f64, Outcome) {
        if self.outcome != Outcome::Found {
            return (f64::NAN, self.outcome);
        }
        match fit.place(self.n, self.peak as f64) {
            Some((middle, first)) => {
                let vertex = middle as f64 + fit.offset(&self.same[first..first + fit.n_local()]);
                (self.center_of(vertex), Outcome::Found)
            }
            None => (f64::NAN, Outcome::PeakAtBorder),
        }
    }

    fn center_of(&self, peak: f64) -> f64 {
        (((self.n - 1) / 2) as f64 + peak) / 2.0
    }
}

struct Execute<'a> {
    line: &'a mut SelfConvolution,
    sum: &'a [f64],
    center: f64,
    n_lines: f64,
}

impl Vectorised for Execute<'_> {
    type Output = Outcome;

    #[inline(always)]
    fn run(self) -> Outcome {
        self.line.go(self.sum, self.center, self.n_lines)
    }
}

/// `first`, `first ratio`, `first ratio²` … a few at a time, so that one does not wait for the one before.
struct Powers {
    now: [f64; Powers::N],
    step: f64,
}

impl Powers {
    const N: usize = 4;

    #[inline(always)]
    fn new(first: f64, ratio: f64) -> Powers {
        let square = ratio * ratio;
        Powers { now: [first, first * ratio, first * square, first * square * ratio], step: square * square }
    }

    #[inline(always)]
    fn next(&mut self) -> [f64; Powers::N] {
        let now = self.now;
        self.now = now.map(|v| v * self.step);
        now
    }
}

/// All values by `f`, in several lanes.
#[inline(always)]
fn fold(values: &[f64], start: f64, f: impl Fn(f64, f64) -> f64 + Copy) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [start; 8];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = f(*lane, value);
        }
    }
    rest.iter().chain(&lanes).fold(start, |a, &b| f(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plain;
    use crate::test_images::Random;

    #[test]
    fn half_the_products_give_the_whole_convolution_at_every_length() {
        let mut random = Random(5);
        for n in 4..80 {
            let line: Vec<f64> = (0..n).map(|_| random.uniform()).collect();
            let center = n as f64 * random.uniform() - 0.5;
            let mut quick = SelfConvolution::new(n);
            quick.execute(&line, center, 1);
            for (k, (a, b)) in quick.convolution().iter().zip(plain::self_convolution(&line, center)).enumerate() {
                // Sums of at most 80 products of numbers below one.
                assert!((a - b).abs() < 1e-13, "length {n}, value {k}: {a}, plain {b}");
            }
        }
    }
}
