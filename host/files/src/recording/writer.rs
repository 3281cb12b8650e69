//! Writes a recording. One thread owns it; appends go straight to the operating system and wait for no disk, so a killed
//! program loses at most the rows of the last tenth of a second.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::lines::LineLog;
use super::metadata::{RecordingState, TrackSetInfo, now_utc_ns, utc_text};
use super::names::{self, EVENTS, GAPS, STAGES};
use super::options::{FinishReport, RecordingOptions, RoiStackOptions, TrackSetId, TrackSetOptions};
use super::records::{EventRecord, FrameRecord, GapRecord, PlaneView, RoiPlace, StackOptions, StageSample};
use super::shared::{Shared, SyncHandle};
use super::start;
use super::track_log::TrackLog;
use super::video_log::VideoLog;
use crate::error::{ErrorKind, FileError, Result};
use crate::rows::Row;

/// Writes one recording.
///
/// An append that fails leaves the file at its last whole record and closes it: later appends to the same file fail too,
/// the others go on. [`ErrorKind::DiskFull`] is the ledger's `disk_error`; the caller ends the recording then. Dropped
/// without [`RecordingWriter::finish`] a recording is torn, as after a kill, and is mended by [`super::recover`].
#[derive(Debug)]
pub struct RecordingWriter {
    pub(super) shared: Arc<Shared>,
    pub(super) tracks: Vec<(String, Option<TrackLog>)>,
    pub(super) frames: Option<VideoLog>,
    pub(super) rois: Option<VideoLog>,
    pub(super) next_frames_part: u32,
    pub(super) next_rois_part: u32,
    pub(super) events: LineLog,
    pub(super) gaps: LineLog,
    pub(super) stages: LineLog,
    pub(super) rotate_every: Option<std::time::Duration>,
    pub(super) end_state: RecordingState,
}

impl RecordingWriter {
    /// Begins a recording in `dir`, which is made; an empty folder is taken too. Everything that `options` list is begun, or
    /// nothing is left behind. `recording.json` is there when this returns.
    ///
    /// Fails when the folder above is missing or may not be written, when `dir` holds anything, when another host is
    /// recording into it, when there is not enough space, and on options that can't be.
    pub fn create(dir: impl AsRef<Path>, options: &RecordingOptions) -> Result<Self> {
        start::create(dir.as_ref(), options)
    }

    /// Opens a finished recording to add track sets to it. What it has is not touched.
    pub fn reopen(dir: impl AsRef<Path>) -> Result<Self> {
        start::reopen(dir.as_ref())
    }

    /// The recording's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// For the threads that sync and finish closed parts.
    #[must_use]
    pub fn sync_handle(&self) -> SyncHandle {
        SyncHandle { shared: self.shared.clone() }
    }

    /// The track set of that name.
    #[must_use]
    pub fn track_set(&self, id: &str) -> Option<TrackSetId> {
        self.tracks.iter().position(|t| t.0 == id).map(TrackSetId)
    }

    /// Replaces one section of the metadata; they are written with the next sync.
    pub fn set_section(&self, name: &str, value: Value) {
        self.shared.change(|m| m.sections.insert(name.to_owned(), value));
    }

    /// Begins a further track set.
    pub fn add_track_set(&mut self, options: &TrackSetOptions) -> Result<TrackSetId> {
        names::check_set(&self.shared.dir, &options.id)?;
        if self.shared.metadata().track_sets.iter().any(|s| s.id == options.id) {
            return Err(FileError::new(
                ErrorKind::AlreadyExists,
                format!("cannot add tracks to {}", self.shared.dir.display()),
                format!("it has a track set {:?} already, and nothing is overwritten", options.id),
                "give the new one another name",
            ));
        }
        let log = TrackLog::create(&self.shared, &options.id)?;
        self.shared.change(|m| {
            m.track_sets.push(TrackSetInfo {
                id: options.id.clone(),
                description: options.description.clone(),
                begun_utc: utc_text(now_utc_ns()),
            });
        });
        self.tracks.push((options.id.clone(), Some(log)));
        Ok(TrackSetId(self.tracks.len() - 1))
    }

    /// Appends rows in the order given; several frames or parts of one. They wait for others for a tenth of a second, so only
    /// [`RecordingWriter::rows_written`] says what a kill cannot take any more.
    pub fn append_rows(&mut self, set: TrackSetId, rows: &[Row]) -> Result<()> {
        let due = self.rotate_every;
        let shared = self.shared.clone();
        let log = self.log(set)?;
        if due.is_some_and(|due| log.begun.elapsed() >= due)
            && let Err(error) = log.rotate(&shared)
        {
            log.begun = Instant::now();
            shared.note(&error);
        }
        let appended = log.append(rows);
        self.noticed(appended)
    }

    /// Begins a file of profiles of a track set, `n_bins` each; the one before is closed. Call it again when the number of
    /// bins changes.
    pub fn start_profiles(&mut self, set: TrackSetId, n_bins: u32, with_weights: bool) -> Result<()> {
        let shared = self.shared.clone();
        let started = self.log(set)?.start_profiles(&shared, n_bins, with_weights);
        self.noticed(started)
    }

    /// Ends the profiles of a track set.
    pub fn stop_profiles(&mut self, set: TrackSetId) -> Result<()> {
        let shared = self.shared.clone();
        let stopped = self.log(set)?.stop_profiles(&shared);
        self.noticed(stopped)
    }

    /// Appends profiles: `keys` are (frame, bead), `profiles` n × n_bins, `weights` as many or none, as was begun.
    pub fn append_profiles(
        &mut self,
        set: TrackSetId,
        keys: &[(u64, u32)],
        profiles: &[f64],
        weights: &[f32],
    ) -> Result<()> {
        let appended = self.log(set)?.append_profiles(keys, profiles, weights);
        self.noticed(appended)
    }

    /// Begins a video of full frames; the one before is closed. Also begins a new file for frames of another shape.
    pub fn start_frames(&mut self, options: &StackOptions) -> Result<()> {
        let begun = VideoLog::create(
            &self.shared,
            options,
            None,
            self.frames.as_ref().map_or(self.next_frames_part, VideoLog::next_part),
        );
        let begun = self.noticed(begun)?;
        let stopped = self.stop_frames();
        self.frames = Some(begun);
        stopped
    }

    /// Ends the video of full frames.
    pub fn stop_frames(&mut self) -> Result<()> {
        let Some(video) = self.frames.take() else { return Ok(()) };
        let (next, closed) = video.close(&self.shared);
        self.next_frames_part = next;
        self.noticed(closed)
    }

    /// Appends a full frame.
    pub fn append_frame(&mut self, view: &PlaneView<'_>, frame: &FrameRecord) -> Result<()> {
        let due = self.rotate_every;
        let shared = self.shared.clone();
        if self.frames.as_ref().is_some_and(|v| v.is_to_rotate(due)) {
            self.flush_rows()?;
        }
        let video = self.frames.as_mut().ok_or_else(|| not_begun(&shared.dir, "frames", "start_frames"))?;
        video.rotate_if_due(&shared, due);
        let appended = video.append_view(&shared, view, frame);
        self.noticed(appended)
    }

    /// Begins ROI stacks; those before are closed.
    pub fn start_rois(&mut self, options: &RoiStackOptions) -> Result<()> {
        let part = self.rois.as_ref().map_or(self.next_rois_part, VideoLog::next_part);
        let begun = VideoLog::create(&self.shared, &options.stack, Some(options.beads.clone()), part);
        let begun = self.noticed(begun)?;
        let stopped = self.stop_rois();
        self.rois = Some(begun);
        stopped
    }

    /// Ends the ROI stacks.
    pub fn stop_rois(&mut self) -> Result<()> {
        let Some(video) = self.rois.take() else { return Ok(()) };
        let (next, closed) = video.close(&self.shared);
        self.next_rois_part = next;
        self.noticed(closed)
    }

    /// Appends the ROIs of one frame as [`super::crop_rois`] makes them: plane after plane, in the order of `places`. When
    /// the beads are others than before, a new file is begun. Without ROIs nothing is written.
    pub fn append_rois(&mut self, planes: &[u8], places: &[RoiPlace], frame: &FrameRecord) -> Result<()> {
        let due = self.rotate_every;
        let shared = self.shared.clone();
        if self.rois.as_ref().is_some_and(|v| v.is_to_rotate(due) || v.has_other_beads(places)) {
            self.flush_rows()?;
        }
        let video = self.rois.as_mut().ok_or_else(|| not_begun(&shared.dir, "ROI stacks", "start_rois"))?;
        video.rotate_if_due(&shared, due);
        let appended = video.append_rois(&shared, planes, places, frame);
        self.noticed(appended)
    }

    /// Appends an event.
    pub fn append_event(&mut self, event: &EventRecord) -> Result<()> {
        let appended = self.events.append(event);
        self.noticed(appended)
    }

    /// Appends a gap.
    pub fn append_gap(&mut self, gap: &GapRecord) -> Result<()> {
        let appended = self.gaps.append(gap);
        self.noticed(appended)
    }

    /// Appends where an axis is.
    pub fn append_stage(&mut self, sample: &StageSample) -> Result<()> {
        let appended = self.stages.append(sample);
        self.noticed(appended)
    }

    /// Everything goes on in new files, at the frame at which it is called.
    pub fn rotate(&mut self) -> Result<()> {
        let shared = self.shared.clone();
        let mut first = self.flush_rows();
        for (_, log) in &mut self.tracks {
            if let Some(log) = log {
                first = first.and(log.rotate(&shared));
            }
        }
        for video in [&mut self.frames, &mut self.rois].into_iter().flatten() {
            first = first.and(video.rotate(&shared));
        }
        self.noticed(first)
    }

    /// Writes what waits and brings the counts up to date. Call it each tenth of a second, also when nothing was appended.
    /// Does not wait for the disk; [`SyncHandle::sync`] does. Notices that the folder was moved or removed.
    pub fn flush(&mut self) -> Result<()> {
        self.shared.check_folder()?;
        let mut first = self.flush_rows();
        for video in [&mut self.frames, &mut self.rois].into_iter().flatten() {
            first = first.and(video.flush());
        }
        self.noticed(first)
    }

    /// Writes the rows that wait; before everything that may keep the writer longer, so that no row waits for that too.
    fn flush_rows(&mut self) -> Result<()> {
        let mut first = Ok(());
        for (_, log) in &mut self.tracks {
            if let Some(log) = log {
                first = first.and(log.flush());
            }
        }
        self.noticed(first)
    }

    /// Rows of a set that went to the operating system: a killed program has them in its file. The rest of what was
    /// appended waits for the next flush, or was lost to the error that a call told of.
    #[must_use]
    pub fn rows_written(&self, set: TrackSetId) -> u64 {
        self.tracks.get(set.0).and_then(|t| t.1.as_ref()).map_or(0, TrackLog::rows_written)
    }

    /// Bytes that were written so far, for the rate.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        let tracks: u64 = self.tracks.iter().filter_map(|t| t.1.as_ref()).map(TrackLog::bytes).sum();
        let video = |v: &Option<VideoLog>| v.as_ref().map_or(0, VideoLog::bytes);
        tracks + video(&self.frames) + video(&self.rois)
    }

    /// Bytes of rows in logs that have no last form yet; [`super::seconds_left`] wants them.
    #[must_use]
    pub fn unfinished_log_bytes(&self) -> u64 {
        self.tracks.iter().filter_map(|t| t.1.as_ref()).map(TrackLog::log_bytes).sum()
    }

    /// Ends the recording: everything is written, synced, and given its last form. What fails is told in the report and in
    /// the metadata; the rest is finished all the same. An error: the metadata could not be written, so the recording counts
    /// as torn; nothing is lost, and [`super::recover`] mends it.
    pub fn finish(mut self) -> Result<FinishReport> {
        self.shared.check_folder()?;
        let mut problems = Vec::new();
        let mut note = |result: Result<()>| problems.extend(result.err());
        for (_, log) in &mut self.tracks {
            if let Some(log) = log.take() {
                note(log.close(&self.shared));
            }
        }
        note(self.stop_frames());
        note(self.stop_rois());
        note(self.shared.open.sync(&self.shared.dir));
        for (name, lines) in [(EVENTS, &self.events), (GAPS, &self.gaps), (STAGES, &self.stages)] {
            self.shared.change(|m| {
                let entry = m.file(name, name.trim_end_matches(".jsonl"), 0);
                entry.state = super::metadata::FileState::Final;
                entry.n_records = lines.n();
            });
        }
        // Before the last forms: they need its room.
        self.shared.give_reserve_back();
        note(self.shared.write_metadata());
        loop {
            match self.shared.finish_next() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => problems.push(error),
            }
        }
        let end_state = self.end_state;
        self.shared.change(|m| {
            for problem in &problems {
                let text = problem.to_string().replace('\n', ": ");
                if !m.problems.iter().any(|p| p.ends_with(&text)) {
                    m.problems.push(text);
                }
            }
            // Who adds to a finished recording does not change when it ended.
            if m.ended_utc.is_none() {
                m.end(end_state);
            }
        });
        self.shared.write_metadata()?;
        Ok(FinishReport { problems })
    }

    fn log(&mut self, set: TrackSetId) -> Result<&mut TrackLog> {
        let found = self.tracks.get_mut(set.0).and_then(|t| t.1.as_mut());
        found.ok_or_else(|| not_begun(&self.shared.dir, "this track set", "add_track_set"))
    }

    /// A full disk gives the reserve back at once, so that the metadata can tell of it.
    fn noticed<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.kind() == ErrorKind::DiskFull
        {
            self.shared.give_reserve_back();
        }
        result
    }
}

impl Drop for RecordingWriter {
    fn drop(&mut self) {
        self.shared.end();
    }
}

fn not_begun(dir: &Path, what: &str, call: &str) -> FileError {
    FileError::new(
        ErrorKind::InvalidValue,
        format!("cannot write {what} into {}", dir.display()),
        format!("{what} were not begun in this recording"),
        format!("this is a bug in Tetherscope: {call} comes first"),
    )
}
