//! Where the simulated motor keeps its position when its power goes: a file with one number, in nm. A move is written down
//! when it begins, since a real motor goes on to its target when the program that sent it dies.

use std::path::PathBuf;
use tetherscope_plugin_api::{Error, Result};

/// The file, or none: then the motor begins at 0, as one that has to be homed.
pub(super) struct PositionFile(Option<PathBuf>);

impl PositionFile {
    /// An empty name is no file.
    pub(super) fn new(name: &str) -> Self {
        Self((!name.is_empty()).then(|| name.into()))
    }

    /// The position in it, between the limits; None without a file, or before the first move.
    pub(super) fn read(&self, limit_nm: f64) -> Result<Option<f64>> {
        let Some(path) = &self.0 else { return Ok(None) };
        let refuse = |cause: String| {
            let mend = "remove the file: the motor then begins at 0";
            Error::invalid(format!(
                "cannot read the position of the simulated focus from {}\n{cause}\n{mend}",
                path.display()
            ))
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(refuse(e.to_string())),
        };
        match text.trim().parse::<f64>() {
            Ok(nm) if (-limit_nm..=limit_nm).contains(&nm) => Ok(Some(nm)),
            Ok(nm) => Err(refuse(format!("{nm} nm is beyond ±{limit_nm} nm"))),
            Err(_) => Err(refuse("it holds no number".into())),
        }
    }

    /// Writes it down; appears whole or not at all.
    pub(super) fn write(&self, nm: f64) -> Result<()> {
        let Some(path) = &self.0 else { return Ok(()) };
        let new = path.with_extension("new");
        std::fs::write(&new, format!("{nm}\n")).and_then(|()| std::fs::rename(&new, path)).map_err(|e| {
            let thing = format!("cannot keep the position of the simulated focus in {}", path.display());
            Error::invalid(format!("{thing}\n{e}\ngive a file in a folder in which you may write"))
        })
    }
}
