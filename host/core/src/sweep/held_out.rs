//! Tables tried on what they were not made from: built again from a part of a sweep's frames, and the rest looked up through
//! the loaded strategy. What the numbers say is computed in `tetherscope-analysis`; here they are only made.

use super::data::{Sweep, to_pixels};
use crate::error::RunError;
use std::collections::BTreeMap;
use std::sync::Arc;
use tetherscope_analysis::{BiasMap, HeldOut, HeldOutScheme, LookedUp, bias_map};
use tetherscope_loader::{CancelToken, Fix, PluginError, Table, ZlutStrategy};

/// Share of the planes that must have two frames, so that one half of them can be held out.
const PLANES_WITH_TWO: f64 = 0.9;
/// Fewest planes of which every second one can be held out.
const LEAST_PLANES: usize = 8;
/// Places between two planes at which a bead is tried.
const PLACES: usize = 8;
/// Most images that are interpolated for one table.
const MOST_BETWEEN: usize = 1000;
/// Planes that an interpolated image is made from.
const LAGRANGE: usize = 4;

/// One plane: its focus, and the entries with a position.
struct Plane {
    focus_nm: f64,
    entries: Vec<usize>,
}

/// The bias map of the table with these planes and profiles, which `strategy` built from `entries` of the sweep. What a
/// strategy refuses to build from fewer frames is missing in the map. Fails when the user gives up, and when no worker can
/// be had.
pub(super) fn try_on_held_out(
    sweep: &Sweep,
    strategy: &Arc<ZlutStrategy>,
    entries: &[usize],
    z_nm: &[f64],
    profiles: &[f64],
    cancel: &CancelToken,
) -> Result<BiasMap, RunError> {
    let planes = planes(sweep, entries);
    let mut held_out = Vec::new();
    let with_two = planes.iter().filter(|p| p.entries.len() > 1).count();
    let halves = with_two as f64 >= PLANES_WITH_TWO * planes.len() as f64 && with_two > 0;
    if halves {
        let half = |odd: usize| -> Vec<usize> {
            planes.iter().flat_map(|p| p.entries.iter().skip(odd).step_by(2).copied()).collect()
        };
        let (made_from, rest) = (half(0), half(1));
        if let Some(table) = build(sweep, strategy, &made_from, cancel)? {
            let table_z_nm = table.save()?.z_nm;
            let images = look_up(sweep, &rest, &table)?;
            held_out.push(HeldOut { scheme: HeldOutScheme::HalfOfFrames, table_z_nm: table_z_nm.clone(), images });
            if sweep.has_pixels() {
                let images = between_planes(sweep, &planes, &rest, &table)?;
                held_out.push(HeldOut { scheme: HeldOutScheme::BetweenPlanes, table_z_nm, images });
            }
        }
    }
    if planes.len() >= LEAST_PLANES {
        // One half is enough where the planes themselves were tried already.
        for odd in 0..if halves { 1 } else { 2 } {
            let every_second = |odd: usize| -> Vec<usize> {
                planes.iter().skip(odd).step_by(2).flat_map(|p| p.entries.iter().copied()).collect()
            };
            if let Some(table) = build(sweep, strategy, &every_second(odd), cancel)? {
                let images = look_up(sweep, &every_second(1 - odd), &table)?;
                let table_z_nm = table.save()?.z_nm;
                held_out.push(HeldOut { scheme: HeldOutScheme::EverySecondPlane, table_z_nm, images });
            }
        }
    }
    held_out.retain(|h| !h.images.is_empty());
    Ok(bias_map(z_nm, profiles, &held_out))
}

/// Entries with a position by rising focus; within a plane by bead, then frame.
fn planes(sweep: &Sweep, entries: &[usize]) -> Vec<Plane> {
    let mut planes: Vec<Plane> = Vec::new();
    let mut sorted: Vec<usize> =
        entries.iter().copied().filter(|&i| sweep.has_position(i) && sweep.focus_nm()[i].is_finite()).collect();
    sorted.sort_by(|&a, &b| {
        let of = |i: usize| (sweep.beads()[i], sweep.frames()[i]);
        sweep.focus_nm()[a].total_cmp(&sweep.focus_nm()[b]).then_with(|| of(a).cmp(&of(b)))
    });
    for i in sorted {
        let focus_nm = sweep.focus_nm()[i];
        match planes.last_mut() {
            Some(plane) if plane.focus_nm == focus_nm => plane.entries.push(i),
            _ => planes.push(Plane { focus_nm, entries: vec![i] }),
        }
    }
    planes
}

/// A table from some of the entries; None where the strategy refuses.
fn build(
    sweep: &Sweep,
    strategy: &Arc<ZlutStrategy>,
    entries: &[usize],
    cancel: &CancelToken,
) -> Result<Option<Arc<Table>>, RunError> {
    let built = cancel.run(|| sweep.build(strategy, entries));
    if cancel.is_cancelled() {
        return Err(RunError::Cancelled);
    }
    Ok(built.ok())
}

fn look_up(sweep: &Sweep, entries: &[usize], table: &Arc<Table>) -> Result<Vec<LookedUp>, RunError> {
    let fixes = match sweep.look_up(entries, table) {
        Err(RunError::Plugin(e)) => {
            say(&e);
            vec![Fix::EMPTY; entries.len()]
        }
        found => found?,
    };
    let focus_nm = entries.iter().map(|&i| sweep.focus_nm()[i]);
    let of = |(focus_nm, fix): (f64, Fix)| LookedUp { focus_nm, z_nm: fix.z_nm, sigma_z_nm: f64::from(fix.sigma_z_nm) };
    Ok(focus_nm.zip(fixes).map(of).collect())
}

/// A call that fails here must not cost the table, which stands already; the map shows the images as not found.
fn say(e: &PluginError) {
    tracing::warn!("a try on held-out frames failed: {}", e.to_string().replace('\n', "; "));
}

/// Images of one bead between its planes (cubic through four of them), tracked and looked up like any other.
fn between_planes(
    sweep: &Sweep,
    planes: &[Plane],
    held_out: &[usize],
    table: &Arc<Table>,
) -> Result<Vec<LookedUp>, RunError> {
    let Some((bead, images)) = mean_images(sweep, planes, held_out) else { return Ok(Vec::new()) };
    if images.len() < LAGRANGE {
        return Ok(Vec::new());
    }
    let n_all = (images.len() - 1) * PLACES;
    // Odd, so that all places come in turn.
    let stride = n_all.div_ceil(MOST_BETWEEN) | 1;
    let mut mixed = Sweep::new(sweep.tracker().clone(), *sweep.layout(), *sweep.config());
    for (frame, i) in (0..n_all).step_by(stride).enumerate() {
        let (k, place) = (i / PLACES, (i % PLACES) as f64 / PLACES as f64);
        let focus_nm = images[k].0 + place * (images[k + 1].0 - images[k].0);
        let first = k.saturating_sub(LAGRANGE / 2 - 1).min(images.len() - LAGRANGE);
        let four = &images[first..first + LAGRANGE];
        let weights = lagrange(focus_nm, std::array::from_fn(|i| four[i].0));
        let value = |p: usize| four.iter().zip(&weights).map(|((_, image), w)| w * image[p]).sum::<f64>();
        let pixels = to_pixels((0..sweep.px_per_roi()).map(value), sweep.config());
        mixed.push_untracked(bead, frame as u64, focus_nm, &pixels)?;
    }
    match mixed.track() {
        Err(RunError::Plugin(e)) => {
            say(&e);
            return Ok(Vec::new());
        }
        tracked => tracked?,
    }
    let entries: Vec<usize> = (0..mixed.len()).collect();
    look_up(&mixed, &entries, table)
}

/// Focus and mean pixel values of a plane.
type PlaneImage = (f64, Vec<f64>);

/// Of one bead: focus and mean held-out image of every plane that has one. The bead with the most planes, the first of them.
fn mean_images(sweep: &Sweep, planes: &[Plane], held_out: &[usize]) -> Option<(u32, Vec<PlaneImage>)> {
    let held_out: std::collections::HashSet<usize> = held_out.iter().copied().collect();
    let mut n_planes: BTreeMap<u32, usize> = BTreeMap::new();
    let in_plane = |plane: &Plane, bead: u32| -> Vec<usize> {
        plane.entries.iter().copied().filter(|i| held_out.contains(i) && sweep.beads()[*i] == bead).collect()
    };
    for plane in planes {
        let mut beads: Vec<u32> =
            plane.entries.iter().filter(|i| held_out.contains(i)).map(|&i| sweep.beads()[i]).collect();
        beads.dedup();
        beads.into_iter().for_each(|b| *n_planes.entry(b).or_default() += 1);
    }
    let (&bead, _) = n_planes.iter().max_by_key(|(b, n)| (**n, std::cmp::Reverse(**b)))?;
    let mean = |plane: &Plane| {
        let entries = in_plane(plane, bead);
        let mut sum = vec![0.0; sweep.px_per_roi()];
        entries.iter().for_each(|&i| sweep.add_pixels(i, &mut sum));
        sum.iter_mut().for_each(|s| *s /= entries.len() as f64);
        (!entries.is_empty()).then_some((plane.focus_nm, sum))
    };
    Some((bead, planes.iter().filter_map(mean).collect()))
}

/// Weights of Lagrange's cubic at `x`.
fn lagrange(x: f64, at: [f64; LAGRANGE]) -> [f64; LAGRANGE] {
    std::array::from_fn(|i| (0..LAGRANGE).filter(|&j| j != i).map(|j| (x - at[j]) / (at[i] - at[j])).product())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_is_interpolated_without_error_whatever_the_distances() {
        let cubic = |x: f64| 2.0 - 3.0 * x + 0.5 * x * x - 0.25 * x * x * x;
        let at = [-1.0, 0.5, 2.0, 2.5];
        for x in [-1.0, -0.2, 0.5, 1.0, 2.25, 3.0] {
            let w = lagrange(x, at);
            let y: f64 = w.iter().zip(at).map(|(w, a)| w * cubic(a)).sum();
            assert!((y - cubic(x)).abs() < 1e-12 && (w.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
