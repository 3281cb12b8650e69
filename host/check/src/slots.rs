//! Slots that a camera under test delivers into: they remember every call, keep copies of the last frames, and have guard
//! bytes behind each slot. A committed slot is free again at once, unless the slots are held.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_loader::{CameraFormat, FrameInfo, FrameTarget};

/// Bytes behind each slot that nobody may write.
const GUARD: usize = 64;
const GUARD_BYTE: u8 = 0xc3;
/// Frames whose bytes are kept.
const KEPT: usize = 4;

/// One frame that came.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) info: FrameInfo,
    pub(crate) channels: Vec<f64>,
    /// Empty for all but the last frames.
    pub(crate) bytes: Vec<u8>,
    /// What its slot was filled with before.
    pub(crate) fill: u8,
}

/// What happened.
#[derive(Debug, Default)]
pub(crate) struct Events {
    lent: Vec<Option<u8>>,
    fills: u8,
    pub(crate) frames: Vec<Frame>,
    pub(crate) lost: u64,
    pub(crate) ended: Option<(u32, String)>,
    /// Calls of any kind.
    pub(crate) calls: u64,
    /// What a camera must not do.
    pub(crate) wrong: Vec<String>,
    /// True: no slot is free.
    held: bool,
}

impl Events {
    /// Slots that are lent at the moment.
    pub(crate) fn n_lent(&self) -> usize {
        self.lent.iter().flatten().count()
    }
}

/// The slots.
pub(crate) struct Slots {
    memory: Vec<Box<[AtomicU8]>>,
    addresses: Vec<*mut u8>,
    slot_bytes: usize,
    align: usize,
    lossless: bool,
    events: Mutex<Events>,
    free: Condvar,
}

// SAFETY: the addresses lead into `memory`, whose bytes are atomics: as shareable as they are.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// Slots for frames of a format.
    pub(crate) fn new(format: &CameraFormat, n: usize, lossless: bool) -> Arc<Self> {
        let slot_bytes = format.payload_bytes as usize;
        let align = (format.alignment_bytes as usize).max(8);
        let memory: Vec<Box<[AtomicU8]>> =
            (0..n).map(|_| (0..slot_bytes + align + GUARD).map(|_| AtomicU8::new(GUARD_BYTE)).collect()).collect();
        let addresses = memory.iter().map(|m| m[first(m, align)..].as_ptr().cast::<u8>().cast_mut()).collect();
        let events = Mutex::new(Events { lent: vec![None; n], ..Events::default() });
        Arc::new(Self { memory, addresses, slot_bytes, align, lossless, events, free: Condvar::new() })
    }

    /// What happened up to now.
    pub(crate) fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on no slot becomes free, or they do again.
    pub(crate) fn hold(&self, held: bool) {
        self.events().held = held;
        self.free.notify_all();
    }

    /// The bytes of slot `i`, and of its guard.
    fn bytes(&self, i: usize) -> (&[AtomicU8], &[AtomicU8]) {
        let m = &self.memory[i];
        let from = first(m, self.align);
        (&m[from..from + self.slot_bytes], &m[from + self.slot_bytes..from + self.slot_bytes + GUARD])
    }

    fn take(&self, events: &mut Events, slot: usize, info: &FrameInfo, channels: &[f64], fill: u8) {
        let (bytes, guard) = self.bytes(slot);
        if guard.iter().any(|b| b.load(Ordering::Relaxed) != GUARD_BYTE) {
            events.wrong.push(format!("bytes behind the {} of the slot were written", self.slot_bytes));
            guard.iter().for_each(|b| b.store(GUARD_BYTE, Ordering::Relaxed));
        }
        if let Some(old) = events.frames.len().checked_sub(KEPT) {
            events.frames[old].bytes = Vec::new();
        }
        let bytes = bytes.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        events.frames.push(Frame { info: *info, channels: channels.to_vec(), bytes, fill });
        self.free.notify_all();
    }
}

/// Where the slot begins in its memory.
fn first(memory: &[AtomicU8], align: usize) -> usize {
    let at = memory.as_ptr() as usize;
    at.next_multiple_of(align) - at
}

impl FrameTarget for Slots {
    fn lossless(&self) -> bool {
        self.lossless
    }

    fn slots(&self) -> &[*mut u8] {
        &self.addresses
    }

    fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    fn lend(&self, timeout: Duration) -> Option<usize> {
        let until = Instant::now() + timeout.min(Duration::from_secs(3600));
        let mut events = self.events();
        events.calls += 1;
        loop {
            let free = events.lent.iter().position(Option::is_none).filter(|_| !events.held);
            if let Some(slot) = free {
                // Another fill each time, so that bytes that stay as they were are told from written ones.
                let fill = events.fills.wrapping_mul(83).wrapping_add(17);
                events.fills = events.fills.wrapping_add(1);
                self.bytes(slot).0.iter().for_each(|b| b.store(fill, Ordering::Relaxed));
                events.lent[slot] = Some(fill);
                return Some(slot);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            events = self.free.wait_timeout(events, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        let mut events = self.events();
        events.calls += 1;
        let Some(fill) = events.lent.get_mut(slot).and_then(Option::take) else {
            events.wrong.push(format!("slot {slot} was committed, and was not lent"));
            return false;
        };
        self.take(&mut events, slot, info, channels, fill);
        true
    }

    fn give_back(&self, slot: usize) -> bool {
        let mut events = self.events();
        events.calls += 1;
        let was = events.lent.get_mut(slot).and_then(Option::take).is_some();
        if !was {
            events.wrong.push(format!("slot {slot} was given back, and was not lent"));
        }
        self.free.notify_all();
        was
    }

    fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool {
        let mut events = self.events();
        events.calls += 1;
        let free = events.lent.iter().position(Option::is_none).filter(|_| !events.held);
        let Some(slot) = free else {
            events.lost += 1;
            return false;
        };
        let fill = events.fills;
        events.fills = events.fills.wrapping_add(83);
        let bytes = self.bytes(slot).0;
        bytes.iter().for_each(|b| b.store(fill, Ordering::Relaxed));
        bytes.iter().zip(payload).for_each(|(b, v)| b.store(*v, Ordering::Relaxed));
        self.take(&mut events, slot, info, channels, fill);
        true
    }

    fn lost(&self, count: u64, _reason: u32) {
        let mut events = self.events();
        events.calls += 1;
        events.lost += count;
    }

    fn ended(&self, reason: u32, text: &str) {
        let mut events = self.events();
        events.calls += 1;
        if events.ended.is_some() {
            events.wrong.push("it told its end twice".into());
        }
        events.ended = Some((reason, text.to_owned()));
    }
}

/// The slots as the loader wants them.
pub(crate) struct Handle(pub(crate) Arc<Slots>);

impl FrameTarget for Handle {
    fn lossless(&self) -> bool {
        self.0.lossless()
    }
    fn slots(&self) -> &[*mut u8] {
        self.0.slots()
    }
    fn slot_bytes(&self) -> usize {
        self.0.slot_bytes()
    }
    fn lend(&self, timeout: Duration) -> Option<usize> {
        self.0.lend(timeout)
    }
    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        self.0.commit(slot, info, channels)
    }
    fn give_back(&self, slot: usize) -> bool {
        self.0.give_back(slot)
    }
    fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool {
        self.0.push(payload, info, channels)
    }
    fn lost(&self, count: u64, reason: u32) {
        self.0.lost(count, reason);
    }
    fn ended(&self, reason: u32, text: &str) {
        self.0.ended(reason, text);
    }
}
