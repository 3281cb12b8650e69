//! From a sweep in memory to a file: what `zlut build` and `zlut rebuild` share.

use super::{name_of, table_json, table_line};
use crate::cli::output::{Ending, Output};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tetherscope_core::loader::{CancelToken, Kind, Registry, ZlutStrategy};
use tetherscope_core::{BiasReport, Optics, RunError, Sweep, TableOptions, build_tables, judge_beads, zlut_settings};
use tetherscope_files::{ZlutFile, ZlutTable};

/// Who makes the tables, of which beads, and where they go.
#[derive(clap::Args)]
pub(crate) struct MakeArgs {
    /// Method that makes the table
    #[arg(long, value_name = "METHOD")]
    strategy: String,
    /// Parameter of the strategy; may be given several times
    #[arg(long = "zlut-param", value_name = "KEY=VALUE", value_parser = crate::cli::frames::key_value)]
    zlut_params: Vec<(String, String)>,
    /// Average all ROIs into one table for any bead, instead of a table for each
    #[arg(long)]
    one_table: bool,
    /// Average also beads that are unlike the others or are often lost; they are left out otherwise
    #[arg(long, requires = "one_table")]
    keep_all_beads: bool,
    /// Where the Z-LUT goes (.zlut, or .txt for MagScope); must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Note to keep in the file
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

/// What was told of the sweep before tables were made from it.
pub(super) struct Told {
    pub(super) frames: u64,
    pub(super) warnings: Vec<String>,
    /// Further entries of the JSON report.
    pub(super) more: Value,
    /// False: something was lost or failed on the way.
    pub(super) fine: bool,
}

impl MakeArgs {
    /// Refuses what can be known before minutes of work are spent; then the strategy.
    pub(super) fn strategy(&self, registry: &Registry) -> Result<Arc<ZlutStrategy>, RunError> {
        check_out(&self.out)?;
        let component = registry.resolve(Kind::Zlut, &self.strategy)?;
        Ok(ZlutStrategy::create(component, crate::cli::frames::params_of(component, &self.zlut_params)?)?)
    }

    /// Builds, judges and writes.
    pub(super) fn make(
        &self,
        sweep: Sweep,
        strategy: &Arc<ZlutStrategy>,
        optics: &Optics,
        threads: usize,
        cancel: CancelToken,
        told: Told,
    ) -> Result<(Output, Ending), RunError> {
        let Told { frames, mut warnings, more, fine } = told;
        let qualities = judge_beads(&sweep);
        let leave_out = self.one_table && !self.keep_all_beads;
        let mut without = Vec::new();
        for (bead, why) in qualities.iter().filter_map(|q| Some((q.bead, q.outlier.as_ref()?))) {
            if leave_out {
                without.push(bead);
            }
            warnings.push(format!("bead {bead}{}: {why}", if leave_out { " is left out" } else { "" }));
        }
        let options = TableOptions { one_table: self.one_table, without, threads, cancel };
        let built = build_tables(&sweep, strategy, &options)?;
        let settings = zlut_settings(sweep.tracker(), strategy, sweep.layout(), sweep.config(), optics);
        drop(sweep);
        let report = BiasReport::of(&built);
        for b in built.iter().filter(|b| b.frames_used.0 < b.frames_used.1) {
            let (used, all) = b.frames_used;
            warnings.push(format!(
                "{}: {} of {all} frames had no position and were left out",
                name_of(b.bead),
                all - used
            ));
        }
        let tables: Vec<ZlutTable> = built.into_iter().map(|b| b.parts).collect();
        let file = ZlutFile {
            settings,
            tables,
            created_utc: jiff::Timestamp::now().to_string(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            notes: self.note.clone(),
            report: Some(report.to_json()),
        };
        if is_text(&self.out) {
            write_text(&self.out, &file)?;
            warnings.push("a .txt Z-LUT keeps no settings: whoever uses it must know how it was made".into());
        } else {
            tetherscope_files::write_zlut(&self.out, &file)?;
        }
        let plural = if file.tables.len() == 1 { "table" } else { "tables" };
        let mut text = format!("{frames} frames, {} {plural}\n", file.tables.len());
        for t in &file.tables {
            text += &table_line(t);
            text += &report.map_of(t.bead).map_or_else(String::new, |m| format!("    {}\n", m.verdict.sentence));
        }
        warnings.iter().for_each(|w| text += &format!("warning: {w}\n"));
        text += &format!("wrote {}\n", self.out.display());
        let mut json = json!({
            "file": self.out.display().to_string(),
            "frames": frames,
            "settings_hash": file.settings.hash(),
            "tables": file.tables.iter().map(table_json).collect::<Vec<_>>(),
            "beads": qualities,
            "bias": report,
            "warnings": warnings,
        });
        if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
            json.extend(more);
        }
        Ok((Output { text, json }, Ending::fine_if(fine)))
    }
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"))
}

/// Refuses a name of which the kind of file cannot be told before minutes of work are spent.
pub(super) fn check_out(path: &Path) -> Result<(), RunError> {
    let known = is_text(path) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zlut"));
    if !known {
        return Err(RunError::refused(
            format!("cannot write {}", path.display()),
            "its name ends neither in .zlut nor in .txt",
            "choose .zlut, which keeps all settings, or .txt for MagScope",
        ));
    }
    if path.exists() {
        return Err(RunError::refused(
            format!("cannot write {}", path.display()),
            "it exists already, and nothing is overwritten",
            "choose another name, or remove it first",
        ));
    }
    Ok(())
}

fn write_text(path: &Path, file: &ZlutFile) -> Result<(), RunError> {
    match file.tables.as_slice() {
        [one] => Ok(tetherscope_files::write_zlut_text(path, one)?),
        many => Err(RunError::refused(
            format!("cannot write {}", path.display()),
            format!("a .txt Z-LUT holds one table, there are {}", many.len()),
            "write a .zlut, or give --one-table",
        )),
    }
}
