//! Rows that were handed to the writer and did not go to the disk yet: the writer gathers them for a tenth of a second. What
//! became of their frames is counted when it is certain, so that the ledger never calls recorded what a full disk refused.

use super::{Progress, gap};
use crate::engine::meters::Meters;
use crate::ledger::{DropReason, Ticket};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use tetherscope_files::GapRecord;
use tetherscope_loader::now_ns;

/// Rows of a batch.
pub(super) struct WaitingBatch {
    pub(super) ticket: Option<Ticket>,
    pub(super) n_rows: u64,
    pub(super) n_frames: u64,
    /// The frame after its last one.
    pub(super) end_frame: u64,
    pub(super) arrivals_ns: Vec<i64>,
}

/// Batches whose rows wait, oldest first.
#[derive(Default)]
pub(super) struct Waiting {
    batches: VecDeque<WaitingBatch>,
    /// Rows of all batches before the oldest that waits.
    n_settled: u64,
}

impl Waiting {
    /// Its rows are the next that the writer gets.
    pub(super) fn add(&mut self, batch: WaitingBatch) {
        self.batches.push_back(batch);
    }

    /// The writer has written so many rows since it began.
    pub(super) fn settle(&mut self, n_written: u64, progress: &Progress, meters: &Meters) {
        while let Some(batch) = self.batches.pop_front_if(|b| self.n_settled + b.n_rows <= n_written) {
            self.n_settled += batch.n_rows;
            if let Some(ticket) = batch.ticket {
                ticket.deliver_rest();
            }
            progress.rows.fetch_add(batch.n_rows, Relaxed);
            progress.frames.fetch_add(batch.n_frames, Relaxed);
            let now = now_ns();
            batch.arrivals_ns.iter().for_each(|at| meters.to_written.note(now - at));
        }
    }

    /// No row will be written any more; so many are. The rest is lost: what is told of it. Every frame of a batch has as
    /// many rows as the others; one whose rows are not all there is not.
    pub(super) fn give_up(&mut self, n_written: u64, progress: &Progress) -> Vec<GapRecord> {
        let mut gaps = Vec::new();
        for batch in self.batches.drain(..) {
            let rows = n_written.saturating_sub(self.n_settled).min(batch.n_rows);
            self.n_settled += batch.n_rows;
            let frames = (batch.n_frames * rows).checked_div(batch.n_rows).unwrap_or(batch.n_frames);
            progress.rows.fetch_add(rows, Relaxed);
            progress.frames.fetch_add(frames, Relaxed);
            if let Some(mut ticket) = batch.ticket {
                ticket.delivered(frames);
                ticket.drop_rest(DropReason::DiskError);
            }
            let lost = batch.n_frames - frames;
            if lost > 0 {
                gaps.push(gap("tracks", batch.end_frame, lost, DropReason::DiskError.name()));
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::StageCounts;

    #[test]
    fn frames_count_as_recorded_when_all_their_rows_are_written_and_as_lost_when_they_never_will_be() {
        let stage = StageCounts::new("tracks");
        let (progress, meters) = (Progress::default(), Meters::default());
        let mut waiting = Waiting::default();
        for i in 0..4 {
            let ticket = Some(stage.enter(10));
            waiting.add(WaitingBatch {
                ticket,
                n_rows: 30,
                n_frames: 10,
                end_frame: 10 * (i + 1),
                arrivals_ns: vec![0],
            });
        }
        waiting.settle(59, &progress, &meters);
        let now = stage.snapshot();
        assert_eq!((now.delivered, now.in_flight, progress.rows.load(Relaxed)), (10, 30, 30));
        waiting.settle(60, &progress, &meters);
        assert_eq!((stage.snapshot().delivered, stage.snapshot().in_flight), (20, 20));
        // 65 rows: one frame of three rows and two rows of the next.
        let gaps = waiting.give_up(65, &progress);
        let lost: Vec<(u64, u64)> = gaps.iter().map(|g| (g.first_frame_after, g.count)).collect();
        assert_eq!(lost, [(30, 9), (40, 10)]);
        let end = stage.snapshot();
        assert_eq!((end.delivered, end.dropped_for(DropReason::DiskError), end.in_flight), (21, 19, 0));
        assert_eq!((end.unexplained(), progress.rows.load(Relaxed), progress.frames.load(Relaxed)), (0, 65, 21));
    }
}
