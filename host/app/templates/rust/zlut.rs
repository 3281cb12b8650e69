//! `zlut.your-lab.your-method`: the plane whose profile is nearest, and a parabola through the distances of it and its two
//! neighbours. The method to put yours in the place of.
//!
//! Profiles are compared whatever their brightness and contrast: each is shifted and scaled to mean 0 and variance 1. The
//! distance is the mean squared difference: 0 for the same profile, 2 for one that has nothing to do with it. The innermost
//! bin has a few pixels only and would bring the most noise: it is left out.

use tetherscope_plugin_api::abi::{FLAG_LOW_CONTRAST, FLAG_NOT_CONVERGED, FLAG_OUTSIDE_ZLUT};
use tetherscope_plugin_api::{
    Descriptor, Error, HostHandle, LookupRow, LookupRows, ParamValues, Parameter, ProfileLayout, Result, RoiBatch,
    SavedTable, SavedTableView, SweepView, WorkerConfig, ZlutStrategy, ZlutWorker,
};

const FEWEST_BINS: usize = 4;
const FEWEST_PLANES: usize = 3;

/// The method with its parameters.
struct YourMethod {
    max_distance: f64,
}

/// Planes rising in z: the profiles as they were recorded, and the same normalised.
struct Table {
    saved: SavedTable,
    n_bins: usize,
    normalised: Vec<f64>,
}

/// What one thread needs.
struct Worker {
    max_distance: f64,
    profile: Vec<f64>,
}

/// Shifts and scales the finite bins to mean 0 and variance 1, the innermost to none; false when there are too few, or they
/// are all the same.
fn normalise(from: &[f64], to: &mut [f64]) -> bool {
    let finite = || from.iter().skip(1).filter(|v| v.is_finite());
    let n = finite().count();
    let mean = finite().sum::<f64>() / n as f64;
    let squares = finite().map(|v| (v - mean) * (v - mean)).sum::<f64>();
    if n < FEWEST_BINS || squares <= 0.0 || !squares.is_finite() {
        return false;
    }
    let scale = 1.0 / (squares / n as f64).sqrt();
    to[0] = f64::NAN;
    for (to, from) in to.iter_mut().zip(from).skip(1) {
        *to = if from.is_finite() { (from - mean) * scale } else { f64::NAN };
    }
    true
}

/// Mean squared difference over the bins that both have; infinite when these are too few.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut n, mut sum) = (0, 0.0);
    for d in a.iter().zip(b).map(|(a, b)| a - b).filter(|d| !d.is_nan()) {
        n += 1;
        sum += d * d;
    }
    if n >= FEWEST_BINS { sum / n as f64 } else { f64::INFINITY }
}

impl Table {
    fn new(z_nm: Vec<f64>, profiles: Vec<f64>, n_bins: usize) -> Result<Self> {
        if n_bins < FEWEST_BINS || z_nm.len() < FEWEST_PLANES || profiles.len() != z_nm.len() * n_bins {
            let what = "a Z-LUT needs 3 planes of 4 bins at least, and as many values as planes times bins";
            return Err(Error::invalid(what));
        }
        if !z_nm.iter().all(|z| z.is_finite()) || z_nm.windows(2).any(|z| z[1] <= z[0]) {
            return Err(Error::invalid("z of the Z-LUT must be finite and rise from plane to plane"));
        }
        let mut normalised = vec![f64::NAN; profiles.len()];
        for (to, from) in normalised.chunks_exact_mut(n_bins).zip(profiles.chunks_exact(n_bins)) {
            if !normalise(from, to) {
                let what = "a plane of the Z-LUT has no contrast: record the sweep again, with a bead in the ROI";
                return Err(Error::invalid(what));
            }
        }
        Ok(Self { saved: SavedTable { z_nm, profiles, ..SavedTable::default() }, n_bins, normalised })
    }

    fn plane(&self, i: usize) -> &[f64] {
        &self.normalised[i * self.n_bins..(i + 1) * self.n_bins]
    }
}

impl ZlutStrategy for YourMethod {
    type Table = Table;
    type Worker = Worker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "zlut.your-lab.your-method",
            name: "Your method",
            version: "0.1.0",
            summary: "The plane whose profile is nearest, and a parabola through the distances of its neighbours.",
            source: "textbook",
            licence: "MIT OR Apache-2.0",
            parameters: vec![
                Parameter::float(
                    "max_distance",
                    "A profile farther than this from every plane has no z; 0 same, 2 unrelated",
                    0.5,
                )
                .range(0.0, 4.0)
                .step(0.05),
            ],
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        Ok(Self { max_distance: params.float("max_distance")? })
    }

    /// The plain mean of the tracked frames of each plane.
    fn build(&self, sweep: &SweepView<'_>, _host: &HostHandle) -> Result<Table> {
        let n_bins = sweep.layout.n_bins as usize;
        let (mut z_nm, mut profiles) = (Vec::new(), Vec::new());
        for (z, entries) in sweep.planes() {
            let tracked: Vec<usize> = entries.into_iter().filter(|&i| !sweep.fixes[i].x_px.is_nan()).collect();
            if tracked.is_empty() {
                continue;
            }
            z_nm.push(z);
            for k in 0..n_bins {
                let values = || tracked.iter().filter_map(|&i| sweep.profile(i).get(k)).filter(|v| v.is_finite());
                profiles.push(values().sum::<f64>() / values().count() as f64); // no pixel: 0 / 0 is NaN
            }
        }
        Table::new(z_nm, profiles, n_bins)
    }

    fn load(&self, parts: &SavedTableView<'_>) -> Result<Table> {
        Table::new(parts.z_nm.to_vec(), parts.profiles.to_vec(), parts.layout.n_bins as usize)
    }

    fn save(table: &Table) -> Result<SavedTable> {
        Ok(table.saved.clone())
    }

    fn worker(&self, _config: &WorkerConfig, layout: &ProfileLayout) -> Result<Worker> {
        let n_bins = layout.n_bins as usize;
        if n_bins < FEWEST_BINS {
            return Err(Error::invalid(
                "the tracker makes profiles of fewer than 4 bins: take one that makes profiles",
            ));
        }
        Ok(Worker { max_distance: self.max_distance, profile: vec![0.0; n_bins] })
    }
}

impl ZlutWorker for Worker {
    type Table = Table;

    fn lookup(&mut self, _batch: &RoiBatch<'_>, rows: &mut LookupRows<'_, Table>) -> Result<()> {
        for i in 0..rows.len() {
            let row = rows.row(i);
            if row.profile.len() != self.profile.len() || row.table.n_bins != self.profile.len() {
                let what = "profile and Z-LUT differ in length: record the Z-LUT with the ROI size of the measurement";
                return Err(Error::invalid(what));
            }
            if !row.fix.x_px.is_nan() && !row.fix.y_px.is_nan() {
                self.lookup_one(row);
            }
        }
        Ok(())
    }
}

impl Worker {
    /// Fills z and quality; leaves z NaN and sets a flag where there is none.
    fn lookup_one(&mut self, row: LookupRow<'_, Table>) {
        let (table, fix) = (row.table, row.fix);
        if !normalise(row.profile, &mut self.profile) {
            fix.flags |= FLAG_LOW_CONTRAST;
            return;
        }
        let to_plane = |i: usize| distance(&self.profile, table.plane(i));
        let (mut best, mut nearest) = (0, f64::INFINITY);
        for i in 0..table.saved.z_nm.len() {
            let d = to_plane(i);
            if d < nearest {
                (best, nearest) = (i, d);
            }
        }
        fix.quality = (1.0 - nearest / 2.0).max(0.0) as f32;
        if nearest > self.max_distance {
            fix.flags |= FLAG_LOW_CONTRAST;
            return;
        }
        if best == 0 || best + 1 == table.saved.z_nm.len() {
            fix.flags |= FLAG_OUTSIDE_ZLUT;
            return;
        }
        // The parabola through three points that need not be equally far apart.
        let z = &table.saved.z_nm[best - 1..=best + 1];
        let (left, right) = (z[0] - z[1], z[2] - z[1]);
        let at_left = (to_plane(best - 1) - nearest) / left;
        let at_right = (to_plane(best + 1) - nearest) / right;
        let curvature = (at_right - at_left) / (right - left);
        let z_nm = z[1] - (at_left - curvature * left) / (2.0 * curvature);
        if curvature > 0.0 && z_nm >= z[0] && z_nm <= z[2] {
            fix.z_nm = z_nm;
        } else {
            fix.flags |= FLAG_NOT_CONVERGED;
        }
    }
}

tetherscope_plugin_api::export_plugin! { zlut: YourMethod }

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_plugin_api::{Fix, RoisInImage};

    const N_BINS: usize = 20;
    const STEP_NM: f64 = 50.0;
    /// A parabola through planes 50 nm apart is not the true curve, but nearer than this.
    const TOLERANCE_NM: f64 = 5.0;

    /// The profile of a simulated bead at z: rings that move outwards as it goes out of focus.
    fn profile_at(z_nm: f64) -> Vec<f64> {
        let ring = |k: f64| 100.0 + 50.0 * ((k + 0.5) * (0.4 + z_nm / 5000.0)).cos() * (-k / 12.0).exp();
        (0..N_BINS).map(|k| ring(k as f64)).collect()
    }

    fn table() -> Result<Table> {
        let z_nm: Vec<f64> = (0..21).map(|i| STEP_NM * f64::from(i)).collect();
        let profiles = z_nm.iter().flat_map(|z| profile_at(*z)).collect();
        Table::new(z_nm, profiles, N_BINS)
    }

    fn look_up(table: &Table, profile: &[f64]) -> Fix {
        let image = [0_u8; 4];
        let rois = RoisInImage::u8(&image, 2, (2, 2), &[(0, 0)]);
        let mut fixes = [Fix { x_px: 20.0, y_px: 20.0, ..Fix::EMPTY }];
        let mut worker = Worker { max_distance: 0.5, profile: vec![0.0; N_BINS] };
        let tables = [table];
        worker.lookup(&rois.batch(), &mut LookupRows::new(&tables, &mut fixes, profile, &[], N_BINS)).unwrap();
        fixes[0]
    }

    #[test]
    fn z_of_simulated_profiles_is_found_between_the_planes() {
        let table = table().unwrap();
        for z in (0..12).map(|i| 60.0 + 77.0 * f64::from(i)) {
            let brighter: Vec<f64> = profile_at(z).iter().map(|v| 1.7 * v + 12.0).collect();
            let fix = look_up(&table, &brighter);
            assert!((fix.z_nm - z).abs() < TOLERANCE_NM && fix.flags == 0, "z {z}: {fix:?}");
        }
    }

    #[test]
    fn what_has_no_z_is_nan_with_a_flag() {
        let table = table().unwrap();
        let fix = look_up(&table, &profile_at(-400.0));
        assert!(fix.z_nm.is_nan() && fix.flags == FLAG_OUTSIDE_ZLUT, "{fix:?}");
        let fix = look_up(&table, &[0.0; N_BINS]);
        assert!(fix.z_nm.is_nan() && fix.flags == FLAG_LOW_CONTRAST, "{fix:?}");
    }

    #[test]
    fn a_table_whose_planes_do_not_rise_is_refused() {
        let SavedTable { mut z_nm, profiles, .. } = table().unwrap().saved;
        z_nm[3] = z_nm[2];
        assert!(Table::new(z_nm, profiles, N_BINS).is_err());
    }
}
