//! The frame with a margin round it, so that beads that its edge cuts are seen too: they cannot be tracked, but they
//! disturb their neighbours, and a user who sees them flagged does not wonder.

use ndarray::{Array2, ArrayView2, s};
use tetherscope_kernels::CameraPixel;

/// A frame in the middle of a larger image.
pub struct PaddedFrame<P> {
    /// The frame and, round it, pixels of about its mean.
    pub pixels: Array2<P>,
    /// Size of the frame.
    pub width: usize,
    pub height: usize,
    /// Width and height of the ROIs.
    pub roi: (usize, usize),
}

impl<P: CameraPixel> PaddedFrame<P> {
    /// Pads a frame by half a ROI on each side. The frame must not be empty.
    pub fn new(frame: ArrayView2<'_, P>, roi: (usize, usize)) -> Self {
        let (height, width) = frame.dim();
        let value = |p: &P| -> f64 { (*p).into() };
        let mean = frame.iter().map(value).sum::<f64>() / frame.len() as f64;
        let off = |p: &P| (value(p) - mean).abs();
        let fill = frame.iter().min_by(|a, b| off(a).total_cmp(&off(b))).expect("a frame has pixels");
        let (x, y) = (roi.0 / 2, roi.1 / 2);
        let mut pixels = Array2::from_elem((height + 2 * y, width + 2 * x), *fill);
        pixels.slice_mut(s![y..y + height, x..x + width]).assign(&frame);
        Self { pixels, width, height, roi }
    }

    /// Place in the padded image of a place in the frame.
    pub fn padded(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x + (self.roi.0 / 2) as f64, y + (self.roi.1 / 2) as f64)
    }

    /// Place in the frame of a place in the padded image.
    pub fn unpadded(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x - (self.roi.0 / 2) as f64, y - (self.roi.1 / 2) as f64)
    }

    /// How far the ROI with its middle at a place of the frame lies from the frame's edge, negative when it leaves it.
    /// Half a pixel does not count: ROIs are placed by whole pixels.
    pub fn clearance(&self, (x, y): (f64, f64)) -> f64 {
        let along = |at: f64, side: usize, size: usize| {
            let first = at - (side as f64 - 1.0) / 2.0;
            first.min((size as f64 - side as f64) - first)
        };
        along(x, self.roi.0, self.width).min(along(y, self.roi.1, self.height)) + 0.5
    }

    /// True for a place inside the frame.
    pub fn contains(&self, (x, y): (f64, f64)) -> bool {
        x >= 0.0 && y >= 0.0 && x <= self.width as f64 - 1.0 && y <= self.height as f64 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::PaddedFrame;
    use ndarray::{arr2, s};

    #[test]
    fn a_frame_lies_in_the_middle_and_its_rois_know_the_edge() {
        let frame = arr2(&[[1_u8, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 40]]);
        let padded = PaddedFrame::new(frame.view(), (2, 3));
        assert_eq!(padded.pixels.dim(), (6, 6));
        assert_eq!(padded.pixels.slice(s![1..5, 1..5]), frame);
        assert_eq!(padded.pixels[(0, 0)], 7, "the pixel nearest to the mean of 7.4");
        assert_eq!(padded.unpadded(padded.padded((1.5, 2.0))), (1.5, 2.0));
        assert_eq!(padded.clearance((0.5, 1.0)), 0.5);
        assert_eq!(padded.clearance((1.5, 2.0)), 0.5);
        assert!(padded.clearance((1.5, 2.6)) < 0.0, "more than half a pixel outside");
        assert!(padded.contains((3.0, 0.0)) && !padded.contains((3.1, 0.0)));
    }
}
