//! How long a search for beads takes in whole images, on one core: with a template, without one, and the choice of
//! candidates. One item is one image. Images of 1024 and 2560 px with beads 100 px apart, ROIs of 50 px.
//!
//! `cargo bench -p tetherscope-kernels --bench find`

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ndarray::{Array2, s};
use std::ops::ControlFlow;
use tetherscope_kernels::{Ncc, RadialScore, pick_best};

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [1024, 2560];
const ROI: usize = 50;

/// Rings every 100 px, with noise.
fn image(size: usize) -> Array2<u16> {
    let mut state = 7_u64;
    Array2::from_shape_fn((size, size), |(y, x)| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (state >> 57) as f64;
        let r = (y as f64 % 100.0 - 50.0).hypot(x as f64 % 100.0 - 50.0);
        (1600.0 + noise + 1200.0 * (0.9 * r).cos() * (-0.01 * r * r).exp()) as u16
    })
}

fn go_on(_: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn ncc(bencher: Bencher<'_, '_>, size: usize) {
    let image = image(size);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let template = image.slice(s![25..25 + ROI, 25..25 + ROI]);
        let mut ncc = Ncc::new(template, image.dim(), 0.25).expect("a good template");
        let mut scores = Array2::zeros(ncc.map_size());
        let _ = black_box(ncc.execute(image.view(), scores.view_mut(), &mut go_on));
    });
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn radial_score(bencher: Bencher<'_, '_>, size: usize) {
    let image = image(size);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let mut radial = RadialScore::new(ROI, image.dim(), 24.0).expect("a good size");
        let mut scores = Array2::zeros(radial.map_size());
        let _ = black_box(radial.execute(image.view(), scores.view_mut(), &mut go_on));
    });
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn choose(bencher: Bencher<'_, '_>, size: usize) {
    let image = image(size);
    let mut ncc = Ncc::new(image.slice(s![25..25 + ROI, 25..25 + ROI]), image.dim(), 0.25).expect("a good template");
    let mut scores = Array2::zeros(ncc.map_size());
    let _ = ncc.execute(image.view(), scores.view_mut(), &mut go_on);
    let mut candidates = Vec::new();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        pick_best(scores.view(), f32::EPSILON, (20, 20), &[], black_box(&mut candidates));
    });
}
