//! The parameters of `camera.sim`, and when each may change. Live: from the next frame on. Idle: while the camera stands.
//! Rearm: also changes what the format announces, so ask for it again and arm anew.

use tetherscope_plugin_api::{Change, Invalidates, Parameter, Value};

/// Larger ones would not survive a form or a file that keeps numbers as f64.
const MOST_SEED: f64 = 9_007_199_254_740_992.0;

/// A parameter and when it may change, which [`Parameter`] keeps to itself.
pub struct Entry {
    /// The parameter.
    pub parameter: Parameter,
    /// When it may change.
    pub change: Change,
}

/// The schema.
pub fn schema() -> Vec<Parameter> {
    entries().into_iter().map(|entry| entry.parameter).collect()
}

/// The schema with what it says on changes.
pub fn entries() -> Vec<Entry> {
    let mut all = Vec::new();
    let mut add = |change, parameters: Vec<Parameter>| {
        all.extend(parameters.into_iter().map(|p| Entry { parameter: p.change(change), change }));
    };
    add(Change::Rearm, image());
    add(Change::Live, timing_and_noise());
    add(Change::Rearm, numbers());
    add(Change::Live, heights_and_motion());
    add(Change::Idle, script_and_light());
    add(Change::Idle, placement_and_tether());
    add(Change::Idle, optics());
    add(Change::Rearm, faults());
    all
}

fn image() -> Vec<Parameter> {
    vec![
        Parameter::int("width_px", "Width of the frames", 512)
            .unit("px")
            .range(16.0, 8192.0)
            .invalidates(&[Invalidates::Geometry]),
        Parameter::int("height_px", "Height of the frames", 256)
            .unit("px")
            .range(16.0, 8192.0)
            .invalidates(&[Invalidates::Geometry]),
        Parameter::choice(
            "bits",
            "Bits of a pixel; above 8 in 16, value in the low bits",
            &["8", "10", "12", "16"],
            "8",
        ),
        Parameter::float("nm_per_px", "Side of a pixel in the sample", 200.0)
            .unit("nm/px")
            .range(1.0, 10_000.0)
            .invalidates(&[Invalidates::Zlut]),
        Parameter::int("n_frames", "Frames until the camera ends by itself; 0 is endless", 0).range(0.0, 1e9),
    ]
}

fn timing_and_noise() -> Vec<Parameter> {
    vec![
        Parameter::float("frame_rate_hz", "Frames per second; the measured rate is `measured_frame_rate_hz`", 100.0)
            .unit("Hz")
            .range(1.0, 10_000.0),
        Parameter::float(
            "exposure_ms",
            "Exposure, at most the time of a frame. A frame shows the middle of it, without motion blur; brightness does \
             not depend on it. The default fits every frame rate",
            0.1,
        )
        .unit("ms")
        .range(0.001, 1000.0),
        Parameter::bool("noise", "Shot noise and read noise; off shows the expected brightness, rounded to codes", true),
        Parameter::float("full_scale_e", "Electrons at the largest code: fewer are noisier (MagScope's gain)", 25_000.0)
            .unit("e")
            .range(1.0, 1e7),
        Parameter::float("read_noise_e", "Standard deviation of the read noise", 0.0).unit("e").range(0.0, 1e5),
    ]
}

fn numbers() -> Vec<Parameter> {
    vec![
        Parameter::int("n_fixed", "Beads that do not move; beads 0, 1, … of the truth", 5).range(0.0, 5000.0),
        Parameter::int("n_tethered", "Beads that move as if tethered; they follow the fixed ones in the truth", 3)
            .range(0.0, 5000.0),
    ]
}

fn heights_and_motion() -> Vec<Parameter> {
    let height = |key, help: &str, of_table: bool| {
        let parameter = Parameter::float(key, help, 0.0).unit("nm").range(-10_000.0, 10_000.0);
        if of_table { parameter.invalidates(&[Invalidates::Zlut]) } else { parameter }
    };
    let sigma = |key, help: &str, default| Parameter::float(key, help, default).unit("nm").range(0.0, 10_000.0);
    vec![
        height("fixed_z_nm", "Height of the fixed beads; the z of the truth is measured from here", true),
        height("tethered_z_nm", "Mean height of the tethered beads", false),
        sigma(
            "tethered_xy_sigma_nm",
            "Motion of the tethered beads along x and along y: standard deviation in equilibrium",
            300.0,
        ),
        sigma("tethered_z_sigma_nm", "Motion of the tethered beads along z: standard deviation in equilibrium", 100.0),
    ]
}

fn script_and_light() -> Vec<Parameter> {
    vec![
        Parameter::float(
            "focus_start_nm",
            "Scripted focus of the first frames; added to the position of the stage",
            0.0,
        )
        .unit("nm")
        .range(-100_000.0, 100_000.0),
        Parameter::float("focus_step_nm", "Change of the scripted focus from step to step: makes a sweep", 0.0)
            .unit("nm")
            .range(-10_000.0, 10_000.0),
        Parameter::int("frames_per_step", "Frames of each step of the scripted focus", 1).range(1.0, 1e6),
        Parameter::int(
            "n_focus_steps",
            "Steps of the scripted focus, after which its offset is 0; with 0 it goes on for ever",
            0,
        )
        .range(0.0, 1e6),
        Parameter::float("background_level", "Brightness without beads, as a part of full scale", 0.4).range(0.0, 1.0),
        Parameter::float("contrast", "Factor on the contrast of the beads; 1 is what the optics give", 1.0)
            .range(0.0, 10.0),
    ]
}

fn placement_and_tether() -> Vec<Parameter> {
    let theta = |key, help: &str, default| Parameter::float(key, help, default).unit("1/s").range(0.001, 1e6).expert();
    vec![
        Parameter::int("seed", "The same seed gives the same places, motion and noise", 1).range(0.0, MOST_SEED),
        Parameter::float(
            "min_separation_px",
            "Distance that beads keep at least. Where there is room they are so far apart that no rings of a neighbour \
             reach a ROI",
            50.0,
        )
        .unit("px")
        .range(0.0, 10_000.0),
        Parameter::float(
            "margin_px",
            "Distance that beads keep from the border when they are placed. The default leaves room for a ROI of 64 px \
             and for motion",
            40.0,
        )
        .unit("px")
        .range(0.0, 4096.0),
        theta("theta_xy_per_s", "Rate at which a tether pulls its bead back along x and y", 1.5),
        theta("theta_z_per_s", "Rate at which a tether pulls its bead back along z", 2.0),
    ]
}

fn faults() -> Vec<Parameter> {
    let help = "What goes wrong, entries between `;`, frames from 0: `lost 100..103` (add `told` if the camera says so), \
                `late 200 50ms`, `duplicate 300`, `corrupt 400`, `torn 410`, `stall 600 2s` (no frame for so long), \
                `unplug 500 1s` (gone for so long, then ids and time begin anew), `drift 50ppm`, `random 0.001 lost` \
                (or late 5ms, duplicate, corrupt, torn; by `seed`). With a script each frame also has the channels \
                `frame` (its true number) and `injected` (bits: 1 late, 2 copy, 4 corrupt, 8 torn, 16 after a stall)";
    vec![Parameter::text("faults", help, "").value_before(Value::Text(String::new())).expert()]
}

fn optics() -> Vec<Parameter> {
    let value = |key, help: &str, default, unit, (min, max)| {
        Parameter::float(key, help, default).unit(unit).range(min, max).expert().invalidates(&[Invalidates::Zlut])
    };
    vec![
        value("bead_radius_nm", "Radius of the beads", 1500.0, "nm", (50.0, 10_000.0)),
        value("wavelength_nm", "Vacuum wavelength of the light", 550.0, "nm", (200.0, 2000.0)),
        value("index_sphere", "Refractive index of the beads", 1.59, "", (1.0, 4.0)),
        value("index_medium", "Refractive index of what surrounds them", 1.33, "", (1.0, 4.0)),
        value("numerical_aperture", "Numerical aperture; below index_medium", 1.3, "", (0.05, 3.9)),
        value(
            "crop_radius_nm",
            "Beads show no rings farther out than this; they fade over the outer 13 %",
            6000.0,
            "nm",
            (500.0, 50_000.0),
        ),
        value(
            "defocus_range_nm",
            "Greatest defocus to both sides. Farther out a bead keeps its looks, and the truth says so",
            12_000.0,
            "nm",
            (100.0, 50_000.0),
        ),
    ]
}
