//! From half profiles to a shift: the peak of their correlation, first by whole lags, then by Newton's step, and the
//! standard error of that step.

use super::half_profiles::{Axis, HalfProfiles};
use super::plan::{Plan, REACH};

/// Lags tried to either side.
const LAGS: usize = 6;

/// Rings at the outer end whose slope is not measured.
const END: usize = 2;

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
pub(super) fn lag(plan: &Plan, halves: &mut HalfProfiles) -> Option<(f64, f64)> {
    let n = halves.n_rings;
    if n < FEWEST_RINGS.max(2 * LAGS) {
        return None;
    }
    let x = lag_of(plan, &halves.x, n, &mut halves.line)?;
    let y = lag_of(plan, &halves.y, n, &mut halves.line)?;
    Some((x, y))
}

/// The line through the centre, left half mirrored, weighted and without its mean, is convolved with itself.
#[inline(always)]
fn lag_of(plan: &Plan, axis: &Axis, n: usize, line: &mut [f32]) -> Option<f64> {
    let mean = mean(axis, n);
    let line = &mut line[..2 * n];
    for i in 0..n {
        let weight = axis.variance[i].recip().sqrt();
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
fn mean(axis: &Axis, n: usize) -> f32 {
    let (mut weights, mut sum) = (0.0, 0.0);
    for i in 0..n {
        weights += 1.0 / axis.variance[i];
        sum += 0.5 * (axis.plus[i] + axis.minus[i]) / axis.variance[i];
    }
    sum / weights
}

/// Newton's step towards equal halves; None when there is no contrast to go by.
#[inline(always)]
pub(super) fn newton(plan: &Plan, halves: &mut HalfProfiles, levels: &Levels) -> Option<Step> {
    let n = halves.n_rings;
    if n < FEWEST_RINGS {
        return None;
    }
    let used = n - END;
    slopes(plan, halves, used);
    windows(plan, halves, used, levels.saturated);
    let x = axis_step(plan, halves, &halves.x, used)?;
    let y = axis_step(plan, halves, &halves.y, used)?;
    let steps = [x.step, y.step];
    let noise = pixel_noise(plan, halves, used, steps, levels);
    let chi2 = levels.variance.map_or(f64::NAN, |line| asymmetry(halves, used, steps, line));
    let clamp = |v: f64| v.clamp(-LONGEST_STEP_PX, LONGEST_STEP_PX);
    Some(Step {
        x_px: clamp(x.step),
        y_px: clamp(y.step),
        sigma_x_px: x.gain * noise,
        sigma_y_px: y.gain * noise,
        symmetry: (0.5 * (symmetry(&halves.x, n) + symmetry(&halves.y, n))).clamp(0.0, 1.0),
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
fn axis_step(plan: &Plan, halves: &HalfProfiles, axis: &Axis, used: usize) -> Option<AxisStep> {
    let (mut force, mut curvature, mut gain) = (0.0f64, 0.0f64, 0.0f64);
    // Influence of a ring, times the deviation of its noise.
    let influence = |k: usize| halves.window[k] * axis.lever[k] * halves.slope[k] / axis.variance[k].sqrt();
    for i in 0..used {
        let difference = axis.plus[i] - axis.minus[i];
        let weight = halves.window[i] * axis.lever[i] / axis.variance[i];
        force += f64::from(weight * halves.slope[i] * difference);
        curvature += f64::from(weight * axis.lever[i] * halves.slope_square[i]);
        let here = influence(i);
        let mut sum = here;
        for k in 0..REACH.min(used - 1 - i) {
            sum += 2.0 * plan.rings[i].correlation[k] * influence(i + k + 1);
        }
        gain += f64::from(here * sum);
    }
    let usable = curvature > 0.0 && gain > 0.0;
    usable.then(|| AxisStep { step: -0.5 * force / curvature, gain: 0.5 * gain.sqrt() / curvature })
}

/// Standard deviation of a pixel: what the camera's noise is at the brightness of the rings that decide, or without a
/// camera how the halves differ; NaN with too few rings to tell.
///
/// Where the halves differ by more than the camera's noise, interpolation does it. Part of that averages out in
/// the centre: the geometric mean of both gives errors over standard errors of 1 (simulated at 10^3 to 10^5 electrons).
#[inline(always)]
fn pixel_noise(plan: &Plan, halves: &mut HalfProfiles, used: usize, steps: [f64; 2], levels: &Levels) -> f64 {
    let seen = seen_noise(plan, halves, used, steps, levels);
    match levels.variance {
        Some(line) => {
            let noise = camera_noise(halves, used, line);
            if seen > noise { (seen * noise).sqrt() } else { noise }
        }
        None => seen,
    }
}

/// Mean square of what the steps leave of the differences of opposite halves, over the camera's noise of that ring.
#[inline(always)]
fn asymmetry(halves: &HalfProfiles, used: usize, steps: [f64; 2], [per_level, constant]: [f32; 2]) -> f64 {
    let (mut sum, mut weights) = (0.0f64, 0.0f64);
    for (axis, step) in [&halves.x, &halves.y].into_iter().zip(steps) {
        for i in 0..used {
            let left = left_over(halves, axis, i, step);
            let mean = 0.5 * (axis.plus[i] + axis.minus[i]);
            let variance = axis.variance[i] * (per_level * mean.max(0.0) + constant);
            sum += f64::from(halves.window[i] * left * left / variance);
            weights += f64::from(halves.window[i]);
        }
    }
    sum / weights
}

/// The camera's noise, averaged over the rings by their share in the centre.
#[inline(always)]
fn camera_noise(halves: &HalfProfiles, used: usize, [per_level, constant]: [f32; 2]) -> f64 {
    let (mut sum, mut weights) = (0.0f64, 0.0f64);
    for axis in [&halves.x, &halves.y] {
        for i in 0..used {
            let influence = halves.window[i] * axis.lever[i] * halves.slope[i];
            let weight = f64::from(influence * influence / axis.variance[i]);
            let mean = 0.5 * (axis.plus[i] + axis.minus[i]);
            sum += weight * f64::from((per_level * mean + constant).max(0.0));
            weights += weight;
        }
    }
    (sum / weights).sqrt()
}

/// How opposite halves of a ring differ, without what a step explains of it.
#[inline(always)]
fn left_over(halves: &HalfProfiles, axis: &Axis, i: usize, step: f64) -> f32 {
    axis.plus[i] - axis.minus[i] + 2.0 * step as f32 * axis.lever[i] * halves.slope[i]
}

/// The noise by which opposite halves differ. The median over the rings: some of them hold a sharp edge, and differ by what
/// interpolation does to it.
#[inline(always)]
fn seen_noise(plan: &Plan, halves: &mut HalfProfiles, used: usize, steps: [f64; 2], levels: &Levels) -> f64 {
    let mut n = 0;
    for (axis, step) in [&halves.x, &halves.y].into_iter().zip(steps) {
        for i in 0..used {
            if halves.window[i] > 0.0 && plan.rings[i].radius_px > NOISE_FROM_PX {
                let difference = left_over(halves, axis, i, step);
                halves.line[n] = difference * difference / axis.variance[i];
                n += 1;
            }
        }
    }
    if n < FEWEST_RINGS {
        return f64::NAN;
    }
    let (_, &mut median, _) = halves.line[..n].select_nth_unstable_by(n / 2, f32::total_cmp);
    (f64::from(median) / MEDIAN_OF_SQUARE).sqrt().max(f64::from(levels.rounding))
}

/// Slopes of the mean profile, and what stands for their square.
///
/// The slope is a least-squares one over five rings: little noise, and a little flat. The square pairs it with an exact
/// one of the opposite half, whose noise is independent: so noise does not add to it, and flatness enters once, as it does
/// in the force. Both axes see the same bead.
#[inline(always)]
fn slopes(plan: &Plan, halves: &mut HalfProfiles, used: usize) {
    let scale = 1.0 / plan.step_px as f32;
    halves.slope[..used].fill(0.0);
    halves.slope_square[..used].fill(0.0);
    for axis in [&halves.x, &halves.y] {
        for i in 0..used {
            let [plus, minus] = [five(&axis.plus, &axis.minus, i), five(&axis.minus, &axis.plus, i)];
            let (a, b) = (scale * smooth_slope(plus), scale * smooth_slope(minus));
            let (c, d) = (scale * exact_slope(minus), scale * exact_slope(plus));
            halves.slope[i] += 0.25 * (a + b);
            halves.slope_square[i] += 0.25 * (a * c + b * d);
        }
    }
}

/// Ring `i` and two on either side; beyond the centre the profile goes on with the other half.
#[inline(always)]
fn five(near: &[f32], far: &[f32], i: usize) -> [f32; 5] {
    if i >= 2 {
        return std::array::from_fn(|k| near[i + k - 2]);
    }
    std::array::from_fn(|k| if i + k >= 2 { near[i + k - 2] } else { far[1 - i - k] })
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
fn windows(plan: &Plan, halves: &mut HalfProfiles, used: usize, saturated: f32) {
    for (window, ring) in halves.window[..used].iter_mut().zip(&plan.rings) {
        *window = ring.window;
    }
    let reach = (SATURATED_REACH_PX / plan.step_px).ceil() as usize;
    for i in 0..used {
        let brightest = halves.x.plus[i].max(halves.x.minus[i]).max(halves.y.plus[i]).max(halves.y.minus[i]);
        if brightest >= SATURATED_SHARE * saturated {
            halves.window[i.saturating_sub(reach)..(i + reach + 1).min(used)].fill(0.0);
        }
    }
}

/// Correlation of the two halves, both counted from their common mean.
#[inline(always)]
fn symmetry(axis: &Axis, n: usize) -> f64 {
    let mean = mean(axis, n);
    let (mut product, mut square) = (0.0f32, 0.0f32);
    for i in 0..n {
        let (a, b) = (axis.plus[i] - mean, axis.minus[i] - mean);
        product += a * b / axis.variance[i];
        square += 0.5 * (a * a + b * b) / axis.variance[i];
    }
    f64::from(product / square)
}
