//! Options that `track` and `zlut build` share: the video, its ROIs, its scale and noise, the tracker; and how they become
//! a source and a plan.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tetherscope_core::loader::{Camera, CameraFormat, Component, Kind, LoadError, ParamSet, Registry, Tracker};
use tetherscope_core::{Optics, Roi, RunError, RunOptions};

/// What is tracked, and how.
#[derive(clap::Args)]
pub(crate) struct FrameArgs {
    /// Video: a TIFF stack, or a folder with an image sequence
    pub(crate) video: PathBuf,
    /// Tracking method: `id`, `id@version` or `id#hash`
    #[arg(long, value_name = "METHOD")]
    pub(crate) tracker: String,
    /// Parameter of the tracker; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) params: Vec<(String, String)>,
    /// ROI list (CSV: bead,x_px,y_px,w_px,h_px); without it the whole image is one ROI
    #[arg(long, value_name = "FILE")]
    pub(crate) rois: Option<PathBuf>,
    /// Size of a pixel in the sample, in nm
    #[arg(long, value_name = "NM")]
    pub(crate) nm_per_px: f64,
    /// Focal shift per focus travel (refractive-index mismatch)
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) focal_shift_factor: f64,
    /// Bits of a pixel that carry the value, if the file does not say it
    #[arg(long, value_name = "N")]
    pub(crate) bits: Option<u32>,
    /// Electrons per ADU
    #[arg(long, value_name = "E", default_value_t = f64::NAN, hide_default_value = true)]
    pub(crate) gain_e_per_adu: f64,
    /// Pixel value without light
    #[arg(long, value_name = "ADU", default_value_t = f64::NAN, hide_default_value = true)]
    pub(crate) offset_adu: f64,
    /// Read noise, rms, in electrons
    #[arg(long, value_name = "E", default_value_t = f64::NAN, hide_default_value = true)]
    pub(crate) read_noise_e: f64,
    /// Threads that track; without it one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// Reads `key=value`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form key=value"))?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// Parameters of a component from pairs of the command line.
pub(crate) fn params_of(component: &Component, pairs: &[(String, String)]) -> Result<ParamSet, LoadError> {
    component.params(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}

impl FrameArgs {
    /// The video, open.
    pub(crate) fn open(&self, registry: &Registry) -> Result<Arc<Camera>, RunError> {
        open_video(registry, &self.video)
    }

    /// The tracker with its parameters.
    pub(crate) fn tracker(&self, registry: &Registry) -> Result<Arc<Tracker>, RunError> {
        let component = registry.resolve(Kind::Tracker, &self.tracker)?;
        Ok(Tracker::create(component, params_of(component, &self.params)?)?)
    }

    /// Scale and noise.
    pub(crate) fn optics(&self) -> Optics {
        Optics {
            focal_shift_factor: self.focal_shift_factor,
            significant_bits: self.bits,
            gain_e_per_adu: self.gain_e_per_adu,
            offset_adu: self.offset_adu,
            read_noise_e: self.read_noise_e,
            ..Optics::new(self.nm_per_px)
        }
    }

    /// The ROI list; None for the whole image.
    pub(crate) fn read_rois(&self) -> Result<Option<Vec<Roi>>, RunError> {
        Ok(self.rois.as_ref().map(tetherscope_files::read_rois).transpose()?)
    }

    /// How to run.
    pub(crate) fn run_options(&self, context: &super::Context) -> RunOptions {
        let default = RunOptions::default();
        RunOptions {
            threads: self.threads.map_or(default.threads, usize::from),
            cancel: context.cancel.clone(),
            ..default
        }
    }
}

/// Opens a video through `camera.replay`.
pub(crate) fn open_video(registry: &Registry, video: &Path) -> Result<Arc<Camera>, RunError> {
    let component = registry.resolve(Kind::Camera, "camera.replay")?;
    let Some(path) = video.to_str() else {
        return Err(RunError::refused(
            format!("cannot open {}", video.display()),
            "its name is not Unicode",
            "rename it",
        ));
    };
    let params = component.params([("path", path)])?;
    Ok(Arc::new(Camera::open(component, "", &params)?))
}

/// Warns of beads whose ROI leaves the frame.
pub(crate) fn outside_warning(beads: &[u32], format: &CameraFormat) -> Option<String> {
    if beads.is_empty() {
        return None;
    }
    let list: Vec<String> = beads.iter().map(u32::to_string).collect();
    Some(format!(
        "bead {} does not lie wholly inside the frame of {} × {} px: its rows are NaN and flagged at_border",
        list.join(", "),
        format.width_px,
        format.height_px
    ))
}
