//! The schema of `finder.ncc`, and its values as the search wants them.
//!
//! MagScope's own rule is `max_overlap` = 0 and `contrast_weight` = 0. The defaults differ, because with them the gap that
//! its threshold looks for lies between beads and dust, and beads that touch are found and flagged instead of missed.

use tetherscope_plugin_api::{ParamValues, Parameter, Result};

/// From which score a candidate is a bead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// By MagScope's rule, but not below this.
    Auto {
        /// The floor.
        min_score: f64,
    },
    /// This score.
    Value(f64),
}

impl Threshold {
    /// No bead scores less.
    pub fn least(&self) -> f64 {
        match *self {
            Threshold::Auto { min_score } => min_score,
            Threshold::Value(v) => v,
        }
    }
}

/// What the parameters say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Side of the ROIs when there is no seed.
    pub roi_px: usize,
    /// From which score on.
    pub threshold: Threshold,
    /// Part of its side by which a ROI may overlap another one.
    pub max_overlap: f64,
    /// Least distance of a ROI from the frame's edge.
    pub margin_px: usize,
    /// Most hits.
    pub max_beads: usize,
    /// With a seed: see `tetherscope_kernels::Ncc`.
    pub contrast_weight: f64,
    /// Without a seed: see `tetherscope_kernels::RadialScore`.
    pub background_factor: f64,
    /// Whether the seed is moved to the middle of its bead.
    pub recentre_seed: bool,
}

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    vec![
        Parameter::int(
            "roi_px",
            "Side of the square ROIs: about the diameter of a bead with the rings that are tracked. A seed brings its own \
             size, which is taken instead",
            50,
        )
        .unit("px")
        .range(8.0, 1024.0)
        .step(2.0),
        Parameter::choice(
            "threshold_mode",
            "Auto: the score above the largest gap between the scores of all candidates (MagScope's rule), but not below \
             min_score. Value: the parameter threshold",
            &["auto", "value"],
            "auto",
        ),
        Parameter::float("threshold", "With threshold_mode = value: candidates of this score or more are beads", 0.5)
            .range(0.0, 1.0)
            .step(0.01),
        Parameter::float(
            "max_overlap",
            "Part of its side by which a ROI may overlap a better one. 0: not at all, so one bead of a touching pair is \
             missed; larger: both are found and flagged neighbour",
            0.6,
        )
        .range(0.0, 0.9)
        .step(0.05),
        Parameter::int(
            "margin_px",
            "Least distance of a ROI from the edge of the frame. 0: beads that the edge cuts are found too, and flagged \
             at_border",
            0,
        )
            .unit("px")
            .range(0.0, 10_000.0),
        Parameter::int("max_beads", "Most beads; the surest are kept", 10_000).range(1.0, 100_000.0),
        Parameter::float(
            "min_score",
            "With threshold_mode = auto: candidates below this score are never beads, however the gaps lie; it keeps an \
             empty field empty",
            0.35,
        )
        .range(0.0, 1.0)
        .step(0.01)
        .expert(),
        Parameter::float(
            "contrast_weight",
            "With a seed: how much a place loses that has less contrast than the seed. 0: nothing, the plain correlation \
             coefficient, to which the faintest ring looks like a bead",
            0.25,
        )
        .range(0.0, 10.0)
        .step(0.05)
        .expert(),
        Parameter::float(
            "background_factor",
            "Without a seed: how many times a bead's radial contrast stands out from that of the background (the lower \
             quartile over the frame) before its score is reduced by half of its square. 0: contrast does not matter",
            24.0,
        )
        .range(0.0, 1000.0)
        .step(1.0)
        .expert(),
        Parameter::bool(
            "recentre_seed",
            "With a seed: move it, by up to a quarter of its side, to where it is most symmetric, so that hits lie in the \
             middle of their beads however the seed was clicked",
            true,
        )
        .expert(),
    ]
}

/// The options from checked values.
pub fn from_values(values: &ParamValues) -> Result<Options> {
    let count = |key| values.int(key).map(|v| v.max(0) as usize);
    Ok(Options {
        roi_px: count("roi_px")?,
        threshold: match values.text("threshold_mode")? {
            "value" => Threshold::Value(values.float("threshold")?),
            _ => Threshold::Auto { min_score: values.float("min_score")? },
        },
        max_overlap: values.float("max_overlap")?,
        margin_px: count("margin_px")?,
        max_beads: count("max_beads")?,
        contrast_weight: values.float("contrast_weight")?,
        background_factor: values.float("background_factor")?,
        recentre_seed: values.bool("recentre_seed")?,
    })
}
