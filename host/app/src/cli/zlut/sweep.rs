//! `tetherscope zlut sweep`: beads, focus stage and camera of a rig in, tables out. It only gives commands and watches; moving,
//! settling and capturing are the engine's.

use super::{CommandResult, Context, name_of};
use crate::cli::live::Session;
use crate::cli::output::{Ending, Output, number};
use crate::cli::progress;
use crate::rig_file::RigFile;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tetherscope_core::RunError;
use tetherscope_core::control::{
    CameraCommand, Command, DataMode, MethodChoice, RecordingCommand, RecordingRequest, RefusalKind, StageCommand,
    SweepCommand, SweepPhase, SweepPositions, SweepRequest, SweepView, SweepWhich, TrackingCommand,
};

/// How often the sweep is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// For how long the stages are armed: a sweep that takes longer goes on, only clients' moves are refused again.
const ARMED_S: f64 = 60.0;

/// Where a sweep stops: a range, or a list.
#[derive(clap::Args)]
struct Positions {
    /// First position of the focus, in nm
    #[arg(long, value_name = "NM", allow_negative_numbers = true, requires_all = ["step_nm", "stop_nm"])]
    start_nm: Option<f64>,
    /// Step, in nm; negative to sweep downwards
    #[arg(long, value_name = "NM", allow_negative_numbers = true, requires = "start_nm")]
    step_nm: Option<f64>,
    /// Last position, in nm; a whole number of steps from the first
    #[arg(long, value_name = "NM", allow_negative_numbers = true, requires = "start_nm")]
    stop_nm: Option<f64>,
    /// The positions themselves, in nm, instead of a range: -200,-100,0,50
    #[arg(
        long,
        value_name = "NM,NM…",
        value_delimiter = ',',
        allow_hyphen_values = true,
        conflicts_with = "start_nm",
        required_unless_present = "start_nm"
    )]
    positions_nm: Vec<f64>,
}

impl Positions {
    fn asked(&self) -> SweepPositions {
        match (self.start_nm, self.step_nm, self.stop_nm) {
            (Some(start_nm), Some(step_nm), Some(stop_nm)) => SweepPositions::Range { start_nm, step_nm, stop_nm },
            _ => SweepPositions::List { positions_nm: self.positions_nm.clone() },
        }
    }
}

/// Sweep the focus live and build Z-LUTs from it
#[derive(clap::Args)]
pub(crate) struct Sweep {
    /// The rig, with a focus stage (see `tetherscope config example`); without it simulated beads
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    positions: Positions,
    /// Sweep back too, to see whether the stage comes to the same places from the other side
    #[arg(long)]
    both_directions: bool,
    /// Frames of each bead at each position
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// A position counts as reached within this, in nm
    #[arg(long, value_name = "NM", default_value_t = 10.0)]
    tolerance_nm: f64,
    /// … for so long, in ms
    #[arg(long, value_name = "MS", default_value_t = 50.0)]
    settle_ms: f64,
    /// A step that takes longer fails, in s
    #[arg(long, value_name = "S", default_value_t = 30.0)]
    step_timeout_s: f64,
    /// Method that makes the tables
    #[arg(long, value_name = "METHOD", default_value = "zlut.spline")]
    strategy: String,
    /// Parameter of the strategy; may be given several times
    #[arg(long = "zlut-param", value_name = "KEY=VALUE", value_parser = crate::cli::frames::key_value)]
    zlut_params: Vec<(String, String)>,
    /// One table from all beads that look alike, for any bead, instead of a table for each
    #[arg(long)]
    one_table: bool,
    /// Where the Z-LUT goes (.zlut); must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Record the sweep into this folder, for `zlut rebuild`; must not exist
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Record the ROIs' pixels too, for strategies that need them and for other trackers
    #[arg(long, requires = "record")]
    keep_rois: bool,
}

impl Sweep {
    /// Sweeps.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        super::make::check_out(&self.out)?;
        let registry = Arc::new(context.registry()?);
        let file = RigFile::usable(self.config.as_deref(), &registry)?;
        let options = file.rig.engine_options();
        let session = Session::start(context, registry, file, options)?;
        session.set_up()?;
        session.start_camera()?;
        if session.file.rig.beads.find.is_some() {
            session.find_beads()?;
        }
        self.start_recording(&session)?;
        session.ask(Command::Stages(StageCommand::Arm { seconds: ARMED_S }))?;
        session.ask(Command::Sweep(SweepCommand::Start(self.request())))?;
        let watched = self.watch(&session, context.interactive());
        if self.record.is_some() {
            // Also of a sweep that failed: what was recorded is finished.
            session.finish(Command::Recording(RecordingCommand::Stop))?;
        }
        let view = watched?;
        let which = if self.one_table { SweepWhich::Average } else { SweepWhich::PerBead };
        session.ask(Command::Sweep(SweepCommand::Save { path: self.out.clone(), which }))?;
        session.finish(Command::Camera(CameraCommand::Stop))?;
        Ok(self.report(&view))
    }

    fn start_recording(&self, session: &Session) -> Result<(), RunError> {
        let Some(path) = &self.record else { return Ok(()) };
        let Some(name) = path.file_name() else {
            let thing = format!("cannot record in {}", path.display());
            return Err(RunError::refused(thing, "it names no folder", "give the name of a new folder"));
        };
        if self.keep_rois {
            let mode = DataMode::TrackAndRoiVideo;
            session.ask(Command::Tracking(TrackingCommand::SetMode { mode }))?;
        }
        let recording = &session.file.rig.recording;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let request = RecordingRequest {
            folder: folder.to_owned(),
            name: name.to_string_lossy().into_owned(),
            operator: recording.operator.clone(),
            notes: recording.notes.clone(),
            ..RecordingRequest::default()
        };
        Ok(session.ask(Command::Recording(RecordingCommand::Start(request))).map(drop)?)
    }

    fn request(&self) -> SweepRequest {
        SweepRequest {
            positions: self.positions.asked(),
            frames_per_step: self.frames,
            tolerance_nm: self.tolerance_nm,
            settle_ms: self.settle_ms,
            step_timeout_s: self.step_timeout_s,
            both_directions: self.both_directions,
            strategy: MethodChoice {
                method: self.strategy.clone(),
                parameters: self.zlut_params.iter().cloned().collect(),
            },
            keep_rois: self.keep_rois,
        }
    }

    /// Until the tables are there. A sweep that pauses has nobody here to decide, so it ends with the reason; Ctrl-C ends it
    /// too, and the stage returns.
    fn watch(&self, session: &Session, interactive: bool) -> Result<SweepView, RunError> {
        let bar = progress::percent("sweeping", interactive);
        let mut ended_because = None;
        loop {
            let view = session.snapshot().sweep.clone();
            bar.set_position(u64::from(view.frames_done) * 100 / u64::from(view.frames.max(1)));
            match view.phase {
                SweepPhase::Done => {
                    bar.finish_and_clear();
                    return Ok(view);
                }
                SweepPhase::Failed | SweepPhase::Idle => {
                    bar.finish_and_clear();
                    let failure = ended_because.or(view.failure);
                    return Err(match failure {
                        Some(f) if f.kind == RefusalKind::Cancelled => RunError::Cancelled,
                        Some(f) => f.into(),
                        None => RunError::Cancelled,
                    });
                }
                SweepPhase::Paused if ended_because.is_none() => {
                    ended_because.clone_from(&view.failure);
                    session.finish(Command::Sweep(SweepCommand::Cancel))?;
                }
                _ if session.is_cancelled() && ended_because.is_none() => {
                    // Told once; the sweep says itself when the stage is back.
                    ended_because = Some(tetherscope_core::control::Refusal::from(RunError::Cancelled));
                    session.finish(Command::Sweep(SweepCommand::Cancel))?;
                }
                _ if session.has_ended() => {
                    let mend = "look at the log, and start it again";
                    return Err(RunError::refused("the sweep was lost", "the engine has ended", mend));
                }
                _ => std::thread::sleep(LOOK_EVERY),
            }
        }
    }

    fn report(&self, view: &SweepView) -> (Output, Ending) {
        let shown = view.tables.iter().filter(|t| t.bead.is_none() == self.one_table);
        let mut text = format!("{} frames at {} positions, {} beads\n", view.frames, view.steps, view.beads.len());
        for t in shown.clone() {
            text += &format!(
                "  {}: {} planes, {:.1} to {:.1} nm; {}\n",
                name_of(t.bead),
                t.n_planes,
                t.z_min_nm,
                t.z_max_nm,
                t.verdict
            );
        }
        for (bead, why) in &view.rejected {
            text += &format!("  bead {bead} was left out: {why}\n");
        }
        text += &format!("wrote {}\n", self.out.display());
        let table = |t: &tetherscope_core::control::TableView| {
            json!({
                "bead": t.bead,
                "n_planes": t.n_planes,
                "z_from_nm": number(t.z_min_nm),
                "z_to_nm": number(t.z_max_nm),
                "verdict": t.verdict,
            })
        };
        let json = json!({
            "file": self.out.display().to_string(),
            "frames": view.frames,
            "steps": view.steps,
            "beads": view.beads,
            "tables": shown.map(table).collect::<Vec<_>>(),
            "rejected": view.rejected.iter().map(|(b, why)| json!({"bead": b, "why": why})).collect::<Vec<_>>(),
        });
        (Output { text, json }, Ending::fine_if(view.rejected.is_empty()))
    }
}
