//! The live thread: takes frames from the ring in batches, lets them be tracked, and passes rows on to history, recording,
//! sweep and whoever asked. New programs take effect between two of its batches, so at a frame boundary that it can name.
//! It never waits for a disk, a client or, beyond a limit, for a plugin.

mod failures;
mod mailbox;
mod past;

pub(crate) use mailbox::{Mail, Mailbox};
pub(crate) use past::Capture;
use past::Past;

use super::Input;
use super::meters::Meters;
use super::pool::LivePool;
use super::program::Program;
use super::question::{Question, QuestionId, answer};
use super::work::{BatchFrames, BatchResults, BatchWork, FAILED};
use crate::chain::Chain;
use crate::control::{Answer, Refusal};
use crate::frame_clock::{FrameClock, HostUtc};
use crate::ledger::{DropReason, StageCounts};
use crate::plan::Plan;
use crate::ring::{Frame, Next, Subscription};
use crate::run::TrackedBatch;
use crate::source::FrameMeta;
use crate::{Optics, RowMaker, RunError};
use failures::Failures;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_files::Row;
use tetherscope_loader::{CameraFormat, now_ns};

/// How long it sleeps without a frame before it looks round.
const LOOK_ROUND: Duration = Duration::from_millis(500);
/// Batches in a row whose tracker did not return, until it is called no more.
const HANGS_UNTIL_DISABLED: u32 = 3;

/// What it tells the control thread.
pub(crate) enum Note {
    /// A program is in effect from this frame on.
    Switched { id: u64, frame: u64 },
    /// A question is answered.
    Answered { id: QuestionId, result: Result<Answer, Refusal> },
    /// Calls of a plugin failed, since the last such note.
    PluginFailed { failure: Refusal, rows: u64, frame: u64 },
    /// Calls of a plugin did not return.
    PluginHung { plugin: String, calls: usize, rows: u64, frame: u64, disabled: bool },
    /// It waits before this frame for commands that belong there.
    Barrier { frame: u64 },
    /// A recording has all the frames that it was to have.
    Recorded { id: u64 },
    /// The last frame is through; `next_frame` is the index after it.
    Ended { next_frame: u64 },
}

/// What it works with.
pub(crate) struct LiveSetup {
    pub(crate) subscription: Subscription,
    pub(crate) program: Arc<Program>,
    pub(crate) format: CameraFormat,
    pub(crate) optics: Optics,
    pub(crate) history: Arc<super::history::History>,
    pub(crate) pool: LivePool,
    pub(crate) counts: Arc<StageCounts>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) notes: Sender<Input>,
    pub(crate) hang_limit: Duration,
    pub(crate) max_batch_frames: usize,
    /// Frames of the past that are kept.
    pub(crate) past_frames: usize,
    pub(crate) questions: Vec<Question>,
    /// Frames before which it waits for commands, in order.
    pub(crate) barriers: VecDeque<u64>,
}

/// The running thread.
pub(crate) struct Live {
    pub(crate) mailbox: Arc<Mailbox>,
    thread: JoinHandle<()>,
}

impl Live {
    pub(crate) fn start(setup: LiveSetup) -> Result<Self, RunError> {
        let mailbox = Arc::new(Mailbox::new(setup.subscription.waker()));
        let rows = RowMaker::new(&setup.optics, &setup.format, None);
        let clock = FrameClock::new(&setup.format);
        let thread = LiveThread {
            mailbox: mailbox.clone(),
            next_frame: setup.subscription.first_index(),
            held_over: None,
            maker: rows,
            rows: Vec::new(),
            failures: Failures::default(),
            disabled: None,
            hangs: 0,
            interval: Duration::ZERO,
            last_arrival_ns: None,
            past: Past::new(setup.past_frames),
            utc: clock.report().utc,
            clock,
            clock_told: None,
            setup,
        };
        let spawned = std::thread::Builder::new().name("live".into()).spawn(move || thread.run());
        let thread = spawned
            .map_err(|e| RunError::refused("cannot start the live thread", e.to_string(), "close other programs"))?;
        Ok(Self { mailbox, thread })
    }

    /// Waits for its end; it ends when the ring has no more frames.
    pub(crate) fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the live thread panicked");
        }
    }
}

struct LiveThread {
    setup: LiveSetup,
    mailbox: Arc<Mailbox>,
    /// The frame after the last one that was taken.
    next_frame: u64,
    /// A frame that belongs to the next batch.
    held_over: Option<Frame>,
    maker: RowMaker,
    rows: Vec<Row>,
    failures: Failures,
    /// Methods that are called no more.
    disabled: Option<Arc<Chain>>,
    hangs: u32,
    past: Past,
    clock: FrameClock,
    /// What the clock holds UTC to be.
    utc: HostUtc,
    clock_told: Option<Instant>,
    /// Usual time from frame to frame.
    interval: Duration,
    last_arrival_ns: Option<i64>,
}

impl LiveThread {
    fn run(mut self) {
        loop {
            self.take_mail();
            match self.collect() {
                None => break,
                Some(frames) if frames.is_empty() => self.tell_failures(),
                Some(frames) => self.process(frames),
            }
            self.end_recording_that_has_all();
        }
        self.take_mail();
        self.tell_clock(true);
        self.past.end(self.next_frame);
        self.tell_failures();
        self.note(Note::Ended { next_frame: self.next_frame });
    }

    fn note(&self, note: Note) {
        // The control thread outlives this one; if it is gone, nobody wants to know.
        let _ = self.setup.notes.send(Input::Live(note));
    }

    fn tell_failures(&mut self) {
        for note in self.failures.due() {
            self.note(note);
        }
    }

    /// Does what was posted. All of it holds from `next_frame` on.
    fn take_mail(&mut self) {
        while let Some(mail) = self.mailbox.take() {
            self.open(mail);
        }
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::Switch { id, program } => {
                let before = std::mem::replace(&mut self.setup.program, program);
                self.hand_over_recording(&before);
                self.note(Note::Switched { id, frame: self.next_frame });
            }
            Mail::Ask(question) => self.setup.questions.push(question),
            Mail::Capture(capture) => {
                let (program, setup) = (&self.setup.program, &self.setup);
                self.past.begin(capture, program, self.next_frame, &setup.format, &setup.pool);
            }
            Mail::Cancel(id) => self.setup.questions.retain(|q| q.id != id),
            Mail::Release => {}
        }
    }

    /// Tells the recorder where its frames begin and end.
    fn hand_over_recording(&self, before: &Program) {
        let (old, new) = (&before.recorder, &self.setup.program.recorder);
        if old.as_ref().map(|r| r.id()) == new.as_ref().map(|r| r.id()) {
            return;
        }
        if let Some(old) = old {
            old.end(self.next_frame);
        }
        if let Some(new) = new {
            new.begin(self.next_frame);
        }
    }

    /// The next batch; empty when there is none yet, None when none will come.
    fn collect(&mut self) -> Option<Vec<Frame>> {
        let first = match self.held_over.take() {
            Some(frame) => frame,
            None => match self.setup.subscription.next(LOOK_ROUND) {
                Next::Frame(frame) => frame,
                Next::TimedOut => return Some(Vec::new()),
                Next::Ended => return None,
            },
        };
        if self.setup.barriers.front().is_some_and(|b| *b <= first.index()) {
            self.wait_at_barrier(first.index());
        }
        self.end_recording_before(first.index());
        let limits = self.setup.program.batch;
        let until_frame = self.boundary_after(first.index());
        let most = (limits.max_frames.max(1) as usize).min(self.setup.max_batch_frames);
        let until_ns = first.arrival_ns() + (limits.max_ms * 1e6) as i64;
        let mut frames = vec![first];
        let is_last = |f: &Frame| until_frame.is_some_and(|b| b <= f.index() + 1);
        while frames.len() < most && !frames.last().is_some_and(is_last) && !self.mailbox.has_mail() {
            let left = Duration::from_nanos(u64::try_from(until_ns - now_ns()).unwrap_or(0));
            // Nobody comes within that time: waiting would only make this one late.
            if self.setup.subscription.is_empty() && self.interval > left {
                break;
            }
            // Without time left it takes what waits already.
            match self.setup.subscription.next(left) {
                Next::Frame(f) if until_frame.is_some_and(|b| b <= f.index()) => {
                    self.held_over = Some(f);
                    break;
                }
                Next::Frame(f) => frames.push(f),
                Next::TimedOut | Next::Ended => break,
            }
        }
        Some(frames)
    }

    /// The frame at which something changes that is known already: no batch reaches across it.
    fn boundary_after(&self, frame: u64) -> Option<u64> {
        let end = self.setup.program.recorder.as_ref().and_then(|r| r.end_frame()).filter(|end| *end > frame);
        self.setup.barriers.front().copied().into_iter().chain(end).min()
    }

    /// Ends a recording whose frames were all taken, now rather than with the next frame, which may never come.
    fn end_recording_that_has_all(&self) {
        self.end_recording_before(self.next_frame);
    }

    /// Ends a recording that is not to have this frame any more.
    fn end_recording_before(&self, frame: u64) {
        let Some(recorder) = &self.setup.program.recorder else { return };
        let Some(end) = recorder.end_frame().filter(|end| *end <= frame && !recorder.has_ended()) else { return };
        recorder.end(end);
        self.note(Note::Recorded { id: recorder.id() });
    }

    /// Lets the control thread do what belongs before this frame.
    fn wait_at_barrier(&mut self, frame: u64) {
        while self.setup.barriers.front().is_some_and(|b| *b <= frame) {
            self.setup.barriers.pop_front();
        }
        self.next_frame = frame;
        self.note(Note::Barrier { frame });
        loop {
            match self.mailbox.wait() {
                Mail::Release => return,
                mail => self.open(mail),
            }
        }
    }

    fn process(&mut self, frames: Vec<Frame>) {
        let program = self.setup.program.clone();
        let (meters, now) = (self.setup.meters.clone(), now_ns());
        for frame in &frames {
            meters.to_batch.note(now - frame.arrival_ns());
            self.note_interval(frame.arrival_ns());
            meters.newest_ns.store(u64::try_from(frame.arrival_ns()).unwrap_or(0), Relaxed);
        }
        meters.frames.fetch_add(frames.len() as u64, Relaxed);
        self.next_frame = frames.last().map_or(self.next_frame, |f| f.index() + 1);
        let utc_ns: Vec<i64> = frames.iter().map(|f| self.clock.date(f).utc_ns).collect();
        self.tell_clock(false);
        self.past.keep(&frames, &utc_ns);
        if !program.processing && !self.past.wants_frames() {
            return;
        }
        let batch = Arc::new(BatchFrames::new(frames, utc_ns, &self.setup.format, &self.setup.pool));
        self.past.give(&program, &batch);
        match program.tracking() {
            Some(plan) => self.track(&program, plan, &batch),
            None if program.processing => self.record(&program, &batch, None),
            None => {}
        }
        self.tell_failures();
    }

    /// Shows what is known of the camera's clock, once a second.
    fn tell_clock(&mut self, now: bool) {
        if now || self.clock_told.is_none_or(|t| t.elapsed() >= Duration::from_secs(1)) {
            self.clock_told = Some(Instant::now());
            self.setup.meters.tell_clock(self.clock.report());
        }
    }

    /// Follows the frame rate, over some ten frames.
    fn note_interval(&mut self, arrival_ns: i64) {
        if let Some(last) = self.last_arrival_ns.replace(arrival_ns) {
            let now = u64::try_from(arrival_ns - last).unwrap_or(0);
            let before = u64::try_from(self.interval.as_nanos()).unwrap_or(0);
            self.interval = Duration::from_nanos(before - before / 8 + now / 8);
        }
    }

    fn track(&mut self, program: &Program, plan: &Arc<Plan>, batch: &Arc<BatchFrames>) {
        let n_frames = batch.frames().len() as u64;
        let ticket = self.setup.counts.enter(n_frames);
        let asked = !self.setup.questions.is_empty();
        let with_profiles = asked || program.tap.is_some() || program.record_profiles;
        let is_disabled = self.disabled.as_ref().is_some_and(|c| Arc::ptr_eq(c, plan.chain()));
        let results = if is_disabled {
            written_off(plan, batch, with_profiles)
        } else {
            self.setup.meters.busy.store(self.setup.pool.n_threads() as u64, Relaxed);
            let work = BatchWork::start(plan, batch, with_profiles, &self.setup.pool);
            let results = work.finish(self.setup.hang_limit);
            self.setup.meters.busy.store(0, Relaxed);
            results
        };
        self.make_rows(plan, batch, &results);
        if is_disabled {
            ticket.drop_rest(DropReason::PluginDisabled);
        } else if results.n_hung > 0 {
            ticket.drop_rest(DropReason::PluginHung);
            self.leave_behind(plan, results.n_hung);
        } else {
            self.hangs = 0;
            ticket.deliver_rest();
            self.setup.meters.tracked.fetch_add(n_frames, Relaxed);
            self.setup.meters.rois.fetch_add(results.fixes.len() as u64, Relaxed);
        }
        for (failure, rows) in &results.failures {
            self.failures.add(failure, *rows, batch.frames()[0].index());
        }
        let now = now_ns();
        batch.frames().iter().for_each(|f| self.setup.meters.to_row.note(now - f.arrival_ns()));
        self.record(program, batch, Some((plan, &results)));
        if asked || program.tap.is_some() {
            self.show(program, plan, batch, &results);
        }
    }

    /// Rows in the order of frames and ROIs, into history.
    fn make_rows(&mut self, plan: &Plan, batch: &BatchFrames, results: &BatchResults) {
        self.rows.clear();
        let n_rois = plan.rois().len();
        for (f, frame) in batch.frames().iter().enumerate() {
            let time_ns = batch.utc_ns().get(f).copied();
            let fixes = &results.fixes[f * n_rois..(f + 1) * n_rois];
            let row = |(roi, fix)| self.maker.row_at(frame.index(), time_ns, roi, fix);
            self.rows.extend(plan.rois().iter().zip(fixes).map(row));
        }
        let (frames, utc) = (batch.frames(), self.utc);
        let arrived = |index: u64| {
            let at = frames.partition_point(|f| f.index() < index);
            frames.get(at).map_or(0, |f| utc.utc_ns(f.arrival_ns()))
        };
        self.setup.history.push(&self.rows, arrived);
    }

    /// A plugin did not return: its threads are lost, its batch is written off.
    fn leave_behind(&mut self, plan: &Arc<Plan>, n_hung: usize) {
        self.hangs += 1;
        let disabled = self.hangs >= HANGS_UNTIL_DISABLED;
        if disabled {
            self.disabled = Some(plan.chain().clone());
        }
        let is_hung = |r: &&Row| r.flags == super::work::HUNG.flags;
        self.note(Note::PluginHung {
            plugin: plan.tracker().component().label(),
            calls: n_hung,
            rows: self.rows.iter().filter(is_hung).count() as u64,
            frame: self.rows.first().map_or(self.next_frame, |r| r.frame),
            disabled,
        });
        // Without fresh threads it goes on with those that are left.
        if let Err(e) = self.setup.pool.replace() {
            tracing::error!("{e}");
        }
        if !disabled && let Err(e) = plan.prepare(self.setup.pool.n_threads()) {
            tracing::error!("{e}");
        }
    }

    /// Passes frames and rows on to the recording.
    fn record(&self, program: &Program, batch: &Arc<BatchFrames>, tracked: Option<(&Arc<Plan>, &BatchResults)>) {
        let Some(recorder) = &program.recorder else { return };
        recorder.take(program, batch, &self.rows, tracked);
    }

    /// Shows a batch to a sweep and to whoever asked.
    fn show(&mut self, program: &Program, plan: &Plan, batch: &BatchFrames, results: &BatchResults) {
        let metas: Vec<FrameMeta> = batch.frames().iter().map(FrameMeta::of_live).collect();
        let tracked = TrackedBatch {
            frames: &metas,
            rois: plan.rois(),
            fixes: &results.fixes,
            profiles: &results.profiles,
            weights: &results.weights,
            layout: plan.layout(),
            pixels: batch,
        };
        if let Some(tap) = &program.tap {
            tap.take(&tracked);
        }
        let mut answered = Vec::new();
        self.setup.questions.retain(|q| match answer(q, &tracked, program) {
            Some(result) => {
                answered.push(Note::Answered { id: q.id, result });
                false
            }
            None => true,
        });
        answered.into_iter().for_each(|note| self.note(note));
    }
}

/// Results without a call.
fn written_off(plan: &Plan, batch: &BatchFrames, with_profiles: bool) -> BatchResults {
    let n = plan.rois().len() * batch.frames().len();
    let n_values = if with_profiles { n * plan.layout().n_bins as usize } else { 0 };
    BatchResults {
        fixes: vec![FAILED; n],
        profiles: vec![f64::NAN; n_values],
        weights: vec![f32::NAN; n_values],
        failures: Vec::new(),
        n_hung: 0,
    }
}
