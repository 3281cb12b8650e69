//! The panel Picture: contrast, gamma, saturation, overlay. It changes what is seen, never what is measured or recorded.

use super::super::{Context, hint, quiet};
use super::{Message, State};
use crate::gui::link::Act;
use crate::gui::widget::video::tone::{Contrast, Tone, full_scale};
use iced::widget::{column, row, slider, text, toggler};
use iced::{Alignment, Element, Length};

/// What the user did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LookMessage {
    /// Contrast by hand, or by percentile.
    Manual(bool),
    /// Drawn black, as a part of full scale.
    Low(f32),
    /// Drawn white.
    High(f32),
    /// Percent that may be clipped.
    Clipped(f32),
    /// Gamma.
    Gamma(f32),
    /// Mark saturated pixels.
    Saturated(bool),
    /// Draw ROIs.
    Overlay(bool),
    /// As at the start.
    Reset,
}

impl State {
    pub(super) fn on_look(&mut self, message: LookMessage) -> Vec<Act<Message>> {
        let tone = &mut self.tone;
        match (message, tone.contrast) {
            (LookMessage::Manual(true), _) => {
                // Where the percentiles stand now, so that nothing jumps.
                let newest = self.source.link.picture();
                let (low, high) = newest.map_or((0.0, 1.0), |p| {
                    let (range, full) = (tone.range(&p), f32::from(full_scale(&p)));
                    (range.0 / full, range.1 / full)
                });
                tone.contrast = Contrast::Manual { low, high };
            }
            (LookMessage::Manual(false), _) => tone.contrast = Tone::default().contrast,
            (LookMessage::Low(low), Contrast::Manual { high, .. }) => {
                tone.contrast = Contrast::Manual { low: low.min(high), high };
            }
            (LookMessage::High(high), Contrast::Manual { low, .. }) => {
                tone.contrast = Contrast::Manual { low, high: high.max(low) };
            }
            (LookMessage::Clipped(clipped), Contrast::Percentile { .. }) => {
                tone.contrast = Contrast::Percentile { clipped };
            }
            (LookMessage::Low(_) | LookMessage::High(_) | LookMessage::Clipped(_), _) => {}
            (LookMessage::Gamma(gamma), _) => tone.gamma = gamma,
            (LookMessage::Saturated(on), _) => tone.mark_saturated = on,
            (LookMessage::Overlay(on), _) => self.overlay = on,
            (LookMessage::Reset, _) => (*tone, self.overlay) = (Tone::default(), true),
        }
        Vec::new()
    }

    pub(super) fn look_view<'a>(&self, _context: Context<'a>) -> Element<'a, LookMessage> {
        let line = |name: &'a str, control: Element<'a, LookMessage>, value: String| {
            row![
                text(name).size(13).width(Length::Fixed(90.0)),
                control,
                text(value).size(13).width(Length::Fixed(52.0))
            ]
            .spacing(8)
            .align_y(Alignment::Center)
        };
        let manual = matches!(self.tone.contrast, Contrast::Manual { .. });
        let mut list =
            column![toggler(manual).label("contrast by hand").text_size(13).size(16).on_toggle(LookMessage::Manual)]
                .spacing(10);
        list = match self.tone.contrast {
            Contrast::Manual { low, high } => list
                .push(line("black", slider(0.0..=1.0, low, LookMessage::Low).step(0.002).into(), format!("{low:.3}")))
                .push(line(
                    "white",
                    slider(0.0..=1.0, high, LookMessage::High).step(0.002).into(),
                    format!("{high:.3}"),
                )),
            Contrast::Percentile { clipped } => list.push(line(
                "clipped",
                slider(0.0..=5.0, clipped, LookMessage::Clipped).step(0.05).into(),
                format!("{clipped:.2} %"),
            )),
        };
        let gamma = self.tone.gamma;
        list.push(line("gamma", slider(0.3..=3.0, gamma, LookMessage::Gamma).step(0.05).into(), format!("{gamma:.2}")))
            .push(
                toggler(self.tone.mark_saturated)
                    .label("mark saturated pixels")
                    .text_size(13)
                    .size(16)
                    .on_toggle(LookMessage::Saturated),
            )
            .push(toggler(self.overlay).label("show ROIs").text_size(13).size(16).on_toggle(LookMessage::Overlay))
            .push(quiet("As at the start", Some(LookMessage::Reset)))
            .push(hint("this changes what is seen, never what is measured or recorded"))
            .padding([4, 14])
            .into()
    }
}
