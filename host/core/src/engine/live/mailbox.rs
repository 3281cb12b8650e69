//! What the live thread is told. Who posts wakes it; it looks between two batches.

use super::Capture;
use crate::engine::program::Program;
use crate::engine::question::{Question, QuestionId};
use crate::ring::ConsumerWaker;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// One thing to do.
pub(crate) enum Mail {
    /// Another program, from the next frame on.
    Switch { id: u64, program: Arc<Program> },
    /// A question for the next frames.
    Ask(Question),
    /// A capture, with what is kept of the past.
    Capture(Capture),
    /// A question that nobody wants answered any more.
    Cancel(QuestionId),
    /// All that belongs before the frame at which it waits has been posted.
    Release,
}

/// Its mail.
pub(crate) struct Mailbox {
    mails: Mutex<VecDeque<Mail>>,
    posted: Condvar,
    waker: ConsumerWaker,
}

impl Mailbox {
    pub(crate) fn new(waker: ConsumerWaker) -> Self {
        Self { mails: Mutex::default(), posted: Condvar::new(), waker }
    }

    /// Posts something.
    pub(crate) fn post(&self, mail: Mail) {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).push_back(mail);
        self.posted.notify_all();
        self.waker.wake();
    }

    pub(super) fn take(&self) -> Option<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(super) fn has_mail(&self) -> bool {
        !self.mails.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Waits for the next one.
    pub(super) fn wait(&self) -> Mail {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(mail) = mails.pop_front() {
                return mail;
            }
            mails = self.posted.wait(mails).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
