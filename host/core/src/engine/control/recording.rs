//! Recordings: started and stopped exactly at a frame boundary, watched, and ended when the disk refuses. Tracking never waits
//! for any of it.

mod begin;

pub(super) use begin::{Begin, Purpose};

use super::{Asker, Control, Outcome};
use crate::control::{
    Answer, ClientId, Event, EventKind, RecordingCommand, RecordingRequest, RecordingState, RecordingView, Refusal,
    RefusalKind, Severity,
};
use crate::engine::program::Program;
use crate::engine::recorder::{Finished, Inlet, Item, Limits, VideoShape};
use crate::engine::times::utc_now_ns;
use crate::ledger::Ledger;
use crate::ring::{GapKind, GapRecord};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_files::{DataRate, EventRecord, disk_space, seconds_left};
use tetherscope_loader::CameraFormat;

/// A recording is refused that would fill the disk sooner.
const SHORTEST_S: f64 = 60.0;

/// The recording, or the last one.
#[derive(Default)]
pub(crate) struct RecordingArea {
    view: RecordingView,
    now: Option<Now>,
    n_started: u64,
    /// Rotations of the recording.
    n_parts: u32,
}

/// A recording that is written or finished.
struct Now {
    inlet: Inlet,
    thread: JoinHandle<()>,
    by: ClientId,
    reason: String,
    /// New files after so long, and since when they are written.
    rotate_every: Option<Duration>,
    rotated: Instant,
    /// Who waits for the end.
    stopper: Option<Asker>,
    /// The first frame that is not in it any more.
    end_frame: Option<u64>,
    stopping: bool,
}

impl RecordingArea {
    /// True until everything is on the disk.
    pub(super) fn is_active(&self) -> bool {
        self.now.is_some()
    }
}

impl Control {
    pub(super) fn recording_command(&mut self, asker: &Asker, command: RecordingCommand) -> Result<Outcome, Refusal> {
        match command {
            RecordingCommand::Start(request) => self.start_recording(asker, request),
            RecordingCommand::Stop => {
                self.running_recording("stop the recording")?;
                self.stop_recording("asked for", Some(asker.clone()));
                Ok(Outcome::Later)
            }
            RecordingCommand::Rotate => {
                self.running_recording("begin new files")?;
                let from_frame = self.rotate();
                Ok(Outcome::Done(Answer::Done { from_frame }))
            }
            RecordingCommand::Note { text } => {
                let frame = self.frame_now();
                self.tell(frame, Severity::Info, EventKind::Note { text });
                Ok(Outcome::Done(Answer::Done { from_frame: frame }))
            }
            RecordingCommand::Capture { folder, before_s, after_s, what } => {
                self.capture(asker, folder, before_s, after_s, what)
            }
        }
    }

    /// New files from the next frame on.
    fn rotate(&mut self) -> Option<u64> {
        let now = self.recording.now.as_mut().filter(|n| !n.stopping)?;
        now.rotated = Instant::now();
        let from_frame = Some(now.inlet.rotate());
        self.recording.n_parts += 1;
        let kind = EventKind::RecordingRotated { part: self.recording.n_parts };
        self.tell(from_frame, Severity::Info, kind);
        from_frame
    }

    /// Begins new files when it is time.
    pub(super) fn rotate_if_due(&mut self) {
        let due = |n: &Now| n.rotate_every.is_some_and(|every| n.rotated.elapsed() >= every);
        if self.recording.now.as_ref().is_some_and(due) {
            self.rotate();
        }
    }

    fn running_recording(&self, what: &str) -> Result<&Now, Refusal> {
        let thing = format!("cannot {what}");
        let now = self.recording.now.as_ref().filter(|n| !n.stopping);
        now.ok_or_else(|| {
            let finishing = self.recording.now.is_some();
            let cause = if finishing { "the recording is being finished" } else { "nothing is recorded" };
            Refusal::new(RefusalKind::NotNow, thing, cause, "start a recording first")
        })
    }

    pub(super) fn refuse_while_recording(&self, what: &str) -> Result<(), Refusal> {
        if self.recording.now.is_none() {
            return Ok(());
        }
        let cause = "a recording is written, and all of it must be of one kind";
        Err(Refusal::new(RefusalKind::NotNow, format!("cannot {what}"), cause, "stop the recording first"))
    }

    fn start_recording(&mut self, asker: &Asker, request: RecordingRequest) -> Result<Outcome, Refusal> {
        if let Some(now) = &self.recording.now {
            let thing = "cannot start a recording";
            return Err(if now.by == asker.client {
                Refusal::new(RefusalKind::NotNow, thing, "one is written already", "stop it first")
            } else {
                let cause = format!("client {} records already", now.by.0);
                Refusal::new(RefusalKind::Held, thing, cause, "wait until that recording is stopped, or stop it")
            });
        }
        if !request.rotate_minutes.is_finite() || request.rotate_minutes < 0.0 {
            let cause = format!("rotate_minutes is {}", request.rotate_minutes);
            return Err(Refusal::new(
                RefusalKind::Invalid,
                "cannot start a recording",
                cause,
                "give 0 or more minutes",
            ));
        }
        if request.frames == Some(0) {
            let mend = "ask for at least one, or for no number of frames";
            return Err(Refusal::new(RefusalKind::Invalid, "cannot start a recording", "frames is 0", mend));
        }
        let format = self.camera.format();
        if self.program.mode != crate::control::DataMode::Track && format.is_none() {
            let cause = "video is to be recorded, and no camera is open";
            return Err(Refusal::new(RefusalKind::NotNow, "cannot start a recording", cause, "open the camera first"));
        }
        let for_now = |r: &super::camera::Running| (r.ring.status().n_slots - self.camera.past_frames()) / 2;
        let held_frames = self.camera.running().map_or(64, for_now);
        let limits = Limits { batches: self.options.recorder_queue_batches, held_frames: held_frames.max(1) };
        let begin = self.begin_of(limits, Purpose::Recording, request);
        Ok(self.try_job(asker, move || begin.begin(), Self::recording_begun))
    }

    /// What every recording begins with, as things are.
    pub(super) fn begin_of(&mut self, limits: Limits, purpose: Purpose, request: RecordingRequest) -> Begin {
        self.recording.n_started += 1;
        let format = self.camera.format();
        Begin {
            inlet: Inlet::new(self.recording.n_started, limits, request.frames),
            shape: format.map(|format| VideoShape {
                format,
                nm_per_px: self.options.optics.nm_per_px,
                channels: self.camera.channels(),
            }),
            snapshot: self.snapshot_for_files(),
            camera: self.camera.label(),
            zlut: self.built.zlut.as_ref().map(|z| z.choice.stored.clone()),
            needed: if purpose == Purpose::Recording { self.needed_bytes(format.as_ref()) } else { 0 },
            meters: self.meters.clone(),
            inputs: self.inputs.clone(),
            request,
            purpose,
        }
    }

    fn recording_begun(&mut self, asker: Asker, (inlet, folder, thread): (Inlet, PathBuf, JoinHandle<()>)) {
        if let Some(running) = self.camera.running() {
            count_in(&inlet, &running.ledger);
        }
        self.recording.view =
            RecordingView { state: RecordingState::On, folder: Some(folder.clone()), ..RecordingView::default() };
        let request = match &asker.command {
            crate::control::Command::Recording(RecordingCommand::Start(request)) => request.clone(),
            _ => RecordingRequest::default(),
        };
        let minutes = request.rotate_minutes;
        self.recording.n_parts = 0;
        self.recording.now = Some(Now {
            rotate_every: (minutes > 0.0).then(|| Duration::from_secs_f64(minutes * 60.0)),
            rotated: Instant::now(),
            inlet: inlet.clone(),
            thread,
            by: asker.client,
            reason: String::new(),
            stopper: None,
            end_frame: None,
            stopping: false,
        });
        let record_profiles = request.profiles;
        let program = Program { recorder: Some(inlet.clone()), record_profiles, ..(*self.program).clone() };
        self.switch(
            program,
            Box::new(move |control, frame| {
                let from = frame.unwrap_or_else(|| control.camera.next_frame());
                inlet.begin(from);
                control.tell(Some(from), Severity::Info, EventKind::RecordingStarted { folder });
                control.warn_of_empty_recording();
                control.done(&asker, Some(from), Answer::Done { from_frame: Some(from) });
            }),
        );
    }

    /// Somebody may wait an hour for a recording into which nothing goes.
    fn warn_of_empty_recording(&mut self) {
        let mode = self.program.mode;
        let has_rois = self.program.plan.as_ref().is_some_and(|p| !p.rois().is_empty());
        let (what, mend) = match () {
            () if has_rois || !(mode.tracks() || mode.records_rois()) => return,
            () if self.built.chain.is_none() => ("no tracker is chosen", "choose one: rows and ROIs begin with it"),
            () => ("there is no bead", "mark one: rows and ROIs begin with it, in this recording"),
        };
        let thing = if mode.records_frames() { "the recording has no rows yet" } else { "the recording is empty yet" };
        self.warn(Severity::Warning, Refusal::new(RefusalKind::NotNow, thing, what, mend));
    }

    /// Ends it at the next frame boundary.
    fn stop_recording(&mut self, reason: &str, stopper: Option<Asker>) {
        let Some(now) = self.recording.now.as_mut().filter(|n| !n.stopping) else { return };
        now.stopping = true;
        now.reason = reason.to_owned();
        let inlet = now.inlet.clone();
        if self.recording.view.state == RecordingState::On {
            self.recording.view.state = RecordingState::Finishing;
        }
        let program = Program { recorder: None, record_profiles: false, ..(*self.program).clone() };
        self.switch(
            program,
            Box::new(move |control, frame| {
                // It may have ended itself before.
                let end = inlet.end(frame.unwrap_or_else(|| control.camera.next_frame()));
                if let Some(asker) = &stopper {
                    control.took_effect(asker, Some(end));
                }
                if let Some(now) = &mut control.recording.now {
                    now.end_frame = Some(end);
                    now.stopper = stopper;
                }
                control.pass_gaps();
                let clock = serde_json::to_value(control.meters.clock()).unwrap_or_default();
                inlet.put(Item::Section("clock".into(), clock));
                let conduct = serde_json::to_value(&control.camera.view.conduct).unwrap_or_default();
                inlet.put(Item::Section("conduct".into(), conduct));
                inlet.put(Item::Account(control.ledger().clone()));
                inlet.put(Item::Finish);
            }),
        );
    }

    pub(super) fn stop_recording_for_end(&mut self) {
        // After the camera, so that the last frames are in it.
        self.job(|| (), |control, ()| control.stop_recording("the engine ends", None));
    }

    /// The disk refused: told at once; what is written is finished.
    pub(crate) fn recording_failed(&mut self, id: u64, refusal: Refusal) {
        if self.recording.now.as_ref().is_none_or(|n| n.inlet.id() != id) {
            return;
        }
        self.recording.view.state = RecordingState::Failed(refusal.clone());
        self.stop_recording(&refusal.cause, None);
        self.warn(Severity::Error, refusal);
    }

    /// The disk is in trouble; the recording goes on.
    pub(crate) fn recording_trouble(&mut self, id: u64, refusal: Refusal) {
        if self.recording.now.as_ref().is_some_and(|n| n.inlet.id() == id) {
            self.warn(Severity::Error, refusal);
        }
    }

    /// The disk is slow; nothing is lost.
    pub(crate) fn recording_is_slow(&mut self, id: u64, refusal: Refusal) {
        if self.recording.now.as_ref().is_some_and(|n| n.inlet.id() == id) {
            self.warn(Severity::Warning, refusal);
        }
    }

    /// It has all the frames that were asked for.
    pub(crate) fn recording_has_all(&mut self, id: u64) {
        if self.recording.now.as_ref().is_some_and(|n| n.inlet.id() == id) {
            self.stop_recording("it has the frames that were asked for", None);
        }
    }

    /// Everything is on the disk.
    pub(crate) fn recording_finished(&mut self, finished: Finished) {
        if self.capture_finished(&finished) {
            return;
        }
        let Some(now) = self.recording.now.take_if(|n| n.inlet.id() == finished.id) else { return };
        self.recording.view = self.recording_progress(&now.inlet);
        if now.thread.join().is_err() {
            tracing::error!("the recorder panicked");
        }
        let was_failed = matches!(self.recording.view.state, RecordingState::Failed(_));
        let first = finished.problems.first().cloned();
        match first {
            Some(refusal) if !was_failed => {
                self.recording.view.state = RecordingState::Failed(refusal.clone());
                self.warn(Severity::Error, refusal);
            }
            None if !was_failed => self.recording.view.state = RecordingState::Off,
            _ => {}
        }
        let frame = now.end_frame;
        let kind =
            EventKind::RecordingStopped { folder: finished.folder, rows: finished.rows, reason: now.reason.clone() };
        self.tell(frame, Severity::Info, kind);
        if let Some(asker) = now.stopper {
            self.reply(&asker, Ok(Answer::Done { from_frame: frame }));
        }
    }

    /// A camera starts while a recording is on: its frames are counted in its own ledger.
    pub(super) fn recording_stage(&mut self, ledger: &Ledger) {
        if let Some(now) = &self.recording.now {
            count_in(&now.inlet, ledger);
        }
    }

    /// Puts something that is no frame into the recording, if there is one.
    pub(super) fn record_item(&mut self, item: Item) {
        if let Some(now) = &self.recording.now {
            now.inlet.put(item);
        }
    }

    /// Writes an event into the recording.
    pub(super) fn record_event(&mut self, event: &Event) {
        let Some(now) = &self.recording.now else { return };
        let (kind, data) = match serde_json::to_value(&event.kind) {
            Ok(serde_json::Value::Object(o)) => o.into_iter().next().unwrap_or_default(),
            Ok(other) => (other.to_string(), serde_json::Value::Null),
            Err(e) => ("unwritable".to_owned(), e.to_string().into()),
        };
        let record = EventRecord { kind, frame: event.frame, utc_ns: event.time_utc_ns, data };
        now.inlet.put(Item::Event(record));
    }

    /// Takes the camera's gap records, and writes them into the recording.
    pub(super) fn pass_gaps(&mut self) {
        let Some(running) = self.camera.running() else { return };
        let ring = running.ring.clone();
        while let Some(gap) = ring.next_gap() {
            let record = gap_for_files(&gap);
            let inlet = self.recording.now.as_ref().map(|now| &now.inlet);
            if let Some(inlet) = inlet.filter(|i| i.has_gap(record.first_frame_after, gap.from_ns)) {
                inlet.put(Item::Gap(record));
            }
            if !matches!(gap.kind, GapKind::Dropped(_) | GapKind::RecordsLost) {
                *self.camera.view.conduct.oddities.entry(gap.kind.name().to_owned()).or_insert(0) += 1;
            }
        }
    }

    fn recording_progress(&self, inlet: &Inlet) -> RecordingView {
        let progress = &inlet.queue().progress;
        let (queue_level, queue_high_water) = inlet.levels();
        RecordingView {
            from_frame: inlet.first_frame(),
            frames: progress.frames.load(Relaxed),
            rows: progress.rows.load(Relaxed),
            bytes: progress.bytes.load(Relaxed),
            part: u32::try_from(progress.part.load(Relaxed)).unwrap_or(u32::MAX),
            queue_level,
            queue_high_water,
            ..self.recording.view.clone()
        }
    }

    pub(super) fn recording_view(&self) -> RecordingView {
        self.recording
            .now
            .as_ref()
            .map_or_else(|| self.recording.view.clone(), |now| self.recording_progress(&now.inlet))
    }

    /// Reads how long the disk will do, once a second.
    pub(super) fn watch_disk(&mut self) {
        let Some(now) = &self.recording.now else { return };
        let Some(folder) = &self.recording.view.folder else { return };
        let free = disk_space(folder).ok().flatten().map(|d| d.free_bytes);
        let unfinished = now.inlet.queue().progress.unfinished_bytes.load(Relaxed);
        self.recording.view.disk_free_bytes = free;
        self.recording.view.disk_full_in_s = free.map(|f| seconds_left(f, unfinished, self.data_rate(None)));
    }

    /// Bytes per second that a recording takes, at the rate of now.
    fn data_rate(&self, format: Option<&CameraFormat>) -> DataRate {
        let (mode, rate) = (self.program.mode, self.health_rate());
        let n_beads = self.beads.ids().len();
        let mut all = DataRate::rows(if mode.tracks() { rate * n_beads as f64 } else { 0.0 });
        let format = format.copied().or_else(|| self.camera.format());
        if let Some(f) = format {
            let px = f64::from(if f.significant_bits > 8 { 2_u32 } else { 1 });
            let size = self.beads.roi_size_px();
            let pixels = match () {
                () if mode.records_frames() => f64::from(f.width_px) * f64::from(f.height_px),
                () if mode.records_rois() => f64::from(size * size) * n_beads as f64,
                () => 0.0,
            };
            all.other_bytes_per_s += pixels * px * rate;
        }
        all
    }

    fn needed_bytes(&self, format: Option<&CameraFormat>) -> u64 {
        (self.data_rate(format).bytes_per_s() * SHORTEST_S) as u64
    }
}

fn count_in(inlet: &Inlet, ledger: &Ledger) {
    let stage = |name: &str| ledger.stage(format!("{name}.{}", inlet.id()));
    inlet.count_in(stage("tracks"), stage("video"));
}

fn gap_for_files(gap: &GapRecord) -> tetherscope_files::GapRecord {
    tetherscope_files::GapRecord {
        stage: "camera".into(),
        first_frame_after: gap.after_index.map_or(0, |i| i + 1),
        count: if matches!(gap.kind, GapKind::Dropped(_) | GapKind::CameLate | GapKind::RecordsLost) {
            gap.n_frames
        } else {
            0
        },
        reason: gap.kind.name().to_owned(),
        device_ids: gap.first_device_id.zip(gap.last_device_id),
        utc_ns: Some(utc_now_ns() - tetherscope_loader::now_ns() + gap.from_ns),
    }
}
