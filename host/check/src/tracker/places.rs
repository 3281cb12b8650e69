//! Trackers: beads whose place is known, in 8, 16 and 12 bits, whole, cut and saturated.

use super::{MIDDLE_PX, PLACE_PX, best_style, finite_or_flagged, good_style, is_lost, track_rois, usual_bits};
use super::{usual_placement, worst_error};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::{Placement, Roi, SIDE_PX, Style, bead, not_offered, rings, roi};
use crate::subject::Subject;
use tetherscope_loader::{Kind, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "tracker.known-places",
        kind: Kind::Tracker,
        proves: "Beads without noise are found within half a pixel of where they are, as rings or as spots.",
        run: known_places,
    },
    Check {
        name: "tracker.edge",
        kind: Kind::Tracker,
        proves: "A bead that the edge of its ROI cuts is found nearby, or lost or flagged; never a wrong number without a flag.",
        run: edge,
    },
    Check {
        name: "tracker.saturated",
        kind: Kind::Tracker,
        proves: "A bead with saturated pixels is found nearby or flagged.",
        run: saturated,
    },
    Check {
        name: "tracker.mono16",
        kind: Kind::Tracker,
        proves: "The same pixel values in 8 and in 16 bits give the same positions.",
        run: mono16,
    },
    Check {
        name: "tracker.twelve-bits",
        kind: Kind::Tracker,
        proves: "Beads in 12 of 16 bits are found within half a pixel of where they are.",
        run: twelve_bits,
    },
    Check {
        name: "tracker.roi-sizes",
        kind: Kind::Tracker,
        proves: "Tiny, odd and oblong ROIs are tracked, or refused with a reason.",
        run: roi_sizes,
    },
];

/// How far off a cut bead may be found without a flag: an eighth of the ROI. A centre of mass of what is left of it
/// moves by that much.
const CUT_PX: f64 = SIDE_PX as f64 / 8.0;
/// How far off a saturated bead may be found without a flag: clipping is symmetric, so no more than usual, and a little.
const CLIPPED_PX: f64 = 1.0;
/// The same numbers in another format may be added up in another order, no more.
const ROUNDING_PX: f64 = 1e-6;

fn known_places(subject: &Subject) -> Verdict {
    let (style, worst, at) = best_style(subject, usual_bits(subject), usual_placement(subject))?;
    ensure!(worst <= PLACE_PX, "the bead at {at} ({style:?}; allowed are {PLACE_PX} px)");
    Ok(())
}

fn edge(subject: &Subject) -> Verdict {
    let style = good_style(subject)?;
    let far = SIDE_PX as f64 - 1.0;
    let places = [(1.0, MIDDLE_PX), (MIDDLE_PX, 1.0), (far - 1.0, MIDDLE_PX), (MIDDLE_PX, far - 1.0), (0.5, far - 0.5)];
    let bits = usual_bits(subject);
    let rois: Vec<Roi> = places.iter().map(|&(x, y)| bead(style, x, y, bits)).collect();
    let out = track_rois(subject, &rois, usual_placement(subject))?;
    for (fix, (x, y)) in out.fixes.iter().zip(places) {
        finite_or_flagged(fix, SIDE_PX, &format!("the bead at ({x}, {y})"))?;
        let off = (fix.x_px - x).hypot(fix.y_px - y);
        ensure!(
            is_lost(fix) || fix.flags != 0 || off <= CUT_PX,
            "the bead at ({x}, {y}), cut by the edge, is found at ({:.2}, {:.2}) without a flag",
            fix.x_px,
            fix.y_px
        );
    }
    Ok(())
}

fn saturated(subject: &Subject) -> Verdict {
    let style = good_style(subject)?;
    let bits = usual_bits(subject);
    let most = ((1_u32 << bits) - 1) as u16;
    let clip = |x, y| {
        let pixels = bead(style, x, y, bits).pixels.iter().map(|v| v.saturating_mul(2).min(most)).collect();
        Roi { pixels }
    };
    let places = [(23.5, 23.5), (24.6, 22.3)];
    let out = track_rois(subject, &places.map(|(x, y)| clip(x, y)), usual_placement(subject))?;
    let mut told = true;
    for (fix, (x, y)) in out.fixes.iter().zip(places) {
        finite_or_flagged(fix, SIDE_PX, &format!("the saturated bead at ({x}, {y})"))?;
        let off = (fix.x_px - x).hypot(fix.y_px - y);
        ensure!(
            is_lost(fix) || fix.flags != 0 || off <= CLIPPED_PX,
            "the saturated bead at ({x}, {y}) is found at ({:.2}, {:.2}) without a flag",
            fix.x_px,
            fix.y_px
        );
        told &= fix.flags & abi::FLAG_SATURATED != 0;
    }
    if told { Ok(()) } else { Err(Stop::Warning("it does not flag saturated pixels, which users rely on".into())) }
}

/// What a tracker that does not list `mono16` says to 16 bits decides whether it is asked for more.
fn takes_16(subject: &Subject) -> Verdict {
    if subject.can("mono16") || !subject.can("mono8") { Ok(()) } else { Err(not_offered("mono16")) }
}

fn mono16(subject: &Subject) -> Verdict {
    takes_16(subject)?;
    if usual_bits(subject) != 8 {
        return Err(not_offered("mono8"));
    }
    for style in [Style::Rings, Style::Spot] {
        let rois: Vec<Roi> = super::places().iter().map(|&(x, y)| bead(style, x, y, 8)).collect();
        let narrow = track_rois(subject, &rois, Placement::packed(8))?;
        let wide = track_rois(subject, &rois, Placement { wide: true, ..Placement::packed(8) })?;
        for (i, (a, b)) in narrow.fixes.iter().zip(&wide.fixes).enumerate() {
            let near = (a.x_px - b.x_px).hypot(a.y_px - b.y_px) <= ROUNDING_PX;
            ensure!(
                near || (is_lost(a) && is_lost(b)),
                "ROI {i} ({style:?}): ({}, {}) in 8 bits, ({}, {}) in 16",
                a.x_px,
                a.y_px,
                b.x_px,
                b.y_px
            );
        }
    }
    Ok(())
}

fn twelve_bits(subject: &Subject) -> Verdict {
    takes_16(subject)?;
    let style = good_style(subject)?;
    let (worst, at) = worst_error(subject, style, 12, Placement::packed(12))?;
    ensure!(worst <= PLACE_PX, "the bead at {at} in 12 bits ({style:?}; allowed are {PLACE_PX} px)");
    Ok(())
}

fn roi_sizes(subject: &Subject) -> Verdict {
    use crate::picture::Picture;
    use crate::subject::is_refusal;
    use tetherscope_loader::TrackBuffers;
    let tracker = super::instance(subject)?;
    let bits = usual_bits(subject);
    for (w, h) in [(1, 1), (2, 2), (3, 3), (4, 4), (8, 8), (33, 33), (33, 17), (16, 40), (1, 20)] {
        let what = format!("ROIs of {w} x {h} px");
        let (x, y) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
        let rois = [
            rings(w, h, &[(x, y, 1000.0)], bits, None),
            Roi { pixels: (0..w * h).map(|i| (i * 7 % 200) as u16).collect() },
        ];
        let picture = Picture::of_size(&rois, w, h, usual_placement(subject));
        let mut worker = match tracker.worker(&picture.config()) {
            Ok(worker) => worker,
            Err(e) if is_refusal(&e) => continue,
            Err(e) => return Err(Stop::Failed(format!("{what}: {}", e.message))),
        };
        let mut out = TrackBuffers::default();
        match worker.track(&picture.rois(), &mut out) {
            Ok(()) => {
                for fix in &out.fixes {
                    finite_or_flagged(fix, w.max(h), &what)?;
                }
            }
            Err(e) => ensure!(is_refusal(&e), "{what}: {}", e.message),
        }
    }
    // A ROI of the usual size is not refused.
    let usual = roi(SIDE_PX, |x, _| x as u16);
    super::track_rois(subject, &[usual], usual_placement(subject)).map(drop)
}
