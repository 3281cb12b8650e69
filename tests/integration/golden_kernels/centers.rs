//! The golden checks of what finds a bead in x and y: centre of mass, auto-convolution, the three-point parabola, and the
//! crop and the vertex that they stand on.

use super::{Verdict, compare, ensure, for_each_start, x_and_y, xs, ys};
use crate::golden::{Case, Check, Images};
use ndarray::{Array1, Array2, Array3, Array4, ArrayD, ArrayView1, Axis};
use tetherscope_kernels::{
    AutoConv, Background, Center, CenterOfMass, Outcome, ParabolaFit, Pixel, RoiBounds, ThreePointParabola,
    crop_stack_to_rois, n_side_lines, parabolic_vertex,
};

pub(super) fn center_of_mass(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn auto_conv(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn three_point_parabola(case: &Case, check: &Check) -> Result<Verdict, String> {
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

pub(super) fn check_parabolic_vertex(case: &Case, check: &Check) -> Result<Verdict, String> {
    let n_local = check.number_or("n_local", f64::NAN) as usize;
    let weighted = check.arg("weighted").is_none_or(|v| v == true);
    let fit = if weighted { ParabolaFit::weighted(n_local) } else { ParabolaFit::unweighted(n_local) };
    let fit = fit.expect("the golden windows are odd");
    let estimates = case.arg1(check, "vertex_est");
    let data = case.arg2(check, "data");
    let vertex = data.rows().into_iter().zip(&estimates).map(|(row, &est)| parabolic_vertex(&row.to_vec(), est, &fit));
    compare(check, &[("vertex", Array1::from_iter(vertex).into_dyn())], &[])
}

pub(super) fn check_crop(case: &Case, check: &Check) -> Result<Verdict, String> {
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
