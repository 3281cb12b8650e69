//! What to do with each frame: which ROIs, which tracker, which tables. Checked as a whole before the first frame.

use crate::error::RunError;
use crate::optics::Optics;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tetherscope_loader::{
    CameraFormat, LookupBuffers, ProfileLayout, Table, TrackBuffers, Tracker, TrackerWorker, WorkerConfig,
    ZlutStrategy, ZlutWorker, abi,
};

pub use tetherscope_files::Roi;

/// ROIs that one call of a plugin gets: enough that the call costs nothing, few enough that all cores have work.
pub(crate) const ROIS_PER_CALL: usize = 64;

/// Tables by bead.
#[derive(Clone)]
pub enum Tables {
    /// One for all beads.
    Shared(Arc<Table>),
    /// One for each bead.
    PerBead(HashMap<u32, Arc<Table>>),
}

impl Tables {
    fn of(&self, bead: u32) -> Option<&Arc<Table>> {
        match self {
            Tables::Shared(t) => Some(t),
            Tables::PerBead(all) => all.get(&bead),
        }
    }
}

/// Which strategy looks up in which tables.
#[derive(Clone)]
pub struct ZlutPlan {
    /// The strategy.
    pub strategy: Arc<ZlutStrategy>,
    /// The tables, all of that strategy.
    pub tables: Tables,
}

/// What a plan is made from.
pub struct PlanOptions {
    /// The tracker.
    pub tracker: Arc<Tracker>,
    /// The Z-LUT; None tracks x and y only.
    pub zlut: Option<ZlutPlan>,
    /// ROIs, all of one size; None: the whole frame is one ROI of bead 0.
    pub rois: Option<Vec<Roi>>,
    /// Scale and noise.
    pub optics: Optics,
}

/// What one thread needs to track.
pub(crate) struct Workers {
    tracker: TrackerWorker,
    zlut: Option<ZlutWorker>,
    lookup: LookupBuffers,
    pub(crate) tracks: TrackBuffers,
}

/// A checked plan for frames of one format. Gives out workers from a free list, never by thread.
pub struct Plan {
    options: PlanOptions,
    rois: Vec<Roi>,
    inside: Vec<bool>,
    tables: Vec<Arc<Table>>,
    config: WorkerConfig,
    layout: ProfileLayout,
    free: Mutex<Vec<Workers>>,
}

impl Plan {
    /// Checks everything that can be checked before the first frame, and makes the first worker.
    pub fn new(options: PlanOptions, format: &CameraFormat) -> Result<Self, RunError> {
        options.optics.check()?;
        let rois = match &options.rois {
            None => vec![Roi { bead: 0, x_px: 0, y_px: 0, w_px: format.width_px, h_px: format.height_px }],
            Some(rois) => rois.clone(),
        };
        let (w_px, h_px) = tetherscope_files::common_size(&rois)?;
        let inside: Vec<bool> = rois.iter().map(|r| is_inside(r, format)).collect();
        if let Some(outside) = rois.iter().zip(&inside).find(|(_, i)| !**i).map(|(r, _)| r)
            && inside.iter().all(|i| !i)
        {
            return Err(RunError::refused(
                "cannot track these ROIs".to_string(),
                format!(
                    "none lies wholly inside the frame of {} × {} px; bead {} is at ({}, {}), {} × {} px",
                    format.width_px,
                    format.height_px,
                    outside.bead,
                    outside.x_px,
                    outside.y_px,
                    outside.w_px,
                    outside.h_px
                ),
                "check the ROI file: x_px, y_px is the top-left pixel, and the list must belong to this video",
            ));
        }
        let tables = match &options.zlut {
            None => Vec::new(),
            Some(z) => tables_of(z, &rois)?,
        };
        let config = options.optics.worker_config(format, w_px, h_px, ROIS_PER_CALL as u32);
        let mut plan =
            Self { options, rois, inside, tables, config, layout: ProfileLayout::NONE, free: Mutex::new(Vec::new()) };
        let first = plan.make_workers()?;
        plan.layout = *first.tracker.layout();
        plan.give_back(first);
        Ok(plan)
    }

    /// The ROIs, in the order of the results of a frame.
    pub fn rois(&self) -> &[Roi] {
        &self.rois
    }

    /// Beads whose ROI does not lie wholly inside the frame: never tracked, flagged at_border.
    pub fn beads_outside(&self) -> Vec<u32> {
        self.rois.iter().zip(&self.inside).filter(|(_, i)| !**i).map(|(r, _)| r.bead).collect()
    }

    /// Geometry of the tracker's profiles.
    pub fn layout(&self) -> &ProfileLayout {
        &self.layout
    }

    /// What workers were told.
    pub fn config(&self) -> &WorkerConfig {
        &self.config
    }

    /// Scale and noise.
    pub fn optics(&self) -> &Optics {
        &self.options.optics
    }

    /// The tracker.
    pub fn tracker(&self) -> &Arc<Tracker> {
        &self.options.tracker
    }

    /// The strategy, if z is looked up.
    pub fn strategy(&self) -> Option<&Arc<ZlutStrategy>> {
        self.options.zlut.as_ref().map(|z| &z.strategy)
    }

    pub(crate) fn is_inside(&self, roi: usize) -> bool {
        self.inside[roi]
    }

    pub(crate) fn table(&self, roi: usize) -> Option<&Table> {
        self.tables.get(roi).map(|t| &**t)
    }

    fn make_workers(&self) -> Result<Workers, RunError> {
        let tracker = self.options.tracker.worker(&self.config)?;
        let layout = *tracker.layout();
        let zlut = match &self.options.zlut {
            None => None,
            Some(z) => {
                check_bins(z, &layout)?;
                Some(z.strategy.worker(&self.config, &layout)?)
            }
        };
        Ok(Workers { tracker, zlut, lookup: LookupBuffers::default(), tracks: TrackBuffers::default() })
    }

    /// Makes workers until `n` are free. Off the live path.
    pub(crate) fn prepare(&self, n: usize) -> Result<(), RunError> {
        let there = self.free().len();
        for _ in there..n {
            let made = self.make_workers()?;
            self.give_back(made);
        }
        Ok(())
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Workers>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Workers that nobody uses; made anew if all are in use.
    pub(crate) fn take(&self) -> Result<Workers, RunError> {
        let free = self.free().pop();
        free.map_or_else(|| self.make_workers(), Ok)
    }

    pub(crate) fn give_back(&self, workers: Workers) {
        self.free().push(workers);
    }
}

impl Workers {
    /// Tracks ROIs and looks their z up. An error is the plugin's; the rows then hold NaN and the flag that says so.
    pub(crate) fn work(
        &mut self,
        rois: &tetherscope_loader::RoiSet<'_>,
        tables: &[&Table],
    ) -> Result<(), tetherscope_loader::PluginError> {
        self.tracker.track(rois, &mut self.tracks)?;
        match &mut self.zlut {
            None => Ok(()),
            Some(z) => z.lookup(rois, tables, &mut self.tracks, &mut self.lookup),
        }
    }
}

fn is_inside(roi: &Roi, format: &CameraFormat) -> bool {
    let fits = |at: i32, size: u32, limit: u32| at >= 0 && i64::from(at) + i64::from(size) <= i64::from(limit);
    fits(roi.x_px, roi.w_px, format.width_px) && fits(roi.y_px, roi.h_px, format.height_px)
}

fn tables_of(zlut: &ZlutPlan, rois: &[Roi]) -> Result<Vec<Arc<Table>>, RunError> {
    let without: Vec<String> =
        rois.iter().filter(|r| zlut.tables.of(r.bead).is_none()).map(|r| r.bead.to_string()).collect();
    if !without.is_empty() {
        return Err(RunError::refused(
            "cannot look z up",
            format!("the Z-LUT has no table for bead {}", without.join(", ")),
            "build the Z-LUT with the same ROI list, or leave these beads out of it",
        ));
    }
    Ok(rois.iter().filter_map(|r| zlut.tables.of(r.bead).cloned()).collect())
}

fn check_bins(zlut: &ZlutPlan, layout: &ProfileLayout) -> Result<(), RunError> {
    let any = match &zlut.tables {
        Tables::Shared(t) => Some(t),
        Tables::PerBead(all) => all.values().next(),
    };
    match any {
        Some(t) if t.layout().n_bins != layout.n_bins => Err(RunError::refused(
            "cannot look z up",
            format!("the Z-LUT's profiles have {} bins, the tracker's have {}", t.layout().n_bins, layout.n_bins),
            "use the tracker, parameters and ROI size that the Z-LUT was made with",
        )),
        _ => Ok(()),
    }
}

/// A row that was not tracked because its ROI is not wholly inside the frame.
pub(crate) const AT_BORDER: tetherscope_loader::Fix =
    tetherscope_loader::Fix { flags: abi::FLAG_AT_BORDER, ..tetherscope_loader::Fix::EMPTY };
