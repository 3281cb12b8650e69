//! Where quadrant interpolation samples an image: rings of points at even steps of arc, laid out for one quadrant and
//! mirrored into the others. Knows the geometry and how the noise of the samples adds up; reads no pixel.

use std::f64::consts::FRAC_PI_2;

/// How many rings away the noise of two rings is still counted as correlated.
pub(super) const REACH: usize = 4;

/// Sums over part of a ring's points, from the first point on: differences of two give any range.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Sum of cos.
    pub cos: f32,
    /// Sum of sin.
    pub sin: f32,
    /// Sum of cos^2.
    pub cos2: f32,
    /// Sum of sin^2.
    pub sin2: f32,
}

/// One ring.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub radius_px: f32,
    /// Its points in the arrays of [`Plan`].
    pub points: std::ops::Range<usize>,
    /// Where its prefix sums begin in [`Plan::prefix`]; there is one more than points.
    pub prefix: usize,
    /// Noise of the ring's weighted mean, over that of as many independent pixels.
    pub noise: f32,
}

/// What is known of the halves of rings without their pixels; arrays by ring.
#[derive(Debug, Clone)]
pub(super) struct Leverage {
    /// How far the halves move along the radius per pixel of shift.
    pub lever: Vec<f32>,
    /// Inverse variance of the difference of opposite halves, in units of a pixel's, and its root.
    pub weight: Vec<f32>,
    pub root_weight: Vec<f32>,
    /// From a weighted sum over both quadrants to the mean.
    pub scale: Vec<f32>,
}

impl Leverage {
    pub(super) fn new(n_rings: usize) -> Leverage {
        let zeros = || vec![0.0; n_rings];
        Leverage { lever: zeros(), weight: zeros(), root_weight: zeros(), scale: zeros() }
    }

    /// Ring `i` from the sums of its points' weights and of their squares: the weights are cosines of the angle to the
    /// axis, so the lever is their weighted mean.
    pub(super) fn describe(&mut self, i: usize, sum: f32, squares: f32, noise: f32) {
        self.lever[i] = squares / sum;
        self.weight[i] = sum * sum / (noise * squares);
        self.root_weight[i] = self.weight[i].sqrt();
        self.scale[i] = 0.5 / sum;
    }

    /// Takes the first `n` rings over from others.
    pub(super) fn copy_first(&mut self, n: usize, from: &Leverage) {
        self.lever[..n].copy_from_slice(&from.lever[..n]);
        self.weight[..n].copy_from_slice(&from.weight[..n]);
        self.root_weight[..n].copy_from_slice(&from.root_weight[..n]);
        self.scale[..n].copy_from_slice(&from.scale[..n]);
    }
}

/// Rings from the centre to the corners. Angles run from the x axis (point 0) to the y axis, never on either.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub step_px: f64,
    pub rings: Vec<Ring>,
    /// Of rings that lie inside the image as a whole; both axes are alike.
    pub whole: Leverage,
    /// Per ring, how much it counts beside its noise, 0 to 1.
    pub window: Vec<f32>,
    /// Per ring, correlation of its noise with that of the next ring, the one after, and so on.
    pub correlation: [Vec<f32>; REACH],
    /// Per point, ring by ring.
    pub dx: Vec<f32>,
    pub dy: Vec<f32>,
    pub cos: Vec<f32>,
    pub sin: Vec<f32>,
    pub prefix: Vec<Sums>,
}

impl Plan {
    /// Rings every `step_px` (the first at half a step) out to `reach_px`, points about every `arc_px` along them.
    pub(super) fn new(reach_px: f64, step_px: f64, arc_px: f64, center_px: f64) -> Plan {
        let n_rings = (reach_px / step_px).ceil() as usize;
        let mut plan = Plan {
            step_px,
            rings: Vec::with_capacity(n_rings),
            whole: Leverage::new(n_rings),
            window: Vec::with_capacity(n_rings),
            correlation: std::array::from_fn(|_| vec![0.0; n_rings]),
            dx: Vec::new(),
            dy: Vec::new(),
            cos: Vec::new(),
            sin: Vec::new(),
            prefix: Vec::new(),
        };
        for i in 0..n_rings {
            let radius = (i as f64 + 0.5) * step_px;
            let n = ((FRAC_PI_2 * radius / arc_px).round() as usize).max(2);
            let (first, prefix) = (plan.dx.len(), plan.prefix.len());
            let mut sums = Sums::default();
            plan.prefix.push(sums);
            for a in 0..n {
                let (sin, cos) = (FRAC_PI_2 * (a as f64 + 0.5) / n as f64).sin_cos();
                plan.dx.push((radius * cos) as f32);
                plan.dy.push((radius * sin) as f32);
                plan.cos.push(cos as f32);
                plan.sin.push(sin as f32);
                sums.cos += cos as f32;
                sums.sin += sin as f32;
                sums.cos2 += (cos * cos) as f32;
                sums.sin2 += (sin * sin) as f32;
                plan.prefix.push(sums);
            }
            let points = first..plan.dx.len();
            plan.rings.push(Ring { radius_px: radius as f32, points, prefix, noise: 1.0 });
            plan.window.push((1.0 - (-(radius / center_px).powi(2)).exp()) as f32);
        }
        plan.measure_noise();
        plan
    }

    /// Most points that one pass can take.
    pub(super) fn n_points(&self) -> usize {
        self.dx.len()
    }

    /// Covariance of the cosine-weighted sums over two rings, in units of a pixel's variance.
    ///
    /// A sample is a bilinear mean of four pixels. Averaged over all positions in the pixel grid, the covariance of two
    /// samples is the convolution of two tents along each axis, at their distance: the cubic B-spline.
    fn covariance(&self, a: &Ring, b: &Ring) -> f64 {
        let mut sum = 0.0;
        for i in a.points.clone() {
            for j in b.points.clone() {
                let distance = [self.dx[i] - self.dx[j], self.dy[i] - self.dy[j]].map(f64::from);
                if distance[0].abs().max(distance[1].abs()) < 2.0 {
                    let pair = cubic_b_spline(distance[0]) * cubic_b_spline(distance[1]);
                    sum += f64::from(self.cos[i] * self.cos[j]) * pair;
                }
            }
        }
        sum
    }

    fn measure_noise(&mut self) {
        let variances: Vec<f64> = self.rings.iter().map(|r| self.covariance(r, r)).collect();
        for i in 0..self.rings.len() {
            let ring = &self.rings[i];
            let independent: f64 = ring.points.clone().map(|k| f64::from(self.cos[k]).powi(2)).sum();
            let noise = (variances[i] / independent) as f32;
            for k in 0..REACH {
                let j = i + k + 1;
                if j < self.rings.len() && (k + 1) as f64 * self.step_px < 2.0 {
                    let covariance = self.covariance(ring, &self.rings[j]);
                    self.correlation[k][i] = (covariance / (variances[i] * variances[j]).sqrt()) as f32;
                }
            }
            let sums = self.prefix[ring.prefix + ring.points.len()];
            self.whole.describe(i, sums.cos, sums.cos2, noise);
            self.rings[i].noise = noise;
        }
    }
}

/// The convolution of two tents of width 2.
fn cubic_b_spline(t: f64) -> f64 {
    let t = t.abs();
    if t < 1.0 {
        2.0 / 3.0 - t * t * (1.0 - 0.5 * t)
    } else if t < 2.0 {
        (2.0 - t).powi(3) / 6.0
    } else {
        0.0
    }
}
