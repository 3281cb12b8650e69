//! The screens: each one is State, Message and what it wants done. `update` changes the state and says what the window shall
//! do; `view` only reads.

pub(crate) mod camera;
pub(crate) mod live;
pub(crate) mod plugins;
pub(crate) mod recordings;
pub(crate) mod settings;
pub(crate) mod tracker;
pub(crate) mod zlut;

use super::theme::Look;
use iced::widget::{Row, Scrollable, Text, button, container, row, scrollable, text};
use iced::{Element, Length, padding};
use std::time::Duration;
use tetherscope_core::control::{CameraState, Snapshot};
use tetherscope_core::loader::{Kind, Registry};

/// What screens see besides their own state.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The experiment now.
    pub(crate) snapshot: &'a Snapshot,
    /// What was loaded.
    pub(crate) registry: &'a Registry,
    /// Colours.
    pub(crate) look: Look,
    /// The screen's pixels for one of the window's.
    pub(crate) scale: f32,
    /// Between two pictures.
    pub(crate) period: Duration,
}

impl Context<'_> {
    /// True while frames come.
    pub(crate) fn running(&self) -> bool {
        self.snapshot.camera.state == CameraState::Running
    }

    /// Size of the frame; none without an open camera.
    pub(crate) fn frame_px(&self) -> Option<(u32, u32)> {
        self.snapshot.camera.format.as_ref().map(|f| (f.width_px, f.height_px))
    }

    /// Ids of all methods of a kind, each once.
    pub(crate) fn methods(&self, kind: Kind) -> Vec<String> {
        let of_kind = self.registry.components().iter().filter(|c| c.info().kind == kind);
        let mut ids: Vec<String> = of_kind.map(|c| c.info().id.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

/// A quiet button with a short text; without a message it can't be pressed.
pub(crate) fn quiet<'a, M: Clone + 'a>(label: impl text::IntoFragment<'a>, message: Option<M>) -> Element<'a, M> {
    button(text(label).size(13)).padding([4, 10]).style(super::theme::quiet).on_press_maybe(message).into()
}

/// Content that scrolls up and down, beside its bar and never under it.
pub(crate) fn scrolled<'a, M: 'a>(content: impl Into<Element<'a, M>>) -> Scrollable<'a, M> {
    scrollable(content).spacing(4)
}

/// A name before a field below which more may open: level with its text, which begins `above` lower.
pub(crate) fn level<'a, M: 'a>(name: Text<'a>, width: f32, field: Element<'a, M>, above: f32) -> Row<'a, M> {
    let name = container(name).padding(padding::top(above)).width(Length::Fixed(width));
    row![name, field].spacing(6)
}

/// A line of small, weak text.
pub(crate) fn hint<'a, M: 'a>(content: impl text::IntoFragment<'a>) -> Element<'a, M> {
    text(content).size(12).style(text::secondary).into()
}

/// Three lines of what went wrong.
pub(crate) fn refusal<'a, M: 'a>(r: &tetherscope_core::control::Refusal) -> Element<'a, M> {
    text(r.to_string()).size(13).style(text::danger).into()
}
