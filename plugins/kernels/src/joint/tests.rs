//! The joint fit against truth and the Cramér–Rao bound, with perfect and recorded sweeps, and its invariances.

use super::*;
use crate::isa::Isa;
use crate::noise_model::NoiseModel;
use crate::quadrant::QuadrantOptions;
use crate::quadrant_chain::QuadrantChain;
use crate::spline_z::{BinGeometry, SplineTable};
use crate::test_beads::{BANDS, Beads};
use ndarray::{Array2, ArrayView2, s};

const SIZE: usize = 64;
const ELECTRONS: f64 = 1e4;

fn camera(electrons: f64) -> NoiseModel {
    NoiseModel { gain_e_per_adu: electrons / 255.0, offset_adu: 0.0, read_noise_e: 0.0 }
}

fn options(electrons: f64) -> JointOptions {
    JointOptions { noise: camera(electrons), saturation: 255.0, ..JointOptions::default() }
}

/// Two Z-LUTs of one sweep, of profiles and of pixels.
struct Tables {
    profiles: SplineTable,
    template: JointTemplate,
}

/// A tracker and the joint fit behind it.
struct Rig {
    size_px: usize,
    tracker: QuadrantChain,
    lookup: JointLookup,
    profile: Vec<f64>,
    weights: Vec<f32>,
}

impl Rig {
    fn new(options: JointOptions) -> Rig {
        Rig::of_size(SIZE, options)
    }

    fn of_size(size_px: usize, options: JointOptions) -> Rig {
        let quadrant =
            QuadrantOptions { noise: options.noise, saturation: options.saturation, ..QuadrantOptions::default() };
        let tracker = QuadrantChain::new(size_px, 1.0, &quadrant).unwrap();
        let n_bins = tracker.n_bins();
        let lookup = JointLookup::new(size_px, n_bins, &options).unwrap();
        Rig { size_px, tracker, lookup, profile: vec![0.0; n_bins], weights: vec![0.0; n_bins] }
    }

    fn track<P: crate::Pixel>(&mut self, image: ArrayView2<'_, P>) -> (f64, f64) {
        let center = self.tracker.find_center(image);
        self.tracker.make_profile(image, center.x_px, center.y_px, &mut self.profile, &mut self.weights);
        (center.x_px, center.y_px)
    }

    fn fit<P: crate::Pixel>(&mut self, tables: &Tables, image: ArrayView2<'_, P>) -> JointFit {
        let center = self.track(image);
        self.lookup
            .execute(image, &tables.profiles, &tables.template, center, &self.profile, &self.weights)
            .expect("lengths fit")
    }

    /// A sweep from `from` to `to` nm in steps of 100 nm, so many frames a plane, each within 2.5 px of the middle and, if it
    /// is recorded, with noise and a brightness of its own.
    fn sweep(&mut self, beads: &mut Beads, range: (f64, f64), n_frames: usize, recorded: Option<f64>) -> Tables {
        let mut builder = JointBuilder::new(self.size_px, camera(ELECTRONS), 255.0, Isa::detect()).unwrap();
        let (mut z_nm, mut profiles, mut variance) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..=((range.1 - range.0) / 100.0) as usize {
            let z = range.0 + 100.0 * k as f64;
            let (mut images, mut seen) = (Vec::new(), Vec::new());
            for _ in 0..n_frames {
                let middle = (self.size_px - 1) as f64 / 2.0;
                let (x, y) = (middle + 2.5 * beads.random(), middle + 2.5 * beads.random());
                let clean = beads.clean(x, y, z);
                let image = match recorded {
                    Some(electrons) => {
                        let flicker = 1.0 + 0.02 * beads.random();
                        beads.exposed(&(clean * flicker), electrons).mapv(f32::from)
                    }
                    None => clean.mapv(|v| (255.0 * v) as f32),
                };
                let center = self.track(image.view());
                seen.push((self.profile.clone(), self.weights.clone()));
                images.push((image, center));
            }
            for b in 0..self.profile.len() {
                let values = seen.iter().map(|(p, w)| (p[b], f64::from(w[b])));
                let (mean, of_mean) = crate::spline_z::mean_and_variance(values);
                profiles.push(mean);
                variance.push(of_mean);
            }
            let frames: Vec<SweepFrame<'_, f32>> =
                images.iter().map(|(image, (x, y))| SweepFrame { image: image.view(), x_px: *x, y_px: *y }).collect();
            builder.add_plane(z, &frames).unwrap();
            z_nm.push(z);
        }
        let geometry = BinGeometry::Radial { first_radius_px: 0.0, step_px: 0.25 };
        let profiles = SplineTable::new(&z_nm, &profiles, &variance, &geometry).unwrap();
        Tables { profiles, template: builder.finish().unwrap() }
    }
}

const WHOLE: (f64, f64) = (-5000.0, 5000.0);

/// Rms errors over the bound, rms of errors over their standard errors, mean reduced χ².
#[derive(Debug)]
struct Found {
    xy: f64,
    z: f64,
    pull_xy: f64,
    pull_z: f64,
    chi2: f64,
}

fn accuracy(rig: &mut Rig, tables: &Tables, beads: &mut Beads, electrons: f64, n: usize) -> Found {
    let (mut errors, mut bounds, mut pulls) = ([0.0; 2], [0.0; 2], [0.0; 2]);
    let (mut chi2, mut count) = (0.0, 0.0);
    for band in BANDS {
        for _ in 0..n {
            let (x, y) = (31.5 + 2.5 * beads.random(), 31.5 + 2.5 * beads.random());
            let z = band + 100.0 * beads.random();
            let clean = beads.clean(x, y, z);
            let image = beads.exposed(&clean, electrons);
            let fit = rig.fit(tables, image.view());
            assert_eq!(fit.outcome, JointOutcome::Found, "{band} nm: {fit:?}");
            let bound = beads.bounds(x, y, z, electrons);
            let (dx, dy, dz) = (fit.x_px - x, fit.y_px - y, fit.z_nm - z);
            errors[0] += dx * dx + dy * dy;
            errors[1] += dz * dz;
            bounds[0] += bound[0].powi(2) + bound[1].powi(2);
            bounds[1] += bound[2].powi(2);
            pulls[0] += 0.5 * ((dx / fit.sigma_x_px).powi(2) + (dy / fit.sigma_y_px).powi(2));
            pulls[1] += (dz / fit.sigma_z_nm).powi(2);
            chi2 += fit.chi2;
            count += 1.0;
        }
    }
    Found {
        xy: f64::sqrt(errors[0] / bounds[0]),
        z: f64::sqrt(errors[1] / bounds[1]),
        pull_xy: f64::sqrt(pulls[0] / count),
        pull_z: f64::sqrt(pulls[1] / count),
        chi2: chi2 / count,
    }
}

#[test]
fn with_a_perfect_sweep_errors_are_near_the_bound_and_what_sigma_says() {
    // 250 beads: the rms of z is known to 4.5 %, that of x and y to 3 %.
    let mut beads = Beads::new(SIZE, 7);
    let mut rig = Rig::new(options(ELECTRONS));
    let tables = rig.sweep(&mut beads, WHOLE, 4, None);
    let found = accuracy(&mut rig, &tables, &mut beads, ELECTRONS, 50);
    println!("perfect: {found:?}");
    assert!(found.xy < 1.15 && found.z < 1.3, "{found:?}");
    assert!((0.9..1.1).contains(&found.chi2), "{found:?}");
    assert!((0.85..1.2).contains(&found.pull_xy) && (0.85..1.25).contains(&found.pull_z), "{found:?}");
}

#[test]
fn with_a_recorded_sweep_of_ten_frames_a_plane_errors_are_near_the_bound() {
    let mut beads = Beads::new(SIZE, 8);
    let mut rig = Rig::new(options(ELECTRONS));
    let tables = rig.sweep(&mut beads, WHOLE, 10, Some(ELECTRONS));
    let found = accuracy(&mut rig, &tables, &mut beads, ELECTRONS, 50);
    println!("recorded: {found:?}");
    assert!(found.xy < 1.3 && found.z < 1.5, "{found:?}");
    assert!((0.9..1.1).contains(&found.chi2), "{found:?}");
}

/// A short sweep, without noise, and the tracker behind it.
fn short() -> (Beads, Rig, Tables) {
    let mut beads = Beads::new(SIZE, 9);
    let mut rig = Rig::new(options(ELECTRONS));
    let tables = rig.sweep(&mut beads, (2500.0, 3500.0), 3, None);
    (beads, rig, tables)
}

#[test]
fn chi2_is_one_and_sigma_right_at_other_light_levels_and_without_a_noise_model() {
    let (mut beads, _, tables) = short();
    for electrons in [1e3, 1e4, 1e5] {
        for known in [true, false] {
            let noise = if known { camera(electrons) } else { NoiseModel::UNKNOWN };
            let mut rig = Rig::new(JointOptions { noise, ..options(electrons) });
            let (mut chi2, mut pulls) = (0.0, 0.0);
            const N: usize = 80;
            for k in 0..N {
                let z = 2700.0 + 7.0 * k as f64;
                let clean = beads.clean(31.2, 32.6, z);
                let image = beads.exposed(&clean, electrons);
                let fit = rig.fit(&tables, image.view());
                pulls += ((fit.z_nm - z) / fit.sigma_z_nm).powi(2) + ((fit.x_px - 31.2) / fit.sigma_x_px).powi(2);
                chi2 += fit.chi2 / N as f64;
            }
            // 160 errors: their rms is known to 6 %.
            let pull = f64::sqrt(pulls / (2 * N) as f64);
            // At 10^5 electrons the template's own error shows, a thousandth of a pixel.
            let most = if electrons > 5e4 { 1.6 } else { 1.2 };
            assert!((0.8..most).contains(&pull), "{electrons} electrons, known {known}: pull {pull}");
            assert!(if known { (0.9..1.1).contains(&chi2) } else { chi2.is_nan() }, "{electrons}: χ² {chi2}");
        }
    }
}

#[test]
fn a_shift_moves_the_answer_and_a_quarter_turn_swaps_the_axes() {
    let (mut beads, mut rig, tables) = short();
    let mut wide = Beads::new(80, 4);
    let frame = wide.clean(40.31, 38.62, 3000.0).mapv(|v| (255.0 * v) as f32);
    let still = rig.fit(&tables, frame.slice(s![8..72, 8..72]));
    let moved = rig.fit(&tables, frame.slice(s![6..70, 9..73]));
    // Other pixels, and other rings cut: without noise a thousandth of a pixel is left of that.
    assert!((moved.x_px + 1.0 - still.x_px).abs() < 1e-3 && (moved.y_px - 2.0 - still.y_px).abs() < 1e-3, "{moved:?}");
    assert!((moved.z_nm - still.z_nm).abs() < 0.3, "{moved:?} {still:?}");
    let clean = beads.clean(30.83, 33.29, 2900.0);
    let image = beads.exposed(&clean, ELECTRONS);
    let fit = rig.fit(&tables, image.view());
    let turned = rig.fit(&tables, image.t());
    assert!((turned.x_px - fit.y_px).abs() < 1e-5 && (turned.y_px - fit.x_px).abs() < 1e-5, "{turned:?} {fit:?}");
    assert!((turned.z_nm - fit.z_nm).abs() < 1e-2, "{turned:?} {fit:?}");
}

#[test]
fn gain_and_offset_move_nothing() {
    let (mut beads, _, tables) = short();
    let mut rig = Rig::new(JointOptions { noise: NoiseModel::UNKNOWN, ..JointOptions::default() });
    let clean = beads.clean(31.83, 30.29, 3111.0);
    let dim = beads.exposed(&clean, ELECTRONS).mapv(u16::from);
    let fit = rig.fit(&tables, dim.view());
    let other = rig.fit(&tables, dim.mapv(|p| 7 * p).view());
    assert!((other.x_px - fit.x_px).abs() < 1e-5 && (other.z_nm - fit.z_nm).abs() < 1e-2, "{other:?} {fit:?}");
    assert!((other.gain / fit.gain - 7.0).abs() < 1e-3, "{other:?}");
    // An unknown offset changes what is thought of the noise, and so the weights: by a fraction of the standard error.
    let other = rig.fit(&tables, dim.mapv(|p| p + 100).view());
    let within = |a: f64, b: f64, sigma: f64| (a - b).abs() < sigma;
    assert!(within(other.x_px, fit.x_px, fit.sigma_x_px) && within(other.z_nm, fit.z_nm, fit.sigma_z_nm), "{other:?}");
    // A known one changes nothing.
    let fit = Rig::new(options(ELECTRONS)).fit(&tables, dim.view());
    let noise = NoiseModel { offset_adu: 100.0, ..camera(ELECTRONS) };
    let mut rig = Rig::new(JointOptions { noise, saturation: 355.0, ..JointOptions::default() });
    let other = rig.fit(&tables, dim.mapv(|p| p + 100).view());
    assert!((other.x_px - fit.x_px).abs() < 1e-5 && (other.z_nm - fit.z_nm).abs() < 1e-2, "{other:?} {fit:?}");
}

#[test]
fn order_stride_pixel_type_and_instruction_set_do_not_change_a_bit() {
    let (mut beads, mut rig, tables) = short();
    let images: Vec<Array2<u8>> = [2600.0, 3000.0, 3400.0]
        .iter()
        .map(|&z| {
            let clean = beads.clean(32.4, 30.9, z);
            beads.exposed(&clean, ELECTRONS)
        })
        .collect();
    let forward: Vec<JointFit> = images.iter().map(|i| rig.fit(&tables, i.view())).collect();
    let mut plain = Rig::new(JointOptions { isa: Isa::Baseline, ..options(ELECTRONS) });
    let mut frame = Array2::from_elem((70, 90), 3u8);
    for (image, fit) in images.iter().zip(&forward).rev() {
        assert_eq!(fit.outcome, JointOutcome::Found);
        frame.slice_mut(s![3..67, 20..84]).assign(image);
        assert_eq!(rig.fit(&tables, frame.slice(s![3..67, 20..84])), *fit);
        assert_eq!(rig.fit(&tables, image.mapv(u16::from).view()), *fit);
        assert_eq!(plain.fit(&tables, image.view()), *fit, "baseline");
    }
}

#[test]
fn rings_that_are_not_round_do_not_smear_the_template_along_z() {
    // Brighter on one side by up to a fifth, in every plane alike: no noise, but ten times as much as it on the pixels.
    let mut beads = Beads::new(SIZE, 12);
    let mut rig = Rig::new(JointOptions { noise: NoiseModel::UNKNOWN, ..options(ELECTRONS) });
    let mut bead = |z: f64| {
        let clean = beads.clean(31.6, 31.3, z);
        Array2::from_shape_fn((SIZE, SIZE), |(i, j)| {
            let (dx, dy) = (j as f64 - 31.6, i as f64 - 31.3);
            let side = dx / dx.hypot(dy).max(1.0);
            (255.0 * clean[(i, j)] * (1.0 + 0.2 * side)) as f32
        })
    };
    let mut builder = JointBuilder::new(SIZE, NoiseModel::UNKNOWN, 255.0, Isa::detect()).unwrap();
    let (mut z_nm, mut profiles) = (Vec::new(), Vec::new());
    for k in 0..=30 {
        let z = 1500.0 + 100.0 * f64::from(k);
        let image = bead(z);
        let (x_px, y_px) = rig.track(image.view());
        builder.add_plane(z, &[SweepFrame { image: image.view(), x_px, y_px }]).unwrap();
        profiles.extend_from_slice(&rig.profile);
        z_nm.push(z);
    }
    let geometry = BinGeometry::Radial { first_radius_px: 0.0, step_px: 0.25 };
    let profiles = SplineTable::new(&z_nm, &profiles, &[], &geometry).unwrap();
    let tables = Tables { profiles, template: builder.finish().unwrap() };
    for k in 0..20 {
        let z = 2000.0 + 97.0 * f64::from(k);
        let fit = rig.fit(&tables, bead(z).view());
        assert!((fit.z_nm - z).abs() < 1.0, "{z} nm: {fit:?}");
    }
}

#[test]
fn what_has_no_fit_says_why() {
    let (mut beads, mut rig, tables) = short();
    let outcome = |start: JointStart, image: &Array2<f32>| {
        let mut fitter = JointFitter::new(SIZE, &options(ELECTRONS)).unwrap();
        let fit = fitter.execute(image.view(), &tables.template, &start);
        assert!(
            fit.x_px.is_nan() && fit.z_nm.is_nan() && fit.sigma_x_px.is_nan() || fit.outcome == JointOutcome::Found
        );
        fit.outcome
    };
    let good = JointStart { x_px: 31.5, y_px: 31.5, z_nm: 3000.0, gain: 1.0, offset_adu: 0.0 };
    let mut bead = |z: f64| beads.clean(31.5, 31.5, z).mapv(|v| (255.0 * v) as f32);
    let image = bead(3000.0);
    assert_eq!(outcome(good, &image), JointOutcome::Found);
    assert_eq!(outcome(JointStart { x_px: f64::NAN, ..good }, &image), JointOutcome::NotFinite);
    assert_eq!(outcome(JointStart { x_px: 1.0, ..good }, &image), JointOutcome::AtBorder);
    assert_eq!(outcome(JointStart { gain: -1.0, ..good }, &image), JointOutcome::LowContrast);
    assert_eq!(outcome(JointStart { z_nm: 3480.0, ..good }, &bead(3540.0)), JointOutcome::OutsideTemplate);
    assert_eq!(outcome(good, &Array2::from_elem((SIZE, SIZE), 80.0)), JointOutcome::LowContrast);
    let mut spoilt = image.clone();
    spoilt[(20, 20)] = f32::NAN;
    let fit = outcome(good, &spoilt);
    assert!([JointOutcome::Found, JointOutcome::NotFinite].contains(&fit), "one pixel that is no number: {fit:?}");
    let hasty = JointOptions { max_passes: 1, ..options(ELECTRONS) };
    let fit = JointFitter::new(SIZE, &hasty).unwrap().execute(
        image.view(),
        &tables.template,
        &JointStart { x_px: 31.9, ..good },
    );
    assert_eq!(fit.outcome, JointOutcome::NotConverged);
    let fit = rig.fit(&tables, image.view());
    assert_eq!(fit.outcome, JointOutcome::Found);
}

#[test]
fn a_template_reads_back_and_every_cut_is_refused() {
    let (_, _, tables) = short();
    let bytes = tables.template.to_bytes();
    let z_nm = tables.template.z_nm().to_vec();
    assert_eq!(JointTemplate::from_bytes(&z_nm, &bytes).unwrap(), tables.template);
    for end in 0..bytes.len() {
        assert!(JointTemplate::from_bytes(&z_nm, &bytes[..end]).is_err(), "cut to {end} bytes");
    }
    assert!(JointTemplate::from_bytes(&z_nm[1..], &bytes).is_err());
    // The first version has no noise between header and values.
    let mut first = [&bytes[..48], &bytes[56..]].concat();
    first[4] = 1;
    let old = JointTemplate::from_bytes(&z_nm, &first).unwrap();
    assert_eq!((old.noise_share(), old.n_coefficients()), (0.0, tables.template.n_coefficients()));
    for (at, value) in [(0, b'x'), (4, 9), (12, 3), (21, 1), (bytes.len() - 1, 0x7f)] {
        let mut altered = bytes.clone();
        altered[at] = value;
        if value == 0x7f {
            altered[bytes.len() - 2] = 0xff;
        }
        assert!(JointTemplate::from_bytes(&z_nm, &altered).is_err(), "byte {at}");
    }
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    let good = JointOptions::default();
    for bad in [
        JointOptions { max_passes: 0, ..good },
        JointOptions { least_contrast: f64::NAN, ..good },
        JointOptions { tile_limit: -1.0, ..good },
    ] {
        assert!(JointFitter::new(SIZE, &bad).is_err(), "{bad:?}");
    }
    assert!(JointFitter::new(11, &good).is_err() && JointFitter::new(3000, &good).is_err());
    assert!(JointFitter::new(12, &good).is_ok());
    let builder = JointBuilder::new(SIZE, NoiseModel::UNKNOWN, f64::NAN, Isa::Baseline).unwrap();
    assert_eq!(builder.finish(), Err(JointTemplateError::TooFewPlanes { n_planes: 0 }));
    let mut builder = builder;
    let lost: [SweepFrame<'_, u8>; 0] = [];
    assert_eq!(builder.add_plane(7.0, &lost), Err(JointTemplateError::EmptyPlane { z_nm: 7.0 }));
}
