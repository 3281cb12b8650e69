//! Fast random numbers for pixels: a normal deviate from 32 random bits by table, and from it a Poisson deviate.
//!
//! The inverse of the Poisson distribution is expanded about the normal one (Cornish–Fisher; the form with its floor is
//! M. B. Giles, ACM TOMS 42, 7 (2016), eq. Q_N3), so each pixel costs one table look-up and a dozen multiplications, all but
//! the look-up on several pixels at once. Below [`EXACT_BELOW_ELECTRONS`] the distribution is inverted term by term.
//! How far that is from the exact distribution is measured in the tests of this file. General-purpose samplers
//! (rand_distr 0.6) take 40 to 50 ns per pixel where every pixel has its own mean; this takes about 2.

use libm::erfc;

/// Expected electrons below which the Poisson distribution is inverted exactly.
pub(super) const EXACT_BELOW_ELECTRONS: f32 = 10.0;

/// Bins of each table; two levels: the lower half of the distribution, and the first bin of that once more.
const BINS: usize = 2048;
const BODY_BITS: u32 = 20;
const TAIL_BITS: u32 = 9;

/// Normal quantiles by linear interpolation in probability: bins of 2^-12, below 2^-12 bins of 2^-23.
///
/// Deviates reach ± 6.3. Mean 0, variance 1 + 8e-5, kurtosis 3 + 1e-3 (tested).
pub(super) struct NormalQuantiles {
    /// Value at the start of a bin and slope per step of the lower bits.
    body: Box<[[f32; 2]; BINS]>,
    tail: Box<[[f32; 2]; BINS]>,
}

impl NormalQuantiles {
    pub(super) fn new() -> Self {
        Self { body: table(BODY_BITS), tail: table(TAIL_BITS) }
    }

    /// The standard normal deviate that belongs to 32 uniform random bits; increasing below and above 2^31.
    #[inline]
    pub(super) fn deviate(&self, bits: u32) -> f32 {
        // The upper half is the mirror image of the lower one.
        let mirror = ((bits as i32) >> 31) as u32;
        let lower = bits ^ mirror;
        let index = (lower >> BODY_BITS) as usize;
        let [start, slope] = self.body[index % BINS];
        let mut w = start + slope * (lower & ((1 << BODY_BITS) - 1)) as f32;
        if index == 0 {
            let [start, slope] = self.tail[(lower >> TAIL_BITS) as usize % BINS];
            w = start + slope * (lower & ((1 << TAIL_BITS) - 1)) as f32;
        }
        f32::from_bits(w.to_bits() ^ (mirror & 0x8000_0000))
    }
}

/// Quantiles at multiples of 2^bits (of 2^32), taken in the middle of each of the 2^32 steps.
fn table(bits: u32) -> Box<[[f32; 2]; BINS]> {
    let at = |bin: usize| normal_quantile(((bin as f64) * f64::from(1u32 << bits) + 0.5) / 4_294_967_296.0);
    let mut table = Box::new([[0.0; 2]; BINS]);
    let mut start = at(0);
    for (bin, entry) in table.iter_mut().enumerate() {
        let end = at(bin + 1);
        *entry = [start as f32, ((end - start) / f64::from(1u32 << bits)) as f32];
        start = end;
    }
    table
}

/// The value below which a standard normal deviate falls with this probability (above 0, below about 0.6); by bisection.
fn normal_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 1.0);
    for _ in 0..56 {
        let middle = 0.5 * (low + high);
        if 0.5 * erfc(-middle * std::f64::consts::FRAC_1_SQRT_2) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Electrons (a whole number, as float) for a normal deviate `w` where `mean` are expected, `mean` at least
/// [`EXACT_BELOW_ELECTRONS`]; above 8 million electrons to 1 part in 16 million.
#[inline]
pub(super) fn poisson_from_normal(mean: f32, w: f32) -> f32 {
    let root = mean.sqrt();
    let inverse = 1.0 / root;
    let w2 = w * w;
    let shift = (1.0 / 3.0) + w2 * (1.0 / 6.0);
    let first = w * (-1.0 / 36.0 - w2 * (1.0 / 72.0));
    let second = (-8.0 / 405.0) + w2 * ((7.0 / 810.0) + w2 * (1.0 / 270.0));
    let x = mean + (w * root + (shift + inverse * (first + inverse * second)));
    // floor(x): adding and subtracting 2^23 rounds to whole numbers, and unlike floor() is vectorised on every x86-64.
    const TO_WHOLE: f32 = 8_388_608.0;
    (((x - 0.5) + TO_WHOLE) - TO_WHOLE).max(0.0)
}

/// Electrons where fewer than [`EXACT_BELOW_ELECTRONS`] are expected: the exact inverse for the probability
/// (`bits` + ½) / 2^32.
#[cold]
pub(super) fn poisson_exact(mean: f32, bits: u32) -> f32 {
    let mean = f64::from(mean);
    let mut left = (f64::from(bits) + 0.5) / 4_294_967_296.0;
    let mut term = (-mean).exp();
    let mut k = 0.0;
    // The sum of all terms is 1, so this ends; the bound is for rounding at the very end of the tail.
    while left > term && k < 200.0 {
        left -= term;
        k += 1.0;
        term *= mean / k;
    }
    k as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly spread random bits: no chance in these tests.
    fn all_bits(n: u32) -> impl Iterator<Item = u32> {
        (0..n).map(move |i| ((u64::from(i) * 2 + 1) * (1 << 31) / u64::from(n)) as u32)
    }

    #[test]
    fn the_quantiles_are_those_of_the_normal_distribution() {
        let quantiles = NormalQuantiles::new();
        for (bits, exact) in [(1u32 << 31, 0.0), (681_391_578, -1.0), (3_613_575_717, 1.0), (97_710_542, -2.0)] {
            let w = quantiles.deviate(bits);
            assert!((w - exact).abs() < 1e-4, "{bits}: {w}");
        }
        assert!((quantiles.deviate(0) + 6.33).abs() < 0.01, "{}", quantiles.deviate(0));
        assert_eq!(quantiles.deviate(0), -quantiles.deviate(u32::MAX));
        // 2^-16: in the second table. Φ⁻¹ = −4.169.
        assert!((quantiles.deviate(1 << 16) + 4.1695).abs() < 1e-3, "{}", quantiles.deviate(1 << 16));
    }

    #[test]
    fn the_deviates_have_mean_0_variance_1_and_kurtosis_3() {
        let quantiles = NormalQuantiles::new();
        let n = 1 << 22;
        let (mut sum, mut squares, mut fourths) = (0.0, 0.0, 0.0);
        for bits in all_bits(n) {
            let w = f64::from(quantiles.deviate(bits));
            sum += w;
            squares += w * w;
            fourths += w.powi(4);
        }
        let n = f64::from(n);
        assert!((sum / n).abs() < 1e-7, "mean {}", sum / n);
        assert!((squares / n - 1.0).abs() < 1e-4, "variance {}", squares / n);
        assert!((fourths / n - 3.0).abs() < 2e-3, "fourth moment {}", fourths / n);
    }

    /// Probabilities 0, 1, 2 … of the exact distribution, up to 12 standard deviations beyond the mean.
    fn exact(mean: f64) -> Vec<f64> {
        let n = (mean + 12.0 * mean.sqrt() + 30.0) as usize;
        (0..n).map(|k| (k as f64 * mean.ln() - mean - libm::lgamma(k as f64 + 1.0)).exp()).collect()
    }

    #[test]
    fn poisson_deviates_follow_the_exact_distribution() {
        // Limits: largest share of draws that fall on another count than they should (total variation distance), error of
        // the mean in standard deviations, relative error of the variance. The distance grows where a count is a small part
        // of a standard deviation, because of float rounding and of the quantiles' interpolation: harmless there.
        let quantiles = NormalQuantiles::new();
        let n = 1 << 22;
        for (mean, distance, offset, spread) in [
            (0.3, 2e-6, 1e-6, 1e-5),
            (4.0, 2e-6, 1e-6, 1e-5),
            (9.9, 2e-6, 1e-6, 1e-5),
            (10.5, 2e-4, 1e-5, 4e-4),
            (20.0, 2e-4, 1e-5, 4e-4),
            (100.0, 2e-4, 1e-5, 4e-4),
            (1000.0, 2e-4, 1e-5, 4e-4),
            (10_000.0, 1e-3, 1e-5, 4e-4),
            (100_000.0, 5e-3, 1e-5, 4e-4),
        ] {
            let exact = exact(mean);
            let mut counts = vec![0u32; exact.len()];
            for bits in all_bits(n) {
                let electrons = if mean < f64::from(EXACT_BELOW_ELECTRONS) {
                    poisson_exact(mean as f32, bits)
                } else {
                    poisson_from_normal(mean as f32, quantiles.deviate(bits))
                };
                counts[electrons as usize] += 1;
            }
            let ours = |k: usize| f64::from(counts[k]) / f64::from(n);
            let tv = 0.5 * (0..exact.len()).map(|k| (ours(k) - exact[k]).abs()).sum::<f64>();
            let m: f64 = (0..exact.len()).map(|k| ours(k) * k as f64).sum();
            let v: f64 = (0..exact.len()).map(|k| ours(k) * (k as f64 - m).powi(2)).sum();
            assert!(tv < distance, "{mean} electrons: {tv} of the draws are misplaced");
            assert!((m - mean).abs() < offset * mean.sqrt(), "{mean} electrons: mean {m}");
            assert!((v / mean - 1.0).abs() < spread, "{mean} electrons: variance {v}");
        }
    }

    #[test]
    fn nothing_comes_from_nothing() {
        assert!([0, 1, u32::MAX].into_iter().all(|bits| poisson_exact(0.0, bits) == 0.0));
    }
}
