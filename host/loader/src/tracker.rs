//! Trackers, in this process or in children: callers do not know which.

use crate::child::{RemoteTracker, RemoteTrackerWorker};
use crate::component::Component;
use crate::direct::{self, ArraySet, RoiSet, TrackBuffers};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::Arc;
use tetherscope_plugin_api::{ProfileLayout, WorkerConfig};

/// An instance: a method with its parameters.
pub struct Tracker {
    component: Component,
    params: ParamSet,
    home: Home,
}

enum Home {
    Direct(Arc<direct::Tracker>),
    Child(Arc<RemoteTracker>),
}

impl Tracker {
    /// Makes an instance.
    pub fn create(component: &Component, params: ParamSet) -> Result<Arc<Self>, PluginError> {
        let home = if component.is_isolated() {
            Home::Child(RemoteTracker::create(component, params.clone())?)
        } else {
            Home::Direct(direct::Tracker::create(component, &params)?)
        };
        Ok(Arc::new(Self { component: component.clone(), params, home }))
    }

    /// The component.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// The parameters, all of them.
    pub fn params(&self) -> &ParamSet {
        &self.params
    }

    /// Makes a worker for ROIs of one shape. Off the live path.
    pub fn worker(self: &Arc<Self>, config: &WorkerConfig) -> Result<TrackerWorker, PluginError> {
        Ok(TrackerWorker(match &self.home {
            Home::Direct(t) => Worker::Direct(t.worker(config)?),
            Home::Child(t) => Worker::Child(Box::new(t.worker(config)?)),
        }))
    }
}

/// A worker: one caller at a time, moved between threads freely.
pub struct TrackerWorker(Worker);

enum Worker {
    Direct(direct::TrackerWorker),
    Child(Box<RemoteTrackerWorker>),
}

impl TrackerWorker {
    /// Geometry of the profiles.
    pub fn layout(&self) -> &ProfileLayout {
        match &self.0 {
            Worker::Direct(w) => w.layout(),
            Worker::Child(w) => w.layout(),
        }
    }

    /// Tracks a batch. On an error every row is NaN with [`crate::abi::FLAG_PLUGIN_ERROR`]; else every row is a result,
    /// or NaN and a flag. Panics if the batch has more ROIs than the worker was made for.
    ///
    /// Isolated, the ROIs are copied; a call that crashes or takes too long costs this batch, and the next call starts a
    /// new child.
    pub fn track(&mut self, rois: &RoiSet<'_>, out: &mut TrackBuffers) -> Result<(), PluginError> {
        match &mut self.0 {
            Worker::Direct(w) => w.track(rois, out),
            Worker::Child(w) => w.track(rois, out),
        }
    }

    /// How the result of a batch of one ROI came about.
    pub fn explain(&mut self, rois: &RoiSet<'_>) -> Result<ArraySet, PluginError> {
        assert!(rois.len() == 1, "explain takes one ROI, not {}", rois.len());
        match &mut self.0 {
            Worker::Direct(w) => w.explain(rois),
            Worker::Child(w) => w.explain(rois),
        }
    }
}
