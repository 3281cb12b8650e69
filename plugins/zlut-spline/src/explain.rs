//! How a z came about: profile, splines at that z with the fitted gain and offset, and what is left. Off the live path; it
//! allocates.

use tetherscope_kernels::{SplineFit, SplineTable};
use tetherscope_plugin_api::{NamedArrays, Result};

/// Gives `profile`, `fitted` and `residual` per bin (NaN without a z), and `fit`: z (nm), σ_z (nm), gain, offset (ADU),
/// reduced χ², steps.
pub fn explain(table: &SplineTable, profile: &[f64], fit: &SplineFit, arrays: &mut NamedArrays<'_>) -> Result<()> {
    let n_bins = profile.len();
    let mut fitted = vec![f64::NAN; n_bins];
    if fit.z_nm.is_finite() {
        table.profile_at(fit.z_nm, &mut fitted);
        fitted.iter_mut().for_each(|v| *v = fit.gain * *v + fit.offset_adu);
    }
    let residual: Vec<f64> = profile.iter().zip(&fitted).map(|(p, f)| p - f).collect();
    arrays.add("profile", "ADU", &[n_bins], profile)?;
    arrays.add("fitted", "ADU", &[n_bins], &fitted)?;
    arrays.add("residual", "ADU", &[n_bins], &residual)?;
    let numbers = [fit.z_nm, fit.sigma_z_nm, fit.gain, fit.offset_adu, fit.chi2, fit.n_iterations as f64];
    arrays.add("fit", "nm, nm, 1, ADU, 1, 1", &[numbers.len()], &numbers)
}
