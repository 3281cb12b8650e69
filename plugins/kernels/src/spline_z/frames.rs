//! Frames of one plane into one profile: a weighted mean, and how sure it is.

/// Weighted mean of the finite values, and the variance of that mean from their scatter; NaN without, or with fewer than
/// two values.
pub fn mean_and_variance(values: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let finite = values.filter(|(v, w)| v.is_finite() && *w > 0.0 && w.is_finite());
    let n = finite.clone().count() as f64;
    let sum: f64 = finite.clone().map(|(_, w)| w).sum();
    let mean = finite.clone().map(|(v, w)| v * w).sum::<f64>() / sum;
    if n < 2.0 {
        return (mean, f64::NAN);
    }
    // The variance of a frame's bin goes as 1 / w, so that of the mean as 1 / Σw.
    let squares: f64 = finite.map(|(v, w)| w * (v - mean).powi(2)).sum();
    (mean, squares / (n - 1.0) / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_plane_count_by_their_pixels() {
        // Two frames of 1 and 3 pixels: mean 4, of which the scatter says 1 × 9 + 3 × 1 = 12, over 1, over 4 pixels.
        assert_eq!(mean_and_variance([(1.0, 1.0), (5.0, 3.0), (f64::NAN, 2.0), (9.0, 0.0)].into_iter()), (4.0, 3.0));
        let single = mean_and_variance([(1.0, 1.0)].into_iter());
        assert!(single.0 == 1.0 && single.1.is_nan());
    }
}
