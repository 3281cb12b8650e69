//! The end of an engine: camera, then recordings, then whoever still waits.

use super::Control;
use crate::control::{Refusal, RefusalKind, Reply};
use crate::engine::Input;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long the end waits for slow work that does not come back.
const END_WAITS: Duration = Duration::from_secs(20);

impl Control {
    /// Stops everything, tidily.
    pub(super) fn end(mut self, inbox: &Receiver<Input>) {
        let until = Instant::now() + END_WAITS;
        self.stop_sweep();
        self.stop_for_end();
        self.stages.shutdown();
        self.jobs.close();
        // What jobs leave to do is done here.
        while (!self.jobs.is_over() || self.recording.is_active() || self.captures.is_active())
            && Instant::now() < until
        {
            if let Ok(input) = inbox.recv_timeout(Duration::from_millis(20)) {
                self.take_at_the_end(input);
            }
        }
        self.hub.close();
        if self.jobs.is_over() {
            self.jobs.join();
            inbox.try_iter().for_each(|input| self.take_at_the_end(input));
        } else {
            tracing::error!("slow work did not end within {} s: it is left to itself", END_WAITS.as_secs());
        }
        self.refuse_what_waits();
        self.publish();
        self.send_replies();
    }

    fn take_at_the_end(&mut self, input: Input) {
        match input {
            Input::Finished(then) | Input::Beside(then) => then(self),
            Input::Live(note) => self.live_note(note),
            Input::Request(r) => self.waiting.push_back(r),
            Input::End => {}
        }
    }

    fn refuse_what_waits(&mut self) {
        let cancelled =
            || Refusal::new(RefusalKind::Cancelled, "cannot do this any more", "the engine ends", "start it again");
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|r| (r.client, r.request));
        let asked: Vec<_> = waiting.chain(self.questions.drain(..).map(|q| q.id)).collect();
        for (client, request) in asked {
            self.replies.push(Reply { client, request, result: Err(cancelled()) });
        }
    }
}
