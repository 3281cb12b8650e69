//! Gap records: what happened to frames that did not come, between which of those that did. A bounded queue that the
//! camera's path fills and whoever writes the file empties; if it runs over, that is counted and told in a record.

use crate::ledger::DropReason;
use crossbeam_queue::ArrayQueue;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// A gap that goes on is told anew after so long, so that the file knows of it while it lasts.
const MOST_MERGED_NS: i64 = 1_000_000_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GapKind {
    /// Frames were dropped.
    Dropped(DropReason),
    /// Frames that were told as `camera_gap` came after all, later than their successors.
    CameLate,
    /// A frame had the id of the one before; it was delivered.
    DuplicateId,
    /// A frame had an id from before; it was delivered. Or the device began to count anew.
    IdsWentBack,
    /// The camera was gone. How many frames were lost is not known.
    Disconnected,
    /// The camera was back.
    Reconnected,
    /// So many gap records found no room. Their frames stand in the ledger.
    RecordsLost,
}

impl GapKind {
    /// As it stands in files: the reason's name for what was dropped.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dropped(reason) => reason.name(),
            Self::CameLate => "came_late",
            Self::DuplicateId => "duplicate_id",
            Self::IdsWentBack => "ids_went_back",
            Self::Disconnected => "disconnected",
            Self::Reconnected => "reconnected",
            Self::RecordsLost => "records_lost",
        }
    }
}

/// One line of the gap table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRecord {
    /// The last frame that was delivered before it; None before the first.
    pub after_index: Option<u64>,
    /// What happened.
    pub kind: GapKind,
    /// Frames that it is about: lost ones for [`GapKind::Dropped`]; 0 where nobody knows.
    pub n_frames: u64,
    /// Device id of the first frame that it is about; None where nobody knows.
    pub first_device_id: Option<u64>,
    /// Device id of the last one.
    pub last_device_id: Option<u64>,
    /// When it was noticed, in ns of the host's monotonic clock.
    pub from_ns: i64,
    /// When it was last noticed: later than `from_ns` for several frames in a row.
    pub until_ns: i64,
}

/// Gap records on their way to the file.
#[derive(Debug)]
pub(crate) struct GapLog {
    queue: ArrayQueue<GapRecord>,
    /// Records that found no room, ever, and those of them that no record has told of yet.
    n_lost: AtomicU64,
    n_untold: AtomicU64,
}

impl GapLog {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { queue: ArrayQueue::new(capacity.max(1)), n_lost: AtomicU64::new(0), n_untold: AtomicU64::new(0) }
    }

    /// Takes a record. One caller at a time.
    fn push(&self, record: GapRecord) {
        if self.queue.push(record).is_err() {
            self.n_lost.fetch_add(1, Ordering::Relaxed);
            self.n_untold.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The oldest record, for whoever writes them.
    pub(crate) fn pop(&self) -> Option<GapRecord> {
        if let Some(record) = self.queue.pop() {
            return Some(record);
        }
        let n_frames = self.n_untold.swap(0, Ordering::Relaxed);
        let now_ns = tetherscope_loader::now_ns();
        (n_frames > 0).then_some(GapRecord {
            after_index: None,
            kind: GapKind::RecordsLost,
            n_frames,
            first_device_id: None,
            last_device_id: None,
            from_ns: now_ns,
            until_ns: now_ns,
        })
    }

    /// Records that found no room.
    pub(crate) fn n_lost(&self) -> u64 {
        self.n_lost.load(Ordering::Relaxed)
    }
}

/// Merges the losses between two frames into few records. One caller at a time.
#[derive(Debug, Default)]
pub(crate) struct OpenGap {
    open: Option<GapRecord>,
}

impl OpenGap {
    /// Takes a record that may be continued by the next one, if that is of its kind.
    pub(crate) fn note(&mut self, log: &GapLog, record: GapRecord) {
        match &mut self.open {
            Some(open) if open.kind == record.kind && record.until_ns - open.from_ns < MOST_MERGED_NS => {
                open.n_frames = open.n_frames.saturating_add(record.n_frames);
                open.first_device_id = open.first_device_id.or(record.first_device_id);
                open.last_device_id = record.last_device_id.or(open.last_device_id);
                open.until_ns = record.until_ns;
            }
            _ => {
                self.close(log);
                self.open = Some(record);
            }
        }
    }

    /// The device ids between the frame before and the one that came: those of an open gap that knows none.
    pub(crate) fn ids(&mut self, first: u64, last: u64) {
        if let Some(open) = self.open.as_mut().filter(|o| o.first_device_id.is_none()) {
            (open.first_device_id, open.last_device_id) = (Some(first), Some(last));
        }
    }

    /// The gap is over.
    pub(crate) fn close(&mut self, log: &GapLog) {
        if let Some(open) = self.open.take() {
            log.push(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(reason: DropReason, n_frames: u64, at_ns: i64) -> GapRecord {
        GapRecord {
            after_index: Some(4),
            kind: GapKind::Dropped(reason),
            n_frames,
            first_device_id: None,
            last_device_id: None,
            from_ns: at_ns,
            until_ns: at_ns,
        }
    }

    #[test]
    fn losses_of_one_kind_in_a_row_are_one_record_and_a_long_one_is_told_while_it_lasts() {
        let (log, mut open) = (GapLog::new(10), OpenGap::default());
        for ms in 0..1500 {
            open.note(&log, lost(DropReason::RingFull, 1, ms * 1_000_000));
        }
        open.note(&log, lost(DropReason::CameraGap, 2, 1_500_000_000));
        open.ids(8, 9);
        open.close(&log);
        let all: Vec<_> = std::iter::from_fn(|| log.pop()).map(|r| (r.kind.name(), r.n_frames)).collect();
        assert_eq!(all, [("ring_full", 1000), ("ring_full", 500), ("camera_gap", 2)]);
    }

    #[test]
    fn records_without_room_are_counted_and_told() {
        let (log, mut open) = (GapLog::new(2), OpenGap::default());
        for i in 0..5 {
            open.note(&log, lost(DropReason::CameraGap, 1, i));
            open.close(&log);
        }
        assert_eq!(log.n_lost(), 3);
        let kinds: Vec<_> = std::iter::from_fn(|| log.pop()).map(|r| (r.kind.name(), r.n_frames)).collect();
        assert_eq!(kinds, [("camera_gap", 1), ("camera_gap", 1), ("records_lost", 3)]);
        assert_eq!(log.pop(), None);
    }
}
