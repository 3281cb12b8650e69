//! Slots of shared memory with one owner at a time: who may write, who may read, and the only place of the live path that
//! turns an address into bytes. It knows no camera, no consumer and no order of frames.
//!
//! # The protocol
//! A slot's state is one atomic number:
//! - `FREE`: nobody's. [`Slots::lend`] and [`Slots::fill`] take it.
//! - `LENT`: a camera writes its bytes, through the address that it was shown. [`Slots::begin`] and
//!   [`Slots::give_back`] end that.
//! - `FILLING`: one [`Filling`] has the slot to itself, and writes what belongs to the frame.
//! - 1, 2, 3 …: so many [`Held`] handles read it. The last one to go frees it.
//!
//! Every change of owner releases what the old one did and acquires it in the new one: a reader's last read happens
//! before the next writer's first write, because each handle lets go with `Release` (all decrements are one release
//! sequence) and a slot is taken with `Acquire`.
#![allow(unsafe_code)]

use super::bell::Bell;
use super::sync::{Arc, AtomicU32, AtomicUsize, Ordering, UnsafeCell};
use tetherscope_loader::{FrameMemory, SharedRegion};

/// Alignment of every slot; the most that a camera may ask for.
pub(crate) const SLOT_ALIGNMENT: usize = 4096;

const FREE: u32 = 0;
const LENT: u32 = u32::MAX;
const FILLING: u32 = u32::MAX - 1;
/// More handles than this are a bug, not a number to count on from.
const MOST_HANDLES: u32 = u32::MAX / 2;

/// All slots, each with a `M` beside its bytes.
pub(crate) struct Slots<M> {
    states: Box<[AtomicU32]>,
    beside: Box<[UnsafeCell<M>]>,
    /// Where to look first for a free one.
    next: AtomicUsize,
    /// Rung when a slot becomes free.
    pub(crate) freed: Bell,
    addresses: Box<[*mut u8]>,
    slot_bytes: usize,
    stride_bytes: usize,
    region: SharedRegion,
}

// SAFETY: the addresses lead into the region, which lives as long; `states` says who may touch which slot and what lies
// beside it. `M` is written by one thread and read by many.
unsafe impl<M: Send + Sync> Send for Slots<M> {}
// SAFETY: as above.
unsafe impl<M: Send + Sync> Sync for Slots<M> {}

impl<M> Slots<M> {
    /// Bytes from one slot to the next.
    pub(crate) fn stride_bytes(slot_bytes: usize) -> usize {
        slot_bytes.max(1).next_multiple_of(SLOT_ALIGNMENT)
    }

    /// Slots of `slot_bytes` in a region of at least `beside.len()` strides. Their memory is taken from the system as
    /// [`Slots::populate`] goes on, or when it is first written.
    pub(crate) fn new(region: SharedRegion, slot_bytes: usize, beside: Vec<M>) -> Self {
        let stride_bytes = Self::stride_bytes(slot_bytes);
        let n = beside.len();
        assert!(n > 0 && region.len() >= n * stride_bytes, "{n} slots of {stride_bytes} bytes in {}", region.len());
        if region.populate(0, stride_bytes).is_err() {
            // Nobody could do it later, so every page is touched now.
            for page in (0..n * stride_bytes).step_by(SLOT_ALIGNMENT) {
                // SAFETY: inside the region, which nobody else has yet.
                unsafe { region.as_mut_ptr().add(page).write_volatile(0) };
            }
        }
        Self {
            states: (0..n).map(|_| AtomicU32::new(FREE)).collect(),
            beside: beside.into_iter().map(UnsafeCell::new).collect(),
            next: AtomicUsize::new(0),
            freed: Bell::new(),
            // SAFETY: every offset lies inside the region.
            addresses: (0..n).map(|i| unsafe { region.as_mut_ptr().add(i * stride_bytes) }).collect(),
            slot_bytes,
            stride_bytes,
            region,
        }
    }

    /// Takes the memory of one slot from the system, whoever has the slot meanwhile; its bytes stay as they are.
    pub(crate) fn populate(&self, slot: usize) -> std::io::Result<()> {
        self.region.populate(slot * self.stride_bytes, self.stride_bytes)
    }

    /// Addresses of all slots.
    pub(crate) fn addresses(&self) -> &[*mut u8] {
        &self.addresses
    }

    /// Bytes of each slot.
    pub(crate) fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// The region that they lie in.
    pub(crate) fn region(&self) -> &SharedRegion {
        &self.region
    }

    /// Slots that are free, lent, and held, at this instant.
    pub(crate) fn census(&self) -> (usize, usize, usize) {
        let (mut free, mut lent) = (0, 0);
        for state in &self.states {
            match state.load(Ordering::Relaxed) {
                FREE => free += 1,
                LENT => lent += 1,
                _ => {}
            }
        }
        (free, lent, self.states.len() - free - lent)
    }

    fn take_free(&self, as_state: u32) -> Option<usize> {
        let n = self.states.len();
        let first = self.next.load(Ordering::Relaxed);
        for slot in (first..n).chain(0..first) {
            let state = &self.states[slot];
            if state.load(Ordering::Relaxed) == FREE
                && state.compare_exchange(FREE, as_state, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                self.next.store((slot + 1) % n, Ordering::Relaxed);
                return Some(slot);
            }
        }
        None
    }

    fn free(&self, slot: usize) {
        self.states[slot].store(FREE, Ordering::Release);
        self.freed.ring();
    }

    /// Lends a free slot.
    pub(crate) fn lend(&self) -> Option<usize> {
        self.take_free(LENT)
    }

    /// Takes a lent slot back unused; false if it was not lent.
    pub(crate) fn give_back(&self, slot: usize) -> bool {
        let taken = self
            .states
            .get(slot)
            .is_some_and(|s| s.compare_exchange(LENT, FREE, Ordering::AcqRel, Ordering::Relaxed).is_ok());
        if taken {
            self.freed.ring();
        }
        taken
    }

    /// Takes all lent slots back, of a camera that promised not to write any more. Gives their number.
    pub(crate) fn take_back_all(&self) -> usize {
        (0..self.states.len()).filter(|&slot| self.give_back(slot)).count()
    }

    /// Takes a lent slot to make a frame of it; None if it was not lent.
    pub(crate) fn begin(self: &Arc<Self>, slot: usize) -> Option<Filling<M>> {
        let state = self.states.get(slot)?;
        state.compare_exchange(LENT, FILLING, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        Some(Filling { slots: self.clone(), slot })
    }

    /// Copies `payload` into a free slot; None if none was free. Panics if it is longer than a slot.
    pub(crate) fn fill(self: &Arc<Self>, payload: &[u8]) -> Option<Filling<M>> {
        assert!(payload.len() <= self.slot_bytes, "{} bytes for a slot of {}", payload.len(), self.slot_bytes);
        let slot = self.take_free(FILLING)?;
        // SAFETY: the slot is this call's alone, and has `slot_bytes` bytes, not fewer than the payload.
        unsafe { std::ptr::copy_nonoverlapping(payload.as_ptr(), self.addresses[slot], payload.len()) };
        Some(Filling { slots: self.clone(), slot })
    }
}

/// A slot on its way from the camera to its readers: one owner, who may write what lies beside it. Freed when dropped.
pub(crate) struct Filling<M> {
    slots: Arc<Slots<M>>,
    slot: usize,
}

impl<M> Filling<M> {
    /// What lies beside the slot.
    pub(crate) fn beside(&mut self) -> &mut M {
        // SAFETY: while the state is FILLING, this handle alone leads to the cell; `&mut self` makes it one reference.
        self.slots.beside[self.slot].with_mut(|m| unsafe { &mut *m })
    }

    /// Opens it to readers: the first handle.
    pub(crate) fn finish(self) -> Held<M> {
        let filling = std::mem::ManuallyDrop::new(self);
        // SAFETY: the handle is not used any more, and is not dropped: the reference moves.
        let slots = unsafe { std::ptr::read(&raw const filling.slots) };
        slots.states[filling.slot].store(1, Ordering::Release);
        Held { slots, slot: filling.slot }
    }
}

impl<M> Drop for Filling<M> {
    fn drop(&mut self) {
        self.slots.free(self.slot);
    }
}

/// One of the handles that read a slot. The last one frees it.
pub(crate) struct Held<M> {
    slots: Arc<Slots<M>>,
    slot: usize,
}

impl<M> Held<M> {
    /// What lies beside the slot.
    pub(crate) fn beside(&self) -> &M {
        // SAFETY: while there is a handle nobody writes the cell.
        self.slots.beside[self.slot].with(|m| unsafe { &*m })
    }

    /// The slot's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the slot has so many bytes, and while there is a handle nobody writes them.
        unsafe { std::slice::from_raw_parts(self.slots.addresses[self.slot], self.slots.slot_bytes) }
    }

    /// From the region's start to the slot.
    pub(crate) fn offset_bytes(&self) -> u64 {
        (self.slot * self.slots.stride_bytes) as u64
    }

    /// The whole region. Who reads it keeps to slots of which it holds a handle for as long.
    pub(crate) fn memory(&self) -> FrameMemory<'_> {
        // SAFETY: the region lives as long as this handle. Nobody writes a slot that has a handle; that only such are
        // read is what this crate's batches see to, which are made of the frames that they hold.
        unsafe { FrameMemory::new(self.slots.region.as_mut_ptr(), self.slots.region.len()) }
    }
}

impl<M> Clone for Held<M> {
    fn clone(&self) -> Self {
        // Relaxed: who clones has a handle, so the slot cannot change hands meanwhile.
        let before = self.slots.states[self.slot].fetch_add(1, Ordering::Relaxed);
        assert!(before < MOST_HANDLES, "{before} handles of one frame");
        Self { slots: self.slots.clone(), slot: self.slot }
    }
}

impl<M> Drop for Held<M> {
    fn drop(&mut self) {
        if self.slots.states[self.slot].fetch_sub(1, Ordering::Release) == 1 {
            self.slots.freed.ring();
        }
    }
}
