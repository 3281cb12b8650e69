//! MagTrack's bead simulator on a grid: a phase sphere, an objective, free propagation (angular spectrum), one picture.
//! Written from its definition; the golden numbers check it. Periodic: light that leaves the padded box comes back on the
//! other side. No noise. The plan and its buffers are made once and used for any number of positions.

use ndarray::{Array3, ArrayView2, Axis};
use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};
use std::f64::consts::{PI, TAU};
use std::ops::Range;
use std::sync::Arc;

use super::bead::BeadOptics;
use super::error::{OpticsError, check_count, check_positive};

/// Largest padded side of the grid: 16384 points, where one line of the plan has 256 kB.
const MOST_PADDED_POINTS: usize = 16_384;

/// Bead, camera grid and brightness of a simulated image. Defaults are MagTrack's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulationParameters {
    /// Bead and objective.
    pub bead: BeadOptics,
    /// Side of a camera pixel in the sample.
    pub nm_per_px: f64,
    /// Side of the square image.
    pub size_px: usize,
    /// Brightness without a bead, as a fraction of full scale.
    pub background_level: f64,
    /// Factor on the deviation from the background.
    pub contrast_scale: f64,
    /// Side of the periodic box over the side of the image, at least 1. With 2 light wraps around at large defocus.
    pub pad_factor: f64,
}

impl Default for SimulationParameters {
    fn default() -> Self {
        Self {
            bead: BeadOptics::default(),
            nm_per_px: 100.0,
            size_px: 64,
            background_level: 0.4,
            contrast_scale: 1.0,
            pad_factor: 2.0,
        }
    }
}

/// Images (n_beads × size_px × size_px) of beads at `xyz_nm` (n_beads × 3), brightness 0 to 1 with 1 = full scale.
///
/// (0, 0) nm is the middle of pixel `size_px / 2` (rounded down) on both axes; x is along the columns, y along the rows.
/// Brightness is normalised by the mean of the top-left `size_px / 16` square corner, rings in it included, and clipped to
/// 0 to 1. Source: the definition of MagTrack 1.0.0 `simulation.simulate_beads`; the field, not the intensity, is averaged
/// over the pixel there. Use [`super::FineBeadRenderer`] or [`super::RadialTable`] for truth.
///
/// # Errors
/// A parameter out of range. `xyz_nm` without exactly three columns is a panic.
pub fn simulate_beads(
    xyz_nm: ArrayView2<'_, f64>,
    parameters: &SimulationParameters,
) -> Result<Array3<f64>, OpticsError> {
    assert_eq!(xyz_nm.ncols(), 3, "positions have {} columns, expected 3 (x, y, z)", xyz_nm.ncols());
    let n = parameters.size_px;
    let mut grid = WaveGrid::new(&parameters.bead, parameters.nm_per_px, n, parameters.pad_factor, 0..n as isize)?;
    let mut images = Array3::zeros((xyz_nm.nrows(), n, n));
    for (position, mut image) in xyz_nm.outer_iter().zip(images.axis_iter_mut(Axis(0))) {
        let image = image.as_slice_mut().expect("a freshly made array is contiguous");
        grid.intensity(position[0], position[1], position[2], image);
        let corner = corner_level(image, n);
        for value in image {
            *value = brightness(*value / corner, parameters.background_level, parameters.contrast_scale);
        }
    }
    Ok(images)
}

/// Mean of the top-left corner (side `n / 16`, at least one point) of an n × n image; 1 where that is 0.
pub(super) fn corner_level(image: &[f64], n: usize) -> f64 {
    let side = (n / 16).max(1);
    let sum: f64 = image.chunks_exact(n).take(side).map(|row| row[..side].iter().sum::<f64>()).sum();
    if sum == 0.0 { 1.0 } else { sum / (side * side) as f64 }
}

/// Fraction of full scale for an intensity relative to the background, clipped to 0 to 1.
pub(super) fn brightness(relative: f64, background_level: f64, contrast_scale: f64) -> f64 {
    (background_level * (1.0 + contrast_scale * (relative - 1.0))).clamp(0.0, 1.0)
}

/// The optics on one grid: spectrum of the bead, transforms and buffers.
///
/// Only the frequencies that the objective passes are kept, so a fine grid costs little more than a coarse one.
pub(super) struct WaveGrid {
    size: usize,
    padded: usize,
    forward_scale: f64,
    /// Spatial frequencies (1/nm) that the objective passes along one axis, with their index in the transform.
    band: Vec<(usize, f64)>,
    /// Spectrum times pupil, [band of x][band of y]; and the axial wave number of each entry.
    spectrum: Vec<Complex64>,
    axial_per_nm: Vec<f64>,
    inverse: Arc<dyn Fft<f64>>,
    line: Vec<Complex64>,
    scratch: Vec<Complex64>,
    /// Field after the transform along y, [band of x][row].
    half: Vec<Complex64>,
}

impl WaveGrid {
    /// Plans a grid of `size` points every `step_nm` inside a periodic box `pad_factor` times as wide. The sphere is sampled
    /// on the points `sampled` only (0 is the first one of the image): where they end, it is cut.
    pub(super) fn new(
        bead: &BeadOptics,
        step_nm: f64,
        size: usize,
        pad_factor: f64,
        sampled: Range<isize>,
    ) -> Result<Self, OpticsError> {
        bead.check()?;
        check_positive("nm_per_px", step_nm)?;
        check_count("size_px", size, 1, 4096)?;
        if !(1.0..=64.0).contains(&pad_factor) {
            return Err(OpticsError::invalid(format!(
                "pad_factor is {pad_factor}\nthe box must be 1 to 64 times as wide as the image\n2 is MagTrack's, 8 wraps little"
            )));
        }
        let padded = ((pad_factor * size as f64).ceil() as usize).next_multiple_of(2);
        if padded > MOST_PADDED_POINTS {
            return Err(OpticsError::too_large(format!(
                "the padded grid has {padded} points a side\nat most {MOST_PADDED_POINTS} are possible\nlower size_px, pad_factor or the oversampling"
            )));
        }
        if sampled.len() > padded {
            return Err(OpticsError::invalid(format!(
                "the bead is {} points wide and the padded grid {padded}\nthe bead must fit into the grid\nraise size_px or pad_factor",
                sampled.len()
            )));
        }
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(padded), planner.plan_fft_inverse(padded));
        let band: Vec<(usize, f64)> = (0..padded)
            .map(|i| (i, if i < padded / 2 { i as f64 } else { i as f64 - padded as f64 } / (padded as f64 * step_nm)))
            .filter(|(_, f)| f.abs() <= bead.cutoff_per_nm())
            .collect();
        let scratch_len = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
        let mut grid = Self {
            size,
            padded,
            forward_scale: 1.0 / (padded * padded) as f64,
            spectrum: Vec::with_capacity(band.len() * band.len()),
            axial_per_nm: Vec::with_capacity(band.len() * band.len()),
            half: vec![Complex64::ZERO; band.len() * size.max(sampled.len())],
            band,
            inverse,
            line: vec![Complex64::ZERO; padded],
            scratch: vec![Complex64::ZERO; scratch_len],
        };
        grid.fill_spectrum(bead, step_nm, sampled, &*forward);
        Ok(grid)
    }

    /// Transforms the sphere (sampled once, centred on point `size / 2`) and applies pupil and pixel integration.
    fn fill_spectrum(&mut self, bead: &BeadOptics, step_nm: f64, sampled: Range<isize>, forward: &dyn Fft<f64>) {
        let (n, padded, centre) = (sampled.len(), self.padded, (self.size / 2) as f64);
        let at = |i: isize| (i as f64 - centre) * step_nm;
        let wrapped = |i: isize| i.rem_euclid(padded as isize) as usize;
        for (line, row) in sampled.clone().enumerate() {
            self.line.fill(Complex64::ZERO);
            for column in sampled.clone() {
                self.line[wrapped(column)] = bead.scattered(bead.thickness_nm(at(row).hypot(at(column))));
            }
            forward.process_with_scratch(&mut self.line, &mut self.scratch);
            for (b, &(index, _)) in self.band.iter().enumerate() {
                self.half[b * n + line] = self.line[index];
            }
        }
        let pixel = |f: f64| {
            let t = PI * step_nm * f;
            if t == 0.0 { 1.0 } else { t.sin() / t }
        };
        for (b, &(_, fx)) in self.band.iter().enumerate() {
            self.line.fill(Complex64::ZERO);
            for (&value, row) in self.half[b * n..(b + 1) * n].iter().zip(sampled.clone()) {
                self.line[wrapped(row)] = value;
            }
            forward.process_with_scratch(&mut self.line, &mut self.scratch);
            for &(index, fy) in &self.band {
                let f = fx.hypot(fy);
                // The sphere was transformed without the light around it, which is all at frequency zero.
                let incident = if fx == 0.0 && fy == 0.0 { (self.padded * self.padded) as f64 } else { 0.0 };
                let passed = if f <= bead.cutoff_per_nm() { pixel(fx) * pixel(fy) * self.forward_scale } else { 0.0 };
                self.spectrum.push((self.line[index] + incident) * passed);
                self.axial_per_nm.push(bead.axial_wavenumber_per_nm(f));
            }
        }
    }

    /// Writes |U|² (size × size, incident light = 1) of a bead at (x, y, z) nm from point `size / 2`.
    pub(super) fn intensity(&mut self, x_nm: f64, y_nm: f64, z_nm: f64, image: &mut [f64]) {
        let (n, width) = (self.size, self.band.len());
        assert_eq!(image.len(), n * n, "the image has {} points, expected {n} x {n}", image.len());
        for (b, &(_, fx)) in self.band.iter().enumerate() {
            self.line.fill(Complex64::ZERO);
            for (c, &(index, fy)) in self.band.iter().enumerate() {
                let phase = z_nm * self.axial_per_nm[b * width + c] - TAU * (fx * x_nm + fy * y_nm);
                self.line[index] = self.spectrum[b * width + c] * Complex64::from_polar(1.0, phase);
            }
            self.inverse.process_with_scratch(&mut self.line, &mut self.scratch);
            self.half[b * n..(b + 1) * n].copy_from_slice(&self.line[..n]);
        }
        for (row, pixels) in image.chunks_exact_mut(n).enumerate() {
            self.line.fill(Complex64::ZERO);
            for (b, &(index, _)) in self.band.iter().enumerate() {
                self.line[index] = self.half[b * n + row];
            }
            self.inverse.process_with_scratch(&mut self.line, &mut self.scratch);
            for (pixel, field) in pixels.iter_mut().zip(&self.line) {
                *pixel = field.norm_sqr();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn without_a_bead_the_picture_is_the_background() {
        let bead = BeadOptics { index_sphere: 1.33, ..BeadOptics::default() };
        let parameters = SimulationParameters { bead, size_px: 24, ..SimulationParameters::default() };
        let image = simulate_beads(arr2(&[[10.0, -20.0, 3000.0]]).view(), &parameters).unwrap();
        assert!(image.iter().all(|&v| (v - 0.4).abs() < 1e-12));
    }

    #[test]
    fn a_shift_by_whole_pixels_shifts_the_picture() {
        let mut grid = WaveGrid::new(&BeadOptics::default(), 100.0, 32, 4.0, 0..32).unwrap();
        let (mut here, mut there) = (vec![0.0; 32 * 32], vec![0.0; 32 * 32]);
        grid.intensity(30.0, -20.0, 1500.0, &mut here);
        grid.intensity(330.0, 180.0, 1500.0, &mut there);
        for row in 0..30 {
            for column in 0..29 {
                assert!((here[row * 32 + column] - there[(row + 2) * 32 + column + 3]).abs() < 1e-11);
            }
        }
    }

    #[test]
    fn bad_parameters_are_refused_by_name() {
        let refused = |p: SimulationParameters| {
            simulate_beads(arr2(&[[0.0, 0.0, 0.0]]).view(), &p).unwrap_err().message().to_owned()
        };
        let good = SimulationParameters::default();
        assert!(refused(SimulationParameters { pad_factor: 0.5, ..good }).contains("pad_factor is 0.5"));
        assert!(refused(SimulationParameters { size_px: 0, ..good }).contains("size_px is 0"));
        assert!(refused(SimulationParameters { nm_per_px: f64::NAN, ..good }).contains("nm_per_px is NaN"));
        assert!(refused(SimulationParameters { size_px: 4096, pad_factor: 8.0, ..good }).contains("32768 points"));
    }
}
