//! Noisy rings with a known centre, for the tests of this crate. Not optics: the phase of the rings stands for z.

use ndarray::Array2;

/// A small random generator with a fixed seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Evenly distributed in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, mean 0, standard deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Rings around (`x_px`, `y_px`) between 0 and 1.
pub(crate) fn rings(size_px: usize, x_px: f64, y_px: f64, phase: f64) -> Array2<f64> {
    Array2::from_shape_fn((size_px, size_px), |(i, j)| {
        let r = (i as f64 - y_px).hypot(j as f64 - x_px);
        0.5 + 0.4 * (0.9 * r + phase).cos() * (-r * r / (0.05 * (size_px * size_px) as f64)).exp()
    })
}

/// The same with noise, as pixels of `full_scale` grey levels.
pub(crate) fn noisy_rings(
    size_px: usize,
    x_px: f64,
    y_px: f64,
    phase: f64,
    full_scale: f64,
    random: &mut Random,
) -> Array2<f64> {
    rings(size_px, x_px, y_px, phase)
        .mapv(|v| (full_scale * (v + 0.02 * random.normal())).round().clamp(0.0, full_scale))
}
