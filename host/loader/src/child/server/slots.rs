//! A camera's slots as its child has them: the host's memory, mapped, and those slots that the host has lent ahead.
#![allow(unsafe_code)]

use super::out::Out;
use crate::child::pod::bytes_of;
use crate::child::wire;
use crate::direct::FrameTarget;
use crate::shared::SharedRegion;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_plugin_api::FrameInfo;
use tetherscope_plugin_api::abi;

/// The slots of one running camera.
pub(super) struct Slots {
    camera: u64,
    out: Out,
    _region: SharedRegion,
    addresses: Vec<*mut u8>,
    slot_bytes: usize,
    lossless: bool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    /// Slots that the host has lent and the camera has not.
    credits: VecDeque<usize>,
    /// Per slot: the camera has it.
    lent: Vec<bool>,
    closed: bool,
}

// SAFETY: the addresses lead into the region, and `inner` says who may use which slot.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// Slots at these offsets of a region; None if one does not lie inside it.
    pub(super) fn new(
        camera: u64,
        out: Out,
        region: SharedRegion,
        offsets: &[u64],
        slot_bytes: usize,
        lossless: bool,
    ) -> Option<Arc<Self>> {
        let place = |&offset: &u64| {
            let begin = usize::try_from(offset).ok()?;
            // SAFETY: the whole slot lies inside the region.
            (begin.checked_add(slot_bytes)? <= region.len()).then(|| unsafe { region.as_mut_ptr().add(begin) })
        };
        let addresses: Vec<*mut u8> = offsets.iter().map(place).collect::<Option<_>>()?;
        let inner = Inner { credits: VecDeque::new(), lent: vec![false; addresses.len()], closed: false };
        Some(Arc::new(Self {
            camera,
            out,
            _region: region,
            addresses,
            slot_bytes,
            lossless,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host lends a slot.
    pub(super) fn credit(&self, slot: usize) {
        if slot < self.addresses.len() {
            self.lock().credits.push_back(slot);
            self.changed.notify_one();
        }
    }

    /// The host lends no more: who waits gets none.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// The camera's side of the slots.
pub(super) struct ChildTarget(pub(super) Arc<Slots>);

impl FrameTarget for ChildTarget {
    fn lossless(&self) -> bool {
        self.0.lossless
    }

    fn slots(&self) -> &[*mut u8] {
        &self.0.addresses
    }

    fn slot_bytes(&self) -> usize {
        self.0.slot_bytes
    }

    fn lend(&self, timeout: Duration) -> Option<usize> {
        let until = Instant::now().checked_add(timeout);
        let mut inner = self.0.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(slot) = inner.credits.pop_front() {
                inner.lent[slot] = true;
                return Some(slot);
            }
            let left = match until {
                Some(u) => u.checked_duration_since(Instant::now())?,
                None => Duration::from_secs(1),
            };
            inner = self.0.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        let mut inner = self.0.lock();
        if inner.lent.get(slot) != Some(&true) {
            return false;
        }
        inner.lent[slot] = false;
        // Sent under the lock, so that frames arrive in the order in which they were taken.
        let slot = (slot as u32).to_le_bytes();
        self.0.out.send(
            wire::COMMIT,
            self.0.camera,
            &[&slot, bytes_of(std::slice::from_ref(info)), bytes_of(channels)],
        );
        true
    }

    fn give_back(&self, slot: usize) -> bool {
        let mut inner = self.0.lock();
        let lent = inner.lent.get(slot) == Some(&true);
        if lent {
            inner.lent[slot] = false;
            inner.credits.push_back(slot);
            self.0.changed.notify_one();
        }
        lent
    }

    fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool {
        if payload.len() > self.0.slot_bytes {
            return false;
        }
        let Some(slot) = self.lend(if self.0.lossless { Duration::MAX } else { Duration::ZERO }) else {
            if !self.0.lossless {
                self.lost(1, abi::LOST_UNDERRUN);
            }
            return false;
        };
        // SAFETY: the slot is lent to this call alone and holds `slot_bytes` bytes, not fewer than the payload.
        unsafe { std::ptr::copy_nonoverlapping(payload.as_ptr(), self.0.addresses[slot], payload.len()) };
        self.commit(slot, info, channels)
    }

    fn lost(&self, count: u64, reason: u32) {
        self.0.out.send(wire::LOST, self.0.camera, &[&count.to_le_bytes(), &reason.to_le_bytes()]);
    }

    fn ended(&self, reason: u32, text: &str) {
        self.0.out.send(wire::ENDED, self.0.camera, &[&reason.to_le_bytes(), text.as_bytes()]);
    }
}
