//! What the window remembers from one start to the next: looks and folders, in one small file of the user's. Nothing of an
//! experiment: that is the rig's and the recording's.

use super::theme::Look;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// All of it. Missing entries take their defaults, unknown ones are passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Preferences {
    /// Theme.
    pub(crate) look: Look,
    /// Size of everything.
    pub(crate) zoom: f32,
    /// Pictures per second.
    pub(crate) pictures_per_s: u32,
    /// Where recordings, Z-LUTs and snapshots go.
    pub(crate) folder: PathBuf,
    /// Who.
    pub(crate) operator: String,
    /// The camera that was used last.
    pub(crate) camera: String,
    /// Its device.
    pub(crate) device: String,
    /// The tracker that was used last.
    pub(crate) tracker: String,
    /// The rig that was used last; empty if none was. It comes before camera and tracker.
    pub(crate) rig: PathBuf,
}

impl Default for Preferences {
    fn default() -> Self {
        let home = etcetera::home_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self {
            look: Look::default(),
            zoom: 1.0,
            pictures_per_s: 30,
            folder: home.join("tetherscope"),
            operator: String::new(),
            camera: String::new(),
            device: String::new(),
            tracker: String::new(),
            rig: PathBuf::new(),
        }
    }
}

impl Preferences {
    /// The user's own, and what went wrong with reading them.
    pub(crate) fn of_user() -> (Self, Vec<String>) {
        let (preferences, told) = Self::read(Self::place().as_deref());
        (preferences, told.into_iter().collect())
    }

    /// The rig that was used last.
    pub(crate) fn rig(&self) -> Option<&Path> {
        Some(self.rig.as_path()).filter(|p| !p.as_os_str().is_empty())
    }

    /// The file, if the user has a place for such.
    pub(crate) fn place() -> Option<PathBuf> {
        use etcetera::BaseStrategy as _;
        if let Some(place) = std::env::var_os("TETHERSCOPE_PREFERENCES") {
            return Some(place.into());
        }
        Some(etcetera::choose_base_strategy().ok()?.config_dir().join("tetherscope").join("window.json"))
    }

    /// Reads it; the defaults where there is none. An unreadable one is told, and left alone until something is changed.
    pub(crate) fn read(place: Option<&Path>) -> (Self, Option<String>) {
        let Some(place) = place else { return (Self::default(), None) };
        let text = match std::fs::read_to_string(place) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(e) => return (Self::default(), Some(unreadable(place, &e.to_string()))),
        };
        match serde_json::from_str::<Self>(&text) {
            Ok(mut p) => {
                p.zoom = if p.zoom.is_finite() { p.zoom.clamp(0.5, 3.0) } else { 1.0 };
                p.pictures_per_s = p.pictures_per_s.clamp(1, 120);
                (p, None)
            }
            Err(e) => (Self::default(), Some(unreadable(place, &e.to_string()))),
        }
    }

    /// Writes it under another name first, so that it is never half there.
    pub(crate) fn write(&self, place: &Path) -> Result<(), String> {
        let failed = |e: std::io::Error| {
            format!(
                "cannot keep the window's settings\n{}: {e}\nmake the folder writable; nothing else is affected",
                place.display()
            )
        };
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        let draft = place.with_extension("json.new");
        std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, place)).map_err(failed)
    }
}

fn unreadable(place: &Path, cause: &str) -> String {
    format!(
        "cannot read the window's settings\n{}: {cause}\nthe defaults are used; changing one writes a new file",
        place.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_read_back_and_missing_entries_take_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a").join("window.json");
        assert_eq!(Preferences::read(Some(&place)), (Preferences::default(), None));
        let mine = Preferences { look: Look::HighContrast, zoom: 1.5, ..Preferences::default() };
        mine.write(&place).unwrap();
        assert_eq!(Preferences::read(Some(&place)), (mine, None));
        std::fs::write(&place, r#"{"look": "light", "zoom": 99, "of_a_newer_version": 1}"#).unwrap();
        let (read, told) = Preferences::read(Some(&place));
        assert_eq!((read.look, read.zoom, told), (Look::Light, 3.0, None));
    }

    #[test]
    fn a_broken_file_is_told_and_the_defaults_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("window.json");
        std::fs::write(&place, "{").unwrap();
        let (read, told) = Preferences::read(Some(&place));
        assert_eq!(read, Preferences::default());
        assert_eq!(told.unwrap().lines().count(), 3);
    }
}
