//! Whether a ROI has saturated pixels. Every pixel of a ROI counts in the centre of mass, so one is enough for the flag.

use ndarray::ArrayView2;

/// Pixels of a row that are looked at side by side.
const LANES: usize = 32;

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
    pub fn is_reached<P: Copy + Ord + Default + Into<u16>>(self, image: ArrayView2<'_, P>) -> bool {
        let Some(level) = self.level else { return false };
        // Lanes go on from row to row: the largest of a row alone takes longer to draw from them than to find.
        let mut lanes = [P::default(); LANES];
        for row in image.rows() {
            match row.to_slice().and_then(|row| Some((row.as_chunks::<LANES>().0, row.last_chunk::<LANES>()?))) {
                // The last chunk overlaps the one before: looking twice changes no maximum.
                Some((chunks, last)) => {
                    for pixels in chunks.iter().chain([last]) {
                        for (lane, &p) in lanes.iter_mut().zip(pixels) {
                            *lane = p.max(*lane);
                        }
                    }
                }
                None => lanes[0] = row.iter().copied().fold(lanes[0], P::max),
            }
        }
        lanes.into_iter().any(|p| p.into() >= level)
    }
}
