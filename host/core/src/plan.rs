//! What to do with each frame: which ROIs, which tracker, which tables. Checked as a whole before the first frame.

use crate::chain::Chain;
use crate::error::RunError;
use crate::optics::Optics;
use crate::piece::ROIS_PER_CALL;
use std::collections::HashMap;
use std::sync::Arc;
use tetherscope_loader::{CameraFormat, ProfileLayout, Table, Tracker, WorkerConfig, ZlutStrategy, abi};

pub use tetherscope_files::Roi;

/// Tables by bead.
#[derive(Clone)]
pub enum Tables {
    /// One for all beads.
    Shared(Arc<Table>),
    /// One for each bead.
    PerBead(HashMap<u32, Arc<Table>>),
}

impl Tables {
    pub(crate) fn of(&self, bead: u32) -> Option<&Arc<Table>> {
        match self {
            Tables::Shared(t) => Some(t),
            Tables::PerBead(all) => all.get(&bead),
        }
    }

    /// Refuses tables whose profiles have other bins than the tracker's.
    pub(crate) fn check_bins(&self, layout: &ProfileLayout) -> Result<(), RunError> {
        let any = match self {
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

/// A checked plan for frames of one format. Gives out workers from a free list, never by thread.
pub struct Plan {
    chain: Arc<Chain>,
    optics: Optics,
    rois: Vec<Roi>,
    inside: Vec<bool>,
    tables: Vec<Option<Arc<Table>>>,
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
        if let Some(zlut) = &options.zlut {
            refuse_beads_without_table(&zlut.tables, &rois)?;
        }
        let config = options.optics.worker_config(format, w_px, h_px, ROIS_PER_CALL as u32);
        let (strategy, tables) = options.zlut.map(|z| (z.strategy, z.tables)).unzip();
        let chain = Arc::new(Chain::new(options.tracker, strategy, config)?);
        Self::of_chain(chain, options.optics, tables.as_ref(), rois, format)
    }

    /// For ROIs of the chain's shape, some of which may lie outside the frame or have no table. Makes no worker.
    pub(crate) fn of_chain(
        chain: Arc<Chain>,
        optics: Optics,
        tables: Option<&Tables>,
        rois: Vec<Roi>,
        format: &CameraFormat,
    ) -> Result<Self, RunError> {
        if let Some(tables) = tables {
            tables.check_bins(chain.layout())?;
        }
        let inside = rois.iter().map(|r| is_inside(r, format)).collect();
        let tables = rois.iter().map(|r| tables.and_then(|t| t.of(r.bead)).cloned()).collect();
        Ok(Self { chain, optics, rois, inside, tables })
    }

    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
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
        self.chain.layout()
    }

    /// What workers were told.
    pub fn config(&self) -> &WorkerConfig {
        self.chain.config()
    }

    /// Scale and noise.
    pub fn optics(&self) -> &Optics {
        &self.optics
    }

    /// The tracker.
    pub fn tracker(&self) -> &Arc<Tracker> {
        self.chain.tracker()
    }

    /// The strategy, if z is looked up.
    pub fn strategy(&self) -> Option<&Arc<ZlutStrategy>> {
        self.chain.strategy()
    }

    pub(crate) fn is_inside(&self, roi: usize) -> bool {
        self.inside[roi]
    }

    pub(crate) fn table(&self, roi: usize) -> Option<&Table> {
        self.tables[roi].as_deref()
    }

    /// Makes workers until `n` are free. Off the live path.
    pub(crate) fn prepare(&self, n: usize) -> Result<(), RunError> {
        self.chain.prepare(n)
    }
}

fn is_inside(roi: &Roi, format: &CameraFormat) -> bool {
    let fits = |at: i32, size: u32, limit: u32| at >= 0 && i64::from(at) + i64::from(size) <= i64::from(limit);
    fits(roi.x_px, roi.w_px, format.width_px) && fits(roi.y_px, roi.h_px, format.height_px)
}

fn refuse_beads_without_table(tables: &Tables, rois: &[Roi]) -> Result<(), RunError> {
    let without: Vec<String> =
        rois.iter().filter(|r| tables.of(r.bead).is_none()).map(|r| r.bead.to_string()).collect();
    if without.is_empty() {
        return Ok(());
    }
    Err(RunError::refused(
        "cannot look z up",
        format!("the Z-LUT has no table for bead {}", without.join(", ")),
        "build the Z-LUT with the same ROI list, or leave these beads out of it",
    ))
}

/// A row that was not tracked because its ROI is not wholly inside the frame.
pub(crate) const AT_BORDER: tetherscope_loader::Fix =
    tetherscope_loader::Fix { flags: abi::FLAG_AT_BORDER, ..tetherscope_loader::Fix::EMPTY };
