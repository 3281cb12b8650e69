//! The panel Find: a bead finder looks at the next frame, a slider chooses how sure it must be, and what passes is shown
//! before it is taken.

use super::super::{Context, hint, quiet};
use crate::gui::link::{Act, Asked};
use crate::gui::rois::Edit;
use iced::widget::{column, pick_list, row, slider, text, toggler};
use iced::{Alignment, Element, Length};
use std::collections::BTreeSet;
use tetherscope_core::Roi;
use tetherscope_core::control::{
    Answer, BeadsCommand, Command, FoundBead, MethodChoice, NewRoi, ParameterText, Refusal, RefusalKind, Snapshot,
};
use tetherscope_core::loader::Kind;

/// What the panel remembers.
#[derive(Debug, Default)]
pub(crate) struct Find {
    finder: Option<String>,
    seeded: bool,
    running: bool,
    hits: Vec<FoundBead>,
    looked: bool,
    threshold: f32,
    failure: Option<Refusal>,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FindMessage {
    /// Chose a finder.
    Choose(String),
    /// Look for beads like the selected one, or for any.
    Seeded(bool),
    /// Look.
    Look,
    /// Look no longer.
    Cancel,
    /// How sure.
    Threshold(f32),
    /// Take what passes.
    Take,
    /// Forget what was found.
    Clear,
}

/// ROIs of two beads that share more than this part of their side are the same bead.
const SAME: f32 = 0.5;

impl Find {
    /// Takes what the user did.
    pub(crate) fn update(
        &mut self,
        message: FindMessage,
        selected: &BTreeSet<u32>,
        context: Context<'_>,
    ) -> Vec<Act<FindMessage>> {
        match message {
            FindMessage::Choose(finder) => self.finder = Some(finder),
            FindMessage::Seeded(on) => self.seeded = on,
            FindMessage::Threshold(at) => self.threshold = at,
            FindMessage::Clear => *self = Self { finder: self.finder.take(), ..Self::default() },
            FindMessage::Cancel => {
                self.running = false;
                return vec![Act::Send(Command::Beads(BeadsCommand::CancelFind), Asked::Nothing)];
            }
            FindMessage::Look => {
                let Some(method) = self.chosen(context) else { return Vec::new() };
                let seed = selected.first().filter(|_| self.seeded);
                let seed = seed.and_then(|s| context.snapshot.beads.iter().find(|b| b.bead == *s)).map(|b| b.roi);
                self.asked();
                let finder = MethodChoice { parameters: size_of_rois(&method, context), method };
                return vec![Act::Send(Command::Beads(BeadsCommand::Find { finder, seed }), Asked::Found)];
            }
            FindMessage::Take => {
                let size_px = context.snapshot.roi_size_px;
                let roi = |r: NewRoi| Roi { bead: 0, x_px: r.x_px, y_px: r.y_px, w_px: size_px, h_px: size_px };
                let rois: Vec<Roi> = self.candidates(context.snapshot).map(roi).collect();
                if rois.is_empty() {
                    return Vec::new();
                }
                let places = rois.iter().map(super::place).collect();
                return vec![Act::Send(
                    Command::Beads(BeadsCommand::Add { rois: places }),
                    Asked::Added(Edit::Add(rois)),
                )];
            }
        }
        Vec::new()
    }

    /// A finder was asked.
    pub(crate) fn asked(&mut self) {
        (self.running, self.looked, self.failure, self.hits) = (true, false, None, Vec::new());
    }

    /// The finder's reply; one that was cancelled is not looked at.
    pub(crate) fn on_reply(&mut self, answer: &Result<Answer, Refusal>) {
        // Of one that was ended, while another may be under way already.
        if matches!(answer, Err(why) if why.kind == RefusalKind::Cancelled) || !std::mem::take(&mut self.running) {
            return;
        }
        self.looked = true;
        match answer {
            Ok(Answer::Found(hits)) => self.hits.clone_from(hits),
            Ok(_) => {}
            Err(why) => self.failure = Some(why.clone()),
        }
    }

    /// What was found has become beads.
    pub(crate) fn added(&mut self) {
        self.hits.clear();
        self.looked = false;
    }

    fn chosen(&self, context: Context<'_>) -> Option<String> {
        self.finder.clone().or_else(|| context.methods(Kind::Finder).into_iter().next())
    }

    /// ROIs that pass, and are no bead yet.
    pub(crate) fn candidates<'a>(&'a self, snapshot: &'a Snapshot) -> impl Iterator<Item = NewRoi> + 'a {
        let near = snapshot.roi_size_px as f32 * SAME;
        let known = move |r: NewRoi| {
            let far = |a: i32, b: i32| (a - b).abs() as f32;
            snapshot.beads.iter().any(|b| far(b.roi.x_px, r.x_px) < near && far(b.roi.y_px, r.y_px) < near)
        };
        let sure = self.hits.iter().filter(|h| h.score.is_nan() || h.score >= f64::from(self.threshold));
        sure.filter_map(|h| h.roi).filter(move |r| !known(*r))
    }

    /// The panel.
    pub(crate) fn view<'a>(&'a self, selected: &BTreeSet<u32>, context: Context<'a>) -> Element<'a, FindMessage> {
        let choose = pick_list(context.methods(Kind::Finder), self.chosen(context), FindMessage::Choose)
            .placeholder("no bead finder was loaded")
            .text_size(13)
            .padding(4)
            .width(Length::Fill);
        let seed = selected.first();
        let label = seed
            .map_or("only beads like the selected one (none is)".to_owned(), |s| format!("only beads like bead {s}"));
        let seeded = toggler(self.seeded && seed.is_some())
            .label(label)
            .text_size(13)
            .size(16)
            .on_toggle_maybe(seed.map(|_| FindMessage::Seeded));
        let can = context.running() && !self.running;
        let look = row![
            quiet(if self.running { "looking…" } else { "Look for beads" }, can.then_some(FindMessage::Look)),
            quiet("Cancel", self.running.then_some(FindMessage::Cancel)),
        ]
        .spacing(6);
        let mut list = column![choose, seeded, look].spacing(8);
        if !context.running() {
            list = list.push(hint("start the camera first: a finder looks at its next frame"));
        }
        if let Some(why) = &self.failure {
            list = list.push(super::super::refusal(why));
        }
        if self.looked && self.failure.is_none() {
            let n = self.candidates(context.snapshot).count();
            let cut = self.hits.iter().filter(|h| h.roi.is_none()).count();
            let cut = if cut > 0 { format!("; {cut} have a ROI that leaves the frame") } else { String::new() };
            let threshold = row![
                text("sure enough from").size(13),
                slider(0.0..=1.0, self.threshold, FindMessage::Threshold).step(0.01),
                text(format!("{:.2}", self.threshold)).size(13),
            ]
            .spacing(8)
            .align_y(Alignment::Center);
            let take = row![
                quiet(
                    format!("Take {n} {}", if n == 1 { "bead" } else { "beads" }),
                    (n > 0).then_some(FindMessage::Take)
                ),
                quiet("Forget them", Some(FindMessage::Clear)),
            ]
            .spacing(6);
            list = list.push(text(format!("{} found, {n} of them pass and are new{cut}", self.hits.len())).size(13));
            list = list.push(threshold).push(take);
        }
        list.padding([4, 14]).into()
    }
}

/// Finders that ask for the size of ROIs are told.
fn size_of_rois(method: &str, context: Context<'_>) -> ParameterText {
    let component = context.registry.find(method).ok();
    let asks = component.is_some_and(|c| c.info().parameters.iter().any(|p| p.key == "roi_px"));
    let size = ("roi_px".to_owned(), context.snapshot.roi_size_px.to_string());
    if asks { ParameterText::from([size]) } else { ParameterText::new() }
}
