//! Small symmetric matrices: the inverse of an information matrix.

/// Inverse of a symmetric, positive definite matrix, by Cholesky. None where it is not positive definite (or not finite):
/// the parameters cannot be told apart.
pub(crate) fn inverse<const N: usize>(a: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    // Scaled to a unit diagonal, so that nm and grey values do not meet in one pivot.
    let scale: [f64; N] = std::array::from_fn(|i| a[i][i].sqrt().recip());
    let mut lower = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = a[i][j] * scale[i] * scale[j] - dot;
            lower[i][j] = if i == j { (rest > SINGULAR).then(|| rest.sqrt())? } else { rest / lower[j][j] };
        }
    }
    // Columns of the inverse of the lower triangle, then their products.
    let columns: [[f64; N]; N] = std::array::from_fn(|j| {
        let mut column = [0.0; N];
        for i in j..N {
            let known: f64 = (j..i).map(|k| lower[i][k] * column[k]).sum();
            column[i] = (f64::from(u8::from(i == j)) - known) / lower[i][i];
        }
        column
    });
    let dot = |a: &[f64; N], b: &[f64; N]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let entry = |i: usize, j: usize| dot(&columns[i], &columns[j]) * scale[i] * scale[j];
    Some(std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))))
}

/// What is left of a unit diagonal at most when two parameters do the same to the image: rounding of a few thousand pixels.
const SINGULAR: f64 = 1e-11;

#[cfg(test)]
mod tests {
    use super::inverse;

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        let a = [[4e6, 2.0, 300.0], [2.0, 1e-4, 0.01], [300.0, 0.01, 9.0]];
        let b = inverse(&a).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| a[i][k] * b[k][j]).sum();
                let scale = (a[i][i] / a[j][j]).sqrt();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12 * scale.max(1.0), "{i} {j}: {product}");
            }
        }
    }

    #[test]
    fn two_parameters_that_do_the_same_have_no_inverse() {
        assert!(inverse(&[[1.0, 2.0], [2.0, 4.0]]).is_none());
        assert!(inverse(&[[1.0, 0.0], [0.0, 0.0]]).is_none());
        assert!(inverse(&[[f64::NAN, 0.0], [0.0, 1.0]]).is_none());
    }
}
