//! Z-LUT files and the tables that strategies make of them: what a file must say to be used, and what a new one says.

use crate::error::RunError;
use crate::optics::Optics;
use crate::plan::Tables;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tetherscope_files::{
    MethodStamp, ParamValue, ProfileGeometry, ProfileKind, StoredParameter, StoredZlut, ZlutSettings, ZlutTable,
};
use tetherscope_loader::{
    Component, ParamSet, ProfileLayout, SavedTable, Table, Tracker, Value, WorkerConfig, ZlutStrategy, abi,
};

/// Tables of a file, ready to look up in.
pub struct LoadedZlut {
    /// The tables.
    pub tables: Tables,
    /// What differs without making the tables unusable.
    pub warnings: Vec<String>,
    /// True for a file without metadata: only its bins could be checked.
    pub unchecked: bool,
}

/// Every setting that a table depends on, as a file stores it.
pub fn zlut_settings(
    tracker: &Tracker,
    strategy: &ZlutStrategy,
    layout: &ProfileLayout,
    config: &WorkerConfig,
    optics: &Optics,
) -> ZlutSettings {
    let known = |v: f64| v.is_finite().then_some(v);
    ZlutSettings {
        tracker: stamp(tracker.component()),
        tracker_parameters: stored(tracker.component(), tracker.params()),
        strategy: stamp(strategy.component()),
        strategy_parameters: stored(strategy.component(), strategy.params()),
        profile: geometry(layout),
        roi_w_px: config.w_px,
        roi_h_px: config.h_px,
        nm_per_px: optics.nm_per_px,
        focal_shift_factor: optics.focal_shift_factor,
        pixel_format: if config.pixel_format == abi::PIXEL_MONO8 { "Mono8".into() } else { "Mono16".into() },
        significant_bits: config.significant_bits,
        gain_e_per_adu: known(config.gain_e_per_adu),
        offset_adu: known(config.offset_adu),
        read_noise_e: known(config.read_noise_e),
    }
}

fn stamp(component: &Component) -> MethodStamp {
    let info = component.info();
    MethodStamp { id: info.id.clone(), version: info.version.to_string(), hash: component.hash().to_owned() }
}

fn stored(component: &Component, params: &ParamSet) -> Vec<StoredParameter> {
    let schema = &component.info().parameters;
    let find = |key: &str| schema.iter().find(|p| p.key == key);
    params
        .iter()
        .map(|(key, value)| StoredParameter {
            key: key.to_owned(),
            value: match value {
                Value::Int(v) => ParamValue::I64(*v),
                Value::Float(v) => ParamValue::F64(*v),
                Value::Bool(v) => ParamValue::Bool(*v),
                Value::Text(v) | Value::Choice(v) => ParamValue::Text(v.clone()),
            },
            unit: find(key).map_or_else(String::new, |p| p.unit.clone()),
            invalidates_zlut: find(key).is_some_and(|p| p.invalidates_zlut()),
        })
        .collect()
}

fn geometry(layout: &ProfileLayout) -> ProfileGeometry {
    let kind = match layout.kind {
        abi::PROFILE_RADIAL => ProfileKind::Radial,
        abi::PROFILE_FFT => ProfileKind::Fft,
        abi::PROFILE_OWN => ProfileKind::Own,
        _ => ProfileKind::None,
    };
    ProfileGeometry { kind, n_bins: layout.n_bins, first_radius_px: layout.first_radius_px, step_px: layout.step_px }
}

/// Reads a file, checks that it was made with the settings in use, and makes the strategy's tables of it.
pub fn load_zlut(
    path: &Path,
    strategy: &Arc<ZlutStrategy>,
    tracker: &Tracker,
    layout: &ProfileLayout,
    config: &WorkerConfig,
    optics: &Optics,
) -> Result<LoadedZlut, RunError> {
    let stored = tetherscope_files::read_zlut(path)?;
    load_stored_zlut(path, stored, strategy, tracker, layout, config, optics)
}

/// As [`load_zlut`], of what was read already or was never written; `path` only names it.
pub(crate) fn load_stored_zlut(
    path: &Path,
    mut stored: StoredZlut,
    strategy: &Arc<ZlutStrategy>,
    tracker: &Tracker,
    layout: &ProfileLayout,
    config: &WorkerConfig,
    optics: &Optics,
) -> Result<LoadedZlut, RunError> {
    let now = zlut_settings(tracker, strategy, layout, config, optics);
    if let StoredZlut::Own(file) = &mut stored {
        fill_parameters_that_are_newer(&mut file.settings, &now, tracker);
    }
    let compatibility = stored.check_against(&now);
    if let Some(refusal) = compatibility.refusal(path) {
        return Err(refusal.into());
    }
    let mut warnings = compatibility.warnings;
    let tables = match &stored {
        StoredZlut::MagScope(table) => Tables::Shared(load(strategy, table, true, layout, config)?),
        StoredZlut::Own(file) => {
            let same_strategy = file.settings.strategy.id == now.strategy.id;
            if !same_strategy && file.tables.iter().any(|t| t.bytes.is_some()) {
                warnings.push(format!(
                    "what {} stored for itself is not given to {}",
                    file.settings.strategy.id, now.strategy.id
                ));
            }
            let mut by_bead = HashMap::new();
            let mut shared = None;
            for t in &file.tables {
                let made = load(strategy, t, same_strategy, layout, config)?;
                match t.bead {
                    Some(bead) => drop(by_bead.insert(bead, made)),
                    None => shared = Some(made),
                }
            }
            match shared {
                Some(t) if by_bead.is_empty() => Tables::Shared(t),
                _ => Tables::PerBead(by_bead),
            }
        }
    };
    Ok(LoadedZlut { tables, warnings, unchecked: compatibility.unchecked })
}

/// A parameter that is younger than the file has the value that older versions used.
fn fill_parameters_that_are_newer(in_file: &mut ZlutSettings, now: &ZlutSettings, tracker: &Tracker) {
    let before = |key: &str| {
        let schema = &tracker.component().info().parameters;
        schema.iter().find(|p| p.key == key).and_then(|p| p.value_before.clone())
    };
    for p in &now.tracker_parameters {
        if in_file.tracker_parameters.iter().any(|q| q.key == p.key) {
            continue;
        }
        if let Some(value) = before(&p.key) {
            let value = match value {
                Value::Int(v) => ParamValue::I64(v),
                Value::Float(v) => ParamValue::F64(v),
                Value::Bool(v) => ParamValue::Bool(v),
                Value::Text(v) | Value::Choice(v) => ParamValue::Text(v),
            };
            in_file.tracker_parameters.push(StoredParameter { value, ..p.clone() });
        }
    }
}

fn load(
    strategy: &Arc<ZlutStrategy>,
    table: &ZlutTable,
    with_bytes: bool,
    layout: &ProfileLayout,
    config: &WorkerConfig,
) -> Result<Arc<Table>, RunError> {
    if table.n_bins() != layout.n_bins as usize {
        return Err(RunError::refused(
            "cannot look z up in this Z-LUT",
            format!("its profiles have {} bins, the tracker's have {}", table.n_bins(), layout.n_bins),
            "use the tracker, parameters and ROI size that the Z-LUT was made with",
        ));
    }
    let saved = SavedTable {
        z_nm: table.z_nm.clone(),
        profiles: table.profiles.clone(),
        variance: table.variance.clone(),
        bytes: table.bytes.clone().filter(|_| with_bytes),
    };
    Ok(strategy.load(&saved, layout, config)?)
}
