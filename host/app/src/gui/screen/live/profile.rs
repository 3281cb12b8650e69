//! The radial profile of the selected bead beside the plane of its Z-LUT that is nearest. Asked for again and again while a
//! bead is selected, never more than one question at a time.

use super::{Act, Asked, Message};
use crate::gui::widget::plot::columns::{Column, columns};
use crate::gui::widget::plot::{Curves, PlotEvent, PlotView, Range, Window};
use tetherscope_core::control::{Answer, Command, ProfileAnswer, Refusal, TrackingCommand};

/// Where the plot begins, and returns to.
const HOME: PlotView = PlotView { x: Window::All, y: None };

/// The newest answer, and whether one is under way.
pub(crate) struct Profile {
    answer: Option<ProfileAnswer>,
    asked: bool,
    revision: u64,
    /// What is shown.
    pub(crate) view: PlotView,
    /// Colours of profile and plane, of the theme.
    pub(crate) colors: [[u8; 3]; 2],
}

impl Default for Profile {
    fn default() -> Self {
        Self { answer: None, asked: false, revision: 0, view: HOME, colors: Default::default() }
    }
}

impl Profile {
    /// The next question, if one is due.
    pub(crate) fn next_question(&mut self, selected: Option<u32>, running: bool) -> Vec<Act<Message>> {
        if selected != self.answer.as_ref().map(|a| a.bead) {
            self.revision += 1;
            self.answer = None;
        }
        let Some(bead) = selected.filter(|_| running && !self.asked) else { return Vec::new() };
        self.asked = true;
        vec![Act::Send(Command::Tracking(TrackingCommand::AskProfile { bead }), Asked::Profile)]
    }

    /// The answer. A refusal (no profiles, the bead is gone) leaves the plot empty.
    pub(crate) fn on_reply(&mut self, answer: &Result<Answer, Refusal>) {
        self.asked = false;
        self.revision += 1;
        self.answer = match answer {
            Ok(Answer::Profile(p)) => Some(p.clone()),
            _ => None,
        };
    }

    pub(crate) fn on_plot(&mut self, event: PlotEvent) {
        self.view = self.view.after(event, HOME);
    }

    fn radii(&self, n: usize) -> Vec<f64> {
        let (first, step) = self.answer.as_ref().map_or((0.0, 1.0), |a| (a.first_radius_px, a.step_px));
        // A strategy that says nothing of radii counts bins.
        let (first, step) = if step > 0.0 && first.is_finite() { (first, step) } else { (0.0, 1.0) };
        (0..n).map(|i| first + step * i as f64).collect()
    }
}

impl Curves for Profile {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn names(&self) -> Vec<(String, [u8; 3])> {
        let Some(a) = &self.answer else { return Vec::new() };
        let mut names = vec![(format!("bead {}", a.bead), self.colors[0])];
        if let Some(z) = a.plane_z_nm.filter(|_| !a.plane.is_empty()) {
            names.push((format!("plane at {z:.0} nm"), self.colors[1]));
        }
        names
    }

    fn domain(&self) -> Option<Range> {
        let n = self.answer.as_ref().map(|a| a.values.len()).filter(|n| *n > 1)?;
        let radii = self.radii(n);
        Some((radii[0], radii[n - 1]))
    }

    fn columns(&self, curve: usize, from: f64, to: f64, out: &mut [Column]) {
        let Some(a) = &self.answer else { return };
        let values = if curve == 0 { &a.values } else { &a.plane };
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        columns(&self.radii(values.len()), &values, from, to, out);
    }
}
