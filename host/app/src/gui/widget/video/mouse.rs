//! What the mouse means over the picture: click, drag, box, wheel. Places come from the events themselves and not from the
//! cursor, which already stands where the last event of a batch will put it.

use super::Geometry;
use super::raster::RoiMark;
use iced::advanced::mouse;
use iced::{Event, Point, Rectangle, Size, keyboard};

/// Pixels of the window that a press may wander and still be a click.
const CLICK_PX: f32 = 4.0;
/// Zoom for one step of the wheel.
const WHEEL: f32 = 1.25;

/// What the user did, in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum VideoEvent {
    /// Zoom by a factor that keeps this point. `shown` is the geometry in which it was done.
    Zoomed { at: (f32, f32), factor: f32, shown: Geometry },
    /// The picture was pulled: show what lies this much to the right and below.
    Panned { by: (f32, f32), shown: Geometry },
    /// Clicked where no ROI is.
    ClickedEmpty { at: (f32, f32) },
    /// Clicked a ROI; `more` with Ctrl: keep what is selected.
    ClickedRoi { bead: u32, more: bool },
    /// Right-clicked a ROI.
    RightClicked { bead: u32 },
    /// A ROI was dragged by this much since the last such event.
    Dragged { bead: u32, by: (f32, f32) },
    /// The drag has ended.
    Dropped,
    /// A box was drawn: left, top, right, bottom.
    Boxed { from: (f32, f32), to: (f32, f32), more: bool },
}

/// What came of one event.
#[derive(Default)]
pub(super) struct Reaction {
    pub(super) events: Vec<VideoEvent>,
    pub(super) captured: bool,
    pub(super) redraw: bool,
}

impl Reaction {
    fn captured(events: Vec<VideoEvent>) -> Self {
        Self { events, captured: true, redraw: true }
    }
}

/// Where the cursor is, and what it holds.
#[derive(Default)]
pub(super) struct Mouse {
    /// In the widget.
    at: Option<Point>,
    modifiers: keyboard::Modifiers,
    press: Option<Press>,
}

#[derive(Clone, Copy)]
struct Press {
    start: Point,
    last: Point,
    hold: Hold,
    moved: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Hold {
    Roi(u32),
    Picture,
    Corner,
}

/// The ROI at a point of the frame: a selected one before others, then the one whose middle is nearest.
pub(super) fn hit((x, y): (f32, f32), rois: &[RoiMark]) -> Option<u32> {
    let inside = |r: &&RoiMark| {
        let (left, top) = (r.x_px as f32 - 0.5, r.y_px as f32 - 0.5);
        x >= left && y >= top && x < left + r.w_px as f32 && y < top + r.h_px as f32
    };
    let far = |r: &RoiMark| {
        let (dx, dy) = (r.x_px as f32 + r.w_px as f32 / 2.0 - x, r.y_px as f32 + r.h_px as f32 / 2.0 - y);
        dx * dx + dy * dy
    };
    let order = |a: &&RoiMark, b: &&RoiMark| b.selected.cmp(&a.selected).then(far(a).total_cmp(&far(b)));
    rois.iter().filter(|r| r.bead.is_some()).filter(inside).min_by(order)?.bead
}

impl Mouse {
    /// Where the cursor is, in the widget.
    pub(super) fn place(&self) -> Option<Point> {
        self.at
    }

    /// The box that is being drawn, in the widget.
    pub(super) fn band(&self) -> Option<Rectangle> {
        let p = self.press.filter(|p| p.hold == Hold::Corner && p.moved)?;
        let (left, top) = (p.start.x.min(p.last.x), p.start.y.min(p.last.y));
        Some(Rectangle::new(
            Point::new(left, top),
            Size::new((p.start.x - p.last.x).abs(), (p.start.y - p.last.y).abs()),
        ))
    }

    /// The shape of the cursor.
    pub(super) fn interaction(&self, geometry: Option<Geometry>, rois: &[RoiMark]) -> mouse::Interaction {
        match (self.press.map(|p| (p.hold, p.moved)), self.at, geometry) {
            (Some((Hold::Roi(_) | Hold::Picture, true)), _, _) => mouse::Interaction::Grabbing,
            (_, Some(at), Some(g)) if hit(g.to_frame(at), rois).is_some() => mouse::Interaction::Grab,
            _ => mouse::Interaction::Crosshair,
        }
    }

    /// Takes one event.
    pub(super) fn on_event(
        &mut self,
        event: &Event,
        bounds: Rectangle,
        cursor: mouse::Cursor,
        geometry: Geometry,
        rois: &[RoiMark],
    ) -> Reaction {
        match event {
            Event::Keyboard(keyboard::Event::ModifiersChanged(m)) => {
                self.modifiers = *m;
                Reaction::default()
            }
            Event::Mouse(mouse::Event::CursorMoved { position }) => self.moved(*position, bounds, geometry),
            Event::Mouse(mouse::Event::CursorLeft) => {
                self.at = None;
                Reaction { redraw: true, ..Reaction::default() }
            }
            // Something lies over the picture there.
            Event::Mouse(_) if cursor.is_levitating() && self.press.is_none() => Reaction::default(),
            Event::Mouse(mouse::Event::ButtonPressed(button)) => self.pressed(*button, geometry, rois),
            Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left | mouse::Button::Middle)) => {
                self.released(geometry)
            }
            Event::Mouse(mouse::Event::WheelScrolled { delta }) => {
                let Some(at) = self.at else { return Reaction::default() };
                let steps = match delta {
                    mouse::ScrollDelta::Lines { y, .. } => *y,
                    mouse::ScrollDelta::Pixels { y, .. } => *y / 50.0,
                };
                let factor = WHEEL.powf(steps);
                Reaction::captured(vec![VideoEvent::Zoomed { at: geometry.to_frame(at), factor, shown: geometry }])
            }
            _ => Reaction::default(),
        }
    }

    fn moved(&mut self, position: Point, bounds: Rectangle, geometry: Geometry) -> Reaction {
        let at = Point::new(position.x - bounds.x, position.y - bounds.y);
        let was = self.at;
        self.at = bounds.contains(position).then_some(at);
        let Some(press) = &mut self.press else {
            return Reaction { redraw: was != self.at, ..Reaction::default() };
        };
        press.moved |= at.distance(press.start) > CLICK_PX;
        if !press.moved {
            return Reaction::default();
        }
        let zoom = geometry.transform.zoom;
        let by = ((at.x - press.last.x) / zoom, (at.y - press.last.y) / zoom);
        press.last = at;
        Reaction::captured(match press.hold {
            Hold::Roi(bead) => vec![VideoEvent::Dragged { bead, by }],
            Hold::Picture => vec![VideoEvent::Panned { by: (-by.0, -by.1), shown: geometry }],
            Hold::Corner => Vec::new(),
        })
    }

    fn pressed(&mut self, button: mouse::Button, geometry: Geometry, rois: &[RoiMark]) -> Reaction {
        let Some(at) = self.at else { return Reaction::default() };
        let roi = hit(geometry.to_frame(at), rois);
        let hold = match (button, roi) {
            (mouse::Button::Right, Some(bead)) => return Reaction::captured(vec![VideoEvent::RightClicked { bead }]),
            (mouse::Button::Middle, _) => Hold::Picture,
            (mouse::Button::Left, _) if self.modifiers.shift() => Hold::Corner,
            (mouse::Button::Left, Some(bead)) => Hold::Roi(bead),
            (mouse::Button::Left, None) => Hold::Picture,
            _ => return Reaction::default(),
        };
        self.press = Some(Press { start: at, last: at, hold, moved: button == mouse::Button::Middle });
        Reaction::captured(Vec::new())
    }

    fn released(&mut self, geometry: Geometry) -> Reaction {
        let Some(press) = self.press.take() else { return Reaction::default() };
        let more = self.modifiers.command();
        Reaction::captured(match (press.hold, press.moved) {
            (Hold::Roi(bead), false) => vec![VideoEvent::ClickedRoi { bead, more }],
            (Hold::Roi(_), true) => vec![VideoEvent::Dropped],
            (Hold::Picture, false) => vec![VideoEvent::ClickedEmpty { at: geometry.to_frame(press.start) }],
            (Hold::Picture, true) | (Hold::Corner, false) => Vec::new(),
            (Hold::Corner, true) => {
                let (a, b) = (geometry.to_frame(press.start), geometry.to_frame(press.last));
                let (from, to) = ((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1)));
                vec![VideoEvent::Boxed { from, to, more }]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::raster::Mark;
    use super::super::transform::Transform;
    use super::*;

    /// A widget at (100, 50) of the window that shows 100 × 100 px at zoom 2.
    const BOUNDS: Rectangle = Rectangle { x: 100.0, y: 50.0, width: 200.0, height: 200.0 };

    fn geometry() -> Geometry {
        let (frame, widget) = ((100.0, 100.0), (200.0, 200.0));
        Geometry { transform: Transform::fit(frame, widget), frame, widget }
    }

    fn roi(bead: u32, x_px: i32, selected: bool) -> RoiMark {
        RoiMark { bead: Some(bead), x_px, y_px: 10, w_px: 20, h_px: 20, mark: Mark::Good, selected }
    }

    fn to(x: f32, y: f32) -> Event {
        Event::Mouse(mouse::Event::CursorMoved { position: Point::new(x, y) })
    }

    const PRESS: Event = Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left));
    const RELEASE: Event = Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left));

    fn run(mouse: &mut Mouse, rois: &[RoiMark], events: &[Event]) -> Vec<VideoEvent> {
        // The cursor stands where the last event left it: it must not matter.
        let cursor = mouse::Cursor::Available(Point::new(0.0, 0.0));
        events.iter().flat_map(|e| mouse.on_event(e, BOUNDS, cursor, geometry(), rois).events).collect()
    }

    #[test]
    fn a_click_on_nothing_tells_the_pixel_of_the_frame() {
        let got = run(&mut Mouse::default(), &[], &[to(180.0, 110.0), PRESS, RELEASE]);
        assert_eq!(got, [VideoEvent::ClickedEmpty { at: (39.5, 29.5) }]);
    }

    #[test]
    fn a_fast_drag_takes_the_roi_that_was_pressed_and_tells_how_far() {
        let rois = [roi(3, 10, false)];
        let got =
            run(&mut Mouse::default(), &rois, &[to(140.0, 90.0), PRESS, to(200.0, 90.0), to(220.0, 94.0), RELEASE]);
        let dragged = |by| VideoEvent::Dragged { bead: 3, by };
        assert_eq!(got, [dragged((30.0, 0.0)), dragged((10.0, 2.0)), VideoEvent::Dropped]);
    }

    #[test]
    fn a_trembling_hand_clicks() {
        let got = run(&mut Mouse::default(), &[roi(3, 10, false)], &[to(140.0, 90.0), PRESS, to(142.0, 91.0), RELEASE]);
        assert_eq!(got, [VideoEvent::ClickedRoi { bead: 3, more: false }]);
    }

    #[test]
    fn shift_draws_a_box_and_control_keeps_the_selection() {
        let both = keyboard::Modifiers::SHIFT | keyboard::Modifiers::COMMAND;
        let keys = Event::Keyboard(keyboard::Event::ModifiersChanged(both));
        let mut mouse = Mouse::default();
        let got = run(&mut mouse, &[], &[keys, to(180.0, 130.0), PRESS, to(120.0, 70.0)]);
        assert!(got.is_empty());
        assert_eq!(mouse.band(), Some(Rectangle::new(Point::new(20.0, 20.0), Size::new(60.0, 60.0))));
        let got = run(&mut mouse, &[], &[RELEASE]);
        assert_eq!(got, [VideoEvent::Boxed { from: (9.5, 9.5), to: (39.5, 39.5), more: true }]);
    }

    #[test]
    fn of_overlapping_rois_the_selected_one_is_meant_then_the_nearest() {
        let at = (25.0, 20.0);
        assert_eq!(hit(at, &[roi(0, 10, false), roi(1, 14, false)]), Some(1));
        assert_eq!(hit(at, &[roi(0, 10, true), roi(1, 14, false)]), Some(0));
        assert_eq!(hit((60.0, 60.0), &[roi(0, 10, true)]), None);
    }

    #[test]
    fn the_wheel_zooms_at_the_cursor_and_outside_nothing_happens() {
        let wheel = Event::Mouse(mouse::Event::WheelScrolled { delta: mouse::ScrollDelta::Lines { x: 0.0, y: 1.0 } });
        let got = run(&mut Mouse::default(), &[], &[to(180.0, 110.0), wheel.clone()]);
        assert_eq!(got, [VideoEvent::Zoomed { at: (39.5, 29.5), factor: WHEEL, shown: geometry() }]);
        assert!(run(&mut Mouse::default(), &[], &[to(20.0, 110.0), wheel, PRESS, RELEASE]).is_empty());
    }
}
