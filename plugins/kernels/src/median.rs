//! Median of all pixels of an image: by counting for integers, by selection for floats.

use std::iter::Sum;
use std::ops::{BitOr, Shl};

use ndarray::ArrayView2;

use crate::isa::{Supported, Vectorised};
use crate::pixel::{Pixel, for_each_piece};

/// Room for the pixels of an image, for medians that go over them more than once.
#[derive(Debug, Clone)]
pub struct Scratch {
    floats: Vec<f64>,
    bytes: Vec<u8>,
    words: Vec<u16>,
}

impl Scratch {
    /// For images of up to `n` pixels.
    pub(crate) fn new(n: usize) -> Scratch {
        Scratch { floats: Vec::with_capacity(n), bytes: vec![0; n], words: vec![0; n] }
    }
}

/// Median of an 8-bit image.
pub(crate) fn of_u8(image: ArrayView2<'_, u8>, scratch: &mut Scratch) -> f64 {
    let median = OfIntegers::<_, 128> { image, pixels: &mut scratch.bytes[..image.len()] };
    f64::from(Supported::best().run(median)) / 2.0
}

/// Median of a 16-bit image.
pub(crate) fn of_u16(image: ArrayView2<'_, u16>, scratch: &mut Scratch) -> f64 {
    let median = OfIntegers::<_, 512> { image, pixels: &mut scratch.words[..image.len()] };
    f64::from(Supported::best().run(median)) / 2.0
}

/// Twice the median, by bisection: each step is a count of the pixels below a level, for every bit that a pixel may have.
/// Comparing and counting goes 16 or 32 pixels at a time; a histogram goes one at a time. The pixels are copied once, so
/// that the steps need not find the rows again.
///
/// `BLOCK` pixels are counted in registers as narrow as a pixel: their number fits, and they fill whole registers.
struct OfIntegers<'a, 'b, P, const BLOCK: usize> {
    image: ArrayView2<'b, P>,
    pixels: &'a mut [P],
}

impl<P, const BLOCK: usize> Vectorised for OfIntegers<'_, '_, P, BLOCK>
where
    P: Pixel + Ord + From<bool> + Into<usize> + Into<u32> + Sum + BitOr<Output = P> + Shl<u32, Output = P>,
{
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let OfIntegers { image, pixels } = self;
        copy(image, pixels);
        let (n, zero) = (pixels.len(), P::from(false));
        // Cameras of 10 or 12 bits leave some of 16 empty.
        let used: u32 = if size_of::<P>() == 1 { 0xff } else { pixels.iter().fold(zero, |all, &p| all | p).into() };
        let upper = (0..u32::BITS - used.leading_zeros()).rev().fold(zero, |value, bit| {
            let level = value | P::from(true) << bit;
            if count_below::<BLOCK, _>(pixels, level) <= n / 2 { level } else { value }
        });
        // The value one rank lower: the same, or the largest one below it.
        let same = n % 2 == 1 || count_below::<BLOCK, _>(pixels, upper) < n / 2;
        let lower = if same { upper } else { largest_below(pixels, upper) };
        Into::<u32>::into(lower) + Into::<u32>::into(upper)
    }
}

/// Lanes in which the largest pixel is looked for.
const LANES: usize = 32;

/// The pixels of an image, one after the other.
#[inline(always)]
fn copy<P: Pixel>(image: ArrayView2<'_, P>, pixels: &mut [P]) {
    let mut free = pixels;
    for_each_piece(image, |_, _, piece| {
        let (to, rest) = std::mem::take(&mut free).split_at_mut(piece.len());
        to.copy_from_slice(piece);
        free = rest;
    });
}

#[inline(always)]
fn count_below<const BLOCK: usize, P: Copy + Ord + From<bool> + Into<usize> + Sum>(pixels: &[P], level: P) -> usize {
    // A block's counts are summed in registers, as narrow as pixels. Lanes that go on from block to block went through
    // memory each time, at a tenth of the speed.
    let (blocks, rest) = pixels.as_chunks::<BLOCK>();
    let counts = blocks.iter().map(|block| -> usize { block.iter().map(|&p| P::from(p < level)).sum::<P>().into() });
    counts.sum::<usize>() + rest.iter().map(|&p| usize::from(p < level)).sum::<usize>()
}

#[inline(always)]
fn largest_below<P: Copy + Ord + From<bool>>(pixels: &[P], level: P) -> P {
    let zero = P::from(false);
    let mut lanes = [zero; LANES];
    for block in pixels.chunks(LANES) {
        for (lane, &p) in lanes.iter_mut().zip(block) {
            *lane = (*lane).max(if p < level { p } else { zero });
        }
    }
    lanes.into_iter().fold(zero, P::max)
}

/// Median of a float image; NaN when a pixel is NaN.
pub(crate) fn of_floats<P: Pixel>(image: ArrayView2<'_, P>, scratch: &mut Scratch) -> f64 {
    let values = &mut scratch.floats;
    values.clear();
    for_each_piece(image, |_, _, piece| values.extend(piece.iter().map(|p| p.to_f64())));
    if values.iter().any(|v| v.is_nan()) {
        return f64::NAN;
    }
    let n = values.len();
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (lower + upper)
}
