//! The strategy through the SDK's traits: what a sweep becomes, what is refused, what is flagged, that a saved table is the
//! built one, and that a lookup allocates nothing. The numbers are tested with the kernel.

use crate::strategy::{Spline, SplineWorker, Table, schema};
use tetherscope_plugin_api::abi::{
    FLAG_LOW_CONTRAST, FLAG_NON_FINITE, FLAG_NOT_CONVERGED, FLAG_OUTSIDE_ZLUT, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Fix, HostHandle, LookupRows, ParamValues, ProfileLayout, Result, RoisInImage, SavedTableView, SweepView, Value,
    WorkerConfig, ZlutStrategy, ZlutWorker,
};

const N_BINS: usize = 24;
/// A smooth profile and planes 100 nm apart: the spline is far better than this.
const NEAR_NM: f64 = 0.5;
const FOUND: Fix = Fix { x_px: 24.0, y_px: 24.0, ..Fix::EMPTY };

fn layout() -> ProfileLayout {
    ProfileLayout::new(PROFILE_RADIAL, N_BINS, 0.0, 1.0)
}

fn config() -> WorkerConfig {
    WorkerConfig { gain_e_per_adu: 40.0, offset_adu: 0.0, read_noise_e: 0.0, ..WorkerConfig::mono8(48, 48, 8) }
}

fn strategy() -> Spline {
    Spline::create(&ParamValues::defaults(&schema())).unwrap()
}

fn worker(config: &WorkerConfig) -> SplineWorker {
    strategy().worker(config, &layout()).unwrap()
}

/// What a bead at this z looks like.
fn profile(z_nm: f64) -> Vec<f64> {
    (0..N_BINS).map(|b| 100.0 + 20.0 * (0.4 * b as f64 + 0.0015 * z_nm).sin()).collect()
}

/// A table of this sweep: focus, fix, profile of each frame; `weights` per bin or none.
fn build(frames: &[(f64, Fix, Vec<f64>)], layout: ProfileLayout, weights: &[f32]) -> Result<Table> {
    let corners = vec![(0, 0); frames.len()];
    let rois = RoisInImage::u8(&[], 0, (48, 48), &corners);
    let profiles: Vec<f64> = frames.iter().flat_map(|(_, _, p)| &p[..layout.n_bins as usize]).copied().collect();
    let sweep = SweepView {
        batch: rois.batch(),
        focus_nm: &frames.iter().map(|f| f.0).collect::<Vec<_>>(),
        fixes: &frames.iter().map(|f| f.1).collect::<Vec<_>>(),
        profiles: &profiles,
        weights,
        layout,
        config: config(),
        tracker_id: "tracker.test".into(),
        tracker_version: "1.0.0".into(),
        tracker_params: ParamValues::default(),
    };
    strategy().build(&sweep, &HostHandle::none())
}

fn table() -> Table {
    let frames: Vec<_> = (-10..=10).map(|k| 100.0 * f64::from(k)).map(|z| (z, FOUND, profile(z))).collect();
    build(&frames, layout(), &[]).unwrap()
}

fn lookup(worker: &mut SplineWorker, table: &Table, fix: Fix, profile: &[f64]) -> Result<Fix> {
    let mut fixes = [fix];
    let rois = RoisInImage::u8(&[], 0, (48, 48), &[(0, 0)]);
    worker.lookup(&rois.batch(), &mut LookupRows::new(&[table], &mut fixes, profile, &[], profile.len()))?;
    Ok(fixes[0])
}

fn assert_says<T>(outcome: Result<T>, words: &[&str]) {
    let error = outcome.err().unwrap_or_else(|| panic!("{words:?} should be refused"));
    for word in words {
        assert!(error.message().contains(word), "`{word}` is missing in: {error}");
    }
    assert_eq!(error.message().lines().count(), 3, "what, why, mend: {error}");
}

#[test]
fn z_between_planes_is_found_whatever_the_brightness() {
    let table = table();
    for config in [config(), WorkerConfig::mono8(48, 48, 8)] {
        let mut worker = worker(&config);
        for z in [-512.0, 37.0, 460.0] {
            let dim: Vec<f64> = profile(z).iter().map(|p| 3.0 + 0.2 * p).collect();
            for shown in [&profile(z), &dim] {
                let fix = lookup(&mut worker, &table, FOUND, shown).unwrap();
                assert!((fix.z_nm - z).abs() < NEAR_NM && fix.flags == 0, "{z} nm: {fix:?}");
                assert!(fix.quality > 0.99 && fix.quality <= 1.0 && fix.sigma_z_nm >= 0.0);
                assert_eq!((fix.x_px, fix.y_px), (24.0, 24.0));
            }
        }
    }
}

#[test]
fn what_has_no_z_is_nan_and_says_why() {
    let (mut worker, table) = (worker(&config()), table());
    for (shown, flag) in [
        (profile(-1030.0), FLAG_OUTSIDE_ZLUT),
        (profile(1040.0), FLAG_OUTSIDE_ZLUT),
        (vec![5.0; N_BINS], FLAG_LOW_CONTRAST),
        (vec![f64::NAN; N_BINS], FLAG_NON_FINITE),
    ] {
        let fix = lookup(&mut worker, &table, FOUND, &shown).unwrap();
        assert!(fix.z_nm.is_nan() && fix.sigma_z_nm.is_nan() && fix.flags == flag, "{fix:?}");
    }
}

#[test]
fn a_fit_that_may_take_two_steps_only_is_flagged() {
    let mut values = ParamValues::defaults(&schema());
    values.set("max_iterations", Value::Int(2));
    // Without a known gain the standard error comes from the residual, which is nothing here: no step is short enough.
    let config = WorkerConfig { gain_e_per_adu: f64::NAN, ..config() };
    let mut worker = Spline::create(&values).unwrap().worker(&config, &layout()).unwrap();
    let fix = lookup(&mut worker, &table(), FOUND, &profile(50.0)).unwrap();
    assert!(fix.z_nm.is_nan() && fix.flags == FLAG_NOT_CONVERGED, "{fix:?}");
}

#[test]
fn a_row_without_a_centre_stays_as_the_tracker_left_it() {
    let lost = Fix { flags: 1, ..Fix::EMPTY };
    let fix = lookup(&mut worker(&config()), &table(), lost, &profile(0.0)).unwrap();
    assert!(fix.z_nm.is_nan() && fix.quality.is_nan() && fix.flags == 1);
}

#[test]
fn other_numbers_of_bins_are_refused_and_nothing_is_written() {
    let (mut worker, table) = (worker(&config()), table());
    assert_says(lookup(&mut worker, &table, FOUND, &profile(0.0)[1..]), &["23 bins", "24 bins"]);
    assert_says(strategy().worker(&config(), &ProfileLayout::NONE).map(drop), &["0 bins", "tracker.magtrack"]);
}

#[test]
fn a_table_that_makes_no_sense_is_not_loaded() {
    let (z_nm, profiles) = ([0.0, 100.0, 200.0, 300.0], [0.0, 100.0, 200.0, 300.0].map(profile).concat());
    let load = |z_nm: &[f64], profiles: &[f64], variance: Option<&[f64]>| {
        let parts = SavedTableView { z_nm, profiles, variance, bytes: None, layout: layout(), config: config() };
        strategy().load(&parts).map(drop)
    };
    assert!(load(&z_nm, &profiles, None).is_ok());
    assert_says(load(&z_nm[1..], &profiles, None), &["96 values", "72"]);
    assert_says(load(&z_nm[1..], &profiles[N_BINS..], None), &["3 planes"]);
    assert_says(load(&[0.0, 1.0, 1.0, 2.0], &profiles, None), &["plane 2"]);
    assert_says(load(&z_nm, &profiles, Some(&[1.0; 5])), &["5 values", "96"]);
    let mut infinite = profiles.clone();
    infinite[30] = f64::INFINITY;
    assert_says(load(&z_nm, &infinite, None), &["bin 6 of plane 1"]);
}

#[test]
fn frames_of_a_plane_count_by_their_pixels() {
    let planes = [0.0, 100.0, 200.0, 300.0];
    let frames: Vec<_> =
        planes.iter().flat_map(|&z| [(z, FOUND, vec![4.0 + z; N_BINS]), (z, FOUND, vec![8.0 + z; N_BINS])]).collect();
    let weights: Vec<f32> = (0..planes.len()).flat_map(|_| [[3.0; N_BINS], [1.0; N_BINS]].concat()).collect();
    let saved = Spline::save(&build(&frames, layout(), &weights).unwrap()).unwrap();
    assert_eq!((saved.profiles[0], saved.profiles[N_BINS]), (5.0, 105.0));
    let plain = Spline::save(&build(&frames, layout(), &[]).unwrap()).unwrap();
    assert_eq!((plain.profiles[0], plain.variance[0]), (6.0, 4.0));
}

#[test]
fn a_tracker_that_writes_no_weights_is_one_without() {
    let frames: Vec<_> = (-10..=10).map(|k| 100.0 * f64::from(k)).map(|z| (z, FOUND, profile(z))).collect();
    // As the host prepares them.
    let unwritten = vec![f32::NAN; frames.len() * N_BINS];
    let (plain, built) = (table(), build(&frames, layout(), &unwritten).unwrap());
    assert_eq!(Spline::save(&plain).unwrap().profiles, Spline::save(&built).unwrap().profiles);
    let mut worker = strategy().worker(&config(), &layout()).unwrap();
    let (shown, mut fixes) = (profile(37.0), [FOUND]);
    let rois = RoisInImage::u8(&[], 0, (48, 48), &[(0, 0)]);
    let tables = [&built];
    let mut rows = LookupRows::new(&tables, &mut fixes, &shown, &unwritten[..N_BINS], N_BINS);
    worker.lookup(&rois.batch(), &mut rows).unwrap();
    let without = lookup(&mut worker, &plain, FOUND, &shown).unwrap();
    assert!(without.z_nm.is_finite() && without.flags == 0, "{without:?}");
    assert_eq!((fixes[0].z_nm, fixes[0].flags), (without.z_nm, without.flags));
}

#[test]
fn a_saved_table_finds_the_same_bits() {
    // Frames that differ, so that there is a variance, and it smooths.
    let wobble = |z: f64, i: i32| -> Vec<f64> {
        let noise = |b: usize| ((z * 0.37 + f64::from(i) * 1.3 + b as f64 * 2.1).sin() * 43758.5).fract();
        profile(z).iter().enumerate().map(|(b, p)| p + noise(b)).collect()
    };
    let sweep = |z: f64| (0..3).map(move |i| (z, FOUND, wobble(z, i)));
    let frames: Vec<_> = (-20..=20).flat_map(|k| sweep(50.0 * f64::from(k))).collect();
    let built = build(&frames, layout(), &[]).unwrap();
    let saved = Spline::save(&built).unwrap();
    assert!(saved.bytes.is_empty() && saved.variance.len() == 41 * N_BINS);
    let loaded = strategy()
        .load(&SavedTableView {
            z_nm: &saved.z_nm,
            profiles: &saved.profiles,
            variance: Some(&saved.variance),
            bytes: None,
            layout: layout(),
            config: config(),
        })
        .unwrap();
    let mut worker = worker(&config());
    for z in [-333.0, 12.5, 871.0] {
        let [a, b] = [&built, &loaded].map(|t| lookup(&mut worker, t, FOUND, &wobble(z, 9)).unwrap());
        assert_eq!((a.z_nm.to_bits(), a.sigma_z_nm.to_bits()), (b.z_nm.to_bits(), b.sigma_z_nm.to_bits()));
        assert!((a.z_nm - z).abs() < 30.0, "{a:?}");
    }
}

#[test]
fn a_sweep_that_cannot_make_a_table_is_refused_with_a_mend() {
    let good: Vec<_> = (0..4).map(|k| 100.0 * f64::from(k)).map(|z| (z, FOUND, profile(z))).collect();
    assert!(build(&good, layout(), &[]).is_ok());
    assert_says(build(&good, ProfileLayout::NONE, &[]), &["tracker.test", "tracker.magtrack"]);
    assert_says(build(&good[1..], layout(), &[]), &["3 planes"]);
    assert_says(build(&[], layout(), &[]), &["0 planes"]);
    let mut unknown = good.clone();
    unknown[2].0 = f64::NAN;
    assert_says(build(&unknown, layout(), &[]), &["entry 2", "NaN"]);
    let lost: Vec<_> = good.iter().map(|f| (f.0, Fix::EMPTY, f.2.clone())).collect();
    assert_says(build(&lost, layout(), &[]), &["4 of 4 planes", "100 nm, 200 nm"]);
}

#[test]
fn a_lookup_allocates_nothing() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counts.count_total, 1, "the counter counts");
    let (mut worker, table) = (worker(&config()), table());
    let shown = [profile(0.0), profile(-1030.0), profile(-703.0), vec![5.0; N_BINS], vec![f64::NAN; N_BINS]].concat();
    let mut fixes = [FOUND, FOUND, FOUND, FOUND, Fix::EMPTY];
    let rois = RoisInImage::u8(&[], 0, (48, 48), &[(0, 0); 5]);
    let tables = [&table; 5];
    let mut rows = LookupRows::new(&tables, &mut fixes, &shown, &[], N_BINS);
    let counted = allocation_counter::measure(|| worker.lookup(&rois.batch(), &mut rows).unwrap());
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(fixes[2].z_nm.is_finite(), "something was looked up");
}
