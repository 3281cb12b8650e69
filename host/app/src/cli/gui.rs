//! `tetherscope gui`, and `tetherscope` alone: starts the engine and opens the window on it.

use super::output::{Ending, Output};
use super::{CommandResult, Context, command_log};
use crate::gui::{self, Preferences, Renderer, Session};
use crate::rig_file::RigFile;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tetherscope_core::loader::{Kind, Registry, Value};
use tetherscope_core::{Engine, EngineOptions, Optics, RunError};

/// Open the window: see, mark, track, record
///
/// `tetherscope` alone does the same. It opens the rig that was used last; without one, the camera and the tracker that
/// were used last, or the simulated camera.
#[derive(clap::Args, Default)]
pub(crate) struct Gui {
    /// What draws
    #[arg(long, value_enum, default_value_t)]
    renderer: Renderer,
    /// The rig (see `tetherscope config example`); it is opened the next time too, until another is given or the window
    /// forgets it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Size of a pixel in the sample, in nm, where no rig says it; without it the simulated camera's
    #[arg(long, value_name = "NM", conflicts_with = "config")]
    nm_per_px: Option<f64>,
    /// Write every command that changed something, one JSON line each
    #[arg(long, value_name = "FILE")]
    log_commands: Option<PathBuf>,
    /// Keep all that is to be read in the window in this file, for tests
    #[arg(long, value_name = "FILE", hide = true)]
    write_texts: Option<PathBuf>,
    /// Write pictures of every screen into this folder, with the simulated camera, and open no window
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
}

impl Gui {
    /// Opens the window, and ends when it was closed.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        if self.screenshots.is_none() {
            gui::a_display()?;
            gui::settle(self.renderer).map_err(|e| {
                let mend = "give ICED_BACKEND=tiny-skia in the environment";
                RunError::refused("cannot choose what draws", e.to_string(), mend)
            })?;
        }
        self.open(context)
    }

    fn open(self, context: &Context) -> CommandResult {
        let registry = Arc::new(context.registry()?);
        let (preferences, mut told) =
            if self.screenshots.is_none() { Preferences::of_user() } else { Default::default() };
        let rig = match (&self.config, preferences.rig()) {
            (Some(path), _) => {
                // Folders of the rig are shown, and its file is remembered for a start from elsewhere.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Some(RigFile::usable(Some(&path), &registry)?)
            }
            (None, Some(last)) if self.nm_per_px.is_none() => match RigFile::usable(Some(last), &registry) {
                Ok(rig) => Some(rig),
                // It may have gone since: the window opens all the same, and says so.
                Err(e) => {
                    told.push(format!("{e}\nthe rig that was used last is not opened; Settings can forget it"));
                    None
                }
            },
            _ => None,
        };
        let mut options = match &rig {
            Some(file) => file.rig.engine_options(),
            None => {
                let nm_per_px = self.nm_per_px.unwrap_or_else(|| simulated_nm_per_px(&registry));
                EngineOptions::new(Optics::new(nm_per_px))
            }
        };
        options.command_log = self.log_commands.as_deref().map(command_log::write_to).transpose()?;
        let engine = Engine::start(registry.clone(), options)?;
        gui::watch_for_the_end(context.cancel.clone(), engine.client("end"));
        let link = Arc::new(engine.client("window"));
        if let Some(folder) = &self.screenshots {
            let files = gui::pictures(&link, &registry, folder)?;
            let text = files.iter().map(|f| format!("wrote {}\n", f.display())).collect();
            let json = json!({"pictures": files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>()});
            return Ok((Output { text, json }, Ending::Fine));
        }
        let mut session = Session::new(link, registry, preferences);
        session.told = told;
        session.texts = self.write_texts;
        session.asked_to_end = context.cancel.clone();
        if let Some(file) = rig {
            session.first = file.rig.setup().map_err(|p| file.error(p))?.into_iter().map(|s| s.command).collect();
            session.first.extend(file.rig.find_step().map(|s| s.command));
            session.rig = Some((file.path().map(Path::to_owned).unwrap_or_default(), file.rig));
        }
        gui::run(session).map_err(|e| {
            let mend = "try `tetherscope gui --renderer cpu`; everything else works without a window";
            RunError::refused("cannot open the window", e.to_string(), mend)
        })?;
        // Ends stages, camera and recording, if the window has not.
        drop(engine);
        Ok((Output { text: String::new(), json: json!({}) }, Ending::Fine))
    }
}

/// What the simulated camera says of its pixels.
fn simulated_nm_per_px(registry: &Registry) -> f64 {
    let camera = registry.resolve(Kind::Camera, "camera.sim").ok();
    let parameter = camera.and_then(|c| c.info().parameters.iter().find(|p| p.key == "nm_per_px"));
    match parameter.map(|p| &p.default) {
        Some(Value::Float(v)) => *v,
        _ => 100.0,
    }
}
