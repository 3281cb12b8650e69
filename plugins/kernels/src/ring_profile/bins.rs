//! What a pass over the pixels leaves, bin by bin, and what the means of the bins miss: their pixels do not lie about the
//! middle.

use super::pass::LaneSums;

/// Bins on either side that slope and curvature of a bin are taken from.
const REACH: usize = 3;

/// Slope and curvature of a cubic through seven points, per bin. A. Savitzky and M. Golay, Anal. Chem. 36, 1627 (1964).
const SLOPE: [f32; REACH] = [58.0 / 252.0, 67.0 / 252.0, -22.0 / 252.0];
const CURVATURE: [f32; REACH + 1] = [-4.0 / 42.0, -3.0 / 42.0, 0.0, 5.0 / 42.0];

/// Mean square of the distance from the middle of a bin, in bins, of pixels that lie evenly in it.
const EVEN: f32 = 1.0 / 12.0;

/// Rounds of "slopes of the profile, profile without what the slopes explain": the first slopes are those of raw means.
pub(super) const ROUNDS: usize = 2;

/// What the pass over the pixels leaves, bin by bin.
#[derive(Debug, Clone)]
pub(super) struct Bins {
    /// Sums of values and number of pixels.
    pub value: Vec<f32>,
    pub n: Vec<f32>,
    /// Means of value, distance and square of the distance, the latter beyond that of even pixels; NaN in empty bins.
    mean: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    /// Runs of empty bins.
    empty: Vec<std::ops::Range<usize>>,
    /// What the means miss.
    pub corrections: Vec<f32>,
    /// The profile without gaps, [`REACH`] values longer at either end.
    filled: Vec<f32>,
}

impl Bins {
    pub(super) fn new(n_bins: usize) -> Bins {
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
    pub(super) fn collect(&mut self, sums: &[LaneSums]) {
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
    pub(super) fn correct(&mut self) {
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
