//! Trackers: parameters, errors and threads.

use super::{finite_or_flagged, instance, same_rows, track, usual_bits, usual_placement};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::params::at_their_ends;
use crate::picture::{Picture, Roi, SIDE_PX, some_beads};
use crate::subject::Subject;
use tetherscope_loader::{Kind, RoiSet, TrackBuffers, Tracker};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "tracker.parameters",
        kind: Kind::Tracker,
        proves: "Every parameter at both ends of its range works, or is refused with a reason.",
        run: parameters,
    },
    Check {
        name: "tracker.after-error",
        kind: Kind::Tracker,
        proves: "A worker that was given a batch of another shape works as before with the next one.",
        run: after_error,
    },
    Check {
        name: "tracker.two-workers",
        kind: Kind::Tracker,
        proves: "Two workers on two threads at once give the same bits as one alone.",
        run: two_workers,
    },
];

fn picture(subject: &Subject) -> Picture {
    Picture::new(&some_beads(6, usual_bits(subject)), usual_placement(subject))
}

fn parameters(subject: &Subject) -> Verdict {
    let picture = picture(subject);
    at_their_ends(subject, |params| {
        let mut worker = match Tracker::create(&subject.component, params).and_then(|t| t.worker(&picture.config())) {
            Ok(worker) => worker,
            Err(e) => return Ok(Err(e)),
        };
        let mut out = TrackBuffers::default();
        if let Err(e) = worker.track(&picture.rois(), &mut out) {
            return Ok(Err(e));
        }
        for (i, fix) in out.fixes.iter().enumerate() {
            finite_or_flagged(fix, SIDE_PX, &format!("ROI {i}"))?;
        }
        Ok(Ok(()))
    })
}

fn after_error(subject: &Subject) -> Verdict {
    let picture = picture(subject);
    let mut worker = instance(subject)?.worker(&picture.config())?;
    let before = track(&mut worker, &picture)?;
    let all = picture.rois();
    // Smaller than promised in either direction: whatever a plugin reads, the memory is there.
    for (w_px, h_px) in [(SIDE_PX as u32 - 1, SIDE_PX as u32), (SIDE_PX as u32, 10), (0, 0)] {
        let few = RoiSet {
            w_px,
            h_px,
            offsets: &all.offsets[..2],
            bead_ids: &all.bead_ids[..2],
            frame_indices: &all.frame_indices[..2],
            ..all
        };
        let mut out = TrackBuffers::default();
        if let Err(e) = worker.track(&few, &mut out) {
            let panicked = e.status == tetherscope_loader::abi::STATUS_PANICKED;
            ensure!(!panicked, "ROIs of {w_px} x {h_px} px where {SIDE_PX} were promised: {}", e.message);
        }
        same_rows(&before, &track(&mut worker, &picture)?, "before and after a batch of another shape")?;
    }
    Ok(())
}

fn two_workers(subject: &Subject) -> Verdict {
    const ROUNDS: usize = 8;
    let tracker = instance(subject)?;
    let rois: Vec<Roi> = some_beads(12, usual_bits(subject));
    let pictures = [&rois[..6], &rois[6..]].map(|r| Picture::new(r, usual_placement(subject)));
    let mut alone = Vec::new();
    for picture in &pictures {
        alone.push(track(&mut tracker.worker(&picture.config())?, picture)?);
    }
    let begin = std::sync::Barrier::new(2);
    let work = |i: usize| -> Verdict {
        let worker = tracker.worker(&pictures[i].config());
        begin.wait();
        let mut worker = worker?;
        for _ in 0..ROUNDS {
            same_rows(&alone[i], &track(&mut worker, &pictures[i])?, "one worker alone and two at once")?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(1));
        let mine = work(0);
        let other = other.join().unwrap_or_else(|_| Err(Stop::Failed("the second thread panicked".into())));
        mine.and(other)
    })
}
