//! Commands to the camera. A camera that cannot be opened leaves the engine as it is.

mod running;
mod source;

pub(crate) use running::Running;

use super::build::Spec;
use super::{Asker, Control, Outcome};
use crate::control::{Answer, CameraCommand, CameraState, CameraView, FormatView, MethodChoice, Refusal, RefusalKind};
use crate::engine::live::Mailbox;
use crate::engine::settings::{resolve, settings_view};
use crate::replay::ReplayTiming;
use running::Feeder;
use source::{Open, Opened, device_refusal, open, reopen_format};
use std::sync::Arc;
use tetherscope_files::ChannelName;
use tetherscope_loader::{CameraFormat, Kind, abi};

/// Method that plays a recording.
const REPLAY: &str = "recording";

/// The camera.
#[derive(Default)]
pub(crate) struct CameraArea {
    pub(crate) view: CameraView,
    open: Option<Open>,
    running: Option<Running>,
    /// Index of the next frame, of whatever camera.
    next_frame: u64,
}
impl CameraArea {
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    /// Where the live thread gets its mail; none when nobody would read it.
    pub(crate) fn mailbox(&self) -> Option<Arc<Mailbox>> {
        self.running.as_ref().filter(|r| !r.over).map(|r| r.mailbox.clone())
    }

    /// Frames of the past that are kept for captures.
    pub(crate) fn past_frames(&self) -> usize {
        self.running.as_ref().map_or(0, |r| r.past_frames)
    }

    /// Format of the open camera.
    pub(crate) fn format(&self) -> Option<CameraFormat> {
        self.open.as_ref().map(|o| o.format)
    }

    /// Index of the next frame.
    pub(crate) fn next_frame(&self) -> u64 {
        self.running.as_ref().map_or(self.next_frame, |r| r.ring.status().next_index.max(self.next_frame))
    }

    /// One name for each value of a frame's channels.
    pub(crate) fn channels(&self) -> Vec<ChannelName> {
        self.open.as_ref().map_or_else(Vec::new, |o| o.channels.clone())
    }

    /// Name and version of the open camera.
    pub(crate) fn label(&self) -> String {
        self.open.as_ref().map_or_else(String::new, |o| o.label.clone())
    }
}
fn no_camera(what: &str) -> Refusal {
    Refusal::new(RefusalKind::NotNow, format!("cannot {what}"), "no camera is open", "open one first")
}
fn format_view(format: &CameraFormat, n_frames: Option<u64>) -> FormatView {
    FormatView {
        width_px: format.width_px,
        height_px: format.height_px,
        significant_bits: format.significant_bits,
        bytes_per_px: if format.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 },
        n_frames,
        ring_slots: 0,
        ring_bytes: 0,
    }
}
impl Control {
    pub(super) fn camera_command(&mut self, asker: &Asker, command: CameraCommand) -> Result<Outcome, Refusal> {
        match command {
            CameraCommand::Open { camera, device } => self.open_camera(asker, &camera, device),
            CameraCommand::Close => self.close_camera(asker),
            CameraCommand::Set { values } => {
                let open = self.camera.open.clone().ok_or_else(|| no_camera("change settings"))?;
                let camera = open.camera("change settings")?;
                let pairs: Vec<(String, String)> = values.into_iter().collect();
                // The running camera keeps what it was told, to be told again after it was unplugged.
                let running = self.camera.running.as_mut().and_then(|r| r.camera.take());
                let spec = self.spec();
                Ok(self.job(
                    move || {
                        let changed = match &running {
                            Some(Feeder::Camera(live)) => live.set(&pairs).map_err(Refusal::from),
                            _ => {
                                let pairs = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()));
                                camera.set(pairs).map_err(device_refusal)
                            }
                        };
                        let result = changed.and_then(|s| reopen_format(&camera, open, spec, settings_view(&s)));
                        (running, result)
                    },
                    {
                        let asker = asker.clone();
                        move |control, (running, result)| {
                            if let Some(r) = &mut control.camera.running {
                                r.camera = running;
                            }
                            control.camera_changed(&asker, result);
                        }
                    },
                ))
            }
            CameraCommand::Refresh => {
                let open = self.camera.open.as_ref().ok_or_else(|| no_camera("read settings"))?;
                let camera = open.camera("read settings")?;
                let asker = asker.clone();
                Ok(self.job(
                    move || camera.settings().map(|s| settings_view(&s)).map_err(device_refusal),
                    move |control, read| match read {
                        Ok(settings) => {
                            control.camera.view.settings.clone_from(&settings);
                            control.done(&asker, None, Answer::Settings(settings));
                        }
                        Err(refusal) => control.reply(&asker, Err(refusal)),
                    },
                ))
            }
            CameraCommand::Start => self.start_camera(asker),
            CameraCommand::Stop => self.stop_camera(asker),
        }
    }

    /// What workers and tables are to be made from, as things are.
    pub(super) fn spec(&self) -> Spec {
        Spec {
            tracker: self.built.tracker.clone(),
            format: self.camera.format(),
            roi_size_px: self.beads.roi_size_px(),
            optics: self.options.optics,
            zlut: self.built.zlut.as_ref().map(|z| z.choice.clone()),
            threads: self.options.threads,
        }
    }

    fn open_camera(&mut self, asker: &Asker, choice: &MethodChoice, device: String) -> Result<Outcome, Refusal> {
        self.refuse_while_recording("open another camera")?;
        if self.camera.is_running() {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot open another camera",
                format!("{} runs", self.camera.label()),
                "stop it first",
            ));
        }
        if choice.method == REPLAY {
            return self.open_recording(asker, choice, device);
        }
        let (component, params) = resolve(&self.registry, Kind::Camera, choice)?;
        let old = self.camera.open.take();
        self.camera.view = CameraView {
            method: component.info().id.clone(),
            device: device.clone(),
            isolated: component.is_isolated(),
            ..CameraView::default()
        };
        let spec = Spec { format: None, ..self.spec() };
        let asker = asker.clone();
        Ok(self.job(
            move || {
                drop(old);
                open(component, device, params, spec)
            },
            move |control, opened| control.camera_changed(&asker, opened),
        ))
    }

    /// A recording in the place of a camera; `device` is its folder.
    fn open_recording(&mut self, asker: &Asker, choice: &MethodChoice, device: String) -> Result<Outcome, Refusal> {
        let timing = match choice.parameters.get("timing").map(String::as_str) {
            None | Some("recorded") => ReplayTiming::Recorded,
            Some("fast") => ReplayTiming::Fast,
            Some(other) => {
                let cause = format!("timing is {other:?}");
                return Err(Refusal::new(
                    RefusalKind::Invalid,
                    "cannot play a recording",
                    cause,
                    "use recorded or fast",
                ));
            }
        };
        let old = self.camera.open.take();
        self.camera.view = CameraView { method: REPLAY.into(), device: device.clone(), ..CameraView::default() };
        let spec = Spec { format: None, ..self.spec() };
        let asker = asker.clone();
        Ok(self.job(
            move || {
                drop(old);
                source::open_recording(device, timing, spec)
            },
            move |control, opened| control.camera_changed(&asker, opened),
        ))
    }

    /// A camera was opened or changed, or could not be.
    fn camera_changed(&mut self, asker: &Asker, opened: Result<Opened, Refusal>) {
        match opened {
            Ok(opened) => {
                let keep_open = matches!(asker.command, crate::control::Command::Camera(CameraCommand::Set { .. }));
                self.camera.view.settings.clone_from(&opened.settings);
                if !self.camera.is_running() {
                    self.camera.view.state = CameraState::Open;
                    self.camera.view.format = Some(format_view(&opened.open.format, opened.open.n_frames));
                }
                self.camera.open = Some(opened.open);
                let answer =
                    if keep_open { Answer::Settings(opened.settings) } else { Answer::Done { from_frame: None } };
                match opened.built {
                    None => {
                        let frame = self.frame_now();
                        self.done(asker, frame, answer);
                    }
                    Some((built, dropped)) => {
                        let asker = asker.clone();
                        self.install(
                            built,
                            dropped,
                            Box::new(move |control, frame| control.done(&asker, frame, answer)),
                        );
                    }
                }
            }
            Err(refusal) => {
                if self.camera.open.is_none() {
                    self.camera.view.state = CameraState::Failed(refusal.clone());
                }
                self.reply(asker, Err(refusal));
            }
        }
    }

    fn close_camera(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
        self.refuse_while_recording("close the camera")?;
        if self.camera.is_running() {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot close the camera",
                "it runs",
                "stop it first, so that frames on their way are not lost",
            ));
        }
        let old = self.camera.open.take();
        self.camera.view = CameraView::default();
        let asker = asker.clone();
        Ok(self.job(
            move || drop(old),
            move |control, ()| {
                control.built.chain = None;
                let program = control.make_program();
                control.switch_for(&asker, program);
            },
        ))
    }
}
