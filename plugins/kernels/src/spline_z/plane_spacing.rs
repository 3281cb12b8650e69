//! What splines along z miss between planes, told from the planes themselves: every plane is looked up in a spline through
//! the planes of every second place, as if it were a bead. Without it a standard error of z knows of light alone, and near
//! the focus, where a bead changes within 100 nm, it would be several times too small.

use super::cubic::{Hermite, not_a_knot_slopes};
use crate::noise_model::NoiseModel;

/// From the error midway between planes to its rms at all places between them: that of t² (1 − t)² to its height.
const RMS: f64 = 0.64;

/// Error with planes twice as near, over the error: a cubic's goes with the fourth power of the distance where planes resolve
/// the bead, more slowly where they hardly do. Noise has no such ratio; then the error is small, and this keeps it so.
const LEAST_RATIO: f64 = 1.0 / 16.0;
const MOST_RATIO: f64 = 1.0 / 4.0;

/// Error of z between planes, interval by interval.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlaneSpacing {
    errors_nm: Vec<f64>,
}

/// A table of columns (bins or coefficients) at planes, for [`PlaneSpacing::new`].
pub(crate) struct Planes<'a> {
    pub z_nm: &'a [f64],
    /// `[plane][column]`, from one plane to the next `stride` numbers; NaN where a column has none.
    pub values: &'a [f64],
    /// Their slopes, per nm.
    pub slopes: &'a [f64],
    pub stride: usize,
    /// Pixels of each column.
    pub areas: &'a [f64],
    pub mean_adu: f64,
}

impl PlaneSpacing {
    pub(crate) fn new(planes: &Planes<'_>) -> PlaneSpacing {
        let [half, quarter] = [2, 4].map(|step| errors_at_planes(planes, step));
        let last = half.len() - 1;
        let worst = |of: &[f64], from: usize, to: usize| of[from..=to.min(last)].iter().copied().fold(0.0, f64::max);
        let error = |k: usize| {
            // The ratio from one plane more on either side: single errors may be near 0.
            let [near, far] = [&half, &quarter].map(|of| worst(of, k.saturating_sub(1), k + 2));
            let ratio = if far > 0.0 { (near / far).clamp(LEAST_RATIO, MOST_RATIO) } else { MOST_RATIO };
            RMS * ratio * worst(&half, k, k + 1)
        };
        PlaneSpacing { errors_nm: (0..last).map(error).collect() }
    }

    /// Rms of what the table errs by at places in the interval above plane `k`, nm.
    pub(crate) fn error_nm(&self, k: usize) -> f64 {
        self.errors_nm[k]
    }
}

/// How far each plane is found from its place in a spline through every `step`th plane, itself midway between two of them;
/// where there are no two, as the nearest plane that has them.
fn errors_at_planes(planes: &Planes<'_>, step: usize) -> Vec<f64> {
    let Planes { z_nm, values, slopes, stride, areas, mean_adu } = *planes;
    let n = z_nm.len();
    let usable: Vec<usize> =
        (0..areas.len()).filter(|&c| areas[c] > 0.0 && (0..n).all(|k| values[k * stride + c].is_finite())).collect();
    // Per plane and usable column: what a spline through the others misses.
    let mut missed = vec![0.0; n * usable.len()];
    for first in 0..step {
        let knots: Vec<usize> = (first..n).step_by(step).collect();
        if knots.len() < 2 {
            continue;
        }
        let knots_nm: Vec<f64> = knots.iter().map(|&k| z_nm[k]).collect();
        let mut half_slopes = vec![0.0; knots.len()];
        for (i, &c) in usable.iter().enumerate() {
            let column: Vec<f64> = knots.iter().map(|&k| values[k * stride + c]).collect();
            not_a_knot_slopes(&knots_nm, &column, &mut half_slopes);
            for (j, k) in knots[..knots.len() - 1].iter().map(|k| k + step / 2).enumerate() {
                let hermite = Hermite::at(knots_nm[j], knots_nm[j + 1], z_nm[k]);
                let (expected, _) = hermite.apply([column[j], half_slopes[j], column[j + 1], half_slopes[j + 1]]);
                missed[k * usable.len() + i] = values[k * stride + c] - expected;
            }
        }
    }
    let line = NoiseModel::UNKNOWN.line(mean_adu);
    let mut errors: Vec<f64> = (0..n)
        .map(|k| {
            let rows = usable.iter().enumerate().map(|(i, &c)| {
                let value = values[k * stride + c];
                (areas[c] / line.at(value), value, slopes[k * stride + c], missed[k * usable.len() + i])
            });
            shift_of(rows).abs()
        })
        .collect();
    let inner = step / 2..n.saturating_sub(step / 2);
    if !inner.is_empty() {
        let (first, last) = (errors[inner.start], errors[inner.end - 1]);
        errors[..inner.start].fill(first);
        errors[inner.end..].fill(last);
    }
    errors
}

/// The shift in z that explains a difference best, by weighted least squares with gain and offset free, from rows of weight,
/// value, slope and difference; 0 where slope and value cannot be told apart.
fn shift_of(rows: impl Iterator<Item = (f64, f64, f64, f64)> + Clone) -> f64 {
    let (mut w, mut s, mut d, mut p) = (0.0, 0.0, 0.0, 0.0);
    for (weight, value, slope, difference) in rows.clone() {
        w += weight;
        s += weight * value;
        d += weight * slope;
        p += weight * difference;
    }
    let (s, d, p) = (s / w, d / w, p / w);
    let (mut ss, mut sd, mut dd, mut sp, mut dp) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (weight, value, slope, difference) in rows {
        let (value, slope, difference) = (value - s, slope - d, difference - p);
        ss += weight * value * value;
        sd += weight * value * slope;
        dd += weight * slope * slope;
        sp += weight * value * difference;
        dp += weight * slope * difference;
    }
    let determinant = ss * dd - sd * sd;
    if determinant > 1e-12 * ss * dd { (dp * ss - sp * sd) / determinant } else { 0.0 }
}
