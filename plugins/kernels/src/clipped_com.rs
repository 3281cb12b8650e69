//! Centre of mass of what stands out from the background by more than some standard deviations: a start for finer
//! methods. Noise and the empty part of the image weigh nothing, so it is pulled far less towards the middle of the image
//! than a centre of mass of everything; as a result of its own it is too coarse.

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::isa::{Supported, Vectorised};
use crate::outcome::{Center, Outcome};
use crate::pixel::{Pixel, assert_size, for_each_piece};

/// Finds clipped centres of mass in images of one size.
///
/// The weight of a pixel is `max(0, |p - mean| - k sd)`, with mean and standard deviation of the whole image. Dark and
/// bright parts count alike. Method: the centre of mass with background correction of QTrk (Cnossen, Dulin & Dekker,
/// Rev. Sci. Instrum. 85, 103712 (2014)).
#[derive(Debug, Clone)]
pub struct ClippedCom {
    size_px: usize,
    k_sigma: f64,
    weight_of_column: Vec<f32>,
    moment_of_column: Vec<f32>,
    sum_of_column: Vec<f32>,
    square_of_column: Vec<f32>,
}

impl ClippedCom {
    /// Makes a worker for images of `size_px` x `size_px` pixels that clips at `k_sigma` standard deviations.
    ///
    /// Fails when `k_sigma` is not a number from 0 to 10.
    pub fn new(size_px: usize, k_sigma: f64) -> Result<ClippedCom, KernelError> {
        if !(0.0..=10.0).contains(&k_sigma) {
            let allowed = "a number of standard deviations, 0 to 10";
            return Err(KernelError::OutOfRange { name: "k_sigma", value: k_sigma, allowed });
        }
        let zeros = vec![0.0; size_px];
        Ok(ClippedCom {
            size_px,
            k_sigma,
            weight_of_column: zeros.clone(),
            moment_of_column: zeros.clone(),
            sum_of_column: zeros.clone(),
            square_of_column: zeros,
        })
    }

    /// The clipped centre of mass of `image` (`[y, x]`, any stride), pixels.
    ///
    /// NaN on both axes with [`Outcome::NoSignal`] when no pixel stands out, with [`Outcome::NonFinitePixels`] when one
    /// is NaN or infinite. Panics when the image has another size.
    pub fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> Center {
        assert_size(&image, self.size_px);
        Supported::best().run(Execute { worker: self, image })
    }

    #[inline(always)]
    fn go<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> Center {
        let Some(&corner) = image.first() else { return Center::none(Outcome::NoSignal) };
        // Counted from a pixel of the image, so that single precision is enough whatever the offset.
        let zero = corner.to_f64();
        let (mean, sd) = self.mean_and_deviation(image, zero);
        if !(mean.is_finite() && sd.is_finite()) {
            return Center::none(Outcome::NonFinitePixels);
        }
        let (mean, clip) = (mean as f32, (self.k_sigma * sd) as f32);
        self.weight_of_column.fill(0.0);
        self.moment_of_column.fill(0.0);
        for_each_piece(image, |i, j, piece| {
            let weights = &mut self.weight_of_column[j..j + piece.len()];
            let moments = &mut self.moment_of_column[j..j + piece.len()];
            for ((weight, moment), &p) in weights.iter_mut().zip(moments).zip(piece) {
                let above = (from_zero(p, zero) - mean).abs() - clip;
                let w = if above > 0.0 { above } else { 0.0 };
                *weight += w;
                *moment += i as f32 * w;
            }
        });
        let total: f64 = self.weight_of_column.iter().map(|&w| f64::from(w)).sum();
        if total <= 0.0 {
            return Center::none(Outcome::NoSignal);
        }
        let x: f64 = self.weight_of_column.iter().enumerate().map(|(j, &w)| j as f64 * f64::from(w)).sum();
        let y: f64 = self.moment_of_column.iter().map(|&m| f64::from(m)).sum();
        let (x_px, y_px) = (x / total, y / total);
        Center { x_px, y_px, x_outcome: Outcome::Found, y_outcome: Outcome::Found }
    }

    /// Mean and standard deviation of all pixels, both counted from `zero`.
    #[inline(always)]
    fn mean_and_deviation<P: Pixel>(&mut self, image: ArrayView2<'_, P>, zero: f64) -> (f64, f64) {
        self.sum_of_column.fill(0.0);
        self.square_of_column.fill(0.0);
        for_each_piece(image, |_, j, piece| {
            let sums = &mut self.sum_of_column[j..j + piece.len()];
            let squares = &mut self.square_of_column[j..j + piece.len()];
            for ((sum, square), &p) in sums.iter_mut().zip(squares).zip(piece) {
                let v = from_zero(p, zero);
                *sum += v;
                *square += v * v;
            }
        });
        let n = image.len() as f64;
        let mean = self.sum_of_column.iter().map(|&s| f64::from(s)).sum::<f64>() / n;
        let square = self.square_of_column.iter().map(|&s| f64::from(s)).sum::<f64>() / n;
        (mean, (square - mean * mean).max(0.0).sqrt())
    }
}

/// A pixel counted from `zero`: whole numbers stay in 32 bits.
#[inline(always)]
fn from_zero<P: Pixel>(p: P, zero: f64) -> f32 {
    if P::IS_INTEGER { (p.to_i32() - zero as i32) as f32 } else { (p.to_f64() - zero) as f32 }
}

struct Execute<'a, 'b, P> {
    worker: &'a mut ClippedCom,
    image: ArrayView2<'b, P>,
}

impl<P: Pixel> Vectorised for Execute<'_, '_, P> {
    type Output = Center;

    #[inline(always)]
    fn run(self) -> Center {
        self.worker.go(self.image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn what_stays_below_the_clip_does_not_pull() {
        // A spot of four pixels on a chequered background: mean and deviation are known, the background is below 1 sd.
        let mut image = Array2::from_shape_fn((32, 32), |(i, j)| 100 + ((i + j) % 2) as u8);
        for (i, j) in [(6, 20), (6, 21), (7, 20), (7, 21)] {
            image[(i, j)] = 200;
        }
        let center = ClippedCom::new(32, 1.0).unwrap().execute(image.view());
        assert!((center.x_px - 20.5).abs() < 1e-4 && (center.y_px - 6.5).abs() < 1e-4, "{center:?}");
        let all = ClippedCom::new(32, 0.0).unwrap().execute(image.view());
        assert!(all.x_px < 20.0, "without a clip the background pulls to the middle: {all:?}");
    }

    #[test]
    fn flat_and_not_finite_images_have_no_centre() {
        let mut worker = ClippedCom::new(16, 1.0).unwrap();
        assert_eq!(worker.execute(Array2::from_elem((16, 16), 60_000u16).view()).outcome(), Outcome::NoSignal);
        let mut image = Array2::from_elem((16, 16), 1.0f32);
        image[(3, 3)] = f32::NAN;
        assert_eq!(worker.execute(image.view()).outcome(), Outcome::NonFinitePixels);
        assert!(ClippedCom::new(16, -1.0).is_err() && ClippedCom::new(16, f64::NAN).is_err());
    }
}
