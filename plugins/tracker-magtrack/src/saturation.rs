//! Whether a ROI has saturated pixels. Every pixel of a ROI counts in the centre of mass, so one is enough for the flag.

use ndarray::ArrayView2;

/// From which pixel value on a pixel is saturated.
#[derive(Debug, Clone, Copy)]
pub struct Saturation {
    /// None: not known, or above every pixel value.
    level: Option<u16>,
}

impl Saturation {
    /// The level in ADU; NaN is unknown and flags nothing.
    pub fn new(level_adu: f64) -> Self {
        let level = level_adu.ceil().max(0.0);
        let known = !level_adu.is_nan() && level <= f64::from(u16::MAX);
        Self { level: known.then_some(level as u16) }
    }

    /// True when a pixel of the ROI is at the level or above.
    pub fn is_reached<P: Copy + Ord + Into<u16>>(self, image: ArrayView2<'_, P>) -> bool {
        let Some(level) = self.level else { return false };
        // Row by row, since the largest value of a slice is found many pixels at a time.
        let largest = |row: ndarray::ArrayView1<'_, P>| match row.as_slice() {
            Some(pixels) => pixels.iter().copied().max(),
            None => row.iter().copied().max(),
        };
        image.rows().into_iter().filter_map(largest).any(|p| p.into() >= level)
    }
}
