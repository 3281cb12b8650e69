//! Half profiles: per ring the mean of the right, left, lower and upper half, over the points that have their mirror
//! images inside the image as well. That mask follows the centre, so a ring cut by the border stays symmetric.

use super::plan::Plan;
use super::sample::{BLOCK, Halves, Taps};

/// Points must lie this far inside the outermost pixel middles: room for the rounding of coordinates.
const INSIDE_PX: f64 = 2e-3;

/// Fewest points of a quadrant's ring that are worth a mean.
const FEWEST_POINTS: usize = 2;

/// One axis: both half profiles and what is known of them, ring by ring.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Mean brightness of the half in the direction of the axis.
    pub plus: Vec<f32>,
    /// Mean brightness of the other half.
    pub minus: Vec<f32>,
    /// How far the halves move along the radius per pixel of shift.
    pub lever: Vec<f32>,
    /// Variance of `plus - minus`, in units of a pixel's variance.
    pub variance: Vec<f32>,
    /// From a weighted sum over both quadrants to the mean.
    scale: Vec<f32>,
}

impl Axis {
    fn new(n_rings: usize) -> Axis {
        let zeros = || vec![0.0; n_rings];
        Axis { plus: zeros(), minus: zeros(), lever: zeros(), variance: zeros(), scale: zeros() }
    }

    /// Ring `i` from the sums of its points' weights and of their squares: the weights are cosines of the angle to the
    /// axis, so the lever is their weighted mean.
    fn describe(&mut self, i: usize, sum: f32, squares: f32, noise: f32) {
        self.lever[i] = squares / sum;
        self.variance[i] = noise * squares / (sum * sum);
        self.scale[i] = 0.5 / sum;
    }
}

/// The half profiles of one pass, and the scratch to make them and to fit them.
#[derive(Debug, Clone)]
pub(super) struct HalfProfiles {
    /// Rings that are in use: the first ones of the plan.
    pub n_rings: usize,
    pub x: Axis,
    pub y: Axis,
    /// Scratch for the fit: a line of twice as many values as rings, and per ring the slope of the mean profile, its
    /// square, and how much the ring counts.
    pub line: Vec<f32>,
    pub slope: Vec<f32>,
    pub slope_square: Vec<f32>,
    pub window: Vec<f32>,
    /// Points of each ring in the plan.
    points: Vec<std::ops::Range<usize>>,
    dx: Vec<f32>,
    dy: Vec<f32>,
    halves: Halves,
}

impl HalfProfiles {
    /// Room for passes over `largest` or any smaller plan.
    pub(super) fn new(largest: &Plan) -> HalfProfiles {
        let (n, rings) = (largest.n_points().next_multiple_of(BLOCK), largest.rings.len());
        HalfProfiles {
            n_rings: 0,
            x: Axis::new(rings),
            y: Axis::new(rings),
            line: vec![0.0; 2 * rings],
            slope: vec![0.0; rings],
            slope_square: vec![0.0; rings],
            window: vec![0.0; rings],
            points: vec![0..0; rings],
            dx: vec![0.0; n],
            dy: vec![0.0; n],
            halves: Halves::new(n),
        }
    }

    /// Samples the image round (`x_px`, `y_px`), which must lie inside, and averages.
    #[inline(always)]
    pub(super) fn measure(&mut self, plan: &Plan, taps: &Taps, x_px: f64, y_px: f64) {
        let last = (taps.size_px() - 1) as f64;
        let room = |at: f64| (at.min(last - at) - INSIDE_PX) as f32;
        let n = self.choose(plan, room(x_px), room(y_px));
        // Points at the centre itself, up to a whole block: sampled and not used.
        let end = n.next_multiple_of(BLOCK);
        self.dx[n..end].fill(0.0);
        self.dy[n..end].fill(0.0);
        taps.sample(x_px as f32, y_px as f32, &self.dx[..end], &self.dy[..end], &mut self.halves);
        self.average(plan);
    }

    /// Gathers the points whose mirror images all lie inside; returns their number.
    fn choose(&mut self, plan: &Plan, room_x: f32, room_y: f32) -> usize {
        let mut n = 0;
        self.n_rings = 0;
        for ring in &plan.rings {
            let (mut from, mut to) = (ring.points.start, ring.points.end);
            if ring.radius_px > room_x.min(room_y) {
                from += plan.dx[ring.points.clone()].partition_point(|&d| d > room_x);
                to = ring.points.start + plan.dy[ring.points.clone()].partition_point(|&d| d <= room_y);
            }
            if to < from + FEWEST_POINTS {
                break;
            }
            self.dx[n..n + to - from].copy_from_slice(&plan.dx[from..to]);
            self.dy[n..n + to - from].copy_from_slice(&plan.dy[from..to]);
            n += to - from;
            let [before, after] = [from, to].map(|k| plan.prefix[ring.prefix + k - ring.points.start]);
            let i = self.n_rings;
            self.x.describe(i, after.cos - before.cos, after.cos2 - before.cos2, ring.noise);
            self.y.describe(i, after.sin - before.sin, after.sin2 - before.sin2, ring.noise);
            self.points[i] = from..to;
            self.n_rings += 1;
        }
        n
    }

    #[inline(always)]
    fn average(&mut self, plan: &Plan) {
        let mut first = 0;
        for (i, points) in self.points[..self.n_rings].iter().enumerate() {
            let (cos, sin) = (&plan.cos[points.clone()], &plan.sin[points.clone()]);
            let here = first..first + points.len();
            self.x.plus[i] = self.x.scale[i] * dot(cos, &self.halves.right[here.clone()]);
            self.x.minus[i] = self.x.scale[i] * dot(cos, &self.halves.left[here.clone()]);
            self.y.plus[i] = self.y.scale[i] * dot(sin, &self.halves.down[here.clone()]);
            self.y.minus[i] = self.y.scale[i] * dot(sin, &self.halves.up[here.clone()]);
            first = here.end;
        }
    }
}

/// Sum of products, in four lanes.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 4];
    let ((a4, a_rest), (b4, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a4.iter().zip(b4) {
        for k in 0..4 {
            lanes[k] += a[k] * b[k];
        }
    }
    for (k, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[k] += a * b;
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}
