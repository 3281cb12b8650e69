//! Compares the layouts of the frozen structs, as abi_stable describes them, and names the field that differs.
//!
//! The names come from the plugin's memory, so this is the one place that reads what a library exports beside its entry.
#![allow(unsafe_code)]

use crate::error::{LoadError, LoadErrorKind as Kind};
use abi_stable::abi_stability::abi_checking::{AbiInstability, check_layout_compatibility};
use abi_stable::type_layout::TypeLayout;
use serde::{Deserialize, Serialize};
use std::path::Path;
use tetherscope_plugin_api::{FROZEN_NAMES, LAYOUT_CHECK, LayoutCheck};

/// What became of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Checked {
    /// All layouts agree.
    Agrees,
    /// The library exports none (C, or built without the feature).
    NotOffered,
    /// The library was built with another abi_stable, whose descriptions cannot be read.
    OtherAbiStable,
}

/// Compares all frozen structs of an opened library with the host's.
pub(crate) fn check(path: &Path, library: &libloading::Library) -> Result<Checked, LoadError> {
    // SAFETY: the symbol, where it exists, is the static reference that `export_plugin!` makes.
    let Ok(symbol) = (unsafe { library.get::<*const *const LayoutCheck>(b"tetherscope_plugin_layouts") }) else {
        return Ok(Checked::NotOffered);
    };
    // SAFETY: the static holds a valid reference for as long as the library is open, which is forever.
    let theirs = unsafe { &***symbol };
    if theirs.struct_size as usize != size_of::<LayoutCheck>() || !theirs.header.is_compatible(LAYOUT_CHECK.header) {
        return Ok(Checked::OtherAbiStable);
    }
    for (i, name) in FROZEN_NAMES.iter().enumerate().take(theirs.n_layouts as usize) {
        let (Some(host), Some(plugin)) = (LAYOUT_CHECK.layouts[i], theirs.layouts[i]) else { continue };
        if let Some(difference) = difference(name, host(), plugin()) {
            return Err(LoadError::file(
                Kind::Incompatible,
                path,
                difference,
                "build it against the unchanged tetherscope-plugin-api",
            ));
        }
    }
    Ok(Checked::Agrees)
}

/// The first field that differs, as a sentence; None when the layouts agree. Crate versions do not count: structs are
/// frozen, crates move on.
fn difference(name: &str, host: &'static TypeLayout, plugin: &'static TypeLayout) -> Option<String> {
    let errors = check_layout_compatibility(host, plugin).err()?;
    let counts = |e: &AbiInstability| {
        !matches!(e, AbiInstability::PackageVersion(_) | AbiInstability::PackageVersionParseError(_))
    };
    if !errors.errors.iter().any(|e| e.errs.iter().any(counts)) {
        return None;
    }
    let fields = |layout: &'static TypeLayout| -> Vec<(String, String)> {
        let fields = layout.get_fields();
        fields.iter().flat_map(|f| f.iter().map(|f| (f.name().to_owned(), f.full_type().to_string()))).collect()
    };
    let (ours, theirs) = (fields(host), fields(plugin));
    for (o, t) in ours.iter().zip(&theirs) {
        if o.0 != t.0 {
            return Some(format!("{name}.{} stands in the host where {name}.{} stands in the plugin", o.0, t.0));
        }
        if o.1 != t.1 {
            return Some(format!("{name}.{}: {} in the host, {} in the plugin", o.0, o.1, t.1));
        }
    }
    if ours.len() != theirs.len() {
        return Some(format!("{name} has {} fields in the host, {} in the plugin", ours.len(), theirs.len()));
    }
    Some(format!("{name} has another layout in the plugin than in the host"))
}
