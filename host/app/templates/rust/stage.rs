//! `stage.your-lab.your-method`: a simulated focus axis that moves at constant speed in the time of the host's clock. Put
//! your controller in the place of `Axle`.
//!
//! The axle belongs to the library, not to who opened it: a stage that is opened again stands where it stood. `stop` may
//! come while another call runs, so everything goes through one mutex.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tetherscope_plugin_api::{
    Axis, Descriptor, Device, Error, HostHandle, LibraryContext, ParamValues, Parameter, Result, Setting, Settings,
    Stage, Value,
};

const LIMIT_NM: f64 = 10_000.0;
const SPEED: &str = "speed_nm_per_s";
const MAX_SPEED: f64 = 100_000.0;

/// A move at constant speed, under way or over.
#[derive(Clone, Copy, Default)]
struct Motion {
    from_nm: f64,
    target_nm: f64,
    speed_nm_per_s: f64,
    since_ns: i64,
}

impl Motion {
    fn position(&self, now_ns: i64) -> f64 {
        let gone = self.speed_nm_per_s * (now_ns - self.since_ns) as f64 / 1e9;
        let way = self.target_nm - self.from_nm;
        if gone >= way.abs() { self.target_nm } else { self.from_nm + gone.copysign(way) }
    }

    fn moving(&self, now_ns: i64) -> bool {
        self.position(now_ns) != self.target_nm
    }

    /// Goes on from where it is, to there, at that speed.
    fn go(&mut self, now_ns: i64, target_nm: f64, speed_nm_per_s: f64) {
        *self = Motion { from_nm: self.position(now_ns), target_nm, speed_nm_per_s, since_ns: now_ns };
    }
}

/// What all stages of the library share: the one thing that moves.
struct Axle {
    host: HostHandle,
    taken: AtomicBool,
    motion: Mutex<Motion>,
}

impl LibraryContext for Axle {
    fn open(host: HostHandle) -> Result<Self> {
        Ok(Self { host, taken: AtomicBool::new(false), motion: Mutex::default() })
    }
}

impl Axle {
    /// Looks at the motion, or changes it, at this instant.
    fn with<T>(&self, f: impl FnOnce(&mut Motion, i64) -> T) -> T {
        // Whoever panicked left a valid motion.
        let mut motion = self.motion.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut motion, self.host.now_ns())
    }

    fn stop(&self) {
        self.with(|m, now| m.go(now, m.position(now), m.speed_nm_per_s));
    }

    fn set_speed(&self, speed: f64) {
        self.with(|m, now| m.go(now, m.target_nm, speed));
    }
}

struct YourMethod {
    axle: Arc<Axle>,
    revision: AtomicU64,
}

fn speed_parameter() -> Parameter {
    Parameter::float(SPEED, "Speed of moves; a change holds for a move under way too", 10_000.0)
        .unit("nm/s")
        .range(1.0, MAX_SPEED)
}

fn check(axis: u32) -> Result<()> {
    if axis == 0 { Ok(()) } else { Err(Error::invalid("there is one axis: use axis 0")) }
}

impl Stage for YourMethod {
    type Context = Axle;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "stage.your-lab.your-method",
            name: "Your method",
            version: "0.1.0",
            summary: "A simulated focus axis that moves at constant speed.",
            source: "none, a simulation",
            licence: "MIT OR Apache-2.0",
            parameters: vec![speed_parameter()],
            ..Descriptor::default()
        }
    }

    fn enumerate(_axle: &Arc<Axle>) -> Result<Vec<Device>> {
        Ok(vec![Device { device: "axis".into(), name: "Simulated axis".into(), serial: String::new() }])
    }

    fn open(axle: &Arc<Axle>, device: &str, params: &ParamValues) -> Result<Self> {
        if !matches!(device, "" | "axis") {
            return Err(Error::invalid(format!("there is no device `{device}`: open `axis`")));
        }
        let speed = params.float(SPEED)?;
        if axle.taken.swap(true, Ordering::SeqCst) {
            return Err(Error::busy("the axis is in use: close it where it was opened first"));
        }
        axle.set_speed(speed);
        Ok(Self { axle: axle.clone(), revision: AtomicU64::new(0) })
    }

    fn axes(&self) -> Result<Vec<Axis>> {
        let (role, unit) = ("focus".into(), "nm".into());
        Ok(vec![Axis { role, unit, min: -LIMIT_NM, max: LIMIT_NM, max_speed_per_s: MAX_SPEED }])
    }

    fn settings(&self) -> Result<Settings> {
        let value = Value::Float(self.axle.with(|m, _| m.speed_nm_per_s));
        let speed = Setting { parameter: speed_parameter(), value, writable: true };
        Ok(Settings { revision: self.revision.load(Ordering::Relaxed), settings: vec![speed] })
    }

    fn set(&self, values: &ParamValues) -> Result<()> {
        if values.get(SPEED).is_some() {
            self.axle.set_speed(values.float(SPEED)?);
            self.revision.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn move_to(&self, axis: u32, position: f64) -> Result<()> {
        check(axis)?;
        if !(-LIMIT_NM..=LIMIT_NM).contains(&position) {
            return Err(Error::invalid("the axis goes from -10000 to 10000 nm: choose a position between"));
        }
        self.axle.with(|m, now| m.go(now, position, m.speed_nm_per_s));
        Ok(())
    }

    fn position(&self, axis: u32) -> Result<f64> {
        check(axis)?;
        Ok(self.axle.with(|m, now| m.position(now)))
    }

    fn moving(&self, axis: u32) -> Result<bool> {
        check(axis)?;
        Ok(self.axle.with(|m, now| m.moving(now)))
    }

    fn stop(&self) -> Result<()> {
        self.axle.stop();
        Ok(())
    }
}

impl Drop for YourMethod {
    fn drop(&mut self) {
        self.axle.stop();
        self.axle.taken.store(false, Ordering::SeqCst);
    }
}

tetherscope_plugin_api::export_plugin! { context: Axle, stage: YourMethod }

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: i64 = 1_000_000_000;

    #[test]
    fn a_move_arrives_after_its_way_divided_by_its_speed_and_stays_there() {
        let mut motion = Motion::default();
        motion.go(0, -500.0, 1000.0);
        assert_eq!((motion.position(SECOND_NS / 4), motion.moving(SECOND_NS / 4)), (-250.0, true));
        assert_eq!((motion.position(SECOND_NS / 2), motion.moving(SECOND_NS / 2)), (-500.0, false));
        assert_eq!(motion.position(SECOND_NS * 100), -500.0);
    }

    #[test]
    fn a_move_that_is_stopped_or_changed_goes_on_from_where_it_is() {
        let mut motion = Motion::default();
        motion.go(0, 1000.0, 1000.0);
        motion.go(SECOND_NS / 4, 0.0, 500.0);
        assert_eq!(motion.position(SECOND_NS / 4), 250.0);
        assert_eq!(motion.position(SECOND_NS / 2), 125.0);
        assert!(!motion.moving(SECOND_NS));
    }

    #[test]
    fn one_stage_at_a_time_has_the_axle_and_the_next_stands_where_it_stood() {
        let axle = Arc::new(Axle::open(HostHandle::none()).unwrap());
        let params = ParamValues::defaults(&YourMethod::descriptor().parameters);
        let stage = YourMethod::open(&axle, "", &params).unwrap();
        assert!(YourMethod::open(&axle, "", &params).is_err());
        assert!(stage.move_to(0, 1e6).is_err() && stage.move_to(1, 0.0).is_err());
        assert!(!stage.moving(0).unwrap());
        drop(stage);
        let again = YourMethod::open(&axle, "axis", &params).unwrap();
        assert_eq!(again.position(0), Ok(0.0));
    }
}
