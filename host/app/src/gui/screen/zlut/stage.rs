//! The focus stage: opened, armed, jogged, stopped. Nothing moves before it is armed, and everything stops with one button.

use super::super::{Context, hint, quiet, refusal};
use crate::gui::link::{Act, Asked};
use crate::gui::theme;
use iced::widget::{button, column, pick_list, row, text, text_input};
use iced::{Alignment, Element, Length};
use tetherscope_core::control::{AxisView, Command, MethodChoice, ParameterText, StageCommand};
use tetherscope_core::loader::Kind;

/// How long arming holds.
const ARMED_S: f64 = 600.0;

/// What the panel remembers.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    chosen: Option<String>,
    target: String,
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StageMessage {
    /// Chose a stage.
    Choose(String),
    /// Open it.
    Open,
    /// Close this one.
    Close(String),
    /// Allow moves.
    Arm,
    /// Forbid moves.
    Disarm,
    /// Stop everything that moves.
    StopAll,
    /// Typed a position.
    Target(String),
    /// Move there.
    Move(String, u32),
    /// Move by a distance.
    Jog(String, u32, f64),
}

impl Panel {
    /// Takes what the user did.
    pub(super) fn update(&mut self, message: StageMessage, context: Context<'_>) -> Vec<Act<StageMessage>> {
        let send = |command| vec![Act::Send(Command::Stages(command), Asked::Nothing)];
        match message {
            StageMessage::Choose(method) => self.chosen = Some(method),
            StageMessage::Target(text) => self.target = text,
            StageMessage::Open => {
                let Some(method) = self.method(context) else { return Vec::new() };
                let name = if context.snapshot.stages.iter().any(|s| s.name == "focus") { &method } else { "focus" };
                let stage = MethodChoice { method: method.clone(), parameters: ParameterText::new() };
                return send(StageCommand::Open { name: name.to_owned(), stage, device: String::new() });
            }
            StageMessage::Close(stage) => return send(StageCommand::Close { stage }),
            StageMessage::Arm => return send(StageCommand::Arm { seconds: ARMED_S }),
            StageMessage::Disarm => return send(StageCommand::Disarm),
            StageMessage::StopAll => return send(StageCommand::StopAll),
            StageMessage::Move(stage, axis) => {
                if let Ok(position) = self.target.trim().parse() {
                    return send(StageCommand::Move { stage, axis, position });
                }
            }
            StageMessage::Jog(stage, axis, by) => return send(StageCommand::Jog { stage, axis, by }),
        }
        Vec::new()
    }

    fn method(&self, context: Context<'_>) -> Option<String> {
        self.chosen.clone().or_else(|| context.methods(Kind::Stage).into_iter().next())
    }

    /// The panel.
    pub(super) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, StageMessage> {
        let choose = pick_list(context.methods(Kind::Stage), self.method(context), StageMessage::Choose)
            .placeholder("no stage was loaded")
            .text_size(13)
            .padding(4)
            .width(Length::Fill);
        let open = row![choose, quiet("Open", self.method(context).map(|_| StageMessage::Open))].spacing(6);
        let mut list = column![text("Stages").size(16), open].spacing(8);
        if context.snapshot.stages.is_empty() {
            return list.push(hint("none is open: a sweep needs one with a focus axis")).into();
        }
        let armed = context.snapshot.armed_for_s;
        let arm = match armed {
            Some(s) => quiet(format!("Disarm (armed for {s:.0} s)"), Some(StageMessage::Disarm)),
            None => quiet("Arm for 10 min", Some(StageMessage::Arm)),
        };
        let stop =
            button(text("Stop all").size(13)).padding([4, 12]).style(theme::alarm).on_press(StageMessage::StopAll);
        list = list.push(row![arm, stop].spacing(6));
        if let Some(holder) = &context.snapshot.held_by {
            list = list.push(text(format!("everything that moves is held by {holder}")).size(13).style(text::warning));
        }
        for stage in &context.snapshot.stages {
            let head = row![
                text(format!("{} ({})", stage.name, stage.method)).size(13),
                iced::widget::space().width(Length::Fill),
                quiet("Close", Some(StageMessage::Close(stage.name.clone()))),
            ]
            .align_y(Alignment::Center);
            list = list.push(head);
            if let Some(why) = &stage.failure {
                list = list.push(refusal(why));
            }
            for (i, axis) in stage.axes.iter().enumerate() {
                list = list.push(self.axis(&stage.name, i as u32, axis, armed.is_some()));
            }
        }
        list.into()
    }

    fn axis<'a>(&'a self, stage: &str, index: u32, axis: &'a AxisView, armed: bool) -> Element<'a, StageMessage> {
        let at = axis.position.map_or_else(|| "–".to_owned(), |p| format!("{p:.1}"));
        let moving = if axis.moving { ", moves" } else { "" };
        let about = format!(
            "{}: {at} {}{moving}   {:.0} to {:.0}",
            axis.role.replace('_', " "),
            axis.unit,
            axis.window_min,
            axis.window_max
        );
        let jog = |by: f64| {
            let label = if by > 0.0 { format!("+{by}") } else { format!("−{}", -by) };
            quiet(label, armed.then(|| StageMessage::Jog(stage.to_owned(), index, by)))
        };
        let go = quiet("Go", armed.then(|| StageMessage::Move(stage.to_owned(), index)));
        let target = text_input("to", &self.target).size(13).padding(4).width(Length::Fixed(70.0));
        let moves = row![jog(-1000.0), jog(-100.0), jog(100.0), jog(1000.0), target.on_input(StageMessage::Target), go];
        column![text(about).size(13), moves.spacing(4)].spacing(4).into()
    }
}
