//! The one child of all cameras and stages of a library, which share a context: several callers at once, and a thread
//! that reads what comes back and hands it to whom it is for.

mod camera;
mod feed;
mod stage;

pub(crate) use camera::RemoteCamera;
pub(crate) use stage::RemoteStage;

use super::line::NOT_THERE;
use super::process::Process;
use super::request::{DeviceCall, Request, WireError};
use super::wire;
use crate::component::Component;
use crate::direct::{Device, SettingsInfo};
use crate::error::{PluginError, STATUS_CRASHED, STATUS_DISABLED, STATUS_HUNG};
use crate::isolation::Record;
use feed::Feed;
use std::collections::HashMap;
use std::io::BufReader;
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tetherscope_plugin_api::abi::{self, Status};

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a child was ended that sent something else than it may.
const NONSENSE: &str = "its process sent what makes no sense, and was ended";

/// Kind of the answer and its body.
type Answer = (u32, Vec<u8>);

/// A call under way.
struct Pending {
    until_ns: i64,
    limit: Duration,
    answer: Sender<Answer>,
}

/// The child of a library's devices.
pub(crate) struct DeviceChild {
    process: Process,
    stdin: Mutex<ChildStdin>,
    next: AtomicU64,
    calls: Mutex<HashMap<u64, Pending>>,
    feeds: Mutex<HashMap<u64, Arc<Feed>>>,
    /// Why the host ended it.
    ended_for: OnceLock<&'static str>,
    /// Status and cause, once it has ended.
    ended: Mutex<Option<(Status, String)>>,
    record: Arc<Record>,
    call_limit: Duration,
    job_limit: Duration,
}

impl std::fmt::Debug for DeviceChild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceChild")
    }
}

/// The devices that a camera or stage component could open.
pub(crate) fn enumerate(component: &Component) -> Result<Vec<Device>, PluginError> {
    let child = DeviceChild::of(component, "enumerate")?;
    let request = Request::Enumerate { index: component.index };
    let (json, _) = child.ask(component, "enumerate", &request, child.job_limit)?;
    json_of(component, "enumerate", &json)
}

/// JSON that a child sent, read as `T`.
fn json_of<T: serde::de::DeserializeOwned>(
    c: &Component,
    function: &'static str,
    json: &[u8],
) -> Result<T, PluginError> {
    serde_json::from_slice(json)
        .map_err(|e| c.error(function, abi::STATUS_INTERNAL, format!("what it wrote makes no sense: {e}")))
}

/// The settings of a device that a child sent.
fn settings_of(component: &Component, json: &[u8]) -> Result<SettingsInfo, PluginError> {
    let text = String::from_utf8_lossy(json);
    SettingsInfo::parse(&text).map_err(|m| component.error("settings", abi::STATUS_INTERNAL, m))
}

impl DeviceChild {
    /// The child of a component's library; started if there is none, or if the last one has gone.
    fn of(component: &Component, function: &'static str) -> Result<Arc<Self>, PluginError> {
        let mut place = lock(&component.home.devices);
        if let Some(child) = place.as_ref().filter(|c| lock(&c.ended).is_none()) {
            return Ok(child.clone());
        }
        let session = &component.home.session;
        // One memory for all devices of a library, since they fall together.
        let record = session.record(component.hash());
        if let Some(reason) = record.disabled() {
            return Err(component.error(function, STATUS_DISABLED, reason));
        }
        let started = Process::start(session.child.as_deref());
        let cannot = |e: std::io::Error| {
            component.error(function, abi::STATUS_IO, format!("no child process can be started: {e}"))
        };
        let (process, (stdin, stdout)) = started.map_err(cannot)?;
        let child = Arc::new(Self {
            process,
            stdin: Mutex::new(stdin),
            next: AtomicU64::new(1),
            calls: Mutex::default(),
            feeds: Mutex::default(),
            ended_for: OnceLock::new(),
            ended: Mutex::default(),
            record,
            call_limit: session.options.call_limit,
            job_limit: session.options.job_limit,
        });
        let reader = std::thread::Builder::new().name("devices".into());
        let weak = Arc::downgrade(&child);
        reader.spawn(move || read(&weak, stdout)).map_err(cannot)?;
        let load = Request::Load { path: component.path().to_owned(), hash: component.hash().to_owned() };
        child.ask(component, function, &load, child.call_limit)?;
        *place = Some(child.clone());
        Ok(child)
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls a device.
    fn call(
        &self,
        component: &Component,
        function: &'static str,
        device: u64,
        call: DeviceCall,
        limit: Duration,
    ) -> Result<(Vec<u8>, Vec<u8>), PluginError> {
        let answer = self.ask(component, function, &Request::Device { device, call }, limit)?;
        self.record.success();
        Ok(answer)
    }

    /// Asks, and waits for the answer: its JSON and its bytes.
    fn ask(
        &self,
        component: &Component,
        function: &'static str,
        request: &Request,
        limit: Duration,
    ) -> Result<(Vec<u8>, Vec<u8>), PluginError> {
        let json = serde_json::to_vec(request).expect("a request has only keys that are text");
        let (number, (answer, answered)) = (self.number(), channel());
        let limit_ns = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
        let until_ns = crate::now_ns().saturating_add(limit_ns);
        lock(&self.calls).insert(number, Pending { until_ns, limit, answer });
        self.watch();
        // After the call was noted: the reader, when it finds the end, lets go of all that are noted.
        if self.send(wire::REQUEST, number, &[&(json.len() as u32).to_le_bytes(), &json]).is_err()
            || lock(&self.ended).is_some()
        {
            lock(&self.calls).remove(&number);
        }
        let answer = answered.recv();
        self.watch();
        match answer {
            Ok((wire::DONE, body)) => match wire::json_and_bytes(&body) {
                Some((json, bytes)) => Ok((json.to_vec(), bytes.to_vec())),
                None => Err(self.nonsense(component, function)),
            },
            Ok((_, body)) => match serde_json::from_slice::<WireError>(&body) {
                Ok(e) => Err(e.told(component, function)),
                Err(_) => Err(self.nonsense(component, function)),
            },
            Err(_) => Err(self.gone(component, function)),
        }
    }

    /// Sends a message; an error means that the child has gone, which its reader will find out.
    fn send(&self, kind: u32, number: u64, parts: &[&[u8]]) -> std::io::Result<()> {
        wire::send(&mut *lock(&self.stdin), kind, number, parts)
    }

    /// Lets the time limit be that of the most urgent call.
    fn watch(&self) {
        let calls = lock(&self.calls);
        match calls.values().map(|p| p.until_ns).min() {
            Some(until_ns) => self.process.limit_at(until_ns),
            None => self.process.unlimited(),
        }
    }

    /// Ends it for something that it did.
    fn end_for(&self, cause: &'static str) {
        let _ = self.ended_for.set(cause);
        self.process.end();
    }

    fn nonsense(&self, component: &Component, function: &'static str) -> PluginError {
        self.end_for(NONSENSE);
        self.gone(component, function)
    }

    /// The error of a call whose child has gone.
    fn gone(&self, component: &Component, function: &'static str) -> PluginError {
        // The end of the pipe and the reader's word on it are a moment apart.
        for _ in 0..1000 {
            if let Some((status, cause)) = &*lock(&self.ended) {
                return component.error(function, *status, cause.clone());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        component.error(function, STATUS_CRASHED, NOT_THERE.into())
    }

    /// One message of the child; an error is its end.
    fn take(&self, head: wire::Head, body: &mut Vec<u8>) -> std::io::Result<()> {
        let nonsense = || std::io::Error::other("a message that makes no sense");
        match head.kind {
            wire::DONE | wire::FAILED => {
                if let Some(pending) = lock(&self.calls).remove(&head.number) {
                    // Nobody waits any more: fine.
                    let _ = pending.answer.send((head.kind, std::mem::take(body)));
                }
                Ok(())
            }
            wire::COMMIT | wire::LOST | wire::ENDED => {
                // One that was stopped meanwhile has no feed any more.
                let feed = lock(&self.feeds).get(&head.number).cloned();
                match feed {
                    Some(feed) => feed.take(head.kind, body).ok_or_else(nonsense),
                    None => Ok(()),
                }
            }
            _ => Err(nonsense()),
        }
    }

    /// It has gone: says so to all who wait and to all who get frames.
    fn bury(&self, outcome: &std::io::Error) {
        let most_urgent = lock(&self.calls).values().min_by_key(|p| p.until_ns).map(|p| p.limit);
        let limit = most_urgent.unwrap_or(self.call_limit);
        let cause = match outcome.kind() {
            std::io::ErrorKind::Other | std::io::ErrorKind::InvalidData => {
                self.end_for(NONSENSE);
                NONSENSE.into()
            }
            _ => self.ended_for.get().map_or_else(|| self.process.cause_of_end(limit), |cause| (*cause).into()),
        };
        let status = if self.process.hung() { STATUS_HUNG } else { STATUS_CRASHED };
        self.record.strike(&cause);
        // Frames first: who then learns that a call failed finds them ended.
        let feeds: Vec<Arc<Feed>> = lock(&self.feeds).drain().map(|(_, feed)| feed).collect();
        feeds.iter().for_each(|feed| feed.end(abi::ENDED_ERROR, &cause));
        *lock(&self.ended) = Some((status, cause));
        lock(&self.calls).clear();
    }
}

/// Reads what a child sends until it ends.
fn read(child: &Weak<DeviceChild>, mut stdout: BufReader<ChildStdout>) {
    let mut body = Vec::new();
    loop {
        let head = wire::receive(&mut stdout, &mut body);
        // Nobody has the child any more: it is ended with it.
        let Some(child) = child.upgrade() else { return };
        if let Err(e) = head.and_then(|head| child.take(head, &mut body)) {
            return child.bury(&e);
        }
    }
}
