//! Mean of values per integer bin.

/// Mean of the `weights` whose `bins` entry is b, into `means[b]`; NaN for a bin without one.
///
/// `bins` and `weights` have one entry per value; entries at or past `means.len()` are dropped. `counts` is scratch of
/// the length of `means` and holds the number of values per bin afterwards. The inputs are not changed. Panics when two
/// lengths differ. Method: `binmean` of MagTrack 1.0.0, one column.
pub fn binmean(bins: &[usize], weights: &[f64], means: &mut [f64], counts: &mut [u32]) {
    assert!(bins.len() == weights.len(), "{} bins for {} weights", bins.len(), weights.len());
    assert!(means.len() == counts.len(), "{} means, {} counts", means.len(), counts.len());
    means.fill(0.0);
    counts.fill(0);
    for (&bin, &weight) in bins.iter().zip(weights) {
        if bin < means.len() {
            means[bin] += weight;
            counts[bin] += 1;
        }
    }
    divide(means, counts);
}

/// Sums to means: 0 / 0 is the NaN of an empty bin.
pub(crate) fn divide(sums: &mut [f64], counts: &[u32]) {
    for (sum, &count) in sums.iter_mut().zip(counts) {
        *sum /= f64::from(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_bins_are_nan_and_high_bins_are_dropped() {
        let (mut means, mut counts) = ([0.0; 3], [0; 3]);
        binmean(&[0, 2, 2, 3, 9], &[1.0, 2.0, 4.0, 100.0, 100.0], &mut means, &mut counts);
        assert_eq!(means[0], 1.0);
        assert!(means[1].is_nan());
        assert_eq!(means[2], 3.0);
        assert_eq!(counts, [1, 0, 2]);
    }
}
