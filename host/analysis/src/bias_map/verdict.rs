//! One line about a Z-LUT: a grade and the reason that weighs most.

use super::{BiasMap, Grade, HeldOutScheme, Verdict};

/// Shares of held-out images without a usable z from which a table is fair, and poor.
const LOST: [f64; 2] = [0.002, 0.02];
/// The same for the share of the range at whose ends nothing is found.
const UNUSABLE: [f64; 2] = [0.2, 0.5];
/// The same for ambiguous planes.
const AMBIGUOUS: [f64; 2] = [0.0, 0.05];
/// The same for planes from which z falls.
const FALLS: [f64; 2] = [0.0, 0.05];
/// The same for the error of held-out frames, in plane steps.
const ERROR_STEPS: [f64; 2] = [0.1, 0.5];
/// The same for the bias between planes, in plane steps.
const BETWEEN_STEPS: [f64; 2] = [0.02, 0.1];

/// Says it.
pub(super) fn verdict(map: &BiasMap) -> Verdict {
    let (Some(scheme), Some(error_nm)) = (map.scheme, map.error_rms_nm) else {
        let sentence = match map.scheme {
            None => "unknown: the sweep has too few frames to hold any out".to_owned(),
            Some(_) => format!("poor: none of {} held-out frames was found again", map.n_held_out),
        };
        return Verdict { grade: Grade::Poor, sentence };
    };
    let share = |n: usize, of: usize| n as f64 / of.max(1) as f64;
    let n_lost = (map.n_without_z + map.n_far) as usize;
    let n_found = map.planes.iter().filter(|p| p.bias_nm.is_some()).count();
    let step_nm = map.plane_step_nm;
    let worst_between_nm = map.worst_between_nm.map_or(0.0, f64::abs);
    // Twice the step makes a bias that the table in use does not have; only what was measured at its own step counts.
    let at_own_step = map.between_scheme == Some(HeldOutScheme::BetweenPlanes);
    let mut reasons = Vec::new();
    let mut weigh = |value: f64, limits: [f64; 2], words: String| {
        let grade = if value > limits[1] {
            Grade::Poor
        } else if value > limits[0] {
            Grade::Fair
        } else {
            return;
        };
        reasons.push((grade, words));
    };
    // One image of a few is a large share, and may be chance: it does not make a table poor by itself.
    let chance = 1.5 / f64::from(map.n_held_out.max(1));
    weigh(
        share(n_lost, map.n_held_out as usize),
        [LOST[0], LOST[1].max(chance)],
        format!("{n_lost} of {} held-out frames have no z or one far off", map.n_held_out),
    );
    let (from, to) = map.usable_nm.unwrap_or_default();
    let whole_nm = map.planes.last().map_or(0.0, |p| p.focus_nm) - map.planes.first().map_or(0.0, |p| p.focus_nm);
    weigh(1.0 - (to - from) / whole_nm, UNUSABLE, format!("z is found from {from:.0} to {to:.0} nm only"));
    weigh(
        share(map.falls_at_nm.len(), n_found),
        FALLS,
        format!("z found falls from plane to plane at {} of {n_found} planes", map.falls_at_nm.len()),
    );
    weigh(
        share(map.ambiguous.len(), map.planes.len()),
        AMBIGUOUS,
        format!("{} planes look like one far away", map.ambiguous.len()),
    );
    let unexplained = map.sigma_nm.zip(map.scatter_nm).filter(|(sigma, scatter)| *scatter > 3.0 * sigma);
    let moved = unexplained.map_or("", |_| ", more than the image noise: bead or stage moved during the sweep");
    weigh(error_nm / step_nm, ERROR_STEPS, format!("held-out frames are {} nm rms off{moved}", short(error_nm)));
    if at_own_step {
        let words = format!("z is up to {} nm off between planes", short(worst_between_nm));
        weigh(worst_between_nm / step_nm, BETWEEN_STEPS, words);
    }
    reasons.sort_by_key(|r| std::cmp::Reverse(r.0));
    let grade = reasons.first().map_or(Grade::Good, |r| r.0);
    let sentence = if reasons.is_empty() {
        let doubled = if scheme == HeldOutScheme::EverySecondPlane { ", with planes twice as far apart" } else { "" };
        let between = if at_own_step && !map.between.is_empty() {
            format!(", at most {} nm off between planes", short(worst_between_nm))
        } else {
            String::new()
        };
        format!(
            "good: held-out frames are found within {} nm rms from {from:.0} to {to:.0} nm{doubled}{between}; z rises \
             everywhere, no plane looks like another",
            short(error_nm)
        )
    } else {
        let word = if grade == Grade::Poor { "poor" } else { "fair" };
        let all: Vec<String> = reasons.into_iter().map(|r| r.1).collect();
        format!("{word}: {}", all.join("; "))
    };
    Verdict { grade, sentence }
}

/// Two digits or so.
fn short(nm: f64) -> String {
    match nm.abs() {
        v if v < 1.0 => format!("{nm:.2}"),
        v if v < 10.0 => format!("{nm:.1}"),
        _ => format!("{nm:.0}"),
    }
}
