//! `tetherscope zlut`: build a Z-LUT from a recorded sweep, and see what a file holds.

use super::frames::{FrameArgs, outside_warning, params_of};
use super::output::{Ending, Output, number};
use super::{CommandResult, Context};
use serde_json::json;
use std::path::{Path, PathBuf};
use tetherscope_core::loader::{Kind, ZlutStrategy};
use tetherscope_core::{
    FrameSource, Plan, PlanOptions, RunError, SweepOptions, TableOptions, build_tables, collect_sweep, zlut_settings,
};
use tetherscope_files::{StoredZlut, ZlutFile, ZlutTable};

/// Build and look at Z-LUTs
#[derive(clap::Subcommand)]
pub(crate) enum Zlut {
    /// Build a Z-LUT from a recorded focus sweep
    Build(Box<Build>),
    /// Show what a Z-LUT file holds
    Inspect(Inspect),
}

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
    #[arg(long = "zlut-param", value_name = "KEY=VALUE", value_parser = super::frames::key_value)]
    zlut_params: Vec<(String, String)>,
    /// Frames to use
    #[arg(long, value_enum, default_value = "all")]
    use_frames: UsedFrames,
    /// Average all ROIs into one table for any bead, instead of a table for each
    #[arg(long)]
    one_table: bool,
    /// Where the Z-LUT goes (.zlut, or .txt for MagScope); must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Note to keep in the file
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

/// Show what a Z-LUT file holds
#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// A .zlut file, or a .txt of MagScope
    file: PathBuf,
}

impl Zlut {
    /// Builds or inspects.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Zlut::Build(c) => c.run(context),
            Zlut::Inspect(c) => inspect(&c.file),
        }
    }
}

impl Build {
    fn run(self, context: &Context) -> CommandResult {
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
        let cancel = run.cancel.clone();
        let (sweep, summary) = collect_sweep(source, &plan, &focus, &SweepOptions { run, use_frame })?;
        let options = TableOptions { one_table: self.one_table, cancel, ..TableOptions::default() };
        let built = build_tables(&sweep, &strategy, &options)?;
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
            report: None,
        };
        if is_text(&self.out) {
            write_text(&self.out, &file)?;
            warnings.push("a .txt Z-LUT keeps no settings: whoever uses it must know how it was made".into());
        } else {
            tetherscope_files::write_zlut(&self.out, &file)?;
        }
        let plural = if file.tables.len() == 1 { "table" } else { "tables" };
        let mut text = format!("{} frames, {} {plural}\n", summary.frames_tracked, file.tables.len());
        file.tables.iter().for_each(|t| text += &table_line(t));
        warnings.iter().for_each(|w| text += &format!("warning: {w}\n"));
        text += &format!("wrote {}\n", self.out.display());
        let json = json!({
            "file": self.out.display().to_string(),
            "frames": summary.frames_tracked,
            "settings_hash": hash,
            "tables": file.tables.iter().map(table_json).collect::<Vec<_>>(),
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
fn check_out(path: &Path) -> Result<(), RunError> {
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

fn name_of(bead: Option<u32>) -> String {
    bead.map_or_else(|| "any bead".into(), |b| format!("bead {b}"))
}

fn range(t: &ZlutTable) -> (f64, f64) {
    (t.z_nm.first().copied().unwrap_or(f64::NAN), t.z_nm.last().copied().unwrap_or(f64::NAN))
}

fn table_line(t: &ZlutTable) -> String {
    let (from, to) = range(t);
    let step = (to - from) / (t.n_planes().max(2) - 1) as f64;
    format!(
        "  {}: {} planes × {} bins, {from:.1} to {to:.1} nm, {step:.1} nm apart on average{}\n",
        name_of(t.bead),
        t.n_planes(),
        t.n_bins(),
        if t.bytes.is_some() { ", with the strategy's own data" } else { "" }
    )
}

fn table_json(t: &ZlutTable) -> serde_json::Value {
    let (from, to) = range(t);
    json!({
        "bead": t.bead,
        "n_planes": t.n_planes(),
        "n_bins": t.n_bins(),
        "z_from_nm": number(from),
        "z_to_nm": number(to),
        "has_variance": t.variance.is_some(),
        "own_bytes": t.bytes.as_ref().map_or(0, Vec::len),
        "n_frames_per_plane": t.n_frames_per_plane,
        "checksum": t.checksum(),
    })
}

fn inspect(path: &Path) -> CommandResult {
    let (text, json) = match tetherscope_files::read_zlut(path)? {
        StoredZlut::MagScope(t) => (
            format!("{}: a table of MagScope, without settings\n{}", path.display(), table_line(&t)),
            json!({"file": path.display().to_string(), "format": "magscope", "tables": [table_json(&t)]}),
        ),
        StoredZlut::Own(file) => {
            let s = &file.settings;
            let mut text =
                format!("{}\nmade {} by Tetherscope {}\n", path.display(), file.created_utc, file.program_version);
            for (what, m, params) in
                [("tracker", &s.tracker, &s.tracker_parameters), ("strategy", &s.strategy, &s.strategy_parameters)]
            {
                text += &format!("{what} {} {} #{}\n", m.id, m.version, m.hash.get(..8).unwrap_or(&m.hash));
                for p in params {
                    text += &format!("  {} = {} {}\n", p.key, p.value, p.unit);
                }
            }
            text += &format!(
                "ROI {} × {} px, {} nm/px, focal-shift factor {}, {} with {} bits\n",
                s.roi_w_px, s.roi_h_px, s.nm_per_px, s.focal_shift_factor, s.pixel_format, s.significant_bits
            );
            text += &format!("settings hash {}\n", s.hash());
            if !file.notes.is_empty() {
                text += &format!("note: {}\n", file.notes);
            }
            file.tables.iter().for_each(|t| text += &table_line(t));
            let json = json!({
                "file": path.display().to_string(),
                "format": "tetherscope",
                "created_utc": file.created_utc,
                "program_version": file.program_version,
                "notes": file.notes,
                "settings": s,
                "settings_hash": s.hash(),
                "tables": file.tables.iter().map(table_json).collect::<Vec<_>>(),
            });
            (text, json)
        }
    };
    Ok((Output { text, json }, Ending::Fine))
}
