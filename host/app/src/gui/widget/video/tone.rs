//! From a camera's numbers to grey: contrast by hand or by percentile, gamma, and a colour for pixels that are saturated.
//! The outcome is a table with a colour for every value a pixel can have, so that drawing is one look-up.

use tetherscope_core::control::{Picture, PicturePixels};

/// Saturated pixels, in a red that is told from any grey by everybody: it is also darker than white.
pub(crate) const SATURATED: [u8; 4] = [213, 60, 0, 255];
/// Pixels that are looked at for a histogram: enough for percentiles, and no more work in a large frame than in a small one.
const HISTOGRAM_PIXELS: usize = 1 << 17;

/// Which values are drawn black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Contrast {
    /// These values, as parts of the camera's full scale.
    Manual {
        /// Drawn black, and all below.
        low: f32,
        /// Drawn white, and all above.
        high: f32,
    },
    /// The values below and above which `clipped_percent` of the pixels lie, found anew in each frame.
    Percentile {
        /// Percent of the pixels, on each side.
        clipped: f32,
    },
}

/// How numbers become grey.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tone {
    /// Black and white.
    pub(crate) contrast: Contrast,
    /// Grey = part of the range to the power of 1 / gamma: above 1 brightens the dark.
    pub(crate) gamma: f32,
    /// Draw pixels at the largest value in a colour.
    pub(crate) mark_saturated: bool,
}

impl Default for Tone {
    fn default() -> Self {
        Self { contrast: Contrast::Percentile { clipped: 0.1 }, gamma: 1.0, mark_saturated: true }
    }
}

/// Largest value of a pixel.
pub(crate) fn full_scale(image: &Picture) -> u16 {
    ((1_u32 << image.significant_bits.clamp(1, 16)) - 1) as u16
}

impl Tone {
    /// The values drawn black and white in an image.
    pub(crate) fn range(&self, image: &Picture) -> (f32, f32) {
        let full = f32::from(full_scale(image));
        match self.contrast {
            Contrast::Manual { low, high } => {
                let low = low.clamp(0.0, 1.0) * full;
                (low, (high.clamp(0.0, 1.0) * full).max(low + 1.0))
            }
            Contrast::Percentile { clipped } => {
                let counts = histogram(image);
                let n_clipped = (f64::from(clipped.clamp(0.0, 49.0)) / 100.0 * total(&counts) as f64) as u64;
                let low = passed(counts.iter().enumerate(), n_clipped) as f32;
                let high = passed(counts.iter().enumerate().rev(), n_clipped) as f32;
                (low, high.max(low + 1.0))
            }
        }
    }

    /// A colour for each value from 0 to full scale.
    pub(crate) fn table(&self, image: &Picture) -> Vec<[u8; 4]> {
        let (low, high) = self.range(image);
        let full = full_scale(image);
        let exponent = 1.0 / self.gamma.clamp(0.1, 10.0);
        let mut table: Vec<[u8; 4]> = (0..=full)
            .map(|v| {
                let part = ((f32::from(v) - low) / (high - low)).clamp(0.0, 1.0);
                let grey = (part.powf(exponent) * 255.0).round() as u8;
                [grey, grey, grey, 255]
            })
            .collect();
        if self.mark_saturated {
            table[usize::from(full)] = SATURATED;
        }
        table
    }
}

/// How often each value from 0 to full scale was met, among evenly spread pixels.
pub(crate) fn histogram(image: &Picture) -> Vec<u64> {
    let full = usize::from(full_scale(image));
    let mut counts = vec![0; full + 1];
    match &image.pixels {
        PicturePixels::U8(p) => p.iter().step_by(step(p.len())).for_each(|&v| counts[usize::from(v).min(full)] += 1),
        PicturePixels::U16(p) => p.iter().step_by(step(p.len())).for_each(|&v| counts[usize::from(v).min(full)] += 1),
    }
    counts
}

/// An odd step, so that columns of the image take turns.
fn step(n_pixels: usize) -> usize {
    (n_pixels / HISTOGRAM_PIXELS) | 1
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().sum()
}

/// The first value at which more than `n_clipped` pixels were passed.
fn passed<'a>(mut counts: impl Iterator<Item = (usize, &'a u64)>, n_clipped: u64) -> usize {
    let mut n = 0;
    let found = counts.find(|(_, count)| {
        n += **count;
        n > n_clipped
    });
    found.map_or(0, |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(bits: u32, pixels: Vec<u16>) -> Picture {
        Picture {
            frame: 0,
            width_px: pixels.len() as u32,
            height_px: 1,
            significant_bits: bits,
            pixels: PicturePixels::U16(pixels),
        }
    }

    #[test]
    fn manual_contrast_runs_from_black_to_white_and_marks_the_largest_value() {
        let contrast = Contrast::Manual { low: 0.0, high: 1.0 };
        let table = Tone { contrast, gamma: 1.0, mark_saturated: true }.table(&image(12, vec![0]));
        assert_eq!(table.len(), 4096);
        assert_eq!((table[0], table[4095]), ([0, 0, 0, 255], SATURATED));
        assert_eq!(table[2048][0], 128);
        let plain = Tone { contrast, gamma: 1.0, mark_saturated: false }.table(&image(12, vec![0]));
        assert_eq!(plain[4095], [255; 4]);
    }

    #[test]
    fn percentile_contrast_ignores_the_few_extremes() {
        let mut pixels: Vec<u16> = (0..10_000).map(|i| 1000 + i / 100).collect();
        pixels[..5].fill(4095);
        let tone = Tone { contrast: Contrast::Percentile { clipped: 0.1 }, ..Tone::default() };
        let (low, high) = tone.range(&image(12, pixels));
        assert!((1000.0..1002.0).contains(&low) && (1097.0..=1100.0).contains(&high), "{low} {high}");
    }

    #[test]
    fn a_flat_image_and_wild_settings_divide_by_nothing() {
        for contrast in [Contrast::Percentile { clipped: 90.0 }, Contrast::Manual { low: 1.0, high: 0.0 }] {
            let table = Tone { contrast, gamma: 0.0, mark_saturated: false }.table(&image(8, vec![7; 100]));
            assert_eq!(table.len(), 256);
            assert_eq!(table[0], [0, 0, 0, 255]);
        }
    }

    #[test]
    fn gamma_above_one_brightens_the_dark() {
        let tone = |gamma| Tone { contrast: Contrast::Manual { low: 0.0, high: 1.0 }, gamma, mark_saturated: false };
        let (plain, bright) = (tone(1.0).table(&image(8, vec![0])), tone(2.0).table(&image(8, vec![0])));
        assert_eq!((plain[64][0], bright[64][0]), (64, 128));
    }
}
