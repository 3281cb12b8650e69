//! A picture of the first frame with a box, an id and a score for each bead that was found: what a person looks at to
//! judge a finder. It decides nothing and writes no file.

use tetherscope_analysis::{Canvas, TEXT_PX};
use tetherscope_core::loader::Hit;
use tetherscope_core::loader::abi::FLAG_NEIGHBOUR;
use tetherscope_core::{Pixels, Roi, StillImage, roi_round};

/// Red, green, blue: alone in its ROI; another bead in its ROI; left out because its ROI leaves the frame.
const ALONE: [u8; 3] = [60, 220, 60];
const NEIGHBOUR: [u8; 3] = [255, 170, 0];
const LEFT_OUT: [u8; 3] = [255, 60, 60];
/// Share of the pixels that may be drawn black, and white.
const CLIPPED: f64 = 0.001;

/// The picture, three bytes per pixel. `rois` are those of `hits`, none for one that was left out.
pub(crate) fn draw(image: &StillImage, hits: &[Hit], rois: &[Option<Roi>], size_px: u32) -> Vec<u8> {
    let grey = match &image.pixels {
        Pixels::U8(p) => stretched(p),
        Pixels::U16(p) => stretched(p),
    };
    let rgb = grey.into_iter().flat_map(|g| [g; 3]).collect();
    let mut canvas = Canvas::on(i64::from(image.width_px), i64::from(image.height_px), rgb);
    // The surest last: its box lies on top.
    for (hit, roi) in hits.iter().zip(rois).rev() {
        let color = match roi {
            None => LEFT_OUT,
            Some(_) if hit.flags & FLAG_NEIGHBOUR != 0 => NEIGHBOUR,
            Some(_) => ALONE,
        };
        let place = roi.unwrap_or_else(|| roi_round(0, hit.x_px, hit.y_px, size_px));
        let (x, y, side) = (i64::from(place.x_px), i64::from(place.y_px), i64::from(size_px));
        canvas.frame(x, y, side, color);
        if let Some(roi) = roi {
            canvas.text(x + 2, y + 2, &roi.bead.to_string(), color);
        }
        let score = format!("{:.2}", hit.score);
        canvas.text(x + 2, y + side - 2 - TEXT_PX, score.strip_prefix('0').unwrap_or(&score), color);
    }
    canvas.into_rgb()
}

/// 8 bits, so that all but the darkest and the brightest pixels keep their differences.
fn stretched<P: Copy + Into<u16>>(pixels: &[P]) -> Vec<u8> {
    let mut counts = vec![0_usize; 1 << 16];
    pixels.iter().for_each(|&p| counts[usize::from(p.into())] += 1);
    let n_clipped = (CLIPPED * pixels.len() as f64) as usize;
    let low = after_clipped(&counts, 0..counts.len(), n_clipped);
    let high = after_clipped(&counts, (0..counts.len()).rev(), n_clipped).max(low + 1);
    let scale = 255.0 / (high - low) as f64;
    pixels.iter().map(|&p| ((f64::from(p.into()) - low as f64) * scale).round().clamp(0.0, 255.0) as u8).collect()
}

/// The first of `values` at which more than `n_clipped` pixels were passed.
fn after_clipped(counts: &[usize], mut values: impl Iterator<Item = usize>, n_clipped: usize) -> usize {
    let mut n_passed = 0;
    let found = values.find(|&v| {
        n_passed += counts[v];
        n_passed > n_clipped
    });
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_have_the_color_of_their_flag_and_may_leave_the_picture() {
        let image = StillImage { width_px: 60, height_px: 40, significant_bits: 8, pixels: Pixels::U8(vec![9; 2400]) };
        let hit = |x_px, flags| Hit { x_px, y_px: 20.0, score: 0.5, flags, reserved: 0 };
        let hits = [hit(20.0, 0), hit(33.0, FLAG_NEIGHBOUR), hit(58.0, 0)];
        let rois = [Some(roi_round(0, 20.0, 20.0, 21)), Some(roi_round(1, 33.0, 20.0, 21)), None];
        let rgb = draw(&image, &hits, &rois, 21);
        let at = |x: usize, y: usize| &rgb[3 * (y * 60 + x)..][..3];
        assert_eq!((at(10, 10), at(43, 30), at(50, 10)), (&ALONE[..], &NEIGHBOUR[..], &LEFT_OUT[..]));
        assert_eq!(at(30, 15), &ALONE[..], "the surest lies on top");
        assert_eq!(at(5, 5), &[0; 3], "a flat image is black");
        assert_eq!(rgb.len(), 3 * 2400);
    }

    #[test]
    fn contrast_is_stretched_without_the_few_extremes() {
        let mut pixels: Vec<u16> = (0..10_000).map(|i| 1000 + i / 100).collect();
        pixels[..5].fill(65_535);
        let grey = stretched(&pixels);
        assert_eq!((grey[0], grey[150], grey[9_999]), (255, 3, 255));
        assert!(grey[5..].is_sorted());
    }
}
