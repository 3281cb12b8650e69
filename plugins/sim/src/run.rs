//! One run of the camera, from `start` to `stop`: which frame is next, when it is there, and what happens when it cannot
//! be taken. It makes no thread and no buffer: everything happens inside `poll`, in the slots of the host.
//!
//! Live, frame k is there at the end of its exposure by the host's clock, and its device time is its exposure's start in
//! simulated time. Offline the same frames come as fast as they are taken.

use crate::clock::span_ns;
use crate::gate::Gate;
use crate::optical_bench::OpticalBench;
use crate::options::Options;
use crate::rate_meter::RateMeter;
use crate::simulation::Simulation;
use crate::timeline::Timeline;
use std::time::Duration;
use tetherscope_plugin_api::abi::{ENDED_END_OF_DATA, LOST_CAMERA_GAP, LOST_UNDERRUN};
use tetherscope_plugin_api::{Error, FrameInfo, FrameSink, Result, Slot};

/// Longest uninterrupted wait for a slot: the host's `lend` does not hear the bell that `stop` rings.
const SLOT_WAIT: Duration = Duration::from_millis(5);
/// A live frame that is later than this, and those before the newest one, are given up as if the camera's own buffer had
/// run over. Long enough for a hiccup of the machine, short enough for a live picture.
const MOST_LATE_NS: i64 = 100_000_000;
/// Steps of single beads that are made up for frames that were given up, about 10 ms; if there are more, the beads make
/// one long step instead. Their motion is then as right as before, but not the same as in a run without losses.
const MOST_MISSED_STEPS: u64 = 100_000;

/// A run under way.
pub struct Run {
    sink: FrameSink,
    simulation: Simulation,
    options: Options,
    timeline: Timeline,
    /// Time of the clock when simulated time is 0.
    origin_ns: i64,
    /// The next frame.
    next: u64,
    n_delivered: u64,
    n_lost: u64,
    meter: RateMeter,
    ended: bool,
}

/// How a wait for a slot ended.
enum Wait<'a> {
    Slot(Slot<'a>),
    /// The time is over.
    Over,
    /// The gate was closed.
    Closed,
}

impl Run {
    /// A run that begins with frame 0, now.
    pub fn new(sink: FrameSink, simulation: Simulation, options: &Options, now_ns: i64) -> Self {
        Self {
            sink,
            simulation,
            options: *options,
            timeline: Timeline::new(options.frame_rate_hz, options.exposure_ns),
            origin_ns: now_ns,
            next: 0,
            n_delivered: 0,
            n_lost: 0,
            meter: RateMeter::new(now_ns),
            ended: false,
        }
    }

    /// Frames that were delivered.
    pub fn n_delivered(&self) -> u64 {
        self.n_delivered
    }

    /// Frames that were told as lost.
    pub fn n_lost(&self) -> u64 {
        self.n_lost
    }

    /// Frames per second that were delivered lately.
    pub fn measured_hz(&self, now_ns: i64) -> f64 {
        self.meter.hz(now_ns)
    }

    /// Delivers the next frame. Waits for its time and for a slot, at most `timeout`.
    pub fn poll(&mut self, options: &Options, bench: &OpticalBench, gate: &Gate, timeout: Duration) -> Result<()> {
        let clock = bench.clock();
        let deadline = clock.now_ns() + span_ns(timeout);
        if self.ended {
            return Err(if gate.wait_until(clock, deadline) { Error::cancelled() } else { Error::timed_out() });
        }
        self.change(options)?;
        let (sink, lossless) = (self.sink, self.sink.lossless());
        while !self.ended {
            if !lossless {
                self.give_up_late_frames(clock.now_ns());
                let due = self.origin_ns + self.timeline.end_ns(self.next);
                if gate.wait_until(clock, due.min(deadline)) {
                    return Err(Error::cancelled());
                }
                if due > clock.now_ns() {
                    return Err(Error::timed_out());
                }
            }
            // A live frame waits for a slot until its successor is there.
            let successor = self.origin_ns + self.timeline.end_ns(self.next + 1);
            let until = if lossless { deadline } else { deadline.min(successor) };
            match wait_for_slot(&sink, bench, gate, until) {
                Wait::Slot(slot) => return self.deliver(slot, bench),
                Wait::Closed => return Err(Error::cancelled()),
                Wait::Over if lossless || clock.now_ns() < successor => return Err(Error::timed_out()),
                Wait::Over => self.lose(self.next + 1, LOST_UNDERRUN),
            }
        }
        Ok(())
    }

    /// Takes over settings that changed since the last poll.
    fn change(&mut self, options: &Options) -> Result<()> {
        if *options == self.options {
            return Ok(());
        }
        self.simulation.change(options)?;
        self.timeline.change(self.next, options.frame_rate_hz, options.exposure_ns);
        self.options = *options;
        Ok(())
    }

    /// Goes on with the newest frame when the next one is too late.
    fn give_up_late_frames(&mut self, now_ns: i64) {
        let now_ns = now_ns - self.origin_ns;
        if now_ns - self.timeline.end_ns(self.next) > MOST_LATE_NS {
            let newest = self.timeline.newest_ended(now_ns, self.next);
            let last = self.options.n_frames.checked_sub(1).unwrap_or(u64::MAX);
            self.lose(newest.min(last), LOST_CAMERA_GAP);
        }
    }

    /// Gives up all frames before `until`. The beads move on as if they had been shown.
    fn lose(&mut self, until: u64, reason: u32) {
        let n = until - self.next;
        if n == 0 {
            return;
        }
        if n.saturating_mul(self.simulation.n_tethered() as u64) <= MOST_MISSED_STEPS {
            (self.next..until).for_each(|frame| self.simulation.move_to(self.timeline.middle_ns(frame)));
        }
        self.sink.lost(n, reason);
        self.n_lost += n;
        self.go_on(until);
    }

    /// Renders the next frame into a slot and gives it to the host.
    fn deliver(&mut self, mut slot: Slot<'_>, bench: &OpticalBench) -> Result<()> {
        let (frame, timeline) = (self.next, &self.timeline);
        let needed = payload_bytes(&self.options);
        let Some(pixels) = slot.get_mut(..needed) else {
            return Err(Error::invalid("the host's slots are smaller than a frame"));
        };
        // Offline a frame has the focus of now, live that of the middle of its exposure.
        let seen_at =
            if self.sink.lossless() { bench.clock().now_ns() } else { self.origin_ns + timeline.middle_ns(frame) };
        self.simulation.move_to(timeline.middle_ns(frame));
        self.simulation.show(frame, bench.focus_nm(seen_at));
        self.simulation.expose(frame, pixels);
        let info = FrameInfo { exposure_ns: timeline.exposure_ns(), ..FrameInfo::new(frame, timeline.start_ns(frame)) };
        slot.commit(&info, self.simulation.channels())?;
        self.n_delivered += 1;
        self.meter.count(bench.clock().now_ns());
        self.go_on(frame + 1);
        Ok(())
    }

    /// Goes on to frame `next`, and tells the host when there is none.
    fn go_on(&mut self, next: u64) {
        self.next = next;
        if next == self.options.n_frames {
            self.ended = true;
            self.sink.ended(ENDED_END_OF_DATA, "");
        }
    }
}

/// Bytes of a frame.
pub fn payload_bytes(options: &Options) -> usize {
    let bytes_per_px = if options.sensor.bits > 8 { 2 } else { 1 };
    options.scene.width_px * options.scene.height_px * bytes_per_px
}

fn wait_for_slot<'a>(sink: &'a FrameSink, bench: &OpticalBench, gate: &Gate, until_ns: i64) -> Wait<'a> {
    loop {
        if gate.is_closed() {
            return Wait::Closed;
        }
        let left = Duration::from_nanos(u64::try_from(until_ns - bench.clock().now_ns()).unwrap_or(0)).min(SLOT_WAIT);
        if let Some(slot) = sink.lend(left) {
            return Wait::Slot(slot);
        }
        if left.is_zero() {
            return Wait::Over;
        }
        // The clock of the tests does not run while others wait.
        bench.clock().put_forward(span_ns(left));
    }
}
