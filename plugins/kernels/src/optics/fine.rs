//! The slow reference: MagTrack's formula on a finer grid, the intensity averaged over each camera pixel, as a sensor does.
//! The stock grid samples points of a staircase sphere, so its beads are not radially symmetric; this one's nearly are.

use super::error::{OpticsError, check_count};
use super::wave::{SimulationParameters, WaveGrid, brightness, corner_level};

/// Image and grid of a [`FineBeadRenderer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FineParameters {
    /// Bead, camera pixels and brightness. `pad_factor` should be 4 or more: light wraps around the box.
    pub simulation: SimulationParameters,
    /// Points of the fine grid along each side of a camera pixel.
    pub oversampling: usize,
    /// Divide by the mean of the top-left corner, as MagTrack does, rather than by the incident light.
    /// The corner holds rings, so the brightness then changes with the position of the bead.
    pub normalise_by_corner: bool,
}

impl Default for FineParameters {
    fn default() -> Self {
        let simulation = SimulationParameters { pad_factor: 4.0, ..SimulationParameters::default() };
        Self { simulation, oversampling: 4, normalise_by_corner: false }
    }
}

/// Renders beads finely, one at a time, into buffers made beforehand.
///
/// # Coordinates
/// Camera pixel i covers fine points `i k` to `i k + k − 1` (k = oversampling), so its middle, coordinate i, is fine
/// coordinate `i k + (k − 1)/2`. The wave optics put their centre on fine point `c = n k / 2` (rounded down; n = size_px).
/// In camera pixels that is `(c − (k − 1)/2) / k`: 31.625 for 64 px and k = 4. [`Self::render`] takes the position in camera
/// pixels and shifts the bead from there, so nobody else has to think of it.
///
/// Brightness is clipped to 0 to 1 after the averaging, as a sensor clips.
pub struct FineBeadRenderer {
    parameters: FineParameters,
    grid: WaveGrid,
    fine: Vec<f64>,
}

impl FineBeadRenderer {
    /// Plans the grid: `size_px * oversampling` points a side, padded.
    ///
    /// # Errors
    /// A parameter out of range, oversampling outside 1 to 64, or a padded grid above 16,384 points a side.
    pub fn new(parameters: FineParameters) -> Result<Self, OpticsError> {
        check_count("oversampling", parameters.oversampling, 1, 64)?;
        let (s, k) = (&parameters.simulation, parameters.oversampling);
        check_count("size_px", s.size_px, 1, 4096)?;
        let (points, step_nm) = ((s.size_px * k) as isize, s.nm_per_px / k as f64);
        // Unlike the stock simulator, take the whole sphere even where it is larger than the image.
        let around = (s.bead.radius_nm / step_nm).ceil() as isize;
        let sampled = (points / 2 - around).min(0)..(points / 2 + around + 1).max(points);
        let grid = WaveGrid::new(&s.bead, step_nm, s.size_px * k, s.pad_factor, sampled)?;
        Ok(Self { parameters, grid, fine: vec![0.0; (s.size_px * k).pow(2)] })
    }

    /// Camera coordinate (px, both axes) of the point on which the wave optics are centred.
    pub fn centre_px(&self) -> f64 {
        let k = self.parameters.oversampling;
        let centre = (self.parameters.simulation.size_px * k / 2) as f64;
        (centre - (k as f64 - 1.0) / 2.0) / k as f64
    }

    /// Writes the image (size_px × size_px, row by row, 1 = full scale) of a bead at (`x_px`, `y_px`), defocused by `z_nm`.
    pub fn render(&mut self, x_px: f64, y_px: f64, z_nm: f64, image: &mut [f64]) {
        let (s, k) = (self.parameters.simulation, self.parameters.oversampling);
        let n = s.size_px;
        assert_eq!(image.len(), n * n, "the image has {} pixels, expected {n} x {n}", image.len());
        let (centre_px, fine_width) = (self.centre_px(), n * k);
        self.grid.intensity((x_px - centre_px) * s.nm_per_px, (y_px - centre_px) * s.nm_per_px, z_nm, &mut self.fine);
        let level = if self.parameters.normalise_by_corner { corner_level(&self.fine, fine_width) } else { 1.0 };
        for (i, pixel) in image.iter_mut().enumerate() {
            let (row, column) = (i / n * k, i % n * k);
            let sum: f64 = (row..row + k).map(|y| self.fine[y * fine_width + column..][..k].iter().sum::<f64>()).sum();
            *pixel = brightness(sum / (level * (k * k) as f64), s.background_level, s.contrast_scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(oversampling: usize, size_px: usize, x_px: f64, y_px: f64, z_nm: f64) -> Vec<f64> {
        let simulation = SimulationParameters { size_px, pad_factor: 4.0, ..SimulationParameters::default() };
        let mut renderer =
            FineBeadRenderer::new(FineParameters { simulation, oversampling, normalise_by_corner: false }).unwrap();
        let mut image = vec![0.0; size_px * size_px];
        renderer.render(x_px, y_px, z_nm, &mut image);
        image
    }

    #[test]
    fn the_wave_centre_of_64_px_at_fourfold_is_31_625() {
        assert_eq!(FineBeadRenderer::new(FineParameters::default()).unwrap().centre_px(), 31.625);
    }

    #[test]
    fn a_bead_in_the_middle_of_the_image_is_mirror_symmetric() {
        // Any slip in the coordinate convention shows here, for even and odd sizes and grids.
        for (k, n) in [(4, 24), (4, 25), (5, 24), (5, 25), (1, 25)] {
            let middle = (n as f64 - 1.0) / 2.0;
            let image = rendered(k, n, middle, middle, 1200.0);
            for i in 0..n * n {
                let (row, column) = (i / n, i % n);
                assert!((image[i] - image[row * n + n - 1 - column]).abs() < 1e-10, "k {k}, n {n}: left and right");
                assert!((image[i] - image[(n - 1 - row) * n + column]).abs() < 1e-10, "k {k}, n {n}: up and down");
            }
        }
    }

    #[test]
    fn finer_grids_converge() {
        // The staircase of the sphere is what is left; it shrinks with the grid.
        let worst = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let finest = rendered(24, 24, 11.3, 12.1, 800.0);
        let stock = worst(&rendered(1, 24, 11.3, 12.1, 800.0), &finest);
        let four = worst(&rendered(4, 24, 11.3, 12.1, 800.0), &finest);
        let twelve = worst(&rendered(12, 24, 11.3, 12.1, 800.0), &finest);
        assert!(twelve < four && four < stock, "{stock} {four} {twelve}");
        assert!(twelve < 1e-3, "{twelve} of full scale is left at 12-fold oversampling");
    }
}
