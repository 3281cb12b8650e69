//! Runs the golden checks of MagTrack 1.0.0 through the kernels, all of them but the simulator's.
//!
//! Each check ends in one bucket ([`Verdict`]). Deviations on purpose follow rules, written here next to what is
//! expected instead, and listed in docs/magtrack-deviations.md; everything else must agree within the golden tolerance.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Array3, Array4, ArrayD, ArrayView1, Axis};
use tetherscope_kernels::{
    AutoConv, Background, Center, CenterOfMass, FftProfile, FftProfileOptions, KernelError, MagtrackChain,
    MagtrackOptions, Outcome, ParabolaFit, Pixel, ProfileKind, RadialProfile, RoiBounds, ThreePointParabola, ZOutcome,
    ZlutTable, binmean, crop_stack_to_rois, gaussian, gaussian_2d, n_side_lines, parabolic_vertex, pearson,
};

use crate::golden::{Case, Check, Golden, Images};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Every number agrees within the golden tolerance.
    Passed,
    /// MagTrack refuses the input, and so do we.
    RefusedAlike,
    /// MagTrack refuses integer pixels; we take them and give what floats give.
    TakesIntegers,
    /// MagTrack stops the whole batch with an IndexError; we give NaN for the images that caused it.
    NoIndexError,
    /// Images with a NaN start: NaN instead of numbers from line 0 or from the first maximum of NaN.
    NanStaysNan,
    /// Images with lines past the left or top border: NaN instead of numbers from the opposite border.
    NoWrapAround,
    /// Integer pixels are interpolated like floats instead of being rounded to integers.
    NoRounding,
    /// A NaN pixel spoils its own image only.
    NoLeakage,
    /// A chain that lost one axis gives NaN on both, and no profile.
    LostOnBothAxes,
    /// The simulator: see golden_optics.rs.
    Simulator,
}

impl Verdict {
    /// Only accidental behaviour may be left behind, but for two kinds that concern no number of MagTrack's that means
    /// anything: integer pixels, and what a chain reports beside a lost axis.
    fn is_allowed_for(self, check: &Check) -> bool {
        match self {
            Verdict::Passed | Verdict::RefusedAlike | Verdict::Simulator => true,
            Verdict::TakesIntegers => check.raises.is_some(),
            Verdict::LostOnBothAxes => !check.nan_centre_frames.is_empty(),
            _ => check.quirk,
        }
    }
}

/// How many checks of the repository's set end where. A check that vanishes or changes sides is noticed here.
const EXPECTED: [(Verdict, usize); 10] = [
    (Verdict::Passed, 374),
    (Verdict::RefusedAlike, 8),
    (Verdict::TakesIntegers, 24),
    (Verdict::NoIndexError, 20),
    (Verdict::NanStaysNan, 16),
    (Verdict::NoWrapAround, 7),
    (Verdict::NoRounding, 6),
    (Verdict::NoLeakage, 2),
    (Verdict::LostOnBothAxes, 4),
    (Verdict::Simulator, 24),
];

#[test]
fn every_golden_check_of_the_kernels_passes_or_deviates_on_purpose() {
    let golden = Golden::load();
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let mut by_function: BTreeMap<(&str, Verdict), usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for (case, check) in golden.checks() {
        match run(case, check) {
            Ok(verdict) if !verdict.is_allowed_for(check) => {
                failures.push(format!("{}: {verdict:?}, but MagTrack's behaviour is no accident", check.id));
            }
            Ok(verdict) => {
                *counts.entry(verdict).or_default() += 1;
                *by_function.entry((&check.function, verdict)).or_default() += 1;
            }
            Err(reason) => failures.push(format!("{}: {reason}", check.id)),
        }
    }
    for ((function, verdict), n) in &by_function {
        println!("{function:32} {verdict:?} {n}");
    }
    println!("{counts:?}");
    assert!(failures.is_empty(), "{} golden checks failed:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(counts, BTreeMap::from(EXPECTED));
    assert_eq!(counts.values().sum::<usize>(), golden.checks().count());
}

/// Runs the same lines for every pixel type.
macro_rules! with_images {
    ($images:expr, $stack:ident => $body:expr) => {
        match $images {
            Images::U8($stack) => $body,
            Images::U16($stack) => $body,
            Images::F32($stack) => $body,
            Images::F64($stack) => $body,
        }
    };
}

fn run(case: &Case, check: &Check) -> Result<Verdict, String> {
    match check.function.as_str() {
        "center_of_mass" => center_of_mass(case, check),
        "auto_conv" | "auto_conv_sub_pixel" | "auto_conv_multiline" | "auto_conv_multiline_sub_pixel" => {
            auto_conv(case, check)
        }
        "qi" => three_point_parabola(case, check),
        "radial_profile" => radial_profile(case, check),
        "fft_profile" => fft_profile(case, check),
        "fft_profile_with_center" => fft_profile_with_center(case, check),
        "lookup_z" => lookup_z(case, check),
        "stack_to_xyzp" | "stack_to_xyzp_advanced" => chain(case, check),
        "binmean" => check_binmean(case, check),
        "pearson" => check_pearson(case, check),
        "gaussian" => check_gaussian(case, check),
        "gaussian_2d" => check_gaussian_2d(case, check),
        "parabolic_vertex" => check_parabolic_vertex(case, check),
        "crop_stack_to_rois" => check_crop(case, check),
        "simulate_beads" | "simulate_zlut" => Ok(Verdict::Simulator),
        other => Err(format!("no kernel for {other}")),
    }
}

/// Compares outputs by name; every output of the check must be given.
fn compare(check: &Check, got: &[(&str, ArrayD<f64>)], skip: &[usize]) -> Result<Verdict, String> {
    if got.len() != check.outputs.len() {
        return Err(format!("{} outputs, golden {}", got.len(), check.outputs.len()));
    }
    let skip: Vec<usize> = skip.iter().chain(&check.unspecified_frames).copied().collect();
    for (name, array) in got {
        check.output(name).compare(array, &skip)?;
    }
    Ok(Verdict::Passed)
}

fn ensure(holds: bool, what: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn xs(centers: &[Center]) -> ArrayD<f64> {
    Array1::from_iter(centers.iter().map(|c| c.x_px)).into_dyn()
}

fn ys(centers: &[Center]) -> ArrayD<f64> {
    Array1::from_iter(centers.iter().map(|c| c.y_px)).into_dyn()
}

fn x_and_y(centers: &[Center]) -> [(&'static str, ArrayD<f64>); 2] {
    [("x", xs(centers)), ("y", ys(centers))]
}

/// Calls `f` for each image and start.
fn for_each_start<T>(case: &Case, check: &Check, names: [&str; 2], mut f: impl FnMut(usize, f64, f64) -> T) -> Vec<T> {
    let (x, y) = (case.arg1(check, names[0]), case.arg1(check, names[1]));
    x.iter().zip(&y).enumerate().map(|(k, (&x, &y))| f(k, x, y)).collect()
}

fn center_of_mass(case: &Case, check: &Check) -> Result<Verdict, String> {
    let background = match check.arg("background").map(|v| v.as_str().expect("background is a name")) {
        Some("none") => Background::None,
        Some("mean") => Background::Mean,
        Some("median") | None => Background::Median,
        Some(other) => return Err(format!("no background {other}")),
    };
    let locate = |images: &Images| -> Vec<Center> {
        let mut worker = CenterOfMass::new(case.size_px);
        with_images!(images, stack => stack.outer_iter().map(|image| worker.execute(image, background)).collect())
    };
    let centers = locate(&case.arg_images(check, "stack"));
    if check.raises.is_none() {
        return compare(check, &x_and_y(&centers), &[]);
    }
    let twin = case.check(match background {
        Background::None => "center_of_mass_00",
        Background::Mean => "center_of_mass_01",
        Background::Median => "center_of_mass_02",
    });
    compare(twin, &x_and_y(&centers), &[])?;
    ensure(centers == locate(&case.images("stack_f64")), || "integers and floats differ in their last bits".into())?;
    Ok(Verdict::TakesIntegers)
}

fn auto_conv(case: &Case, check: &Check) -> Result<Verdict, String> {
    let multiline = check.function.starts_with("auto_conv_multiline");
    let default_ratio = if check.function.ends_with("sub_pixel") { 0.1 } else { 0.05 };
    let line_ratio = check.number_or("line_ratio", default_ratio);
    let n_side = if multiline { n_side_lines(case.size_px, line_ratio) } else { 0 };
    let fit = check
        .function
        .ends_with("sub_pixel")
        .then(|| ParabolaFit::weighted(check.number_or("n_local", 5.0) as usize).expect("the golden windows are odd"));
    let n = case.size_px;
    let mut worker = AutoConv::new(n).expect("golden images are large enough");
    let images = case.arg_images(check, "stack");
    let n_images = with_images!(&images, stack => stack.len_of(Axis(0)));
    let (mut col_con, mut row_con) = (Array2::zeros((n, n_images)), Array2::zeros((n_images, n)));
    let mut peaks = (Array1::zeros(n_images), Array1::zeros(n_images));
    let centers: Vec<Center> = for_each_start(case, check, ["x_old", "y_old"], |k, x, y| {
        let center = with_images!(&images, stack => {
            let image = stack.index_axis(Axis(0), k);
            match &fit {
                Some(fit) if multiline => worker.auto_conv_multiline_sub_pixel(image, x, y, n_side, fit),
                Some(fit) => worker.auto_conv_sub_pixel(image, x, y, fit),
                None if multiline => worker.auto_conv_multiline(image, x, y, n_side),
                None => worker.auto_conv(image, x, y),
            }
        });
        col_con.column_mut(k).assign(&ArrayView1::from(worker.column_convolution()));
        row_con.row_mut(k).assign(&ArrayView1::from(worker.row_convolution()));
        peaks.0[k] = worker.column_peak_index() as f64;
        peaks.1[k] = worker.row_peak_index() as f64;
        center
    });
    if check.arg("return_conv").is_some_and(|v| v == true) {
        let (col_max, row_max) = (peaks.0.into_dyn(), peaks.1.into_dyn());
        let (col_con, row_con) = (col_con.into_dyn(), row_con.into_dyn());
        let got = [("col_max", col_max), ("row_max", row_max), ("col_con", col_con), ("row_con", row_con)];
        return compare(check, &got, &[]);
    }
    let agreed = compare(check, &x_and_y(&centers), &[]);
    if check.raises.is_none() && agreed.is_ok() {
        return agreed;
    }
    auto_conv_deviation(case, check, n_side, &centers)
}

/// Where a start makes lines impossible, the coordinate must be NaN and its outcome say why; the rest must agree.
fn auto_conv_deviation(case: &Case, check: &Check, n_side: usize, centers: &[Center]) -> Result<Verdict, String> {
    let last = case.size_px as f64 - 1.0;
    let inside = |line: f64| line - n_side as f64 >= 0.0 && line + n_side as f64 <= last;
    let (mut x_lost, mut y_lost) = (vec![], vec![]);
    let (mut n_nan, mut n_past) = (0, 0);
    let starts = for_each_start(case, check, ["x_old", "y_old"], |_, x, y| (x, y));
    for (k, (&(x, y), center)) in starts.iter().zip(centers).enumerate() {
        // A column past the border costs y, a row x; a NaN start costs both.
        let reason = |line: f64| match (x.is_nan() || y.is_nan(), inside(line.round_ties_even())) {
            (true, _) => Some(Outcome::NonFiniteStart),
            (false, false) => Some(Outcome::LinePastBorder),
            (false, true) => None,
        };
        let axes = [
            (reason(y), center.x_px, center.x_outcome, &mut x_lost),
            (reason(x), center.y_px, center.y_outcome, &mut y_lost),
        ];
        for (reason, position, outcome, lost) in axes {
            if let Some(reason) = reason {
                ensure(position.is_nan() && outcome == reason, || format!("image {k}: {reason:?}, but {center:?}"))?;
                lost.push(k);
                *if reason == Outcome::NonFiniteStart { &mut n_nan } else { &mut n_past } += 1;
            }
        }
    }
    if check.raises.is_none() {
        check.output("x").compare(&xs(centers), &x_lost)?;
        check.output("y").compare(&ys(centers), &y_lost)?;
    } else if check.arg("line_ratio").is_none() {
        // The same call with harmless starts has the numbers of the images whose start is the same.
        let harmless = case.array1("x0");
        let moved: Vec<usize> = (0..starts.len()).filter(|&k| starts[k].0 != harmless[k]).collect();
        compare(case.check(&format!("{}_00", check.function)), &x_and_y(centers), &moved)?;
    }
    for (k, center) in centers.iter().enumerate() {
        let explained = |position: f64, outcome| position.is_finite() || outcome != Outcome::Found;
        let both = explained(center.x_px, center.x_outcome) && explained(center.y_px, center.y_outcome);
        ensure(both, || format!("image {k}: {center:?} without a reason"))?;
    }
    match check.raises.as_deref() {
        Some("IndexError") if n_nan + n_past > 0 => Ok(Verdict::NoIndexError),
        Some("UFuncTypeError") => Ok(Verdict::TakesIntegers),
        None if n_nan > 0 => Ok(Verdict::NanStaysNan),
        None if n_past > 0 => Ok(Verdict::NoWrapAround),
        _ => Err(format!("differs without a reason: {centers:?}")),
    }
}

fn three_point_parabola(case: &Case, check: &Check) -> Result<Verdict, String> {
    let track = |images: &Images, check: &Check| -> Vec<Center> {
        let mut worker = ThreePointParabola::new(case.size_px);
        for_each_start(
            case,
            check,
            ["x_old", "y_old"],
            |k, x, y| with_images!(images, stack => worker.execute(stack.index_axis(Axis(0), k), x, y)),
        )
    };
    let images = case.arg_images(check, "stack");
    let centers = track(&images, check);
    if !check.quirk {
        return compare(check, &x_and_y(&centers), &[]);
    }
    match images {
        Images::F64(stack) => {
            for (k, (image, center)) in stack.outer_iter().zip(&centers).enumerate() {
                let has_nan = image.iter().any(|p| p.is_nan());
                ensure(has_nan == (center.outcome() == Outcome::NonFinitePixels), || format!("image {k}: {center:?}"))?;
            }
            Ok(Verdict::NoLeakage)
        }
        _ => {
            compare(case.check("qi_00"), &x_and_y(&centers), &[])?;
            Ok(Verdict::NoRounding)
        }
    }
}

/// Profiles `[image, bin]` as `[bin, image]`, the axes of the golden files.
fn by_bin(profiles: &Array2<f64>) -> ArrayD<f64> {
    profiles.t().as_standard_layout().into_owned().into_dyn()
}

fn radial_profile(case: &Case, check: &Check) -> Result<Verdict, String> {
    let oversample = check.number_or("oversample", 1.0) as usize;
    let mut worker = RadialProfile::new(case.size_px, oversample).expect("the golden options work");
    let images = case.arg_images(check, "stack");
    let mut profiles = Array2::zeros((case.arg1(check, "x").len(), worker.n_bins()));
    for_each_start(case, check, ["x", "y"], |k, x, y| {
        let mut row = profiles.row_mut(k);
        let profile = row.as_slice_mut().expect("rows are contiguous");
        with_images!(&images, stack => worker.execute(stack.index_axis(Axis(0), k), x, y, profile));
    });
    let got = [("profiles", by_bin(&profiles))];
    if check.raises.is_none() {
        return compare(check, &got, &[]);
    }
    compare(case.check("radial_profile_00"), &got, &[])?;
    Ok(Verdict::TakesIntegers)
}

fn fft_worker(case: &Case, check: &Check) -> FftProfile {
    let default = FftProfileOptions::default();
    let options = FftProfileOptions {
        oversample: check.number_or("oversample", default.oversample as f64) as usize,
        rmin: check.number_or("rmin", default.rmin),
        rmax: check.number_or("rmax", default.rmax),
    };
    FftProfile::new(case.size_px, options).expect("the golden options work")
}

fn fft_profile(case: &Case, check: &Check) -> Result<Verdict, String> {
    let mut worker = fft_worker(case, check);
    let n_bins = worker.n_bins();
    let profiles = with_images!(case.arg_images(check, "stack"), stack => {
        let mut profiles = Array2::zeros((stack.len_of(Axis(0)), n_bins));
        for (image, mut row) in stack.outer_iter().zip(profiles.rows_mut()) {
            worker.fft_profile(image, row.as_slice_mut().expect("rows are contiguous"));
        }
        profiles
    });
    compare(check, &[("profiles", by_bin(&profiles))], &[])
}

fn fft_profile_with_center(case: &Case, check: &Check) -> Result<Verdict, String> {
    let mut worker = fft_worker(case, check);
    let gaus_factor = check.number_or("gaus_factor", 6.0);
    let images = case.arg_images(check, "stack");
    let mut profiles = Array2::zeros((case.n_frames, worker.n_bins()));
    for_each_start(case, check, ["x", "y"], |k, x, y| {
        let mut row = profiles.row_mut(k);
        let profile = row.as_slice_mut().expect("rows are contiguous");
        // MagTrack puts the window at row x, column y.
        with_images!(&images, stack => {
            worker.fft_profile_with_center(stack.index_axis(Axis(0), k), x, y, gaus_factor, profile)
        });
    });
    compare(check, &[("profiles", by_bin(&profiles))], &[])
}

/// MagTrack's table (z values in row 0, bins below, planes across) as ours.
fn table(zlut: &Array2<f64>) -> ZlutTable {
    ZlutTable::new(zlut.row(0), zlut.slice(ndarray::s![1.., ..]).t()).expect("the golden tables have planes and bins")
}

fn lookup_z(case: &Case, check: &Check) -> Result<Verdict, String> {
    let table = table(&case.arg2(check, "zlut"));
    let fit = ParabolaFit::weighted(check.number_or("n_local", 7.0) as usize).expect("the golden windows are odd");
    let profiles = case.arg2(check, "profiles");
    let mut scratch = vec![0.0; profiles.nrows()];
    let found: Result<Vec<_>, KernelError> =
        profiles.columns().into_iter().map(|profile| table.lookup_z(&profile.to_vec(), &fit, &mut scratch)).collect();
    match (found, &check.raises) {
        (Err(KernelError::BinMismatch { .. }), Some(_)) => Ok(Verdict::RefusedAlike),
        (Ok(found), None) => {
            for (k, z) in found.iter().enumerate() {
                let found = matches!(z.outcome, ZOutcome::Found | ZOutcome::CoarsePlane);
                let consistent = found == z.z_nm.is_finite() || z.outcome == ZOutcome::NoCorrelation;
                ensure(consistent, || format!("image {k}: {z:?}"))?;
            }
            let z = Array1::from_iter(found.iter().map(|z| z.z_nm)).into_dyn();
            compare(check, &[("z", z)], &[])
        }
        (found, raises) => Err(format!("{found:?}, MagTrack raises {raises:?}")),
    }
}

/// The keyword arguments of `stack_to_xyzp_advanced` as our options.
fn chain_options(check: &Check) -> MagtrackOptions {
    let mut options = MagtrackOptions::default();
    let Some(given) = check.arg("options") else { return options };
    let (mut rings, mut spectral) = (FftProfileOptions::default(), false);
    for (key, value) in given.as_object().expect("options are an object") {
        match key.as_str() {
            "center_of_mass" => {
                assert_eq!(value["background"], "mean", "{}: the only background here", check.id);
                options.background = Background::Mean;
            }
            "n auto_conv_multiline_sub_pixel" => options.n_refinements = value.as_u64().expect("a count") as usize,
            "auto_conv_multiline_sub_pixel" => {
                options.line_ratio = value["line_ratio"].as_f64().expect("a number");
                options.n_local = value["n_local"].as_u64().expect("a count") as usize;
            }
            "lookup_z" => options.n_local_z = value["n_local"].as_u64().expect("a count") as usize,
            "use fft_profile" => spectral = value.as_bool().expect("a bool"),
            "fft_profile" => rings.oversample = value["oversample"].as_u64().expect("a count") as usize,
            other => panic!("{}: no option {other}", check.id),
        }
    }
    if spectral {
        options.profile = ProfileKind::Fft { rings, gaus_factor: 6.0 };
    }
    options
}

fn chain(case: &Case, check: &Check) -> Result<Verdict, String> {
    let mut chain = MagtrackChain::new(case.size_px, &chain_options(check)).expect("the golden options work");
    let table = check.arg("zlut").map(|_| table(&case.arg2(check, "zlut")));
    let n_bins = chain.n_bins();
    let (results, profiles) = with_images!(case.arg_images(check, "stack"), stack => {
        let mut profiles = Array2::zeros((stack.len_of(Axis(0)), n_bins));
        let results: Vec<_> = stack
            .outer_iter()
            .zip(profiles.rows_mut())
            .map(|(image, mut row)| {
                chain.execute(image, table.as_ref(), row.as_slice_mut().expect("rows are contiguous"))
            })
            .collect();
        (results, profiles)
    });
    for (k, result) in results.iter().enumerate() {
        let lost = result.x_px.is_nan();
        let consistent = lost == (result.outcome != Outcome::Found)
            && lost == result.y_px.is_nan()
            && lost == (result.z_outcome == ZOutcome::NoCenter)
            && (!lost || profiles.row(k).iter().all(|p| p.is_nan()));
        ensure(consistent, || format!("image {k}: {result:?}"))?;
    }
    let array = |of: fn(&tetherscope_kernels::ChainResult) -> f64| Array1::from_iter(results.iter().map(of)).into_dyn();
    let got =
        [("x", array(|r| r.x_px)), ("y", array(|r| r.y_px)), ("z", array(|r| r.z_nm)), ("profiles", by_bin(&profiles))];
    match check.raises.as_deref() {
        Some("TypeError") => {
            compare(
                case.check("stack_to_xyzp_nolut_00"),
                &got,
                &case.check("stack_to_xyzp_nolut_00").nan_centre_frames,
            )?;
            Ok(Verdict::TakesIntegers)
        }
        Some("IndexError") => {
            // One image of the batch has no centre of mass; the good ones have a check of their own, with a table.
            let Images::F64(stack) = case.images("stack_f64") else { return Err("floats expected".into()) };
            let Images::F64(good) = case.images("stack_good") else { return Err("floats expected".into()) };
            let kept: Vec<usize> =
                (0..results.len()).filter(|&k| good.outer_iter().any(|g| g == stack.index_axis(Axis(0), k))).collect();
            ensure(kept.len() == good.len_of(Axis(0)), || "the good images are in the stack".into())?;
            for (k, result) in results.iter().enumerate() {
                ensure(kept.contains(&k) == result.x_px.is_finite(), || format!("image {k}: {result:?}"))?;
            }
            let twin = case.check("stack_to_xyzp_good_00");
            for (name, array) in &got {
                if *name != "z" || table.is_some() {
                    let axis = Axis(usize::from(*name == "profiles"));
                    twin.output(name).compare(&array.select(axis, &kept), &[])?;
                }
            }
            Ok(Verdict::NoIndexError)
        }
        Some(other) => Err(format!("MagTrack raises {other}")),
        None if check.nan_centre_frames.is_empty() => compare(check, &got, &[]),
        None => {
            compare(check, &got, &check.nan_centre_frames)?;
            for &k in &check.nan_centre_frames {
                let result = &results[k];
                ensure(result.x_px.is_nan() && result.z_nm.is_nan(), || format!("image {k}: {result:?}"))?;
            }
            Ok(Verdict::LostOnBothAxes)
        }
    }
}

fn check_binmean(case: &Case, check: &Check) -> Result<Verdict, String> {
    let (bins, weights) = (case.arg2(check, "x"), case.arg2(check, "weights"));
    let n_bins = check.number_or("n_bins", f64::NAN) as usize;
    let mut means = Array2::zeros((n_bins, bins.ncols()));
    for (column, mut means) in means.columns_mut().into_iter().enumerate() {
        let bins: Vec<usize> = bins.column(column).iter().map(|&b| b as usize).collect();
        let mut out = vec![0.0; n_bins];
        binmean(&bins, &weights.column(column).to_vec(), &mut out, &mut vec![0; n_bins]);
        means.assign(&Array1::from(out));
    }
    compare(check, &[("value", means.into_dyn())], &[])
}

fn check_pearson(case: &Case, check: &Check) -> Result<Verdict, String> {
    let (x, y) = (case.arg2(check, "x"), case.arg2(check, "y"));
    let mut out = Array2::zeros((y.ncols(), x.ncols()));
    pearson(x.view(), y.view(), out.view_mut());
    compare(check, &[("value", out.into_dyn())], &[])
}

fn check_gaussian(case: &Case, check: &Check) -> Result<Verdict, String> {
    let number = |name| check.number_or(name, f64::NAN);
    let value = case.arg1(check, "x").mapv(|x| gaussian(x, number("mu"), number("sigma")));
    compare(check, &[("value", value.into_dyn())], &[])
}

fn check_gaussian_2d(case: &Case, check: &Check) -> Result<Verdict, String> {
    let (x, y) = (case.arg1(check, "x"), case.arg1(check, "y"));
    let (mu_x, mu_y) = (case.arg1(check, "mu_x"), case.arg1(check, "mu_y"));
    let sigma = check.number_or("sigma", f64::NAN);
    let mut value = Array3::zeros((x.len(), y.len(), mu_x.len()));
    for (k, mut bell) in value.axis_iter_mut(Axis(2)).enumerate() {
        // Ours is [y, x], the golden one [x, y].
        bell.assign(&gaussian_2d(x.view(), y.view(), mu_x[k], mu_y[k], sigma).t());
    }
    compare(check, &[("value", value.into_dyn())], &[])
}

fn check_parabolic_vertex(case: &Case, check: &Check) -> Result<Verdict, String> {
    let n_local = check.number_or("n_local", f64::NAN) as usize;
    let weighted = check.arg("weighted").is_none_or(|v| v == true);
    let fit = if weighted { ParabolaFit::weighted(n_local) } else { ParabolaFit::unweighted(n_local) };
    let fit = fit.expect("the golden windows are odd");
    let estimates = case.arg1(check, "vertex_est");
    let data = case.arg2(check, "data");
    let vertex = data.rows().into_iter().zip(&estimates).map(|(row, &est)| parabolic_vertex(&row.to_vec(), est, &fit));
    compare(check, &[("vertex", Array1::from_iter(vertex).into_dyn())], &[])
}

fn check_crop(case: &Case, check: &Check) -> Result<Verdict, String> {
    let rois = case.arg2(check, "rois");
    let bounds = rois.rows().into_iter().map(|roi| {
        let at = |k: usize| roi[k] as usize;
        RoiBounds { top: at(0), bottom: at(1), left: at(2), right: at(3) }
    });
    let bounds: Vec<RoiBounds> = bounds.collect();
    let size_px = bounds[0].bottom - bounds[0].top;
    fn crop<P: Pixel + Default>(stack: &Array3<P>, bounds: &[RoiBounds], size_px: usize) -> ArrayD<f64> {
        let mut out = Array4::default((bounds.len(), stack.len_of(Axis(0)), size_px, size_px));
        crop_stack_to_rois(stack.view(), bounds, out.view_mut()).expect("the golden ROIs fit");
        // Ours is [roi, image, y, x], the golden one [y, x, image, roi].
        out.mapv(Pixel::to_f64).permuted_axes([2, 3, 1, 0]).as_standard_layout().into_owned().into_dyn()
    }
    let got = with_images!(&case.arg_images(check, "stack"), stack => crop(stack, &bounds, size_px));
    compare(check, &[("rois", got)], &[])
}
