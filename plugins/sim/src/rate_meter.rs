//! How many frames per second were delivered lately. Counts over windows of at least a second; no buffer.

/// Shortest window.
const WINDOW_NS: i64 = 1_000_000_000;

/// Frames per second of the last full window.
#[derive(Debug, Clone, Copy)]
pub struct RateMeter {
    window_start_ns: i64,
    n_frames: u64,
    last_hz: Option<f64>,
}

impl RateMeter {
    /// Begins to count.
    pub fn new(now_ns: i64) -> Self {
        Self { window_start_ns: now_ns, n_frames: 0, last_hz: None }
    }

    /// One more frame.
    pub fn count(&mut self, now_ns: i64) {
        self.n_frames += 1;
        if now_ns - self.window_start_ns >= WINDOW_NS {
            *self = Self { last_hz: Some(self.since_start(now_ns)), ..Self::new(now_ns) };
        }
    }

    /// Frames per second. Of the last full window; of the present one while it is the first, or when nothing came since.
    pub fn hz(&self, now_ns: i64) -> f64 {
        match self.last_hz {
            Some(hz) if now_ns - self.window_start_ns < 2 * WINDOW_NS => hz,
            _ => self.since_start(now_ns),
        }
    }

    fn since_start(&self, now_ns: i64) -> f64 {
        let elapsed_s = (now_ns - self.window_start_ns) as f64 * 1e-9;
        if elapsed_s > 0.0 { self.n_frames as f64 / elapsed_s } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_frames_and_falls_when_none_come() {
        let mut meter = RateMeter::new(0);
        assert_eq!(meter.hz(0), 0.0);
        for frame in 1..=1000 {
            meter.count(frame * 5_000_000);
        }
        let end = 5_000_000_000;
        assert!((meter.hz(end) - 200.0).abs() < 1e-9, "{}", meter.hz(end));
        assert_eq!(meter.hz(end + 10_000_000_000), 0.0);
    }
}
