//! Random numbers with a seed of their own for every purpose: uniform, normal, Poisson. The same on every machine.

use std::f64::consts::TAU;

/// A stream of numbers (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// A stream that depends on these numbers alone.
    pub(crate) fn new(seeds: &[u64]) -> Self {
        let mut random = Self(0x5eed);
        for seed in seeds {
            random.0 ^= seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            random.bits();
        }
        random
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0 and below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Between two numbers.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// Mean 0, standard deviation 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// A count with this mean: exact below 30 (Knuth); above, transformed rejection (Hörmann 1993, PTRS), exact too.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        if mean < 30.0 {
            let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0.0);
            while product > limit {
                product *= self.unit();
                n += 1.0;
            }
            return n;
        }
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let (u, v) = (self.unit() - 0.5, self.unit());
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            if (v * inverse_alpha / (a / (us * us) + b)).ln() <= k * mean.ln() - mean - ln_factorial(k) {
                return k;
            }
        }
    }
}

/// Stirling's series; better than 1e-10 from 10 on, and a table of sums below.
fn ln_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return (2..=k as u32).map(|i| f64::from(i).ln()).sum();
    }
    let x = k + 1.0;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * TAU.ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_and_the_variance_of_their_distribution() {
        // 200,000 draws: the mean is known to 1/450 of a deviation, the variance to 1/300 of itself; five times that.
        for mean in [0.3, 7.0, 29.0, 31.0, 400.0, 20_000.0] {
            let mut random = Random::new(&[1, mean as u64]);
            let draws: Vec<f64> = (0..200_000).map(|_| random.poisson(mean)).collect();
            let m = draws.iter().sum::<f64>() / 2e5;
            let v = draws.iter().map(|d| (d - m) * (d - m)).sum::<f64>() / 2e5;
            assert!((m - mean).abs() < mean.sqrt() / 90.0, "{mean}: mean {m}");
            assert!((v / mean - 1.0).abs() < 1.0 / 50.0, "{mean}: variance {v}");
        }
        assert!((ln_factorial(10.0) - 3_628_800_f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn streams_with_other_seeds_differ_and_with_the_same_do_not() {
        let first = |seeds: &[u64]| Random::new(seeds).unit();
        assert_eq!(first(&[3, 4]), first(&[3, 4]));
        assert!(first(&[3, 4]) != first(&[4, 3]) && first(&[3]) != first(&[3, 0]));
        let mut random = Random::new(&[9]);
        let normal: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let variance = normal.iter().map(|v| v * v).sum::<f64>() / 1e5;
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }
}
