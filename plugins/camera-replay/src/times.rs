//! When each frame of a video was taken, in ns from an arbitrary start: evenly spaced, listed one by one, or unknown.
//! Knows no file format; what a file says about time is read beside the format.

use std::time::Duration;

/// Times of the frames of a video.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Times {
    /// The file says nothing.
    #[default]
    Unknown,
    /// Frame i was taken at `i * step_ns`.
    Even {
        /// Nanoseconds from one frame to the next, more than 0.
        step_ns: f64,
    },
    /// The time of each frame in ns, never falling.
    Each(Vec<i64>),
}

impl Times {
    /// Evenly spaced frames; `Unknown` unless `step_s` is a positive number of seconds below a year.
    pub fn even(step_s: f64) -> Self {
        const YEAR_S: f64 = 3.2e7;
        if step_s > 0.0 && step_s < YEAR_S { Times::Even { step_ns: step_s * 1e9 } } else { Times::Unknown }
    }

    /// One time per frame; `Unknown` unless there is one for each of `n_frames`, none before its predecessor, and the
    /// last after the first. A single frame has no interval to replay, so its time is left out too.
    pub fn each(times_ns: Vec<i64>, n_frames: usize) -> Self {
        let rising = times_ns.is_sorted() && times_ns.first() < times_ns.last();
        if times_ns.len() == n_frames && rising { Times::Each(times_ns) } else { Times::Unknown }
    }

    /// True when frames have times.
    pub fn known(&self) -> bool {
        *self != Times::Unknown
    }

    /// The time of frame `index` in ns; None when unknown. In a video that starts again, `index` goes on counting
    /// beyond `n_frames` and time goes on with it.
    pub fn at_ns(&self, index: u64, n_frames: u64) -> Option<i64> {
        match self {
            Times::Unknown => None,
            Times::Even { step_ns } => Some((index as f64 * step_ns).round() as i64),
            Times::Each(times_ns) => {
                let (first, last) = (*times_ns.first()?, *times_ns.last()?);
                let lap_ns = last - first + self.mean_step_ns();
                let n_laps = i64::try_from(index / n_frames).ok()?;
                times_ns.get((index % n_frames) as usize)?.checked_add(n_laps.checked_mul(lap_ns)?)
            }
        }
    }

    /// How long frame `index` stands until the next one is due; None when times are unknown.
    pub fn step(&self, index: u64, n_frames: u64) -> Option<Duration> {
        let step_ns = self.at_ns(index + 1, n_frames)?.checked_sub(self.at_ns(index, n_frames)?)?;
        Some(Duration::from_nanos(u64::try_from(step_ns).unwrap_or(0)))
    }

    /// The mean interval of listed times; 0 for fewer than two.
    fn mean_step_ns(&self) -> i64 {
        match self {
            Times::Each(times_ns) if times_ns.len() > 1 => {
                (times_ns[times_ns.len() - 1] - times_ns[0]) / (times_ns.len() as i64 - 1)
            }
            _ => 0,
        }
    }
}

/// Seconds of one unit of time as files name it (`sec`, `ms`, `µs`, `min`, …); None for another word.
pub fn unit_s(unit: &str) -> Option<f64> {
    match unit.trim().to_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "ms" | "msec" | "millisecond" | "milliseconds" => Some(1e-3),
        // The micro sign and the Greek letter look alike; ImageJ writes the first as `\u00B5`.
        "us" | "µs" | "μs" | "\\u00b5s" | "usec" | "µsec" | "microsecond" | "microseconds" => Some(1e-6),
        "ns" | "nsec" | "nanosecond" | "nanoseconds" => Some(1e-9),
        "min" | "minute" | "minutes" => Some(60.0),
        "h" | "hour" | "hours" => Some(3600.0),
        _ => None,
    }
}

/// Seconds as whole nanoseconds; None for what is no time.
pub fn to_ns(seconds: f64) -> Option<i64> {
    const MOST_NS: f64 = 9.0e18;
    let ns = (seconds * 1e9).round();
    (ns.abs() < MOST_NS).then_some(ns as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_frames_go_on_beyond_the_last_one() {
        let times = Times::even(0.01);
        assert_eq!(times.at_ns(3, 10), Some(30_000_000));
        assert_eq!(times.at_ns(13, 10), Some(130_000_000));
        assert_eq!(times.step(9, 10), Some(Duration::from_millis(10)));
    }

    #[test]
    fn listed_times_start_again_one_mean_step_after_the_last() {
        let times = Times::each(vec![100, 200, 400], 3);
        assert_eq!(times.at_ns(2, 3), Some(400));
        assert_eq!(times.at_ns(3, 3), Some(550));
        assert_eq!(times.step(2, 3), Some(Duration::from_nanos(150)));
    }

    #[test]
    fn times_that_fall_stand_still_or_are_too_few_are_unknown() {
        assert!(!Times::each(vec![3, 2, 4], 3).known());
        assert!(!Times::each(vec![3, 3, 3], 3).known());
        assert!(!Times::each(vec![1, 2], 3).known());
        assert!(!Times::even(f64::NAN).known());
        assert!(!Times::even(0.0).known());
    }

    #[test]
    fn units_of_time_are_recognised() {
        assert_eq!(unit_s("sec"), Some(1.0));
        assert_eq!(unit_s("µs"), Some(1e-6));
        assert_eq!(unit_s("pixel"), None);
        assert_eq!(to_ns(f64::INFINITY), None);
    }
}
