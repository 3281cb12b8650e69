//! The golden checks of profiles and of z: radial and Fourier profiles, the look-up, the whole chain, and the arithmetic
//! below them.

use super::{Verdict, compare, ensure, for_each_start};
use crate::golden::{Case, Check, Images};
use ndarray::{Array1, Array2, Array3, ArrayD, Axis};
use tetherscope_kernels::{
    Background, FftProfile, FftProfileOptions, KernelError, MagtrackChain, MagtrackOptions, Outcome, ParabolaFit,
    ProfileKind, RadialProfile, ZOutcome, ZlutTable, binmean, gaussian, gaussian_2d, pearson,
};

/// Profiles `[image, bin]` as `[bin, image]`, the axes of the golden files.
fn by_bin(profiles: &Array2<f64>) -> ArrayD<f64> {
    profiles.t().as_standard_layout().into_owned().into_dyn()
}

pub(super) fn radial_profile(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn fft_profile(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn fft_profile_with_center(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn lookup_z(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn chain(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn check_binmean(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn check_pearson(case: &Case, check: &Check) -> Result<Verdict, String> {
    let (x, y) = (case.arg2(check, "x"), case.arg2(check, "y"));
    let mut out = Array2::zeros((y.ncols(), x.ncols()));
    pearson(x.view(), y.view(), out.view_mut());
    compare(check, &[("value", out.into_dyn())], &[])
}

pub(super) fn check_gaussian(case: &Case, check: &Check) -> Result<Verdict, String> {
    let number = |name| check.number_or(name, f64::NAN);
    let value = case.arg1(check, "x").mapv(|x| gaussian(x, number("mu"), number("sigma")));
    compare(check, &[("value", value.into_dyn())], &[])
}

pub(super) fn check_gaussian_2d(case: &Case, check: &Check) -> Result<Verdict, String> {
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
