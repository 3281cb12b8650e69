//! A tracker in children: one child for each worker, with an instance and a worker of its own.

use super::arena::{Arena, Shape};
use super::line::Line;
use super::request::{Request, from_pod, pod, to_wire};
use super::{arrays, wire};
use crate::component::Component;
use crate::direct::{ArraySet, RoiSet, TrackBuffers, check_fix, check_layout};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::{Arc, Mutex, PoisonError};
use tetherscope_plugin_api::abi;
use tetherscope_plugin_api::{ProfileLayout, WorkerConfig};

/// What a plugin did that wrote where it must not.
pub(super) const WROTE_BEYOND: &str = "it wrote beyond its output, and its process was ended";

/// An instance: a method with its parameters, for as many children as it gets workers.
pub(crate) struct RemoteTracker {
    component: Component,
    params: ParamSet,
    /// The child in which the parameters were tried; the first worker takes it over.
    spare: Mutex<Option<Line>>,
}

impl RemoteTracker {
    pub(crate) fn create(component: &Component, params: ParamSet) -> Result<Arc<Self>, PluginError> {
        let made = Self { component: component.clone(), params, spare: Mutex::default() };
        let mut line = Line::new(component);
        made.set_up(&mut line, "create")?;
        *made.spare() = Some(line);
        Ok(Arc::new(made))
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Option<Line>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a child with an instance.
    fn set_up(&self, line: &mut Line, function: &'static str) -> Result<(), PluginError> {
        line.start(function)?;
        let request = Request::CreateTracker { index: self.component.index, params: to_wire(&self.params) };
        line.ask("create", &request, &[]).map(drop)
    }

    pub(crate) fn worker(self: &Arc<Self>, config: &WorkerConfig) -> Result<RemoteTrackerWorker, PluginError> {
        let mut line = self.spare().take().unwrap_or_else(|| Line::new(&self.component));
        if !line.is_up() {
            self.set_up(&mut line, "worker")?;
        }
        let layout = self.make_worker(&mut line, config)?;
        let refuse = |m: String| self.component.error("worker", abi::STATUS_INTERNAL, m);
        check_layout(&layout).map_err(refuse)?;
        let shape = Shape {
            w_px: config.w_px,
            h_px: config.h_px,
            pixel_format: config.pixel_format,
            n_bins: layout.n_bins,
            with_pixels: true,
        };
        let arena = Arena::new(shape, config.max_rois as usize)
            .map_err(|e| self.component.error("worker", abi::STATUS_OUT_OF_MEMORY, e.to_string()))?;
        let mut made = RemoteTrackerWorker { tracker: self.clone(), line, config: *config, layout, arena };
        made.map()?;
        Ok(made)
    }

    fn make_worker(&self, line: &mut Line, config: &WorkerConfig) -> Result<ProfileLayout, PluginError> {
        let (_, layout) = line.ask("worker", &Request::TrackerWorker { config: pod(config) }, &[])?;
        from_pod(layout).map_err(|m| self.component.error("worker", abi::STATUS_INTERNAL, m))
    }
}

/// A worker in a child.
pub(crate) struct RemoteTrackerWorker {
    tracker: Arc<RemoteTracker>,
    line: Line,
    config: WorkerConfig,
    layout: ProfileLayout,
    arena: Arena,
}

impl RemoteTrackerWorker {
    pub(crate) fn layout(&self) -> &ProfileLayout {
        &self.layout
    }

    fn map(&mut self) -> Result<(), PluginError> {
        let (path, bytes) = self.arena.path_and_bytes();
        self.line.ask("worker", &Request::MapArena { path, bytes, shape: self.arena.shape() }, &[]).map(drop)
    }

    /// Starts a child anew if the last one has gone.
    fn revive(&mut self, function: &'static str) -> Result<(), PluginError> {
        if self.line.is_up() {
            return Ok(());
        }
        let made = self.set_up_again(function);
        if made.is_err() {
            // A child with half of what it needs would be taken for a whole one.
            self.line.end();
        }
        made
    }

    fn set_up_again(&mut self, function: &'static str) -> Result<(), PluginError> {
        let tracker = self.tracker.clone();
        tracker.set_up(&mut self.line, function)?;
        let layout = tracker.make_worker(&mut self.line, &self.config)?;
        if pod(&layout) != pod(&self.layout) {
            return Err(self.line.end_for(function, "started again, it announces other profiles than before"));
        }
        self.map()
    }

    pub(crate) fn track(&mut self, rois: &RoiSet<'_>, out: &mut TrackBuffers) -> Result<(), PluginError> {
        let (n, max_rois) = (rois.len(), self.config.max_rois as usize);
        assert!(n <= max_rois, "{n} ROIs for a worker made for {max_rois}");
        out.prepare(n, self.layout.n_bins as usize);
        let done = self.call(rois, out);
        match &done {
            Ok(()) => out.fixes.iter_mut().for_each(check_fix),
            Err(_) => out.spoil(abi::FLAG_PLUGIN_ERROR),
        }
        done
    }

    fn call(&mut self, rois: &RoiSet<'_>, out: &mut TrackBuffers) -> Result<(), PluginError> {
        self.revive("track")?;
        let places = self.arena.places(rois.len());
        self.arena.put_rois(&places, rois);
        self.arena.put(places.fixes, &out.fixes);
        self.arena.put(places.profiles, &out.profiles);
        self.arena.put(places.weights, &out.weights);
        self.arena.guard(&places);
        self.line.ring("track", wire::TRACK, rois.len())?;
        if !self.arena.guards_hold(&places) {
            return Err(self.line.end_for("track", WROTE_BEYOND));
        }
        self.arena.get(places.fixes, &mut out.fixes);
        self.arena.get(places.profiles, &mut out.profiles);
        self.arena.get(places.weights, &mut out.weights);
        Ok(())
    }

    pub(crate) fn explain(&mut self, rois: &RoiSet<'_>) -> Result<ArraySet, PluginError> {
        self.revive("explain")?;
        self.arena.put_rois(&self.arena.places(1), rois);
        let (json, bytes) = self.line.ask("explain", &Request::ExplainTrack, &[])?;
        let read = arrays::read(json, bytes);
        read.map_err(|m| self.tracker.component.error("explain", abi::STATUS_INTERNAL, m))
    }
}
