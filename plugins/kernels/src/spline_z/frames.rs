//! Frames of one plane into one profile: a weighted mean, and how sure it is. For every strategy that looks profiles up.

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

/// Appends the mean of profiles, bin by bin, and its variance ([`mean_and_variance`]). Each comes with its weights in
/// pixels, or with none (see [`known_weights`]): then its bins weigh alike. Bins without a number do not count.
pub fn append_mean_profile(
    n_bins: usize,
    frames: &[(&[f64], &[f32])],
    profiles: &mut Vec<f64>,
    variance: &mut Vec<f64>,
) {
    for bin in 0..n_bins {
        let weight = |weights: &[f32]| weights.get(bin).map_or(1.0, |&w| f64::from(w));
        let (mean, of_mean) =
            mean_and_variance(frames.iter().map(|(profile, weights)| (profile[bin], weight(weights))));
        profiles.push(mean);
        variance.push(of_mean);
    }
}

/// The weights of a row; empty for a tracker that wrote none, whose rows come as they were prepared: all NaN.
pub fn known_weights(weights: &[f32]) -> &[f32] {
    if weights.iter().all(|w| w.is_nan()) { &[] } else { weights }
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
