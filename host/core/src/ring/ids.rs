//! Device frame ids: which are missing, double, late or from before. Ids wrap after the bits that the format announces;
//! GigE Vision's 16-bit ids skip 0 when they do.

use tetherscope_loader::abi::NO_DEVICE_FRAME_ID;

/// A step of this or more is no gap but a counter that was set anew.
const MOST_MISSING: u64 = 1 << 31;

/// What a frame's id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The source has no ids, or this is the first one.
    Unknown,
    /// It follows the last one.
    Next,
    /// So many were left out.
    Missing(u64),
    /// It is the last one again.
    Duplicate,
    /// It was counted as missing, and came after all.
    CameLate,
    /// It is one from before, or the counter was set anew.
    WentBack,
}

/// Ids that were left out and may still come, as `from` and how many.
#[derive(Debug, Clone, Copy)]
struct LeftOut {
    from: u64,
    n: u64,
}

/// Follows the ids of one running camera.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    bits: u32,
    last: Option<u64>,
    zero_seen: bool,
    left_out: Option<LeftOut>,
    /// The id of the last frame that went back: if its successor follows, the counter was set anew.
    anew: Option<u64>,
}

impl Ids {
    /// Ids of `bits` bits; 0: the source has none.
    pub(crate) fn new(bits: u32) -> Self {
        Self { bits: bits.min(64), last: None, zero_seen: false, left_out: None, anew: None }
    }

    /// The last one that counted.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    fn mask(&self) -> u64 {
        if self.bits >= 64 { u64::MAX } else { (1 << self.bits) - 1 }
    }

    /// Ids from `from` to `to`, forwards.
    fn forward(&self, from: u64, to: u64) -> u64 {
        let forward = to.wrapping_sub(from) & self.mask();
        let wraps = to < from && self.bits < 64;
        // A counter that has never shown 0 is one that skips it.
        if wraps && forward > 1 && to != 0 && !self.zero_seen { forward - 1 } else { forward }
    }

    /// The next frame's id.
    pub(crate) fn step(&mut self, id: u64) -> Step {
        if self.bits == 0 || id == NO_DEVICE_FRAME_ID {
            return Step::Unknown;
        }
        let id = id & self.mask();
        self.zero_seen |= id == 0;
        let Some(last) = self.last else {
            self.last = Some(id);
            return Step::Unknown;
        };
        let anew = self.anew.take();
        let forward = self.forward(last, id);
        let limit = MOST_MISSING.min(self.mask() / 2 + 1).max(2);
        match forward {
            0 => Step::Duplicate,
            1 => {
                self.last = Some(id);
                Step::Next
            }
            n if n < limit => {
                self.last = Some(id);
                self.left_out = Some(LeftOut { from: last.wrapping_add(1) & self.mask(), n: n - 1 });
                Step::Missing(n - 1)
            }
            _ => self.back(id, anew),
        }
    }

    fn back(&mut self, id: u64, anew: Option<u64>) -> Step {
        if let Some(left_out) = self.left_out {
            let n_before = id.wrapping_sub(left_out.from) & self.mask();
            if n_before < left_out.n {
                // Each may come late once: those before it are given up.
                let from = id.wrapping_add(1) & self.mask();
                self.left_out = Some(LeftOut { from, n: left_out.n - n_before - 1 });
                return Step::CameLate;
            }
        }
        if anew.is_some_and(|a| a.wrapping_add(1) & self.mask() == id) {
            self.last = Some(id);
            self.left_out = None;
            return Step::Next;
        }
        self.anew = Some(id);
        Step::WentBack
    }
}

#[cfg(test)]
mod tests {
    use super::Step::{CameLate, Duplicate, Missing, Next, Unknown, WentBack};
    use super::*;

    fn steps(bits: u32, ids: &[u64]) -> Vec<Step> {
        let mut follow = Ids::new(bits);
        ids.iter().map(|&id| follow.step(id)).collect()
    }

    #[test]
    fn ids_left_out_are_counted() {
        assert_eq!(steps(64, &[5, 6, 9, 10]), [Unknown, Next, Missing(2), Next]);
        assert_eq!(steps(0, &[5, 9, 1]), [Unknown; 3]);
        assert_eq!(steps(64, &[NO_DEVICE_FRAME_ID; 2]), [Unknown; 2]);
    }

    #[test]
    fn ids_wrap_after_their_bits() {
        assert_eq!(steps(8, &[0, 254, 255, 0, 1]), [Unknown, WentBack, Next, Next, Next]);
        assert_eq!(
            steps(8, &[0, 100, 200, 253, 0, 2]),
            [Unknown, Missing(99), Missing(99), Missing(52), Missing(2), Missing(1)]
        );
        assert_eq!(steps(64, &[u64::MAX - 2, 1]), [Unknown, Missing(3)]);
        assert_eq!(steps(1, &[0, 1, 0, 1]), [Unknown, Next, Next, Next]);
        assert_eq!(steps(32, &[u64::from(u32::MAX), 0, 1]), [Unknown, Next, Next]);
    }

    #[test]
    fn a_counter_of_16_bits_that_never_shows_zero_skips_it() {
        assert_eq!(steps(16, &[65_534, 65_535, 1, 2]), [Unknown, Next, Next, Next]);
        assert_eq!(steps(16, &[65_534, 3, 4]), [Unknown, Missing(3), Next]);
        let mut shows_zero = Ids::new(16);
        for id in 0..=u64::from(u16::MAX) {
            assert!(matches!(shows_zero.step(id), Unknown | Next));
        }
        assert_eq!(shows_zero.step(1), Missing(1), "this one has a 0, so it is missing");
    }

    #[test]
    fn double_and_late_ids_are_told_and_make_no_gap() {
        assert_eq!(steps(64, &[5, 6, 6, 7]), [Unknown, Next, Duplicate, Next]);
        assert_eq!(steps(64, &[5, 7, 6, 8]), [Unknown, Missing(1), CameLate, Next]);
        assert_eq!(steps(64, &[5, 9, 6, 8, 8, 10]), [Unknown, Missing(3), CameLate, CameLate, WentBack, Next]);
        assert_eq!(steps(64, &[5, 6, 7, 6, 8]), [Unknown, Next, Next, WentBack, Next]);
        assert_eq!(steps(16, &[65_534, 2, 65_535, 3]), [Unknown, Missing(2), CameLate, Next]);
    }

    #[test]
    fn a_counter_set_anew_makes_no_gap() {
        assert_eq!(steps(64, &[500, 501, 0, 1, 2]), [Unknown, Next, WentBack, Next, Next]);
        assert_eq!(steps(64, &[3, 1 << 40, (1 << 40) + 1]), [Unknown, WentBack, Next]);
    }
}
