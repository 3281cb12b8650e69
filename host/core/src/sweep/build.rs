//! Tables from a sweep in memory: one for each bead, or one from all of them.

use super::data::Sweep;
use crate::error::RunError;
use std::sync::Arc;
use tetherscope_files::ZlutTable;
use tetherscope_loader::{CancelToken, Table, ZlutStrategy};

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// One table from all beads together, for any bead, instead of one for each.
    pub one_table: bool,
    /// Beads that are left out, as if they had not been recorded.
    pub without: Vec<u32>,
    /// Lets the user give up.
    pub cancel: CancelToken,
}

/// One table that was built.
pub struct BuiltTable {
    /// The bead; None for a table for any bead.
    pub bead: Option<u32>,
    /// The table, ready to look up in.
    pub table: Arc<Table>,
    /// Its parts, ready to be stored.
    pub parts: ZlutTable,
    /// Frames that the table was built from, and frames of the sweep; a frame counts once for each bead.
    pub frames_used: (usize, usize),
}

/// Builds a table for each bead of the sweep, in the order in which they came; or one from all of them, also if there is
/// only one bead.
///
/// Fails without entries, and when the strategy refuses a bead's frames: leave that bead out.
pub fn build_tables(
    sweep: &Sweep,
    strategy: &Arc<ZlutStrategy>,
    options: &TableOptions,
) -> Result<Vec<BuiltTable>, RunError> {
    let beads: Vec<u32> = sweep.distinct_beads().into_iter().filter(|b| !options.without.contains(b)).collect();
    if beads.is_empty() {
        let cause = match options.without.len() {
            0 => "no frame is used, or no ROI lies wholly inside the frame".to_owned(),
            n => format!("all of its beads are left out ({n})"),
        };
        return Err(RunError::refused("cannot build a Z-LUT", cause, "use more frames, or move the ROIs"));
    }
    let selections: Vec<(Option<u32>, Vec<usize>)> = if options.one_table || beads.len() == 1 {
        vec![(None, (0..sweep.len()).filter(|&i| !options.without.contains(&sweep.beads()[i])).collect())]
    } else {
        beads.into_iter().map(|b| (Some(b), sweep.entries_of(b))).collect()
    };
    let mut built = Vec::with_capacity(selections.len());
    for (bead, entries) in selections {
        if options.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        built.push(options.cancel.run(|| build_one(sweep, strategy, bead, &entries))?);
    }
    Ok(built)
}

fn build_one(
    sweep: &Sweep,
    strategy: &Arc<ZlutStrategy>,
    bead: Option<u32>,
    entries: &[usize],
) -> Result<BuiltTable, RunError> {
    let selection = sweep.select(entries);
    let table = selection.with_data(|data| strategy.build(data))?;
    let saved = table.save()?;
    let with_position = || entries.iter().filter(|&&i| sweep.has_position(i));
    let frames_in_plane = |z: f64| with_position().filter(|&&i| sweep.focus_nm()[i] == z).count() as u32;
    let parts = ZlutTable {
        bead,
        n_frames_per_plane: saved.z_nm.iter().map(|z| frames_in_plane(*z)).collect(),
        z_nm: saved.z_nm,
        profiles: saved.profiles,
        variance: saved.variance,
        bytes: saved.bytes,
    };
    Ok(BuiltTable { bead, table, parts, frames_used: (with_position().count(), entries.len()) })
}
