//! Z-LUT files: our own `.zlut` (tables by bead with every setting by name) and MagScope's `.txt`
//! (one table, nothing else). What a table means is the strategy's business; here it is stored,
//! checked for sense, and compared with the settings in use.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{FileError, Result};

mod compare;
mod container;
mod settings;
mod table;
mod text;

pub use compare::{Compatibility, Mismatch};
pub use container::write_zlut;
pub use settings::{MethodStamp, ParamValue, ProfileGeometry, ProfileKind, StoredParameter, ZlutSettings};
pub use table::ZlutTable;
pub use text::{read_zlut_text, write_zlut_text};

/// What one `.zlut` file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct ZlutFile {
    /// What the tables were made with.
    pub settings: ZlutSettings,
    /// One or several tables; no bead has two, and at most one is shared.
    pub tables: Vec<ZlutTable>,
    /// When the sweep was recorded or the table built, RFC 3339 in UTC.
    pub created_utc: String,
    /// The version of the program that wrote the file.
    pub program_version: String,
    /// What the operator wants to remember.
    pub notes: String,
    /// The bias report on held-out frames, as its maker wrote it. JSON null counts as none.
    pub report: Option<serde_json::Value>,
}

impl ZlutFile {
    /// The table for a bead: its own, else the shared one.
    #[must_use]
    pub fn table_for(&self, bead: u32) -> Option<&ZlutTable> {
        let own = self.tables.iter().find(|t| t.bead == Some(bead));
        own.or_else(|| self.tables.iter().find(|t| t.bead.is_none()))
    }

    /// What can't be stored, in words.
    fn check(&self) -> std::result::Result<(), String> {
        self.settings.check()?;
        if self.tables.is_empty() {
            return Err("there is no table".to_owned());
        }
        for (i, table) in self.tables.iter().enumerate() {
            let name = table.name();
            table.check().map_err(|cause| format!("{name}: {cause}"))?;
            let n_bins = table.n_bins();
            if n_bins as u64 != u64::from(self.settings.profile.n_bins) {
                return Err(format!("{name} has {n_bins} bins, the settings say {}", self.settings.profile.n_bins));
            }
            if self.tables[..i].iter().any(|t| t.bead == table.bead) {
                return Err(format!("{name} stands twice"));
            }
        }
        Ok(())
    }
}

/// What [`read_zlut`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredZlut {
    /// Our own file, with everything that is known of its tables.
    Own(Box<ZlutFile>),
    /// MagScope's table, of which nothing else is known.
    MagScope(ZlutTable),
}

impl StoredZlut {
    /// The table for a bead: its own, else the shared one. MagScope's is shared.
    #[must_use]
    pub fn table_for(&self, bead: u32) -> Option<&ZlutTable> {
        match self {
            Self::Own(file) => file.table_for(bead),
            Self::MagScope(table) => Some(table),
        }
    }

    /// Compares what the file was made with and what is in use. Of MagScope's table only the
    /// number of bins can be compared; the result says that it is unchecked.
    #[must_use]
    pub fn check_against(&self, now: &ZlutSettings) -> Compatibility {
        match self {
            Self::Own(file) => file.settings.check_against(now),
            Self::MagScope(table) => compare::check_text_table(table, now),
        }
    }
}

/// Reads a Z-LUT file, ours or MagScope's: a file that begins as ours is ours, whatever its name;
/// any other is text unless it is called `.zlut`.
///
/// Fails, and never panics, on a file that was cut or changed, and on a table that makes no sense
/// (see [`read_zlut_text`] and [`ZlutTable`]).
pub fn read_zlut(path: impl AsRef<Path>) -> Result<StoredZlut> {
    let path = path.as_ref();
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(8).read_to_end(&mut start)).map_err(|e| FileError::reading(path, &e))?;
    let called_zlut = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zlut"));
    if called_zlut || container::begins(&start) {
        return container::read(path).map(|file| StoredZlut::Own(Box::new(file)));
    }
    read_zlut_text(path).map(StoredZlut::MagScope)
}

#[cfg(test)]
mod tests;
