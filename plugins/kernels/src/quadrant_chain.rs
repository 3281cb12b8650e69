//! The default way from an image to a centre: clipped centre of mass, lines through it, then quadrant interpolation; and
//! the ring profile around it. Where halves are not alike round that centre, two other starts are tried.

use ndarray::ArrayView2;

use crate::auto_conv::{AutoConv, n_side_lines};
use crate::clipped_com::ClippedCom;
use crate::error::KernelError;
use crate::outcome::Center;
use crate::parabola::ParabolaFit;
use crate::pixel::Pixel;
use crate::quadrant::{Quadrant, QuadrantFit, QuadrantOptions};
use crate::radial_symmetry::{RadialSymmetry, RadialSymmetryOptions};
use crate::ring_profile::RingProfile;

/// Below this symmetry the bead is looked for once more from another start. A bead alone has more than 0.95 at 10^3
/// electrons; with a ring taken for the centre 0.5 to 0.7 was seen.
const DOUBTFUL: f64 = 0.85;

/// Band of the lines, as a fraction of the image, and points of the parabola through its peak.
const LINE_RATIO: f64 = 0.1;
const N_LOCAL: usize = 5;
const N_REFINEMENTS: usize = 2;

/// Finds centres and makes profiles in images of one size; executing allocates nothing.
#[derive(Debug, Clone)]
pub struct QuadrantChain {
    com: ClippedCom,
    auto_conv: AutoConv,
    fit: ParabolaFit,
    n_side: usize,
    radial: RadialSymmetry,
    quadrant: Quadrant,
    profile: RingProfile,
}

impl QuadrantChain {
    /// Makes a worker for images of `size_px` x `size_px` pixels; the centre of mass clips at `clip_sigma` standard
    /// deviations. Fails where [`Quadrant::new`], [`ClippedCom::new`] or [`RingProfile::new`] does.
    pub fn new(size_px: usize, clip_sigma: f64, options: &QuadrantOptions) -> Result<QuadrantChain, KernelError> {
        Ok(QuadrantChain {
            quadrant: Quadrant::new(size_px, options)?,
            com: ClippedCom::new(size_px, clip_sigma)?,
            radial: RadialSymmetry::new(size_px, &RadialSymmetryOptions { isa: options.isa, ..Default::default() })?,
            auto_conv: AutoConv::new(size_px)?,
            fit: ParabolaFit::weighted(N_LOCAL)?,
            n_side: n_side_lines(size_px, LINE_RATIO),
            profile: RingProfile::new(size_px, options.isa)?,
        })
    }

    /// Length of a profile; its bins are [`RingProfile::STEP_PX`] apart, the first at 0.
    pub fn n_bins(&self) -> usize {
        self.profile.n_bins()
    }

    /// The centre in `image` (`[y, x]`, any stride). Never fails: what cannot be had is NaN with its reason. Panics when
    /// the image has another size.
    pub fn find_center<P: Pixel>(&mut self, image: ArrayView2<'_, P>) -> QuadrantFit {
        let mass = self.com.execute(image);
        if !mass.is_finite() {
            return QuadrantFit::none(mass.outcome());
        }
        let good = |fit: &QuadrantFit| fit.symmetry >= DOUBTFUL && fit.converged;
        // Lines are right to about a hundredth of a pixel, mostly: one pass.
        let lines = self.center_of_lines(image, mass);
        let mut best = self.quadrant.refine(image, lines.x_px, lines.y_px);
        if good(&best) {
            return best;
        }
        let better = |best: QuadrantFit, other: QuadrantFit| {
            if other.symmetry > best.symmetry || best.symmetry.is_nan() { other } else { best }
        };
        best = better(best, self.quadrant.execute(image, mass.x_px, mass.y_px));
        if good(&best) {
            return best;
        }
        let radial = self.radial.execute(image, mass.x_px, mass.y_px);
        if !(radial.x_px.is_finite() && radial.y_px.is_finite()) {
            return best;
        }
        better(best, self.quadrant.execute(image, radial.x_px, radial.y_px))
    }

    /// The centre that a band of rows and one of columns have; NaN where they have none.
    fn center_of_lines<P: Pixel>(&mut self, image: ArrayView2<'_, P>, mass: Center) -> Center {
        let mut center = self.auto_conv.auto_conv(image, mass.x_px, mass.y_px);
        for _ in 0..N_REFINEMENTS {
            if !center.is_finite() {
                break;
            }
            let (x, y) = (center.x_px, center.y_px);
            center = self.auto_conv.auto_conv_multiline_sub_pixel(image, x, y, self.n_side, &self.fit);
        }
        center
    }

    /// The profile around a centre and its weights, as [`RingProfile::execute`].
    pub fn make_profile<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        x_px: f64,
        y_px: f64,
        profile: &mut [f64],
        weights: &mut [f32],
    ) {
        self.profile.execute(image, x_px, y_px, profile, weights);
    }
}
