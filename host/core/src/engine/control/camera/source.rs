//! Where frames come from: a camera plugin, or a recording in its place; opened and asked on the jobs thread.

use super::super::build::{self, Built, Spec};
use crate::RunError;
use crate::control::{Refusal, RefusalKind, SettingView};
use crate::engine::settings::settings_view;
use crate::replay::{ReplaySource, ReplayTiming};
use std::path::Path;
use std::sync::Arc;
use tetherscope_files::ChannelName;
use tetherscope_loader::{Camera, CameraFormat, ChannelInfo, Component, ParamSet, PluginError};

/// An open camera, or a recording in its place.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) source: Source,
    pub(super) label: String,
    pub(super) format: CameraFormat,
    pub(super) channels: Vec<ChannelName>,
    /// Frames that a finite source has.
    pub(super) n_frames: Option<u64>,
}

/// Where frames come from.
#[derive(Clone)]
pub(super) enum Source {
    Camera(Arc<OpenDevice>),
    Recording { recording: Arc<ReplaySource>, timing: ReplayTiming },
}

/// An open camera, and how to open it again.
pub(super) struct OpenDevice {
    pub(super) camera: Arc<Camera>,
    pub(super) component: Component,
    pub(super) device: String,
    pub(super) params: ParamSet,
}

impl Open {
    /// The camera; a recording has no settings.
    pub(super) fn camera(&self, what: &str) -> Result<Arc<Camera>, Refusal> {
        match &self.source {
            Source::Camera(of) => Ok(of.camera.clone()),
            Source::Recording { .. } => Err(Refusal::new(
                RefusalKind::Invalid,
                format!("cannot {what}"),
                "a recording is played, and has no settings",
                "open a camera",
            )),
        }
    }
}

/// Frames of a source that says how many it has, in the usual setting.
fn n_frames_of(settings: &[SettingView]) -> Option<u64> {
    settings.iter().find(|s| s.key == "n_frames").and_then(|s| s.value.as_u64()).filter(|n| *n > 0)
}

/// A camera that was opened or changed.
pub(super) struct Opened {
    pub(super) open: Open,
    pub(super) settings: Vec<SettingView>,
    /// Workers and tables for its format, if that is another one.
    pub(super) built: Option<(Built, Option<Refusal>)>,
}

pub(super) fn open(component: Component, device: String, params: ParamSet, spec: Spec) -> Result<Opened, Refusal> {
    let camera = Arc::new(Camera::open(&component, &device, &params).map_err(device_refusal)?);
    let settings = settings_view(&camera.settings().map_err(device_refusal)?);
    let format = camera.format().map_err(device_refusal)?;
    let built = build::build(&Spec { format: Some(format), ..spec })?;
    let channels = names_of(&camera.channels().map_err(device_refusal)?);
    let label = component.label();
    let source = Source::Camera(Arc::new(OpenDevice { camera, component, device, params }));
    Ok(Opened {
        open: Open { source, label, format, channels, n_frames: n_frames_of(&settings) },
        settings,
        built: Some(built),
    })
}

/// After settings were changed: the format may be another one.
pub(super) fn reopen_format(
    camera: &Camera,
    open: Open,
    spec: Spec,
    settings: Vec<SettingView>,
) -> Result<Opened, Refusal> {
    let format = camera.format().map_err(device_refusal)?;
    let key =
        |f: &CameraFormat| (f.width_px, f.height_px, f.pixel_format, f.significant_bits, f.row_stride_bytes, f.flags);
    let built = if key(&format) == key(&open.format) {
        None
    } else {
        Some(build::build(&Spec { format: Some(format), ..spec })?)
    };
    let channels = names_of(&camera.channels().map_err(device_refusal)?);
    Ok(Opened { open: Open { format, channels, n_frames: n_frames_of(&settings), ..open }, settings, built })
}

/// One name for each value: a channel of several gets numbers.
fn names_of(channels: &[ChannelInfo]) -> Vec<ChannelName> {
    let name = |c: &ChannelInfo, i: u32| ChannelName {
        key: if c.length == 1 { c.key.clone() } else { format!("{}[{i}]", c.key) },
        unit: c.unit.clone(),
    };
    channels.iter().flat_map(|c| (0..c.length).map(move |i| name(c, i))).collect()
}

pub(super) fn device_refusal(e: PluginError) -> Refusal {
    Refusal::from(RunError::from(e))
}

/// Opens a recording in the place of a camera.
pub(super) fn open_recording(folder: String, timing: ReplayTiming, spec: Spec) -> Result<Opened, Refusal> {
    let recording = Arc::new(ReplaySource::open(Path::new(&folder))?);
    let format = *recording.format();
    let open = Open {
        label: format!("recording {folder}"),
        format,
        channels: names_of(&recording.channels()),
        n_frames: Some(recording.n_frames()),
        source: Source::Recording { recording, timing },
    };
    let built = build::build(&Spec { format: Some(format), ..spec })?;
    Ok(Opened { open, settings: Vec::new(), built: Some(built) })
}
