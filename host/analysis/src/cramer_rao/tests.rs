//! The bound against closed cases and against a second implementation on the same simulated beads.

use super::*;
use ndarray::Array2;
use tetherscope_kernels::optics::{BeadOptics, SimulationParameters, simulate_beads};

/// Against the other implementation: both take central differences of ± 2 nm of the same images, which agree to 1e-12; the
/// differences lose four digits of them, and the reference was printed with ten.
const SAME: f64 = 1e-7;

/// One case of the reference: bead radius, image, position, full well, bits, read noise, and the bound of x, y, z with gain
/// and offset free and known.
struct Case(f64, usize, [f64; 3], f64, u32, f64, [f64; 3], [f64; 3]);

/// From the peer's simulator (MagTrack 1.0.0 from PyPI) and an independent Fisher matrix in NumPy, `crlb.py`:
/// `python -c "import numpy as np, crlb as C; s = C.SCENARIOS['R1500_64px_100nm'];
///  I, d = C.derivs(np.array([37., -81., 2010.]), s); print(C.crlb(C.fim(I, d, 1e4, 8, 0.0, True)))"`
/// and so on: scenario, position, full well, bits, read noise, gain and offset free.
const REFERENCE: [Case; 7] = [
    Case(
        1500.0,
        64,
        [37.0, -81.0, 2010.0],
        1e4,
        8,
        0.0,
        [0.1167841488, 0.113081842, 0.1960509825],
        [0.1165476707, 0.1129987845, 0.1954800268],
    ),
    Case(
        1500.0,
        64,
        [37.0, -81.0, 2010.0],
        1e4,
        8,
        5.0,
        [0.1176564314, 0.1138482468, 0.1974511395],
        [0.1174164053, 0.1137642539, 0.1968726698],
    ),
    Case(
        1500.0,
        64,
        [37.0, -81.0, 2010.0],
        1e5,
        12,
        0.0,
        [0.03515379908, 0.03418992934, 0.05927511102],
        [0.03508639894, 0.0341662875, 0.05912680957],
    ),
    Case(
        1500.0,
        64,
        [37.0, -81.0, -3950.0],
        1e4,
        8,
        0.0,
        [0.1401802371, 0.1396440328, 0.2926022437],
        [0.1232533999, 0.1237187364, 0.2699924262],
    ),
    Case(
        1500.0,
        64,
        [37.0, -81.0, -3950.0],
        1e3,
        8,
        5.0,
        [0.4548562945, 0.4529467047, 0.9449575292],
        [0.3994419488, 0.400808206, 0.872486097],
    ),
    Case(
        500.0,
        32,
        [-120.0, 55.0, 40.0],
        1e4,
        8,
        0.0,
        [0.3854624582, 0.387759298, 0.5691820212],
        [0.3854462033, 0.3850002039, 0.5644524353],
    ),
    Case(
        500.0,
        32,
        [-120.0, 55.0, 40.0],
        1e3,
        8,
        5.0,
        [1.24474252, 1.251287715, 1.829450433],
        [1.244697697, 1.242302714, 1.814270421],
    ),
];

#[test]
fn the_bound_equals_an_independent_one_on_the_peers_beads() {
    for Case(radius_nm, size_px, at_nm, full_well_e, bits, read_noise_e, free, known) in REFERENCE {
        let bead = BeadOptics { radius_nm, ..BeadOptics::default() };
        let parameters = SimulationParameters { bead, size_px, ..SimulationParameters::default() };
        let noise = CameraNoise { full_well_e, bits, read_noise_e };
        for (brightness, expected) in [(Brightness::Free, free), (Brightness::Known, known)] {
            let render = |at: [f64; 3], image: &mut [f64]| {
                let place = Array2::from_shape_vec((1, 3), at.to_vec()).unwrap();
                let made = simulate_beads(place.view(), &parameters).unwrap();
                image.copy_from_slice(made.as_slice().unwrap());
            };
            let bound = bound_of_bead(render, size_px * size_px, at_nm, 2.0, &noise, brightness).unwrap();
            for (ours, theirs) in [bound.x_nm, bound.y_nm, bound.z_nm].into_iter().zip(expected) {
                assert!((ours / theirs - 1.0).abs() < SAME, "{at_nm:?} {noise:?} {brightness:?}: {ours}, not {theirs}");
            }
        }
    }
}

#[test]
fn a_ramp_of_light_has_the_bound_that_a_pencil_gives() {
    // 100 pixels of brightness ½, each axis seen by pixels of its own: σ² = v / (n (fw slope)²), with v = 16,383 / 2 + 1/12
    // (one electron per step) and the small second term of the information.
    let noise = CameraNoise { full_well_e: 16_383.0, bits: 14, read_noise_e: 0.0 };
    let slope = 1e-3;
    let image = vec![0.5; 300];
    let axis = |a: usize| (0..300).map(|i| if i / 100 == a { slope } else { 0.0 }).collect::<Vec<f64>>();
    let (x, y, z) = (axis(0), axis(1), axis(2));
    let bound = cramer_rao_bound(&image, [&x, &y, &z], &noise, Brightness::Known).unwrap();
    let v = 8191.5 + 1.0 / 12.0;
    let expected = (100.0 * (16.383_f64).powi(2) * (1.0 / v + 0.5 / (v * v))).sqrt().recip();
    for s in [bound.x_nm, bound.y_nm, bound.z_nm, bound.xy_nm()] {
        assert!((s / expected - 1.0).abs() < 1e-12, "{s}, not {expected}");
    }
}

#[test]
fn what_an_image_does_not_tell_has_no_bound() {
    let noise = CameraNoise { full_well_e: 1e4, bits: 8, read_noise_e: 0.0 };
    let flat = vec![0.4; 64];
    assert!(bound_of_bead(|_, image| image.fill(0.4), 64, [0.0; 3], 2.0, &noise, Brightness::Known).is_none());
    // x and y change the image alike.
    let slope: Vec<f64> = (0..64).map(|i| f64::from(i) * 1e-5).collect();
    let other: Vec<f64> = (0..64).map(|i| f64::from(i % 7) * 1e-5).collect();
    assert!(cramer_rao_bound(&flat, [&slope, &slope, &other], &noise, Brightness::Known).is_none());
}

#[test]
fn unknown_brightness_costs_and_more_light_pays() {
    let parameters = SimulationParameters::default();
    let bound = |full_well_e: f64, brightness| {
        let render = |at: [f64; 3], image: &mut [f64]| {
            let place = Array2::from_shape_vec((1, 3), at.to_vec()).unwrap();
            image.copy_from_slice(simulate_beads(place.view(), &parameters).unwrap().as_slice().unwrap());
        };
        let noise = CameraNoise { full_well_e, bits: 16, read_noise_e: 0.0 };
        bound_of_bead(render, 64 * 64, [10.0, 20.0, -3000.0], 2.0, &noise, brightness).unwrap()
    };
    let (free, known, bright) =
        (bound(1e4, Brightness::Free), bound(1e4, Brightness::Known), bound(1e6, Brightness::Free));
    assert!(free.z_nm > known.z_nm && free.x_nm > known.x_nm);
    // Shot noise alone: hundred times the light, a tenth of the error. What is left is the quantisation of 16 bits.
    assert!((bright.z_nm * 10.0 / free.z_nm - 1.0).abs() < 1e-3, "{free:?} {bright:?}");
    let both = Bound::rms(&[free, known]).unwrap();
    assert!(both.z_nm < free.z_nm && both.z_nm > known.z_nm && Bound::rms(&[]).is_none());
}
