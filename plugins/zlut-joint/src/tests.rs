//! The strategy through the SDK's traits: what a sweep becomes, what is refused, what is flagged, that a saved table is the
//! built one, and that a lookup allocates nothing. The numbers are tested with the kernel.

use crate::strategy::{FLAG_MISFIT, Joint, JointWorker, schema};
use crate::table::Table;
use tetherscope_kernels::RingProfile;
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_LOW_CONTRAST, FLAG_NEIGHBOUR, FLAG_NON_FINITE, FLAG_OUTSIDE_ZLUT, PIXEL_MONO16, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Fix, HostHandle, LookupRows, ParamValues, ProfileLayout, Result, RoisInImage, SavedTableView, SweepView,
    WorkerConfig, ZlutStrategy, ZlutWorker,
};

const SIDE: usize = 40;
/// Pixels cut to whole numbers, without noise: 0.3 ADU over 1,600 pixels.
const NEAR_PX: f64 = 0.003;
const NEAR_NM: f64 = 1.0;

/// A ROI and where its bead is.
struct Shot {
    x: f64,
    y: f64,
    z_nm: f64,
    pixels: Vec<u8>,
}

fn level(r: f64, z_nm: f64) -> f64 {
    110.0 + 90.0 * (0.5 * r - 0.0025 * z_nm).cos() * (-0.006 * r * r).exp()
}

fn shot(x: f64, y: f64, z_nm: f64) -> Shot {
    let at = |k: usize| level(((k % SIDE) as f64 - x).hypot((k / SIDE) as f64 - y), z_nm);
    Shot { x, y, z_nm, pixels: (0..SIDE * SIDE).map(|k| at(k).round() as u8).collect() }
}

fn config() -> WorkerConfig {
    // 1,000 electrons an ADU: hardly more noise than rounding.
    let side = SIDE as u32;
    WorkerConfig { gain_e_per_adu: 1000.0, offset_adu: 0.0, read_noise_e: 0.0, ..WorkerConfig::mono8(side, side, 8) }
}

fn layout() -> ProfileLayout {
    let n = RingProfile::new(SIDE, tetherscope_kernels::Isa::Baseline).unwrap().n_bins();
    ProfileLayout::new(PROFILE_RADIAL, n, 0.0, RingProfile::STEP_PX)
}

fn strategy() -> Joint {
    Joint::create(&ParamValues::defaults(&schema())).unwrap()
}

fn worker(config: &WorkerConfig) -> JointWorker {
    strategy().worker(config, &layout()).unwrap()
}

/// What a tracker makes of shots: centres that are off by a hundredth of a pixel, profiles, weights.
struct Tracked {
    image: Vec<u8>,
    corners: Vec<(usize, usize)>,
    fixes: Vec<Fix>,
    profiles: Vec<f64>,
    weights: Vec<f32>,
}

fn track(shots: &[Shot]) -> Tracked {
    let n_bins = layout().n_bins as usize;
    let mut ring = RingProfile::new(SIDE, tetherscope_kernels::Isa::detect()).unwrap();
    let mut tracked = Tracked { image: vec![], corners: vec![], fixes: vec![], profiles: vec![], weights: vec![] };
    for (k, shot) in shots.iter().enumerate() {
        let image = ndarray::ArrayView2::from_shape((SIDE, SIDE), &shot.pixels).unwrap();
        let (mut profile, mut weights) = (vec![0.0; n_bins], vec![0.0; n_bins]);
        let (x_px, y_px) = (shot.x + 0.01, shot.y - 0.01);
        ring.execute(image, x_px, y_px, &mut profile, &mut weights);
        tracked.image.extend(&shot.pixels);
        tracked.corners.push((0, k * SIDE));
        tracked.fixes.push(Fix { x_px, y_px, ..Fix::EMPTY });
        tracked.profiles.extend(profile);
        tracked.weights.extend(weights);
    }
    tracked
}

fn build_of(shots: &[Shot], change: impl Fn(&mut SweepView<'_>)) -> Result<Table> {
    built(shots, &track(shots), change)
}

fn built(shots: &[Shot], t: &Tracked, change: impl Fn(&mut SweepView<'_>)) -> Result<Table> {
    let side = SIDE as u32;
    let rois = RoisInImage::u8(&t.image, SIDE, (side, side), &t.corners);
    let focus: Vec<f64> = shots.iter().map(|s| s.z_nm).collect();
    let mut sweep = SweepView {
        batch: rois.batch(),
        focus_nm: &focus,
        fixes: &t.fixes,
        profiles: &t.profiles,
        weights: &t.weights,
        layout: layout(),
        config: config(),
        tracker_id: "tracker.test".into(),
        tracker_version: "1.0.0".into(),
        tracker_params: ParamValues::default(),
    };
    change(&mut sweep);
    strategy().build(&sweep, &HostHandle::none())
}

/// Four frames a plane, each elsewhere.
fn sweep() -> Vec<Shot> {
    let places = [(19.2, 19.9), (20.4, 19.1), (19.7, 20.3), (18.9, 19.4)];
    let planes = (-6..=6).map(|k| 100.0 * f64::from(k));
    planes.flat_map(|z| places.map(|(x, y)| shot(x, y, z))).collect()
}

fn table() -> Table {
    build_of(&sweep(), |_| {}).unwrap()
}

fn lookup(worker: &mut JointWorker, table: &Table, shots: &[Shot]) -> Vec<Fix> {
    let mut t = track(shots);
    let side = SIDE as u32;
    let rois = RoisInImage::u8(&t.image, SIDE, (side, side), &t.corners);
    let tables = vec![table; shots.len()];
    let n_bins = layout().n_bins as usize;
    let mut rows = LookupRows::new(&tables, &mut t.fixes, &t.profiles, &t.weights, n_bins);
    worker.lookup(&rois.batch(), &mut rows).unwrap();
    t.fixes
}

fn assert_says<T>(outcome: Result<T>, words: &[&str]) {
    let error = outcome.err().unwrap_or_else(|| panic!("{words:?} should be refused"));
    for word in words {
        assert!(error.message().contains(word), "`{word}` is missing in: {error}");
    }
    assert_eq!(error.message().lines().count(), 3, "what, why, mend: {error}");
}

#[test]
fn x_y_and_z_are_found_and_have_standard_errors() {
    let table = table();
    let shots = [shot(20.13, 18.77, -433.0), shot(19.02, 20.61, 12.0), shot(21.9, 18.2, 377.0)];
    for config in [config(), WorkerConfig { gain_e_per_adu: f64::NAN, ..config() }] {
        for (fix, shot) in lookup(&mut worker(&config), &table, &shots).iter().zip(&shots) {
            let near = (fix.x_px - shot.x).abs() < NEAR_PX && (fix.y_px - shot.y).abs() < NEAR_PX;
            assert!(near && (fix.z_nm - shot.z_nm).abs() < NEAR_NM, "{fix:?} at {}, {}, {}", shot.x, shot.y, shot.z_nm);
            assert!(fix.flags == 0 && fix.quality > 0.8 && fix.quality <= 1.0, "{fix:?}");
            assert!(fix.sigma_x_px > 0.0 && f64::from(fix.sigma_x_px) < NEAR_PX && fix.sigma_y_px > 0.0, "{fix:?}");
            assert!(fix.sigma_z_nm > 0.0 && f64::from(fix.sigma_z_nm) < NEAR_NM, "{fix:?}");
        }
    }
}

#[test]
fn what_has_no_fit_keeps_its_centre_and_says_why() {
    let table = table();
    let mut flat = shot(20.0, 20.0, 0.0);
    flat.pixels.fill(90);
    let shots = [shot(20.0, 20.0, 660.0), shot(1.5, 20.0, 100.0), flat, shot(20.0, 20.0, 0.0)];
    let fixes = lookup(&mut worker(&config()), &table, &shots);
    for ((fix, shot), flag) in fixes.iter().zip(&shots).zip([FLAG_OUTSIDE_ZLUT, FLAG_AT_BORDER, FLAG_LOW_CONTRAST]) {
        assert!(fix.z_nm.is_nan() && fix.sigma_z_nm.is_nan() && fix.flags == flag, "{fix:?}");
        assert_eq!((fix.x_px, fix.y_px), (shot.x + 0.01, shot.y - 0.01), "the tracker's");
    }
    assert!(fixes[3].flags == 0 && fixes[3].z_nm.is_finite(), "the last one is not disturbed: {:?}", fixes[3]);
}

#[test]
fn dirt_is_flagged_and_so_is_an_image_that_fits_nowhere() {
    let table = table();
    let mut dirty = shot(20.2, 19.6, 150.0);
    for (i, j) in [(30, 8), (30, 9), (31, 8), (31, 9)] {
        dirty.pixels[i * SIDE + j] += 40;
    }
    let mut rough = shot(20.2, 19.6, 150.0);
    rough.pixels.iter_mut().enumerate().for_each(|(k, p)| *p += 4 * (((k * 7919) >> 3) % 2) as u8);
    let fixes = lookup(&mut worker(&config()), &table, &[dirty, rough]);
    assert_eq!(fixes[0].flags & FLAG_NEIGHBOUR, FLAG_NEIGHBOUR, "{:?}", fixes[0]);
    assert_eq!(fixes[1].flags, FLAG_MISFIT, "{:?}", fixes[1]);
    assert!(fixes[1].quality < 0.2);
}

#[test]
fn a_row_without_a_centre_stays_as_the_tracker_left_it() {
    let (table, t) = (table(), track(&[shot(20.0, 20.0, 0.0)]));
    let rois = RoisInImage::u8(&t.image, SIDE, (SIDE as u32, SIDE as u32), &t.corners);
    let mut fixes = [Fix { flags: 1, ..Fix::EMPTY }];
    let tables = [&table];
    let mut rows = LookupRows::new(&tables, &mut fixes, &t.profiles, &t.weights, layout().n_bins as usize);
    worker(&config()).lookup(&rois.batch(), &mut rows).unwrap();
    assert!(fixes[0].z_nm.is_nan() && fixes[0].x_px.is_nan() && fixes[0].quality.is_nan() && fixes[0].flags == 1);
}

#[test]
fn a_profile_without_numbers_is_flagged() {
    let (table, mut t) = (table(), track(&[shot(20.0, 20.0, 0.0)]));
    t.profiles.fill(f64::NAN);
    let rois = RoisInImage::u8(&t.image, SIDE, (SIDE as u32, SIDE as u32), &t.corners);
    let tables = [&table];
    let mut rows = LookupRows::new(&tables, &mut t.fixes, &t.profiles, &t.weights, layout().n_bins as usize);
    worker(&config()).lookup(&rois.batch(), &mut rows).unwrap();
    assert!(t.fixes[0].z_nm.is_nan() && t.fixes[0].flags == FLAG_NON_FINITE, "{:?}", t.fixes[0]);
}

#[test]
fn a_tracker_that_writes_no_weights_is_one_without() {
    // As the host prepares them.
    let unwritten = vec![f32::NAN; sweep().len() * layout().n_bins as usize];
    let change = |s: &mut SweepView<'_>| s.weights = &[];
    let plain = build_of(&sweep(), change).unwrap();
    let table = {
        let shots = sweep();
        let t = Tracked { weights: unwritten.clone(), ..track(&shots) };
        built(&shots, &t, |_| {}).unwrap()
    };
    // Empty bins are NaN, which equals nothing: bits.
    let bits = |table: &Table| Joint::save(table).unwrap().profiles.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&plain), bits(&table));
    let mut t = track(&[shot(20.0, 20.0, 33.0)]);
    let rois = RoisInImage::u8(&t.image, SIDE, (SIDE as u32, SIDE as u32), &t.corners);
    let (tables, n_bins) = ([&table], layout().n_bins as usize);
    let mut rows = LookupRows::new(&tables, &mut t.fixes, &t.profiles, &unwritten[..n_bins], n_bins);
    worker(&config()).lookup(&rois.batch(), &mut rows).unwrap();
    assert!((t.fixes[0].z_nm - 33.0).abs() < NEAR_NM && t.fixes[0].flags == 0, "{:?}", t.fixes[0]);
}

#[test]
fn sixteen_bits_and_any_batch_give_the_same_bits() {
    let table = table();
    let shots = [shot(20.13, 18.77, -433.0), shot(19.02, 20.61, 12.0), shot(21.9, 18.2, 377.0)];
    let bits = |f: &Fix| (f.x_px.to_bits(), f.y_px.to_bits(), f.z_nm.to_bits(), f.sigma_z_nm.to_bits(), f.flags);
    let mut worker = worker(&config());
    let together: Vec<_> = lookup(&mut worker, &table, &shots).iter().map(bits).collect();
    for (k, shot) in shots.into_iter().enumerate().rev() {
        assert_eq!(bits(&lookup(&mut worker, &table, &[shot])[0]), together[k], "ROI {k} alone");
    }
    let shots = [shot(20.13, 18.77, -433.0)];
    let mut t = track(&shots);
    let wide: Vec<u16> = t.image.iter().map(|&p| p.into()).collect();
    let rois = RoisInImage::u16(&wide, SIDE, (SIDE as u32, SIDE as u32), &t.corners);
    let config = WorkerConfig { pixel_format: PIXEL_MONO16, ..config() };
    let tables = [&table];
    let mut rows = LookupRows::new(&tables, &mut t.fixes, &t.profiles, &t.weights, layout().n_bins as usize);
    strategy().worker(&config, &layout()).unwrap().lookup(&rois.batch(), &mut rows).unwrap();
    assert_eq!(bits(&t.fixes[0]), together[0], "16 bits");
}

#[test]
fn a_saved_table_finds_the_same_bits() {
    let built = table();
    let saved = Joint::save(&built).unwrap();
    let view = |bytes: Option<&'static [u8]>| SavedTableView {
        z_nm: &[],
        profiles: &[],
        variance: None,
        bytes,
        layout: layout(),
        config: config(),
    };
    assert_says(strategy().load(&view(None)), &["no pixel template", "zlut.spline"]);
    assert_says(strategy().load(&view(Some(b"TSJTxxxx"))).map(drop), &["checksum"]);
    let load = |bytes: &[u8]| {
        strategy().load(&SavedTableView {
            z_nm: &saved.z_nm,
            profiles: &saved.profiles,
            variance: Some(&saved.variance),
            bytes: Some(bytes),
            layout: layout(),
            config: config(),
        })
    };
    assert_says(load(&saved.bytes[..saved.bytes.len() - 1]).map(drop), &["checksum"]);
    for at in (0..48).chain((48..saved.bytes.len()).step_by(97)) {
        let mut altered = saved.bytes.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(load(&altered).is_err(), "byte {at}");
    }
    let loaded = load(&saved.bytes).unwrap();
    let shots = [shot(20.13, 18.77, -433.0), shot(19.02, 20.61, 12.0)];
    let mut worker = worker(&config());
    let [a, b] = [&built, &loaded].map(|t| lookup(&mut worker, t, &shots));
    for (a, b) in a.iter().zip(&b) {
        assert!(a.z_nm.is_finite());
        assert_eq!((a.x_px.to_bits(), a.z_nm.to_bits()), (b.x_px.to_bits(), b.z_nm.to_bits()));
    }
}

#[test]
fn a_sweep_that_cannot_make_a_table_is_refused_with_a_mend() {
    let shots = sweep();
    assert_says(build_of(&shots, |s| s.layout = ProfileLayout::NONE), &["tracker.test", "tracker.quadrant"]);
    assert_says(build_of(&shots[..12], |_| {}), &["3 planes"]);
    assert_says(build_of(&shots, |s| s.config.h_px = 30), &["40 x 30"]);
    let focus = vec![f64::NAN; shots.len()];
    let lost = vec![Fix::EMPTY; shots.len()];
    let t = track(&shots);
    let rois = RoisInImage::u8(&t.image, SIDE, (SIDE as u32, SIDE as u32), &t.corners);
    let good: Vec<f64> = shots.iter().map(|s| s.z_nm).collect();
    let with = |focus_nm: &[f64], fixes: &[Fix]| {
        let sweep = SweepView {
            batch: rois.batch(),
            focus_nm,
            fixes,
            profiles: &t.profiles,
            weights: &t.weights,
            layout: layout(),
            config: config(),
            tracker_id: "tracker.test".into(),
            tracker_version: "1.0.0".into(),
            tracker_params: ParamValues::default(),
        };
        strategy().build(&sweep, &HostHandle::none()).map(drop)
    };
    assert!(with(&good, &t.fixes).is_ok());
    assert_says(with(&focus, &t.fixes), &["entry 0", "NaN"]);
    assert_says(with(&good, &lost), &["13 of 13 planes", "-600 nm, -500 nm"]);
}

#[test]
fn other_shapes_are_refused_and_nothing_is_written() {
    let (mut worker, table) = (worker(&config()), table());
    let image = vec![0u8; SIDE * SIDE];
    let rois = RoisInImage::u8(&image, SIDE, (20, 20), &[(0, 0)]);
    let n_bins = layout().n_bins as usize;
    let (mut fixes, profile) = ([Fix { x_px: 9.0, y_px: 9.0, ..Fix::EMPTY }], vec![1.0; n_bins]);
    let tables = [&table];
    let outcome = worker.lookup(&rois.batch(), &mut LookupRows::new(&tables, &mut fixes, &profile, &[], n_bins));
    assert!(outcome.unwrap_err().message().contains("20 x 20 px for a worker of 40 x 40 px"));
    let rois = RoisInImage::u8(&image, SIDE, (SIDE as u32, SIDE as u32), &[(0, 0)]);
    let short = &profile[1..];
    let outcome = worker.lookup(&rois.batch(), &mut LookupRows::new(&tables, &mut fixes, short, &[], n_bins - 1));
    assert_says(outcome, &["bins", "this worker was made for"]);
    assert_says(strategy().worker(&config(), &ProfileLayout::NONE).map(drop), &["0 bins", "tracker.quadrant"]);
    assert_says(strategy().worker(&WorkerConfig::mono8(40, 30, 1), &layout()).map(drop), &["40 x 30", "30 x 30"]);
    assert!(fixes[0].z_nm.is_nan() && fixes[0].flags == 0);
}

#[test]
fn a_lookup_allocates_nothing() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counts.count_total, 1, "the counter counts");
    let (mut worker, table) = (worker(&config()), table());
    let mut flat = shot(20.0, 20.0, 0.0);
    flat.pixels.fill(90);
    let mut t = track(&[shot(20.1, 19.3, 33.0), shot(20.0, 20.0, 660.0), flat, shot(1.0, 20.0, 0.0)]);
    let rois = RoisInImage::u8(&t.image, SIDE, (SIDE as u32, SIDE as u32), &t.corners);
    let tables = [&table; 4];
    let mut rows = LookupRows::new(&tables, &mut t.fixes, &t.profiles, &t.weights, layout().n_bins as usize);
    let counted = allocation_counter::measure(|| worker.lookup(&rois.batch(), &mut rows).unwrap());
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(t.fixes[0].z_nm.is_finite(), "something was looked up");
}
