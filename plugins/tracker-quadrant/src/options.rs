//! The schema of `tracker.quadrant`, and its values as the kernels want them.
//!
//! No parameter invalidates a Z-LUT: they move the centre by a fraction of its standard error, and the profile round it is
//! always the same one, quarter-pixel bins out to the corners.

use tetherscope_kernels::{NoiseModel, QuadrantOptions};
use tetherscope_plugin_api::{ParamValues, Parameter, Result, WorkerConfig};

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    let default = QuadrantOptions::default();
    vec![
        Parameter::float(
            "clip_sigma",
            "The coarse first centre is a centre of mass of what differs from the mean brightness by more than this many \
             standard deviations. Raise it when an uneven background pulls the start away, lower it for faint beads",
            1.0,
        )
        .range(0.0, 5.0)
        .step(0.1),
        Parameter::float(
            "ring_step",
            "Distance between the rings that are sampled. Larger is quicker and less accurate",
            default.ring_step_px,
        )
        .unit("px")
        .range(0.25, 2.0)
        .step(0.05)
        .expert(),
        Parameter::float(
            "arc_step",
            "Distance between the points on a ring. 1.5 is quicker by about a quarter; the error at the focus then \
             grows from 1.2 to 1.6 times the bound, elsewhere by a tenth",
            default.arc_step_px,
        )
        .unit("px")
        .range(0.5, 4.0)
        .step(0.1)
        .expert(),
        Parameter::float(
            "tolerance",
            "Stop when a step is shorter than this. A step is right to a few per cent, so the error left is far less",
            default.tolerance_px,
        )
        .unit("px")
        .range(0.0001, 0.5)
        .step(0.01)
        .expert(),
        Parameter::int(
            "max_passes",
            "Most passes at full sampling; one is the rule. A ROI that needs more is flagged not_converged",
            default.max_passes as i64,
        )
        .range(1.0, 50.0)
        .expert(),
    ]
}

/// The clip, and the options without what only a worker knows.
pub fn from_values(values: &ParamValues) -> Result<(f64, QuadrantOptions)> {
    let options = QuadrantOptions {
        ring_step_px: values.float("ring_step")?,
        arc_step_px: values.float("arc_step")?,
        tolerance_px: values.float("tolerance")?,
        max_passes: values.int("max_passes")? as usize,
        ..QuadrantOptions::default()
    };
    Ok((values.float("clip_sigma")?, options))
}

/// The options of one worker. The camera's noise counts as known when its gain is.
pub fn of_worker(options: &QuadrantOptions, config: &WorkerConfig) -> QuadrantOptions {
    let noise = NoiseModel {
        gain_e_per_adu: config.gain_e_per_adu,
        offset_adu: config.offset_adu,
        read_noise_e: config.read_noise_e,
    };
    QuadrantOptions { saturation: config.saturation_adu, noise, ..*options }
}
