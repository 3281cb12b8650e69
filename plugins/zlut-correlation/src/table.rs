//! The table: the planes as they are saved, and the same made ready for looking up.

use ndarray::{ArrayView1, ArrayView2};
use tetherscope_kernels::ZlutTable;
use tetherscope_plugin_api::{Error, Result, SavedTable, SavedTableView};

/// A table of planes, rising in z.
#[derive(Debug)]
pub struct CorrelationTable {
    /// The parts; `bytes` is empty, this strategy needs none.
    pub saved: SavedTable,
    /// What is looked up in.
    pub planes: ZlutTable,
}

impl CorrelationTable {
    /// A table from its parts. Fails, with the mend, when the sizes do not fit, for fewer than 2 planes or 2 bins, for z
    /// that is not finite or does not rise, and for infinite profile values. A NaN bin is one without pixels.
    pub fn new(saved: SavedTable, n_bins: usize) -> Result<Self> {
        let n_planes = saved.z_nm.len();
        let n_values = n_planes * n_bins;
        let refuse =
            |what: String| Err(Error::invalid(format!("{what}\nrecord the Z-LUT again, or load another file")));
        if n_planes < 2 || n_bins < 2 {
            return refuse(format!("the Z-LUT has {n_planes} planes of {n_bins} bins\n2 of each are the least"));
        }
        if saved.profiles.len() != n_values {
            let n = saved.profiles.len();
            return refuse(format!(
                "the Z-LUT has {n} profile values\n{n_planes} planes of {n_bins} bins need {n_values}"
            ));
        }
        if !saved.variance.is_empty() && saved.variance.len() != n_values {
            let n = saved.variance.len();
            return refuse(format!("the Z-LUT has {n} variances\n{n_planes} planes of {n_bins} bins need {n_values}"));
        }
        if let Some(k) = saved.z_nm.iter().position(|z| !z.is_finite()) {
            return refuse(format!("z of plane {k} is {}\nevery plane needs a focus position", saved.z_nm[k]));
        }
        if let Some(k) = (1..n_planes).find(|&k| saved.z_nm[k] <= saved.z_nm[k - 1]) {
            let (z, before) = (saved.z_nm[k], saved.z_nm[k - 1]);
            return refuse(format!("z of plane {k} is {z} nm, after {before} nm\nz must rise from plane to plane"));
        }
        if let Some(i) = saved.profiles.iter().position(|p| p.is_infinite()) {
            return refuse(format!("bin {} of plane {} is infinite\nthe table is damaged", i % n_bins, i / n_bins));
        }
        let profiles = ArrayView2::from_shape((n_planes, n_bins), &saved.profiles).expect("the sizes were checked");
        let planes =
            ZlutTable::new(ArrayView1::from(&saved.z_nm), profiles).map_err(|e| Error::invalid(e.to_string()))?;
        Ok(Self { saved, planes })
    }

    /// A table from the parts of a file. `bytes` of whatever kind are not looked at.
    pub fn load(parts: &SavedTableView<'_>) -> Result<Self> {
        let saved = SavedTable {
            z_nm: parts.z_nm.to_vec(),
            profiles: parts.profiles.to_vec(),
            variance: parts.variance.unwrap_or_default().to_vec(),
            bytes: Vec::new(),
        };
        Self::new(saved, parts.layout.n_bins as usize)
    }

    /// The profile of one plane.
    pub fn plane(&self, k: usize) -> &[f64] {
        let n_bins = self.planes.n_bins();
        &self.saved.profiles[k * n_bins..(k + 1) * n_bins]
    }
}
