//! The tables of a sweep: one for each bead that was found often enough and looks like the others, and one from all of
//! those. Nothing is written before somebody asks for a file.

use super::run::Swept;
use crate::control::{Refusal, RefusalKind, SweepWhich, TableView};
use crate::engine::times::{utc_now_ns, utc_text};
use crate::{
    BiasReport, BuiltTable, Optics, RunError, Sweep, TableBias, TableOptions, build_tables, judge_beads, zlut_settings,
};
use std::sync::Arc;
use tetherscope_analysis::BIAS_MAP_VERSION;
use tetherscope_files::{ZlutFile, ZlutSettings, ZlutTable};
use tetherscope_loader::{CancelToken, ZlutStrategy};

/// Tables to be saved, used or discarded.
pub(crate) struct SweepTables {
    strategy: Arc<ZlutStrategy>,
    settings: ZlutSettings,
    created_utc: String,
    per_bead: Vec<BuiltTable>,
    average: BuiltTable,
    rejected: Vec<(u32, String)>,
    hysteresis_nm: Option<f64>,
}

/// Builds them from the frames of the way there; those of the way back tell the hysteresis.
pub(crate) fn make_tables(
    mut sweep: Sweep,
    swept: &Swept,
    strategy: Arc<ZlutStrategy>,
    optics: &Optics,
    cancel: &CancelToken,
) -> Result<SweepTables, Refusal> {
    let way_back = sweep.split_off(swept.way_back);
    let mut rejected: Vec<(u32, String)> =
        swept.lost.iter().map(|(bead, at)| (*bead, format!("it was lost at {at} nm"))).collect();
    for quality in judge_beads(&sweep) {
        if let Some(why) = quality.outlier
            && !rejected.iter().any(|r| r.0 == quality.bead)
        {
            rejected.push((quality.bead, why));
        }
    }
    let per_bead = per_bead_tables(&sweep, &strategy, &mut rejected, cancel)?;
    if per_bead.is_empty() {
        let why: Vec<String> = rejected.iter().map(|(bead, why)| format!("bead {bead}: {why}")).collect();
        return Err(Refusal::new(
            RefusalKind::Invalid,
            "the sweep gives no table",
            why.join("; "),
            "look at beads, light and tracker, and sweep again",
        ));
    }
    let without = rejected.iter().map(|r| r.0).collect();
    let mut all = build_tables(&sweep, &strategy, &options(without, true, cancel))?;
    let average = of_bead(all.remove(0), None);
    let hysteresis_nm = hysteresis_nm(&way_back, &per_bead)?;
    let settings = zlut_settings(sweep.tracker(), &strategy, sweep.layout(), sweep.config(), optics);
    Ok(SweepTables {
        strategy,
        settings,
        created_utc: utc_text(utc_now_ns()),
        per_bead,
        average,
        rejected,
        hysteresis_nm,
    })
}

/// How much higher z is found on the way back than the stage says, mean over beads and frames; None of a sweep that did not
/// go back.
fn hysteresis_nm(way_back: &Sweep, per_bead: &[BuiltTable]) -> Result<Option<f64>, Refusal> {
    let mut differences = Vec::new();
    for table in per_bead {
        let of_bead = |i: &usize| Some(way_back.beads()[*i]) == table.bead && way_back.has_position(*i);
        let entries: Vec<usize> = (0..way_back.len()).filter(of_bead).collect();
        if entries.is_empty() {
            continue;
        }
        let found = way_back.look_up(&entries, &table.table)?;
        let difference = |(i, fix): (&usize, &tetherscope_loader::Fix)| fix.z_nm - way_back.focus_nm()[*i];
        differences.extend(entries.iter().zip(&found).map(difference).filter(|d| d.is_finite()));
    }
    Ok((!differences.is_empty()).then(|| differences.iter().sum::<f64>() / differences.len() as f64))
}

fn options(without: Vec<u32>, one_table: bool, cancel: &CancelToken) -> TableOptions {
    TableOptions { one_table, without, cancel: cancel.clone(), ..TableOptions::default() }
}

/// All at once; if the strategy refuses one bead, one after the other, so that it costs that bead only.
fn per_bead_tables(
    sweep: &Sweep,
    strategy: &Arc<ZlutStrategy>,
    rejected: &mut Vec<(u32, String)>,
    cancel: &CancelToken,
) -> Result<Vec<BuiltTable>, Refusal> {
    let mut left: Vec<u32> = sweep.distinct_beads();
    left.retain(|b| !rejected.iter().any(|r| r.0 == *b));
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let others = |kept: &[u32]| sweep.distinct_beads().into_iter().filter(|b| !kept.contains(b)).collect();
    match build_tables(sweep, strategy, &options(others(&left), false, cancel)) {
        // Of a single bead it is told without its number.
        Ok(mut built) if left.len() == 1 => Ok(vec![of_bead(built.remove(0), Some(left[0]))]),
        Ok(built) => Ok(built),
        Err(RunError::Cancelled) => Err(RunError::Cancelled.into()),
        Err(_) => {
            let mut built = Vec::new();
            for bead in left {
                match build_tables(sweep, strategy, &options(others(&[bead]), true, cancel)) {
                    Ok(mut one) => built.push(of_bead(one.remove(0), Some(bead))),
                    Err(RunError::Cancelled) => return Err(RunError::Cancelled.into()),
                    Err(e) => rejected.push((bead, e.to_string().replace('\n', ": "))),
                }
            }
            Ok(built)
        }
    }
}

fn of_bead(mut built: BuiltTable, bead: Option<u32>) -> BuiltTable {
    (built.bead, built.parts.bead) = (bead, bead);
    built
}

impl SweepTables {
    /// Who looks up in them.
    pub(crate) fn strategy(&self) -> &Arc<ZlutStrategy> {
        &self.strategy
    }

    /// Beads with a table.
    pub(crate) fn beads(&self) -> Vec<u32> {
        self.per_bead.iter().filter_map(|t| t.bead).collect()
    }

    /// Beads without, and why.
    pub(crate) fn rejected(&self) -> &[(u32, String)] {
        &self.rejected
    }

    /// One line: how many beads, and what is said of the table from all of them.
    pub(crate) fn verdict(&self) -> String {
        let (n, out) = (self.per_bead.len(), self.rejected.len());
        let back = self
            .hysteresis_nm
            .map_or_else(String::new, |h| format!("; on the way back z is {h:+.2} nm off on average"));
        let from_all = &self.average.bias.verdict.sentence;
        format!("{n} beads have a table, {out} were left out; from all: {from_all}{back}")
    }

    /// What clients see: each bead's, then the one from all.
    pub(crate) fn views(&self) -> Vec<TableView> {
        let view = |t: &BuiltTable| TableView {
            bead: t.bead,
            n_planes: t.parts.z_nm.len() as u32,
            n_bins: t.parts.n_bins() as u32,
            z_min_nm: t.parts.z_nm.iter().copied().fold(f64::NAN, f64::min),
            z_max_nm: t.parts.z_nm.iter().copied().fold(f64::NAN, f64::max),
            verdict: t.bias.verdict.sentence.clone(),
        };
        self.per_bead.iter().chain([&self.average]).map(view).collect()
    }

    /// Some of them, as a file.
    pub(crate) fn file(&self, which: SweepWhich) -> Result<ZlutFile, Refusal> {
        let chosen: Vec<(Option<u32>, &BuiltTable)> = match which {
            SweepWhich::PerBead => self.per_bead.iter().map(|t| (t.bead, t)).collect(),
            SweepWhich::Average => vec![(None, &self.average)],
            SweepWhich::Bead(bead) => {
                let found = self.per_bead.iter().find(|t| t.bead == Some(bead));
                vec![(None, found.ok_or_else(|| self.no_table_of(bead))?)]
            }
        };
        let bias = |(bead, t): &(Option<u32>, &BuiltTable)| TableBias { bead: *bead, map: t.bias.clone() };
        let report = BiasReport { bias_map_version: BIAS_MAP_VERSION, tables: chosen.iter().map(bias).collect() };
        Ok(ZlutFile {
            settings: self.settings.clone(),
            tables: chosen.iter().map(|(bead, t)| ZlutTable { bead: *bead, ..t.parts.clone() }).collect(),
            created_utc: self.created_utc.clone(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            notes: String::new(),
            report: Some(report.to_json()),
        })
    }

    fn no_table_of(&self, bead: u32) -> Refusal {
        let mend = format!("choose one of {:?}, or the average", self.beads());
        let thing = format!("cannot use the table of bead {bead}");
        Refusal::new(RefusalKind::NotFound, thing, "the sweep has none for it", mend)
    }
}
