//! Centre of a bead by radial symmetry: the point that all gradients point to or away from. One linear solve per step, no
//! Z-LUT, bright and dark rings alike; with many faint rings quadrant interpolation is several times more accurate.

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::isa::{Isa, Supported, Vectorised};
use crate::outcome::Outcome;
use crate::pixel::{Pixel, assert_size, for_each_piece};

/// Smallest image: a disc of gradients around the centre.
const MIN_PX: usize = 12;

/// The mask falls to zero over this width, so that it does not jump when the centre moves.
const TAPER_PX: f32 = 2.0;

/// Gradients within this distance of the centre do not weigh more than those at it.
const LEAST_DISTANCE_PX: f32 = 1.0;

/// Settings of [`RadialSymmetry`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialSymmetryOptions {
    /// Outer radius of the ring mask, pixels; it is never larger than the distance to the border.
    pub outer_radius_px: f64,
    /// Inner radius of the ring mask, pixels: on a sharp spot differences of pixels are no gradients.
    pub inner_radius_px: f64,
    /// Stop when a step is shorter than this, pixels.
    pub tolerance_px: f64,
    /// Most steps.
    pub max_steps: usize,
    /// Instructions to use; the baseline where the processor lacks them. The numbers do not depend on it.
    pub isa: Isa,
}

impl Default for RadialSymmetryOptions {
    fn default() -> Self {
        RadialSymmetryOptions {
            outer_radius_px: 1000.0,
            inner_radius_px: 3.0,
            tolerance_px: 0.003,
            max_steps: 20,
            isa: Isa::detect(),
        }
    }
}

/// What radial symmetry found in one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialSymmetryFit {
    /// Column of the centre, pixels; NaN when lost.
    pub x_px: f64,
    /// Row of the centre, pixels; NaN when lost.
    pub y_px: f64,
    /// 1 when every gradient points along the radius, 0 when they point anywhere.
    pub symmetry: f64,
    /// Steps taken.
    pub n_steps: usize,
    /// False when the last step was still longer than the tolerance.
    pub converged: bool,
    /// How the search went.
    pub outcome: Outcome,
}

/// Finds centres in images of one size; owns all scratch, so that executing allocates nothing.
///
/// Method: R. Parthasarathy, Nature Methods 9, 724 (2012): gradients between the pixels, smoothed by 3 x 3, each a line;
/// the centre is the point with the least sum of squared distances from the lines, weighted by the gradient's square over
/// its distance from the centre. Different here: the distances are measured from the current centre, the sum runs over a
/// ring mask around it that lies inside the image, and both are repeated until the centre rests. Without that, rings cut
/// by the border pull by nanometres.
#[derive(Debug, Clone)]
pub struct RadialSymmetry {
    options: RadialSymmetryOptions,
    isa: Supported,
    size_px: usize,
    pixels: Vec<f32>,
    /// Gradients on the points between the pixels, `size_px - 1` a row, and scratch for smoothing.
    gx: Vec<f32>,
    gy: Vec<f32>,
    smooth: Vec<f32>,
}

impl RadialSymmetry {
    /// Makes a worker for images of `size_px` x `size_px` pixels.
    ///
    /// Fails below 12 pixels, and when the radii or the tolerance cannot be used.
    pub fn new(size_px: usize, options: &RadialSymmetryOptions) -> Result<RadialSymmetry, KernelError> {
        if size_px < MIN_PX {
            return Err(KernelError::SizeTooSmall { size_px, min_px: MIN_PX });
        }
        let inner = options.inner_radius_px;
        if !(inner >= 0.0 && inner + 4.0 <= options.outer_radius_px) {
            let allowed = "0 or more, and 4 px less than outer_radius_px";
            return Err(KernelError::OutOfRange { name: "inner_radius_px", value: inner, allowed });
        }
        if !(options.tolerance_px > 0.0 && options.tolerance_px <= 1.0) {
            let (value, allowed) = (options.tolerance_px, "a length above 0, up to 1 px");
            return Err(KernelError::OutOfRange { name: "tolerance_px", value, allowed });
        }
        let zeros = || vec![0.0; size_px * size_px];
        Ok(RadialSymmetry {
            options: *options,
            isa: Supported::or_baseline(options.isa),
            size_px,
            pixels: zeros(),
            gx: zeros(),
            gy: zeros(),
            smooth: zeros(),
        })
    }

    /// Finds the centre from a start that lies inside the bead. `image` is `[y, x]`, any stride.
    ///
    /// NaN with [`Outcome::NoSignal`] without gradients, [`Outcome::PeakAtBorder`] when the centre comes so near the
    /// border that no ring mask is left, [`Outcome::NonFinitePixels`] and [`Outcome::NonFiniteStart`]. Panics when the
    /// image has another size.
    pub fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64) -> RadialSymmetryFit {
        assert_size(&image, self.size_px);
        if !(x_px.is_finite() && y_px.is_finite()) {
            return none(Outcome::NonFiniteStart);
        }
        let n = self.size_px;
        let zero = image.first().map_or(0.0, |p| p.to_f64());
        let pixels = &mut self.pixels;
        for_each_piece(image, |i, j, piece| {
            for (to, &p) in pixels[i * n + j..][..piece.len()].iter_mut().zip(piece) {
                *to = (p.to_f64() - zero) as f32;
            }
        });
        if !pixels.iter().all(|p| p.is_finite()) {
            return none(Outcome::NonFinitePixels);
        }
        let isa = self.isa;
        isa.run(Gradients(self));
        self.search(x_px, y_px)
    }

    fn search(&self, mut x_px: f64, mut y_px: f64) -> RadialSymmetryFit {
        for n_steps in 1..=self.options.max_steps {
            // Smoothed gradients stand between 1.5 and n - 2.5.
            let last = (self.size_px - 1) as f64;
            let room = x_px.min(y_px).min(last - x_px).min(last - y_px) - 1.5;
            let outer = self.options.outer_radius_px.min(room);
            if outer < self.options.inner_radius_px + 2.0 * f64::from(TAPER_PX) {
                return none(Outcome::PeakAtBorder);
            }
            let mask = [self.options.inner_radius_px as f32, outer as f32];
            let sums = self.isa.run(LinesNear { worker: self, x_px: x_px as f32, y_px: y_px as f32, mask });
            let [yy, xy, xx, by, bx, astray] = sums;
            let determinant = yy * xx - xy * xy;
            if determinant.is_nan() || determinant <= 1e-9 * (xx + yy) * (xx + yy) {
                return none(Outcome::NoSignal);
            }
            let step_x = (xx * bx + xy * by) / determinant;
            let step_y = (yy * by + xy * bx) / determinant;
            (x_px, y_px) = (x_px + step_x, y_px + step_y);
            let converged = step_x.abs().max(step_y.abs()) < self.options.tolerance_px;
            if converged || n_steps == self.options.max_steps {
                let inside = (0.0..=last).contains(&x_px) && (0.0..=last).contains(&y_px);
                if !inside {
                    return none(Outcome::PeakAtBorder);
                }
                let symmetry = (1.0 - 2.0 * astray / (xx + yy)).clamp(0.0, 1.0);
                return RadialSymmetryFit { x_px, y_px, symmetry, n_steps, converged, outcome: Outcome::Found };
            }
        }
        none(Outcome::NoSignal)
    }
}

fn none(outcome: Outcome) -> RadialSymmetryFit {
    let nan = f64::NAN;
    RadialSymmetryFit { x_px: nan, y_px: nan, symmetry: nan, n_steps: 0, converged: false, outcome }
}

/// The gradients of the whole image, smoothed.
struct Gradients<'a>(&'a mut RadialSymmetry);

impl Vectorised for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let RadialSymmetry { size_px, pixels, gx, gy, smooth, .. } = self.0;
        let (n, m) = (*size_px, *size_px - 1);
        for i in 0..m {
            let (above, below) = (&pixels[i * n..(i + 1) * n], &pixels[(i + 1) * n..(i + 2) * n]);
            let (gx, gy) = (&mut gx[i * m..(i + 1) * m], &mut gy[i * m..(i + 1) * m]);
            for k in 0..m {
                let (a, b, c, d) = (above[k], above[k + 1], below[k], below[k + 1]);
                gx[k] = (b + d) - (a + c);
                gy[k] = (c + d) - (a + b);
            }
        }
        for g in [gx, gy] {
            for i in 1..m - 1 {
                for k in 0..m {
                    smooth[i * m + k] = (g[(i - 1) * m + k] + g[(i + 1) * m + k]) + g[i * m + k];
                }
            }
            for i in 1..m - 1 {
                for k in 1..m - 1 {
                    g[i * m + k] = (smooth[i * m + k - 1] + smooth[i * m + k + 1]) + smooth[i * m + k];
                }
            }
        }
    }
}

/// Normal equations of the point nearest to all lines inside the mask, counted from the current centre.
struct LinesNear<'a> {
    worker: &'a RadialSymmetry,
    x_px: f32,
    y_px: f32,
    /// Inner and outer radius.
    mask: [f32; 2],
}

/// Sums that are made side by side.
const LANES: usize = 8;

impl Vectorised for LinesNear<'_> {
    /// Of gy gy, gx gy, gx gx; the right-hand sides for y and x; and of the squared part of the gradients that points
    /// across the radius.
    type Output = [f64; 6];

    #[inline(always)]
    fn run(self) -> [f64; 6] {
        let [inner, outer] = self.mask;
        let m = self.worker.size_px - 1;
        let mut totals = [0.0f64; 6];
        let first = (self.y_px - outer).floor().max(1.0) as usize;
        let last = ((self.y_px + outer).ceil() as usize).min(m - 2);
        for i in first..=last {
            let dy = i as f32 + 0.5 - self.y_px;
            let row = i * m + 1..(i + 1) * m - 1;
            let (gx, gy) = (&self.worker.gx[row.clone()], &self.worker.gy[row]);
            let mut sums = [[0.0f32; LANES]; 6];
            for (block, (gx, gy)) in gx.chunks(LANES).zip(gy.chunks(LANES)).enumerate() {
                let (mut wide_x, mut wide_y) = ([0.0; LANES], [0.0; LANES]);
                wide_x[..gx.len()].copy_from_slice(gx);
                wide_y[..gy.len()].copy_from_slice(gy);
                for k in 0..LANES {
                    let (gx, gy) = (wide_x[k], wide_y[k]);
                    let dx = (block * LANES + k) as f32 + 1.5 - self.x_px;
                    let r = (dx * dx + dy * dy).sqrt();
                    let r_least = if r > LEAST_DISTANCE_PX { r } else { LEAST_DISTANCE_PX };
                    let fade = |room: f32| (room * (1.0 / TAPER_PX)).clamp(0.0, 1.0);
                    let inside = if inner > 0.0 { fade(r - inner) } else { 1.0 };
                    let weight = fade(outer - r) * inside / r_least;
                    let across = gy * dx - gx * dy;
                    sums[0][k] += weight * gy * gy;
                    sums[1][k] += weight * gx * gy;
                    sums[2][k] += weight * gx * gx;
                    sums[3][k] -= weight * gx * across;
                    sums[4][k] += weight * gy * across;
                    sums[5][k] += weight * across * across / (r_least * r_least);
                }
            }
            for (total, sums) in totals.iter_mut().zip(&sums) {
                *total += f64::from(sums.iter().sum::<f32>());
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests;
