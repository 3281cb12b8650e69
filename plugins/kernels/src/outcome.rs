//! How a search for a centre went: the reason beside the number, so that a plugin can flag the result.

/// Why a coordinate is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Outcome {
    /// The method found its answer.
    #[default]
    Found,
    /// A pixel that counts is NaN or infinite.
    NonFinitePixels,
    /// Image or line is constant: nothing to weigh, convolve or fit.
    NoSignal,
    /// The starting centre is NaN or infinite.
    NonFiniteStart,
    /// The lines through the starting centre do not lie inside the image.
    LinePastBorder,
    /// The maximum is so near an end that no parabola fits around it.
    PeakAtBorder,
}

/// A centre in ROI coordinates: (0, 0) is the middle of the top-left pixel, x the column, y the row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Center {
    /// Column of the centre, pixels.
    pub x_px: f64,
    /// Row of the centre, pixels.
    pub y_px: f64,
    /// How the search along x went.
    pub x_outcome: Outcome,
    /// How the search along y went.
    pub y_outcome: Outcome,
}

impl Center {
    /// No centre, for one reason on both axes.
    pub(crate) fn none(outcome: Outcome) -> Center {
        Center { x_px: f64::NAN, y_px: f64::NAN, x_outcome: outcome, y_outcome: outcome }
    }

    /// True when both coordinates are numbers.
    pub fn is_finite(&self) -> bool {
        self.x_px.is_finite() && self.y_px.is_finite()
    }

    /// One outcome for both axes: x's trouble first, then y's, else `Found`.
    pub fn outcome(&self) -> Outcome {
        if self.x_outcome == Outcome::Found { self.y_outcome } else { self.x_outcome }
    }
}
