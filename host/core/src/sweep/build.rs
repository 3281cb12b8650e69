//! Tables from a sweep in memory: one for each bead, or one from all of them, each tried on frames that were held out.

use super::data::Sweep;
use super::held_out::try_on_held_out;
use crate::error::RunError;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tetherscope_analysis::{BeadProfiles, BeadQuality, BiasMap, bead_qualities};
use tetherscope_files::ZlutTable;
use tetherscope_loader::{CancelToken, Table, ZlutStrategy};

/// How to build.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// One table from all beads together, for any bead, instead of one for each.
    pub one_table: bool,
    /// Beads that are left out, as if they had not been recorded; such as those that [`judge_beads`] calls outliers.
    pub without: Vec<u32>,
    /// Threads that build.
    pub threads: usize,
    /// Lets the user give up.
    pub cancel: CancelToken,
}

impl Default for TableOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { one_table: false, without: Vec::new(), threads, cancel: CancelToken::new() }
    }
}

/// One table that was built.
pub struct BuiltTable {
    /// The bead; None for a table for any bead.
    pub bead: Option<u32>,
    /// The table, ready to look up in.
    pub table: Arc<Table>,
    /// Its parts, ready to be stored.
    pub parts: ZlutTable,
    /// How far its z can be trusted.
    pub bias: BiasMap,
    /// Frames that the table was built from, and frames of the sweep; a frame counts once for each bead.
    pub frames_used: (usize, usize),
}

/// Builds a table for each bead of the sweep, in the order in which they came; or one from all of them, also if there is
/// only one bead. Each is then built again from a part of its frames, and tried on the rest.
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
    if !sweep.has_pixels() && strategy.component().info().can("needs_pixels") {
        return Err(RunError::refused(
            format!("cannot build a Z-LUT with {}", strategy.component().info().id),
            "it needs pixels, and of this sweep only profiles were kept",
            "choose a strategy that builds from profiles, or sweep again with ROI video",
        ));
    }
    let selections: Vec<(Option<u32>, Vec<usize>)> = if options.one_table || beads.len() == 1 {
        vec![(None, (0..sweep.len()).filter(|&i| !options.without.contains(&sweep.beads()[i])).collect())]
    } else {
        beads.into_iter().map(|b| (Some(b), sweep.entries_of(b))).collect()
    };
    let threads = options.threads.max(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("bulk-{i}")).build();
    let pool = pool.map_err(|e| {
        RunError::refused("cannot start the threads that build tables", e.to_string(), "use fewer --threads")
    })?;
    let one = |(bead, entries): &(Option<u32>, Vec<usize>)| build_one(sweep, strategy, *bead, entries, &options.cancel);
    pool.install(|| selections.par_iter().map(one).collect())
}

fn build_one(
    sweep: &Sweep,
    strategy: &Arc<ZlutStrategy>,
    bead: Option<u32>,
    entries: &[usize],
    cancel: &CancelToken,
) -> Result<BuiltTable, RunError> {
    if cancel.is_cancelled() {
        return Err(RunError::Cancelled);
    }
    let table = cancel.run(|| sweep.build(strategy, entries))?;
    let saved = table.save()?;
    let bias = try_on_held_out(sweep, strategy, entries, &saved.z_nm, &saved.profiles, cancel)?;
    let mut n_frames: BTreeMap<u64, u32> = BTreeMap::new();
    let with_position: Vec<usize> = entries.iter().copied().filter(|&i| sweep.has_position(i)).collect();
    with_position.iter().for_each(|&i| *n_frames.entry(plane_key(sweep.focus_nm()[i])).or_default() += 1);
    let parts = ZlutTable {
        bead,
        n_frames_per_plane: saved.z_nm.iter().map(|z| n_frames.get(&plane_key(*z)).copied().unwrap_or(0)).collect(),
        z_nm: saved.z_nm,
        profiles: saved.profiles,
        variance: saved.variance,
        bytes: saved.bytes,
    };
    Ok(BuiltTable { bead, table, parts, bias, frames_used: (with_position.len(), entries.len()) })
}

/// Equal for equal focus, -0 and 0 included.
fn plane_key(focus_nm: f64) -> u64 {
    (focus_nm + 0.0).to_bits()
}

/// What each bead of a sweep is worth for an averaged table, in the order in which they came: how often it was found, how
/// like the others it looks, and whether it should be left out.
pub fn judge_beads(sweep: &Sweep) -> Vec<BeadQuality> {
    let of_bead = |bead: u32| {
        let entries = sweep.entries_of(bead);
        BeadProfiles {
            bead,
            focus_nm: entries.iter().map(|&i| sweep.focus_nm()[i]).collect(),
            tracked: entries.iter().map(|&i| sweep.has_position(i)).collect(),
            profiles: entries.iter().flat_map(|&i| sweep.profile(i)).copied().collect(),
        }
    };
    bead_qualities(&sweep.distinct_beads().into_iter().map(of_bead).collect::<Vec<_>>())
}
