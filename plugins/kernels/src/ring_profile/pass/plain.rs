//! Pixel by pixel: what is computed, and the path of processors without AVX2.

use super::{BINS_PER_PX, BLOCK, INDEX_MASK, LANES, ROUND, Row};

/// Adds a piece of a row.
#[inline(always)]
pub(super) fn add(row: Row<'_>) {
    let last = (row.sums.len() - 1) as f32;
    for (dx_squared, values) in row.dx_squared.iter().zip(row.values) {
        let (mut bins, mut distances) = ([0u32; BLOCK], [0.0f32; BLOCK]);
        for k in 0..BLOCK {
            let radius = (dx_squared[k] + row.dy_squared).sqrt() * BINS_PER_PX;
            let radius = if radius < last { radius } else { last };
            let shifted = radius + ROUND;
            bins[k] = shifted.to_bits() & INDEX_MASK;
            distances[k] = radius - (shifted - ROUND);
        }
        for k in 0..BLOCK {
            let (value, distance) = (values[k], distances[k]);
            let terms = [value, 1.0, distance, distance * distance];
            for (sum, term) in row.sums[bins[k] as usize][k % LANES].iter_mut().zip(terms) {
                *sum += term;
            }
        }
    }
}
