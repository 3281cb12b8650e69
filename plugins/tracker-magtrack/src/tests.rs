//! The tracker through the SDK's traits: what it finds, what it flags, what it refuses, and that it allocates nothing.
//! The numbers themselves are checked against MagTrack in `tests/integration/golden_plugins.rs`.

use crate::options::schema;
use crate::tracker::{MagtrackTracker, MagtrackWorker};
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_NO_SIGNAL, FLAG_SATURATED, PIXEL_MONO16, PROFILE_FFT, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Fix, ParamValues, ProfileLayout, Result, RoisInImage, TrackRows, Tracker, TrackerWorker, Value, WorkerConfig,
};

/// Rings of one bead are found to a few hundredths of a pixel; a wrong axis would be pixels away.
const NEAR_PX: f64 = 0.05;
const SIZE: usize = 64;

fn tracker(changes: &[(&str, Value)]) -> Result<MagtrackTracker> {
    let mut values = ParamValues::defaults(&schema());
    for (key, value) in changes {
        values.set(key, value.clone());
    }
    MagtrackTracker::create(&values)
}

fn worker(changes: &[(&str, Value)], config: &WorkerConfig) -> Result<(MagtrackWorker, ProfileLayout)> {
    tracker(changes)?.worker(config)
}

/// A bead with its centre at (x, y), brightness up to about 250.
fn bead(width: usize, height: usize, x: f64, y: f64) -> Vec<u8> {
    let mut image = vec![0; width * height];
    for (k, pixel) in image.iter_mut().enumerate() {
        let r = ((k % width) as f64 - x).hypot((k / width) as f64 - y);
        *pixel = (120.0 + 100.0 * (0.6 * r).cos() * (-0.01 * r * r).exp()) as u8;
    }
    image
}

fn track(worker: &mut MagtrackWorker, layout: &ProfileLayout, rois: &RoisInImage<'_>) -> (Vec<Fix>, Vec<f64>) {
    let (n, n_bins) = (rois.batch().len(), layout.n_bins as usize);
    let (mut fixes, mut profiles) = (vec![Fix::EMPTY; n], vec![f64::NAN; n * n_bins]);
    worker.track(&rois.batch(), &mut TrackRows::new(&mut fixes, &mut profiles, &mut [], n_bins)).unwrap();
    (fixes, profiles)
}

#[test]
fn x_is_the_column_y_the_row_and_the_place_in_the_frame_does_not_matter() {
    let (mut worker, layout) = worker(&[], &WorkerConfig::mono8(64, 64, 8)).unwrap();
    assert_eq!((layout.kind, layout.n_bins), (PROFILE_RADIAL, 32));
    let frame = bead(200, 150, 90.3, 71.6);
    let (fixes, profiles) = track(&mut worker, &layout, &RoisInImage::u8(&frame, 200, (64, 64), &[(60, 40), (57, 41)]));
    assert!((fixes[0].x_px - 30.3).abs() < NEAR_PX && (fixes[0].y_px - 31.6).abs() < NEAR_PX, "{:?}", fixes[0]);
    assert!((fixes[1].x_px - 33.3).abs() < NEAR_PX && (fixes[1].y_px - 30.6).abs() < NEAR_PX, "{:?}", fixes[1]);
    assert!(fixes.iter().all(|f| f.flags == 0 && f.z_nm.is_nan() && f.quality.is_nan()));
    let expected = |k: usize| 120.0 + 100.0 * (0.6 * k as f64).cos() * (-0.01 * (k * k) as f64).exp();
    for (k, value) in profiles[..32].iter().enumerate().skip(1) {
        // Pixels of a ring lie up to half a pixel off its radius, and their values are cut to whole numbers.
        assert!((value - expected(k)).abs() < 6.0, "bin {k} is {value}, the bead has {}", expected(k));
    }
}

#[test]
fn without_profiles_the_centre_is_the_same() {
    let (mut worker, layout) = worker(&[], &WorkerConfig::mono8(64, 64, 1)).unwrap();
    let image = bead(SIZE, SIZE, 33.7, 30.2);
    let rois = RoisInImage::u8(&image, SIZE, (64, 64), &[(0, 0)]);
    let (with, _) = track(&mut worker, &layout, &rois);
    let mut fixes = [Fix::EMPTY];
    worker.track(&rois.batch(), &mut TrackRows::new(&mut fixes, &mut [], &mut [], 32)).unwrap();
    assert_eq!((fixes[0].x_px, fixes[0].y_px), (with[0].x_px, with[0].y_px));
}

#[test]
fn sixteen_bits_give_the_bits_that_eight_give() {
    let image = bead(SIZE, SIZE, 33.7, 30.2);
    let wide: Vec<u16> = image.iter().map(|&p| p.into()).collect();
    let config = WorkerConfig { pixel_format: PIXEL_MONO16, ..WorkerConfig::mono8(64, 64, 1) };
    let (mut worker, layout) = worker(&[], &config).unwrap();
    let (narrow, _) = track(&mut worker, &layout, &RoisInImage::u8(&image, SIZE, (64, 64), &[(0, 0)]));
    let (wide, _) = track(&mut worker, &layout, &RoisInImage::u16(&wide, SIZE, (64, 64), &[(0, 0)]));
    assert_eq!((wide[0].x_px, wide[0].y_px), (narrow[0].x_px, narrow[0].y_px));
}

#[test]
fn a_lost_roi_is_nan_and_flagged_and_its_neighbour_is_not_disturbed() {
    // A band of 57 lines fits only round centres near the middle: the bead at column 42 is lost.
    let wide_band = [("line_ratio", Value::Float(0.9))];
    let (mut worker, layout) = worker(&wide_band, &WorkerConfig::mono8(64, 64, 8)).unwrap();
    let mut frame = bead(64, 192, 32.4, 31.1);
    frame[64 * 64..128 * 64].fill(77);
    frame[128 * 64..].copy_from_slice(&bead(64, 64, 42.0, 31.0));
    let rois = RoisInImage::u8(&frame, 64, (64, 64), &[(0, 0), (0, 64), (0, 128)]);
    let (fixes, profiles) = track(&mut worker, &layout, &rois);
    assert!(fixes[0].flags == 0 && fixes[0].x_px.is_finite());
    for (k, flag) in [(1, FLAG_NO_SIGNAL), (2, FLAG_AT_BORDER)] {
        assert!(fixes[k].x_px.is_nan() && fixes[k].y_px.is_nan(), "ROI {k}: {:?}", fixes[k]);
        assert_eq!(fixes[k].flags, flag, "ROI {k}");
        assert!(profiles[k * 32..(k + 1) * 32].iter().all(|p| p.is_nan()));
    }
}

#[test]
fn one_saturated_pixel_flags_its_roi_and_an_unknown_level_flags_none() {
    let mut image = bead(SIZE, SIZE, 33.0, 31.0);
    image[5 * SIZE + 7] = 240;
    for (saturation_adu, expected) in
        [(255.0, 0), (240.5, 0), (240.0, FLAG_SATURATED), (239.2, FLAG_SATURATED), (f64::NAN, 0), (f64::INFINITY, 0)]
    {
        let config = WorkerConfig { saturation_adu, ..WorkerConfig::mono8(64, 64, 1) };
        let (mut worker, layout) = worker(&[], &config).unwrap();
        let (fixes, _) = track(&mut worker, &layout, &RoisInImage::u8(&image, SIZE, (64, 64), &[(0, 0)]));
        assert_eq!(fixes[0].flags, expected, "level {saturation_adu}");
        assert!(fixes[0].x_px.is_finite());
    }
}

#[test]
fn the_layout_of_the_radial_profile_follows_oversample() {
    let (_, layout) = worker(&[("oversample", Value::Int(4))], &WorkerConfig::mono8(50, 50, 1)).unwrap();
    assert_eq!((layout.kind, layout.n_bins, layout.first_radius_px, layout.step_px), (PROFILE_RADIAL, 100, 0.0, 0.25));
}

#[test]
fn a_wave_stands_in_the_bin_of_its_frequency() {
    let fft = [
        ("profile", Value::Choice("fft".into())),
        ("fft_oversample", Value::Int(2)),
        ("fft_rmin", Value::Float(0.25)),
        ("fft_rmax", Value::Float(1.0)),
        // A wide window, so that the line in the spectrum is narrow.
        ("fft_gaus_factor", Value::Float(2.0)),
    ];
    let (mut worker, layout) = worker(&fft, &WorkerConfig::mono8(64, 64, 1)).unwrap();
    assert_eq!((layout.kind, layout.n_bins, layout.first_radius_px, layout.step_px), (PROFILE_FFT, 48, 8.0, 0.5));
    // 16 waves over the ROI, symmetric about (32, 32) so that the centre is found there.
    let wave = |k: f64| (std::f64::consts::TAU * 16.0 * (k - 32.0) / 64.0).cos();
    let image: Vec<u8> = (0..SIZE * SIZE)
        .map(|k| {
            let (x, y) = ((k % SIZE) as f64, (k / SIZE) as f64);
            let window = (-((x - 32.0).powi(2) + (y - 32.0).powi(2)) / 100.0).exp();
            (100.0 + (60.0 * wave(x) + 20.0 * wave(y)) * window) as u8
        })
        .collect();
    let (fixes, profile) = track(&mut worker, &layout, &RoisInImage::u8(&image, SIZE, (64, 64), &[(0, 0)]));
    assert_eq!(fixes[0].flags, 0);
    let largest =
        (0..48).filter(|&k| profile[k].is_finite()).max_by(|&a, &b| profile[a].total_cmp(&profile[b])).unwrap();
    let frequency = layout.first_radius_px + largest as f64 * layout.step_px;
    assert!((frequency - 16.0).abs() <= 0.5, "the wave of frequency 16 stands at {frequency}");
}

#[test]
fn what_can_never_work_is_refused_with_its_numbers_and_a_mend() {
    let square = |px| WorkerConfig::mono8(px, px, 1);
    let refused = |changes: &[(&str, Value)], config: &WorkerConfig, words: &[&str]| {
        let error = worker(changes, config).err().unwrap_or_else(|| panic!("{words:?} should be refused"));
        for word in words {
            assert!(error.message().contains(word), "`{word}` is missing in: {error}");
        }
        assert!(error.message().lines().count() <= 3, "{error}");
    };
    refused(&[], &WorkerConfig::mono8(64, 48, 1), &["64 x 48", "make them 48 x 48"]);
    refused(&[], &square(6), &["6 x 6", "needs 7 px"]);
    refused(&[("n_local", Value::Int(6))], &square(64), &["is 6", "take 7", "or 5"]);
    refused(&[("n_local", Value::Int(21))], &square(22), &["22 x 22", "needs 23 px"]);
    refused(&[("line_ratio", Value::Float(1.0))], &square(64), &["band of 65 lines", "smaller"]);
    refused(&[], &square(5000), &["4096"]);
    refused(&[], &WorkerConfig { pixel_format: 0x0218_0014, ..square(64) }, &["0x02180014", "Mono8 or Mono16"]);
    let fft = |rmin, rmax| {
        [("profile", Value::Choice("fft".into())), ("fft_rmin", Value::Float(rmin)), ("fft_rmax", Value::Float(rmax))]
    };
    refused(&fft(0.6, 0.5), &square(64), &["rmin < rmax"]);
    refused(&fft(0.5, 0.501), &square(64), &["has 0 bins", "farther apart"]);
    assert!(worker(&[], &square(7)).is_ok());
}

#[test]
fn a_batch_of_another_size_is_refused_as_a_whole() {
    let (mut worker, _) = worker(&[], &WorkerConfig::mono8(64, 64, 1)).unwrap();
    let image = bead(SIZE, SIZE, 33.0, 31.0);
    let rois = RoisInImage::u8(&image, SIZE, (32, 32), &[(0, 0)]);
    let mut fixes = [Fix::EMPTY];
    let outcome = worker.track(&rois.batch(), &mut TrackRows::new(&mut fixes, &mut [], &mut [], 32));
    assert!(outcome.unwrap_err().message().contains("32 x 32 px for a worker of 64 x 64 px"));
}

#[test]
fn tracking_allocates_nothing() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8])));
    assert_eq!(counts.count_total, 1, "the counter counts");
    let fft = [("profile", Value::Choice("fft".into()))];
    let frame = bead(192, 64, 32.4, 31.1);
    let wide: Vec<u16> = frame.iter().map(|&p| p.into()).collect();
    // A bead, an empty ROI, and one with a bead at its border.
    let corners = [(0, 0), (100, 0), (30, 0)];
    for changes in [&[][..], &fft] {
        for background in ["none", "mean", "median"] {
            let mut changes = changes.to_vec();
            changes.push(("background", Value::Choice(background.into())));
            let (mut worker, layout) = worker(&changes, &WorkerConfig::mono8(64, 64, 3)).unwrap();
            let n_bins = layout.n_bins as usize;
            let narrow = RoisInImage::u8(&frame, 192, (64, 64), &corners);
            let wide = RoisInImage::u16(&wide, 192, (64, 64), &corners);
            let (mut fixes, mut profiles) = ([Fix::EMPTY; 3], vec![f64::NAN; 3 * n_bins]);
            for rois in [&narrow, &wide] {
                let mut rows = TrackRows::new(&mut fixes, &mut profiles, &mut [], n_bins);
                let counted = allocation_counter::measure(|| worker.track(&rois.batch(), &mut rows).unwrap());
                assert_eq!(counted.count_total, 0, "background {background}, {n_bins} bins: {counted:?}");
            }
            assert!(fixes[0].x_px.is_finite(), "something was tracked");
        }
    }
}
