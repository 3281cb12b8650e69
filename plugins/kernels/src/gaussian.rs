//! Gaussian bells of height one.

use ndarray::{Array2, ArrayView1};

/// `exp(-(x - mu)^2 / (2 sigma^2))`. Method: `gaussian` of MagTrack 1.0.0.
pub fn gaussian(x: f64, mu: f64, sigma: f64) -> f64 {
    let d = x - mu;
    (-(d * d) / (2.0 * sigma * sigma)).exp()
}

/// A two-dimensional bell around (`mu_x`, `mu_y`), `[y, x]` with one row per `y` and one column per `x`.
///
/// `gaussian_2d` of MagTrack 1.0.0 has the axes the other way round (`[x, y]`).
pub fn gaussian_2d(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>, mu_x: f64, mu_y: f64, sigma: f64) -> Array2<f64> {
    Array2::from_shape_fn((y.len(), x.len()), |(i, j)| {
        let (dx, dy) = (x[j] - mu_x, y[i] - mu_y);
        (-(dx * dx + dy * dy) / (2.0 * sigma * sigma)).exp()
    })
}
