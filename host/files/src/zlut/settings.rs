//! What a Z-LUT was made with, every setting by its name, and the hash over those settings that a
//! table depends on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::push_f64;

/// Which build of which method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MethodStamp {
    /// The plugin's id, such as `tracker.magtrack`.
    pub id: String,
    /// Its semver version.
    pub version: String,
    /// The content hash of its library; empty where it isn't known.
    pub hash: String,
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamValue {
    /// A whole number.
    I64(i64),
    /// A number; finite.
    F64(f64),
    /// Yes or no.
    Bool(bool),
    /// A text, or the name of a choice.
    Text(String),
}

impl ParamValue {
    /// Same kind and same value; 0.0 equals -0.0, NaN equals NaN.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    /// Kind and value, as hashed.
    fn canonical(&self) -> String {
        match self {
            Self::I64(v) => format!("i64 {v}"),
            Self::F64(v) => format!("f64 {}", canonical_f64(*v)),
            Self::Bool(v) => format!("bool {v}"),
            Self::Text(v) => format!("text {}", quoted(v)),
        }
    }
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I64(v) => write!(f, "{v}"),
            Self::F64(v) => write!(f, "{v:?}"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Text(v) => f.write_str(&quoted(v)),
        }
    }
}

/// A parameter as it was; defaults are stored too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredParameter {
    /// Its key in the schema.
    pub key: String,
    /// Its value.
    pub value: ParamValue,
    /// Its unit, such as `px`; empty without one.
    pub unit: String,
    /// Whether the schema says that a table made with another value can't be used.
    pub invalidates_zlut: bool,
}

impl StoredParameter {
    /// Value and unit for people.
    pub(crate) fn shown(&self) -> String {
        match self.unit.as_str() {
            "" => self.value.to_string(),
            unit => format!("{} {unit}", self.value),
        }
    }
}

/// What the profiles of a tracker are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// Mean intensity against radius.
    Radial,
    /// Spectrum of the radial profile.
    Fft,
    /// The tracker's own.
    Own,
    /// The tracker gives no profile; tables hold the strategy's bytes alone.
    None,
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Radial => "radial",
            Self::Fft => "fft",
            Self::Own => "own",
            Self::None => "none",
        })
    }
}

/// The bins of a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileGeometry {
    /// What stands in the bins.
    pub kind: ProfileKind,
    /// Number of bins; 0 exactly for [`ProfileKind::None`].
    pub n_bins: u32,
    /// Radius of the first bin's middle, px.
    pub first_radius_px: f64,
    /// From bin to bin, px.
    pub step_px: f64,
}

/// Everything that a Z-LUT was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZlutSettings {
    /// The tracker whose profiles stand in the tables.
    pub tracker: MethodStamp,
    /// All parameters of the tracker.
    pub tracker_parameters: Vec<StoredParameter>,
    /// The strategy that built the tables.
    pub strategy: MethodStamp,
    /// All parameters of the strategy.
    pub strategy_parameters: Vec<StoredParameter>,
    /// The profile's bins.
    pub profile: ProfileGeometry,
    /// Width of the ROIs, px.
    pub roi_w_px: u32,
    /// Height of the ROIs, px.
    pub roi_h_px: u32,
    /// Size of a pixel in the sample, nm.
    pub nm_per_px: f64,
    /// By which the host multiplies z when it makes a row (refractive-index mismatch).
    pub focal_shift_factor: f64,
    /// Name of the camera's pixel format, such as `Mono8`.
    pub pixel_format: String,
    /// Significant bits of a pixel.
    pub significant_bits: u32,
    /// Electrons per count; `None` where it isn't known.
    pub gain_e_per_adu: Option<f64>,
    /// Counts without light; `None` where it isn't known.
    pub offset_adu: Option<f64>,
    /// Standard deviation of the read noise, electrons; `None` where it isn't known.
    pub read_noise_e: Option<f64>,
}

impl ZlutSettings {
    /// The hash over what a table depends on, hexadecimal (BLAKE3): tracker id, every parameter
    /// of tracker and strategy that invalidates Z-LUT, profile, ROI size, `nm_per_px` and
    /// `focal_shift_factor`. Versions, builds and the camera's data are not in it.
    ///
    /// Hashed is a text with one setting per line. Parameters come in the order of their keys,
    /// with kind and unit, so that 1 and 1.0 differ. Texts are quoted and escaped as in JSON. Floats are the
    /// shortest decimal text that reads back to the same bits; -0.0 counts as 0.0. Equal hashes
    /// mean that [`ZlutSettings::check_against`] finds no mismatch.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(self.canonical().as_bytes()).to_hex().to_string()
    }

    fn canonical(&self) -> String {
        let mut lines =
            vec!["tetherscope zlut settings 1".to_owned(), format!("tracker.id {}", quoted(&self.tracker.id))];
        for (owner, parameters) in [("tracker", &self.tracker_parameters), ("strategy", &self.strategy_parameters)] {
            let mut chosen: Vec<_> = parameters.iter().filter(|p| p.invalidates_zlut).collect();
            chosen.sort_by(|a, b| a.key.cmp(&b.key));
            lines.extend(chosen.iter().map(|p| {
                let value = p.value.canonical();
                let (key, unit) = (quoted(&p.key), quoted(&p.unit));
                format!("{owner} parameter {key} {value} {unit}")
            }));
        }
        let profile = &self.profile;
        lines.push(format!("profile.kind {}", profile.kind));
        lines.push(format!("profile.n_bins {}", profile.n_bins));
        for (name, value) in [
            ("profile.first_radius_px", profile.first_radius_px),
            ("profile.step_px", profile.step_px),
            ("nm_per_px", self.nm_per_px),
            ("focal_shift_factor", self.focal_shift_factor),
        ] {
            lines.push(format!("{name} {}", canonical_f64(value)));
        }
        lines.push(format!("roi_w_px {}", self.roi_w_px));
        lines.push(format!("roi_h_px {}", self.roi_h_px));
        lines.push(String::new());
        lines.join("\n")
    }

    /// What can't be stored, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, id) in [("tracker", &self.tracker.id), ("strategy", &self.strategy.id)] {
            if id.is_empty() {
                return Err(format!("the {name} has no id"));
            }
        }
        check_parameters("tracker", &self.tracker_parameters)?;
        check_parameters("strategy", &self.strategy_parameters)?;
        if self.roi_w_px == 0 || self.roi_h_px == 0 {
            return Err(format!("ROIs of {} × {} px", self.roi_w_px, self.roi_h_px));
        }
        if (self.profile.kind == ProfileKind::None) != (self.profile.n_bins == 0) {
            return Err(format!("a profile of kind {} with {} bins", self.profile.kind, self.profile.n_bins));
        }
        for (name, value) in [("nm_per_px", self.nm_per_px), ("focal_shift_factor", self.focal_shift_factor)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("{name} is {value}, it must be above 0"));
            }
        }
        let optional = |v: Option<f64>| v.unwrap_or(0.0);
        for (name, value) in [
            ("profile.first_radius_px", self.profile.first_radius_px),
            ("profile.step_px", self.profile.step_px),
            ("gain_e_per_adu", optional(self.gain_e_per_adu)),
            ("offset_adu", optional(self.offset_adu)),
            ("read_noise_e", optional(self.read_noise_e)),
        ] {
            if !value.is_finite() {
                return Err(format!("{name} is {value}"));
            }
        }
        Ok(())
    }
}

fn check_parameters(owner: &str, parameters: &[StoredParameter]) -> Result<(), String> {
    for (i, parameter) in parameters.iter().enumerate() {
        let key = &parameter.key;
        if parameters[..i].iter().any(|p| p.key == *key) {
            return Err(format!("{owner}.{key} stands twice"));
        }
        if let ParamValue::F64(value) = parameter.value
            && !value.is_finite()
        {
            return Err(format!("{owner}.{key} is {value}"));
        }
    }
    Ok(())
}

/// Shortest decimal text of the same bits, with one zero and one NaN.
pub(super) fn canonical_f64(value: f64) -> String {
    let mut text = String::new();
    // -0.0 + 0.0 is 0.0; every other number stays.
    push_f64(&mut text, value + 0.0);
    text
}

/// A text between quotes, escaped as in JSON, which stays the same for ever.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
