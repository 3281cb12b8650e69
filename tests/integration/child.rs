//! A program that is nothing but a helper child of the loader and of the suite of checks, as `tetherscope` is with its
//! first lines; as `host MODE LIBRARY`, a host of isolated plugins that a test can kill; and as `direct FAULT LIBRARY
//! CACHE`, a host that tracks in its own process.

use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tetherscope_loader::{
    IsolationOptions, Kind, Registry, RoiSet, SearchOptions, TrackBuffers, Tracker, TrackerWorker, WorkerConfig, abi,
};

fn main() {
    tetherscope_loader::run_if_child();
    tetherscope_check::run_if_child();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["host", mode, library] => host(mode, Path::new(library)),
        ["direct", fault, library, cache] => direct(fault, Path::new(library), Path::new(cache)),
        _ => {
            eprintln!("this program only helps the tests of the loader");
            std::process::exit(2);
        }
    }
}

/// Tracks with two children, then drops them (`drop`) or hangs in one of them (`loop`) until its input ends.
fn host(mode: &str, library: &Path) {
    let isolation =
        IsolationOptions { all: true, call_limit: Duration::from_secs(3600), ..IsolationOptions::default() };
    let options = SearchOptions { usual_places: false, cache: None, isolation, ..SearchOptions::default() };
    let mut registry = Registry::default();
    registry.load_file(library, &options).expect("the fixture loads");
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.crash").expect("it has a tracker");
    let tracker = Tracker::create(component, component.params([("fault", "loop")]).expect("it has the fault"));
    let tracker = tracker.expect("it creates");
    let config = WorkerConfig::mono8(8, 6, 1);
    let mut two = [0, 1].map(|_| tracker.worker(&config).expect("a child starts"));
    two.iter_mut().for_each(|worker| track(worker, 1));
    tell("up");
    if mode == "loop" {
        let [_idle, busy] = &mut two;
        track(busy, 13);
    }
    drop((two, tracker, registry));
    tell("dropped");
    let _ = std::io::read_to_string(std::io::stdin());
}

/// Tracks in this process: a good batch, then the one with the fault, then waits until its input ends.
fn direct(fault: &str, library: &Path, cache: &Path) {
    let cache = Some(cache.to_owned());
    let options = SearchOptions { usual_places: false, cache, ..SearchOptions::default() };
    let mut registry = Registry::default();
    registry.load_file(library, &options).expect("the fixture loads");
    let component = registry.components().iter().find(|c| c.info().kind == Kind::Tracker).expect("it has a tracker");
    assert!(!component.is_isolated(), "it is isolated");
    let params = component.params([("fault", fault)]).expect("it has the fault");
    let tracker = Tracker::create(component, params).expect("it creates");
    let mut worker = tracker.worker(&WorkerConfig::mono8(8, 6, 1)).expect("it makes a worker");
    track(&mut worker, 1);
    tell("up");
    track(&mut worker, 13);
    tell("tracked");
    let _ = std::io::read_to_string(std::io::stdin());
}

fn track(worker: &mut TrackerWorker, bead: u32) {
    let rois = RoiSet {
        memory: [7_u8; 48].as_slice().into(),
        offsets: &[0],
        row_stride_bytes: 8,
        pixel_stride_bytes: 1,
        w_px: 8,
        h_px: 6,
        pixel_format: abi::PIXEL_MONO8,
        bead_ids: &[bead],
        frame_indices: &[0],
    };
    worker.track(&rois, &mut TrackBuffers::default()).expect("a batch is tracked");
}

fn tell(what: &str) {
    println!("{what}");
    std::io::stdout().flush().expect("the test listens");
}
