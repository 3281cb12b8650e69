//! The slots that a camera fills: one region of shared memory, lent and taken back. The only place that turns slots into
//! memory to read.
//!
//! A slot is free, lent to the camera, or full (its frame belongs to the run until [`FrameSlots::release`]). Each slot
//! has one owner at any time; that is what makes reading full slots while others are written sound.
#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_loader::{FrameInfo, FrameMemory, FrameTarget, SharedRegion};

/// Alignment of every slot; the most that a camera may ask for.
const SLOT_ALIGNMENT: usize = 4096;

/// A frame that lies in a slot.
#[derive(Debug, Clone)]
pub struct ArrivedFrame {
    /// The slot.
    pub slot: usize,
    /// What came with it.
    pub info: FrameInfo,
    /// Values of its channels.
    pub channels: Vec<f64>,
}

/// What the camera told.
#[derive(Debug)]
pub(crate) enum Arrival {
    Frame(ArrivedFrame),
    Ended { reason: u32, text: String },
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Free,
    Lent,
    Full,
}

struct Inner {
    states: Vec<State>,
    arrived: VecDeque<Arrival>,
    lost: Vec<(u32, u64)>,
    closed: bool,
}

/// All slots of an armed camera.
pub struct FrameSlots {
    region: SharedRegion,
    addresses: Vec<*mut u8>,
    slot_bytes: usize,
    stride_bytes: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

// SAFETY: the addresses lead into the region, and `inner` says who may use which slot.
unsafe impl Send for FrameSlots {}
// SAFETY: as above.
unsafe impl Sync for FrameSlots {}

impl FrameSlots {
    /// `n_slots` slots for payloads of `slot_bytes`.
    pub fn new(n_slots: usize, slot_bytes: usize) -> std::io::Result<Arc<Self>> {
        let stride_bytes = slot_bytes.next_multiple_of(SLOT_ALIGNMENT);
        let total = stride_bytes.checked_mul(n_slots).ok_or_else(|| {
            std::io::Error::other(format!("{n_slots} slots of {slot_bytes} bytes are more than any memory"))
        })?;
        let region = SharedRegion::new(total)?;
        // SAFETY: every offset lies inside the region.
        let addresses = (0..n_slots).map(|i| unsafe { region.as_mut_ptr().add(i * stride_bytes) }).collect();
        let inner =
            Inner { states: vec![State::Free; n_slots], arrived: VecDeque::new(), lost: Vec::new(), closed: false };
        Ok(Arc::new(Self {
            region,
            addresses,
            slot_bytes,
            stride_bytes,
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of slots.
    pub fn n_slots(&self) -> usize {
        self.addresses.len()
    }

    /// Bytes from the region's start to a slot.
    pub fn offset_bytes(&self, slot: usize) -> u64 {
        (slot * self.stride_bytes) as u64
    }

    /// The whole region, to read the frames of full slots.
    pub(crate) fn memory(&self) -> FrameMemory<'_> {
        // SAFETY: the region lives as long as self; who reads keeps to slots that it took with `next`, and those are
        // not written before `release`.
        unsafe { FrameMemory::new(self.region.as_mut_ptr(), self.region.len()) }
    }

    /// The payload of a full slot. Panics if the slot is not full.
    pub(crate) fn payload(&self, slot: usize) -> &[u8] {
        assert!(self.lock().states[slot] == State::Full, "slot {slot} holds no frame");
        // SAFETY: a full slot is not written before `release`, which the run calls when it reads no more.
        unsafe { std::slice::from_raw_parts(self.addresses[slot], self.slot_bytes) }
    }

    /// The next thing that the camera told; None when nothing came in time.
    pub(crate) fn next(&self, timeout: Duration) -> Option<Arrival> {
        let until = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if let Some(a) = inner.arrived.pop_front() {
                return Some(a);
            }
            let left = until.checked_duration_since(Instant::now())?;
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Gives the slot of a frame back to the camera.
    pub(crate) fn release(&self, slot: usize) {
        self.lock().states[slot] = State::Free;
        self.changed.notify_all();
    }

    /// No more slots are lent: a camera that waits for one gets none.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Frames that the camera lost, by reason.
    pub(crate) fn lost_frames(&self) -> Vec<(u32, u64)> {
        self.lock().lost.clone()
    }

    fn take(&self, slot: usize, as_state: State) -> bool {
        let mut inner = self.lock();
        match inner.states.get_mut(slot) {
            Some(s) if *s == State::Lent => {
                *s = as_state;
                true
            }
            _ => false,
        }
    }

    fn arrive(&self, arrival: Arrival) {
        self.lock().arrived.push_back(arrival);
        self.changed.notify_all();
    }
}

/// The camera's side of the slots.
pub(crate) struct LosslessTarget(pub(crate) Arc<FrameSlots>);

impl FrameTarget for LosslessTarget {
    fn lossless(&self) -> bool {
        true
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
            if let Some(free) = inner.states.iter().position(|s| *s == State::Free) {
                inner.states[free] = State::Lent;
                return Some(free);
            }
            let left = match until {
                Some(u) => u.checked_duration_since(Instant::now())?,
                None => Duration::from_secs(1),
            };
            inner = self.0.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        if !self.0.take(slot, State::Full) {
            return false;
        }
        self.0.arrive(Arrival::Frame(ArrivedFrame { slot, info: *info, channels: channels.to_vec() }));
        true
    }

    fn give_back(&self, slot: usize) -> bool {
        let taken = self.0.take(slot, State::Free);
        self.0.changed.notify_all();
        taken
    }

    fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool {
        if payload.len() > self.0.slot_bytes {
            return false;
        }
        // Lossless: waits until the run gives a slot back, or until it is over.
        let Some(slot) = self.lend(Duration::MAX) else { return false };
        // SAFETY: the slot is lent to this call alone and holds `slot_bytes` bytes, not fewer than the payload.
        unsafe { std::ptr::copy_nonoverlapping(payload.as_ptr(), self.0.addresses[slot], payload.len()) };
        self.commit(slot, info, channels)
    }

    fn lost(&self, count: u64, reason: u32) {
        let mut inner = self.0.lock();
        match inner.lost.iter_mut().find(|(r, _)| *r == reason) {
            Some(entry) => entry.1 += count,
            None => inner.lost.push((reason, count)),
        }
    }

    fn ended(&self, reason: u32, text: &str) {
        self.0.arrive(Arrival::Ended { reason, text: text.to_owned() });
    }

    fn region(&self) -> Option<&SharedRegion> {
        Some(&self.0.region)
    }

    fn closed(&self) -> bool {
        self.0.lock().closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_one_owner_at_a_time() {
        let slots = FrameSlots::new(2, 10).unwrap();
        let camera = LosslessTarget(slots.clone());
        let (a, b) = (camera.lend(Duration::ZERO).unwrap(), camera.lend(Duration::ZERO).unwrap());
        assert_ne!(a, b);
        assert_eq!(camera.lend(Duration::from_millis(1)), None);
        assert!(camera.commit(a, &FrameInfo::new(0, 0), &[1.0]));
        assert!(!camera.commit(a, &FrameInfo::new(0, 0), &[]), "a full slot cannot be committed again");
        assert!(!camera.give_back(a), "a full slot is not the camera's to give back");
        assert!(camera.give_back(b));
        assert!(!camera.commit(7, &FrameInfo::new(0, 0), &[]), "there is no slot 7");
        let Some(Arrival::Frame(frame)) = slots.next(Duration::ZERO) else { panic!("the frame has not arrived") };
        assert_eq!((frame.slot, frame.channels), (a, vec![1.0]));
        slots.release(a);
        assert!(camera.lend(Duration::ZERO).is_some() && camera.lend(Duration::ZERO).is_some());
    }

    #[test]
    fn a_camera_that_waits_for_a_slot_is_let_go_when_the_run_is_over() {
        let slots = FrameSlots::new(1, 10).unwrap();
        let camera = LosslessTarget(slots.clone());
        assert!(camera.lend(Duration::ZERO).is_some());
        std::thread::scope(|s| {
            let waiting = s.spawn(|| camera.push(&[1, 2, 3], &FrameInfo::new(0, 0), &[]));
            slots.close();
            assert!(!waiting.join().unwrap());
        });
    }
}
