//! Eight pixels at a time: operation by operation what `plain.rs` does.

use std::arch::x86_64::*;

use super::{BINS_PER_PX, INDEX_MASK, LANES, LaneSums, ROUND, Row};
use crate::avx2::{indices, load, set};

/// Adds a piece of a row.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn add(row: Row<'_>) {
    let last_bin = row.sums.len() - 1;
    let (last, last_index) = (set(last_bin as f32), _mm256_set1_epi32(last_bin as i32));
    let (dy_squared, round) = (set(row.dy_squared), set(ROUND));
    let (one, mask) = (set(1.0), _mm256_set1_epi32(INDEX_MASK as i32));
    let sums = row.sums.as_mut_ptr();
    for (dx_squared, values) in row.dx_squared.iter().zip(row.values) {
        let squares = _mm256_add_ps(load(dx_squared), dy_squared);
        let radius = _mm256_mul_ps(_mm256_sqrt_ps(squares), set(BINS_PER_PX));
        let radius = _mm256_min_ps(radius, last);
        let shifted = _mm256_add_ps(radius, round);
        let bins = _mm256_and_si256(_mm256_castps_si256(shifted), mask);
        let inside = _mm256_cmpeq_epi32(_mm256_max_epu32(bins, last_index), last_index);
        assert!(_mm256_movemask_epi8(inside) == -1, "a bin beyond the last");
        let distance = _mm256_sub_ps(radius, _mm256_sub_ps(shifted, round));
        let (value, square) = (load(values), _mm256_mul_ps(distance, distance));
        // Four terms of one pixel to each half of a register: pixels 0 and 4, 1 and 5, 2 and 6, 3 and 7.
        let pairs = [
            [_mm256_unpacklo_ps(value, one), _mm256_unpacklo_ps(distance, square)],
            [_mm256_unpackhi_ps(value, one), _mm256_unpackhi_ps(distance, square)],
        ];
        let terms = [
            _mm256_shuffle_ps::<0b01_00_01_00>(pairs[0][0], pairs[0][1]),
            _mm256_shuffle_ps::<0b11_10_11_10>(pairs[0][0], pairs[0][1]),
            _mm256_shuffle_ps::<0b01_00_01_00>(pairs[1][0], pairs[1][1]),
            _mm256_shuffle_ps::<0b11_10_11_10>(pairs[1][0], pairs[1][1]),
        ];
        let bins = indices(bins);
        for k in 0..LANES {
            let (first, second) = (_mm256_castps256_ps128(terms[k]), _mm256_extractf128_ps::<1>(terms[k]));
            // SAFETY: none of the bins is above the last one, and a lane has four floats.
            unsafe {
                add_to(sums.add(bins[k] as usize), k, first);
                add_to(sums.add(bins[k + LANES] as usize), k, second);
            }
        }
    }
}

/// # Safety
/// AVX2; `sums` can be written.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn add_to(sums: *mut LaneSums, lane: usize, terms: __m128) {
    // SAFETY: what the caller promises; a lane has four floats.
    unsafe {
        let sum = (*sums)[lane].as_mut_ptr();
        _mm_storeu_ps(sum, _mm_add_ps(_mm_loadu_ps(sum), terms));
    }
}
