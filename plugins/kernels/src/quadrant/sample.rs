//! The image that quadrant interpolation samples, and the samples: bilinear interpolation in all four quadrants at once.
//! Most of a pass is spent here. Both paths give the same bits.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod plain;

use ndarray::{ArrayView2, Axis};

use super::fit::Levels;
use crate::isa::{Isa, Supported, Vectorised};
use crate::noise_model::NoiseModel;
use crate::pixel::{Pixel, for_each_piece};

/// Points handled at a time: indices, fractions and pixels stay in registers and the first-level cache.
pub(super) const BLOCK: usize = 8;

/// Adding this rounds a number below two million to a whole one.
const ROUND: f32 = 12_582_912.0;

/// Adding this puts a whole number below eight million into the lowest bits of a float.
const TO_INDEX: f32 = 8_388_608.0;
const INDEX_MASK: u32 = 0x7f_ffff;

/// A pixel and the one below it, side by side: two of them in a row are all that a sample needs, and lie next to each other
/// in memory.
trait Pair: Copy + Into<u32> {
    /// Bits of a pixel.
    const BITS: u32;
    fn new(upper: u16, lower: u16) -> Self;
}

/// Of bytes: a whole sample is one load of 32 bits, and the first-level cache holds images up to 120 px.
impl Pair for u16 {
    const BITS: u32 = 8;
    #[inline(always)]
    fn new(upper: u16, lower: u16) -> u16 {
        upper | lower << 8
    }
}

impl Pair for u32 {
    const BITS: u32 = 16;
    #[inline(always)]
    fn new(upper: u16, lower: u16) -> u32 {
        u32::from(upper) | u32::from(lower) << 16
    }
}

/// A copy of one image for sampling, in whole steps of brightness.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    isa: Supported,
    size_px: usize,
    /// Row by row, one row less than the image has. Those of bytes, or the others.
    bytes: Vec<u16>,
    words: Vec<u32>,
    are_bytes: bool,
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

    /// The parts that begin at `first`, in whole blocks: right, left, down, up.
    #[inline(always)]
    fn blocks(&mut self, first: usize) -> [&mut [[f32; BLOCK]]; 4] {
        [&mut self.right, &mut self.left, &mut self.down, &mut self.up].map(|half| half[first..].as_chunks_mut().0)
    }
}

impl Taps {
    pub(super) fn new(size_px: usize, isa: Supported) -> Taps {
        let n = size_px * (size_px - 1);
        Taps { isa, size_px, bytes: vec![0; n], words: vec![0; n], are_bytes: true, zero: 0.0, scale: 1.0 }
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
        let isa = self.isa;
        isa.run(Fill { taps: self, image })
    }

    #[inline(always)]
    fn go<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> Filled {
        let Some((low, high)) = range(image) else { return Filled::NotFinite };
        if low == high {
            return Filled::Flat;
        }
        self.are_bytes = P::IS_INTEGER && size_of::<P>() == 1;
        (self.zero, self.scale) = if P::IS_INTEGER { (0.0, 1.0) } else { (low, f64::from(u16::MAX) / (high - low)) };
        let (zero, scale) = (self.zero, self.scale);
        let step = |p: P| if P::IS_INTEGER { p.to_i32() as u16 } else { ((p.to_f64() - zero) * scale).round() as u16 };
        if self.are_bytes {
            pair_up(image, step, &mut self.bytes)
        } else {
            pair_up(image, step, &mut self.words)
        }
        Filled::Ready
    }

    /// Samples the points (`dx`, `dy`) mirrored into the four quadrants round (`x`, `y`), into `halves` from `first` on. All
    /// of them must lie at least a thousandth of a pixel inside the outermost pixel middles. Lengths must be multiples of
    /// [`BLOCK`].
    pub(super) fn sample(&self, x: f32, y: f32, dx: &[f32], dy: &[f32], halves: &mut Halves, first: usize) {
        let (dx, dy) = (dx.as_chunks().0, dy.as_chunks().0);
        let halves = halves.blocks(first);
        if self.are_bytes {
            sample(self.isa, &Points { pairs: &self.bytes, size_px: self.size_px, x, y, dx, dy }, halves);
        } else {
            sample(self.isa, &Points { pairs: &self.words, size_px: self.size_px, x, y, dx, dy }, halves);
        }
    }
}

/// Where to sample what.
struct Points<'a, T> {
    pairs: &'a [T],
    size_px: usize,
    x: f32,
    y: f32,
    dx: &'a [[f32; BLOCK]],
    dy: &'a [[f32; BLOCK]],
}

#[cfg(target_arch = "x86_64")]
fn sample<T: avx2::Gather>(isa: Supported, points: &Points<'_, T>, halves: [&mut [[f32; BLOCK]]; 4]) {
    match isa.isa() {
        // SAFETY: a `Supported` of AVX2 exists only where the processor has it.
        Isa::Avx2 => unsafe { avx2::sample(points, halves) },
        _ => plain::sample(points, halves),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn sample<T: Pair>(_isa: Supported, points: &Points<'_, T>, halves: [&mut [[f32; BLOCK]]; 4]) {
    plain::sample(points, halves);
}

struct Fill<'a, 'b, P> {
    taps: &'a mut Taps,
    image: ArrayView2<'b, P>,
}

impl<P: Pixel> Vectorised for Fill<'_, '_, P> {
    type Output = Filled;

    #[inline(always)]
    fn run(self) -> Filled {
        self.taps.go(self.image)
    }
}

/// Every pixel but those of the last row, with the one below.
#[inline(always)]
fn pair_up<P: Pixel, T: Pair>(image: ArrayView2<'_, P>, step: impl Fn(P) -> u16, pairs: &mut [T]) {
    let below = image.axis_iter(Axis(0)).skip(1);
    for ((upper, lower), pairs) in image.axis_iter(Axis(0)).zip(below).zip(pairs.chunks_exact_mut(image.ncols())) {
        if let (Some(upper), Some(lower)) = (upper.to_slice(), lower.to_slice()) {
            for (pair, (&upper, &lower)) in pairs.iter_mut().zip(upper.iter().zip(lower)) {
                *pair = T::new(step(upper), step(lower));
            }
        } else {
            for (pair, (&upper, &lower)) in pairs.iter_mut().zip(upper.iter().zip(&lower)) {
                *pair = T::new(step(upper), step(lower));
            }
        }
    }
}

/// Least and greatest pixel value; None when one is not finite.
#[inline(always)]
fn range<P: Pixel>(image: ArrayView2<'_, P>) -> Option<(f64, f64)> {
    const LANES: usize = 32;
    let first = *image.first()?;
    let (mut low, mut high) = ([first; LANES], [first; LANES]);
    let mut finite = true;
    for_each_piece(image, |_, _, piece| {
        let mut widen = |piece: &[P]| {
            for ((low, high), &p) in low.iter_mut().zip(&mut high).zip(piece) {
                *low = if p < *low { p } else { *low };
                *high = if p > *high { p } else { *high };
                finite &= P::IS_INTEGER || p.to_f64().is_finite();
            }
        };
        let (whole, rest) = piece.as_chunks::<LANES>();
        whole.iter().for_each(|piece| widen(piece));
        widen(rest);
    });
    let low = low.iter().map(|p| p.to_f64()).fold(f64::INFINITY, f64::min);
    let high = high.iter().map(|p| p.to_f64()).fold(f64::NEG_INFINITY, f64::max);
    finite.then_some((low, high))
}
