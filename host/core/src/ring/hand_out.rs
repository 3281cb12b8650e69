//! From committed slots to frames in order: index, ids, gaps, and the offer to each consumer. Done by one thread at a time
//! (`combine.rs`), on the camera's path: it allocates nothing and waits for nobody.

use super::consumer::Consumer;
use super::gaps::{GapKind, GapRecord, OpenGap};
use super::ids::{Ids, Step};
use super::slots::Filling;
use super::{Frame, Ring};
use crate::ledger::DropReason;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tetherscope_loader::{FrameInfo, abi};

/// What lies beside a slot's bytes.
pub(crate) struct Beside {
    pub(super) index: u64,
    pub(super) session: u32,
    pub(super) info: FrameInfo,
    pub(super) device_time_ns: Option<i64>,
    pub(super) arrival_ns: i64,
    pub(super) n_lost_before: u64,
    values: Box<[f64]>,
    has_values: bool,
}

impl Beside {
    pub(super) fn new(n_values: usize) -> Self {
        Self {
            index: 0,
            session: 0,
            info: FrameInfo::new(0, 0),
            device_time_ns: None,
            arrival_ns: 0,
            n_lost_before: 0,
            values: vec![f64::NAN; n_values].into(),
            has_values: false,
        }
    }

    /// Takes the channels of a frame: all of them or none.
    pub(super) fn set_channels(&mut self, values: &[f64]) {
        self.has_values = values.len() == self.values.len();
        if self.has_values {
            self.values.copy_from_slice(values);
        }
    }

    pub(super) fn channels(&self) -> &[f64] {
        if self.has_values { &self.values } else { &[] }
    }
}

/// Losses of one reason that were told and are not in a gap record yet.
pub(super) struct Told {
    reason: DropReason,
    n: AtomicU64,
}

impl Told {
    pub(super) fn new(reason: DropReason) -> Self {
        Self { reason, n: AtomicU64::new(0) }
    }

    pub(super) fn reason(&self) -> DropReason {
        self.reason
    }

    pub(super) fn add(&self, n: u64) {
        self.n.fetch_add(n, Ordering::SeqCst);
    }

    pub(super) fn is_there(&self) -> bool {
        self.n.load(Ordering::SeqCst) > 0
    }
}

/// What one thread at a time works with.
pub(super) struct HandOut {
    next_index: u64,
    session: u32,
    ids: Ids,
    /// Losses told since the last frame: an id gap of as many is theirs.
    told_since: u64,
    lost_since: u64,
    gap: OpenGap,
    pub(super) consumers: Vec<Arc<Consumer>>,
    pub(super) is_over: bool,
}

impl HandOut {
    pub(super) fn new(id_bits: u32, first_index: u64) -> Self {
        Self {
            next_index: first_index,
            session: 0,
            ids: Ids::new(id_bits),
            told_since: 0,
            lost_since: 0,
            gap: OpenGap::default(),
            consumers: Vec::new(),
            is_over: false,
        }
    }

    /// Notes what was told and hands out what was committed.
    pub(super) fn work(&mut self, ring: &Ring) {
        self.note_told(ring);
        while let Some(filling) = ring.committed.pop() {
            self.take(ring, filling);
            self.note_told(ring);
        }
    }

    /// The ids and the clock begin anew. Gives the number of the session.
    pub(super) fn begin_session(&mut self, id_bits: u32) -> u32 {
        self.ids = Ids::new(id_bits);
        self.told_since = 0;
        self.session += 1;
        self.session
    }

    /// Index of the next frame.
    pub(super) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The gap that is open is over, or the camera is.
    pub(super) fn end_gap(&mut self, ring: &Ring) {
        self.gap.close(&ring.gaps);
    }

    pub(super) fn note_event(&mut self, ring: &Ring, kind: GapKind) {
        self.gap.close(&ring.gaps);
        self.note(ring, kind, 0, None, tetherscope_loader::now_ns());
        self.gap.close(&ring.gaps);
    }

    fn note(&mut self, ring: &Ring, kind: GapKind, n_frames: u64, ids: Option<(u64, u64)>, at_ns: i64) {
        let record = GapRecord {
            after_index: self.next_index.checked_sub(1),
            kind,
            n_frames,
            first_device_id: ids.map(|(first, _)| first),
            last_device_id: ids.map(|(_, last)| last),
            from_ns: at_ns,
            until_ns: at_ns,
        };
        self.gap.note(&ring.gaps, record);
    }

    fn note_told(&mut self, ring: &Ring) {
        for told in &ring.told {
            let n = if told.is_there() { told.n.swap(0, Ordering::SeqCst) } else { 0 };
            if n > 0 {
                self.told_since = self.told_since.saturating_add(n);
                self.lost_since = self.lost_since.saturating_add(n);
                self.note(ring, GapKind::Dropped(told.reason), n, None, tetherscope_loader::now_ns());
            }
        }
    }

    /// One committed slot: a frame for all, or one that was damaged.
    fn take(&mut self, ring: &Ring, mut filling: Filling<Beside>) {
        let beside = filling.beside();
        let (id, status, at_ns) = (beside.info.device_frame_id, beside.info.status, beside.arrival_ns);
        self.follow_ids(ring, id, at_ns);
        if status & (abi::FRAME_INCOMPLETE | abi::FRAME_CORRUPT) != 0 {
            let id = Some(id).filter(|&id| id != abi::NO_DEVICE_FRAME_ID).map(|id| (id, id));
            self.note(ring, GapKind::Dropped(DropReason::Incomplete), 1, id, at_ns);
            self.lost_since = self.lost_since.saturating_add(1);
            ring.counts.dropped(DropReason::Incomplete, 1);
            return;
        }
        self.gap.close(&ring.gaps);
        (beside.index, beside.session) = (self.next_index, self.session);
        beside.n_lost_before = std::mem::take(&mut self.lost_since);
        self.next_index += 1;
        let frame = Frame { held: filling.finish() };
        for consumer in &self.consumers {
            consumer.offer(&frame);
        }
        ring.next_index.store(self.next_index, Ordering::Release);
        ring.counts.delivered(1);
    }

    /// What a frame's id says of those before it.
    fn follow_ids(&mut self, ring: &Ring, id: u64, at_ns: i64) {
        let last = self.ids.last();
        let told = std::mem::take(&mut self.told_since);
        let step = self.ids.step(id);
        match step {
            Step::Unknown | Step::Next => {}
            Step::Missing(n) => {
                let between = last.map(|last| (last.wrapping_add(1), id.wrapping_sub(1)));
                if let Some((first, last)) = between.filter(|_| told > 0) {
                    self.gap.ids(first, last);
                }
                // What the camera told of is counted already; the rest nobody told of.
                let untold = n.saturating_sub(told);
                if untold > 0 {
                    ring.counts.saw(untold);
                    ring.counts.dropped(DropReason::CameraGap, untold);
                    self.lost_since = self.lost_since.saturating_add(untold);
                    self.note(ring, GapKind::Dropped(DropReason::CameraGap), untold, between, at_ns);
                }
            }
            Step::CameLate => {
                ring.counts.unsaw(DropReason::CameraGap, 1);
                self.note(ring, GapKind::CameLate, 1, Some((id, id)), at_ns);
            }
            Step::Duplicate => self.note(ring, GapKind::DuplicateId, 1, Some((id, id)), at_ns),
            Step::WentBack => self.note(ring, GapKind::IdsWentBack, 1, Some((id, id)), at_ns),
        }
    }
}
