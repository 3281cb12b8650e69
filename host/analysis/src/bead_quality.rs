//! Which beads of a sweep should not go into an averaged table: those that are lost too often, and those that look unlike
//! the others. Computed from profiles by plane; knows no pixels.

use crate::statistics::{correlation, mean, median, robust_deviation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Share of frames in which a bead must have a position.
const LEAST_TRACKED: f64 = 0.9;
/// Fewest beads among which one can be unlike the others.
const LEAST_BEADS: usize = 4;
/// Deviations below the middle of all beads' agreement, and how much lower at least, from which on a bead is unlike.
const UNLIKE_DEVIATIONS: f64 = 5.0;
const UNLIKE_AT_LEAST: f64 = 0.02;

/// One bead's frames of a sweep.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BeadProfiles {
    /// The bead.
    pub bead: u32,
    /// Focus of each frame.
    pub focus_nm: Vec<f64>,
    /// Whether the tracker found the bead in it.
    pub tracked: Vec<bool>,
    /// Profiles, frame by frame, NaN for empty bins; empty without profiles.
    pub profiles: Vec<f64>,
}

/// What a bead is worth for an averaged table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeadQuality {
    /// The bead.
    pub bead: u32,
    /// Frames, and those in which it was found.
    pub n_frames: u32,
    /// Frames in which it was found.
    pub n_tracked: u32,
    /// Likeness of its profiles to the mean of the other beads, mean over the planes, −1 to 1; None without profiles or
    /// without another bead.
    pub agreement: Option<f64>,
    /// Why it should be left out; None for a good one.
    pub outlier: Option<String>,
}

/// Judges the beads of a sweep against each other, in the order given. Beads are compared plane by plane (equal focus), each
/// profile with its mean and size taken out, so that brightness does not count. Of fewer than four beads none is unlike.
pub fn bead_qualities(beads: &[BeadProfiles]) -> Vec<BeadQuality> {
    let planes: Vec<BTreeMap<u64, Vec<f64>>> = beads.iter().map(plane_means).collect();
    let agreements: Vec<Option<f64>> = (0..beads.len()).map(|b| agreement(&planes, b)).collect();
    let known: Vec<f64> = agreements.iter().copied().flatten().collect();
    let limit = (known.len() >= LEAST_BEADS)
        .then(|| Some(median(&known)? - (UNLIKE_DEVIATIONS * robust_deviation(&known)?).max(UNLIKE_AT_LEAST)))
        .flatten();
    let judge = |(bead, agreement): (&BeadProfiles, &Option<f64>)| {
        let n_tracked = bead.tracked.iter().filter(|t| **t).count();
        let n_frames = bead.focus_nm.len();
        let outlier = match (agreement, limit) {
            _ if (n_tracked as f64) < LEAST_TRACKED * n_frames as f64 => {
                Some(format!("it was found in {n_tracked} of {n_frames} frames only"))
            }
            (Some(a), Some(limit)) if *a < limit => Some(format!(
                "its profiles are unlike the others' (agreement {a:.3}, at least {limit:.3} is usual here)"
            )),
            _ => None,
        };
        let (n_frames, n_tracked) = (n_frames as u32, n_tracked as u32);
        BeadQuality { bead: bead.bead, n_frames, n_tracked, agreement: *agreement, outlier }
    };
    beads.iter().zip(&agreements).map(judge).collect()
}

/// Mean profile of each plane, without its mean and of size 1. By the bits of the focus, -0 being 0.
fn plane_means(bead: &BeadProfiles) -> BTreeMap<u64, Vec<f64>> {
    let n_bins = bead.profiles.len().checked_div(bead.focus_nm.len()).unwrap_or(0);
    let mut sums: BTreeMap<u64, (Vec<f64>, f64)> = BTreeMap::new();
    if n_bins == 0 {
        return BTreeMap::new();
    }
    for (i, profile) in bead.profiles.chunks_exact(n_bins).enumerate().filter(|(i, _)| bead.tracked[*i]) {
        let (sum, n) = sums.entry((bead.focus_nm[i] + 0.0).to_bits()).or_insert_with(|| (vec![0.0; n_bins], 0.0));
        sum.iter_mut().zip(profile).for_each(|(s, p)| *s += p);
        *n += 1.0;
    }
    let normalised = |(sum, n): (Vec<f64>, f64)| {
        let values: Vec<f64> = sum.iter().map(|s| s / n).collect();
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let middle = mean(&finite).unwrap_or(f64::NAN);
        let size = finite.iter().map(|v| (v - middle).powi(2)).sum::<f64>().sqrt();
        values.into_iter().map(|v| (v - middle) / size).collect()
    };
    sums.into_iter().map(|(focus, s)| (focus, normalised(s))).collect()
}

/// Mean over the planes of the likeness of bead `b` to the mean of the others.
fn agreement(planes: &[BTreeMap<u64, Vec<f64>>], b: usize) -> Option<f64> {
    let likeness = |(focus, own): (&u64, &Vec<f64>)| {
        let others: Vec<&Vec<f64>> =
            planes.iter().enumerate().filter(|(i, _)| *i != b).filter_map(|(_, p)| p.get(focus)).collect();
        if others.is_empty() {
            return None;
        }
        let at = |bin: usize| {
            let known: Vec<f64> = others.iter().map(|o| o[bin]).filter(|v| v.is_finite()).collect();
            mean(&known).unwrap_or(f64::NAN)
        };
        correlation(own, &(0..own.len()).map(at).collect::<Vec<_>>())
    };
    mean(&planes[b].iter().filter_map(likeness).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings that move with focus; `phase` is another kind of bead, `scale` another brightness.
    fn bead(id: u32, phase: f64, scale: f64) -> BeadProfiles {
        let focus_nm: Vec<f64> = (0..20).flat_map(|k| [100.0 * f64::from(k); 2]).collect();
        let noise = |z: f64, b: u32| 0.02 * ((z + f64::from(b * 7 + id * 13)).sin() * 43758.5).fract();
        let ring = |z: f64, b: u32| (f64::from(b) * 0.4 + z * 1e-3 + phase).sin() + noise(z, b);
        let profiles = focus_nm.iter().flat_map(|&z| (0..24).map(move |b| 50.0 + scale * ring(z, b))).collect();
        BeadProfiles { bead: id, tracked: vec![true; focus_nm.len()], focus_nm, profiles }
    }

    fn outliers(beads: &[BeadProfiles]) -> Vec<u32> {
        bead_qualities(beads).into_iter().filter(|q| q.outlier.is_some()).map(|q| q.bead).collect()
    }

    #[test]
    fn a_bead_unlike_the_others_is_found_whatever_its_brightness() {
        let mut beads: Vec<BeadProfiles> = (0..6).map(|i| bead(i, 0.0, 1.0 + f64::from(i))).collect();
        assert!(outliers(&beads).is_empty());
        beads.push(bead(6, 1.2, 1.0));
        assert_eq!(outliers(&beads), [6]);
        let qualities = bead_qualities(&beads);
        assert!(qualities[0].agreement.unwrap() > 0.95 && qualities[6].agreement.unwrap() < 0.6, "{qualities:?}");
        assert!(qualities[6].outlier.as_ref().unwrap().contains("unlike"));
    }

    #[test]
    fn among_three_nobody_can_say_who_is_wrong() {
        assert!(outliers(&[bead(0, 0.0, 1.0), bead(1, 0.0, 1.0), bead(2, 1.5, 1.0)]).is_empty());
    }

    #[test]
    fn a_bead_that_is_often_lost_is_left_out_and_lost_frames_do_not_count() {
        let mut beads: Vec<BeadProfiles> = (0..4).map(|i| bead(i, 0.0, 1.0)).collect();
        for i in 0..3 {
            beads[2].tracked[i] = false;
            beads[2].profiles[24 * i..24 * (i + 1)].fill(1e6);
        }
        assert!(outliers(&beads).is_empty(), "3 of 40 is no reason");
        beads[2].tracked[3..5].fill(false);
        let found = bead_qualities(&beads);
        assert_eq!(found[2].n_tracked, 35);
        assert!(found[2].outlier.as_ref().unwrap().contains("35 of 40") && found[3].outlier.is_none());
    }

    #[test]
    fn beads_without_profiles_have_no_agreement() {
        let mut beads: Vec<BeadProfiles> = (0..5).map(|i| bead(i, f64::from(i), 1.0)).collect();
        beads.iter_mut().for_each(|b| b.profiles.clear());
        assert!(bead_qualities(&beads).iter().all(|q| q.agreement.is_none() && q.outlier.is_none()));
        assert!(bead_qualities(&beads[..1])[0].agreement.is_none());
    }
}
