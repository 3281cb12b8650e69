//! Samples point by point: what is computed, and the path of processors without AVX2.

use super::{BLOCK, INDEX_MASK, Pair, Points, ROUND, TO_INDEX};

/// Fills right, left, down and up.
pub(super) fn sample<T: Pair>(points: &Points<'_, T>, [right, left, down, up]: [&mut [[f32; BLOCK]]; 4]) {
    let stride = points.size_px as f32;
    let outputs = right.iter_mut().zip(left).zip(down).zip(up);
    for ((dx, dy), (((right, left), down), up)) in points.dx.iter().zip(points.dy).zip(outputs) {
        let east = Places::new(dx, points.x, 1.0, 1.0);
        let west = Places::new(dx, points.x, -1.0, 1.0);
        let south = Places::new(dy, points.y, 1.0, stride);
        let north = Places::new(dy, points.y, -1.0, stride);
        let south_east = block(points, &east, &south);
        let south_west = block(points, &west, &south);
        let north_east = block(points, &east, &north);
        let north_west = block(points, &west, &north);
        for k in 0..BLOCK {
            right[k] = south_east[k] + north_east[k];
            left[k] = south_west[k] + north_west[k];
            down[k] = south_east[k] + south_west[k];
            up[k] = north_east[k] + north_west[k];
        }
    }
}

#[inline(always)]
fn block<T: Pair>(points: &Points<'_, T>, x: &Places, y: &Places) -> [f32; BLOCK] {
    let (mut left, mut right) = ([0u32; BLOCK], [0u32; BLOCK]);
    let at: [u32; BLOCK] = std::array::from_fn(|k| (x.index[k] + y.index[k] + TO_INDEX).to_bits() & INDEX_MASK);
    for k in 0..BLOCK {
        let pairs = &points.pairs[at[k] as usize..][..2];
        (left[k], right[k]) = (pairs[0].into(), pairs[1].into());
    }
    let mask = (1u32 << T::BITS) - 1;
    let upper = |pair: u32| (pair & mask) as i32 as f32;
    let lower = |pair: u32| (pair >> T::BITS) as i32 as f32;
    let mut values = [0.0; BLOCK];
    for k in 0..BLOCK {
        let (fx, fy) = (x.fraction[k], y.fraction[k]);
        let above = lerp(upper(left[k]), upper(right[k]), fx);
        let below = lerp(lower(left[k]), lower(right[k]), fx);
        values[k] = lerp(above, below, fy);
    }
    values
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
