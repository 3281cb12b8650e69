//! The thread that writes a recording, and one beside it that waits for the disk once a second. When the disk refuses, it
//! says so at once, counts what it cannot write, and finishes what there is.

use super::{BatchItem, Inlet, Item, Queue};
use crate::RunError;
use crate::control::Refusal;
use crate::engine::Input;
use crate::engine::meters::Meters;
use crate::engine::work::BatchFrames;
use crate::ledger::DropReason;
use crate::plan::Plan;
use crate::ring::Frame;
use crate::run::BatchPixels;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_files::{
    DEFAULT_MAX_FILE_BYTES, FrameRecord, PlaneView, RecordingWriter, RoiPlace, RoiStackOptions, StackOptions,
    SyncHandle, TrackSetId, crop_rois,
};
use tetherscope_files::{FileError, GreyDepth};
use tetherscope_loader::{CameraFormat, now_ns};

/// How often rows that wait are written out.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// How often the disk is waited for.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What it writes with.
pub(crate) struct RecorderSetup {
    pub(crate) writer: RecordingWriter,
    pub(crate) inlet: Inlet,
    pub(crate) meters: Arc<Meters>,
    pub(crate) inputs: Sender<Input>,
    pub(crate) stack: Option<VideoShape>,
}

/// What planes are like.
#[derive(Clone)]
pub(crate) struct VideoShape {
    pub(crate) format: CameraFormat,
    pub(crate) nm_per_px: f64,
    pub(crate) channels: Vec<tetherscope_files::ChannelName>,
}

/// How a recording ended.
pub(crate) struct Finished {
    pub(crate) id: u64,
    pub(crate) folder: PathBuf,
    pub(crate) rows: u64,
    pub(crate) frames: u64,
    /// What went wrong, the first first.
    pub(crate) problems: Vec<Refusal>,
}

/// Starts both threads. They end after [`Item::Finish`].
pub(crate) fn start(setup: RecorderSetup) -> Result<JoinHandle<()>, RunError> {
    let failed = |e: std::io::Error| {
        RunError::refused("cannot start the recorder", format!("a thread: {e}"), "close other programs")
    };
    let (stop_syncing, stopped) = channel();
    let (sync, inputs, id) = (setup.writer.sync_handle(), setup.inputs.clone(), setup.inlet.id());
    let syncing = std::thread::Builder::new()
        .name("disk-sync".into())
        .spawn(move || sync_until(&sync, &stopped, &inputs, id))
        .map_err(failed)?;
    let recorder = Recorder::new(setup);
    std::thread::Builder::new()
        .name("recorder".into())
        .spawn(move || recorder.run(stop_syncing, syncing))
        .map_err(failed)
}

fn sync_until(sync: &SyncHandle, stopped: &Receiver<()>, inputs: &Sender<Input>, id: u64) {
    let mut told = false;
    while stopped.recv_timeout(SYNC_EVERY) == Err(RecvTimeoutError::Timeout) {
        let done = sync.sync().and_then(|()| while_parts(sync));
        if let Err(e) = done
            && !told
        {
            told = true;
            let refusal = Refusal::from(RunError::from(e));
            let _ = inputs.send(Input::Beside(Box::new(move |control| control.recording_trouble(id, refusal))));
        }
    }
}

fn while_parts(sync: &SyncHandle) -> Result<(), FileError> {
    while sync.finish_next_part()? {}
    Ok(())
}

struct Recorder {
    writer: RecordingWriter,
    queue: Arc<Queue>,
    meters: Arc<Meters>,
    inputs: Sender<Input>,
    shape: Option<VideoShape>,
    set: Option<TrackSetId>,
    n_bins: Option<u32>,
    has_frames: bool,
    has_rois: bool,
    planes: Vec<u8>,
    places: Vec<RoiPlace>,
    problems: Vec<Refusal>,
}

impl Recorder {
    fn new(setup: RecorderSetup) -> Self {
        Self {
            set: setup.writer.track_set("main"),
            queue: setup.inlet.queue().clone(),
            writer: setup.writer,
            meters: setup.meters,
            inputs: setup.inputs,
            shape: setup.stack,
            n_bins: None,
            has_frames: false,
            has_rois: false,
            planes: Vec::new(),
            places: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn run(mut self, stop_syncing: Sender<()>, syncing: JoinHandle<()>) {
        let mut flushed = Instant::now();
        loop {
            let item = self.queue.next(FLUSH_EVERY.saturating_sub(flushed.elapsed()));
            let is_last = matches!(item, Some(Item::Finish));
            if let Some(item) = item {
                self.write(item);
            }
            if is_last {
                break;
            }
            if flushed.elapsed() >= FLUSH_EVERY {
                let done = self.writer.flush();
                self.check(done);
                flushed = Instant::now();
                self.queue.progress.bytes.store(self.writer.bytes_written(), Relaxed);
                self.queue.progress.unfinished_bytes.store(self.writer.unfinished_log_bytes(), Relaxed);
            }
        }
        drop(stop_syncing);
        if syncing.join().is_err() {
            tracing::error!("the thread that waits for the disk panicked");
        }
        let (id, folder) = (self.queue.id, self.writer.dir().to_owned());
        let rows = self.queue.progress.rows.load(Relaxed);
        match self.writer.finish() {
            Ok(report) => {
                let known = |r: &Refusal| self.problems.iter().any(|p| p.cause == r.cause);
                let new = report.problems.into_iter().map(|e| Refusal::from(RunError::from(e)));
                let new: Vec<Refusal> = new.filter(|r| !known(r)).collect();
                self.problems.extend(new);
            }
            Err(e) => self.problems.push(RunError::from(e).into()),
        }
        let frames = self.queue.progress.frames.load(Relaxed);
        let finished = Finished { id, folder, rows, frames, problems: self.problems };
        let _ = self.inputs.send(Input::Beside(Box::new(move |control| control.recording_finished(finished))));
    }

    /// True if it worked; else tells of it, the first time.
    fn check(&mut self, done: Result<(), FileError>) -> bool {
        let Err(e) = done else { return true };
        if self.problems.is_empty() {
            let (id, refusal) = (self.queue.id, Refusal::from(RunError::from(e)));
            self.problems.push(refusal.clone());
            self.queue.fail();
            let _ = self.inputs.send(Input::Beside(Box::new(move |control| control.recording_failed(id, refusal))));
        }
        false
    }

    fn write(&mut self, item: Item) {
        match item {
            Item::Begin(frame) => self.writer.set_section("first_frame", frame.into()),
            Item::End(frame) => self.writer.set_section("end_frame", frame.into()),
            Item::Batch(batch) => self.write_batch(*batch),
            Item::Event(event) => {
                let done = self.writer.append_event(&event);
                self.check(done);
            }
            Item::Gap(gap) => {
                let done = self.writer.append_gap(&gap);
                self.check(done);
            }
            Item::Stage(sample) => {
                let done = self.writer.append_stage(&sample);
                self.check(done);
            }
            Item::Section(name, value) => self.writer.set_section(&name, value),
            Item::Rotate => {
                self.queue.progress.part.fetch_add(1, Relaxed);
                let done = self.writer.rotate();
                self.check(done);
            }
            Item::Finish => {}
        }
    }

    fn write_batch(&mut self, mut batch: BatchItem) {
        let had_failed = !self.problems.is_empty();
        let rows = batch.rows_ticket.take();
        let rows_done = !had_failed && self.write_rows(&batch);
        if let Some(ticket) = rows {
            if rows_done { ticket.deliver_rest() } else { ticket.drop_rest(DropReason::DiskError) }
        }
        if rows_done {
            self.queue.progress.rows.fetch_add(batch.rows.len() as u64, Relaxed);
        }
        let video = batch.video_ticket.take();
        let n_written = if had_failed { 0 } else { self.write_video(&batch) };
        if let Some(mut ticket) = video {
            ticket.delivered(n_written);
            ticket.drop_rest(DropReason::DiskError);
        }
        let n_frames = if batch.rows.is_empty() { n_written } else { batch.n_frames };
        self.queue.progress.frames.fetch_add(if rows_done { n_frames } else { 0 }, Relaxed);
        if rows_done {
            let now = now_ns();
            batch.arrivals_ns.iter().for_each(|at| self.meters.to_written.note(now - at));
        }
        // The frames are let go before there is said to be room.
        let held = batch.held;
        drop(batch);
        self.queue.written(held);
    }

    fn write_rows(&mut self, batch: &BatchItem) -> bool {
        let Some(set) = self.set.filter(|_| !batch.rows.is_empty()) else { return true };
        let done = self.writer.append_rows(set, &batch.rows);
        if !self.check(done) {
            return false;
        }
        let Some((n_bins, profiles, weights)) = &batch.profiles else { return true };
        if self.n_bins != Some(*n_bins) {
            let done = self.writer.start_profiles(set, *n_bins, true);
            if !self.check(done) {
                return false;
            }
            self.n_bins = Some(*n_bins);
        }
        let keys: Vec<(u64, u32)> = batch.rows.iter().map(|r| (r.frame, r.bead)).collect();
        let done = self.writer.append_profiles(set, &keys, profiles, weights);
        self.check(done)
    }

    /// Frames of the batch that are written.
    fn write_video(&mut self, batch: &BatchItem) -> u64 {
        let (Some(frames), Some(shape)) = (&batch.video, self.shape.clone()) else { return 0 };
        let mut n = 0;
        for (i, frame) in frames.frames().iter().enumerate() {
            let record = record_of(frame, frames.utc_ns().get(i).copied(), shape.channels.len());
            let image = frames.image(i);
            let view = view_of(frames, &image);
            let written = if batch.mode.records_frames() {
                self.write_frame(&view, &record, &shape)
            } else {
                self.write_rois(&view, &record, &shape, batch.rois.as_deref())
            };
            if !self.check(written) {
                break;
            }
            n += 1;
        }
        n
    }

    fn write_frame(&mut self, view: &PlaneView<'_>, record: &FrameRecord, shape: &VideoShape) -> Result<(), FileError> {
        if !self.has_frames {
            self.writer.start_frames(&shape.stack(view.width_px, view.height_px, view.depth))?;
            self.has_frames = true;
        }
        self.writer.append_frame(view, record)
    }

    fn write_rois(
        &mut self,
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
            self.writer.start_rois(&RoiStackOptions { stack: shape.stack(w, h, view.depth), beads })?;
            self.has_rois = true;
        }
        self.writer.append_rois(&self.planes, &self.places, record)
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
