//! The schema of `tracker.magtrack`, and its values as the kernels want them.
//!
//! Defaults and ranges are MagScope's, each help text names MagTrack's key. `auto_conv` (one row and one column, whole
//! peak) always runs once and has no option. Only the shape and kind of the profile invalidate a Z-LUT: the other
//! options move the centre by a fraction of a pixel, and the table stays one of the same profile.

use tetherscope_kernels::{Background, FftProfileOptions, MagtrackOptions, ProfileKind, n_side_lines};
use tetherscope_plugin_api::abi::{PROFILE_FFT, PROFILE_RADIAL};
use tetherscope_plugin_api::{Error, Invalidates, ParamValues, Parameter, ProfileLayout, Result, WorkerConfig};

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    let makes_profile = [Invalidates::Zlut, Invalidates::Geometry];
    vec![
        Parameter::choice(
            "background",
            "What counts as background in the centre of mass, the first coarse centre. MagTrack: \
             center_of_mass.background",
            &["none", "mean", "median"],
            "median",
        ),
        Parameter::int(
            "n_refinements",
            "How often the centre is refined with a band of lines and a parabola through the peak. MagTrack: \
             n auto_conv_multiline_sub_pixel",
            5,
        )
        .range(1.0, 100.0),
        Parameter::float(
            "line_ratio",
            "Width of the band of lines as a fraction of the ROI; 0 is a single line. MagTrack: \
             auto_conv_multiline_sub_pixel.line_ratio",
            0.1,
        )
        .range(0.0, 1.0)
        .step(0.05)
        .expert(),
        Parameter::int(
            "n_local",
            "Points of the parabola through the peak, an odd number; an even one is refused (MagScope takes the next \
             odd one). MagTrack: auto_conv_multiline_sub_pixel.n_local",
            5,
        )
        .range(3.0, 99.0)
        .step(2.0)
        .expert(),
        Parameter::choice(
            "profile",
            "Radial: mean brightness per ring. FFT: mean amplitude per ring of the spectrum. MagTrack: use fft_profile",
            &["radial", "fft"],
            "radial",
        )
        .invalidates(&makes_profile),
        Parameter::int("oversample", "Bins per pixel of the radial profile. MagTrack: radial_profile.oversample", 1)
            .unit("1/px")
            .range(1.0, 32.0)
            .invalidates(&makes_profile),
        Parameter::int(
            "fft_oversample",
            "Bins per frequency step (1 / ROI width) of the FFT profile. MagTrack: fft_profile.oversample",
            4,
        )
        .range(1.0, 32.0)
        .expert()
        .invalidates(&makes_profile),
        Parameter::float(
            "fft_rmin",
            "First ring of the FFT profile, as a fraction of the Nyquist frequency. MagTrack: fft_profile.rmin",
            0.0,
        )
        .range(0.0, 2.0)
        .step(0.05)
        .expert()
        .invalidates(&makes_profile),
        Parameter::float(
            "fft_rmax",
            "End of the last ring of the FFT profile, as a fraction of the Nyquist frequency. MagTrack: \
             fft_profile.rmax",
            0.5,
        )
        .range(0.0, 2.0)
        .step(0.05)
        .expert()
        .invalidates(&makes_profile),
        Parameter::float(
            "fft_gaus_factor",
            "The FFT profile is taken under a Gaussian window whose sigma is the ROI width divided by this. MagTrack: \
             fft_profile.gaus_factor",
            6.0,
        )
        .range(0.01, 1000.0)
        .step(0.5)
        .expert()
        .invalidates(&[Invalidates::Zlut]),
    ]
}

/// The options from checked values. Fails for an even `n_local`.
pub fn from_values(values: &ParamValues) -> Result<MagtrackOptions> {
    let count = |key| values.int(key).map(|v| v as usize);
    let background = match values.text("background")? {
        "none" => Background::None,
        "mean" => Background::Mean,
        _ => Background::Median,
    };
    let profile = match values.text("profile")? {
        "fft" => ProfileKind::Fft {
            rings: FftProfileOptions {
                oversample: count("fft_oversample")?,
                rmin: values.float("fft_rmin")?,
                rmax: values.float("fft_rmax")?,
            },
            gaus_factor: values.float("fft_gaus_factor")?,
        },
        _ => ProfileKind::Radial { oversample: count("oversample")? },
    };
    let n_local = count("n_local")?;
    if n_local.is_multiple_of(2) {
        return Err(Error::invalid(format!(
            "`n_local` is {n_local}\na parabola through a peak needs a middle point, so an odd number of points\ntake {} \
             (MagScope would) or {}",
            n_local + 1,
            n_local.saturating_sub(1).max(3)
        )));
    }
    Ok(MagtrackOptions {
        background,
        n_refinements: count("n_refinements")?,
        line_ratio: values.float("line_ratio")?,
        n_local,
        profile,
        ..MagtrackOptions::default()
    })
}

/// Refuses ROIs with which these options could never give a result.
pub fn check_roi(options: &MagtrackOptions, config: &WorkerConfig) -> Result<()> {
    let (w, h) = (config.w_px as usize, config.h_px as usize);
    if w != h {
        return Err(Error::invalid(format!(
            "cannot track in ROIs of {w} x {h} px\nMagTrack's method needs square ones\nmake them {0} x {0} px",
            w.min(h)
        )));
    }
    // The parabola needs its points and one more on each side of the peak.
    let min_px = (options.n_local + 2).max(4);
    if w < min_px {
        return Err(Error::invalid(format!(
            "cannot track in ROIs of {w} x {h} px\na parabola through {} points needs {min_px} px or more\nmake the ROI \
             larger, or `n_local` smaller",
            options.n_local
        )));
    }
    let n_lines = 2 * n_side_lines(w, options.line_ratio) + 1;
    if n_lines > w {
        return Err(Error::invalid(format!(
            "cannot track in ROIs of {w} x {h} px\n`line_ratio` = {} is a band of {n_lines} lines, wider than the ROI\n\
             make `line_ratio` smaller",
            options.line_ratio
        )));
    }
    Ok(())
}

/// Geometry of the profile that a chain with these options makes of square ROIs.
pub fn layout(options: &MagtrackOptions, size_px: usize, n_bins: usize) -> Result<ProfileLayout> {
    if n_bins < 2 {
        return Err(Error::invalid(format!(
            "the profile has {n_bins} bins in ROIs of {size_px} x {size_px} px\na Z-LUT needs 2 or more\nset `fft_rmin` and \
             `fft_rmax` farther apart, or make the ROI larger"
        )));
    }
    Ok(match options.profile {
        ProfileKind::Fft { rings, .. } => {
            let nyquist = (size_px / 2) as f64;
            let oversample = rings.oversample as f64;
            let first_bin = (nyquist * rings.rmin * oversample).round_ties_even();
            ProfileLayout::new(PROFILE_FFT, n_bins, first_bin / oversample, 1.0 / oversample)
        }
        ProfileKind::Radial { oversample } => ProfileLayout::new(PROFILE_RADIAL, n_bins, 0.0, 1.0 / oversample as f64),
        other => return Err(Error::internal(format!("the geometry of the profile {other:?} is not known"))),
    })
}
