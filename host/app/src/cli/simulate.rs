//! `tetherscope simulate`: a video of simulated beads, with truth, ROIs and focus beside it.

use super::output::{Ending, Output};
use super::simulated_rig::{self, TruthChannel};
use super::{CommandResult, Context, progress};
use serde_json::json;
use std::path::PathBuf;
use tetherscope_core::loader::{Value, abi};
use tetherscope_core::{FrameSource, RunError};
use tetherscope_files::{FocusRow, GreyDepth, Roi, TiffStackOptions, TiffStackWriter, TruthWriter};

/// Slots of the camera: a few, so that rendering and writing overlap.
const N_SLOTS: usize = 8;

/// Render a video of simulated beads, with the truth beside it
#[derive(clap::Args)]
pub(crate) struct Simulate {
    /// Where the video goes (TIFF stack); must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where the truth goes (CSV: frame,bead,time_s,x_px,y_px,z_nm,x_nm,y_nm)
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Also write ROIs round the beads (CSV)
    #[arg(long, value_name = "FILE")]
    rois: Option<PathBuf>,
    /// Side of these ROIs, in px
    #[arg(long, value_name = "PX", default_value_t = 64)]
    roi_px: u32,
    /// Also write the focus of each frame (CSV: frame,time_s,focus_nm)
    #[arg(long, value_name = "FILE")]
    focus: Option<PathBuf>,
    /// Number of frames
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Beads that do not move
    #[arg(long, value_name = "N")]
    fixed: Option<u32>,
    /// Beads that move as if tethered
    #[arg(long, value_name = "N")]
    tethered: Option<u32>,
    /// Width and height, in px
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(u32, u32)>,
    /// Size of a pixel in the sample, in nm
    #[arg(long, value_name = "NM")]
    nm_per_px: Option<f64>,
    /// Frames per second
    #[arg(long, value_name = "HZ")]
    frame_rate_hz: Option<f64>,
    /// Motion of the tethered beads along x and y, rms, in nm
    #[arg(long, value_name = "NM")]
    xy_sigma_nm: Option<f64>,
    /// Motion of the tethered beads along z, rms, in nm
    #[arg(long, value_name = "NM")]
    z_sigma_nm: Option<f64>,
    /// Bits of a pixel: 8, 10, 12 or 16
    #[arg(long, value_name = "N")]
    bits: Option<u32>,
    /// Electrons at full scale: fewer are noisier
    #[arg(long, value_name = "E")]
    electrons: Option<f64>,
    /// Read noise, rms, in electrons
    #[arg(long, value_name = "E")]
    read_noise_e: Option<f64>,
    /// Focus of the first frame, in nm
    #[arg(long, value_name = "NM", allow_negative_numbers = true)]
    focus_start_nm: Option<f64>,
    /// Change of focus from step to step, in nm: makes a sweep
    #[arg(long, value_name = "NM", allow_negative_numbers = true)]
    focus_step_nm: Option<f64>,
    /// Frames of each focus step
    #[arg(long, value_name = "N")]
    frames_per_step: Option<u32>,
    /// Seed: the same seed gives the same video
    #[arg(long, value_name = "N")]
    seed: Option<u32>,
    /// Any other parameter of camera.sim; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = super::frames::key_value)]
    params: Vec<(String, String)>,
}

/// Reads `640x480`.
fn size(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("`{text}` is not of the form 640x480");
    let (w, h) = text.split_once(['x', 'X']).ok_or_else(wrong)?;
    Ok((w.parse().map_err(|_| wrong())?, h.parse().map_err(|_| wrong())?))
}

impl Simulate {
    /// Parameters of `camera.sim`.
    fn settings(&self) -> Vec<(String, String)> {
        let mut all = vec![("n_frames".to_owned(), self.frames.to_string())];
        let mut set = |key: &str, value: Option<String>| all.extend(value.map(|v| (key.to_owned(), v)));
        set("width_px", self.size.map(|s| s.0.to_string()));
        set("height_px", self.size.map(|s| s.1.to_string()));
        set("n_fixed", self.fixed.map(|v| v.to_string()));
        set("n_tethered", self.tethered.map(|v| v.to_string()));
        set("bits", self.bits.map(|v| v.to_string()));
        set("seed", self.seed.map(|v| v.to_string()));
        set("frames_per_step", self.frames_per_step.map(|v| v.to_string()));
        for (key, value) in [
            ("nm_per_px", self.nm_per_px),
            ("frame_rate_hz", self.frame_rate_hz),
            ("tethered_xy_sigma_nm", self.xy_sigma_nm),
            ("tethered_z_sigma_nm", self.z_sigma_nm),
            ("full_scale_e", self.electrons),
            ("read_noise_e", self.read_noise_e),
            ("focus_start_nm", self.focus_start_nm),
            ("focus_step_nm", self.focus_step_nm),
        ] {
            set(key, value.map(|v| v.to_string()));
        }
        all.extend(self.params.iter().cloned());
        all
    }

    /// Renders.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let camera = simulated_rig::open(&registry, &self.settings())?;
        let nm_per_px = setting(&camera, "nm_per_px")?;
        let frame_rate_hz = setting(&camera, "frame_rate_hz")?;
        let truth = TruthChannel::of(&camera, nm_per_px)?;
        let format = camera.format()?;
        let depth = if format.pixel_format == abi::PIXEL_MONO8 { GreyDepth::U8 } else { GreyDepth::U16 };
        let mut video = TiffStackWriter::create(
            &self.out,
            &TiffStackOptions {
                width_px: format.width_px,
                height_px: format.height_px,
                depth,
                nm_per_px: Some(nm_per_px),
                frame_interval_s: Some(1.0 / frame_rate_hz),
            },
        )?;
        let mut truth_file = TruthWriter::create(&self.truth)?;
        let (mut focus, mut rois): (Vec<FocusRow>, Vec<Roi>) = (Vec::new(), Vec::new());
        let bar = progress::frames("rendering", self.frames.into(), context.interactive());
        let source = FrameSource::start(camera, N_SLOTS)?;
        let n = source.for_each_image(Some(self.frames.into()), &context.cancel, |frame, image| {
            video.write_plane(image)?;
            truth_file.write(&truth.rows(frame))?;
            focus.push(FocusRow {
                frame: frame.index,
                time_s: TruthChannel::time_s(frame),
                focus_nm: truth.focus_nm(frame),
            });
            if frame.index == 0 {
                rois = truth.rois(frame, self.roi_px, format.width_px, format.height_px);
            }
            bar.inc(1);
            Ok(())
        })?;
        bar.finish_and_clear();
        let mut files = vec![&self.out, &self.truth];
        if let Some(path) = &self.rois {
            tetherscope_files::write_rois(path, &rois)?;
            files.push(path);
        }
        if let Some(path) = &self.focus {
            tetherscope_files::write_focus(path, &focus)?;
            files.push(path);
        }
        truth_file.finish()?;
        video.finish()?;
        let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
        let mut text = format!(
            "{n} frames of {} × {} px at {nm_per_px} nm/px, {} beads\n",
            format.width_px,
            format.height_px,
            truth.n_beads()
        );
        files.iter().for_each(|f| text += &format!("wrote {f}\n"));
        let json = json!({
            "frames": n, "beads": truth.n_beads(), "rois": rois.len(), "nm_per_px": nm_per_px, "files": files,
        });
        Ok((Output { text, json }, Ending::Fine))
    }
}

/// A number among a camera's settings.
pub(crate) fn setting(camera: &tetherscope_core::loader::Camera, key: &str) -> Result<f64, RunError> {
    let settings = camera.settings()?;
    match settings.settings.iter().find(|s| s.parameter.key == key).map(|s| &s.value) {
        Some(Value::Float(v)) => Ok(*v),
        _ => Err(RunError::refused(
            format!("cannot use {} for a simulation", camera.component().label()),
            format!("it has no setting `{key}`"),
            "use the camera.sim that belongs to this Tetherscope",
        )),
    }
}
