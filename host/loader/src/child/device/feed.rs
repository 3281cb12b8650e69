//! The frames of one running camera in a child: which slots it has been lent, and what it says of them. Nothing that it
//! says is believed: a slot that was not lent is not taken.

use super::{DeviceChild, lock};
use crate::child::pod::{value_of, values_of};
use crate::child::wire;
use crate::direct::FrameTarget;
use crate::library::{MAX_SENTENCE_CHARS, one_line};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;
use tetherscope_plugin_api::{FrameInfo, abi};

/// Slots that a child gets ahead of its frames: enough for the time that a message takes, at thousands of frames per
/// second.
const CREDITS: usize = 8;
/// How long the lending waits at once, for a slot or for a frame. Also how soon it notices the end.
const LEND_FOR: Duration = Duration::from_millis(20);

/// A running camera's way to the host's slots.
pub(super) struct Feed {
    target: Box<dyn FrameTarget>,
    n_values: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    /// Per slot: lent to the child.
    lent: Vec<bool>,
    n_lent: usize,
    over: bool,
}

impl Feed {
    pub(super) fn new(target: Box<dyn FrameTarget>, n_values: usize) -> Arc<Self> {
        let inner = Inner { lent: vec![false; target.slots().len()], n_lent: 0, over: false };
        Arc::new(Self { target, n_values, inner: Mutex::new(inner), changed: Condvar::new() })
    }

    pub(super) fn target(&self) -> &dyn FrameTarget {
        &*self.target
    }

    /// Lends slots ahead until the camera is stopped or the target lends no more. Runs on a thread of its own.
    pub(super) fn lend(&self, child: &Weak<DeviceChild>, camera: u64) {
        // Never all: others may wait for a slot too.
        let ahead = CREDITS.min(self.target.slots().len().div_ceil(2));
        loop {
            let inner = lock(&self.inner);
            let waits = |i: &mut Inner| !i.over && i.n_lent >= ahead;
            let (inner, _) =
                self.changed.wait_timeout_while(inner, LEND_FOR, waits).unwrap_or_else(PoisonError::into_inner);
            if inner.over {
                return;
            }
            if inner.n_lent >= ahead {
                continue;
            }
            drop(inner);
            let slot = self.target.lend(LEND_FOR);
            let Some(child) = child.upgrade() else { return };
            // An error means that the child has gone, which its reader tells.
            match slot {
                Some(slot) if self.note_lent(slot) => {
                    let _ = child.send(wire::CREDIT, camera, &[&(slot as u32).to_le_bytes()]);
                }
                Some(slot) => {
                    let _ = self.target.give_back(slot);
                }
                None if self.target.closed() => {
                    let _ = child.send(wire::CLOSED, camera, &[]);
                    return;
                }
                None => {}
            }
        }
    }

    /// Notes a slot as lent; false after the end.
    fn note_lent(&self, slot: usize) -> bool {
        let mut inner = lock(&self.inner);
        if inner.over || slot >= inner.lent.len() {
            return false;
        }
        inner.lent[slot] = true;
        inner.n_lent += 1;
        true
    }

    fn note_back(&self, slot: usize) -> bool {
        let mut inner = lock(&self.inner);
        let lent = inner.lent.get(slot) == Some(&true);
        if lent {
            inner.lent[slot] = false;
            inner.n_lent -= 1;
            self.changed.notify_all();
        }
        lent
    }

    /// One message about frames; None if it makes no sense.
    pub(super) fn take(&self, kind: u32, body: &[u8]) -> Option<()> {
        match kind {
            wire::COMMIT => {
                let slot = wire::u32_at(body, 0)? as usize;
                let (info, channels) = body.get(4..)?.split_at_checked(size_of::<FrameInfo>())?;
                let channels: Vec<f64> =
                    if channels.len().is_multiple_of(8) { values_of(channels) } else { return None };
                let fits = channels.is_empty() || channels.len() == self.n_values;
                let info = value_of(info)?;
                (fits && self.note_back(slot) && self.target.commit(slot, &info, &channels)).then_some(())
            }
            wire::LOST => {
                self.target.lost(wire::u64_at(body, 0)?, wire::u32_at(body, 8)?);
                Some(())
            }
            _ => {
                let reason = wire::u32_at(body, 0)?;
                let known = (abi::ENDED_END_OF_DATA..=abi::ENDED_ERROR).contains(&reason);
                let text = String::from_utf8_lossy(&body[4..]);
                self.target.ended(if known { reason } else { abi::ENDED_ERROR }, &one_line(&text, MAX_SENTENCE_CHARS));
                Some(())
            }
        }
    }

    /// Lends no more, and takes back what the child still has. To be called when it writes no more.
    pub(super) fn finish(&self) {
        let mut inner = lock(&self.inner);
        inner.over = true;
        inner.n_lent = 0;
        let lent: Vec<usize> = (0..inner.lent.len()).filter(|&i| std::mem::take(&mut inner.lent[i])).collect();
        drop(inner);
        self.changed.notify_all();
        for slot in lent {
            // False for one that the target had already taken back: as good.
            let _ = self.target.give_back(slot);
        }
    }

    /// The child has gone.
    pub(super) fn end(&self, reason: u32, text: &str) {
        self.finish();
        self.target.ended(reason, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::pod::bytes_of;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Slots that nobody looks into; counts the frames that were taken.
    struct Target(Arc<AtomicUsize>);

    const N_SLOTS: usize = 3;

    impl FrameTarget for Target {
        fn lossless(&self) -> bool {
            true
        }
        fn slots(&self) -> &[*mut u8] {
            &[std::ptr::null_mut(); N_SLOTS]
        }
        fn slot_bytes(&self) -> usize {
            128
        }
        fn lend(&self, _timeout: Duration) -> Option<usize> {
            None
        }
        fn commit(&self, slot: usize, _info: &FrameInfo, channels: &[f64]) -> bool {
            assert!(slot < N_SLOTS && channels.len() <= 1, "slot {slot}, {channels:?}");
            self.0.fetch_add(1, Ordering::Relaxed);
            true
        }
        fn give_back(&self, slot: usize) -> bool {
            slot < N_SLOTS
        }
        fn push(&self, _payload: &[u8], _info: &FrameInfo, _channels: &[f64]) -> bool {
            false
        }
        fn lost(&self, _count: u64, _reason: u32) {}
        fn ended(&self, reason: u32, text: &str) {
            assert!((abi::ENDED_END_OF_DATA..=abi::ENDED_ERROR).contains(&reason) && !text.contains('\n'), "{reason}");
        }
    }

    /// A frame in a slot as a child tells it, with one channel.
    fn commit_of(slot: u32) -> Vec<u8> {
        let info = FrameInfo::new(7, 0);
        [&slot.to_le_bytes()[..], bytes_of(std::slice::from_ref(&info)), bytes_of(&[1.5_f64])].concat()
    }

    #[test]
    fn a_slot_that_was_not_lent_is_never_taken_whatever_a_child_says_of_it() {
        let frames = Arc::new(AtomicUsize::new(0));
        let feed = Feed::new(Box::new(Target(frames.clone())), 1);
        let taken = || frames.load(Ordering::Relaxed);
        assert!(feed.take(wire::COMMIT, &commit_of(1)).is_none(), "nothing is lent");
        assert!(feed.note_lent(1));
        for slot in [0, 2, 3, 1 << 16, 1 << 31, u32::MAX] {
            assert!(feed.take(wire::COMMIT, &commit_of(slot)).is_none(), "slot {slot}");
        }
        let whole = commit_of(1);
        // Without its channel, and with a part of something; what a frame's numbers are is the camera's business.
        for len in (0..whole.len()).filter(|len| *len != whole.len() - 8) {
            assert!(feed.take(wire::COMMIT, &whole[..len]).is_none(), "{len} bytes");
        }
        assert!(feed.take(wire::COMMIT, &[&whole[..], &[0; 8]].concat()).is_none(), "a channel too many");
        assert_eq!(taken(), 0);
        assert!(feed.take(wire::COMMIT, &whole).is_some() && taken() == 1);
        assert!(feed.take(wire::COMMIT, &whole).is_none() && taken() == 1, "twice");
        feed.finish();
        assert!(!feed.note_lent(2) && feed.take(wire::COMMIT, &commit_of(2)).is_none(), "after the end");
    }

    #[test]
    fn rubbish_about_frames_is_refused_or_harmless() {
        let feed = Feed::new(Box::new(Target(Arc::default())), 1);
        let mut seed = 11_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        for round in 0..20_000 {
            feed.note_lent(round % N_SLOTS);
            let body: Vec<u8> = (0..round % 80).map(|_| next()).collect();
            let _ = feed.take([wire::COMMIT, wire::LOST, wire::ENDED][round % 3], &body);
        }
    }
}
