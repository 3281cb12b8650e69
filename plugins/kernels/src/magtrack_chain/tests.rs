//! The chain against its plain version, and what must not change its answer.

use ndarray::{Array2, ArrayView2, s};

use super::*;
use crate::plain;
use crate::test_images::{Random, noisy_rings, rings};

/// Rounding of sums of a few thousand products, seen through a peak that is flat at its top.
const ROUNDING_PX: f64 = 1e-9;
/// The same through the parabola over the planes, at 100 nm between planes.
const ROUNDING_NM: f64 = 1e-6;
const STEP_NM: f64 = 100.0;
const N_PLANES: usize = 41;

/// Planes of noise-free rings whose phase advances; plane k stands for k steps.
fn planes(size_px: usize) -> Vec<Vec<f64>> {
    let middle = (size_px / 2) as f64;
    (0..N_PLANES)
        .map(|k| plain::radial_profile(&rings(size_px, middle, middle, phase(k as f64)), middle, middle, 1))
        .collect()
}

fn phase(plane: f64) -> f64 {
    0.12 * plane
}

fn table(planes: &[Vec<f64>]) -> ZlutTable {
    let z = ndarray::Array1::from_shape_fn(planes.len(), |k| STEP_NM * k as f64);
    let profiles = Array2::from_shape_fn((planes.len(), planes[0].len()), |(k, b)| planes[k][b]);
    ZlutTable::new(z.view(), profiles.view()).unwrap()
}

fn run<P: Pixel>(image: ArrayView2<'_, P>, zlut: Option<&ZlutTable>) -> (ChainResult, Vec<f64>) {
    let mut chain = MagtrackChain::new(image.nrows(), &MagtrackOptions::default()).unwrap();
    let mut profile = vec![0.0; chain.n_bins()];
    (chain.execute(image, zlut, &mut profile), profile)
}

fn to_u8(image: &Array2<f64>) -> Array2<u8> {
    image.mapv(|p| p as u8)
}

fn to_u16(image: &Array2<f64>) -> Array2<u16> {
    image.mapv(|p| p as u16)
}

/// Bits of everything a chain reports, NaN included.
fn bits((result, profile): &(ChainResult, Vec<f64>)) -> Vec<u64> {
    [result.x_px, result.y_px, result.z_nm].iter().chain(profile).map(|v| v.to_bits()).collect()
}

#[test]
fn the_quick_chain_agrees_with_the_plain_one_on_noisy_beads() {
    let mut random = Random(1);
    for size_px in [32, 33, 64, 100, 128] {
        let planes = planes(size_px);
        let table = table(&planes);
        for full_scale in [255.0, 4095.0, 65535.0] {
            for _ in 0..6 {
                let middle = (size_px / 2) as f64;
                let [x, y] = [(); 2].map(|()| middle + 4.0 * (random.uniform() - 0.5));
                let plane = 5.0 + 30.0 * random.uniform();
                let image = noisy_rings(size_px, x, y, phase(plane), full_scale, &mut random);
                let (x_plain, y_plain, profile_plain) = plain::chain(&image);
                let z_plain = plain::lookup_z(&profile_plain, &planes, STEP_NM);
                let quick = if full_scale == 255.0 {
                    run(to_u8(&image).view(), Some(&table))
                } else {
                    run(to_u16(&image).view(), Some(&table))
                };
                let (result, profile) = &quick;
                let near = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance || a.is_nan() && b.is_nan();
                assert!(
                    near(result.x_px, x_plain, ROUNDING_PX) && near(result.y_px, y_plain, ROUNDING_PX),
                    "{size_px} px: {result:?}, plain {x_plain} {y_plain}"
                );
                assert!(near(result.z_nm, z_plain, ROUNDING_NM), "{size_px} px: {result:?}, plain {z_plain}");
                assert!(profile.iter().zip(&profile_plain).all(|(&a, &b)| near(a, b, 0.0)), "{size_px} px: profiles");
                assert!((result.x_px - x).abs() < 0.3 && (result.y_px - y).abs() < 0.3, "the bead was found");
                assert_eq!(
                    bits(&quick),
                    bits(&run(image.view(), Some(&table))),
                    "integers and floats agree to the bit"
                );
            }
        }
    }
}

#[test]
fn images_of_any_stride_give_the_same_bits() {
    fn check<P: Pixel>(image: &Array2<P>) {
        let n = image.nrows();
        let expected = bits(&run(image.view(), None));
        let transposed = image.t().as_standard_layout().into_owned();
        assert_eq!(bits(&run(transposed.t(), None)), expected, "columns contiguous");
        let mut frame = Array2::from_elem((2 * n, 3 * n), image[(0, 0)]);
        let roi = s![5..5 + n, 7..7 + n];
        frame.slice_mut(roi).assign(image);
        assert_eq!(bits(&run(frame.slice(roi), None)), expected, "cut out of a frame");
        let roi = s![3..3 + 2 * n - 3; 2, 1..1 + 3 * n - 2; 3];
        if frame.slice(roi).dim() == (n, n) {
            frame.slice_mut(roi).assign(image);
            assert_eq!(bits(&run(frame.slice(roi), None)), expected, "every third pixel of every second row");
        }
        let flipped = image.slice(s![..;-1, ..;-1]).as_standard_layout().into_owned();
        assert_eq!(bits(&run(flipped.slice(s![..;-1, ..;-1]), None)), expected, "backwards");
    }
    let mut random = Random(2);
    for size_px in [40, 67, 100] {
        let image = noisy_rings(size_px, 0.5 * size_px as f64 + 1.3, 0.5 * size_px as f64, 0.4, 255.0, &mut random);
        check(&to_u8(&image));
        check(&to_u16(&image.mapv(|p| 200.0 * p)));
        check(&image.mapv(|p| p as f32 * 0.37));
        check(&image.mapv(|p| p * 0.37));
    }
}

#[test]
fn brightness_and_contrast_do_not_move_the_bead() {
    let mut random = Random(3);
    let table = table(&planes(64));
    let image = noisy_rings(64, 31.2, 33.1, phase(20.0), 1000.0, &mut random);
    let (once, _) = run(image.view(), Some(&table));
    let (again, _) = run(image.mapv(|p| 7.3 * p + 41.0).view(), Some(&table));
    assert!((once.x_px - again.x_px).abs() < ROUNDING_PX && (once.y_px - again.y_px).abs() < ROUNDING_PX);
    assert!((once.z_nm - again.z_nm).abs() < ROUNDING_NM);
    assert!((once.z_nm - 20.0 * STEP_NM).abs() < 0.3 * STEP_NM, "{once:?}");
}

#[test]
fn a_shift_of_the_bead_moves_the_answer_by_as_much() {
    // The method leans towards the middle of the image by a few hundredths of a pixel.
    const LEANING_PX: f64 = 0.05;
    let (start, _) = run(rings(64, 32.0, 32.0, 0.3).view(), None);
    for (dx, dy) in [(1.0, 0.0), (-2.4, 1.7), (0.25, -3.0)] {
        let (moved, _) = run(rings(64, 32.0 + dx, 32.0 + dy, 0.3).view(), None);
        let (x, y) = (moved.x_px - start.x_px - dx, moved.y_px - start.y_px - dy);
        assert!(x.abs() < LEANING_PX && y.abs() < LEANING_PX, "({dx}, {dy}): off by {x}, {y}");
    }
}

#[test]
fn an_image_without_a_bead_is_nan_and_says_why() {
    let mut broken = rings(48, 24.0, 24.0, 0.0);
    broken[(3, 4)] = f64::NAN;
    for (image, outcome) in [
        (Array2::zeros((48, 48)), Outcome::NoSignal),
        (Array2::from_elem((48, 48), 0.1), Outcome::NoSignal),
        (broken, Outcome::NonFinitePixels),
        (Array2::from_elem((48, 48), f64::INFINITY), Outcome::NonFinitePixels),
    ] {
        let (result, profile) = run(image.view(), None);
        assert_eq!((result.outcome, result.z_outcome), (outcome, ZOutcome::NoCenter));
        assert!(result.x_px.is_nan() && result.y_px.is_nan() && profile.iter().all(|p| p.is_nan()));
    }
    let (result, _) = run(Array2::from_elem((48, 48), 200u8).view(), None);
    assert_eq!(result.outcome, Outcome::NoSignal);
}

#[test]
fn a_spot_at_the_edge_is_lost_with_a_reason() {
    let mut image = Array2::<u8>::zeros((64, 64));
    image.slice_mut(s![31..34, 60..63]).fill(200);
    let (result, profile) = run(image.view(), None);
    assert!(result.x_px.is_nan() && result.y_px.is_nan() && profile.iter().all(|p| p.is_nan()));
    assert!(result.outcome != Outcome::Found && result.z_outcome == ZOutcome::NoCenter, "{result:?}");
}

#[test]
fn a_table_of_another_length_gives_no_z_but_a_centre() {
    let (result, profile) = run(rings(64, 32.0, 32.0, 0.0).view(), Some(&table(&planes(32))));
    assert_eq!((result.outcome, result.z_outcome), (Outcome::Found, ZOutcome::BinMismatch));
    assert!(result.x_px.is_finite() && result.z_nm.is_nan() && profile[5].is_finite());
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    let default = MagtrackOptions::default();
    let rings = FftProfileOptions { rmin: 0.6, ..FftProfileOptions::default() };
    for options in [
        MagtrackOptions { n_local: 4, ..default },
        MagtrackOptions { n_local_z: 1, ..default },
        MagtrackOptions { line_ratio: f64::NAN, ..default },
        MagtrackOptions { profile: ProfileKind::Radial { oversample: 0 }, ..default },
        MagtrackOptions { profile: ProfileKind::Fft { rings, gaus_factor: 6.0 }, ..default },
    ] {
        assert!(MagtrackChain::new(64, &options).is_err(), "{options:?}");
    }
    assert!(MagtrackChain::new(2, &default).is_err());
    assert!(MagtrackChain::new(4, &default).is_ok());
}
