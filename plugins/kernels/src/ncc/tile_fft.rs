//! The Fourier transform of a tile, there and back. Between the two the tile lies transposed, which saves two
//! transpositions; whoever multiplies spectra does not notice.

use rustfft::{Fft, FftPlanner, num_complex::Complex64};
use std::sync::Arc;

/// Transforms tiles of `height` x `width`.
pub(super) struct TileFft {
    height: usize,
    width: usize,
    /// Along rows (`width` values) and columns (`height` values), forward and inverse.
    rows: [Arc<dyn Fft<f64>>; 2],
    columns: [Arc<dyn Fft<f64>>; 2],
    scratch: Vec<Complex64>,
}

impl TileFft {
    pub(super) fn new(height: usize, width: usize) -> TileFft {
        let mut planner = FftPlanner::new();
        let rows = [planner.plan_fft_forward(width), planner.plan_fft_inverse(width)];
        let columns = [planner.plan_fft_forward(height), planner.plan_fft_inverse(height)];
        let plans = rows.iter().chain(&columns);
        let n_scratch = plans.map(|p| p.get_inplace_scratch_len()).max().unwrap_or(0);
        TileFft { height, width, rows, columns, scratch: vec![Complex64::ZERO; n_scratch] }
    }

    /// Number of values of a tile.
    pub(super) fn len(&self) -> usize {
        self.height * self.width
    }

    /// Transforms `tile` (height x width, overwritten) into `spectrum` (width x height).
    pub(super) fn forward(&mut self, tile: &mut [Complex64], spectrum: &mut [Complex64]) {
        self.rows[0].process_with_scratch(tile, &mut self.scratch);
        transpose(tile, spectrum, self.height, self.width);
        self.columns[0].process_with_scratch(spectrum, &mut self.scratch);
    }

    /// Transforms `spectrum` (width x height, overwritten) back into `tile`, times the number of values.
    pub(super) fn inverse(&mut self, spectrum: &mut [Complex64], tile: &mut [Complex64]) {
        self.columns[1].process_with_scratch(spectrum, &mut self.scratch);
        transpose(spectrum, tile, self.width, self.height);
        self.rows[1].process_with_scratch(tile, &mut self.scratch);
    }
}

/// Side of the blocks that are transposed at once: 8 x 8 complex numbers are 16 cache lines.
const BLOCK: usize = 8;

/// Writes `from` (height x width) as width x height into `to`.
fn transpose(from: &[Complex64], to: &mut [Complex64], height: usize, width: usize) {
    for y0 in (0..height).step_by(BLOCK) {
        for x0 in (0..width).step_by(BLOCK) {
            for y in y0..(y0 + BLOCK).min(height) {
                for x in x0..(x0 + BLOCK).min(width) {
                    to[x * height + y] = from[y * width + x];
                }
            }
        }
    }
}

/// The smallest 2^a 3^b 5^c that is `n` or more: lengths that transforms are quick at.
pub(super) fn fast_length(n: usize) -> usize {
    let is_smooth = |mut n: usize| {
        for prime in [2, 3, 5] {
            while n.is_multiple_of(prime) {
                n /= prime;
            }
        }
        n == 1
    };
    (n.max(1)..).find(|&n| is_smooth(n)).expect("a power of two comes within a factor of two")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_lengths_are_the_next_products_of_2_3_and_5() {
        let found: Vec<usize> = [0, 1, 7, 11, 13, 97, 257, 1023, 2511].map(fast_length).to_vec();
        assert_eq!(found, [1, 1, 8, 12, 15, 100, 270, 1024, 2560]);
    }

    #[test]
    fn a_tile_comes_back_times_its_number_of_values() {
        let (height, width) = (6, 20);
        let original: Vec<Complex64> =
            (0..120).map(|i| Complex64::new(f64::from(i * i % 17), f64::from(i % 5))).collect();
        let (mut tile, mut spectrum) = (original.clone(), vec![Complex64::ZERO; 120]);
        let mut fft = TileFft::new(height, width);
        fft.forward(&mut tile, &mut spectrum);
        let sum: Complex64 = original.iter().sum();
        assert!((spectrum[0] - sum).norm() < 1e-9);
        fft.inverse(&mut spectrum, &mut tile);
        for (back, value) in tile.iter().zip(&original) {
            assert!((back / 120.0 - value).norm() < 1e-12);
        }
    }
}
