use super::bins::ROUNDS;
use super::*;
use crate::test_images::Random;
use ndarray::{Array2, s};

/// Single precision: sums of up to 80 pixels and slopes of up to 4,000 a bin.
const ROUNDING: f64 = 1e-5;

/// As defined, in double precision but for the radius, which decides to which bin a pixel on a border belongs.
fn plain(image: &Array2<f64>, x: f64, y: f64, n_bins: usize) -> (Vec<f64>, Vec<f64>) {
    let mut pixels = vec![Vec::new(); n_bins + 1];
    for ((i, j), &p) in image.indexed_iter() {
        let squares = ((j as f64 - x).powi(2) as f32) + ((i as f64 - y).powi(2) as f32);
        let r = (4.0 * squares.sqrt()).min(n_bins as f32);
        let b = r.round_ties_even();
        pixels[b as usize].push((p, f64::from(r - b)));
    }
    pixels.pop();
    let mean =
        |b: usize, of: fn(f64) -> f64| pixels[b].iter().map(|&(_, d)| of(d)).sum::<f64>() / pixels[b].len() as f64;
    let raw = |b: usize| pixels[b].iter().map(|&(p, _)| p).sum::<f64>() / pixels[b].len() as f64;
    let mut profile: Vec<f64> = (0..n_bins).map(raw).collect();
    let full: Vec<usize> = (0..n_bins).filter(|&b| !pixels[b].is_empty()).collect();
    for _ in 0..ROUNDS {
        let at = |b: i64| {
            let b = (b.unsigned_abs() as usize).min(n_bins - 1);
            let after = full.partition_point(|&k| k < b);
            let (low, high) = (full[after.saturating_sub(1)], full[after.min(full.len() - 1)]);
            if low >= b || high <= low {
                return profile[high];
            }
            profile[low] + (profile[high] - profile[low]) * (b - low) as f64 / (high - low) as f64
        };
        let corrected = |b: usize| {
            let k = b as i64;
            let slope = (58.0 * (at(k + 1) - at(k - 1)) + 67.0 * (at(k + 2) - at(k - 2))
                - 22.0 * (at(k + 3) - at(k - 3)))
                / 252.0;
            let curvature = (5.0 * (at(k + 3) + at(k - 3)) - 3.0 * (at(k + 1) + at(k - 1)) - 4.0 * at(k)) / 42.0;
            raw(b) - slope * mean(b, |d| d) - 0.5 * curvature * mean(b, |d| d * d - 1.0 / 12.0)
        };
        profile = (0..n_bins).map(corrected).collect();
    }
    (profile, pixels.iter().map(|p| p.len() as f64).collect())
}

#[test]
fn profile_and_weights_are_those_of_the_plain_version_on_every_isa() {
    let mut random = Random(11);
    for (size_px, x, y) in [(16, 7.3, 8.9), (33, 16.0, 16.0), (64, 30.21, 33.7), (100, 49.5, 48.25), (40, 2.0, 37.0)] {
        let image = Array2::from_shape_simple_fn((size_px, size_px), || (4000.0 * random.uniform()) as u16);
        let mut bits = Vec::new();
        for isa in [Isa::Baseline, Isa::Avx2] {
            let mut worker = RingProfile::new(size_px, isa).unwrap();
            let n_bins = worker.n_bins();
            let (mut profile, mut weights) = (vec![0.0; n_bins], vec![0.0; n_bins]);
            worker.execute(image.view(), x, y, &mut profile, &mut weights);
            let (expected, pixels) = plain(&image.mapv(f64::from), x, y, n_bins);
            for b in 0..n_bins {
                assert_eq!(f64::from(weights[b]), pixels[b], "weight {b}");
                let (a, e) = (profile[b], expected[b]);
                assert_eq!(a.is_nan(), pixels[b] == 0.0, "bin {b}");
                assert!(a.is_nan() || (a - e).abs() < 4000.0 * ROUNDING, "{size_px} px, bin {b}: {a}, {e}");
            }
            bits.push(profile.iter().map(|p| p.to_bits()).collect::<Vec<_>>());
        }
        assert_eq!(bits[0], bits[1], "one instruction set rounds as the other");
    }
}

#[test]
fn rings_are_read_at_the_middle_of_their_bins_wherever_the_bead_lies() {
    // Fringes of 3.5 px, as sharp as optics makes them. Without the correction a bin errs by up to 10 levels.
    let level = |r: f64| 100.0 + 40.0 * (1.8 * r).cos();
    let mut worker = RingProfile::new(64, Isa::detect()).unwrap();
    let (mut profile, mut weights) = (vec![0.0; worker.n_bins()], vec![0.0; worker.n_bins()]);
    for (x, y) in [(31.5, 31.5), (32.13, 30.77), (29.9, 33.4)] {
        let image = Array2::from_shape_fn((64, 64), |(i, j)| level((j as f64 - x).hypot(i as f64 - y)) as f32);
        worker.execute(image.view(), x, y, &mut profile, &mut weights);
        for b in (8..120).filter(|&b| weights[b] > 0.0) {
            let expected = level(0.25 * b as f64);
            // A mean over a bin is flatter than its middle by 0.4 %, and few pixels leave some of the third order.
            assert!((profile[b] - expected).abs() < 1.0, "bin {b}, {} px: {} {expected}", weights[b], profile[b]);
        }
    }
}

#[test]
fn every_pixel_within_reach_counts_once() {
    let mut worker = RingProfile::new(64, Isa::detect()).unwrap();
    let (mut profile, mut weights) = (vec![0.0; worker.n_bins()], vec![0.0; worker.n_bins()]);
    worker.execute(Array2::from_elem((64, 64), 77u8).view(), 31.5, 31.5, &mut profile, &mut weights);
    assert!((weights.iter().sum::<f32>() - 4096.0).abs() < 0.01, "{}", weights.iter().sum::<f32>());
    assert!(profile.iter().filter(|p| p.is_finite()).all(|p| (p - 77.0).abs() < 1e-4));
    assert_eq!(worker.n_bins(), 182);
}

#[test]
fn strides_and_pixel_types_do_not_matter() {
    let mut random = Random(3);
    let frame = Array2::from_shape_simple_fn((64, 100), || (255.0 * random.uniform()) as u8);
    let roi = frame.slice(s![10..42, 31..63]);
    let mut worker = RingProfile::new(32, Isa::detect()).unwrap();
    let mut profile = |image: Array2<f64>, strided: bool| {
        let mut profile = vec![0.0; worker.n_bins()];
        match strided {
            true => worker.execute(roi, 15.2, 16.9, &mut profile, &mut []),
            false => worker.execute(image.mapv(|p| p as u16).view(), 15.2, 16.9, &mut profile, &mut []),
        }
        profile.iter().map(|p| p.to_bits()).collect::<Vec<_>>()
    };
    let copy = roi.mapv(f64::from);
    assert_eq!(profile(copy.clone(), true), profile(copy, false));
}

#[test]
fn a_centre_far_away_or_not_finite_has_an_empty_profile() {
    let mut worker = RingProfile::new(32, Isa::detect()).unwrap();
    let (mut profile, mut weights) = (vec![0.0; worker.n_bins()], vec![1.0; worker.n_bins()]);
    for x in [f64::NAN, f64::INFINITY, 1e30, -4000.0] {
        worker.execute(Array2::from_elem((32, 32), 9u16).view(), x, 16.0, &mut profile, &mut weights);
        assert!(profile.iter().all(|p| p.is_nan()) && weights.iter().all(|&w| w == 0.0), "x = {x}");
    }
}
