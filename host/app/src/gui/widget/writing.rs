//! Text over canvases: one line somewhere, or a sentence in the middle.

use iced::advanced::text::{self, Alignment, Renderer as _, Text};
use iced::alignment::Vertical;
use iced::{Color, Point, Rectangle, Size};

/// One short line whose anchor is at `at`: `align` says which end of it, and whether its middle or its top.
pub(super) fn line(
    renderer: &mut iced::Renderer,
    clip: Rectangle,
    content: &str,
    (at, size): (Point, f32),
    align: (Alignment, Vertical),
    color: Color,
) {
    let text = Text {
        content: content.to_owned(),
        bounds: Size::new(clip.width, 20.0),
        size: size.into(),
        line_height: text::LineHeight::default(),
        font: renderer.default_font(),
        align_x: align.0,
        align_y: align.1,
        shaping: text::Shaping::default(),
        wrapping: text::Wrapping::None,
    };
    write(renderer, text, at, color, clip);
}

/// A sentence in the middle.
pub(super) fn centred(renderer: &mut iced::Renderer, bounds: Rectangle, content: &str, color: Color) {
    let text = Text {
        content: content.to_owned(),
        bounds: bounds.size(),
        size: 16.0.into(),
        line_height: text::LineHeight::default(),
        font: renderer.default_font(),
        align_x: Alignment::Center,
        align_y: Vertical::Center,
        shaping: text::Shaping::default(),
        wrapping: text::Wrapping::Word,
    };
    write(renderer, text, bounds.center(), color, bounds);
}

fn write(renderer: &mut iced::Renderer, text: Text, at: Point, color: Color, clip: Rectangle) {
    // Wider than the layer, which clips: otherwise the renderer on the CPU clips by its own, wrong way.
    renderer.fill_text(text, at, color, clip.expand(1.0));
}
