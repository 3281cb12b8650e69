//! From a sweep's frames to planes: mean profile and variance of the mean, bin by bin, every frame weighted by the pixels
//! that it has in the bin. Does not smooth; that is the table's work.

use tetherscope_kernels::{SplineTableError, append_mean_profile, known_weights};
use tetherscope_plugin_api::{Error, HostHandle, Result, SavedTable, SweepView};

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
        let weights = |i: usize| sweep.weights.get(i * n_bins..(i + 1) * n_bins).unwrap_or_default();
        let frames: Vec<(&[f64], &[f32])> =
            entries.iter().filter(tracked).map(|&i| (sweep.profile(i), known_weights(weights(i)))).collect();
        let first = table.profiles.len();
        append_mean_profile(n_bins, &frames, &mut table.profiles, &mut table.variance);
        if table.profiles[first..].iter().all(|p| p.is_nan()) {
            lost.push(*focus_nm);
        }
        table.z_nm.push(*focus_nm);
    }
    if !lost.is_empty() {
        let error = SplineTableError::LostPlanes { lost_nm: lost, n_planes: planes.len() };
        return Err(Error::invalid(error.to_string()));
    }
    if table.variance.iter().all(|v| v.is_nan()) {
        table.variance.clear();
    }
    Ok(table)
}
