//! Means, medians and likeness of lists of numbers, with a plain word for what is not there: `None`.

/// Mean; None of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Root of the mean square; None of nothing.
pub(crate) fn rms(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt())
}

/// Sample standard deviation; None of fewer than two.
pub(crate) fn standard_deviation(values: &[f64]) -> Option<f64> {
    let middle = mean(values).filter(|_| values.len() > 1)?;
    let sum: f64 = values.iter().map(|v| (v - middle).powi(2)).sum();
    Some((sum / (values.len() - 1) as f64).sqrt())
}

/// The middle value; None of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some(0.5 * (sorted[n / 2 - 1] + sorted[n / 2])),
    }
}

/// Standard deviation of normal noise by the median distance from the median: a few outliers move nothing. None of nothing.
pub(crate) fn robust_deviation(values: &[f64]) -> Option<f64> {
    // 1 / the 75 % quantile of the normal distribution.
    const PER_MEDIAN: f64 = 1.482_602_218_505_602;
    let middle = median(values)?;
    let distances: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
    median(&distances).map(|m| PER_MEDIAN * m)
}

/// Pearson's correlation over the places where both are numbers; None of fewer than three, or without variation.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let pairs = || a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite());
    let n = pairs().count() as f64;
    if n < 3.0 {
        return None;
    }
    let (ma, mb) = (pairs().map(|p| p.0).sum::<f64>() / n, pairs().map(|p| p.1).sum::<f64>() / n);
    let sum = |f: fn(f64, f64) -> f64| pairs().map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
    let (ab, aa, bb) = (sum(|a, b| a * b), sum(|a, _| a * a), sum(|_, b| b * b));
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_lists_by_hand() {
        assert_eq!((mean(&[]), rms(&[]), median(&[]), standard_deviation(&[1.0])), (None, None, None, None));
        assert_eq!(
            (mean(&[1.0, 3.0]), rms(&[3.0, -4.0]), median(&[9.0, 1.0, 2.0])),
            (Some(2.0), Some(12.5_f64.sqrt()), Some(2.0))
        );
        assert_eq!((median(&[1.0, 2.0, 4.0, 8.0]), standard_deviation(&[1.0, 3.0])), (Some(3.0), Some(2_f64.sqrt())));
        assert_eq!(robust_deviation(&[0.0, 1.0, 2.0, 1000.0, 1.0]), Some(1.482_602_218_505_602));
    }

    #[test]
    fn likeness_leaves_gaps_out_and_needs_variation() {
        let a = [1.0, 2.0, f64::NAN, 4.0, 8.0];
        assert_eq!(correlation(&a, &[10.0, 20.0, 5.0, 40.0, 80.0]), Some(1.0));
        assert_eq!(correlation(&a, &[-1.0, -2.0, 5.0, -4.0, f64::NAN]), Some(-1.0));
        assert_eq!(correlation(&a, &[3.0; 5]), None);
        assert_eq!(correlation(&a, &[1.0, f64::NAN, 1.0, f64::NAN, 2.0]), None);
    }
}
