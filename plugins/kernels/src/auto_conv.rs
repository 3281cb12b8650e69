//! Centre of symmetry of a bead from the self-convolution of the rows and columns through it.
//!
//! One worker, four methods: one line or a band of lines, whole or fitted peak. Source: `auto_conv`,
//! `auto_conv_sub_pixel`, `auto_conv_multiline` and `auto_conv_multiline_sub_pixel` of MagTrack 1.0.0.

use ndarray::ArrayView2;

use crate::error::KernelError;
use crate::lines::{sum_columns, sum_rows};
use crate::outcome::{Center, Outcome};
use crate::parabola::ParabolaFit;
use crate::pixel::{Pixel, assert_size};
use crate::self_convolution::SelfConvolution;

/// How many lines MagTrack's `line_ratio` means on each side of the middle line, in images of `size_px`: half of
/// `line_ratio * size_px`, rounded down.
pub fn n_side_lines(size_px: usize, line_ratio: f64) -> usize {
    (size_px as f64 * line_ratio / 2.0).floor() as usize
}

/// Finds centres of symmetry in images of one size.
///
/// All methods take an image `[y, x]` of any stride and the old centre in ROI coordinates (pixels). x comes from the
/// row (or the mean of a band of rows) at the old y, y from the column at the old x; each line loses its mean, gets a
/// Gaussian window of sigma `size_px / 6` around the old centre, and is convolved with itself. A centre in the outer
/// quarter of the image cannot be found.
///
/// They do not fail: a coordinate that cannot be had is NaN and its [`Outcome`] says why. They panic when the image has
/// another size.
#[derive(Debug, Clone)]
pub struct AutoConv {
    size_px: usize,
    row: SelfConvolution,
    column: SelfConvolution,
    rows: Band,
    columns: Band,
}

/// The sum of a band of lines of the image at hand, kept for the next centre: most are rounded to the same lines.
#[derive(Debug, Clone)]
struct Band {
    /// The first line and how many, when there is a sum.
    lines: Option<(usize, usize)>,
    sum: Vec<f64>,
}

impl Band {
    fn new(size_px: usize) -> Band {
        Band { lines: None, sum: vec![0.0; size_px] }
    }

    /// The sum of these lines, from `sum_lines` unless it is known.
    fn of(&mut self, first: usize, n_lines: usize, sum_lines: impl FnOnce(&mut [f64])) -> &[f64] {
        if self.lines != Some((first, n_lines)) {
            sum_lines(&mut self.sum);
            self.lines = Some((first, n_lines));
        }
        &self.sum
    }
}

impl AutoConv {
    /// Makes a worker for images of `size_px` x `size_px` pixels. Fails below 4 pixels.
    pub fn new(size_px: usize) -> Result<AutoConv, KernelError> {
        const MIN_PX: usize = 4;
        if size_px < MIN_PX {
            return Err(KernelError::SizeTooSmall { size_px, min_px: MIN_PX });
        }
        let line = SelfConvolution::new(size_px);
        let band = Band::new(size_px);
        Ok(AutoConv { size_px, row: line.clone(), column: line, rows: band.clone(), columns: band })
    }

    /// One row and one column, peak of the convolution as it stands: a centre on the half-pixel lattice.
    ///
    /// A line that is flat or not finite gives the number that the first maximum means, (n - 1) / 2 / 2, with its outcome.
    pub fn auto_conv<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64) -> Center {
        self.auto_conv_multiline(image, x_px, y_px, 0)
    }

    /// One row and one column, parabola through the peak of the convolution.
    pub fn auto_conv_sub_pixel<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        x_px: f64,
        y_px: f64,
        fit: &ParabolaFit,
    ) -> Center {
        self.auto_conv_multiline_sub_pixel(image, x_px, y_px, 0, fit)
    }

    /// The mean of `2 n_side + 1` rows and columns (see [`n_side_lines`]), peak of the convolution as it stands.
    pub fn auto_conv_multiline<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        x_px: f64,
        y_px: f64,
        n_side: usize,
    ) -> Center {
        self.convolve(image, x_px, y_px, n_side);
        center(self.row.whole_peak(), self.column.whole_peak())
    }

    /// The mean of `2 n_side + 1` rows and columns (see [`n_side_lines`]), parabola through the peak.
    pub fn auto_conv_multiline_sub_pixel<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        x_px: f64,
        y_px: f64,
        n_side: usize,
        fit: &ParabolaFit,
    ) -> Center {
        self.convolve(image, x_px, y_px, n_side);
        center(self.row.fitted_peak(fit), self.column.fitted_peak(fit))
    }

    /// [`AutoConv::auto_conv_multiline_sub_pixel`] for the image of the last call.
    pub(crate) fn refine<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        x_px: f64,
        y_px: f64,
        n_side: usize,
        fit: &ParabolaFit,
    ) -> Center {
        self.convolve_again(image, x_px, y_px, n_side);
        center(self.row.fitted_peak(fit), self.column.fitted_peak(fit))
    }

    /// The convolution of the row(s) of the last image, `size_px` values; index `2 x - (size_px - 1) / 2` belongs to x.
    pub fn row_convolution(&self) -> &[f64] {
        self.row.convolution()
    }

    /// The convolution of the column(s) of the last image, as [`AutoConv::row_convolution`].
    pub fn column_convolution(&self) -> &[f64] {
        self.column.convolution()
    }

    /// Index of the first maximum of [`AutoConv::row_convolution`].
    pub fn row_peak_index(&self) -> usize {
        self.row.peak_index()
    }

    /// Index of the first maximum of [`AutoConv::column_convolution`].
    pub fn column_peak_index(&self) -> usize {
        self.column.peak_index()
    }

    fn convolve<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64, n_side: usize) {
        self.rows.lines = None;
        self.columns.lines = None;
        self.convolve_again(image, x_px, y_px, n_side);
    }

    /// [`AutoConv::convolve`] for the image of the last call.
    fn convolve_again<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64, n_side: usize) {
        assert_size(&image, self.size_px);
        if !(x_px.is_finite() && y_px.is_finite()) {
            self.row.fail(Outcome::NonFiniteStart);
            self.column.fail(Outcome::NonFiniteStart);
            return;
        }
        let n_lines = 2 * n_side + 1;
        match first_line(self.size_px, y_px, n_side) {
            Some(first) => {
                let sum = self.rows.of(first, n_lines, |sum| sum_rows(image, first, n_lines, sum));
                self.row.execute(sum, x_px, n_lines);
            }
            None => self.row.fail(Outcome::LinePastBorder),
        }
        match first_line(self.size_px, x_px, n_side) {
            Some(first) => {
                let sum = self.columns.of(first, n_lines, |sum| sum_columns(image, first, n_lines, sum));
                self.column.execute(sum, y_px, n_lines);
            }
            None => self.column.fail(Outcome::LinePastBorder),
        }
    }
}

/// The first of the lines around `middle`, when all of them lie inside the image.
fn first_line(size_px: usize, middle: f64, n_side: usize) -> Option<usize> {
    let middle = middle.round_ties_even();
    let inside = middle >= n_side as f64 && middle + (n_side as f64) < size_px as f64;
    inside.then(|| middle as usize - n_side)
}

fn center((x_px, x_outcome): (f64, Outcome), (y_px, y_outcome): (f64, Outcome)) -> Center {
    Center { x_px, y_px, x_outcome, y_outcome }
}
