//! The checks of Z-LUT strategies: the sweep that they share. Beads are rendered by wave optics, positions are the truth,
//! profiles are plain radial means, so that no tracker takes part.

mod life;
mod tables;
mod values;

pub(crate) use life::CHECKS as LIFE;
pub(crate) use tables::CHECKS as TABLES;
pub(crate) use values::CHECKS as VALUES;

use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::{MOST_ROIS, Picture, Placement, Roi, SIDE_PX, rings};
use crate::subject::Subject;
use ndarray::ArrayView2;
use std::sync::{Arc, Mutex, PoisonError};
use tetherscope_kernels::RadialProfile;
use tetherscope_loader::{
    Fix, LookupBuffers, ParamSet, PluginError, ProfileLayout, SweepData, Table, TrackBuffers, TrackerStamp,
    WorkerConfig, ZlutStrategy, ZlutWorker, abi,
};

/// Planes of a sweep, and how far they are apart.
const N_PLANES: usize = 25;
const STEP_NM: f64 = 100.0;
/// Focus of the first plane. From here on the rings change steadily.
const FIRST_NM: f64 = 2000.0;
const LAST_NM: f64 = FIRST_NM + STEP_NM * (N_PLANES as f64 - 1.0);
/// How far z may be off: half a plane, so that a strategy that takes the nearest plane passes.
const Z_NM: f64 = STEP_NM / 2.0 + 1.0;
/// How far z may be off where a fit runs out of planes on one side.
const END_NM: f64 = 2.0 * STEP_NM;
/// Planes at either end in which a strategy may say `outside`: it may need neighbours on both sides.
const MARGIN: usize = 6;

/// ROIs of beads at known z, as a tracker would hand them on.
#[derive(Clone)]
pub(crate) struct Material {
    pub(crate) picture: Picture,
    pub(crate) z_nm: Vec<f64>,
    pub(crate) tracks: TrackBuffers,
    pub(crate) layout: ProfileLayout,
    pub(crate) config: WorkerConfig,
}

/// Beads at these heights. `seed` makes the noise and the places, `oversample` the bins per pixel. Rendered once in a
/// process, since that takes longer than most of what is done with them.
fn material(z_nm: &[f64], seed: u64, oversample: usize) -> Material {
    type Rendered = Vec<((Vec<u64>, u64, usize), Material)>;
    static RENDERED: Mutex<Rendered> = Mutex::new(Vec::new());
    let key = (z_nm.iter().map(|z| z.to_bits()).collect(), seed, oversample);
    let known = |all: &Rendered| all.iter().find(|(k, _)| *k == key).map(|(_, material)| material.clone());
    let all = || RENDERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(material) = known(&all()) {
        return material;
    }
    let made = render(z_nm, seed, oversample);
    all().push((key, made.clone()));
    made
}

fn render(z_nm: &[f64], seed: u64, oversample: usize) -> Material {
    let mut profile = RadialProfile::new(SIDE_PX, oversample).expect("ROIs of this size have a profile");
    let n_bins = profile.n_bins();
    let mut tracks = TrackBuffers { n_bins, ..TrackBuffers::default() };
    let mut rois = Vec::with_capacity(z_nm.len());
    for (i, &z) in z_nm.iter().enumerate() {
        let (x, y) = (23.62 + 0.02 * ((i % 5) as f64 - 2.0), 23.31 - 0.03 * ((i % 3) as f64 - 1.0));
        let roi = rings(SIDE_PX, SIDE_PX, &[(x, y, z)], 8, Some(seed * 1000 + i as u64));
        let image = ArrayView2::from_shape((SIDE_PX, SIDE_PX), &roi.pixels).expect("as many pixels as that");
        let mut values = vec![f64::NAN; n_bins];
        profile.execute(image, x, y, &mut values);
        tracks.fixes.push(Fix { x_px: x, y_px: y, ..Fix::EMPTY });
        tracks.profiles.extend(values);
        tracks.weights.extend(vec![f32::NAN; n_bins]);
        rois.push(roi);
    }
    let picture = Picture::new(&rois, Placement::packed(8));
    let layout = ProfileLayout {
        n_bins: n_bins as u32,
        kind: abi::PROFILE_RADIAL,
        first_radius_px: 0.0,
        step_px: 1.0 / oversample as f64,
        ..ProfileLayout::NONE
    };
    let config = WorkerConfig { max_rois: MOST_ROIS, ..picture.config() };
    Material { picture, z_nm: z_nm.to_vec(), tracks, layout, config }
}

/// Focus of the planes.
fn planes() -> Vec<f64> {
    (0..N_PLANES).map(|k| FIRST_NM + STEP_NM * k as f64).collect()
}

/// Two frames of each plane.
fn sweep() -> Material {
    let twice: Vec<f64> = planes().into_iter().flat_map(|z| [z, z]).collect();
    material(&twice, 1, 1)
}

/// A strategy with the user's parameters and a table of [`sweep`].
struct Rig {
    strategy: Arc<ZlutStrategy>,
    sweep: Material,
    table: Arc<Table>,
}

fn instance(subject: &Subject) -> Result<Arc<ZlutStrategy>, Stop> {
    Ok(ZlutStrategy::create(&subject.component, subject.params()?)?)
}

fn build(strategy: &Arc<ZlutStrategy>, sweep: &Material) -> Result<Arc<Table>, PluginError> {
    let params = ParamSet::default();
    strategy.build(&SweepData {
        rois: sweep.picture.rois(),
        focus_nm: &sweep.z_nm,
        tracks: &sweep.tracks,
        layout: sweep.layout,
        config: sweep.config,
        tracker: TrackerStamp { id: "tracker.check", version: "1.0.0", params: &params },
    })
}

impl Rig {
    fn new(subject: &Subject) -> Result<Self, Stop> {
        let (strategy, sweep) = (instance(subject)?, sweep());
        let table = build(&strategy, &sweep)?;
        Ok(Self { strategy, sweep, table })
    }

    fn worker(&self) -> Result<ZlutWorker, Stop> {
        Ok(self.strategy.worker(&self.sweep.config, &self.sweep.layout)?)
    }

    /// Looks all of a material up in this rig's table.
    fn lookup(&self, of: &Material) -> Result<Vec<Fix>, Stop> {
        Ok(lookup(&mut self.worker()?, &self.table, of)?)
    }
}

/// Looks all ROIs of a material up in one table.
fn lookup(worker: &mut ZlutWorker, table: &Table, of: &Material) -> Result<Vec<Fix>, PluginError> {
    lookup_part(worker, table, of, 0..of.z_nm.len())
}

fn lookup_part(
    worker: &mut ZlutWorker,
    table: &Table,
    of: &Material,
    part: std::ops::Range<usize>,
) -> Result<Vec<Fix>, PluginError> {
    let n_bins = of.tracks.n_bins;
    let mut tracks = TrackBuffers {
        fixes: of.tracks.fixes[part.clone()].to_vec(),
        profiles: of.tracks.profiles[part.start * n_bins..part.end * n_bins].to_vec(),
        weights: of.tracks.weights[part.start * n_bins..part.end * n_bins].to_vec(),
        n_bins,
    };
    let tables = vec![table; part.len()];
    worker.lookup(&of.picture.part(part), &tables, &mut tracks, &mut LookupBuffers::default())?;
    Ok(tracks.fixes)
}

/// True for z well inside the sweep.
fn is_inner(z_nm: f64) -> bool {
    let margin = MARGIN as f64 * STEP_NM;
    z_nm >= FIRST_NM + margin && z_nm <= LAST_NM - margin
}

/// Every bead well inside the sweep is found at its z; nearer to the ends it may be flagged instead.
fn finds_z(fixes: &[Fix], of: &Material, what: &str) -> Verdict {
    for (fix, &z) in fixes.iter().zip(&of.z_nm) {
        let (is, flags) = (fix.z_nm, fix.flags);
        if is_inner(z) {
            ensure!(is.is_finite(), "{what}: a bead at {z:.0} nm is not found, flags {flags:#x}");
        }
        let allowed = if is_inner(z) { Z_NM } else { END_NM };
        ensure!(
            (is - z).abs() <= allowed || (!is_inner(z) && flags != 0),
            "{what}: a bead at {z:.0} nm is found at {is:.1} nm, flags {flags:#x}; allowed are {allowed} nm"
        );
    }
    Ok(())
}

/// Rows must agree to the last bit.
fn same_fixes(a: &[Fix], b: &[Fix], what: &str) -> Verdict {
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let same = |p: f64, q: f64| p.to_bits() == q.to_bits() || (p.is_nan() && q.is_nan());
        let all = same(a.z_nm, b.z_nm) && same(a.x_px, b.x_px) && same(a.y_px, b.y_px) && a.flags == b.flags;
        ensure!(
            all && same(a.quality.into(), b.quality.into()),
            "{what}: ROI {i} has z {} flags {:#x} in one, {} flags {:#x} in the other",
            a.z_nm,
            a.flags,
            b.z_nm,
            b.flags
        );
    }
    Ok(())
}

/// The picture of a material, black all over.
fn blackened(mut of: Material) -> Material {
    let black = Roi { pixels: vec![0; SIDE_PX * SIDE_PX] };
    of.picture = Picture::new(vec![&black; of.z_nm.len()], Placement::packed(8));
    of
}
