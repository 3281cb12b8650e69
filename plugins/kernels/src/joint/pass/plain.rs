//! The sums of a piece of a row, pixel by pixel: what is computed, and the path of processors without AVX2.

use super::super::radial_spline::NODES_PER_PX;
use super::{Block, INDEX_MASK, LANES, ROUND, TINY_RADIUS};

/// Adds a piece's pixels. Lane l of every sum gets the pixels l, l + 8, …: the order that AVX2 has.
#[inline(always)]
pub(super) fn block(block: Block<'_>) {
    let Block { constants: c, nodes, dy, dx, values, sums, tile_chi2, tile_n } = block;
    for (b, (dx, values)) in dx.iter().zip(values).enumerate() {
        for l in 0..LANES {
            let (dx, value) = (dx[l], values[l]);
            let radius = (dx * dx + dy * dy).sqrt() * NODES_PER_PX;
            let t = if radius < c.last_node { radius } else { c.last_node };
            let shifted = t + ROUND;
            let beyond = t - (shifted - ROUND);
            let [level, slope, curve, z] = nodes[(shifted.to_bits() & INDEX_MASK) as usize];
            let template = level + beyond * (slope + beyond * curve);
            let bent = beyond * curve;
            let rise = slope + (bent + bent);
            let expected = c.gain * template + c.offset;
            let shot = c.rise * template + c.base;
            let variance = if shot > 0.0 { shot } else { 0.0 } + c.floor;
            // One division for 1 / variance and 1 / radius. At radius 0 there is no direction, and no slope either.
            let radius_or_tiny = radius + TINY_RADIUS;
            let inverse = 1.0 / (variance * radius_or_tiny);
            let counts = radius < c.radius && expected < c.expected_limit && value < c.saturation;
            let w = if counts { inverse * radius_or_tiny } else { 0.0 };
            let e = if counts { value - expected } else { 0.0 };
            let direction = (rise * (NODES_PER_PX * NODES_PER_PX)) * (inverse * variance);
            let (x, y) = (direction * dx, direction * dy);
            let (wx, wy, wz, wt, we) = (w * x, w * y, w * z, w * template, w * e);
            let terms = [
                wx * x,
                wx * y,
                wx * z,
                wx * template,
                wx,
                wx * e,
                wy * y,
                wy * z,
                wy * template,
                wy,
                wy * e,
                wz * z,
                wz * template,
                wz,
                wz * e,
                wt * template,
                wt,
                wt * e,
                w,
                we,
            ];
            for (sum, term) in sums.iter_mut().zip(terms) {
                sum[l] += term;
            }
            tile_chi2[b][l] += we * e;
            tile_n[b][l] += if counts { 1.0 } else { 0.0 };
        }
    }
}
