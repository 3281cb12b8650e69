//! An engine set up from a rig, and a client of it: what `acquire`, `camera test` and `bench live` share. It sends the same
//! commands as a window or a remote program would, and turns a refusal into an error that names the rig's line.

use super::Context;
use super::frames::params_of;
use crate::rig_file::RigFile;
use std::sync::Arc;
use std::time::Duration;
use tetherscope_core::control::{
    Answer, CameraCommand, Client, Command, FoundBead, NewRoi, Refusal, RefusalKind, Snapshot,
};
use tetherscope_core::loader::abi::Rect;
use tetherscope_core::loader::{BeadFinder, Camera, CancelToken, Hit, Kind, Registry};
use tetherscope_core::rig::{Parameters, RigProblem, RigStep};
use tetherscope_core::{Engine, EngineOptions, Roi, RunError, find_beads, first_image, rois_round};

/// How long one command may take: opening a device, finding beads in a large frame, finalising a long recording.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often Ctrl-C is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running engine and a client of it. The engine ends with it, tidily.
pub(crate) struct Session {
    // Before the engine, so that it is dropped first.
    pub(crate) client: Client,
    engine: Engine,
    pub(crate) file: RigFile,
    cancel: CancelToken,
}

impl Session {
    /// Starts an engine for a rig. No device is open yet.
    pub(crate) fn start(
        context: &Context,
        registry: Arc<Registry>,
        file: RigFile,
        options: EngineOptions,
    ) -> Result<Self, RunError> {
        let engine = Engine::start(registry, options)?;
        Ok(Self { client: engine.client("command line"), engine, file, cancel: context.cancel.clone() })
    }

    /// Everything that the rig sets before the camera runs.
    pub(crate) fn set_up(&self) -> Result<(), RunError> {
        let steps = self.file.rig.setup().map_err(|p| self.file.error(p))?;
        steps.into_iter().try_for_each(|s| self.step(s).map(drop))
    }

    /// Opens the rig's camera, and nothing else.
    pub(crate) fn set_up_camera(&self) -> Result<(), RunError> {
        let steps = self.file.rig.setup().map_err(|p| self.file.error(p))?;
        let mut camera = steps.into_iter().filter(|s| matches!(s.command, Command::Camera(_)));
        camera.try_for_each(|s| self.step(s).map(drop))
    }

    /// Starts the camera.
    pub(crate) fn start_camera(&self) -> Result<(), RunError> {
        self.step(RigStep { key: "camera.method", command: Command::Camera(CameraCommand::Start) }).map(drop)
    }

    /// Beads of a source whose frames all count: found in its first frame, on a camera of its own, so that the experiment
    /// begins with that frame too. None if the rig wants none found.
    pub(crate) fn first_frame_beads(&self, registry: &Registry) -> Result<Option<RigStep>, RunError> {
        let rig = &self.file.rig;
        let Some(find) = &rig.beads.find else { return Ok(None) };
        let text = |p: &Parameters| p.iter().map(|(k, v)| (k.clone(), v.to_string())).collect::<Vec<_>>();
        let component = registry.resolve(Kind::Camera, &rig.camera.method)?;
        let params = params_of(component, &text(&rig.camera.parameters))?;
        let camera = Arc::new(Camera::open(component, &rig.camera.device, &params)?);
        let settings = text(&rig.camera.settings);
        if !settings.is_empty() {
            camera.set(settings.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
        }
        let image = first_image(camera, &self.cancel)?;
        let size_px = rig.roi_px();
        let finder = registry.resolve(Kind::Finder, &find.method)?;
        let mut given = text(&find.parameters);
        if finder.info().parameters.iter().any(|p| p.key == "roi_px") && !find.parameters.contains_key("roi_px") {
            given.push(("roi_px".to_owned(), size_px.to_string()));
        }
        let finder = BeadFinder::create(finder, &params_of(finder, &given)?)?;
        let seed = find.seed.map(|c| Rect { x_px: c.x_px, y_px: c.y_px, w_px: size_px, h_px: size_px });
        let hits = find_beads(&finder, &image, seed, &self.cancel, |_| ())?;
        let rois = rois_round(&hits, size_px, &image);
        let found = |(hit, roi): (&Hit, &Option<Roi>)| FoundBead {
            x_px: hit.x_px,
            y_px: hit.y_px,
            score: hit.score,
            flags: hit.flags,
            roi: roi.map(|r| NewRoi { x_px: r.x_px, y_px: r.y_px }),
        };
        let found: Vec<FoundBead> = hits.iter().zip(&rois).map(found).collect();
        rig.add_found(&found).map(Some).map_err(|p| self.file.error(p))
    }

    /// Finds beads in the next frame and adds them, if the rig wants that.
    pub(crate) fn find_beads(&self) -> Result<(), RunError> {
        let Some(step) = self.file.rig.find_step() else { return Ok(()) };
        let found = match self.step(step)? {
            Answer::Found(found) => found,
            _ => Vec::new(),
        };
        let add = self.file.rig.add_found(&found).map_err(|p| self.file.error(p))?;
        self.step(add).map(drop)
    }

    /// Gives a command of the rig; a refusal names its place in the rig.
    pub(crate) fn step(&self, step: RigStep) -> Result<Answer, RunError> {
        self.ask(step.command).map_err(|refusal| match refusal.kind {
            RefusalKind::Cancelled => RunError::Cancelled,
            // Where the rig stands in the way, its line helps; where a state does, the refusal itself says what to do.
            RefusalKind::NotNow | RefusalKind::Held | RefusalKind::TimedOut => refusal.into(),
            // Nobody wrote a line of it.
            _ if !self.file.is_a_file() => refusal.into(),
            _ => self.file.error(RigProblem::from_error(step.key, &refusal)),
        })
    }

    /// Gives a command and waits for its reply, or for Ctrl-C.
    pub(crate) fn ask(&self, command: Command) -> Result<Answer, Refusal> {
        let request = self.client.send(command);
        let until = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < until {
            if let Some(reply) = self.client.reply_to(request, LOOK_EVERY) {
                return reply.result;
            }
            if self.cancel.is_cancelled() {
                let mend = "start it again when you want it";
                return Err(Refusal::new(RefusalKind::Cancelled, "cancelled", "the user asked to stop", mend));
            }
        }
        let cause = format!("the engine did not answer within {} s", PATIENCE.as_secs());
        Err(Refusal::new(RefusalKind::TimedOut, "no answer", cause, "look at the log: a device may hang"))
    }

    /// Gives a command of the end: Ctrl-C was heard, and what is under way is finished first.
    pub(crate) fn finish(&self, command: Command) -> Result<Answer, Refusal> {
        self.client.ask(command, PATIENCE)
    }

    /// True if Ctrl-C was pressed.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// The experiment now.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.client.snapshot()
    }

    /// True once the engine has ended, whoever ended it.
    pub(crate) fn has_ended(&self) -> bool {
        self.engine.has_ended()
    }
}
