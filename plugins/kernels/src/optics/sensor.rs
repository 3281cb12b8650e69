//! The camera chip: from expected brightness to codes. Shot noise, read noise, quantisation, clipping.
//!
//! The noise of frame k depends on (seed, k, scene) alone: one generator (xoshiro256++) per frame, seeded from (seed, k).

use rand_xoshiro::rand_core::Rng;

use super::error::{OpticsError, check_count, check_not_negative, check_positive};
use super::noise::{EXACT_BELOW_ELECTRONS, NormalQuantiles, poisson_exact, poisson_from_normal};
use super::random::{Purpose, stream};
use super::scene::Scene;

/// Pixels handled at a time: their intermediate numbers stay in the first-level cache.
const CHUNK: usize = 256;

/// Adding this to a float of 0 to 65,535 puts the nearest whole number (ties to even) into the lowest bits.
const TO_CODE: f32 = 8_388_608.0;

/// Gain, noise and code range of a sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorParameters {
    /// Electrons at full scale (MagScope's `gain`).
    pub full_scale_electrons: f64,
    /// Standard deviation of the read noise; 0 for none.
    pub read_noise_electrons: f64,
    /// Significant bits of a pixel, 1 to 16 (cameras have 8, 10, 12 or 16). Full scale is code 2^bits − 1.
    pub bits: u32,
}

impl Default for SensorParameters {
    fn default() -> Self {
        Self { full_scale_electrons: 25_000.0, read_noise_electrons: 0.0, bits: 8 }
    }
}

/// A pixel type that codes can be written to: `u8`, `u16`, or the two bytes of a `u16` in the machine's order, for frames
/// that are only known as bytes.
pub trait Pixel: Copy + sealed::FromCode {
    /// Bits that fit.
    const BITS: u32;
}

impl Pixel for u8 {
    const BITS: u32 = 8;
}

impl Pixel for u16 {
    const BITS: u32 = 16;
}

impl Pixel for [u8; 2] {
    const BITS: u32 = 16;
}

mod sealed {
    pub trait FromCode {
        /// The lowest bits of `word`.
        fn from_code(word: u32) -> Self;
    }
    impl FromCode for u8 {
        #[inline]
        fn from_code(word: u32) -> Self {
            word as u8
        }
    }
    impl FromCode for u16 {
        #[inline]
        fn from_code(word: u32) -> Self {
            word as u16
        }
    }
    impl FromCode for [u8; 2] {
        #[inline]
        fn from_code(word: u32) -> Self {
            (word as u16).to_ne_bytes()
        }
    }
}

/// Turns scenes into frames.
///
/// Per pixel: electrons ~ Poisson(brightness × full_scale_electrons), plus normal read noise, times
/// (2^bits − 1) / full_scale_electrons, rounded to the nearest code (ties to even), clipped to 0 and 2^bits − 1.
///
/// Below 10 expected electrons the Poisson numbers are exact. Above, their mean is right to 1e-5 standard deviations, their
/// variance to 4e-4 of itself, and the share of draws that land on a neighbouring count is below 2e-4 up to 1,000 electrons
/// and 1e-3 at 10,000. Random numbers have 32 bits, so nothing beyond 6.3 standard deviations occurs.
pub struct Sensor {
    parameters: SensorParameters,
    quantiles: NormalQuantiles,
}

impl Sensor {
    /// Makes the tables of the noise (32 kB, a few milliseconds).
    ///
    /// # Errors
    /// Gain not above zero, negative read noise, bits outside 1 to 16.
    pub fn new(parameters: SensorParameters) -> Result<Self, OpticsError> {
        check_positive("full_scale_electrons", parameters.full_scale_electrons)?;
        check_not_negative("read_noise_electrons", parameters.read_noise_electrons)?;
        check_count("bits", parameters.bits as usize, 1, 16)?;
        Ok(Self { parameters, quantiles: NormalQuantiles::new() })
    }

    /// Gain, noise and code range.
    pub fn parameters(&self) -> &SensorParameters {
        &self.parameters
    }

    /// Changes gain, noise or code range; the tables stay.
    ///
    /// # Errors
    /// As [`Self::new`]; the old parameters then stay too.
    pub fn set_parameters(&mut self, parameters: SensorParameters) -> Result<(), OpticsError> {
        check_positive("full_scale_electrons", parameters.full_scale_electrons)?;
        check_not_negative("read_noise_electrons", parameters.read_noise_electrons)?;
        check_count("bits", parameters.bits as usize, 1, 16)?;
        self.parameters = parameters;
        Ok(())
    }

    /// The code of a saturated pixel.
    pub fn full_scale_code(&self) -> u32 {
        (1 << self.parameters.bits) - 1
    }

    /// Writes frame number `frame` of `scene` (height × width, row by row, value in the low bits), noise included.
    ///
    /// Panics when `pixels` has another length than the scene, or the codes do not fit the pixel type.
    pub fn expose<P: Pixel>(&self, scene: &Scene, seed: u64, frame: u64, pixels: &mut [P]) {
        let contrast = self.checked_contrast(scene, pixels);
        let (offset, slope) = scene.brightness_line(self.parameters.full_scale_electrons);
        let mut rng = stream(seed, Purpose::Sensor, frame);
        let (mut bits, mut electrons) = ([0u32; CHUNK], [0.0f32; CHUNK]);
        for (contrast, pixels) in contrast.chunks(CHUNK).zip(pixels.chunks_mut(CHUNK)) {
            fill(&mut rng, &mut bits);
            for (w, &bits) in electrons.iter_mut().zip(&bits) {
                *w = self.quantiles.deviate(bits);
            }
            for (e, &contrast) in electrons.iter_mut().zip(contrast) {
                // Dark pixels are done again below.
                *e = poisson_from_normal((offset + slope * contrast as f32).max(EXACT_BELOW_ELECTRONS), *e);
            }
            // Looked for in the integers, because a minimum of floats keeps the compiler from doing several at once.
            let least = contrast.iter().fold(i32::MAX, |least, &contrast| least.min(contrast));
            if offset + slope * (least as f32) < EXACT_BELOW_ELECTRONS {
                for ((e, &contrast), &bits) in electrons.iter_mut().zip(contrast).zip(&bits) {
                    let mean = offset + slope * contrast as f32;
                    if mean < EXACT_BELOW_ELECTRONS {
                        *e = poisson_exact(mean.max(0.0), bits);
                    }
                }
            }
            if self.parameters.read_noise_electrons > 0.0 {
                let sigma = self.parameters.read_noise_electrons as f32;
                fill(&mut rng, &mut bits);
                for (e, &bits) in electrons.iter_mut().zip(&bits) {
                    *e += sigma * self.quantiles.deviate(bits);
                }
            }
            self.quantise(&electrons, pixels);
        }
    }

    /// Writes the scene without noise: expected brightness, quantised and clipped.
    pub fn expose_noiseless<P: Pixel>(&self, scene: &Scene, pixels: &mut [P]) {
        let contrast = self.checked_contrast(scene, pixels);
        let (offset, slope) = scene.brightness_line(self.parameters.full_scale_electrons);
        let mut electrons = [0.0f32; CHUNK];
        for (contrast, pixels) in contrast.chunks(CHUNK).zip(pixels.chunks_mut(CHUNK)) {
            for (e, &contrast) in electrons.iter_mut().zip(contrast) {
                *e = offset + slope * contrast as f32;
            }
            self.quantise(&electrons, pixels);
        }
    }

    fn checked_contrast<'s, P: Pixel>(&self, scene: &'s Scene, pixels: &[P]) -> &'s [i32] {
        let contrast = scene.contrast_units();
        assert_eq!(pixels.len(), contrast.len(), "{} pixels, the scene has {}", pixels.len(), contrast.len());
        assert!(self.parameters.bits <= P::BITS, "{} bits do not fit pixels of {}", self.parameters.bits, P::BITS);
        contrast
    }

    fn quantise<P: Pixel>(&self, electrons: &[f32], pixels: &mut [P]) {
        let most = self.full_scale_code() as f32;
        let scale = (f64::from(most) / self.parameters.full_scale_electrons) as f32;
        for (pixel, &e) in pixels.iter_mut().zip(electrons) {
            let code = (e * scale).clamp(0.0, most);
            *pixel = P::from_code((code + TO_CODE).to_bits());
        }
    }
}

/// Two numbers of 32 bits from each of 64. A whole chunk even where fewer are needed: the stream stays in step.
fn fill(rng: &mut impl Rng, bits: &mut [u32; CHUNK]) {
    for pair in bits.chunks_exact_mut(2) {
        let word = rng.next_u64();
        pair[0] = word as u32;
        pair[1] = (word >> 32) as u32;
    }
}

#[cfg(test)]
mod tests;
