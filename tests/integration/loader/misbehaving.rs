//! Calls into components that are bad in one way: each fails with the plugin's id, the function, the cause and a mend, or
//! comes back checked; this process lives on, and the good component beside them goes on working.

mod cameras;
mod finders;
mod stages;
mod strategies;
mod trackers;

use super::pictures::Picture;
use super::{rust_fixture, scan_alone};
use std::sync::{Arc, LazyLock};
use tetherscope_loader::{Component, Kind, ParamSet, PluginError, Registry, TrackBuffers, Tracker, TrackerWorker};

/// The library with one fault per component, loaded once.
static BAD: LazyLock<Registry> = LazyLock::new(|| {
    let registry = scan_alone(&rust_fixture("misbehaving"));
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    registry
});

fn component(kind: Kind, id: &str) -> &'static Component {
    BAD.resolve(kind, id).unwrap()
}

fn defaults(component: &Component) -> ParamSet {
    component.params([]).unwrap()
}

fn create_tracker(registry: &Registry, id: &str) -> Result<Arc<Tracker>, PluginError> {
    let component = registry.resolve(Kind::Tracker, id).unwrap();
    Tracker::create(component, defaults(component))
}

/// A worker for ROIs of 8 × 6 px.
pub fn tracker_worker(registry: &Registry, id: &str) -> TrackerWorker {
    create_tracker(registry, id).unwrap().worker(&Picture::flat(1, 8, 6).config()).unwrap()
}

/// Tracks five flat ROIs.
fn track_five(worker: &mut TrackerWorker) -> (Result<(), PluginError>, TrackBuffers) {
    let picture = Picture::flat(5, 8, 6);
    let mut out = TrackBuffers::default();
    let outcome = worker.track(&picture.rois(), &mut out);
    (outcome, out)
}
