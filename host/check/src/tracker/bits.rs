//! Trackers: the same ROI gives the same bits, whatever stands round it in the batch and in memory.

use super::{instance, same_row, same_rows, track, track_rois, usual_bits, usual_placement};
use crate::checks::Check;
use crate::outcome::{Verdict, ensure};
use crate::picture::{MOST_ROIS, Picture, Placement, Roi, some_beads};
use crate::subject::Subject;
use tetherscope_loader::{Kind, TrackBuffers};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "tracker.roi-counts",
        kind: Kind::Tracker,
        proves: "Batches of 0, 1 and the announced number of ROIs are tracked.",
        run: roi_counts,
    },
    Check {
        name: "tracker.batch-size",
        kind: Kind::Tracker,
        proves: "The same ROIs give the same bits in one batch and in many.",
        run: batch_size,
    },
    Check {
        name: "tracker.order",
        kind: Kind::Tracker,
        proves: "The order of the ROIs in a batch changes no bit.",
        run: order,
    },
    Check {
        name: "tracker.workers",
        kind: Kind::Tracker,
        proves: "Another worker, and a worker of another instance with the same parameters, give the same bits.",
        run: workers,
    },
    Check {
        name: "tracker.stride",
        kind: Kind::Tracker,
        proves: "ROIs in place in a larger frame give the same bits as packed ones; rows and pixels may be apart.",
        run: stride,
    },
    Check {
        name: "tracker.repeat",
        kind: Kind::Tracker,
        proves: "A batch gives the same bits again: no result depends on earlier batches.",
        run: repeat,
    },
    Check {
        name: "tracker.bead-ids",
        kind: Kind::Tracker,
        proves: "Bead ids and frame indices change no bit.",
        run: bead_ids,
    },
];

const N: usize = 12;

fn beads(subject: &Subject) -> Vec<Roi> {
    some_beads(N, usual_bits(subject))
}

fn roi_counts(subject: &Subject) -> Verdict {
    let rois = beads(subject);
    let many: Vec<Roi> = rois.iter().cycle().take(MOST_ROIS as usize).cloned().collect();
    for n in [0, 1, many.len()] {
        let picture = Picture::new(&many[..n], usual_placement(subject));
        let mut worker = instance(subject)?.worker(&picture.config())?;
        let mut out = TrackBuffers::default();
        if let Err(e) = worker.track(&picture.rois(), &mut out) {
            crate::outcome::fail!("a batch of {n} ROIs fails: {}", e.message);
        }
        let unwritten = out.fixes.iter().position(|f| f.flags & tetherscope_loader::abi::FLAG_NOT_WRITTEN != 0);
        ensure!(unwritten.is_none(), "of {n} ROIs, row {} was not written", unwritten.unwrap_or(0));
    }
    Ok(())
}

fn batch_size(subject: &Subject) -> Verdict {
    let picture = Picture::new(&beads(subject), usual_placement(subject));
    let mut worker = instance(subject)?.worker(&picture.config())?;
    let whole = track(&mut worker, &picture)?;
    for size in [1, 2, 5] {
        for first in (0..N).step_by(size) {
            let mut out = TrackBuffers::default();
            worker.track(&picture.part(first..(first + size).min(N)), &mut out)?;
            for j in 0..out.fixes.len() {
                let what = format!("ROI {} in batches of {N} and of {size}", first + j);
                same_row(&whole, first + j, &out, j, &what)?;
            }
        }
    }
    Ok(())
}

fn order(subject: &Subject) -> Verdict {
    let rois = beads(subject);
    let forwards = track_rois(subject, &rois, usual_placement(subject))?;
    let reversed: Vec<Roi> = rois.iter().rev().cloned().collect();
    let backwards = track_rois(subject, &reversed, usual_placement(subject))?;
    (0..N).try_for_each(|i| same_row(&forwards, i, &backwards, N - 1 - i, &format!("ROI {i} forwards and backwards")))
}

fn workers(subject: &Subject) -> Verdict {
    let picture = Picture::new(&beads(subject), usual_placement(subject));
    let tracker = instance(subject)?;
    let mut first = tracker.worker(&picture.config())?;
    let mut second = tracker.worker(&picture.config())?;
    let mut other = instance(subject)?.worker(&picture.config())?;
    let a = track(&mut first, &picture)?;
    same_rows(&a, &track(&mut second, &picture)?, "two workers of one instance")?;
    same_rows(&a, &track(&mut other, &picture)?, "workers of two instances")
}

fn stride(subject: &Subject) -> Verdict {
    let rois = beads(subject);
    let packed = usual_placement(subject);
    let a = track_rois(subject, &rois, packed)?;
    let b = track_rois(subject, &rois, Placement { gap_px: 22, ..packed })?;
    same_rows(&a, &b, "packed and in place in a frame")?;
    let b = track_rois(subject, &rois, Placement { gap_px: 7, step: 2, ..packed })?;
    same_rows(&a, &b, "packed and with every second pixel")
}

fn repeat(subject: &Subject) -> Verdict {
    let picture = Picture::new(&beads(subject), usual_placement(subject));
    let mut worker = instance(subject)?.worker(&picture.config())?;
    let first = track(&mut worker, &picture)?;
    for _ in 0..3 {
        same_rows(&first, &track(&mut worker, &picture)?, "a batch and the same batch again")?;
    }
    Ok(())
}

fn bead_ids(subject: &Subject) -> Verdict {
    let mut picture = Picture::new(&beads(subject), usual_placement(subject));
    let mut worker = instance(subject)?.worker(&picture.config())?;
    let plain = track(&mut worker, &picture)?;
    picture.bead_ids.iter_mut().for_each(|id| *id = 4_000_000_000 - *id * 17);
    picture.frame_indices.iter_mut().enumerate().for_each(|(i, f)| *f = u64::MAX - i as u64);
    same_rows(&plain, &track(&mut worker, &picture)?, "bead ids from 0, and large ones")
}
