//! The checks of trackers: what they share. A tracker sees rings or spots, 8 or 16 bits, as it says of itself.

mod bits;
mod life;
mod outputs;
mod pictures;
mod places;

pub(crate) use bits::CHECKS as BITS;
pub(crate) use life::CHECKS as LIFE;
pub(crate) use outputs::CHECKS as OUTPUTS;
pub(crate) use pictures::CHECKS as PICTURES;
pub(crate) use places::CHECKS as PLACES;

use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::{Picture, Placement, Roi, SIDE_PX, Style, bead};
use crate::subject::Subject;
use std::sync::Arc;
use tetherscope_loader::{Fix, TrackBuffers, Tracker, TrackerWorker, abi};

/// How far a bead without noise may be from where it is. Who misses by more than half a pixel does not track beads;
/// an honest centre of mass on wave-optical rings stays below 0.3 px.
const PLACE_PX: f64 = 0.5;

/// An instance with the user's parameters.
fn instance(subject: &Subject) -> Result<Arc<Tracker>, Stop> {
    Ok(Tracker::create(&subject.component, subject.params()?)?)
}

/// Bits per pixel that the tracker takes: 8, unless it says that it takes 16 and not 8.
fn usual_bits(subject: &Subject) -> u32 {
    if subject.can("mono16") && !subject.can("mono8") { 12 } else { 8 }
}

fn usual_placement(subject: &Subject) -> Placement {
    Placement::packed(usual_bits(subject))
}

fn track(worker: &mut TrackerWorker, picture: &Picture) -> Result<TrackBuffers, Stop> {
    let mut out = TrackBuffers::default();
    worker.track(&picture.rois(), &mut out)?;
    Ok(out)
}

/// Tracks ROIs with a fresh worker of a fresh instance.
fn track_rois(subject: &Subject, rois: &[Roi], placement: Placement) -> Result<TrackBuffers, Stop> {
    let picture = Picture::new(rois, placement);
    let mut worker = instance(subject)?.worker(&picture.config())?;
    track(&mut worker, &picture)
}

/// True for a row that holds no position.
fn is_lost(fix: &Fix) -> bool {
    fix.x_px.is_nan() || fix.y_px.is_nan()
}

/// A row must hold a finite position inside its ROI, or NaN and a flag; `what` names it.
fn finite_or_flagged(fix: &Fix, side_px: usize, what: &str) -> Verdict {
    let Fix { x_px, y_px, flags, .. } = *fix;
    if is_lost(fix) {
        ensure!(x_px.is_nan() && y_px.is_nan(), "{what}: x is {x_px} and y is {y_px}: one lost axis loses the ROI");
        ensure!(flags & abi::FLAG_NOT_WRITTEN == 0, "{what}: the row was not written");
        ensure!(flags != 0, "{what}: NaN without a flag");
        return Ok(());
    }
    let inside = |v: f64| v >= -0.5 && v <= side_px as f64 - 0.5;
    let flagged = flags != 0;
    ensure!(
        flagged || (inside(x_px) && inside(y_px)),
        "{what}: ({x_px:.2}, {y_px:.2}) lies outside the ROI of {side_px} px, without a flag"
    );
    Ok(())
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Row `i` of `a` and row `j` of `b` must agree to the last bit, profiles and weights included.
fn same_row(a: &TrackBuffers, i: usize, b: &TrackBuffers, j: usize, what: &str) -> Verdict {
    let (p, q) = (&a.fixes[i], &b.fixes[j]);
    let numbers = |f: &Fix| [f.x_px, f.y_px, f.z_nm, f.sigma_x_px.into(), f.sigma_y_px.into(), f.quality.into()];
    let fixes = numbers(p).iter().zip(&numbers(q)).all(|(a, b)| same(*a, *b)) && p.flags == q.flags;
    ensure!(
        fixes,
        "{what}: ({}, {}) flags {:#x} in one, ({}, {}) flags {:#x} in the other",
        p.x_px,
        p.y_px,
        p.flags,
        q.x_px,
        q.y_px,
        q.flags
    );
    ensure!(a.n_bins == b.n_bins, "{what}: profiles of {} and of {} bins", a.n_bins, b.n_bins);
    let profiles = a.profile(i).iter().zip(b.profile(j)).all(|(a, b)| same(*a, *b));
    ensure!(profiles, "{what}: the positions agree, the profiles differ");
    let weights = |t: &TrackBuffers, k: usize| t.weights[k * t.n_bins..(k + 1) * t.n_bins].to_vec();
    let weights = weights(a, i).into_iter().zip(weights(b, j)).all(|(a, b)| same(a.into(), b.into()));
    ensure!(weights, "{what}: the positions agree, the weights differ");
    Ok(())
}

/// All rows must agree, in order.
fn same_rows(a: &TrackBuffers, b: &TrackBuffers, what: &str) -> Verdict {
    ensure!(a.fixes.len() == b.fixes.len(), "{what}: {} rows and {} rows", a.fixes.len(), b.fixes.len());
    (0..a.fixes.len()).try_for_each(|i| same_row(a, i, b, i, &format!("{what}: ROI {i}")))
}

/// Places round the middle of the ROI, no two alike along an axis.
fn places() -> Vec<(f64, f64)> {
    [(0.0, 0.0), (2.25, -1.5), (-2.5, 1.75), (1.1, 2.9), (-1.6, -2.7), (0.4, -0.6), (-3.0, 0.3), (2.8, 2.1)]
        .map(|(dx, dy)| (23.5 + dx, 23.5 + dy))
        .to_vec()
}

/// The largest error on beads at known places, and a sentence about it. A lost bead is an infinite error.
fn worst_error(subject: &Subject, style: Style, bits: u32, placement: Placement) -> Result<(f64, String), Stop> {
    let places = places();
    let rois: Vec<Roi> = places.iter().map(|&(x, y)| bead(style, x, y, bits)).collect();
    let out = track_rois(subject, &rois, placement)?;
    let mut worst = (0.0, String::new());
    for (fix, (x, y)) in out.fixes.iter().zip(places) {
        let off = (fix.x_px - x).hypot(fix.y_px - y);
        let off = if off.is_nan() { f64::INFINITY } else { off };
        if off > worst.0 {
            let at = format!("({x}, {y}) is found at ({:.3}, {:.3}), flags {:#x}", fix.x_px, fix.y_px, fix.flags);
            worst = (off, at);
        }
    }
    Ok(worst)
}

/// The style in which the tracker finds beads best, and its largest error there.
fn best_style(subject: &Subject, bits: u32, placement: Placement) -> Result<(Style, f64, String), Stop> {
    let rings = worst_error(subject, Style::Rings, bits, placement)?;
    let spot = worst_error(subject, Style::Spot, bits, placement)?;
    Ok(if rings.0 <= spot.0 { (Style::Rings, rings.0, rings.1) } else { (Style::Spot, spot.0, spot.1) })
}

/// The style in which it finds beads well enough. Who finds none at all fails elsewhere, and is taken as good at rings.
fn good_style(subject: &Subject) -> Result<Style, Stop> {
    Ok(best_style(subject, usual_bits(subject), usual_placement(subject))?.0)
}

/// The middle of a ROI.
const MIDDLE_PX: f64 = (SIDE_PX as f64 - 1.0) / 2.0;
