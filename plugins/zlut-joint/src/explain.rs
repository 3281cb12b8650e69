//! How a fit came about: the image as the template has it, what is left of the picture, and the numbers. Off the live path;
//! it allocates.

use ndarray::ArrayView2;
use tetherscope_kernels::{JointFit, JointLookup, JointTemplate, Pixel};
use tetherscope_plugin_api::{NamedArrays, Result};

/// Gives `fitted` and `residual` over the ROI (NaN without a fit, and where the template does not reach), and `fit`: x, y
/// (px), z (nm), their standard errors, gain, offset (ADU), reduced χ², the worst tile's excess, passes.
pub fn explain<P: Pixel>(
    lookup: &JointLookup,
    image: ArrayView2<'_, P>,
    template: &JointTemplate,
    fit: &JointFit,
    arrays: &mut NamedArrays<'_>,
) -> Result<()> {
    let shape = [image.nrows(), image.ncols()];
    let (fitted, residual) = lookup.model(image, template, fit);
    arrays.add("fitted", "ADU", &shape, &fitted)?;
    arrays.add("residual", "ADU", &shape, &residual)?;
    let numbers = [
        fit.x_px,
        fit.y_px,
        fit.z_nm,
        fit.sigma_x_px,
        fit.sigma_y_px,
        fit.sigma_z_nm,
        fit.gain,
        fit.offset_adu,
        fit.chi2,
        fit.worst_tile,
        fit.n_passes as f64,
    ];
    arrays.add("fit", "px, px, nm, px, px, nm, 1, ADU, 1, 1, 1", &[numbers.len()], &numbers)
}
