//! Paints a frame and what lies over it into a picture of the size of the widget: the same pixels whatever renderer shows
//! them, and for snapshots. It knows no widget and no renderer.

use super::transform::Transform;
use crate::digits;
use tetherscope_core::control::{Picture, PicturePixels};

/// What became of a bead in the newest rows; it decides its colour and its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Tracked.
    Good,
    /// Tracked, with a flag.
    Flagged,
    /// No result.
    Lost,
    /// The bead that others are measured against.
    Reference,
    /// Not tracked so far, or a candidate.
    Waiting,
}

impl Mark {
    /// Colours that people with any common colour blindness tell apart (Okabe and Ito, 2008).
    pub(crate) fn color(self) -> [u8; 3] {
        match self {
            Mark::Good => [86, 180, 233],
            Mark::Flagged => [230, 159, 0],
            Mark::Lost => [213, 94, 0],
            Mark::Reference => [0, 190, 135],
            Mark::Waiting => [204, 121, 167],
        }
    }

    /// Lost and waiting are dashed, so that colour isn't all that tells.
    fn dashed(self) -> bool {
        matches!(self, Mark::Lost | Mark::Waiting)
    }
}

/// A ROI as it is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RoiMark {
    /// Its bead; none for a candidate, which has no number.
    pub(crate) bead: Option<u32>,
    /// Leftmost column.
    pub(crate) x_px: i32,
    /// Topmost row.
    pub(crate) y_px: i32,
    /// Width.
    pub(crate) w_px: u32,
    /// Height.
    pub(crate) h_px: u32,
    /// Colour and line.
    pub(crate) mark: Mark,
    /// Drawn bold.
    pub(crate) selected: bool,
}

/// Selected ROIs.
pub(crate) const SELECTED: [u8; 3] = [240, 228, 66];
const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];
/// Between dashes.
const GAP: [u8; 3] = [24; 3];

/// A picture, four bytes a pixel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Canvas {
    /// Columns.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Red, green, blue, opacity.
    pub(crate) rgba: Vec<u8>,
}

impl Canvas {
    /// The part of an image that a transform shows, through a table of colours; `around` where there is no image. Nearest
    /// pixel: what is seen is what the camera gave.
    pub(crate) fn of(
        image: &Picture,
        table: &[[u8; 4]],
        transform: Transform,
        size: (u32, u32),
        around: [u8; 3],
    ) -> Self {
        match &image.pixels {
            PicturePixels::U8(p) => Self::from_pixels(p, image, table, transform, size, around),
            PicturePixels::U16(p) => Self::from_pixels(p, image, table, transform, size, around),
        }
    }

    fn from_pixels<P: Copy + Into<u16>>(
        pixels: &[P],
        image: &Picture,
        table: &[[u8; 4]],
        transform: Transform,
        (width, height): (u32, u32),
        around: [u8; 3],
    ) -> Self {
        let widget = (width as f32, height as f32);
        // In frame pixels, the middle of pixel i is i, so that rounding finds the pixel.
        let column = |x: u32| transform.to_frame((x as f32 + 0.5, 0.0), widget).0.round();
        let row = |y: u32| transform.to_frame((0.0, y as f32 + 0.5), widget).1.round();
        let (image_width, image_height) = (image.width_px as usize, image.height_px as usize);
        let inside = |at: f32, limit: usize| (at >= 0.0 && at < limit as f32).then_some(at as usize);
        let columns: Vec<Option<usize>> = (0..width).map(|x| inside(column(x), image_width)).collect();
        let first = columns.iter().position(Option::is_some).unwrap_or(columns.len());
        let columns: Vec<usize> = columns.into_iter().flatten().collect();
        let around = [around[0], around[1], around[2], 255];
        let mut rgba = around.repeat((width * height) as usize);
        let last = table.len() - 1;
        for (y, line) in rgba.chunks_exact_mut(4 * width as usize).enumerate() {
            let Some(row) = inside(row(y as u32), image_height) else { continue };
            let source = &pixels[row * image_width..(row + 1) * image_width];
            for (out, &x) in line[4 * first..].chunks_exact_mut(4).zip(&columns) {
                out.copy_from_slice(&table[usize::from(source[x].into()).min(last)]);
            }
        }
        Self { width, height, rgba }
    }

    /// A picture of one colour.
    pub(crate) fn plain(width: u32, height: u32, color: [u8; 3]) -> Self {
        let rgba = [color[0], color[1], color[2], 255].repeat((width * height) as usize);
        Self { width, height, rgba }
    }

    /// Whatever lies outside is not drawn.
    pub(crate) fn dot(&mut self, x: i64, y: i64, color: [u8; 3]) {
        if (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y) {
            let at = 4 * (y as usize * self.width as usize + x as usize);
            self.rgba[at..at + 3].copy_from_slice(&color);
        }
    }

    /// A filled rectangle.
    pub(crate) fn fill(&mut self, x: i64, y: i64, w: i64, h: i64, color: [u8; 3]) {
        let clip = |from: i64, length: i64, limit: u32| {
            (from.clamp(0, i64::from(limit)) as usize, (from + length).clamp(0, i64::from(limit)) as usize)
        };
        let ((x0, x1), (y0, y1)) = (clip(x, w, self.width), clip(y, h, self.height));
        let color = [color[0], color[1], color[2], 255];
        for row in y0..y1 {
            let line = &mut self.rgba[4 * (row * self.width as usize + x0)..4 * (row * self.width as usize + x1)];
            line.chunks_exact_mut(4).for_each(|p| p.copy_from_slice(&color));
        }
    }

    /// The outline of a rectangle, `thick` pixels inwards; dashed with dashes of `dash` pixels unless that is 0.
    pub(crate) fn outline(&mut self, rect: (i64, i64, i64, i64), thick: i64, dash: i64, color: [u8; 3]) {
        let (x, y, w, h) = rect;
        let side = |canvas: &mut Self, along: i64, place: &dyn Fn(i64, i64) -> (i64, i64, i64, i64)| {
            let length = if dash == 0 { along } else { dash };
            for from in (0..along).step_by(length.max(1) as usize * if dash == 0 { 1 } else { 2 }) {
                let (x, y, w, h) = place(from, length.min(along - from));
                canvas.fill(x, y, w, h, color);
            }
        };
        side(self, w, &|from, n| (x + from, y, n, thick));
        side(self, w, &|from, n| (x + from, y + h - thick, n, thick));
        side(self, h, &|from, n| (x, y + from, thick, n));
        side(self, h, &|from, n| (x + w - thick, y + from, thick, n));
    }

    /// Boxes with the numbers of their beads, which have the same size at every zoom. `scale` is the number of picture
    /// pixels for one of the screen's design pixels.
    pub(crate) fn rois(&mut self, rois: &[RoiMark], transform: Transform, scale: f32) {
        let widget = (self.width as f32, self.height as f32);
        let unit = (scale.round() as i64).max(1);
        // The selected last: they lie on top.
        for roi in rois.iter().filter(|r| !r.selected).chain(rois.iter().filter(|r| r.selected)) {
            let (x0, y0) = transform.to_widget((roi.x_px as f32 - 0.5, roi.y_px as f32 - 0.5), widget);
            let far = (roi.x_px as f32 + roi.w_px as f32 - 0.5, roi.y_px as f32 + roi.h_px as f32 - 0.5);
            let (x1, y1) = transform.to_widget(far, widget);
            if x1 < 0.0 || y1 < 0.0 || x0 > widget.0 || y0 > widget.1 {
                continue;
            }
            let (x, y) = (x0.round() as i64, y0.round() as i64);
            let (w, h) = ((x1.round() as i64 - x).max(2 * unit), (y1.round() as i64 - y).max(2 * unit));
            let color = if roi.selected { SELECTED } else { roi.mark.color() };
            let bold = roi.selected || roi.bead.is_none() || roi.mark == Mark::Reference;
            let thick = if bold { 2 * unit } else { unit };
            let dash = if roi.mark.dashed() { 4 * unit } else { 0 };
            if dash > 0 {
                // Between dashes it is dark: seen on the bright rings of a bead too.
                self.outline((x, y, w, h), thick, 0, GAP);
            }
            self.outline((x, y, w, h), thick, dash, color);
            if let Some(bead) = roi.bead {
                self.label(x, (y, y + h), &bead.to_string(), unit, color);
            }
        }
    }

    /// A number on a dark ground, above a box from `top` to `bottom` if there is room, else below it.
    fn label(&mut self, x: i64, (top, bottom): (i64, i64), text: &str, unit: i64, color: [u8; 3]) {
        let pixel = 2 * unit;
        let (w, h) = (text.len() as i64 * digits::ADVANCE * pixel + pixel, (digits::HEIGHT + 2) * pixel);
        let top = if top >= h { top - h } else { bottom };
        self.fill(x, top, w, h, BLACK);
        digits::write(text, x + pixel, top + pixel, pixel, |x, y| self.dot(x, y, color));
    }

    /// A white bar with a dark rim, its right end at (x, y).
    pub(crate) fn scale_bar(&mut self, right: i64, bottom: i64, length: i64, unit: i64) {
        let thick = 4 * unit;
        self.fill(right - length - unit, bottom - thick - unit, length + 2 * unit, thick + 2 * unit, BLACK);
        self.fill(right - length, bottom - thick, length, thick, WHITE);
    }
}

/// A round length for a bar of at most `most` pixels at `nm_per_pixel`: the length in nm and in pixels.
pub(crate) fn bar_length(most: f32, nm_per_pixel: f32) -> Option<(f64, f32)> {
    let most_nm = f64::from(most) * f64::from(nm_per_pixel);
    if !(most_nm.is_finite() && most_nm > 0.0) {
        return None;
    }
    let decade = 10_f64.powf(most_nm.log10().floor());
    let step = [5.0, 2.0, 1.0].into_iter().find(|s| s * decade <= most_nm)?;
    let nm = step * decade;
    Some((nm, (nm / f64::from(nm_per_pixel)) as f32))
}

/// A length with the unit that people read: `500 nm`, `5 µm`.
pub(crate) fn length_text(nm: f64) -> String {
    if nm >= 1000.0 { format!("{} µm", nm / 1000.0) } else { format!("{nm} nm") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Picture {
        Picture {
            frame: 0,
            width_px: 3,
            height_px: 2,
            significant_bits: 8,
            pixels: PicturePixels::U8(vec![10, 20, 30, 40, 50, 60]),
        }
    }

    fn greys() -> Vec<[u8; 4]> {
        (0..=255).map(|v| [v, v, v, 255]).collect()
    }

    fn pixel(c: &Canvas, x: usize, y: usize) -> [u8; 3] {
        let at = 4 * (y * c.width as usize + x);
        [c.rgba[at], c.rgba[at + 1], c.rgba[at + 2]]
    }

    #[test]
    fn at_a_whole_zoom_each_camera_pixel_is_a_square_and_widths_need_not_divide_by_four() {
        let fit = Transform::fit((3.0, 2.0), (9.0, 6.0));
        let c = Canvas::of(&ramp(), &greys(), fit, (9, 6), BLACK);
        for y in 0..6 {
            for x in 0..9 {
                let v = [[10, 20, 30], [40, 50, 60]][y / 3][x / 3];
                assert_eq!(pixel(&c, x, y), [v; 3], "{x} {y}");
            }
        }
    }

    #[test]
    fn what_is_not_image_has_the_surrounding_colour() {
        let fit = Transform::fit((3.0, 2.0), (7.0, 2.0));
        let c = Canvas::of(&ramp(), &greys(), fit, (7, 2), [1, 2, 3]);
        let row: Vec<u8> = (0..7).map(|x| pixel(&c, x, 0)[0]).collect();
        assert_eq!(row, [1, 1, 10, 20, 30, 1, 1]);
        let away = Transform { zoom: 1.0, x_px: 100.0, y_px: 100.0 };
        assert!(Canvas::of(&ramp(), &greys(), away, (4, 4), [9; 3]).rgba.chunks(4).all(|p| p == [9, 9, 9, 255]));
    }

    #[test]
    fn values_above_the_table_are_drawn_like_the_largest() {
        let image = Picture {
            frame: 0,
            width_px: 1,
            height_px: 1,
            significant_bits: 12,
            pixels: PicturePixels::U16(vec![60_000]),
        };
        let c = Canvas::of(&image, &vec![[7; 4]; 4096], Transform::fit((1.0, 1.0), (1.0, 1.0)), (1, 1), BLACK);
        assert_eq!(c.rgba, [7; 4]);
    }

    #[test]
    fn a_roi_is_drawn_on_the_borders_of_its_pixels_and_may_leave_the_picture() {
        let roi = RoiMark { bead: Some(4), x_px: 2, y_px: 3, w_px: 5, h_px: 4, mark: Mark::Good, selected: false };
        let transform = Transform::fit((20.0, 20.0), (40.0, 40.0));
        let mut c = Canvas::plain(40, 40, BLACK);
        c.rois(&[roi], transform, 1.0);
        // Columns 2 to 6 at zoom 2 are 4 to 13; row 3 begins at 6, and rows 3 to 6 end with 13.
        assert_eq!(pixel(&c, 13, 10), Mark::Good.color());
        assert_eq!(pixel(&c, 13, 13), Mark::Good.color());
        assert_eq!((pixel(&c, 14, 13), pixel(&c, 13, 14)), (BLACK, BLACK));
        let far = RoiMark { x_px: -100, y_px: 1000, w_px: 3000, ..roi };
        c.rois(&[far, RoiMark { selected: true, ..far }], transform, 2.0);
    }

    #[test]
    fn lost_beads_are_dashed_and_labels_have_one_size_at_every_zoom() {
        let roi = RoiMark { bead: Some(8), x_px: 10, y_px: 40, w_px: 60, h_px: 40, mark: Mark::Lost, selected: false };
        let labelled = |zoom: f32| {
            let mut c = Canvas::plain(200, 200, [50; 3]);
            let transform = Transform { zoom, x_px: 50.0, y_px: 50.0 };
            c.rois(&[roi], transform, 1.0);
            let n_dark = c.rgba.chunks(4).filter(|p| p[..3] == BLACK).count();
            let right = transform.to_widget((69.5, 0.0), (200.0, 200.0)).0.round() as usize - 1;
            let line = (0..200).filter(|&y| pixel(&c, right, y) == Mark::Lost.color()).count();
            let ground = (0..200).filter(|&y| pixel(&c, right, y) == GAP).count();
            assert!(ground.abs_diff(line) <= 4, "dashes and gaps take turns: {line} {ground}");
            (n_dark, line)
        };
        let ((dark_1, line_1), (dark_2, line_2)) = (labelled(1.0), labelled(1.5));
        assert_eq!(dark_1, dark_2);
        assert!(line_1 < 30 && line_2 < 45, "{line_1} {line_2}: no gap between dashes");
    }

    #[test]
    fn scale_bars_have_round_lengths() {
        assert_eq!(bar_length(100.0, 120.0), Some((10_000.0, 10_000.0 / 120.0)));
        assert_eq!(bar_length(50.0, 10.0).unwrap().0, 500.0);
        assert_eq!(bar_length(39.0, 10.0).unwrap().0, 200.0);
        assert_eq!(bar_length(100.0, f32::NAN), None);
        assert_eq!((length_text(500.0), length_text(5000.0)), ("500 nm".into(), "5 µm".into()));
    }
}
