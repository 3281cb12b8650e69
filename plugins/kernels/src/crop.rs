//! Square ROIs cut out of frames.

use ndarray::{ArrayView3, ArrayViewMut4, s};

use crate::error::KernelError;
use crate::pixel::Pixel;

/// A rectangle in frame coordinates: rows `top .. bottom`, columns `left .. right` (ends not included).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoiBounds {
    /// First row.
    pub top: usize,
    /// First row below.
    pub bottom: usize,
    /// First column.
    pub left: usize,
    /// First column to the right.
    pub right: usize,
}

impl RoiBounds {
    fn is_square_of(&self, size_px: usize) -> bool {
        self.bottom.checked_sub(self.top) == Some(size_px) && self.right.checked_sub(self.left) == Some(size_px)
    }
}

/// Copies every ROI of every frame: `frames[frame, y, x]` into `out[roi, frame, y, x]`.
///
/// Fails when a ROI is not a square of the size of `out` or does not lie inside the frame; `out` is then untouched.
/// Panics when `out` has other numbers of ROIs or frames. Method: `crop_stack_to_rois` of MagTrack 1.0.0. A tracker
/// that only reads needs no copy: kernels take the view `frame.slice(..)` as it is.
pub fn crop_stack_to_rois<P: Pixel>(
    frames: ArrayView3<'_, P>,
    rois: &[RoiBounds],
    mut out: ArrayViewMut4<'_, P>,
) -> Result<(), KernelError> {
    let (n_rois, n_frames, size_px, width_px) = out.dim();
    assert!(
        (n_rois, n_frames, size_px) == (rois.len(), frames.len_of(ndarray::Axis(0)), width_px),
        "room for {:?}, there are {} ROIs in {} frames",
        out.dim(),
        rois.len(),
        frames.len_of(ndarray::Axis(0))
    );
    let (_, height, width) = frames.dim();
    let fits = |roi: &RoiBounds| roi.is_square_of(size_px) && roi.bottom <= height && roi.right <= width;
    if let Some(index) = rois.iter().position(|roi| !fits(roi)) {
        return Err(KernelError::RoiDoesNotFit { index });
    }
    for (roi, mut out) in rois.iter().zip(out.outer_iter_mut()) {
        out.assign(&frames.slice(s![.., roi.top..roi.bottom, roi.left..roi.right]));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, Array4};

    #[test]
    fn a_roi_past_the_border_or_of_another_size_is_refused() {
        let frames = Array3::<u8>::zeros((2, 10, 12));
        let good = RoiBounds { top: 1, bottom: 5, left: 8, right: 12 };
        let mut out = Array4::zeros((2, 2, 4, 4));
        let mut crop = |roi| crop_stack_to_rois(frames.view(), &[good, roi], out.view_mut());
        assert_eq!(crop(good), Ok(()));
        for bad in [
            RoiBounds { right: 13, left: 9, ..good },
            RoiBounds { bottom: 11, top: 7, ..good },
            RoiBounds { right: 11, ..good },
            RoiBounds { top: 6, ..good },
        ] {
            assert_eq!(crop(bad), Err(KernelError::RoiDoesNotFit { index: 1 }), "{bad:?}");
        }
    }
}
