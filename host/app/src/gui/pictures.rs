//! Pictures of every screen, made without a display: the real engine on the simulated camera, the real window, drawn on the
//! CPU. For the documentation.

use super::Screen;
use super::app::{App, Message, Session};
use super::easel::Easel;
use super::preferences::Preferences;
use super::screen::{live, settings};
use super::theme::Look;
use iced::Size;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::RunError;
use tetherscope_core::control::{
    Answer, BeadRole, BeadsCommand, CameraCommand, Client, Command, EngineCommand, MethodChoice, ParameterText,
    Refusal, RefusalKind, StageCommand, SweepCommand, SweepPhase, SweepPositions, SweepRequest, SweepWhich,
    TrackingCommand,
};
use tetherscope_core::loader::{CancelToken, Registry};

const SIZE: Size = Size::new(1280.0, 800.0);
const PATIENCE: Duration = Duration::from_secs(300);

fn choice(method: &str, parameters: &[(&str, &str)]) -> MethodChoice {
    let parameters: ParameterText = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    MethodChoice { method: method.to_owned(), parameters }
}

/// Writes them into a folder that is made; nothing is overwritten.
pub(crate) fn make(link: &Arc<Client>, registry: &Arc<Registry>, folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    std::fs::create_dir_all(folder).map_err(|e| {
        RunError::refused(format!("cannot write into {}", folder.display()), e.to_string(), "choose another folder")
    })?;
    let scratch = tempfile_folder()?;
    let zlut = scratch.join("example.zlut");
    prepare(link, &zlut)?;
    let mut easel = Easel::new()
        .ok_or_else(|| RunError::refused("cannot draw", "the renderer on the CPU could not be made", "report this"))?;
    let preferences = Preferences { folder: scratch, ..Preferences::default() };
    let session = Session {
        link: link.clone(),
        registry: registry.clone(),
        preferences,
        place: None,
        renderer: "the CPU".into(),
        open_last: false,
        first: Vec::new(),
        rig: None,
        told: Vec::new(),
        texts: None,
        watch_disk: true,
        asked_to_end: CancelToken::new(),
        shown: Arc::default(),
    };
    let (mut app, _) = App::new(session);
    app.zlut.look_into(zlut);
    let second = link.snapshot().beads.iter().map(|b| b.bead).nth(1);
    let mut files = Vec::new();
    let tell = |app: &mut App, message| drop(app.update(message));
    for look in Look::ALL {
        tell(&mut app, Message::Settings(settings::Message::Look(look)));
        let screens: [(Screen, Option<live::Side>, &str); 9] = [
            (Screen::Live, Some(live::Side::Beads), "live"),
            (Screen::Live, Some(live::Side::Find), "find"),
            (Screen::Live, Some(live::Side::Look), "picture"),
            (Screen::Live, Some(live::Side::Camera), "camera"),
            (Screen::Live, Some(live::Side::Tracking), "tracking"),
            (Screen::Zlut, None, "zlut"),
            (Screen::Recordings, None, "recordings"),
            (Screen::Plugins, None, "plugins"),
            (Screen::Settings, None, "settings"),
        ];
        for (screen, side, name) in screens {
            tell(&mut app, Message::Go(screen));
            if let Some(side) = side {
                tell(&mut app, Message::Live(live::Message::Side(side)));
            }
            if let Some(bead) = second {
                app.live.selected.insert(bead);
            }
            settle(&mut app, link);
            let drawn = easel.draw(&app, SIZE);
            let rgb: Vec<u8> = drawn.rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
            let path = folder.join(format!("{name}-{}.png", look.name().replace(' ', "-")));
            tetherscope_files::write_png(&path, drawn.width, drawn.height, &rgb)?;
            files.push(path);
        }
    }
    // It may have ended by itself.
    let _ = link.ask(Command::Engine(EngineCommand::Shutdown), PATIENCE);
    Ok(files)
}

/// Lets replies come in, as the window's own thread would.
fn settle(app: &mut App, link: &Arc<Client>) {
    let until = Instant::now() + Duration::from_millis(400);
    while Instant::now() < until {
        if let Some(message) = link.next_message(Duration::from_millis(50)) {
            drop(app.update(Message::Heard(Arc::new(vec![message]))));
        }
        drop(app.update(Message::Look));
    }
}

/// A running camera, beads, a Z-LUT of a sweep, and some seconds of tracks.
fn prepare(link: &Arc<Client>, zlut: &Path) -> Result<(), RunError> {
    let ask = |command| link.ask(command, PATIENCE).map_err(RunError::from);
    let parameters =
        [("width_px", "640"), ("height_px", "480"), ("n_fixed", "4"), ("n_tethered", "6"), ("full_scale_e", "400000")];
    let camera = choice("camera.sim", &parameters);
    ask(Command::Camera(CameraCommand::Open { camera, device: String::new() }))?;
    ask(Command::Beads(BeadsCommand::SetRoiSize { size_px: 64 }))?;
    ask(Command::Tracking(TrackingCommand::SetTracker { tracker: choice("tracker.quadrant", &[]) }))?;
    ask(Command::Stages(StageCommand::Open {
        name: "focus".into(),
        stage: choice("stage.sim-focus", &[]),
        device: String::new(),
    }))?;
    ask(Command::Camera(CameraCommand::Start))?;
    let finder = choice("finder.ncc", &[("roi_px", "64")]);
    let found = ask(Command::Beads(BeadsCommand::Find { finder, seed: None }))?;
    let Answer::Found(found) = found else { return Err(unexpected("what a finder found")) };
    let rois = found.iter().filter_map(|f| f.roi).collect();
    ask(Command::Beads(BeadsCommand::Add { rois }))?;
    if let Some(first) = link.snapshot().beads.first() {
        ask(Command::Beads(BeadsCommand::SetRole { bead: first.bead, role: BeadRole::Reference }))?;
    }
    ask(Command::Stages(StageCommand::Arm { seconds: 600.0 }))?;
    let request = SweepRequest {
        positions: SweepPositions::Range { start_nm: -2000.0, step_nm: 100.0, stop_nm: 2000.0 },
        frames_per_step: 5,
        tolerance_nm: 10.0,
        settle_ms: 20.0,
        step_timeout_s: 30.0,
        both_directions: false,
        strategy: choice("zlut.spline", &[]),
        keep_rois: false,
    };
    ask(Command::Sweep(SweepCommand::Start(request)))?;
    let until = Instant::now() + PATIENCE;
    while !matches!(link.snapshot().sweep.phase, SweepPhase::Done | SweepPhase::Failed) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let sweep = &link.snapshot().sweep;
    if sweep.phase != SweepPhase::Done {
        let cause = format!(
            "the sweep for them is not done: {:?} at step {} of {}",
            sweep.phase, sweep.steps_done, sweep.steps
        );
        return Err(RunError::refused("cannot make pictures", cause, "try again when the machine has less to do"));
    }
    ask(Command::Sweep(SweepCommand::Save { path: zlut.to_owned(), which: SweepWhich::PerBead }))?;
    ask(Command::Sweep(SweepCommand::Use { which: SweepWhich::Average }))?;
    std::thread::sleep(Duration::from_secs(12));
    Ok(())
}

fn unexpected(what: &str) -> RunError {
    Refusal::new(
        RefusalKind::Invalid,
        "cannot make pictures",
        format!("the engine did not answer with {what}"),
        "report this",
    )
    .into()
}

/// A folder that nobody else has.
fn tempfile_folder() -> Result<PathBuf, RunError> {
    let folder = std::env::temp_dir().join(format!("tetherscope-pictures-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|e| {
        RunError::refused("cannot make pictures", e.to_string(), "make room in the folder for temporary files")
    })?;
    Ok(folder)
}
