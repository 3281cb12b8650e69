//! The strategy: instance, table, worker, and how an outcome of the kernels becomes flags.

use crate::{explain, planes};
use tetherscope_kernels::{
    BinGeometry, KernelError, NoiseModel, SplineFit, SplineLookup, SplineOptions, SplineOutcome, SplineTable,
    SplineTableError, known_weights,
};
use tetherscope_plugin_api::abi::{
    FLAG_LOW_CONTRAST, FLAG_METHOD_FIRST, FLAG_NON_FINITE, FLAG_NOT_CONVERGED, FLAG_OUTSIDE_ZLUT, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Descriptor, Error, HostHandle, LookupRow, LookupRows, NamedArrays, ParamValues, Parameter, ProfileLayout, Result,
    RoiBatch, SavedTable, SavedTableView, SweepView, WorkerConfig, ZlutStrategy, ZlutWorker,
};

/// The profile differs from the table by more than the camera's noise.
pub const FLAG_MISFIT: u32 = FLAG_METHOD_FIRST;

/// The options.
pub struct Spline {
    options: SplineOptions,
}

/// The parts of a file and the splines made of them: always of the parts, so that a loaded table equals the built one.
pub struct Table {
    saved: SavedTable,
    splines: SplineTable,
}

/// Scratch for profiles of one length.
pub struct SplineWorker {
    lookup: SplineLookup,
}

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    let defaults = SplineOptions::default();
    vec![
        Parameter::int(
            "max_iterations",
            "Most steps of the fit. It ends by itself when what a step leaves is below 2 % of the standard error, after 2 or 3; a fit \
             that does not is flagged not_converged",
            defaults.max_iterations as i64,
        )
        .range(2.0, 100.0)
        .expert(),
        Parameter::float(
            "least_contrast",
            "Contrast, in its own standard errors, below which a bead has no z and is flagged low_contrast",
            defaults.least_contrast,
        )
        .range(0.0, 1000.0)
        .expert(),
    ]
}

/// The camera's noise, as far as it is known.
pub fn noise(config: &WorkerConfig) -> NoiseModel {
    NoiseModel {
        gain_e_per_adu: config.gain_e_per_adu,
        offset_adu: config.offset_adu,
        read_noise_e: config.read_noise_e,
    }
}

impl Table {
    fn new(saved: SavedTable, layout: &ProfileLayout) -> Result<Table> {
        let geometry = match layout.kind {
            PROFILE_RADIAL if layout.step_px > 0.0 => {
                BinGeometry::Radial { first_radius_px: layout.first_radius_px, step_px: layout.step_px }
            }
            _ => BinGeometry::Equal,
        };
        let n_needed = saved.z_nm.len() * layout.n_bins as usize;
        if saved.profiles.len() != n_needed {
            let n_given = saved.profiles.len();
            return Err(refused(SplineTableError::WrongLength { n_given, n_needed }));
        }
        let splines = SplineTable::new(&saved.z_nm, &saved.profiles, &saved.variance, &geometry).map_err(refused)?;
        Ok(Table { saved, splines })
    }
}

fn refused(error: impl std::error::Error) -> Error {
    Error::invalid(error.to_string())
}

impl ZlutStrategy for Spline {
    type Table = Table;
    type Worker = SplineWorker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "zlut.spline",
            name: "Spline through the planes",
            version: "1.2.0",
            summary: "Weighted least squares of z, gain and offset on a cubic spline in z per radial bin, started at the \
                      plane that correlates best. The splines are smoothed as far as the scatter of a plane's frames asks \
                      for; with one frame per plane, as far as the scatter of the planes does, and quarter-pixel bins along \
                      the radius too. Bins are weighted by their pixels over the variance that the camera's noise gives \
                      them; sigma_z is that of the fit, raised where the residual is larger than the noise, and by what \
                      the splines miss between planes, as the planes themselves tell. Without a known gain the noise is \
                      taken as proportional to brightness, its size from the residual. Quality is 1 / reduced \
                      chi-squared, at most 1; without a known gain the explained share of the profile's variance. The \
                      method's own flag (bit 24): the profile fits the table nowhere well, reduced chi-squared above 1.6.",
            source: "weighted least squares on a spline Z-LUT, after the tracking code of D. T. Kovari (2019); smoothing: \
                     Reinsch, Numer. Math. 10, 177 (1967), Craven & Wahba, Numer. Math. 31, 377 (1979)",
            licence: "MIT OR Apache-2.0",
            capabilities: &[],
            parameters: schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        let max_iterations = params.int("max_iterations")? as usize;
        Ok(Self { options: SplineOptions { max_iterations, least_contrast: params.float("least_contrast")? } })
    }

    fn build(&self, sweep: &SweepView<'_>, host: &HostHandle) -> Result<Table> {
        Table::new(planes::planes(sweep, host)?, &sweep.layout)
    }

    fn load(&self, parts: &SavedTableView<'_>) -> Result<Table> {
        let saved = SavedTable {
            z_nm: parts.z_nm.to_vec(),
            profiles: parts.profiles.to_vec(),
            variance: parts.variance.unwrap_or_default().to_vec(),
            bytes: Vec::new(),
        };
        Table::new(saved, &parts.layout)
    }

    fn save(table: &Table) -> Result<SavedTable> {
        Ok(table.saved.clone())
    }

    fn worker(&self, config: &WorkerConfig, layout: &ProfileLayout) -> Result<SplineWorker> {
        let n_bins = layout.n_bins as usize;
        let made = SplineLookup::new(n_bins, noise(config), self.options);
        let lookup = made.map_err(|error| match error {
            KernelError::OutOfRange { name: "n_bins", .. } => Error::invalid(format!(
                "the tracker makes profiles of {n_bins} bins\na fit needs 4 or more\ntake a tracker that makes profiles, \
                 such as tracker.magtrack"
            )),
            other => refused(other),
        })?;
        Ok(SplineWorker { lookup })
    }
}

impl ZlutWorker for SplineWorker {
    type Table = Table;

    fn lookup(&mut self, _batch: &RoiBatch<'_>, rows: &mut LookupRows<'_, Table>) -> Result<()> {
        // All rows first, so that a batch is either looked up or left as it was.
        for i in 0..rows.len() {
            self.check(i, &rows.row(i))?;
        }
        for i in 0..rows.len() {
            let row = rows.row(i);
            if row.fix.x_px.is_finite() && row.fix.y_px.is_finite() {
                self.one(row);
            }
        }
        Ok(())
    }

    fn explain(
        &mut self,
        _batch: &RoiBatch<'_>,
        rows: &mut LookupRows<'_, Table>,
        arrays: &mut NamedArrays<'_>,
    ) -> Result<()> {
        let row = rows.row(0);
        self.check(0, &row)?;
        let (table, profile) = (row.table, row.profile);
        let fit = self.one(row);
        explain::explain(&table.splines, profile, &fit, arrays)
    }
}

impl SplineWorker {
    /// Refuses a profile or a table of another length: the host's mistake, so the whole batch.
    fn check(&self, i: usize, row: &LookupRow<'_, Table>) -> Result<()> {
        let (profile, table, n_bins) = (row.profile.len(), row.table.splines.n_bins(), self.lookup.n_bins());
        if profile == n_bins && table == n_bins && (row.weights.is_empty() || row.weights.len() == n_bins) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "ROI {i} has a profile of {profile} bins and a Z-LUT of {table} bins\nthis worker was made for {n_bins}\nrecord \
             the Z-LUT with the ROI size and the profile options of the measurement"
        )))
    }

    fn one(&mut self, row: LookupRow<'_, Table>) -> SplineFit {
        let fit = self
            .lookup
            .execute(&row.table.splines, row.profile, known_weights(row.weights))
            .expect("the lengths were checked");
        row.fix.z_nm = fit.z_nm;
        row.fix.sigma_z_nm = fit.sigma_z_nm as f32;
        row.fix.quality = if fit.chi2.is_nan() { fit.explained } else { 1.0 / fit.chi2.max(1.0) } as f32;
        row.fix.flags |= match fit.outcome {
            SplineOutcome::Found => 0,
            SplineOutcome::OutsideTable => FLAG_OUTSIDE_ZLUT,
            SplineOutcome::NotConverged => FLAG_NOT_CONVERGED,
            SplineOutcome::LowContrast => FLAG_LOW_CONTRAST,
            _ => FLAG_NON_FINITE,
        };
        if fit.outcome == SplineOutcome::Found && fit.is_misfit() {
            row.fix.flags |= FLAG_MISFIT;
        }
        fit
    }
}
