//! The physical limit: how well x, y and z of a bead can be known from one image, whatever the method (Cramér–Rao bound).
//!
//! Model: pixel i counts electrons with mean `full_well * (gain * I_i + offset)` and variance shot + read² + LSB²/12 (the
//! quantisation), independent, nearly normal. I is the image at full scale 1; gain is 1 and offset 0 at the truth, and are
//! either unknown like the position, or known. Fisher information `Σ ∂m ∂m / v + ½ ∂v ∂v / v²`; the bound is the root of the
//! diagonal of its inverse. Exact shot noise and quantisation change it by less than 1 %.

use crate::matrix::inverse;
use serde::{Deserialize, Serialize};

/// What a camera does to light.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CameraNoise {
    /// Electrons at full scale.
    pub full_well_e: f64,
    /// Bits of a pixel: full scale is 2^bits − 1.
    pub bits: u32,
    /// Read noise, standard deviation.
    pub read_noise_e: f64,
}

impl CameraNoise {
    /// Variance of a pixel, in electrons², whose mean is `brightness` of full scale.
    pub fn variance_e2(&self, brightness: f64) -> f64 {
        let step_e = self.full_well_e / (2_f64.powi(self.bits as i32) - 1.0);
        self.full_well_e * brightness + self.read_noise_e * self.read_noise_e + step_e * step_e / 12.0
    }
}

/// Whether brightness and contrast of the image are known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Brightness {
    /// Gain and offset are found from the same image, as every real method must.
    Free,
    /// Gain and offset are known.
    Known,
}

/// Least standard deviation of an unbiased estimate from one image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Of x.
    pub x_nm: f64,
    /// Of y.
    pub y_nm: f64,
    /// Of z.
    pub z_nm: f64,
}

impl Bound {
    /// Root mean square over several images; None of nothing.
    pub fn rms(bounds: &[Bound]) -> Option<Bound> {
        let of = |f: fn(&Bound) -> f64| crate::statistics::rms(&bounds.iter().map(f).collect::<Vec<_>>());
        Some(Bound { x_nm: of(|b| b.x_nm)?, y_nm: of(|b| b.y_nm)?, z_nm: of(|b| b.z_nm)? })
    }

    /// Of x and y together: the root mean square of both.
    pub fn xy_nm(&self) -> f64 {
        (0.5 * (self.x_nm * self.x_nm + self.y_nm * self.y_nm)).sqrt()
    }
}

/// Variance below which a pixel would tell more than any pixel can, electrons².
const LEAST_VARIANCE_E2: f64 = 1e-9;

/// The bound of an image (full scale 1) whose derivatives by x, y and z are given per nm, all of the same pixels in the same
/// order. None where the image does not tell the parameters apart.
///
/// # Panics
/// When the images differ in length.
pub fn cramer_rao_bound(
    image: &[f64],
    by_xyz_per_nm: [&[f64]; 3],
    noise: &CameraNoise,
    brightness: Brightness,
) -> Option<Bound> {
    for d in by_xyz_per_nm {
        assert!(d.len() == image.len(), "a derivative of {} pixels for an image of {}", d.len(), image.len());
    }
    let mut information = [[0.0; 5]; 5];
    for (i, &level) in image.iter().enumerate() {
        let slopes = [by_xyz_per_nm[0][i], by_xyz_per_nm[1][i], by_xyz_per_nm[2][i], level, 1.0];
        let j = slopes.map(|s| s * noise.full_well_e);
        let v = noise.variance_e2(level).max(LEAST_VARIANCE_E2);
        let weight = 1.0 / v + 0.5 / (v * v);
        for a in 0..5 {
            for b in 0..5 {
                information[a][b] += j[a] * j[b] * weight;
            }
        }
    }
    let variance = match brightness {
        Brightness::Free => {
            let inverse = inverse(&information)?;
            [inverse[0][0], inverse[1][1], inverse[2][2]]
        }
        Brightness::Known => {
            let position: [[f64; 3]; 3] = std::array::from_fn(|a| std::array::from_fn(|b| information[a][b]));
            let inverse = inverse(&position)?;
            [inverse[0][0], inverse[1][1], inverse[2][2]]
        }
    };
    let [x_nm, y_nm, z_nm] = variance.map(f64::sqrt);
    Some(Bound { x_nm, y_nm, z_nm })
}

/// The bound of a bead at `at_nm` (x, y, z), from a renderer: `render(position, image)` writes the image of a bead there, at
/// full scale 1. Derivatives are central differences over ± `step_nm`; 2 nm is good.
pub fn bound_of_bead(
    mut render: impl FnMut([f64; 3], &mut [f64]),
    n_px: usize,
    at_nm: [f64; 3],
    step_nm: f64,
    noise: &CameraNoise,
    brightness: Brightness,
) -> Option<Bound> {
    let mut image = vec![0.0; n_px];
    render(at_nm, &mut image);
    let derivatives: [Vec<f64>; 3] = std::array::from_fn(|axis| {
        let mut sides = [vec![0.0; n_px], vec![0.0; n_px]];
        for (side, sign) in sides.iter_mut().zip([1.0, -1.0]) {
            let mut place = at_nm;
            place[axis] += sign * step_nm;
            render(place, side);
        }
        let [above, below] = sides;
        above.iter().zip(&below).map(|(a, b)| (a - b) / (2.0 * step_nm)).collect()
    });
    cramer_rao_bound(&image, derivatives.each_ref().map(Vec::as_slice), noise, brightness)
}

#[cfg(test)]
mod tests;
