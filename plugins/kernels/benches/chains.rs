//! What a ROI costs from pixels to z: the magtrack chain, the default chain and the joint chain, at the ROI sizes of the
//! lab, 8 and 16 bits, on one thread and on two.
//!
//! `cargo bench -p tetherscope-kernels --bench chains [-- 64]` (one size only). CPU time of the threads themselves (Linux), so that neighbours on the
//! machine count less; the best of several rounds of each thread, all chains in every round. `TETHERSCOPE_ISA=baseline` shows the other
//! path.

use ndarray::{Array1, Array2};
use rand_distr::{Distribution, Normal, Uniform};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::hint::black_box;
use std::time::{Duration, Instant};
use tetherscope_kernels::optics::{RadialRow, RadialTable, RadialTableParameters};
use tetherscope_kernels::{
    BinGeometry, Isa, JointBuilder, JointLookup, JointOptions, JointTemplate, MagtrackChain, MagtrackOptions,
    NoiseModel, Pixel, QuadrantChain, QuadrantOptions, RingProfile, SplineLookup, SplineOptions, SplineTable,
    SweepFrame, ZlutTable,
};

const SIZES: [usize; 3] = [64, 100, 128];
const N_BEADS: usize = 64;
const ROUNDS: usize = 40;
/// `arc_step` of a tracker that only gives a start.
const COARSE_ARC_PX: f64 = 3.0;
/// Least CPU time of a measurement.
const LEAST: Duration = Duration::from_millis(60);

fn main() {
    println!(
        "{} instructions, {ROUNDS} rounds; µs of CPU time per ROI, mean of the threads' fastest rounds (ROIs/s per core)",
        Isa::detect().name()
    );
    println!(
        "{:>4} {:>4} {:>8} {:>18} {:>18} {:>18} {:>18}",
        "px", "bits", "threads", "magtrack", "quadrant + spline", "quadrant + joint", "coarse + joint"
    );
    let wanted = std::env::args().find_map(|a| a.parse::<usize>().ok());
    for size_px in SIZES.into_iter().filter(|s| wanted.is_none_or(|w| w == *s)) {
        let rig = Rig::new(size_px);
        rig.print::<u8>(255.0, |v| v as u8);
        rig.print::<u16>(4095.0, |v| v as u16);
    }
}

/// CPU time of this thread; wall time where the system does not tell.
fn cpu_time() -> Duration {
    // The kernel counts at its ticks, milliseconds apart, and when a thread gives way.
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|text| text.split(' ').next()?.parse().ok());
    match nanoseconds {
        Some(nanoseconds) => Duration::from_nanos(nanoseconds),
        None => Instant::now().duration_since(*BEGUN),
    }
}

static BEGUN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

/// Tables of one sweep, for all chains, in units of full scale 255.
struct Rig {
    size_px: usize,
    optics: RadialTable,
    planes: ZlutTable,
    splines: SplineTable,
    template: JointTemplate,
}

fn image(optics: &RadialTable, row: &mut RadialRow, size_px: usize, (x, y, z): (f64, f64, f64)) -> Array2<f64> {
    optics.prepare(z, row);
    Array2::from_shape_fn((size_px, size_px), |(i, j)| {
        let contrast = row.contrast((j as f64 - x) as f32, (i as f64 - y) as f32);
        (0.4 * (1.0 + f64::from(contrast))).clamp(0.0, 1.0)
    })
}

fn noise(full_scale: f64) -> NoiseModel {
    NoiseModel { gain_e_per_adu: 1e4 / full_scale, offset_adu: 0.0, read_noise_e: 0.0 }
}

impl Rig {
    fn new(size_px: usize) -> Rig {
        let parameters = RadialTableParameters {
            crop_radius_nm: 100.0 * size_px as f64,
            z_min_nm: -5100.0,
            z_max_nm: 5100.0,
            ..RadialTableParameters::default()
        };
        let optics = RadialTable::new(parameters).expect("good parameters");
        let mut row = optics.new_row();
        let mut ring = RingProfile::new(size_px, Isa::detect()).expect("a size");
        let mut magtrack = MagtrackChain::new(size_px, &MagtrackOptions::default()).expect("default options");
        let mut builder = JointBuilder::new(size_px, noise(255.0), 255.0, Isa::detect()).expect("a size");
        let (mut z_nm, mut profiles, mut rings) = (Vec::new(), Vec::new(), Vec::new());
        let middle = (size_px - 1) as f64 / 2.0;
        for k in 0..201 {
            let z = -5000.0 + 50.0 * f64::from(k);
            let (x, y) = (middle + 0.3, middle - 0.2);
            let shown = image(&optics, &mut row, size_px, (x, y, z)).mapv(|v| 255.0 * v);
            let (mut profile, mut of_rings) = (vec![0.0; magtrack.n_bins()], vec![0.0; ring.n_bins()]);
            magtrack.make_profile(shown.view(), x, y, &mut profile);
            ring.execute(shown.view(), x, y, &mut of_rings, &mut []);
            builder.add_plane(z, &[SweepFrame { image: shown.view(), x_px: x, y_px: y }]).expect("a bead");
            z_nm.push(z);
            profiles.extend(profile);
            rings.extend(of_rings);
        }
        let geometry = BinGeometry::Radial { first_radius_px: 0.0, step_px: RingProfile::STEP_PX };
        let splines = SplineTable::new(&z_nm, &rings, &[], &geometry).expect("a sweep");
        let shape = (z_nm.len(), magtrack.n_bins());
        let profiles = Array2::from_shape_vec(shape, profiles).expect("as many as that");
        let planes = ZlutTable::new(Array1::from(z_nm).view(), profiles.view()).expect("a sweep");
        Rig { size_px, optics, planes, splines, template: builder.finish().expect("a sweep") }
    }

    fn beads<P>(&self, full_scale: f64, from_f64: fn(f64) -> P) -> Vec<Array2<P>> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let offset = Uniform::new(-2.5, 2.5).expect("a range");
        let normal = Normal::new(0.0, 0.01).expect("a deviation");
        let mut row = self.optics.new_row();
        let middle = (self.size_px - 1) as f64 / 2.0;
        (0..N_BEADS)
            .map(|k| {
                let (x, y) = (middle + offset.sample(&mut random), middle + offset.sample(&mut random));
                let z = -4000.0 + 8000.0 * (k as f64 + 0.3) / N_BEADS as f64;
                image(&self.optics, &mut row, self.size_px, (x, y, z)).mapv(|mean| {
                    let value = mean + normal.sample(&mut random) * mean.sqrt();
                    from_f64((full_scale * value).round().clamp(0.0, full_scale))
                })
            })
            .collect()
    }

    /// One thread and two take turns in every round, so that a busy machine disturbs both alike.
    fn print<P: Pixel>(&self, full_scale: f64, from_f64: fn(f64) -> P) {
        let beads = self.beads(full_scale, from_f64);
        let mut best: [Vec<[f64; 4]>; 2] = [1, 2].map(|threads| vec![[f64::INFINITY; 4]; threads]);
        for chain in 0..4 {
            for _ in 0..ROUNDS {
                for best in &mut best {
                    let took: Vec<f64> = std::thread::scope(|scope| {
                        let run = || scope.spawn(|| self.seconds_per_roi(chain, &beads, full_scale));
                        let running: Vec<_> = best.iter().map(|_| run()).collect();
                        running.into_iter().map(|thread| thread.join().expect("a bench does not panic")).collect()
                    });
                    // Each thread's fastest round: both seldom have a quiet core at the same time.
                    for (best, took) in best.iter_mut().zip(took) {
                        best[chain] = best[chain].min(took);
                    }
                }
            }
        }
        let bits = 8 * size_of::<P>();
        let cell = |seconds: f64| format!("{:.1} ({:.0})", 1e6 * seconds, 1.0 / seconds);
        for best in &best {
            let threads = best.len();
            let mean = |chain: usize| best.iter().map(|of_thread| of_thread[chain]).sum::<f64>() / threads as f64;
            let [magtrack, spline, joint, coarse] = [0, 1, 2, 3].map(|chain| cell(mean(chain)));
            println!("{:>4} {bits:>4} {threads:>8} {magtrack:>18} {spline:>18} {joint:>18} {coarse:>18}", self.size_px);
        }
    }

    fn seconds_per_roi<P: Pixel>(&self, chain: usize, beads: &[Array2<P>], full_scale: f64) -> f64 {
        let noise = noise(full_scale);
        let mut magtrack = MagtrackChain::new(self.size_px, &MagtrackOptions::default()).expect("default options");
        let mut quadrant = QuadrantOptions { noise, saturation: full_scale, ..QuadrantOptions::default() };
        if chain == 3 {
            // The joint fit refines x and y itself, and needs no more than a start.
            quadrant.arc_step_px = COARSE_ARC_PX;
        }
        let mut tracker = QuadrantChain::new(self.size_px, 1.0, &quadrant).expect("default options");
        let n_bins = tracker.n_bins();
        let mut spline = SplineLookup::new(n_bins, noise, SplineOptions::default()).expect("default options");
        let options = JointOptions { noise, saturation: full_scale, ..JointOptions::default() };
        let mut joint = JointLookup::new(self.size_px, n_bins, &options).expect("default options");
        let (mut profile, mut weights) = (vec![0.0; n_bins.max(magtrack.n_bins())], vec![0.0; n_bins]);
        let (mut n, begun) = (0usize, cpu_time());
        loop {
            for bead in beads {
                let image = bead.view();
                if chain == 0 {
                    let n_bins = magtrack.n_bins();
                    black_box(magtrack.execute(image, Some(&self.planes), &mut profile[..n_bins]));
                    continue;
                }
                let profile = &mut profile[..n_bins];
                let center = tracker.find_center(image);
                tracker.make_profile(image, center.x_px, center.y_px, profile, &mut weights);
                if chain == 1 {
                    black_box(spline.execute(&self.splines, profile, &weights).expect("lengths fit"));
                } else {
                    let at = (center.x_px, center.y_px);
                    let fit = joint.execute(image, &self.splines, &self.template, at, profile, &weights);
                    black_box(fit.expect("lengths fit"));
                }
            }
            n += beads.len();
            let took = cpu_time() - begun;
            if took >= LEAST {
                return took.as_secs_f64() / n as f64;
            }
        }
    }
}
