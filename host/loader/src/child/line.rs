//! One child with one caller: ask, wait, and tell apart a plugin that failed from a process that has gone.

use super::process::{Pipes, Process};
use super::request::{Request, WireError};
use super::wire;
use crate::component::Component;
use crate::error::{PluginError, STATUS_CRASHED, STATUS_DISABLED, STATUS_HUNG};
use crate::host::CancelToken;
use crate::isolation::Record;
use std::sync::Arc;
use std::time::Duration;
use tetherscope_plugin_api::abi;

/// How long a child may go on after it was told to give up.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// What is said of a child that was not started, or that nobody knows the end of.
pub(super) const NOT_THERE: &str = "its process is not there";

/// The way to the child of one component; the child may be there or not.
pub(crate) struct Line {
    component: Component,
    record: Arc<Record>,
    running: Option<Running>,
    /// The body of the last answer.
    body: Vec<u8>,
}

struct Running {
    process: Process,
    pipes: Pipes,
    number: u64,
}

/// What is remembered of one component, over all its children.
pub(crate) fn record_of(component: &Component) -> Arc<Record> {
    component.home.session.record(&format!("{}#{}", component.info().id, component.hash()))
}

impl Line {
    /// A line without a child.
    pub(crate) fn new(component: &Component) -> Self {
        Self { component: component.clone(), record: record_of(component), running: None, body: Vec::new() }
    }

    /// True while the child lives, as far as is known.
    pub(crate) fn is_up(&self) -> bool {
        self.running.is_some()
    }

    fn call_limit(&self) -> Duration {
        self.component.home.session.options.call_limit
    }

    /// Starts a child and lets it open the library. At once an error for a component that was switched off.
    pub(crate) fn start(&mut self, function: &'static str) -> Result<(), PluginError> {
        if let Some(reason) = self.record.disabled() {
            return Err(self.component.error(function, STATUS_DISABLED, reason));
        }
        self.running = Some(start(&self.component, function)?);
        let request = Request::Load { path: self.component.path().to_owned(), hash: self.component.hash().to_owned() };
        self.ask(function, &request, &[]).map(drop)
    }

    /// Asks, and gives the answer: its JSON, and the bytes that came with it.
    pub(crate) fn ask(
        &mut self,
        function: &'static str,
        request: &Request,
        bytes: &[&[u8]],
    ) -> Result<(&[u8], &[u8]), PluginError> {
        self.ask_within(self.call_limit(), function, request, bytes, &mut |_| {})
    }

    /// Asks for a job that tells its progress and can be given up by the user.
    pub(crate) fn ask_job(
        &mut self,
        function: &'static str,
        request: &Request,
        bytes: &[&[u8]],
        progress: &mut dyn FnMut(f64),
    ) -> Result<(&[u8], &[u8]), PluginError> {
        self.ask_within(self.component.home.session.options.job_limit, function, request, bytes, progress)
    }

    fn ask_within(
        &mut self,
        limit: Duration,
        function: &'static str,
        request: &Request,
        bytes: &[&[u8]],
        progress: &mut dyn FnMut(f64),
    ) -> Result<(&[u8], &[u8]), PluginError> {
        let json = serde_json::to_vec(request).expect("a request has only keys that are text");
        let len = (json.len() as u32).to_le_bytes();
        let parts: Vec<&[u8]> = [&len[..], &json].into_iter().chain(bytes.iter().copied()).collect();
        self.round_trip(function, wire::REQUEST, &parts, limit, progress)?;
        if wire::json_and_bytes(&self.body).is_none() {
            return Err(self.nonsense(function));
        }
        Ok(wire::json_and_bytes(&self.body).unwrap_or_default())
    }

    /// Rings for the batch of `n` ROIs that lies in the arena, and waits until it is done.
    pub(crate) fn ring(&mut self, function: &'static str, kind: u32, n: usize) -> Result<(), PluginError> {
        let n = (n as u32).to_le_bytes();
        self.round_trip(function, kind, &[&n], self.call_limit(), &mut |_| {})?;
        self.record.success();
        Ok(())
    }

    /// Ends a child that is of no use, without blaming it.
    pub(crate) fn end(&mut self) {
        self.running = None;
    }

    /// The component did what it should.
    pub(crate) fn success(&self) {
        self.record.success();
    }

    fn round_trip(
        &mut self,
        function: &'static str,
        kind: u32,
        parts: &[&[u8]],
        limit: Duration,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(), PluginError> {
        let Some(running) = &mut self.running else {
            return Err(self.component.error(function, STATUS_CRASHED, NOT_THERE.into()));
        };
        running.number += 1;
        let number = running.number;
        let (stdin, stdout) = &mut running.pipes;
        running.process.limit(limit);
        let mut cancelled = false;
        let answer = wire::send(stdin, kind, number, parts).and_then(|()| {
            loop {
                let head = wire::receive(stdout, &mut self.body)?;
                if head.number == number && matches!(head.kind, wire::DONE | wire::FAILED) {
                    return Ok(head.kind);
                }
                match head.kind {
                    wire::PROGRESS if head.number == number => {
                        let value = wire::u64_at(&self.body, 0).map_or(f64::NAN, f64::from_bits);
                        progress(if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) });
                    }
                    wire::TICK if head.number == number => {}
                    other => return Err(std::io::Error::other(format!("a message of kind {other}"))),
                }
                if !cancelled && CancelToken::current().is_some_and(|c| c.is_cancelled()) {
                    cancelled = true;
                    running.process.limit(CANCEL_LIMIT);
                    wire::send(stdin, wire::CANCEL, number, &[])?;
                }
            }
        });
        running.process.unlimited();
        match answer {
            Ok(wire::DONE) => Ok(()),
            Ok(_) => match serde_json::from_slice::<WireError>(&self.body) {
                Ok(e) => Err(e.told(&self.component, function)),
                Err(_) => Err(self.nonsense(function)),
            },
            Err(e) if e.kind() == std::io::ErrorKind::Other || e.kind() == std::io::ErrorKind::InvalidData => {
                Err(self.nonsense(function))
            }
            Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => {
                // Not the child's fault: nothing was sent.
                Err(self.component.error(function, abi::STATUS_OUT_OF_MEMORY, e.to_string()))
            }
            Err(_) if cancelled => {
                self.running = None;
                let message = "it was given up, and its process was ended since it went on".into();
                Err(self.component.error(function, abi::STATUS_CANCELLED, message))
            }
            Err(_) => Err(self.gone(function, limit)),
        }
    }

    /// The child has gone: says why, and counts it.
    fn gone(&mut self, function: &'static str, limit: Duration) -> PluginError {
        let Some(running) = self.running.take() else {
            return self.component.error(function, STATUS_CRASHED, NOT_THERE.into());
        };
        let cause = running.process.cause_of_end(limit);
        let status = if running.process.hung() { STATUS_HUNG } else { STATUS_CRASHED };
        self.strike(function, status, cause)
    }

    fn nonsense(&mut self, function: &'static str) -> PluginError {
        self.end_for(function, "its process answered what makes no sense, and was ended")
    }

    /// Ends the child for something that it did, and counts it.
    pub(crate) fn end_for(&mut self, function: &'static str, cause: &str) -> PluginError {
        self.running = None;
        self.strike(function, STATUS_CRASHED, cause.to_owned())
    }

    fn strike(&self, function: &'static str, status: abi::Status, cause: String) -> PluginError {
        self.record.strike(&cause);
        self.component.error(function, status, cause)
    }
}

/// Starts the process of a child.
fn start(component: &Component, function: &'static str) -> Result<Running, PluginError> {
    let started = Process::start(component.home.session.child.as_deref());
    let (process, pipes) = started.map_err(|e| {
        let message = format!("no child process can be started: {e}");
        component.error(function, abi::STATUS_IO, message)
    })?;
    Ok(Running { process, pipes, number: 0 })
}
