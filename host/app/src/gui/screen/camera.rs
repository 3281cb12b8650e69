//! The panel Camera: which camera, which device, open or closed, and its settings as they were read back.

use super::{Context, hint, quiet, refusal, scrolled};
use crate::gui::link::{Act, Asked, FormId};
use crate::gui::widget::form::{Form, FormMessage};
use iced::widget::{column, pick_list, row, text, text_input};
use iced::{Alignment, Element, Length};
use tetherscope_core::control::{CameraCommand, CameraState, Command, MethodChoice, ParameterText};
use tetherscope_core::loader::Kind;

/// What the panel remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The form of the settings.
    pub(crate) form: Form,
    chosen: Option<String>,
    device: String,
}

/// What the user did.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Chose a camera.
    Choose(String),
    /// Typed a device.
    Device(String),
    /// Open what is chosen.
    Open,
    /// Close it.
    Close,
    /// Read the settings again.
    Refresh,
    /// In the form.
    Form(FormMessage),
}

impl State {
    /// The camera that Open would open.
    fn camera(&self, context: Context<'_>) -> Option<String> {
        let open = &context.snapshot.camera.method;
        let usual = || context.methods(Kind::Camera).into_iter().find(|m| m == "camera.sim");
        self.chosen.clone().or_else(|| (!open.is_empty()).then(|| open.clone())).or_else(usual)
    }

    /// Takes what the user did.
    pub(crate) fn update(&mut self, message: Message, context: Context<'_>) -> Vec<Act<Message>> {
        let send = |command, asked| vec![Act::Send(Command::Camera(command), asked)];
        match message {
            Message::Choose(method) => self.chosen = Some(method),
            Message::Device(device) => self.device = device,
            Message::Open => {
                let Some(method) = self.camera(context) else { return Vec::new() };
                let camera = MethodChoice { method, parameters: ParameterText::new() };
                self.form = Form::default();
                return send(CameraCommand::Open { camera, device: self.device.trim().to_owned() }, Asked::Nothing);
            }
            Message::Close => return send(CameraCommand::Close, Asked::Nothing),
            Message::Refresh => return send(CameraCommand::Refresh, Asked::Nothing),
            Message::Form(message) => {
                if let Some(set) = self.form.update(message, &context.snapshot.camera.settings) {
                    let values = ParameterText::from([(set.key.clone(), set.text)]);
                    return send(CameraCommand::Set { values }, Asked::Field(FormId::Camera, set.key));
                }
            }
        }
        Vec::new()
    }

    /// The panel.
    pub(crate) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let camera = &context.snapshot.camera;
        let is_open = matches!(camera.state, CameraState::Open | CameraState::Running);
        let choose = pick_list(context.methods(Kind::Camera), self.camera(context), Message::Choose)
            .text_size(13)
            .padding(4)
            .width(Length::Fill);
        let device = text_input("which device; empty: the first that is found", &self.device)
            .id("camera-device")
            .size(13)
            .padding(4);
        let buttons = row![
            quiet(if is_open { "Open anew" } else { "Open" }, Some(Message::Open)),
            quiet("Close", is_open.then_some(Message::Close)),
            quiet("Read again", is_open.then_some(Message::Refresh)),
        ]
        .spacing(6);
        let mut list = column![choose, device.on_input(Message::Device), buttons, self.state(context)].spacing(8);
        if !camera.settings.is_empty() {
            list = list.push(self.form.view(&camera.settings, context.running()).map(Message::Form));
        }
        scrolled(list.padding([4, 8])).height(Length::Fill).into()
    }

    fn state<'a>(&self, context: Context<'a>) -> Element<'a, Message> {
        let camera = &context.snapshot.camera;
        match &camera.state {
            CameraState::Closed => hint("no camera is open: choose one and press Open"),
            CameraState::Failed(why) => refusal(why),
            CameraState::Lost(why) => {
                column![text("the camera is gone; it is looked for").size(13), refusal(why)].into()
            }
            CameraState::Open | CameraState::Running => {
                let place = if camera.isolated { ", in a process of its own" } else { "" };
                let format = camera.format.as_ref().map_or_else(String::new, |f| {
                    format!("{} × {} px, {} bits{place}", f.width_px, f.height_px, f.significant_bits)
                });
                row![text(format).size(13)].align_y(Alignment::Center).into()
            }
        }
    }
}
