//! Which part of the curves is shown, and how pan and zoom change it. The screen keeps it; the widget sends what was done.

/// The part of the x axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Window {
    /// All there is.
    All,
    /// The newest part, of this length.
    Follow(f64),
    /// This part.
    Fixed(f64, f64),
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PlotView {
    /// Along.
    pub(crate) x: Window,
    /// Upwards; none for what fits.
    pub(crate) y: Option<(f64, f64)>,
}

/// A range.
pub(crate) type Range = (f64, f64);

/// What the user did; places and ways as parts of the plot's width and height, from the left and from below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PlotEvent {
    /// The curves were pulled to the right, and up.
    Panned { by: (f64, f64), shown: (Range, Range) },
    /// Closer along, at a place.
    ZoomedX { at: f64, factor: f64, shown: Range },
    /// Closer upwards, at a place.
    ZoomedY { at: f64, factor: f64, shown: Range },
    /// Back to where it began.
    Reset,
}

fn moved((from, to): Range, part: f64) -> Range {
    let by = (to - from) * part;
    (from - by, to - by)
}

fn zoomed((from, to): Range, at: f64, factor: f64) -> Range {
    let keep = from + (to - from) * at;
    let span = ((to - from) / factor).max(1e-9);
    (keep - span * at, keep + span * (1.0 - at))
}

impl PlotView {
    /// The view after what the user did. `home` is where Reset leads.
    pub(crate) fn after(self, event: PlotEvent, home: Self) -> Self {
        // Of several events between two views, the later ones change what the earlier ones made.
        let x_now = |shown: Range| match self.x {
            Window::Fixed(from, to) => (from, to),
            _ => shown,
        };
        match event {
            PlotEvent::Reset => home,
            PlotEvent::Panned { by, shown } => {
                let (from, to) = moved(x_now(shown.0), by.0);
                // A way up only counts once it is clearly meant.
                let y = if self.y.is_some() || by.1.abs() > 0.02 {
                    Some(moved(self.y.unwrap_or(shown.1), by.1))
                } else {
                    None
                };
                Self { x: if by.0 == 0.0 { self.x } else { Window::Fixed(from, to) }, y }
            }
            PlotEvent::ZoomedX { at, factor, shown } => match self.x {
                // Following stays following.
                Window::Follow(span) => Self { x: Window::Follow((span / factor).clamp(0.01, 1e7)), ..self },
                _ => {
                    let (from, to) = zoomed(x_now(shown), at, factor);
                    Self { x: Window::Fixed(from, to), ..self }
                }
            },
            PlotEvent::ZoomedY { at, factor, shown } => {
                Self { y: Some(zoomed(self.y.unwrap_or(shown), at, factor)), ..self }
            }
        }
    }

    /// The range along, of data that reach over `all`.
    pub(crate) fn range(&self, all: Option<Range>) -> Range {
        let (first, last) = all.unwrap_or((0.0, 1.0));
        match self.x {
            Window::All if last > first => (first, last),
            Window::All => (first - 0.5, first + 0.5),
            Window::Follow(span) => (last - span, last),
            Window::Fixed(from, to) => (from, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: PlotView = PlotView { x: Window::Follow(10.0), y: None };

    #[test]
    fn zooming_while_following_keeps_following_and_panning_stops_it() {
        let shown = ((90.0, 100.0), (0.0, 1.0));
        let near = HOME.after(PlotEvent::ZoomedX { at: 0.3, factor: 2.0, shown: shown.0 }, HOME);
        assert_eq!(near.x, Window::Follow(5.0));
        let back = HOME.after(PlotEvent::Panned { by: (0.5, 0.0), shown }, HOME);
        assert_eq!(back, PlotView { x: Window::Fixed(85.0, 95.0), y: None });
        assert_eq!(back.after(PlotEvent::Reset, HOME), HOME);
    }

    #[test]
    fn two_events_between_views_add_up() {
        let event = PlotEvent::Panned { by: (0.1, 0.0), shown: ((0.0, 10.0), (0.0, 1.0)) };
        assert_eq!(HOME.after(event, HOME).after(event, HOME).x, Window::Fixed(-2.0, 8.0));
    }

    #[test]
    fn zoom_keeps_the_place_under_the_cursor() {
        let view = PlotView { x: Window::Fixed(0.0, 100.0), y: None };
        let x = view.after(PlotEvent::ZoomedX { at: 0.25, factor: 2.0, shown: (0.0, 100.0) }, HOME).x;
        assert_eq!(x, Window::Fixed(12.5, 62.5));
        let y = view.after(PlotEvent::ZoomedY { at: 0.5, factor: 4.0, shown: (-2.0, 2.0) }, HOME).y;
        assert_eq!(y, Some((-0.5, 0.5)));
    }
}
