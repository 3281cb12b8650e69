//! The default way from an image to a centre: clipped centre of mass, then quadrant interpolation; and the ring profile
//! around it. Where the centre of mass was too far off, lines through it give a second start.

use ndarray::ArrayView2;

use crate::auto_conv::{AutoConv, n_side_lines};
use crate::clipped_com::ClippedCom;
use crate::error::KernelError;
use crate::parabola::ParabolaFit;
use crate::pixel::Pixel;
use crate::quadrant::{Quadrant, QuadrantFit, QuadrantOptions};
use crate::ring_profile::RingProfile;

/// Below this symmetry the bead is looked for once more from another start.
const DOUBTFUL: f64 = 0.5;

/// Band of lines of the second start, as a fraction of the image, and points of the parabola through its peak.
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
        let start = self.com.execute(image);
        if !start.is_finite() {
            return QuadrantFit::none(start.outcome());
        }
        let first = self.quadrant.execute(image, start.x_px, start.y_px);
        if first.symmetry >= DOUBTFUL && first.converged {
            return first;
        }
        let mut center = self.auto_conv.auto_conv(image, start.x_px, start.y_px);
        for _ in 0..N_REFINEMENTS {
            let (x, y) = (center.x_px, center.y_px);
            let next = self.auto_conv.auto_conv_multiline_sub_pixel(image, x, y, self.n_side, &self.fit);
            if !next.is_finite() {
                break;
            }
            center = next;
        }
        if !center.is_finite() {
            return first;
        }
        let second = self.quadrant.execute(image, center.x_px, center.y_px);
        let better = second.symmetry > first.symmetry || first.symmetry.is_nan();
        if better && second.symmetry.is_finite() { second } else { first }
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
