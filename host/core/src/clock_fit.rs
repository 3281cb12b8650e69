//! From a camera's own clock to the host's, and on to UTC. Arrivals are late by a varying time and never early, so the line
//! between the clocks lies under all of them: the lower envelope. It knows neither frames nor files; `frame_clock.rs`
//! applies it.
//!
//! Method: device time is cut into windows of half a second; of each the least late arrival is kept, for the last two
//! minutes. The line is the one that lies under all of these points with the least sum of distances: an edge of their
//! lower convex hull, the one over their middle (after Moon, Skelly and Towsley, "Estimation and removal of clock skew
//! from network delay measurements", INFOCOM 1999). What is always late, the shortest way from the sensor to the host,
//! cannot be seen from here and stays in the offset.

use serde::{Deserialize, Serialize};

/// Width of a window, in device time.
const WINDOW_NS: i64 = 500_000_000;
/// Windows that are kept: two minutes. Crystals change their rate by less than 0.1 ppm in that time at a steady
/// temperature, which is 12 µs.
const N_WINDOWS: usize = 240;
/// From this span on the rate is fitted; before, both clocks are taken to run alike.
const LEAST_SPAN_NS: i64 = 4 * WINDOW_NS;
/// No two quartz clocks differ by more.
const MOST_PPM: f64 = 20_000.0;
/// An arrival so much before the line is no arrival of this clock: a wrong time stamp, or a clock that was set.
const TOO_EARLY_NS: i64 = 20_000_000;
/// Frames in a row with wrong times after which the clock is taken to have been set.
const N_WRONG: u32 = 10;
/// Windows in a row that lie so much above the line, after which the clock is taken to have been set back.
const N_LATE_WINDOWS: u32 = 8;
const TOO_LATE_NS: i64 = 200_000_000;

/// The least late arrival of a window.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Device time since the origin.
    device_ns: i64,
    /// How much more host time than device time has passed since the origin.
    excess_ns: i64,
}

/// Fits the line.
#[derive(Debug, Clone)]
pub struct ClockFit {
    origin: Option<(i64, i64)>,
    /// Closed windows, oldest first: a ring buffer.
    points: Vec<Point>,
    oldest: usize,
    open: Option<(i64, Point)>,
    line: Option<Line>,
    n_wrong: u32,
    n_late_windows: u32,
    jitter: Histogram,
    n_frames: u64,
    n_refused: u64,
    n_restarts: u32,
}

/// `excess = at_ns + ppm · 1e-6 · (device − middle)`.
#[derive(Debug, Clone, Copy)]
struct Line {
    middle_ns: i64,
    at_ns: f64,
    ppm: f64,
    ppm_error: f64,
    residual_ns: f64,
    span_ns: i64,
}

impl Line {
    fn excess_ns(&self, device_ns: i64) -> f64 {
        self.at_ns + self.ppm * 1e-6 * (device_ns - self.middle_ns) as f64
    }
}

impl Default for ClockFit {
    fn default() -> Self {
        Self::new()
    }
}

impl ClockFit {
    /// A fit without frames. All its memory is taken here.
    pub fn new() -> Self {
        Self {
            origin: None,
            points: Vec::with_capacity(N_WINDOWS),
            oldest: 0,
            open: None,
            line: None,
            n_wrong: 0,
            n_late_windows: 0,
            jitter: Histogram::new(),
            n_frames: 0,
            n_refused: 0,
            n_restarts: 0,
        }
    }

    /// The clock was set, or another one began.
    pub fn restart(&mut self) {
        let n_restarts = self.n_restarts + u32::from(self.origin.is_some());
        self.origin = None;
        self.points.clear();
        self.oldest = 0;
        (self.open, self.line) = (None, None);
        (self.n_wrong, self.n_late_windows) = (0, 0);
        self.n_restarts = n_restarts;
    }

    /// One frame: its device time and its arrival in the host's monotonic time. Allocates nothing.
    pub fn push(&mut self, device_ns: i64, arrival_ns: i64) {
        let (device_0, host_0) = *self.origin.get_or_insert((device_ns, arrival_ns));
        let device_ns = device_ns.saturating_sub(device_0);
        let point = Point { device_ns, excess_ns: arrival_ns.saturating_sub(host_0).saturating_sub(device_ns) };
        if let Some(line) = &self.line {
            let late_ns = point.excess_ns as f64 - line.excess_ns(device_ns);
            if late_ns < -(TOO_EARLY_NS as f64) {
                self.n_refused += 1;
                self.n_wrong += 1;
                if self.n_wrong >= N_WRONG {
                    self.restart();
                }
                return;
            }
            self.jitter.count(late_ns);
        }
        self.n_wrong = 0;
        self.n_frames += 1;
        let window = device_ns.div_euclid(WINDOW_NS);
        match &mut self.open {
            Some((open, least)) if *open == window => {
                // Compared along the line as far as it is known: a drift moves arrivals by more than their lateness.
                let ppm = self.line.map_or(0.0, |l| l.ppm);
                let drift_ns = ppm * 1e-6 * (point.device_ns - least.device_ns) as f64;
                if ((point.excess_ns - least.excess_ns) as f64) < drift_ns {
                    *least = point;
                }
            }
            open => {
                if let Some((_, least)) = open.replace((window, point)) {
                    self.close(least);
                }
            }
        }
    }

    /// A window is over.
    fn close(&mut self, point: Point) {
        let late =
            self.line.is_some_and(|l| point.excess_ns as f64 - l.excess_ns(point.device_ns) > TOO_LATE_NS as f64);
        self.n_late_windows = if late { self.n_late_windows + 1 } else { 0 };
        if self.n_late_windows >= N_LATE_WINDOWS {
            return self.restart();
        }
        if self.points.len() < N_WINDOWS {
            self.points.push(point);
        } else {
            self.points[self.oldest] = point;
            self.oldest = (self.oldest + 1) % N_WINDOWS;
        }
        self.fit();
    }

    fn in_order(&self) -> impl Iterator<Item = Point> + '_ {
        let (newer, older) = self.points.split_at(self.oldest);
        older.iter().chain(newer).copied()
    }

    fn fit(&mut self) {
        let n = self.points.len();
        let (Some(first), Some(last)) = (self.in_order().next(), self.in_order().last()) else { return };
        let sum: i128 = self.points.iter().map(|p| i128::from(p.device_ns)).sum();
        let middle_ns = i64::try_from(sum / n as i128).expect("a mean lies between its numbers");
        let span_ns = last.device_ns - first.device_ns;
        let least_ns = self.points.iter().map(|p| p.excess_ns).min().expect("there is a point");
        let mut line =
            Line { middle_ns, at_ns: least_ns as f64, ppm: 0.0, ppm_error: f64::NAN, residual_ns: 0.0, span_ns };
        if span_ns >= LEAST_SPAN_NS
            && let Some((at_ns, ppm)) = self.edge_over(middle_ns)
            && ppm.abs() < MOST_PPM
        {
            (line.at_ns, line.ppm) = (at_ns, ppm);
        }
        let squares: f64 = self.points.iter().map(|p| (p.excess_ns as f64 - line.excess_ns(p.device_ns)).powi(2)).sum();
        line.residual_ns = (squares / n as f64).sqrt();
        if line.ppm != 0.0 || span_ns >= LEAST_SPAN_NS {
            // Of a straight line through n points evenly spread over the span.
            line.ppm_error = line.residual_ns / span_ns as f64 * 1e6 * (12.0 / n as f64).sqrt();
        }
        self.line = Some(line);
    }

    /// The edge of the lower hull over `middle_ns`: its height there and its slope in ppm.
    fn edge_over(&self, middle_ns: i64) -> Option<(f64, f64)> {
        // The two hull points next to the middle: of all pairs left and right of it, the one whose line is lowest there.
        // 240 points: left × right is at most 14,400 pairs, twice a second; no stack of hull points is needed.
        let left = || self.in_order().filter(move |p| p.device_ns <= middle_ns);
        let right = || self.in_order().filter(move |p| p.device_ns > middle_ns);
        let mut best: Option<(f64, f64)> = None;
        for l in left() {
            for r in right() {
                let slope = (r.excess_ns - l.excess_ns) as f64 / (r.device_ns - l.device_ns) as f64;
                let at = l.excess_ns as f64 + slope * (middle_ns - l.device_ns) as f64;
                if best.is_none_or(|(lowest, _)| at < lowest) {
                    best = Some((at, slope));
                }
            }
        }
        best.map(|(at, slope)| (at, slope * 1e6))
    }

    /// The line as it is now; None before the first window of half a second is over.
    pub fn model(&self) -> Option<ClockModel> {
        let ((device_0, host_0), line) = (self.origin?, self.line?);
        Some(ClockModel {
            device_ns: device_0.saturating_add(line.middle_ns),
            host_ns: host_0.saturating_add(line.middle_ns).saturating_add(line.at_ns.round() as i64),
            ppm: line.ppm,
        })
    }

    /// How well the clocks are known.
    pub fn report(&self) -> ClockReport {
        let line = self.line;
        ClockReport {
            model: self.model(),
            ppm_error: line.map_or(f64::NAN, |l| l.ppm_error),
            residual_ns: line.map_or(f64::NAN, |l| l.residual_ns),
            span_ns: line.map_or(0, |l| l.span_ns),
            jitter_p50_ns: self.jitter.quantile(0.5),
            jitter_p99_ns: self.jitter.quantile(0.99),
            jitter_max_ns: self.jitter.max_ns,
            n_frames: self.n_frames,
            n_refused: self.n_refused,
            n_restarts: self.n_restarts,
        }
    }
}

/// The line between two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockModel {
    /// A device time …
    pub device_ns: i64,
    /// … and the host's monotonic time at that instant, with the shortest way from the sensor to the host in it.
    pub host_ns: i64,
    /// How much more host time passes than device time, in parts per million: positive for a device clock that runs slow.
    pub ppm: f64,
}

impl ClockModel {
    /// The host's time at a device time.
    pub fn host_ns(&self, device_ns: i64) -> i64 {
        let since_ns = device_ns.saturating_sub(self.device_ns);
        self.host_ns.saturating_add(since_ns).saturating_add((since_ns as f64 * self.ppm * 1e-6).round() as i64)
    }
}

/// How well a device's clock is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockReport {
    /// The line; None before the first half second.
    pub model: Option<ClockModel>,
    /// Standard error of the rate; NaN before it was fitted (two seconds).
    #[serde(with = "nan_is_null")]
    pub ppm_error: f64,
    /// Rms distance of the least late arrivals of each half second from the line.
    #[serde(with = "nan_is_null")]
    pub residual_ns: f64,
    /// Device time that the line was fitted over.
    pub span_ns: i64,
    /// Half of all frames are at most so late against the line.
    #[serde(with = "nan_is_null")]
    pub jitter_p50_ns: f64,
    /// 99 % of all frames.
    #[serde(with = "nan_is_null")]
    pub jitter_p99_ns: f64,
    /// The latest frame.
    #[serde(with = "nan_is_null")]
    pub jitter_max_ns: f64,
    /// Frames that were used.
    pub n_frames: u64,
    /// Frames whose device time was wrong.
    pub n_refused: u64,
    /// How often the device's clock was set anew.
    pub n_restarts: u32,
}

/// JSON has no NaN.
mod nan_is_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        Some(*value).filter(|v| v.is_finite()).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
    }
}

/// Counts of lateness in bins that grow by an eighth of an octave from 1 µs on: quantiles to 9 %.
#[derive(Debug, Clone)]
struct Histogram {
    bins: [u64; Histogram::N],
    n: u64,
    max_ns: f64,
}

impl Histogram {
    const N: usize = 8 * 30;

    fn new() -> Self {
        Self { bins: [0; Self::N], n: 0, max_ns: f64::NAN }
    }

    fn count(&mut self, ns: f64) {
        let bin = ((ns.max(1.0) / 1000.0).log2() * 8.0).ceil().clamp(0.0, (Self::N - 1) as f64);
        self.bins[bin as usize] += 1;
        self.n += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Upper end of the bin that the quantile lies in; NaN without counts.
    fn quantile(&self, part: f64) -> f64 {
        let wanted = (part * self.n as f64).ceil() as u64;
        let mut so_far = 0;
        for (bin, n) in self.bins.iter().enumerate() {
            so_far += n;
            if so_far >= wanted && self.n > 0 {
                return (1000.0 * (bin as f64 / 8.0).exp2()).min(self.max_ns.max(1000.0));
            }
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splitmix64, from 0 to 1.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    /// The shortest way of the simulated frames.
    const SHORTEST_NS: i64 = 120_000;

    /// A camera whose clock began at `begin_ns` when the host's was 1000 s, and runs `fast_ppm` too fast. Arrivals are late
    /// by 43 µs at the median, as measured on a loaded machine, and one in twenty by up to 25 ms.
    struct Camera {
        begin_ns: i64,
        fast_ppm: f64,
        random: Random,
    }

    impl Camera {
        fn device_ns(&self, t_ns: i64) -> i64 {
            self.begin_ns + t_ns + (t_ns as f64 * self.fast_ppm * 1e-6) as i64
        }

        fn host_ns(t_ns: i64) -> i64 {
            1_000_000_000_000 + t_ns
        }

        fn run(&mut self, fit: &mut ClockFit, from_s: f64, to_s: f64, hz: f64) {
            for frame in (from_s * hz) as i64..(to_s * hz) as i64 {
                let t_ns = (frame as f64 * 1e9 / hz) as i64;
                let tail = if self.random.next() < 0.05 { self.random.next() * 25e6 } else { 0.0 };
                let late_ns = -(self.random.next().max(1e-12).ln()) * 62_000.0 + tail;
                fit.push(self.device_ns(t_ns), Self::host_ns(t_ns) + SHORTEST_NS + late_ns as i64);
            }
        }

        /// Error of the host's time at `t_s`, without the shortest way.
        fn error_ns(&self, fit: &ClockFit, t_s: f64) -> i64 {
            let t_ns = (t_s * 1e9) as i64;
            fit.model().unwrap().host_ns(self.device_ns(t_ns)) - Self::host_ns(t_ns) - SHORTEST_NS
        }
    }

    fn camera(fast_ppm: f64) -> Camera {
        Camera { begin_ns: -77_000_000, fast_ppm, random: Random(7) }
    }

    /// The least of 500 arrivals with a mean lateness of 62 µs is late by 0.12 µs on average; the hull lies below most of
    /// them. Ten times that for the ends of the line.
    const FAST_TOLERANCE_NS: i64 = 1500;

    #[test]
    fn drift_is_found_and_late_arrivals_do_not_matter() {
        for fast_ppm in [-300.0, -1.0, 0.0, 50.0, 1000.0] {
            let mut camera = camera(fast_ppm);
            let mut fit = ClockFit::new();
            camera.run(&mut fit, 0.0, 60.0, 1000.0);
            let report = fit.report();
            let expected = (1.0 / (1.0 + fast_ppm * 1e-6) - 1.0) * 1e6;
            let ppm = report.model.unwrap().ppm;
            // A microsecond over a minute is 0.017 ppm.
            assert!((ppm - expected).abs() < 0.05, "{ppm} instead of {expected} ppm");
            for t_s in [0.0, 30.0, 60.0] {
                let error_ns = camera.error_ns(&fit, t_s);
                assert!(error_ns.abs() < FAST_TOLERANCE_NS, "{error_ns} ns at {t_s} s, {fast_ppm} ppm");
            }
            // 43 µs at the median by how the arrivals are made, and bins of 9 %.
            assert!((38e3..55e3).contains(&report.jitter_p50_ns), "{report:?}");
            assert!((15e6..26e6).contains(&report.jitter_p99_ns) && report.jitter_max_ns > 20e6, "{report:?}");
            assert!(report.residual_ns < 2000.0 && report.ppm_error < 0.1, "{report:?}");
            assert_eq!((report.n_refused, report.n_restarts), (0, 0));
        }
    }

    #[test]
    fn the_first_seconds_have_an_offset_and_say_that_they_have_no_rate() {
        let mut camera = camera(50.0);
        let mut fit = ClockFit::new();
        assert!(fit.model().is_none() && fit.report().jitter_p50_ns.is_nan());
        camera.run(&mut fit, 0.0, 0.6, 1000.0);
        let report = fit.report();
        assert_eq!(report.model.unwrap().ppm, 0.0);
        assert!(report.ppm_error.is_nan());
        // Half a second at 50 ppm, and what the least late arrival is late.
        assert!(camera.error_ns(&fit, 0.5).abs() < 27_000);
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains("\"ppm_error\":null"), "{json}");
        assert!(serde_json::from_str::<ClockReport>(&json).unwrap().ppm_error.is_nan());
    }

    #[test]
    fn slow_cameras_and_long_stalls_are_fitted_too() {
        let mut slow = camera(20.0);
        let mut fit = ClockFit::new();
        slow.run(&mut fit, 0.0, 100.0, 1.0);
        // One arrival a second: those that are least late of hundred are late by some µs.
        assert!(slow.error_ns(&fit, 100.0).abs() < 40_000, "{}", slow.error_ns(&fit, 100.0));
        let mut stalls = camera(20.0);
        let mut fit = ClockFit::new();
        stalls.run(&mut fit, 0.0, 10.0, 500.0);
        // For three seconds everything arrives at the end of them, then all is well.
        for frame in 5000..6500_i64 {
            fit.push(stalls.device_ns(frame * 2_000_000), Camera::host_ns(13_000_000_000));
        }
        stalls.run(&mut fit, 13.0, 20.0, 500.0);
        assert_eq!(fit.report().n_restarts, 0);
        assert!(stalls.error_ns(&fit, 20.0).abs() < 2 * FAST_TOLERANCE_NS, "{}", stalls.error_ns(&fit, 20.0));
    }

    #[test]
    fn a_changing_rate_is_followed() {
        let mut fit = ClockFit::new();
        let (mut device_ns, mut random) = (0.0, Random(3));
        for frame in 0..60_000_i64 {
            let t_ns = frame * 10_000_000;
            // From 10 to 16 ppm within ten minutes.
            let ppm = 10.0 + frame as f64 * 1e-4;
            device_ns += 10_000_000.0 * (1.0 + ppm * 1e-6);
            fit.push(device_ns as i64, Camera::host_ns(t_ns) + (random.next() * 100_000.0) as i64);
        }
        let model = fit.model().unwrap();
        // Rate of the middle of the last two minutes: 15.4 ppm fast.
        assert!((model.ppm + 15.4).abs() < 0.2, "{model:?}");
        let error_ns = model.host_ns(device_ns as i64) - Camera::host_ns(59_999 * 10_000_000);
        assert!(error_ns.abs() < 60_000, "{error_ns}");
    }

    #[test]
    fn wrong_times_are_refused_and_a_clock_that_was_set_is_fitted_anew() {
        let mut camera = camera(50.0);
        let mut fit = ClockFit::new();
        camera.run(&mut fit, 0.0, 10.0, 200.0);
        fit.push(camera.device_ns(9_000_000_000_000), Camera::host_ns(10_000_000_000));
        assert_eq!((fit.report().n_refused, fit.report().n_restarts), (1, 0));
        camera.run(&mut fit, 10.0, 20.0, 200.0);
        assert!(camera.error_ns(&fit, 20.0).abs() < 2 * FAST_TOLERANCE_NS);
        for (restarts, begin_ns) in [(1, 5_000_000_000_000), (2, -5_000_000_000)] {
            // Set ahead, then back.
            camera.begin_ns = begin_ns;
            camera.run(&mut fit, 20.0 * f64::from(restarts), 20.0 * f64::from(restarts) + 18.0, 200.0);
            assert_eq!(fit.report().n_restarts, restarts);
            let error_ns = camera.error_ns(&fit, 20.0 * f64::from(restarts) + 18.0);
            assert!(error_ns.abs() < 3 * FAST_TOLERANCE_NS, "{error_ns}");
        }
    }
}
