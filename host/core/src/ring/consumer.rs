//! One consumer of the ring: a bounded queue of its own, a policy for when it is full, and a wake-up. What it does or does
//! not do costs the camera and the other consumers nothing.

use super::{Frame, Ring};
use crate::ledger::{DropReason, StageCounts, StageSnapshot};
use crossbeam_queue::ArrayQueue;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// What happens to a frame whose consumer has no room, and which frames it gets at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The new frame is dropped: `consumer_slow`. For who wants what comes without holes as long as possible.
    DropNewest,
    /// The oldest frame in the queue is dropped: `consumer_slow`. For who wants what is recent.
    DropOldest,
    /// Only the newest frame is kept. Those in between are passed over, and are no loss. For a display.
    NewestOnly,
    /// Frames whose index is a multiple of this; the others are passed over. Without room, the new frame is dropped.
    Every(std::num::NonZeroU64),
}

/// What a consumer wants.
#[derive(Debug, Clone)]
pub struct SubscribeOptions {
    /// Its name: that of its stage in the ledger.
    pub name: String,
    /// Frames that may wait for it. 1 for [`Policy::NewestOnly`].
    pub capacity: usize,
    /// Frames that it holds at once outside its queue, at most: a batch. Slots are set aside for them.
    pub in_hand: usize,
    /// When it has no room.
    pub policy: Policy,
}

/// The side that the ring sees.
pub(crate) struct Consumer {
    pub(super) queue: ArrayQueue<Frame>,
    policy: Policy,
    pub(super) counts: Arc<StageCounts>,
    /// Slots set aside: its queue and what it holds.
    pub(super) n_reserved: usize,
    over: AtomicBool,
    /// Somebody wants its thread to come out of its sleep.
    nudged: AtomicBool,
    /// True while its thread sleeps or is about to.
    sleeps: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

impl Consumer {
    pub(super) fn new(options: &SubscribeOptions, capacity: usize, n_reserved: usize) -> Self {
        Self {
            queue: ArrayQueue::new(capacity),
            policy: options.policy,
            counts: StageCounts::new(options.name.clone()),
            n_reserved,
            over: AtomicBool::new(false),
            nudged: AtomicBool::new(false),
            sleeps: AtomicBool::new(false),
            thread: Mutex::new(None),
        }
    }

    /// Gives it a frame, or counts why not. Never waits. One caller at a time.
    pub(super) fn offer(&self, frame: &Frame) {
        if let Policy::Every(n) = self.policy
            && !frame.index().is_multiple_of(n.get())
        {
            return self.counts.pass_over(1);
        }
        self.counts.saw(1);
        match self.policy {
            Policy::DropNewest | Policy::Every(_) => {
                if self.queue.push(frame.clone()).is_err() {
                    self.counts.dropped(DropReason::ConsumerSlow, 1);
                }
            }
            Policy::DropOldest => {
                if self.queue.force_push(frame.clone()).is_some() {
                    self.counts.dropped(DropReason::ConsumerSlow, 1);
                }
            }
            Policy::NewestOnly => {
                if self.queue.force_push(frame.clone()).is_some() {
                    self.counts.pass_over_seen(1);
                }
            }
        }
        self.wake();
    }

    /// Wakes its thread if that sleeps.
    fn wake(&self) {
        // After the push: either we see that it sleeps, or it sees the frame.
        fence(Ordering::SeqCst);
        if self.sleeps.load(Ordering::Relaxed) && self.sleeps.swap(false, Ordering::Relaxed) {
            // In nobody's hands while its thread sleeps: it changes it only before.
            if let Ok(thread) = self.thread.try_lock()
                && let Some(thread) = &*thread
            {
                thread.unpark();
            }
        }
    }

    /// No more frames will come.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// How it stands: in flight is what waits in the queue.
    pub(super) fn snapshot(&self) -> StageSnapshot {
        self.counts.snapshot_with(|| self.queue.len() as u64)
    }
}

/// What [`Subscription::next`] found.
#[derive(Debug)]
pub enum Next {
    /// A frame.
    Frame(Frame),
    /// Nothing came in time, or a [`ConsumerWaker`] ended the wait.
    TimedOut,
    /// Nothing will come any more.
    Ended,
}

/// A consumer's side of the ring. One thread uses it at a time. Frames come in the order of their indices; where an index
/// is missing, this consumer was too slow, or its policy passed the frame over. Unsubscribes when dropped; frames that
/// still waited are then dropped as `user_stop`.
pub struct Subscription {
    ring: Arc<Ring>,
    consumer: Arc<Consumer>,
    first_index: u64,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscription({}, {} waiting)", self.name(), self.len())
    }
}

impl Subscription {
    pub(super) fn new(ring: Arc<Ring>, consumer: Arc<Consumer>, first_index: u64) -> Self {
        Self { ring, consumer, first_index }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.consumer.counts.name()
    }

    /// Its counters, for what its owner drops for reasons of its own after it took it.
    pub fn snapshot(&self) -> StageSnapshot {
        self.consumer.snapshot()
    }

    /// The ring.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.ring
    }

    /// Index of the first frame that was offered to it: all from this one on are.
    pub fn first_index(&self) -> u64 {
        self.first_index
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.consumer.queue.len()
    }

    /// True when no frame waits.
    pub fn is_empty(&self) -> bool {
        self.consumer.queue.is_empty()
    }

    /// The next frame, if one waits.
    pub fn try_next(&mut self) -> Option<Frame> {
        let frame = self.consumer.queue.pop()?;
        self.consumer.counts.delivered(1);
        Some(frame)
    }

    /// The next frame; sleeps for it at most `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Next {
        let until = Instant::now().checked_add(timeout);
        loop {
            // Looked at before the queue: what was offered before the end is still given out.
            let over = self.consumer.over.load(Ordering::SeqCst);
            if let Some(frame) = self.try_next() {
                return Next::Frame(frame);
            }
            if over {
                return Next::Ended;
            }
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() || self.consumer.nudged.swap(false, Ordering::SeqCst) {
                return Next::TimedOut;
            }
            self.sleep(left);
        }
    }

    /// Lets another thread end the wait in [`Subscription::next`]: for who also listens to something else.
    pub fn waker(&self) -> ConsumerWaker {
        ConsumerWaker { consumer: self.consumer.clone() }
    }

    fn sleep(&self, at_most: Duration) {
        let consumer = &self.consumer;
        {
            let mut thread = consumer.thread.lock().unwrap_or_else(PoisonError::into_inner);
            let current = std::thread::current();
            if thread.as_ref().map(Thread::id) != Some(current.id()) {
                *thread = Some(current);
            }
        }
        consumer.sleeps.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let flags = [&consumer.over, &consumer.nudged];
        if consumer.queue.is_empty() && flags.iter().all(|f| !f.load(Ordering::SeqCst)) {
            // A second at most: a wake-up that a spurious one swallowed costs no more than that.
            std::thread::park_timeout(at_most.min(Duration::from_secs(1)));
        }
        consumer.sleeps.store(false, Ordering::Relaxed);
    }
}

/// Ends a consumer's wait.
#[derive(Clone)]
pub struct ConsumerWaker {
    consumer: Arc<Consumer>,
}

impl ConsumerWaker {
    /// Its [`Subscription::next`], now or when it is called next and finds no frame, gives [`Next::TimedOut`].
    pub fn wake(&self) {
        self.consumer.nudged.store(true, Ordering::SeqCst);
        self.consumer.wake();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.ring.unsubscribe(&self.consumer);
        while self.consumer.queue.pop().is_some() {
            self.consumer.counts.dropped(DropReason::UserStop, 1);
        }
    }
}
