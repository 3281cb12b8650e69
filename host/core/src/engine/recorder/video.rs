//! Frames and ROIs of a batch as the files want them: pictures without their padding, cut ROIs, and what is known of each
//! frame. It knows no queue and no ledger.

use super::BatchItem;
use crate::engine::work::BatchFrames;
use crate::plan::Plan;
use crate::ring::Frame;
use crate::run::BatchPixels;
use tetherscope_files::{
    DEFAULT_MAX_FILE_BYTES, FileError, FrameRecord, GreyDepth, PlaneView, RecordingWriter, RoiPlace, RoiStackOptions,
    StackOptions, crop_rois,
};
use tetherscope_loader::CameraFormat;

/// What planes are like.
#[derive(Clone)]
pub(crate) struct VideoShape {
    pub(crate) format: CameraFormat,
    pub(crate) nm_per_px: f64,
    pub(crate) channels: Vec<tetherscope_files::ChannelName>,
}

/// The videos of a recording.
pub(super) struct Video {
    shape: Option<VideoShape>,
    has_frames: bool,
    has_rois: bool,
    planes: Vec<u8>,
    places: Vec<RoiPlace>,
}

impl Video {
    pub(super) fn new(shape: Option<VideoShape>) -> Self {
        Self { shape, has_frames: false, has_rois: false, planes: Vec::new(), places: Vec::new() }
    }

    /// Writes the frames of a batch, or its ROIs: how many frames are written, and why not all.
    pub(super) fn write(&mut self, writer: &mut RecordingWriter, batch: &BatchItem) -> (u64, Result<(), FileError>) {
        let (Some(frames), Some(shape)) = (&batch.video, self.shape.clone()) else { return (0, Ok(())) };
        let mut n = 0;
        for (i, frame) in frames.frames().iter().enumerate() {
            let record = record_of(frame, frames.utc_ns().get(i).copied(), shape.channels.len());
            let image = frames.image(i);
            let view = view_of(frames, &image);
            let written = if batch.mode.records_frames() {
                self.write_frame(writer, &view, &record, &shape)
            } else {
                self.write_rois(writer, &view, &record, &shape, batch.rois.as_deref())
            };
            if written.is_err() {
                return (n, written);
            }
            n += 1;
        }
        (n, Ok(()))
    }

    fn write_frame(
        &mut self,
        writer: &mut RecordingWriter,
        view: &PlaneView<'_>,
        record: &FrameRecord,
        shape: &VideoShape,
    ) -> Result<(), FileError> {
        if !self.has_frames {
            writer.start_frames(&shape.stack(view.width_px, view.height_px, view.depth))?;
            self.has_frames = true;
        }
        writer.append_frame(view, record)
    }

    fn write_rois(
        &mut self,
        writer: &mut RecordingWriter,
        view: &PlaneView<'_>,
        record: &FrameRecord,
        shape: &VideoShape,
        plan: Option<&Plan>,
    ) -> Result<(), FileError> {
        let Some(plan) = plan else { return Ok(()) };
        let rois: Vec<(u32, i32, i32)> = plan.rois().iter().map(|r| (r.bead, r.x_px, r.y_px)).collect();
        let Some((w, h)) = plan.rois().first().map(|r| (r.w_px, r.h_px)) else { return Ok(()) };
        crop_rois(view, &rois, w, h, &mut self.planes, &mut self.places);
        if !self.has_rois {
            let beads = rois.iter().map(|r| r.0).collect();
            writer.start_rois(&RoiStackOptions { stack: shape.stack(w, h, view.depth), beads })?;
            self.has_rois = true;
        }
        writer.append_rois(&self.planes, &self.places, record)
    }
}

impl VideoShape {
    fn stack(&self, width_px: u32, height_px: u32, depth: GreyDepth) -> StackOptions {
        StackOptions {
            width_px,
            height_px,
            depth,
            significant_bits: self.format.significant_bits,
            nm_per_px: Some(self.nm_per_px),
            frame_interval_s: None,
            channels: self.channels.clone(),
            max_file_bytes: DEFAULT_MAX_FILE_BYTES,
        }
    }
}

fn view_of<'a>(frames: &BatchFrames, image: &'a [u8]) -> PlaneView<'a> {
    let grid = frames.grid();
    PlaneView {
        bytes: image,
        row_stride_bytes: grid.row_stride_bytes,
        width_px: grid.width_px as u32,
        height_px: grid.height_px as u32,
        depth: if grid.bytes_per_px == 1 { GreyDepth::U8 } else { GreyDepth::U16 },
    }
}

fn record_of(frame: &Frame, utc_ns: Option<i64>, n_channels: usize) -> FrameRecord {
    // A camera may give a frame without its channels.
    let channels = if frame.channels().is_empty() { vec![f64::NAN; n_channels] } else { frame.channels().to_vec() };
    FrameRecord {
        index: frame.index(),
        device_id: frame.device_id(),
        device_time_ns: frame.device_time_ns(),
        arrival_mono_ns: u64::try_from(frame.arrival_ns()).unwrap_or(0),
        utc_ns,
        exposure_ns: frame.exposure_ns(),
        status: 0,
        channels,
    }
}
