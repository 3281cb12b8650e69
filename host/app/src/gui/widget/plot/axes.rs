//! Numbers along the axes of a plot: where ticks are, how they are written, and writing them.

use super::columns::{tick_text, ticks};
use super::{Drawn, PlotLook, Range};
use crate::gui::widget::writing::line;
use iced::advanced::text::Alignment;
use iced::alignment::Vertical;
use iced::{Color, Point, Rectangle};

/// Size of letters.
pub(super) const SIZE: f32 = 12.0;

/// How the x axis is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum XAxis {
    /// Seconds before the newest point.
    BeforeNow,
    /// UTC, of x = 0, in ns; x in seconds.
    Clock(i64),
    /// Numbers.
    Number,
}

/// Round values about `each` of the window's pixels apart; nearer, up to `least`, where only one would be seen, which tells no
/// scale.
fn readable(shown: Range, pixels: f32, each: f32, least: f32) -> Vec<f64> {
    let n = |apart: f32| (pixels / apart).max(2.0) as usize;
    let some = (n(each)..=n(least)).map(|n| ticks(shown.0, shown.1, n));
    some.reduce(|a, b| if a.len() < 2 && b.len() > a.len() { b } else { a }).unwrap_or_default()
}

/// Places of ticks: round as they are written.
pub(super) fn x_ticks(axis: XAxis, shown: Range, newest: f64, pixels: f32) -> Vec<f64> {
    let zero = if axis == XAxis::BeforeNow { newest } else { 0.0 };
    let round = readable((shown.0 - zero, shown.1 - zero), pixels, 110.0, 70.0);
    round.into_iter().map(|t| t + zero).collect()
}

/// A time before the newest point, or a clock time, or a number.
fn x_text(axis: XAxis, value: f64, newest: f64, all: &[f64]) -> String {
    match axis {
        XAxis::BeforeNow => {
            let shifted: Vec<f64> = all.iter().map(|t| t - newest).collect();
            format!("{} s", tick_text(value - newest, &shifted))
        }
        XAxis::Clock(zero_ns) => {
            let ns = zero_ns.saturating_add((value * 1e9) as i64);
            let of_day = ns.rem_euclid(86_400 * 1_000_000_000) / 1_000_000;
            let (h, m, s, ms) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000);
            let fine = all.len() > 1 && all[1] - all[0] < 1.0;
            if fine { format!("{h:02}:{m:02}:{s:02}.{ms:03}") } else { format!("{h:02}:{m:02}:{s:02}") }
        }
        XAxis::Number => tick_text(value, all),
    }
}

/// Values at which lines cross a plot of this height, in the window's pixels.
pub(super) fn y_ticks(shown: Range, pixels: f32) -> Vec<f64> {
    readable(shown, pixels, 24.0, 14.0)
}

/// Writes the numbers of both axes round the curves, which are in `area`.
pub(super) fn numbers(
    renderer: &mut iced::Renderer,
    clip: Rectangle,
    area: Rectangle,
    (look, drawn): (&PlotLook, &Drawn),
    color: Color,
) {
    let (x, y) = (drawn.x, drawn.y);
    let lines = y_ticks(y, area.height);
    for t in &lines {
        let up = area.y + ((y.1 - t) / (y.1 - y.0)) as f32 * area.height;
        let at = Point::new(area.x - 5.0, up);
        line(renderer, clip, &tick_text(*t, &lines), (at, SIZE), (Alignment::Right, Vertical::Center), color);
    }
    let lines = x_ticks(look.x_axis, x, drawn.newest, area.width);
    for t in lines.iter().filter(|_| look.numbered) {
        let along = area.x + ((t - x.0) / (x.1 - x.0)) as f32 * area.width;
        let content = x_text(look.x_axis, *t, drawn.newest, &lines);
        // Whole, even at the end of the axis.
        let half = 3.6 * content.chars().count() as f32;
        let (along, align) = if along + half > clip.x + clip.width {
            (clip.x + clip.width - 1.0, Alignment::Right)
        } else {
            (along, Alignment::Center)
        };
        let at = Point::new(along, area.y + area.height + 3.0);
        line(renderer, clip, &content, (at, SIZE), (align, Vertical::Top), color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_plot_has_two_numbers_where_they_fit() {
        assert_eq!(y_ticks((53_300.0, 54_600.0), 60.0), [53_500.0, 54_000.0, 54_500.0]);
        assert_eq!(y_ticks((0.0, 10.0), 60.0), [0.0, 5.0, 10.0]);
        // A line of text is higher than that.
        assert!(y_ticks((0.1, 9.0), 20.0).len() <= 2);
    }

    #[test]
    fn times_are_written_before_now_or_by_the_clock() {
        assert_eq!(x_text(XAxis::BeforeNow, 95.0, 100.0, &[90.0, 95.0]), "-5 s");
        let noon = 1_700_000_000_000_000_000 / 86_400_000_000_000 * 86_400_000_000_000 + 43_200_000_000_000;
        assert_eq!(x_text(XAxis::Clock(noon), 61.0, 0.0, &[60.0, 61.0]), "12:01:01");
        assert_eq!(x_text(XAxis::Clock(noon), 0.25, 0.0, &[0.25, 0.5]), "12:00:00.250");
    }
}
