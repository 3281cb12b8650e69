//! How fast simulated frames are made, on one core: moving beads, noise, and both together as a camera does.
//! One item is one frame (or one bead, or one table). Sizes: MagScope's 512 × 256 px with 8 beads, and 1280 × 1024 with 100.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use tetherscope_kernels::optics::{
    FineBeadRenderer, FineParameters, PlacementParameters, RadialTable, RadialTableParameters, Scene, SceneParameters,
    Sensor, SensorParameters, SimulationParameters, TetherParameters, TetheredBead, place_beads,
};

fn main() {
    divan::main();
}

fn table(nm_per_px: f64) -> RadialTable {
    RadialTable::new(RadialTableParameters { nm_per_px, ..Default::default() }).expect("good parameters")
}

/// A scene with its beads placed, and where they are.
fn scene(nm_per_px: f64, width_px: usize, height_px: usize, n_beads: usize) -> (Scene, Vec<[f64; 2]>) {
    let parameters = SceneParameters { width_px, height_px, n_beads, ..Default::default() };
    let mut scene = Scene::new(parameters, Arc::new(table(nm_per_px))).expect("good parameters");
    let placement = PlacementParameters { n_beads, width_px, height_px, ..Default::default() };
    let places = place_beads(&placement, 1).expect("good parameters").positions_px;
    for (i, p) in places.iter().enumerate() {
        scene.set_bead(i, p[0], p[1], 0.0);
    }
    (scene, places)
}

fn sensor(read_noise_electrons: f64, bits: u32) -> Sensor {
    Sensor::new(SensorParameters { read_noise_electrons, bits, ..Default::default() }).expect("good parameters")
}

/// A whole frame: 3 of 8 tethered beads move in x, y and z, then the sensor exposes 512 × 256 u8.
#[divan::bench(args = [100.0, 200.0])]
fn frame_512x256_u8_8_beads_3_moving(bencher: Bencher<'_, '_>, nm_per_px: f64) {
    let (mut scene, places) = scene(nm_per_px, 512, 256, 8);
    let mut beads: Vec<TetheredBead> =
        (0..3).map(|i| TetheredBead::new(&TetherParameters::default(), 1, i).expect("good parameters")).collect();
    let (sensor, mut pixels, mut frame) = (sensor(0.0, 8), vec![0u8; 512 * 256], 0);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        for (i, bead) in beads.iter_mut().enumerate() {
            let [x, y, z] = bead.step(0.001);
            scene.set_bead(i, places[i][0] + x / nm_per_px, places[i][1] + y / nm_per_px, z);
        }
        sensor.expose(&scene, 1, frame, &mut pixels);
        frame += 1;
    });
}

#[divan::bench(args = [0.0, 5.0])]
fn expose_512x256_u8(bencher: Bencher<'_, '_>, read_noise_electrons: f64) {
    let (scene, _) = scene(200.0, 512, 256, 8);
    let (sensor, mut pixels, mut frame) = (sensor(read_noise_electrons, 8), vec![0u8; 512 * 256], 0);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        sensor.expose(&scene, 1, frame, &mut pixels);
        frame += 1;
    });
}

/// So dark that every pixel takes the exact way.
#[divan::bench]
fn expose_512x256_u8_at_4_electrons(bencher: Bencher<'_, '_>) {
    let (scene, _) = scene(200.0, 512, 256, 8);
    let parameters = SensorParameters { full_scale_electrons: 10.0, ..Default::default() };
    let (sensor, mut pixels) = (Sensor::new(parameters).expect("good parameters"), vec![0u8; 512 * 256]);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| sensor.expose(&scene, 1, 0, &mut pixels));
}

#[divan::bench]
fn expose_1280x1024_u16_12_bit_100_beads(bencher: Bencher<'_, '_>) {
    let (scene, _) = scene(100.0, 1280, 1024, 100);
    let (sensor, mut pixels) = (sensor(0.0, 12), vec![0u16; 1280 * 1024]);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| sensor.expose(&scene, 1, 0, &mut pixels));
}

/// One bead to a new x, y and z.
#[divan::bench(args = [100.0, 200.0])]
fn move_bead(bencher: Bencher<'_, '_>, nm_per_px: f64) {
    let (mut scene, places) = scene(nm_per_px, 512, 256, 8);
    let mut t = 0.0_f64;
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        t += 1.0;
        scene.set_bead(0, places[0][0] + t.sin(), places[0][1] + t.cos(), 300.0 * (0.3 * t).sin())
    });
}

/// The table that a camera makes when it opens.
#[divan::bench(args = [100.0, 200.0], sample_count = 5, sample_size = 1)]
fn make_table(bencher: Bencher<'_, '_>, nm_per_px: f64) {
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| table(nm_per_px));
}

/// The slow reference, 64 px.
#[divan::bench(args = [4, 16], sample_count = 10, sample_size = 1)]
fn fine_bead_64_px(bencher: Bencher<'_, '_>, oversampling: usize) {
    let simulation = SimulationParameters { pad_factor: 8.0, ..Default::default() };
    let parameters = FineParameters { simulation, oversampling, normalise_by_corner: false };
    let mut renderer = FineBeadRenderer::new(parameters).expect("good parameters");
    let mut image = vec![0.0; 64 * 64];
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| renderer.render(31.2, 31.7, 500.0, &mut image));
}
