//! What a child tells its host: answers and news over the pipe, and lines for the log over its standard error.

use super::Answer;
use crate::child::wire;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tetherscope_plugin_api::abi;

/// How often a job says that it goes on. Also how soon a user who gives up is heard.
const TICK_EVERY: Duration = Duration::from_millis(50);
/// Begins a line that a plugin wrote for the log; its level follows.
const LOG_MARK: char = '\u{1}';

static SERVING: AtomicBool = AtomicBool::new(false);

/// From now on this process is a child that serves.
pub(super) fn begin() {
    SERVING.store(true, Ordering::Relaxed);
}

/// In a child that serves: tells the host a line for its log, and says so.
pub(crate) fn tell_host(level: u32, text: &str) -> bool {
    if !SERVING.load(Ordering::Relaxed) {
        return false;
    }
    let line = format!("{LOG_MARK}{level} {}\n", crate::library::one_line(text, 1000));
    // Nobody is left to tell when it fails.
    let _ = std::io::stderr().write_all(line.as_bytes());
    true
}

/// Level and text of a line that a child wrote.
pub(crate) fn split_log(line: &str) -> (u32, &str) {
    let marked = line.strip_prefix(LOG_MARK).and_then(|rest| rest.split_once(' '));
    match marked.and_then(|(level, text)| Some((level.parse().ok()?, text))) {
        Some(found) => found,
        None => (abi::LOG_DEBUG, line),
    }
}

/// Passes a line of a child on to the host's log.
pub(crate) fn pass_on(line: &str) {
    let (level, text) = split_log(line);
    let text = crate::library::one_line(text, 1000);
    match level {
        abi::LOG_ERROR => tracing::error!(target: "plugin", "{text}"),
        abi::LOG_WARN => tracing::warn!(target: "plugin", "{text}"),
        abi::LOG_INFO => tracing::info!(target: "plugin", "{text}"),
        _ => tracing::debug!(target: "plugin", "{text}"),
    }
}

/// The pipe to the host, for all threads.
#[derive(Clone)]
pub(super) struct Out(Arc<Mutex<File>>);

impl Out {
    pub(super) fn new(pipe: File) -> Self {
        Self(Arc::new(Mutex::new(pipe)))
    }

    /// Sends a message. Without a host there is nothing left to do.
    pub(super) fn send(&self, kind: u32, number: u64, parts: &[&[u8]]) {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wire::send(&mut *pipe, kind, number, parts).is_err() {
            super::system::leave();
        }
    }

    /// Answers a request.
    pub(super) fn answer(&self, number: u64, answer: Answer) {
        match answer {
            Ok((json, bytes)) => {
                self.send(wire::DONE, number, &[&(json.len() as u32).to_le_bytes(), &json, &bytes]);
            }
            Err(e) => {
                let json = serde_json::to_vec(&e).expect("an error is text and numbers");
                self.send(wire::FAILED, number, &[&json]);
            }
        }
    }

    /// Says again and again that a job goes on, until the value is dropped.
    pub(super) fn tick(&self, number: u64) -> Sender<()> {
        let (done, is_done) = channel::<()>();
        let out = self.clone();
        std::thread::spawn(move || {
            while is_done.recv_timeout(TICK_EVERY) == Err(RecvTimeoutError::Timeout) {
                out.send(wire::TICK, number, &[]);
            }
        });
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_log_keeps_its_level_and_any_other_is_for_the_author() {
        assert_eq!(split_log("\u{1}1 the lamp is off"), (abi::LOG_ERROR, "the lamp is off"));
        assert_eq!(split_log("printf"), (abi::LOG_DEBUG, "printf"));
        assert_eq!(split_log("\u{1}x y"), (abi::LOG_DEBUG, "\u{1}x y"));
    }
}
