//! The tracker: instance, worker, and how an outcome of the kernels becomes flags.

use crate::options;
use ndarray::ArrayView2;
use tetherscope_kernels::{AutoConv, CenterOfMass, MagtrackChain, MagtrackOptions, Outcome, ParabolaFit, Pixel};
use tetherscope_kernels::{Center, KernelError, is_saturated, n_side_lines};
use tetherscope_plugin_api::abi::{
    FLAG_AT_BORDER, FLAG_NO_SIGNAL, FLAG_NON_FINITE, FLAG_SATURATED, PIXEL_MONO8, PIXEL_MONO16,
};
use tetherscope_plugin_api::{
    Descriptor, Error, NamedArrays, ParamValues, ProfileLayout, Result, Roi, RoiBatch, TrackRow, TrackRows, Tracker,
    TrackerWorker, WorkerConfig,
};

/// The options.
pub struct MagtrackTracker {
    options: MagtrackOptions,
}

/// Plans and scratch for ROIs of one size.
pub struct MagtrackWorker {
    options: MagtrackOptions,
    size_px: usize,
    chain: MagtrackChain,
    saturation_adu: f64,
}

impl Tracker for MagtrackTracker {
    type Worker = MagtrackWorker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "tracker.magtrack",
            name: "MagTrack chain",
            version: "1.0.0",
            summary: "Centre of mass, self-convolution of the lines through it, then several times a band of lines with \
                      a parabola through the peak; radial or spectral profile. Standard errors and quality are NaN and \
                      weights are not written, because the method gives none; a ROI with a pixel at the saturation \
                      level is flagged saturated.",
            source: "stack_to_xyzp_advanced of MagTrack 1.0.0, 7jameslondon/MagTrack on GitHub",
            licence: "MIT OR Apache-2.0",
            capabilities: &["profile", "mono8", "mono16"],
            parameters: options::schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        Ok(Self { options: options::from_values(params)? })
    }

    fn worker(&self, config: &WorkerConfig) -> Result<(MagtrackWorker, ProfileLayout)> {
        options::check_roi(&self.options, config)?;
        if ![PIXEL_MONO8, PIXEL_MONO16].contains(&config.pixel_format) {
            let message = format!(
                "cannot track in pixels of the format 0x{:08x}\nthis method takes 8 or 16 bits of grey\nset the camera to \
                 Mono8 or Mono16",
                config.pixel_format
            );
            return Err(Error::unsupported(message));
        }
        let size_px = config.w_px as usize;
        let chain = MagtrackChain::new(size_px, &self.options).map_err(refused)?;
        let layout = options::layout(&self.options, size_px, chain.n_bins())?;
        let worker = MagtrackWorker { options: self.options, size_px, chain, saturation_adu: config.saturation_adu };
        Ok((worker, layout))
    }
}

fn refused(error: KernelError) -> Error {
    Error::invalid(error.to_string())
}

impl TrackerWorker for MagtrackWorker {
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

impl MagtrackWorker {
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
        let (x_px, y_px, outcome) = if row.profile.is_empty() {
            let center = self.chain.find_center(image);
            (center.x_px, center.y_px, center.outcome())
        } else {
            let bead = self.chain.execute(image, None, row.profile);
            (bead.x_px, bead.y_px, bead.outcome)
        };
        // One lost axis loses the ROI: never a number beside a NaN.
        if outcome == Outcome::Found && x_px.is_finite() && y_px.is_finite() {
            (row.fix.x_px, row.fix.y_px) = (x_px, y_px);
        } else {
            (row.fix.x_px, row.fix.y_px) = (f64::NAN, f64::NAN);
            row.fix.flags |= flag_of(outcome);
        }
        if is_saturated(image, self.saturation_adu) {
            row.fix.flags |= FLAG_SATURATED;
        }
    }

    /// The steps of the chain one by one, with workers of their own: the same calls in the same order.
    fn explain_one<P: Pixel>(&mut self, image: ArrayView2<'_, P>, arrays: &mut NamedArrays<'_>) -> Result<()> {
        let options = self.options;
        let mut auto_conv = AutoConv::new(self.size_px).map_err(refused)?;
        let fit = ParabolaFit::weighted(options.n_local).map_err(refused)?;
        let n_side = n_side_lines(self.size_px, options.line_ratio);
        let mut centers = vec![CenterOfMass::new(self.size_px).execute(image, options.background)];
        for step in 0..=options.n_refinements {
            let Center { x_px, y_px, .. } = centers[step];
            if !centers[step].is_finite() {
                break;
            }
            centers.push(match step {
                0 => auto_conv.auto_conv(image, x_px, y_px),
                _ => auto_conv.auto_conv_multiline_sub_pixel(image, x_px, y_px, n_side, &fit),
            });
        }
        let steps = |of: fn(&Center) -> f64| centers.iter().map(of).collect::<Vec<f64>>();
        arrays.add("center_x", "px", &[centers.len()], &steps(|c| c.x_px))?;
        arrays.add("center_y", "px", &[centers.len()], &steps(|c| c.y_px))?;
        if centers.len() > 1 {
            arrays.add("row_convolution", "ADU^2", &[self.size_px], auto_conv.row_convolution())?;
            arrays.add("column_convolution", "ADU^2", &[self.size_px], auto_conv.column_convolution())?;
        }
        let last = centers[centers.len() - 1];
        let mut profile = vec![f64::NAN; self.chain.n_bins()];
        if last.is_finite() {
            self.chain.make_profile(image, last.x_px, last.y_px, &mut profile);
        }
        let layout = options::layout(&options, self.size_px, profile.len())?;
        let radii: Vec<f64> = (0..profile.len()).map(|k| layout.first_radius_px + k as f64 * layout.step_px).collect();
        let radius_unit = if layout.kind == tetherscope_plugin_api::abi::PROFILE_FFT { "1/ROI width" } else { "px" };
        arrays.add("radius", radius_unit, &[radii.len()], &radii)?;
        arrays.add("profile", "ADU", &[profile.len()], &profile)
    }
}

/// The flag of a lost ROI.
fn flag_of(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::NoSignal => FLAG_NO_SIGNAL,
        Outcome::LinePastBorder | Outcome::PeakAtBorder => FLAG_AT_BORDER,
        _ => FLAG_NON_FINITE,
    }
}
