//! From what was chosen (tracker, Z-LUT, camera's format, size of ROIs) to workers and tables: on the jobs thread, since it
//! starts children, reads files and plans transforms.

use crate::chain::Chain;
use crate::control::{MethodChoice, Refusal, TableView, ZlutView};
use crate::engine::question::Planes;
use crate::engine::settings::{method_view, resolve};
use crate::plan::Tables;
use crate::zlut::load_stored_zlut;
use crate::{Optics, RunError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tetherscope_files::StoredZlut;
use tetherscope_loader::{CameraFormat, Kind, Registry, Table, Tracker, ZlutStrategy};

/// A Z-LUT that was chosen: where it is from, what is in it, and who looks up in it.
#[derive(Clone)]
pub(crate) struct ZlutChoice {
    pub(crate) path: Option<PathBuf>,
    pub(crate) stored: Arc<StoredZlut>,
    pub(crate) strategy: Arc<ZlutStrategy>,
}

/// A Z-LUT in use.
pub(crate) struct ZlutInUse {
    pub(crate) choice: ZlutChoice,
    pub(crate) tables: Tables,
    pub(crate) planes: Arc<Planes>,
    pub(crate) view: ZlutView,
}

/// What is in use.
#[derive(Default)]
pub(crate) struct Built {
    pub(crate) tracker: Option<Arc<Tracker>>,
    /// None without tracker or camera.
    pub(crate) chain: Option<Arc<Chain>>,
    pub(crate) zlut: Option<ZlutInUse>,
}

/// What to make.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) tracker: Option<Arc<Tracker>>,
    pub(crate) format: Option<CameraFormat>,
    pub(crate) roi_size_px: u32,
    pub(crate) optics: Optics,
    pub(crate) zlut: Option<ZlutChoice>,
    pub(crate) threads: usize,
}

/// Makes everything. A Z-LUT that does not fit is left out, with the refusal that says why.
pub(crate) fn build(spec: &Spec) -> Result<(Built, Option<Refusal>), Refusal> {
    let (Some(tracker), Some(format)) = (&spec.tracker, &spec.format) else {
        let dropped = spec.zlut.as_ref().map(|_| nothing_to_look_up_with());
        return Ok((Built { tracker: spec.tracker.clone(), chain: None, zlut: None }, dropped));
    };
    let size = spec.roi_size_px;
    let config = spec.optics.worker_config(format, size, size, crate::piece::ROIS_PER_CALL as u32);
    let make = |strategy: Option<Arc<ZlutStrategy>>| -> Result<Arc<Chain>, RunError> {
        let chain = Chain::new(tracker.clone(), strategy, config)?;
        chain.prepare(spec.threads)?;
        Ok(Arc::new(chain))
    };
    let mut dropped = None;
    if let Some(choice) = &spec.zlut {
        let with = make(Some(choice.strategy.clone())).and_then(|chain| Ok((use_zlut(choice, &chain, spec)?, chain)));
        match with {
            Ok((zlut, chain)) => {
                return Ok((Built { tracker: Some(tracker.clone()), chain: Some(chain), zlut: Some(zlut) }, None));
            }
            Err(e) => dropped = Some(Refusal::from(e)),
        }
    }
    Ok((Built { tracker: Some(tracker.clone()), chain: Some(make(None)?), zlut: None }, dropped))
}

fn nothing_to_look_up_with() -> Refusal {
    Refusal::new(
        crate::control::RefusalKind::NotNow,
        "cannot use a Z-LUT",
        "it is checked against pixels and profiles, and there is no open camera or no tracker",
        "open the camera and choose the tracker first",
    )
}

fn use_zlut(choice: &ZlutChoice, chain: &Chain, spec: &Spec) -> Result<ZlutInUse, RunError> {
    let named = choice.path.as_deref().unwrap_or(Path::new("the sweep's Z-LUT"));
    let (layout, config) = (chain.layout(), chain.config());
    let stored = (*choice.stored).clone();
    let loaded = load_stored_zlut(named, stored, &choice.strategy, chain.tracker(), layout, config, &spec.optics)?;
    loaded.tables.check_bins(layout)?;
    let mut planes = Planes::default();
    let mut views = Vec::new();
    let mut look = |bead: Option<u32>, table: &Arc<Table>| -> Result<(), RunError> {
        let saved = Arc::new(table.save()?);
        let z = || saved.z_nm.iter().copied();
        views.push(TableView {
            bead,
            n_planes: saved.z_nm.len() as u32,
            n_bins: layout.n_bins,
            z_min_nm: z().fold(f64::NAN, f64::min),
            z_max_nm: z().fold(f64::NAN, f64::max),
            verdict: String::new(),
        });
        match bead {
            Some(b) => drop(planes.by_bead.insert(b, saved)),
            None => planes.shared = Some(saved),
        }
        Ok(())
    };
    match &loaded.tables {
        Tables::Shared(t) => look(None, t)?,
        Tables::PerBead(all) => all.iter().try_for_each(|(b, t)| look(Some(*b), t))?,
    }
    views.sort_by_key(|v| v.bead);
    Ok(ZlutInUse {
        view: ZlutView {
            path: choice.path.clone(),
            strategy: method_view(choice.strategy.component(), choice.strategy.params()),
            unchecked: loaded.unchecked,
            warnings: loaded.warnings,
            tables: views,
        },
        planes: Arc::new(planes),
        tables: loaded.tables,
        choice: choice.clone(),
    })
}

/// Reads a file and makes the strategy for it: the chosen one, else the one that made it.
pub(crate) fn read_choice(
    registry: &Registry,
    path: &Path,
    strategy: Option<&MethodChoice>,
) -> Result<ZlutChoice, Refusal> {
    let stored = tetherscope_files::read_zlut(path).map_err(|e| Refusal::from(RunError::from(e)))?;
    let made_by = match &stored {
        StoredZlut::Own(file) => file.settings.strategy.id.clone(),
        StoredZlut::MagScope(_) => "zlut.correlation".to_owned(),
    };
    let choice = strategy.cloned().unwrap_or(MethodChoice { method: made_by, ..MethodChoice::default() });
    let (component, params) = resolve(registry, Kind::Zlut, &choice)?;
    let strategy = ZlutStrategy::create(&component, params).map_err(|e| Refusal::from(RunError::from(e)))?;
    Ok(ZlutChoice { path: Some(path.to_owned()), stored: Arc::new(stored), strategy })
}
