//! Mean amplitude per ring of the Fourier spectrum of an image.

use std::sync::Arc;

use ndarray::ArrayView2;
use rustfft::{Fft, FftPlanner, num_complex::Complex};

use crate::error::KernelError;
use crate::pixel::{Pixel, assert_size, for_each_piece};

/// Which rings of the spectrum are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FftProfileOptions {
    /// Bins per frequency step (1 / size_px).
    pub oversample: usize,
    /// First ring, as a fraction of the Nyquist frequency.
    pub rmin: f64,
    /// End of the last ring, as a fraction of the Nyquist frequency. (MagTrack's text calls its default, 0.5, Nyquist;
    /// its arithmetic, and this, make it half of that.)
    pub rmax: f64,
}

impl Default for FftProfileOptions {
    fn default() -> Self {
        FftProfileOptions { oversample: 4, rmin: 0.0, rmax: 0.5 }
    }
}

/// Makes spectral profiles of images of one size.
///
/// Method: `fft_profile` and `fft_profile_with_center` of MagTrack 1.0.0. The mean of the image is not taken away: bin 0
/// holds its sum.
#[derive(Clone)]
pub struct FftProfile {
    size_px: usize,
    fft: Arc<dyn Fft<f64>>,
    scratch: Vec<Complex<f64>>,
    /// Two rows of the image as one complex line.
    pair: Vec<Complex<f64>>,
    /// Columns 0 ..= size_px / 2 of the half transformed image, each contiguous.
    columns: Vec<Complex<f64>>,
    /// The image times its window.
    image: Vec<f64>,
    row_window: Vec<f64>,
    column_window: Vec<f64>,
    /// Bin of each entry of `columns`; `n_bins` for what is not wanted.
    bins: Vec<u32>,
    counts: Vec<u32>,
    sums: Vec<f64>,
}

impl FftProfile {
    /// Makes a worker for images of `size_px` x `size_px` pixels.
    ///
    /// Fails below 2 pixels, for an `oversample` of 0 and unless 0 <= rmin < rmax <= 2.
    pub fn new(size_px: usize, options: FftProfileOptions) -> Result<FftProfile, KernelError> {
        let FftProfileOptions { oversample, rmin, rmax } = options;
        if size_px < 2 {
            return Err(KernelError::SizeTooSmall { size_px, min_px: 2 });
        }
        if oversample == 0 {
            return Err(KernelError::OutOfRange { name: "oversample", value: 0.0, allowed: "1 or more" });
        }
        if !(0.0 <= rmin && rmin < rmax && rmax <= 2.0) {
            let allowed = "0 <= rmin < rmax <= 2";
            return Err(KernelError::OutOfRange { name: "rmax", value: rmax, allowed });
        }
        let nyquist = size_px / 2;
        let ring = |fraction: f64| (nyquist as f64 * fraction * oversample as f64).round_ties_even() as usize;
        let (first, end) = (ring(rmin), ring(rmax));
        let n_bins = end - first;
        let mut counts = vec![0; n_bins + 1];
        let bins: Vec<u32> = (0..=nyquist)
            .flat_map(|column| (0..size_px).map(move |row| (column, row)))
            .map(|(column, row)| {
                let row = (row + nyquist) % size_px;
                let radius = (column as f64).hypot(row as f64 - nyquist as f64);
                let bin = (radius * oversample as f64).round_ties_even() as usize;
                let bin = if (first..end).contains(&bin) { bin - first } else { n_bins };
                counts[bin] += 1;
                bin as u32
            })
            .collect();
        let fft = FftPlanner::new().plan_fft_forward(size_px);
        let zero = Complex::new(0.0, 0.0);
        Ok(FftProfile {
            size_px,
            scratch: vec![zero; fft.get_inplace_scratch_len()],
            fft,
            pair: vec![zero; size_px],
            columns: vec![zero; bins.len()],
            image: vec![0.0; size_px * size_px],
            row_window: vec![1.0; size_px],
            column_window: vec![1.0; size_px],
            bins,
            counts,
            sums: vec![0.0; n_bins + 1],
        })
    }

    /// Length of a profile.
    pub fn n_bins(&self) -> usize {
        self.sums.len() - 1
    }

    /// The profile of `image` (`[y, x]`, any stride), into `profile`. Bins without a frequency are NaN.
    ///
    /// Panics when the image has another size or `profile` another length than [`FftProfile::n_bins`].
    pub fn fft_profile<P: Pixel>(&mut self, image: ArrayView2<'_, P>, profile: &mut [f64]) {
        self.row_window.fill(1.0);
        self.column_window.fill(1.0);
        self.execute(image, profile);
    }

    /// The profile of the image under a Gaussian window of sigma `size_px / gaus_factor`.
    ///
    /// The window stands at row `window_row_px`, column `window_column_px`. MagTrack's `fft_profile_with_center(x, y)`
    /// puts it at row x, column y. The image itself is not changed. Panics as [`FftProfile::fft_profile`].
    pub fn fft_profile_with_center<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        window_row_px: f64,
        window_column_px: f64,
        gaus_factor: f64,
        profile: &mut [f64],
    ) {
        let sigma = self.size_px as f64 / gaus_factor;
        let fill = |window: &mut [f64], center: f64| {
            for (k, w) in window.iter_mut().enumerate() {
                *w = crate::gaussian::gaussian(k as f64, center, sigma);
            }
        };
        fill(&mut self.row_window, window_row_px);
        fill(&mut self.column_window, window_column_px);
        self.execute(image, profile);
    }

    fn execute<P: Pixel>(&mut self, image: ArrayView2<'_, P>, profile: &mut [f64]) {
        assert_size(&image, self.size_px);
        let n_bins = self.n_bins();
        assert!(profile.len() == n_bins, "room for {} bins, the profile has {n_bins}", profile.len());
        let n = self.size_px;
        for_each_piece(image, |i, j, piece| {
            let out = &mut self.image[i * n + j..i * n + j + piece.len()];
            for ((out, p), weight) in out.iter_mut().zip(piece).zip(&self.column_window[j..]) {
                *out = p.to_f64() * (weight * self.row_window[i]);
            }
        });
        for first in (0..n).step_by(2) {
            self.transform_rows(first);
        }
        self.fft.process_with_scratch(&mut self.columns, &mut self.scratch);
        self.sums.fill(0.0);
        for (&bin, value) in self.bins.iter().zip(&self.columns) {
            self.sums[bin as usize] += value.norm_sqr().sqrt();
        }
        profile.copy_from_slice(&self.sums[..n_bins]);
        crate::binmean::divide(profile, &self.counts);
    }

    /// Transforms the rows `first` and `first + 1` as real and imaginary part of one line, and stores the halves.
    fn transform_rows(&mut self, first: usize) {
        let n = self.size_px;
        let (one, other) = self.image[first * n..].split_at(n);
        for (j, z) in self.pair.iter_mut().enumerate() {
            *z = Complex::new(one[j], other.get(j).copied().unwrap_or(0.0));
        }
        self.fft.process_with_scratch(&mut self.pair, &mut self.scratch);
        for (j, column) in self.columns.chunks_exact_mut(n).enumerate() {
            let (z, mirror) = (self.pair[j], self.pair[(n - j) % n].conj());
            column[first] = (z + mirror) * 0.5;
            if let Some(value) = column.get_mut(first + 1) {
                let difference = z - mirror;
                *value = Complex::new(difference.im, -difference.re) * 0.5;
            }
        }
    }
}
