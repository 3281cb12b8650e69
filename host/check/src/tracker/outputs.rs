//! Trackers: what they write, seen without the host's own checks in between: rows, guard bytes, input, profiles.

use super::{instance, same, track_rois, usual_bits, usual_placement};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::{Picture, Roi, SIDE_PX, noise, roi, some_beads};
use crate::raw;
use crate::rows::well_written;
use crate::subject::Subject;
use tetherscope_loader::{Fix, Kind, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "tracker.guards",
        kind: Kind::Tracker,
        proves: "Nothing is written outside the rows, profiles and weights of a batch: guard bytes before and after them stay.",
        run: guards,
    },
    Check { name: "tracker.input", kind: Kind::Tracker, proves: "The pixels of the frames are only read.", run: input },
    Check {
        name: "tracker.optional-outputs",
        kind: Kind::Tracker,
        proves: "Without memory for profiles and weights the positions are the same.",
        run: optional_outputs,
    },
    Check {
        name: "tracker.flagged",
        kind: Kind::Tracker,
        proves: "What the plugin itself writes is finite, or NaN and a flag: positions, standard errors, quality, known flags.",
        run: flagged,
    },
    Check {
        name: "tracker.profiles",
        kind: Kind::Tracker,
        proves: "A bead that is found has a profile with numbers in it, none of them infinite, and no weight is negative.",
        run: profiles,
    },
    Check {
        name: "tracker.explain",
        kind: Kind::Tracker,
        proves: "An explanation of a result comes without a failure and changes no later result.",
        run: explain,
    },
];

fn pictures(subject: &Subject) -> Vec<Roi> {
    let bits = usual_bits(subject);
    let mut rois = some_beads(8, bits);
    rois.push(roi(SIDE_PX, |_, _| 90));
    rois.push(noise(SIDE_PX, bits, 1));
    rois
}

fn raw_track(subject: &Subject, wanted: raw::Wanted) -> Result<raw::RawTracks, Stop> {
    let picture = Picture::new(&pictures(subject), usual_placement(subject));
    raw::track(subject, &picture, &picture.config(), wanted)
}

fn guards(subject: &Subject) -> Verdict {
    for wanted in [raw::Wanted::Everything, raw::Wanted::FixesOnly] {
        let tracks = raw_track(subject, wanted)?;
        ensure!(tracks.overwritten.is_empty(), "it writes outside its memory: {}", tracks.overwritten.join(", "));
    }
    Ok(())
}

fn input(subject: &Subject) -> Verdict {
    let tracks = raw_track(subject, raw::Wanted::Everything)?;
    ensure!(!tracks.input_changed, "it changes the pixels that it is given");
    Ok(())
}

fn optional_outputs(subject: &Subject) -> Verdict {
    let (with, without) = (raw_track(subject, raw::Wanted::Everything)?, raw_track(subject, raw::Wanted::FixesOnly)?);
    for (i, (a, b)) in with.fixes.iter().zip(&without.fixes).enumerate() {
        ensure!(
            same(a.x_px, b.x_px) && same(a.y_px, b.y_px) && a.flags == b.flags,
            "ROI {i}: ({}, {}) with profiles, ({}, {}) without",
            a.x_px,
            a.y_px,
            b.x_px,
            b.y_px
        );
    }
    Ok(())
}

fn flagged(subject: &Subject) -> Verdict {
    for (i, fix) in raw_track(subject, raw::Wanted::Everything)?.fixes.iter().enumerate() {
        let Fix { x_px, y_px, flags, .. } = *fix;
        let both = x_px.is_finite() && y_px.is_finite();
        let lost = x_px.is_nan() && y_px.is_nan() && flags != 0;
        ensure!(both || lost, "ROI {i}: ({x_px}, {y_px}) with flags {flags:#x} is neither finite nor NaN and flagged");
        well_written(fix, &format!("ROI {i}"))?;
    }
    Ok(())
}

fn profiles(subject: &Subject) -> Verdict {
    let rois = some_beads(8, usual_bits(subject));
    let out = track_rois(subject, &rois, usual_placement(subject))?;
    if out.n_bins == 0 {
        return Err(crate::picture::not_offered("profiles"));
    }
    for (i, fix) in out.fixes.iter().enumerate().filter(|(_, f)| f.x_px.is_finite() && f.y_px.is_finite()) {
        let profile = out.profile(i);
        ensure!(
            profile.iter().any(|v| v.is_finite()),
            "ROI {i} is found at ({}, {}), its profile is empty",
            fix.x_px,
            fix.y_px
        );
        ensure!(!profile.iter().any(|v| v.is_infinite()), "the profile of ROI {i} holds an infinite value");
        let weights = &out.weights[i * out.n_bins..(i + 1) * out.n_bins];
        let bad = weights.iter().find(|w| **w < 0.0 || w.is_infinite());
        ensure!(bad.is_none(), "ROI {i} has a weight of {}", bad.unwrap_or(&0.0));
    }
    Ok(())
}

fn explain(subject: &Subject) -> Verdict {
    let picture = Picture::new(&pictures(subject), usual_placement(subject));
    let mut worker = instance(subject)?.worker(&picture.config())?;
    let before = super::track(&mut worker, &picture)?;
    for i in 0..picture.len() {
        match worker.explain(&picture.part(i..i + 1)) {
            Ok(arrays) => {
                let unnamed = arrays.arrays.iter().any(|a| a.name.is_empty());
                ensure!(!unnamed, "an array of the explanation of ROI {i} has no name");
            }
            Err(e) if e.status == abi::STATUS_UNSUPPORTED => return Err(crate::picture::not_offered("explanations")),
            Err(e) => crate::outcome::fail!("ROI {i} cannot be explained: {}", e.message),
        }
    }
    super::same_rows(&before, &super::track(&mut worker, &picture)?, "before and after explanations")
}
