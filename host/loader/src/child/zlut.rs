//! A Z-LUT strategy in children. Tables are built in one of them, and kept here in parts: each worker's child loads a table
//! when it first needs it, and again after it was started anew.

use super::arena::{Arena, Shape};
use super::line::Line;
use super::pod::{bytes_of, values_of};
use super::request::{PartSizes, Request, WireSweep, pod, to_wire};
use super::tracker::WROTE_BEYOND;
use super::{arrays, wire};
use crate::component::Component;
use crate::direct::{ArraySet, LookupBuffers, RoiSet, SavedTable, SweepData, TrackBuffers};
use crate::error::PluginError;
use crate::library::MAX_OUTPUT_BYTES;
use crate::params::ParamSet;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tetherscope_plugin_api::{ProfileLayout, WorkerConfig, abi};

/// Tables in a child beyond which those that the host forgot are forgotten there too.
const TABLES_TO_TIDY: usize = 64;

/// An instance: a strategy with its parameters, for as many children as it gets workers.
pub(crate) struct RemoteStrategy {
    component: Component,
    params: ParamSet,
    /// A child with an instance that nobody uses.
    spare: Mutex<Option<Line>>,
}

impl RemoteStrategy {
    pub(crate) fn create(component: &Component, params: ParamSet) -> Result<Arc<Self>, PluginError> {
        let made = Self { component: component.clone(), params, spare: Mutex::default() };
        let line = made.line("create")?;
        made.keep(line);
        Ok(Arc::new(made))
    }

    /// A child with an instance: the spare one, or a new one.
    fn line(&self, function: &'static str) -> Result<Line, PluginError> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut line = spare.unwrap_or_else(|| Line::new(&self.component));
        if !line.is_up() {
            self.set_up(&mut line, function)?;
        }
        Ok(line)
    }

    fn set_up(&self, line: &mut Line, function: &'static str) -> Result<(), PluginError> {
        line.start(function)?;
        let request = Request::CreateStrategy { index: self.component.index, params: to_wire(&self.params) };
        line.ask("create", &request, &[]).map(drop)
    }

    fn keep(&self, line: Line) {
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = line.is_up().then_some(line);
    }

    pub(crate) fn build(&self, sweep: &SweepData<'_>) -> Result<Arc<RemoteTable>, PluginError> {
        sweep.check();
        let (n, rois) = (sweep.rois.len(), &sweep.rois);
        let shape = Shape {
            w_px: rois.w_px,
            h_px: rois.h_px,
            pixel_format: rois.pixel_format,
            n_bins: sweep.layout.n_bins,
            with_pixels: true,
        };
        let arena = Arena::new(shape, n)
            .map_err(|e| self.component.error("build", abi::STATUS_OUT_OF_MEMORY, e.to_string()))?;
        let places = arena.places(n);
        arena.put_rois(&places, rois);
        arena.put(places.extra, sweep.focus_nm);
        arena.put(places.fixes, &sweep.tracks.fixes);
        arena.put(places.profiles, &sweep.tracks.profiles);
        arena.put(places.weights, &sweep.tracks.weights);
        let (path, bytes) = arena.path_and_bytes();
        let request = Request::Build(Box::new(WireSweep {
            path,
            bytes,
            shape,
            n_rois: n,
            layout: pod(&sweep.layout),
            config: pod(&sweep.config),
            tracker_id: sweep.tracker.id.to_owned(),
            tracker_version: sweep.tracker.version.to_owned(),
            tracker_params: to_wire(sweep.tracker.params),
        }));
        let mut line = self.line("build")?;
        let built = line.ask_job("build", &request, &[], &mut |_| {}).map(|(json, bytes)| read_parts(json, bytes));
        if built.is_ok() {
            line.success();
        }
        self.keep(line);
        let refuse = |m: String| self.component.error("save", abi::STATUS_INTERNAL, m);
        let saved = built?.map_err(refuse)?;
        saved.check_saved(&sweep.layout).map_err(refuse)?;
        Ok(RemoteTable::new(saved, &sweep.layout, &sweep.config))
    }

    pub(crate) fn load(
        &self,
        saved: &SavedTable,
        layout: &ProfileLayout,
        config: &WorkerConfig,
    ) -> Result<Arc<RemoteTable>, PluginError> {
        let table = RemoteTable::new(saved.clone(), layout, config);
        // Tried at once, so that a table that the strategy refuses is refused here and not in the middle of a run.
        let mut line = self.line("load")?;
        let loaded = table.send(&mut line).and_then(|()| {
            let forget = Request::FreeTables { ids: vec![table.id] };
            line.ask("load", &forget, &[]).map(drop)
        });
        self.keep(line);
        loaded.map(|()| table)
    }

    pub(crate) fn worker(
        self: &Arc<Self>,
        config: &WorkerConfig,
        layout: &ProfileLayout,
    ) -> Result<RemoteZlutWorker, PluginError> {
        let line = self.line("worker")?;
        let info = self.component.info();
        let shape = Shape {
            w_px: config.w_px,
            h_px: config.h_px,
            pixel_format: config.pixel_format,
            n_bins: layout.n_bins,
            with_pixels: info.can("needs_pixels"),
        };
        let arena = Arena::new(shape, config.max_rois as usize)
            .map_err(|e| self.component.error("worker", abi::STATUS_OUT_OF_MEMORY, e.to_string()))?;
        let mut made = RemoteZlutWorker {
            refines_xy: info.can("refines_xy"),
            strategy: self.clone(),
            line,
            config: *config,
            layout: *layout,
            arena,
            loaded: HashMap::new(),
            tidy_at: TABLES_TO_TIDY,
            ids: Vec::new(),
        };
        made.make()?;
        Ok(made)
    }
}

/// A table, kept here in parts.
pub(crate) struct RemoteTable {
    id: u64,
    saved: SavedTable,
    layout: ProfileLayout,
    config: WorkerConfig,
}

impl RemoteTable {
    fn new(saved: SavedTable, layout: &ProfileLayout, config: &WorkerConfig) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { id, saved, layout: *layout, config: *config })
    }

    pub(crate) fn saved(&self) -> &SavedTable {
        &self.saved
    }

    /// Loads it in a child.
    fn send(&self, line: &mut Line) -> Result<(), PluginError> {
        let s = &self.saved;
        let parts = PartSizes {
            n_planes: s.z_nm.len(),
            n_values: s.profiles.len(),
            n_variances: s.variance.as_ref().map(Vec::len),
            n_bytes: s.bytes.as_ref().map(Vec::len),
        };
        let request = Request::LoadTable { id: self.id, parts, layout: pod(&self.layout), config: pod(&self.config) };
        let (variance, bytes) = (s.variance.as_deref().unwrap_or_default(), s.bytes.as_deref().unwrap_or_default());
        let blocks = [bytes_of(&s.z_nm), bytes_of(&s.profiles), bytes_of(variance), bytes];
        line.ask("load", &request, &blocks).map(drop)
    }
}

/// A table from its sizes and its bytes; the error says what does not fit together.
pub(super) fn parts_of(sizes: &PartSizes, bytes: &[u8]) -> Result<SavedTable, String> {
    let numbers = [sizes.n_planes, sizes.n_values, sizes.n_variances.unwrap_or(0)];
    let lengths = numbers.map(|n| n.checked_mul(8));
    let mut rest = bytes;
    let mut part = |len: Option<usize>| {
        let (this, others) = len.and_then(|len| rest.split_at_checked(len)).ok_or("the table it sent is cut short")?;
        rest = others;
        Ok::<&[u8], String>(this)
    };
    let (z, profiles, variance) = (part(lengths[0])?, part(lengths[1])?, part(lengths[2])?);
    let own = part(Some(sizes.n_bytes.unwrap_or(0)))?;
    Ok(SavedTable {
        z_nm: values_of(z),
        profiles: values_of(profiles),
        variance: sizes.n_variances.map(|_| values_of(variance)),
        bytes: sizes.n_bytes.map(|_| own.to_vec()),
    })
}

fn read_parts(json: &[u8], bytes: &[u8]) -> Result<SavedTable, String> {
    if bytes.len() > MAX_OUTPUT_BYTES {
        return Err(format!("the table it sent has {} bytes", bytes.len()));
    }
    let sizes = serde_json::from_slice(json).map_err(|e| format!("the table it sent makes no sense: {e}"))?;
    parts_of(&sizes, bytes)
}

/// A worker in a child.
pub(crate) struct RemoteZlutWorker {
    strategy: Arc<RemoteStrategy>,
    line: Line,
    config: WorkerConfig,
    layout: ProfileLayout,
    refines_xy: bool,
    arena: Arena,
    /// Tables that the present child has.
    loaded: HashMap<u64, Weak<RemoteTable>>,
    tidy_at: usize,
    /// Table ids of the batch, kept from batch to batch.
    ids: Vec<u64>,
}

impl RemoteZlutWorker {
    fn make(&mut self) -> Result<(), PluginError> {
        self.loaded.clear();
        let request = Request::ZlutWorker { config: pod(&self.config), layout: pod(&self.layout) };
        self.line.ask("worker", &request, &[])?;
        let (path, bytes) = self.arena.path_and_bytes();
        self.line.ask("worker", &Request::MapArena { path, bytes, shape: self.arena.shape() }, &[]).map(drop)
    }

    /// Starts a child anew if the last one has gone.
    fn revive(&mut self, function: &'static str) -> Result<(), PluginError> {
        if self.line.is_up() {
            return Ok(());
        }
        let strategy = self.strategy.clone();
        let made = strategy.set_up(&mut self.line, function).and_then(|()| self.make());
        if made.is_err() {
            // A child with half of what it needs would be taken for a whole one.
            self.line.end();
        }
        made
    }

    pub(crate) fn lookup<'t>(
        &mut self,
        rois: &RoiSet<'_>,
        tables: impl Iterator<Item = &'t Arc<RemoteTable>>,
        tracks: &mut TrackBuffers,
        scratch: &mut LookupBuffers,
    ) -> Result<(), PluginError> {
        scratch.remember(tracks);
        let done = self.call(rois, tables, tracks);
        scratch.settle(tracks, done.is_err(), self.refines_xy);
        done
    }

    fn call<'t>(
        &mut self,
        rois: &RoiSet<'_>,
        tables: impl Iterator<Item = &'t Arc<RemoteTable>>,
        tracks: &mut TrackBuffers,
    ) -> Result<(), PluginError> {
        let n = rois.len();
        self.put(rois, tables, tracks, "lookup")?;
        let places = self.arena.places(n);
        self.line.ring("lookup", wire::LOOKUP, n)?;
        if !self.arena.guards_hold(&places) {
            return Err(self.line.end_for("lookup", WROTE_BEYOND));
        }
        self.arena.get(places.fixes, &mut tracks.fixes);
        Ok(())
    }

    /// Puts a batch into the arena, and its tables into the child.
    fn put<'t>(
        &mut self,
        rois: &RoiSet<'_>,
        tables: impl Iterator<Item = &'t Arc<RemoteTable>>,
        tracks: &TrackBuffers,
        function: &'static str,
    ) -> Result<(), PluginError> {
        let (n, n_bins, max_rois) = (rois.len(), self.layout.n_bins as usize, self.config.max_rois as usize);
        assert!(n <= max_rois, "{n} ROIs for a worker made for {max_rois}");
        assert!(tracks.fixes.len() == n, "{} tracks for {n} ROIs", tracks.fixes.len());
        assert!(tracks.n_bins == n_bins, "profiles of {} bins for a worker of {n_bins}", tracks.n_bins);
        self.revive(function)?;
        self.ids.clear();
        for table in tables {
            self.ids.push(table.id);
            if !self.loaded.contains_key(&table.id) {
                table.send(&mut self.line)?;
                self.loaded.insert(table.id, Arc::downgrade(table));
            }
        }
        if self.loaded.len() > self.tidy_at {
            self.tidy(function)?;
        }
        let places = self.arena.places(n);
        self.arena.put_rois(&places, rois);
        self.arena.put(places.extra, &self.ids);
        self.arena.put(places.fixes, &tracks.fixes);
        self.arena.put(places.profiles, &tracks.profiles);
        self.arena.put(places.weights, &tracks.weights);
        self.arena.guard(&places);
        Ok(())
    }

    /// Lets the child forget the tables that nobody here has any more.
    fn tidy(&mut self, function: &'static str) -> Result<(), PluginError> {
        let gone = |(id, table): (&u64, &Weak<RemoteTable>)| (table.strong_count() == 0).then_some(*id);
        let ids: Vec<u64> = self.loaded.iter().filter_map(gone).collect();
        ids.iter().for_each(|id| drop(self.loaded.remove(id)));
        self.tidy_at = TABLES_TO_TIDY.max(2 * self.loaded.len());
        self.line.ask(function, &Request::FreeTables { ids }, &[]).map(drop)
    }

    pub(crate) fn explain(
        &mut self,
        rois: &RoiSet<'_>,
        table: &Arc<RemoteTable>,
        tracks: &TrackBuffers,
    ) -> Result<ArraySet, PluginError> {
        self.put(rois, std::iter::once(table), tracks, "explain")?;
        let (json, bytes) = self.line.ask("explain", &Request::ExplainLookup, &[])?;
        let read = arrays::read(json, bytes);
        read.map_err(|m| self.strategy.component.error("explain", abi::STATUS_INTERNAL, m))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_as_it_was_and_every_cut_is_an_error() {
        let sizes = PartSizes { n_planes: 2, n_values: 3, n_variances: Some(3), n_bytes: Some(5) };
        let bytes: Vec<u8> = (0..8 * 8 + 5).collect();
        let saved = parts_of(&sizes, &bytes).unwrap();
        assert_eq!((saved.z_nm.len(), saved.profiles.len(), saved.variance.unwrap().len()), (2, 3, 3));
        assert_eq!(saved.bytes.unwrap(), bytes[64..]);
        for cut in 0..bytes.len() {
            assert!(parts_of(&sizes, &bytes[..cut]).is_err());
        }
        assert!(parts_of(&PartSizes { n_values: usize::MAX / 4, ..sizes }, &bytes).is_err());
    }
}
