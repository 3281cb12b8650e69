//! What a pixel's noise is, from what is known of the camera. A straight line in brightness: shot noise, and what does not
//! depend on the light. Does not measure anything.

/// Variance of rounding to whole codes, ADU².
const QUANTISATION_ADU2: f64 = 1.0 / 12.0;

/// Without a stated gain: the variance of a black pixel as a share of that of a pixel of mean brightness.
const UNKNOWN_FLOOR: f64 = 0.05;

/// Noise of a camera's pixels: Poisson in electrons, plus read noise, plus rounding to whole ADU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseModel {
    /// Electrons per ADU; NaN when unknown, and then only ratios of variances are known.
    pub gain_e_per_adu: f64,
    /// Pixel value without light, ADU; NaN counts as 0.
    pub offset_adu: f64,
    /// Read noise, rms, electrons; NaN counts as 0.
    pub read_noise_e: f64,
}

impl NoiseModel {
    /// Nothing is known.
    pub const UNKNOWN: NoiseModel =
        NoiseModel { gain_e_per_adu: f64::NAN, offset_adu: f64::NAN, read_noise_e: f64::NAN };

    /// True when the gain is a number above 0, so that variances are in ADU² and not only in ratio.
    pub fn is_known(&self) -> bool {
        self.gain_e_per_adu.is_finite() && self.gain_e_per_adu > 0.0
    }

    /// Pixels expected below this are hardly ever clipped at `saturation`: three standard deviations less, and at least 3 %,
    /// since a profile overshoots where it is clipped. Infinite, or NaN, as `saturation` is.
    pub fn unclipped_below(&self, saturation: f64) -> f64 {
        if !saturation.is_finite() {
            return saturation;
        }
        let noise = if self.is_known() { 3.0 * self.line(0.0).at(saturation).sqrt() } else { 0.0 };
        saturation - noise.max(0.03 * saturation)
    }

    /// The variance as a line. With a known gain in ADU²; without, in proportion only: brightness above the offset plus a
    /// floor of 5 % of `mean_adu`, the mean brightness of the images.
    pub fn line(&self, mean_adu: f64) -> VarianceLine {
        let finite_or_0 = |v: f64| if v.is_finite() { v } else { 0.0 };
        let offset_adu = finite_or_0(self.offset_adu);
        if !self.is_known() {
            let floor = (UNKNOWN_FLOOR * (mean_adu - offset_adu)).max(f64::from(f32::MIN_POSITIVE));
            return VarianceLine { slope: 1.0, offset_adu, floor };
        }
        let read_adu = finite_or_0(self.read_noise_e) / self.gain_e_per_adu;
        let floor = read_adu * read_adu + QUANTISATION_ADU2;
        VarianceLine { slope: 1.0 / self.gain_e_per_adu, offset_adu, floor }
    }
}

/// Variance of a pixel as a function of its expected value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceLine {
    /// Rise per ADU.
    pub slope: f64,
    /// Where the light begins, ADU.
    pub offset_adu: f64,
    /// Variance without light; above 0.
    pub floor: f64,
}

impl VarianceLine {
    /// Variance at an expected value; that of darkness below the offset.
    #[inline(always)]
    pub fn at(&self, value_adu: f64) -> f64 {
        self.slope * (value_adu - self.offset_adu).max(0.0) + self.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_camera_has_shot_noise_read_noise_and_rounding() {
        let camera = NoiseModel { gain_e_per_adu: 4.0, offset_adu: 10.0, read_noise_e: 8.0 };
        let line = camera.line(100.0);
        // 90 ADU are 360 electrons, variance 360 e² = 22.5 ADU²; read noise 2 ADU rms.
        assert_eq!(line.at(100.0), 22.5 + 4.0 + QUANTISATION_ADU2);
        assert_eq!(line.at(-5.0), line.at(10.0));
    }

    #[test]
    fn below_three_deviations_from_saturation_nothing_is_clipped() {
        let camera = NoiseModel { gain_e_per_adu: 1.0, offset_adu: 0.0, read_noise_e: 0.0 };
        assert!((camera.unclipped_below(100.0) - 70.0).abs() < 0.02);
        assert_eq!(NoiseModel { gain_e_per_adu: 1e4, ..camera }.unclipped_below(100.0), 97.0);
        assert_eq!(NoiseModel::UNKNOWN.unclipped_below(100.0), 97.0);
        assert_eq!(camera.unclipped_below(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn an_unknown_camera_has_ratios_only() {
        assert!(!NoiseModel::UNKNOWN.is_known());
        let line = NoiseModel::UNKNOWN.line(100.0);
        assert_eq!(line.at(95.0) / line.at(45.0), 2.0);
        assert!(NoiseModel::UNKNOWN.line(0.0).at(0.0) > 0.0, "never a division by zero");
    }
}
