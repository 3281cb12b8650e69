//! From half profiles to a shift: the peak of their correlation, first by whole lags, then by Newton's step, and the
//! standard error of that step.

use super::half_profiles::{Axis, HalfProfiles};
use super::plan::{Plan, REACH};

/// Lags tried to either side.
const LAGS: usize = 6;

/// Rings at the outer end whose slope is not measured.
const END: usize = 2;

/// Rings on either side that a slope is taken from.
const REACH_OF_SLOPE: usize = 2;

/// Fewest rings to go by.
const FEWEST_RINGS: usize = 8;

/// Longest single step, pixels: beyond it the slope that it was made with is another ring's.
const LONGEST_STEP_PX: f64 = 1.0;

/// The noise is taken from rings beyond this radius: nearer in, few points share what interpolation does to a sharp spot.
const NOISE_FROM_PX: f32 = 8.0;

/// Median of the square of a standard normal deviate.
const MEDIAN_OF_SQUARE: f64 = 0.454_936;

/// Rings of this share of the saturation level on hold saturated pixels, and so do those this near to them.
const SATURATED_SHARE: f32 = 0.9;
const SATURATED_REACH_PX: f64 = 2.0;

/// What is known of the camera, in units of the samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    /// Rings with samples near this are left out; NaN unknown.
    pub saturated: f32,
    /// Variance of a pixel: per unit of brightness, and at brightness 0. None unknown.
    pub variance: Option<[f32; 2]>,
    /// Noise of rounding to whole grey levels, the least that a pixel has.
    pub rounding: f32,
}

/// Scratch: arrays by ring.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    /// Twice as many values as rings.
    line: Vec<f32>,
    /// Slope of the mean profile, and what stands for its square.
    slope: Vec<f32>,
    slope_square: Vec<f32>,
    /// How much the ring counts.
    window: Vec<f32>,
    /// Share of the ring in the centre, times the deviation of its noise; [`REACH`] zeros behind it.
    influence: Vec<f32>,
    terms: [Vec<f32>; 2],
}

impl Scratch {
    /// For plans of up to `n_rings` rings.
    pub(super) fn new(n_rings: usize) -> Scratch {
        let zeros = || vec![0.0; n_rings];
        Scratch {
            line: vec![0.0; 2 * n_rings],
            slope: zeros(),
            slope_square: zeros(),
            window: zeros(),
            influence: vec![0.0; n_rings + REACH],
            terms: [zeros(), zeros()],
        }
    }
}

/// One Newton step and what it is worth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub x_px: f64,
    pub y_px: f64,
    pub sigma_x_px: f64,
    pub sigma_y_px: f64,
    pub symmetry: f64,
    pub chi2: f64,
}

/// The shift along x and y by whole lags and a parabola; None when nothing correlates.
#[inline(always)]
pub(super) fn lag(plan: &Plan, halves: &HalfProfiles, scratch: &mut Scratch) -> Option<(f64, f64)> {
    let n = halves.n_rings;
    if n < FEWEST_RINGS.max(2 * LAGS) {
        return None;
    }
    let x = lag_of(plan, &halves.x, n, scratch)?;
    let y = lag_of(plan, &halves.y, n, scratch)?;
    Some((x, y))
}

/// The line through the centre, left half mirrored, weighted and without its mean, is convolved with itself.
#[inline(always)]
fn lag_of(plan: &Plan, axis: &Axis, n: usize, scratch: &mut Scratch) -> Option<f64> {
    let mean = mean(axis, n, &mut scratch.terms);
    let line = &mut scratch.line[..2 * n];
    for i in 0..n {
        let weight = axis.leverage.root_weight[i];
        line[n + i] = weight * (axis.plus[i] - mean);
        line[n - 1 - i] = weight * (axis.minus[i] - mean);
    }
    // Pairs at the same distance from the point half a lag off the middle; the whole convolution is twice this.
    let convolution: [f32; 2 * LAGS + 1] = std::array::from_fn(|k| {
        let plus = &line[n + k - LAGS..];
        let minus = &line[..n + k - LAGS];
        plus.iter().zip(minus.iter().rev()).map(|(a, b)| a * b).sum()
    });
    let peak = (0..convolution.len()).fold(0, |best, k| if convolution[k] > convolution[best] { k } else { best });
    if convolution[peak].is_nan() || convolution[peak] <= 0.0 {
        return None;
    }
    let mut lag = peak as f32 - LAGS as f32;
    if peak > 0 && peak + 1 < convolution.len() {
        let (a, b, c) = (convolution[peak - 1], convolution[peak], convolution[peak + 1]);
        lag += 0.5 * (a - c) / (a - 2.0 * b + c);
    }
    // A shift moves a half by its mean cosine, which is pi / 4 on a whole ring.
    Some(f64::from(lag) * plan.step_px / std::f64::consts::FRAC_PI_4)
}

/// Weighted mean over both halves.
#[inline(always)]
fn mean(axis: &Axis, n: usize, [sums, _]: &mut [Vec<f32>; 2]) -> f32 {
    let weight = &axis.leverage.weight[..n];
    for (to, ((plus, minus), weight)) in sums.iter_mut().zip(axis.plus.iter().zip(&axis.minus).zip(weight)) {
        *to = 0.5 * (plus + minus) * weight;
    }
    (total(&sums[..n]) / total(weight)) as f32
}

/// Sum of single numbers in double precision, in eight lanes.
#[inline(always)]
fn total(terms: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0f64; LANES];
    let (whole, rest) = terms.as_chunks::<LANES>();
    for terms in whole {
        for (lane, &term) in lanes.iter_mut().zip(terms) {
            *lane += f64::from(term);
        }
    }
    for (lane, &term) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(term);
    }
    let four: [f64; 4] = std::array::from_fn(|k| lanes[k] + lanes[k + 4]);
    (four[0] + four[1]) + (four[2] + four[3])
}

/// Newton's step towards equal halves; None when there is no contrast to go by.
#[inline(always)]
pub(super) fn newton(plan: &Plan, halves: &HalfProfiles, levels: &Levels, scratch: &mut Scratch) -> Option<Step> {
    let n = halves.n_rings;
    if n < FEWEST_RINGS {
        return None;
    }
    let used = n - END;
    slopes(plan, halves, used, scratch);
    windows(plan, halves, used, levels.saturated, &mut scratch.window);
    let x = axis_step(plan, &halves.x, used, scratch)?;
    let y = axis_step(plan, &halves.y, used, scratch)?;
    let steps = [x.step, y.step];
    let noise = pixel_noise(plan, halves, used, steps, levels, scratch);
    let chi2 = levels.variance.map_or(f64::NAN, |line| asymmetry(halves, used, steps, line, scratch));
    let clamp = |v: f64| v.clamp(-LONGEST_STEP_PX, LONGEST_STEP_PX);
    let symmetry = 0.5 * (symmetry(&halves.x, n, &mut scratch.terms) + symmetry(&halves.y, n, &mut scratch.terms));
    Some(Step {
        x_px: clamp(x.step),
        y_px: clamp(y.step),
        sigma_x_px: x.gain * noise,
        sigma_y_px: y.gain * noise,
        symmetry: symmetry.clamp(0.0, 1.0),
        chi2,
    })
}

struct AxisStep {
    step: f64,
    /// Standard error per standard deviation of a pixel.
    gain: f64,
}

/// Least squares: what shift explains how the halves differ, given the slope.
#[inline(always)]
fn axis_step(plan: &Plan, axis: &Axis, used: usize, scratch: &mut Scratch) -> Option<AxisStep> {
    let Scratch { slope, slope_square, window, influence, terms: [forces, curvatures], .. } = scratch;
    let (slope, slope_square, window) = (&slope[..used], &slope_square[..used], &window[..used]);
    let (plus, minus) = (&axis.plus[..used], &axis.minus[..used]);
    let (lever, weight) = (&axis.leverage.lever[..used], &axis.leverage.weight[..used]);
    let (root_weight, forces) = (&axis.leverage.root_weight[..used], &mut forces[..used]);
    let curvatures = &mut curvatures[..used];
    influence[used..used + REACH].fill(0.0);
    let influence = &mut influence[..used + REACH];
    for i in 0..used {
        let leverage = window[i] * lever[i];
        let of_ring = leverage * weight[i];
        forces[i] = of_ring * slope[i] * (plus[i] - minus[i]);
        curvatures[i] = of_ring * lever[i] * slope_square[i];
        influence[i] = leverage * slope[i] * root_weight[i];
    }
    let (force, curvature) = (total(forces), total(curvatures));
    let correlation: [&[f32]; REACH] = std::array::from_fn(|k| &plan.correlation[k][..used]);
    for (i, term) in forces.iter_mut().enumerate() {
        let mut sum = influence[i];
        for k in 0..REACH {
            sum += 2.0 * correlation[k][i] * influence[i + k + 1];
        }
        *term = influence[i] * sum;
    }
    let gain = total(forces);
    let usable = curvature > 0.0 && gain > 0.0;
    usable.then(|| AxisStep { step: -0.5 * force / curvature, gain: 0.5 * gain.sqrt() / curvature })
}

/// Standard deviation of a pixel: what the camera's noise is at the brightness of the rings that decide, or without a
/// camera how the halves differ; NaN with too few rings to tell.
///
/// Where the halves differ by more than the camera's noise, interpolation does it. Part of that averages out in
/// the centre: the geometric mean of both gives errors over standard errors of 1 (simulated at 10^3 to 10^5 electrons).
#[inline(always)]
fn pixel_noise(
    plan: &Plan,
    halves: &HalfProfiles,
    used: usize,
    steps: [f64; 2],
    levels: &Levels,
    scratch: &mut Scratch,
) -> f64 {
    let seen = seen_noise(plan, halves, used, steps, levels, scratch);
    match levels.variance {
        Some(line) => {
            let noise = camera_noise(halves, used, line, scratch);
            if seen > noise { (seen * noise).sqrt() } else { noise }
        }
        None => seen,
    }
}

/// Mean square of what the steps leave of the differences of opposite halves, over the camera's noise of that ring.
#[inline(always)]
fn asymmetry(
    halves: &HalfProfiles,
    used: usize,
    steps: [f64; 2],
    [per_level, constant]: [f32; 2],
    scratch: &mut Scratch,
) -> f64 {
    let (slope, window, [terms, _]) = (&scratch.slope[..used], &scratch.window[..used], &mut scratch.terms);
    let mut sum = 0.0;
    for (axis, step) in [&halves.x, &halves.y].into_iter().zip(steps) {
        let (plus, minus) = (&axis.plus[..used], &axis.minus[..used]);
        let (lever, weight) = (&axis.leverage.lever[..used], &axis.leverage.weight[..used]);
        for (i, term) in terms[..used].iter_mut().enumerate() {
            let left = plus[i] - minus[i] + 2.0 * step as f32 * lever[i] * slope[i];
            let mean = 0.5 * (plus[i] + minus[i]);
            let mean = if mean > 0.0 { mean } else { 0.0 };
            *term = window[i] * left * left * weight[i] / (per_level * mean + constant);
        }
        sum += total(&terms[..used]);
    }
    sum / (2.0 * total(window))
}

/// The camera's noise, averaged over the rings by their share in the centre.
#[inline(always)]
fn camera_noise(halves: &HalfProfiles, used: usize, [per_level, constant]: [f32; 2], scratch: &mut Scratch) -> f64 {
    let Scratch { slope, window, terms: [noises, weights], .. } = scratch;
    let (slope, window) = (&slope[..used], &window[..used]);
    let (noises, weights) = (&mut noises[..used], &mut weights[..used]);
    let (mut sum, mut all) = (0.0, 0.0);
    for axis in [&halves.x, &halves.y] {
        let (plus, minus) = (&axis.plus[..used], &axis.minus[..used]);
        let (lever, weight) = (&axis.leverage.lever[..used], &axis.leverage.weight[..used]);
        for i in 0..used {
            let influence = window[i] * lever[i] * slope[i];
            let noise = per_level * (0.5 * (plus[i] + minus[i])) + constant;
            weights[i] = influence * influence * weight[i];
            noises[i] = weights[i] * if noise > 0.0 { noise } else { 0.0 };
        }
        sum += total(noises);
        all += total(weights);
    }
    (sum / all).sqrt()
}

/// The noise by which opposite halves differ, without what the steps explain of it. The median over the rings: some of them
/// hold a sharp edge, and differ by what interpolation does to it.
#[inline(always)]
fn seen_noise(
    plan: &Plan,
    halves: &HalfProfiles,
    used: usize,
    steps: [f64; 2],
    levels: &Levels,
    scratch: &mut Scratch,
) -> f64 {
    let Scratch { line, slope, window, .. } = scratch;
    let first = plan.rings[..used].partition_point(|ring| ring.radius_px <= NOISE_FROM_PX);
    let mut n = 0;
    for (axis, step) in [&halves.x, &halves.y].into_iter().zip(steps) {
        for i in first..used {
            let left = axis.plus[i] - axis.minus[i] + 2.0 * step as f32 * axis.leverage.lever[i] * slope[i];
            line[n] = left * left * axis.leverage.weight[i];
            n += usize::from(window[i] > 0.0);
        }
    }
    if n < FEWEST_RINGS {
        return f64::NAN;
    }
    let (_, &mut median, _) = line[..n].select_nth_unstable_by(n / 2, f32::total_cmp);
    (f64::from(median) / MEDIAN_OF_SQUARE).sqrt().max(f64::from(levels.rounding))
}

/// Slopes of the mean profile, and what stands for their square.
///
/// The slope is a least-squares one over five rings: little noise, and a little flat. The square pairs it with an exact
/// one of the opposite half, whose noise is independent: so noise does not add to it, and flatness enters once, as it does
/// in the force. Both axes see the same bead.
#[inline(always)]
fn slopes(plan: &Plan, halves: &HalfProfiles, used: usize, scratch: &mut Scratch) {
    let scale = 1.0 / plan.step_px as f32;
    let (slope, square) = (&mut scratch.slope[..used], &mut scratch.slope_square[..used]);
    slope.fill(0.0);
    square.fill(0.0);
    let add = |plus: [f32; 5], minus: [f32; 5], slope: &mut f32, square: &mut f32| {
        let (a, b) = (scale * smooth_slope(plus), scale * smooth_slope(minus));
        let (c, d) = (scale * exact_slope(minus), scale * exact_slope(plus));
        *slope += 0.25 * (a + b);
        *square += 0.25 * (a * c + b * d);
    };
    let inner = REACH_OF_SLOPE.min(used);
    for axis in [&halves.x, &halves.y] {
        for i in 0..inner {
            let [plus, minus] = [across_centre(&axis.plus, &axis.minus, i), across_centre(&axis.minus, &axis.plus, i)];
            add(plus, minus, &mut slope[i], &mut square[i]);
        }
        let n = used - inner;
        let [plus, minus]: [[&[f32]; 5]; 2] =
            [&axis.plus, &axis.minus].map(|half| std::array::from_fn(|k| &half[k..k + n]));
        for (i, (slope, square)) in slope[inner..].iter_mut().zip(&mut square[inner..]).enumerate() {
            add(plus.map(|at| at[i]), minus.map(|at| at[i]), slope, square);
        }
    }
}

/// Ring `i` of the innermost ones and two on either side; beyond the centre the profile goes on with the other half.
#[inline(always)]
fn across_centre(near: &[f32], far: &[f32], i: usize) -> [f32; 5] {
    std::array::from_fn(|k| if i + k >= REACH_OF_SLOPE { near[i + k - REACH_OF_SLOPE] } else { far[1 - i - k] })
}

#[inline(always)]
fn smooth_slope(v: [f32; 5]) -> f32 {
    0.1 * (2.0 * (v[4] - v[0]) + (v[3] - v[1]))
}

#[inline(always)]
fn exact_slope(v: [f32; 5]) -> f32 {
    (1.0 / 12.0) * (8.0 * (v[3] - v[1]) - (v[4] - v[0]))
}

/// How much each ring counts: less near the centre, not at all where it is saturated.
#[inline(always)]
fn windows(plan: &Plan, halves: &HalfProfiles, used: usize, saturated: f32, window: &mut [f32]) {
    let window = &mut window[..used];
    window.copy_from_slice(&plan.window[..used]);
    let profiles = [&halves.x.plus, &halves.x.minus, &halves.y.plus, &halves.y.minus].map(|profile| &profile[..used]);
    let limit = SATURATED_SHARE * saturated;
    let is_bright = |i: usize| profiles.iter().any(|profile| profile[i] >= limit);
    if !profiles.iter().any(|profile| profile.iter().fold(false, |any, &v| any | (v >= limit))) {
        return;
    }
    let reach = (SATURATED_REACH_PX / plan.step_px).ceil() as usize;
    for i in (0..used).filter(|&i| is_bright(i)) {
        window[i.saturating_sub(reach)..(i + reach + 1).min(used)].fill(0.0);
    }
}

/// Correlation of the two halves, both counted from their common mean.
#[inline(always)]
fn symmetry(axis: &Axis, n: usize, terms: &mut [Vec<f32>; 2]) -> f64 {
    let mean = mean(axis, n, terms);
    let [products, squares] = terms;
    let (products, squares) = (&mut products[..n], &mut squares[..n]);
    let (plus, minus, weight) = (&axis.plus[..n], &axis.minus[..n], &axis.leverage.weight[..n]);
    for i in 0..n {
        let (a, b) = (plus[i] - mean, minus[i] - mean);
        products[i] = a * b * weight[i];
        squares[i] = 0.5 * (a * a + b * b) * weight[i];
    }
    total(products) / total(squares)
}
