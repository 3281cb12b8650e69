//! `tetherscope zlut build`: from a recorded focus sweep to a file.

use super::super::frames::{FrameArgs, outside_warning, params_of};
use super::super::output::{Ending, Output};
use super::super::{CommandResult, Context};
use super::{name_of, table_json, table_line};
use serde_json::json;
use std::path::{Path, PathBuf};
use tetherscope_core::loader::{Kind, ZlutStrategy};
use tetherscope_core::{
    BiasReport, FrameSource, Plan, PlanOptions, RunError, SweepOptions, TableOptions, build_tables, collect_sweep,
    judge_beads, zlut_settings,
};
use tetherscope_files::{ZlutFile, ZlutTable};

/// Which frames of a sweep are used.
#[derive(Clone, Copy, clap::ValueEnum)]
enum UsedFrames {
    /// Every frame
    All,
    /// 0, 2, 4 …: the odd ones can then be tracked as a test
    Even,
    /// 1, 3, 5 …
    Odd,
}

/// Build a Z-LUT from a recorded focus sweep
#[derive(clap::Args)]
pub(crate) struct Build {
    #[command(flatten)]
    frames: FrameArgs,
    /// Focus of each frame (CSV: frame,time_s,focus_nm); frames of one focus are one plane
    #[arg(long, value_name = "FILE")]
    focus: PathBuf,
    /// Method that makes the table
    #[arg(long, value_name = "METHOD")]
    strategy: String,
    /// Parameter of the strategy; may be given several times
    #[arg(long = "zlut-param", value_name = "KEY=VALUE", value_parser = super::super::frames::key_value)]
    zlut_params: Vec<(String, String)>,
    /// Frames to use
    #[arg(long, value_enum, default_value = "all")]
    use_frames: UsedFrames,
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

impl Build {
    /// Builds and writes.
    pub(super) fn run(self, context: &Context) -> CommandResult {
        check_out(&self.out)?;
        let registry = context.registry()?;
        let tracker = self.frames.tracker(&registry)?;
        let component = registry.resolve(Kind::Zlut, &self.strategy)?;
        let strategy = ZlutStrategy::create(component, params_of(component, &self.zlut_params)?)?;
        let focus = tetherscope_files::read_focus(&self.focus)?;
        let rois = self.frames.read_rois()?;
        let camera = self.frames.open(&registry)?;
        let format = camera.format()?;
        let optics = self.frames.optics();
        let plan = Plan::new(PlanOptions { tracker: tracker.clone(), zlut: None, rois, optics }, &format)?;
        let mut warnings: Vec<String> = outside_warning(&plan.beads_outside(), &format).into_iter().collect();
        let run = self.frames.run_options(context);
        let source = FrameSource::start_for(camera, plan.rois().len(), &run)?;
        let use_frame: Option<fn(u64) -> bool> = match self.use_frames {
            UsedFrames::All => None,
            UsedFrames::Even => Some(|f| f % 2 == 0),
            UsedFrames::Odd => Some(|f| f % 2 == 1),
        };
        let (threads, cancel) = (run.threads, run.cancel.clone());
        let (sweep, summary) = collect_sweep(source, &plan, &focus, &SweepOptions { run, use_frame })?;
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
        let built = build_tables(&sweep, &strategy, &options)?;
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
        let settings = zlut_settings(&tracker, &strategy, plan.layout(), plan.config(), &optics);
        let hash = settings.hash();
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
        let mut text = format!("{} frames, {} {plural}\n", summary.frames_tracked, file.tables.len());
        for t in &file.tables {
            text += &table_line(t);
            text += &report.map_of(t.bead).map_or_else(String::new, |m| format!("    {}\n", m.verdict.sentence));
        }
        warnings.iter().for_each(|w| text += &format!("warning: {w}\n"));
        text += &format!("wrote {}\n", self.out.display());
        let json = json!({
            "file": self.out.display().to_string(),
            "frames": summary.frames_tracked,
            "settings_hash": hash,
            "tables": file.tables.iter().map(table_json).collect::<Vec<_>>(),
            "beads": qualities,
            "bias": report,
            "failed_calls": summary.failed_calls,
            "first_failure": summary.first_failure,
            "warnings": warnings,
        });
        let fine = summary.failed_calls == 0 && summary.dropped.is_empty();
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
