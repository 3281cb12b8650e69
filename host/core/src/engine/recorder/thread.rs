//! The thread that writes a recording, and one beside it that waits for the disk once a second. When the disk refuses, it
//! says so at once, counts what it cannot write, and finishes what there is.

use super::video::{Video, VideoShape};
use super::waiting::{Waiting, WaitingBatch};
use super::{BatchItem, Inlet, Item, Queue, gap, verdict};
use crate::RunError;
use crate::control::Refusal;
use crate::engine::Input;
use crate::engine::meters::Meters;
use crate::ledger::{DropReason, Ledger};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_files::{FileError, RecordingWriter, SyncHandle, TrackSetId};
use tetherscope_loader::now_ns;

/// How often rows that wait are written out.
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// When the disk keeps the recorder that long, rows of more than the second that may be lost are in memory alone.
const TOO_LONG: Duration = Duration::from_millis(800);
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
    video: Video,
    set: Option<TrackSetId>,
    n_bins: Option<u32>,
    problems: Vec<Refusal>,
    /// Rows that the writer gathers.
    waiting: Waiting,
    /// The longest wait for the disk that was told.
    longest: Duration,
}

impl Recorder {
    fn new(setup: RecorderSetup) -> Self {
        Self {
            set: setup.writer.track_set("main"),
            queue: setup.inlet.queue().clone(),
            writer: setup.writer,
            meters: setup.meters,
            inputs: setup.inputs,
            video: Video::new(setup.stack),
            n_bins: None,
            problems: Vec::new(),
            waiting: Waiting::default(),
            longest: TOO_LONG,
        }
    }

    fn run(mut self, stop_syncing: Sender<()>, syncing: JoinHandle<()>) {
        let mut flushed = Instant::now();
        loop {
            let item = self.queue.next(FLUSH_EVERY.saturating_sub(flushed.elapsed()));
            let is_last = matches!(item, Some(Item::Finish));
            let begun = Instant::now();
            if let Some(item) = item {
                self.write(item);
            }
            if is_last {
                break;
            }
            if flushed.elapsed() >= FLUSH_EVERY {
                self.flush();
                flushed = Instant::now();
                self.queue.progress.bytes.store(self.writer.bytes_written(), Relaxed);
                self.queue.progress.unfinished_bytes.store(self.writer.unfinished_log_bytes(), Relaxed);
            }
            self.tell_wait(begun.elapsed());
        }
        self.flush();
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

    /// Writes the rows that wait.
    fn flush(&mut self) {
        let done = self.writer.flush();
        self.check(done);
        self.settle();
    }

    fn n_written(&self) -> u64 {
        self.set.map_or(0, |set| self.writer.rows_written(set))
    }

    /// Counts what is certain by now.
    fn settle(&mut self) {
        if self.problems.is_empty() {
            self.waiting.settle(self.n_written(), &self.queue.progress, &self.meters);
            return;
        }
        // Something else may have failed than the rows: those that can be written are.
        let done = self.writer.flush();
        self.check(done);
        let n_written = self.n_written();
        self.waiting.settle(n_written, &self.queue.progress, &self.meters);
        for gap in self.waiting.give_up(n_written, &self.queue.progress) {
            // On a full disk there may be no room for it; the ledger tells it too.
            let done = self.writer.append_gap(&gap);
            self.check(done);
        }
    }

    /// Tells when the disk kept it waiting so long that a crash would have cost more than it may.
    fn tell_wait(&mut self, waited: Duration) {
        if waited <= self.longest {
            return;
        }
        self.longest = waited;
        let refusal = Refusal::new(
            crate::control::RefusalKind::File,
            format!("the disk of {} kept the recording waiting", self.writer.dir().display()),
            format!(
                "one write took {:.1} s; rows of that time were in memory alone, so a crash would have cost them",
                waited.as_secs_f64()
            ),
            "nothing is lost; record onto a disk that others do not use, if a crash must not cost that much",
        );
        let id = self.queue.id;
        let _ = self.inputs.send(Input::Beside(Box::new(move |control| control.recording_is_slow(id, refusal))));
    }

    /// How everything stands, now that all that came before is written.
    fn account(&mut self, ledger: &Ledger) {
        self.flush();
        let ledger = ledger.snapshot();
        self.writer.set_section("verdict", verdict(&ledger));
        self.writer.set_section("ledger", serde_json::to_value(ledger).unwrap_or_default());
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
            Item::Account(ledger) => self.account(&ledger),
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
        let has_rows = !batch.rows.is_empty();
        if batch.rows_ticket.is_some() {
            self.waiting.add(WaitingBatch {
                ticket: batch.rows_ticket.take(),
                n_rows: batch.rows.len() as u64,
                n_frames: batch.n_frames,
                end_frame: batch.end_frame,
                arrivals_ns: std::mem::take(&mut batch.arrivals_ns),
            });
            if !had_failed {
                self.write_rows(&batch);
            }
            self.settle();
        }
        let video = batch.video_ticket.take();
        let mut n_written = 0;
        if self.problems.is_empty() {
            let done;
            (n_written, done) = self.video.write(&mut self.writer, &batch);
            self.check(done);
        }
        if let Some(mut ticket) = video {
            ticket.delivered(n_written);
            let lost = ticket.left();
            ticket.drop_rest(DropReason::DiskError);
            if lost > 0 {
                let done = self.writer.append_gap(&gap("video", batch.end_frame, lost, DropReason::DiskError.name()));
                self.check(done);
            }
        }
        if !has_rows {
            self.queue.progress.frames.fetch_add(n_written, Relaxed);
            let now = now_ns();
            batch.arrivals_ns.iter().for_each(|at| self.meters.to_written.note(now - at));
        }
        // The frames are let go before there is said to be room.
        let held = batch.held;
        drop(batch);
        self.queue.written(held);
    }

    fn write_rows(&mut self, batch: &BatchItem) {
        let Some(set) = self.set.filter(|_| !batch.rows.is_empty()) else { return };
        let done = self.writer.append_rows(set, &batch.rows);
        if !self.check(done) {
            return;
        }
        let Some((n_bins, profiles, weights)) = &batch.profiles else { return };
        if self.n_bins != Some(*n_bins) {
            let done = self.writer.start_profiles(set, *n_bins, true);
            if !self.check(done) {
                return;
            }
            self.n_bins = Some(*n_bins);
        }
        let keys: Vec<(u64, u32)> = batch.rows.iter().map(|r| (r.frame, r.bead)).collect();
        let done = self.writer.append_profiles(set, &keys, profiles, weights);
        self.check(done);
    }
}
