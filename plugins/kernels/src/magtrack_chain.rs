//! The chain of MagTrack: image in, x, y, z and radial profile out.
//!
//! 1. centre of mass,
//! 2. one row and one column, whole peak,
//! 3. several times a band of rows and columns, fitted peak,
//! 4. profile around the centre,
//! 5. look-up in the Z-LUT.
//!
//! Source: `stack_to_xyzp` and `stack_to_xyzp_advanced` of MagTrack 1.0.0. Where a centre is lost this chain stops,
//! gives NaN for that image and says why.

use ndarray::ArrayView2;

use crate::auto_conv::{AutoConv, n_side_lines};
use crate::center_of_mass::{Background, CenterOfMass};
use crate::error::KernelError;
use crate::fft_profile::{FftProfile, FftProfileOptions};
use crate::lookup_z::{ZEstimate, ZOutcome, ZlutTable};
use crate::outcome::{Center, Outcome};
use crate::parabola::ParabolaFit;
use crate::pixel::Pixel;
use crate::radial_profile::RadialProfile;

/// Which profile the chain makes, and looks up in the Z-LUT.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ProfileKind {
    /// Mean brightness per ring.
    Radial {
        /// Bins per pixel.
        oversample: usize,
    },
    /// Mean amplitude per ring of the spectrum, under a Gaussian window around the centre.
    Fft {
        /// Which rings.
        rings: FftProfileOptions,
        /// The window's sigma is `size_px / gaus_factor`.
        gaus_factor: f64,
    },
}

/// Settings of the chain; the defaults are those of `stack_to_xyzp`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MagtrackOptions {
    /// Background of the centre of mass. MagTrack: `center_of_mass.background`, default median.
    pub background: Background,
    /// Number of refinements with a band of lines, default 5. MagTrack: `n auto_conv_multiline_sub_pixel`.
    pub n_refinements: usize,
    /// Width of the band as a fraction of the image, default 0.1. MagTrack: `auto_conv_multiline_sub_pixel.line_ratio`.
    pub line_ratio: f64,
    /// Points of the parabola through the peak, default 5. MagTrack: `auto_conv_multiline_sub_pixel.n_local`.
    pub n_local: usize,
    /// The profile, default radial with one bin per pixel. MagTrack: `use fft_profile`, `fft_profile`, `radial_profile`.
    pub profile: ProfileKind,
    /// Planes of the parabola through the best correlation, default 7. MagTrack: `lookup_z.n_local`.
    pub n_local_z: usize,
}

impl Default for MagtrackOptions {
    fn default() -> Self {
        MagtrackOptions {
            background: Background::Median,
            n_refinements: 5,
            line_ratio: 0.1,
            n_local: 5,
            profile: ProfileKind::Radial { oversample: 1 },
            n_local_z: 7,
        }
    }
}

/// What the chain found in one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainResult {
    /// Column of the centre in ROI coordinates, pixels; NaN when lost.
    pub x_px: f64,
    /// Row of the centre in ROI coordinates, pixels; NaN when lost.
    pub y_px: f64,
    /// z in the unit of the table (nm); NaN when there is none.
    pub z_nm: f64,
    /// Pearson correlation with the best plane of the table; NaN without one.
    pub correlation: f64,
    /// How the search for the centre went: the first thing that made it impossible.
    pub outcome: Outcome,
    /// How the look-up of z went.
    pub z_outcome: ZOutcome,
}

/// Tracks beads in images of one size; owns every plan and all scratch, so that executing allocates nothing.
#[derive(Clone)]
pub struct MagtrackChain {
    background: Background,
    n_refinements: usize,
    n_side: usize,
    fit: ParabolaFit,
    fit_z: ParabolaFit,
    center_of_mass: CenterOfMass,
    auto_conv: AutoConv,
    profile: ProfileWorker,
    scratch: Vec<f64>,
}

#[derive(Clone)]
enum ProfileWorker {
    Radial(Box<RadialProfile>),
    Fft { worker: Box<FftProfile>, gaus_factor: f64 },
}

impl MagtrackChain {
    /// Makes a worker for images of `size_px` x `size_px` pixels. Fails when an option cannot be used.
    pub fn new(size_px: usize, options: &MagtrackOptions) -> Result<MagtrackChain, KernelError> {
        if !(0.0..=1.0).contains(&options.line_ratio) {
            let (value, allowed) = (options.line_ratio, "a fraction of the image, 0 to 1");
            return Err(KernelError::OutOfRange { name: "line_ratio", value, allowed });
        }
        let profile = match options.profile {
            ProfileKind::Radial { oversample } => {
                ProfileWorker::Radial(Box::new(RadialProfile::new(size_px, oversample)?))
            }
            ProfileKind::Fft { rings, gaus_factor } if gaus_factor > 0.0 => {
                ProfileWorker::Fft { worker: Box::new(FftProfile::new(size_px, rings)?), gaus_factor }
            }
            ProfileKind::Fft { gaus_factor, .. } => {
                let allowed = "a number above 0";
                return Err(KernelError::OutOfRange { name: "gaus_factor", value: gaus_factor, allowed });
            }
        };
        let mut chain = MagtrackChain {
            background: options.background,
            n_refinements: options.n_refinements,
            n_side: n_side_lines(size_px, options.line_ratio),
            fit: ParabolaFit::weighted(options.n_local)?,
            fit_z: ParabolaFit::weighted(options.n_local_z)?,
            center_of_mass: CenterOfMass::new(size_px),
            auto_conv: AutoConv::new(size_px)?,
            profile,
            scratch: Vec::new(),
        };
        chain.scratch = vec![0.0; chain.n_bins()];
        Ok(chain)
    }

    /// Length of a profile.
    pub fn n_bins(&self) -> usize {
        match &self.profile {
            ProfileWorker::Radial(worker) => worker.n_bins(),
            ProfileWorker::Fft { worker, .. } => worker.n_bins(),
        }
    }

    /// Tracks one image (`[y, x]`, any stride) and writes its profile ([`MagtrackChain::n_bins`] numbers).
    ///
    /// Without a centre everything is NaN, the profile too. Without a table z is NaN. Panics when the image or `profile`
    /// has another size.
    pub fn execute<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        zlut: Option<&ZlutTable>,
        profile: &mut [f64],
    ) -> ChainResult {
        let center = self.find_center(image);
        if !center.is_finite() {
            profile.fill(f64::NAN);
            return result(Center::none(center.outcome()), ZEstimate::none(ZOutcome::NoCenter));
        }
        self.make_profile(image, center.x_px, center.y_px, profile);
        let z = match zlut {
            None => ZEstimate::none(ZOutcome::NoTable),
            Some(table) => table
                .lookup_z(profile, &self.fit_z, &mut self.scratch)
                .unwrap_or(ZEstimate::none(ZOutcome::BinMismatch)),
        };
        result(center, z)
    }

    /// Steps 1 to 3: the centre alone, NaN on at least one axis when it is lost.
    pub fn find_center<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> Center {
        let mut center = self.center_of_mass.execute(image, self.background);
        if !center.is_finite() {
            return center;
        }
        center = self.auto_conv.auto_conv(image, center.x_px, center.y_px);
        for _ in 0..self.n_refinements {
            // A flat line may still give a number (see AutoConv::auto_conv): MagTrack goes on from it, and so do we.
            if !center.is_finite() {
                return center;
            }
            let Center { x_px, y_px, .. } = center;
            center = self.auto_conv.refine(image, x_px, y_px, self.n_side, &self.fit);
        }
        center
    }

    /// Step 4: the profile around a centre; all NaN for a centre that is not finite.
    ///
    /// Use it to record a Z-LUT with the very profiles that will be looked up. Panics as [`MagtrackChain::execute`].
    pub fn make_profile<P: Pixel>(&mut self, image: ArrayView2<'_, P>, x_px: f64, y_px: f64, profile: &mut [f64]) {
        match &mut self.profile {
            ProfileWorker::Radial(worker) => worker.execute(image, x_px, y_px, profile),
            // Row x, column y: MagTrack swaps the axes of the window, and its spectra are only comparable that way.
            ProfileWorker::Fft { worker, gaus_factor } => {
                worker.fft_profile_with_center(image, x_px, y_px, *gaus_factor, profile);
            }
        }
    }
}

fn result(center: Center, z: ZEstimate) -> ChainResult {
    ChainResult {
        x_px: center.x_px,
        y_px: center.y_px,
        z_nm: z.z_nm,
        correlation: z.correlation,
        outcome: center.outcome(),
        z_outcome: z.outcome,
    }
}

#[cfg(test)]
mod tests;
