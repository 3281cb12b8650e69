//! Centre of mass of an image after its background was taken away: the first, coarse centre.

use ndarray::ArrayView2;

use crate::isa::{Supported, Vectorised};
use crate::median::Scratch;
use crate::outcome::{Center, Outcome};
use crate::pixel::{Pixel, assert_size, for_each_piece};

/// What counts as background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Background {
    /// Nothing: bright pixels weigh, black ones do not.
    None,
    /// The mean of the image: brighter and darker pixels weigh alike.
    Mean,
    /// The median of the image: brighter and darker pixels weigh alike.
    #[default]
    Median,
}

/// Finds centres of mass in images of one size.
///
/// The weight of a pixel is its distance from the background level, `|p - level|`, so dark and bright parts count
/// alike; noise pulls towards the middle of the image. Method: `center_of_mass` of MagTrack 1.0.0.
#[derive(Debug, Clone)]
pub struct CenterOfMass {
    size_px: usize,
    weight_of_column: Vec<f64>,
    moment_of_column: Vec<f64>,
    count_of_column: Vec<u32>,
    scratch: Scratch,
}

impl CenterOfMass {
    /// Makes a worker for images of `size_px` x `size_px` pixels.
    pub fn new(size_px: usize) -> CenterOfMass {
        CenterOfMass {
            size_px,
            weight_of_column: vec![0.0; size_px],
            moment_of_column: vec![0.0; size_px],
            count_of_column: vec![0; size_px],
            scratch: Scratch::new(size_px * size_px),
        }
    }

    /// The centre of mass of `image` (`[y, x]`, any stride).
    ///
    /// NaN on both axes with [`Outcome::NoSignal`] when every pixel equals the background, with
    /// [`Outcome::NonFinitePixels`] when one is NaN or infinite. Panics when the image has another size.
    pub fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>, background: Background) -> Center {
        assert_size(&image, self.size_px);
        match background {
            Background::None if P::IS_INTEGER => self.of_integers(image, 0),
            Background::Median if P::IS_INTEGER => {
                let level = P::median(image, &mut self.scratch);
                // Twice the level is whole, and a factor on all weights does not move the centre.
                self.of_integers(image, (2.0 * level) as i32)
            }
            Background::None => self.of_floats(image, None),
            Background::Mean => {
                let level = self.mean(image);
                self.of_floats(image, Some(level))
            }
            Background::Median => {
                let level = P::median(image, &mut self.scratch);
                self.of_floats(image, Some(level))
            }
        }
    }

    /// Weights `|2 p - twice_level|`, summed exactly.
    fn of_integers<P: Pixel>(&mut self, image: ArrayView2<'_, P>, twice_level: i32) -> Center {
        let (x_moment, y_moment, total) =
            Supported::best().run(OfIntegers { columns: &mut self.count_of_column, image, twice_level });
        center(x_moment as f64, y_moment as f64, total as f64)
    }

    /// Weights `|p - level|`, or `p` itself without a level. Sums run down the columns: quick, and the same bits for
    /// every stride.
    fn of_floats<P: Pixel>(&mut self, image: ArrayView2<'_, P>, level: Option<f64>) -> Center {
        self.weight_of_column.fill(0.0);
        self.moment_of_column.fill(0.0);
        for_each_piece(image, |i, j, piece| {
            let weights = &mut self.weight_of_column[j..j + piece.len()];
            let moments = &mut self.moment_of_column[j..j + piece.len()];
            for ((weight, moment), &p) in weights.iter_mut().zip(moments).zip(piece) {
                let w = level.map_or(p.to_f64(), |level| (p.to_f64() - level).abs());
                *weight += w;
                *moment += i as f64 * w;
            }
        });
        let total: f64 = self.weight_of_column.iter().sum();
        let x_moment: f64 = self.weight_of_column.iter().enumerate().map(|(j, &w)| j as f64 * w).sum();
        center(x_moment, self.moment_of_column.iter().sum(), total)
    }

    fn mean<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> f64 {
        self.weight_of_column.fill(0.0);
        for_each_piece(image, |_, j, piece| {
            for (sum, &p) in self.weight_of_column[j..j + piece.len()].iter_mut().zip(piece) {
                *sum += p.to_f64();
            }
        });
        self.weight_of_column.iter().sum::<f64>() / (self.size_px * self.size_px) as f64
    }
}

/// Moments along x and y, and the sum of the weights.
struct OfIntegers<'a, 'b, P> {
    columns: &'a mut [u32],
    image: ArrayView2<'b, P>,
    twice_level: i32,
}

impl<P: Pixel> Vectorised for OfIntegers<'_, '_, P> {
    type Output = (u64, u64, u64);

    #[inline(always)]
    fn run(self) -> (u64, u64, u64) {
        let OfIntegers { columns, image, twice_level } = self;
        columns.fill(0);
        let mut y_moment = 0u64;
        for_each_piece(image, |i, j, piece| {
            let mut row = 0u32;
            for (column, &p) in columns[j..j + piece.len()].iter_mut().zip(piece) {
                let weight = (2 * p.to_i32() - twice_level).unsigned_abs();
                *column += weight;
                row += weight;
            }
            y_moment += i as u64 * u64::from(row);
        });
        let total: u64 = columns.iter().map(|&w| u64::from(w)).sum();
        let x_moment: u64 = columns.iter().enumerate().map(|(j, &w)| j as u64 * u64::from(w)).sum();
        (x_moment, y_moment, total)
    }
}

fn center(x_moment: f64, y_moment: f64, total: f64) -> Center {
    let (x_px, y_px) = (x_moment / total, y_moment / total);
    if x_px.is_finite() && y_px.is_finite() {
        return Center { x_px, y_px, x_outcome: Outcome::Found, y_outcome: Outcome::Found };
    }
    Center::none(if total == 0.0 { Outcome::NoSignal } else { Outcome::NonFinitePixels })
}
