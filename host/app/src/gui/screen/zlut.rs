//! The screen Z-LUT: the table in use, a look into any file, and the way from a focus stage to a new one.

mod bias;
mod file;
mod stage;
mod sweep;

use super::{Context, hint, level, quiet, refusal, scrolled};
use crate::gui::link::{Act, Asked, FormId, map_all};
use crate::gui::preferences::Preferences;
use crate::gui::screen::tracker::changed;
use crate::gui::theme;
use crate::gui::widget::form::{Form, FormMessage};
use crate::gui::widget::path::{PathField, PathMessage};
use iced::widget::{column, container, pick_list, row, text, text_input};
use iced::{Alignment, Element, Length};
use std::path::PathBuf;
use tetherscope_core::control::{
    Answer, Command, MethodChoice, ParameterText, Refusal, TableView, ZlutCommand, ZlutView,
};
use tetherscope_core::loader::Kind;

/// What the screen remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The form of the strategy's parameters.
    pub(crate) form: Form,
    path: String,
    field: PathField,
    strategy: Option<String>,
    file: file::Opened,
    sweep: sweep::Wizard,
    stage: stage::Panel,
}

/// What the user did.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// In the field for the file.
    Path(PathMessage),
    /// Chose the strategy that shall look up.
    Strategy(String),
    /// Load the file.
    Load,
    /// No z any more.
    Unload,
    /// In the form.
    Form(FormMessage),
    /// In the look into a file.
    File(file::FileMessage),
    /// In the sweep wizard.
    Sweep(sweep::SweepMessage),
    /// At the stage.
    Stage(stage::StageMessage),
}

/// The strategy's own choice of words in a pick list.
const AS_MADE: &str = "the strategy that made it";

impl State {
    /// Takes what the user did.
    pub(crate) fn update(
        &mut self,
        message: Message,
        preferences: &Preferences,
        context: Context<'_>,
    ) -> Vec<Act<Message>> {
        let send = |command, asked| vec![Act::Send(Command::Zlut(command), asked)];
        match message {
            Message::Path(message) => {
                let done = message == PathMessage::Submitted;
                let read = self.field.update(message, &mut self.path, &[".zlut", ".txt"], &preferences.folder);
                if done && !self.path.trim().is_empty() {
                    return self.update(Message::Load, preferences, context);
                }
                return read.map(|task| Act::Run(task.map(Message::Path))).into_iter().collect();
            }
            Message::Strategy(id) => self.strategy = (id != AS_MADE).then_some(id),
            Message::Load => {
                let path = PathBuf::from(self.path.trim());
                self.form = Form::default();
                let strategy =
                    self.strategy.clone().map(|method| MethodChoice { method, parameters: ParameterText::new() });
                let mut acts = send(ZlutCommand::Load { path: path.clone(), strategy }, Asked::Nothing);
                acts.push(self.file.open(path).map(Message::File));
                return acts;
            }
            Message::Unload => return send(ZlutCommand::Unload, Asked::Nothing),
            Message::Form(message) => {
                let Some(zlut) = &context.snapshot.zlut else { return Vec::new() };
                if let Some(set) = self.form.update(message, &zlut.strategy.parameters) {
                    let Some(path) = zlut.path.clone() else {
                        self.form
                            .refuse(&set.key, "save the tables of the sweep first: another value needs their file");
                        return Vec::new();
                    };
                    let strategy = Some(changed(&zlut.strategy, &set.key, &set.text));
                    let asked = Asked::Field(FormId::Strategy, set.key);
                    return send(ZlutCommand::Load { path, strategy }, asked);
                }
            }
            Message::File(message) => {
                return map_all(self.file.update(message).into_iter().collect(), Message::File);
            }
            Message::Sweep(message) => {
                return map_all(self.sweep.update(message, preferences, context), Message::Sweep);
            }
            Message::Stage(message) => {
                return map_all(self.stage.update(message, context), Message::Stage);
            }
        }
        Vec::new()
    }

    /// A file was written or came into use elsewhere: look into it.
    pub(crate) fn on_path(&mut self, answer: &Result<Answer, Refusal>) -> Option<Act<Message>> {
        let Ok(Answer::Path(path)) = answer else { return None };
        self.path = path.display().to_string();
        Some(self.file.open(path.clone()).map(Message::File))
    }

    /// Looks into a file at once, for pictures.
    pub(crate) fn look_into(&mut self, path: PathBuf) {
        self.path = path.display().to_string();
        self.file.open_now(path);
    }

    /// The screen.
    pub(crate) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let left = column![self.in_use(context), self.stage.view(context).map(Message::Stage)].spacing(24);
        let panel = |content: Element<'a, Message>| {
            container(scrolled(container(content).padding([0, 8]))).padding([12, 0]).style(theme::panel)
        };
        row![
            panel(left.into()).width(Length::FillPortion(3)).height(Length::Fill),
            panel(self.sweep.view(context).map(Message::Sweep)).width(Length::FillPortion(3)).height(Length::Fill),
            container(self.file.view(context).map(Message::File))
                .padding(12)
                .style(theme::panel)
                .width(Length::FillPortion(4))
                .height(Length::Fill),
        ]
        .spacing(10)
        .padding(10)
        .into()
    }

    fn in_use<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let path = self.field.view("zlut-path", "a .zlut or .txt file", &self.path, 13).map(Message::Path);
        let mut strategies = vec![AS_MADE.to_owned()];
        strategies.extend(context.methods(Kind::Zlut));
        let chosen = self.strategy.clone().unwrap_or_else(|| AS_MADE.to_owned());
        let strategy =
            pick_list(strategies, Some(chosen), Message::Strategy).text_size(13).padding(4).width(Length::Fill);
        let zlut = context.snapshot.zlut.as_ref();
        let buttons = row![
            quiet("Load", (!self.path.trim().is_empty()).then_some(Message::Load)),
            quiet("Unload", zlut.map(|_| Message::Unload)),
            quiet(
                "Only look into it",
                (!self.path.trim().is_empty())
                    .then(|| { Message::File(file::FileMessage::Open(PathBuf::from(self.path.trim()))) })
            ),
        ]
        .spacing(6);
        let line = |name: &'a str, control: Element<'a, Message>| {
            row![text(name).size(13).width(Length::Fixed(80.0)), control].spacing(6).align_y(Alignment::Center)
        };
        let mut list = column![
            text("Z-LUT in use").size(16),
            level(text("file").size(13), 80.0, path, 5.0),
            line("looked up by", strategy.into()),
            buttons
        ]
        .spacing(8);
        match zlut {
            None => list = list.push(hint("none: rows have no z. Load a file, or make one with a sweep")),
            Some(z) => {
                list = list.push(about(z));
                if !z.strategy.parameters.is_empty() {
                    list = list.push(self.form.view(&z.strategy.parameters, false).map(Message::Form));
                }
            }
        }
        list.into()
    }
}

/// Which file, which strategy, what to know.
fn about<'a, M: 'a>(z: &'a ZlutView) -> Element<'a, M> {
    let path = z.path.as_ref().map_or_else(|| "of the sweep, not saved".to_owned(), |p| p.display().to_string());
    let strategy = format!("{} {}", z.strategy.method, z.strategy.version);
    let mut list = column![text(path).size(13), text(strategy).size(13)].spacing(4);
    if z.unchecked {
        list = list.push(text("unchecked: the file says nothing of how it was made").size(13).style(text::warning));
    }
    list = list.extend(z.warnings.iter().map(|w| text(w.clone()).size(13).style(text::warning).into()));
    list.push(tables(&z.tables)).into()
}

/// Tables, one a line.
fn tables<'a, M: 'a>(tables: &'a [TableView]) -> Element<'a, M> {
    let line = |t: &'a TableView| {
        let name = t.bead.map_or_else(|| "average, for any bead".to_owned(), |b| format!("bead {b}"));
        let size = format!(
            "{name}: {} planes × {} bins, {:.0} to {:.0}\u{a0}nm",
            t.n_planes, t.n_bins, t.z_min_nm, t.z_max_nm
        );
        let mut line = column![text(size).size(13)];
        if !t.verdict.is_empty() {
            line = line.push(text(&t.verdict).size(12).style(text::secondary));
        }
        line.into()
    };
    column(tables.iter().map(line)).spacing(3).into()
}

/// A labelled field of a wizard.
fn field<'a, M: Clone + 'a>(
    name: &'a str,
    id: &'static str,
    value: &'a str,
    unit: &'a str,
    message: fn(String) -> M,
) -> Element<'a, M> {
    row![
        text(name).size(13).width(Length::Fixed(130.0)),
        text_input("", value).id(id).size(13).padding(4).width(Length::Fixed(100.0)).on_input(message),
        text(unit).size(13),
    ]
    .spacing(6)
    .align_y(Alignment::Center)
    .into()
}

/// Three lines of what went wrong, if something did.
fn failure<'a, M: 'a>(why: Option<&Refusal>) -> Option<Element<'a, M>> {
    why.map(refusal)
}
