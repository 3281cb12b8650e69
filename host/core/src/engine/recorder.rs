//! The way from the live thread to the disk: a bounded queue, and a thread that empties it. Who puts something in never waits:
//! what does not fit is dropped, counted as `writer_full`, and stands in the gap table.

mod item;
mod provenance;
mod thread;
mod video;
mod waiting;

pub(crate) use item::{BatchItem, Item};
pub(crate) use provenance::sections;
pub(crate) use thread::{Finished, RecorderSetup, start};
pub(crate) use video::VideoShape;

use super::program::Program;
use super::work::{BatchFrames, BatchResults};
use crate::ledger::{DropReason, LedgerSnapshot, StageCounts};
use crate::plan::Plan;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_files::GapRecord;
use tetherscope_files::Row;
use tetherscope_loader::now_ns;

/// The side of the queue that everybody puts into.
#[derive(Clone)]
pub(crate) struct Inlet {
    queue: Arc<Queue>,
}

/// What is told of a recording while it runs.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) frames: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) unfinished_bytes: AtomicU64,
    pub(crate) part: AtomicU64,
}

pub(crate) struct Queue {
    id: u64,
    inner: Mutex<Inner>,
    put: Condvar,
    limits: Limits,
    pub(crate) progress: Progress,
}

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Batches.
    pub(crate) batches: usize,
    /// Frames in slots of the ring.
    pub(crate) held_frames: usize,
}

struct Inner {
    items: VecDeque<Item>,
    /// Batches that wait or are being written.
    batches: usize,
    /// Frames that keep a slot of the ring, likewise.
    held_frames: usize,
    high_water: f64,
    /// From this frame on; none: it has not begun.
    from: Option<u64>,
    /// So many frames; none: until somebody ends it.
    n_frames: Option<u64>,
    /// Up to this frame; none: it goes on.
    end: Option<u64>,
    /// When that was said, in ns of the host's monotonic clock.
    ended_ns: i64,
    /// The frame after the last one that was put in.
    next_frame: u64,
    /// Ledger of the running camera: rows, and frames of videos.
    tracks: Option<Arc<StageCounts>>,
    video: Option<Arc<StageCounts>>,
    /// The disk refused: nothing is taken any more.
    failed: bool,
}

impl Inlet {
    /// `n_frames`: it ends by itself after so many.
    pub(crate) fn new(id: u64, limits: Limits, n_frames: Option<u64>) -> Self {
        let inner = Inner {
            items: VecDeque::new(),
            batches: 0,
            held_frames: 0,
            high_water: 0.0,
            from: None,
            n_frames,
            end: None,
            ended_ns: 0,
            next_frame: 0,
            tracks: None,
            video: None,
            failed: false,
        };
        let queue = Queue { id, inner: Mutex::new(inner), put: Condvar::new(), limits, progress: Progress::default() };
        Self { queue: Arc::new(queue) }
    }

    pub(crate) fn id(&self) -> u64 {
        self.queue.id
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Counts in these stages from now on: another camera has another ledger.
    pub(crate) fn count_in(&self, tracks: Arc<StageCounts>, video: Arc<StageCounts>) {
        let mut inner = self.queue.lock();
        (inner.tracks, inner.video) = (Some(tracks), Some(video));
    }

    /// Its first frame. Whoever knows the boundary says so; the first to say it counts.
    pub(crate) fn begin(&self, frame: u64) {
        let mut inner = self.queue.lock();
        if inner.from.is_some() {
            return;
        }
        inner.from = Some(frame);
        inner.next_frame = frame;
        inner.items.push_back(Item::Begin(frame));
        self.queue.put.notify_all();
    }

    /// The first frame that is not in it any more; likewise. Gives what holds.
    pub(crate) fn end(&self, frame: u64) -> u64 {
        let mut inner = self.queue.lock();
        if let Some(end) = inner.end {
            return end;
        }
        (inner.end, inner.ended_ns) = (Some(frame), now_ns());
        inner.items.push_back(Item::End(frame));
        self.queue.put.notify_all();
        frame
    }

    /// No frame is taken any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.queue.lock().end.is_some()
    }

    /// The first frame that is not to be in it any more, where that is known before somebody ends it.
    pub(crate) fn end_frame(&self) -> Option<u64> {
        let inner = self.queue.lock();
        inner.from.zip(inner.n_frames).map(|(from, n)| from.saturating_add(n))
    }

    /// True if a gap of the camera before this frame, noticed then, is one of the recording. After its last frame it is one
    /// only while the recording was still on: who stops while the camera is gone wants to know that it was.
    pub(crate) fn has_gap(&self, first_frame_after: u64, noticed_ns: i64) -> bool {
        let inner = self.queue.lock();
        let Some(from) = inner.from.filter(|from| *from <= first_frame_after) else { return false };
        if let Some(n) = inner.n_frames {
            return first_frame_after < inner.end.unwrap_or(from.saturating_add(n));
        }
        let goes_on = |end| first_frame_after < end || first_frame_after == end && noticed_ns <= inner.ended_ns;
        inner.end.is_none_or(goes_on)
    }

    /// New files from the next frame on, which it names.
    pub(crate) fn rotate(&self) -> u64 {
        let mut inner = self.queue.lock();
        inner.items.push_back(Item::Rotate);
        self.queue.put.notify_all();
        inner.next_frame
    }

    /// Puts in something that is no frame: never refused.
    pub(crate) fn put(&self, item: Item) {
        self.queue.lock().items.push_back(item);
        self.queue.put.notify_all();
    }

    /// Takes a batch as far as there is room, and says so where there is none. Never waits for the disk.
    pub(crate) fn take(
        &self,
        program: &Program,
        batch: &Arc<BatchFrames>,
        rows: &[Row],
        tracked: Option<(&Arc<Plan>, &BatchResults)>,
    ) {
        let (mode, n) = (program.mode, batch.frames().len());
        let mut inner = self.queue.lock();
        if inner.end.is_some() || inner.from.is_none() {
            return;
        }
        Self::note_missed(&mut inner, batch);
        // Without ROIs there is nothing to cut out.
        let has_rois = program.plan.as_ref().is_some_and(|p| !p.rois().is_empty());
        let wants_video = mode.records_frames() || mode.records_rois() && has_rois;
        let with_rows = tracked.is_some();
        let room = inner.batches < self.queue.limits.batches && !inner.failed;
        // One batch always fits, or a small ring would never record anything.
        let fits = inner.held_frames == 0 || inner.held_frames + n <= self.queue.limits.held_frames;
        let room_for_video = room && fits;
        let reason = if inner.failed { DropReason::DiskError } else { DropReason::WriterFull };
        let first_after = batch.frames().last().map_or(0, |f| f.index() + 1);
        let refuse = |stage: Option<Arc<StageCounts>>, name: &str, items: &mut VecDeque<Item>| {
            if let Some(s) = stage {
                s.enter(n as u64).drop_rest(reason);
            }
            items.push_back(Item::Gap(gap(name, first_after, n as u64, reason.name())));
        };
        if with_rows && !room {
            let stage = inner.tracks.clone();
            refuse(stage, "tracks", &mut inner.items);
        }
        if wants_video && !room_for_video {
            let stage = inner.video.clone();
            refuse(stage, "video", &mut inner.items);
        }
        let (take_rows, take_video) = (with_rows && room, wants_video && room_for_video);
        if take_rows || take_video {
            inner.batches += 1;
            let held = if take_video { n } else { 0 };
            inner.held_frames += held;
            let profiles = tracked
                .filter(|_| program.record_profiles && take_rows)
                .map(|(plan, r)| (plan.layout().n_bins, r.profiles.clone(), r.weights.clone()));
            let ticket = |stage: &Option<Arc<StageCounts>>| stage.as_ref().map(|s| s.enter(n as u64));
            let item = BatchItem {
                arrivals_ns: batch.frames().iter().map(|f| f.arrival_ns()).collect(),
                rows: if take_rows { rows.to_vec() } else { Vec::new() },
                rows_ticket: if take_rows { ticket(&inner.tracks) } else { None },
                profiles: profiles.filter(|(n_bins, ..)| *n_bins > 0),
                video: take_video.then(|| batch.clone()),
                video_ticket: if take_video { ticket(&inner.video) } else { None },
                mode,
                rois: program.plan.clone().filter(|_| mode.records_rois()),
                n_frames: n as u64,
                end_frame: first_after,
                held,
            };
            inner.items.push_back(Item::Batch(Box::new(item)));
        }
        let limits = &self.queue.limits;
        let level = |is: usize, of: usize| is as f64 / of.max(1) as f64;
        let now = level(inner.batches, limits.batches).max(level(inner.held_frames, limits.held_frames));
        inner.high_water = inner.high_water.max(now);
        drop(inner);
        self.queue.put.notify_all();
    }

    /// Frames that never reached the live thread stand in the gap table.
    fn note_missed(inner: &mut Inner, batch: &BatchFrames) {
        for (frame, utc_ns) in batch.frames().iter().zip(batch.utc_ns()) {
            let missed = frame.index().saturating_sub(inner.next_frame);
            if missed > 0 {
                let record = GapRecord {
                    utc_ns: Some(*utc_ns),
                    ..gap("intake", frame.index(), missed, DropReason::ConsumerSlow.name())
                };
                inner.items.push_back(Item::Gap(record));
            }
            inner.next_frame = frame.index() + 1;
        }
    }

    /// How full it is and was at most, 0 to 1.
    pub(crate) fn levels(&self) -> (f64, f64) {
        let (inner, limits) = (self.queue.lock(), &self.queue.limits);
        let level = |is: usize, of: usize| is as f64 / of.max(1) as f64;
        (level(inner.batches, limits.batches).max(level(inner.held_frames, limits.held_frames)), inner.high_water)
    }

    /// Frames that keep their slots of the ring.
    pub(crate) fn held_frames(&self) -> usize {
        self.queue.lock().held_frames
    }

    /// Its first frame, once it has begun.
    pub(crate) fn first_frame(&self) -> Option<u64> {
        self.queue.lock().from
    }
}

/// In short, what a ledger says.
fn verdict(ledger: &LedgerSnapshot) -> serde_json::Value {
    let (lost, unexplained) = (ledger.n_lost(), ledger.unexplained());
    serde_json::json!({ "complete": lost == 0 && unexplained == 0, "frames_lost": lost, "unexplained": unexplained })
}

/// A gap as files know it.
fn gap(stage: &str, first_frame_after: u64, count: u64, reason: &str) -> GapRecord {
    GapRecord {
        stage: stage.to_owned(),
        first_frame_after,
        count,
        reason: reason.to_owned(),
        device_ids: None,
        utc_ns: None,
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to write; None when none came in time.
    fn next(&self, timeout: Duration) -> Option<Item> {
        let until = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if let Some(item) = inner.items.pop_front() {
                return Some(item);
            }
            let left = until.checked_duration_since(Instant::now()).filter(|l| !l.is_zero())?;
            inner = self.put.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A batch is written, or given up.
    fn written(&self, held: usize) {
        let mut inner = self.lock();
        inner.batches -= 1;
        inner.held_frames -= held;
    }

    /// The disk refused.
    fn fail(&self) {
        self.lock().failed = true;
    }
}
