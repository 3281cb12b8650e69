//! The strategy through the SDK's traits: what a sweep becomes, what is refused, what is flagged, and that a lookup
//! allocates nothing. The numbers themselves are checked against MagTrack in `tests/integration/golden_plugins.rs`.

use crate::strategy::{Correlation, CorrelationWorker, schema};
use crate::table::CorrelationTable;
use tetherscope_plugin_api::abi::{
    FLAG_LOW_CONTRAST, FLAG_NON_FINITE, FLAG_NOT_CONVERGED, FLAG_OUTSIDE_ZLUT, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Fix, HostHandle, LookupRows, ParamValues, ProfileLayout, Result, RoisInImage, SavedTable, SavedTableView,
    SweepView, Value, WorkerConfig, ZlutStrategy, ZlutWorker,
};

const N_BINS: usize = 24;
/// The parabola over ±3 planes of 100 nm is off by a few nm on these profiles; one plane would be 100 nm.
const NEAR_NM: f64 = 10.0;

fn layout() -> ProfileLayout {
    ProfileLayout::new(PROFILE_RADIAL, N_BINS, 0.0, 1.0)
}

fn strategy(n_local: i64) -> Result<Correlation> {
    let mut values = ParamValues::defaults(&schema());
    values.set("n_local", Value::Int(n_local));
    Correlation::create(&values)
}

fn worker(n_local: i64) -> CorrelationWorker {
    strategy(n_local).unwrap().worker(&WorkerConfig::mono8(48, 48, 8), &layout()).unwrap()
}

/// What a bead at this z looks like.
fn profile(z_nm: f64) -> Vec<f64> {
    (0..N_BINS).map(|b| 100.0 + 20.0 * (0.4 * b as f64 + 0.0015 * z_nm).sin()).collect()
}

fn parts(z_nm: &[f64]) -> SavedTable {
    SavedTable { z_nm: z_nm.to_vec(), profiles: z_nm.iter().flat_map(|&z| profile(z)).collect(), ..Default::default() }
}

fn load(saved: &SavedTable) -> Result<CorrelationTable> {
    strategy(7).unwrap().load(&SavedTableView {
        z_nm: &saved.z_nm,
        profiles: &saved.profiles,
        variance: (!saved.variance.is_empty()).then_some(&saved.variance),
        bytes: None,
        layout: layout(),
        config: WorkerConfig::mono8(48, 48, 1),
    })
}

fn table(n_planes: usize) -> CorrelationTable {
    load(&parts(&(0..n_planes).map(|k| 100.0 * k as f64 - 1000.0).collect::<Vec<_>>())).unwrap()
}

const FOUND: Fix = Fix { x_px: 24.0, y_px: 24.0, ..Fix::EMPTY };

fn lookup(worker: &mut CorrelationWorker, table: &CorrelationTable, fix: Fix, profile: &[f64]) -> Result<Fix> {
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
    let (mut worker, table) = (worker(7), table(21));
    for z in [-512.0, 37.0, 460.0] {
        let dim: Vec<f64> = profile(z).iter().map(|p| 3.0 + 0.2 * p).collect();
        for shown in [&profile(z), &dim] {
            let fix = lookup(&mut worker, &table, FOUND, shown).unwrap();
            assert!((fix.z_nm - z).abs() < NEAR_NM && fix.flags == 0, "{z} nm: {fix:?}");
            assert!(fix.quality > 0.99 && fix.quality <= 1.0 && fix.sigma_z_nm.is_nan());
            assert_eq!((fix.x_px, fix.y_px), (24.0, 24.0));
        }
    }
}

#[test]
fn what_has_no_z_is_nan_and_says_why() {
    let (mut worker, table) = (worker(7), table(21));
    let flat = vec![5.0; N_BINS];
    for (shown, flag) in [
        (profile(-1000.0), FLAG_OUTSIDE_ZLUT),
        (profile(950.0), FLAG_OUTSIDE_ZLUT),
        (flat, FLAG_LOW_CONTRAST),
        (vec![f64::NAN; N_BINS], FLAG_NON_FINITE),
    ] {
        let fix = lookup(&mut worker, &table, FOUND, &shown).unwrap();
        assert!(fix.z_nm.is_nan() && fix.flags == flag, "{fix:?}");
    }
}

#[test]
fn a_row_without_a_centre_stays_as_the_tracker_left_it() {
    let lost = Fix { flags: 1, ..Fix::EMPTY };
    let fix = lookup(&mut worker(7), &table(21), lost, &profile(0.0)).unwrap();
    assert!(fix.z_nm.is_nan() && fix.quality.is_nan() && fix.flags == 1);
}

#[test]
fn a_table_of_few_planes_gives_its_best_plane_and_says_so() {
    let (mut worker, table) = (worker(7), table(5));
    let fix = lookup(&mut worker, &table, FOUND, &profile(-783.0)).unwrap();
    assert_eq!((fix.z_nm, fix.flags), (-800.0, FLAG_NOT_CONVERGED));
    let flat = lookup(&mut worker, &table, FOUND, &[5.0; N_BINS]).unwrap();
    assert!(flat.z_nm.is_nan() && flat.flags == FLAG_LOW_CONTRAST, "{flat:?}");
}

#[test]
fn other_numbers_of_bins_are_refused_and_nothing_is_written() {
    let (mut worker, table) = (worker(7), table(21));
    assert_says(lookup(&mut worker, &table, FOUND, &profile(0.0)[1..]), &["23 bins", "24 bins"]);
    let mut short = parts(&[0.0, 100.0, 200.0]);
    short.profiles.truncate(3 * 20);
    let short = CorrelationTable::new(short, 20).unwrap();
    let (mut fixes, profiles) = ([FOUND; 2], [profile(0.0), profile(0.0)].concat());
    let rois = RoisInImage::u8(&[], 0, (48, 48), &[(0, 0), (0, 0)]);
    let mut rows_of = |tables: &[&CorrelationTable]| {
        worker.lookup(&rois.batch(), &mut LookupRows::new(tables, &mut fixes, &profiles, &[], N_BINS))
    };
    assert_says(rows_of(&[&table, &short]), &["ROI 1", "24 bins", "20 bins"]);
    assert!(fixes[0].z_nm.is_nan() && fixes[0].flags == 0, "{:?}", fixes[0]);
    let none = ProfileLayout::NONE;
    assert_says(strategy(7).unwrap().worker(&WorkerConfig::mono8(48, 48, 1), &none), &["0 bins", "tracker.magtrack"]);
}

#[test]
fn an_even_number_of_planes_for_the_parabola_is_refused() {
    assert_says(strategy(8), &["is 8", "take 9", "or 7"]);
    assert!(strategy(9).is_ok());
}

#[test]
fn a_table_that_makes_no_sense_is_not_loaded() {
    let good = parts(&[0.0, 100.0, 200.0]);
    let bad = |change: fn(&mut SavedTable), words: &[&str]| {
        let mut saved = good.clone();
        change(&mut saved);
        assert_says(load(&saved), words);
    };
    bad(|t| t.z_nm.truncate(2), &["72 profile values", "2 planes of 24 bins need 48"]);
    bad(|t| (t.z_nm.truncate(1), t.profiles.truncate(24)).0, &["1 planes"]);
    bad(|t| t.z_nm[1] = f64::NAN, &["plane 1 is NaN"]);
    bad(|t| t.z_nm[2] = f64::INFINITY, &["plane 2 is inf"]);
    bad(|t| t.z_nm[2] = 100.0, &["plane 2 is 100 nm, after 100 nm", "must rise"]);
    bad(|t| t.z_nm.reverse(), &["plane 1 is 100 nm, after 200 nm", "must rise"]);
    bad(|t| t.profiles[30] = f64::NEG_INFINITY, &["bin 6 of plane 1 is infinite"]);
    bad(|t| t.variance = vec![1.0; 5], &["5 variances", "need 72"]);
}

#[test]
fn what_is_saved_is_what_was_loaded() {
    let mut saved = parts(&[0.0, 100.0, 200.0]);
    saved.variance = (0..72).map(|k| k as f64).collect();
    saved.profiles[24] = f64::NAN;
    let again = Correlation::save(&load(&saved).unwrap()).unwrap();
    assert_eq!(again.z_nm, saved.z_nm);
    assert_eq!(again.variance, saved.variance);
    assert!(again.bytes.is_empty());
    assert!(again.profiles.iter().zip(&saved.profiles).all(|(a, b)| a.to_bits() == b.to_bits()));
}

/// A sweep of these frames: focus, fix, profile.
fn build(frames: &[(f64, Fix, Vec<f64>)], layout: ProfileLayout) -> Result<CorrelationTable> {
    let corners = vec![(0, 0); frames.len()];
    let rois = RoisInImage::u8(&[], 0, (48, 48), &corners);
    let profiles: Vec<f64> = frames.iter().flat_map(|(_, _, p)| &p[..layout.n_bins as usize]).copied().collect();
    let sweep = SweepView {
        batch: rois.batch(),
        focus_nm: &frames.iter().map(|f| f.0).collect::<Vec<_>>(),
        fixes: &frames.iter().map(|f| f.1).collect::<Vec<_>>(),
        profiles: &profiles,
        weights: &[],
        layout,
        config: WorkerConfig::mono8(48, 48, 1),
        tracker_id: "tracker.test".into(),
        tracker_version: "1.0.0".into(),
        tracker_params: ParamValues::default(),
    };
    strategy(7).unwrap().build(&sweep, &HostHandle::none())
}

#[test]
fn a_plane_is_the_mean_of_its_tracked_frames_and_planes_rise() {
    let mut gap = vec![4.0; N_BINS];
    gap[3] = f64::NAN;
    let frames = [
        (200.0, FOUND, vec![7.0; N_BINS]),
        (-100.0, FOUND, vec![1.0; N_BINS]),
        (200.0, FOUND, gap),
        (200.0, Fix::EMPTY, vec![1000.0; N_BINS]),
        (200.0, Fix { y_px: f64::NAN, ..FOUND }, vec![1000.0; N_BINS]),
        (200.0, FOUND, vec![10.0; N_BINS]),
    ];
    let saved = Correlation::save(&build(&frames, layout()).unwrap()).unwrap();
    assert_eq!(saved.z_nm, [-100.0, 200.0]);
    assert_eq!(saved.profiles[..N_BINS], [1.0; N_BINS]);
    let upper = &saved.profiles[N_BINS..];
    // 7, 4, 10: mean 7, sample variance 9, of the mean 3. Without the gap 7, 10: mean 8.5, 4.5, of the mean 2.25.
    assert_eq!((upper[0], upper[3]), (7.0, 8.5));
    assert_eq!((saved.variance[N_BINS], saved.variance[N_BINS + 3]), (3.0, 2.25));
    assert!(saved.variance[..N_BINS].iter().all(|v| v.is_nan()), "one frame tells no variance");
}

#[test]
fn one_frame_per_plane_makes_a_table_without_variance_that_finds_z() {
    let frames: Vec<_> = (0..21).map(|k| 100.0 * f64::from(k)).map(|z| (z, FOUND, profile(z))).collect();
    let table = build(&frames, layout()).unwrap();
    assert!(Correlation::save(&table).unwrap().variance.is_empty());
    let fix = lookup(&mut worker(7), &table, FOUND, &profile(1034.0)).unwrap();
    assert!((fix.z_nm - 1034.0).abs() < NEAR_NM, "{fix:?}");
}

#[test]
fn a_sweep_that_cannot_make_a_table_is_refused_with_a_mend() {
    let frame = |z: f64, fix: Fix| (z, fix, profile(z));
    let good = [frame(0.0, FOUND), frame(100.0, FOUND)];
    assert!(build(&good, layout()).is_ok());
    assert_says(build(&good, ProfileLayout::NONE), &["no profiles", "tracker.test", "tracker.magtrack"]);
    assert_says(build(&good[..1], layout()), &["1 plane(s)", "2 or more"]);
    assert_says(build(&[], layout()), &["0 plane(s)"]);
    for focus in [f64::NAN, f64::INFINITY] {
        assert_says(build(&[frame(0.0, FOUND), frame(focus, FOUND)], layout()), &["entry 1", &focus.to_string()]);
    }
    let lost = [frame(0.0, FOUND), frame(100.0, Fix::EMPTY), frame(250.0, Fix::EMPTY), frame(250.0, Fix::EMPTY)];
    assert_says(build(&lost, layout()), &["2 of 3 planes", "100 nm, 250 nm"]);
    let many: Vec<_> = (0..12).map(|k| frame(f64::from(k), Fix::EMPTY)).collect();
    assert_says(build(&many, layout()), &["12 of 12 planes", "5 nm, 6 more"]);
    let empty = [frame(0.0, FOUND), (100.0, FOUND, vec![f64::NAN; N_BINS])];
    assert_says(build(&empty, layout()), &["1 of 2 planes: 100 nm"]);
}

#[test]
fn a_plane_is_scaled_to_the_profile_over_the_bins_that_both_have() {
    let plane = [900.0, 1.0, 2.0, f64::NAN, 3.0];
    let profile = [0.0, 12.0, 14.0, 99.0, 16.0];
    let scaled = crate::explain::scaled(&plane, &profile);
    assert_eq!((scaled[1], scaled[2], scaled[4]), (12.0, 14.0, 16.0));
    assert!(scaled[3].is_nan());
}

#[test]
fn a_lookup_allocates_nothing() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counts.count_total, 1, "the counter counts");
    let (mut worker, long, short) = (worker(7), table(21), table(5));
    let tables = [&long, &long, &short, &long, &long];
    let shown = [profile(0.0), profile(-1000.0), profile(-700.0), vec![5.0; N_BINS], vec![f64::NAN; N_BINS]].concat();
    let mut fixes = [FOUND, FOUND, FOUND, FOUND, Fix::EMPTY];
    let rois = RoisInImage::u8(&[], 0, (48, 48), &[(0, 0); 5]);
    let mut rows = LookupRows::new(&tables, &mut fixes, &shown, &[], N_BINS);
    let counted = allocation_counter::measure(|| worker.lookup(&rois.batch(), &mut rows).unwrap());
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(fixes[0].z_nm.is_finite(), "something was looked up");
}
