//! How the window is laid out: screens as tabs, the recording bar always in sight, notices over the lower right corner, and
//! dialogs over everything.

use super::{App, Dialog, Message};
use crate::gui::screen::recordings;
use crate::gui::{Screen, keymap, theme, words};
use iced::widget::{button, column, container, opaque, row, scrollable, space, stack, text};
use iced::{Alignment, Color, Element, Length};
use tetherscope_core::control::{Severity, Warning};

const SCREENS: [(Screen, &str); 5] = [
    (Screen::Live, "Live"),
    (Screen::Zlut, "Z-LUT"),
    (Screen::Recordings, "Recordings"),
    (Screen::Plugins, "Plugins"),
    (Screen::Settings, "Settings"),
];
/// Most warnings of the engine that are shown at once.
const MOST_WARNINGS: usize = 4;

impl App {
    /// The window.
    pub(crate) fn view(&self) -> Element<'_, Message> {
        let context = self.context();
        let tabs = SCREENS.map(|(screen, name)| {
            let tab = button(text(name).size(14)).padding([5, 14]).style(theme::tab(self.screen == screen));
            tab.on_press(Message::Go(screen)).into()
        });
        let help = button(text("F1 shortcuts").size(13)).padding([5, 10]).style(theme::quiet);
        let top = row![
            text("Tetherscope").size(16),
            row(tabs).spacing(3),
            space().width(Length::Fill),
            help.on_press(Message::Dialog(Some(Dialog::Shortcuts))),
        ]
        .spacing(16)
        .align_y(Alignment::Center);
        let top = container(top).padding([4, 8]).width(Length::Fill).style(theme::bar);
        let screen: Element<'_, Message> = match self.screen {
            Screen::Live => self.live.view(context).map(Message::Live),
            Screen::Zlut => self.zlut.view(context).map(Message::Zlut),
            Screen::Recordings => self.recordings.view(&self.preferences, context).map(Message::Recordings),
            Screen::Plugins => self.plugins.view(&self.registry, &self.crashes).map(Message::Plugins),
            Screen::Settings => self.settings.view(&self.preferences, &self.renderer).map(Message::Settings),
        };
        let bar = recordings::bar(
            self.recordings.folder(&self.preferences),
            self.disk.as_ref().and_then(|d| d.free_bytes()),
            context,
        )
        .map(Message::Recordings);
        let page = column![top, bar, container(screen).height(Length::Fill)];
        let mut layers = stack![page];
        if let Some(notices) = self.notices_view() {
            layers = layers.push(notices);
        }
        if let Some(dialog) = self.dialog {
            let dim = |_: &iced::Theme| container::background(Color { a: 0.6, ..Color::BLACK });
            let middle = container(dialog_view(dialog)).center(Length::Fill).style(dim);
            layers = layers.push(opaque(middle));
        }
        layers.into()
    }

    /// Warnings of the engine, which stay until they are read wherever they are read, and what this window has to say.
    fn notices_view(&self) -> Option<Element<'_, Message>> {
        let warnings = &self.snapshot.warnings;
        if warnings.is_empty() && self.notices.list().is_empty() {
            return None;
        }
        let hidden = warnings.len().saturating_sub(MOST_WARNINGS);
        let mut list = column![].spacing(6).width(Length::Fixed(430.0));
        if hidden > 0 {
            let all = button(text(format!("{hidden} older warnings; close all")).size(12)).padding([2, 8]);
            list = list.push(all.style(theme::quiet).on_press(Message::AcknowledgeAll));
        }
        list = list.extend(warnings[hidden..].iter().map(warning));
        if !self.notices.list().is_empty() {
            list = list.push(self.notices.view().map(Message::Notices));
        }
        let corner = container(opaque(list)).padding(12).align_right(Length::Fill).align_bottom(Length::Fill);
        Some(corner.into())
    }
}

fn warning(w: &Warning) -> Element<'_, Message> {
    let (word, style): (_, fn(&iced::Theme) -> container::Style) = match w.event.severity {
        Severity::Error => ("Error", theme::error),
        _ => ("Warning", theme::warning),
    };
    let times = if w.count > 1 { format!("  × {}", w.count) } else { String::new() };
    let at = words::time_of_day(w.event.time_utc_ns);
    let close = button(text("✕").size(12)).padding([1, 6]).style(theme::quiet).on_press(Message::Acknowledge(w.id));
    let lines = column![text(format!("{word}{times}   {at} UTC")).size(12), text(words::event(&w.event.kind)).size(13)]
        .spacing(2)
        .width(Length::Fill);
    container(row![lines, space().width(6), close].align_y(Alignment::Start)).padding(8).style(style).into()
}

fn dialog_view<'a>(dialog: Dialog) -> Element<'a, Message> {
    let content: Element<'_, Message> = match dialog {
        Dialog::CloseWhileRecording => column![
            text("Something is being recorded").size(18),
            text("Closing the window stops and finalises the recording. Nothing that was recorded is lost.").size(14),
            row![
                button(text("Stop recording and close").size(14)).style(theme::alarm).on_press(Message::StopAndClose),
                button(text("Go on recording").size(14)).on_press(Message::Dialog(None)),
            ]
            .spacing(10),
        ]
        .spacing(14)
        .into(),
        Dialog::Shortcuts => {
            let line = |keys: String, words: &'a str| -> Element<'a, Message> {
                row![text(keys).size(13).width(Length::Fixed(200.0)), text(words).size(13)].into()
            };
            let keys = column(keymap::list().into_iter().map(|(k, w)| line(k, w))).spacing(4);
            let mouse = column(keymap::MOUSE.into_iter().map(|(k, w)| line(k.to_owned(), w))).spacing(4);
            column![
                text("Shortcuts").size(18),
                scrollable(row![keys, mouse].spacing(30)).height(Length::Shrink),
                button(text("Close").size(14)).on_press(Message::Dialog(None)),
            ]
            .spacing(12)
            .into()
        }
    };
    container(content).padding(20).max_width(940).style(theme::panel).into()
}
