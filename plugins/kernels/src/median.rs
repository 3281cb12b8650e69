//! Median of all pixels of an image: by counting for integers, by selection for floats.

use ndarray::ArrayView2;

use crate::isa::{Supported, Vectorised};
use crate::pixel::{Pixel, for_each_piece};

/// Room for the pixels of an image, for medians that go over them more than once.
#[derive(Debug, Clone)]
pub struct Scratch {
    floats: Vec<f64>,
    bytes: Vec<u8>,
}

impl Scratch {
    /// For images of up to `n` pixels.
    pub(crate) fn new(n: usize) -> Scratch {
        Scratch { floats: Vec::with_capacity(n), bytes: Vec::with_capacity(n) }
    }
}

/// Median of an 8-bit image: the value of a rank by bisection, each of eight steps a count of the pixels below a level.
/// Comparing and counting bytes goes 32 pixels at a time; a histogram goes one at a time. The pixels are copied once, so
/// that the steps need not find the rows again.
pub(crate) fn of_u8(image: ArrayView2<'_, u8>, scratch: &mut Scratch) -> f64 {
    let bytes = &mut scratch.bytes;
    bytes.clear();
    for_each_piece(image, |_, _, piece| bytes.extend_from_slice(piece));
    Supported::best().run(OfU8(bytes))
}

struct OfU8<'a>(&'a [u8]);

impl Vectorised for OfU8<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let n = self.0.len();
        let upper = (0..8).rev().fold(0u8, |value, bit| {
            let level = value | 1 << bit;
            if count_below(self.0, level) <= n / 2 { level } else { value }
        });
        if n % 2 == 1 {
            return f64::from(upper);
        }
        // The value one rank lower: the same, or the largest one below it.
        let lower = if count_below(self.0, upper) < n / 2 { upper } else { largest_below(self.0, upper) };
        0.5 * (f64::from(lower) + f64::from(upper))
    }
}

/// Pixels whose count fits a byte, and fills whole registers.
const BLOCK: usize = 128;

/// Lanes in which the largest pixel is looked for.
const LANES: usize = 32;

#[inline(always)]
fn count_below(pixels: &[u8], level: u8) -> usize {
    // A block's bytes are summed in registers. Lanes that go on from block to block went through memory each time, at a
    // tenth of the speed.
    let (blocks, rest) = pixels.as_chunks::<BLOCK>();
    let counts = blocks.iter().map(|block| usize::from(block.iter().map(|&p| u8::from(p < level)).sum::<u8>()));
    counts.sum::<usize>() + rest.iter().map(|&p| usize::from(p < level)).sum::<usize>()
}

#[inline(always)]
fn largest_below(pixels: &[u8], level: u8) -> u8 {
    let mut lanes = [0u8; LANES];
    for block in pixels.chunks(LANES) {
        for (lane, &p) in lanes.iter_mut().zip(block) {
            *lane = (*lane).max(if p < level { p } else { 0 });
        }
    }
    lanes.into_iter().fold(0, u8::max)
}

/// Median of a 16-bit image: a histogram of the high bytes, then one of the low bytes beside the middle.
pub(crate) fn of_u16(image: ArrayView2<'_, u16>, _scratch: &mut Scratch) -> f64 {
    let mut counts = [[0u32; 256]; 2];
    for_each_piece(image, |_, _, piece| {
        let (twos, rest) = piece.as_chunks::<2>();
        for two in twos {
            for (count, &p) in counts.iter_mut().zip(two) {
                count[usize::from(p >> 8)] += 1;
            }
        }
        for &p in rest {
            counts[0][usize::from(p >> 8)] += 1;
        }
    });
    let high: [u32; 256] = std::array::from_fn(|v| counts[0][v] + counts[1][v]);
    let mut low_of: Option<(usize, [u32; 256])> = None;
    middle(image.len(), |rank| {
        let (bucket, rank_inside) = position(&high, rank);
        if low_of.is_none_or(|(known, _)| known != bucket) {
            let mut low = [0u32; 256];
            for_each_piece(image, |_, _, piece| {
                for &p in piece {
                    // Counting without a branch: pixels of other buckets add 0.
                    low[usize::from(p & 0xff)] += u32::from(usize::from(p >> 8) == bucket);
                }
            });
            low_of = Some((bucket, low));
        }
        let (_, low) = low_of.as_ref().expect("counted just above");
        bucket * 256 + position(low, rank_inside).0
    })
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

/// The middle value, or the mean of the two middle ones, of `n` ranked values.
fn middle(n: usize, mut value_of_rank: impl FnMut(usize) -> usize) -> f64 {
    let upper = value_of_rank(n / 2);
    if n % 2 == 1 { upper as f64 } else { 0.5 * (value_of_rank(n / 2 - 1) + upper) as f64 }
}

/// In which bin the value of this rank lies, and its rank inside that bin.
fn position(counts: &[u32; 256], rank: usize) -> (usize, usize) {
    let mut left = rank;
    for (bin, &count) in counts.iter().enumerate() {
        if left < count as usize {
            return (bin, left);
        }
        left -= count as usize;
    }
    unreachable!("rank {rank} lies past the last value")
}
