//! The panel Tracking: which tracker, its parameters, what is done with frames. Everything here may be changed while frames
//! come; it holds from a frame boundary on.

use super::{Context, hint, scrolled};
use crate::gui::link::{Act, Asked, FormId};
use crate::gui::widget::form::{Form, FormMessage, value_text};
use iced::widget::{column, container, pick_list, row, text, text_input, toggler};
use iced::{Alignment, Element, Length};
use tetherscope_core::control::{
    BatchLimits, Command, DataMode, MethodChoice, MethodView, ParameterText, RecordingState, TrackingCommand,
};
use tetherscope_core::loader::Kind;

/// What the panel remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The form of the tracker's parameters.
    pub(crate) form: Form,
    batch_frames: Option<String>,
    batch_ms: Option<String>,
}

/// What the user did.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Chose a tracker; its parameters are the defaults.
    Choose(String),
    /// In the form.
    Form(FormMessage),
    /// Chose a mode.
    Mode(Mode),
    /// Process frames, or only show them.
    Processing(bool),
    /// Typed the frames of a batch.
    BatchFrames(String),
    /// Typed the age of a batch.
    BatchMs(String),
    /// The batch shall hold.
    SetBatch,
}

/// A mode with the words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) DataMode);

impl Mode {
    /// All.
    pub(crate) const ALL: [Self; 5] = [
        Self(DataMode::Track),
        Self(DataMode::TrackAndRoiVideo),
        Self(DataMode::TrackAndFullVideo),
        Self(DataMode::RoiVideo),
        Self(DataMode::FullVideo),
    ];
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            DataMode::Track => "track",
            DataMode::TrackAndRoiVideo => "track + ROI video",
            DataMode::TrackAndFullVideo => "track + full video",
            DataMode::RoiVideo => "ROI video",
            DataMode::FullVideo => "full video",
        })
    }
}

/// A method with all its parameters, one of them changed.
pub(crate) fn changed(view: &MethodView, key: &str, value: &str) -> MethodChoice {
    let mut parameters: ParameterText = view.parameters.iter().map(|p| (p.key.clone(), value_text(&p.value))).collect();
    parameters.insert(key.to_owned(), value.to_owned());
    // The build that is in use, not whatever the bare name means.
    let method = if view.hash.is_empty() { view.method.clone() } else { format!("{}#{}", view.method, view.hash) };
    MethodChoice { method, parameters }
}

impl State {
    /// Takes what the user did.
    pub(crate) fn update(&mut self, message: Message, context: Context<'_>) -> Vec<Act<Message>> {
        let send = |command, asked| vec![Act::Send(Command::Tracking(command), asked)];
        let tracking = &context.snapshot.tracking;
        match message {
            Message::Choose(method) => {
                self.form = Form::default();
                let tracker = MethodChoice { method, parameters: ParameterText::new() };
                return send(TrackingCommand::SetTracker { tracker }, Asked::Nothing);
            }
            Message::Form(message) => {
                if let Some(set) = self.form.update(message, &tracking.tracker.parameters) {
                    let tracker = changed(&tracking.tracker, &set.key, &set.text);
                    return send(TrackingCommand::SetTracker { tracker }, Asked::Field(FormId::Tracker, set.key));
                }
            }
            Message::Mode(mode) => return send(TrackingCommand::SetMode { mode: mode.0 }, Asked::Nothing),
            Message::Processing(on) => return send(TrackingCommand::SetProcessing { on }, Asked::Nothing),
            Message::BatchFrames(text) => self.batch_frames = Some(text),
            Message::BatchMs(text) => self.batch_ms = Some(text),
            Message::SetBatch => {
                let now = tracking.batch;
                let frames = self.batch_frames.as_deref().and_then(|t| t.trim().parse().ok()).unwrap_or(now.max_frames);
                let max_ms = self.batch_ms.as_deref().and_then(|t| t.trim().parse().ok()).unwrap_or(now.max_ms);
                (self.batch_frames, self.batch_ms) = (None, None);
                let limits = BatchLimits { max_frames: frames, max_ms };
                return send(TrackingCommand::SetBatch { limits }, Asked::Nothing);
            }
        }
        Vec::new()
    }

    /// The panel.
    pub(crate) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let tracking = &context.snapshot.tracking;
        let tracker = &tracking.tracker;
        let chosen = (!tracker.method.is_empty()).then(|| tracker.method.clone());
        let choose = pick_list(context.methods(Kind::Tracker), chosen, Message::Choose)
            .placeholder("choose a tracker")
            .text_size(13)
            .padding(4)
            .width(Length::Fill);
        let about = if tracker.method.is_empty() {
            "nothing is tracked without a tracker".to_owned()
        } else {
            let place = if tracker.isolated { "in processes of its own" } else { "in this process" };
            format!(
                "version {}, {place}, {} of {} workers busy",
                tracker.version, tracking.workers_busy, tracking.workers
            )
        };
        let is_off = !matches!(context.snapshot.recording.state, RecordingState::On | RecordingState::Finishing);
        let mode: Element<'_, Message> = if is_off {
            pick_list(Mode::ALL, Some(Mode(tracking.mode)), Message::Mode)
                .text_size(13)
                .padding(4)
                .width(Length::Fill)
                .into()
        } else {
            text(format!("{} (fixed while recording)", Mode(tracking.mode))).size(13).into()
        };
        let field = |id: &'static str, draft: &Option<String>, now: String, message: fn(String) -> Message| {
            let shown = draft.clone().unwrap_or(now);
            text_input("", &shown)
                .id(id)
                .size(13)
                .padding(4)
                .width(Length::Fixed(64.0))
                .on_input(message)
                .on_submit(Message::SetBatch)
        };
        let batch = row![
            text("batch of up to").size(13),
            field("batch-frames", &self.batch_frames, tracking.batch.max_frames.to_string(), Message::BatchFrames),
            text("frames or").size(13),
            field("batch-ms", &self.batch_ms, tracking.batch.max_ms.to_string(), Message::BatchMs),
            text("ms").size(13),
        ]
        .spacing(6)
        .align_y(Alignment::Center);
        let processing =
            toggler(tracking.processing).label("process frames").text_size(13).size(16).on_toggle(Message::Processing);
        let mut list = column![container(choose).id("tracker"), hint(about), mode, batch, processing].spacing(8);
        if !tracker.parameters.is_empty() {
            // A method's parameters hold from a frame boundary on: none has to wait until the camera stands.
            list = list.push(self.form.view(&tracker.parameters, false).map(Message::Form));
        }
        scrolled(list.padding([4, 8])).height(Length::Fill).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_one_parameter_keeps_the_others_and_the_build() {
        let parameter = |key: &str, value: i64| tetherscope_core::control::SettingView {
            key: key.into(),
            kind: "int".into(),
            help: String::new(),
            unit: String::new(),
            min: None,
            max: None,
            step: None,
            choices: Vec::new(),
            level: "basic".into(),
            change: "live".into(),
            invalidates: Vec::new(),
            default: 0.into(),
            value: value.into(),
            writable: true,
        };
        let view = MethodView {
            method: "tracker.a".into(),
            version: "1.0.0".into(),
            hash: "abcd".into(),
            isolated: false,
            parameters: vec![parameter("n", 3), parameter("m", 4)],
        };
        let choice = changed(&view, "m", "9");
        assert_eq!(choice.method, "tracker.a#abcd");
        assert_eq!(choice.parameters, ParameterText::from([("n".into(), "3".into()), ("m".into(), "9".into())]));
    }
}
