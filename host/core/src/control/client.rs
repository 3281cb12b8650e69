//! A client's end and the engine's end of the control: requests one way, replies, events, snapshot, picture and traces the
//! other. A client that does not look costs nobody anything: events are kept for a while and then forgotten (their numbers
//! show it), replies wait for who asked, a picture is only made when somebody looked at the last one.

use super::answer::{Answer, Reply};
use super::command::Command;
use super::event::{Event, EventKind, Severity};
use super::refusal::{Refusal, RefusalKind};
use super::snapshot::Snapshot;
use super::trace::{Trace, TraceQuery, Traces};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Events that are kept for clients that look later.
const EVENTS_KEPT: usize = 10_000;

/// A client, as events and replies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u32);

/// A request of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// What a client hears.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Something happened.
    Event(Event),
    /// The reply to one of its own requests.
    Reply(Reply),
}

/// Pixels of a picture, row by row without gaps.
#[derive(Debug, Clone, PartialEq)]
pub enum PicturePixels {
    /// 8 bits.
    U8(Vec<u8>),
    /// Above 8 bits: value in the low bits.
    U16(Vec<u16>),
}

/// A frame to be shown: never one that clients compute with.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Frame.
    pub frame: u64,
    /// Columns.
    pub width_px: u32,
    /// Rows.
    pub height_px: u32,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Pixels.
    pub pixels: PicturePixels,
}

/// A command on its way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) client: ClientId,
    pub(crate) request: RequestId,
    pub(crate) command: Command,
}

/// The engine's end, shared by all clients.
pub(crate) struct Hub {
    inbox: Mutex<Option<Inbox>>,
    post: Mutex<Post>,
    arrived: Condvar,
    snapshot: Mutex<Arc<Snapshot>>,
    picture: Mutex<Option<Arc<Picture>>>,
    picture_wanted: AtomicBool,
    traces: Arc<dyn Traces>,
    n_clients: AtomicU32,
}

#[derive(Default)]
struct Post {
    events: VecDeque<Event>,
    next_event: u64,
    replies: HashMap<ClientId, VecDeque<Reply>>,
}

/// Takes a request to the engine's loop, which also listens to others; false when that is gone.
pub(crate) type Inbox = Box<dyn Fn(Request) -> bool + Send>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A hub with its first snapshot.
    pub(crate) fn open(first: Snapshot, traces: Arc<dyn Traces>, inbox: Inbox) -> Arc<Self> {
        Arc::new(Self {
            inbox: Mutex::new(Some(inbox)),
            post: Mutex::default(),
            arrived: Condvar::new(),
            snapshot: Mutex::new(Arc::new(first)),
            picture: Mutex::new(None),
            picture_wanted: AtomicBool::new(true),
            traces,
            n_clients: AtomicU32::new(0),
        })
    }

    /// A new client. It hears events from now on; the snapshot tells it the rest.
    pub(crate) fn client(self: &Arc<Self>, name: &str) -> Client {
        let id = ClientId(self.n_clients.fetch_add(1, Ordering::Relaxed));
        let mut post = lock(&self.post);
        post.replies.insert(id, VecDeque::new());
        Client {
            id,
            name: name.to_owned(),
            hub: self.clone(),
            next_request: AtomicU64::new(0),
            next_event: AtomicU64::new(post.next_event),
        }
    }

    /// Tells every client of an event, and gives it back with its number.
    pub(crate) fn tell(&self, frame: Option<u64>, severity: Severity, kind: EventKind, time_utc_ns: i64) -> Event {
        let mut post = lock(&self.post);
        let event = Event { number: post.next_event, time_utc_ns, frame, severity, kind };
        post.next_event += 1;
        if post.events.len() == EVENTS_KEPT {
            post.events.pop_front();
        }
        post.events.push_back(event.clone());
        drop(post);
        self.arrived.notify_all();
        event
    }

    /// Replies to a client; nothing if it is gone.
    pub(crate) fn reply(&self, reply: Reply) {
        if let Some(inbox) = lock(&self.post).replies.get_mut(&reply.client) {
            inbox.push_back(reply);
        }
        self.arrived.notify_all();
    }

    /// Publishes a snapshot.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        *lock(&self.snapshot) = Arc::new(snapshot);
    }

    /// True once after somebody looked at the last picture.
    pub(crate) fn take_picture_wanted(&self) -> bool {
        self.picture_wanted.swap(false, Ordering::Relaxed)
    }

    /// Publishes a picture.
    pub(crate) fn show(&self, picture: Picture) {
        *lock(&self.picture) = Some(Arc::new(picture));
    }

    /// No more requests are taken; what was asked and not answered is refused by who ends the engine.
    pub(crate) fn close(&self) {
        lock(&self.inbox).take();
        self.arrived.notify_all();
    }
}

/// What window, command line and programs hold. Sending never waits.
pub struct Client {
    id: ClientId,
    name: String,
    hub: Arc<Hub>,
    next_request: AtomicU64,
    next_event: AtomicU64,
}

impl Client {
    /// Its id.
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a command; its one reply carries the id that comes back.
    pub fn send(&self, command: Command) -> RequestId {
        let request = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        let asked = Request { client: self.id, request, command };
        let sent = lock(&self.hub.inbox).as_ref().is_some_and(|i| i(asked));
        if !sent {
            self.hub.reply(Reply { client: self.id, request, result: Err(ended()) });
        }
        request
    }

    /// Sends a command and waits for its reply; events wait meanwhile. Not for the thread of a window.
    pub fn ask(&self, command: Command, timeout: Duration) -> Result<Answer, Refusal> {
        let request = self.send(command);
        self.reply_to(request, timeout).map_or_else(|| Err(no_answer(timeout)), |r| r.result)
    }

    /// Waits for the reply to one request.
    pub fn reply_to(&self, request: RequestId, timeout: Duration) -> Option<Reply> {
        self.wait(timeout, |post| {
            let inbox = post.replies.get_mut(&self.id)?;
            let at = inbox.iter().position(|r| r.request == request)?;
            inbox.remove(at)
        })
    }

    /// The next reply or event; None when none came in time.
    pub fn next_message(&self, timeout: Duration) -> Option<Message> {
        self.wait(timeout, |post| {
            if let Some(reply) = post.replies.get_mut(&self.id).and_then(VecDeque::pop_front) {
                return Some(Message::Reply(reply));
            }
            let next = self.next_event.load(Ordering::Relaxed);
            // Numbers have no gaps, so the place follows; what was forgotten meanwhile is passed over.
            let first = post.events.front()?.number;
            let event = post.events.get(usize::try_from(next.saturating_sub(first)).ok()?)?.clone();
            self.next_event.store(event.number + 1, Ordering::Relaxed);
            Some(Message::Event(event))
        })
    }

    /// The experiment now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        lock(&self.hub.snapshot).clone()
    }

    /// The newest picture, and asks for a newer one.
    pub fn picture(&self) -> Option<Arc<Picture>> {
        self.hub.picture_wanted.store(true, Ordering::Relaxed);
        lock(&self.hub.picture).clone()
    }

    /// Positions of a bead over time, no more columns than asked for.
    pub fn trace(&self, query: &TraceQuery) -> Trace {
        self.hub.traces.trace(query)
    }

    fn wait<T>(&self, timeout: Duration, mut look: impl FnMut(&mut Post) -> Option<T>) -> Option<T> {
        let until = Instant::now().checked_add(timeout);
        let mut post = lock(&self.hub.post);
        loop {
            if let Some(found) = look(&mut post) {
                return Some(found);
            }
            let left = match until {
                Some(u) => u.checked_duration_since(Instant::now())?,
                None => Duration::from_secs(3600),
            };
            post = self.hub.arrived.wait_timeout(post, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        lock(&self.hub.post).replies.remove(&self.id);
    }
}

fn ended() -> Refusal {
    Refusal::new(
        RefusalKind::Cancelled,
        "cannot do this any more",
        "the engine has ended",
        "start it again: an engine that was shut down stays down",
    )
}

fn no_answer(timeout: Duration) -> Refusal {
    Refusal::new(
        RefusalKind::TimedOut,
        "no answer",
        format!("the engine did not answer within {:.1} s", timeout.as_secs_f64()),
        "look at the events: a device may be slow; ask again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::command::EngineCommand;
    use std::sync::mpsc::{Receiver, channel};

    struct NoTraces;

    impl Traces for NoTraces {
        fn trace(&self, _: &TraceQuery) -> Trace {
            Trace::default()
        }
    }

    const SOON: Duration = Duration::from_secs(10);

    struct ClientSide {
        hub: Arc<Hub>,
        requests: Receiver<Request>,
    }

    fn side() -> ClientSide {
        let (sender, requests) = channel();
        let inbox = Box::new(move |r| sender.send(r).is_ok());
        ClientSide { hub: Hub::open(Snapshot::empty(crate::Optics::new(100.0)), Arc::new(NoTraces), inbox), requests }
    }

    fn note(hub: &Hub, text: &str) -> u64 {
        hub.tell(None, Severity::Info, EventKind::Note { text: text.into() }, 0).number
    }

    #[test]
    fn each_request_has_its_own_reply_whoever_else_asks() {
        let side = side();
        let (a, b) = (side.hub.client("a"), side.hub.client("b"));
        let (first, second) =
            (a.send(Command::Engine(EngineCommand::Ping)), a.send(Command::Engine(EngineCommand::Ping)));
        b.send(Command::Engine(EngineCommand::Ping));
        let asked: Vec<Request> = side.requests.try_iter().collect();
        assert_eq!(
            asked.iter().map(|r| (r.client, r.request)).collect::<Vec<_>>(),
            [(a.id(), first), (a.id(), second), (b.id(), RequestId(0))]
        );
        for r in asked.into_iter().rev() {
            let result = Ok(Answer::Done { from_frame: Some(r.request.0) });
            side.hub.reply(Reply { client: r.client, request: r.request, result });
        }
        assert_eq!(a.reply_to(first, SOON).unwrap().result, Ok(Answer::Done { from_frame: Some(0) }));
        assert_eq!(a.reply_to(second, SOON).unwrap().result, Ok(Answer::Done { from_frame: Some(1) }));
        assert!(matches!(b.next_message(SOON), Some(Message::Reply(r)) if r.request == RequestId(0)));
    }

    #[test]
    fn a_late_client_hears_what_happens_from_then_on_and_a_slow_one_sees_what_it_missed() {
        let side = side();
        let slow = side.hub.client("slow");
        note(&side.hub, "before");
        let late = side.hub.client("late");
        let number = note(&side.hub, "after");
        assert!(matches!(late.next_message(SOON), Some(Message::Event(e)) if e.number == number));
        assert!(matches!(slow.next_message(SOON), Some(Message::Event(e)) if e.number == 0));
        for i in 0..EVENTS_KEPT + 5 {
            note(&side.hub, &i.to_string());
        }
        // Numbers 0 to EVENTS_KEPT + 6 were told, the newest EVENTS_KEPT are kept.
        assert!(matches!(slow.next_message(SOON), Some(Message::Event(e)) if e.number == 7));
    }

    #[test]
    fn who_asks_an_engine_that_has_ended_is_told_so_at_once() {
        let side = side();
        let client = side.hub.client("a");
        side.hub.close();
        let refusal = client.ask(Command::Engine(EngineCommand::Ping), SOON).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Cancelled);
    }

    #[test]
    fn a_picture_is_only_wanted_after_somebody_looked() {
        let side = side();
        let client = side.hub.client("a");
        assert!(side.hub.take_picture_wanted());
        assert!(!side.hub.take_picture_wanted());
        assert!(client.picture().is_none());
        assert!(side.hub.take_picture_wanted());
    }
}
