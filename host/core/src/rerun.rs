//! A recording tracked again: with its own settings and ROI origins, so that the same bits must come out; or with other
//! methods, as a further track set of the same recording.

mod group;
mod settings;

use crate::error::RunError;
use crate::plan::Roi;
use group::{Group, Tracked};
use settings::Methods;
pub use settings::RerunMethods;
pub(crate) use settings::{format_of, recorded_optics, recorded_roi_size_px, tracker_of};
use std::path::Path;
use tetherscope_files::{
    FrameCondition, FramesReader, PlaneFormat, Recording, RecordingWriter, Row, StoredFrame, TrackSetOptions,
    TracksReader,
};
use tetherscope_loader::{CancelToken, Registry};

/// How to track again.
#[derive(Debug, Clone)]
pub struct RerunOptions {
    /// Other methods than the recorded ones; None: the recorded ones.
    pub methods: Option<RerunMethods>,
    /// Track set whose ROI origins and times are used, and with which results are compared.
    pub of: String,
    /// Writes the results as a further track set of this name; None: only compares.
    pub save_as: Option<String>,
    /// Threads that track.
    pub threads: usize,
    /// Lets the user give up.
    pub cancel: CancelToken,
}

impl Default for RerunOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { methods: None, of: "main".into(), save_as: None, threads, cancel: CancelToken::new() }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RerunReport {
    /// Frames that were tracked again.
    pub frames: u64,
    /// Frames with rows whose pixels were not recorded, or are damaged.
    pub frames_without_pixels: u64,
    /// Rows that were made again.
    pub rows: u64,
    /// Rows that are the same to the bit, flags included.
    pub rows_same: u64,
    /// The first row that differs: as recorded, and now.
    pub first_difference: Option<Box<(Row, Row)>>,
    /// Calls of a plugin that failed.
    pub failed_calls: u64,
    /// Recorded rows that no plugin made: it had failed, hung, or was switched off then. They are not compared.
    pub rows_not_compared: u64,
    /// What else is worth knowing: another build, another instruction set.
    pub notes: Vec<String>,
}

/// Tracks a recording again.
///
/// # Errors
/// A recording without pixels or rows, methods that are not there, settings that do not fit, a disk that refuses.
pub fn rerun(registry: &Registry, folder: &Path, options: &RerunOptions) -> Result<RerunReport, RunError> {
    let recording = Recording::open(folder)?;
    let pixels = Pixels::of(&recording)?;
    let methods = Methods::resolve(registry, &recording, options.methods.as_ref(), &pixels.format)?;
    let mut report = RerunReport { notes: methods.notes.clone(), ..RerunReport::default() };
    let mut out = match &options.save_as {
        None => None,
        Some(id) => {
            let mut writer = RecordingWriter::reopen(folder)?;
            let set = writer.add_track_set(&TrackSetOptions { id: id.clone(), description: methods.description() })?;
            Some((writer, set))
        }
    };
    let mut frames = pixels.reader;
    let mut rows = RowsByFrame::new(recording.tracks(&options.of)?);
    let mut group = Group::new(&methods, options.threads)?;
    let mut stored = StoredFrame::default();
    let mut finish = |tracked: Tracked, report: &mut RerunReport| -> Result<(), RunError> {
        report.failed_calls += tracked.failed_calls;
        compare(&tracked, report);
        if let Some((writer, set)) = &mut out {
            writer.append_rows(*set, &tracked.now)?;
        }
        Ok(())
    };
    while let Some(condition) = frames.read(&mut stored)? {
        if options.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        if condition == FrameCondition::RecordDamaged {
            continue;
        }
        let (of_frame, passed_over) = rows.of(stored.record.index)?;
        report.frames_without_pixels += passed_over;
        if of_frame.is_empty() {
            continue;
        }
        if condition == FrameCondition::PixelsDamaged {
            report.frames_without_pixels += 1;
            continue;
        }
        report.frames += 1;
        if let Some(tracked) = group.add(&stored, of_frame)? {
            finish(tracked, &mut report)?;
        }
    }
    if let Some(tracked) = group.track()? {
        finish(tracked, &mut report)?;
    }
    report.frames_without_pixels += rows.rest()?;
    if let Some((writer, _)) = out {
        let problems = writer.finish()?.problems;
        report.notes.extend(problems.iter().map(|p| p.to_string().replace('\n', ": ")));
    }
    Ok(report)
}

/// Where a recording keeps pixels: full frames, or ROI stacks.
pub(crate) struct Pixels {
    pub(crate) reader: FramesReader,
    pub(crate) format: PlaneFormat,
}

impl Pixels {
    /// None where it keeps neither.
    pub(crate) fn find(recording: &Recording) -> Option<Self> {
        let readers = [recording.frames(), recording.rois()];
        readers.into_iter().flatten().find_map(|reader| {
            let format = reader.format().filter(|_| reader.n_frames() > 0)?;
            Some(Self { reader, format })
        })
    }

    fn of(recording: &Recording) -> Result<Self, RunError> {
        Self::find(recording).ok_or_else(|| {
            RunError::refused(
                format!("cannot track {} again", recording.dir().display()),
                "it holds rows, but no frames and no ROI stacks",
                "record with video: `mode = \"track_and_roi_video\"` takes the least space",
            )
        })
    }
}

/// Recorded rows, frame by frame.
pub(crate) struct RowsByFrame {
    reader: TracksReader,
    rows: std::collections::VecDeque<Row>,
    batch: Vec<Row>,
}

impl RowsByFrame {
    pub(crate) fn new(reader: TracksReader) -> Self {
        Self { reader, rows: std::collections::VecDeque::new(), batch: Vec::new() }
    }

    fn front(&mut self) -> Result<Option<Row>, RunError> {
        while self.rows.is_empty() {
            self.batch.clear();
            if self.reader.read_batch(&mut self.batch)? == 0 {
                return Ok(None);
            }
            self.rows.extend(self.batch.drain(..));
        }
        Ok(self.rows.front().copied())
    }

    /// The rows of a frame, and how many frames with rows come before it.
    pub(crate) fn of(&mut self, frame: u64) -> Result<(Vec<Row>, u64), RunError> {
        let (mut rows, mut passed_over, mut last) = (Vec::new(), 0, None);
        while let Some(row) = self.front()?.filter(|r| r.frame <= frame) {
            self.rows.pop_front();
            if row.frame == frame {
                rows.push(row);
            } else if last.replace(row.frame) != Some(row.frame) {
                passed_over += 1;
            }
        }
        Ok((rows, passed_over))
    }

    /// Frames with rows that are left.
    fn rest(&mut self) -> Result<u64, RunError> {
        Ok(self.of(u64::MAX)?.1)
    }
}

fn compare(tracked: &Tracked, report: &mut RerunReport) {
    use tetherscope_loader::abi::FLAG_PLUGIN_ERROR;
    for (then, now) in tracked.then.iter().zip(&tracked.now) {
        report.rows += 1;
        if then.flags & FLAG_PLUGIN_ERROR != 0 {
            report.rows_not_compared += 1;
        } else if then.same_bits(now) {
            report.rows_same += 1;
        } else if report.first_difference.is_none() {
            report.first_difference = Some(Box::new((*then, *now)));
        }
    }
}

/// The ROI that a row was made from.
fn roi_of(row: &Row, size: (u32, u32)) -> Roi {
    Roi { bead: row.bead, x_px: row.roi_x_px, y_px: row.roi_y_px, w_px: size.0, h_px: size.1 }
}
