//! The table against direct integration over pupil and pixel, against the fine wave-optics renderer, and its centre.

use super::*;
use crate::optics::{FineBeadRenderer, FineParameters, SimulationParameters};

/// Background of all images here, as a fraction of full scale.
const BACKGROUND: f64 = 0.4;
/// Interpolation in z and r and the angular terms, of full scale; measured 3.9e-6.
const TABLE_ERROR: f64 = 1e-5;

fn table(nm_per_px: f64) -> RadialTable {
    RadialTable::new(RadialTableParameters { nm_per_px, z_min_nm: -5000.0, z_max_nm: 5000.0, ..Default::default() })
        .unwrap()
}

/// Brightness of one pixel by 16 × 16 points inside it, each integrated over the pupil: no table, no interpolation.
fn direct(nm_per_px: f64, dx_px: f64, dy_px: f64, z_nm: f64) -> f64 {
    let nodes = gauss_legendre(16);
    let points: Vec<(f64, f64)> = nodes
        .iter()
        .flat_map(|&(u, wu)| {
            nodes.iter().map(move |&(v, wv)| ((dx_px + u / 2.0).hypot(dy_px + v / 2.0) * nm_per_px, wu * wv / 4.0))
        })
        .collect();
    let r_nm: Vec<f64> = points.iter().map(|p| p.0).collect();
    let contrast = radial_contrast(&BeadOptics::default(), &[z_nm], &r_nm);
    BACKGROUND * (1.0 + contrast.iter().zip(&points).map(|(c, p)| c * p.1).sum::<f64>())
}

/// A square image around the bead at (`x_px`, `y_px`) from the table.
fn image(table: &RadialTable, size: usize, x_px: f64, y_px: f64, z_nm: f64) -> Vec<f64> {
    let mut row = table.new_row();
    table.prepare(z_nm, &mut row);
    (0..size * size)
        .map(|i| row.contrast(((i % size) as f64 - x_px) as f32, ((i / size) as f64 - y_px) as f32))
        .map(|contrast| (BACKGROUND * (1.0 + f64::from(contrast))).min(1.0))
        .collect()
}

#[test]
fn the_table_agrees_with_direct_integration() {
    for nm_per_px in [65.0, 100.0, 200.0] {
        let table = table(nm_per_px);
        let mut row = table.new_row();
        let mut worst = 0.0_f64;
        for z_nm in [-5000.0, -4321.0, -1287.5, 0.0, 13.0, 612.0, 2499.0, 5000.0] {
            table.prepare(z_nm, &mut row);
            for (dx, dy) in [(0.0, 0.0), (0.3, -0.2), (1.4, 3.1), (-7.2, 0.0), (5.0, 5.0), (-12.3, 20.9), (24.6, 0.4)] {
                let ours = BACKGROUND * (1.0 + f64::from(row.contrast(dx as f32, dy as f32)));
                worst = worst.max((ours - direct(nm_per_px, dx, dy, z_nm)).abs());
            }
        }
        println!("{nm_per_px} nm/px: within {worst:.1e} of full scale");
        assert!(worst < TABLE_ERROR, "{nm_per_px} nm/px: off by {worst} of full scale");
    }
}

#[test]
fn the_table_agrees_with_the_fine_renderer_as_far_as_that_is_right() {
    let n = 32;
    let difference = |nm_per_px: f64, oversampling: usize, pad_factor: f64| {
        let simulation = SimulationParameters { nm_per_px, size_px: n, pad_factor, ..Default::default() };
        let mut fine =
            FineBeadRenderer::new(FineParameters { simulation, oversampling, normalise_by_corner: false }).unwrap();
        let table = table(nm_per_px);
        let mut reference = vec![0.0; n * n];
        let (mut squares, mut worst) = (0.0, 0.0_f64);
        for z_nm in [-4000.0, -1000.0, 0.0, 733.0, 4000.0] {
            fine.render(15.3, 16.2, z_nm, &mut reference);
            for (ours, theirs) in image(&table, n, 15.3, 16.2, z_nm).iter().zip(&reference) {
                squares += (ours - theirs).powi(2);
                worst = worst.max((ours - theirs).abs());
            }
        }
        ((squares / (5 * n * n) as f64).sqrt(), worst)
    };
    // 3 µm bead, rms and largest difference: what is left falls with the grid (staircase) and with the box (wrap-around),
    // so it is the reference's. Shot noise of 10,000 electrons is 6e-3.
    let (coarse, fine) = (difference(100.0, 4, 12.0), difference(100.0, 16, 32.0));
    println!("100 nm/px: {coarse:?} {fine:?}");
    assert!(fine.0 < 1.5e-4 && fine.1 < 1e-3, "rms and worst: {fine:?}");
    assert!(coarse.0 > 5.0 * fine.0, "the difference should fall with the grid: {coarse:?} {fine:?}");
    let fine = difference(200.0, 32, 16.0);
    println!("200 nm/px: {fine:?}");
    assert!(fine.0 < 1.5e-4 && fine.1 < 1e-3, "rms and worst: {fine:?}");
}

/// Shift (x, y in px, z in nm) that best turns `expected` into `seen`, by linear least squares with numerical slopes.
fn shift(table: &RadialTable, size: usize, at: [f64; 3], seen: &[f64], expected: &[f64]) -> [f64; 3] {
    let slope = |axis: usize, step: f64| {
        let moved = |sign: f64| {
            let mut p = at;
            p[axis] += sign * step;
            image(table, size, p[0], p[1], p[2])
        };
        let (up, down) = (moved(1.0), moved(-1.0));
        up.iter().zip(&down).map(|(u, d)| (u - d) / (2.0 * step)).collect::<Vec<f64>>()
    };
    [(0, 0.02), (1, 0.02), (2, 5.0)].map(|(axis, step)| {
        let slope = slope(axis, step);
        let along: f64 = slope.iter().zip(seen.iter().zip(expected)).map(|(s, (a, b))| s * (a - b)).sum();
        along / slope.iter().map(|s| s * s).sum::<f64>()
    })
}

#[test]
fn a_bead_is_where_it_was_asked_to_be() {
    let (size, nm_per_px) = (48, 100.0);
    let table = table(nm_per_px);
    let simulation = SimulationParameters { nm_per_px, size_px: size, pad_factor: 20.0, ..Default::default() };
    let mut fine =
        FineBeadRenderer::new(FineParameters { simulation, oversampling: 16, normalise_by_corner: false }).unwrap();
    let mut reference = vec![0.0; size * size];
    for at in [[23.5, 23.5, -1500.0], [23.13, 24.87, 600.0], [22.701, 23.009, 2510.0], [24.0, 23.25, -4100.0]] {
        fine.render(at[0], at[1], at[2], &mut reference);
        let ours = image(&table, size, at[0], at[1], at[2]);
        let [dx, dy, dz] = shift(&table, size, at, &ours, &reference);
        println!("{at:?}: x {:.5} nm, y {:.5} nm, z {dz:.4} nm", dx * nm_per_px, dy * nm_per_px);
        assert!((dx * nm_per_px).abs() < 0.01, "{at:?}: x is off by {} nm", dx * nm_per_px);
        assert!((dy * nm_per_px).abs() < 0.01, "{at:?}: y is off by {} nm", dy * nm_per_px);
        // Light that wraps around the reference's box looks like defocus: 0.13 nm at −4.1 µm and pad 20.
        assert!(dz.abs() < 0.2, "{at:?}: z is off by {dz} nm");
    }
}

#[test]
fn the_picture_has_the_symmetry_of_its_pixels() {
    let table = table(100.0);
    let mut row = table.new_row();
    table.prepare(321.0, &mut row);
    for (dx, dy) in [(0.37, 2.11), (11.2, 4.9), (0.0, 31.3)] {
        let here = row.contrast(dx, dy);
        for other in [(-dx, dy), (dx, -dy), (dy, dx), (-dy, -dx)] {
            assert_eq!(here, row.contrast(other.0, other.1));
        }
    }
}

#[test]
fn the_contrast_ends_smoothly_at_the_crop_radius() {
    let table = table(100.0);
    let mut row = table.new_row();
    table.prepare(-4000.0, &mut row);
    let inside = (0..520).map(|i| row.contrast(i as f32 * 0.1, 0.0).abs()).fold(0.0, f32::max);
    assert!(inside > 0.1);
    for i in 0..200 {
        let r = (table.reach_px() + 0.05 * f64::from(i)) as f32;
        assert!(row.contrast(r, 0.0).abs() < 1e-7, "something at {r} px");
    }
    for i in 0..200 {
        let r = 59.0 + 0.02 * i as f32;
        assert!((row.contrast(r, 0.0) - row.contrast(r + 0.02, 0.0)).abs() < 2e-4, "a step at {r} px");
    }
}

#[test]
fn a_defocus_outside_the_table_is_shown_at_its_end() {
    let table = table(100.0);
    assert_eq!(table.covered_z_nm(9000.0), 5000.0);
    let (mut end, mut beyond) = (table.new_row(), table.new_row());
    table.prepare(5000.0, &mut end);
    table.prepare(7000.0, &mut beyond);
    assert_eq!(end.contrast(3.0, 4.0), beyond.contrast(3.0, 4.0));
}

#[test]
fn bad_parameters_are_refused_by_name() {
    let refused = |p: RadialTableParameters| RadialTable::new(p).err().expect("refused").message().to_owned();
    let good = RadialTableParameters::default();
    let blunt = BeadOptics { numerical_aperture: 1.4, ..BeadOptics::default() };
    assert!(refused(RadialTableParameters { bead: blunt, ..good }).contains("numerical_aperture is 1.4"));
    assert!(refused(RadialTableParameters { taper_nm: 7000.0, ..good }).contains("taper_nm is 7000"));
    assert!(refused(RadialTableParameters { z_min_nm: 1.0, z_max_nm: 0.0, ..good }).contains("from 1 to 0 nm"));
    assert!(refused(RadialTableParameters { z_max_nm: 1e9, ..good }).contains("1 GiB"));
    assert!(refused(RadialTableParameters { nm_per_px: 0.0, ..good }).contains("nm_per_px is 0"));
}
