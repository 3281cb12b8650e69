//! From a sweep's frames to planes: mean profile and variance of the mean, bin by bin, every frame weighted by the pixels
//! that it has in the bin. Does not smooth; that is the table's work.

use tetherscope_kernels::mean_and_variance;
use tetherscope_plugin_api::{Error, HostHandle, Result, SavedTable, SweepView};

/// Most focus values that a message names.
const MAX_NAMED: usize = 6;

/// Planes of a sweep, rising in focus. A frame counts when its x and y are finite; of its profile, the finite bins.
/// `variance` is empty unless some bin of some plane has two frames; a bin with fewer has variance NaN.
///
/// Fails, with the mend, without profiles, for a focus that is not finite, planes in which no frame was tracked, and when
/// the user gave up.
pub fn planes(sweep: &SweepView<'_>, host: &HostHandle) -> Result<SavedTable> {
    let n_bins = sweep.layout.n_bins as usize;
    if n_bins < 4 || sweep.profiles.len() != sweep.focus_nm.len() * n_bins {
        return Err(Error::invalid(format!(
            "the sweep has no profiles that splines could be made of (its tracker {} makes {n_bins} bins)\na fit needs 4 \
             bins or more\ntake a tracker that makes profiles, such as tracker.magtrack",
            sweep.tracker_id
        )));
    }
    if let Some(i) = sweep.focus_nm.iter().position(|z| !z.is_finite()) {
        return Err(Error::invalid(format!(
            "the focus of entry {i} (frame {}) is {}\nevery frame of a sweep needs a focus position\nleave the frame out, \
             or record the sweep again",
            sweep.batch.frame_index(i),
            sweep.focus_nm[i]
        )));
    }
    let planes = sweep.planes();
    let mut table = SavedTable::default();
    let mut lost = Vec::new();
    for (focus_nm, entries) in &planes {
        if host.cancelled() {
            return Err(Error::cancelled());
        }
        let tracked = |i: &&usize| sweep.fixes[**i].x_px.is_finite() && sweep.fixes[**i].y_px.is_finite();
        let frames: Vec<usize> = entries.iter().filter(tracked).copied().collect();
        let first = table.profiles.len();
        for bin in 0..n_bins {
            let weight = |i: usize| {
                let weights = sweep.weights.get(i * n_bins..(i + 1) * n_bins).unwrap_or_default();
                known(weights).get(bin).map_or(1.0, |&w| f64::from(w))
            };
            let (mean, variance) = mean_and_variance(frames.iter().map(|&i| (sweep.profile(i)[bin], weight(i))));
            table.profiles.push(mean);
            table.variance.push(variance);
        }
        if table.profiles[first..].iter().all(|p| p.is_nan()) {
            lost.push(*focus_nm);
        }
        table.z_nm.push(*focus_nm);
    }
    if !lost.is_empty() {
        return Err(Error::invalid(lost_planes(&lost, planes.len())));
    }
    if table.variance.iter().all(|v| v.is_nan()) {
        table.variance.clear();
    }
    Ok(table)
}

/// The weights of a row; empty for a tracker that wrote none, whose rows the host hands on as it prepared them: all NaN.
pub fn known(weights: &[f32]) -> &[f32] {
    if weights.iter().all(|w| w.is_nan()) { &[] } else { weights }
}

fn lost_planes(lost: &[f64], n_planes: usize) -> String {
    let mut named: Vec<String> = lost.iter().take(MAX_NAMED).map(|z| format!("{z} nm")).collect();
    if lost.len() > MAX_NAMED {
        named.push(format!("{} more", lost.len() - MAX_NAMED));
    }
    format!(
        "no frame could be tracked in {} of {n_planes} planes: {}\na plane needs one tracked frame or more\nshorten the \
         sweep, centre the bead in its ROI, or record more frames per plane",
        lost.len(),
        named.join(", ")
    )
}
