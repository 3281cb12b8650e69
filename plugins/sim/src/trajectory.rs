//! Where an axis was, is and will be: legs of constant speed, exact at every instant. Knows no clock and no limits.
//! Some past legs are kept, since a frame is rendered a little after its exposure.

use std::collections::VecDeque;

/// Legs that are kept: enough for any number of commands within one exposure.
const N_LEGS: usize = 64;

/// One command: from here to there.
#[derive(Debug, Clone, Copy)]
struct Leg {
    start_ns: i64,
    from_nm: f64,
    to_nm: f64,
    speed_nm_per_s: f64,
}

impl Leg {
    /// Position at `t_ns`, and whether it is still on its way.
    fn at(&self, t_ns: i64) -> (f64, bool) {
        let way = self.to_nm - self.from_nm;
        let travelled = self.speed_nm_per_s * (t_ns.saturating_sub(self.start_ns).max(0) as f64 * 1e-9);
        if travelled < way.abs() { (self.from_nm + travelled.copysign(way), true) } else { (self.to_nm, false) }
    }
}

/// Position as a function of time.
#[derive(Debug)]
pub struct Trajectory {
    legs: VecDeque<Leg>,
    speed_nm_per_s: f64,
}

impl Trajectory {
    /// At rest at 0, since ever.
    pub fn new(speed_nm_per_s: f64) -> Self {
        let mut legs = VecDeque::with_capacity(N_LEGS);
        legs.push_back(Leg { start_ns: i64::MIN, from_nm: 0.0, to_nm: 0.0, speed_nm_per_s });
        Self { legs, speed_nm_per_s }
    }

    /// Position at `t_ns`. Before the oldest leg that is kept: where that one began.
    pub fn position_nm(&self, t_ns: i64) -> f64 {
        let leg = self.legs.iter().rev().find(|leg| leg.start_ns <= t_ns).unwrap_or(&self.legs[0]);
        leg.at(t_ns).0
    }

    /// True while the last command is under way.
    pub fn moving(&self, t_ns: i64) -> bool {
        self.last().at(t_ns).1
    }

    /// From `now_ns` on towards `to_nm`.
    pub fn go(&mut self, now_ns: i64, to_nm: f64) {
        let leg =
            Leg { start_ns: now_ns, from_nm: self.position_nm(now_ns), to_nm, speed_nm_per_s: self.speed_nm_per_s };
        if self.legs.len() == N_LEGS {
            self.legs.pop_front();
        }
        self.legs.push_back(leg);
    }

    /// Is at `nm` since ever: another motor was there before.
    pub fn place(&mut self, nm: f64) {
        self.legs.clear();
        let speed_nm_per_s = self.speed_nm_per_s;
        self.legs.push_back(Leg { start_ns: i64::MIN, from_nm: nm, to_nm: nm, speed_nm_per_s });
    }

    /// Stays where it is at `now_ns`.
    pub fn stop(&mut self, now_ns: i64) {
        if self.moving(now_ns) {
            self.go(now_ns, self.position_nm(now_ns));
        }
    }

    /// Speed of moves.
    pub fn speed_nm_per_s(&self) -> f64 {
        self.speed_nm_per_s
    }

    /// Changes the speed, also that of a move under way.
    pub fn set_speed(&mut self, now_ns: i64, speed_nm_per_s: f64) {
        self.speed_nm_per_s = speed_nm_per_s;
        if self.moving(now_ns) {
            self.go(now_ns, self.last().to_nm);
        }
    }

    fn last(&self) -> &Leg {
        self.legs.back().expect("there is always a leg: none but the oldest of many is removed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_move_has_constant_speed_and_ends_exactly_at_its_target() {
        let mut axis = Trajectory::new(100.0);
        axis.go(5 * SECOND, -250.0);
        for (t, position, moving) in [(0, 0.0, true), (5, 0.0, true), (6, -100.0, true), (7, -200.0, true)] {
            assert_eq!(axis.position_nm(t * SECOND), position);
            assert_eq!(axis.moving(t * SECOND), moving);
        }
        assert_eq!((axis.position_nm(8 * SECOND), axis.moving(8 * SECOND)), (-250.0, false));
        assert_eq!(axis.position_nm(i64::MAX), -250.0);
    }

    #[test]
    fn a_stop_or_another_target_on_the_way_starts_from_where_it_is() {
        let mut axis = Trajectory::new(100.0);
        axis.go(0, 1000.0);
        axis.stop(2 * SECOND);
        assert_eq!((axis.position_nm(9 * SECOND), axis.moving(2 * SECOND)), (200.0, false));
        axis.go(10 * SECOND, 0.0);
        axis.go(11 * SECOND, 400.0);
        assert_eq!(axis.position_nm(12 * SECOND), 200.0);
        // The past stays as it was.
        assert_eq!(axis.position_nm(SECOND), 100.0);
        assert_eq!(axis.position_nm(10 * SECOND + SECOND / 2), 150.0);
    }

    #[test]
    fn a_new_speed_holds_for_the_move_under_way() {
        let mut axis = Trajectory::new(100.0);
        axis.go(0, 1000.0);
        axis.set_speed(SECOND, 300.0);
        assert_eq!(axis.position_nm(3 * SECOND), 700.0);
        assert!(!axis.moving(4 * SECOND));
    }

    #[test]
    fn many_commands_forget_only_the_oldest() {
        let mut axis = Trajectory::new(1.0);
        for i in 1..=2 * N_LEGS as i64 {
            axis.go(i * SECOND, 1e6);
        }
        assert_eq!(axis.legs.len(), N_LEGS);
        assert_eq!(axis.position_nm((2 * N_LEGS as i64 + 1) * SECOND), 2.0 * N_LEGS as f64);
        assert_eq!(axis.position_nm(0), N_LEGS as f64, "where the oldest leg began");
    }
}
