//! Speed of the magtrack chain end to end, as the program runs it: `tracker.magtrack` and `zlut.correlation` as loaded
//! libraries, one thread, ROIs in place. Prints one JSON object per image size, rates in ROIs per second of CPU time.
//!
//! `cargo bench -p tetherscope-tests --bench chain` makes beads of 64 and 100 px itself. With files it takes theirs:
//! `... --bench chain -- IMAGES.npy ZLUT.npy [RESULTS.npy]`: u8 `[image, y, x]`, f64 `[1 + bins, planes]` with z in row 0,
//! and where x, y, z (f64 `[image, 3]`) shall go. `examples/peer` uses that.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use ndarray::{Array2, Array3};
use ndarray_npy::{read_npy, write_npy};
use tetherscope_kernels::optics::{SimulationParameters, simulate_beads, simulate_zlut};
use tetherscope_loader::{
    FrameMemory, Kind, LookupBuffers, Registry, RoiSet, SavedTable, SearchOptions, TrackBuffers, Tracker, WorkerConfig,
    ZlutStrategy, run_if_child,
};

/// ROIs per call: 64 beads of one frame.
const N_BATCH: usize = 64;
/// Each round takes this much CPU time or more; the median round counts.
const ROUND_S: f64 = 0.3;
const N_ROUNDS: usize = 7;
const N_BEADS: usize = 256;

fn main() {
    run_if_child();
    let files: Vec<PathBuf> = std::env::args_os().skip(1).filter(|a| a != "--bench").map(PathBuf::from).collect();
    let plugins = load_plugins();
    match &files[..] {
        [] => {
            for size_px in [64, 100] {
                let (images, zlut) = simulated(size_px);
                println!("{}", measure(&plugins, &images, &zlut).0);
            }
        }
        [images, zlut, results @ ..] if results.len() < 2 => {
            let images: Array3<u8> = read_npy(images).unwrap_or_else(|e| panic!("{}: {e}", images.display()));
            let zlut: Array2<f64> = read_npy(zlut).unwrap_or_else(|e| panic!("{}: {e}", zlut.display()));
            let (report, positions) = measure(&plugins, &images, &zlut);
            if let [to] = results {
                write_npy(to, &positions).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
            }
            println!("{report}");
        }
        other => panic!("{} files given, none, two or three are understood", other.len()),
    }
}

/// Both plugins, loaded as the program loads them, from the folder that this bench was built into. Started by cargo it
/// has them built first; started by itself it takes what is there.
fn load_plugins() -> Registry {
    let executable = std::env::current_exe().expect("a running program has a file");
    let folder = executable.parent().and_then(|deps| deps.parent()).expect("benches lie in `<profile>/deps`");
    if let Some(cargo) = std::env::var_os("CARGO") {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let target = folder.parent().expect("the profile lies in the target");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir"]).arg(target);
        build.args(["-p", "tetherscope-tracker-magtrack", "-p", "tetherscope-zlut-correlation"]);
        assert!(build.status().expect("cargo starts").success(), "{build:?} failed");
    }
    let options = SearchOptions { usual_places: false, cache: None, ..SearchOptions::default() };
    let mut registry = Registry::default();
    for name in ["tetherscope_tracker_magtrack", "tetherscope_zlut_correlation"] {
        let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        registry.load_file(&folder.join(file), &options).unwrap_or_else(|e| panic!("{e}"));
    }
    registry
}

/// Tracks and looks up all images again and again; the report, and x, y, z of each image.
fn measure(plugins: &Registry, images: &Array3<u8>, zlut: &Array2<f64>) -> (serde_json::Value, Array2<f64>) {
    let (n, height, width) = images.dim();
    let memory = FrameMemory::from(images.as_slice().expect("images in C order"));
    let offsets: Vec<u64> = (0..n).map(|k| (k * height * width) as u64).collect();
    let (bead_ids, frame_indices) = ((0..n as u32).collect::<Vec<_>>(), vec![0; n]);
    let batches: Vec<RoiSet<'_>> = (0..n)
        .step_by(N_BATCH)
        .map(|first| first..(first + N_BATCH).min(n))
        .map(|range| RoiSet {
            memory,
            offsets: &offsets[range.clone()],
            row_stride_bytes: width as u64,
            pixel_stride_bytes: 1,
            w_px: width as u32,
            h_px: height as u32,
            pixel_format: tetherscope_loader::abi::PIXEL_MONO8,
            bead_ids: &bead_ids[range.clone()],
            frame_indices: &frame_indices[range],
        })
        .collect();

    let tracker = plugins.resolve(Kind::Tracker, "tracker.magtrack").expect("it was loaded");
    let strategy = plugins.resolve(Kind::Zlut, "zlut.correlation").expect("it was loaded");
    let labels = [tracker, strategy].map(|c| format!("{}#{}", c.label(), &c.hash()[..8]));
    let tracker = Tracker::create(tracker, tracker.params([]).expect("defaults")).expect("defaults work");
    let strategy = ZlutStrategy::create(strategy, strategy.params([]).expect("defaults")).expect("defaults work");
    let config = WorkerConfig::mono8(width as u32, height as u32, N_BATCH as u32);
    let mut worker = tracker.worker(&config).unwrap_or_else(|e| panic!("{e}"));
    let layout = *worker.layout();
    let saved = SavedTable {
        z_nm: zlut.row(0).to_vec(),
        profiles: zlut.slice(ndarray::s![1.., ..]).t().iter().copied().collect(),
        ..SavedTable::default()
    };
    let table = strategy.load(&saved, &layout, &config).unwrap_or_else(|e| panic!("{e}"));
    let mut lookup = strategy.worker(&config, &layout).unwrap_or_else(|e| panic!("{e}"));
    let tables = vec![&*table; N_BATCH];
    let (mut out, mut scratch) = (TrackBuffers::default(), LookupBuffers::default());
    let mut run = |rois: &RoiSet<'_>, out: &mut TrackBuffers| {
        worker.track(rois, out).unwrap_or_else(|e| panic!("{e}"));
        lookup.lookup(rois, &tables[..rois.len()], out, &mut scratch).unwrap_or_else(|e| panic!("{e}"));
    };

    let mut positions = Array2::zeros((n, 3));
    for (b, rois) in batches.iter().enumerate() {
        run(rois, &mut out);
        for (k, fix) in out.fixes.iter().enumerate() {
            positions.row_mut(b * N_BATCH + k).assign(&ndarray::arr1(&[fix.x_px, fix.y_px, fix.z_nm]));
        }
    }
    let mut rates = [(0.0, 0.0); N_ROUNDS];
    for rate in &mut rates {
        let (cpu, wall, mut n_done) = (cpu_s(), Instant::now(), 0);
        while cpu_s() - cpu < ROUND_S {
            batches.iter().for_each(|rois| run(rois, &mut out));
            n_done += n;
        }
        *rate = (n_done as f64 / (cpu_s() - cpu), n_done as f64 / wall.elapsed().as_secs_f64());
    }
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let report = serde_json::json!({
        "size_px": width,
        "n_rois": n,
        "n_with_z": positions.column(2).iter().filter(|z| z.is_finite()).count(),
        "n_planes": zlut.ncols(),
        "batch": N_BATCH,
        "rois_per_cpu_s": rates[N_ROUNDS / 2].0.round(),
        "rois_per_cpu_s_best": rates[N_ROUNDS - 1].0.round(),
        "rois_per_wall_s": rates[N_ROUNDS / 2].1.round(),
        "plugins": labels,
    });
    (report, positions)
}

/// CPU time of this process.
#[cfg(unix)]
fn cpu_s() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    t.tv_sec as f64 + 1e-9 * t.tv_nsec as f64
}

/// Where there is no such clock: the time since the first call.
#[cfg(not(unix))]
fn cpu_s() -> f64 {
    static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    BEGIN.elapsed().as_secs_f64()
}

/// Noisy simulated beads near the middle of their ROI, and a Z-LUT of 201 planes.
fn simulated(size_px: usize) -> (Array3<u8>, Array2<f64>) {
    let mut state = 11u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let parameters = SimulationParameters { size_px, ..SimulationParameters::default() };
    let reach_nm = [200.0, 200.0, 3000.0];
    let xyz_nm = Array2::from_shape_fn((N_BEADS, 3), |(_, axis)| reach_nm[axis] * (2.0 * uniform() - 1.0));
    let images = simulate_beads(xyz_nm.view(), &parameters).expect("default parameters");
    let images =
        images.mapv(|v| (255.0 * (v + 0.02 * (uniform() + uniform() + uniform() - 1.5))).clamp(0.0, 255.0) as u8);
    let z_nm: Vec<f64> = (-100..=100).map(|k| 100.0 * f64::from(k)).collect();
    (images, simulate_zlut(&z_nm, 1, &parameters).expect("default parameters"))
}
