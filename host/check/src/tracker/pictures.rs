//! Trackers: pictures on which there is nothing to find, or that tempt arithmetic.

use super::{finite_or_flagged, is_lost, same_rows, track_rois, usual_bits, usual_placement};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::{Picture, Roi, SIDE_PX, noise, roi};
use crate::raw;
use crate::subject::Subject;
use tetherscope_loader::{Fix, Kind, WorkerConfig};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "tracker.constant",
        kind: Kind::Tracker,
        proves: "A constant ROI, black, grey or white, is NaN and a flag, never a position.",
        run: constant,
    },
    Check {
        name: "tracker.noise",
        kind: Kind::Tracker,
        proves: "A ROI with noise only gives a position inside the ROI, or NaN and a flag.",
        run: noise_only,
    },
    Check {
        name: "tracker.nan-producing",
        kind: Kind::Tracker,
        proves: "ROIs that lead to 0/0 (one bright pixel, lines, chessboards, unknown noise figures) give finite positions, or NaN and a flag.",
        run: nan_producing,
    },
    Check {
        name: "tracker.bad-neighbour",
        kind: Kind::Tracker,
        proves: "One bad ROI in a batch changes no other ROI's result.",
        run: bad_neighbour,
    },
];

fn white(subject: &Subject) -> u16 {
    ((1_u32 << usual_bits(subject)) - 1) as u16
}

/// Rows as the tracker writes them: the host would give a flag to a NaN that has none.
fn written(subject: &Subject, picture: &Picture, config: &WorkerConfig) -> Result<Vec<Fix>, Stop> {
    Ok(raw::track(subject, picture, config, raw::Wanted::Everything)?.fixes)
}

fn constant(subject: &Subject) -> Verdict {
    let white = white(subject);
    for value in [0, white / 2, white] {
        let picture = Picture::new(&[roi(SIDE_PX, |_, _| value)], usual_placement(subject));
        let fix = &written(subject, &picture, &picture.config())?[0];
        let what = format!("all pixels at {value}");
        ensure!(is_lost(fix), "{what}: a bead is found at ({:.2}, {:.2}), flags {:#x}", fix.x_px, fix.y_px, fix.flags);
        finite_or_flagged(fix, SIDE_PX, &what)?;
    }
    Ok(())
}

fn noise_only(subject: &Subject) -> Verdict {
    let rois: Vec<Roi> = (0..20).map(|seed| noise(SIDE_PX, usual_bits(subject), seed)).collect();
    let picture = Picture::new(&rois, usual_placement(subject));
    for (i, fix) in written(subject, &picture, &picture.config())?.iter().enumerate() {
        finite_or_flagged(fix, SIDE_PX, &format!("noise {i}"))?;
    }
    Ok(())
}

/// Pictures without a bead that are hard to divide by.
fn hard_pictures(white: u16) -> Vec<(&'static str, Roi)> {
    let on = |is: bool| if is { white } else { 0 };
    let last = SIDE_PX - 1;
    vec![
        ("one bright pixel in the middle", roi(SIDE_PX, |x, y| on((x, y) == (24, 24)))),
        ("one bright pixel in the corner", roi(SIDE_PX, |x, y| on((x, y) == (0, 0)))),
        ("one dark pixel", roi(SIDE_PX, |x, y| on((x, y) != (20, 30)))),
        ("a bright column", roi(SIDE_PX, |x, _| on(x == 10))),
        ("a bright row", roi(SIDE_PX, |_, y| on(y == last))),
        ("a chessboard", roi(SIDE_PX, |x, y| on((x + y) % 2 == 0))),
        ("a ramp", roi(SIDE_PX, |x, _| (x * usize::from(white) / last) as u16)),
        ("two halves", roi(SIDE_PX, |x, _| on(x < SIDE_PX / 2))),
        ("one code of contrast", roi(SIDE_PX, |x, y| white / 2 + u16::from((x, y) == (3, 5)))),
    ]
}

fn nan_producing(subject: &Subject) -> Verdict {
    let (names, rois): (Vec<_>, Vec<Roi>) = hard_pictures(white(subject)).into_iter().unzip();
    let picture = Picture::new(&rois, usual_placement(subject));
    let nan = f64::NAN;
    let known = picture.config();
    let unknown = WorkerConfig { saturation_adu: nan, nm_per_px: nan, ..known };
    let zero = WorkerConfig { gain_e_per_adu: 0.0, read_noise_e: 0.0, offset_adu: 0.0, ..known };
    for (config, told) in [(known, "usual figures"), (unknown, "unknown figures"), (zero, "figures of zero")] {
        for (fix, name) in written(subject, &picture, &config)?.iter().zip(&names) {
            let what = format!("{name}, {told}");
            finite_or_flagged(fix, SIDE_PX, &what)?;
        }
    }
    Ok(())
}

fn bad_neighbour(subject: &Subject) -> Verdict {
    let bits = usual_bits(subject);
    let good = crate::picture::some_beads(4, bits);
    let alone = track_rois(subject, &good, usual_placement(subject))?;
    let white = white(subject);
    let mut bad: Vec<Roi> = hard_pictures(white).into_iter().map(|(_, roi)| roi).collect();
    bad.push(roi(SIDE_PX, |_, _| 0));
    bad.push(roi(SIDE_PX, |_, _| white));
    bad.push(noise(SIDE_PX, bits, 3));
    for bad in &bad {
        let mixed = [bad, &good[0], bad, &good[1], &good[2], bad, &good[3]].map(Clone::clone);
        let mut out = track_rois(subject, &mixed, usual_placement(subject))?;
        for gone in [5, 2, 0] {
            out.fixes.remove(gone);
            out.profiles.drain(gone * out.n_bins..(gone + 1) * out.n_bins);
            out.weights.drain(gone * out.n_bins..(gone + 1) * out.n_bins);
        }
        same_rows(&alone, &out, "beads alone and beside bad ROIs")?;
    }
    Ok(())
}
