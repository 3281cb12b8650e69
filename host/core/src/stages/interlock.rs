//! Who may move things: one holder at a time. A sweep holds everything that moves while it runs; locks and protocols will.
//! Stopping is never a matter of who holds: anybody may stop everything.

use crate::control::{Refusal, RefusalKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one interlock of an engine.
#[derive(Debug, Default)]
pub(crate) struct Interlock(Mutex<Option<&'static str>>);

/// What its holder keeps; given back when dropped.
#[derive(Debug)]
pub(crate) struct Hold(Arc<Interlock>);

impl Interlock {
    fn lock(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes it; refused with the holder's name while somebody has it.
    pub(crate) fn take(self: &Arc<Self>, who: &'static str) -> Result<Hold, Refusal> {
        let mut held = self.lock();
        if let Some(holder) = *held {
            return Err(refusal(&format!("cannot start a {who}"), holder));
        }
        *held = Some(who);
        Ok(Hold(self.clone()))
    }

    /// Refused while somebody has it.
    pub(crate) fn check_free(&self, thing: &str) -> Result<(), Refusal> {
        self.lock().map_or(Ok(()), |holder| Err(refusal(thing, holder)))
    }

    /// Who has it.
    pub(crate) fn holder(&self) -> Option<&'static str> {
        *self.lock()
    }
}

impl Hold {
    /// True if it is a hold of this interlock.
    pub(crate) fn is_of(&self, interlock: &Arc<Interlock>) -> bool {
        Arc::ptr_eq(&self.0, interlock)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

fn refusal(thing: &str, holder: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Held,
        thing,
        format!("a {holder} runs and holds everything that moves"),
        format!("wait for the {holder} to end, or cancel it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_at_a_time_and_the_other_is_told_who() {
        let interlock = Arc::new(Interlock::default());
        let hold = interlock.take("sweep").unwrap();
        assert_eq!(interlock.holder(), Some("sweep"));
        let refused = interlock.take("lock").unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Held);
        assert!(refused.cause.contains("a sweep runs"), "{refused}");
        assert!(interlock.check_free("cannot move").is_err());
        drop(hold);
        assert!(interlock.check_free("cannot move").is_ok() && interlock.take("lock").is_ok());
    }
}
