//! The tracker through the SDK's traits: what it finds, what it flags, what it refuses, and that it allocates nothing.
//! The numbers themselves are checked against truth in the kernels.

use crate::options::schema;
use crate::tracker::{QuadrantTracker, QuadrantWorker};
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_LOW_CONTRAST, FLAG_NO_SIGNAL, FLAG_NOT_CONVERGED, FLAG_SATURATED, PIXEL_MONO16, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Fix, ParamValues, ProfileLayout, Result, RoisInImage, TrackRows, Tracker, TrackerWorker, Value, WorkerConfig,
};

/// Pixels cut to whole numbers, without noise.
const NEAR_PX: f64 = 0.005;

fn worker(changes: &[(&str, Value)], config: &WorkerConfig) -> Result<(QuadrantWorker, ProfileLayout)> {
    let mut values = ParamValues::defaults(&schema());
    for (key, value) in changes {
        values.set(key, value.clone());
    }
    QuadrantTracker::create(&values)?.worker(config)
}

/// Brightness at a distance from the centre, up to about 220.
fn ring(r: f64) -> f64 {
    120.0 + 100.0 * (0.6 * r).cos() * (-0.004 * r * r).exp()
}

/// A bead with its centre at (x, y).
fn bead(width: usize, height: usize, x: f64, y: f64) -> Vec<u8> {
    (0..width * height).map(|k| ring(((k % width) as f64 - x).hypot((k / width) as f64 - y)).round() as u8).collect()
}

struct Tracked {
    fixes: Vec<Fix>,
    profiles: Vec<f64>,
    weights: Vec<f32>,
}

fn track(worker: &mut QuadrantWorker, layout: &ProfileLayout, rois: &RoisInImage<'_>) -> Tracked {
    let (n, n_bins) = (rois.batch().len(), layout.n_bins as usize);
    let mut t = Tracked {
        fixes: vec![Fix::EMPTY; n],
        profiles: vec![f64::NAN; n * n_bins],
        weights: vec![f32::NAN; n * n_bins],
    };
    worker.track(&rois.batch(), &mut TrackRows::new(&mut t.fixes, &mut t.profiles, &mut t.weights, n_bins)).unwrap();
    t
}

#[test]
fn x_is_the_column_y_the_row_and_profile_and_weights_are_those_of_the_bead() {
    let (mut worker, layout) = worker(&[], &WorkerConfig::mono8(64, 64, 8)).unwrap();
    assert_eq!((layout.kind, layout.n_bins), (PROFILE_RADIAL, 182));
    assert_eq!((layout.first_radius_px, layout.step_px), (0.0, 0.25));
    let frame = bead(200, 150, 90.3, 71.6);
    let rois = RoisInImage::u8(&frame, 200, (64, 64), &[(60, 40), (57, 41)]);
    let Tracked { fixes, profiles, weights } = track(&mut worker, &layout, &rois);
    assert!((fixes[0].x_px - 30.3).abs() < NEAR_PX && (fixes[0].y_px - 31.6).abs() < NEAR_PX, "{:?}", fixes[0]);
    assert!((fixes[1].x_px - 33.3).abs() < NEAR_PX && (fixes[1].y_px - 30.6).abs() < NEAR_PX, "{:?}", fixes[1]);
    for fix in &fixes {
        assert!(fix.flags == 0 && fix.z_nm.is_nan() && fix.quality > 0.98, "{fix:?}");
        assert!(fix.sigma_x_px > 0.0 && f64::from(fix.sigma_x_px) < NEAR_PX && fix.sigma_y_px > 0.0, "{fix:?}");
    }
    for k in 8..120 {
        // A bin blurs half a pixel, and few pixels share the inner ones.
        assert!((profiles[k] - ring(0.25 * k as f64)).abs() < 4.0, "bin {k} is {}", profiles[k]);
        // 2 pi r pixels per pixel of radius, where no border cuts.
        let whole = std::f64::consts::TAU * 0.0625 * k as f64;
        assert!((f64::from(weights[k]) / whole - 1.0).abs() < 0.6, "bin {k} has {} of {whole} pixels", weights[k]);
    }
    assert_eq!(
        profiles.iter().map(|p| p.is_nan()).collect::<Vec<_>>(),
        weights.iter().map(|&w| w == 0.0).collect::<Vec<_>>()
    );
}

#[test]
fn without_profiles_and_with_sixteen_bits_the_centre_is_the_same() {
    let (mut narrow, layout) = worker(&[], &WorkerConfig::mono8(64, 64, 1)).unwrap();
    let image = bead(64, 64, 33.7, 30.2);
    let rois = RoisInImage::u8(&image, 64, (64, 64), &[(0, 0)]);
    let with = track(&mut narrow, &layout, &rois).fixes[0];
    let mut fixes = [Fix::EMPTY];
    narrow.track(&rois.batch(), &mut TrackRows::new(&mut fixes, &mut [], &mut [], 182)).unwrap();
    assert_eq!((fixes[0].x_px, fixes[0].y_px), (with.x_px, with.y_px));
    let wide: Vec<u16> = image.iter().map(|&p| p.into()).collect();
    let config = WorkerConfig { pixel_format: PIXEL_MONO16, ..WorkerConfig::mono8(64, 64, 1) };
    let (mut worker, layout) = worker(&[], &config).unwrap();
    let wide = track(&mut worker, &layout, &RoisInImage::u16(&wide, 64, (64, 64), &[(0, 0)])).fixes[0];
    assert_eq!((wide.x_px, wide.y_px, wide.sigma_x_px), (with.x_px, with.y_px, with.sigma_x_px));
}

#[test]
fn a_lost_roi_is_nan_and_flagged_and_its_neighbours_are_not_disturbed() {
    let (mut worker, layout) = worker(&[], &WorkerConfig::mono8(64, 64, 8)).unwrap();
    let mut frame = bead(64, 256, 32.4, 31.1);
    frame[64 * 64..128 * 64].fill(77);
    // One bright corner on a flat ground: a start, and no bead around it.
    frame[128 * 64..192 * 64].fill(10);
    frame[128 * 64] = 200;
    // Noise alone.
    let mut state = 1u32;
    for pixel in &mut frame[192 * 64..] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *pixel = 100 + (state >> 27) as u8;
    }
    let rois = RoisInImage::u8(&frame, 64, (64, 64), &[(0, 0), (0, 64), (0, 128), (0, 192)]);
    let Tracked { fixes, profiles, weights } = track(&mut worker, &layout, &rois);
    assert!(fixes[0].flags == 0 && fixes[0].x_px.is_finite());
    for (k, flag) in [(1, FLAG_NO_SIGNAL), (2, FLAG_AT_BORDER)] {
        assert!(fixes[k].x_px.is_nan() && fixes[k].sigma_x_px.is_nan() && fixes[k].quality.is_nan(), "{:?}", fixes[k]);
        assert_eq!(fixes[k].flags, flag, "ROI {k}");
        assert!(profiles[k * 182..(k + 1) * 182].iter().all(|p| p.is_nan()));
        assert!(weights[k * 182..(k + 1) * 182].iter().all(|&w| w == 0.0));
    }
    let of_noise = FLAG_LOW_CONTRAST | FLAG_NOT_CONVERGED | FLAG_NO_SIGNAL | FLAG_AT_BORDER;
    assert!(fixes[3].flags & of_noise != 0, "noise is no bead: {:?}", fixes[3]);
}

#[test]
fn too_few_passes_are_flagged_and_so_is_a_saturated_pixel() {
    let one = [("max_passes", Value::Int(1)), ("tolerance", Value::Float(1e-4))];
    let (mut hasty, layout) = worker(&one, &WorkerConfig::mono8(64, 64, 1)).unwrap();
    let image = bead(64, 64, 33.7, 30.2);
    let rois = RoisInImage::u8(&image, 64, (64, 64), &[(0, 0)]);
    let fix = track(&mut hasty, &layout, &rois).fixes[0];
    assert_eq!(fix.flags, FLAG_NOT_CONVERGED);
    assert!((fix.x_px - 33.7).abs() < 0.05);
    for (saturation_adu, expected) in [(255.0, 0), (200.0, FLAG_SATURATED), (f64::NAN, 0)] {
        let config = WorkerConfig { saturation_adu, ..WorkerConfig::mono8(64, 64, 1) };
        let (mut worker, layout) = worker(&[], &config).unwrap();
        let fix = track(&mut worker, &layout, &rois).fixes[0];
        assert_eq!(fix.flags, expected, "level {saturation_adu}");
        assert!((fix.x_px - 33.7).abs() < 0.02 && (fix.y_px - 30.2).abs() < 0.02, "{fix:?}");
    }
}

#[test]
fn what_can_never_work_is_refused_with_its_numbers_and_a_mend() {
    let refused = |config: WorkerConfig, words: &[&str]| {
        let error = worker(&[], &config).err().unwrap_or_else(|| panic!("{words:?} should be refused"));
        for word in words {
            assert!(error.message().contains(word), "`{word}` is missing in: {error}");
        }
        assert!(error.message().lines().count() <= 3, "{error}");
    };
    let square = |px| WorkerConfig::mono8(px, px, 1);
    refused(WorkerConfig::mono8(64, 48, 1), &["64 x 48", "make them 48 x 48"]);
    refused(square(11), &["11 x 11", "needs 12"]);
    refused(square(3000), &["3000", "2048"]);
    refused(WorkerConfig { pixel_format: 0x0218_0014, ..square(64) }, &["0x02180014", "Mono8 or Mono16"]);
    let (mut worker, _) = worker(&[], &square(64)).unwrap();
    let image = bead(64, 64, 33.0, 31.0);
    let rois = RoisInImage::u8(&image, 64, (32, 32), &[(0, 0)]);
    let outcome = worker.track(&rois.batch(), &mut TrackRows::new(&mut [Fix::EMPTY], &mut [], &mut [], 182));
    assert!(outcome.unwrap_err().message().contains("32 x 32 px for a worker of 64 x 64 px"));
}

#[test]
fn tracking_allocates_nothing() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counts.count_total, 1, "the counter counts");
    let frame = bead(192, 64, 32.4, 31.1);
    let wide: Vec<u16> = frame.iter().map(|&p| p.into()).collect();
    // A bead, an empty ROI, and one with a bead at its border.
    let corners = [(0, 0), (100, 0), (30, 0)];
    let (mut worker, layout) = worker(&[], &WorkerConfig::mono8(64, 64, 3)).unwrap();
    let n_bins = layout.n_bins as usize;
    let (mut fixes, mut profiles, mut weights) = ([Fix::EMPTY; 3], vec![0.0; 3 * n_bins], vec![0.0; 3 * n_bins]);
    for rois in [RoisInImage::u8(&frame, 192, (64, 64), &corners), RoisInImage::u16(&wide, 192, (64, 64), &corners)] {
        let mut rows = TrackRows::new(&mut fixes, &mut profiles, &mut weights, n_bins);
        let counted = allocation_counter::measure(|| worker.track(&rois.batch(), &mut rows).unwrap());
        assert_eq!(counted.count_total, 0, "{counted:?}");
    }
    assert!(fixes[0].x_px.is_finite(), "something was tracked");
}
