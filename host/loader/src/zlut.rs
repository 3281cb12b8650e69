//! Z-LUT strategies, their tables and workers, in this process or in children: callers do not know which.

use crate::child::{RemoteStrategy, RemoteTable, RemoteZlutWorker};
use crate::component::Component;
use crate::direct::{self, ArraySet, LookupBuffers, RoiSet, SavedTable, SweepData, TrackBuffers};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::Arc;
use tetherscope_plugin_api::{ProfileLayout, WorkerConfig, abi};

/// An instance: a strategy with its parameters.
pub struct ZlutStrategy {
    component: Component,
    params: ParamSet,
    home: Home,
}

enum Home {
    Direct(Arc<direct::ZlutStrategy>),
    Child(Arc<RemoteStrategy>),
}

impl ZlutStrategy {
    /// Makes an instance.
    pub fn create(component: &Component, params: ParamSet) -> Result<Arc<Self>, PluginError> {
        let home = if component.is_isolated() {
            Home::Child(RemoteStrategy::create(component, params.clone())?)
        } else {
            Home::Direct(direct::ZlutStrategy::create(component, &params)?)
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

    /// Builds a table from a sweep. May take minutes.
    pub fn build(self: &Arc<Self>, sweep: &SweepData<'_>) -> Result<Arc<Table>, PluginError> {
        let home = match &self.home {
            Home::Direct(s) => TableHome::Direct(s.build(sweep)?),
            Home::Child(s) => TableHome::Child(s.build(sweep)?),
        };
        Ok(self.table(home, &sweep.layout))
    }

    /// Makes a table from its saved parts.
    pub fn load(
        self: &Arc<Self>,
        saved: &SavedTable,
        layout: &ProfileLayout,
        config: &WorkerConfig,
    ) -> Result<Arc<Table>, PluginError> {
        saved.check(layout).map_err(|m| self.component.error("load", abi::STATUS_INVALID_ARGUMENT, m))?;
        let home = match &self.home {
            Home::Direct(s) => TableHome::Direct(s.load(saved, layout, config)?),
            Home::Child(s) => TableHome::Child(s.load(saved, layout, config)?),
        };
        Ok(self.table(home, layout))
    }

    fn table(self: &Arc<Self>, home: TableHome, layout: &ProfileLayout) -> Arc<Table> {
        Arc::new(Table { strategy: self.clone(), layout: *layout, home })
    }

    /// Makes a worker for ROIs and profiles of one shape. Off the live path.
    pub fn worker(self: &Arc<Self>, config: &WorkerConfig, layout: &ProfileLayout) -> Result<ZlutWorker, PluginError> {
        let worker = match &self.home {
            Home::Direct(s) => Worker::Direct(s.worker(config, layout)?),
            Home::Child(s) => Worker::Child(Box::new(s.worker(config, layout)?)),
        };
        Ok(ZlutWorker { strategy: self.clone(), worker })
    }
}

/// A table: immutable, shared by all workers.
pub struct Table {
    strategy: Arc<ZlutStrategy>,
    layout: ProfileLayout,
    home: TableHome,
}

enum TableHome {
    Direct(Arc<direct::Table>),
    Child(Arc<RemoteTable>),
}

impl Table {
    /// Geometry of its profiles.
    pub fn layout(&self) -> &ProfileLayout {
        &self.layout
    }

    /// The strategy that made it.
    pub fn strategy(&self) -> &Arc<ZlutStrategy> {
        &self.strategy
    }

    /// Takes the table apart, and checks that the parts fit together.
    pub fn save(&self) -> Result<SavedTable, PluginError> {
        match &self.home {
            TableHome::Direct(t) => t.save(),
            TableHome::Child(t) => Ok(t.saved().clone()),
        }
    }

    fn direct(&self) -> &direct::Table {
        match &self.home {
            TableHome::Direct(t) => t,
            TableHome::Child(_) => panic!("a table of another instance"),
        }
    }

    fn remote(&self) -> &Arc<RemoteTable> {
        match &self.home {
            TableHome::Child(t) => t,
            TableHome::Direct(_) => panic!("a table of another instance"),
        }
    }
}

/// A worker: one caller at a time, moved between threads freely.
pub struct ZlutWorker {
    strategy: Arc<ZlutStrategy>,
    worker: Worker,
}

enum Worker {
    Direct(direct::ZlutWorker),
    Child(Box<RemoteZlutWorker>),
}

impl ZlutWorker {
    /// Looks a batch up: `tracks` holds the tracker's results and gets z. x and y stay as the tracker gave them, unless
    /// the strategy refines them. On an error z is NaN with [`abi::FLAG_PLUGIN_ERROR`], and x and y stay.
    pub fn lookup(
        &mut self,
        rois: &RoiSet<'_>,
        tables: &[&Table],
        tracks: &mut TrackBuffers,
        scratch: &mut LookupBuffers,
    ) -> Result<(), PluginError> {
        assert!(tables.len() == rois.len(), "{} tables for {} ROIs", tables.len(), rois.len());
        self.check_owner(tables);
        match &mut self.worker {
            Worker::Direct(w) => w.lookup(rois, tables.iter().map(|t| t.direct()), tracks, scratch),
            Worker::Child(w) => w.lookup(rois, tables.iter().map(|t| t.remote()), tracks, scratch),
        }
    }

    /// How the result of a batch of one ROI came about.
    pub fn explain(
        &mut self,
        rois: &RoiSet<'_>,
        table: &Table,
        tracks: &mut TrackBuffers,
    ) -> Result<ArraySet, PluginError> {
        assert!(rois.len() == 1, "explain takes one ROI, not {}", rois.len());
        self.check_owner(&[table]);
        match &mut self.worker {
            Worker::Direct(w) => w.explain(rois, table.direct(), tracks),
            Worker::Child(w) => w.explain(rois, table.remote(), tracks),
        }
    }

    fn check_owner(&self, tables: &[&Table]) {
        let ours = |t: &&Table| Arc::ptr_eq(&t.strategy, &self.strategy);
        assert!(tables.iter().all(ours), "a table of another instance");
    }
}
