//! Correlation of an image with small kernels, tile by tile (overlap-save). Two tiles travel through one complex
//! transform, one as its real, one as its imaginary part: the kernels are real, so the two never mix.
//!
//! Tiles rather than one large transform: they stay in the cache, take little memory, and the work can be broken off
//! between them.

use super::tile_fft::{TileFft, fast_length};
use ndarray::ArrayView2;
use rustfft::num_complex::Complex64;

/// Tiles are not made smaller than this: shorter transforms are no quicker per value.
const LEAST_SIDE: usize = 256;

/// Where the results of one tile belong: `height` x `width` of them, from row `y` and column `x` of the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Patch {
    pub(super) y: usize,
    pub(super) x: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// One image size and one kernel size, with plans and scratch.
pub(super) struct Tiles {
    image: (usize, usize),
    kernel: (usize, usize),
    side: (usize, usize),
    fft: TileFft,
    /// The pair of tiles that was loaded last, transformed.
    loaded: Vec<Complex64>,
    product: Vec<Complex64>,
    tile: Vec<Complex64>,
}

impl Tiles {
    /// `image` and `kernel` are (height, width); the kernel is not larger than the image.
    pub(super) fn new(image: (usize, usize), kernel: (usize, usize)) -> Tiles {
        let side = |image: usize, kernel: usize| fast_length(image.min((4 * kernel).max(LEAST_SIDE)));
        let side = (side(image.0, kernel.0), side(image.1, kernel.1));
        let fft = TileFft::new(side.0, side.1);
        let [loaded, product, tile] = [(); 3].map(|()| vec![Complex64::ZERO; fft.len()]);
        Tiles { image, kernel, side, fft, loaded, product, tile }
    }

    /// Height and width of the map: one value for each place where the kernel lies wholly inside the image.
    pub(super) fn map(&self) -> (usize, usize) {
        (self.image.0 - self.kernel.0 + 1, self.image.1 - self.kernel.1 + 1)
    }

    /// Height and width of the results of a tile: what does not wrap around.
    fn step(&self) -> (usize, usize) {
        (self.side.0 - self.kernel.0 + 1, self.side.1 - self.kernel.1 + 1)
    }

    fn n_tiles(&self) -> usize {
        let (map, step) = (self.map(), self.step());
        map.0.div_ceil(step.0) * map.1.div_ceil(step.1)
    }

    /// How many pairs of tiles the image has; the last pair may be one tile.
    pub(super) fn n_pairs(&self) -> usize {
        self.n_tiles().div_ceil(2)
    }

    /// Where the two tiles of a pair belong; none for a missing second tile.
    pub(super) fn patches(&self, pair: usize) -> [Option<Patch>; 2] {
        let (map, step) = (self.map(), self.step());
        let n_columns = map.1.div_ceil(step.1);
        [2 * pair, 2 * pair + 1].map(|i| {
            let (y, x) = (i / n_columns * step.0, i % n_columns * step.1);
            (y < map.0).then(|| Patch { y, x, height: step.0.min(map.0 - y), width: step.1.min(map.1 - x) })
        })
    }

    /// Width of a row of [`Tiles::correlate`]'s result.
    pub(super) fn row(&self) -> usize {
        self.side.1
    }

    /// The spectrum that [`Tiles::correlate`] wants of a kernel, which must have this worker's kernel size.
    pub(super) fn spectrum_of(&mut self, kernel: ArrayView2<'_, f64>) -> Vec<Complex64> {
        assert!(kernel.dim() == self.kernel, "a kernel of {:?}, not {:?}", kernel.dim(), self.kernel);
        self.tile.fill(Complex64::ZERO);
        let scale = 1.0 / self.fft.len() as f64;
        for ((y, x), &v) in kernel.indexed_iter() {
            self.tile[y * self.side.1 + x] = Complex64::new(v * scale, 0.0);
        }
        let mut spectrum = vec![Complex64::ZERO; self.fft.len()];
        self.fft.forward(&mut self.tile, &mut spectrum);
        // Correlation, not convolution.
        spectrum.iter_mut().for_each(|v| *v = v.conj());
        spectrum
    }

    /// Loads a pair of tiles of `image`, each pixel as `value` gives it; beyond the image there is 0.
    pub(super) fn load<P: Copy + Into<f64>>(
        &mut self,
        image: ArrayView2<'_, P>,
        pair: usize,
        value: impl Fn(f64) -> f64,
    ) {
        self.tile.fill(Complex64::ZERO);
        for (i, patch) in self.patches(pair).into_iter().enumerate() {
            let Some(Patch { y, x, .. }) = patch else { continue };
            let (height, width) = (self.side.0.min(self.image.0 - y), self.side.1.min(self.image.1 - x));
            let pixels = image.slice(ndarray::s![y..y + height, x..x + width]);
            for (line, out) in pixels.rows().into_iter().zip(self.tile.chunks_exact_mut(self.side.1)) {
                for (&p, o) in line.iter().zip(out) {
                    let v = value(p.into());
                    if i == 0 { o.re = v } else { o.im = v }
                }
            }
        }
        self.fft.forward(&mut self.tile, &mut self.loaded);
    }

    /// Correlates the loaded pair: real parts belong to the first tile, imaginary parts to the second, in rows of
    /// [`Tiles::row`]; only the first rows and columns, as many as the patch has, mean something.
    pub(super) fn correlate(&mut self, kernel: &[Complex64]) -> &[Complex64] {
        for ((p, l), k) in self.product.iter_mut().zip(&self.loaded).zip(kernel) {
            *p = l * k;
        }
        self.fft.inverse(&mut self.product, &mut self.tile);
        &self.tile
    }
}
