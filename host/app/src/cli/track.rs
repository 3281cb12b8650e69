//! `tetherscope track`: a video in, a table of rows out.

use super::find::FindArgs;
use super::frames::{FrameArgs, outside_warning, params_of};
use super::output::{Ending, Output};
use super::{CommandResult, Context, progress};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tetherscope_core::loader::{CameraFormat, Kind, Registry, Tracker, ZlutStrategy, abi};
use tetherscope_core::{FrameSource, LoadedZlut, Plan, PlanOptions, RowMaker, RunError, RunSummary, ZlutPlan, run};
use tetherscope_files::{RowsWriter, StoredZlut};

/// Strategy for a Z-LUT that does not say which one made it.
const STRATEGY_OF_TEXT_FILES: &str = "zlut.correlation";

/// Track beads in a video
#[derive(clap::Args)]
pub(crate) struct Track {
    #[command(flatten)]
    frames: FrameArgs,
    /// Z-LUT for z: a .zlut file, or a .txt of MagScope
    #[arg(long, value_name = "FILE")]
    zlut: Option<PathBuf>,
    /// Method that looks z up; without it the one that the Z-LUT was made with
    #[arg(long, value_name = "METHOD", requires = "zlut")]
    zlut_strategy: Option<String>,
    /// Parameter of the Z-LUT strategy; may be given several times
    #[arg(long = "zlut-param", value_name = "KEY=VALUE", value_parser = super::frames::key_value, requires = "zlut")]
    zlut_params: Vec<(String, String)>,
    /// Where the rows go (.csv or .parquet); must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    find: FindArgs,
}

impl Track {
    /// Tracks.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let tracker = self.frames.tracker(&registry)?;
        let optics = self.frames.optics();
        let rois = self.frames.read_rois()?;
        let camera = self.frames.open(&registry)?;
        let format = camera.format()?;
        let mut writer = RowsWriter::create(&self.out)?;
        let found = self.find.run(&registry, &camera, context)?;
        let rois = found.as_ref().map(|f| f.rois.clone()).or(rois);
        let mut warnings = found.as_ref().map(|f| f.warnings.clone()).unwrap_or_default();
        let zlut = match &self.zlut {
            None => None,
            Some(_) => Some(self.load_zlut(&registry, &tracker, &format, rois.as_deref(), &mut warnings)?),
        };
        let strategy = zlut.as_ref().map(|z| z.strategy.clone());
        let plan = Plan::new(PlanOptions { tracker: tracker.clone(), zlut, rois, optics }, &format)?;
        warnings.extend(outside_warning(&plan.beads_outside(), &format));
        let options = self.frames.run_options(context);
        let source = FrameSource::start_for(camera, plan.rois().len(), &options)?;
        let bar = progress::frames("tracking", format.n_frames, context.interactive());
        let maker = RowMaker::new(&optics, &format, None);
        let (mut rows, mut flags) = (Vec::new(), FlagCounts::default());
        let begun = Instant::now();
        let summary = run(source, &plan, &options, |batch| {
            maker.rows(batch, &mut rows);
            rows.iter().for_each(|r| flags.add(r.flags));
            writer.write(&rows)?;
            bar.inc(batch.frames.len() as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        if summary.frames_tracked == 0 {
            return Err(RunError::refused(
                format!("nothing to track in {}", self.frames.video.display()),
                "it has no frames",
                "give a video with at least one frame",
            ));
        }
        let mut settings = settings_json(&self, &tracker, strategy.as_deref(), &plan);
        if let Some(found) = &found {
            settings["finder"] = found.settings.clone();
        }
        let metadata = BTreeMap::from([
            ("tetherscope.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("tetherscope.settings".to_owned(), settings.to_string()),
        ]);
        writer.add_metadata(&metadata);
        writer.finish()?;
        let seconds = begun.elapsed().as_secs_f64();
        let (mut output, ending) = report(&self, &summary, seconds, &flags, &warnings, settings);
        if let Some(found) = found {
            found.add_to(&mut output);
        }
        Ok((output, ending))
    }

    fn load_zlut(
        &self,
        registry: &Registry,
        tracker: &Arc<Tracker>,
        format: &CameraFormat,
        rois: Option<&[tetherscope_core::Roi]>,
        warnings: &mut Vec<String>,
    ) -> Result<ZlutPlan, RunError> {
        let path = self.zlut.as_deref().expect("only called with a Z-LUT");
        let method = match &self.zlut_strategy {
            Some(m) => m.clone(),
            None => match tetherscope_files::read_zlut(path)? {
                StoredZlut::Own(file) => file.settings.strategy.id.clone(),
                StoredZlut::MagScope(_) => STRATEGY_OF_TEXT_FILES.to_owned(),
            },
        };
        let component = registry.resolve(Kind::Zlut, &method)?;
        let strategy = ZlutStrategy::create(component, params_of(component, &self.zlut_params)?)?;
        // A plan without z tells the layout of the profiles and what workers are told.
        let optics = self.frames.optics();
        let rois = rois.map(<[_]>::to_vec);
        let xy = Plan::new(PlanOptions { tracker: tracker.clone(), zlut: None, rois, optics }, format)?;
        let LoadedZlut { tables, warnings: more, unchecked } =
            tetherscope_core::load_zlut(path, &strategy, tracker, xy.layout(), xy.config(), &optics)?;
        warnings.extend(more);
        if unchecked {
            warnings.push(format!(
                "{} is unchecked: it says nothing of how it was made, only its number of bins fits",
                path.display()
            ));
        }
        Ok(ZlutPlan { strategy, tables })
    }
}

/// How many rows have each flag.
#[derive(Default)]
pub(crate) struct FlagCounts([u64; 32]);

/// Names of the flags that the interface defines, by bit.
const FLAG_NAMES: [(u32, &str); 11] = [
    (abi::FLAG_AT_BORDER, "at_border"),
    (abi::FLAG_SATURATED, "saturated"),
    (abi::FLAG_NO_SIGNAL, "no_signal"),
    (abi::FLAG_NOT_CONVERGED, "not_converged"),
    (abi::FLAG_OUTSIDE_ZLUT, "outside_zlut"),
    (abi::FLAG_LOW_CONTRAST, "low_contrast"),
    (abi::FLAG_NEIGHBOUR, "neighbour"),
    (abi::FLAG_NON_FINITE, "non_finite"),
    (abi::FLAG_DEADLINE, "deadline"),
    (abi::FLAG_PLUGIN_ERROR, "plugin_error"),
    (abi::FLAG_NOT_WRITTEN, "not_written"),
];

impl FlagCounts {
    /// Counts the flags of one row.
    pub(crate) fn add(&mut self, flags: u32) {
        for (bit, count) in self.0.iter_mut().enumerate() {
            *count += u64::from(flags >> bit & 1);
        }
    }

    /// Name and count of each flag that occurred.
    pub(crate) fn named(&self) -> Vec<(String, u64)> {
        let name = |bit: u32| {
            let known = FLAG_NAMES.iter().find(|(f, _)| *f == 1 << bit);
            known.map_or_else(|| format!("method_bit_{bit}"), |(_, n)| (*n).to_owned())
        };
        (0..32).filter(|b| self.0[*b as usize] > 0).map(|b| (name(b), self.0[b as usize])).collect()
    }
}

fn settings_json(args: &Track, tracker: &Tracker, strategy: Option<&ZlutStrategy>, plan: &Plan) -> serde_json::Value {
    let method = |c: &tetherscope_core::loader::Component, params| json!({"id": c.info().id, "version": c.info().version.to_string(), "hash": c.hash(), "parameters": params});
    json!({
        "video": args.frames.video.display().to_string(),
        "tracker": method(tracker.component(), tracker.params().to_json()),
        "zlut": args.zlut.as_ref().map(|p| p.display().to_string()),
        "zlut_strategy": strategy.map(|s| method(s.component(), s.params().to_json())),
        "optics": plan.optics(),
        "roi_w_px": plan.config().w_px,
        "roi_h_px": plan.config().h_px,
        "isa": tetherscope_core::isa(),
    })
}

fn report(
    args: &Track,
    summary: &RunSummary,
    seconds: f64,
    flags: &FlagCounts,
    warnings: &[String],
    settings: serde_json::Value,
) -> (Output, Ending) {
    let rois_per_s = summary.rows as f64 / seconds;
    let flags = flags.named();
    let dropped: serde_json::Map<_, _> = summary.dropped.iter().map(|(r, n)| ((*r).to_owned(), (*n).into())).collect();
    let json = json!({
        "file": args.out.display().to_string(),
        "frames": summary.frames_tracked,
        "frames_seen": summary.frames_seen,
        "dropped": dropped,
        "rows": summary.rows,
        "rows_without_position": summary.rows_without_position,
        "flags": flags.iter().cloned().map(|(n, c)| (n, c.into())).collect::<serde_json::Map<_, _>>(),
        "failed_calls": summary.failed_calls,
        "first_failure": summary.first_failure,
        "seconds": seconds,
        "rois_per_s": rois_per_s,
        "warnings": warnings,
        "settings": settings,
    });
    let mut text = format!(
        "{} frames, {} rows in {seconds:.2} s ({rois_per_s:.0} ROIs/s)\n",
        summary.frames_tracked, summary.rows
    );
    if summary.rows_without_position > 0 {
        text += &format!("{} rows without a position\n", summary.rows_without_position);
    }
    for (name, count) in &flags {
        text += &format!("{count} rows flagged {name}\n");
    }
    for (reason, count) in &summary.dropped {
        text += &format!("{count} frames not tracked: {reason}\n");
    }
    if let Some(failure) = &summary.first_failure {
        text += &format!(
            "{} calls of a plugin failed, the first:\n  {}\n",
            summary.failed_calls,
            failure.replace('\n', "\n  ")
        );
    }
    for w in warnings {
        text += &format!("warning: {w}\n");
    }
    text += &format!("wrote {}\n", args.out.display());
    let fine = summary.failed_calls == 0 && summary.dropped.is_empty();
    (Output { text, json }, Ending::fine_if(fine))
}
