//! Slow work for the control thread: opening devices, reading tables, making workers, finishing files. One thread does one job
//! after the other; the control thread goes on answering, and does with the outcome what the job says.

use super::Input;
use super::control::Control;
use crate::RunError;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// What the control thread does when a job is done.
pub(crate) type Finish = Box<dyn FnOnce(&mut Control) + Send>;
/// A job.
pub(crate) type Job = Box<dyn FnOnce() -> Finish + Send>;

/// The thread that works.
pub(crate) struct Jobs {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Jobs {
    pub(crate) fn start(inputs: Sender<Input>) -> Result<Self, RunError> {
        let (sender, jobs) = channel();
        let spawned = std::thread::Builder::new().name("jobs".into()).spawn(move || work(&jobs, &inputs));
        let thread = spawned.map_err(|e| {
            RunError::refused("cannot start the engine", format!("a thread: {e}"), "close other programs")
        })?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Gives it a job.
    pub(crate) fn put(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // Its thread lives as long as the sender.
            let _ = jobs.send(job);
        }
    }

    /// No more jobs come. The thread ends when the last one is done.
    pub(crate) fn close(&mut self) {
        self.jobs = None;
    }

    /// True once its thread has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end.
    pub(crate) fn join(&mut self) {
        if self.thread.take().is_some_and(|t| t.join().is_err()) {
            tracing::error!("the thread for slow work panicked");
        }
    }
}

fn work(jobs: &Receiver<Job>, inputs: &Sender<Input>) {
    while let Ok(job) = jobs.recv() {
        let finish = job();
        if inputs.send(Input::Finished(finish)).is_err() {
            return;
        }
    }
}
