//! Simulated time: when each frame is exposed, in whole ns since the start of the run. Frame rate and exposure may change
//! between two frames; times then go on from there and never step back.

/// When frames are exposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timeline {
    frame_rate_hz: f64,
    exposure_ns: i64,
    /// The frame since which the frame rate holds, and when its exposure starts.
    epoch_frame: u64,
    epoch_ns: i64,
}

impl Timeline {
    /// Frame 0 starts at 0.
    pub fn new(frame_rate_hz: f64, exposure_ns: i64) -> Self {
        Self { frame_rate_hz, exposure_ns, epoch_frame: 0, epoch_ns: 0 }
    }

    /// Frame `first` starts at 0; there are none before.
    pub fn starting_at(first: u64, frame_rate_hz: f64, exposure_ns: i64) -> Self {
        Self { epoch_frame: first, ..Self::new(frame_rate_hz, exposure_ns) }
    }

    /// Frame `next` and those after it start so much later.
    pub fn pause(&mut self, next: u64, ns: i64) {
        (self.epoch_ns, self.epoch_frame) = (self.start_ns(next) + ns, next);
    }

    /// Frames that are exposed within so long; at least one.
    pub fn frames_within(&self, ns: i64) -> u64 {
        ((ns as f64 * 1e-9 * self.frame_rate_hz).round() as u64).max(1)
    }

    /// From frame `next` on another rate or exposure; `next` itself keeps its start.
    pub fn change(&mut self, next: u64, frame_rate_hz: f64, exposure_ns: i64) {
        if frame_rate_hz != self.frame_rate_hz {
            *self = Self { frame_rate_hz, exposure_ns, epoch_frame: next, epoch_ns: self.start_ns(next) };
        }
        self.exposure_ns = exposure_ns;
    }

    /// How long each frame is exposed.
    pub fn exposure_ns(&self) -> i64 {
        self.exposure_ns
    }

    /// Start of the exposure of `frame`, which is not before the last change.
    pub fn start_ns(&self, frame: u64) -> i64 {
        let since = frame.saturating_sub(self.epoch_frame) as f64;
        self.epoch_ns + (since * 1e9 / self.frame_rate_hz).round() as i64
    }

    /// Middle of the exposure: the instant that the frame shows.
    pub fn middle_ns(&self, frame: u64) -> i64 {
        self.start_ns(frame) + self.exposure_ns / 2
    }

    /// End of the exposure: when a live frame is there.
    pub fn end_ns(&self, frame: u64) -> i64 {
        self.start_ns(frame) + self.exposure_ns
    }

    /// The newest frame whose exposure has ended at `t_ns`, but at least `least`.
    pub fn newest_ended(&self, t_ns: i64, least: u64) -> u64 {
        let since_ns = (t_ns - self.exposure_ns - self.epoch_ns).max(0);
        // Half a ns more, because starts are rounded.
        let since = ((since_ns as f64 + 0.5) * 1e-9 * self.frame_rate_hz).floor() as u64;
        (self.epoch_frame + since).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_rate_and_do_not_drift() {
        let time = Timeline::new(3.0, 1000);
        assert_eq!([0, 1, 2, 3].map(|k| time.start_ns(k)), [0, 333_333_333, 666_666_667, 1_000_000_000]);
        assert_eq!(time.start_ns(3_000_000_000), 1_000_000_000_000_000_000);
        assert_eq!((time.middle_ns(1), time.end_ns(1)), (333_333_833, 333_334_333));
    }

    #[test]
    fn a_change_holds_from_the_next_frame_on() {
        let mut time = Timeline::new(100.0, 1000);
        time.change(5, 1000.0, 500);
        assert_eq!([5, 6, 10].map(|k| time.start_ns(k)), [50_000_000, 51_000_000, 55_000_000]);
        time.change(10, 1000.0, 300);
        assert_eq!((time.start_ns(10), time.end_ns(10)), (55_000_000, 55_000_300));
    }

    #[test]
    fn after_a_pause_frames_go_on_at_their_rate() {
        let mut time = Timeline::starting_at(10, 100.0, 1000);
        time.pause(12, 5_000_000);
        assert_eq!([12, 13].map(|k| time.start_ns(k)), [25_000_000, 35_000_000]);
        assert_eq!((time.frames_within(1), time.frames_within(1_000_000_000)), (1, 100));
    }

    #[test]
    fn the_newest_frame_is_the_one_whose_exposure_has_just_ended() {
        let mut time = Timeline::new(3.0, 1000);
        time.change(4, 700.0, 1000);
        for frame in 5..200 {
            assert_eq!(time.newest_ended(time.end_ns(frame), 0), frame);
            assert_eq!(time.newest_ended(time.end_ns(frame) - 2, 0), frame - 1);
        }
        assert_eq!(time.newest_ended(0, 7), 7);
    }
}
