//! Median of all pixels of an image: by counting for integers, by selection for floats.

use ndarray::ArrayView2;

use crate::pixel::{Pixel, for_each_piece};

/// Median of an 8-bit image: one histogram, kept fourfold because neighbours are often equal and a counter that is
/// read right after it was written costs the wait.
pub(crate) fn of_u8(image: ArrayView2<'_, u8>, _values: &mut Vec<f64>) -> f64 {
    let mut counts = [[0u32; 256]; 4];
    for_each_piece(image, |_, _, piece| {
        let (fours, rest) = piece.as_chunks::<4>();
        for four in fours {
            for (count, &p) in counts.iter_mut().zip(four) {
                count[usize::from(p)] += 1;
            }
        }
        for &p in rest {
            counts[0][usize::from(p)] += 1;
        }
    });
    let total: [u32; 256] = std::array::from_fn(|v| counts.iter().map(|count| count[v]).sum());
    middle(image.len(), |rank| position(&total, rank).0)
}

/// Median of a 16-bit image: a histogram of the high bytes, then one of the low bytes beside the middle.
pub(crate) fn of_u16(image: ArrayView2<'_, u16>, _values: &mut Vec<f64>) -> f64 {
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
pub(crate) fn of_floats<P: Pixel>(image: ArrayView2<'_, P>, values: &mut Vec<f64>) -> f64 {
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
