//! One kind of bead and the light that shows it: a sphere as a thin phase object under coherent light.
//! Knows nothing of pixels.

use rustfft::num_complex::Complex64;
use std::f64::consts::TAU;

use super::error::{OpticsError, check_not_negative, check_positive};

/// Sphere, medium, wavelength and objective. Defaults are MagTrack's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeadOptics {
    /// Radius of the sphere.
    pub radius_nm: f64,
    /// Vacuum wavelength of the light.
    pub wavelength_nm: f64,
    /// Refractive index of the sphere.
    pub index_sphere: f64,
    /// Refractive index of what surrounds it.
    pub index_medium: f64,
    /// Decay of the field amplitude per nm of sphere on the way.
    pub absorption_per_nm: f64,
    /// Numerical aperture: spatial frequencies above `numerical_aperture / wavelength_nm` are cut off.
    pub numerical_aperture: f64,
}

impl Default for BeadOptics {
    fn default() -> Self {
        Self {
            radius_nm: 1500.0,
            wavelength_nm: 550.0,
            index_sphere: 1.59,
            index_medium: 1.33,
            absorption_per_nm: 0.0,
            numerical_aperture: 1.3,
        }
    }
}

impl BeadOptics {
    /// Fails when a length or an index is not a finite number above zero, or the absorption is negative.
    pub fn check(&self) -> Result<(), OpticsError> {
        check_positive("radius_nm", self.radius_nm)?;
        check_positive("wavelength_nm", self.wavelength_nm)?;
        check_positive("index_sphere", self.index_sphere)?;
        check_positive("index_medium", self.index_medium)?;
        check_positive("numerical_aperture", self.numerical_aperture)?;
        check_not_negative("absorption_per_nm", self.absorption_per_nm)
    }

    /// Highest spatial frequency that the objective passes, 1/nm.
    pub fn cutoff_per_nm(&self) -> f64 {
        self.numerical_aperture / self.wavelength_nm
    }

    /// Axial wave number (rad/nm) of the plane wave with spatial frequency `frequency_per_nm`; 0 for evanescent waves.
    pub(super) fn axial_wavenumber_per_nm(&self, frequency_per_nm: f64) -> f64 {
        let k = TAU * self.index_medium / self.wavelength_nm;
        let lateral = TAU * frequency_per_nm;
        (k * k - lateral * lateral).max(0.0).sqrt()
    }

    /// Field behind the sphere minus the field without it, where the light crosses `thickness_nm` of the sphere.
    pub(super) fn scattered(&self, thickness_nm: f64) -> Complex64 {
        let phase = TAU * (self.index_sphere - self.index_medium) * thickness_nm / self.wavelength_nm;
        Complex64::from_polar((-self.absorption_per_nm * thickness_nm).exp(), phase) - 1.0
    }

    /// Way of the light through the sphere at distance `r_nm` from its axis; 0 outside.
    pub(super) fn thickness_nm(&self, r_nm: f64) -> f64 {
        2.0 * (self.radius_nm * self.radius_nm - r_nm * r_nm).max(0.0).sqrt()
    }
}
