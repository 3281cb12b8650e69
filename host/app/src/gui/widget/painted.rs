//! What picture, plots and heat maps share: a canvas of the screen's own pixels, painted anew only when something that it
//! depends on has changed, and shown by either renderer.

use super::picture::{self, PlaceId};
use super::video::raster::Canvas;
use iced::Rectangle;
use iced::advanced::image::Handle;
use std::cell::{Cell, Ref, RefCell};

/// The last canvas, what it was made of (`K`), and what else came out of painting it (`E`).
pub(crate) struct Painted<K, E = ()> {
    place: PlaceId,
    last: RefCell<Option<Last<K, E>>>,
    count: Cell<u64>,
}

struct Last<K, E> {
    key: (K, (u32, u32)),
    handle: Handle,
    extra: E,
}

impl<K: PartialEq, E> Painted<K, E> {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { place: PlaceId::unique(), last: RefCell::new(None), count: Cell::new(0) }
    }

    /// Shows the canvas of this key in `bounds`; `paint` makes it, of this size, if the last one was another. True if it was
    /// made; nothing is shown where there is no room.
    pub(crate) fn draw(
        &self,
        renderer: &mut iced::Renderer,
        bounds: Rectangle,
        scale: f32,
        key: K,
        paint: impl FnOnce((u32, u32)) -> (Canvas, E),
    ) -> bool {
        let size = ((bounds.width * scale).round() as u32, (bounds.height * scale).round() as u32);
        if size.0 == 0 || size.1 == 0 {
            return false;
        }
        let key = (key, size);
        let mut last = self.last.borrow_mut();
        let is_new = last.as_ref().is_none_or(|l| l.key != key);
        if is_new {
            let (canvas, extra) = paint(size);
            let handle = Handle::from_rgba(size.0, size.1, canvas.rgba);
            *last = Some(Last { key, handle, extra });
            self.count.set(self.count.get() + 1);
        }
        if let Some(last) = last.as_ref() {
            picture::draw(renderer, self.place, &last.handle, bounds);
        }
        is_new
    }

    /// What else came out of painting the last one.
    pub(crate) fn extra(&self) -> Option<Ref<'_, E>> {
        Ref::filter_map(self.last.borrow(), |l| l.as_ref().map(|l| &l.extra)).ok()
    }

    /// How many were painted.
    pub(crate) fn count(&self) -> u64 {
        self.count.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced::advanced::renderer::Headless as _;

    #[test]
    fn a_canvas_is_painted_anew_when_its_key_or_its_size_changes_and_else_not() {
        let made = iced::Renderer::new(iced::Font::DEFAULT, 16.0.into(), Some("tiny-skia"));
        let mut renderer = iced::futures::executor::block_on(made).unwrap();
        let painted = Painted::new();
        let mut draw = |key: u32, width: f32, scale: f32| {
            let bounds = Rectangle { x: 0.0, y: 0.0, width, height: 4.0 };
            painted.draw(&mut renderer, bounds, scale, key, |size| (Canvas::plain(size.0, size.1, [0; 3]), size))
        };
        assert_eq!([draw(1, 8.0, 1.0), draw(1, 8.0, 1.0), draw(2, 8.0, 1.0)], [true, false, true]);
        assert_eq!([draw(2, 8.0, 2.0), draw(2, 16.0, 2.0), draw(2, 0.1, 1.0)], [true, true, false]);
        assert_eq!((painted.count(), *painted.extra().unwrap()), (4, (32, 8)));
    }
}
