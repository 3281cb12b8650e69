//! Speed of quadrant interpolation, radial symmetry and the ring profile at the ROI sizes of the lab, in ROIs per second on
//! one core; quadrant interpolation also without AVX2.
//!
//! `cargo bench -p tetherscope-kernels --bench quadrant`. Each run walks over 32 different simulated beads with shot noise,
//! cut out of a frame.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ndarray::{Array2, ArrayView2, Axis, s};
use rand_distr::{Distribution, Normal, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use tetherscope_kernels::optics::{RadialTable, RadialTableParameters};
use tetherscope_kernels::{
    ClippedCom, Isa, Pixel, QuadrantChain, QuadrantOptions, RadialSymmetry, RadialSymmetryOptions, RingProfile,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [64, 100, 128];
const N_BEADS: usize = 32;

/// Shot noise as a share of the root of the brightness: 10^4 electrons at full scale.
const NOISE: f64 = 0.01;

struct Beads<P> {
    size_px: usize,
    frame: Array2<P>,
}

impl<P: Pixel> Beads<P> {
    /// Beads side by side, from 4 µm below the focus to 4 µm above.
    fn new(size_px: usize, from_f64: fn(f64) -> P, full_scale: f64) -> Beads<P> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let offset = Uniform::new(-2.5, 2.5).expect("a range");
        let normal = Normal::new(0.0, NOISE).expect("a deviation");
        let parameters = RadialTableParameters {
            crop_radius_nm: 100.0 * size_px as f64,
            z_min_nm: -4100.0,
            z_max_nm: 4100.0,
            ..RadialTableParameters::default()
        };
        let table = RadialTable::new(parameters).expect("good parameters");
        let mut row = table.new_row();
        let mut frame = Array2::from_elem((size_px, size_px * N_BEADS), from_f64(0.0));
        for (k, mut roi) in frame.axis_chunks_iter_mut(Axis(1), size_px).enumerate() {
            let middle = (size_px - 1) as f64 / 2.0;
            let (x, y) = (middle + offset.sample(&mut random), middle + offset.sample(&mut random));
            table.prepare(-4000.0 + 8000.0 * k as f64 / N_BEADS as f64, &mut row);
            for ((i, j), p) in roi.indexed_iter_mut() {
                let contrast = row.contrast((j as f64 - x) as f32, (i as f64 - y) as f32);
                let mean = (0.4 * (1.0 + f64::from(contrast))).clamp(0.0, 1.0);
                let value = mean + normal.sample(&mut random) * mean.sqrt();
                *p = from_f64((full_scale * value).round().clamp(0.0, full_scale));
            }
        }
        Beads { size_px, frame }
    }

    fn each(&self, mut f: impl FnMut(ArrayView2<'_, P>)) {
        for k in 0..N_BEADS {
            f(self.frame.slice(s![.., k * self.size_px..(k + 1) * self.size_px]));
        }
    }
}

/// Benches a closure made for one size on 8-bit and 16-bit beads.
macro_rules! both {
    ($name:ident, $size:ident => $worker:expr, |$state:ident, $image:ident| $body:expr) => {
        mod $name {
            use super::*;

            fn run<P: Pixel>(bencher: Bencher, $size: usize, beads: &Beads<P>) {
                let mut $state = $worker;
                bencher.counter(ItemsCount::new(N_BEADS)).bench_local(|| {
                    beads.each(|$image| {
                        black_box($body);
                    })
                });
            }

            #[divan::bench(args = SIZES)]
            fn u8(bencher: Bencher, size: usize) {
                run(bencher, size, &Beads::new(size, |v| v as u8, 255.0));
            }

            #[divan::bench(args = SIZES)]
            fn u16(bencher: Bencher, size: usize) {
                run(bencher, size, &Beads::new(size, |v| v as u16, 4095.0));
            }
        }
    };
}

fn chain(size: usize, isa: Isa) -> QuadrantChain {
    QuadrantChain::new(size, 1.0, &QuadrantOptions { isa, ..QuadrantOptions::default() }).expect("default options")
}

both!(quadrant_center, size => chain(size, Isa::detect()), |chain, image| chain.find_center(image));
both!(quadrant_center_baseline, size => chain(size, Isa::Baseline), |chain, image| chain.find_center(image));
both!(clipped_com, size => ClippedCom::new(size, 1.0).expect("a clip"), |com, image| com.execute(image));
both!(
    radial_symmetry,
    size => RadialSymmetry::new(size, &RadialSymmetryOptions::default()).expect("default options"),
    |worker, image| worker.execute(image, 0.5 * size as f64, 0.5 * size as f64)
);
both!(
    ring_profile,
    size => {
        let worker = RingProfile::new(size, Isa::detect()).expect("a size");
        let n = worker.n_bins();
        (worker, vec![0.0; n], vec![0.0; n])
    },
    |state, image| state.0.execute(image, 0.5 * size as f64 - 0.3, 0.5 * size as f64, &mut state.1, &mut state.2)
);
