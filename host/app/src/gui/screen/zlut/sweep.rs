//! The sweep wizard: where the focus goes and how many frames are taken there, what that means before it starts, how far it
//! is, and what becomes of its tables.

use super::super::{Context, hint, quiet};
use super::{failure, field, tables};
use crate::gui::link::{Act, Asked};
use crate::gui::notices::Weight;
use crate::gui::preferences::Preferences;
use crate::gui::screen::recordings;
use crate::gui::words;
use iced::widget::{button, column, pick_list, progress_bar, row, text, text_input, toggler};
use iced::{Alignment, Element, Length};
use tetherscope_core::control::{
    AxisView, Command, MethodChoice, ParameterText, SweepCommand, SweepPhase, SweepPositions, SweepRequest, SweepWhich,
};
use tetherscope_core::loader::Kind;

/// What the wizard remembers: the fields as they were typed.
#[derive(Debug)]
pub(crate) struct Wizard {
    start_nm: String,
    step_nm: String,
    stop_nm: String,
    frames: String,
    settle_ms: String,
    both: bool,
    keep_rois: bool,
    strategy: Option<String>,
    which: Which,
    name: String,
}

/// Which tables are saved or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Which(SweepWhich);

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            SweepWhich::PerBead => f.write_str("each bead its own table"),
            SweepWhich::Average => f.write_str("one table, averaged over all beads"),
            SweepWhich::Bead(b) => write!(f, "the table of bead {b} for all"),
        }
    }
}

impl Default for Wizard {
    fn default() -> Self {
        Self {
            start_nm: "-3000".into(),
            step_nm: "100".into(),
            stop_nm: "3000".into(),
            frames: "10".into(),
            settle_ms: "50".into(),
            both: false,
            keep_rois: false,
            strategy: None,
            which: Which(SweepWhich::PerBead),
            name: String::new(),
        }
    }
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SweepMessage {
    /// Typed the first position.
    Start(String),
    /// Typed the step.
    Step(String),
    /// Typed the last position.
    Stop(String),
    /// Typed the frames of each step.
    Frames(String),
    /// Typed how long a step settles.
    Settle(String),
    /// Sweep back too.
    Both(bool),
    /// Keep the ROIs' pixels in the recording.
    KeepRois(bool),
    /// Chose what builds the tables.
    Strategy(String),
    /// Go.
    Go,
    /// End it.
    Cancel,
    /// Go on.
    Resume,
    /// Chose which tables.
    Which(Which),
    /// Typed a file name.
    Name(String),
    /// Write the tables.
    Save,
    /// Use the tables.
    Use,
    /// Forget the tables.
    Discard,
}

/// What a sweep means, before it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Preview {
    /// Positions, one way.
    pub(crate) n_steps: usize,
    /// Frames of all.
    pub(crate) n_frames: usize,
}

impl Wizard {
    /// The sweep that the fields ask for; the error is one sentence.
    pub(crate) fn request(&self, strategy: String) -> Result<(SweepRequest, Preview), String> {
        let number = |name: &str, text: &str| {
            let v: Result<f64, _> = text.trim().parse();
            v.ok().filter(|v| v.is_finite()).ok_or_else(|| format!("{name} is `{text}`, which is no number"))
        };
        let start_nm = number("the first position", &self.start_nm)?;
        let step_nm = number("the step", &self.step_nm)?;
        let stop_nm = number("the last position", &self.stop_nm)?;
        let settle_ms = number("the time to settle", &self.settle_ms)?;
        let frames_per_step = self.frames.trim().parse().ok().filter(|n| *n > 0);
        let frames_per_step =
            frames_per_step.ok_or_else(|| format!("`{}` is no number of frames", self.frames.trim()))?;
        if step_nm == 0.0 || (stop_nm - start_nm) * step_nm <= 0.0 {
            return Err("the step does not lead from the first position to the last".into());
        }
        let steps = (stop_nm - start_nm) / step_nm;
        if (steps - steps.round()).abs() > 1e-6 {
            return Err(format!("steps of {step_nm} nm from {start_nm} do not meet {stop_nm}"));
        }
        let n_steps = (steps.round() as usize + 1) * if self.both { 2 } else { 1 };
        let request = SweepRequest {
            positions: SweepPositions::Range { start_nm, step_nm, stop_nm },
            frames_per_step,
            tolerance_nm: 10.0,
            settle_ms,
            step_timeout_s: 30.0,
            both_directions: self.both,
            strategy: MethodChoice { method: strategy, parameters: ParameterText::new() },
            keep_rois: self.keep_rois,
        };
        let n_frames = n_steps * frames_per_step as usize;
        Ok((request, Preview { n_steps, n_frames }))
    }

    fn strategy(&self, context: Context<'_>) -> Option<String> {
        let all = context.methods(Kind::Zlut);
        self.strategy.clone().or_else(|| all.iter().find(|m| *m == "zlut.spline").or(all.first()).cloned())
    }

    /// Takes what the user did.
    pub(super) fn update(
        &mut self,
        message: SweepMessage,
        preferences: &Preferences,
        context: Context<'_>,
    ) -> Vec<Act<SweepMessage>> {
        let send = |command, asked| vec![Act::Send(Command::Sweep(command), asked)];
        match message {
            SweepMessage::Start(t) => self.start_nm = t,
            SweepMessage::Step(t) => self.step_nm = t,
            SweepMessage::Stop(t) => self.stop_nm = t,
            SweepMessage::Frames(t) => self.frames = t,
            SweepMessage::Settle(t) => self.settle_ms = t,
            SweepMessage::Both(on) => self.both = on,
            SweepMessage::KeepRois(on) => self.keep_rois = on,
            SweepMessage::Strategy(id) => self.strategy = Some(id),
            SweepMessage::Which(which) => self.which = which,
            SweepMessage::Name(name) => self.name = name,
            SweepMessage::Go => {
                let request = self.strategy(context).map(|s| self.request(s));
                if let Some(Ok((request, _))) = request {
                    return send(SweepCommand::Start(request), Asked::Nothing);
                }
            }
            SweepMessage::Cancel => return send(SweepCommand::Cancel, Asked::Nothing),
            SweepMessage::Resume => return send(SweepCommand::Resume, Asked::Nothing),
            SweepMessage::Save => {
                let name =
                    if self.name.trim().is_empty() { default_name(context) } else { self.name.trim().to_owned() };
                if let Err(why) = recordings::made(&preferences.folder) {
                    return vec![Act::Tell(Weight::Error, why)];
                }
                let path = preferences.folder.join(name);
                return send(SweepCommand::Save { path, which: self.which.0 }, Asked::Say("the Z-LUT was saved"));
            }
            SweepMessage::Use => {
                return send(SweepCommand::Use { which: self.which.0 }, Asked::Say("the Z-LUT is in use"));
            }
            SweepMessage::Discard => return send(SweepCommand::Discard, Asked::Nothing),
        }
        Vec::new()
    }

    /// The wizard.
    pub(super) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, SweepMessage> {
        let title = text("Sweep: from focus to a Z-LUT").size(16);
        let body = match context.snapshot.sweep.phase {
            SweepPhase::Idle | SweepPhase::Failed => self.plan(context),
            SweepPhase::Done => self.done(context),
            _ => progress(context),
        };
        column![title, body].spacing(10).into()
    }

    fn plan<'a>(&'a self, context: Context<'a>) -> Element<'a, SweepMessage> {
        let strategy = self.strategy(context);
        let choose = pick_list(context.methods(Kind::Zlut), strategy.clone(), SweepMessage::Strategy)
            .text_size(13)
            .padding(4)
            .width(Length::Fill);
        let mut list = column![
            field("first position", "sweep-start", &self.start_nm, "nm", SweepMessage::Start),
            field("step", "sweep-step", &self.step_nm, "nm", SweepMessage::Step),
            field("last position", "sweep-stop", &self.stop_nm, "nm", SweepMessage::Stop),
            field("frames at each", "sweep-frames", &self.frames, "", SweepMessage::Frames),
            field("time to settle", "sweep-settle", &self.settle_ms, "ms", SweepMessage::Settle),
            toggler(self.both).label("sweep back again too").text_size(13).size(16).on_toggle(SweepMessage::Both),
            toggler(self.keep_rois)
                .label("keep the ROIs' pixels in the recording")
                .text_size(13)
                .size(16)
                .on_toggle(SweepMessage::KeepRois),
            row![text("tables built by").size(13).width(Length::Fixed(130.0)), choose]
                .spacing(6)
                .align_y(Alignment::Center),
        ]
        .spacing(7);
        let request = strategy.map(|s| self.request(s));
        let hindrance = hindrance(context);
        match &request {
            None => list = list.push(text("no Z-LUT strategy was loaded").size(13).style(text::danger)),
            Some(Err(why)) => list = list.push(text(why.clone()).size(13).style(text::danger)),
            Some(Ok((request, preview))) => {
                let rate = context.snapshot.health.frame_rate_hz;
                let time = if rate > 0.0 {
                    let s = preview.n_frames as f64 / rate + preview.n_steps as f64 * request.settle_ms / 1000.0;
                    format!(", about {}", words::span(s))
                } else {
                    String::new()
                };
                let n = context.snapshot.beads.len();
                let plan = format!("{} steps, {} frames of {n} beads{time}", preview.n_steps, preview.n_frames);
                list = list.push(text(plan).size(13));
                if let Some(outside) = outside(context, request) {
                    list = list.push(text(outside).size(13).style(text::warning));
                }
            }
        }
        if let Some(first) = hindrance {
            list = list.push(hint(first));
        }
        if let Some(why) = failure(context.snapshot.sweep.failure.as_ref()) {
            list = list.push(why);
        }
        let can = hindrance.is_none() && matches!(request, Some(Ok(_)));
        let go = button(text("Start sweep").size(13)).padding([4, 12]).on_press_maybe(can.then_some(SweepMessage::Go));
        list.push(go).into()
    }

    fn done<'a>(&'a self, context: Context<'a>) -> Element<'a, SweepMessage> {
        let sweep = &context.snapshot.sweep;
        let mut which = vec![Which(SweepWhich::PerBead), Which(SweepWhich::Average)];
        which.extend(sweep.tables.iter().filter_map(|t| t.bead).map(|b| Which(SweepWhich::Bead(b))));
        let choose =
            pick_list(which, Some(self.which), SweepMessage::Which).text_size(13).padding(4).width(Length::Fill);
        let name = text_input(&default_name(context), &self.name).id("sweep-name").size(13).padding(4);
        // The average over all is one more table, of no bead.
        let n_beads = sweep.tables.iter().filter(|t| t.bead.is_some()).count();
        let ready = if n_beads == 1 {
            "the table of 1 bead is ready".into()
        } else {
            format!("tables of {n_beads} beads are ready")
        };
        let mut list = column![text(ready).size(14), tables(&sweep.tables)].spacing(8);
        for (bead, why) in &sweep.rejected {
            list = list.push(text(format!("bead {bead} has none: {why}")).size(13).style(text::warning));
        }
        list.push(choose)
            .push(name.on_input(SweepMessage::Name))
            .push(
                row![
                    quiet("Save", Some(SweepMessage::Save)),
                    quiet("Use", Some(SweepMessage::Use)),
                    quiet("Discard", Some(SweepMessage::Discard)),
                ]
                .spacing(6)
                .align_y(Alignment::Center),
            )
            .into()
    }
}

fn progress<'a>(context: Context<'a>) -> Element<'a, SweepMessage> {
    let s = &context.snapshot.sweep;
    let at = s.focus_nm.map_or_else(String::new, |f| format!(" at {f:.0} nm"));
    let mut list = column![
        text(format!("{}{at}", words::phase(s.phase))).size(14),
        progress_bar(0.0..=s.frames.max(1) as f32, s.frames_done as f32),
        text(format!("step {} of {}, frame {} of {}", s.steps_done, s.steps, s.frames_done, s.frames)).size(13),
    ]
    .spacing(8);
    if let Some(why) = failure(s.failure.as_ref()) {
        list = list.push(why);
    }
    let paused = s.phase == SweepPhase::Paused;
    list.push(
        row![quiet("Resume", paused.then_some(SweepMessage::Resume)), quiet("Cancel", Some(SweepMessage::Cancel)),]
            .spacing(6),
    )
    .into()
}

fn focus(context: Context<'_>) -> Option<&AxisView> {
    context.snapshot.stages.iter().flat_map(|s| &s.axes).find(|a| a.role == "focus")
}

/// What has to be done before a sweep can start.
fn hindrance(context: Context<'_>) -> Option<&'static str> {
    if !context.running() {
        Some("first: start the camera")
    } else if context.snapshot.beads.is_empty() {
        Some("first: add beads, in Live")
    } else if context.snapshot.tracking.tracker.method.is_empty() {
        Some("first: choose a tracker, in Live under Tracking")
    } else if focus(context).is_none() {
        Some("first: open a stage with a focus axis")
    } else {
        None
    }
}

/// A warning if the sweep leaves what the stage may do.
fn outside(context: Context<'_>, request: &SweepRequest) -> Option<String> {
    let axis = focus(context)?;
    let SweepPositions::Range { start_nm, stop_nm, .. } = &request.positions else { return None };
    let (low, high) = (start_nm.min(*stop_nm), start_nm.max(*stop_nm));
    (low < axis.window_min || high > axis.window_max)
        .then(|| format!("the stage may go from {:.0} to {:.0} {} only", axis.window_min, axis.window_max, axis.unit))
}

/// A name that is new each second.
fn default_name(context: Context<'_>) -> String {
    let s = context.snapshot.time_utc_ns / 1_000_000_000;
    let stamp = jiff::Timestamp::from_second(s).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let stamp = stamp.to_string().replace(':', "-");
    format!("sweep {}.zlut", stamp.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wizard(start: &str, step: &str, stop: &str) -> Result<Preview, String> {
        let w = Wizard { start_nm: start.into(), step_nm: step.into(), stop_nm: stop.into(), ..Wizard::default() };
        w.request("zlut.spline".into()).map(|(_, p)| p)
    }

    #[test]
    fn a_sweep_is_counted_before_it_starts() {
        assert_eq!(wizard("-3000", "100", "3000"), Ok(Preview { n_steps: 61, n_frames: 610 }));
        assert_eq!(wizard("100", "-50", "0"), Ok(Preview { n_steps: 3, n_frames: 30 }));
        let both = Wizard { both: true, ..Wizard::default() };
        assert_eq!(both.request(String::new()).unwrap().1.n_steps, 122);
    }

    #[test]
    fn a_sweep_that_never_arrives_is_told() {
        assert!(wizard("0", "0", "100").unwrap_err().contains("does not lead"));
        assert!(wizard("0", "-10", "100").unwrap_err().contains("does not lead"));
        assert!(wizard("0", "30", "100").unwrap_err().contains("do not meet"));
        assert!(wizard("0", "x", "100").unwrap_err().contains("`x`"));
    }
}
