//! A picture of the first frame with a box, an id and a score for each bead that was found: what a person looks at to
//! judge a finder. It decides nothing and writes no file.

use tetherscope_core::loader::Hit;
use tetherscope_core::loader::abi::FLAG_NEIGHBOUR;
use tetherscope_core::{Pixels, Roi, StillImage, roi_round};

/// Red, green, blue: alone in its ROI; another bead in its ROI; left out because its ROI leaves the frame.
const ALONE: [u8; 3] = [60, 220, 60];
const NEIGHBOUR: [u8; 3] = [255, 170, 0];
const LEFT_OUT: [u8; 3] = [255, 60, 60];
/// Share of the pixels that may be drawn black, and white.
const CLIPPED: f64 = 0.001;
/// Side of a pixel of the digits.
const DIGIT_SCALE: i64 = 2;
/// Digits and a point, 3 wide and 5 high; the highest bit of a row is its left pixel.
const DIGITS: [[u8; 5]; 11] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
    [0b000, 0b000, 0b000, 0b000, 0b010],
];

/// The picture, three bytes per pixel. `rois` are those of `hits`, none for one that was left out.
pub(crate) fn draw(image: &StillImage, hits: &[Hit], rois: &[Option<Roi>], size_px: u32) -> Vec<u8> {
    let grey = match &image.pixels {
        Pixels::U8(p) => stretched(p),
        Pixels::U16(p) => stretched(p),
    };
    let rgb = grey.into_iter().flat_map(|g| [g; 3]).collect();
    let mut canvas = Canvas { width: i64::from(image.width_px), height: i64::from(image.height_px), rgb };
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
        canvas.text(x + 2, y + side - 2 - 5 * DIGIT_SCALE, score.strip_prefix('0').unwrap_or(&score), color);
    }
    canvas.rgb
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

struct Canvas {
    width: i64,
    height: i64,
    rgb: Vec<u8>,
}

impl Canvas {
    /// Whatever lies outside is not drawn.
    fn dot(&mut self, x: i64, y: i64, color: [u8; 3]) {
        if (0..self.width).contains(&x) && (0..self.height).contains(&y) {
            let at = 3 * (y * self.width + x) as usize;
            self.rgb[at..at + 3].copy_from_slice(&color);
        }
    }

    /// The outermost pixels of a square.
    fn frame(&mut self, x: i64, y: i64, side: i64, color: [u8; 3]) {
        for i in 0..side {
            for (px, py) in [(x + i, y), (x + i, y + side - 1), (x, y + i), (x + side - 1, y + i)] {
                self.dot(px, py, color);
            }
        }
    }

    /// Digits and points; anything else is left out.
    fn text(&mut self, mut x: i64, y: i64, text: &str, color: [u8; 3]) {
        for c in text.chars() {
            let glyph = if c == '.' { Some(10) } else { c.to_digit(10) };
            let Some(rows) = glyph.and_then(|g| DIGITS.get(g as usize)) else { continue };
            for (v, row) in (0..).zip(rows) {
                for u in (0..3).filter(|u| row >> (2 - u) & 1 == 1) {
                    for (dx, dy) in (0..DIGIT_SCALE).flat_map(|dx| (0..DIGIT_SCALE).map(move |dy| (dx, dy))) {
                        self.dot(x + i64::from(u) * DIGIT_SCALE + dx, y + v * DIGIT_SCALE + dy, color);
                    }
                }
            }
            x += 4 * DIGIT_SCALE;
        }
    }
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
