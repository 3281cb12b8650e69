//! How a z came about: the correlation with every plane, and what is left between profile and best plane. Off the live
//! path; it allocates.

use crate::table::CorrelationTable;
use ndarray::{Array2, ArrayView2};
use tetherscope_kernels::pearson;
use tetherscope_plugin_api::{NamedArrays, Result};

/// Gives `z` and `correlation` per plane, then `profile`, `plane` (the best one, scaled to the profile's brightness and
/// contrast) and `residual` per bin. Bin 0 takes no part in the correlation. Without a correlation the last two are NaN.
pub fn explain(table: &CorrelationTable, profile: &[f64], arrays: &mut NamedArrays<'_>) -> Result<()> {
    let (n_planes, n_bins) = (table.planes.n_planes(), profile.len());
    let planes = ArrayView2::from_shape((n_planes, n_bins), &table.saved.profiles).expect("checked when it was made");
    let own = ArrayView2::from_shape((1, n_bins), profile).expect("one row");
    let used = ndarray::s![.., 1..];
    let mut correlation = Array2::zeros((1, n_planes));
    pearson(planes.slice(used).t(), own.slice(used).t(), correlation.view_mut());
    let correlation: Vec<f64> = correlation.into_iter().collect();
    arrays.add("z", "nm", &[n_planes], &table.saved.z_nm)?;
    arrays.add("correlation", "", &[n_planes], &correlation)?;
    arrays.add("profile", "ADU", &[n_bins], profile)?;
    let best = (0..n_planes).filter(|&k| correlation[k].is_finite()).max_by(|&a, &b| {
        // The first of equals, as in the search.
        correlation[a].total_cmp(&correlation[b]).then(b.cmp(&a))
    });
    let fitted = best.map_or_else(|| vec![f64::NAN; n_bins], |k| scaled(table.plane(k), profile));
    let residual: Vec<f64> = profile.iter().zip(&fitted).map(|(p, f)| p - f).collect();
    arrays.add("plane", "ADU", &[n_bins], &fitted)?;
    arrays.add("residual", "ADU", &[n_bins], &residual)
}

/// `plane` with the gain and offset that bring it nearest to `profile`, over the bins from 1 on that both have.
pub fn scaled(plane: &[f64], profile: &[f64]) -> Vec<f64> {
    let both = plane.iter().zip(profile).skip(1).filter(|(a, b)| a.is_finite() && b.is_finite());
    let n = both.clone().count() as f64;
    let sums = both.clone().fold((0.0, 0.0), |(a, b), (plane, profile)| (a + plane, b + profile));
    let (plane_mean, profile_mean) = (sums.0 / n, sums.1 / n);
    let (mut square, mut product) = (0.0, 0.0);
    for (a, b) in both {
        square += (a - plane_mean).powi(2);
        product += (a - plane_mean) * (b - profile_mean);
    }
    let gain = product / square;
    plane.iter().map(|a| profile_mean + gain * (a - plane_mean)).collect()
}
