//! MagTrack's simulated Z-LUT: radial profiles of centred simulated beads. For conformance only; it repeats the original's
//! half-pixel slip for odd sizes.

use ndarray::{Array2, s};

use super::error::{OpticsError, check_count};
use super::wave::{SimulationParameters, simulate_beads};

/// Z-LUT (1 + n_bins × n_planes): row 0 is `z_nm`, below it one radial profile per plane, NaN where a bin has no pixel.
///
/// `n_bins = (size_px / 2) * oversample`. A bin is the mean of the pixels whose distance times `oversample` rounds to it
/// (half to even), counted from the point `size_px / 2` **without** rounding down. The beads stand on `size_px / 2` rounded
/// down: for odd sizes the profile is half a pixel off centre, as in the source, MagTrack 1.0.0 `simulation.simulate_zlut`.
///
/// # Errors
/// A parameter out of range, `oversample` outside 1 to 64.
pub fn simulate_zlut(
    z_nm: &[f64],
    oversample: usize,
    parameters: &SimulationParameters,
) -> Result<Array2<f64>, OpticsError> {
    check_count("oversample", oversample, 1, 64)?;
    let n_bins = parameters.size_px / 2 * oversample;
    let centre = parameters.size_px as f64 / 2.0;
    let xyz_nm = Array2::from_shape_fn((z_nm.len(), 3), |(i, axis)| if axis == 2 { z_nm[i] } else { 0.0 });
    let images = simulate_beads(xyz_nm.view(), parameters)?;
    let mut zlut = Array2::zeros((1 + n_bins, z_nm.len()));
    let mut counts = vec![0.0; n_bins];
    for (plane, image) in images.outer_iter().enumerate() {
        zlut[[0, plane]] = z_nm[plane];
        let mut profile = zlut.slice_mut(s![1.., plane]);
        counts.fill(0.0);
        for ((row, column), &value) in image.indexed_iter() {
            let distance = (column as f64 - centre).hypot(row as f64 - centre);
            let bin = (distance * oversample as f64).round_ties_even() as usize;
            if bin < n_bins {
                profile[bin] += value;
                counts[bin] += 1.0;
            }
        }
        for (value, count) in profile.iter_mut().zip(&counts) {
            *value /= count;
        }
    }
    Ok(zlut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_holds_z_and_empty_bins_are_nan() {
        let parameters = SimulationParameters { size_px: 16, ..SimulationParameters::default() };
        let zlut = simulate_zlut(&[-500.0, 250.0], 4, &parameters).unwrap();
        assert_eq!(zlut.dim(), (1 + 32, 2));
        assert_eq!((zlut[[0, 0]], zlut[[0, 1]]), (-500.0, 250.0));
        assert!(zlut[[2, 0]].is_nan(), "no pixel is a quarter of a pixel away from the middle one");
        assert!((zlut[[1, 0]] - 0.4).abs() > 0.01, "the bead shows");
    }
}
