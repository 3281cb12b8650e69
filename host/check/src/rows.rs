//! What a row may hold as a plugin wrote it, before the host has mended anything.

use crate::outcome::{Verdict, ensure};
use tetherscope_loader::{Fix, abi};

/// Flags that only the host sets.
const OF_THE_HOST: u32 = abi::FLAG_DEADLINE | abi::FLAG_PLUGIN_ERROR | abi::FLAG_NOT_WRITTEN;
/// Flags that version 1 of the interface knows: eleven of the host and the methods, eight of the method itself.
const KNOWN: u32 = ((abi::FLAG_NOT_WRITTEN << 1) - 1) | (0xff << 24);

/// z is finite or NaN, standard errors are NaN or not negative, quality is NaN or 0 to 1, flags exist and are a plugin's.
pub(crate) fn well_written(fix: &Fix, what: &str) -> Verdict {
    let Fix { z_nm, sigma_x_px, sigma_y_px, sigma_z_nm, quality, flags, .. } = *fix;
    ensure!(z_nm.is_nan() || z_nm.is_finite(), "{what}: z is {z_nm}");
    for (name, sigma) in [("x", sigma_x_px), ("y", sigma_y_px), ("z", sigma_z_nm)] {
        ensure!(sigma.is_nan() || (sigma.is_finite() && sigma >= 0.0), "{what}: the error of {name} is {sigma}");
    }
    ensure!(quality.is_nan() || (0.0..=1.0).contains(&quality), "{what}: quality {quality} is not 0 to 1");
    ensure!(flags & OF_THE_HOST == 0, "{what}: flags {flags:#x} hold one that only the host sets");
    ensure!(flags & !KNOWN == 0, "{what}: flags {flags:#x} hold one that does not exist");
    Ok(())
}
