//! The numbers of one condition and light: every method tracks the test images and the sweeps once, its tables are built for
//! each distance of planes, and what it finds is compared with the truth, band by band.

use crate::images::{BANDS_NM, Images, Light, NM_PER_PX, Rendered};
use crate::methods::Method;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tetherscope_analysis::Bound;
use tetherscope_core::loader::{Fix, Tracker, WorkerConfig, abi};
use tetherscope_core::{RunError, Sweep};

/// Errors beyond which a result is another place: counted apart, never averaged.
const FAR_XY_NM: f64 = 100.0;
const FAR_Z_NM: f64 = 500.0;
const ROIS_PER_CALL: u32 = 64;

/// What the table is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Zlut {
    /// No shot noise, four places a plane.
    Perfect,
    /// Ten frames a plane in the light of the test, of a bead that shakes.
    Recorded,
}

impl fmt::Display for Zlut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Zlut::Perfect => "perfect",
            Zlut::Recorded => "recorded",
        })
    }
}

/// One row of the results: a method in one band of one condition.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) images: Images,
    pub(crate) zlut: Zlut,
    pub(crate) size_px: usize,
    pub(crate) step_nm: usize,
    pub(crate) light: Light,
    pub(crate) method: &'static str,
    pub(crate) band_nm: f64,
    pub(crate) n: usize,
    /// Images without x and y, without z, and those that are far off.
    pub(crate) n_without_xy: usize,
    pub(crate) n_without_z: usize,
    pub(crate) n_far: usize,
    /// Far off, and no flag says so.
    pub(crate) n_far_unflagged: usize,
    pub(crate) x: Errors,
    pub(crate) y: Errors,
    pub(crate) z: Errors,
    pub(crate) bound: Bound,
}

/// Errors along one axis, in nm; NaN of nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errors {
    pub(crate) bias: f64,
    pub(crate) rmse: f64,
    /// Root mean square of error / the method's own standard error; NaN where it says none.
    pub(crate) per_sigma: f64,
}

impl Errors {
    fn of(errors: &[(f64, f64)]) -> Self {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let of = |f: fn(&(f64, f64)) -> f64| mean(&errors.iter().map(f).collect::<Vec<_>>());
        Self { bias: of(|e| e.0), rmse: of(|e| e.0 * e.0).sqrt(), per_sigma: of(|e| (e.0 / e.1).powi(2)).sqrt() }
    }
}

impl Cell {
    /// Root mean square of x and y together.
    pub(crate) fn xy_rmse(&self) -> f64 {
        (0.5 * (self.x.rmse.powi(2) + self.y.rmse.powi(2))).sqrt()
    }
}

/// One condition in one light.
pub(crate) struct Tried<'a> {
    pub(crate) rendered: &'a Rendered,
    pub(crate) light: Light,
    pub(crate) n_draws: usize,
}

impl Tried<'_> {
    /// Adds the cells of all methods. A strategy that refuses a sweep has none, and the reason is printed.
    pub(crate) fn measure(
        &self,
        methods: &[Method],
        steps_nm: &[usize],
        zluts: &[Zlut],
        cells: &mut Vec<Cell>,
    ) -> Result<(), RunError> {
        let draws = self.rendered.draws(self.light, self.n_draws);
        let bounds = self.rendered.bounds(self.light)?;
        let test_frames: Vec<(f64, &[u8])> = draws.iter().map(|(_, p)| (0.0, p.as_slice())).collect();
        let mut tracked: HashMap<String, Sweep> = HashMap::new();
        for &zlut in zluts {
            let frames = self.rendered.sweep(zlut == Zlut::Recorded, self.light);
            let frames: Vec<(f64, &[u8])> = frames.iter().map(|(z, p)| (*z, p.as_slice())).collect();
            let mut sweeps: HashMap<String, Sweep> = HashMap::new();
            for method in methods {
                let id = method.tracker.component().info().id.clone();
                if !sweeps.contains_key(&id) {
                    sweeps.insert(id.clone(), self.track(&method.tracker, &frames)?);
                }
                if !tracked.contains_key(&id) {
                    tracked.insert(id.clone(), self.track(&method.tracker, &test_frames)?);
                }
                for &step_nm in steps_nm {
                    match self.look_up(method, &sweeps[&id], &tracked[&id], step_nm) {
                        Ok(fixes) => {
                            for (band_nm, bound) in BANDS_NM.into_iter().zip(&bounds) {
                                let found = self.compare(band_nm, &draws, &fixes);
                                cells.push(self.cell(method, zlut, step_nm, band_nm, *bound, found));
                            }
                        }
                        Err(e) => {
                            let why = e.to_string().replace('\n', "; ");
                            eprintln!("{} with a {zlut} Z-LUT of {step_nm} nm: {why}", method.name);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn config(&self) -> WorkerConfig {
        let size = self.rendered.condition.size_px as u32;
        let pixel_format = if self.light.bits == 8 { abi::PIXEL_MONO8 } else { abi::PIXEL_MONO16 };
        WorkerConfig {
            pixel_format,
            significant_bits: self.light.bits,
            saturation_adu: self.light.top(),
            gain_e_per_adu: self.light.electrons / self.light.top(),
            offset_adu: 0.0,
            read_noise_e: 0.0,
            nm_per_px: NM_PER_PX,
            ..WorkerConfig::mono8(size, size, ROIS_PER_CALL)
        }
    }

    fn track(&self, tracker: &Arc<Tracker>, frames: &[(f64, &[u8])]) -> Result<Sweep, RunError> {
        let config = self.config();
        let layout = *tracker.worker(&config)?.layout();
        let mut sweep = Sweep::new(tracker.clone(), layout, config);
        sweep.reserve(frames.len())?;
        for (frame, (focus_nm, pixels)) in frames.iter().enumerate() {
            sweep.push_untracked(0, frame as u64, *focus_nm, pixels)?;
        }
        sweep.track()?;
        Ok(sweep)
    }

    fn look_up(&self, method: &Method, sweep: &Sweep, test: &Sweep, step_nm: usize) -> Result<Vec<Fix>, RunError> {
        let in_step = |i: &usize| (sweep.focus_nm()[*i] / step_nm as f64).fract() == 0.0;
        let entries: Vec<usize> = (0..sweep.len()).filter(in_step).collect();
        let table = sweep.build(&method.strategy, &entries)?;
        let all: Vec<usize> = (0..test.len()).collect();
        test.look_up(&all, &table)
    }

    /// What was found of the images of one band.
    fn compare(&self, band_nm: f64, draws: &[(usize, Vec<u8>)], fixes: &[Fix]) -> Found {
        let rendered = self.rendered;
        let mut found = Found::default();
        for ((place, _), fix) in draws.iter().zip(fixes).filter(|(d, _)| rendered.test.group_nm[d.0] == band_nm) {
            let truth = rendered.test.places[*place];
            let along = |at_px: f64, truth: f64| (at_px - rendered.centre_px) * NM_PER_PX - truth;
            let (ex, ey, ez) = (along(fix.x_px, truth[0]), along(fix.y_px, truth[1]), fix.z_nm - truth[2]);
            found.n += 1;
            found.n_without_xy += usize::from(!ex.is_finite() || !ey.is_finite());
            found.n_without_z += usize::from(!ez.is_finite());
            let far = ex.abs().max(ey.abs()) > FAR_XY_NM || ez.abs() > FAR_Z_NM;
            found.n_far += usize::from(far);
            found.n_far_unflagged += usize::from(far && fix.flags == 0);
            if !far && ex.is_finite() && ey.is_finite() {
                found.x.push((ex, f64::from(fix.sigma_x_px) * NM_PER_PX));
                found.y.push((ey, f64::from(fix.sigma_y_px) * NM_PER_PX));
            }
            if !far && ez.is_finite() {
                found.z.push((ez, f64::from(fix.sigma_z_nm)));
            }
        }
        found
    }

    fn cell(&self, method: &Method, zlut: Zlut, step_nm: usize, band_nm: f64, bound: Bound, found: Found) -> Cell {
        Cell {
            images: self.rendered.condition.images,
            zlut,
            size_px: self.rendered.condition.size_px,
            step_nm,
            light: self.light,
            method: method.name,
            band_nm,
            n: found.n,
            n_without_xy: found.n_without_xy,
            n_without_z: found.n_without_z,
            n_far: found.n_far,
            n_far_unflagged: found.n_far_unflagged,
            x: Errors::of(&found.x),
            y: Errors::of(&found.y),
            z: Errors::of(&found.z),
            bound,
        }
    }
}

/// Counts, and (error, the method's own standard error) along each axis, in nm.
#[derive(Default)]
struct Found {
    n: usize,
    n_without_xy: usize,
    n_without_z: usize,
    n_far: usize,
    n_far_unflagged: usize,
    x: Vec<(f64, f64)>,
    y: Vec<(f64, f64)>,
    z: Vec<(f64, f64)>,
}
