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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spline_z::cubic::interval_of;

    const N_COLUMNS: usize = 40;

    /// A bead whose columns swing in z, the outer ones more quickly, as rings do; and its slope.
    fn bead(z_nm: f64, c: usize, period_nm: f64) -> (f64, f64) {
        let k = std::f64::consts::TAU / period_nm * (1.0 + c as f64 / N_COLUMNS as f64);
        let phase = k * z_nm + 0.4 * c as f64;
        (100.0 + 20.0 * phase.sin(), 20.0 * k * phase.cos())
    }

    /// What is said of planes `step_nm` apart, and what their splines really err by at places between, both rms.
    fn said_and_true(period_nm: f64, step_nm: f64) -> [f64; 2] {
        let z_nm: Vec<f64> = (0..41).map(|k| step_nm * f64::from(k)).collect();
        let n = z_nm.len();
        let of_all: Vec<(f64, f64)> =
            z_nm.iter().flat_map(|&z| (0..N_COLUMNS).map(move |c| bead(z, c, period_nm))).collect();
        let (values, slopes): (Vec<f64>, Vec<f64>) = of_all.into_iter().unzip();
        let areas: Vec<f64> = (0..N_COLUMNS).map(|c| 1.0 + c as f64).collect();
        let planes =
            Planes { z_nm: &z_nm, values: &values, slopes: &slopes, stride: N_COLUMNS, areas: &areas, mean_adu: 100.0 };
        let spacing = PlaneSpacing::new(&planes);
        let mut column_slopes = vec![vec![0.0; n]; N_COLUMNS];
        for (c, slopes) in column_slopes.iter_mut().enumerate() {
            let column: Vec<f64> = (0..n).map(|k| values[k * N_COLUMNS + c]).collect();
            not_a_knot_slopes(&z_nm, &column, slopes);
        }
        let (mut said, mut really) = (0.0, 0.0);
        for i in 0..200 {
            let z = step_nm * (10.0 + 20.0 * (f64::from(i) + 0.37) / 200.0);
            let k = interval_of(&z_nm, z);
            let hermite = Hermite::at(z_nm[k], z_nm[k + 1], z);
            let rows = (0..N_COLUMNS).map(|c| {
                let at = |k: usize| (values[k * N_COLUMNS + c], column_slopes[c][k]);
                let ((left, left_slope), (right, right_slope)) = (at(k), at(k + 1));
                let (value, slope) = hermite.apply([left, left_slope, right, right_slope]);
                (areas[c], value, slope, bead(z, c, period_nm).0 - value)
            });
            really += shift_of(rows).powi(2) / 200.0;
            said += spacing.error_nm(k).powi(2) / 200.0;
        }
        [said.sqrt(), really.sqrt()]
    }

    #[test]
    fn what_splines_miss_is_told_within_a_factor_of_four_and_vanishes_with_the_distance_of_planes() {
        for (period_nm, step_nm) in [(2000.0, 200.0), (2000.0, 150.0), (2000.0, 100.0), (1200.0, 100.0), (800.0, 50.0)]
        {
            let [said, really] = said_and_true(period_nm, step_nm);
            println!("{period_nm} nm, planes {step_nm} nm apart: {said:.4} nm said, {really:.4} nm true");
            // Midway between planes a single period has no shift, only less contrast: too little is said where it is little.
            assert!((0.25..2.5).contains(&(said / really)), "{period_nm} nm, {step_nm} nm: {said} nm, not {really}");
        }
        let [said, really] = said_and_true(2000.0, 25.0);
        assert!(said < 1e-3 && really < 1e-3, "{said} nm, {really} nm");
    }

    #[test]
    fn too_few_planes_say_nothing() {
        let z_nm = [0.0, 100.0, 200.0, 300.0];
        let (values, slopes) = (vec![f64::NAN; 4], vec![0.0; 4]);
        let planes =
            Planes { z_nm: &z_nm, values: &values, slopes: &slopes, stride: 1, areas: &[1.0], mean_adu: 100.0 };
        assert_eq!(PlaneSpacing::new(&planes).errors_nm, [0.0; 3]);
    }
}
