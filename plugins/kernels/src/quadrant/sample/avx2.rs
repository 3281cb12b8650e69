//! Eight samples at a time: operation by operation what `plain.rs` does.

use std::arch::x86_64::*;

use super::{BLOCK, Pair, Points, ROUND};
use crate::avx2::{indices, load, set, store};

/// Pairs as the processor fetches eight of them.
pub(super) trait Gather: Pair {
    /// The four pixels of eight samples: upper left, upper right, lower left, lower right.
    ///
    /// # Safety
    /// AVX2; `pairs` holds at least two pairs from each of `at` on.
    unsafe fn gather(pairs: *const Self, at: __m256i) -> [__m256; 4];
}

impl Gather for u16 {
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn gather(pairs: *const u16, at: __m256i) -> [__m256; 4] {
        let at = indices(at);
        macro_rules! load {
            ($k:literal) => {
                // SAFETY: two pairs of bytes are the 32 bits that are read; what the caller promises.
                unsafe { pairs.add(at[$k] as usize).cast::<i32>().read_unaligned() }
            };
        }
        let four = _mm256_setr_epi32(load!(0), load!(1), load!(2), load!(3), load!(4), load!(5), load!(6), load!(7));
        let byte = _mm256_set1_epi32(0xff);
        [
            _mm256_cvtepi32_ps(_mm256_and_si256(four, byte)),
            _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32::<16>(four), byte)),
            _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32::<8>(four), byte)),
            _mm256_cvtepi32_ps(_mm256_srli_epi32::<24>(four)),
        ]
    }
}

impl Gather for u32 {
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn gather(pairs: *const u32, at: __m256i) -> [__m256; 4] {
        let at = indices(at);
        macro_rules! two {
            ($k:literal) => {
                // SAFETY: two pairs of words are the 64 bits that are read, twice; what the caller promises.
                unsafe {
                    _mm_unpacklo_epi64(
                        _mm_loadl_epi64(pairs.add(at[$k] as usize).cast()),
                        _mm_loadl_epi64(pairs.add(at[$k + 1] as usize).cast()),
                    )
                }
            };
        }
        let a = _mm256_castsi256_ps(_mm256_set_m128i(two!(4), two!(0)));
        let b = _mm256_castsi256_ps(_mm256_set_m128i(two!(6), two!(2)));
        let left = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(a, b));
        let right = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(a, b));
        let word = _mm256_set1_epi32(0xffff);
        [
            _mm256_cvtepi32_ps(_mm256_and_si256(left, word)),
            _mm256_cvtepi32_ps(_mm256_and_si256(right, word)),
            _mm256_cvtepi32_ps(_mm256_srli_epi32::<16>(left)),
            _mm256_cvtepi32_ps(_mm256_srli_epi32::<16>(right)),
        ]
    }
}

/// Fills right, left, down and up.
#[target_feature(enable = "avx2")]
pub(super) fn sample<T: Gather>(points: &Points<'_, T>, [right, left, down, up]: [&mut [[f32; BLOCK]]; 4]) {
    let stride = points.size_px as f32;
    let (x, y) = (set(points.x), set(points.y));
    let last = _mm256_set1_epi32(points.pairs.len() as i32 - 2);
    let pairs = points.pairs.as_ptr();
    let outputs = right.iter_mut().zip(left).zip(down).zip(up);
    for ((dx, dy), (((right, left), down), up)) in points.dx.iter().zip(points.dy).zip(outputs) {
        let (dx, dy) = (load(dx), load(dy));
        let east = Places::new(_mm256_add_ps(x, dx), 1.0);
        let west = Places::new(_mm256_sub_ps(x, dx), 1.0);
        let south = Places::new(_mm256_add_ps(y, dy), stride);
        let north = Places::new(_mm256_sub_ps(y, dy), stride);
        let (at_south_east, at_south_west) = (index(&east, &south), index(&west, &south));
        let (at_north_east, at_north_west) = (index(&east, &north), index(&west, &north));
        let southern = _mm256_max_epu32(at_south_east, at_south_west);
        let highest = _mm256_max_epu32(southern, _mm256_max_epu32(at_north_east, at_north_west));
        let inside = _mm256_cmpeq_epi32(_mm256_max_epu32(highest, last), last);
        assert!(_mm256_movemask_epi8(inside) == -1, "a point lies outside the image");
        // SAFETY: this function has AVX2, and none of the places is above the last that has another behind it.
        let (south_east, south_west, north_east, north_west) = unsafe {
            (
                between(T::gather(pairs, at_south_east), &east, &south),
                between(T::gather(pairs, at_south_west), &west, &south),
                between(T::gather(pairs, at_north_east), &east, &north),
                between(T::gather(pairs, at_north_west), &west, &north),
            )
        };
        store(right, _mm256_add_ps(south_east, north_east));
        store(left, _mm256_add_ps(south_west, north_west));
        store(down, _mm256_add_ps(south_east, south_west));
        store(up, _mm256_add_ps(north_east, north_west));
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn index(x: &Places, y: &Places) -> __m256i {
    _mm256_cvttps_epi32(_mm256_add_ps(x.index, y.index))
}

#[inline]
#[target_feature(enable = "avx2")]
fn between([upper_left, upper_right, lower_left, lower_right]: [__m256; 4], x: &Places, y: &Places) -> __m256 {
    let above = lerp(upper_left, upper_right, x.fraction);
    let below = lerp(lower_left, lower_right, x.fraction);
    lerp(above, below, y.fraction)
}

#[inline]
#[target_feature(enable = "avx2")]
fn lerp(a: __m256, b: __m256, t: __m256) -> __m256 {
    _mm256_add_ps(a, _mm256_mul_ps(t, _mm256_sub_ps(b, a)))
}

/// As in `plain.rs`.
struct Places {
    index: __m256,
    fraction: __m256,
}

impl Places {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(at: __m256, stride: f32) -> Places {
        let pixel = _mm256_sub_ps(_mm256_add_ps(_mm256_sub_ps(at, set(0.5)), set(ROUND)), set(ROUND));
        Places { index: _mm256_mul_ps(pixel, set(stride)), fraction: _mm256_sub_ps(at, pixel) }
    }
}
