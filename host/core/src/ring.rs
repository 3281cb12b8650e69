//! The ring: frames from a camera to any number of consumers, in shared memory, without a copy. It lends slots, puts
//! frames in order, counts what is lost, and offers each frame to each consumer. It makes no thread and knows neither what
//! a consumer does nor how a camera is polled (that is [`LiveCamera`](crate::LiveCamera)).
//!
//! # How it is used
//! 1. [`Ring::new`] before the camera is armed: takes the memory, within a budget.
//! 2. [`Ring::subscribe`], before or while frames come: each consumer gets a [`Subscription`] with a queue of its own,
//!    and a line in the [`Ledger`].
//! 3. [`LiveCamera::start`](crate::LiveCamera::start) lets a camera fill it.
//! 4. [`Subscription::next`] gives [`Frame`]s: handles to read from any thread, cloned freely. The slot is the camera's
//!    again when the last handle is dropped, so a consumer keeps at most `in_hand` of them.
//! 5. [`Ring::next_gap`], once a second or so, by whoever writes the gap table.
//! 6. After the camera has stopped, each subscription gives what still waits, then [`Next::Ended`].
//!
//! # What is certain
//! - The camera's path (lend without a timeout, commit, push, lost) never waits for a consumer, takes no lock that
//!   anybody sleeps with, allocates nothing and logs nothing. `lend` with a timeout waits as long as the camera asks it
//!   to, since in that time the camera loses nothing.
//! - In a lossless ring a camera waits for a slot as long as it must, and consumers that want every frame get it.
//! - Slots are set aside for what each consumer may hold, so a slow one cannot take them from the camera or from others:
//!   [`Ring::subscribe`] refuses what does not fit.
//! - Frames have indices 0, 1, 2 … without gaps, over restarts of the camera too; what did not come stands in gap records
//!   between them, and in the ledger.
//! - A frame that the camera calls incomplete or corrupt is counted as `incomplete` and offered to nobody, as offline.

mod bell;
mod budget;
mod combine;
mod consumer;
mod gaps;
mod hand_out;
mod ids;
mod slots;
mod sync;
mod target;

pub use budget::available_memory_bytes;
pub use consumer::{ConsumerWaker, Next, Policy, SubscribeOptions, Subscription};
pub use gaps::{GapKind, GapRecord};
pub(crate) use target::RingTarget;

use crate::error::RunError;
use crate::ledger::{DropReason, Ledger, StageCounts};
use combine::Combine;
use consumer::Consumer;
use crossbeam_queue::ArrayQueue;
use gaps::GapLog;
use hand_out::{Beside, HandOut, Told};
use serde::{Deserialize, Serialize};
use slots::{Filling, Held, Slots};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tetherscope_loader::{CameraFormat, ChannelInfo, FrameMemory, FrameTarget, SharedRegion, abi};

/// Name of the camera's stage in the ledger.
pub const CAMERA_STAGE: &str = "camera";

/// How large a ring is and how it behaves.
#[derive(Debug, Clone)]
pub struct RingOptions {
    /// Slots: what the camera holds, and what each consumer has waiting and in hand.
    pub n_slots: usize,
    /// Most bytes for all slots; None: three quarters of the memory that is free.
    pub memory_budget_bytes: Option<u64>,
    /// The camera waits for slots and no frame is dropped, for recordings played as fast as they can be tracked.
    pub lossless: bool,
    /// Gap records that may wait for whoever writes them.
    pub gap_capacity: usize,
    /// Index of its first frame: an experiment goes on counting when another camera has another ring.
    pub first_index: u64,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self { n_slots: 128, memory_budget_bytes: None, lossless: false, gap_capacity: 4096, first_index: 0 }
    }
}

/// Frames of an armed camera.
pub struct Ring {
    slots: Arc<Slots<Beside>>,
    format: CameraFormat,
    channels: Vec<ChannelInfo>,
    lossless: bool,
    /// Frames that were committed and not handed out yet. Never full: it has room for every slot.
    committed: ArrayQueue<Filling<Beside>>,
    /// Losses that were told and not noted yet.
    told: [Told; 4],
    hand_out: Combine<HandOut>,
    next_index: AtomicU64,
    counts: Arc<StageCounts>,
    gaps: GapLog,
    /// No more slots are lent.
    closing: AtomicBool,
    /// Slots that stopped cameras had not given back.
    n_taken_back: AtomicU64,
    ledger: Ledger,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ring({:?})", self.status())
    }
}

/// How full a ring is at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingStatus {
    /// All slots.
    pub n_slots: usize,
    /// Slots that are nobody's.
    pub n_free: usize,
    /// Slots that the camera has.
    pub n_lent: usize,
    /// Slots that cameras had not given back when they stopped, so far; they were taken back.
    pub n_taken_back: u64,
    /// Slots whose frames are held, by queues and by consumers.
    pub n_held: usize,
    /// Bytes of all slots.
    pub bytes: u64,
    /// Index of the next frame: the number of frames delivered so far.
    pub next_index: u64,
    /// Gap records that found no room.
    pub n_gap_records_lost: u64,
}

impl Ring {
    /// A ring for frames of this format. Its stage `camera` and those of its consumers are added to `ledger`.
    ///
    /// # Errors
    /// More memory than the budget or the machine has, or channels that do not fit the format.
    pub fn new(
        format: &CameraFormat,
        channels: Vec<ChannelInfo>,
        options: &RingOptions,
        ledger: &Ledger,
    ) -> Result<Arc<Self>, RunError> {
        let n_values = format.n_channel_values as usize;
        let announced: u64 = channels.iter().map(|c| u64::from(c.length)).sum();
        if announced != n_values as u64 {
            return Err(RunError::refused(
                "cannot make a ring for these frames",
                format!("the camera's channels have {announced} values, its format announces {n_values}"),
                "report it to the plugin's author",
            ));
        }
        let n_slots = options.n_slots;
        let bytes =
            budget::check(n_slots, format.payload_bytes, options.memory_budget_bytes, available_memory_bytes())?;
        let region = SharedRegion::new(bytes).map_err(|e| {
            RunError::refused(
                format!("cannot take {n_slots} slots for frames"),
                format!("{bytes} bytes of shared memory: {e}"),
                "close other programs, or use fewer slots or smaller frames",
            )
        })?;
        let beside = (0..n_slots).map(|_| Beside::new(n_values)).collect();
        let ring = Arc::new(Self {
            slots: Arc::new(Slots::new(region, format.payload_bytes as usize, beside)),
            format: *format,
            channels,
            lossless: options.lossless,
            committed: ArrayQueue::new(n_slots),
            told: [
                Told::new(DropReason::CameraGap),
                Told::new(DropReason::Underrun),
                Told::new(DropReason::Incomplete),
                Told::new(DropReason::RingFull),
            ],
            hand_out: Combine::new(HandOut::new(format.device_id_bits, options.first_index)),
            next_index: AtomicU64::new(options.first_index),
            counts: StageCounts::new(CAMERA_STAGE),
            gaps: GapLog::new(options.gap_capacity),
            closing: AtomicBool::new(false),
            n_taken_back: AtomicU64::new(0),
            ledger: ledger.clone(),
        });
        // The ledger must not keep the memory: what it knows of a ring that is gone is its last word.
        let (counts, weak) = (ring.counts.clone(), Arc::downgrade(&ring));
        ledger.add(move || counts.snapshot_with(|| weak.upgrade().map_or(0, |r| r.committed.len() as u64)));
        Ok(ring)
    }

    /// The format of its frames.
    pub fn format(&self) -> &CameraFormat {
        &self.format
    }

    /// The channels of its frames.
    pub fn channels(&self) -> &[ChannelInfo] {
        &self.channels
    }

    /// True if its cameras wait instead of losing frames.
    pub fn is_lossless(&self) -> bool {
        self.lossless
    }

    /// The ledger that its stages stand in.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How full it is.
    pub fn status(&self) -> RingStatus {
        let (n_free, n_lent, n_held) = self.slots.census();
        RingStatus {
            n_slots: n_free + n_lent + n_held,
            n_free,
            n_lent,
            n_taken_back: self.n_taken_back.load(Ordering::Relaxed),
            n_held,
            bytes: self.slots.region().len() as u64,
            next_index: self.next_index.load(Ordering::Acquire),
            n_gap_records_lost: self.gaps.n_lost(),
        }
    }

    /// The oldest gap record that nobody took yet.
    pub fn next_gap(&self) -> Option<GapRecord> {
        self.gaps.pop()
    }

    /// Takes the memory of all slots from the system, slot by slot, while the camera may run already: it waits for memory
    /// only where it is faster than this. Ends early when no more slots are lent. False: the rest could not be taken.
    pub(crate) fn populate(&self) -> bool {
        let mut slots = 0..self.slots.addresses().len();
        slots.all(|slot| self.closing.load(Ordering::Relaxed) || self.slots.populate(slot).is_ok())
    }

    /// Slots that the camera needs for itself: what it said it would like to hold, and at least one.
    fn n_for_camera(&self) -> usize {
        self.format.slots_wanted.max(1) as usize
    }

    /// A consumer of all frames from now on.
    ///
    /// # Errors
    /// A name that is taken, or more slots than are left for it.
    pub fn subscribe(self: &Arc<Self>, options: &SubscribeOptions) -> Result<Subscription, RunError> {
        let n_slots = self.slots.addresses().len();
        // Lossless, the camera waits until there is a slot, so a queue for all of them is never full.
        let waits = self.lossless && matches!(options.policy, Policy::DropNewest | Policy::DropOldest);
        let capacity = match options.policy {
            Policy::NewestOnly => 1,
            _ if waits => n_slots,
            _ => options.capacity.max(1),
        };
        let n_reserved = if waits { 0 } else { capacity.saturating_add(options.in_hand) };
        let consumer = Arc::new(Consumer::new(options, capacity, n_reserved));
        let joined = self.hand_out.change(|out| {
            if out.consumers.iter().any(|c| c.counts.name() == options.name) {
                return Err(RunError::refused(
                    format!("cannot give `{}` the camera's frames", options.name),
                    "another consumer has this name",
                    "give it another name, or end the other one",
                ));
            }
            let others: usize = out.consumers.iter().map(|c| c.n_reserved).sum();
            let wanted = others.saturating_add(n_reserved).saturating_add(self.n_for_camera());
            if wanted > n_slots {
                return Err(RunError::refused(
                    format!("cannot give `{}` the camera's frames", options.name),
                    format!(
                        "it may hold {n_reserved} slots, other consumers hold {others}, the camera {}: {wanted} of \
                         {n_slots}",
                        self.n_for_camera()
                    ),
                    "give the ring more slots, or the consumers shorter queues",
                ));
            }
            out.consumers.push(consumer.clone());
            if out.is_over {
                consumer.end();
            }
            Ok(out.next_index())
        });
        self.settle();
        let first_index = joined?;
        let (counts, weak) = (consumer.counts.clone(), Arc::downgrade(&consumer));
        self.ledger.add(move || counts.snapshot_with(|| weak.upgrade().map_or(0, |c| c.queue.len() as u64)));
        Ok(Subscription::new(self.clone(), consumer, first_index))
    }

    fn unsubscribe(&self, consumer: &Arc<Consumer>) {
        self.hand_out.change(|out| out.consumers.retain(|c| !Arc::ptr_eq(c, consumer)));
        self.settle();
    }

    /// Hands out what was committed, unless another thread is at it.
    fn settle(&self) {
        let is_there_work = || !self.committed.is_empty() || self.told.iter().any(Told::is_there);
        self.hand_out.settle(is_there_work, |out| out.work(self));
    }

    /// Notes what happened to the camera.
    pub(crate) fn note(&self, kind: GapKind) {
        self.settle();
        self.hand_out.change(|out| out.note_event(self, kind));
        self.settle();
    }

    /// No more slots are lent, and who waits for one gets none: the camera is about to stop.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.slots.freed.ring();
    }

    /// A camera may come, or come again: its ids and its clock begin anew. Gives the number of its session.
    pub(crate) fn open(&self) -> u32 {
        self.settle();
        self.closing.store(false, Ordering::SeqCst);
        self.hand_out.change(|out| out.begin_session(self.format.device_id_bits))
    }

    /// A camera's session is over: its last gap is told.
    pub(crate) fn end_session(&self) {
        self.settle();
        self.hand_out.change(|out| out.end_gap(self));
    }

    /// The camera's side, for a source of frames that is no plugin: a recording that is played, a bench. Each begins a
    /// session; the one before must be over. What [`LiveCamera`](crate::LiveCamera) uses for plugins.
    pub fn target(self: &Arc<Self>) -> impl FrameTarget + Clone + use<> {
        RingTarget::new(self)
    }

    /// No camera will fill it any more: consumers end when they have taken what waits. Not for rings that a
    /// [`LiveCamera`](crate::LiveCamera) fills, which does it itself.
    pub fn finish(&self) {
        self.close();
        self.end_session();
        self.hand_out.change(|out| {
            out.is_over = true;
            out.consumers.iter().for_each(|c| c.end());
        });
        self.settle();
    }
}

/// A frame, to read from any thread. Clones are handles of the same frame; its slot is the camera's again when the last
/// one is dropped.
#[derive(Clone)]
pub struct Frame {
    held: Held<Beside>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({})", self.index())
    }
}

impl Frame {
    /// The host's index: 0, 1, 2 … without gaps.
    pub fn index(&self) -> u64 {
        self.held.beside().index
    }

    /// The device's id as it came; None without.
    pub fn device_id(&self) -> Option<u64> {
        Some(self.held.beside().info.device_frame_id).filter(|&id| id != abi::NO_DEVICE_FRAME_ID)
    }

    /// Device time in ns from the device's own origin; None without a clock.
    pub fn device_time_ns(&self) -> Option<i64> {
        self.held.beside().device_time_ns
    }

    /// When it was committed, in ns of the host's monotonic clock.
    pub fn arrival_ns(&self) -> i64 {
        self.held.beside().arrival_ns
    }

    /// Exposure in ns; None unknown.
    pub fn exposure_ns(&self) -> Option<i64> {
        Some(self.held.beside().info.exposure_ns).filter(|&ns| ns >= 0)
    }

    /// Which start of the camera it belongs to: with the next number, the device's clock may count from elsewhere.
    pub fn session(&self) -> u32 {
        self.held.beside().session
    }

    /// Frames that were lost just before it, as far as anybody knows.
    pub fn n_lost_before(&self) -> u64 {
        self.held.beside().n_lost_before
    }

    /// Values of the channels; empty if the camera gave none with this frame.
    pub fn channels(&self) -> &[f64] {
        self.held.beside().channels()
    }

    /// The payload, as the format describes it.
    pub fn payload(&self) -> &[u8] {
        self.held.bytes()
    }

    /// From the start of [`Frame::memory`] to its payload.
    pub fn offset_bytes(&self) -> u64 {
        self.held.offset_bytes()
    }

    /// The memory that all frames of its ring lie in: one batch of ROIs takes pixels of several of them. Only ROIs of
    /// frames that are held meanwhile may be read through it.
    #[allow(dead_code, reason = "the engine's batches read through it")]
    pub(crate) fn memory(&self) -> FrameMemory<'_> {
        self.held.memory()
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
