//! The screen Recordings: what is written and where, the account of every frame, and everything that happened. The bar that
//! is always in sight is here too.

use super::{Context, hint, quiet, scrolled};
use crate::gui::link::{Act, Asked};
use crate::gui::notices::Weight;
use crate::gui::preferences::Preferences;
use crate::gui::screen::tracker::Mode;
use crate::gui::{theme, words};
use iced::widget::{button, column, container, row, space, text, text_input, toggler};
use iced::{Alignment, Element, Length};
use std::path::Path;
use tetherscope_core::control::{
    Captured, Command, Event, RecordingCommand, RecordingRequest, RecordingState, Severity, StageLedger,
};
use tetherscope_core::rig::{NameWords, recording_name};

/// What the screen remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    name: String,
    notes: String,
    profiles: bool,
    rotate_minutes: String,
    note: String,
    before_s: String,
    only_warnings: bool,
    /// What the rig says of recordings; it comes before the preferences.
    rig: Option<tetherscope_core::rig::Recording>,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// Recording on or off.
    Toggle,
    /// A new file, without a gap.
    Rotate,
    /// Typed a name for the recording.
    Name(String),
    /// Typed what it is about.
    Notes(String),
    /// Record profiles too.
    Profiles(bool),
    /// Typed how often a new file begins.
    RotateMinutes(String),
    /// Typed a note.
    Note(String),
    /// The note shall stand among the events.
    AddNote,
    /// Typed how many seconds before now a capture holds.
    Before(String),
    /// Save the last seconds.
    Capture(Captured),
    /// Show warnings and errors only.
    OnlyWarnings(bool),
}

impl State {
    /// The rig's recordings: its folder, names and words.
    pub(crate) fn take_over(&mut self, rig: &tetherscope_core::rig::Recording) {
        self.notes.clone_from(&rig.notes);
        self.profiles = rig.profiles;
        self.rotate_minutes = if rig.rotate_minutes > 0.0 { rig.rotate_minutes.to_string() } else { String::new() };
        self.rig = Some(rig.clone());
    }

    /// Where recordings go.
    pub(crate) fn folder<'a>(&'a self, preferences: &'a Preferences) -> &'a Path {
        self.rig.as_ref().map_or(&preferences.folder, |r| &r.folder)
    }

    /// Takes what the user did.
    pub(crate) fn update(
        &mut self,
        message: Message,
        preferences: &Preferences,
        context: Context<'_>,
    ) -> Vec<Act<Message>> {
        let send = |command, asked| vec![Act::Send(Command::Recording(command), asked)];
        match message {
            Message::Toggle => {
                return match context.snapshot.recording.state {
                    RecordingState::On => send(RecordingCommand::Stop, Asked::Recording),
                    RecordingState::Finishing => Vec::new(),
                    RecordingState::Off | RecordingState::Failed(_) => {
                        let request = self.request(preferences);
                        match made(&request.folder) {
                            Ok(()) => send(RecordingCommand::Start(request), Asked::Recording),
                            Err(why) => vec![Act::Tell(Weight::Error, why)],
                        }
                    }
                };
            }
            Message::Rotate => return send(RecordingCommand::Rotate, Asked::Nothing),
            Message::Name(text) => self.name = text,
            Message::Notes(text) => self.notes = text,
            Message::Profiles(on) => self.profiles = on,
            Message::RotateMinutes(text) => self.rotate_minutes = text,
            Message::Note(text) => self.note = text,
            Message::AddNote if self.note.trim().is_empty() => {}
            Message::AddNote => {
                let text = std::mem::take(&mut self.note);
                return send(RecordingCommand::Note { text }, Asked::Nothing);
            }
            Message::Before(text) => self.before_s = text,
            Message::Capture(what) => {
                let before_s = self.before_s.trim().parse().unwrap_or(2.0);
                let folder = self.folder(preferences).to_owned();
                if let Err(why) = made(&folder) {
                    return vec![Act::Tell(Weight::Error, why)];
                }
                let command = RecordingCommand::Capture { folder, before_s, after_s: 0.0, what };
                return send(command, Asked::Nothing);
            }
            Message::OnlyWarnings(on) => self.only_warnings = on,
        }
        Vec::new()
    }

    /// What a recording that starts now would be.
    fn request(&self, preferences: &Preferences) -> RecordingRequest {
        let folder = self.folder(preferences).to_owned();
        let operator = self.rig.as_ref().map(|r| &r.operator).filter(|o| !o.is_empty());
        let operator = operator.unwrap_or(&preferences.operator).clone();
        let mut name = self.name.trim().to_owned();
        if let (Some(rig), true) = (&self.rig, name.is_empty()) {
            let now = jiff::Timestamp::now();
            let (date, time) = (now.strftime("%Y-%m-%d").to_string(), now.strftime("%H-%M-%S").to_string());
            name = recording_name(&rig.name, &NameWords { date: &date, time: &time, operator: &operator }, &folder);
        }
        RecordingRequest {
            folder,
            name,
            operator,
            notes: self.notes.clone(),
            profiles: self.profiles,
            rotate_minutes: self.rotate_minutes.trim().parse().unwrap_or(0.0),
            frames: None,
        }
    }

    /// The screen.
    pub(crate) fn view<'a>(&'a self, preferences: &'a Preferences, context: Context<'a>) -> Element<'a, Message> {
        let above = row![self.form(preferences, context), account(context)].spacing(10);
        column![above, self.events(context)].spacing(10).padding(10).into()
    }

    fn form<'a>(&'a self, preferences: &'a Preferences, context: Context<'a>) -> Element<'a, Message> {
        let field = |id: &'static str, hint: &'a str, value: &'a str, message: fn(String) -> Message| {
            text_input(hint, value).id(id).size(13).padding(4).on_input(message)
        };
        let line = |name: &'a str, control: Element<'a, Message>| {
            row![text(name).size(13).width(Length::Fixed(110.0)), control].spacing(8).align_y(Alignment::Center)
        };
        let on = context.snapshot.recording.state == RecordingState::On;
        let note = row![
            field("note", "a note among the events", &self.note, Message::Note).on_submit(Message::AddNote),
            quiet("Add note", Some(Message::AddNote)),
        ]
        .spacing(6);
        let capture = row![
            field("before", "2", &self.before_s, Message::Before).width(Length::Fixed(60.0)),
            text("s, as").size(13),
            quiet("whole frames", context.running().then_some(Message::Capture(Captured::Frames))),
            quiet("ROIs", context.running().then_some(Message::Capture(Captured::Rois))),
        ]
        .spacing(6)
        .align_y(Alignment::Center);
        let profiles = toggler(self.profiles).label("record radial profiles too").text_size(13).size(16);
        let content = column![
            text("Next recording").size(16),
            line("folder", text(self.folder(preferences).display().to_string()).size(13).into()),
            line("name", field("name", "date and time", &self.name, Message::Name).into()),
            line("notes", field("notes", "what it is about", &self.notes, Message::Notes).into()),
            line("new file every", {
                let minutes = field("rotate", "never", &self.rotate_minutes, Message::RotateMinutes);
                row![minutes.width(Length::Fixed(70.0)), text("minutes").size(13)]
                    .spacing(6)
                    .align_y(Alignment::Center)
                    .into()
            }),
            profiles.on_toggle(Message::Profiles),
            text("While it runs").size(16),
            line("files", quiet("Begin a new file now", on.then_some(Message::Rotate))),
            line("note", note.into()),
            line("save the last", capture.into()),
            hint(if self.rig.is_some() {
                "folder and operator are the rig's, what is recorded stands under Tracking in Live"
            } else {
                "folder and operator stand in Settings, what is recorded under Tracking in Live"
            }),
        ]
        .spacing(7);
        container(content).padding(12).width(Length::FillPortion(1)).style(theme::panel).into()
    }

    fn events<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let wanted = |e: &&Event| !self.only_warnings || e.severity > Severity::Info;
        let line = |e: &'a Event| {
            let style = match e.severity {
                Severity::Info => text::default,
                Severity::Warning => text::warning,
                Severity::Error => text::danger,
            };
            let frame = e.frame.map_or_else(String::new, |f| format!("frame {f}"));
            row![
                text(words::time_of_day(e.time_utc_ns)).size(13).width(Length::Fixed(70.0)),
                text(frame).size(13).width(Length::Fixed(110.0)),
                text(words::severity(e.severity)).size(13).style(style).width(Length::Fixed(64.0)),
                text(words::event(&e.kind)).size(13).style(style),
            ]
            .spacing(8)
            .into()
        };
        let head = row![
            text("What happened, newest first (UTC)").size(16),
            space().width(Length::Fill),
            toggler(self.only_warnings).label("warnings only").text_size(13).size(16).on_toggle(Message::OnlyWarnings),
        ]
        .align_y(Alignment::Center);
        let list = column(context.snapshot.events.iter().rev().filter(wanted).map(line)).spacing(3);
        let content = column![head, scrolled(list.width(Length::Fill)).height(Length::Fill)].spacing(6);
        container(content).padding(12).height(Length::Fill).style(theme::panel).into()
    }
}

/// Every frame since the camera started.
fn account<'a>(context: Context<'a>) -> Element<'a, Message> {
    let ledger = &context.snapshot.ledger;
    let cell = |t: String, portion| text(t).size(13).width(Length::FillPortion(portion));
    let line = |s: &'a StageLedger| {
        let dropped = words::dropped(s);
        row![
            cell(s.stage.clone(), 3),
            cell(s.seen.to_string(), 2),
            cell(s.delivered.to_string(), 2),
            cell(s.in_flight.to_string(), 2),
            cell(dropped.clone(), 5).style(if dropped.is_empty() { text::default } else { text::warning }),
        ]
        .into()
    };
    let head = row![
        cell("stage".into(), 3),
        cell("seen".into(), 2),
        cell("delivered".into(), 2),
        cell("in flight".into(), 2),
        cell("dropped".into(), 5)
    ];
    let unexplained = match ledger.unexplained {
        0 => text("every frame is accounted for").size(13).style(text::success),
        n => text(format!("{n} frames are not accounted for: report this")).size(13).style(text::danger),
    };
    let h = &context.snapshot.health;
    let mut content = column![text("Every frame since the camera started").size(16), head]
        .spacing(5)
        .extend(ledger.stages.iter().map(line));
    content = content.push(unexplained);
    content = content.push(
        text(format!(
            "{:.1} frames/s arrive, {:.1} are tracked; ring {} of {} slots; {:.2} cores, {}",
            h.frame_rate_hz,
            h.tracked_rate_hz,
            h.ring_in_use,
            h.ring_slots,
            h.cpu_cores,
            words::bytes(h.memory_bytes)
        ))
        .size(13),
    );
    for l in &h.latencies {
        let line = format!(
            "from arrival to {}: {:.1} ms in the middle, p99 {:.1} ms, at most {:.1} ms",
            l.to, l.p50_ms, l.p99_ms, l.max_ms
        );
        content = content.push(text(line).size(13));
    }
    container(content).padding(12).width(Length::FillPortion(1)).style(theme::panel).into()
}

/// The folder is there, or is made now.
pub(crate) fn made(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|e| {
        format!("cannot write there\n{} cannot be made: {e}\ngive a folder in which you may write", folder.display())
    })
}

/// A value with its name before it, weaker.
fn named<'a>(name: &'a str, value: String) -> Element<'a, Message> {
    row![text(name).size(13).style(text::secondary), text(value).size(13).wrapping(text::Wrapping::None)]
        .spacing(5)
        .into()
}

/// The bar that is always in sight: is it recorded, where, how much room is left, and were frames lost.
pub(crate) fn bar<'a>(folder: &Path, free_bytes: Option<u64>, context: Context<'a>) -> Element<'a, Message> {
    let r = &context.snapshot.recording;
    let on = matches!(r.state, RecordingState::On | RecordingState::Finishing);
    let label = if on { "Stop recording" } else { "Record" };
    let pressable = r.state != RecordingState::Finishing && (on || context.running());
    let toggle = button(text(label).size(13))
        .padding([4, 12])
        .style(theme::alarm)
        .on_press_maybe(pressable.then_some(Message::Toggle));
    let where_ = match (&r.folder, on) {
        (Some(folder), true) => folder.display().to_string(),
        _ => folder.display().to_string(),
    };
    // Who records without a bead finds out now, not afterwards.
    let nothing = on && context.snapshot.beads.is_empty() && !context.snapshot.tracking.mode.records_frames();
    let nothing = if nothing { "no beads, so nothing is recorded" } else { "" };
    let written = if on { format!("{} rows, {}", r.rows, words::bytes(r.bytes)) } else { String::new() };
    let left = r.disk_free_bytes.filter(|_| on).or(free_bytes).map_or_else(String::new, |b| match r.disk_full_in_s {
        Some(s) if on && s.is_finite() => format!("{} free, full in {}", words::bytes(b), words::span(s)),
        _ => format!("{} free", words::bytes(b)),
    });
    let seen = context.snapshot.ledger.stages.iter().map(|s| s.seen).max().unwrap_or(0);
    let mut lost: Vec<String> = Vec::new();
    for s in &context.snapshot.ledger.stages {
        // What somebody asked to end is no loss; the account below tells it all the same.
        let unasked = s.dropped.iter().filter(|d| d.reason != "user_stop").cloned().collect();
        let dropped = words::dropped(&StageLedger { dropped: unasked, ..s.clone() });
        if !dropped.is_empty() {
            lost.push(format!("in {}: {dropped}", s.stage));
        }
    }
    let lost_text = if lost.is_empty() { "none dropped".to_owned() } else { format!("dropped {}", lost.join("; ")) };
    let unread = match context.snapshot.warnings.len() {
        0 => String::new(),
        1 => "1 unread warning".into(),
        n => format!("{n} unread warnings"),
    };
    let content = row![
        toggle,
        text(words::recording(&r.state)).size(14),
        container(named("folder", where_)).width(Length::Fill).clip(true),
        named("mode", Mode(context.snapshot.tracking.mode).to_string()),
        text(nothing).size(13).wrapping(text::Wrapping::None).style(text::warning),
        text(written).size(13),
        text(left).size(13),
        text(format!("{seen} frames seen,")).size(13),
        text(lost_text).size(13).wrapping(text::Wrapping::None).style(if lost.is_empty() {
            text::default
        } else {
            text::warning
        }),
        text(unread).size(13).wrapping(text::Wrapping::None).style(text::warning),
    ]
    .spacing(12)
    .align_y(Alignment::Center);
    container(content).padding([4, 8]).width(Length::Fill).style(if on { theme::recording } else { theme::bar }).into()
}
