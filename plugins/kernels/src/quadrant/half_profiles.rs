//! Half profiles: per ring the mean of the right, left, lower and upper half, over the points that have their mirror
//! images inside the image as well. That mask follows the centre, so a ring cut by the border stays symmetric.

use super::plan::{Leverage, Plan};
use super::sample::{BLOCK, Halves, Taps};
use crate::isa::{Supported, Vectorised};

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
    pub leverage: Leverage,
}

impl Axis {
    fn new(n_rings: usize) -> Axis {
        Axis { plus: vec![0.0; n_rings], minus: vec![0.0; n_rings], leverage: Leverage::new(n_rings) }
    }
}

/// The half profiles of one pass.
#[derive(Debug, Clone)]
pub(super) struct HalfProfiles {
    /// Rings that are in use: the first ones of the plan.
    pub n_rings: usize,
    pub x: Axis,
    pub y: Axis,
    /// Rings that lie inside the image as a whole, and how many points they have: those are sampled where the plan has them.
    n_whole: usize,
    n_whole_points: usize,
    /// Of the rings behind those: their points in the plan.
    cut: Vec<std::ops::Range<usize>>,
    /// What is sampled behind the last whole block of the plan's points: the rest of the whole rings, and the cut ones.
    dx: Vec<f32>,
    dy: Vec<f32>,
    /// One sum per point: of the whole rings, then of the cut ones.
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
            n_whole: 0,
            n_whole_points: 0,
            cut: Vec::with_capacity(rings),
            dx: vec![0.0; n],
            dy: vec![0.0; n],
            halves: Halves::new(n),
        }
    }

    /// Samples the image round (`x_px`, `y_px`), which must lie inside, and averages.
    pub(super) fn measure(&mut self, isa: Supported, plan: &Plan, taps: &Taps, x_px: f64, y_px: f64) {
        let last = (taps.size_px() - 1) as f64;
        let room = |at: f64| (at.min(last - at) - INSIDE_PX) as f32;
        let n = self.choose(plan, room(x_px), room(y_px));
        let in_place = self.n_whole_points / BLOCK * BLOCK;
        let (x, y) = (x_px as f32, y_px as f32);
        taps.sample(x, y, &plan.dx[..in_place], &plan.dy[..in_place], &mut self.halves, 0);
        taps.sample(x, y, &self.dx[..n], &self.dy[..n], &mut self.halves, in_place);
        isa.run(Average { halves: self, plan });
    }

    /// Finds the rings, and gathers the points that are not sampled in the plan itself; returns their number, up to a whole
    /// block.
    fn choose(&mut self, plan: &Plan, room_x: f32, room_y: f32) -> usize {
        self.n_whole = plan.rings.partition_point(|ring| ring.radius_px <= room_x.min(room_y));
        self.n_whole_points = plan.rings[..self.n_whole].last().map_or(0, |ring| ring.points.end);
        self.x.leverage.copy_first(self.n_whole, &plan.whole);
        self.y.leverage.copy_first(self.n_whole, &plan.whole);
        self.cut.clear();
        let mut n = 0;
        let mut gather = |points: std::ops::Range<usize>| {
            self.dx[n..n + points.len()].copy_from_slice(&plan.dx[points.clone()]);
            self.dy[n..n + points.len()].copy_from_slice(&plan.dy[points.clone()]);
            n += points.len();
        };
        gather(self.n_whole_points / BLOCK * BLOCK..self.n_whole_points);
        for (i, ring) in plan.rings.iter().enumerate().skip(self.n_whole) {
            let points = ring.points.clone();
            let from = plan.dx[points.clone()].partition_point(|&d| d > room_x);
            let to = plan.dy[points.clone()].partition_point(|&d| d <= room_y);
            if to < from + FEWEST_POINTS {
                break;
            }
            gather(points.start + from..points.start + to);
            let [before, after] = [from, to].map(|k| plan.prefix[ring.prefix + k]);
            self.x.leverage.describe(i, after.cos - before.cos, after.cos2 - before.cos2, ring.noise);
            self.y.leverage.describe(i, after.sin - before.sin, after.sin2 - before.sin2, ring.noise);
            self.cut.push(points.start + from..points.start + to);
        }
        self.n_rings = self.n_whole + self.cut.len();
        // Points at the centre itself fill the last block: sampled and not used.
        let end = n.next_multiple_of(BLOCK);
        self.dx[n..end].fill(0.0);
        self.dy[n..end].fill(0.0);
        end
    }

    #[inline(always)]
    fn average(&mut self, plan: &Plan) {
        let HalfProfiles { x, y, halves, .. } = self;
        let halves = [&halves.right, &halves.left, &halves.down, &halves.up].map(|half| &half[..]);
        let whole = plan.rings[..self.n_whole].iter().map(|ring| &ring.points);
        let mut first = 0;
        for (i, points) in whole.chain(&self.cut).enumerate() {
            let (cos, sin) = (&plan.cos[points.clone()], &plan.sin[points.clone()]);
            let [right, left, down, up] = halves.map(|half| &half[first..first + points.len()]);
            let (scale_x, scale_y) = (x.leverage.scale[i], y.leverage.scale[i]);
            (x.plus[i], x.minus[i]) = (scale_x * dot(cos, right), scale_x * dot(cos, left));
            (y.plus[i], y.minus[i]) = (scale_y * dot(sin, down), scale_y * dot(sin, up));
            first += points.len();
        }
    }
}

struct Average<'a> {
    halves: &'a mut HalfProfiles,
    plan: &'a Plan,
}

impl Vectorised for Average<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        self.halves.average(self.plan);
    }
}

/// Sum of products, in eight lanes.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [0.0f32; LANES];
    let ((a8, a_rest), (b8, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a8.iter().zip(b8) {
        for k in 0..LANES {
            lanes[k] += a[k] * b[k];
        }
    }
    for (k, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[k] += a * b;
    }
    let four: [f32; 4] = std::array::from_fn(|k| lanes[k] + lanes[k + 4]);
    (four[0] + four[1]) + (four[2] + four[3])
}
