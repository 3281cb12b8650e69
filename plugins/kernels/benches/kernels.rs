//! Speed of every kernel and of the magtrack chain at the ROI sizes of the lab, in ROIs per second on one core.
//!
//! `cargo bench -p tetherscope-kernels`, or `... -- chain` for some of them. Times are CPU bound and single threaded;
//! each run walks over 64 different noisy beads, cut out of a frame, so that branches and caches see real work.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ndarray::{Array1, Array2, ArrayView2, s};
use tetherscope_kernels::{
    AutoConv, Background, CenterOfMass, FftProfile, FftProfileOptions, MagtrackChain, MagtrackOptions, ParabolaFit,
    Pixel, RadialProfile, ThreePointParabola, ZlutTable, n_side_lines,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [64, 100, 128];
const N_BEADS: usize = 64;
const N_PLANES: usize = 201;

/// 64 noisy beads side by side in one frame, with their centres.
struct Beads<P> {
    size_px: usize,
    frame: Array2<P>,
    centers: Vec<(f64, f64)>,
}

impl<P: Pixel> Beads<P> {
    fn new(size_px: usize, from_f64: fn(f64) -> P, full_scale: f64) -> Beads<P> {
        let mut state = 7u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let mut frame = Array2::from_elem((size_px, size_px * N_BEADS), from_f64(0.0));
        let mut centers = Vec::new();
        for mut roi in frame.axis_chunks_iter_mut(ndarray::Axis(1), size_px) {
            let [x, y] = [(); 2].map(|()| (size_px / 2) as f64 + 4.0 * uniform() - 2.0);
            let phase = 4.0 * uniform();
            for ((i, j), p) in roi.indexed_iter_mut() {
                let noise = 0.03 * (uniform() + uniform() + uniform() - 1.5);
                let value = ring((i as f64 - y).hypot(j as f64 - x), size_px, phase) + noise;
                *p = from_f64((full_scale * value).clamp(0.0, full_scale));
            }
            centers.push((x, y));
        }
        Beads { size_px, frame, centers }
    }

    /// Calls `f` for every bead.
    fn each(&self, mut f: impl FnMut(ArrayView2<'_, P>, f64, f64)) {
        for (k, &(x, y)) in self.centers.iter().enumerate() {
            f(self.frame.slice(s![.., k * self.size_px..(k + 1) * self.size_px]), x, y);
        }
    }
}

fn ring(r: f64, size_px: usize, phase: f64) -> f64 {
    0.5 + 0.4 * (0.9 * r + phase).cos() * (-r * r / (0.05 * (size_px * size_px) as f64)).exp()
}

fn table(size_px: usize) -> ZlutTable {
    let z = Array1::from_shape_fn(N_PLANES, |k| 50.0 * k as f64);
    let profiles = Array2::from_shape_fn((N_PLANES, size_px / 2), |(k, b)| ring(b as f64, size_px, 0.02 * k as f64));
    ZlutTable::new(z.view(), profiles.view()).expect("planes and bins")
}

/// Benches a kernel on 8-bit and 16-bit beads.
macro_rules! both {
    ($name:ident, $beads:ident, $bencher:ident, $size:ident => $body:block) => {
        mod $name {
            use super::*;

            #[divan::bench(args = SIZES)]
            fn u8($bencher: Bencher, $size: usize) {
                let $beads = Beads::new($size, |v| v as u8, 255.0);
                let $bencher = $bencher.counter(ItemsCount::new(N_BEADS));
                $body
            }

            #[divan::bench(args = SIZES)]
            fn u16($bencher: Bencher, $size: usize) {
                let $beads = Beads::new($size, |v| v as u16, 4095.0);
                let $bencher = $bencher.counter(ItemsCount::new(N_BEADS));
                $body
            }
        }
    };
}

both!(magtrack_chain_with_z, beads, bencher, size => {
    let mut chain = MagtrackChain::new(size, &MagtrackOptions::default()).expect("default options");
    let (table, mut profile) = (table(size), vec![0.0; chain.n_bins()]);
    bencher.bench_local(|| beads.each(|image, _, _| {
        black_box(chain.execute(image, Some(&table), &mut profile));
    }));
});

both!(center_of_mass_median, beads, bencher, size => {
    let mut worker = CenterOfMass::new(size);
    bencher.bench_local(|| beads.each(|image, _, _| {
        black_box(worker.execute(image, Background::Median));
    }));
});

both!(center_of_mass_mean, beads, bencher, size => {
    let mut worker = CenterOfMass::new(size);
    bencher.bench_local(|| beads.each(|image, _, _| {
        black_box(worker.execute(image, Background::Mean));
    }));
});

both!(auto_conv, beads, bencher, size => {
    let mut worker = AutoConv::new(size).expect("large enough");
    bencher.bench_local(|| beads.each(|image, x, y| {
        black_box(worker.auto_conv(image, x, y));
    }));
});

both!(auto_conv_multiline_sub_pixel, beads, bencher, size => {
    let mut worker = AutoConv::new(size).expect("large enough");
    let (fit, n_side) = (ParabolaFit::weighted(5).expect("odd"), n_side_lines(size, 0.1));
    bencher.bench_local(|| beads.each(|image, x, y| {
        black_box(worker.auto_conv_multiline_sub_pixel(image, x, y, n_side, &fit));
    }));
});

both!(radial_profile, beads, bencher, size => {
    let mut worker = RadialProfile::new(size, 1).expect("one bin per pixel");
    let mut profile = vec![0.0; worker.n_bins()];
    bencher.bench_local(|| beads.each(|image, x, y| {
        worker.execute(image, x, y, black_box(&mut profile));
    }));
});

both!(fft_profile, beads, bencher, size => {
    let mut worker = FftProfile::new(size, FftProfileOptions::default()).expect("default options");
    let mut profile = vec![0.0; worker.n_bins()];
    bencher.bench_local(|| beads.each(|image, _, _| {
        worker.fft_profile(image, black_box(&mut profile));
    }));
});

both!(three_point_parabola, beads, bencher, size => {
    let mut worker = ThreePointParabola::new(size);
    bencher.bench_local(|| beads.each(|image, x, y| {
        black_box(worker.execute(image, x, y));
    }));
});

#[divan::bench(args = SIZES)]
fn lookup_z(bencher: Bencher, size: usize) {
    let (table, fit) = (table(size), ParabolaFit::weighted(7).expect("odd"));
    let mut scratch = vec![0.0; size / 2];
    let profiles: Vec<Vec<f64>> =
        (0..N_BEADS).map(|k| (0..size / 2).map(|b| ring(b as f64, size, 0.02 * (k as f64 + 50.3))).collect()).collect();
    bencher.counter(ItemsCount::new(N_BEADS)).bench_local(|| {
        for profile in &profiles {
            black_box(table.lookup_z(profile, &fit, &mut scratch).expect("bins agree"));
        }
    });
}
