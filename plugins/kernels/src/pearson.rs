//! Pearson correlation of columns that may have gaps.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, Axis};

/// Correlation of every column of `y` with every column of `x`, into `out[y column, x column]`.
///
/// `x` is `[bin, p]`, `y` is `[bin, q]`, `out` is `[q, p]`. A NaN counts as equal to the mean of its column. A column
/// without variation gives NaN. Panics when the shapes do not fit. Method: `pearson` of MagTrack 1.0.0. To look up many
/// profiles in one table use [`ZlutTable`](crate::ZlutTable), which prepares the table once.
pub fn pearson(x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>, mut out: ArrayViewMut2<'_, f64>) {
    assert!(x.nrows() == y.nrows(), "columns of {} and {} bins", x.nrows(), y.nrows());
    assert!(
        out.dim() == (y.ncols(), x.ncols()),
        "room for {:?} correlations, there are {:?}",
        out.dim(),
        (y.ncols(), x.ncols())
    );
    for (mut row, b) in out.outer_iter_mut().zip(y.axis_iter(Axis(1))) {
        let (b_mean, b_norm) = mean_and_norm(b);
        for (r, a) in row.iter_mut().zip(x.axis_iter(Axis(1))) {
            let (a_mean, a_norm) = mean_and_norm(a);
            let product: f64 = a.iter().zip(b).map(|(&a, &b)| centered(a, a_mean) * centered(b, b_mean)).sum();
            *r = product / (a_norm * b_norm);
        }
    }
}

/// Mean of the numbers that are not NaN, and the norm of their distances from it.
pub(crate) fn mean_and_norm(values: ArrayView1<'_, f64>) -> (f64, f64) {
    let (mut sum, mut n) = (0.0, 0u32);
    for &v in values {
        if !v.is_nan() {
            sum += v;
            n += 1;
        }
    }
    let mean = sum / f64::from(n);
    let norm = values.iter().map(|&v| centered(v, mean).powi(2)).sum::<f64>().sqrt();
    (mean, norm)
}

/// Distance from the mean; a NaN lies on it.
pub(crate) fn centered(value: f64, mean: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value - mean }
}
