//! The tracker: instance, worker, and how what the kernels say becomes a fix and its flags.

use crate::options;
use ndarray::ArrayView2;
use tetherscope_kernels::{Outcome, Pixel, QuadrantChain, QuadrantFit, QuadrantOptions, RingProfile, is_saturated};
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_LOW_CONTRAST, FLAG_NEIGHBOUR, FLAG_NO_SIGNAL, FLAG_NON_FINITE, FLAG_NOT_CONVERGED,
    FLAG_SATURATED, PIXEL_MONO8, PIXEL_MONO16, PROFILE_RADIAL,
};
use tetherscope_plugin_api::{
    Descriptor, Error, NamedArrays, ParamValues, ProfileLayout, Result, Roi, RoiBatch, TrackRow, TrackRows, Tracker,
    TrackerWorker, WorkerConfig,
};

/// Below this symmetry less than half of what varies along the radius is the bead: the rest is noise or something else.
const LOW_SYMMETRY: f64 = 0.5;

/// The parameters.
pub struct QuadrantTracker {
    clip_sigma: f64,
    options: QuadrantOptions,
}

/// Plans and scratch for ROIs of one size.
pub struct QuadrantWorker {
    size_px: usize,
    saturation_adu: f64,
    chain: QuadrantChain,
}

impl Tracker for QuadrantTracker {
    type Worker = QuadrantWorker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "tracker.quadrant",
            name: "Quadrant interpolation",
            version: "1.1.0",
            summary: "Clipped centre of mass, lines through it, then the shift that makes opposite halves of the rings \
                      alike, over every ring as far as it lies in the ROI on all sides. Standard errors come from the \
                      camera's noise where its gain is known, else from how the halves still differ; quality is the \
                      correlation of opposite halves. Where they differ by far more than the noise of a known camera, \
                      something else lies in the ROI: flagged neighbour. Profile in quarter-pixel bins out to the corners, \
                      with weights.",
            source: "M. T. J. van Loenhout et al., Biophys. J. 102, 2362 (2012); J. P. Cnossen, D. Dulin, N. H. Dekker, \
                     Rev. Sci. Instrum. 85, 103712 (2014)",
            licence: "MIT OR Apache-2.0",
            capabilities: &["profile", "weights", "sigma", "mono8", "mono16"],
            parameters: options::schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        let (clip_sigma, options) = options::from_values(params)?;
        Ok(Self { clip_sigma, options })
    }

    fn worker(&self, config: &WorkerConfig) -> Result<(QuadrantWorker, ProfileLayout)> {
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
        let options = options::of_worker(&self.options, config);
        let chain = QuadrantChain::new(w as usize, self.clip_sigma, &options)
            .map_err(|error| Error::invalid(error.to_string()))?;
        let layout = ProfileLayout::new(PROFILE_RADIAL, chain.n_bins(), 0.0, RingProfile::STEP_PX);
        Ok((QuadrantWorker { size_px: w as usize, saturation_adu: config.saturation_adu, chain }, layout))
    }
}

impl TrackerWorker for QuadrantWorker {
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

    fn explain(&mut self, batch: &RoiBatch<'_>, arrays: &mut NamedArrays<'_>) -> Result<()> {
        self.check(batch)?;
        match batch.roi(0) {
            Roi::U8(image) => self.explain_one(image, arrays),
            Roi::U16(image) => self.explain_one(image, arrays),
        }
    }
}

impl QuadrantWorker {
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
        let fit = self.chain.find_center(image);
        row.fix.flags |= flags_of(&fit);
        (row.fix.x_px, row.fix.y_px) = (fit.x_px, fit.y_px);
        (row.fix.sigma_x_px, row.fix.sigma_y_px) = (fit.sigma_x_px as f32, fit.sigma_y_px as f32);
        row.fix.quality = fit.symmetry as f32;
        if !row.profile.is_empty() {
            self.chain.make_profile(image, fit.x_px, fit.y_px, row.profile, row.weights);
        }
        if is_saturated(image, self.saturation_adu) {
            row.fix.flags |= FLAG_SATURATED;
        }
    }

    fn explain_one<P: Pixel>(&mut self, image: ArrayView2<'_, P>, arrays: &mut NamedArrays<'_>) -> Result<()> {
        let fit = self.chain.find_center(image);
        let n_bins = self.chain.n_bins();
        let (mut profile, mut weights) = (vec![f64::NAN; n_bins], vec![0.0f32; n_bins]);
        self.chain.make_profile(image, fit.x_px, fit.y_px, &mut profile, &mut weights);
        let radii: Vec<f64> = (0..n_bins).map(|k| k as f64 * RingProfile::STEP_PX).collect();
        let weights: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
        arrays.add("center", "px", &[2], &[fit.x_px, fit.y_px])?;
        arrays.add("sigma", "px", &[2], &[fit.sigma_x_px, fit.sigma_y_px])?;
        arrays.add("symmetry", "", &[1], &[fit.symmetry])?;
        arrays.add("chi2", "", &[1], &[fit.chi2])?;
        arrays.add("passes", "", &[1], &[fit.n_passes as f64])?;
        arrays.add("radius", "px", &[n_bins], &radii)?;
        arrays.add("profile", "ADU", &[n_bins], &profile)?;
        arrays.add("weights", "px", &[n_bins], &weights)
    }
}

fn flags_of(fit: &QuadrantFit) -> u32 {
    match fit.outcome {
        Outcome::Found => {
            let slow = if fit.converged { 0 } else { FLAG_NOT_CONVERGED };
            let faint = if fit.symmetry >= LOW_SYMMETRY { 0 } else { FLAG_LOW_CONTRAST };
            let crowded = if fit.has_neighbour() { FLAG_NEIGHBOUR } else { 0 };
            slow | faint | crowded
        }
        Outcome::NoSignal => FLAG_NO_SIGNAL,
        Outcome::PeakAtBorder | Outcome::LinePastBorder => FLAG_AT_BORDER,
        _ => FLAG_NON_FINITE,
    }
}
