//! What a call into a plugin costs: a tracker that does nothing, loaded from its library, against the same code linked
//! into this program. Prints ns per batch, the fastest of many rounds.
//!
//! `cargo bench -p tetherscope-tests --bench plugin_call`
#![allow(unsafe_code)]

#[path = "../integration/harness.rs"]
#[allow(dead_code, unused_imports)]
mod harness;
#[path = "../fixtures/nop/src/nop.rs"]
mod nop;

use std::time::Instant;
use tetherscope_loader::{
    FrameMemory, Kind, Registry, RoiSet, SearchOptions, TrackBuffers, Tracker, WorkerConfig, abi,
};
use tetherscope_plugin_api::{Fix, ParamValues, RoiBatch, TrackRows, Tracker as _, TrackerWorker as _};

const SIZE_PX: u32 = 64;
const CALLS: u32 = 10_000;
const ROUNDS: u32 = 50;

/// ns per call, the fastest round.
fn fastest(mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..CALLS).for_each(|_| call());
        begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..ROUNDS).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

fn main() {
    // With a cache, as the program has one: each call then notes what its thread is in.
    let folder = harness::scratch("bench-cache");
    let options = SearchOptions {
        usual_places: false,
        cache: Some(folder.path().join("plugins.json")),
        child: Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into()),
        ..SearchOptions::default()
    };
    let mut registry = Registry::default();
    registry.load_file(&harness::optimised_fixture("nop"), &options).expect("the fixture loads");
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.nop").expect("the fixture is a tracker");
    let loaded = Tracker::create(component, component.params([]).expect("no parameters")).expect("it creates");

    println!(
        "ROIs per batch | linked statically | the same, rows prepared and checked | loaded plugin | added by loading"
    );
    for n in [1_u32, 100] {
        let config = WorkerConfig::mono8(SIZE_PX, SIZE_PX, n);
        let pixels = vec![7_u8; (SIZE_PX * SIZE_PX * n) as usize];
        let offsets: Vec<u64> = (0..n).map(|i| u64::from(i * SIZE_PX * SIZE_PX)).collect();
        let (beads, frames) = (vec![0_u32; n as usize], vec![0_u64; n as usize]);

        let mut out = TrackBuffers::default();
        let mut worker = loaded.worker(&config).expect("it makes a worker");
        let rois = RoiSet {
            memory: FrameMemory::from(pixels.as_slice()),
            offsets: &offsets,
            row_stride_bytes: SIZE_PX.into(),
            pixel_stride_bytes: 1,
            w_px: SIZE_PX,
            h_px: SIZE_PX,
            pixel_format: abi::PIXEL_MONO8,
            bead_ids: &beads,
            frame_indices: &frames,
        };
        let through_library = fastest(|| worker.track(&rois, &mut out).expect("it tracks"));

        let raw = abi::Batch {
            base: pixels.as_ptr(),
            len_bytes: pixels.len() as u64,
            offsets: offsets.as_ptr(),
            row_stride_bytes: SIZE_PX.into(),
            pixel_stride_bytes: 1,
            n_rois: n,
            w_px: SIZE_PX,
            h_px: SIZE_PX,
            pixel_format: abi::PIXEL_MONO8,
            reserved0: 0,
            bead_ids: beads.as_ptr(),
            frame_indices: frames.as_ptr(),
            reserved: [0; 4],
        };
        let method = nop::Nop::create(&ParamValues::default()).expect("it creates");
        let (mut linked, _) = method.worker(&config).expect("it makes a worker");
        let mut fixes = vec![Fix::EMPTY; n as usize];
        let mut call = |fixes: &mut [Fix]| {
            // SAFETY: the batch describes vectors that live to the end of this round of the loop.
            let batch = unsafe { RoiBatch::new(std::hint::black_box(&raw)) };
            linked.track(&batch, &mut TrackRows::new(fixes, &mut [], &mut [], 0)).expect("it tracks");
        };
        let static_call = fastest(|| call(&mut fixes));
        let with_checks = fastest(|| {
            fixes.clear();
            fixes.resize(n as usize, Fix::EMPTY);
            call(&mut fixes);
            for f in &mut fixes {
                if f.x_px.is_nan() || f.y_px.is_nan() || f.x_px.is_infinite() || f.y_px.is_infinite() {
                    f.flags |= abi::FLAG_NON_FINITE;
                }
            }
        });
        println!(
            "{n:14} | {static_call:14.1} ns | {with_checks:33.1} ns | {through_library:10.1} ns | {:9.1} ns",
            through_library - static_call
        );
    }
}
