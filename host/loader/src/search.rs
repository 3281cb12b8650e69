//! Where plugins are looked for, in order: given folders, `TETHERSCOPE_PLUGIN_PATH`, `plugins` beside the executable,
//! the user's data folder, and, for a build by Cargo, the executable's own folder. Never the current directory.

use crate::isolation::IsolationOptions;
use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};

/// The variable with further folders, separated as the system separates paths.
pub(crate) const PATH_VARIABLE: &str = "TETHERSCOPE_PLUGIN_PATH";

/// Where to look, and with which helper.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    /// Folders that the user named, searched first.
    pub plugin_dirs: Vec<PathBuf>,
    /// Also search the places that are always searched.
    pub usual_places: bool,
    /// The executable that probes and isolates (its `main` begins with [`crate::run_if_child`]); None: this one.
    pub child: Option<PathBuf>,
    /// Where descriptors of known files are kept; None: nowhere.
    pub cache: Option<PathBuf>,
    /// How long a probe may take.
    pub probe_limit: std::time::Duration,
    /// What runs in child processes.
    pub isolation: IsolationOptions,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            plugin_dirs: Vec::new(),
            usual_places: true,
            child: None,
            cache: user_dirs().map(|d| d.cache_dir().join("tetherscope").join("plugins.json")),
            probe_limit: std::time::Duration::from_secs(10),
            isolation: IsolationOptions::default(),
        }
    }
}

/// One place to look in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// A Cargo target folder holds libraries that are no plugins; those are passed over without a word.
    pub(crate) mixed: bool,
}

impl SearchOptions {
    /// The places in order.
    pub(crate) fn places(&self) -> Vec<Place> {
        let mut folders: Vec<Place> =
            self.plugin_dirs.iter().map(|d| Place { folder: d.clone(), mixed: false }).collect();
        if self.usual_places {
            let variable = std::env::var_os(PATH_VARIABLE).unwrap_or_default();
            folders.extend(
                std::env::split_paths(&variable)
                    .filter(|p| p.is_absolute())
                    .map(|folder| Place { folder, mixed: false }),
            );
            let executable = std::env::current_exe().ok().and_then(|e| e.canonicalize().ok());
            let beside = executable.as_deref().and_then(Path::parent);
            folders.extend(beside.map(|b| Place { folder: b.join("plugins"), mixed: false }));
            folders.extend(
                user_dirs().map(|d| Place { folder: d.data_dir().join("tetherscope").join("plugins"), mixed: false }),
            );
            folders.extend(beside.filter(|b| is_cargo_target(b)).map(|b| Place { folder: b.to_owned(), mixed: true }));
        }
        folders
    }
}

fn user_dirs() -> Option<impl BaseStrategy> {
    etcetera::choose_base_strategy().ok()
}

/// A folder that Cargo builds into, told by what Cargo leaves there.
fn is_cargo_target(folder: &Path) -> bool {
    folder.join(".fingerprint").is_dir() || folder.join(".cargo-lock").is_file()
}

/// The library files of a folder, sorted by name; an error names the folder.
pub(crate) fn libraries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(std::env::consts::DLL_SUFFIX) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
