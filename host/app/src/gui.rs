//! The window: a client of the engine like any other. It sends commands, looks at snapshots, hears events, and takes the
//! newest picture when it draws; however long it stalls, nobody waits for it.

mod app;
mod easel;
mod ending;
mod job;
mod keymap;
mod link;
mod notices;
mod pictures;
mod preferences;
mod renderer;
mod rois;
mod screen;
mod shown;
#[cfg(test)]
mod still;
mod texts;
mod theme;
mod traces;
mod widget;
mod words;

use app::App;
pub(crate) use app::Session;
pub(crate) use ending::watch as watch_for_the_end;
pub(crate) use pictures::make as pictures;
pub(crate) use preferences::Preferences;
pub(crate) use renderer::{Renderer, a_display, settle};
pub(crate) use shown::{Shown, utc_ns};
use std::sync::Mutex;

/// What the window shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Picture, beads, traces.
    Live,
    /// Tables and sweeps.
    Zlut,
    /// What is written.
    Recordings,
    /// What was loaded.
    Plugins,
    /// How the window looks.
    Settings,
}

/// Opens the window and returns when it was closed.
pub(crate) fn run(session: Session) -> iced::Result {
    let session = Mutex::new(Some(session));
    let boot = move || {
        let session = session.lock().ok().and_then(|mut s| s.take());
        let (app, task) = App::new(session.expect("iced boots once"));
        let scale = iced::window::latest().and_then(iced::window::scale_factor).map(app::Message::Scale);
        (app, iced::Task::batch([task, scale]))
    };
    iced::application(boot, App::update, App::view)
        .title(App::title)
        .theme(App::theme)
        .scale_factor(App::zoom)
        .subscription(App::subscription)
        .exit_on_close_request(false)
        .antialiasing(false)
        .default_font(iced::Font::with_name("Fira Sans"))
        .window_size((1480.0, 940.0))
        .run()
}
