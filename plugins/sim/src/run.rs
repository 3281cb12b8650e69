//! One run of the camera, from `start` to `stop`: which frame is next, when it is there, and what happens when it cannot
//! be taken. It makes no thread and no buffer: everything happens inside `poll`, in the slots of the host.
//!
//! Live, frame k is there at the end of its exposure by the host's clock, and its device time is its exposure's start in
//! simulated time. Offline the same frames come as fast as they are taken.

use crate::clock::span_ns;
use crate::faults::{Fate, FaultScript};
use crate::gate::Gate;
use crate::optical_bench::{OpticalBench, Unplugged};
use crate::options::Options;
use crate::rate_meter::RateMeter;
use crate::simulation::Simulation;
use crate::timeline::Timeline;
use std::sync::Arc;
use std::time::Duration;
use tetherscope_plugin_api::abi::{ENDED_DISCONNECTED, ENDED_END_OF_DATA, LOST_CAMERA_GAP, LOST_UNDERRUN};
use tetherscope_plugin_api::{Error, FrameInfo, FrameSink, Result, Slot};

/// Longest uninterrupted wait for a slot: the host's `lend` does not hear the bell that `stop` rings.
const SLOT_WAIT: Duration = Duration::from_millis(5);
/// A live frame that is later than this, and those before the newest one, are given up as if the camera's own buffer had
/// run over. Long enough for a hiccup of the machine, short enough for a live picture.
const MOST_LATE_NS: i64 = 100_000_000;
/// Steps of single beads that are made up for frames that were given up, about 10 ms; if there are more, the beads make
/// one long step instead. Their motion is then as right as before, but not the same as in a run without losses.
const MOST_MISSED_STEPS: u64 = 100_000;

/// Channel values that tell the truth about faults: the frame's number, and what was done to it.
pub const N_FAULT_VALUES: usize = 2;

/// A run under way.
pub struct Run {
    sink: FrameSink,
    simulation: Simulation,
    options: Options,
    timeline: Timeline,
    /// Time of the clock when simulated time is 0.
    origin_ns: i64,
    faults: Arc<FaultScript>,
    /// The frame that this run began with: 0, unless the camera was unplugged.
    first: u64,
    /// The next frame, what happens to it, and whether that was begun with.
    next: u64,
    fate: Fate,
    is_prepared: bool,
    /// The next frame was delivered once and comes again.
    is_copy: bool,
    /// Channels of a frame with those that tell the truth about faults; empty without a script.
    values: Vec<f64>,
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
    /// A run that begins now, with frame 0 or where it goes on after the camera was unplugged.
    pub fn new(
        sink: FrameSink,
        simulation: Simulation,
        options: &Options,
        faults: Arc<FaultScript>,
        bench: &OpticalBench,
    ) -> Self {
        let now_ns = bench.clock().now_ns();
        let first = bench.first_frame(&faults);
        let n_values = simulation.channels().len() + N_FAULT_VALUES;
        Self {
            values: if faults.is_empty() { Vec::new() } else { vec![f64::NAN; n_values] },
            first,
            fate: faults.fate(first),
            faults,
            is_prepared: false,
            is_copy: false,
            sink,
            simulation,
            options: *options,
            timeline: Timeline::starting_at(first, options.frame_rate_hz, options.exposure_ns),
            origin_ns: now_ns,
            next: first,
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
            if !self.is_prepared {
                self.prepare(bench);
                continue;
            }
            if !lossless {
                self.give_up_late_frames(clock.now_ns());
                if !self.is_prepared {
                    continue;
                }
                let due = self.origin_ns + self.timeline.end_ns(self.next) + self.fate.late_ns;
                if gate.wait_until(clock, due.min(deadline)) {
                    return Err(Error::cancelled());
                }
                if due > clock.now_ns() {
                    return Err(Error::timed_out());
                }
            }
            if self.fate.lost {
                self.lose_by_script();
                if gate.is_closed() {
                    return Err(Error::cancelled());
                }
                if clock.now_ns() >= deadline {
                    return Err(Error::timed_out());
                }
                continue;
            }
            // A live frame waits for a slot until its successor is there.
            let successor = self.origin_ns + self.timeline.end_ns(self.next + 1);
            let until = if lossless { deadline } else { deadline.min(successor) };
            match wait_for_slot(&sink, bench, gate, until) {
                Wait::Slot(slot) => return self.deliver(slot, bench),
                Wait::Closed => return Err(Error::cancelled()),
                Wait::Over if lossless || clock.now_ns() < successor => return Err(Error::timed_out()),
                // Its first copy was taken.
                Wait::Over if self.is_copy => self.go_on(self.next + 1),
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

    /// Begins with the next frame: what its fate does before it is exposed.
    fn prepare(&mut self, bench: &OpticalBench) {
        self.is_prepared = true;
        if self.fate.unplug_ns > 0 && (self.next > self.first || self.first == 0) {
            let until_ns = bench.clock().now_ns() + self.fate.unplug_ns;
            let next_frame = self.next + self.timeline.frames_within(self.fate.unplug_ns);
            bench.unplug_camera(Unplugged { until_ns, next_frame, script: (*self.faults).clone() });
            self.ended = true;
            return self.sink.ended(ENDED_DISCONNECTED, "the simulated camera was unplugged by its script");
        }
        if self.fate.stall_ns > 0 {
            self.timeline.pause(self.next, self.fate.stall_ns);
        }
    }

    /// Passes over a frame that the script loses.
    fn lose_by_script(&mut self) {
        self.simulation.move_to(self.timeline.middle_ns(self.next));
        if self.fate.told {
            self.sink.lost(1, LOST_CAMERA_GAP);
        }
        self.n_lost += 1;
        self.go_on(self.next + 1);
    }

    /// Goes on with the newest frame when the next one is too late, but not beyond one at which the camera stalls.
    fn give_up_late_frames(&mut self, now_ns: i64) {
        let now_ns = now_ns - self.origin_ns;
        if !self.is_copy && now_ns - self.timeline.end_ns(self.next) - self.fate.late_ns > MOST_LATE_NS {
            let newest = self.timeline.newest_ended(now_ns, self.next);
            let last = self.options.n_frames.checked_sub(1).unwrap_or(u64::MAX);
            self.lose(self.faults.next_break(self.next + 1, newest.min(last)), LOST_CAMERA_GAP);
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
        if !self.is_copy {
            self.simulation.move_to(timeline.middle_ns(frame));
            self.simulation.show(frame, bench.focus_nm(seen_at));
        }
        self.simulation.expose(frame, pixels);
        let status = self.fate.spoil(pixels);
        let device_ns = self.faults.device_ns(timeline.start_ns(frame));
        let exposure_ns = timeline.exposure_ns();
        let info = FrameInfo { exposure_ns, status, ..FrameInfo::new(frame - self.first, device_ns) };
        let channels = self.simulation.channels();
        if self.values.is_empty() {
            slot.commit(&info, channels)?;
        } else {
            let (simulated, truth) = self.values.split_at_mut(channels.len());
            simulated.copy_from_slice(channels);
            truth.copy_from_slice(&[frame as f64, f64::from(self.fate.bits(self.is_copy))]);
            slot.commit(&info, &self.values)?;
        }
        self.n_delivered += 1;
        self.meter.count(bench.clock().now_ns());
        if self.fate.duplicate && !self.is_copy {
            self.is_copy = true;
        } else {
            self.go_on(frame + 1);
        }
        Ok(())
    }

    /// Goes on to frame `next`, and tells the host when there is none.
    fn go_on(&mut self, next: u64) {
        self.next = next;
        (self.fate, self.is_prepared, self.is_copy) = (self.faults.fate(next), false, false);
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
