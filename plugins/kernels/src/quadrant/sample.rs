//! The image that quadrant interpolation samples, and the samples: bilinear interpolation in all four quadrants at once.
//! Most of a pass is spent here.

use ndarray::ArrayView2;

use super::fit::Levels;
use crate::noise_model::NoiseModel;
use crate::pixel::{Pixel, for_each_piece};

/// Points handled at a time: indices, fractions and pixels stay in registers and the first-level cache.
pub(super) const BLOCK: usize = 16;

/// Adding this rounds a number below two million to a whole one.
const ROUND: f32 = 12_582_912.0;

/// Adding this puts a whole number below eight million into the lowest bits of a float.
const TO_INDEX: f32 = 8_388_608.0;
const INDEX_MASK: u32 = 0x7f_ffff;

/// A copy of one image in 16 bits a pixel: small enough for the first-level cache up to 120 px, and one load of 32 bits
/// fetches two neighbours.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    size_px: usize,
    /// Row by row.
    pixels: Vec<u16>,
    /// Pixel value that is zero here, and how many steps a unit of it has.
    zero: f64,
    scale: f64,
}

/// What came of [`Taps::fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    Ready,
    Flat,
    NotFinite,
}

/// Sums of two quadrants each at every point of a pass.
#[derive(Debug, Clone)]
pub(super) struct Halves {
    pub right: Vec<f32>,
    pub left: Vec<f32>,
    pub down: Vec<f32>,
    pub up: Vec<f32>,
}

impl Halves {
    pub(super) fn new(n_points: usize) -> Halves {
        let zeros = || vec![0.0; n_points];
        Halves { right: zeros(), left: zeros(), down: zeros(), up: zeros() }
    }
}

impl Taps {
    pub(super) fn new(size_px: usize) -> Taps {
        Taps { size_px, pixels: vec![0; size_px * size_px], zero: 0.0, scale: 1.0 }
    }

    pub(super) fn size_px(&self) -> usize {
        self.size_px
    }

    /// What is known of the camera, in the units of the samples.
    pub(super) fn levels(&self, saturation: f64, noise: NoiseModel) -> Levels {
        let variance = noise.is_known().then(|| {
            let line = noise.line(0.0);
            let dark = line.slope * (self.zero - line.offset_adu) + line.floor;
            [(self.scale * line.slope) as f32, (self.scale * self.scale * dark) as f32]
        });
        let rounding = (self.scale / 12f64.sqrt()) as f32;
        Levels { saturated: ((saturation - self.zero) * self.scale) as f32, variance, rounding }
    }

    /// Takes the image over. Integer pixels stay as they are; others are rounded to 65,536 steps between the least and
    /// the greatest one.
    pub(super) fn fill<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> Filled {
        let Some((low, high)) = range(image) else { return Filled::NotFinite };
        if low == high {
            return Filled::Flat;
        }
        let n = self.size_px;
        let pixels = &mut self.pixels;
        if P::IS_INTEGER {
            (self.zero, self.scale) = (0.0, 1.0);
            for_each_piece(image, |i, j, piece| {
                for (to, &p) in pixels[i * n + j..][..piece.len()].iter_mut().zip(piece) {
                    *to = p.to_i32() as u16;
                }
            });
        } else {
            (self.zero, self.scale) = (low, f64::from(u16::MAX) / (high - low));
            for_each_piece(image, |i, j, piece| {
                for (to, &p) in pixels[i * n + j..][..piece.len()].iter_mut().zip(piece) {
                    *to = ((p.to_f64() - self.zero) * self.scale).round() as u16;
                }
            });
        }
        Filled::Ready
    }

    /// Samples the points (`dx`, `dy`) mirrored into the four quadrants round (`x`, `y`). All of them must lie at least a
    /// thousandth of a pixel inside the outermost pixel middles. Lengths must be multiples of [`BLOCK`].
    #[inline(always)]
    pub(super) fn sample(&self, x: f32, y: f32, dx: &[f32], dy: &[f32], halves: &mut Halves) {
        let stride = self.size_px as f32;
        let ((dx, _), (dy, _)) = (dx.as_chunks::<BLOCK>(), dy.as_chunks::<BLOCK>());
        let outputs = (halves.right.as_chunks_mut::<BLOCK>().0.iter_mut())
            .zip(halves.left.as_chunks_mut::<BLOCK>().0)
            .zip(halves.down.as_chunks_mut::<BLOCK>().0)
            .zip(halves.up.as_chunks_mut::<BLOCK>().0);
        for ((dx, dy), (((right, left), down), up)) in dx.iter().zip(dy).zip(outputs) {
            let east = Places::new(dx, x, 1.0, 1.0);
            let west = Places::new(dx, x, -1.0, 1.0);
            let south = Places::new(dy, y, 1.0, stride);
            let north = Places::new(dy, y, -1.0, stride);
            let south_east = self.block(&east, &south);
            let south_west = self.block(&west, &south);
            let north_east = self.block(&east, &north);
            let north_west = self.block(&west, &north);
            for k in 0..BLOCK {
                right[k] = south_east[k] + north_east[k];
                left[k] = south_west[k] + north_west[k];
                down[k] = south_east[k] + south_west[k];
                up[k] = north_east[k] + north_west[k];
            }
        }
    }

    #[inline(always)]
    fn block(&self, x: &Places, y: &Places) -> [f32; BLOCK] {
        let (mut above, mut below) = ([0u32; BLOCK], [0u32; BLOCK]);
        let at: [u32; BLOCK] = std::array::from_fn(|k| (x.index[k] + y.index[k] + TO_INDEX).to_bits() & INDEX_MASK);
        for k in 0..BLOCK {
            let pixels = &self.pixels[at[k] as usize..][..self.size_px + 2];
            let pair = |first: usize| u32::from(pixels[first]) | u32::from(pixels[first + 1]) << 16;
            (above[k], below[k]) = (pair(0), pair(self.size_px));
        }
        let mut values = [0.0; BLOCK];
        for k in 0..BLOCK {
            let (fx, fy) = (x.fraction[k], y.fraction[k]);
            let upper = lerp((above[k] & 0xffff) as i32 as f32, (above[k] >> 16) as i32 as f32, fx);
            let lower = lerp((below[k] & 0xffff) as i32 as f32, (below[k] >> 16) as i32 as f32, fx);
            values[k] = lerp(upper, lower, fy);
        }
        values
    }
}

/// Least and greatest pixel value; None when one is not finite.
fn range<P: Pixel>(image: ArrayView2<'_, P>) -> Option<(f64, f64)> {
    let first = *image.first()?;
    let (mut low, mut high) = ([first; 16], [first; 16]);
    let mut finite = true;
    for_each_piece(image, |_, _, piece| {
        for piece in piece.chunks(16) {
            for ((low, high), &p) in low.iter_mut().zip(&mut high).zip(piece) {
                *low = if p < *low { p } else { *low };
                *high = if p > *high { p } else { *high };
                finite &= P::IS_INTEGER || p.to_f64().is_finite();
            }
        }
    });
    let low = low.iter().map(|p| p.to_f64()).fold(f64::INFINITY, f64::min);
    let high = high.iter().map(|p| p.to_f64()).fold(f64::NEG_INFINITY, f64::max);
    finite.then_some((low, high))
}

#[inline(always)]
fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + t * (b - a)
}

/// Pixel indices (times the stride) and fractions of a block of coordinates along one axis. Indices stay floats until they
/// are added up: whole numbers, exact, and multiplied several at a time by any processor.
struct Places {
    index: [f32; BLOCK],
    fraction: [f32; BLOCK],
}

impl Places {
    #[inline(always)]
    fn new(distances: &[f32; BLOCK], middle: f32, sign: f32, stride: f32) -> Places {
        let mut places = Places { index: [0.0; BLOCK], fraction: [0.0; BLOCK] };
        for ((index, fraction), &distance) in places.index.iter_mut().zip(&mut places.fraction).zip(distances) {
            let at = middle + sign * distance;
            // Rounds at - 1/2; a whole number may fall into the pixel before, with fraction 1: the same value.
            let pixel = ((at - 0.5) + ROUND) - ROUND;
            *index = pixel * stride;
            *fraction = at - pixel;
        }
        places
    }
}
