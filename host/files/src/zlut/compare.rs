//! Whether a Z-LUT file fits the settings in use: which settings differ, with both values, and what
//! is only worth a warning.

use std::path::Path;

use super::settings::{StoredParameter, ZlutSettings, canonical_f64};
use super::table::ZlutTable;
use crate::error::{ErrorKind, FileError};

/// A setting that differs, so that the table can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The setting's name, such as `tracker.oversample` or `nm_per_px`.
    pub setting: String,
    /// Its value in the file, with its unit.
    pub in_file: String,
    /// Its value in use, with its unit.
    pub in_use: String,
}

/// How a Z-LUT file and the settings in use go together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compatibility {
    /// What differs and may not. Empty means that the tables can be used.
    pub mismatches: Vec<Mismatch>,
    /// What differs and may: one sentence each.
    pub warnings: Vec<String>,
    /// The file doesn't say what it was made with (MagScope's text): only bins were compared.
    pub unchecked: bool,
}

impl Compatibility {
    /// Whether the tables can be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// The refusal that names every setting with both values, as an error about `path`; `None`
    /// when the tables can be used.
    #[must_use]
    pub fn refusal(&self, path: impl AsRef<Path>) -> Option<FileError> {
        if self.is_usable() {
            return None;
        }
        let causes: Vec<String> = self
            .mismatches
            .iter()
            .map(|m| format!("{}: {} in the file, {} in use", m.setting, m.in_file, m.in_use))
            .collect();
        Some(FileError::new(
            ErrorKind::Incompatible,
            format!("cannot use the Z-LUT {}", path.as_ref().display()),
            causes.join("; "),
            "set what differs as in the file, or record a new Z-LUT",
        ))
    }

    fn differ(&mut self, setting: impl Into<String>, in_file: String, in_use: String) {
        if in_file != in_use {
            self.mismatches.push(Mismatch { setting: setting.into(), in_file, in_use });
        }
    }

    fn warn(&mut self, thing: &str, in_file: &str, in_use: &str) {
        if in_file != in_use {
            self.warnings.push(format!("{thing} is {in_file} in the file, {in_use} in use"));
        }
    }
}

impl ZlutSettings {
    /// Compares the settings of a file (`self`) with those in use.
    ///
    /// A mismatch: tracker id, a parameter that invalidates Z-LUT (by the file's word or by that
    /// of the schema in use; one that stands on one side only differs too), profile, ROI size,
    /// `nm_per_px`, `focal_shift_factor`. Numbers must be equal, not merely near. A warning:
    /// versions, builds, another strategy, and the camera's data.
    ///
    /// A parameter that is newer than the file gets its `value_before` from the caller first.
    #[must_use]
    pub fn check_against(&self, now: &Self) -> Compatibility {
        let mut found = Compatibility::default();
        let number = |v: f64, unit: &str| format!("{}{unit}", canonical_f64(v));
        found.differ("tracker", self.tracker.id.clone(), now.tracker.id.clone());
        for (owner, in_file, in_use) in [
            ("tracker", &self.tracker_parameters, &now.tracker_parameters),
            ("strategy", &self.strategy_parameters, &now.strategy_parameters),
        ] {
            compare_parameters(&mut found, owner, in_file, in_use);
        }
        let (a, b) = (&self.profile, &now.profile);
        found.differ("profile.kind", a.kind.to_string(), b.kind.to_string());
        found.differ("profile.n_bins", a.n_bins.to_string(), b.n_bins.to_string());
        for (name, a, b, unit) in [
            ("profile.first_radius_px", a.first_radius_px, b.first_radius_px, " px"),
            ("profile.step_px", a.step_px, b.step_px, " px"),
            ("nm_per_px", self.nm_per_px, now.nm_per_px, " nm"),
            ("focal_shift_factor", self.focal_shift_factor, now.focal_shift_factor, ""),
        ] {
            found.differ(name, number(a, unit), number(b, unit));
        }
        for (name, a, b) in [("roi_w_px", self.roi_w_px, now.roi_w_px), ("roi_h_px", self.roi_h_px, now.roi_h_px)] {
            found.differ(name, format!("{a} px"), format!("{b} px"));
        }
        self.warnings(now, &mut found);
        found
    }

    fn warnings(&self, now: &Self, found: &mut Compatibility) {
        found.warn("the strategy", &self.strategy.id, &now.strategy.id);
        for (name, a, b) in [("tracker", &self.tracker, &now.tracker), ("strategy", &self.strategy, &now.strategy)] {
            if a.id != b.id {
                continue;
            }
            found.warn(&format!("the version of the {name}"), &a.version, &b.version);
            let known = !a.hash.is_empty() && !b.hash.is_empty();
            if a.version == b.version && known && a.hash != b.hash {
                found.warnings.push(format!("the {name} is another build of the same version {}", a.version));
            }
        }
        found.warn("the pixel format", &self.pixel_format, &now.pixel_format);
        let (a, b) = (self.significant_bits, now.significant_bits);
        found.warn("the number of bits", &a.to_string(), &b.to_string());
        let shown = |v: Option<f64>| v.map_or("unknown".to_owned(), canonical_f64);
        for (name, a, b) in [
            ("gain_e_per_adu", self.gain_e_per_adu, now.gain_e_per_adu),
            ("offset_adu", self.offset_adu, now.offset_adu),
            ("read_noise_e", self.read_noise_e, now.read_noise_e),
        ] {
            found.warn(name, &shown(a), &shown(b));
        }
    }
}

fn compare_parameters(found: &mut Compatibility, owner: &str, in_file: &[StoredParameter], in_use: &[StoredParameter]) {
    let named = |all: &[StoredParameter], key: &str| all.iter().find(|p| p.key == key).cloned();
    let mut keys: Vec<&str> =
        in_file.iter().chain(in_use).filter(|p| p.invalidates_zlut).map(|p| p.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let (a, b) = (named(in_file, key), named(in_use, key));
        let same = match (&a, &b) {
            (Some(a), Some(b)) => a.value.same(&b.value) && a.unit == b.unit,
            _ => false,
        };
        if !same {
            let shown = |p: Option<StoredParameter>| p.map_or("not there".to_owned(), |p| p.shown());
            found.mismatches.push(Mismatch { setting: format!("{owner}.{key}"), in_file: shown(a), in_use: shown(b) });
        }
    }
}

/// MagScope's table says nothing of its making: only the bins can be compared.
pub(super) fn check_text_table(table: &ZlutTable, now: &ZlutSettings) -> Compatibility {
    let mut found = Compatibility { unchecked: true, ..Compatibility::default() };
    let (a, b) = (table.n_bins(), now.profile.n_bins);
    found.differ("profile.n_bins", a.to_string(), b.to_string());
    found.warnings.push(
        "unchecked: a text table doesn't say which tracker, parameters, ROI size and nm_per_px it \
         was made with"
            .to_owned(),
    );
    found
}
