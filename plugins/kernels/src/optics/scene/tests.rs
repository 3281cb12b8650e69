//! The scene against the table it draws from, and its indifference to history.

use super::*;
use crate::optics::RadialTableParameters;

fn table() -> Arc<RadialTable> {
    let parameters = RadialTableParameters {
        nm_per_px: 200.0,
        crop_radius_nm: 4000.0,
        z_min_nm: -2000.0,
        z_max_nm: 2000.0,
        ..Default::default()
    };
    Arc::new(RadialTable::new(parameters).unwrap())
}

fn scene(n_beads: usize) -> Scene {
    let parameters = SceneParameters { width_px: 90, height_px: 60, n_beads, ..Default::default() };
    Scene::new(parameters, table()).unwrap()
}

fn expected(scene: &Scene) -> Vec<f32> {
    let mut image = vec![0.0; scene.parameters().width_px * scene.parameters().height_px];
    scene.write_expected(&mut image);
    image
}

#[test]
fn every_pixel_is_background_plus_the_contrast_of_all_beads() {
    let mut scene = scene(3);
    let beads = [[30.3, 20.7, -800.0], [45.9, 31.2, 450.0], [88.6, 58.9, 1999.0]];
    for (i, b) in beads.iter().enumerate() {
        assert_eq!(scene.set_bead(i, b[0], b[1], b[2]), *b);
        assert_eq!(scene.truth(i), *b);
    }
    let table = table();
    let rows = beads.map(|b| {
        let mut row = table.new_row();
        table.prepare(b[2], &mut row);
        row
    });
    for (i, &pixel) in expected(&scene).iter().enumerate() {
        let (x, y) = ((i % 90) as f64, (i / 90) as f64);
        let contrast: f32 =
            beads.iter().zip(&rows).map(|(b, row)| row.contrast((x - b[0]) as f32, (y - b[1]) as f32)).sum();
        // Distances are rounded to 2e-6 px, contrasts to 2.4e-7 of the background.
        assert!((pixel - (0.4 * (1.0 + contrast)).max(0.0)).abs() < 1e-5, "pixel ({x}, {y})");
    }
}

#[test]
fn the_picture_does_not_depend_on_the_way_there() {
    let mut wanderer = scene(4);
    for step in 0..200 {
        let t = f64::from(step);
        for i in 0..4 {
            wanderer.set_bead(i, 45.0 + 60.0 * (t + i as f64).sin(), 30.0 + 50.0 * (1.7 * t).cos(), 40.0 * t - 3000.0);
        }
        if step % 7 == 0 {
            wanderer.hide_bead(step as usize % 4);
        }
    }
    let places = [[20.5, 20.1, 0.0], [27.0, 22.0, 700.0], [-3.0, 64.0, -100.0], [70.2, 33.3, 1234.5]];
    let mut direct = scene(4);
    for (i, p) in places.iter().enumerate() {
        direct.set_bead(3 - i, p[0], p[1], p[2]);
        wanderer.set_bead(i, p[0], p[1], p[2]);
    }
    assert_eq!(expected(&wanderer), expected(&direct));
}

#[test]
fn beads_at_and_beyond_the_border_are_cut_and_leave_nothing() {
    let mut scene = scene(1);
    for (x, y) in [(-0.4, 30.0), (89.9, 59.9), (-15.0, -15.0), (200.0, 30.0), (1e300, -1e300), (45.0, 79.5)] {
        let truth = scene.set_bead(0, x, y, 100.0);
        assert_eq!(truth, [x, y, 100.0]);
        scene.hide_bead(0);
        assert!(expected(&scene).iter().all(|&v| v == 0.4));
        assert!(scene.truth(0)[0].is_nan());
    }
}

#[test]
fn a_place_that_is_not_a_number_hides_the_bead() {
    let mut scene = scene(1);
    scene.set_bead(0, 40.0, 30.0, 0.0);
    assert!(scene.set_bead(0, f64::NAN, 30.0, 0.0).iter().all(|v| v.is_nan()));
    assert!(expected(&scene).iter().all(|&v| v == 0.4));
}

#[test]
fn the_truth_says_when_z_was_clamped() {
    assert_eq!(scene(1).set_bead(0, 40.0, 30.0, 5000.0), [40.0, 30.0, 2000.0]);
}

#[test]
fn bad_parameters_are_refused_by_name() {
    let refused = |p: SceneParameters| Scene::new(p, table()).err().expect("refused").message().to_owned();
    let good = SceneParameters::default();
    assert!(refused(SceneParameters { width_px: 0, ..good }).contains("width_px is 0"));
    assert!(refused(SceneParameters { background_level: -0.1, ..good }).contains("background_level is -0.1"));
    assert!(refused(SceneParameters { n_beads: 1_000_000, ..good }).contains("n_beads is 1000000"));
}
