//! Planes of a table that look like a plane far away, so that a lookup may land there.

use super::{Ambiguity, correlation};

/// Likeness of two planes far apart from which on noise of a usual image may confuse them.
const LIKE: f64 = 0.98;
/// By how much likeness must rise again on the way outwards, to count as another fringe rather than as a slope.
const RISES_AGAIN: f64 = 0.02;

/// The ambiguous planes, by rising focus, each with the plane that it resembles most. A plane's own surroundings, out to
/// where the likeness first stops falling, do not count. Likeness is Pearson's correlation over bins that both planes have.
pub(super) fn ambiguous_planes(z_nm: &[f64], profiles: &[f64]) -> Vec<Ambiguity> {
    let n = z_nm.len();
    if n == 0 || profiles.is_empty() {
        return Vec::new();
    }
    assert!(profiles.len().is_multiple_of(n), "{} profile values do not go into {n} planes", profiles.len());
    let rows: Vec<&[f64]> = profiles.chunks(profiles.len() / n).collect();
    let find = |k: usize| {
        let up = other_fringe((k + 1..n).map(|j| (j, likeness(rows[k], rows[j]))));
        let down = other_fringe((0..k).rev().map(|j| (j, likeness(rows[k], rows[j]))));
        let best = up.into_iter().chain(down).max_by(|a, b| a.1.total_cmp(&b.1))?;
        (best.1 >= LIKE).then(|| Ambiguity { focus_nm: z_nm[k], like_nm: z_nm[best.0], correlation: best.1 })
    };
    (0..n).filter_map(find).collect()
}

fn likeness(a: &[f64], b: &[f64]) -> f64 {
    correlation(a, b).unwrap_or(-1.0)
}

/// Of planes in the order of their distance: the most alike one beyond the first rise.
fn other_fringe(outwards: impl Iterator<Item = (usize, f64)>) -> Option<(usize, f64)> {
    let (mut least, mut best) = (1.0_f64, None::<(usize, f64)>);
    for (j, r) in outwards {
        least = least.min(r);
        if r > least + RISES_AGAIN && best.is_none_or(|b| r > b.1) {
            best = Some((j, r));
        }
    }
    best
}
