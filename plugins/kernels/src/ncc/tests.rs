//! The fast scores against the plain sums, at every place; breaking off; and simulated beads found where they are.

use super::*;
use crate::KernelError;
use crate::optics::{RadialTable, RadialTableParameters, Scene, SceneParameters, Sensor, SensorParameters};
use crate::test_images::Random;
use ndarray::{Array2, ArrayView2, s};
use std::sync::Arc;

/// Scores are stored as `f32` and lie between -1 and 1; twice its spacing there.
const STORED: f64 = 1.2e-7;
/// A ring score is a root, which near 0 turns the rounding of a variance (1e-14 of the image's) into more.
const ROOT: f64 = 1e-5;

fn go_on(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn noise(height: usize, width: usize, full_scale: f64, seed: u64) -> Array2<u16> {
    let mut random = Random(seed);
    Array2::from_shape_simple_fn((height, width), || (full_scale * random.uniform()) as u16)
}

/// The definition, for one window.
fn plain_ncc<P: CameraPixel>(window: ArrayView2<'_, P>, template: ArrayView2<'_, P>, weight: f64) -> f64 {
    let centred = |a: ArrayView2<'_, P>| {
        let a = a.mapv(Pixel::to_f64);
        &a - a.mean().unwrap()
    };
    let (w, t) = (centred(window), centred(template));
    let (norm_w, norm_t) = (w.mapv(|v| v * v).sum(), t.mapv(|v| v * v).sum());
    if norm_w == 0.0 {
        return 0.0;
    }
    let factor = ((1.0 + weight) * norm_w / (norm_w + weight * norm_t)).sqrt().min(1.0);
    (&w * &t).sum() / (norm_w * norm_t).sqrt() * factor
}

fn check_ncc<P: CameraPixel>(image: ArrayView2<'_, P>, template: ArrayView2<'_, P>, weight: f64) {
    let mut ncc = Ncc::new(template, image.dim(), weight).unwrap();
    let mut scores = Array2::from_elem(ncc.map_size(), f32::NAN);
    assert!(ncc.execute(image, scores.view_mut(), &mut go_on).is_continue());
    let (h, w) = template.dim();
    for ((y, x), &score) in scores.indexed_iter() {
        let plain = plain_ncc(image.slice(s![y..y + h, x..x + w]), template, weight);
        assert!((f64::from(score) - plain).abs() < STORED, "({x}, {y}): {score}, plainly {plain}");
    }
}

#[test]
fn every_score_is_that_of_the_plain_sums_whatever_the_sizes() {
    // Smaller than a tile; one row or column of places; several tiles, an odd number of them, the last ones narrow.
    for (height, width, h, w) in [(40, 30, 7, 9), (23, 64, 23, 5), (30, 9, 4, 9), (300, 270, 12, 9), (262, 760, 8, 11)]
    {
        let image = noise(height, width, 4095.0, 1);
        let template = image.slice(s![height - h.., ..w]).to_owned();
        let mut image = image;
        image.slice_mut(s![..2, ..]).fill(4095);
        for weight in [0.0, 0.25] {
            check_ncc(image.view(), template.view(), weight);
        }
    }
}

#[test]
fn pixels_of_8_bits_and_images_with_gaps_between_rows_score_alike() {
    let wide = noise(60, 90, 256.0, 2).mapv(|v| v as u8);
    check_ncc(wide.slice(s![5..55;2, 3..80;3]), wide.slice(s![10..16, 10..18]), 0.0);
}

#[test]
fn a_dark_noisy_corner_beside_bright_saturation_keeps_its_digits() {
    let mut image = noise(80, 80, 3.0, 3);
    image.slice_mut(s![40.., 40..]).fill(65_535);
    let template = image.slice(s![2..12, 2..12]).to_owned();
    check_ncc(image.view(), template.view(), 0.0);
}

#[test]
fn templates_that_cannot_be_looked_for_are_refused() {
    let image = noise(20, 20, 100.0, 4);
    let refused = |t: ArrayView2<'_, u16>, weight| Ncc::new(t, (20, 20), weight).err();
    assert_eq!(refused(Array2::from_elem((8, 8), 7).view(), 0.0), Some(KernelError::FlatTemplate));
    assert_eq!(refused(Array2::from_elem((8, 8), 65_535).view(), 0.0), Some(KernelError::FlatTemplate));
    assert!(matches!(refused(noise(8, 21, 9.0, 5).view(), 0.0), Some(KernelError::TemplateTooLarge { .. })));
    assert!(matches!(refused(image.slice(s![..1, ..]), 0.0), Some(KernelError::SizeTooSmall { .. })));
    assert!(matches!(refused(image.slice(s![..5, ..5]), -1.0), Some(KernelError::OutOfRange { .. })));
    assert!(matches!(refused(image.slice(s![..5, ..5]), f64::NAN), Some(KernelError::OutOfRange { .. })));
    let said = KernelError::FlatTemplate.to_string();
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn whoever_watches_hears_progress_and_can_break_off() {
    let image = noise(700, 700, 100.0, 6);
    let mut ncc = Ncc::new(image.slice(s![..20, ..20]), image.dim(), 0.0).unwrap();
    let mut scores = Array2::zeros(ncc.map_size());
    let mut told = Vec::new();
    let mut listen = |f| {
        told.push(f);
        ControlFlow::Continue(())
    };
    assert!(ncc.execute(image.view(), scores.view_mut(), &mut listen).is_continue());
    assert!(told.len() > 3 && told[0] == 0.0 && *told.last().unwrap() == 1.0 && told.is_sorted(), "{told:?}");
    let mut n_asked = 0;
    let mut stop = |_| {
        n_asked += 1;
        if n_asked == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert!(ncc.execute(image.view(), scores.view_mut(), &mut stop).is_break());
    assert_eq!(n_asked, 3, "it went on after the break");
    let mut radial = RadialScore::new(20, image.dim(), 0.0).unwrap();
    let mut scores = Array2::zeros(radial.map_size());
    assert!(radial.execute(image.view(), scores.view_mut(), &mut |_| ControlFlow::Break(())).is_break());
}

#[test]
fn the_radial_score_is_that_of_the_plain_ring_means() {
    let (roi, factor) = (21, 1.5);
    let image = noise(300, 290, 4095.0, 7);
    let mut radial = RadialScore::new(roi, image.dim(), factor).unwrap();
    assert_eq!(radial.step_px(), 1);
    let mut scores = Array2::zeros(radial.map_size());
    let ControlFlow::Continue(floor) = radial.execute(image.view(), scores.view_mut(), &mut go_on) else {
        panic!("nobody broke off")
    };
    assert!(floor > 1000.0, "{floor}");
    let mut local = LocalSymmetry::new(roi).unwrap();
    for ((y, x), &score) in scores.indexed_iter().step_by(7) {
        let (x_px, y_px) = radial.place_px(x as f64, y as f64);
        let plain = local.score(image.view(), x_px as i64, y_px as i64, floor).unwrap();
        assert!((f64::from(score) - plain).abs() < ROOT, "({x}, {y}): {score}, plainly {plain}");
    }
    let outside = [(9, 20), (20, 9), (280, 20), (20, 290)];
    assert!(outside.iter().all(|&(x, y)| local.score(image.view(), x, y, floor).is_none()));
}

/// A field of 12 bits with beads at these places (x, y) and heights.
fn field(size: (usize, usize), beads: &[([f64; 2], f64)]) -> Array2<u16> {
    let table = RadialTable::new(RadialTableParameters::default()).unwrap();
    let parameters = SceneParameters {
        width_px: size.1,
        height_px: size.0,
        n_beads: beads.len(),
        background_level: 0.4,
        contrast_scale: 1.0,
    };
    let mut scene = Scene::new(parameters, Arc::new(table)).unwrap();
    for (i, ([x, y], z)) in beads.iter().enumerate() {
        scene.set_bead(i, *x, *y, *z);
    }
    let mut pixels = vec![0; size.0 * size.1];
    Sensor::new(SensorParameters { bits: 12, ..Default::default() }).unwrap().expose(&scene, 3, 0, &mut pixels);
    Array2::from_shape_vec(size, pixels).unwrap()
}

#[test]
fn a_template_finds_its_bead_and_the_same_bead_elsewhere_to_a_tenth_of_a_pixel() {
    let beads = [([60.0, 70.0], 500.0), ([140.4, 52.7], 500.0), ([221.8, 101.3], 500.0)];
    let image = field((150, 280), &beads);
    // Middle of the template: (60, 70).
    let mut ncc = Ncc::new(image.slice(s![45..96, 35..86]), image.dim(), 0.0).unwrap();
    let mut scores = Array2::zeros(ncc.map_size());
    assert!(ncc.execute(image.view(), scores.view_mut(), &mut go_on).is_continue());
    let mut found = Vec::new();
    pick_best(scores.view(), 0.5, (51, 51), &[], &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!((found[0].x, found[0].y) == (35, 45) && found[0].score > 0.999);
    for c in &found {
        let (dx, dy) = sub_pixel(scores.view(), c);
        let (x, y) = (c.x as f64 + dx + 25.0, c.y as f64 + dy + 25.0);
        let near = beads.iter().any(|([bx, by], _)| (x - bx).abs() < 0.1 && (y - by).abs() < 0.1);
        assert!(near, "nothing is at ({x}, {y})");
    }
}

#[test]
fn beads_of_any_height_are_radially_symmetric_and_climbing_ends_in_their_middle() {
    let beads = [([60.0, 70.3], 500.0), ([140.4, 52.7], 3000.0), ([221.8, 101.3], -2500.0)];
    let image = field((150, 280), &beads);
    let mut radial = RadialScore::new(50, image.dim(), 24.0).unwrap();
    assert_eq!(radial.step_px(), 2);
    let mut scores = Array2::zeros(radial.map_size());
    let ControlFlow::Continue(floor) = radial.execute(image.view(), scores.view_mut(), &mut go_on) else {
        panic!("nobody broke off")
    };
    let mut found = Vec::new();
    pick_best(scores.view(), 0.5, (12, 12), &[], &mut found);
    assert_eq!(found.len(), 3, "{found:?}");
    let mut local = LocalSymmetry::new(50).unwrap();
    for c in &found {
        let (x, y) = radial.place_px(c.x as f64, c.y as f64);
        let center = local.climb(image.view(), (x.round() as i64, y.round() as i64), 4, floor).unwrap();
        let near = beads.iter().any(|([bx, by], _)| (center.x_px - bx).hypot(center.y_px - by) < 0.1);
        assert!(near && center.score > 0.5, "{center:?}");
    }
    let from_afar = local.best_near(image.view(), (151, 42), 12, floor).unwrap();
    assert!((from_afar.x_px - 140.4).hypot(from_afar.y_px - 52.7) < 0.1, "{from_afar:?}");
}

#[test]
fn noise_is_hardly_symmetric_and_a_flat_image_not_at_all() {
    let most = |image: Array2<u16>| {
        let mut radial = RadialScore::new(50, image.dim(), 24.0).unwrap();
        let mut scores = Array2::zeros(radial.map_size());
        assert!(radial.execute(image.view(), scores.view_mut(), &mut go_on).is_continue());
        scores.iter().fold(0.0_f32, |m, &v| m.max(v))
    };
    assert_eq!(most(Array2::from_elem((200, 200), 700)), 0.0);
    let noise = most(noise(400, 400, 4095.0, 8));
    assert!(noise < 0.2, "{noise}");
}
