//! What is known about microscope and camera, as the user states it. NaN is unknown.

use serde::{Deserialize, Serialize};
use tetherscope_loader::{CameraFormat, WorkerConfig, abi};

fn unknown() -> f64 {
    f64::NAN
}

/// Scale and noise of the images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Optics {
    /// Size of a pixel in the sample.
    pub nm_per_px: f64,
    /// Focal shift per focus travel (refractive-index mismatch); positive, 1 unless known.
    pub focal_shift_factor: f64,
    /// Bits of a pixel that carry the value; None: as the source says.
    pub significant_bits: Option<u32>,
    /// Electrons per ADU.
    #[serde(with = "crate::control::nan_as_null_one", default = "unknown")]
    pub gain_e_per_adu: f64,
    /// Pixel value without light, in ADU.
    #[serde(with = "crate::control::nan_as_null_one", default = "unknown")]
    pub offset_adu: f64,
    /// Read noise, rms, in electrons.
    #[serde(with = "crate::control::nan_as_null_one", default = "unknown")]
    pub read_noise_e: f64,
}

impl Optics {
    /// A scale, and nothing else known.
    pub fn new(nm_per_px: f64) -> Self {
        Self {
            nm_per_px,
            focal_shift_factor: 1.0,
            significant_bits: None,
            gain_e_per_adu: f64::NAN,
            offset_adu: f64::NAN,
            read_noise_e: f64::NAN,
        }
    }

    /// Names the first value that makes no sense.
    pub fn check(&self) -> Result<(), crate::RunError> {
        let positive = |name: &str, v: f64, unknown: bool| {
            let fine = (v.is_finite() && v > 0.0) || (unknown && v.is_nan());
            if fine { Ok(()) } else { Err(refuse(name, v, "it must be a positive number")) }
        };
        positive("nm_per_px", self.nm_per_px, false)?;
        positive("focal_shift_factor", self.focal_shift_factor, false)?;
        positive("gain_e_per_adu", self.gain_e_per_adu, true)?;
        if self.offset_adu.is_infinite() {
            return Err(refuse("offset_adu", self.offset_adu, "it must be a number"));
        }
        if self.read_noise_e.is_infinite() || self.read_noise_e < 0.0 {
            return Err(refuse("read_noise_e", self.read_noise_e, "it must be a number, 0 or more"));
        }
        match self.significant_bits {
            Some(b) if !(1..=16).contains(&b) => Err(refuse("bits", f64::from(b), "it must be 1 to 16")),
            _ => Ok(()),
        }
    }

    /// What workers are told about frames of one format.
    pub(crate) fn worker_config(&self, format: &CameraFormat, w_px: u32, h_px: u32, max_rois: u32) -> WorkerConfig {
        let bits = self.significant_bits.unwrap_or(format.significant_bits);
        let mono8 = format.pixel_format == abi::PIXEL_MONO8;
        WorkerConfig {
            pixel_format: if mono8 { abi::PIXEL_MONO8 } else { abi::PIXEL_MONO16 },
            significant_bits: bits,
            saturation_adu: f64::from((1_u32 << bits) - 1),
            gain_e_per_adu: self.gain_e_per_adu,
            offset_adu: self.offset_adu,
            read_noise_e: self.read_noise_e,
            nm_per_px: self.nm_per_px,
            ..WorkerConfig::mono8(w_px, h_px, max_rois)
        }
    }
}

fn refuse(name: &str, value: f64, must: &str) -> crate::RunError {
    crate::RunError::refused(
        format!("cannot use {name} = {value}"),
        must,
        format!("give {name} as your microscope has it"),
    )
}
