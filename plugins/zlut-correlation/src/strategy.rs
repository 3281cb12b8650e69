//! The strategy: instance, worker, and how an outcome of the kernels becomes flags.

use crate::table::CorrelationTable;
use crate::{average, explain};
use tetherscope_kernels::{ParabolaFit, ZEstimate, ZOutcome};
use tetherscope_plugin_api::abi::{FLAG_LOW_CONTRAST, FLAG_NON_FINITE, FLAG_NOT_CONVERGED, FLAG_OUTSIDE_ZLUT};
use tetherscope_plugin_api::{
    Descriptor, Error, HostHandle, LookupRow, LookupRows, NamedArrays, ParamValues, Parameter, ProfileLayout, Result,
    RoiBatch, SavedTable, SavedTableView, SweepView, WorkerConfig, ZlutStrategy, ZlutWorker,
};

/// The options.
pub struct Correlation {
    fit: ParabolaFit,
}

/// Scratch for profiles of one length.
pub struct CorrelationWorker {
    fit: ParabolaFit,
    n_bins: usize,
    scratch: Vec<f64>,
}

/// The parameters.
pub fn schema() -> Vec<Parameter> {
    vec![
        Parameter::int(
            "n_local",
            "Planes of the parabola through the best correlation, an odd number; an even one is refused (MagScope takes \
             the next odd one). A table of fewer planes gives the z of its best plane, flagged not_converged. MagTrack: \
             lookup_z.n_local",
            7,
        )
        .range(3.0, 99.0)
        .step(2.0),
    ]
}

impl ZlutStrategy for Correlation {
    type Table = CorrelationTable;
    type Worker = CorrelationWorker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "zlut.correlation",
            name: "Correlation with the planes",
            version: "1.0.0",
            summary: "The plane whose profile correlates best, and a parabola through its neighbours' correlations. \
                      Quality is the correlation with the best plane, cut to 0 to 1; the method gives no standard error. \
                      A table is the plain mean of the tracked frames of each plane; profiles are compared whatever their \
                      brightness and contrast.",
            source: "lookup_z of MagTrack 1.0.0, 7jameslondon/MagTrack on GitHub",
            licence: "MIT OR Apache-2.0",
            capabilities: &[],
            parameters: schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        let n_local = params.int("n_local")?;
        let fit = ParabolaFit::weighted(n_local as usize).map_err(|_| {
            Error::invalid(format!(
                "`n_local` is {n_local}\na parabola through a peak needs a middle plane, so an odd number of planes\ntake \
                 {} (MagScope would) or {}",
                n_local + 1,
                (n_local - 1).max(3)
            ))
        })?;
        Ok(Self { fit })
    }

    fn build(&self, sweep: &SweepView<'_>, host: &HostHandle) -> Result<CorrelationTable> {
        CorrelationTable::new(average::planes(sweep, host)?, sweep.layout.n_bins as usize)
    }

    fn load(&self, parts: &SavedTableView<'_>) -> Result<CorrelationTable> {
        CorrelationTable::load(parts)
    }

    fn save(table: &CorrelationTable) -> Result<SavedTable> {
        Ok(table.saved.clone())
    }

    fn worker(&self, _config: &WorkerConfig, layout: &ProfileLayout) -> Result<CorrelationWorker> {
        let n_bins = layout.n_bins as usize;
        if n_bins < 2 {
            return Err(Error::invalid(format!(
                "the tracker makes profiles of {n_bins} bins\na correlation needs 2 or more\ntake a tracker that makes \
                 profiles, such as tracker.magtrack"
            )));
        }
        Ok(CorrelationWorker { fit: self.fit.clone(), n_bins, scratch: vec![0.0; n_bins] })
    }
}

impl ZlutWorker for CorrelationWorker {
    type Table = CorrelationTable;

    fn lookup(&mut self, _batch: &RoiBatch<'_>, rows: &mut LookupRows<'_, CorrelationTable>) -> Result<()> {
        // All rows first, so that a batch is either looked up or left as it was.
        for i in 0..rows.len() {
            self.check(i, &rows.row(i))?;
        }
        for i in 0..rows.len() {
            let row = rows.row(i);
            if row.fix.x_px.is_finite() && row.fix.y_px.is_finite() {
                self.lookup_one(row);
            }
        }
        Ok(())
    }

    fn explain(
        &mut self,
        _batch: &RoiBatch<'_>,
        rows: &mut LookupRows<'_, CorrelationTable>,
        arrays: &mut NamedArrays<'_>,
    ) -> Result<()> {
        let row = rows.row(0);
        self.check(0, &row)?;
        explain::explain(row.table, row.profile, arrays)
    }
}

impl CorrelationWorker {
    /// Refuses a profile or a table of another length: the host's mistake, so the whole batch.
    fn check(&self, i: usize, row: &LookupRow<'_, CorrelationTable>) -> Result<()> {
        let (profile, table) = (row.profile.len(), row.table.planes.n_bins());
        if profile == self.n_bins && table == self.n_bins {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "ROI {i} has a profile of {profile} bins and a Z-LUT of {table} bins\nthis worker was made for {}\nrecord the \
             Z-LUT with the ROI size and the profile options of the measurement",
            self.n_bins
        )))
    }

    fn lookup_one(&mut self, row: LookupRow<'_, CorrelationTable>) {
        let found = row.table.planes.lookup_z(row.profile, &self.fit, &mut self.scratch);
        let ZEstimate { z_nm, correlation, outcome, .. } = found.expect("the lengths were checked");
        let (z_nm, flag) = match outcome {
            ZOutcome::Found => (z_nm, 0),
            ZOutcome::CoarsePlane => (z_nm, FLAG_NOT_CONVERGED),
            ZOutcome::PeakAtEnd => (f64::NAN, FLAG_OUTSIDE_ZLUT),
            ZOutcome::NoCorrelation if row.profile[1..].iter().any(|p| p.is_finite()) => (f64::NAN, FLAG_LOW_CONTRAST),
            _ => (f64::NAN, FLAG_NON_FINITE),
        };
        row.fix.z_nm = z_nm;
        row.fix.flags |= flag;
        row.fix.quality = correlation.clamp(0.0, 1.0) as f32;
    }
}
