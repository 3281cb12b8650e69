//! The window as a whole: routes messages to screens, commands to the engine, and replies back to who asked. It decides
//! nothing about the experiment.

mod closing;
mod snapshot_png;
#[cfg(test)]
mod tests;
mod view;

use super::Screen;
use super::keymap::{self, Deed};
use super::link::{Act, Asked, FormId, Link};
use super::notices::{Notices, NoticesMessage, Weight};
use super::preferences::Preferences;
use super::screen::{Context, live, plugins, recordings, settings, zlut};
use super::widget::beads::BeadsMessage;
use iced::keyboard::{Key, Modifiers, key::Named};
use iced::{Subscription, Task, keyboard, window};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::control::{
    self, Answer, CameraCommand, CameraState, Command, EngineCommand, EventKind, MethodChoice, ParameterText,
    RecordingState, Refusal, RequestId, Snapshot, TrackingCommand,
};
use tetherscope_core::loader::{Kind, Registry};

/// Most often that a new snapshot is taken over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
    /// Open camera and tracker that were used last. False if a rig did.
    pub(crate) open_last: bool,
}

impl Session {
    /// The user's own window: what was used last, and the looks that were chosen.
    pub(crate) fn new(link: Arc<dyn Link>, registry: Arc<Registry>) -> Self {
        let place = Preferences::place();
        let (preferences, told) = Preferences::read(place.as_deref());
        if let Some(told) = told {
            tracing::warn!("{told}");
        }
        Self { link, registry, preferences, place, renderer: super::renderer::words(), open_last: true }
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
    zlut: zlut::State,
    recordings: recordings::State,
    plugins: plugins::State,
    /// What the user was told.
    pub(crate) notices: Notices,
    /// The last failure of each method.
    crashes: BTreeMap<String, String>,
    asked: HashMap<RequestId, Asked>,
    dialog: Option<Dialog>,
    modifiers: Modifiers,
    window_scale: f32,
    ending: bool,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// There may be a new snapshot.
    Look,
    /// A reply or an event.
    Heard(Arc<control::Message>),
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
}

impl App {
    /// The window before its first picture, and what it begins with.
    pub(crate) fn new(session: Session) -> (Self, Task<Message>) {
        let snapshot = session.link.snapshot();
        let zero_utc_ns = snapshot.time_utc_ns;
        let mut app = Self {
            live: live::State::new(session.link.clone(), zero_utc_ns),
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
            notices: Notices::default(),
            crashes: BTreeMap::new(),
            asked: HashMap::new(),
            dialog: None,
            modifiers: Modifiers::default(),
            window_scale: 1.0,
            ending: false,
        };
        if session.open_last {
            app.open_last();
        }
        let look = app.look();
        let hear = hear(app.link.clone());
        (app, Task::batch([look, hear]))
    }

    /// The camera and the tracker that were used last, else the simulated camera and the first tracker. The simulated
    /// camera starts at once: nothing can come to harm.
    fn open_last(&mut self) {
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
        self.act(acts, Message::Live)
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
                settings::update(&mut self.preferences, message);
                self.keep_preferences();
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

    /// A reply goes to who asked; of events only failures of plugins are remembered: the snapshot has the rest.
    fn hear(&mut self, heard: &control::Message) -> Task<Message> {
        match heard {
            control::Message::Event(event) => {
                if let EventKind::PluginFailed { failure, .. } = &event.kind {
                    let method = failure.thing.split_whitespace().next().unwrap_or_default().to_owned();
                    self.crashes.insert(method, failure.to_string());
                }
                Task::none()
            }
            control::Message::Reply(reply) => {
                let asked = self.asked.remove(&reply.request).unwrap_or(Asked::Nothing);
                self.on_reply(asked, &reply.result)
            }
        }
    }

    fn on_reply(&mut self, asked: Asked, result: &Result<Answer, Refusal>) -> Task<Message> {
        // What a reply speaks of stands in the newest snapshot.
        let look = self.look();
        if let Err(why) = result
            && !matches!(asked, Asked::Profile | Asked::Found | Asked::Field(..) | Asked::End)
        {
            self.notices.tell(Weight::Error, why.to_string(), Instant::now());
        }
        let and = match (asked, result) {
            (Asked::Say(text), Ok(answer)) => {
                let path = if let Answer::Path(p) = answer { format!("\n{}", p.display()) } else { String::new() };
                self.notices.tell(Weight::News, format!("{text}{path}"), Instant::now());
                let act = self.zlut.on_path(result);
                self.act(act.into_iter().collect(), Message::Zlut)
            }
            (Asked::Field(form, key), result) => {
                let form = match form {
                    FormId::Camera => &mut self.live.camera.form,
                    FormId::Tracker => &mut self.live.tracker.form,
                    FormId::Strategy => &mut self.zlut.form,
                };
                match result {
                    Ok(_) => form.accepted(&key),
                    Err(why) => form.refuse(&key, format!("{}; {}", why.cause, why.mend)),
                }
                Task::none()
            }
            (Asked::End, _) => iced::exit(),
            (asked, result) => {
                let context = Context {
                    snapshot: &self.snapshot,
                    registry: &self.registry,
                    look: self.preferences.look,
                    scale: self.window_scale * self.preferences.zoom,
                    period: Duration::from_millis(33),
                };
                self.live.on_reply(&asked, result, context);
                Task::none()
            }
        };
        Task::batch([look, and])
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

/// Waits for the engine on a thread of its own: replies and events at once, snapshots no more often than they are looked at.
fn hear(link: Arc<dyn Link>) -> Task<Message> {
    super::job::start("window", move |tell| {
        let (mut revision, mut looked) = (link.snapshot().revision, Instant::now());
        loop {
            if let Some(message) = link.next_message(LOOK_EVERY)
                && !tell.tell(Message::Heard(Arc::new(message)))
            {
                return;
            }
            let newest = link.snapshot().revision;
            let changed = newest != revision && looked.elapsed() >= LOOK_EVERY;
            // News goes by itself, so somebody has to look now and then.
            if changed || looked.elapsed() >= Duration::from_secs(1) {
                (revision, looked) = (newest, Instant::now());
                if !tell.tell(Message::Look) {
                    return;
                }
            }
        }
    })
}
