//! A table of numbers as colours: a Z-LUT's profiles against focus. Dark to bright, in colours that look the same to everybody
//! (cividis, Nuñez et al. 2018).

use super::painted::Painted;
use super::video::raster::Canvas;
use iced::advanced::widget::{Tree, tree};
use iced::advanced::{Layout, Widget, layout, mouse, renderer};
use iced::{Element, Length, Rectangle, Size};

const COLORS: [[u8; 3]; 9] = [
    [0, 34, 78],
    [18, 53, 112],
    [59, 73, 108],
    [87, 93, 109],
    [112, 113, 115],
    [138, 134, 120],
    [165, 156, 116],
    [195, 179, 105],
    [254, 232, 56],
];
/// No number.
const NONE: [u8; 3] = [160, 0, 90];
/// The row that is marked.
const MARK: [u8; 3] = [255, 255, 255];

/// The colour of a part between 0 and 1.
pub(crate) fn color(part: f64) -> [u8; 3] {
    if !part.is_finite() {
        return NONE;
    }
    let at = part.clamp(0.0, 1.0) * (COLORS.len() - 1) as f64;
    let i = (at as usize).min(COLORS.len() - 2);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * (at - i as f64)).round() as u8;
    std::array::from_fn(|c| mix(COLORS[i][c], COLORS[i + 1][c]))
}

/// Smallest and largest finite value.
fn extent(values: &[f64]) -> (f64, f64) {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
}

/// The table as a picture of `size`; its first row is at the bottom, as z rises.
pub(crate) fn paint(values: &[f64], n_columns: usize, size: (u32, u32), marked: Option<usize>) -> Canvas {
    let mut canvas = Canvas::plain(size.0, size.1, NONE);
    let n_rows = values.len().checked_div(n_columns).unwrap_or(0);
    if n_rows == 0 {
        return canvas;
    }
    let (low, high) = extent(values);
    let span = if high > low { high - low } else { 1.0 };
    for (y, line) in canvas.rgba.chunks_exact_mut(4 * size.0 as usize).enumerate() {
        let row = n_rows - 1 - y * n_rows / size.1 as usize;
        for (x, out) in line.chunks_exact_mut(4).enumerate() {
            let value = values[row * n_columns + x * n_columns / size.0 as usize];
            out[..3].copy_from_slice(&color((value - low) / span));
        }
    }
    if let Some(row) = marked.filter(|r| *r < n_rows) {
        let middle = (n_rows - 1 - row) as f64 + 0.5;
        canvas.fill(0, (middle / n_rows as f64 * f64::from(size.1)) as i64, size.0.into(), 1, MARK);
    }
    canvas
}

/// The widget.
pub(crate) struct Heat<'a> {
    values: &'a [f64],
    n_columns: usize,
    marked: Option<usize>,
    scale: f32,
}

impl<'a> Heat<'a> {
    /// Shows `values`, rows of `n_columns`.
    pub(crate) fn new(values: &'a [f64], n_columns: usize, marked: Option<usize>, scale: f32) -> Self {
        Self { values, n_columns, marked, scale }
    }
}

/// How many values, their sum, and all else that the picture depends on. A table that is replaced has another sum.
type Key = (usize, u64, usize, Option<usize>);

impl<Message> Widget<Message, iced::Theme, iced::Renderer> for Heat<'_> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<Painted<Key>>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(Painted::<Key>::new())
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, _: &mut Tree, _: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        layout::atomic(limits, Length::Fill, Length::Fill)
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        _theme: &iced::Theme,
        _style: &renderer::Style,
        layout: Layout<'_>,
        _cursor: mouse::Cursor,
        _viewport: &Rectangle,
    ) {
        let sum = self.values.iter().filter(|v| v.is_finite()).sum::<f64>().to_bits();
        let key = (self.values.len(), sum, self.n_columns, self.marked);
        let painted = tree.state.downcast_ref::<Painted<Key>>();
        painted.draw(renderer, layout.bounds(), self.scale, key, |size| {
            (paint(self.values, self.n_columns, size, self.marked), ())
        });
    }
}

impl<'a, Message: 'a> From<Heat<'a>> for Element<'a, Message> {
    fn from(heat: Heat<'a>) -> Self {
        Element::new(heat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_is_at_the_bottom_and_what_is_no_number_stands_out() {
        let canvas = paint(&[0.0, 1.0, 0.5, f64::NAN], 2, (2, 2), None);
        let pixel = |i: usize| [canvas.rgba[4 * i], canvas.rgba[4 * i + 1], canvas.rgba[4 * i + 2]];
        assert_eq!((pixel(2), pixel(3)), (COLORS[0], COLORS[8]));
        assert_eq!((pixel(0), pixel(1)), (COLORS[4], NONE));
    }

    #[test]
    fn colours_rise_in_brightness() {
        let light = |c: [u8; 3]| 0.2126 * f64::from(c[0]) + 0.7152 * f64::from(c[1]) + 0.0722 * f64::from(c[2]);
        let steps: Vec<f64> = (0..=100).map(|i| light(color(f64::from(i) / 100.0))).collect();
        assert!(steps.windows(2).all(|w| w[1] > w[0]));
    }

    #[test]
    fn an_empty_or_flat_table_divides_by_nothing() {
        assert_eq!(paint(&[], 0, (3, 3), Some(1)).rgba.len(), 36);
        assert_eq!(paint(&[2.0; 6], 3, (3, 3), Some(9)).rgba[..3], COLORS[0]);
    }
}
