//! One sweep, on a thread of its own: move, settle, capture, step by step; then back to where the stage was. Every wait has
//! an end; a step that fails is tried again, then the sweep pauses and asks. It moves nothing after everything was stopped.

use super::capture::{Capture, Waited};
use crate::control::{EventKind, Refusal, RefusalKind, Severity, SweepPhase, SweepRequest, SweepView};
use crate::engine::Input;
use crate::loader::{CancelToken, now_ns};
use crate::stages::{Hold, Mover, Stages, Whereabouts};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the stage is asked while it settles.
const LOOK: Duration = Duration::from_millis(5);
/// Times that a step is tried by itself.
const TRIES: u32 = 3;
/// How long a paused sweep waits for somebody to decide.
const PAUSE_LIMIT: Duration = Duration::from_secs(600);

/// What a client said meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Resume,
    /// Return the stage, and end.
    Cancel,
    /// End where it is: everything was stopped.
    Stop,
}

/// What sweep and control thread share.
pub(crate) struct SweepShared {
    view: Mutex<SweepView>,
    word: Mutex<Option<Word>>,
    said: Condvar,
    cancel: CancelToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SweepShared {
    pub(crate) fn new(view: SweepView) -> Arc<Self> {
        Arc::new(Self {
            view: Mutex::new(view),
            word: Mutex::new(None),
            said: Condvar::new(),
            cancel: CancelToken::new(),
        })
    }

    /// Where it is.
    pub(crate) fn view(&self) -> SweepView {
        lock(&self.view).clone()
    }

    /// Changes what clients see.
    pub(crate) fn show(&self, change: impl FnOnce(&mut SweepView)) {
        change(&mut lock(&self.view));
    }

    /// Ends it; the stage returns.
    pub(crate) fn cancel(&self) {
        self.say(Word::Cancel);
    }

    /// Ends it where it is.
    pub(crate) fn stop(&self) {
        self.say(Word::Stop);
    }

    /// Goes on after a pause; false when it is not paused.
    pub(crate) fn resume(&self) -> bool {
        let paused = lock(&self.view).phase == SweepPhase::Paused;
        if paused {
            self.say(Word::Resume);
        }
        paused
    }

    /// Lets whoever builds tables give up.
    pub(crate) fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    fn say(&self, word: Word) {
        let mut said = lock(&self.word);
        // A stop is never taken back.
        if *said != Some(Word::Stop) {
            *said = Some(word);
        }
        if word != Word::Resume {
            self.cancel.cancel();
        }
        self.said.notify_all();
    }

    fn was_stopped(&self) -> bool {
        *lock(&self.word) == Some(Word::Stop)
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.cancel.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    /// Waits for a word; None when nobody said one in time.
    fn wait_for_word(&self) -> Option<Word> {
        let until = Instant::now() + PAUSE_LIMIT;
        let mut said = lock(&self.word);
        loop {
            match *said {
                Some(Word::Resume) => {
                    *said = None;
                    return Some(Word::Resume);
                }
                Some(word) => return Some(word),
                None => {}
            }
            let left = until.checked_duration_since(Instant::now())?;
            said = self.said.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A sweep to be run.
pub(crate) struct SweepJob {
    pub(crate) stages: Arc<Stages>,
    pub(crate) stage: String,
    pub(crate) axis: u32,
    pub(crate) hold: Hold,
    pub(crate) positions_nm: Vec<f64>,
    pub(crate) request: SweepRequest,
    pub(crate) capture: Arc<Capture>,
    pub(crate) shared: Arc<SweepShared>,
    pub(crate) inputs: Sender<Input>,
}

/// What became of a sweep.
pub(crate) struct Swept {
    /// Beads that were lost, and at which position first.
    pub(crate) lost: Vec<(u32, f64)>,
    /// Entries from here on were taken on the way back.
    pub(crate) way_back: usize,
    /// The stage could not be returned.
    pub(crate) not_returned: Option<Refusal>,
}

impl SweepJob {
    /// Runs it to its end, whatever that is; then nothing is held any more.
    pub(crate) fn run(self) -> Result<Swept, Refusal> {
        let start = self.stages.whereabouts(&self.stage, self.axis);
        let mut swept = Swept { lost: Vec::new(), way_back: 0, not_returned: None };
        let outcome = start.clone().and_then(|_| self.all_steps(&mut swept));
        if let Ok(start) = start
            && !self.shared.was_stopped()
        {
            self.shared.show(|v| v.phase = SweepPhase::Returning);
            // Cancelled or not: it returns.
            swept.not_returned = self.go(start.position, false).err();
        }
        if let Some(e) = &swept.not_returned {
            let text = e.clone();
            self.tell(Severity::Error, EventKind::Message { text });
        }
        outcome.map(|()| swept)
    }

    fn all_steps(&self, swept: &mut Swept) -> Result<(), Refusal> {
        for (k, to) in self.positions_nm.iter().enumerate() {
            self.step(k, *to, &mut swept.lost)?;
        }
        swept.way_back = self.capture.mark();
        if self.request.both_directions {
            for (k, to) in self.positions_nm.iter().rev().enumerate() {
                self.step(self.positions_nm.len() + k, *to, &mut swept.lost)?;
            }
        }
        Ok(())
    }

    /// One step, tried again as often as it may be, then until somebody decides.
    fn step(&self, k: usize, to: f64, lost: &mut Vec<(u32, f64)>) -> Result<(), Refusal> {
        let mut tries = 0;
        loop {
            let mark = self.capture.mark();
            let failure = match self.try_step(k, to, mark) {
                Ok(found) => {
                    for (bead, n, with_position) in found {
                        if 2 * with_position < n && !lost.iter().any(|l| l.0 == bead) {
                            lost.push((bead, to));
                        }
                    }
                    self.shared.show(|v| v.steps_done = k as u32 + 1);
                    self.tell_plane(k, mark);
                    return Ok(());
                }
                Err(e) if e.kind == RefusalKind::Cancelled => return Err(e),
                Err(e) => e,
            };
            self.capture.rewind(mark);
            self.shared.check()?;
            tries += 1;
            if tries < TRIES {
                continue;
            }
            tries = 0;
            self.pause(failure)?;
        }
    }

    fn pause(&self, failure: Refusal) -> Result<(), Refusal> {
        self.shared.show(|v| (v.phase, v.failure) = (SweepPhase::Paused, Some(failure.clone())));
        self.tell(Severity::Error, EventKind::Message { text: failure.clone() });
        match self.shared.wait_for_word() {
            Some(Word::Resume) => {
                self.shared.show(|v| v.failure = None);
                Ok(())
            }
            Some(Word::Cancel | Word::Stop) => Err(cancelled()),
            None => Err(failure),
        }
    }

    fn try_step(&self, k: usize, to: f64, mark: usize) -> Result<Vec<(u32, usize, usize)>, Refusal> {
        self.shared.show(|v| v.phase = SweepPhase::Moving);
        let (focus_nm, after_ns) = self.go(to, true)?;
        self.shared.show(|v| (v.phase, v.focus_nm) = (SweepPhase::Capturing, Some(focus_nm)));
        self.tell(Severity::Info, EventKind::SweepStep { step: k as u32, focus_nm });
        let wanted = self.request.frames_per_step;
        self.capture.begin(focus_nm, after_ns, wanted);
        let before = k as u32 * wanted;
        let waited = self.capture.wait(self.limit(), self.shared.cancel_token(), |taken| {
            self.shared.show(|v| v.frames_done = before + taken);
        });
        match waited {
            Waited::Full => {}
            Waited::Cancelled => return Err(cancelled()),
            Waited::Failed(e) => return Err(e.into()),
            Waited::Stalled(n) => {
                let cause = format!("{n} of {wanted} frames came, then none for {} s", self.limit().as_secs_f64());
                return Err(Refusal::new(
                    RefusalKind::TimedOut,
                    format!("the sweep waits at {to} nm"),
                    cause,
                    "look at the camera and the tracker, then resume or cancel the sweep",
                ));
            }
        }
        let found = self.capture.positions_since(mark);
        if found.iter().all(|(_, n, with_position)| 2 * with_position < *n) {
            return Err(Refusal::new(
                RefusalKind::Device,
                format!("the sweep waits at {to} nm"),
                "no bead was found in more than half of the frames",
                "look at beads, light and tracker, then resume or cancel the sweep",
            ));
        }
        Ok(found)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs_f64(self.request.step_timeout_s)
    }

    /// Moves and waits until the stage has settled: the measured position, and since when it is there.
    fn go(&self, to: f64, may_cancel: bool) -> Result<(f64, i64), Refusal> {
        let until = Instant::now() + self.limit();
        let sent_ns = now_ns();
        let (sender, taken) = channel();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        self.stages.move_to(Mover::Holder(&self.hold), &self.stage, self.axis, to, done);
        match taken.recv_timeout(self.limit()) {
            Ok(outcome) => outcome?,
            Err(RecvTimeoutError::Timeout) => return Err(self.stuck(to, None)),
            Err(RecvTimeoutError::Disconnected) => return Err(self.stuck(to, None)),
        }
        let mut there: Option<(i64, f64, u32)> = None;
        loop {
            if may_cancel {
                self.shared.check()?;
            } else if self.shared.was_stopped() {
                return Err(cancelled());
            }
            let at = self.stages.whereabouts(&self.stage, self.axis)?;
            self.shared.show(|v| v.focus_nm = Some(at.position));
            let settled = at.seen_ns > sent_ns && !at.moving && (at.position - to).abs() <= self.request.tolerance_nm;
            there = match (settled, there) {
                (false, _) => None,
                (true, None) => Some((at.seen_ns, at.position, 1)),
                // The mean of all looks since.
                (true, Some((since, sum, n))) => Some((since, sum + at.position, n + 1)),
            };
            if let Some((since, sum, n)) = there
                && (at.seen_ns - since) as f64 >= self.request.settle_ms * 1e6
            {
                return Ok((sum / f64::from(n), at.seen_ns));
            }
            if Instant::now() >= until {
                return Err(self.stuck(to, Some(at)));
            }
            std::thread::sleep(LOOK);
        }
    }

    fn stuck(&self, to: f64, at: Option<Whereabouts>) -> Refusal {
        let cause = match at {
            None => format!("it did not take the command within {} s", self.limit().as_secs_f64()),
            Some(w) => format!(
                "after {} s it {} {} nm, more than {} nm away",
                self.limit().as_secs_f64(),
                if w.moving { "still moves, at" } else { "stands at" },
                w.position,
                self.request.tolerance_nm
            ),
        };
        Refusal::new(
            RefusalKind::TimedOut,
            format!("{} did not reach {to} nm", self.stage),
            cause,
            "look at the stage, then resume or cancel the sweep; a slow one needs a longer step_timeout_s",
        )
    }

    /// Which frames a step has got, for who builds tables from the recording later.
    fn tell_plane(&self, k: usize, mark: usize) {
        let Some((focus_nm, first_frame, last_frame)) = self.capture.plane_since(mark) else { return };
        let way_back = k >= self.positions_nm.len();
        let plane = EventKind::SweepPlane { step: k as u32, focus_nm, first_frame, last_frame, way_back };
        self.tell(Severity::Info, plane);
    }

    fn tell(&self, severity: Severity, kind: EventKind) {
        let told = move |control: &mut crate::engine::control::Control| {
            let frame = control.frame_now();
            drop(control.tell(frame, severity, kind));
        };
        // The control thread outlives this one; at the end nobody listens any more.
        let _ = self.inputs.send(Input::Beside(Box::new(told)));
    }
}

fn cancelled() -> Refusal {
    Refusal::new(RefusalKind::Cancelled, "the sweep was ended", "somebody cancelled or stopped it", "start it again")
}
