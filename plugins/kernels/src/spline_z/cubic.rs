//! Cubic splines through rising knots, as values and slopes: how slopes are found, and how a piece is evaluated. No
//! smoothing here.

/// Slopes at the knots of the cubic spline through (`z`, `y`) whose third derivative has no jump at the second and the last
/// but one knot ("not a knot"). A parabola through 3 knots, a line through 2. Panics on other lengths or below 2 knots.
pub(crate) fn not_a_knot_slopes(z: &[f64], y: &[f64], slopes: &mut [f64]) {
    let n = z.len();
    assert!(n >= 2 && y.len() == n && slopes.len() == n, "{n} knots, {} values, {} slopes", y.len(), slopes.len());
    let step = |i: usize| z[i + 1] - z[i];
    let chord = |i: usize| (y[i + 1] - y[i]) / step(i);
    if n == 2 {
        slopes.fill(chord(0));
        return;
    }
    if n == 3 {
        let curve = (chord(1) - chord(0)) / (z[2] - z[0]);
        slopes[0] = chord(0) - curve * step(0);
        slopes[1] = chord(0) + curve * step(0);
        slopes[2] = chord(1) + curve * step(1);
        return;
    }
    // Rows of the tridiagonal system: (below, diagonal, above, right side).
    let row = |i: usize| -> (f64, f64, f64, f64) {
        if i == 0 {
            let (first, second, both) = (step(0), step(1), z[2] - z[0]);
            let right = ((first + 2.0 * both) * second * chord(0) + first * first * chord(1)) / both;
            (0.0, second, both, right)
        } else if i == n - 1 {
            let (last, before, both) = (step(n - 2), step(n - 3), z[n - 1] - z[n - 3]);
            let right = (last * last * chord(n - 3) + (2.0 * both + last) * before * chord(n - 2)) / both;
            (both, before, 0.0, right)
        } else {
            let (left, right) = (step(i - 1), step(i));
            (right, 2.0 * (left + right), left, 3.0 * (right * chord(i - 1) + left * chord(i)))
        }
    };
    let mut above = vec![0.0; n];
    for i in 0..n {
        let (b, d, a, right) = row(i);
        let (last_above, last_slope) = if i == 0 { (0.0, 0.0) } else { (above[i - 1], slopes[i - 1]) };
        let pivot = d - b * last_above;
        above[i] = a / pivot;
        slopes[i] = (right - b * last_slope) / pivot;
    }
    for i in (0..n - 1).rev() {
        slopes[i] -= above[i] * slopes[i + 1];
    }
}

/// The interval of rising knots in which `z` lies; the first or last one beyond the ends.
#[inline]
pub(crate) fn interval_of(knots: &[f64], z: f64) -> usize {
    knots[1..knots.len() - 1].partition_point(|&knot| knot <= z)
}

/// Factors that make value and slope at one z out of the values and slopes at both ends of an interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hermite {
    /// For the value: left value, left slope, right value, right slope.
    pub value: [f64; 4],
    /// For the slope, in the same order.
    pub slope: [f64; 4],
}

impl Hermite {
    /// At `z`, in the interval from `left` to `right`; beyond it the cubic goes on.
    #[inline]
    pub(crate) fn at(left: f64, right: f64, z: f64) -> Hermite {
        let h = right - left;
        let t = (z - left) / h;
        let (t2, t3) = (t * t, t * t * t);
        let rise = 3.0 * t2 - 2.0 * t3;
        let rise_slope = 6.0 * (t - t2) / h;
        Hermite {
            value: [1.0 - rise, h * (t3 - 2.0 * t2 + t), rise, h * (t3 - t2)],
            slope: [-rise_slope, 3.0 * t2 - 4.0 * t + 1.0, rise_slope, 3.0 * t2 - 2.0 * t],
        }
    }

    /// Value and slope from the four numbers of one bin.
    #[inline(always)]
    pub(crate) fn apply(&self, ends: [f64; 4]) -> (f64, f64) {
        let sum = |f: &[f64; 4]| (f[0] * ends[0] + f[1] * ends[1]) + (f[2] * ends[2] + f[3] * ends[3]);
        (sum(&self.value), sum(&self.slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_is_its_own_spline_whatever_the_knots() {
        let cubic = |z: f64| 3.0 - 0.2 * z + 0.05 * z * z - 0.004 * z * z * z;
        let slope = |z: f64| -0.2 + 0.1 * z - 0.012 * z * z;
        for z in [vec![0.0, 1.0, 3.0, 4.5], vec![-5.0, -1.0, 0.0, 0.5, 4.0, 9.0, 10.0]] {
            let y: Vec<f64> = z.iter().map(|&z| cubic(z)).collect();
            let mut slopes = vec![0.0; z.len()];
            not_a_knot_slopes(&z, &y, &mut slopes);
            for at in [z[0], 0.3, 2.2, 4.4, z[z.len() - 1]] {
                let k = interval_of(&z, at);
                let (value, s) = Hermite::at(z[k], z[k + 1], at).apply([y[k], slopes[k], y[k + 1], slopes[k + 1]]);
                assert!((value - cubic(at)).abs() < 1e-12 && (s - slope(at)).abs() < 1e-12, "at {at} on {z:?}");
            }
        }
    }

    #[test]
    fn few_knots_give_a_parabola_or_a_line() {
        let mut slopes = [0.0; 3];
        not_a_knot_slopes(&[0.0, 1.0, 3.0], &[0.0, 1.0, 9.0], &mut slopes);
        assert!(slopes.iter().zip([0.0, 2.0, 6.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{slopes:?}");
        not_a_knot_slopes(&[0.0, 2.0], &[1.0, 5.0], &mut slopes[..2]);
        assert_eq!(slopes[..2], [2.0, 2.0]);
    }

    #[test]
    fn every_z_has_an_interval() {
        let knots = [0.0, 1.0, 2.0, 5.0];
        let found: Vec<usize> = [-1.0, 0.0, 0.5, 1.0, 4.9, 5.0, 7.0].map(|z| interval_of(&knots, z)).to_vec();
        assert_eq!(found, [0, 0, 0, 1, 2, 2, 2]);
        assert_eq!(interval_of(&[0.0, 1.0], 0.5), 0);
    }
}
