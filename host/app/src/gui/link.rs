//! What the window needs of the engine: to send commands, to hear, to look. A client of the engine is one; tests have one that
//! stands still. And what screens give back: commands with what shall become of their replies.

use super::notices::Weight;
use super::rois::Edit;
use iced::Task;
use std::sync::Arc;
use std::time::Duration;
use tetherscope_core::control::{Client, Command, Message, Picture, RequestId, Snapshot, Trace, TraceQuery};

/// The engine, seen from the window. Nothing here waits, but [`Link::next_message`], which another thread calls.
pub(crate) trait Link: Send + Sync {
    /// Sends a command.
    fn send(&self, command: Command) -> RequestId;
    /// The experiment now.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// The newest picture.
    fn picture(&self) -> Option<Arc<Picture>>;
    /// Positions over time.
    fn trace(&self, query: &TraceQuery) -> Trace;
    /// The next reply or event.
    fn next_message(&self, timeout: Duration) -> Option<Message>;
}

impl Link for Client {
    fn send(&self, command: Command) -> RequestId {
        Client::send(self, command)
    }
    fn snapshot(&self) -> Arc<Snapshot> {
        Client::snapshot(self)
    }
    fn picture(&self) -> Option<Arc<Picture>> {
        Client::picture(self)
    }
    fn trace(&self, query: &TraceQuery) -> Trace {
        Client::trace(self, query)
    }
    fn next_message(&self, timeout: Duration) -> Option<Message> {
        Client::next_message(self, timeout)
    }
}

/// A form of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FormId {
    /// The camera's settings.
    Camera,
    /// The tracker's parameters.
    Tracker,
    /// The Z-LUT strategy's parameters.
    Strategy,
}

/// What shall become of a reply. A refusal is told to the user in any case; at its field, if it belongs to one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// Nothing else.
    Nothing,
    /// Tell the user this when it is done.
    Say(&'static str),
    /// A value of a form.
    Field(FormId, String),
    /// New beads: remember the edit with their ids.
    Added(Edit),
    /// Beads that came back under new ids.
    Restored(Edit),
    /// An edit of ROIs that can be undone.
    Edited(Edit),
    /// An edit that was undone or done again.
    Replayed,
    /// Beads that a finder found.
    Found,
    /// The profile of a bead.
    Profile,
    /// A recording that starts or stops.
    Recording,
    /// The engine ends, and the window with it.
    End,
}

/// What a screen wants done.
#[derive(Debug)]
pub(crate) enum Act<M> {
    /// A command.
    Send(Command, Asked),
    /// Work on a thread of its own.
    Run(Task<M>),
    /// Tell the user.
    Tell(Weight, String),
}

impl<M: 'static + Send> Act<M> {
    /// The same for another kind of message.
    pub(crate) fn map<N: 'static + Send>(self, f: impl Fn(M) -> N + Send + 'static) -> Act<N> {
        match self {
            Act::Send(command, asked) => Act::Send(command, asked),
            Act::Run(task) => Act::Run(task.map(f)),
            Act::Tell(weight, text) => Act::Tell(weight, text),
        }
    }
}

/// The same for all of them.
pub(crate) fn map_all<M: 'static + Send, N: 'static + Send>(
    acts: Vec<Act<M>>,
    f: impl Fn(M) -> N + Copy + Send + 'static,
) -> Vec<Act<N>> {
    acts.into_iter().map(|a| a.map(f)).collect()
}
