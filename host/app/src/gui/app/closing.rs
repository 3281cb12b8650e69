//! How the window closes: it asks while something is recorded, unless the end was asked for from outside, lets the engine end
//! tidily, and does not wait for ever.

use super::{App, Asked, Dialog, Message};
use crate::gui::{ending, job};
use iced::Task;
use std::time::Duration;
use tetherscope_core::control::{Command, EngineCommand, RecordingState};
use tetherscope_core::loader::CancelToken;

/// A recording is finalised within this time, or the window closes without it; what was written stays and can be recovered.
const PATIENCE: Duration = Duration::from_secs(30);

/// Closes the window, without a question, when somebody outside asks for it.
pub(super) fn when_asked(asked: CancelToken) -> Task<Message> {
    job::start("asked to end", move |tell: job::Tell<Message>| {
        while !asked.is_cancelled() && tell.is_heard() {
            std::thread::sleep(ending::LOOK_EVERY);
        }
        tell.tell(Message::StopAndClose);
    })
}

impl App {
    /// The user wants the window closed.
    pub(super) fn close(&mut self) -> Task<Message> {
        match self.snapshot.recording.state {
            RecordingState::On | RecordingState::Finishing if !self.ending => {
                self.dialog = Some(Dialog::CloseWhileRecording);
                Task::none()
            }
            _ => self.end(),
        }
    }

    /// The engine stops stages, camera and recording, and the window closes when it has.
    pub(super) fn end(&mut self) -> Task<Message> {
        if self.ending {
            return Task::none();
        }
        (self.ending, self.dialog) = (true, None);
        self.send(Command::Engine(EngineCommand::Shutdown), Asked::End);
        job::start("patience", |tell: job::Tell<Message>| {
            std::thread::sleep(PATIENCE);
            tell.tell(Message::EndAnyway);
        })
    }
}
