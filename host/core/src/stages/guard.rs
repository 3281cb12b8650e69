//! What a move must keep: the device's hard limits, the window of the session, the largest step, the largest speed; and
//! whether clients may move anything at all. Pure rules: no device and no thread.

use crate::control::{Refusal, RefusalKind};
use std::time::{Duration, Instant};
use tetherscope_loader::Axis;

/// Longest arming: who forgets to disarm is disarmed by then.
pub(crate) const MAX_ARM: Duration = Duration::from_secs(3600);

/// Bounds of one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisGuard {
    role: String,
    unit: String,
    /// Hard limits.
    pub(crate) limits: (f64, f64),
    /// Bounds of this session, inside the hard limits.
    pub(crate) window: (f64, f64),
    /// Largest step of one move.
    pub(crate) max_step: f64,
    /// Largest speed.
    pub(crate) max_speed_per_s: f64,
    /// Largest speed of the device.
    device_speed_per_s: f64,
}

impl AxisGuard {
    /// As wide as the device allows.
    pub(crate) fn new(axis: &Axis) -> Self {
        Self {
            role: axis.role.clone(),
            unit: axis.unit.clone(),
            limits: (axis.min, axis.max),
            window: (axis.min, axis.max),
            max_step: axis.max - axis.min,
            max_speed_per_s: axis.max_speed_per_s,
            device_speed_per_s: axis.max_speed_per_s,
        }
    }

    /// True if the device may be faster than allowed, so that moves are cut into small ones.
    pub(crate) fn is_slowed(&self) -> bool {
        self.max_speed_per_s < self.device_speed_per_s
    }

    /// Sets the window of the session.
    pub(crate) fn set_window(&mut self, min: f64, max: f64) -> Result<(), Refusal> {
        let thing = format!("cannot set the window of {} to {min} … {max} {}", self.role, self.unit);
        if !(min.is_finite() && max.is_finite() && min <= max) {
            return Err(invalid(thing, "the smaller bound must come first, and both must be numbers", "swap them"));
        }
        if min < self.limits.0 || max > self.limits.1 {
            let cause = format!("the device's own limits are {} … {} {}", self.limits.0, self.limits.1, self.unit);
            return Err(invalid(thing, cause, "choose a window inside them"));
        }
        self.window = (min, max);
        Ok(())
    }

    /// Sets the caps of single moves.
    pub(crate) fn set_caps(&mut self, max_step: f64, max_speed_per_s: f64) -> Result<(), Refusal> {
        let thing = format!("cannot cap moves of {}", self.role);
        if !(max_step.is_finite() && max_step > 0.0 && max_speed_per_s.is_finite() && max_speed_per_s > 0.0) {
            let cause = format!("step {max_step} and speed {max_speed_per_s} must be positive numbers");
            return Err(invalid(thing, cause, "give both as positive numbers"));
        }
        self.max_step = max_step;
        self.max_speed_per_s = max_speed_per_s.min(self.device_speed_per_s);
        Ok(())
    }

    /// A move from where the axis is or is bound for.
    pub(crate) fn check(&self, from: f64, to: f64) -> Result<(), Refusal> {
        let unit = &self.unit;
        let thing = format!("cannot move {} to {to} {unit}", self.role);
        if !to.is_finite() {
            return Err(invalid(thing, "this is no position", "give a number"));
        }
        for (name, (min, max)) in [("limits", self.limits), ("window of this session", self.window)] {
            if to < min || to > max {
                let cause = format!("the {name}: {min} … {max} {unit}");
                return Err(invalid(thing, cause, "choose a position inside"));
            }
        }
        let step = (to - from).abs();
        if step > self.max_step {
            let cause =
                format!("a step of {step} {unit} from {from} {unit} is more than the {} {unit} allowed", self.max_step);
            return Err(invalid(thing, cause, "go in smaller steps, or raise the cap"));
        }
        Ok(())
    }
}

/// Whether clients may move anything.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arming(Option<Instant>);

impl Arming {
    /// From now on for some time.
    pub(crate) fn arm(&mut self, seconds: f64, now: Instant) -> Result<(), Refusal> {
        if !(seconds > 0.0 && seconds <= MAX_ARM.as_secs_f64()) {
            return Err(invalid(
                format!("cannot arm the stages for {seconds} s"),
                format!("they can be armed for up to {} s", MAX_ARM.as_secs()),
                "arm them again when the time is over",
            ));
        }
        self.0 = Some(now + Duration::from_secs_f64(seconds));
        Ok(())
    }

    /// Not any more.
    pub(crate) fn disarm(&mut self) {
        self.0 = None;
    }

    /// Time left; None disarmed.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        self.0?.checked_duration_since(now).filter(|d| !d.is_zero())
    }

    /// Refused while disarmed.
    pub(crate) fn check(&self, thing: &str, now: Instant) -> Result<(), Refusal> {
        if self.left(now).is_some() {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalKind::NotNow,
            thing,
            "the stages are not armed",
            "arm them first: nothing moves before somebody said so",
        ))
    }
}

fn invalid(thing: String, cause: impl Into<String>, mend: &str) -> Refusal {
    Refusal::new(RefusalKind::Invalid, thing, cause, mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> AxisGuard {
        AxisGuard::new(&Axis { role: "focus".into(), unit: "nm".into(), min: -1e4, max: 1e4, max_speed_per_s: 1e5 })
    }

    #[test]
    fn a_move_keeps_limits_window_and_step_and_the_refusal_has_the_numbers() {
        let mut g = guard();
        assert!(g.check(0.0, 1e4).is_ok());
        assert!(g.check(0.0, 10_000.1).unwrap_err().cause.contains("limits: -10000 … 10000 nm"));
        g.set_window(-500.0, 500.0).unwrap();
        assert!(g.check(0.0, 500.0).is_ok());
        assert!(g.check(0.0, 501.0).unwrap_err().cause.contains("window"));
        g.set_caps(100.0, 1e9).unwrap();
        assert!(!g.is_slowed(), "a cap above the device's speed slows nothing");
        assert!(g.check(450.0, 500.0).is_ok());
        assert!(g.check(0.0, 101.0).unwrap_err().cause.contains("more than the 100 nm allowed"));
        assert!(g.check(0.0, f64::NAN).is_err());
    }

    #[test]
    fn windows_and_caps_that_make_no_sense_are_refused_and_change_nothing() {
        let mut g = guard();
        let before = g.clone();
        assert!(g.set_window(5.0, -5.0).is_err());
        assert!(g.set_window(-2e4, 0.0).unwrap_err().cause.contains("-10000 … 10000"));
        assert!(g.set_window(f64::NAN, 0.0).is_err());
        assert!(g.set_caps(0.0, 1.0).is_err() && g.set_caps(1.0, f64::INFINITY).is_err());
        assert_eq!(g, before);
        g.set_caps(1e3, 50.0).unwrap();
        assert!(g.is_slowed());
    }

    #[test]
    fn arming_ends_by_itself() {
        let (mut arming, now) = (Arming::default(), Instant::now());
        assert_eq!(arming.check("cannot move", now).unwrap_err().kind, RefusalKind::NotNow);
        assert!(arming.arm(0.0, now).is_err() && arming.arm(1e9, now).is_err());
        arming.arm(30.0, now).unwrap();
        assert!(arming.check("cannot move", now + Duration::from_secs(29)).is_ok());
        assert!(arming.check("cannot move", now + Duration::from_secs(30)).is_err());
        arming.arm(30.0, now).unwrap();
        arming.disarm();
        assert!(arming.left(now).is_none());
    }
}
