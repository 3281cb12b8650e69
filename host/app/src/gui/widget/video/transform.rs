//! Where a point of the frame lies in the widget, and back. Zoom keeps the point under the cursor, and the image can't be
//! pushed out of sight.

/// Most screen pixels for one pixel of the camera.
const MOST_ZOOM: f32 = 64.0;
/// The image is never smaller than this part of what fits.
const LEAST_OF_FIT: f32 = 0.5;

/// The part of the frame that is shown. (0, 0) is the middle of the top-left pixel of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Transform {
    /// Widget pixels per frame pixel.
    pub(crate) zoom: f32,
    /// Column of the frame in the middle of the widget.
    pub(crate) x_px: f32,
    /// Row of the frame in the middle of the widget.
    pub(crate) y_px: f32,
}

/// A size in pixels.
pub(crate) type Size = (f32, f32);

impl Transform {
    /// All of the frame, as large as it goes.
    pub(crate) fn fit(frame: Size, widget: Size) -> Self {
        let zoom = (widget.0 / frame.0.max(1.0)).min(widget.1 / frame.1.max(1.0)).max(f32::MIN_POSITIVE);
        Self { zoom, x_px: (frame.0 - 1.0) / 2.0, y_px: (frame.1 - 1.0) / 2.0 }
    }

    /// Place in the widget of a point of the frame.
    pub(crate) fn to_widget(self, (x_px, y_px): (f32, f32), widget: Size) -> (f32, f32) {
        ((x_px - self.x_px) * self.zoom + widget.0 / 2.0, (y_px - self.y_px) * self.zoom + widget.1 / 2.0)
    }

    /// Point of the frame at a place in the widget.
    pub(crate) fn to_frame(self, (x, y): (f32, f32), widget: Size) -> (f32, f32) {
        ((x - widget.0 / 2.0) / self.zoom + self.x_px, (y - widget.1 / 2.0) / self.zoom + self.y_px)
    }

    /// Closer by `factor`; the point `at` of the frame stays where it is.
    pub(crate) fn zoomed(self, at: (f32, f32), factor: f32, frame: Size, widget: Size) -> Self {
        let least = Self::fit(frame, widget).zoom * LEAST_OF_FIT;
        let zoom = (self.zoom * factor).clamp(least, MOST_ZOOM.max(least));
        let keep = self.zoom / zoom;
        Self { zoom, x_px: at.0 + (self.x_px - at.0) * keep, y_px: at.1 + (self.y_px - at.1) * keep }.within(frame)
    }

    /// Moved by pixels of the frame.
    pub(crate) fn panned(self, (dx_px, dy_px): (f32, f32), frame: Size) -> Self {
        Self { x_px: self.x_px + dx_px, y_px: self.y_px + dy_px, ..self }.within(frame)
    }

    /// The middle stays on the frame.
    fn within(self, frame: Size) -> Self {
        Self { x_px: self.x_px.clamp(0.0, frame.0), y_px: self.y_px.clamp(0.0, frame.1), ..self }
    }

    /// For a picture with `scale` pixels for each of the widget's.
    pub(crate) fn scaled(self, scale: f32) -> Self {
        Self { zoom: self.zoom * scale, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Size = (640.0, 480.0);
    const WIDGET: Size = (320.0, 320.0);

    #[test]
    fn a_fitted_frame_touches_two_edges_of_the_widget() {
        let fit = Transform::fit(FRAME, WIDGET);
        let ((left, _), (right, _)) = (fit.to_widget((-0.5, 0.0), WIDGET), fit.to_widget((639.5, 0.0), WIDGET));
        assert_eq!((left, right), (0.0, 320.0));
    }

    #[test]
    fn zooming_keeps_the_point_under_the_cursor() {
        let fit = Transform::fit(FRAME, WIDGET);
        let at = fit.to_frame((100.0, 200.0), WIDGET);
        let near = fit.zoomed(at, 1.25, FRAME, WIDGET).zoomed(at, 1.25, FRAME, WIDGET);
        let (x, y) = near.to_widget(at, WIDGET);
        assert!((x - 100.0).abs() < 1e-3 && (y - 200.0).abs() < 1e-3, "{x} {y}");
        assert!((near.zoom / fit.zoom - 1.5625).abs() < 1e-5);
    }

    #[test]
    fn the_image_stays_in_sight_and_zoom_has_limits() {
        let fit = Transform::fit(FRAME, WIDGET);
        assert_eq!(fit.panned((1e6, -1e6), FRAME), Transform { x_px: 640.0, y_px: 0.0, ..fit });
        assert_eq!(fit.zoomed((0.0, 0.0), 1e9, FRAME, WIDGET).zoom, MOST_ZOOM);
        assert_eq!(fit.zoomed((0.0, 0.0), 0.0, FRAME, WIDGET).zoom, fit.zoom * LEAST_OF_FIT);
    }
}
