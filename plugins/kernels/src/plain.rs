//! The magtrack chain written down once more, as plainly as its definition, to compare the quick one with. Tests only.

use ndarray::{Array2, s};

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(crate) fn center_of_mass(image: &Array2<f64>) -> (f64, f64) {
    let mut sorted: Vec<f64> = image.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let median = if n % 2 == 1 { sorted[n / 2] } else { 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]) };
    let weight = image.mapv(|p| (p - median).abs());
    let total = weight.sum();
    let moment = |of: fn((usize, usize)) -> usize| -> f64 {
        weight.indexed_iter().map(|(index, w)| of(index) as f64 * w).sum::<f64>() / total
    };
    (moment(|(_, j)| j), moment(|(i, _)| i))
}

/// The same-size part of the convolution of a windowed line with itself.
pub(crate) fn self_convolution(line: &[f64], center: f64) -> Vec<f64> {
    let n = line.len();
    let (mean, sigma) = (mean(line), n as f64 / 6.0);
    let windowed: Vec<f64> = line
        .iter()
        .enumerate()
        .map(|(j, v)| (v - mean) * (-(j as f64 - center).powi(2) / (2.0 * sigma * sigma)).exp())
        .collect();
    let full =
        |m: usize| -> f64 { (0..n).filter(|i| m >= *i && m - i < n).map(|i| windowed[i] * windowed[m - i]).sum() };
    (0..n).map(|k| full(k + (n - 1) / 2)).collect()
}

fn first_maximum(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, k| if values[k] > values[best] { k } else { best })
}

/// Weighted least squares over the whole normal equations, points counted from `k`.
pub(crate) fn vertex(values: &[f64], k: usize, n_local: usize) -> f64 {
    let half = n_local / 2;
    if k <= half || k + half + 1 >= values.len() {
        return f64::NAN;
    }
    let (mut s, mut t) = ([0.0; 5], [0.0; 3]);
    for i in 0..n_local {
        let u = i as f64 - half as f64;
        let w = (half as f64 - u.abs() + 1.0).powi(2);
        for (p, s) in s.iter_mut().enumerate() {
            *s += w * u.powi(p as i32);
        }
        for (p, t) in t.iter_mut().enumerate() {
            *t += w * u.powi(p as i32) * values[k + i - half];
        }
    }
    let b = t[1] / s[2];
    let a = (s[0] * t[2] - s[2] * t[0]) / (s[0] * s[4] - s[2] * s[2]);
    k as f64 - b / (2.0 * a)
}

/// One pass over rows and columns; `n_local` = `None` takes the peak as it stands.
fn symmetric_center(image: &Array2<f64>, x: f64, y: f64, n_side: usize, n_local: Option<usize>) -> (f64, f64) {
    let n = image.nrows();
    let lines = |middle: f64| {
        let middle = middle.round_ties_even() as usize;
        middle - n_side..middle + n_side + 1
    };
    let row = image.slice(s![lines(y), ..]).mean_axis(ndarray::Axis(0)).unwrap().to_vec();
    let column = image.slice(s![.., lines(x)]).mean_axis(ndarray::Axis(1)).unwrap().to_vec();
    let peak = |line: &[f64], center: f64| {
        let convolution = self_convolution(line, center);
        let k = first_maximum(&convolution);
        let k = n_local.map_or(k as f64, |n_local| vertex(&convolution, k, n_local));
        (((n - 1) / 2) as f64 + k) / 2.0
    };
    (peak(&row, x), peak(&column, y))
}

pub(crate) fn radial_profile(image: &Array2<f64>, x: f64, y: f64, oversample: usize) -> Vec<f64> {
    let n_bins = image.nrows() / 2 * oversample;
    let (mut sums, mut counts) = (vec![0.0; n_bins], vec![0.0; n_bins]);
    for ((i, j), p) in image.indexed_iter() {
        let r = (j as f64 - x).hypot(i as f64 - y) * oversample as f64;
        let bin = r.round_ties_even() as usize;
        if bin < n_bins {
            sums[bin] += p;
            counts[bin] += 1.0;
        }
    }
    sums.iter().zip(counts).map(|(sum, count)| sum / count).collect()
}

/// Correlation of two profiles, bin 0 left out, NaN counting as the mean.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let centered = |values: &[f64]| -> Vec<f64> {
        let numbers: Vec<f64> = values[1..].iter().copied().filter(|v| !v.is_nan()).collect();
        let mean = mean(&numbers);
        values[1..].iter().map(|v| if v.is_nan() { 0.0 } else { v - mean }).collect()
    };
    let (a, b) = (centered(a), centered(b));
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// `zlut[plane]` are profiles, planes `step` apart from z = 0 on.
pub(crate) fn lookup_z(profile: &[f64], zlut: &[Vec<f64>], step: f64) -> f64 {
    let r: Vec<f64> = zlut.iter().map(|plane| correlation(profile, plane)).collect();
    step * vertex(&r, first_maximum(&r), 7)
}

/// The whole chain with default options: x, y, profile.
pub(crate) fn chain(image: &Array2<f64>) -> (f64, f64, Vec<f64>) {
    let (x, y) = center_of_mass(image);
    let (mut x, mut y) = symmetric_center(image, x, y, 0, None);
    let n_side = (image.nrows() as f64 * 0.1 / 2.0).floor() as usize;
    for _ in 0..5 {
        (x, y) = symmetric_center(image, x, y, n_side, Some(5));
    }
    let profile = radial_profile(image, x, y, 1);
    (x, y, profile)
}
