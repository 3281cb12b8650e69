//! A source of frames: a camera plugin, armed into slots and polled by a thread of its own until it ends.

use crate::error::RunError;
use crate::slots::{Arrival, ArrivedFrame, FrameSlots, LosslessTarget};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tetherscope_loader::{Camera, CameraFormat, ChannelInfo, PluginError, abi};

/// How long one poll waits. Also how long the end of a run may take to be noticed.
const POLL_FOR: Duration = Duration::from_millis(50);
/// How long a source may deliver nothing at all before the run gives up.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// One frame, as rows and files want it.
#[derive(Debug, Clone)]
pub struct FrameMeta {
    /// The host's index: 0, 1, 2 … without gaps.
    pub index: u64,
    /// Device time in ns from the device's own origin; None without a clock.
    pub device_time_ns: Option<i64>,
    /// Exposure in ns; None unknown.
    pub exposure_ns: Option<i64>,
    /// Values of the channels.
    pub channels: Vec<f64>,
    /// When it arrived, on the host's monotonic clock; None of a recorded one.
    pub arrival_ns: Option<i64>,
    pub(crate) slot: usize,
}

impl FrameMeta {
    /// Of a frame that lies in the ring.
    pub(crate) fn of_live(frame: &crate::ring::Frame) -> Self {
        Self {
            index: frame.index(),
            device_time_ns: frame.device_time_ns(),
            exposure_ns: frame.exposure_ns(),
            channels: frame.channels().to_vec(),
            arrival_ns: Some(frame.arrival_ns()),
            slot: usize::MAX,
        }
    }
}

/// A running lossless source.
pub struct FrameSource {
    camera: Arc<Camera>,
    slots: Arc<FrameSlots>,
    format: CameraFormat,
    channels: Vec<ChannelInfo>,
    stop: Arc<AtomicBool>,
    poller: Option<JoinHandle<Result<(), PluginError>>>,
    next_index: u64,
    incomplete: u64,
    ended: bool,
}

impl FrameSource {
    /// Arms `camera` into `n_slots` slots, and begins to poll it.
    pub fn start(camera: Arc<Camera>, n_slots: usize) -> Result<Self, RunError> {
        let format = camera.format()?;
        let channels = camera.channels()?;
        let n_values: u64 = channels.iter().map(|c| u64::from(c.length)).sum();
        if n_values != u64::from(format.n_channel_values) {
            return Err(RunError::refused(
                format!("cannot use {}", camera.component().label()),
                format!("its channels have {n_values} values, its format announces {}", format.n_channel_values),
                "report it to the plugin's author",
            ));
        }
        let slot_bytes = usize::try_from(format.payload_bytes).unwrap_or(usize::MAX);
        let slots = FrameSlots::new(n_slots.max(2), slot_bytes).map_err(|e| {
            RunError::refused(
                format!("cannot take {} slots of {slot_bytes} bytes for frames", n_slots.max(2)),
                e.to_string(),
                "free some memory, or use fewer or smaller frames",
            )
        })?;
        camera.start(Box::new(LosslessTarget(slots.clone())))?;
        let stop = Arc::new(AtomicBool::new(false));
        let poller = std::thread::Builder::new()
            .name("camera".into())
            .spawn({
                let (camera, slots, stop) = (camera.clone(), slots.clone(), stop.clone());
                move || {
                    let mut outcome = Ok(());
                    while !stop.load(Ordering::Relaxed) && outcome.is_ok() {
                        outcome = camera.poll(POLL_FOR).map(drop);
                    }
                    let said = outcome.as_ref().err().map_or_else(String::new, |e| e.message.clone());
                    // Wakes the run; it learns the rest when it joins.
                    tetherscope_loader::FrameTarget::ended(&LosslessTarget(slots), abi::ENDED_ERROR, &said);
                    outcome
                }
            })
            .map_err(|e| {
                RunError::refused("cannot start the camera's thread", e.to_string(), "close other programs")
            })?;
        Ok(Self {
            camera,
            slots,
            format,
            channels,
            stop,
            poller: Some(poller),
            next_index: 0,
            incomplete: 0,
            ended: false,
        })
    }

    /// The format of its frames.
    pub fn format(&self) -> &CameraFormat {
        &self.format
    }

    /// The channels of its frames.
    pub fn channels(&self) -> &[ChannelInfo] {
        &self.channels
    }

    /// The camera.
    pub fn camera(&self) -> &Arc<Camera> {
        &self.camera
    }

    pub(crate) fn slots(&self) -> &Arc<FrameSlots> {
        &self.slots
    }

    /// Frames that the camera lost, by reason, and frames that came damaged and were not tracked.
    pub(crate) fn dropped(&self) -> Vec<(&'static str, u64)> {
        let name = |reason| match reason {
            abi::LOST_CAMERA_GAP => "camera_gap",
            abi::LOST_UNDERRUN => "underrun",
            _ => "incomplete",
        };
        let mut all: Vec<(&'static str, u64)> = Vec::new();
        let told = self.slots.lost_frames().into_iter().map(|(r, n)| (name(r), n));
        for (reason, n) in told.chain([("incomplete", self.incomplete)]).filter(|(_, n)| *n > 0) {
            match all.iter_mut().find(|(r, _)| *r == reason) {
                Some(entry) => entry.1 += n,
                None => all.push((reason, n)),
            }
        }
        all
    }

    /// The next whole frame; None at the end of the data.
    pub(crate) fn next(&mut self) -> Result<Option<FrameMeta>, RunError> {
        while !self.ended {
            match self.slots.next(SILENCE_LIMIT) {
                Some(Arrival::Frame(frame)) if frame.info.status != 0 => {
                    self.incomplete += 1;
                    self.slots.release(frame.slot);
                }
                Some(Arrival::Frame(frame)) => return Ok(Some(self.meta(frame))),
                Some(Arrival::Ended { reason: abi::ENDED_END_OF_DATA, .. }) => self.ended = true,
                Some(Arrival::Ended { text, .. }) => {
                    self.ended = true;
                    self.join()?;
                    return Err(self.failed(text));
                }
                None => return Err(self.failed(format!("it delivered nothing for {} s", SILENCE_LIMIT.as_secs()))),
            }
        }
        Ok(None)
    }

    fn failed(&self, cause: String) -> RunError {
        RunError::Plugin(PluginError {
            plugin: self.camera.component().label(),
            file: self.camera.component().path().to_owned(),
            function: "poll",
            status: abi::STATUS_IO,
            message: cause,
        })
    }

    fn meta(&mut self, frame: ArrivedFrame) -> FrameMeta {
        let index = self.next_index;
        self.next_index += 1;
        let has_time = self.format.ns_per_tick > 0.0 && frame.info.device_time_ticks != abi::NO_DEVICE_TIME;
        let device_time_ns = has_time.then(|| {
            let ticks = frame.info.device_time_ticks;
            // Whole ns per tick are exact; others are rounded to the nearest ns.
            if self.format.ns_per_tick == 1.0 { ticks } else { (ticks as f64 * self.format.ns_per_tick).round() as i64 }
        });
        let exposure_ns = (frame.info.exposure_ns >= 0).then_some(frame.info.exposure_ns);
        FrameMeta { index, device_time_ns, exposure_ns, channels: frame.channels, arrival_ns: None, slot: frame.slot }
    }

    fn join(&mut self) -> Result<(), RunError> {
        self.stop.store(true, Ordering::Relaxed);
        self.slots.close();
        match self.poller.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(e))) => Err(e.into()),
            Some(Err(_)) => Err(self.failed("the camera's thread panicked".into())),
        }
    }

    /// Stops the camera and its thread.
    pub(crate) fn finish(mut self) -> Result<(), RunError> {
        self.join()?;
        Ok(self.camera.stop()?)
    }
}

impl Drop for FrameSource {
    fn drop(&mut self) {
        if self.poller.is_some() {
            // The run failed elsewhere; that error is the one to tell.
            let _ = self.join();
            let _ = self.camera.stop();
        }
    }
}

impl FrameSource {
    /// Hands every frame's image to `f`, row by row without gaps, in order; at most `max_frames`. For writing a video.
    pub fn for_each_image(
        mut self,
        max_frames: Option<u64>,
        cancel: &tetherscope_loader::CancelToken,
        mut f: impl FnMut(&FrameMeta, &[u8]) -> Result<(), RunError>,
    ) -> Result<u64, RunError> {
        let format = self.format;
        let row_bytes = format.width_px as usize * if format.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
        let mut image = Vec::with_capacity(row_bytes * format.height_px as usize);
        let mut n = 0;
        while max_frames.is_none_or(|m| n < m) {
            if cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let Some(frame) = self.next()? else { break };
            image.clear();
            let payload = &self.slots.payload(frame.slot)[format.image_offset_bytes as usize..];
            for y in 0..format.height_px as usize {
                let at = y * format.row_stride_bytes as usize;
                image.extend_from_slice(&payload[at..at + row_bytes]);
            }
            f(&frame, &image)?;
            self.slots.release(frame.slot);
            n += 1;
        }
        self.finish()?;
        Ok(n)
    }
}
