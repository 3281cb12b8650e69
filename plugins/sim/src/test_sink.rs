//! A host in memory for tests: lends slots, keeps the frames that were committed, and counts what was lost. The only
//! place of this crate with unsafe code, since a host's side of the interface is a table of C functions.
#![allow(unsafe_code)]

use crate::gate::lock;
use std::ffi::c_void;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use tetherscope_plugin_api::abi::{CameraSink, STATUS_INTERNAL, STATUS_OK, Status, Str};
use tetherscope_plugin_api::{Camera, FrameInfo, FrameSink};

/// A frame that arrived.
#[derive(Clone)]
pub struct Arrived {
    /// What came with it.
    pub info: FrameInfo,
    /// Its channels.
    pub channels: Vec<f64>,
    /// The whole slot.
    pub bytes: Vec<u8>,
}

/// What happened so far.
#[derive(Default)]
pub struct Log {
    /// Frames in their order.
    pub frames: Vec<Arrived>,
    /// Counts and reasons of lost frames, in their order.
    pub lost: Vec<(u64, u32)>,
    /// Reasons of the ends that were told; one at most, if all is well.
    pub ended: Vec<u32>,
    /// Calls after the sink was closed: must stay 0.
    pub n_late_calls: u32,
}

impl Log {
    /// The frame ids that arrived.
    pub fn ids(&self) -> Vec<u64> {
        self.frames.iter().map(|frame| frame.info.device_frame_id).collect()
    }

    /// All frames that were told as lost.
    pub fn n_lost(&self) -> u64 {
        self.lost.iter().map(|(n, _)| n).sum()
    }
}

/// A sink with slots of its own.
pub struct TestSink {
    table: CameraSink,
    state: Mutex<State>,
    freed: Condvar,
    // The table points to these addresses, the addresses to the slots.
    addresses: Vec<*mut u8>,
    slots: Vec<Vec<u64>>,
}

// SAFETY: the raw addresses are of memory that the sink owns; a slot is touched by its borrower alone, the rest is
// behind the mutex.
unsafe impl Sync for TestSink {}
// SAFETY: as above.
unsafe impl Send for TestSink {}

#[derive(Default)]
struct State {
    log: Log,
    free: Vec<i32>,
    // Committed slots are kept until `release`, as by a slow consumer.
    hold: bool,
    held: Vec<i32>,
    // Frames are counted, not kept.
    only_count: bool,
    n_counted: u64,
    closed: bool,
}

impl TestSink {
    /// A sink with `n_slots` slots, for the format that the camera has now.
    pub fn new(camera: &impl Camera, n_slots: usize, lossless: bool) -> Box<Self> {
        let format = camera.format().unwrap();
        let slot_bytes = format.payload_bytes as usize;
        let mut slots = vec![vec![0_u64; slot_bytes.div_ceil(8)]; n_slots];
        let addresses = slots.iter_mut().map(|s| s.as_mut_ptr().cast::<u8>()).collect();
        let state = State { free: (0..n_slots as i32).rev().collect(), ..State::default() };
        let mut sink = Box::new(Self {
            table: CameraSink {
                struct_size: size_of::<CameraSink>() as u32,
                lossless: u32::from(lossless),
                ctx: std::ptr::null_mut(),
                slots: std::ptr::null(),
                n_slots: n_slots as u32,
                n_channel_values: format.n_channel_values,
                slot_bytes: slot_bytes as u64,
                lend: Some(lend),
                commit: Some(commit),
                give_back: Some(give_back),
                push: None,
                lost: Some(lost),
                ended: Some(ended),
            },
            state: Mutex::new(state),
            freed: Condvar::new(),
            addresses,
            slots,
        });
        sink.table.slots = sink.addresses.as_ptr();
        sink.table.ctx = (&raw mut *sink).cast();
        sink
    }

    /// The plugin's view of it. The sink must outlive the run.
    pub fn frames(&self) -> FrameSink {
        // SAFETY: the table lies in a box that the test keeps until it has stopped the camera.
        unsafe { FrameSink::new(&self.table) }
    }

    /// Keeps committed slots until `release`.
    pub fn hold(&self) {
        lock(&self.state).hold = true;
    }

    /// Frees the slots that were kept, and keeps no more.
    pub fn release(&self) {
        let mut state = lock(&self.state);
        state.hold = false;
        let held = std::mem::take(&mut state.held);
        state.free.extend(held);
        self.freed.notify_all();
    }

    /// From now on frames are counted and not kept.
    pub fn only_count(&self) {
        lock(&self.state).only_count = true;
    }

    /// Frames that were counted and not kept.
    pub fn n_counted(&self) -> u64 {
        lock(&self.state).n_counted
    }

    /// From now on every call is too late.
    pub fn close(&self) {
        lock(&self.state).closed = true;
    }

    /// Looks at what happened.
    pub fn log<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&lock(&self.state).log)
    }

    /// Slots that are neither lent nor kept.
    pub fn n_free(&self) -> usize {
        lock(&self.state).free.len()
    }
}

/// The sink behind `ctx`.
fn sink<'a>(ctx: *mut c_void) -> &'a TestSink {
    // SAFETY: `ctx` is the address of the boxed sink, which outlives the run; it is only ever borrowed shared.
    let sink = unsafe { &*ctx.cast::<TestSink>() };
    let mut state = lock(&sink.state);
    state.log.n_late_calls += u32::from(state.closed);
    drop(state);
    sink
}

unsafe extern "C" fn lend(ctx: *mut c_void, timeout_ns: i64) -> i32 {
    let sink = sink(ctx);
    let until = Instant::now() + Duration::from_nanos(timeout_ns.max(0) as u64);
    let mut state = lock(&sink.state);
    loop {
        if let Some(slot) = state.free.pop() {
            return slot;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return -1;
        }
        state = sink.freed.wait_timeout(state, left).unwrap().0;
    }
}

unsafe extern "C" fn commit(ctx: *mut c_void, slot: i32, info: *const FrameInfo, channels: *const f64) -> Status {
    let sink = sink(ctx);
    let Some(words) = sink.slots.get(slot as usize) else { return STATUS_INTERNAL };
    let (n_bytes, n_values) = (sink.table.slot_bytes as usize, sink.table.n_channel_values as usize);
    assert!(n_bytes <= words.len() * 8);
    let mut state = lock(&sink.state);
    if state.only_count {
        state.n_counted += 1;
    } else {
        // SAFETY: the slot was lent and is now ours again; its words hold at least `n_bytes` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(sink.addresses[slot as usize], n_bytes) }.to_vec();
        // SAFETY: the plugin's pointers are valid during the call, and lead to as many values as were announced.
        let (info, channels) = unsafe { (*info, std::slice::from_raw_parts(channels, n_values).to_vec()) };
        state.log.frames.push(Arrived { info, channels, bytes });
    }
    if state.hold {
        state.held.push(slot);
    } else {
        state.free.push(slot);
    }
    STATUS_OK
}

unsafe extern "C" fn give_back(ctx: *mut c_void, slot: i32) -> Status {
    let sink = sink(ctx);
    lock(&sink.state).free.push(slot);
    sink.freed.notify_all();
    STATUS_OK
}

unsafe extern "C" fn lost(ctx: *mut c_void, count: u64, reason: u32) {
    lock(&sink(ctx).state).log.lost.push((count, reason));
}

unsafe extern "C" fn ended(ctx: *mut c_void, reason: u32, _text: Str) {
    lock(&sink(ctx).state).log.ended.push(reason);
}
