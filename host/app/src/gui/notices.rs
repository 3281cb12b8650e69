//! What the user should know: warnings and errors stay until they are read, news goes by itself. The same thing told again
//! is counted, not piled up.

use super::theme;
use iced::widget::{button, column, container, row, space, text};
use iced::{Alignment, Element, Length};
use std::time::{Duration, Instant};

/// News goes after this long.
const NEWS: Duration = Duration::from_secs(10);
/// Most that are shown at once.
const MOST: usize = 5;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Good to know.
    News,
    /// Something was lost or may be wrong.
    Warning,
    /// Something didn't work.
    Error,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    id: u64,
    /// How much it matters.
    pub(crate) weight: Weight,
    /// Thing, cause, mend: up to three lines.
    pub(crate) text: String,
    /// How often it was told.
    pub(crate) count: u32,
    since: Instant,
}

/// All that were not read.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    list: Vec<Notice>,
    next: u64,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoticesMessage {
    /// Read this one.
    Read(u64),
    /// Read all.
    ReadAll,
}

impl Notices {
    /// Tells something.
    pub(crate) fn tell(&mut self, weight: Weight, text: impl Into<String>, now: Instant) {
        let text = text.into();
        if let Some(same) = self.list.iter_mut().find(|n| n.weight == weight && n.text == text) {
            same.count += 1;
            same.since = now;
            return;
        }
        self.next += 1;
        self.list.push(Notice { id: self.next, weight, text, count: 1, since: now });
    }

    /// News that was there long enough goes.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.list.retain(|n| n.weight != Weight::News || now.saturating_duration_since(n.since) < NEWS);
    }

    /// Takes what the user did.
    pub(crate) fn update(&mut self, message: &NoticesMessage) {
        match message {
            NoticesMessage::Read(id) => self.list.retain(|n| n.id != *id),
            NoticesMessage::ReadAll => self.list.clear(),
        }
    }

    /// All, oldest first.
    pub(crate) fn list(&self) -> &[Notice] {
        &self.list
    }

    /// The newest, in the lower right corner.
    pub(crate) fn view(&self) -> Element<'_, NoticesMessage> {
        let hidden = self.list.len().saturating_sub(MOST);
        let mut stack = column![].spacing(6).width(Length::Fixed(430.0));
        if hidden > 0 {
            let all = button(text(format!("{hidden} more; close all")).size(12))
                .padding([2, 8])
                .style(theme::quiet)
                .on_press(NoticesMessage::ReadAll);
            stack = stack.push(all);
        }
        for n in &self.list[hidden..] {
            stack = stack.push(card(n));
        }
        stack.into()
    }
}

fn card(n: &Notice) -> Element<'_, NoticesMessage> {
    let head = match n.weight {
        Weight::News => "",
        Weight::Warning => "Warning",
        Weight::Error => "Error",
    };
    let times = if n.count > 1 { format!("  × {}", n.count) } else { String::new() };
    let close = button(text("✕").size(12)).padding([1, 6]).style(theme::quiet).on_press(NoticesMessage::Read(n.id));
    let mut lines = column![].spacing(2).width(Length::Fill);
    if !head.is_empty() || !times.is_empty() {
        lines = lines.push(text(format!("{head}{times}")).size(12));
    }
    for line in n.text.lines() {
        lines = lines.push(text(line).size(13));
    }
    let style = match n.weight {
        Weight::News => theme::panel,
        Weight::Warning => theme::warning,
        Weight::Error => theme::error,
    };
    container(row![lines, space().width(6), close].align_y(Alignment::Start)).padding(8).style(style).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_stay_until_they_are_read_and_news_goes() {
        let (mut notices, start) = (Notices::default(), Instant::now());
        notices.tell(Weight::News, "snapshot saved", start);
        notices.tell(Weight::Warning, "frames were lost", start);
        notices.pass(start + NEWS / 2);
        assert_eq!(notices.list().len(), 2);
        notices.pass(start + NEWS * 100);
        assert_eq!(notices.list().len(), 1);
        notices.update(&NoticesMessage::Read(notices.list()[0].id));
        assert!(notices.list().is_empty());
    }

    #[test]
    fn the_same_told_again_is_counted() {
        let (mut notices, now) = (Notices::default(), Instant::now());
        (0..500).for_each(|_| notices.tell(Weight::Warning, "frames were lost", now));
        assert_eq!((notices.list().len(), notices.list()[0].count), (1, 500));
        notices.tell(Weight::Error, "frames were lost", now);
        assert_eq!(notices.list().len(), 2);
    }
}
