//! The truth against pictures: two beads that should look the same do, and a bead looks as the independent, slow renderer
//! draws it at the place that the truth names.

use super::*;
use crate::schema::schema;
use tetherscope_kernels::optics::{FineBeadRenderer, FineParameters, SimulationParameters};
use tetherscope_plugin_api::{ParamValues, Value};

fn float(key: &str, value: f64) -> (&str, Value) {
    (key, Value::Float(value))
}

fn int(key: &str, value: i64) -> (&str, Value) {
    (key, Value::Int(value))
}

fn simulation(changes: &[(&str, Value)]) -> Simulation {
    let mut values = ParamValues::defaults(&schema());
    // A smaller table is made faster.
    values.set("defocus_range_nm", Value::Float(5000.0));
    changes.iter().for_each(|(key, value)| values.set(key, value.clone()));
    let options = Options::from_values(&values).unwrap();
    Simulation::new(&options, table(&options, None).unwrap()).unwrap()
}

/// The frame with this index and focus of the stage.
fn frame(simulation: &mut Simulation, index: u64, stage_nm: f64) -> Vec<u8> {
    simulation.move_to(index as i64 * 10_000_000);
    simulation.show(index, stage_nm);
    let mut pixels = vec![0; crate::run::payload_bytes(&simulation.options)];
    simulation.expose(index, &mut pixels);
    pixels
}

#[test]
fn a_bead_looks_as_in_the_plane_of_the_sweep_that_its_truth_names() {
    // Whole numbers of nm, so that both ways to the same defocus give the same bits.
    let (z0, z, f) = (700.0, -400.0, 2500.0);
    let one = [float("fixed_z_nm", z0), float("tethered_z_nm", z)];
    let motionless = [float("tethered_xy_sigma_nm", 0.0), float("tethered_z_sigma_nm", 0.0)];
    let mut measured = simulation(&[&one[..], &motionless[..], &[int("n_fixed", 0), int("n_tethered", 1)]].concat());
    let seen = frame(&mut measured, 0, f);
    let truth_z = measured.channels()[3];
    assert_eq!(truth_z, z + f - z0);

    // The same place by the same seed, as a fixed bead in a sweep.
    let mut sweep = simulation(&[&one[..], &[int("n_fixed", 1), int("n_tethered", 0)]].concat());
    assert_eq!(seen, frame(&mut sweep, 0, truth_z));
    assert_eq!(sweep.channels()[3], truth_z, "a fixed bead's truth is the focus");
    assert_ne!(seen, frame(&mut sweep, 0, -truth_z));
}

#[test]
fn a_bead_is_drawn_where_the_truth_says_and_as_the_slow_renderer_draws_it() {
    const SIZE: usize = 64;
    // The fine renderer is off by up to 8e-3 of full scale at this oversampling; the next plane of a sweep, or a place a
    // tenth of a pixel away, must be farther off than that.
    const TOLERANCE: f64 = 0.012;
    let changes = [
        float("nm_per_px", 100.0),
        ("bits", Value::Choice("16".into())),
        ("noise", Value::Bool(false)),
        int("n_fixed", 1),
        int("n_tethered", 1),
        float("fixed_z_nm", 300.0),
        float("tethered_z_nm", 900.0),
        float("focus_start_nm", 800.0),
        int("width_px", 400),
        int("height_px", 400),
        float("min_separation_px", 150.0),
    ];
    let mut simulation = simulation(&changes);
    frame(&mut simulation, 0, 100.0);
    let pixels = frame(&mut simulation, 1, 250.0);
    let simulated = SimulationParameters { nm_per_px: 100.0, size_px: SIZE, pad_factor: 12.0, ..Default::default() };
    let parameters = FineParameters { simulation: simulated, oversampling: 4, normalise_by_corner: false };
    let mut renderer = FineBeadRenderer::new(parameters).unwrap();
    let mut expected = vec![0.0; SIZE * SIZE];
    assert_eq!(simulation.channels()[0], 1050.0);
    for bead in 0..2 {
        let [x_px, y_px, z_nm] = simulation.channels()[1 + 3 * bead..][..3].try_into().unwrap();
        let (left, top) = (x_px.round() as usize - SIZE / 2, y_px.round() as usize - SIZE / 2);
        // Largest difference to a bead at another place than the truth.
        let mut worst = |dx_px: f64, dz_nm: f64| {
            let (x, y) = (x_px - left as f64, y_px - top as f64);
            renderer.render(x + dx_px, y, z_nm + 300.0 + dz_nm, &mut expected);
            let pixel = |(i, expected): (usize, &f64)| {
                let at = 2 * ((top + i / SIZE) * 400 + left + i % SIZE);
                let code = u16::from_ne_bytes([pixels[at], pixels[at + 1]]);
                // The fine renderer does not crop.
                let near = ((i % SIZE) as f64 - x).hypot((i / SIZE) as f64 - y) < 30.0;
                if near { (f64::from(code) / 65_535.0 - expected.min(1.0)).abs() } else { 0.0 }
            };
            expected.iter().enumerate().map(pixel).fold(0.0, f64::max)
        };
        let (at_truth, beside, above) = (worst(0.0, 0.0), worst(0.1, 0.0), worst(0.0, 100.0));
        assert!(at_truth < TOLERANCE, "bead {bead}: off by {at_truth} of full scale");
        assert!(beside > 2.0 * TOLERANCE && above > 2.0 * TOLERANCE, "bead {bead}: {beside}, {above}");
    }
}

#[test]
fn beyond_the_defocus_range_the_truth_is_what_is_shown() {
    let range = [float("defocus_range_nm", 2000.0), float("fixed_z_nm", 500.0), int("n_tethered", 0)];
    let mut simulation = simulation(&range);
    let shown = frame(&mut simulation, 0, 1500.0);
    assert_eq!(simulation.channels()[3], 1500.0);
    simulation.show(0, 9000.0);
    assert_eq!((simulation.channels()[0], simulation.channels()[3]), (9000.0, 1500.0));
    assert_eq!(frame(&mut simulation, 0, 9000.0), shown);
}

#[test]
fn tethered_beads_move_by_their_sigmas_and_fixed_beads_do_not() {
    let n = 300;
    let changes = [
        int("n_fixed", 1),
        int("n_tethered", n),
        int("width_px", 4096),
        int("height_px", 4096),
        float("tethered_xy_sigma_nm", 250.0),
        float("tethered_z_sigma_nm", 80.0),
        float("tethered_z_nm", 1000.0),
    ];
    let mut simulation = simulation(&changes);
    simulation.move_to(0);
    simulation.show(0, 0.0);
    let first = simulation.channels().to_vec();
    // Long after: independent of where they were, and still in equilibrium.
    simulation.move_to(60_000_000_000);
    simulation.show(0, 0.0);
    let later = simulation.channels();
    assert_eq!(first[1..4], later[1..4]);
    let spread = |axis: usize, scale: f64| {
        let moves = (4..later.len()).skip(axis).step_by(3).map(|i| (later[i] - first[i]) * scale);
        (moves.map(|d| d * d).sum::<f64>() / (2.0 * n as f64)).sqrt()
    };
    // 300 differences: a standard deviation to 4 %, so 4 sigma are 16 %.
    for (axis, scale, sigma) in [(0, 200.0, 250.0), (1, 200.0, 250.0), (2, 1.0, 80.0)] {
        let ratio = spread(axis, scale) / sigma;
        assert!((ratio - 1.0).abs() < 0.16, "axis {axis}: {ratio} of its sigma");
    }
    let mean_z = later[4..].iter().skip(2).step_by(3).sum::<f64>() / n as f64;
    assert!((mean_z - 1000.0).abs() < 4.0 * 80.0 / (n as f64).sqrt(), "mean z {mean_z}");
}

#[test]
fn more_beads_than_fit_are_refused_with_how_many_would() {
    let mut values = ParamValues::defaults(&schema());
    values.set("defocus_range_nm", Value::Float(500.0));
    let table = table(&Options::from_values(&values).unwrap(), None).unwrap();
    let mut place = |n_fixed| {
        values.set("n_fixed", Value::Int(n_fixed));
        Simulation::new(&Options::from_values(&values).unwrap(), table.clone()).map(drop)
    };
    let error = place(400).unwrap_err();
    let text = error.message();
    assert!(text.starts_with("cannot place 403 beads\n"), "{text}");
    let n_fit: i64 = text.lines().nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    // As many as it says do fit, three of them tethered, and not one more.
    place(n_fit - 3).unwrap();
    place(n_fit - 2).unwrap_err();
}

#[test]
fn the_default_beads_fit_whatever_the_seed() {
    for seed in 0..50 {
        let mut values = ParamValues::defaults(&schema());
        values.set("seed", Value::Int(seed));
        values.set("nm_per_px", Value::Float(100.0));
        let placement = Options::from_values(&values).unwrap().placement;
        assert_eq!(place_beads(&placement, seed as u64).unwrap().n_fitted(), 8, "seed {seed}");
    }
}
