//! Beads without an example: at every place the correlation with the radially symmetric template that fits best there.
//!
//! Such a template need not be known: it is the mean of each ring. The squared coefficient is the share of the variance
//! in a disc that its ring means explain, so dark, bright, focused and defocused beads are all found at once.

use super::local_symmetry::{check_roi, rings, score_of};
use super::tiles::Tiles;
use super::{CameraPixel, Watch, mean};
use crate::error::KernelError;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rustfft::num_complex::Complex64;
use std::ops::ControlFlow;

/// The image is averaged over blocks so that a ROI has about this many of them: rings stay visible, time does not grow
/// with the ROI.
const BLOCKS_PER_ROI: usize = 24;
/// The variance that rounding to whole numbers makes: no structure below it is one.
const ROUNDING_VARIANCE: f64 = 1.0 / 12.0;

/// Scores the places of images of one size.
///
/// The score is sqrt(E / (V + F)): V the variance in a disc as wide as the ROI, E the part of it that the ring means
/// explain, F = (`background_factor`)² times the lower quartile of E over the image (the quarter that is least likely to hold
/// beads), so that shadows and dust as faint as the background score low; what stands out more than `background_factor`
/// times keeps most of its score. Noise alone scores
/// about sqrt(rings / pixels), 0.1 for 50 px.
///
/// Related: A. D. Kashkanova et al., "Precision single-particle localization using radial variance transform", Opt.
/// Express 29 (2021), which weighs the same two variances.
pub struct RadialScore {
    bin: usize,
    radius: usize,
    background_factor: f64,
    /// Places along each edge of the map that are not asked what background is.
    left_out: usize,
    tiles: Tiles,
    /// Spectrum and pixels of each ring, then of the whole disc.
    rings: Vec<(Vec<Complex64>, f64)>,
    disc: (Vec<Complex64>, f64),
    binned: Array2<f32>,
    explained: Vec<Complex64>,
    sums: Vec<Complex64>,
    variances: Array2<f32>,
    sorted: Vec<f32>,
}

impl RadialScore {
    /// Makes a worker for images of `image_size` (height, width) and ROIs of `roi_px` x `roi_px`.
    ///
    /// Fails for ROIs below 8 or above 4096 pixels or larger than the image, and for a factor that is negative or not
    /// finite.
    pub fn new(roi_px: usize, image_size: (usize, usize), background_factor: f64) -> Result<RadialScore, KernelError> {
        check_roi(roi_px)?;
        if roi_px > image_size.0 || roi_px > image_size.1 {
            return Err(KernelError::TemplateTooLarge { template_size: (roi_px, roi_px), image_size });
        }
        if !(background_factor >= 0.0 && background_factor.is_finite()) {
            let allowed = "a number, 0 or more";
            return Err(KernelError::OutOfRange { name: "background_factor", value: background_factor, allowed });
        }
        let bin = (roi_px / BLOCKS_PER_ROI).max(1);
        let radius = (roi_px / bin - 1) / 2;
        let side = 2 * radius + 1;
        let size = (image_size.0 / bin, image_size.1 / bin);
        let mut tiles = Tiles::new(size, (side, side));
        let (ring_of, counts) = rings(radius);
        let mut spectrum = |wanted: &dyn Fn(usize) -> bool| {
            let kernel = Array2::from_shape_fn((side, side), |(y, x)| {
                f64::from(u8::from(wanted(usize::from(ring_of[y * side + x]))))
            });
            tiles.spectrum_of(kernel.view())
        };
        let disc = (spectrum(&|r| r <= radius), f64::from(counts.iter().sum::<u32>()));
        let rings = counts.iter().enumerate().map(|(i, &n)| (spectrum(&|r| r == i), f64::from(n))).collect();
        let map = tiles.map();
        let n_tile = disc.0.len();
        Ok(RadialScore {
            bin,
            radius,
            background_factor,
            left_out: 0,
            tiles,
            rings,
            disc,
            binned: Array2::zeros(size),
            explained: vec![Complex64::ZERO; n_tile],
            sums: vec![Complex64::ZERO; n_tile],
            variances: Array2::zeros(map),
            sorted: Vec::with_capacity(map.0 * map.1),
        })
    }

    /// Height and width of the map of scores.
    pub fn map_size(&self) -> (usize, usize) {
        self.tiles.map()
    }

    /// Leaves places nearer than `margin_px` to the edge of the map out when the background is measured: for images with
    /// a margin that holds none.
    pub fn leave_out_of_background(&mut self, margin_px: usize) {
        self.left_out = margin_px.div_ceil(self.bin);
    }

    /// Pixels from one place of the map to the next.
    pub fn step_px(&self) -> usize {
        self.bin
    }

    /// The place (column, row) in the image that the place (x, y) of the map stands for.
    pub fn place_px(&self, x: f64, y: f64) -> (f64, f64) {
        let middle = (self.bin as f64 - 1.0) / 2.0;
        let along = |at: f64| (at + self.radius as f64) * self.bin as f64 + middle;
        (along(x), along(y))
    }

    /// Writes the score of each place. Gives F, the variance of the background, for [`super::LocalSymmetry`]; a break
    /// when the watch says so.
    pub fn execute<P: CameraPixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        mut scores: ArrayViewMut2<'_, f32>,
        watch: Watch<'_>,
    ) -> ControlFlow<(), f64> {
        assert!(scores.dim() == self.map_size(), "a map of {:?}, {:?} expected", scores.dim(), self.map_size());
        let (mean, bin, n_pairs) = (mean(image), self.bin, self.tiles.n_pairs());
        bin_into(image, bin, mean, &mut self.binned);
        for pair in 0..n_pairs {
            watch(pair as f64 / n_pairs as f64)?;
            self.pair(pair, &mut scores);
        }
        let inner = |size: usize| {
            let edge = self.left_out.min((size - 1) / 2);
            edge..size - edge
        };
        let (rows, columns) = (inner(scores.nrows()), inner(scores.ncols()));
        self.sorted.clear();
        self.sorted.extend(scores.slice(ndarray::s![rows, columns]));
        let quarter = self.sorted.len() / 4;
        let quartile = f64::from(*self.sorted.select_nth_unstable_by(quarter, f32::total_cmp).1);
        let floor = (self.background_factor.powi(2) * quartile).max(ROUNDING_VARIANCE);
        for (score, &variance) in scores.iter_mut().zip(&self.variances) {
            *score = score_of(f64::from(*score), f64::from(variance), floor) as f32;
        }
        watch(1.0)?;
        ControlFlow::Continue(floor)
    }

    /// One pair of tiles: explained variance into `scores`, variance into `self.variances`.
    fn pair(&mut self, pair: usize, scores: &mut ArrayViewMut2<'_, f32>) {
        let binned = self.binned.view();
        self.explained.fill(Complex64::ZERO);
        self.sums.fill(Complex64::ZERO);
        self.tiles.load(binned, pair, |v| v);
        for (kernel, n) in &self.rings {
            let ring = self.tiles.correlate(kernel);
            let share = 1.0 / n;
            for ((e, s), v) in self.explained.iter_mut().zip(&mut self.sums).zip(ring) {
                e.re += share * v.re * v.re;
                e.im += share * v.im * v.im;
                *s += v;
            }
        }
        self.tiles.load(binned, pair, |v| v * v);
        let (row, patches, share) = (self.tiles.row(), self.tiles.patches(pair), 1.0 / self.disc.1);
        let squares = self.tiles.correlate(&self.disc.0);
        for (i, patch) in patches.into_iter().enumerate() {
            let Some(p) = patch else { continue };
            let part = |v: &Complex64| if i == 0 { v.re } else { v.im };
            for y in 0..p.height {
                for x in 0..p.width {
                    let at = y * row + x;
                    let of_mean = part(&self.sums[at]).powi(2) * share;
                    let place = (p.y + y, p.x + x);
                    scores[place] = ((part(&self.explained[at]) - of_mean) * share).max(0.0) as f32;
                    self.variances[place] = ((part(&squares[at]) - of_mean) * share).max(0.0) as f32;
                }
            }
        }
    }
}

/// Means of blocks of `bin` x `bin` pixels, less `mean`; rows and columns that fill no block are left out.
fn bin_into<P: CameraPixel>(image: ArrayView2<'_, P>, bin: usize, mean: f64, out: &mut Array2<f32>) {
    let share = 1.0 / (bin * bin) as f64;
    for (rows, mut out) in image.axis_chunks_iter(Axis(0), bin).zip(out.rows_mut()) {
        for (x, o) in out.iter_mut().enumerate() {
            let block = rows.slice(ndarray::s![.., x * bin..(x + 1) * bin]);
            let sum: u64 = block.iter().map(|&p| -> u64 { p.into() }).sum();
            *o = (sum as f64 * share - mean) as f32;
        }
    }
}
