//! Runs golden checks of MagTrack 1.0.0 through the loaded plugins `tracker.magtrack` and `zlut.correlation`: the way that
//! a frame goes in the program, from pixels in place to x, y, z, profile and flags.
//!
//! Taken are the checks of the chain, of the radial profile and of the look-up. Each ends in one bucket ([`Verdict`]);
//! what the interface cannot express is one of them, with its reason. The kernels run all checks (`golden_kernels.rs`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use ndarray::{Array1, Array2, ArrayD, Axis};
use tetherscope_loader::abi::{
    FLAG_LOW_CONTRAST, FLAG_NON_FINITE, FLAG_NOT_CONVERGED, FLAG_SATURATED, PIXEL_MONO16, PROFILE_FFT, PROFILE_RADIAL,
    STATUS_INVALID_ARGUMENT,
};
use tetherscope_loader::{
    Fix, FrameMemory, Kind, LookupBuffers, ProfileLayout, Registry, RoiSet, SavedTable, SearchOptions, SweepData,
    Table, TrackBuffers, Tracker, TrackerStamp, TrackerWorker, WorkerConfig, ZlutStrategy,
};

use tetherscope_kernels::RadialProfile;

use crate::golden::{Case, Check, Golden, Images};
use crate::harness;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Every number agrees within the golden tolerance.
    Passed,
    /// MagTrack refuses the input, and so do we, with a sentence.
    RefusedAlike,
    /// MagTrack refuses integer pixels; we take them and give what floats give.
    TakesIntegers,
    /// A chain that lost one axis gives NaN on both, a flag and no profile.
    LostOnBothAxes,
    /// A profile that correlates with nothing gets no z, where MagTrack gives that of plane 0.
    NothingCorrelates,
    /// Cannot be expressed: cameras deliver whole numbers, this stack has fractions.
    PixelsAreFractions,
    /// Cannot be expressed: the tracker makes its profile round its own centre, the check gives another one. Instead the
    /// tracker's profile, with the check's `oversample`, has the bits of the kernel's round the tracker's centre; and the
    /// kernel passes the check.
    CentreIsGiven,
}

/// How many checks of the repository's set end where. A check that vanishes or changes sides is noticed here.
const EXPECTED: [(Verdict, usize); 7] = [
    (Verdict::Passed, 59),
    (Verdict::RefusedAlike, 8),
    (Verdict::TakesIntegers, 6),
    (Verdict::LostOnBothAxes, 4),
    (Verdict::NothingCorrelates, 1),
    (Verdict::PixelsAreFractions, 19),
    (Verdict::CentreIsGiven, 30),
];

/// Both plugins, loaded once; their instances share the libraries.
static PLUGINS: LazyLock<Registry> = LazyLock::new(|| {
    let options =
        SearchOptions { usual_places: false, child: Some(harness::program()), cache: None, ..SearchOptions::default() };
    let mut registry = Registry::default();
    for package in ["tracker-magtrack", "zlut-correlation"] {
        let library: PathBuf = harness::plugin(package);
        registry.load_file(&library, &options).unwrap_or_else(|e| panic!("{e}"));
    }
    registry
});

type Pairs = Vec<(&'static str, String)>;

fn tracker(pairs: &Pairs) -> Arc<Tracker> {
    let component = PLUGINS.resolve(Kind::Tracker, "tracker.magtrack").unwrap();
    let params = component.params(pairs.iter().map(|(k, v)| (*k, v.as_str()))).unwrap();
    Tracker::create(component, params).unwrap()
}

fn strategy(pairs: &Pairs) -> Arc<ZlutStrategy> {
    let component = PLUGINS.resolve(Kind::Zlut, "zlut.correlation").unwrap();
    let params = component.params(pairs.iter().map(|(k, v)| (*k, v.as_str()))).unwrap();
    ZlutStrategy::create(component, params).unwrap()
}

/// MagTrack's table (z values in row 0, bins below, planes across) as ours.
fn table(
    strategy: &Arc<ZlutStrategy>,
    zlut: &Array2<f64>,
    layout: &ProfileLayout,
    config: &WorkerConfig,
) -> Arc<Table> {
    let profiles = zlut.slice(ndarray::s![1.., ..]);
    let saved = SavedTable {
        z_nm: zlut.row(0).to_vec(),
        profiles: profiles.t().iter().copied().collect(),
        ..SavedTable::default()
    };
    strategy.load(&saved, &ProfileLayout { n_bins: profiles.nrows() as u32, ..*layout }, config).unwrap()
}

/// The ROIs of one stack, with the numbers that the interface wants beside them.
struct Rois<'a> {
    memory: FrameMemory<'a>,
    offsets: Vec<u64>,
    bead_ids: Vec<u32>,
    frame_indices: Vec<u64>,
    config: WorkerConfig,
}

impl<'a> Rois<'a> {
    /// None for a stack of fractions.
    fn new(images: &'a Images) -> Option<Rois<'a>> {
        let (memory, (n, size), pixel_bytes) = match images {
            Images::U8(stack) => (FrameMemory::from(stack.as_slice()?), shape(stack.dim()), 1),
            Images::U16(stack) => (FrameMemory::from(stack.as_slice()?), shape(stack.dim()), 2),
            Images::F32(_) | Images::F64(_) => return None,
        };
        let mut config = WorkerConfig::mono8(size as u32, size as u32, n as u32);
        if pixel_bytes == 2 {
            // The golden stacks above 8 bits have 12.
            (config.pixel_format, config.significant_bits, config.saturation_adu) = (PIXEL_MONO16, 12, 4095.0);
        }
        Some(Rois {
            memory,
            offsets: (0..n).map(|k| (k * size * size * pixel_bytes) as u64).collect(),
            bead_ids: vec![7; n],
            frame_indices: (0..n as u64).collect(),
            config,
        })
    }

    fn set(&self) -> RoiSet<'_> {
        let pixel_stride_bytes = if self.config.pixel_format == PIXEL_MONO16 { 2 } else { 1 };
        RoiSet {
            memory: self.memory,
            offsets: &self.offsets,
            row_stride_bytes: u64::from(self.config.w_px * pixel_stride_bytes),
            pixel_stride_bytes,
            w_px: self.config.w_px,
            h_px: self.config.h_px,
            pixel_format: self.config.pixel_format,
            bead_ids: &self.bead_ids,
            frame_indices: &self.frame_indices,
        }
    }
}

fn shape((n, height, width): (usize, usize, usize)) -> (usize, usize) {
    assert_eq!(height, width, "golden images are square");
    (n, width)
}

#[test]
fn every_golden_check_of_chain_profile_and_lookup_goes_through_the_plugins() {
    let golden = Golden::load();
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for (case, check) in golden.checks() {
        let outcome = match check.function.as_str() {
            "stack_to_xyzp" | "stack_to_xyzp_advanced" => chain(case, check),
            "lookup_z" => lookup_z(case, check),
            "radial_profile" => radial_profile(case, check),
            _ => continue,
        };
        match outcome {
            Ok(verdict) => {
                println!("{:48} {verdict:?}", check.id);
                *counts.entry(verdict).or_default() += 1;
            }
            Err(reason) => failures.push(format!("{}: {reason}", check.id)),
        }
    }
    println!("{} checks: {counts:?}", counts.values().sum::<usize>());
    assert!(failures.is_empty(), "{} golden checks failed:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(counts, BTreeMap::from(EXPECTED));
}

fn ensure(holds: bool, what: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Parameters of tracker and strategy from the keyword arguments of `stack_to_xyzp_advanced`.
fn chain_params(check: &Check) -> (Pairs, Pairs) {
    let (mut tracker, mut strategy) = (Pairs::new(), Pairs::new());
    let Some(given) = check.arg("options") else { return (tracker, strategy) };
    for (key, value) in given.as_object().expect("options are an object") {
        let mut of_tracker = |key, value: &serde_json::Value| {
            tracker.push((key, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        };
        match key.as_str() {
            "center_of_mass" => of_tracker("background", &value["background"]),
            "n auto_conv_multiline_sub_pixel" => of_tracker("n_refinements", value),
            "auto_conv_multiline_sub_pixel" => {
                of_tracker("line_ratio", &value["line_ratio"]);
                of_tracker("n_local", &value["n_local"]);
            }
            "use fft_profile" => of_tracker("profile", &(if value == true { "fft" } else { "radial" }).into()),
            "fft_profile" => of_tracker("fft_oversample", &value["oversample"]),
            "lookup_z" => strategy.push(("n_local", value["n_local"].to_string())),
            other => panic!("{}: no parameter for {other}", check.id),
        }
    }
    (tracker, strategy)
}

fn chain(case: &Case, check: &Check) -> Result<Verdict, String> {
    // `stack_f64` is an exact cast of `stack`: through the plugins the integers themselves go.
    let images = case.images(if check.input("stack") == "stack_f64" { "stack" } else { check.input("stack") });
    let Some(rois) = Rois::new(&images) else { return Ok(Verdict::PixelsAreFractions) };
    let (tracker_params, strategy_params) = chain_params(check);
    let mut worker = tracker(&tracker_params).worker(&rois.config).map_err(|e| e.to_string())?;
    let mut out = TrackBuffers::default();
    worker.track(&rois.set(), &mut out).map_err(|e| e.to_string())?;
    let layout = *worker.layout();
    if check.arg("zlut").is_some() {
        let strategy = strategy(&strategy_params);
        let table = table(&strategy, &case.arg2(check, "zlut"), &layout, &rois.config);
        let tables = vec![&*table; out.fixes.len()];
        let mut lookup = strategy.worker(&rois.config, &layout).map_err(|e| e.to_string())?;
        let mut scratch = LookupBuffers::default();
        lookup.lookup(&rois.set(), &tables, &mut out, &mut scratch).map_err(|e| e.to_string())?;
    }
    check_rows(&images, &out, check.arg("zlut").is_some())?;
    let twin = match check.raises.as_deref() {
        None => check,
        Some("TypeError") => case.check("stack_to_xyzp_nolut_00"),
        Some(other) => return Err(format!("MagTrack raises {other}")),
    };
    let column = |of: fn(&Fix) -> f64| Array1::from_iter(out.fixes.iter().map(of)).into_dyn();
    let profiles = Array2::from_shape_vec((out.fixes.len(), out.n_bins), out.profiles.clone()).expect("rows of bins");
    let profiles: ArrayD<f64> = profiles.t().as_standard_layout().into_owned().into_dyn();
    let skip: Vec<usize> = twin.nan_centre_frames.iter().chain(&twin.unspecified_frames).copied().collect();
    ensure(twin.outputs.len() == 4, || "x, y, z and profiles are golden".into())?;
    for (name, got) in [("x", column(|f| f.x_px)), ("y", column(|f| f.y_px)), ("z", column(|f| f.z_nm))] {
        twin.output(name).compare(&got, &skip)?;
    }
    twin.output("profiles").compare(&profiles, &skip)?;
    for &k in &twin.nan_centre_frames {
        ensure(out.fixes[k].x_px.is_nan(), || format!("image {k}: {:?}", out.fixes[k]))?;
    }
    Ok(match (check.raises.is_some(), twin.nan_centre_frames.is_empty()) {
        (true, _) => Verdict::TakesIntegers,
        (false, false) => Verdict::LostOnBothAxes,
        (false, true) => Verdict::Passed,
    })
}

/// "No result" is NaN on both axes, in z and in the profile, with a flag; saturated pixels are flagged, and only they.
fn check_rows(images: &Images, out: &TrackBuffers, with_table: bool) -> Result<(), String> {
    let saturated = |k: usize| match images {
        Images::U8(stack) => stack.index_axis(Axis(0), k).iter().any(|&p| p == 255),
        Images::U16(stack) => stack.index_axis(Axis(0), k).iter().any(|&p| p >= 4095),
        _ => unreachable!("fractions do not get here"),
    };
    for (k, fix) in out.fixes.iter().enumerate() {
        let (lost, reasons) = (fix.x_px.is_nan(), fix.flags & !FLAG_SATURATED);
        let consistent = lost == fix.y_px.is_nan()
            && (fix.flags & FLAG_SATURATED != 0) == saturated(k)
            && (reasons != 0) == (lost || with_table && fix.z_nm.is_nan())
            && (!lost || fix.z_nm.is_nan() && out.profile(k).iter().all(|p| p.is_nan()))
            && (fix.quality.is_nan() == (lost || !with_table))
            && [fix.sigma_x_px, fix.sigma_y_px, fix.sigma_z_nm].iter().all(|s| s.is_nan());
        ensure(consistent, || format!("image {k}: {fix:?}"))?;
    }
    Ok(())
}

fn lookup_z(case: &Case, check: &Check) -> Result<Verdict, String> {
    let (profiles, zlut) = (case.arg2(check, "profiles"), case.arg2(check, "zlut"));
    let (n_bins, n) = profiles.dim();
    let layout = ProfileLayout::new(PROFILE_RADIAL, n_bins, 0.0, 1.0);
    // Correlation needs no pixels: these are never read.
    let images = Images::U8(ndarray::Array3::zeros((n, case.size_px, case.size_px)));
    let rois = Rois::new(&images).expect("whole numbers");
    let n_local = check.number_or("n_local", 7.0);
    let strategy = strategy(&vec![("n_local", n_local.to_string())]);
    let table = table(&strategy, &zlut, &layout, &rois.config);
    let mut out = TrackBuffers {
        fixes: vec![Fix { x_px: 1.0, y_px: 1.0, ..Fix::EMPTY }; n],
        profiles: profiles.t().iter().copied().collect(),
        weights: vec![f32::NAN; n * n_bins],
        n_bins,
    };
    let mut worker = strategy.worker(&rois.config, &layout).map_err(|e| e.to_string())?;
    let done = worker.lookup(&rois.set(), &vec![&*table; n], &mut out, &mut LookupBuffers::default());
    if check.raises.is_some() {
        let error = done.err().ok_or("MagTrack refuses, we do not")?;
        let names_both =
            [n_bins, zlut.nrows() - 1].iter().all(|bins| error.to_string().contains(&format!("{bins} bins")));
        ensure(error.status == STATUS_INVALID_ARGUMENT && names_both, || error.to_string())?;
        ensure(out.fixes.iter().all(|f| f.z_nm.is_nan() && f.flags != 0), || "a refused batch has a z".into())?;
        return Ok(Verdict::RefusedAlike);
    }
    done.map_err(|e| e.to_string())?;
    let short = (zlut.ncols() as f64) < n_local;
    let mut unlike = Vec::new();
    for (k, fix) in out.fixes.iter().enumerate() {
        let nothing = fix.flags & (FLAG_LOW_CONTRAST | FLAG_NON_FINITE) != 0;
        ensure(fix.z_nm.is_nan() == (fix.flags & !FLAG_NOT_CONVERGED != 0), || format!("image {k}: {fix:?}"))?;
        ensure(short == (nothing && short || fix.flags & FLAG_NOT_CONVERGED != 0), || format!("image {k}: {fix:?}"))?;
        if nothing && short {
            unlike.push(k);
        }
    }
    let skip: Vec<usize> = unlike.iter().chain(&check.unspecified_frames).copied().collect();
    check.output("z").compare(&Array1::from_iter(out.fixes.iter().map(|f| f.z_nm)).into_dyn(), &skip)?;
    for &k in &unlike {
        let golden = check.output("z").expected()[k];
        ensure(golden == zlut[[0, 0]], || format!("image {k}: MagTrack gives {golden}, not plane 0"))?;
    }
    Ok(if unlike.is_empty() { Verdict::Passed } else { Verdict::NothingCorrelates })
}

fn radial_profile(case: &Case, check: &Check) -> Result<Verdict, String> {
    let images = case.images("stack");
    if Rois::new(&images).is_none() {
        return Ok(Verdict::PixelsAreFractions);
    }
    let oversample = check.number_or("oversample", 1.0) as usize;
    let (worker, out) = tracked(&vec![("oversample", oversample.to_string())], &images);
    let step = worker.layout().step_px;
    ensure(step == 1.0 / oversample as f64, || format!("a step of {step} px for {oversample} bins per pixel"))?;
    let mut kernel = RadialProfile::new(case.size_px, oversample).map_err(|e| e.to_string())?;
    let mut expected = vec![0.0; out.n_bins];
    for (k, fix) in out.fixes.iter().enumerate() {
        match &images {
            Images::U8(stack) => kernel.execute(stack.index_axis(Axis(0), k), fix.x_px, fix.y_px, &mut expected),
            Images::U16(stack) => kernel.execute(stack.index_axis(Axis(0), k), fix.x_px, fix.y_px, &mut expected),
            _ => unreachable!("fractions do not get here"),
        }
        ensure(same(&expected, out.profile(k)), || {
            format!("image {k}: {:?}, the kernel {expected:?}", out.profile(k))
        })?;
    }
    Ok(Verdict::CentreIsGiven)
}

/// Equal numbers, NaN where NaN stands.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
}

/// These images tracked with one set of options, and the worker that did it.
fn tracked(pairs: &Pairs, images: &Images) -> (TrackerWorker, TrackBuffers) {
    let rois = Rois::new(images).expect("whole numbers");
    let mut worker = tracker(pairs).worker(&rois.config).unwrap();
    let mut out = TrackBuffers::default();
    worker.track(&rois.set(), &mut out).unwrap();
    (worker, out)
}

#[test]
fn a_table_built_from_a_sweep_holds_the_profiles_that_were_tracked() {
    let golden = Golden::load();
    let images = golden.cases[0].images("stack");
    let rois = Rois::new(&images).expect("whole numbers");
    let (worker, tracks) = tracked(&Pairs::new(), &images);
    let strategy = strategy(&Pairs::new());
    // One frame per plane, focus falling from frame to frame.
    let focus_nm: Vec<f64> = (0..tracks.fixes.len()).map(|k| -100.0 * k as f64).collect();
    let params = tracker(&Pairs::new()).params().clone();
    let stamp = TrackerStamp { id: "tracker.magtrack", version: "1.0.0", params: &params };
    let layout = *worker.layout();
    let sweep = SweepData {
        rois: rois.set(),
        focus_nm: &focus_nm,
        tracks: &tracks,
        layout,
        config: rois.config,
        tracker: stamp,
    };
    let saved = strategy.build(&sweep).unwrap().save().unwrap();
    assert!(saved.z_nm.iter().eq(focus_nm.iter().rev()) && saved.variance.is_none() && saved.bytes.is_none());
    for (plane, frame) in (0..tracks.fixes.len()).rev().enumerate() {
        let built = &saved.profiles[plane * tracks.n_bins..(plane + 1) * tracks.n_bins];
        assert!(same(built, tracks.profile(frame)));
    }
}

#[test]
fn explain_ends_where_the_result_is() {
    let golden = Golden::load();
    let case = &golden.cases[0];
    let images = case.images("stack");
    for (profile, kind) in [("radial", PROFILE_RADIAL), ("fft", PROFILE_FFT)] {
        let (mut worker, out) = tracked(&vec![("profile", profile.to_owned())], &images);
        assert_eq!(worker.layout().kind, kind);
        let rois = Rois::new(&images).expect("whole numbers");
        let one = RoiSet { offsets: &rois.offsets[..1], bead_ids: &[7], frame_indices: &[0], ..rois.set() };
        let set = worker.explain(&one).unwrap();
        let array =
            |name: &str| &set.arrays.iter().find(|a| a.name == name).unwrap_or_else(|| panic!("no {name}")).values;
        assert_eq!(array("center_x").len(), 7, "centre of mass, one line, five times a band");
        assert_eq!((array("center_x")[6], array("center_y")[6]), (out.fixes[0].x_px, out.fixes[0].y_px));
        assert!(same(array("profile"), out.profile(0)));
        assert_eq!((array("row_convolution").len(), array("column_convolution").len()), (64, 64));
        let (first, step) = (worker.layout().first_radius_px, worker.layout().step_px);
        assert_eq!(array("radius")[..2], [first, first + step]);
    }
}

#[test]
fn explain_of_a_lookup_shows_the_best_plane() {
    let golden = Golden::load();
    let case = &golden.cases[0];
    let images = case.images("stack");
    let (worker, mut out) = tracked(&Pairs::new(), &images);
    let rois = Rois::new(&images).expect("whole numbers");
    let (strategy, layout) = (strategy(&Pairs::new()), *worker.layout());
    let table = table(&strategy, &case.array2("zlut"), &layout, &rois.config);
    let mut lookup = strategy.worker(&rois.config, &layout).unwrap();
    let tables = vec![&*table; out.fixes.len()];
    lookup.lookup(&rois.set(), &tables, &mut out, &mut LookupBuffers::default()).unwrap();
    let found = out.fixes[0];
    let one = RoiSet { offsets: &rois.offsets[..1], bead_ids: &[7], frame_indices: &[0], ..rois.set() };
    let (_, mut out) = tracked(&Pairs::new(), &images);
    out.fixes.truncate(1);
    out.profiles.truncate(out.n_bins);
    out.weights.truncate(out.n_bins);
    let set = lookup.explain(&one, &table, &mut out).unwrap();
    let array = |name: &str| &set.arrays.iter().find(|a| a.name == name).unwrap_or_else(|| panic!("no {name}")).values;
    let (z, correlation) = (array("z"), array("correlation"));
    let best = (0..z.len()).max_by(|&a, &b| correlation[a].total_cmp(&correlation[b])).unwrap();
    assert!((z[best] - found.z_nm).abs() <= z[1] - z[0], "{} nm, the best plane lies at {} nm", found.z_nm, z[best]);
    assert_eq!(correlation[best] as f32, found.quality);
    for ((profile, plane), residual) in array("profile").iter().zip(array("plane")).zip(array("residual")) {
        assert!((profile - plane - residual).abs() < 1e-9 || residual.is_nan());
    }
}
