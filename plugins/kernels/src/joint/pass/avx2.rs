//! The sums of a piece of a row, eight pixels at a time: operation by operation what `plain.rs` does.

use std::arch::x86_64::*;

use super::super::radial_spline::{NODES_PER_PX, Node};
use super::{Block, INDEX_MASK, LANES, ROUND, TINY_RADIUS};
use crate::avx2::{indices, load, set, store};
use crate::pixel::PIECE;

/// Blocks of a piece.
const BLOCKS: usize = PIECE / LANES;

/// Adds a piece's pixels.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn block(block: Block<'_>) {
    let Block { constants: c, nodes, dy, dx, values, sums, tile_chi2, tile_n } = block;
    let n = dx.len();
    assert!(n <= BLOCKS && values.len() == n && tile_chi2.len() == n && tile_n.len() == n, "{n} blocks in a piece");
    assert!(nodes.len() as f32 == c.last_node + 1.0, "{} nodes, the last is {}", nodes.len(), c.last_node);
    let zero = _mm256_setzero_ps();
    let dy = set(dy);
    let dy2 = _mm256_mul_ps(dy, dy);
    let last = _mm256_set1_epi32(nodes.len() as i32 - 1);
    // One loop after the other, so that none waits for its own long chain of operations.
    let (mut radii, mut beyonds) = ([zero; BLOCKS], [zero; BLOCKS]);
    let mut places = [_mm256_setzero_si256(); BLOCKS];
    for b in 0..n {
        let dx = load(&dx[b]);
        let r2 = _mm256_add_ps(_mm256_mul_ps(dx, dx), dy2);
        let radius = _mm256_mul_ps(_mm256_sqrt_ps(r2), set(NODES_PER_PX));
        let t = _mm256_min_ps(radius, set(c.last_node));
        let shifted = _mm256_add_ps(t, set(ROUND));
        let at = _mm256_and_si256(_mm256_castps_si256(shifted), _mm256_set1_epi32(INDEX_MASK as i32));
        radii[b] = radius;
        beyonds[b] = _mm256_sub_ps(t, _mm256_sub_ps(shifted, set(ROUND)));
        // Never more than the last: `t` is not.
        places[b] = _mm256_min_epu32(at, last);
    }
    let (mut xs, mut ys, mut zs) = ([zero; BLOCKS], [zero; BLOCKS], [zero; BLOCKS]);
    let (mut ts, mut ws, mut es) = ([zero; BLOCKS], [zero; BLOCKS], [zero; BLOCKS]);
    for b in 0..n {
        let (dx, value, radius, beyond) = (load(&dx[b]), load(&values[b]), radii[b], beyonds[b]);
        // SAFETY: this function has AVX2, and no place is beyond the last node.
        let [level, slope, curve, z] = unsafe { rows(nodes, places[b]) };
        let bent = _mm256_mul_ps(beyond, curve);
        let template = _mm256_add_ps(level, _mm256_mul_ps(beyond, _mm256_add_ps(slope, bent)));
        let rise = _mm256_add_ps(slope, _mm256_add_ps(bent, bent));
        let expected = _mm256_add_ps(_mm256_mul_ps(set(c.gain), template), set(c.offset));
        let shot = _mm256_add_ps(_mm256_mul_ps(set(c.rise), template), set(c.base));
        let variance = _mm256_add_ps(_mm256_max_ps(shot, zero), set(c.floor));
        let radius_or_tiny = _mm256_add_ps(radius, set(TINY_RADIUS));
        let inverse = _mm256_div_ps(set(1.0), _mm256_mul_ps(variance, radius_or_tiny));
        let counts = _mm256_and_ps(
            _mm256_and_ps(
                _mm256_cmp_ps::<_CMP_LT_OQ>(radius, set(c.radius)),
                _mm256_cmp_ps::<_CMP_LT_OQ>(expected, set(c.expected_limit)),
            ),
            _mm256_cmp_ps::<_CMP_LT_OQ>(value, set(c.saturation)),
        );
        let w = _mm256_and_ps(counts, _mm256_mul_ps(inverse, radius_or_tiny));
        let e = _mm256_and_ps(counts, _mm256_sub_ps(value, expected));
        let direction =
            _mm256_mul_ps(_mm256_mul_ps(rise, set(NODES_PER_PX * NODES_PER_PX)), _mm256_mul_ps(inverse, variance));
        let we = _mm256_mul_ps(w, e);
        add(&mut tile_chi2[b], _mm256_mul_ps(we, e));
        add(&mut tile_n[b], _mm256_and_ps(counts, set(1.0)));
        (xs[b], ys[b], zs[b]) = (_mm256_mul_ps(direction, dx), _mm256_mul_ps(direction, dy), z);
        (ts[b], ws[b], es[b]) = (template, w, e);
    }
    // Two loops, so that the sums of each stay in registers.
    let mut part: [__m256; 11] = std::array::from_fn(|k| load(&sums[k]));
    for b in 0..n {
        let (x, y, z, t, w, e) = (xs[b], ys[b], zs[b], ts[b], ws[b], es[b]);
        let (wx, wy) = (_mm256_mul_ps(w, x), _mm256_mul_ps(w, y));
        part[0] = _mm256_add_ps(part[0], _mm256_mul_ps(wx, x));
        part[1] = _mm256_add_ps(part[1], _mm256_mul_ps(wx, y));
        part[2] = _mm256_add_ps(part[2], _mm256_mul_ps(wx, z));
        part[3] = _mm256_add_ps(part[3], _mm256_mul_ps(wx, t));
        part[4] = _mm256_add_ps(part[4], wx);
        part[5] = _mm256_add_ps(part[5], _mm256_mul_ps(wx, e));
        part[6] = _mm256_add_ps(part[6], _mm256_mul_ps(wy, y));
        part[7] = _mm256_add_ps(part[7], _mm256_mul_ps(wy, z));
        part[8] = _mm256_add_ps(part[8], _mm256_mul_ps(wy, t));
        part[9] = _mm256_add_ps(part[9], wy);
        part[10] = _mm256_add_ps(part[10], _mm256_mul_ps(wy, e));
    }
    (0..11).for_each(|k| store(&mut sums[k], part[k]));
    let mut part: [__m256; 9] = std::array::from_fn(|k| load(&sums[11 + k]));
    for b in 0..n {
        let (z, t, w, e) = (zs[b], ts[b], ws[b], es[b]);
        let (wz, wt, we) = (_mm256_mul_ps(w, z), _mm256_mul_ps(w, t), _mm256_mul_ps(w, e));
        part[0] = _mm256_add_ps(part[0], _mm256_mul_ps(wz, z));
        part[1] = _mm256_add_ps(part[1], _mm256_mul_ps(wz, t));
        part[2] = _mm256_add_ps(part[2], wz);
        part[3] = _mm256_add_ps(part[3], _mm256_mul_ps(wz, e));
        part[4] = _mm256_add_ps(part[4], _mm256_mul_ps(wt, t));
        part[5] = _mm256_add_ps(part[5], wt);
        part[6] = _mm256_add_ps(part[6], _mm256_mul_ps(wt, e));
        part[7] = _mm256_add_ps(part[7], w);
        part[8] = _mm256_add_ps(part[8], we);
    }
    (0..9).for_each(|k| store(&mut sums[11 + k], part[k]));
}

/// The four numbers of eight nodes: all first ones, all second ones and so on.
///
/// # Safety
/// AVX2; `at` are indices of nodes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn rows(nodes: &[Node], at: __m256i) -> [__m256; 4] {
    let index = indices(at);
    macro_rules! pair {
        ($k:literal) => {
            // SAFETY: what the caller promises; a node has four floats.
            unsafe {
                let low = _mm_loadu_ps(nodes.as_ptr().add(index[$k] as usize).cast());
                let high = _mm_loadu_ps(nodes.as_ptr().add(index[$k + 4] as usize).cast());
                _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
            }
        };
    }
    let (a, b, c, d) = (pair!(0), pair!(1), pair!(2), pair!(3));
    let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
    let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
    [
        _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
        _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(lanes: &mut [f32; LANES], value: __m256) {
    store(lanes, _mm256_add_ps(load(lanes), value));
}
