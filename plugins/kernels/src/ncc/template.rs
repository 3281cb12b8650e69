//! Normalised cross-correlation of an image with a template, at every place where the template lies wholly inside.

use super::tiles::Tiles;
use super::windows::each_row_of_norms;
use super::{CameraPixel, Watch, mean};
use crate::error::KernelError;
use crate::pixel::Pixel;
use ndarray::{ArrayView2, ArrayViewMut2};
use rustfft::num_complex::Complex64;
use std::ops::ControlFlow;

/// Correlates images of one size with one template.
///
/// Method: J. P. Lewis, "Fast normalized cross-correlation", Vision Interface (1995): numerator by Fourier transforms
/// (here of tiles, two at a time), denominator by running sums (here of whole numbers, so exact).
///
/// With κ = `contrast_weight` = 0 the score is the usual correlation coefficient, -1 to 1, which is blind to contrast.
/// With κ > 0 a window w of less contrast than the template t scores less, by the factor
/// sqrt((1 + κ) N(w) / (N(w) + κ N(t))), N being Σ (p - mean p)²: faint dust then no longer looks like a bead. Windows of
/// more contrast keep the coefficient as it is.
pub struct Ncc {
    tiles: Tiles,
    kernel: Vec<Complex64>,
    template_size: (usize, usize),
    /// N(t).
    template_norm: f64,
    contrast_weight: f64,
}

impl Ncc {
    /// Makes a worker for images of `image_size` (height, width).
    ///
    /// Fails for a template without contrast (or with a pixel that is not finite), one below 2 x 2 pixels or larger than
    /// the image, and for a contrast weight that is negative or not finite.
    pub fn new<P: Pixel>(
        template: ArrayView2<'_, P>,
        image_size: (usize, usize),
        contrast_weight: f64,
    ) -> Result<Ncc, KernelError> {
        let template_size = template.dim();
        let least = template_size.0.min(template_size.1);
        if least < 2 {
            return Err(KernelError::SizeTooSmall { size_px: least, min_px: 2 });
        }
        if template_size.0 > image_size.0 || template_size.1 > image_size.1 {
            return Err(KernelError::TemplateTooLarge { template_size, image_size });
        }
        if !(contrast_weight >= 0.0 && contrast_weight.is_finite()) {
            let allowed = "a number, 0 or more";
            return Err(KernelError::OutOfRange { name: "contrast_weight", value: contrast_weight, allowed });
        }
        let mut kernel = template.mapv(Pixel::to_f64);
        kernel -= kernel.mean().expect("a template has pixels");
        let template_norm: f64 = kernel.iter().map(|v| v * v).sum();
        let first = template[(0, 0)];
        if template.iter().all(|p| *p == first) || !template_norm.is_finite() {
            return Err(KernelError::FlatTemplate);
        }
        let mut tiles = Tiles::new(image_size, template_size);
        let kernel = tiles.spectrum_of(kernel.view());
        Ok(Ncc { tiles, kernel, template_size, template_norm, contrast_weight })
    }

    /// Height and width of the map of scores.
    pub fn map_size(&self) -> (usize, usize) {
        self.tiles.map()
    }

    /// Writes the score of each place: `scores[y, x]` belongs to the window with its top-left pixel at column x, row y.
    /// A window without contrast scores 0. Agrees with the plain sums to about 1e-6, the precision of an `f32`.
    pub fn execute<P: CameraPixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        mut scores: ArrayViewMut2<'_, f32>,
        watch: Watch<'_>,
    ) -> ControlFlow<()> {
        assert!(scores.dim() == self.map_size(), "a map of {:?}, {:?} expected", scores.dim(), self.map_size());
        let (mean, n_pairs, row) = (mean(image), self.tiles.n_pairs(), self.tiles.row());
        for pair in 0..n_pairs {
            watch(pair as f64 / n_pairs as f64)?;
            self.tiles.load(image, pair, |v| v - mean);
            let patches = self.tiles.patches(pair);
            let sums = self.tiles.correlate(&self.kernel);
            for (i, patch) in patches.into_iter().enumerate() {
                let Some(p) = patch else { continue };
                let place = ndarray::s![p.y..p.y + p.height, p.x..p.x + p.width];
                for (mut out, line) in scores.slice_mut(place).rows_mut().into_iter().zip(sums.chunks_exact(row)) {
                    for (o, v) in out.iter_mut().zip(line) {
                        *o = (if i == 0 { v.re } else { v.im }) as f32;
                    }
                }
            }
        }
        let (scale, kappa) = (1.0 / self.template_norm.sqrt(), self.contrast_weight);
        let floor = kappa * self.template_norm;
        each_row_of_norms(image, self.template_size, |y, norms| {
            for (score, &norm) in scores.row_mut(y).iter_mut().zip(norms) {
                let contrast = norm.max((norm + floor) / (1.0 + kappa)).sqrt();
                let value = f64::from(*score) * scale / contrast;
                *score = if norm > 0.0 { value.clamp(-1.0, 1.0) as f32 } else { 0.0 };
            }
        });
        watch(1.0)
    }
}
