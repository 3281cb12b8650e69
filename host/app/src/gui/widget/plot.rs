//! A plot of curves with many points: smallest and largest value per pixel column, painted at the screen's own pixels, the
//! same on both renderers. It takes its data when it is drawn; pan and zoom are told as [`PlotEvent`]s.

mod axes;
pub(crate) mod columns;
pub(crate) mod view;

use super::painted::Painted;
use super::video::raster::Canvas;
use super::writing;
pub(crate) use axes::XAxis;
use columns::{Column, extent};
pub(crate) use view::{PlotEvent, PlotView, Range, Window};

use iced::advanced::text::Alignment;
use iced::advanced::widget::{Tree, tree};
use iced::advanced::{Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, renderer};
use iced::alignment::Vertical;
use iced::{Color, Element, Event, Length, Point, Rectangle, Size, keyboard};
use std::time::{Duration, Instant};

/// Curves.
pub(crate) trait Curves {
    /// Rises whenever a curve changes.
    fn revision(&self) -> u64;
    /// Names and colours, in the order in which they are drawn.
    fn names(&self) -> Vec<(String, [u8; 3])>;
    /// First and last place; none without a point.
    fn domain(&self) -> Option<Range>;
    /// A curve in pixel columns of equal width over `from..to`.
    fn columns(&self, curve: usize, from: f64, to: f64, out: &mut [Column]);
}

/// How a plot looks; all of it belongs to the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PlotLook {
    /// What is shown.
    pub(crate) view: PlotView,
    /// Along.
    pub(crate) x_axis: XAxis,
    /// Whether its numbers are written; else the plot below has them.
    pub(crate) numbered: bool,
    /// Upwards, with unit.
    pub(crate) y_name: &'static str,
    /// What is said while there is nothing to draw.
    pub(crate) empty: &'static str,
    /// The screen's pixels for one of the window's.
    pub(crate) scale: f32,
}

const LEFT: f32 = 62.0;
const BELOW: f32 = 20.0;
const ABOVE: f32 = 6.0;

/// The widget.
pub(crate) struct Plot<'a, Message> {
    curves: Data<'a>,
    look: PlotLook,
    on_event: Box<dyn Fn(PlotEvent) -> Message + 'a>,
}

/// Curves that the screen keeps, or that were put together for this view.
enum Data<'a> {
    Kept(&'a dyn Curves),
    Owned(Box<dyn Curves + 'a>),
}

impl Data<'_> {
    fn get(&self) -> &dyn Curves {
        match self {
            Data::Kept(c) => *c,
            Data::Owned(c) => c.as_ref(),
        }
    }
}

impl<'a, Message> Plot<'a, Message> {
    /// Shows `curves` that were put together for this view.
    pub(crate) fn owned(
        curves: impl Curves + 'a,
        look: PlotLook,
        on_event: impl Fn(PlotEvent) -> Message + 'a,
    ) -> Self {
        Self { curves: Data::Owned(Box::new(curves)), look, on_event: Box::new(on_event) }
    }

    /// Shows `curves`.
    pub(crate) fn new(curves: &'a dyn Curves, look: PlotLook, on_event: impl Fn(PlotEvent) -> Message + 'a) -> Self {
        Self { curves: Data::Kept(curves), look, on_event: Box::new(on_event) }
    }

    /// Where the curves are.
    fn area(&self, bounds: Rectangle) -> Rectangle {
        let below = if self.look.numbered { BELOW } else { 4.0 };
        Rectangle {
            x: bounds.x + LEFT,
            y: bounds.y + ABOVE,
            width: (bounds.width - LEFT - 8.0).max(1.0),
            height: (bounds.height - ABOVE - below).max(1.0),
        }
    }
}

/// What the widget remembers between views.
struct State {
    painted: Painted<Key, Drawn>,
    at: Option<Point>,
    pulled: Option<Point>,
    clicked: Option<Instant>,
    modifiers: keyboard::Modifiers,
}

/// What a plot is made of: revision of the curves, look, colours of ground and grid.
type Key = (u64, PlotLook, [u8; 6]);

/// What was drawn, as axes, names and cursor need it.
struct Drawn {
    x: Range,
    y: Range,
    /// Place of the newest point, or the end of what is shown.
    newest: f64,
    curves: Vec<Vec<Column>>,
}

/// Curves, grid and frame in a picture.
fn paint(curves: &dyn Curves, look: &PlotLook, size: (u32, u32), colors: [u8; 6]) -> (Canvas, Drawn) {
    let (ground, grid) = ([colors[0], colors[1], colors[2]], [colors[3], colors[4], colors[5]]);
    let domain = curves.domain();
    let x = look.view.range(domain);
    let newest = domain.map_or(x.1, |d| d.1);
    let names = curves.names();
    let mut all = vec![vec![Column::EMPTY; size.0 as usize]; names.len()];
    all.iter_mut().enumerate().for_each(|(i, out)| curves.columns(i, x.0, x.1, out));
    let y = look.view.y.unwrap_or_else(|| fitting(&all));
    let mut canvas = Canvas::plain(size.0, size.1, ground);
    let (width, height) = (i64::from(size.0), i64::from(size.1));
    let unit = (look.scale.round() as i64).max(1);
    let row = |v: f64| ((y.1 - v) / (y.1 - y.0) * size.1 as f64).clamp(-1e6, 1e6) as i64;
    for t in axes::y_ticks(y, size.1 as f32 / look.scale) {
        canvas.fill(0, row(t), width, unit, grid);
    }
    for t in axes::x_ticks(look.x_axis, x, newest, size.0 as f32 / look.scale) {
        let column = ((t - x.0) / (x.1 - x.0) * size.0 as f64) as i64;
        canvas.fill(column, 0, unit, height, grid);
    }
    for (columns, (_, color)) in all.iter().zip(&names) {
        let mut before: Option<(i64, i64)> = None;
        for (c, column) in columns.iter().enumerate() {
            if column.is_empty() {
                before = None;
                continue;
            }
            let (mut top, mut bottom) = (row(f64::from(column.max)), row(f64::from(column.min)));
            // Joined to the column before, so that a steep curve has no holes.
            if let Some((t, b)) = before {
                (top, bottom) = (top.min(b), bottom.max(t));
            }
            before = Some((row(f64::from(column.max)), row(f64::from(column.min))));
            canvas.fill(c as i64, top, 1, (bottom - top + unit).max(unit), *color);
        }
    }
    canvas.outline((0, 0, width, height), unit, 0, grid);
    (canvas, Drawn { x, y, newest, curves: all })
}

/// A range that shows all, with some air.
fn fitting(all: &[Vec<Column>]) -> Range {
    let whole = all.iter().filter_map(|c| extent(c)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (min, max) = whole.map_or((0.0, 1.0), |(a, b)| (f64::from(a), f64::from(b)));
    let air = ((max - min) * 0.06).max(max.abs() * 1e-6).max(1e-9);
    (min - air, max + air)
}

impl<Message> Widget<Message, iced::Theme, iced::Renderer> for Plot<'_, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State {
            painted: Painted::new(),
            at: None,
            pulled: None,
            clicked: None,
            modifiers: keyboard::Modifiers::default(),
        })
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
        cursor: mouse::Cursor,
        _renderer: &iced::Renderer,
        _clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        _viewport: &Rectangle,
    ) {
        let state = tree.state.downcast_mut::<State>();
        let area = self.area(layout.bounds());
        let shown = state.painted.extra().map(|d| (d.x, d.y));
        match event {
            Event::Keyboard(keyboard::Event::ModifiersChanged(m)) => state.modifiers = *m,
            Event::Mouse(mouse::Event::CursorMoved { position }) => {
                let was = state.at;
                state.at = area.contains(*position).then_some(*position);
                if let (Some(from), Some(shown)) = (state.pulled, shown) {
                    let by = (position.x - from.x) / area.width;
                    let up = (from.y - position.y) / area.height;
                    state.pulled = Some(*position);
                    shell.publish((self.on_event)(PlotEvent::Panned { by: (by.into(), up.into()), shown }));
                    shell.capture_event();
                }
                if was != state.at {
                    shell.request_redraw();
                }
            }
            Event::Mouse(mouse::Event::CursorLeft) => state.at = None,
            Event::Mouse(_) if cursor.is_levitating() => {}
            Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)) if state.at.is_some() => {
                let now = Instant::now();
                let twice = state.clicked.is_some_and(|c| now - c < Duration::from_millis(350));
                state.clicked = Some(now);
                if twice {
                    shell.publish((self.on_event)(PlotEvent::Reset));
                } else {
                    state.pulled = state.at;
                }
                shell.capture_event();
            }
            Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left)) => state.pulled = None,
            Event::Mouse(mouse::Event::WheelScrolled { delta }) => {
                let (Some(at), Some(shown)) = (state.at, shown) else { return };
                let steps = match delta {
                    mouse::ScrollDelta::Lines { x, y } => x + y,
                    mouse::ScrollDelta::Pixels { x, y } => (x + y) / 50.0,
                };
                let factor = 1.25_f64.powf(steps.into());
                let (x, up) = ((at.x - area.x) / area.width, 1.0 - (at.y - area.y) / area.height);
                shell.publish((self.on_event)(if state.modifiers.command() {
                    PlotEvent::ZoomedY { at: up.into(), factor, shown: shown.1 }
                } else {
                    PlotEvent::ZoomedX { at: x.into(), factor, shown: shown.0 }
                }));
                shell.capture_event();
            }
            _ => {}
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        _viewport: &Rectangle,
        _renderer: &iced::Renderer,
    ) -> mouse::Interaction {
        let state = tree.state.downcast_ref::<State>();
        match (state.pulled, cursor.is_over(self.area(layout.bounds()))) {
            (Some(_), _) => mouse::Interaction::Grabbing,
            (None, true) => mouse::Interaction::Crosshair,
            _ => mouse::Interaction::default(),
        }
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        theme: &iced::Theme,
        _style: &renderer::Style,
        layout: Layout<'_>,
        _cursor: mouse::Cursor,
        _viewport: &Rectangle,
    ) {
        let (bounds, state) = (layout.bounds(), tree.state.downcast_ref::<State>());
        let area = self.area(bounds);
        let palette = theme.extended_palette();
        let (ground, grid) = (palette.background.base.color.into_rgba8(), palette.background.strong.color.into_rgba8());
        let colors = [ground[0], ground[1], ground[2], grid[0], grid[1], grid[2]];
        let key = (self.curves.get().revision(), self.look, colors);
        state
            .painted
            .draw(renderer, area, self.look.scale, key, |size| paint(self.curves.get(), &self.look, size, colors));
        let Some(drawn) = state.painted.extra() else { return };
        let text = theme.palette().text;
        // The renderer on the CPU does not know where text lies that isn't aligned to the left, and would leave old numbers
        // standing: a layer of another size is drawn anew as a whole.
        let layer = if state.painted.count().is_multiple_of(2) { bounds } else { bounds.expand(0.02) };
        renderer.with_layer(layer, |renderer| {
            axes::numbers(renderer, bounds, area, (&self.look, &drawn), text);
            self.names(renderer, bounds, area, &drawn, (state.at, text, ground));
            if let Some(at) = state.at {
                let line = Rectangle { x: at.x, width: 1.0, ..area };
                renderer.fill_quad(renderer::Quad { bounds: line, ..Default::default() }, Color { a: 0.6, ..text });
            }
            if drawn.curves.iter().flatten().all(|c| c.is_empty()) {
                let elsewhere = matches!(self.look.view.x, Window::Fixed(..)) && self.curves.get().domain().is_some();
                let why = if elsewhere { "nothing here: End follows the newest" } else { self.look.empty };
                writing::centred(renderer, area, why, text);
            }
        });
    }
}

impl<Message> Plot<'_, Message> {
    /// Which curve is which, and its value under the cursor.
    fn names(
        &self,
        renderer: &mut iced::Renderer,
        clip: Rectangle,
        area: Rectangle,
        drawn: &Drawn,
        (at, color, [red, green, blue, _]): (Option<Point>, Color, [u8; 4]),
    ) {
        let ground = Color { a: 0.8, ..Color::from_rgb8(red, green, blue) };
        let column = at.map(|a| ((a.x - area.x) * self.look.scale) as usize);
        // The axis is named in the plot: beside it stand its numbers.
        let mut x = area.x + 8.0;
        if !self.look.y_name.is_empty() {
            name(renderer, clip, self.look.y_name, Point::new(x, area.y + 4.0), color);
            x += 7.2 * self.look.y_name.chars().count() as f32 + 10.0;
        }
        for ((label, color), columns) in self.curves.get().names().iter().zip(&drawn.curves) {
            let value = column.and_then(|c| columns.get(c)).filter(|c| !c.is_empty());
            let value = value.map_or_else(String::new, |c| {
                if c.min == c.max { format!(" {:.1}", c.min) } else { format!(" {:.1}…{:.1}", c.min, c.max) }
            });
            let content = format!("{label}{value}");
            let width = 7.2 * content.chars().count() as f32 + 14.0;
            if x + width > area.x + area.width {
                break;
            }
            let color = Color::from_rgb8(color[0], color[1], color[2]);
            // Curves behind a name don't hide it.
            let behind = Rectangle { x: x - 3.0, y: area.y + 3.0, width: width - 8.0, height: 16.0 };
            renderer.fill_quad(renderer::Quad { bounds: behind, ..Default::default() }, ground);
            name(renderer, clip, &content, Point::new(x, area.y + 4.0), color);
            x += width;
        }
    }
}

/// A name whose upper left corner is at `at`.
fn name(renderer: &mut iced::Renderer, clip: Rectangle, content: &str, at: Point, color: Color) {
    writing::line(renderer, clip, content, (at, axes::SIZE), (Alignment::Left, Vertical::Top), color);
}

impl<'a, Message: 'a> From<Plot<'a, Message>> for Element<'a, Message> {
    fn from(plot: Plot<'a, Message>) -> Self {
        Element::new(plot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ramp;

    impl Curves for Ramp {
        fn revision(&self) -> u64 {
            0
        }
        fn names(&self) -> Vec<(String, [u8; 3])> {
            vec![("ramp".into(), [255, 0, 0])]
        }
        fn domain(&self) -> Option<Range> {
            Some((0.0, 10.0))
        }
        fn columns(&self, _: usize, from: f64, to: f64, out: &mut [Column]) {
            columns::columns(&[0.0, 10.0], &[0.0, 10.0], from, to, out);
        }
    }

    #[test]
    fn a_ramp_goes_from_the_lower_left_to_the_upper_right_without_a_hole() {
        let look = PlotLook {
            view: PlotView { x: Window::All, y: Some((0.0, 10.0)) },
            x_axis: XAxis::Number,
            numbered: true,
            y_name: "",
            empty: "",
            scale: 1.0,
        };
        let (canvas, drawn) = paint(&Ramp, &look, (50, 100), [0; 6]);
        assert_eq!((drawn.x, drawn.y), ((0.0, 10.0), (0.0, 10.0)));
        let red = |x: usize, y: usize| canvas.rgba[4 * (y * 50 + x)] == 255;
        let rows: Vec<Vec<usize>> = (1..49).map(|x| (0..100).filter(|&y| red(x, y)).collect()).collect();
        for pair in rows.windows(2) {
            assert!(pair[1][0] < pair[0][0], "it rises");
            assert!(*pair[1].last().unwrap() + 1 >= pair[0][0], "no hole");
        }
        assert!(rows[0][0] > 90 && rows[47][0] < 10);
    }
}
