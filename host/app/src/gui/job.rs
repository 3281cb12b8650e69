//! Work that takes longer than a blink, on a thread of its own; what it tells comes as messages.

use iced::Task;
use iced::futures::channel::mpsc::{UnboundedSender, unbounded};

/// How a job tells.
#[derive(Debug, Clone)]
pub(crate) struct Tell<M>(UnboundedSender<M>);

impl<M> Tell<M> {
    /// Sends a message to the window; false when there is none any more.
    pub(crate) fn tell(&self, message: M) -> bool {
        self.0.unbounded_send(message).is_ok()
    }

    /// True while there is a window that hears.
    pub(crate) fn is_heard(&self) -> bool {
        !self.0.is_closed()
    }
}

/// Runs `work` on a thread called `name`; all that it tells becomes messages.
pub(crate) fn start<M: Send + 'static>(name: &str, work: impl FnOnce(Tell<M>) + Send + 'static) -> Task<M> {
    let (sender, receiver) = unbounded();
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(Tell(sender)));
    match started {
        Ok(_) => Task::stream(receiver),
        Err(e) => {
            tracing::error!("cannot start the thread {name}: {e}");
            Task::none()
        }
    }
}
