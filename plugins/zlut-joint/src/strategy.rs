//! The strategy: instance, worker, and how an outcome of the kernels becomes a fix and its flags.

use crate::explain;
use crate::table::{Table, noise, refused};
use tetherscope_kernels::{JointFit, JointLookup, JointOptions, JointOutcome, KernelError, Pixel, known_weights};
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_LOW_CONTRAST, FLAG_METHOD_FIRST, FLAG_NEIGHBOUR, FLAG_NON_FINITE, FLAG_NOT_CONVERGED,
    FLAG_OUTSIDE_ZLUT,
};
use tetherscope_plugin_api::{
    Descriptor, Error, HostHandle, LookupRow, LookupRows, NamedArrays, ParamValues, Parameter, ProfileLayout, Result,
    Roi, RoiBatch, SavedTable, SavedTableView, SweepView, WorkerConfig, ZlutStrategy, ZlutWorker,
};

/// The image differs from the template by more than the camera's noise, all over.
pub const FLAG_MISFIT: u32 = FLAG_METHOD_FIRST;

/// The options.
pub struct Joint {
    options: JointOptions,
}

/// Scratch for ROIs of one size and profiles of one length.
pub struct JointWorker {
    lookup: JointLookup,
}

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    let defaults = JointOptions::default();
    vec![
        Parameter::int(
            "max_passes",
            "Most passes over the pixels. The fit ends by itself when what a step leaves is below 5 % of the standard error, \
             after 1 or 2; one that does not is flagged not_converged",
            defaults.max_passes as i64,
        )
        .range(1.0, 100.0)
        .expert(),
        Parameter::float(
            "least_contrast",
            "Contrast, in its own standard errors, below which a bead has no z and is flagged low_contrast",
            defaults.least_contrast,
        )
        .range(0.0, 1000.0)
        .expert(),
        Parameter::float(
            "neighbour_limit",
            "A tile of 8 x 8 pixels whose residual exceeds that of the others by this many standard deviations holds \
             something else, a bead or dirt: flagged neighbour",
            defaults.tile_limit,
        )
        .range(0.0, 1000.0)
        .expert(),
    ]
}

impl ZlutStrategy for Joint {
    type Table = Table;
    type Worker = JointWorker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "zlut.joint",
            name: "Joint fit on the pixels",
            version: "1.2.0",
            summary: "Weighted least squares of x, y, z, gain and offset together on all pixels of the ROI, against a \
                      template: a radial spline for every plane, fitted to the pixels of the sweep with each frame's own \
                      centre, gain and offset, smoothed along z as far as their scatter asks for. x and y are refined too. \
                      Weights come from the camera's noise (shot, read, rounding); saturated pixels and those near to \
                      saturation do not count. Standard errors are those of the inverse normal matrix, raised by the root of \
                      the reduced chi-squared where it is above 1; that of z also by the noise of the template and by what \
                      its splines miss between planes. Without a known gain the noise is taken as proportional to \
                      brightness, its size from the residual. Where no fit is had, x and y stay as the tracker had them and \
                      z is NaN. Quality is 1 / reduced chi-squared, at most 1; without a known gain the explained share \
                      of the variance. The method's own flag (bit 24): the image fits the template nowhere well, reduced \
                      chi-squared above 1.3.",
            source: "maximum likelihood for normal noise with a measured template; bound: Ober, Ram & Ward, Biophys. J. 86, \
                     1185 (2004); smoothing: Reinsch, Numer. Math. 10, 177 (1967)",
            licence: "MIT OR Apache-2.0",
            capabilities: &["needs_pixels", "refines_xy", "own_bytes"],
            parameters: schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        let options = JointOptions {
            max_passes: params.int("max_passes")? as usize,
            least_contrast: params.float("least_contrast")?,
            tile_limit: params.float("neighbour_limit")?,
            ..JointOptions::default()
        };
        Ok(Self { options })
    }

    fn build(&self, sweep: &SweepView<'_>, host: &HostHandle) -> Result<Table> {
        Table::build(sweep, host)
    }

    fn load(&self, parts: &SavedTableView<'_>) -> Result<Table> {
        Table::load(parts)
    }

    fn save(table: &Table) -> Result<SavedTable> {
        Ok(table.saved.clone())
    }

    fn worker(&self, config: &WorkerConfig, layout: &ProfileLayout) -> Result<JointWorker> {
        let (w, h) = (config.w_px, config.h_px);
        if w != h {
            return Err(Error::invalid(format!(
                "cannot fit in ROIs of {w} x {h} px\nthis strategy needs square ones\nmake them {0} x {0} px",
                w.min(h)
            )));
        }
        let options = JointOptions { saturation: config.saturation_adu, noise: noise(config), ..self.options };
        let n_bins = layout.n_bins as usize;
        let lookup = JointLookup::new(w as usize, n_bins, &options).map_err(|error| match error {
            KernelError::OutOfRange { name: "n_bins", .. } => Error::invalid(format!(
                "the tracker makes profiles of {n_bins} bins\na start needs 4 or more\ntake a tracker that makes profiles, \
                 such as tracker.quadrant"
            )),
            other => refused(other),
        })?;
        Ok(JointWorker { lookup })
    }
}

impl ZlutWorker for JointWorker {
    type Table = Table;

    fn lookup(&mut self, batch: &RoiBatch<'_>, rows: &mut LookupRows<'_, Table>) -> Result<()> {
        // All rows first, so that a batch is either looked up or left as it was.
        self.check_batch(batch)?;
        for i in 0..rows.len() {
            self.check(i, &rows.row(i))?;
        }
        for i in 0..rows.len() {
            let row = rows.row(i);
            if row.fix.x_px.is_finite() && row.fix.y_px.is_finite() {
                match batch.roi(i) {
                    Roi::U8(image) => self.one(image, row),
                    Roi::U16(image) => self.one(image, row),
                };
            }
        }
        Ok(())
    }

    fn explain(
        &mut self,
        batch: &RoiBatch<'_>,
        rows: &mut LookupRows<'_, Table>,
        arrays: &mut NamedArrays<'_>,
    ) -> Result<()> {
        self.check_batch(batch)?;
        let row = rows.row(0);
        self.check(0, &row)?;
        let template = &row.table.template;
        match batch.roi(0) {
            Roi::U8(image) => {
                let fit = self.one(image, row);
                explain::explain(&self.lookup, image, template, &fit, arrays)
            }
            Roi::U16(image) => {
                let fit = self.one(image, row);
                explain::explain(&self.lookup, image, template, &fit, arrays)
            }
        }
    }
}

impl JointWorker {
    /// Refuses ROIs of another shape than the worker was made for: the host's mistake, so the whole batch.
    fn check_batch(&self, batch: &RoiBatch<'_>) -> Result<()> {
        let (w, h, size) = (batch.w_px(), batch.h_px(), self.lookup.size_px());
        if !batch.is_empty() && ((w, h) != (size, size) || !batch.has_pixels()) {
            let message = format!("ROIs of {w} x {h} px for a worker of {size} x {size} px");
            return Err(Error::invalid(message));
        }
        Ok(())
    }

    /// Refuses a profile or a table of another length: the host's mistake too.
    fn check(&self, i: usize, row: &LookupRow<'_, Table>) -> Result<()> {
        let (profile, table, n_bins) = (row.profile.len(), row.table.profiles.n_bins(), self.lookup.n_bins());
        if profile == n_bins && table == n_bins && (row.weights.is_empty() || row.weights.len() == n_bins) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "ROI {i} has a profile of {profile} bins and a Z-LUT of {table} bins\nthis worker was made for {n_bins}\nrecord \
             the Z-LUT with the ROI size and the profile options of the measurement"
        )))
    }

    fn one<P: Pixel>(&mut self, image: ndarray::ArrayView2<'_, P>, row: LookupRow<'_, Table>) -> JointFit {
        let LookupRow { table, fix, profile, weights } = row;
        let center = (fix.x_px, fix.y_px);
        let fit = self
            .lookup
            .execute(image, &table.profiles, &table.template, center, profile, known_weights(weights))
            .expect("the lengths were checked");
        fix.flags |= match fit.outcome {
            JointOutcome::Found => 0,
            JointOutcome::OutsideTemplate => FLAG_OUTSIDE_ZLUT,
            JointOutcome::AtBorder => FLAG_AT_BORDER,
            JointOutcome::NotConverged => FLAG_NOT_CONVERGED,
            JointOutcome::LowContrast => FLAG_LOW_CONTRAST,
            _ => FLAG_NON_FINITE,
        };
        (fix.z_nm, fix.sigma_z_nm) = (fit.z_nm, fit.sigma_z_nm as f32);
        if fit.outcome != JointOutcome::Found {
            return fit;
        }
        (fix.x_px, fix.y_px) = (fit.x_px, fit.y_px);
        (fix.sigma_x_px, fix.sigma_y_px) = (fit.sigma_x_px as f32, fit.sigma_y_px as f32);
        fix.quality = if fit.chi2.is_nan() { fit.explained } else { 1.0 / fit.chi2.max(1.0) } as f32;
        if fit.worst_tile > self.lookup.tile_limit() {
            fix.flags |= FLAG_NEIGHBOUR;
        }
        if fit.is_misfit() {
            fix.flags |= FLAG_MISFIT;
        }
        fit
    }
}
