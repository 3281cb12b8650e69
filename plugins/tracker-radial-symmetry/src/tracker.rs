//! The tracker: instance, worker, and how what the kernels say becomes a fix and its flags.

use crate::options;
use ndarray::ArrayView2;
use tetherscope_kernels::{
    ClippedCom, Isa, KernelError, Outcome, Pixel, RadialSymmetry, RadialSymmetryFit, RadialSymmetryOptions,
    RingProfile, is_saturated,
};
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_LOW_CONTRAST, FLAG_NO_SIGNAL, FLAG_NON_FINITE, FLAG_NOT_CONVERGED, FLAG_SATURATED,
    PIXEL_MONO8, PIXEL_MONO16, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Descriptor, Error, ParamValues, ProfileLayout, Result, Roi, RoiBatch, TrackRow, TrackRows, Tracker, TrackerWorker,
    WorkerConfig,
};

/// Below this symmetry the gradients point along the radius little more than across it.
const LOW_SYMMETRY: f64 = 0.2;

/// The parameters.
pub struct RadialSymmetryTracker {
    clip_sigma: f64,
    options: RadialSymmetryOptions,
}

/// Plans and scratch for ROIs of one size.
pub struct RadialSymmetryWorker {
    size_px: usize,
    saturation_adu: f64,
    com: ClippedCom,
    symmetry: RadialSymmetry,
    profile: RingProfile,
}

impl Tracker for RadialSymmetryTracker {
    type Worker = RadialSymmetryWorker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "tracker.radial-symmetry",
            name: "Radial symmetry",
            version: "1.1.0",
            summary: "Clipped centre of mass, then the point nearest to all lines along the gradients, inside a ring mask \
                      round the current centre, until it rests. Standard errors are NaN, because the method gives none; \
                      quality is the share by which gradients point along the radius rather than across. Profile in \
                      quarter-pixel bins out to the corners, with weights.",
            source: "R. Parthasarathy, Nature Methods 9, 724 (2012)",
            licence: "MIT OR Apache-2.0",
            capabilities: &["profile", "weights", "mono8", "mono16"],
            parameters: options::schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        let (clip_sigma, options) = options::from_values(params)?;
        Ok(Self { clip_sigma, options })
    }

    fn worker(&self, config: &WorkerConfig) -> Result<(RadialSymmetryWorker, ProfileLayout)> {
        let (w, h) = (config.w_px, config.h_px);
        if w != h {
            return Err(Error::invalid(format!(
                "cannot track in ROIs of {w} x {h} px\nthis method needs square ones\nmake them {0} x {0} px",
                w.min(h)
            )));
        }
        if ![PIXEL_MONO8, PIXEL_MONO16].contains(&config.pixel_format) {
            return Err(Error::unsupported(format!(
                "cannot track in pixels of the format 0x{:08x}\nthis method takes 8 or 16 bits of grey\nset the camera to \
                 Mono8 or Mono16",
                config.pixel_format
            )));
        }
        let size_px = w as usize;
        let profile = RingProfile::new(size_px, Isa::detect()).map_err(refused)?;
        let layout = ProfileLayout::new(PROFILE_RADIAL, profile.n_bins(), 0.0, RingProfile::STEP_PX);
        let worker = RadialSymmetryWorker {
            size_px,
            saturation_adu: config.saturation_adu,
            com: ClippedCom::new(size_px, self.clip_sigma).map_err(refused)?,
            symmetry: RadialSymmetry::new(size_px, &self.options).map_err(refused)?,
            profile,
        };
        Ok((worker, layout))
    }
}

fn refused(error: KernelError) -> Error {
    Error::invalid(error.to_string())
}

impl TrackerWorker for RadialSymmetryWorker {
    fn track(&mut self, batch: &RoiBatch<'_>, rows: &mut TrackRows<'_>) -> Result<()> {
        self.check(batch)?;
        for i in 0..batch.len() {
            let row = rows.row(i);
            match batch.roi(i) {
                Roi::U8(image) => self.track_one(image, row),
                Roi::U16(image) => self.track_one(image, row),
            }
        }
        Ok(())
    }
}

impl RadialSymmetryWorker {
    /// Refuses ROIs of another shape than the worker was made for: the host's mistake, so the whole batch.
    fn check(&self, batch: &RoiBatch<'_>) -> Result<()> {
        let (w, h) = (batch.w_px(), batch.h_px());
        if (w, h) != (self.size_px, self.size_px) {
            let message = format!("ROIs of {w} x {h} px for a worker of {0} x {0} px", self.size_px);
            return Err(Error::invalid(message));
        }
        Ok(())
    }

    fn track_one<P: Pixel>(&mut self, image: ArrayView2<'_, P>, row: TrackRow<'_>) {
        let start = self.com.execute(image);
        let fit = self.symmetry.execute(image, start.x_px, start.y_px);
        // Without a start the reason is the start's.
        let outcome = if start.is_finite() { fit.outcome } else { start.outcome() };
        row.fix.flags |= flags_of(&fit, outcome);
        (row.fix.x_px, row.fix.y_px) = (fit.x_px, fit.y_px);
        row.fix.quality = fit.symmetry as f32;
        if !row.profile.is_empty() {
            self.profile.execute(image, fit.x_px, fit.y_px, row.profile, row.weights);
        }
        if is_saturated(image, self.saturation_adu) {
            row.fix.flags |= FLAG_SATURATED;
        }
    }
}

fn flags_of(fit: &RadialSymmetryFit, outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Found => {
            let slow = if fit.converged { 0 } else { FLAG_NOT_CONVERGED };
            let faint = if fit.symmetry >= LOW_SYMMETRY { 0 } else { FLAG_LOW_CONTRAST };
            slow | faint
        }
        Outcome::NoSignal => FLAG_NO_SIGNAL,
        Outcome::PeakAtBorder => FLAG_AT_BORDER,
        _ => FLAG_NON_FINITE,
    }
}
