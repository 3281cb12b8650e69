//! Simulated beads with known centres, their camera noise and the Cramér–Rao bound, for the accuracy tests of this crate.

use crate::optics::{RadialRow, RadialTable, RadialTableParameters};
use ndarray::Array2;
use rand_distr::{Distribution, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// Brightness of the background as a share of full scale.
const BACKGROUND: f64 = 0.4;

/// 3 µm beads, 100 nm per pixel, in square images.
pub(crate) struct Beads {
    pub size_px: usize,
    table: RadialTable,
    row: RadialRow,
    rng: Xoshiro256PlusPlus,
}

impl Beads {
    pub(crate) fn new(size_px: usize, seed: u64) -> Beads {
        let parameters = RadialTableParameters {
            crop_radius_nm: 100.0 * size_px as f64,
            taper_nm: 500.0,
            z_min_nm: -5000.0,
            z_max_nm: 9000.0,
            ..RadialTableParameters::default()
        };
        let table = RadialTable::new(parameters).unwrap();
        let row = table.new_row();
        Beads { size_px, table, row, rng: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// Evenly distributed between -1 and 1.
    pub(crate) fn random(&mut self) -> f64 {
        rand_distr::Uniform::new(-1.0, 1.0).unwrap().sample(&mut self.rng)
    }

    /// Brightness without noise, 1 = full scale, as a camera clips it.
    pub(crate) fn clean(&mut self, x: f64, y: f64, z_nm: f64) -> Array2<f64> {
        self.table.prepare(z_nm, &mut self.row);
        Array2::from_shape_fn((self.size_px, self.size_px), |(i, j)| {
            let contrast = self.row.contrast((j as f64 - x) as f32, (i as f64 - y) as f32);
            (BACKGROUND * (1.0 + f64::from(contrast))).clamp(0.0, 1.0)
        })
    }

    /// Shot noise of `electrons` at full scale, then 8 bits.
    pub(crate) fn exposed(&mut self, clean: &Array2<f64>, electrons: f64) -> Array2<u8> {
        clean.mapv(|mean| {
            let mean = mean * electrons;
            let count = if mean > 0.0 { Poisson::new(mean).unwrap().sample(&mut self.rng) } else { 0.0 };
            (count * 255.0 / electrons).round().clamp(0.0, 255.0) as u8
        })
    }

    /// As [`Self::bounds`], of x alone.
    pub(crate) fn bound_px(&mut self, x: f64, y: f64, z_nm: f64, electrons: f64) -> f64 {
        self.bounds(x, y, z_nm, electrons)[0]
    }

    /// The Cramér–Rao bounds of x, y in pixels and z in nm: x, y, z, gain and offset unknown, 8 bits. Shot noise
    /// and quantisation as normal noise; derivatives by central differences.
    pub(crate) fn bounds(&mut self, x: f64, y: f64, z_nm: f64, electrons: f64) -> [f64; 3] {
        const STEP_PX: f64 = 0.02;
        const STEP_NM: f64 = 2.0;
        let mean = self.clean(x, y, z_nm);
        let columns = [
            (self.clean(x + STEP_PX, y, z_nm) - self.clean(x - STEP_PX, y, z_nm)) / (2.0 * STEP_PX),
            (self.clean(x, y + STEP_PX, z_nm) - self.clean(x, y - STEP_PX, z_nm)) / (2.0 * STEP_PX),
            (self.clean(x, y, z_nm + STEP_NM) - self.clean(x, y, z_nm - STEP_NM)) / (2.0 * STEP_NM),
            mean.clone(),
            Array2::ones(mean.dim()),
        ];
        let mut matrix = [[0.0; 5]; 5];
        for (k, mean) in mean.indexed_iter() {
            let variance = mean / electrons + 1.0 / (12.0 * 255.0 * 255.0);
            for (row, a) in matrix.iter_mut().zip(&columns) {
                for (entry, b) in row.iter_mut().zip(&columns) {
                    *entry += a[k] * b[k] / variance;
                }
            }
        }
        std::array::from_fn(|k| {
            // What k knows after the other four took their part: it goes first, the others are eliminated from the last.
            let order: [usize; 5] = std::array::from_fn(|i| (i + k) % 5);
            let mut rows = order.map(|a| order.map(|b| matrix[a][b]));
            for pivot in (1..5).rev() {
                let eliminated = rows[pivot];
                for row in &mut rows[..pivot] {
                    let factor = row[pivot] / eliminated[pivot];
                    for (entry, e) in row.iter_mut().zip(eliminated) {
                        *entry -= factor * e;
                    }
                }
            }
            rows[0][0].recip().sqrt()
        })
    }
}

/// Bands of defocus, nm.
pub(crate) const BANDS: [f64; 5] = [-4000.0, -2000.0, 0.0, 2000.0, 4000.0];

/// What an estimator made of many noisy beads.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Accuracy {
    /// Rms error of x and y over the bound.
    pub over_bound: f64,
    /// Rms of error over its standard error.
    pub pull: f64,
}

/// Tracks `n` beads per band within 2.5 px of the middle, `estimate` giving x, y and their standard errors.
pub(crate) fn accuracy(
    beads: &mut Beads,
    bands: &[f64],
    n: usize,
    electrons: f64,
    mut estimate: impl FnMut(&Array2<u8>) -> [f64; 4],
) -> Accuracy {
    let (mut errors, mut bounds, mut pulls, mut count) = (0.0, 0.0, 0.0, 0.0);
    for &z in bands {
        for _ in 0..n {
            let middle = (beads.size_px - 1) as f64 / 2.0;
            let (x, y) = (middle + 2.5 * beads.random(), middle + 2.5 * beads.random());
            let z = z + 100.0 * beads.random();
            let clean = beads.clean(x, y, z);
            let image = beads.exposed(&clean, electrons);
            let [x_px, y_px, sigma_x, sigma_y] = estimate(&image);
            let (ex, ey) = (x_px - x, y_px - y);
            errors += ex * ex + ey * ey;
            bounds += 2.0 * beads.bound_px(x, y, z, electrons).powi(2);
            pulls += (ex / sigma_x).powi(2) + (ey / sigma_y).powi(2);
            count += 2.0;
        }
    }
    Accuracy { over_bound: f64::sqrt(errors / bounds), pull: f64::sqrt(pulls / count) }
}
