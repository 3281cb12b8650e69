//! Everything that moves: stages by name, what their moves must keep, who may move them, and where they are.
//!
//! Nothing moves at start-up, and nothing by a client before somebody armed the stages. A move is checked here
//! ([`guard`]), then carried out by the thread of its stage ([`driver`]); who sweeps holds the [`interlock`] and moves
//! under it. Stopping is always allowed and never waits for a queue.

mod driver;
mod guard;
mod interlock;

pub use driver::StageSample;
pub(crate) use driver::{Done, Opening};
pub(crate) use interlock::{Hold, Interlock};

use crate::control::{AxisView, EventKind, Refusal, RefusalKind, Severity, StageView};
use driver::{Driver, Order, Shared};
use guard::Arming;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a stop may take before it is reported as failed.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// How long the thread of a stage that is closed may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Hears what stages tell, on their threads: must not wait.
pub(crate) trait StageListener: Send + Sync {
    /// A row of telemetry.
    fn sample(&self, sample: &StageSample);
    /// Something happened.
    fn event(&self, severity: Severity, kind: EventKind);
}

/// Who asks for a move.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mover<'a> {
    /// A client: needs armed stages that nobody holds.
    Client(&'a str),
    /// Who holds the interlock.
    Holder(&'a Hold),
}

/// Where an axis is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Whereabouts {
    pub(crate) position: f64,
    pub(crate) moving: bool,
    pub(crate) seen_ns: i64,
}

struct Open {
    shared: Arc<Shared>,
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

/// All stages of an engine.
pub(crate) struct Stages {
    open: Mutex<Vec<Open>>,
    arming: Mutex<Arming>,
    interlock: Arc<Interlock>,
    listener: Arc<dyn StageListener>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stages {
    /// None yet.
    pub(crate) fn new(listener: Arc<dyn StageListener>) -> Self {
        Self { open: Mutex::default(), arming: Mutex::default(), interlock: Arc::default(), listener }
    }

    /// The interlock of everything that moves.
    pub(crate) fn interlock(&self) -> &Arc<Interlock> {
        &self.interlock
    }

    /// Opens a stage on a thread of its own; `done` hears the outcome. Nothing moves.
    pub(crate) fn open(&self, name: &str, opening: Opening, done: Done) {
        let thing = format!("cannot open the stage {name}");
        if name.is_empty() || name.contains(char::is_control) {
            let why = Refusal::new(RefusalKind::Invalid, thing, "this is no name", "give it a short name, like focus");
            return done(Err(why));
        }
        let mut open = lock(&self.open);
        self.forget_failed(&mut open);
        if open.iter().any(|o| &*o.shared.name == name) {
            let cause = "a stage of this name is open";
            return done(Err(Refusal::new(RefusalKind::Held, thing, cause, "close it first, or choose another name")));
        }
        let shared = Shared::new(name, opening);
        match Driver::start(shared.clone(), self.listener.clone(), done) {
            Ok((orders, thread)) => open.push(Open { shared, orders, thread }),
            // `done` went with the thread that could not be made: nobody waits for it, so it is told as an event.
            Err(e) => {
                let text = Refusal::new(RefusalKind::Device, thing, e.to_string(), "close other programs");
                self.listener.event(Severity::Error, EventKind::Message { text });
            }
        }
    }

    /// Stages whose first opening failed have no thread any more.
    fn forget_failed(&self, open: &mut Vec<Open>) {
        open.retain(|o| !o.thread.is_finished());
    }

    /// Stops and closes a stage.
    pub(crate) fn close(&self, name: &str) -> Result<(), Refusal> {
        self.interlock.check_free(&format!("cannot close the stage {name}"))?;
        let mut open = lock(&self.open);
        let at = open.iter().position(|o| &*o.shared.name == name).ok_or_else(|| not_open(name))?;
        let gone = open.remove(at);
        drop(open);
        end(gone)
    }

    /// Lets clients move things for some time.
    pub(crate) fn arm(&self, seconds: f64) -> Result<(), Refusal> {
        lock(&self.arming).arm(seconds, Instant::now())
    }

    /// Not any more.
    pub(crate) fn disarm(&self) {
        lock(&self.arming).disarm();
    }

    /// Refused while disarmed.
    pub(crate) fn check_armed(&self, thing: &str) -> Result<(), Refusal> {
        lock(&self.arming).check(thing, Instant::now())
    }

    /// Time left of the arming.
    pub(crate) fn armed_for(&self) -> Option<Duration> {
        lock(&self.arming).left(Instant::now())
    }

    /// Begins a move; `done` hears whether the device took it, not when it arrives.
    pub(crate) fn move_to(&self, mover: Mover<'_>, name: &str, axis: u32, to: f64, done: Done) {
        match self.checked(mover, name, axis, to) {
            Ok((orders, epoch)) => {
                let by = match mover {
                    Mover::Client(client) => client.to_owned(),
                    Mover::Holder(_) => self.interlock.holder().unwrap_or_default().to_owned(),
                };
                let (listener, stage) = (self.listener.clone(), name.to_owned());
                let done: Done = Box::new(move |outcome| {
                    if outcome.is_ok() {
                        listener.event(Severity::Info, EventKind::StageMoved { stage, axis, target: to, by });
                    }
                    done(outcome);
                });
                send(&orders, Order::Move { axis, to, epoch, done }, name);
            }
            Err(e) => done(Err(e)),
        }
    }

    /// Begins a move by a distance from where the axis is bound for, or stands.
    pub(crate) fn jog(&self, client: &str, name: &str, axis: u32, by: f64, done: Done) {
        let to = self.with(name, axis, |a| a.target.or(a.position).map(|at| at + by));
        match to {
            Ok(Some(to)) => self.move_to(Mover::Client(client), name, axis, to, done),
            Ok(None) => done(Err(unknown_position(name, axis))),
            Err(e) => done(Err(e)),
        }
    }

    /// Begins a homing run.
    pub(crate) fn home(&self, client: &str, name: &str, axis: u32, done: Done) {
        let checked = self.allowed(Mover::Client(client), &format!("cannot home {name}")).and_then(|()| {
            self.with(name, axis, |_| ())?;
            self.orders(name)
        });
        match checked {
            Ok((orders, epoch)) => send(&orders, Order::Home { axis, epoch, done }, name),
            Err(e) => done(Err(e)),
        }
    }

    /// Stops everything and disarms. Each device is told on a thread of its own, so that one that hangs keeps no other
    /// moving; those that do not answer in time are named.
    pub(crate) fn stop_all(&self, reason: &str) -> Result<(), Refusal> {
        self.disarm();
        let all: Vec<Arc<Shared>> = lock(&self.open).iter().map(|o| o.shared.clone()).collect();
        let (sender, answers) = std::sync::mpsc::channel();
        for shared in &all {
            let (sender, shared) = (sender.clone(), shared.clone());
            let told = std::thread::Builder::new().name("stop".into()).spawn(move || {
                let outcome = shared.stop();
                let _ = sender.send((shared.name.clone(), outcome));
            });
            if told.is_err() {
                self.listener
                    .event(Severity::Error, EventKind::StagesStopped { reason: "no thread to stop with".into() });
            }
        }
        drop(sender);
        let until = Instant::now() + STOP_LIMIT;
        let mut silent: Vec<Arc<str>> = all.iter().map(|s| s.name.clone()).collect();
        let mut failed = None;
        while !silent.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((name, outcome)) = answers.recv_timeout(left) else { break };
            silent.retain(|s| *s != name);
            failed = failed.or(outcome.err());
        }
        self.listener.event(Severity::Warning, EventKind::StagesStopped { reason: reason.to_owned() });
        if !silent.is_empty() {
            return Err(Refusal::new(
                RefusalKind::TimedOut,
                format!("cannot stop {}", silent.join(", ")),
                format!("the device did not answer within {} s", STOP_LIMIT.as_secs()),
                "stop it by hand, or cut its power",
            ));
        }
        failed.map_or(Ok(()), Err)
    }

    /// Bounds of this session.
    pub(crate) fn set_window(&self, name: &str, axis: u32, min: f64, max: f64) -> Result<(), Refusal> {
        self.interlock.check_free(&format!("cannot change the window of {name}"))?;
        self.with(name, axis, |a| a.guard.set_window(min, max))?
    }

    /// Caps of single moves.
    pub(crate) fn set_caps(&self, name: &str, axis: u32, max_step: f64, max_speed_per_s: f64) -> Result<(), Refusal> {
        self.interlock.check_free(&format!("cannot change the caps of {name}"))?;
        self.with(name, axis, |a| a.guard.set_caps(max_step, max_speed_per_s))?
    }

    /// Where an axis is, as it was last seen.
    pub(crate) fn whereabouts(&self, name: &str, axis: u32) -> Result<Whereabouts, Refusal> {
        if let Some(failure) = self.find(name)?.failure() {
            return Err(failure);
        }
        let seen = self.with(name, axis, |a| {
            a.position.map(|position| Whereabouts { position, moving: a.moving, seen_ns: a.seen_ns })
        })?;
        seen.ok_or_else(|| unknown_position(name, axis))
    }

    /// Unit of an axis; empty for one that is gone.
    pub(crate) fn unit(&self, name: &str, axis: u32) -> String {
        self.with(name, axis, |a| a.axis.unit.clone()).unwrap_or_default()
    }

    /// Checks a move without making it.
    pub(crate) fn check_move(&self, name: &str, axis: u32, from: f64, to: f64) -> Result<(), Refusal> {
        self.with(name, axis, |a| a.guard.check(from, to))?
    }

    /// The one axis that moves the focus; refused when there is none, or more than one.
    pub(crate) fn focus(&self) -> Result<(String, u32), Refusal> {
        let mut found = Vec::new();
        for o in lock(&self.open).iter() {
            o.shared.with_axes(|axes| {
                let focus = axes.iter().enumerate().filter(|(_, a)| a.axis.role == "focus");
                found.extend(focus.map(|(i, _)| (o.shared.name.to_string(), i as u32)));
            });
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot move the focus",
                "no open stage has a focus axis",
                "open a focus stage first",
            )),
            n => Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot move the focus",
                format!(
                    "{n} focus axes are open: {}",
                    found.iter().map(|f| f.0.as_str()).collect::<Vec<_>>().join(", ")
                ),
                "close all but one",
            )),
        }
    }

    /// All stages, as clients see them.
    pub(crate) fn views(&self) -> Vec<StageView> {
        let mut open = lock(&self.open);
        self.forget_failed(&mut open);
        open.iter().map(|o| view(&o.shared)).collect()
    }

    /// Stops and closes all.
    pub(crate) fn shutdown(&self) {
        let all = std::mem::take(&mut *lock(&self.open));
        for o in all {
            // One that cannot be ended is left behind: the program ends.
            let _ = end(o);
        }
    }

    fn allowed(&self, mover: Mover<'_>, thing: &str) -> Result<(), Refusal> {
        match mover {
            Mover::Holder(hold) => {
                assert!(hold.is_of(&self.interlock), "a hold of another engine");
                Ok(())
            }
            Mover::Client(_) => {
                self.interlock.check_free(thing)?;
                self.check_armed(thing)
            }
        }
    }

    fn checked(&self, mover: Mover<'_>, name: &str, axis: u32, to: f64) -> Result<(Sender<Order>, u64), Refusal> {
        self.allowed(mover, &format!("cannot move {name}"))?;
        if let Some(failure) = self.find(name)?.failure() {
            return Err(failure);
        }
        let (orders, epoch) = self.orders(name)?;
        self.with(name, axis, |a| {
            let from = a.target.or(a.position).ok_or_else(|| unknown_position(name, axis))?;
            a.guard.check(from, to)
        })??;
        Ok((orders, epoch))
    }

    fn find(&self, name: &str) -> Result<Arc<Shared>, Refusal> {
        let open = lock(&self.open);
        open.iter().find(|o| &*o.shared.name == name).map(|o| o.shared.clone()).ok_or_else(|| not_open(name))
    }

    fn orders(&self, name: &str) -> Result<(Sender<Order>, u64), Refusal> {
        let open = lock(&self.open);
        let found = open.iter().find(|o| &*o.shared.name == name).ok_or_else(|| not_open(name))?;
        Ok((found.orders.clone(), found.shared.epoch()))
    }

    fn with<R>(&self, name: &str, axis: u32, work: impl FnOnce(&mut driver::AxisState) -> R) -> Result<R, Refusal> {
        self.find(name)?.with_axes(|axes| {
            let n = axes.len();
            axes.get_mut(axis as usize).map(work).ok_or_else(|| {
                Refusal::new(
                    RefusalKind::NotFound,
                    format!("cannot use axis {axis} of {name}"),
                    format!("it has {n}, counted from 0"),
                    "look at the stage's axes",
                )
            })
        })
    }
}

fn view(shared: &Shared) -> StageView {
    let axes = shared.with_axes(|axes| {
        let view = |a: &driver::AxisState| AxisView {
            role: a.axis.role.clone(),
            unit: a.axis.unit.clone(),
            min: a.guard.limits.0,
            max: a.guard.limits.1,
            window_min: a.guard.window.0,
            window_max: a.guard.window.1,
            max_step: a.guard.max_step,
            max_speed_per_s: a.guard.max_speed_per_s,
            position: a.position,
            target: a.target,
            moving: a.moving,
        };
        axes.iter().map(view).collect()
    });
    let method = shared.opening.component.info().id.clone();
    StageView { name: shared.name.to_string(), method, failure: shared.failure(), axes }
}

/// Ends the thread of a stage that was taken out of the list.
fn end(open: Open) -> Result<(), Refusal> {
    let name = open.shared.name.clone();
    let stopped = open.shared.stop();
    let _ = open.orders.send(Order::Close);
    let until = Instant::now() + CLOSE_LIMIT;
    while !open.thread.is_finished() {
        if Instant::now() >= until {
            return Err(Refusal::new(
                RefusalKind::TimedOut,
                format!("cannot close the stage {name}"),
                format!("its device did not answer within {} s", CLOSE_LIMIT.as_secs()),
                "look at the device; restart the program to use it again, isolated if its driver hangs often",
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = open.thread.join();
    stopped
}

/// Gives an order; a stage whose thread has ended meanwhile says so through `done`.
fn send(orders: &Sender<Order>, order: Order, name: &str) {
    if let Err(std::sync::mpsc::SendError(Order::Move { done, .. } | Order::Home { done, .. })) = orders.send(order) {
        done(Err(not_open(name)));
    }
}

fn not_open(name: &str) -> Refusal {
    Refusal::new(
        RefusalKind::NotFound,
        format!("cannot find the stage {name}"),
        "no open stage has this name",
        "open it first, or look at the names of the open ones",
    )
}

fn unknown_position(name: &str, axis: u32) -> Refusal {
    Refusal::new(
        RefusalKind::NotNow,
        format!("cannot move axis {axis} of {name}"),
        "its position is not known yet",
        "try again when it is shown, or home the axis",
    )
}
