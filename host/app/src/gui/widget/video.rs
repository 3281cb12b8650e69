//! The live picture: the newest frame, taken when it is drawn and never sent as a message, with ROIs, scale bar and cursor
//! read-out over it. What the mouse does is told as [`VideoEvent`]s in pixels of the frame, relative where several may come
//! between two views; it changes nothing by itself.

mod mouse;
pub(crate) mod raster;
pub(crate) mod tone;
pub(crate) mod transform;

use mouse::Mouse;
pub(crate) use mouse::VideoEvent;
use raster::{Canvas, RoiMark};
use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::control::{Picture, PicturePixels};
use tone::Tone;
use transform::Transform;

use super::painted::Painted;
use super::writing;
use iced::advanced::text::Alignment;
use iced::advanced::widget::{Tree, tree};
use iced::advanced::{Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse as advanced_mouse, renderer};
use iced::alignment::Vertical;
use iced::{Color, Element, Event, Length, Point, Rectangle, Size, window};

/// Around the image, dark in every theme: what is written there is white.
const AROUND: [u8; 3] = [38, 40, 44];

/// Where frames come from.
pub(crate) trait Newest {
    /// The newest frame; none before the first.
    fn newest(&self) -> Option<Arc<Picture>>;
    /// True while more may come.
    fn is_live(&self) -> bool;
    /// Another frame is on the screen now.
    fn shown(&self);
}

/// How the picture is shown; all of it belongs to the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Look {
    /// The part of the frame; none for all of it.
    pub(crate) transform: Option<Transform>,
    /// Contrast, gamma, saturation.
    pub(crate) tone: Tone,
    /// Size of a pixel in the sample, for the scale bar; NaN for none.
    pub(crate) nm_per_px: f64,
    /// The screen's pixels for one of the window's.
    pub(crate) scale: f32,
    /// Draw ROIs.
    pub(crate) overlay: bool,
    /// Between two pictures.
    pub(crate) period: Duration,
}

/// The widget.
pub(crate) struct VideoView<'a, Message> {
    source: &'a dyn Newest,
    look: Look,
    rois: &'a [RoiMark],
    on_event: Box<dyn Fn(VideoEvent) -> Message + 'a>,
}

impl<'a, Message> VideoView<'a, Message> {
    /// Shows `source`. `rois` in any order.
    pub(crate) fn new(
        source: &'a dyn Newest,
        look: Look,
        rois: &'a [RoiMark],
        on_event: impl Fn(VideoEvent) -> Message + 'a,
    ) -> Self {
        Self { source, look, rois, on_event: Box::new(on_event) }
    }

    /// Transform, size of the frame, size of the widget; none before the first frame.
    fn geometry(&self, bounds: Rectangle) -> Option<Geometry> {
        let image = self.source.newest()?;
        let frame = (image.width_px as f32, image.height_px as f32);
        let widget = (bounds.width, bounds.height);
        let transform = self.look.transform.unwrap_or_else(|| Transform::fit(frame, widget));
        Some(Geometry { transform, frame, widget })
    }
}

/// What is needed to turn places into pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Geometry {
    /// What is shown now.
    pub(crate) transform: Transform,
    /// Size of the frame.
    pub(crate) frame: transform::Size,
    /// Size of the widget.
    pub(crate) widget: transform::Size,
}

impl Geometry {
    /// Point of the frame at a place in the widget.
    fn to_frame(self, at: Point) -> (f32, f32) {
        self.transform.to_frame((at.x, at.y), self.widget)
    }
}

/// What the widget remembers between views.
struct State {
    painted: Painted<u64>,
    /// The frame that was drawn last.
    drawn: Cell<(u64, usize)>,
    mouse: Mouse,
    next: Option<Instant>,
}

/// Everything that a picture depends on.
fn key(image: (u64, usize), look: &Look, rois: &[RoiMark]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (image, look.overlay).hash(&mut hasher);
    format!("{:?}{:?}{}{}", look.transform, look.tone, look.scale, look.nm_per_px).hash(&mut hasher);
    for r in rois.iter().filter(|_| look.overlay) {
        (r.bead, r.x_px, r.y_px, r.w_px, r.h_px, r.mark as u8, r.selected).hash(&mut hasher);
    }
    hasher.finish()
}

/// When the next picture is due: on an absolute schedule, so that the rate holds; behind it, soon. A window is drawn for other
/// reasons too, and such a redraw postpones nothing.
fn next_picture(due: Option<Instant>, now: Instant, period: Duration) -> Instant {
    match due {
        Some(due) if now < due => due,
        Some(due) => (due + period).max(now + period / 4),
        None => now + period,
    }
}

/// Frame and ROIs as a picture of `size` of the screen's pixels.
pub(crate) fn paint(image: &Picture, look: &Look, transform: Transform, rois: &[RoiMark], size: (u32, u32)) -> Canvas {
    let transform = transform.scaled(look.scale);
    let mut canvas = Canvas::of(image, &look.tone.table(image), transform, size, AROUND);
    if look.overlay {
        canvas.rois(rois, transform, look.scale);
    }
    canvas
}

impl<Message> Widget<Message, iced::Theme, iced::Renderer> for VideoView<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State { painted: Painted::new(), drawn: Cell::default(), mouse: Mouse::default(), next: None })
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, _: &mut Tree, _: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        layout::atomic(limits, Length::Fill, Length::Fill)
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: advanced_mouse::Cursor,
        _renderer: &iced::Renderer,
        _clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        _viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_mut::<State>();
        if let Event::Window(window::Event::RedrawRequested(now)) = event {
            if self.source.is_live() {
                let next = next_picture(state.next, *now, self.look.period);
                state.next = Some(next);
                shell.request_redraw_at(next);
            }
            return;
        }
        let bounds = layout.bounds();
        let Some(geometry) = self.geometry(bounds) else { return };
        let reaction = state.mouse.on_event(event, bounds, cursor, geometry, self.rois);
        reaction.events.into_iter().for_each(|e| shell.publish((self.on_event)(e)));
        if reaction.captured {
            shell.capture_event();
        }
        if reaction.redraw {
            shell.request_redraw();
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: advanced_mouse::Cursor,
        _viewport: &Rectangle,
        _renderer: &iced::Renderer,
    ) -> advanced_mouse::Interaction {
        let state = tree.state.downcast_ref::<State>();
        if cursor.is_over(layout.bounds()) {
            state.mouse.interaction(self.geometry(layout.bounds()), self.rois)
        } else {
            advanced_mouse::Interaction::default()
        }
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        _theme: &iced::Theme,
        _style: &renderer::Style,
        layout: Layout<'_>,
        _cursor: advanced_mouse::Cursor,
        _viewport: &Rectangle,
    ) {
        let bounds = layout.bounds();
        let state = tree.state.downcast_ref::<State>();
        let newest = self.source.newest();
        // Frames of two cameras may have one number, so the place in memory counts too.
        let image = newest.as_ref().map_or((0, 0), |p| (p.frame + 1, Arc::as_ptr(p) as usize));
        let key = key(image, &self.look, self.rois);
        state.painted.draw(renderer, bounds, self.look.scale, key, |size| {
            let canvas = match &newest {
                None => Canvas::plain(size.0, size.1, AROUND),
                Some(image) => {
                    let frame = (image.width_px as f32, image.height_px as f32);
                    let fit = || Transform::fit(frame, (bounds.width, bounds.height));
                    let transform = self.look.transform.unwrap_or_else(fit);
                    let mut canvas = paint(image, &self.look, transform, self.rois, size);
                    self.bar(transform, &mut canvas);
                    canvas
                }
            };
            (canvas, ())
        });
        if newest.is_some() && state.drawn.replace(image) != image {
            self.source.shown();
        }
        let Some(image) = newest else {
            return writing::centred(renderer, bounds, "no picture yet", Color::WHITE);
        };
        let Some(geometry) = self.geometry(bounds) else { return };
        renderer.with_layer(bounds, |renderer| {
            self.texts(renderer, bounds, geometry, &image, state);
            if let Some(band) = state.mouse.band() {
                let quad = renderer::Quad {
                    bounds: Rectangle::new(bounds.position() + (band.position() - Point::ORIGIN), band.size()),
                    border: iced::border::width(1).color(Color::WHITE),
                    ..Default::default()
                };
                renderer.fill_quad(quad, Color::from_rgba(1.0, 1.0, 1.0, 0.15));
            }
        });
    }
}

impl<Message> VideoView<'_, Message> {
    /// The scale bar's length in nm and in the window's pixels.
    fn bar_length(&self, transform: Transform, width: f32) -> Option<(f64, f32)> {
        raster::bar_length((width / 4.0).min(200.0), self.look.nm_per_px as f32 / transform.zoom)
    }

    fn bar(&self, transform: Transform, canvas: &mut Canvas) {
        let scale = self.look.scale;
        let (right, bottom) = (i64::from(canvas.width), i64::from(canvas.height));
        let margin = (12.0 * scale) as i64;
        if let Some((_, length)) = self.bar_length(transform, canvas.width as f32 / scale) {
            let length = (length * scale).round() as i64;
            canvas.scale_bar(right - margin, bottom - margin, length, (scale.round() as i64).max(1));
        }
    }

    /// The bar's length, and what is under the cursor.
    fn texts(
        &self,
        renderer: &mut iced::Renderer,
        bounds: Rectangle,
        geometry: Geometry,
        image: &Picture,
        state: &State,
    ) {
        let bottom = bounds.y + bounds.height;
        if let Some((nm, _)) = self.bar_length(geometry.transform, bounds.width) {
            let at = Point::new(bounds.x + bounds.width - 12.0, bottom - 37.0);
            label(renderer, bounds, &raster::length_text(nm), at, Alignment::Right);
        }
        if let Some(at) = state.mouse.place() {
            let text = read_out(image, geometry.to_frame(at), self.look.nm_per_px);
            label(renderer, bounds, &text, Point::new(bounds.x + 10.0, bottom - 25.0), Alignment::Left);
        }
    }
}

/// Place and value under the cursor.
fn read_out(image: &Picture, (x_px, y_px): (f32, f32), nm_per_px: f64) -> String {
    let (column, row) = (x_px.round(), y_px.round());
    let inside = column >= 0.0 && row >= 0.0 && column < image.width_px as f32 && row < image.height_px as f32;
    if !inside {
        return String::new();
    }
    let at = row as usize * image.width_px as usize + column as usize;
    let value = match &image.pixels {
        PicturePixels::U8(p) => p.get(at).copied().map(u16::from),
        PicturePixels::U16(p) => p.get(at).copied(),
    };
    let value = value.map_or_else(String::new, |v| format!("  ·  value {v}"));
    let um = |px: f32| f64::from(px) * nm_per_px / 1000.0;
    let length =
        if nm_per_px.is_finite() { format!("  ·  {:.2}, {:.2} µm", um(x_px), um(y_px)) } else { String::new() };
    format!("x {x_px:.1}  y {y_px:.1} px{length}{value}")
}

/// White text with a dark shadow, its top at `at`.
fn label(renderer: &mut iced::Renderer, clip: Rectangle, content: &str, at: Point, align_x: Alignment) {
    for (offset, color) in [(1.0, Color::BLACK), (0.0, Color::WHITE)] {
        let at = Point::new(at.x + offset, at.y + offset);
        writing::line(renderer, clip, content, (at, 13.0), (align_x, Vertical::Top), color);
    }
}

impl<'a, Message: 'a> From<VideoView<'a, Message>> for Element<'a, Message> {
    fn from(view: VideoView<'a, Message>) -> Self {
        Element::new(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_keep_their_rate_however_often_the_window_is_drawn_for_other_reasons() {
        let (begun, ms) = (Instant::now(), Duration::from_millis);
        // Drawn every 10 ms for other reasons, and whenever a picture is due.
        let (mut due, mut pictures, mut now) = (None, 0, begun);
        let mut other = begun;
        while now < begun + ms(1000) {
            pictures += u32::from(due.is_none_or(|d| now >= d));
            let next = next_picture(due, now, ms(100));
            due = Some(next);
            other = if now >= other { other + ms(10) } else { other };
            now = next.min(other);
        }
        assert_eq!(pictures, 10);
        // Behind, it neither catches up all at once nor stops.
        let late = next_picture(Some(begun), begun + ms(5000), ms(100));
        assert_eq!(late, begun + ms(5025));
    }

    #[test]
    fn the_read_out_names_pixel_place_and_value() {
        let image = Picture {
            frame: 0,
            width_px: 2,
            height_px: 2,
            significant_bits: 8,
            pixels: PicturePixels::U8(vec![1, 2, 3, 4]),
        };
        assert_eq!(read_out(&image, (0.6, 1.2), 100.0), "x 0.6  y 1.2 px  ·  0.06, 0.12 µm  ·  value 4");
        assert_eq!(read_out(&image, (0.6, 1.2), f64::NAN), "x 0.6  y 1.2 px  ·  value 4");
        assert_eq!(read_out(&image, (2.0, 0.0), 100.0), "");
    }

    #[test]
    fn a_picture_is_painted_anew_when_anything_in_it_changes() {
        let look = Look {
            transform: None,
            tone: Tone::default(),
            nm_per_px: 100.0,
            scale: 1.0,
            overlay: true,
            period: Duration::ZERO,
        };
        let roi =
            RoiMark { bead: Some(1), x_px: 1, y_px: 1, w_px: 9, h_px: 9, mark: raster::Mark::Good, selected: false };
        let keys = [
            key((1, 0), &look, &[roi]),
            key((2, 0), &look, &[roi]),
            key((1, 0), &Look { scale: 2.0, ..look }, &[roi]),
            key((1, 0), &Look { tone: Tone { gamma: 2.0, ..Tone::default() }, ..look }, &[roi]),
            key((1, 0), &look, &[RoiMark { selected: true, ..roi }]),
            key((1, 0), &look, &[RoiMark { mark: raster::Mark::Lost, ..roi }]),
            key((1, 0), &look, &[]),
            key((1, 0), &Look { nm_per_px: 50.0, ..look }, &[roi]),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys[i + 1..].iter().all(|b| a != b), "{i}");
        }
        assert_eq!(keys[0], key((1, 0), &look, &[roi]));
    }
}
