//! Smoothing of noisy planes along z: Reinsch's smoothing spline, as strong as the variance of the noise makes best.
//!
//! The strength is the one of a fixed ladder that makes Mallows' criterion, residual / variance + 2 × degrees of freedom,
//! smallest over a column and its neighbours. Where the variance is not known it is estimated from the column itself, by
//! generalised cross-validation. C. H. Reinsch, Numer. Math. 10, 177 (1967); P. Craven and G. Wahba, Numer. Math. 31, 377
//! (1979).

/// The ladder of strengths, decades of λ / (mean step)³: beyond its ends nothing changes any more.
const WEAKEST_DECADE: f64 = -4.0;
const STEPS_PER_DECADE: f64 = 4.0;
const N_STRENGTHS: usize = 33;

/// Columns on each side that vote on the strength of one.
const NEIGHBOURS: usize = 3;

/// Smooths columns of values at fixed knots.
pub(crate) struct Smoother {
    steps: Vec<f64>,
    strengths: Vec<Strength>,
}

/// One λ and the factors (L D Lᵀ, two bands) of its matrix.
struct Strength {
    lambda: f64,
    pivots: Vec<f64>,
    bands: Vec<[f64; 2]>,
    /// Trace of the smoothing matrix: how many parameters a smoothed column is worth.
    freedom: f64,
}

impl Smoother {
    /// For knots in rising order. Below 5 there is nothing to smooth.
    pub(crate) fn new(z: &[f64]) -> Smoother {
        let steps: Vec<f64> = z.windows(2).map(|w| w[1] - w[0]).collect();
        let mut strengths = Vec::new();
        if z.len() >= 5 {
            let mean_step = (z[z.len() - 1] - z[0]) / steps.len() as f64;
            for i in 0..N_STRENGTHS {
                let decade = WEAKEST_DECADE + i as f64 / STEPS_PER_DECADE;
                strengths.push(Strength::new(&steps, mean_step.powi(3) * 10f64.powf(decade)));
            }
        }
        Smoother { steps, strengths }
    }

    /// The variance of the noise of each column of `values` (`[knot][column]`), from how the column departs from a smooth
    /// curve: residual over (knots − degrees of freedom), at the strength that makes the generalised cross-validation, residual
    /// / (knots − degrees of freedom)², smallest over the column and its neighbours. Nearly 0 without noise; rather too
    /// little where the knots hardly resolve the curve. NaN with fewer than 5 knots.
    pub(crate) fn estimate_variance(&self, values: &[f64], n_columns: usize) -> Vec<f64> {
        let n = self.steps.len() + 1;
        assert!(values.len() == n * n_columns, "{} values", values.len());
        if self.strengths.is_empty() {
            return vec![f64::NAN; n_columns];
        }
        let (mut column, mut gamma) = (vec![0.0; n], vec![0.0; n - 2]);
        let n_costs = self.strengths.len();
        let mut residuals = vec![0.0; n_costs * n_columns];
        for c in 0..n_columns {
            for (k, strength) in self.strengths.iter().enumerate() {
                (0..n).for_each(|i| column[i] = values[i * n_columns + c]);
                residuals[c * n_costs + k] = strength.smooth(&self.steps, &mut column, &mut gamma);
            }
        }
        let spare = |k: usize| n as f64 - self.strengths[k].freedom;
        (0..n_columns)
            .map(|c| {
                // Logarithms, so that a bin of few pixels has no more votes than one of many; a constant has none.
                let voters = (c.saturating_sub(NEIGHBOURS)..(c + NEIGHBOURS + 1).min(n_columns))
                    .filter(|v| residuals[v * n_costs..][..n_costs].iter().all(|r| *r > 0.0));
                let cost = |k: usize| {
                    voters.clone().map(|v| residuals[v * n_costs + k].ln() - 2.0 * spare(k).ln()).sum::<f64>()
                };
                let best = (0..n_costs).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).expect("there is a cost");
                residuals[c * n_costs + best] / spare(best)
            })
            .collect()
    }

    /// Smooths the columns of `values` (`[knot][column]`, `n_columns` of them) in place. `variance` is that of the values
    /// of each column; a column whose variance is not a number above 0 stays as it is. Comes back with the share of the
    /// variance that is left in each.
    pub(crate) fn smooth(&self, values: &mut [f64], n_columns: usize, variance: &[f64]) -> Vec<f64> {
        let n = self.steps.len() + 1;
        assert!(values.len() == n * n_columns && variance.len() == n_columns, "{} values", values.len());
        let mut left = vec![1.0; n_columns];
        if self.strengths.is_empty() {
            return left;
        }
        let usable = |c: usize| variance[c].is_finite() && variance[c] > 0.0;
        let (mut column, mut gamma) = (vec![0.0; n], vec![0.0; n - 2]);
        // Index 0 is no smoothing at all: no residual, and as many parameters as values.
        let n_costs = self.strengths.len() + 1;
        let mut costs = vec![0.0; n_costs * n_columns];
        for c in (0..n_columns).filter(|&c| usable(c)) {
            costs[c * n_costs] = 2.0 * n as f64;
            for (k, strength) in self.strengths.iter().enumerate() {
                (0..n).for_each(|i| column[i] = values[i * n_columns + c]);
                let residual = strength.smooth(&self.steps, &mut column, &mut gamma);
                costs[c * n_costs + k + 1] = residual / variance[c] + 2.0 * strength.freedom;
            }
        }
        for c in (0..n_columns).filter(|&c| usable(c)) {
            let voters = c.saturating_sub(NEIGHBOURS)..(c + NEIGHBOURS + 1).min(n_columns);
            let cost = |k: usize| voters.clone().map(|v| costs[v * n_costs + k]).sum::<f64>();
            let best = (0..n_costs).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).expect("there is a cost");
            if let Some(strength) = best.checked_sub(1).map(|k| &self.strengths[k]) {
                (0..n).for_each(|i| column[i] = values[i * n_columns + c]);
                strength.smooth(&self.steps, &mut column, &mut gamma);
                (0..n).for_each(|i| values[i * n_columns + c] = column[i]);
                left[c] = strength.freedom / n as f64;
            }
        }
        left
    }
}

/// Column j of Q, the second divided differences: entries at knots j, j + 1, j + 2.
fn q(steps: &[f64], j: usize) -> [f64; 3] {
    let (left, right) = (1.0 / steps[j], 1.0 / steps[j + 1]);
    [left, -left - right, right]
}

impl Strength {
    fn new(steps: &[f64], lambda: f64) -> Strength {
        let m = steps.len() - 1;
        // Bands of QᵀQ: diagonal, next, next but one.
        let mut square = vec![[0.0; 3]; m];
        for (j, bands) in square.iter_mut().enumerate() {
            let a = q(steps, j);
            bands[0] = a.iter().map(|v| v * v).sum();
            if j + 1 < m {
                let b = q(steps, j + 1);
                bands[1] = a[1] * b[0] + a[2] * b[1];
            }
            if j + 2 < m {
                bands[2] = a[2] * q(steps, j + 2)[0];
            }
        }
        let (mut pivots, mut bands) = (vec![0.0; m], vec![[0.0; 2]; m]);
        for j in 0..m {
            let one = if j >= 1 { (bands[j - 1], pivots[j - 1]) } else { ([0.0; 2], 0.0) };
            let two = if j >= 2 { (bands[j - 2], pivots[j - 2]) } else { ([0.0; 2], 0.0) };
            let diagonal = (steps[j] + steps[j + 1]) / 3.0 + lambda * square[j][0];
            pivots[j] = diagonal - one.0[0] * one.0[0] * one.1 - two.0[1] * two.0[1] * two.1;
            let next = steps[j + 1] / 6.0 + lambda * square[j][1] - one.0[1] * one.0[0] * one.1;
            bands[j] = [if j + 1 < m { next / pivots[j] } else { 0.0 }, lambda * square[j][2] / pivots[j]];
        }
        let freedom = (m + 2) as f64 - lambda * trace(&square, &pivots, &bands);
        Strength { lambda, pivots, bands, freedom }
    }

    /// Smooths one column in place; the sum of squares of what was taken away.
    fn smooth(&self, steps: &[f64], column: &mut [f64], gamma: &mut [f64]) -> f64 {
        let m = gamma.len();
        for j in 0..m {
            let a = q(steps, j);
            let mut right = a[0] * column[j] + a[1] * column[j + 1] + a[2] * column[j + 2];
            if j >= 1 {
                right -= self.bands[j - 1][0] * gamma[j - 1];
            }
            if j >= 2 {
                right -= self.bands[j - 2][1] * gamma[j - 2];
            }
            gamma[j] = right;
        }
        for j in (0..m).rev() {
            let mut value = gamma[j] / self.pivots[j];
            if j + 1 < m {
                value -= self.bands[j][0] * gamma[j + 1];
            }
            if j + 2 < m {
                value -= self.bands[j][1] * gamma[j + 2];
            }
            gamma[j] = value;
        }
        let mut squares = 0.0;
        for (i, value) in column.iter_mut().enumerate() {
            // Row i of Q touches columns i − 2 to i.
            let part = |back: usize| match i.checked_sub(back).filter(|&j| j < m) {
                Some(j) => q(steps, j)[back] * gamma[j],
                None => 0.0,
            };
            let taken = self.lambda * (part(0) + part(1) + part(2));
            *value -= taken;
            squares += taken * taken;
        }
        squares
    }
}

/// Trace of B⁻¹ S for the matrix B with these factors and the banded symmetric S. M. F. Hutchinson and F. R. de Hoog,
/// Numer. Math. 47, 99 (1985).
fn trace(square: &[[f64; 3]], pivots: &[f64], bands: &[[f64; 2]]) -> f64 {
    let mut sum = 0.0;
    // Elements (j, j), (j, j + 1), (j, j + 2) of the inverse, for the two rows below the current one.
    let (mut below, mut below_2) = ([0.0; 3], [0.0; 3]);
    for j in (0..pivots.len()).rev() {
        let [l1, l2] = bands[j];
        let next = -l1 * below[0] - l2 * below[1];
        let next_2 = -l1 * below[1] - l2 * below_2[0];
        let diagonal = 1.0 / pivots[j] - l1 * next - l2 * next_2;
        sum += square[j][0] * diagonal + 2.0 * (square[j][1] * next + square[j][2] * next_2);
        below_2 = below;
        below = [diagonal, next, next_2];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_images::Random;

    fn uneven() -> Vec<f64> {
        (0..60).map(|k| 100.0 * f64::from(k) + 30.0 * (f64::from(k) * 1.7).sin()).collect()
    }

    fn wave(z: f64, phase: f64) -> f64 {
        50.0 + 10.0 * (0.004 * z + phase).sin()
    }

    #[test]
    fn the_degrees_of_freedom_are_the_trace_of_the_smoothing_matrix() {
        let z = uneven();
        let smoother = Smoother::new(&z);
        for strength in smoother.strengths.iter().step_by(5) {
            let (mut trace, mut gamma) = (0.0, vec![0.0; z.len() - 2]);
            for i in 0..z.len() {
                let mut unit = vec![0.0; z.len()];
                unit[i] = 1.0;
                strength.smooth(&smoother.steps, &mut unit, &mut gamma);
                trace += unit[i];
            }
            assert!((trace - strength.freedom).abs() < 1e-8, "{trace} and {}", strength.freedom);
        }
    }

    #[test]
    fn a_straight_line_is_left_alone_at_any_strength() {
        let z = uneven();
        let smoother = Smoother::new(&z);
        let mut column: Vec<f64> = z.iter().map(|z| 3.0 + 0.1 * z).collect();
        let mut gamma = vec![0.0; z.len() - 2];
        let last = smoother.strengths.last().unwrap();
        let taken = last.smooth(&smoother.steps, &mut column, &mut gamma);
        assert!(taken < 1e-15, "{taken}");
    }

    #[test]
    fn noise_falls_and_the_signal_stays() {
        let (z, n_columns, sigma) = (uneven(), 20, 0.5);
        let mut random = Random(5);
        let truth: Vec<f64> = z.iter().flat_map(|&z| (0..n_columns).map(move |c| wave(z, 0.3 * c as f64))).collect();
        let noisy: Vec<f64> = truth.iter().map(|v| v + sigma * random.normal()).collect();
        let mut smoothed = noisy.clone();
        Smoother::new(&z).smooth(&mut smoothed, n_columns, &vec![sigma * sigma; n_columns]);
        let rms = |values: &[f64]| {
            let squares: f64 = values.iter().zip(&truth).map(|(a, b)| (a - b) * (a - b)).sum();
            (squares / truth.len() as f64).sqrt()
        };
        // 60 planes of a wave with 4 periods: about 16 parameters would do, so the noise could fall to a half.
        assert!(rms(&smoothed) < 0.7 * rms(&noisy), "{} from {}", rms(&smoothed), rms(&noisy));
        // Told that there is almost no noise, it does almost nothing.
        let mut kept = truth.clone();
        Smoother::new(&z).smooth(&mut kept, n_columns, &vec![1e-12; n_columns]);
        assert!(rms(&kept) < 1e-3, "{}", rms(&kept));
        // Left to find out by itself, it finds the noise, or none.
        let mean = |variances: Vec<f64>| variances.iter().sum::<f64>() / n_columns as f64;
        let estimate = mean(Smoother::new(&z).estimate_variance(&noisy, n_columns));
        // Measured: 0.85. A weak smoothing leaves only the quickest part of the noise, which counts too little.
        assert!((0.75..1.1).contains(&(estimate / (sigma * sigma))), "{estimate}");
        let without = mean(Smoother::new(&z).estimate_variance(&truth, n_columns));
        assert!(without < 1e-5, "{without}");
        let constant = Smoother::new(&z).estimate_variance(&vec![7.0; z.len()], 1);
        assert!(constant[0] < 1e-20, "{constant:?}");
        let mut untold = noisy.clone();
        Smoother::new(&z).smooth(&mut untold, n_columns, &vec![f64::NAN; n_columns]);
        assert_eq!(untold, noisy);
    }
}
