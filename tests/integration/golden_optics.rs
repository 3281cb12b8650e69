//! The bead simulator against MagTrack's golden numbers: every `simulate_beads` and `simulate_zlut` of the set.

use ndarray::{Array3, ArrayD};
use tetherscope_kernels::optics::{BeadOptics, SimulationParameters, simulate_beads, simulate_zlut};

use crate::golden::{Case, Check, Golden};

/// The arguments of a call, MagTrack's defaults where it left them out.
fn parameters(check: &Check) -> SimulationParameters {
    let default = SimulationParameters::default();
    let number = |name, default| check.number_or(name, default);
    SimulationParameters {
        bead: BeadOptics {
            radius_nm: number("radius_nm", default.bead.radius_nm),
            wavelength_nm: number("wavelength_nm", default.bead.wavelength_nm),
            index_sphere: number("n_sphere", default.bead.index_sphere),
            index_medium: number("n_medium", default.bead.index_medium),
            absorption_per_nm: number("absorption_per_nm", default.bead.absorption_per_nm),
            numerical_aperture: default.bead.numerical_aperture,
        },
        nm_per_px: number("nm_per_px", default.nm_per_px),
        size_px: number("size_px", default.size_px as f64) as usize,
        background_level: number("background_level", default.background_level),
        contrast_scale: number("contrast_scale", default.contrast_scale),
        pad_factor: number("pad_factor", default.pad_factor),
    }
}

/// Runs every check of this function; returns how many there were.
fn run(function: &str, outcome: impl Fn(&Case, &Check) -> ArrayD<f64>) -> usize {
    let golden = Golden::load();
    let mut n_checks = 0;
    let mut largest = 0.0_f64;
    for (case, check) in golden.checks().filter(|(_, check)| check.function == function) {
        let difference = check.output("value").compare(&outcome(case, check), &check.unspecified_frames);
        largest = largest.max(difference.unwrap_or_else(|error| panic!("{}: {error}", check.id)));
        n_checks += 1;
    }
    println!("{function}: {n_checks} checks, largest difference {largest:.1e}");
    n_checks
}

#[test]
fn simulated_beads_are_those_of_magtrack() {
    let n_checks = run("simulate_beads", |case, check| {
        let images = simulate_beads(case.arg2(check, "xyz_nm").view(), &parameters(check)).expect("good parameters");
        let image_last: Array3<f64> = images.permuted_axes([1, 2, 0]);
        image_last.into_dyn()
    });
    assert_eq!(n_checks, 16);
}

#[test]
fn a_simulated_zlut_is_that_of_magtrack() {
    let n_checks = run("simulate_zlut", |case, check| {
        let z_nm = case.arg1(check, "z_nm").to_vec();
        let oversample = check.number_or("oversample", 1.0) as usize;
        simulate_zlut(&z_nm, oversample, &parameters(check)).expect("good parameters").into_dyn()
    });
    assert_eq!(n_checks, 8);
}
