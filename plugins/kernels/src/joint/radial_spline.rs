//! A function of radius as a cubic spline on even knots, even about the centre, and the fine table of nodes that the passes
//! over pixels read. No pixels here.

/// Distance of the knots, pixels. Half the width of what a pixel can show: a finer one fits noise, a coarser one blurs.
pub(super) const KNOT_PX: f64 = 0.5;

/// Nodes from one knot to the next; between nodes a parabola.
const NODES_PER_KNOT: usize = 4;

/// Nodes per pixel of radius.
pub(super) const NODES_PER_PX: f32 = NODES_PER_KNOT as f32 / KNOT_PX as f32;

/// One node of a template at one z: value, its first derivative and half its second per node step, and the slope along z.
pub(super) type Node = [f32; 4];

/// Weights of four neighbouring coefficients at the share `u` of the way from the second to the third.
pub(super) fn weights(u: f64) -> [f64; 4] {
    let v = 1.0 - u;
    [
        v * v * v / 6.0,
        (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
        (3.0 * v * v * v - 6.0 * v * v + 4.0) / 6.0,
        u * u * u / 6.0,
    ]
}

/// The first and half the second derivative of [`weights`], per step of the knots.
fn weight_slopes(u: f64) -> ([f64; 4], [f64; 4]) {
    let v = 1.0 - u;
    let first = [-v * v / 2.0, (3.0 * u * u - 4.0 * u) / 2.0, -(3.0 * v * v - 4.0 * v) / 2.0, u * u / 2.0];
    let second = [v / 2.0, (3.0 * u - 2.0) / 2.0, (3.0 * v - 2.0) / 2.0, u / 2.0];
    (first, second)
}

/// Number of coefficients of a function known out to `radius_px`.
pub(super) fn n_coefficients(radius_px: f64) -> usize {
    (radius_px / KNOT_PX).ceil() as usize + 2
}

/// The knot below a radius, and how far beyond it.
#[inline]
pub(super) fn place(radius_px: f64) -> (usize, f64) {
    let t = radius_px / KNOT_PX;
    let knot = t.floor();
    (knot as usize, t - knot)
}

/// Coefficient of tap `k` (0 to 3) of the interval above `knot`: the one beyond the centre is its mirror image.
#[inline]
pub(super) fn tap(knot: usize, k: usize) -> usize {
    (knot + k).checked_sub(1).unwrap_or(1)
}

/// Makes nodes of coefficients.
#[derive(Debug, Clone)]
pub(super) struct NodeMaker {
    /// Per node between two knots, per tap: factors for value, slope and half curvature; and the one for the z slope.
    factors: [[([f32; 4], [f32; 4]); 4]; NODES_PER_KNOT],
}

impl NodeMaker {
    pub(super) fn new() -> NodeMaker {
        let step = 1.0 / NODES_PER_KNOT as f64;
        let factors = std::array::from_fn(|phase| {
            let u = phase as f64 * step;
            let (value, (first, second)) = (weights(u), weight_slopes(u));
            std::array::from_fn(|k| {
                let f = [value[k], first[k] * step, second[k] * step * step].map(|v| v as f32);
                ([f[0], f[1], f[2], 0.0], [0.0, 0.0, 0.0, f[0]])
            })
        });
        NodeMaker { factors }
    }

    /// Number of nodes that `n` coefficients make.
    pub(super) fn n_nodes(n: usize) -> usize {
        n.saturating_sub(3) * NODES_PER_KNOT
    }

    /// Radius out to which the nodes of `n` coefficients stand for what is nearest to them.
    pub(super) fn reach_px(n: usize) -> f64 {
        (Self::n_nodes(n).max(1) as f64 - 0.5) / f64::from(NODES_PER_PX)
    }

    /// Fills `nodes` from coefficients and their slopes along z. Lengths as [`Self::n_nodes`] says.
    #[inline(always)]
    pub(super) fn fill(&self, coefficients: &[f32], slopes: &[f32], nodes: &mut [Node]) {
        let n = coefficients.len();
        assert!(slopes.len() == n && n >= 4 && nodes.len() == Self::n_nodes(n), "{} nodes for {n}", nodes.len());
        for (knot, nodes) in nodes.as_chunks_mut::<NODES_PER_KNOT>().0.iter_mut().enumerate() {
            let at: [usize; 4] = std::array::from_fn(|k| tap(knot, k));
            let (c, s) = (at.map(|i| coefficients[i]), at.map(|i| slopes[i]));
            for (node, factors) in nodes.iter_mut().zip(&self.factors) {
                let mut sum = [0.0f32; 4];
                for k in 0..4 {
                    let (along_r, along_z) = &factors[k];
                    for l in 0..4 {
                        sum[l] += c[k] * along_r[l] + s[k] * along_z[l];
                    }
                }
                *node = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_make_a_parabola_of_its_coefficients() {
        // Of t², the coefficients are k² − 1/3.
        for t in [2.0, 2.25, 3.6] {
            let (knot, u) = place(t * KNOT_PX);
            let sum = |w: [f64; 4]| (0..4).map(|k| w[k] * ((knot + k - 1).pow(2) as f64 - 1.0 / 3.0)).sum::<f64>();
            let (first, second) = weight_slopes(u);
            assert!((sum(weights(u)) - t * t).abs() < 1e-12, "{t}");
            assert!((sum(first) - 2.0 * t).abs() < 1e-12 && (sum(second) - 1.0).abs() < 1e-12, "{t}");
        }
    }

    #[test]
    fn nodes_hold_value_and_derivatives_of_an_even_function() {
        let n = n_coefficients(4.0);
        assert_eq!(n, 10);
        let coefficients: Vec<f32> = (0..n).map(|k| (k * k) as f32 - 1.0 / 3.0).collect();
        let slopes = vec![2.0; n];
        let mut nodes = vec![[0.0; 4]; NodeMaker::n_nodes(n)];
        NodeMaker::new().fill(&coefficients, &slopes, &mut nodes);
        for (i, node) in nodes.iter().enumerate() {
            let t = i as f32 / NODES_PER_KNOT as f32;
            let expected = [t * t, 2.0 * t / 4.0, 1.0 / 16.0, 2.0];
            for k in 0..4 {
                assert!((node[k] - expected[k]).abs() < 1e-5, "node {i}: {node:?}, not {expected:?}");
            }
        }
    }
}
