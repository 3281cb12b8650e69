//! Eight numbers at a time: what the AVX2 paths of several loops have in common.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// Numbers in a register.
const LANES: usize = 8;

/// All lanes alike.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn set(value: f32) -> __m256 {
    _mm256_set1_ps(value)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn load(lanes: &[f32; LANES]) -> __m256 {
    // SAFETY: a reference to eight floats, of which eight are read.
    unsafe { _mm256_loadu_ps(lanes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn store(lanes: &mut [f32; LANES], value: __m256) {
    // SAFETY: a reference to eight floats, of which eight are written.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), value) }
}

/// Whole numbers of a register one by one: for loads from eight places, which are as quick as the processor's own gathering,
/// and much quicker where that was slowed down to keep it from leaking.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn indices(at: __m256i) -> [u32; LANES] {
    let mut to = [0; LANES];
    // SAFETY: eight numbers of 32 bits.
    unsafe { _mm256_storeu_si256((&raw mut to).cast(), at) };
    to
}
