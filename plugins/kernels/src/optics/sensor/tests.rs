//! Statistics of the frames against Poisson, read noise and quantisation; determinism.

use std::sync::Arc;

use super::*;
use crate::optics::{RadialTable, RadialTableParameters, SceneParameters};

const WIDTH: usize = 256;
const HEIGHT: usize = 256;

/// A scene without beads at this brightness.
fn flat(background_level: f64) -> Scene {
    let table = RadialTable::new(RadialTableParameters { z_min_nm: 0.0, z_max_nm: 0.0, ..Default::default() }).unwrap();
    let parameters =
        SceneParameters { width_px: WIDTH, height_px: HEIGHT, n_beads: 1, background_level, ..Default::default() };
    Scene::new(parameters, Arc::new(table)).unwrap()
}

fn sensor(full_scale_electrons: f64, read_noise_electrons: f64, bits: u32) -> Sensor {
    Sensor::new(SensorParameters { full_scale_electrons, read_noise_electrons, bits }).unwrap()
}

/// Mean and variance over four frames.
fn statistics(sensor: &Sensor, scene: &Scene) -> (f64, f64) {
    let mut pixels = vec![0u16; WIDTH * HEIGHT];
    let (mut sum, mut squares) = (0.0, 0.0);
    for frame in 0..4 {
        sensor.expose(scene, 11, frame, &mut pixels);
        sum += pixels.iter().map(|&p| f64::from(p)).sum::<f64>();
        squares += pixels.iter().map(|&p| f64::from(p).powi(2)).sum::<f64>();
    }
    let n = (4 * pixels.len()) as f64;
    (sum / n, squares / n - (sum / n).powi(2))
}

#[test]
fn mean_and_variance_of_the_codes_are_those_of_the_electrons() {
    // 16 bit and 65,535 electrons: a code is an electron. 262,144 pixels: the variance to 0.28 %, so 4 sigma are 1.1 %.
    let sensor = sensor(65_535.0, 0.0, 16);
    for electrons in [0.5, 3.0, 9.0, 11.0, 60.0, 700.0, 10_000.0, 60_000.0] {
        let (mean, variance) = statistics(&sensor, &flat(electrons / 65_535.0));
        assert!((mean - electrons).abs() < 4.0 * (electrons / 262_144.0).sqrt(), "{electrons}: mean {mean}");
        assert!((variance / electrons - 1.0).abs() < 0.02, "{electrons}: variance {variance}");
    }
}

#[test]
fn counts_pass_a_chi_square_test() {
    for electrons in [2.0_f64, 8.0, 12.0, 40.0, 200.0] {
        let mut pixels = vec![0u16; WIDTH * HEIGHT];
        sensor(65_535.0, 0.0, 16).expose(&flat(electrons / 65_535.0), 3, 0, &mut pixels);
        let n = pixels.len() as f64;
        let (mut chi2, mut bins, mut rest_seen, mut rest_expected) = (0.0, 0, n, n);
        for k in 0..1000 {
            let p = (f64::from(k) * electrons.ln() - electrons - libm::lgamma(f64::from(k) + 1.0)).exp();
            let (seen, expected) = (pixels.iter().filter(|&&v| i32::from(v) == k).count() as f64, p * n);
            if expected >= 20.0 {
                chi2 += (seen - expected).powi(2) / expected;
                bins += 1;
                rest_seen -= seen;
                rest_expected -= expected;
            }
        }
        chi2 += (rest_seen - rest_expected).powi(2) / rest_expected.max(1.0);
        // Mean `bins`, standard deviation √(2 bins): 4.5 of them.
        let limit = f64::from(bins) + 4.5 * (2.0 * f64::from(bins)).sqrt();
        assert!(chi2 < limit, "{electrons} electrons: chi-square {chi2:.1} with {bins} bins");
    }
}

#[test]
fn read_noise_adds_its_variance() {
    let (mean, variance) = statistics(&sensor(65_535.0, 20.0, 16), &flat(1000.0 / 65_535.0));
    assert!((mean - 1000.0).abs() < 0.5, "mean {mean}");
    assert!((variance / 1400.0 - 1.0).abs() < 0.02, "variance {variance}");
}

#[test]
fn every_depth_uses_its_own_full_scale() {
    for bits in [8, 10, 12, 16] {
        let most = f64::from((1u32 << bits) - 1);
        let (mean, _) = statistics(&sensor(50_000.0, 0.0, bits), &flat(0.4));
        assert!((mean / most - 0.4).abs() < 1e-4, "{bits} bits: mean {mean}");
        let (saturated, variance) = statistics(&sensor(50_000.0, 0.0, bits), &flat(1.5));
        assert_eq!((saturated, variance), (most, 0.0), "{bits} bits");
    }
}

#[test]
fn u8_and_u16_frames_hold_the_same_codes() {
    let (scene, sensor) = (flat(0.4), sensor(25_000.0, 5.0, 8));
    let (mut narrow, mut wide) = (vec![0u8; WIDTH * HEIGHT], vec![0u16; WIDTH * HEIGHT]);
    sensor.expose(&scene, 1, 2, &mut narrow);
    sensor.expose(&scene, 1, 2, &mut wide);
    assert!(narrow.iter().zip(&wide).all(|(&a, &b)| u16::from(a) == b));
}

#[test]
fn pixels_as_pairs_of_bytes_are_the_same_frame() {
    let (scene, sensor) = (flat(0.4), sensor(25_000.0, 5.0, 12));
    let (mut words, mut bytes) = (vec![0u16; WIDTH * HEIGHT], vec![[0u8; 2]; WIDTH * HEIGHT]);
    sensor.expose(&scene, 1, 2, &mut words);
    sensor.expose(&scene, 1, 2, &mut bytes);
    assert!(words.iter().zip(&bytes).all(|(&w, &b)| w == u16::from_ne_bytes(b)));
}

#[test]
fn a_frame_depends_on_seed_number_and_scene_alone() {
    let mut scene = flat(0.4);
    let sensor = sensor(25_000.0, 0.0, 8);
    let frame = |scene: &Scene, seed, number| {
        let mut pixels = vec![0u8; WIDTH * HEIGHT];
        sensor.expose(scene, seed, number, &mut pixels);
        pixels
    };
    let first = frame(&scene, 1, 7);
    assert_ne!(first, frame(&scene, 1, 8));
    assert_ne!(first, frame(&scene, 2, 7));
    scene.set_bead(0, 100.0, 100.0, 0.0);
    assert_ne!(first, frame(&scene, 1, 7));
    scene.hide_bead(0);
    assert_eq!(first, frame(&scene, 1, 7));
}

#[test]
fn neighbouring_pixels_and_frames_are_uncorrelated() {
    let (scene, sensor) = (flat(0.4), sensor(65_535.0, 0.0, 16));
    let mut frames = [vec![0u16; WIDTH * HEIGHT], vec![0u16; WIDTH * HEIGHT]];
    sensor.expose(&scene, 1, 100, &mut frames[0]);
    sensor.expose(&scene, 1, 101, &mut frames[1]);
    let mean = 0.4 * 65_535.0;
    let correlation = |a: &[u16], b: &[u16]| {
        let products: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - mean) * (f64::from(b) - mean)).sum();
        products / (mean * a.len().min(b.len()) as f64)
    };
    // 65,536 pairs: standard deviation 0.0039.
    for lag in [1, 2, 3, WIDTH] {
        let c = correlation(&frames[0], &frames[0][lag..]);
        assert!(c.abs() < 0.016, "lag {lag}: {c}");
    }
    assert!(correlation(&frames[0], &frames[1]).abs() < 0.016);
}

#[test]
fn without_noise_the_frame_is_the_rounded_expectation() {
    let mut scene = flat(0.4);
    scene.set_bead(0, 120.3, 99.8, 0.0);
    let mut expected = vec![0.0; WIDTH * HEIGHT];
    scene.write_expected(&mut expected);
    let mut pixels = vec![0u16; WIDTH * HEIGHT];
    sensor(12_345.0, 0.0, 12).expose_noiseless(&scene, &mut pixels);
    for (&code, &level) in pixels.iter().zip(&expected) {
        assert!((f32::from(code) - level.min(1.0) * 4095.0).abs() < 0.502);
    }
}

#[test]
#[should_panic(expected = "12 bits do not fit pixels of 8")]
fn codes_that_do_not_fit_the_pixels_are_a_bug_of_the_caller() {
    sensor(1000.0, 0.0, 12).expose(&flat(0.4), 1, 1, &mut vec![0u8; WIDTH * HEIGHT]);
}

#[test]
fn bad_parameters_are_refused_by_name() {
    let good = SensorParameters::default();
    let refused = |p: SensorParameters| Sensor::new(p).err().expect("refused").message().to_owned();
    assert!(refused(SensorParameters { full_scale_electrons: 0.0, ..good }).contains("full_scale_electrons is 0"));
    assert!(refused(SensorParameters { read_noise_electrons: -1.0, ..good }).contains("read_noise_electrons is -1"));
    assert!(refused(SensorParameters { bits: 17, ..good }).contains("bits is 17"));
}
