//! The scripted focus: an offset that depends on the frame's index alone, so a sweep is the same every time, however fast
//! its frames are made. It is added to where the stage stands.

/// A staircase of focus positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FocusScript {
    /// Offset of the first frames.
    pub start_nm: f64,
    /// From each step to the next.
    pub step_nm: f64,
    /// Frames of each step; at least 1.
    pub frames_per_step: u64,
    /// Steps until the script is over and its offset is 0; 0: it goes on for ever.
    pub n_steps: u64,
}

impl FocusScript {
    /// Offset of frame `frame`: start + step · ⌊frame / frames_per_step⌋.
    pub fn offset_nm(&self, frame: u64) -> f64 {
        let step = frame / self.frames_per_step;
        if self.n_steps > 0 && step >= self.n_steps { 0.0 } else { self.start_nm + step as f64 * self.step_nm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_of_three_planes_with_two_frames_each_ends_at_no_offset() {
        let script = FocusScript { start_nm: -100.0, step_nm: 50.0, frames_per_step: 2, n_steps: 3 };
        let offsets: Vec<f64> = (0..8).map(|frame| script.offset_nm(frame)).collect();
        assert_eq!(offsets, [-100.0, -100.0, -50.0, -50.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(FocusScript { n_steps: 0, ..script }.offset_nm(2000), 49_900.0);
    }
}
