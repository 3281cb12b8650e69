//! The screen Settings: how the window looks, how often it draws, where files go; and every shortcut. Settings of camera and
//! methods stand at the side of Live, those of an experiment in its rig.

use super::{hint, level, quiet, scrolled};
use crate::gui::keymap;
use crate::gui::preferences::Preferences;
use crate::gui::theme::{self, Look};
use crate::gui::widget::path::{PathField, PathMessage};
use iced::widget::{column, container, pick_list, row, slider, text, text_input};
use iced::{Alignment, Element, Length, Task};

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// Chose a theme.
    Look(Look),
    /// Size of everything.
    Zoom(f32),
    /// Pictures per second.
    Rate(u32),
    /// In the field for the folder.
    Folder(PathMessage),
    /// Typed a name.
    Operator(String),
    /// The rig that was used last is not opened any more.
    ForgetRig,
}

/// What the screen remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    folder: PathField,
}

impl State {
    /// Changes the preferences.
    pub(crate) fn update(&mut self, preferences: &mut Preferences, message: Message) -> Option<Task<Message>> {
        match message {
            Message::Look(look) => preferences.look = look,
            Message::Zoom(zoom) => preferences.zoom = zoom,
            Message::Rate(rate) => preferences.pictures_per_s = rate,
            Message::Folder(message) => {
                let mut path = preferences.folder.display().to_string();
                let home = etcetera::home_dir().unwrap_or_default();
                let read = self.folder.update(message, &mut path, &[], &home);
                preferences.folder = path.into();
                return read.map(|task| task.map(Message::Folder));
            }
            Message::Operator(text) => preferences.operator = text,
            Message::ForgetRig => preferences.rig = std::path::PathBuf::new(),
        }
        None
    }

    /// The screen. `renderer` says what draws.
    pub(crate) fn view<'a>(&'a self, preferences: &'a Preferences, renderer: &'a str) -> Element<'a, Message> {
        let line = |name: &'a str, control: Element<'a, Message>| {
            row![text(name).size(14).width(Length::Fixed(190.0)), control].spacing(10).align_y(Alignment::Center)
        };
        let look = pick_list(Look::ALL, Some(preferences.look), Message::Look).text_size(14).padding(5);
        let zoom = row![
            slider(0.7..=2.5, preferences.zoom, Message::Zoom).step(0.05).width(Length::Fixed(260.0)),
            text(format!("{:.0} %", preferences.zoom * 100.0)).size(14),
            quiet("100 %", Some(Message::Zoom(1.0))),
        ]
        .spacing(10)
        .align_y(Alignment::Center);
        let rate = row![
            slider(5..=60, preferences.pictures_per_s, Message::Rate).width(Length::Fixed(260.0)),
            text(format!("{} per second", preferences.pictures_per_s)).size(14),
        ]
        .spacing(10)
        .align_y(Alignment::Center);
        let path = preferences.folder.to_str().unwrap_or_default();
        let folder = self.folder.view("folder", "folder", path, 14).map(Message::Folder);
        let operator =
            text_input("name", &preferences.operator).id("operator").size(14).padding(5).on_input(Message::Operator);
        let window = column![
            text("Window").size(18),
            line("Theme", look.into()),
            line("Size of everything", zoom.into()),
            line("Pictures", rate.into()),
            line("Drawn by", text(renderer).size(14).into()),
            hint("start with --renderer cpu or --renderer gpu to choose what draws"),
            text("Files").size(18),
            level(text("Folder").size(14), 190.0, folder, 5.0).spacing(10),
            line("Operator", operator.into()),
            line("Rig", rig(preferences)),
        ]
        .spacing(10);
        let key = |keys: String, words: &'a str| {
            row![text(keys).size(13).width(Length::Fixed(190.0)), text(words).size(13)].spacing(10).into()
        };
        let shortcuts = column![text("Shortcuts").size(18)]
            .spacing(5)
            .extend(keymap::list().into_iter().map(|(keys, words)| key(keys, words)))
            .extend(keymap::MOUSE.into_iter().map(|(keys, words)| key(keys.to_owned(), words)));
        let panel = |content: Element<'a, Message>| {
            container(content).padding(14).width(Length::FillPortion(1)).style(theme::panel)
        };
        let both = row![panel(window.into()), panel(shortcuts.into())].spacing(10);
        scrolled(container(both).padding(10)).height(Length::Fill).into()
    }
}

/// The rig of this start and the next.
fn rig(preferences: &Preferences) -> Element<'_, Message> {
    match preferences.rig() {
        None => hint("none: `tetherscope gui --config rig.toml` opens one, and remembers it"),
        Some(path) => row![
            text(path.display().to_string()).size(14).width(Length::Fill),
            quiet("Don't open it next time", Some(Message::ForgetRig)),
        ]
        .spacing(10)
        .align_y(Alignment::Center)
        .into(),
    }
}
