//! What the window begins with: a rig, or what was used last, or the simulated camera.

use super::{App, Asked};
use crate::gui::screen::live;
use std::path::PathBuf;
use tetherscope_core::control::{
    BeadsCommand, CameraCommand, CameraState, Command, MethodChoice, ParameterText, TrackingCommand,
};
use tetherscope_core::loader::Kind;
use tetherscope_core::rig::Rig;

/// The camera that nothing can come to harm with.
const SIMULATED: &str = "camera.sim";

impl App {
    /// What a rig asks for. Its camera starts by itself only if it is the simulated one: others may need light first, or
    /// somebody beside them. Beads that the rig wants found are shown before they are taken.
    pub(super) fn open_rig(&mut self, path: PathBuf, rig: &Rig, first: Vec<Command>) {
        let simulated = rig.camera.method.split(['@', '#']).next() == Some(SIMULATED);
        let is_find = |c: &Command| matches!(c, Command::Beads(BeadsCommand::Find { .. }));
        let (find, set_up): (Vec<Command>, Vec<Command>) = first.into_iter().partition(is_find);
        set_up.into_iter().for_each(|command| self.send(command, Asked::Nothing));
        if simulated {
            self.send(Command::Camera(CameraCommand::Start), Asked::Nothing);
        }
        for command in find {
            self.live.side = live::Side::Find;
            if simulated {
                self.live.looks_for_beads();
                self.send(command, Asked::Found);
            }
        }
        self.recordings.take_over(&rig.recording);
        if !path.as_os_str().is_empty() {
            self.preferences.rig = std::path::absolute(&path).unwrap_or(path);
            self.keep_preferences();
        }
    }

    /// The camera and the tracker that were used last, else the simulated camera and the first tracker. The simulated
    /// camera starts at once: nothing can come to harm.
    pub(super) fn open_last(&mut self) {
        let known = |id: &str, kind| self.registry.resolve(kind, id).is_ok();
        let choice = |method: &str| MethodChoice { method: method.to_owned(), parameters: ParameterText::new() };
        let mut commands = Vec::new();
        if self.snapshot.camera.state == CameraState::Closed {
            let last = Some(self.preferences.camera.as_str()).filter(|c| known(c, Kind::Camera));
            let (camera, device) = match last {
                Some(camera) => (camera, self.preferences.device.clone()),
                None => ("camera.sim", String::new()),
            };
            commands.push(Command::Camera(CameraCommand::Open { camera: choice(camera), device }));
            if camera == "camera.sim" {
                commands.push(Command::Camera(CameraCommand::Start));
            }
        }
        if self.snapshot.tracking.tracker.method.is_empty() {
            let usual = [self.preferences.tracker.as_str(), "tracker.quadrant", "tracker.magtrack"];
            if let Some(tracker) = usual.into_iter().find(|t| known(t, Kind::Tracker)) {
                commands.push(Command::Tracking(TrackingCommand::SetTracker { tracker: choice(tracker) }));
            }
        }
        for command in commands {
            self.send(command, Asked::Nothing);
        }
    }
}
