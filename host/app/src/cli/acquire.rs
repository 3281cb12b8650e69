//! `tetherscope acquire`: an experiment from a rig, without a window. It watches and reports; everything is done by the
//! engine, on commands that any other client could give.

mod report;
mod status;
mod watch;

use super::command_log;
use super::live::Session;
use super::{CommandResult, Context};
use crate::log_file;
use crate::rig_file::RigFile;
use std::path::PathBuf;
use std::sync::Arc;
use tetherscope_core::RunError;
use tetherscope_core::control::{CameraCommand, Command, RecordingCommand, RecordingRequest, RecordingState, Refusal};
use tetherscope_core::loader::Registry;
use tetherscope_core::rig::RigProblem;
use watch::Limits;

pub(crate) use report::{by_reason, drops};
pub(crate) use status::size;

/// Track live and record, as a rig says
#[derive(clap::Args)]
pub(crate) struct Acquire {
    /// The rig (see `tetherscope config example`); without it simulated beads
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// End after so many seconds; without --seconds and --frames on Ctrl-C, or when the camera ends
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "frames")]
    seconds: Option<f64>,
    /// Record exactly so many frames, counted from the first; what is missing of them stands in the gap table. Without a
    /// recording: end when so many were seen
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// Folder for the recording's folder, instead of the rig's recording.folder
    #[arg(long, value_name = "DIR", conflicts_with = "no_record")]
    out: Option<PathBuf>,
    /// Name of the recording's folder, instead of the rig's recording.name
    #[arg(long, value_name = "NAME", conflicts_with = "no_record")]
    name: Option<String>,
    /// Track and show, and write nothing
    #[arg(long)]
    no_record: bool,
    /// Exit code 1 if a frame was dropped anywhere
    #[arg(long)]
    fail_on_drop: bool,
    /// Write every command that changed something, one JSON line each
    #[arg(long, value_name = "FILE")]
    log_commands: Option<PathBuf>,
    /// Give the commands of such a file at their frames, instead of setting the rig up: on the same frames (a video, a
    /// simulation with its seed) the rows are identical. The camera then waits instead of dropping frames
    #[arg(long, value_name = "FILE")]
    replay_commands: Option<PathBuf>,
}

/// Reads a positive number.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v > 0.0);
    number.ok_or_else(|| format!("`{text}` is not a positive number"))
}

impl Acquire {
    /// Acquires.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let registry = Arc::new(context.registry()?);
        let mut file = RigFile::usable(self.config.as_deref(), &registry)?;
        if let Some(name) = &self.name {
            file.rig.recording.name.clone_from(name);
        }
        file.rig.recording.on &= !self.no_record;
        let log = log_file::open(&file.rig.log)?;
        let mut options = file.rig.engine_options();
        options.command_log = self.log_commands.as_deref().map(command_log::write_to).transpose()?;
        let mut replayed = None;
        if let Some(path) = &self.replay_commands {
            let (first, later) = command_log::read(path)?;
            replayed = Some(first);
            options.replay_log = Some(later);
            options.lossless = true;
        }
        let session = Session::start(context, registry.clone(), file, options)?;
        log_file::events_are_told();
        let outcome = self.acquire(&session, &registry, replayed, context);
        if let Err(e) = &outcome {
            tracing::error!(target: log_file::FILE_ONLY, "{}", e.to_string().replace('\n', ": "));
        }
        let summary = outcome?;
        Ok(summary.report(&log, self.fail_on_drop))
    }

    /// `replayed`: commands from before the first frame, instead of those of the rig.
    fn acquire(
        &self,
        session: &Session,
        registry: &Registry,
        replayed: Option<Vec<Command>>,
        context: &Context,
    ) -> Result<report::Summary, RunError> {
        let is_replay = replayed.is_some();
        let lossless = session.file.rig.camera.lossless;
        match replayed {
            Some(first) => {
                session.set_up_camera()?;
                first.into_iter().try_for_each(|c| session.ask(c).map(drop))?;
            }
            None => {
                let beads = if lossless { session.first_frame_beads(registry)? } else { None };
                session.set_up()?;
                beads.into_iter().try_for_each(|b| session.step(b).map(drop))?;
            }
        }
        // Where the beads are known the recording begins with the first frame.
        if session.file.rig.beads.find.is_some() && !lossless && !is_replay {
            session.start_camera()?;
            session.find_beads()?;
            self.start_recording(session)?;
        } else {
            self.start_recording(session)?;
            session.start_camera()?;
        }
        let limits = Limits {
            seconds: self.seconds,
            frames: self.frames,
            recorded: session.snapshot().recording.state == RecordingState::On,
        };
        let mut seen = watch::watch(session, &limits, context.interactive());
        let mut failure = seen.failure.take();
        // Frames on their way are tracked and recorded before the camera counts as stopped.
        let mut end = |command| {
            if let Err(refusal) = session.finish(command) {
                failure.get_or_insert(refusal);
            }
        };
        if seen.camera_runs {
            end(Command::Camera(CameraCommand::Stop));
        }
        if matches!(session.snapshot().recording.state, RecordingState::On) {
            end(Command::Recording(RecordingCommand::Stop));
        }
        watch::wait_until_written(session);
        let last = session.snapshot();
        watch::note_the_rest(session);
        Ok(report::Summary { failure: failure.or_else(|| recording_failure(&last.recording.state)), seen, last })
    }

    fn start_recording(&self, session: &Session) -> Result<(), RunError> {
        let now = jiff::Timestamp::now();
        let (date, time) = (now.strftime("%Y-%m-%d").to_string(), now.strftime("%H-%M-%S").to_string());
        match session.file.rig.recording_step(self.out.clone(), &date, &time) {
            None => Ok(()),
            Some(mut step) => {
                if let Command::Recording(RecordingCommand::Start(request)) = &mut step.command {
                    request.frames = self.frames;
                    std::fs::create_dir_all(&request.folder).map_err(|e| self.cannot_make(session, request, &e))?;
                }
                if self.out.is_some() || self.name.is_some() {
                    return Ok(session.ask(step.command).map(drop)?);
                }
                session.step(step).map(drop)
            }
        }
    }

    /// The folder for recordings cannot be made.
    fn cannot_make(&self, session: &Session, request: &RecordingRequest, e: &std::io::Error) -> RunError {
        let cause = format!("{} cannot be made: {e}", request.folder.display());
        let mend = "give a folder in which you may write";
        match self.out {
            Some(_) => RunError::refused("cannot record", cause, mend),
            None => session.file.error(RigProblem::new("recording.folder", cause, mend)),
        }
    }
}

fn recording_failure(state: &RecordingState) -> Option<Refusal> {
    match state {
        RecordingState::Failed(refusal) => Some(refusal.clone()),
        _ => None,
    }
}
