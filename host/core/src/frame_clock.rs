//! The UTC of each frame's exposure: device time through the clock fit, or the arrival where there is no device clock. One
//! for each ring, used by whoever makes rows; it knows no row.

use crate::clock_fit::{ClockFit, ClockModel, ClockReport};
use crate::ring::Frame;
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};
use tetherscope_loader::{CameraFormat, abi, now_ns};

/// What UTC was when the host's monotonic clock showed what it showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUtc {
    /// UTC in ns since 1970 minus the host's monotonic ns.
    pub utc_minus_host_ns: i64,
    /// The two clocks were read within so long of each other.
    pub read_within_ns: i64,
}

impl HostUtc {
    /// Reads both clocks, several times, and keeps the closest reading.
    pub fn measure() -> Self {
        let reading = || {
            let before_ns = now_ns();
            let utc = SystemTime::now();
            let after_ns = now_ns();
            let utc_ns = match utc.duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
                // A system clock before 1970.
                Err(e) => -i64::try_from(e.duration().as_nanos()).unwrap_or(i64::MAX),
            };
            let middle_ns = before_ns + (after_ns - before_ns) / 2;
            Self { utc_minus_host_ns: utc_ns.saturating_sub(middle_ns), read_within_ns: after_ns - before_ns }
        };
        let closer = |a: Self, b: Self| if b.read_within_ns < a.read_within_ns { b } else { a };
        (0..8).map(|_| reading()).fold(reading(), closer)
    }

    /// UTC at a time of the host's monotonic clock.
    pub fn utc_ns(&self, host_ns: i64) -> i64 {
        host_ns.saturating_add(self.utc_minus_host_ns)
    }
}

/// Where a frame's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeSource {
    /// The device's clock, and it is known which instant its time names.
    Device,
    /// The device's clock; which instant of the exposure it names, or how long that is, is not known.
    DeviceInstantUnknown,
    /// The arrival at the host: there is no device clock, or it is not fitted yet. Late by the way to the host, and by its
    /// jitter.
    Arrival,
}

/// When a frame was exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTime {
    /// UTC of the middle of its exposure, in ns since 1970.
    pub utc_ns: i64,
    /// Where it comes from.
    pub source: TimeSource,
}

/// What is known about a ring's time, for recordings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameClockReport {
    /// Device and host.
    pub clock: ClockReport,
    /// Host and UTC, as it was at the start and is used throughout.
    pub utc: HostUtc,
    /// How far the system's UTC has moved against the host's monotonic clock since: it was set.
    pub utc_moved_ns: i64,
}

/// Gives frames their time.
#[derive(Debug)]
pub struct FrameClock {
    instant: u32,
    fit: ClockFit,
    /// The line of the device's clock as frames are dated with it.
    model: Option<ClockModel>,
    utc: HostUtc,
    session: Option<u32>,
}

impl FrameClock {
    /// A clock for frames of this format; UTC is read now and holds until the end, so that times never step.
    pub fn new(format: &CameraFormat) -> Self {
        Self { instant: format.time_instant, fit: ClockFit::new(), model: None, utc: HostUtc::measure(), session: None }
    }

    /// From the device's time to the end of the exposure, where both are known. Frames are sent when their exposure has
    /// ended, so that is what the fit is made with.
    fn to_end_ns(&self, exposure_ns: i64) -> i64 {
        if self.instant == abi::TIME_EXPOSURE_START { exposure_ns } else { 0 }
    }

    /// Learns from a frame, and says when it was exposed. Frames come in order, each once. Allocates nothing.
    pub fn date(&mut self, frame: &Frame) -> FrameTime {
        if self.session.replace(frame.session()).is_some_and(|s| s != frame.session()) {
            self.fit.restart();
        }
        self.date_by(frame.device_time_ns(), frame.exposure_ns(), frame.arrival_ns())
    }

    fn date_by(&mut self, device_ns: Option<i64>, exposure_ns: Option<i64>, arrival_ns: i64) -> FrameTime {
        let exposed_ns = exposure_ns.unwrap_or(0);
        if let Some(device_ns) = device_ns {
            let end_ns = device_ns.saturating_add(self.to_end_ns(exposed_ns));
            self.fit.push(end_ns, arrival_ns);
            self.model = self.fit.model();
            if let Some(model) = self.model {
                let known = self.instant != abi::TIME_UNKNOWN && exposure_ns.is_some();
                let host_ns = model.host_ns(end_ns) - if known { exposed_ns / 2 } else { 0 };
                let source = if known { TimeSource::Device } else { TimeSource::DeviceInstantUnknown };
                return FrameTime { utc_ns: self.utc.utc_ns(host_ns), source };
            }
        }
        let host_ns = arrival_ns.saturating_sub(exposed_ns / 2);
        FrameTime { utc_ns: self.utc.utc_ns(host_ns), source: TimeSource::Arrival }
    }

    /// What is known about the clocks. Reads the system's UTC again to see whether it was set.
    pub fn report(&self) -> FrameClockReport {
        let now = HostUtc::measure();
        FrameClockReport {
            clock: self.fit.report(),
            utc: self.utc,
            utc_moved_ns: now.utc_minus_host_ns.saturating_sub(self.utc.utc_minus_host_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const EXPOSURE_NS: i64 = 4 * MS;
    /// From the end of the exposure to the arrival.
    const WAY_NS: i64 = 300_000;

    /// Times of the last of many frames, relative to the middle of its exposure. The device's time begins at 5 s.
    fn dated(instant: u32, exposure_ns: Option<i64>, has_clock: bool) -> (i64, TimeSource) {
        let format = CameraFormat { time_instant: instant, ..CameraFormat::packed(4, 4, abi::PIXEL_MONO8, 8) };
        let mut clock = FrameClock::new(&format);
        let mut last = (0, TimeSource::Arrival);
        for frame in 0..1000_i64 {
            let start_ns = frame * 10 * MS;
            let named_ns = match instant {
                abi::TIME_EXPOSURE_START => start_ns,
                _ => start_ns + EXPOSURE_NS,
            };
            let arrival_ns = start_ns + EXPOSURE_NS + WAY_NS;
            let time = clock.date_by(has_clock.then_some(named_ns + 5_000 * MS), exposure_ns, arrival_ns);
            last = (time.utc_ns - clock.utc.utc_ns(start_ns + EXPOSURE_NS / 2), time.source);
        }
        last
    }

    #[test]
    fn the_middle_of_the_exposure_is_found_from_its_start_and_from_its_end() {
        for instant in [abi::TIME_EXPOSURE_START, abi::TIME_EXPOSURE_END, abi::TIME_READOUT] {
            // The shortest way to the host cannot be known from the host.
            assert_eq!(dated(instant, Some(EXPOSURE_NS), true), (WAY_NS, TimeSource::Device));
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        let to_end = EXPOSURE_NS / 2 + WAY_NS;
        assert_eq!(dated(abi::TIME_UNKNOWN, Some(EXPOSURE_NS), true), (to_end, TimeSource::DeviceInstantUnknown));
        assert_eq!(dated(abi::TIME_EXPOSURE_END, None, true), (to_end, TimeSource::DeviceInstantUnknown));
        assert_eq!(dated(abi::TIME_EXPOSURE_START, Some(EXPOSURE_NS), false), (WAY_NS, TimeSource::Arrival));
        assert_eq!(dated(abi::TIME_EXPOSURE_START, None, false), (to_end, TimeSource::Arrival));
    }

    #[test]
    fn utc_is_that_of_the_system() {
        let utc = HostUtc::measure();
        let system_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        // Not a test of speed: only that both mean the same day.
        assert!((utc.utc_ns(now_ns()) - system_ns).abs() < 60_000 * MS);
        assert!(utc.read_within_ns >= 0);
    }
}
