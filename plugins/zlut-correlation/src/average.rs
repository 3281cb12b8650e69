//! From a sweep's frames to planes: mean profile and variance of the mean, bin by bin.
//!
//! The mean is plain, over all frames of all beads of a plane, as MagScope averages the frames of one bead. Beads of
//! different brightness therefore count by their contrast; beads of different size belong in tables of their own.

use tetherscope_plugin_api::{Error, HostHandle, Result, SavedTable, SweepView};

/// Most focus values that a message names.
const MAX_NAMED: usize = 6;

/// Planes of a sweep, rising in focus. A frame counts when its x and y are finite; of its profile, the finite bins.
/// `variance` is empty unless some bin of some plane has two frames; a bin with fewer has variance NaN.
///
/// Fails, with the mend, without profiles, for a focus that is not finite, fewer than 2 planes, planes in which no frame
/// was tracked, and when the user gave up.
pub fn planes(sweep: &SweepView<'_>, host: &HostHandle) -> Result<SavedTable> {
    let n_bins = sweep.layout.n_bins as usize;
    if n_bins < 2 || sweep.profiles.len() != sweep.focus_nm.len() * n_bins {
        return Err(Error::invalid(format!(
            "the sweep has no profiles (its tracker {} makes {n_bins} bins)\na table of correlations needs 2 bins or more\n\
             take a tracker that makes profiles, such as tracker.magtrack",
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
    if planes.len() < 2 {
        return Err(Error::invalid(format!(
            "the sweep has {} plane(s)\nz between planes needs 2 or more\nrecord frames at several focus positions",
            planes.len()
        )));
    }
    let mut table = SavedTable::default();
    let mut lost = Vec::new();
    for (focus_nm, entries) in &planes {
        if host.cancelled() {
            return Err(Error::cancelled());
        }
        let tracked = |i: &&usize| sweep.fixes[**i].x_px.is_finite() && sweep.fixes[**i].y_px.is_finite();
        let frames: Vec<&[f64]> = entries.iter().filter(tracked).map(|&i| sweep.profile(i)).collect();
        let first = table.profiles.len();
        for bin in 0..n_bins {
            let (mean, variance) = mean_and_variance(frames.iter().map(|profile| profile[bin]));
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

/// Mean of the finite values, and the variance of that mean (sample variance by their number); NaN without, or with
/// fewer than two values.
fn mean_and_variance(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let finite = values.filter(|v| v.is_finite());
    let n = finite.clone().count() as f64;
    let mean = finite.clone().sum::<f64>() / n;
    if n < 2.0 {
        return (mean, f64::NAN);
    }
    let squares: f64 = finite.map(|v| (v - mean).powi(2)).sum();
    (mean, squares / (n - 1.0) / n)
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
