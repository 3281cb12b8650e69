//! Draws the window without a display, on the CPU: for pictures in the documentation, and for tests that look at pixels.

use super::app::{App, Message};
use iced::advanced::mouse::Cursor;
use iced::advanced::renderer::{Headless as _, Style};
use iced::{Font, Size};
use iced_runtime::user_interface::{Cache, UserInterface};

/// A renderer without a window.
pub(crate) struct Easel {
    renderer: iced::Renderer,
    cache: Option<Cache>,
}

/// What was drawn: four bytes a pixel.
pub(crate) struct Drawn {
    /// Columns.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Red, green, blue, opacity.
    pub(crate) rgba: Vec<u8>,
}

impl Easel {
    /// None if the renderer on the CPU can't be made.
    pub(crate) fn new() -> Option<Self> {
        let font = Font::with_name("Fira Sans");
        let made = iced::Renderer::new(font, 16.0.into(), Some("tiny-skia"));
        let renderer = iced::futures::executor::block_on(made)?;
        Some(Self { renderer, cache: Some(Cache::default()) })
    }

    /// The window as it would be seen, `size` wide and high at a scale of 1.
    pub(crate) fn draw(&mut self, app: &App, size: Size) -> Drawn {
        let theme = app.theme();
        let palette = theme.palette();
        let cache = self.cache.take().unwrap_or_default();
        let mut ui: UserInterface<'_, Message, iced::Theme, iced::Renderer> =
            UserInterface::build(app.view(), size, cache, &mut self.renderer);
        // As a window does before it draws: buttons learn whether they can be pressed.
        let redraw = iced::Event::Window(iced::window::Event::RedrawRequested(std::time::Instant::now()));
        let (cursor, mut clipboard) = (Cursor::Unavailable, iced::advanced::clipboard::Null);
        ui.update(&[redraw], cursor, &mut self.renderer, &mut clipboard, &mut Vec::new());
        ui.draw(&mut self.renderer, &theme, &Style { text_color: palette.text }, Cursor::Unavailable);
        self.cache = Some(ui.into_cache());
        let pixels = Size::new(size.width.round() as u32, size.height.round() as u32);
        let rgba = self.renderer.screenshot(pixels, 1.0, palette.background);
        Drawn { width: pixels.width, height: pixels.height, rgba }
    }
}
