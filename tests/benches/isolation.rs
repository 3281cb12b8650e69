//! What it costs to run a plugin in a child process: added time per batch, recovery after a crash, and the load of a known
//! plugin. Wall time: the fastest and the middle one of many rounds, direct and isolated in turn.
//!
//! `cargo bench -p tetherscope-tests --bench isolation`

#[path = "../integration/harness.rs"]
#[allow(dead_code, unused_imports)]
mod harness;

use std::path::Path;
use std::time::{Duration, Instant};
use tetherscope_loader::{
    Component, FrameMemory, IsolationOptions, Kind, Registry, RoiSet, SearchOptions, TrackBuffers, Tracker,
    TrackerWorker, WorkerConfig, abi,
};

const SIZE_PX: u32 = 64;
const ROUNDS: usize = 2000;

fn options() -> SearchOptions {
    SearchOptions {
        usual_places: false,
        cache: None,
        child: Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into()),
        // Crashes are what is measured here.
        isolation: IsolationOptions { strikes: u32::MAX, ..IsolationOptions::default() },
        ..SearchOptions::default()
    }
}

/// A batch of ROIs side by side, without gaps between them.
struct Batch {
    pixels: Vec<u8>,
    offsets: Vec<u64>,
    beads: Vec<u32>,
    frames: Vec<u64>,
}

impl Batch {
    fn new(n: u32) -> Self {
        let roi = SIZE_PX * SIZE_PX;
        Self {
            pixels: (0..roi * n).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
            offsets: (0..n).map(|i| u64::from(i * roi)).collect(),
            beads: (100..100 + n).collect(),
            frames: vec![0; n as usize],
        }
    }

    fn rois(&self) -> RoiSet<'_> {
        RoiSet {
            memory: FrameMemory::from(self.pixels.as_slice()),
            offsets: &self.offsets,
            row_stride_bytes: u64::from(SIZE_PX),
            pixel_stride_bytes: 1,
            w_px: SIZE_PX,
            h_px: SIZE_PX,
            pixel_format: abi::PIXEL_MONO8,
            bead_ids: &self.beads,
            frame_indices: &self.frames,
        }
    }
}

fn worker(component: &Component, params: &[(&str, &str)], n: u32) -> TrackerWorker {
    let params = component.params(params.iter().copied()).expect("the fixture knows them");
    let tracker = Tracker::create(component, params).expect("it creates");
    tracker.worker(&WorkerConfig::mono8(SIZE_PX, SIZE_PX, n)).expect("it makes a worker")
}

fn timed(call: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    call();
    begun.elapsed()
}

/// The fastest and the middle one.
fn of(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[0], times[times.len() / 2])
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn added(name: &str, registry: &Registry, id: &str, rounds: usize) {
    let component = registry.resolve(Kind::Tracker, id).expect("the fixture is a tracker");
    for n in [1, 100] {
        let batch = Batch::new(n);
        let (mut direct, mut child) = (worker(component, &[], n), worker(&component.isolated(), &[], n));
        let mut out = TrackBuffers::default();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            here.push(timed(|| direct.track(&batch.rois(), &mut out).expect("it tracks")));
            there.push(timed(|| child.track(&batch.rois(), &mut out).expect("it tracks")));
        }
        let (here, there) = (of(here), of(there));
        println!(
            "{name:18} | {n:4} | {:9.1} | {:9.1} | {:6.1} | {:6.1} | {:9.0}",
            us(here.1),
            us(there.1),
            us(there.0) - us(here.0),
            us(there.1) - us(here.1),
            f64::from(n) / there.1.as_secs_f64(),
        );
    }
}

fn recovery(library: &Path) {
    let mut registry = Registry::default();
    registry.load_file(library, &options()).expect("the fixture loads");
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.crash").expect("it is a tracker").isolated();
    let (good, mut bad) = (Batch::new(10), Batch::new(10));
    bad.beads[5] = 13;
    for fault in ["segfault", "abort"] {
        let mut worker = worker(&component, &[("fault", fault)], 10);
        let mut out = TrackBuffers::default();
        let (mut noticed, mut back) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            noticed.push(timed(|| drop(worker.track(&bad.rois(), &mut out).expect_err("it crashes"))));
            back.push(timed(|| worker.track(&good.rois(), &mut out).expect("it is back")));
        }
        let (noticed, back) = (of(noticed), of(back));
        println!("{fault:10} | {:8.2} | {:8.2} | {:8.2}", us(noticed.1) / 1e3, us(back.0) / 1e3, us(back.1) / 1e3);
    }
}

fn load(library: &Path, isolated: bool) {
    let folder = harness::scratch("bench-cache");
    let mut options = SearchOptions { cache: Some(folder.path().join("plugins.json")), ..options() };
    options.isolation.all = isolated;
    let scan = || Registry::default().load_file(library, &options).expect("it loads");
    let first = timed(scan);
    let (fastest, middle) = of((0..200).map(|_| timed(scan)).collect());
    let how = if isolated { "isolated" } else { "in process" };
    println!("{how:10} | {:8.2} | {:8.2} | {:8.2}", us(first) / 1e3, us(fastest) / 1e3, us(middle) / 1e3);
}

fn main() {
    let mut registry = Registry::default();
    registry.load_file(&harness::rust_fixture("nop"), &options()).expect("the fixture loads");
    let magtrack = harness::plugin("tracker-magtrack");
    registry.load_file(&magtrack, &options()).expect("the plugin loads");
    println!("ROIs of {SIZE_PX} px, µs per batch");
    println!("tracker            | ROIs | in process | isolated | added: fastest | middle | ROIs/s isolated");
    added("nothing at all", &registry, "tracker.fixture.nop", ROUNDS);
    added("tracker.magtrack", &registry, "tracker.magtrack", ROUNDS / 10);
    println!("\ncrash, ms  | noticed  | back: fastest | middle");
    recovery(&harness::rust_fixture("crashing"));
    println!("\nload, ms   | unknown  | known: fastest | middle");
    load(&magtrack, false);
    load(&magtrack, true);
}
