//! Runs the golden checks of MagTrack 1.0.0 through the kernels, all of them but the simulator's.
//!
//! Each check ends in one bucket ([`Verdict`]). Deviations on purpose follow rules, written beside what is expected
//! instead, and listed in docs/magtrack-deviations.md; everything else must agree within the golden tolerance. `centers`
//! has the kernels that find a bead in x and y, `profiles` those that make profiles, look z up, and the whole chain.

use crate::golden::{Case, Check, Golden};
use ndarray::{Array1, ArrayD};
use std::collections::BTreeMap;
use tetherscope_kernels::Center;

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
            $crate::golden::Images::U8($stack) => $body,
            $crate::golden::Images::U16($stack) => $body,
            $crate::golden::Images::F32($stack) => $body,
            $crate::golden::Images::F64($stack) => $body,
        }
    };
}

mod centers;
mod profiles;

fn run(case: &Case, check: &Check) -> Result<Verdict, String> {
    match check.function.as_str() {
        "center_of_mass" => centers::center_of_mass(case, check),
        "auto_conv" | "auto_conv_sub_pixel" | "auto_conv_multiline" | "auto_conv_multiline_sub_pixel" => {
            centers::auto_conv(case, check)
        }
        "qi" => centers::three_point_parabola(case, check),
        "radial_profile" => profiles::radial_profile(case, check),
        "fft_profile" => profiles::fft_profile(case, check),
        "fft_profile_with_center" => profiles::fft_profile_with_center(case, check),
        "lookup_z" => profiles::lookup_z(case, check),
        "stack_to_xyzp" | "stack_to_xyzp_advanced" => profiles::chain(case, check),
        "binmean" => profiles::check_binmean(case, check),
        "pearson" => profiles::check_pearson(case, check),
        "gaussian" => profiles::check_gaussian(case, check),
        "gaussian_2d" => profiles::check_gaussian_2d(case, check),
        "parabolic_vertex" => centers::check_parabolic_vertex(case, check),
        "crop_stack_to_rois" => centers::check_crop(case, check),
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
