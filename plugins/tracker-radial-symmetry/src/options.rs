//! The schema of `tracker.radial-symmetry`, and its values as the kernels want them.
//!
//! No parameter invalidates a Z-LUT: they move the centre by a fraction of a pixel, and the profile round it is always the
//! same one, quarter-pixel bins out to the corners.

use tetherscope_kernels::RadialSymmetryOptions;
use tetherscope_plugin_api::{ParamValues, Parameter, Result};

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    let default = RadialSymmetryOptions::default();
    vec![
        Parameter::float(
            "clip_sigma",
            "The coarse first centre is a centre of mass of what differs from the mean brightness by more than this many \
             standard deviations",
            1.0,
        )
        .range(0.0, 5.0)
        .step(0.1),
        Parameter::float(
            "outer_radius",
            "Outer radius of the ring mask, at least 4 px more than the inner one. It never reaches past the border; make \
             it smaller to leave out faint outer rings or a neighbour",
            default.outer_radius_px,
        )
        .unit("px")
        .range(5.0, 4096.0)
        .step(1.0),
        Parameter::float(
            "inner_radius",
            "Inner radius of the ring mask: a sharp or saturated spot in the middle is left out",
            default.inner_radius_px,
        )
        .unit("px")
        .range(0.0, 1000.0)
        .step(0.5),
        Parameter::float("tolerance", "Stop when a step is shorter than this", default.tolerance_px)
            .unit("px")
            .range(0.0001, 0.5)
            .step(0.001)
            .expert(),
        Parameter::int(
            "max_steps",
            "Most steps. A ROI that needs more is flagged not_converged",
            default.max_steps as i64,
        )
        .range(1.0, 1000.0)
        .expert(),
    ]
}

/// The clip, and the options.
pub fn from_values(values: &ParamValues) -> Result<(f64, RadialSymmetryOptions)> {
    let options = RadialSymmetryOptions {
        outer_radius_px: values.float("outer_radius")?,
        inner_radius_px: values.float("inner_radius")?,
        tolerance_px: values.float("tolerance")?,
        max_steps: values.int("max_steps")? as usize,
        ..RadialSymmetryOptions::default()
    };
    Ok((values.float("clip_sigma")?, options))
}
