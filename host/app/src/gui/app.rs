//! The window as a whole: routes messages to screens, commands to the engine, and replies back to who asked. It decides
//! nothing about the experiment.

mod closing;
mod disk;
mod hear;
mod opening;
mod snapshot_png;
#[cfg(test)]
mod tests;
mod view;

use super::Screen;
use super::keymap::{self, Deed};
use super::link::{Act, Asked, Link};
use super::notices::{Notices, NoticesMessage, Weight};
use super::preferences::Preferences;
use super::screen::{Context, live, plugins, recordings, settings, zlut};
use super::shown::Shown;
use super::texts::{self, Seen, Texts};
use super::widget::beads::BeadsMessage;
use iced::keyboard::{Key, Modifiers, key::Named};
use iced::{Subscription, Task, keyboard, window};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tetherscope_core::control::{self, CameraState, Command, EngineCommand, RecordingState, RequestId, Snapshot};
use tetherscope_core::loader::{CancelToken, Registry};
use tetherscope_core::rig::Rig;

/// What the window is opened with.
pub(crate) struct Session {
    /// The engine.
    pub(crate) link: Arc<dyn Link>,
    /// What was loaded.
    pub(crate) registry: Arc<Registry>,
    /// Looks and folders.
    pub(crate) preferences: Preferences,
    /// Where they are kept; none keeps nothing.
    pub(crate) place: Option<PathBuf>,
    /// What draws, in words.
    pub(crate) renderer: String,
    /// Open camera and tracker that were used last, if no rig says what.
    pub(crate) open_last: bool,
    /// What the rig asks for before the camera runs, beads that it wants found last of all.
    pub(crate) first: Vec<Command>,
    /// The rig and its file.
    pub(crate) rig: Option<(PathBuf, Rig)>,
    /// What the user should know at once.
    pub(crate) told: Vec<String>,
    /// Where all that is to be read is written.
    pub(crate) texts: Option<PathBuf>,
    /// Look how full the disk is.
    pub(crate) watch_disk: bool,
    /// Somebody outside asks for the end.
    pub(crate) asked_to_end: CancelToken,
    /// Counts what is drawn.
    pub(crate) shown: Arc<Shown>,
}

impl Session {
    /// The user's own window: what was used last, and the looks that were chosen.
    pub(crate) fn new(link: Arc<dyn Link>, registry: Arc<Registry>, preferences: Preferences) -> Self {
        Self {
            link,
            registry,
            preferences,
            place: Preferences::place(),
            renderer: super::renderer::words(),
            open_last: true,
            first: Vec::new(),
            rig: None,
            told: Vec::new(),
            texts: None,
            watch_disk: true,
            asked_to_end: CancelToken::new(),
            shown: Arc::default(),
        }
    }
}

/// What lies over everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// The window shall close while something is recorded.
    CloseWhileRecording,
    /// The list of shortcuts.
    Shortcuts,
}

/// The state of the window.
pub(crate) struct App {
    link: Arc<dyn Link>,
    registry: Arc<Registry>,
    preferences: Preferences,
    place: Option<PathBuf>,
    renderer: String,
    snapshot: Arc<Snapshot>,
    screen: Screen,
    /// The screen Live.
    pub(crate) live: live::State,
    /// The screen Z-LUT.
    pub(crate) zlut: zlut::State,
    recordings: recordings::State,
    plugins: plugins::State,
    settings: settings::State,
    /// What the user was told.
    pub(crate) notices: Notices,
    /// The last failure of each method.
    crashes: BTreeMap<String, String>,
    asked: HashMap<RequestId, Asked>,
    dialog: Option<Dialog>,
    modifiers: Modifiers,
    window_scale: f32,
    ending: bool,
    /// What was heard is still to be taken; until then nothing more is sent.
    busy: Arc<AtomicBool>,
    disk: Option<disk::Disk>,
    texts: Option<Texts>,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// There may be a new snapshot.
    Look,
    /// Replies and events since the last time; and there may be a new snapshot.
    Heard(Arc<Vec<control::Message>>),
    /// Show a screen.
    Go(Screen),
    /// In Live.
    Live(live::Message),
    /// In Z-LUT.
    Zlut(zlut::Message),
    /// In Recordings, or the bar.
    Recordings(recordings::Message),
    /// In Plugins.
    Plugins(plugins::Message),
    /// In Settings.
    Settings(settings::Message),
    /// At a notice.
    Notices(NoticesMessage),
    /// A warning of the engine was read.
    Acknowledge(u64),
    /// All were.
    AcknowledgeAll,
    /// A key that no field took.
    Key(keyboard::Event),
    /// The window moved to another scale.
    Scale(f32),
    /// The window shall close.
    Close,
    /// What lies on top.
    Dialog(Option<Dialog>),
    /// Stop the recording, then close.
    StopAndClose,
    /// The engine took too long to end.
    EndAnyway,
    /// A picture was written, or not.
    Saved(Result<String, String>),
    /// All that is to be read.
    Seen(Vec<Seen>),
}

impl App {
    /// The window before its first picture, and what it begins with.
    pub(crate) fn new(session: Session) -> (Self, Task<Message>) {
        let snapshot = session.link.snapshot();
        let zero_utc_ns = snapshot.time_utc_ns;
        let disk = session.watch_disk.then(|| disk::Disk::watch(&session.preferences.folder));
        let mut app = Self {
            live: live::State::new(session.link.clone(), session.shown, zero_utc_ns),
            link: session.link,
            registry: session.registry,
            preferences: session.preferences,
            place: session.place,
            renderer: session.renderer,
            snapshot,
            screen: Screen::Live,
            zlut: zlut::State::default(),
            recordings: recordings::State::default(),
            plugins: plugins::State::default(),
            settings: settings::State::default(),
            notices: Notices::default(),
            crashes: BTreeMap::new(),
            asked: HashMap::new(),
            dialog: None,
            modifiers: Modifiers::default(),
            window_scale: 1.0,
            ending: false,
            busy: Arc::default(),
            disk,
            texts: session.texts.map(Texts::new),
        };
        for told in session.told {
            app.notices.tell(Weight::Error, told, Instant::now());
        }
        match session.rig {
            Some((path, rig)) => app.open_rig(path, &rig, session.first),
            None if session.open_last => app.open_last(),
            None => {}
        }
        let look = app.look();
        let hear = hear::start(app.link.clone(), app.busy.clone());
        let end = closing::when_asked(session.asked_to_end);
        (app, Task::batch([look, hear, end]))
    }

    fn context(&self) -> Context<'_> {
        Context {
            snapshot: &self.snapshot,
            registry: &self.registry,
            look: self.preferences.look,
            scale: self.window_scale * self.preferences.zoom,
            period: Duration::from_secs_f64(1.0 / f64::from(self.preferences.pictures_per_s.max(1))),
        }
    }

    fn send(&mut self, command: Command, asked: Asked) {
        let id = self.link.send(command);
        self.asked.insert(id, asked);
    }

    /// Does what a screen wants done.
    fn act<M: Send + 'static>(
        &mut self,
        acts: Vec<Act<M>>,
        to: impl Fn(M) -> Message + Copy + Send + 'static,
    ) -> Task<Message> {
        let mut tasks = Vec::new();
        for act in acts {
            match act {
                Act::Send(command, asked) => self.send(command, asked),
                Act::Run(task) => tasks.push(task.map(to)),
                Act::Tell(weight, text) => self.notices.tell(weight, text, Instant::now()),
            }
        }
        Task::batch(tasks)
    }

    /// Takes the newest snapshot over.
    fn look(&mut self) -> Task<Message> {
        self.snapshot = self.link.snapshot();
        self.notices.pass(Instant::now());
        let context = Context {
            snapshot: &self.snapshot,
            registry: &self.registry,
            look: self.preferences.look,
            scale: self.window_scale * self.preferences.zoom,
            period: Duration::from_secs_f64(1.0 / f64::from(self.preferences.pictures_per_s.max(1))),
        };
        let acts = self.live.refresh(context);
        self.remember_methods();
        if let Some(disk) = &self.disk {
            disk.look_at(self.recordings.folder(&self.preferences));
        }
        let acts = self.act(acts, Message::Live);
        match &self.texts {
            Some(_) => Task::batch([acts, texts::look().map(Message::Seen)]),
            _ => acts,
        }
    }

    /// Camera and tracker in use are those of the next start.
    fn remember_methods(&mut self) {
        let (camera, tracker) = (&self.snapshot.camera, &self.snapshot.tracking.tracker);
        let mut now = self.preferences.clone();
        if matches!(camera.state, CameraState::Open | CameraState::Running) {
            (now.camera, now.device) = (camera.method.clone(), camera.device.clone());
        }
        if !tracker.method.is_empty() {
            now.tracker = tracker.method.clone();
        }
        if now != self.preferences {
            self.preferences = now;
            self.keep_preferences();
        }
    }

    fn keep_preferences(&mut self) {
        if let Some(place) = &self.place
            && let Err(why) = self.preferences.write(place)
        {
            self.notices.tell(Weight::Warning, why, Instant::now());
        }
    }

    /// Takes what happened.
    pub(crate) fn update(&mut self, message: Message) -> Task<Message> {
        // Fields are borrowed apart, so that screens change while they see the rest.
        let context = Context {
            snapshot: &self.snapshot,
            registry: &self.registry,
            look: self.preferences.look,
            scale: self.window_scale * self.preferences.zoom,
            period: Duration::from_secs_f64(1.0 / f64::from(self.preferences.pictures_per_s.max(1))),
        };
        match message {
            Message::Look => return self.look(),
            Message::Heard(heard) => return self.hear(&heard),
            Message::Go(screen) => self.screen = screen,
            Message::Live(live::Message::Table(BeadsMessage::Clicked(bead))) if self.modifiers.command() => {
                self.live.click_more(bead, context);
            }
            Message::Live(message) => {
                let acts = self.live.update(message, context);
                return self.act(acts, Message::Live);
            }
            Message::Zlut(message) => {
                let acts = self.zlut.update(message, &self.preferences, context);
                return self.act(acts, Message::Zlut);
            }
            Message::Recordings(message) => {
                let acts = self.recordings.update(message, &self.preferences, context);
                return self.act(acts, Message::Recordings);
            }
            Message::Plugins(message) => {
                let act = self.plugins.update(message, &self.registry);
                return self.act(act.into_iter().collect(), Message::Plugins);
            }
            Message::Settings(message) => {
                let task = self.settings.update(&mut self.preferences, message);
                self.keep_preferences();
                return task.map_or_else(Task::none, |t| t.map(Message::Settings));
            }
            Message::Notices(message) => self.notices.update(&message),
            Message::Acknowledge(warning) => {
                self.send(Command::Engine(EngineCommand::Acknowledge { warning }), Asked::Nothing);
            }
            Message::AcknowledgeAll => self.acknowledge_all(),
            Message::Key(event) => return self.key(event),
            Message::Scale(scale) => self.window_scale = scale,
            Message::Close => return self.close(),
            Message::Dialog(dialog) => self.dialog = dialog,
            Message::StopAndClose => return self.end(),
            Message::EndAnyway => return iced::exit(),
            Message::Seen(seen) => {
                if let Some(texts) = &mut self.texts {
                    texts.write(seen);
                }
            }
            Message::Saved(Ok(text)) => self.notices.tell(Weight::News, text, Instant::now()),
            Message::Saved(Err(text)) => self.notices.tell(Weight::Error, text, Instant::now()),
        }
        Task::none()
    }

    fn acknowledge_all(&mut self) {
        let unread: Vec<u64> = self.snapshot.warnings.iter().map(|w| w.id).collect();
        for warning in unread {
            self.send(Command::Engine(EngineCommand::Acknowledge { warning }), Asked::Nothing);
        }
        self.notices.update(&NoticesMessage::ReadAll);
    }

    fn key(&mut self, event: keyboard::Event) -> Task<Message> {
        match event {
            keyboard::Event::ModifiersChanged(modifiers) => {
                self.modifiers = modifiers;
                Task::none()
            }
            keyboard::Event::KeyPressed { key: Key::Named(Named::Tab), modifiers, .. } => {
                if modifiers.shift() {
                    iced::widget::operation::focus_previous()
                } else {
                    iced::widget::operation::focus_next()
                }
            }
            keyboard::Event::KeyPressed { key, modifiers, .. } => {
                keymap::deed(&key, modifiers).map_or_else(Task::none, |deed| self.deed(deed))
            }
            keyboard::Event::KeyReleased { .. } => Task::none(),
        }
    }

    fn deed(&mut self, deed: Deed) -> Task<Message> {
        let live = |message| Message::Live(message);
        let message = match deed {
            Deed::Go(screen) => Message::Go(screen),
            Deed::StartStop => live(live::Message::StartStop),
            Deed::Record => Message::Recordings(recordings::Message::Toggle),
            Deed::Undo => live(live::Message::Undo),
            Deed::Redo => live(live::Message::Redo),
            Deed::SelectAll => live(live::Message::SelectAll),
            Deed::Escape if self.dialog.is_some() => Message::Dialog(None),
            Deed::Escape => live(live::Message::SelectNone),
            Deed::Remove => live(live::Message::Remove),
            Deed::Find => {
                self.screen = Screen::Live;
                live(live::Message::Side(live::Side::Find))
            }
            Deed::Reference => live(live::Message::Reference),
            Deed::Fit => live(live::Message::Fit),
            Deed::ZoomIn => live(live::Message::Zoom(1.25)),
            Deed::ZoomOut => live(live::Message::Zoom(0.8)),
            Deed::Snapshot => return self.save_picture(),
            Deed::Follow => live(live::Message::Span(live::SPANS_S[1])),
            Deed::NextTheme => {
                let all = super::theme::Look::ALL;
                let at = all.iter().position(|l| *l == self.preferences.look).unwrap_or(0);
                Message::Settings(settings::Message::Look(all[(at + 1) % all.len()]))
            }
            Deed::Shortcuts => Message::Dialog(Some(Dialog::Shortcuts)),
            Deed::ReadNotices => Message::AcknowledgeAll,
            Deed::Close => Message::Close,
        };
        self.update(message)
    }

    /// What the window listens to.
    pub(crate) fn subscription(&self) -> Subscription<Message> {
        Subscription::batch([
            keyboard::listen().map(Message::Key),
            window::close_requests().map(|_| Message::Close),
            iced::event::listen_with(|event, _, _| match event {
                iced::Event::Window(window::Event::Rescaled(scale)) => Some(Message::Scale(scale)),
                _ => None,
            }),
        ])
    }

    /// Colours of iced's widgets.
    pub(crate) fn theme(&self) -> iced::Theme {
        self.preferences.look.theme()
    }

    /// Size of everything.
    pub(crate) fn zoom(&self) -> f32 {
        self.preferences.zoom
    }

    /// The title, which says when something is recorded.
    pub(crate) fn title(&self) -> String {
        match self.snapshot.recording.state {
            RecordingState::On => "● recording – Tetherscope".into(),
            _ => "Tetherscope".into(),
        }
    }
}
