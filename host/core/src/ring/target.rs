//! The camera's side of the ring: what a plugin lends, fills and commits. One for each start of a camera, so that what an
//! earlier one still does is not taken for the present one's.

use super::Ring;
use super::hand_out::Beside;
use super::slots::Filling;
use crate::ledger::DropReason;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_loader::{CameraFormat, FrameInfo, FrameTarget, SharedRegion, abi};

/// The target of one start of a camera. Clones are the same one.
#[derive(Clone)]
pub(crate) struct RingTarget {
    ring: Arc<Ring>,
    session: Arc<Session>,
}

const NOT_REFUSED: u8 = 0;
const REFUSED_FULL: u8 = 1;
const REFUSED_CLOSED: u8 = 2;

/// What one start of a camera told.
#[derive(Default)]
struct Session {
    /// Why the last lend got nothing, as `REFUSED_*`: if the camera tells of an underrun now, that is the reason.
    refused: AtomicU8,
    /// Nothing is taken any more.
    retired: AtomicBool,
    has_ended: AtomicBool,
    ended: Mutex<Option<(u32, String)>>,
}

impl RingTarget {
    /// The target of the next start.
    pub(crate) fn new(ring: &Arc<Ring>) -> Self {
        ring.open();
        Self { ring: ring.clone(), session: Arc::default() }
    }

    /// True when the camera told that no more frames come.
    pub(crate) fn has_ended(&self) -> bool {
        self.session.has_ended.load(Ordering::Acquire)
    }

    /// Why no more frames come, one of `ENDED_*`, and the camera's words.
    pub(crate) fn end(&self) -> Option<(u32, String)> {
        self.session.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes nothing any more. If the camera has stopped as it should, slots that it did not give back are taken back.
    pub(crate) fn retire(&self, has_stopped: bool) {
        self.session.retired.store(true, Ordering::SeqCst);
        let kept = if has_stopped { self.ring.slots.take_back_all() } else { 0 };
        if kept > 0 {
            self.ring.n_taken_back.fetch_add(kept as u64, Ordering::Relaxed);
            tracing::warn!("the camera stopped and did not give {kept} slots back; they were taken back");
        }
        self.ring.end_session();
    }

    fn is_retired(&self) -> bool {
        self.session.retired.load(Ordering::Relaxed)
    }

    fn is_closed(&self) -> bool {
        self.is_retired() || self.ring.closing.load(Ordering::Relaxed)
    }

    /// Looks for a slot until the camera's patience is over, or the run.
    fn wait_for<T>(&self, until: Option<Instant>, look: impl Fn() -> Option<T>) -> Option<T> {
        let look = || if self.is_closed() { Some(None) } else { look().map(Some) };
        self.ring.slots.freed.wait_for(until, look).flatten()
    }

    /// Writes what belongs to a frame, and hands it out.
    fn deliver(&self, mut filling: Filling<Beside>, info: &FrameInfo, channels: &[f64]) {
        let beside = filling.beside();
        beside.info = *info;
        beside.arrival_ns = tetherscope_loader::now_ns();
        beside.device_time_ns = device_time_ns(self.ring.format(), info);
        beside.set_channels(channels);
        self.session.refused.store(NOT_REFUSED, Ordering::Relaxed);
        self.ring.counts.saw(1);
        if self.ring.committed.push(filling).is_err() {
            // It has room for every slot, so this cannot be; if it is, it is counted.
            self.lose(1, DropReason::RingFull);
        }
        self.ring.settle();
    }

    /// Counts frames that were seen and dropped.
    fn lose(&self, n: u64, reason: DropReason) {
        self.ring.counts.dropped(reason, n);
        if let Some(told) = self.ring.told.iter().find(|t| t.reason() == reason) {
            told.add(n);
        }
    }
}

/// Device time in ns: whole ns per tick are exact, others are rounded to the nearest ns.
fn device_time_ns(format: &CameraFormat, info: &FrameInfo) -> Option<i64> {
    let ticks = info.device_time_ticks;
    let per_tick = format.ns_per_tick;
    if per_tick <= 0.0 || ticks == abi::NO_DEVICE_TIME {
        return None;
    }
    if per_tick.fract() == 0.0 && per_tick < 1e9 {
        return ticks.checked_mul(per_tick as i64);
    }
    Some((ticks as f64 * per_tick).round() as i64)
}

impl FrameTarget for RingTarget {
    fn lossless(&self) -> bool {
        self.ring.lossless
    }

    fn slots(&self) -> &[*mut u8] {
        self.ring.slots.addresses()
    }

    fn slot_bytes(&self) -> usize {
        self.ring.slots.slot_bytes()
    }

    fn lend(&self, timeout: Duration) -> Option<usize> {
        let mut slot = if self.is_closed() { None } else { self.ring.slots.lend() };
        if slot.is_none() && !timeout.is_zero() {
            slot = self.wait_for(Instant::now().checked_add(timeout), || self.ring.slots.lend());
        }
        if slot.is_none() {
            let why = if self.is_closed() { REFUSED_CLOSED } else { REFUSED_FULL };
            self.session.refused.store(why, Ordering::Relaxed);
        }
        slot
    }

    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        let Some(filling) = self.ring.slots.begin(slot) else { return false };
        if self.is_retired() {
            return false;
        }
        self.deliver(filling, info, channels);
        true
    }

    fn give_back(&self, slot: usize) -> bool {
        self.ring.slots.give_back(slot)
    }

    fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool {
        if payload.len() > self.slot_bytes() || self.is_retired() {
            return false;
        }
        let filling = match self.ring.slots.fill(payload) {
            None if self.ring.lossless => self.wait_for(None, || self.ring.slots.fill(payload)),
            filling => filling,
        };
        match filling {
            Some(filling) => {
                self.deliver(filling, info, channels);
                true
            }
            None => {
                self.ring.counts.saw(1);
                self.lose(1, if self.is_closed() { DropReason::UserStop } else { DropReason::RingFull });
                self.ring.settle();
                false
            }
        }
    }

    fn lost(&self, count: u64, reason: u32) {
        if count == 0 || self.is_retired() {
            return;
        }
        let reason = match reason {
            abi::LOST_UNDERRUN => match self.session.refused.load(Ordering::Relaxed) {
                REFUSED_FULL => DropReason::RingFull,
                REFUSED_CLOSED => DropReason::UserStop,
                _ => DropReason::Underrun,
            },
            abi::LOST_INCOMPLETE => DropReason::Incomplete,
            _ => DropReason::CameraGap,
        };
        self.ring.counts.saw(count);
        self.lose(count, reason);
        self.ring.settle();
    }

    fn ended(&self, reason: u32, text: &str) {
        let mut ended = self.session.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get_or_insert_with(|| (reason, text.to_owned()));
        self.session.has_ended.store(true, Ordering::Release);
    }

    fn region(&self) -> Option<&SharedRegion> {
        Some(self.ring.slots.region())
    }

    fn closed(&self) -> bool {
        self.is_closed()
    }
}
