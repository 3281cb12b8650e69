//! The spline look-up against profiles whose z is known: from a closed formula, and from the optics.

use super::*;
use crate::noise_model::NoiseModel;
use crate::optics::{RadialTable, RadialTableParameters};
use crate::test_images::Random;

const N_BINS: usize = 40;
const GEOMETRY: BinGeometry = BinGeometry::Radial { first_radius_px: 0.0, step_px: 1.0 };
/// Electrons per ADU: 10⁴ electrons at 255.
const CAMERA: NoiseModel = NoiseModel { gain_e_per_adu: 1e4 / 255.0, offset_adu: 0.0, read_noise_e: 0.0 };

/// Profiles of a 3 µm bead at 100 nm/px, 255 at full scale, background 0.4, at whole pixels of radius.
struct Optics(RadialTable);

impl Optics {
    fn new() -> Optics {
        let parameters = RadialTableParameters { z_min_nm: -4500.0, z_max_nm: 4500.0, ..Default::default() };
        Optics(RadialTable::new(parameters).unwrap())
    }

    fn profile(&self, z_nm: f64) -> Vec<f64> {
        let mut row = self.0.new_row();
        self.0.prepare(z_nm, &mut row);
        (0..N_BINS).map(|b| 102.0 * (1.0 + f64::from(row.contrast(b as f32, 0.0)))).collect()
    }
}

fn planes(step_nm: f64) -> Vec<f64> {
    (0..=(8000.0 / step_nm) as usize).map(|k| -4000.0 + step_nm * k as f64).collect()
}

fn table(z_nm: &[f64], profile: impl Fn(f64) -> Vec<f64>, variance: &[f64]) -> SplineTable {
    let profiles: Vec<f64> = z_nm.iter().flat_map(|&z| profile(z)).collect();
    SplineTable::new(z_nm, &profiles, variance, &GEOMETRY).unwrap()
}

fn lookup() -> SplineLookup {
    SplineLookup::new(N_BINS, CAMERA, SplineOptions::default()).unwrap()
}

fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn z_between_planes_100_nm_apart_has_hardly_a_bias() {
    /// Measured: rms 0.03 nm; the largest, 0.11 nm, near the focus, where profiles change fastest from plane to plane. A
    /// parabola through the correlations is off by 5 nm.
    const RMS_NM: f64 = 0.05;
    const LARGEST_NM: f64 = 0.15;
    let optics = Optics::new();
    let table = table(&planes(100.0), |z| optics.profile(z), &[]);
    let mut lookup = lookup();
    let mut errors = Vec::new();
    for k in 0..97 {
        let z = -3760.0 + 77.3 * f64::from(k);
        let dim: Vec<f64> = optics.profile(z).iter().map(|p| 20.0 + 0.7 * p).collect();
        let fit = lookup.execute(&table, &dim, &[]).unwrap();
        assert_eq!(fit.outcome, SplineOutcome::Found, "{z} nm: {fit:?}");
        assert!((fit.gain - 0.7).abs() < 0.01 && (fit.offset_adu - 20.0).abs() < 1.0, "{fit:?}");
        errors.push(fit.z_nm - z);
    }
    let worst = errors.iter().fold(0.0f64, |a, e| a.max(e.abs()));
    assert!(worst < LARGEST_NM && rms(&errors) < RMS_NM, "rms {} nm, largest {worst} nm", rms(&errors));
}

/// Noise of the pixels of each ring, on its mean.
fn noisy(profile: &[f64], random: &mut Random) -> Vec<f64> {
    let line = CAMERA.line(0.0);
    let with_noise = |(b, p): (usize, &f64)| p + random.normal() * (line.at(*p) / GEOMETRY.area(b)).sqrt();
    profile.iter().enumerate().map(with_noise).collect()
}

#[test]
fn the_stated_error_is_the_error_and_chi2_is_one() {
    let optics = Optics::new();
    let table = table(&planes(50.0), |z| optics.profile(z), &[]);
    let (mut lookup, mut random) = (lookup(), Random(3));
    let (mut pulls, mut chi2) = (Vec::new(), Vec::new());
    for k in 0..600 {
        let z = -3700.0 + 12.1 * f64::from(k);
        let fit = lookup.execute(&table, &noisy(&optics.profile(z), &mut random), &[]).unwrap();
        pulls.push((fit.z_nm - z) / fit.sigma_z_nm);
        chi2.push(fit.chi2);
    }
    let mean_chi2 = chi2.iter().sum::<f64>() / chi2.len() as f64;
    // 600 draws: 3 % on the rms. σ is raised where χ² is above 1, so the pull lies a little below 1.
    assert!((0.85..1.05).contains(&rms(&pulls)), "{}", rms(&pulls));
    assert!((0.95..1.05).contains(&mean_chi2), "{mean_chi2}");
    // Without a noise model the error comes from the residual.
    let mut blind = SplineLookup::new(N_BINS, NoiseModel::UNKNOWN, SplineOptions::default()).unwrap();
    let mut pulls = Vec::new();
    for k in 0..600 {
        let z = -3700.0 + 12.1 * f64::from(k);
        let fit = blind.execute(&table, &noisy(&optics.profile(z), &mut random), &[]).unwrap();
        assert!(fit.chi2.is_nan());
        pulls.push((fit.z_nm - z) / fit.sigma_z_nm);
    }
    assert!((0.9..1.15).contains(&rms(&pulls)), "{}", rms(&pulls));
}

#[test]
fn a_noisy_z_lut_is_smoothed_to_good_effect() {
    let optics = Optics::new();
    let (z_nm, mut random) = (planes(25.0), Random(9));
    // Ten frames a plane.
    let shown: Vec<Vec<f64>> = z_nm
        .iter()
        .map(|&z| {
            let truth = optics.profile(z);
            noisy(&truth, &mut random).iter().zip(&truth).map(|(n, t)| t + (n - t) / 10f64.sqrt()).collect()
        })
        .collect();
    let line = CAMERA.line(0.0);
    let variance: Vec<f64> =
        shown.iter().flat_map(|p| p.iter().enumerate().map(|(b, v)| line.at(*v) / GEOMETRY.area(b) / 10.0)).collect();
    let flat: Vec<f64> = shown.concat();
    // Told that there is no noise, it smooths nothing.
    let rough = SplineTable::new(&z_nm, &flat, &vec![1e-12; flat.len()], &GEOMETRY).unwrap();
    let smooth = SplineTable::new(&z_nm, &flat, &variance, &GEOMETRY).unwrap();
    let mut lookup = lookup();
    let mut bias = |table: &SplineTable| {
        let errors: Vec<f64> = (0..290)
            .map(|k| -3760.0 + 25.7 * f64::from(k))
            .map(|z| lookup.execute(table, &optics.profile(z), &[]).unwrap().z_nm - z)
            .collect();
        rms(&errors)
    };
    let (rough, smooth) = (bias(&rough), bias(&smooth));
    assert!(smooth < 0.9 * rough, "{smooth} nm smoothed, {rough} nm not");
}

#[test]
fn one_frame_a_plane_is_smoothed_by_the_scatter_of_the_planes() {
    // Quarter-pixel bins, so that there is something to smooth along the radius too.
    const GEOMETRY: BinGeometry = BinGeometry::Radial { first_radius_px: 0.0, step_px: 0.25 };
    const N: usize = 4 * N_BINS;
    let optics = Optics::new();
    let profile = |z: f64| -> Vec<f64> {
        let mut row = optics.0.new_row();
        optics.0.prepare(z, &mut row);
        (0..N).map(|b| 102.0 * (1.0 + f64::from(row.contrast(0.25 * b as f32, 0.0)))).collect()
    };
    let (z_nm, line, mut random) = (planes(50.0), CAMERA.line(0.0), Random(6));
    // A quarter of the light, so that noise in the slopes matters.
    let mut noisy = |z: f64| -> Vec<f64> {
        let noise = |(b, p): (usize, &f64)| p + 2.0 * random.normal() * (line.at(*p) / GEOMETRY.area(b)).sqrt();
        profile(z).iter().enumerate().map(noise).collect()
    };
    let shown: Vec<f64> = z_nm.iter().flat_map(|&z| noisy(z)).collect();
    // Told that there is no noise, it smooths nothing.
    let rough = SplineTable::new(&z_nm, &shown, &vec![1e-12; shown.len()], &GEOMETRY).unwrap();
    let smooth = SplineTable::new(&z_nm, &shown, &[], &GEOMETRY).unwrap();
    let mut lookup = SplineLookup::new(N, CAMERA, SplineOptions::default()).unwrap();
    let (mut errors_rough, mut errors_smooth) = (Vec::new(), Vec::new());
    for k in 0..290 {
        let z = -3760.0 + 25.7 * f64::from(k);
        let bead = noisy(z);
        errors_rough.push(lookup.execute(&rough, &bead, &[]).unwrap().z_nm - z);
        errors_smooth.push(lookup.execute(&smooth, &bead, &[]).unwrap().z_nm - z);
    }
    let (rough, smooth) = (rms(&errors_rough), rms(&errors_smooth));
    assert!(smooth < 0.85 * rough, "{smooth} nm smoothed, {rough} nm not");
}

#[test]
fn what_has_no_z_says_why() {
    let optics = Optics::new();
    let inner: Vec<f64> = planes(100.0).into_iter().filter(|z| z.abs() < 2050.0).collect();
    let table = table(&inner, |z| optics.profile(z), &[]);
    let mut lookup = lookup();
    let mut outcome = |profile: &[f64]| {
        let fit = lookup.execute(&table, profile, &[]).unwrap();
        assert!(fit.outcome == SplineOutcome::Found || fit.z_nm.is_nan() && fit.sigma_z_nm.is_nan(), "{fit:?}");
        fit.outcome
    };
    assert_eq!(outcome(&optics.profile(-2040.0)), SplineOutcome::OutsideTable);
    assert_eq!(outcome(&optics.profile(2040.0)), SplineOutcome::OutsideTable);
    assert_eq!(outcome(&optics.profile(1990.0)), SplineOutcome::Found);
    assert_eq!(outcome(&[7.0; N_BINS]), SplineOutcome::LowContrast);
    assert_eq!(outcome(&[f64::NAN; N_BINS]), SplineOutcome::NoProfile);
    assert_eq!(outcome(&[f64::INFINITY; N_BINS]), SplineOutcome::NoProfile);
    let mut random = Random(4);
    let static_only: Vec<f64> = (0..N_BINS).map(|_| 100.0 + 0.2 * random.normal()).collect();
    assert_ne!(outcome(&static_only), SplineOutcome::Found, "noise alone");
}

#[test]
fn empty_bins_take_no_part_wherever_they_are() {
    let optics = Optics::new();
    let z_nm = planes(100.0);
    let mut gappy: Vec<f64> = z_nm.iter().flat_map(|&z| optics.profile(z)).collect();
    for (k, plane) in gappy.chunks_exact_mut(N_BINS).enumerate() {
        // Bin 0 never, bin 5 in single planes, bin 9 in half the range, bin 20 in three planes only.
        plane[0] = f64::NAN;
        if k % 7 == 3 {
            plane[5] = f64::NAN;
        }
        if k > 40 {
            plane[9] = f64::NAN;
        }
        if k > 2 {
            plane[20] = f64::NAN;
        }
    }
    let variance = vec![1e-4; gappy.len()];
    for variance in [&[][..], &variance] {
        let table = SplineTable::new(&z_nm, &gappy, variance, &GEOMETRY).unwrap();
        let mut lookup = lookup();
        for z in [-3333.0, 33.0, 2471.0] {
            let mut shown = optics.profile(z);
            (shown[3], shown[4], shown[31]) = (f64::NAN, f64::INFINITY, 1e6);
            let mut weights: Vec<f32> = (0..N_BINS).map(|b| GEOMETRY.area(b) as f32).collect();
            (weights[31], weights[30]) = (0.0, f32::NAN);
            let fit = lookup.execute(&table, &shown, &weights).unwrap();
            assert!((fit.z_nm - z).abs() < 0.2, "{z} nm: {fit:?}");
        }
    }
}

#[test]
fn bad_tables_are_refused() {
    let good = vec![1.0; 4 * 6];
    let make = |z: &[f64], p: &[f64], v: &[f64]| SplineTable::new(z, p, v, &GEOMETRY).err();
    let z = [0.0, 1.0, 2.0, 3.0];
    assert_eq!(make(&z[..3], &good[..18], &[]), Some(SplineTableError::TooSmall { n_planes: 3, n_bins: 6 }));
    assert_eq!(make(&[], &[], &[]), Some(SplineTableError::TooSmall { n_planes: 0, n_bins: 0 }));
    assert_eq!(make(&z, &good[..23], &[]), Some(SplineTableError::WrongLength { n_given: 23, n_needed: 20 }));
    assert_eq!(make(&z, &good, &good[1..]), Some(SplineTableError::WrongLength { n_given: 23, n_needed: 24 }));
    assert_eq!(make(&[0.0, 1.0, 1.0, 2.0], &good, &[]), Some(SplineTableError::PlanesDoNotRise { plane: 2 }));
    assert_eq!(make(&[0.0, f64::NAN, 1.0, 2.0], &good, &[]), Some(SplineTableError::PlanesDoNotRise { plane: 1 }));
    let mut infinite = good.clone();
    infinite[9] = f64::INFINITY;
    assert_eq!(make(&z, &infinite, &[]), Some(SplineTableError::InfiniteValue { plane: 1, bin: 3 }));
    assert_eq!(make(&z, &[f64::NAN; 24], &[]), Some(SplineTableError::EmptyBins { n_usable: 0 }));
}

#[test]
fn other_lengths_and_options_are_refused() {
    let table = table(&planes(1000.0), |z| vec![z; N_BINS], &[]);
    assert!(lookup().execute(&table, &[0.0; N_BINS - 1], &[]).is_err());
    assert!(lookup().execute(&table, &[0.0; N_BINS], &[1.0; 3]).is_err());
    assert!(
        SplineLookup::new(N_BINS - 1, CAMERA, SplineOptions::default())
            .unwrap()
            .execute(&table, &[0.0; N_BINS - 1], &[])
            .is_err()
    );
    assert!(SplineLookup::new(3, CAMERA, SplineOptions::default()).is_err());
    let options = SplineOptions { max_iterations: 0, ..Default::default() };
    assert!(SplineLookup::new(9, CAMERA, options).is_err());
    let options = SplineOptions { least_contrast: f64::NAN, ..Default::default() };
    assert!(SplineLookup::new(9, CAMERA, options).is_err());
}
