//! One run of the replay, from `start` to `stop`: which frame is next, when it is due, and what happens when no slot is
//! free. It reads each frame into a lent slot. It makes no thread and no buffer: all of it happens inside `poll`.

use crate::gate::Gate;
use crate::options::Options;
use crate::times::Times;
use crate::video::Video;
use std::path::Path;
use std::time::{Duration, Instant};
use tetherscope_plugin_api::abi::{ENDED_END_OF_DATA, ENDED_ERROR, LOST_UNDERRUN, NO_DEVICE_TIME};
use tetherscope_plugin_api::{Error, FrameInfo, FrameSink, Result};

/// Longest uninterrupted wait for a slot: the host's `lend` does not hear the bell that `stop` rings.
const SLOT_WAIT: Duration = Duration::from_millis(5);
/// A replay that is later than this starts its schedule anew instead of rushing through what it missed.
const MOST_LATE: Duration = Duration::from_secs(1);

/// What stays the same during a run.
pub struct Setup {
    /// Where frames go.
    pub sink: FrameSink,
    /// When each frame was taken.
    pub times: Times,
    /// Begins again at the end.
    pub repeat: bool,
}

/// A run under way.
pub struct Player {
    setup: Setup,
    /// The next frame; counts on when the video begins again.
    next: u64,
    n_lost: u64,
    /// When the next frame is due; None: as soon as it is asked for.
    due: Option<Instant>,
    /// The options under which `due` was set.
    pace: Option<Options>,
    ended: bool,
}

/// How a wait for a slot ended.
enum Wait {
    /// The time is over.
    Over,
    /// The gate was closed.
    Closed,
}

impl Player {
    /// A run that begins with the first frame.
    pub fn new(setup: Setup) -> Self {
        Self { setup, next: 0, n_lost: 0, due: None, pace: None, ended: false }
    }

    /// Index of the next frame.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Frames that found no slot.
    pub fn n_lost(&self) -> u64 {
        self.n_lost
    }

    /// Delivers the next frame, or tells that there is none. Waits for its time and for a slot, at most `timeout`.
    pub fn poll(
        &mut self,
        video: &mut Video,
        path: &Path,
        options: &Options,
        gate: &Gate,
        timeout: Duration,
    ) -> Result<()> {
        let deadline = Instant::now() + timeout.min(Duration::from_secs(3600));
        if self.ended {
            return Err(if gate.wait_until(deadline) { Error::cancelled() } else { Error::timed_out() });
        }
        if self.pace.as_ref() != Some(options) {
            self.pace = Some(*options);
            self.due = None;
        }
        let n_frames = video.n_frames();
        loop {
            let Some(interval) = options.interval(&self.setup.times, self.next, n_frames) else {
                return match self.deliver(video, path, gate, deadline) {
                    Ok(result) => result,
                    Err(Wait::Over) => Err(Error::timed_out()),
                    Err(Wait::Closed) => Err(Error::cancelled()),
                };
            };
            let due = self.due_now();
            if gate.wait_until(due.min(deadline)) {
                return Err(Error::cancelled());
            }
            if due > Instant::now() {
                return Err(Error::timed_out());
            }
            // The frame waits for a slot until its successor is due; offline until there is one.
            let lossless = self.setup.sink.lossless();
            let over = if lossless { deadline } else { deadline.min(due + interval) };
            match self.deliver(video, path, gate, over) {
                Ok(result) => {
                    self.due = Some(due + interval);
                    return result;
                }
                Err(Wait::Closed) => return Err(Error::cancelled()),
                Err(Wait::Over) if lossless || due + interval > Instant::now() => return Err(Error::timed_out()),
                Err(Wait::Over) => {
                    self.setup.sink.lost(1, LOST_UNDERRUN);
                    self.n_lost += 1;
                    self.due = Some(due + interval);
                    self.advance(video, path);
                    if self.ended {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// When the next frame is due. A schedule that is too late to be caught up begins anew.
    fn due_now(&mut self) -> Instant {
        let now = Instant::now();
        let due = self.due.filter(|due| now.saturating_duration_since(*due) < MOST_LATE).unwrap_or(now);
        self.due = Some(due);
        due
    }

    /// Reads the next frame into a slot and gives it to the host. A frame that cannot be read ends the run.
    fn deliver(
        &mut self,
        video: &mut Video,
        path: &Path,
        gate: &Gate,
        over: Instant,
    ) -> std::result::Result<Result<()>, Wait> {
        let sink = self.setup.sink;
        let mut slot = loop {
            if gate.is_closed() {
                return Err(Wait::Closed);
            }
            let left = over.saturating_duration_since(Instant::now());
            if let Some(slot) = sink.lend(left.min(SLOT_WAIT)) {
                break slot;
            }
            if left.is_zero() {
                return Err(Wait::Over);
            }
        };
        let n_frames = video.n_frames();
        let Some(image) = slot.get_mut(..video.shape().image_bytes()) else {
            return Ok(Err(Error::invalid("the host's slots are smaller than an image of the video")));
        };
        if let Err(fault) = video.read(self.next % n_frames, image) {
            drop(slot);
            self.end(ENDED_ERROR, &fault.text(path));
            return Ok(Ok(()));
        }
        let ticks = self.setup.times.at_ns(self.next, n_frames).unwrap_or(NO_DEVICE_TIME);
        if let Err(e) = slot.commit(&FrameInfo::new(self.next, ticks), &[]) {
            return Ok(Err(e));
        }
        self.advance(video, path);
        Ok(Ok(()))
    }

    /// Goes on to the next frame, and tells the host when there is none.
    fn advance(&mut self, video: &Video, path: &Path) {
        self.next += 1;
        if !self.next.is_multiple_of(video.n_frames()) {
            return;
        }
        match video.damage() {
            Some(fault) => self.end(ENDED_ERROR, &fault.text(path)),
            None if self.setup.repeat => {}
            None => self.end(ENDED_END_OF_DATA, ""),
        }
    }

    fn end(&mut self, reason: u32, text: &str) {
        self.ended = true;
        self.setup.sink.ended(reason, text);
    }
}
