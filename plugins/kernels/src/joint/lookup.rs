//! From a tracker's centre and profile to the joint fit: z, gain and offset to start with come from a few steps on the
//! spline Z-LUT of the profiles.

use ndarray::ArrayView2;

use super::fit::{JointFit, JointFitter, JointOptions, JointOutcome, JointStart};
use super::template::JointTemplate;
use crate::error::KernelError;
use crate::pixel::Pixel;
use crate::spline_z::{SplineLookup, SplineOptions, SplineOutcome, SplineTable};

/// Steps on the profile: right to about a standard error of it, which is near enough.
const START_STEPS: usize = 3;

/// Scratch of one caller, for images of one size and profiles of one length.
#[derive(Debug, Clone)]
pub struct JointLookup {
    start: SplineLookup,
    fitter: JointFitter,
}

impl JointLookup {
    /// For images of `size_px` x `size_px` pixels and profiles of `n_bins` bins. Fails where [`JointFitter::new`] or
    /// [`SplineLookup::new`] does.
    pub fn new(size_px: usize, n_bins: usize, options: &JointOptions) -> Result<JointLookup, KernelError> {
        Ok(JointLookup {
            start: SplineLookup::new(n_bins, options.noise, SplineOptions::default())?,
            fitter: JointFitter::new(size_px, options)?,
        })
    }

    /// Length of the profiles.
    pub fn n_bins(&self) -> usize {
        self.start.n_bins()
    }

    /// Size of the images.
    pub fn size_px(&self) -> usize {
        self.fitter.size_px()
    }

    /// [`JointOptions::tile_limit`].
    pub fn tile_limit(&self) -> f64 {
        self.fitter.tile_limit()
    }

    /// Fits `image` (`[y, x]`, any stride) round the centre (`x_px`, `y_px`) that a tracker found, with the profile it
    /// made there; `profiles` is the Z-LUT of such profiles, `template` that of the pixels, of the same sweep.
    ///
    /// What cannot be had is NaN with its reason. Fails when profile, weights or table have another length than this was
    /// made for. Panics when the image has another size.
    pub fn execute<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        profiles: &SplineTable,
        template: &JointTemplate,
        (x_px, y_px): (f64, f64),
        profile: &[f64],
        weights: &[f32],
    ) -> Result<JointFit, KernelError> {
        let start = self.start.approach(profiles, profile, weights, START_STEPS)?;
        match start.outcome {
            SplineOutcome::Found | SplineOutcome::NotConverged | SplineOutcome::OutsideTable => {}
            SplineOutcome::LowContrast => return Ok(JointFit::none(JointOutcome::LowContrast)),
            SplineOutcome::NoProfile => return Ok(JointFit::none(JointOutcome::NotFinite)),
        }
        let start = JointStart { x_px, y_px, z_nm: start.z_nm, gain: start.gain, offset_adu: start.offset_adu };
        Ok(self.fitter.execute(image, template, &start))
    }

    /// As [`JointFitter::model`].
    pub fn model<P: Pixel>(
        &self,
        image: ArrayView2<'_, P>,
        template: &JointTemplate,
        fit: &JointFit,
    ) -> (Vec<f64>, Vec<f64>) {
        self.fitter.model(image, template, fit)
    }
}
