//! The extremum nearest to a centre, from three interpolated brightness values along each axis.
//!
//! MagTrack calls this by the two letters that elsewhere mean quadrant interpolation, which is another method. It
//! follows the central spot only, and nothing bounds its step: a flat or inverted spot sends it far away.

use ndarray::ArrayView2;

use crate::outcome::{Center, Outcome};
use crate::pixel::{Pixel, assert_size, for_each_piece};

/// How far the image is continued with its edge values before the spline is fitted.
const PAD: usize = 12;

/// Refines centres in images of one size by a three-point parabola along x and along y.
///
/// The samples at -1, 0 and +1 pixel come from a quadratic B-spline through the image, continued by its edge values.
/// The spline is linear in the pixels, so each sample is a sum of pixels times the weights of its row and of its column:
/// they are solved for, and the image is never filtered. Method: `qi` of MagTrack 1.0.0, each image on its own.
#[derive(Debug, Clone)]
pub struct ThreePointParabola {
    size_px: usize,
    /// Factors of the spline's tridiagonal matrix, for the padded line.
    upper: Vec<f64>,
    padded: Vec<f64>,
    x_weights: [Vec<f64>; 3],
    y_weights: [Vec<f64>; 3],
    /// The image weighted for the middle sample along y, one value per column; and the other way round.
    by_column: Vec<f64>,
    by_row: Vec<f64>,
}

impl ThreePointParabola {
    /// Makes a worker for images of `size_px` x `size_px` pixels.
    pub fn new(size_px: usize) -> ThreePointParabola {
        let n = size_px + 2 * PAD;
        let weights = || std::array::from_fn(|_| vec![0.0; size_px]);
        let mut upper = vec![0.0; n];
        for i in 0..n {
            let before = if i == 0 { 0.0 } else { upper[i - 1] };
            upper[i] = SIDE / (diagonal(i, n) - SIDE * before);
        }
        ThreePointParabola {
            size_px,
            upper,
            padded: vec![0.0; n],
            x_weights: weights(),
            y_weights: weights(),
            by_column: vec![0.0; size_px],
            by_row: vec![0.0; size_px],
        }
    }

    /// The vertex along x on the line y = `y_px`, and along y on the line x = `x_px`.
    ///
    /// `image` is `[y, x]`, any stride. NaN where the three samples lie on a straight line ([`Outcome::NoSignal`]), for a
    /// start that is not finite and for an image with such a pixel. Panics when the image has another size.
    pub fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64) -> Center {
        assert_size(&image, self.size_px);
        if !(x_px.is_finite() && y_px.is_finite()) {
            return Center::none(Outcome::NonFiniteStart);
        }
        for (k, step) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
            sample_weights(&self.upper, &mut self.padded, x_px + step, &mut self.x_weights[k]);
            sample_weights(&self.upper, &mut self.padded, y_px + step, &mut self.y_weights[k]);
        }
        self.by_column.fill(0.0);
        self.by_row.fill(0.0);
        for_each_piece(image, |i, j, piece| {
            let y_weight = self.y_weights[1][i];
            let x_weights = &self.x_weights[1][j..j + piece.len()];
            let columns = &mut self.by_column[j..j + piece.len()];
            let mut row = [0.0; 4];
            for (k, ((column, x_weight), p)) in columns.iter_mut().zip(x_weights).zip(piece).enumerate() {
                let p = p.to_f64();
                *column += y_weight * p;
                row[k % 4] += x_weight * p;
            }
            self.by_row[i] += (row[0] + row[1]) + (row[2] + row[3]);
        });
        let (x_px, x_outcome) = vertex(x_px, samples(&self.x_weights, &self.by_column));
        let (y_px, y_outcome) = vertex(y_px, samples(&self.y_weights, &self.by_row));
        Center { x_px, y_px, x_outcome, y_outcome }
    }
}

/// Values of a quadratic B-spline at its own node and at the neighbours'.
const MIDDLE: f64 = 0.75;
const SIDE: f64 = 0.125;

/// The ends are mirrored half a sample outside.
fn diagonal(i: usize, n: usize) -> f64 {
    if i == 0 || i == n - 1 { MIDDLE + SIDE } else { MIDDLE }
}

/// How much each pixel of a line counts in the spline's value at `at`.
fn sample_weights(upper: &[f64], padded: &mut [f64], at: f64, weights: &mut [f64]) {
    let n = padded.len();
    let at = (at + PAD as f64).clamp(0.0, (n - 1) as f64);
    let node = (at + 0.5).floor();
    let f = at - node;
    let node = (node as usize).min(n - 1);
    padded.fill(0.0);
    padded[node.saturating_sub(1)] += 0.5 * (0.5 - f) * (0.5 - f);
    padded[node] += MIDDLE - f * f;
    padded[(node + 1).min(n - 1)] += 0.5 * (0.5 + f) * (0.5 + f);
    // The matrix is symmetric, so solving for the weights is solving for the coefficients.
    let mut before = 0.0;
    for i in 0..n {
        let lower = if i == 0 { 0.0 } else { SIDE * upper[i - 1] };
        before = (padded[i] - SIDE * before) / (diagonal(i, n) - lower);
        padded[i] = before;
    }
    for i in (0..n - 1).rev() {
        padded[i] -= upper[i] * padded[i + 1];
    }
    let last = weights.len() - 1;
    weights.copy_from_slice(&padded[PAD..n - PAD]);
    weights[0] += padded[..PAD].iter().sum::<f64>();
    weights[last] += padded[n - PAD..].iter().sum::<f64>();
}

fn samples(weights: &[Vec<f64>; 3], line: &[f64]) -> [f64; 3] {
    std::array::from_fn(|k| weights[k].iter().zip(line).map(|(w, v)| w * v).sum())
}

fn vertex(old: f64, [left, middle, right]: [f64; 3]) -> (f64, Outcome) {
    let curvature = left - 2.0 * middle + right;
    if !curvature.is_finite() {
        (f64::NAN, Outcome::NonFinitePixels)
    } else if curvature.abs() <= f64::EPSILON {
        (f64::NAN, Outcome::NoSignal)
    } else {
        (old + (left - right) / (2.0 * curvature), Outcome::Found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_top_of_a_paraboloid_is_found_from_one_pixel_away() {
        let image = Array2::from_shape_fn((33, 33), |(i, j)| {
            1000.0 - (j as f64 - 15.3).powi(2) - 2.0 * (i as f64 - 16.8).powi(2)
        });
        let center = ThreePointParabola::new(33).execute(image.view(), 16.0, 16.0);
        // The spline reproduces a paraboloid, but for what the border's end of it sends inside.
        assert!((center.x_px - 15.3).abs() < 1e-6 && (center.y_px - 16.8).abs() < 1e-6, "{center:?}");
    }

    #[test]
    fn a_flat_image_and_a_nan_start_have_no_vertex() {
        let image = Array2::from_elem((32, 32), 0.0f32);
        let mut worker = ThreePointParabola::new(32);
        assert_eq!(worker.execute(image.view(), 16.0, 16.0).outcome(), Outcome::NoSignal);
        assert_eq!(worker.execute(image.view(), f64::NAN, 16.0).outcome(), Outcome::NonFiniteStart);
    }
}
