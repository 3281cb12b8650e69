//! Eight samples at a time: operation by operation what `plain.rs` does.

use std::arch::x86_64::*;

use super::{BLOCK, INDEX_MASK, Pair, Points, ROUND, TO_INDEX};

const LANES: usize = 8;

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
        // SAFETY: two pairs of bytes are the 32 bits that are read; what the caller promises.
        let load = |k: usize| unsafe { pairs.add(at[k] as usize).cast::<i32>().read_unaligned() };
        let four = _mm256_setr_epi32(load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7));
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
        // SAFETY: two pairs of words are the 64 bits that are read; what the caller promises.
        let load = |k: usize| unsafe { _mm_loadl_epi64(pairs.add(at[k] as usize).cast()) };
        let two = |k: usize| _mm_unpacklo_epi64(load(k), load(k + 1));
        let four = |k: usize| _mm256_castsi256_ps(_mm256_set_m128i(two(k + 4), two(k)));
        let (a, b) = (four(0), four(2));
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

#[inline]
#[target_feature(enable = "avx2")]
fn indices(at: __m256i) -> [u32; LANES] {
    let mut to = [0; LANES];
    // SAFETY: eight numbers of 32 bits.
    unsafe { _mm256_storeu_si256((&raw mut to).cast(), at) };
    to
}

/// Fills right, left, down and up.
#[target_feature(enable = "avx2")]
pub(super) fn sample<T: Gather>(points: &Points<'_, T>, [right, left, down, up]: [&mut [[f32; BLOCK]]; 4]) {
    let stride = points.size_px as f32;
    let outputs = right.iter_mut().zip(left).zip(down).zip(up);
    for ((dx, dy), (((right, left), down), up)) in points.dx.iter().zip(points.dy).zip(outputs) {
        let (dx, dy) = (dx.as_chunks().0, dy.as_chunks().0);
        let [right, left, down, up] = [right, left, down, up].map(|half| half.as_chunks_mut().0);
        for k in 0..BLOCK / LANES {
            let (dx, dy) = (load(&dx[k]), load(&dy[k]));
            let east = Places::new(_mm256_add_ps(set(points.x), dx), 1.0);
            let west = Places::new(_mm256_sub_ps(set(points.x), dx), 1.0);
            let south = Places::new(_mm256_add_ps(set(points.y), dy), stride);
            let north = Places::new(_mm256_sub_ps(set(points.y), dy), stride);
            let south_east = block(points.pairs, &east, &south);
            let south_west = block(points.pairs, &west, &south);
            let north_east = block(points.pairs, &east, &north);
            let north_west = block(points.pairs, &west, &north);
            store(&mut right[k], _mm256_add_ps(south_east, north_east));
            store(&mut left[k], _mm256_add_ps(south_west, north_west));
            store(&mut down[k], _mm256_add_ps(south_east, south_west));
            store(&mut up[k], _mm256_add_ps(north_east, north_west));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn block<T: Gather>(pairs: &[T], x: &Places, y: &Places) -> __m256 {
    let sum = _mm256_add_ps(_mm256_add_ps(x.index, y.index), set(TO_INDEX));
    let at = _mm256_and_si256(_mm256_castps_si256(sum), _mm256_set1_epi32(INDEX_MASK as i32));
    // Indices have 23 bits, so that a signed comparison does.
    let beyond = _mm256_cmpgt_epi32(at, _mm256_set1_epi32(pairs.len() as i32 - 2));
    assert!(_mm256_testz_si256(beyond, beyond) == 1, "a point lies outside the image");
    // SAFETY: this function has AVX2, and none of `at` is above the length less two.
    let [upper_left, upper_right, lower_left, lower_right] = unsafe { T::gather(pairs.as_ptr(), at) };
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

#[inline]
#[target_feature(enable = "avx2")]
fn set(value: f32) -> __m256 {
    _mm256_set1_ps(value)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[f32; LANES]) -> __m256 {
    // SAFETY: a reference to eight floats, of which eight are read.
    unsafe { _mm256_loadu_ps(lanes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(lanes: &mut [f32; LANES], value: __m256) {
    // SAFETY: a reference to eight floats, of which eight are written.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), value) }
}
