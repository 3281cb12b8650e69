//! Commands of a log given again: those from before the camera ran before it is started, the others when the live thread
//! waits before their frame.

use super::{Asker, Control, Outcome};
use crate::control::{RequestId, Severity};
use crate::engine::live::Mail;
use crate::engine::{LoggedCommand, ReplayLog};
use std::collections::VecDeque;

/// Commands of a log that belong before one frame.
pub(super) struct Barrier {
    pub(super) left: VecDeque<LoggedCommand>,
}

impl Control {
    /// Gives the next command of a log, or lets the live thread go on when all of this frame are in effect.
    pub(super) fn go_on_at_barrier(&mut self) {
        while let Some(barrier) = &mut self.barrier {
            if self.busy || !self.switches.is_empty() {
                return;
            }
            match barrier.left.pop_front() {
                Some(logged) => self.give_again(logged),
                None => {
                    self.barrier = None;
                    if let Some(asker) = self.starts_after.take()
                        && let Err(refusal) = self.start_camera(&asker)
                    {
                        self.reply(&asker, Err(refusal));
                    }
                    if let Some(mailbox) = self.camera.mailbox() {
                        mailbox.post(Mail::Release);
                    }
                }
            }
        }
    }

    fn give_again(&mut self, logged: LoggedCommand) {
        let asker = Asker { client: logged.client, request: RequestId(u64::MAX), command: logged.command };
        match self.execute(&asker) {
            Ok(Outcome::Done(answer)) => self.done(&asker, logged.frame, answer),
            Ok(Outcome::Later) => {}
            Err(refusal) => self.warn(Severity::Error, refusal),
        }
    }

    /// Does first what a log says happened before the camera ran; then the camera is started for who asked.
    pub(in crate::engine::control) fn gives_first_commands(&mut self, asker: &Asker) -> bool {
        let first = self.replay_log.as_mut().map(|l| l.take_until(None)).unwrap_or_default();
        if first.is_empty() {
            return false;
        }
        self.barrier = Some(Barrier { left: first.into() });
        self.starts_after = Some(asker.clone());
        self.go_on_at_barrier();
        true
    }

    pub(crate) fn barriers(&self) -> VecDeque<u64> {
        self.replay_log.as_ref().map(ReplayLog::barriers).unwrap_or_default()
    }
}
