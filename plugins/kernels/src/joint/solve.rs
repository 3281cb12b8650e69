//! Small symmetric systems: the normal equations of the joint fit. Allocates nothing.

/// The inverse of the leading `n` × `n` part of a symmetric positive matrix (`N` at most), zero elsewhere; None where the
/// parameters cannot be told apart.
///
/// Cholesky on the matrix scaled to ones on its diagonal, so that units do not matter.
// Rows and columns of a matrix: indices say more than iterators.
#[allow(clippy::needless_range_loop)]
pub(super) fn inverse<const N: usize>(matrix: &[[f64; N]; N], n: usize) -> Option<[[f64; N]; N]> {
    /// Of a parameter's information, what must be left after the others took their part: rounding leaves about 1e-7 of
    /// sums in single precision.
    const LEAST: f64 = 1e-6;
    let mut scale = [0.0; N];
    for k in 0..n {
        if !(matrix[k][k] > 0.0 && matrix[k][k].is_finite()) {
            return None;
        }
        scale[k] = matrix[k][k].sqrt().recip();
    }
    // L, lower: scaled matrix = L Lᵀ.
    let mut lower = [[0.0; N]; N];
    for i in 0..n {
        for j in 0..=i {
            let mut rest = matrix[i][j] * scale[i] * scale[j];
            for k in 0..j {
                rest -= lower[i][k] * lower[j][k];
            }
            if i == j {
                if rest.is_nan() || rest < LEAST {
                    return None;
                }
                lower[i][i] = rest.sqrt();
            } else {
                lower[i][j] = rest / lower[j][j];
            }
        }
    }
    // L⁻¹, then its transpose times itself.
    let mut upside = [[0.0; N]; N];
    for j in 0..n {
        for i in j..n {
            let mut rest = if i == j { 1.0 } else { 0.0 };
            for k in j..i {
                rest -= lower[i][k] * upside[k][j];
            }
            upside[i][j] = rest / lower[i][i];
        }
    }
    let mut inverse = [[0.0; N]; N];
    for i in 0..n {
        for j in 0..n {
            let sum: f64 = (i.max(j)..n).map(|k| upside[k][i] * upside[k][j]).sum();
            inverse[i][j] = sum * scale[i] * scale[j];
        }
    }
    Some(inverse)
}

/// Matrix times vector.
pub(super) fn times<const N: usize>(matrix: &[[f64; N]; N], vector: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| matrix[i].iter().zip(vector).map(|(a, b)| a * b).sum())
}

/// A symmetric matrix with three bands beside its diagonal, factored as L D Lᵀ: the least squares of a cubic spline.
pub(super) struct Banded {
    pivots: Vec<f64>,
    bands: Vec<[f64; 3]>,
}

impl Banded {
    /// Factors a matrix given as its diagonal and the three bands above it, row by row. None where it is not positive.
    pub(super) fn factor(rows: &[[f64; 4]]) -> Option<Banded> {
        let n = rows.len();
        let (mut pivots, mut bands) = (vec![0.0; n], vec![[0.0; 3]; n]);
        for j in 0..n {
            let mut row = rows[j];
            for back in 1..=3.min(j) {
                let i = j - back;
                // Element (j, i) of L, times the pivot, times the elements of the same column further down.
                let factor = bands[i][back - 1] * pivots[i];
                for k in 0..4 - back {
                    row[k] -= factor * bands[i][back - 1 + k];
                }
            }
            if row[0].is_nan() || row[0] <= 0.0 {
                return None;
            }
            pivots[j] = row[0];
            for k in 1..4 {
                bands[j][k - 1] = if j + k < n { row[k] / row[0] } else { 0.0 };
            }
        }
        Some(Banded { pivots, bands })
    }

    /// Solves in place.
    pub(super) fn solve(&self, right: &mut [f64]) {
        let n = self.pivots.len();
        for j in 0..n {
            for back in 1..=3.min(j) {
                right[j] -= self.bands[j - back][back - 1] * right[j - back];
            }
        }
        for j in (0..n).rev() {
            right[j] /= self.pivots[j];
            for k in 1..=3.min(n - 1 - j) {
                right[j] -= self.bands[j][k - 1] * right[j + k];
            }
        }
    }

    /// The diagonal of the inverse.
    pub(super) fn inverse_diagonal(&self) -> Vec<f64> {
        let n = self.pivots.len();
        let mut unit = vec![0.0; n];
        (0..n)
            .map(|j| {
                unit.fill(0.0);
                unit[j] = 1.0;
                self.solve(&mut unit);
                unit[j]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_images::Random;

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        let mut random = Random(3);
        // Squares of random matrices, in very different units.
        let rows: [[f64; 5]; 9] =
            std::array::from_fn(|_| std::array::from_fn(|k| random.normal() * 10f64.powi(k as i32 - 2)));
        let matrix: [[f64; 5]; 5] =
            std::array::from_fn(|i| std::array::from_fn(|j| rows.iter().map(|r| r[i] * r[j]).sum()));
        for n in [4, 5] {
            let inverse = inverse(&matrix, n).unwrap();
            for i in 0..n {
                for j in 0..n {
                    let sum: f64 = (0..n).map(|k| matrix[i][k] * inverse[k][j]).sum();
                    let unit = if i == j { 1.0 } else { 0.0 };
                    assert!((sum - unit).abs() < 1e-7 * (matrix[i][i] / matrix[j][j]).sqrt(), "({i}, {j}): {sum}");
                }
            }
        }
        assert_eq!(times(&[[1.0, 2.0], [3.0, 4.0]], &[5.0, 6.0]), [17.0, 39.0]);
    }

    #[test]
    fn what_cannot_be_told_apart_has_no_inverse() {
        let same = [[2.0, 4.0], [4.0, 8.0]];
        assert!(inverse(&same, 2).is_none() && inverse(&same, 1).is_some());
        assert!(inverse(&[[0.0]], 1).is_none() && inverse(&[[f64::NAN]], 1).is_none());
    }

    #[test]
    fn a_banded_system_is_solved_and_its_inverse_has_this_diagonal() {
        let mut random = Random(4);
        let n = 12;
        // Positive because the diagonal outweighs the bands.
        let rows: Vec<[f64; 4]> =
            (0..n).map(|_| [7.0 + random.uniform(), random.normal().clamp(-1.0, 1.0), 0.5, -0.7]).collect();
        let at = |i: usize, j: usize| if i.abs_diff(j) < 4 { rows[i.min(j)][i.abs_diff(j)] } else { 0.0 };
        let banded = Banded::factor(&rows).unwrap();
        let truth: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let mut right: Vec<f64> = (0..n).map(|i| (0..n).map(|j| at(i, j) * truth[j]).sum()).collect();
        banded.solve(&mut right);
        assert!(right.iter().zip(&truth).all(|(a, b)| (a - b).abs() < 1e-12), "{right:?} {truth:?}");
        let diagonal = banded.inverse_diagonal();
        let mut unit = vec![0.0; n];
        unit[5] = 1.0;
        banded.solve(&mut unit);
        assert!((unit[5] - diagonal[5]).abs() < 1e-15);
        assert!(Banded::factor(&[[1.0, 2.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).is_none());
    }
}
