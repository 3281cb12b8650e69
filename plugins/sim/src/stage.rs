//! The component `stage.sim-focus`: one axis that moves the focus of the optical bench at constant speed. It moves in the
//! time of the host's clock; what that means for frames made offline stands in `optical_bench.rs`. On request it breaks
//! down as real motors do, so that a lab can try what its protocols make of that.

mod position_file;

use crate::optical_bench::{DEFAULT_SPEED_NM_PER_S, OpticalBench};
use position_file::PositionFile;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tetherscope_plugin_api::{
    Axis, Descriptor, Device, Error, ParamValues, Parameter, Result, Setting, Settings, Stage, Value,
};

/// The axis goes this far to both sides.
const LIMIT_NM: f64 = 10_000.0;
/// Slowest and fastest speed.
const SPEED_NM_PER_S: (f64, f64) = (0.01, 100_000.0);
const SPEED: &str = "speed_nm_per_s";
/// Text for `open`.
const DEVICE: &str = "focus";
const POSITION_FILE: &str = "position_file";
/// Keys of the fault.
const FAULT: &str = "fault";
const FAULT_AFTER: &str = "fault_after_moves";
const FAULT_FOR: &str = "fault_for_s";

/// The simulated focus motor. Its position outlives it: another one that is opened later stands where this one stood.
pub struct SimFocus {
    bench: Arc<OpticalBench>,
    revision: AtomicU64,
    fault: Option<Fault>,
    n_moves: AtomicI64,
    memory: PositionFile,
}

/// How the motor breaks down, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fault {
    /// True: its cable is pulled. False: it is stuck, takes commands and does not move.
    unplugged: bool,
    after_moves: i64,
    for_ns: i64,
}

impl Fault {
    fn of(params: &ParamValues) -> Result<Option<Self>> {
        let unplugged = match params.text(FAULT)? {
            "stuck" => false,
            "unplugged" => true,
            _ => return Ok(None),
        };
        let for_ns = (params.float(FAULT_FOR)? * 1e9) as i64;
        Ok(Some(Self { unplugged, after_moves: params.int(FAULT_AFTER)?, for_ns }))
    }
}

fn fault_parameters() -> Vec<Parameter> {
    vec![
        Parameter::choice(
            FAULT,
            "How it breaks down: `stuck` takes commands and does not move, `unplugged` answers no call for a time",
            &["none", "stuck", "unplugged"],
            "none",
        )
        .expert(),
        Parameter::int(FAULT_AFTER, "Moves until it breaks down", 0).range(0.0, 1e9).expert(),
        Parameter::float(FAULT_FOR, "Time for which it is unplugged, by the clock of the host", 1.0)
            .unit("s")
            .range(0.0, 1e6)
            .expert(),
    ]
}

fn speed_parameter() -> Parameter {
    Parameter::float(
        SPEED,
        "Speed of moves, constant from start to end; a change holds for the move under way too. \
         At the default a step of 100 nm takes 10 ms",
        DEFAULT_SPEED_NM_PER_S,
    )
    .unit("nm/s")
    .range(SPEED_NM_PER_S.0, SPEED_NM_PER_S.1)
}

fn position_file_parameter() -> Parameter {
    Parameter::text(
        POSITION_FILE,
        "File in which the motor keeps its position from one program to the next, as one with an absolute encoder does; \
         empty: it begins at 0",
        "",
    )
    .expert()
}

fn check_axis(axis: u32) -> Result<()> {
    if axis == 0 {
        return Ok(());
    }
    Err(Error::invalid(format!("there is no axis {axis}\nthe simulated stage has one, the focus\nuse axis 0")))
}

impl Stage for SimFocus {
    type Context = OpticalBench;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "stage.sim-focus",
            name: "Simulated focus motor",
            version: "0.1.0",
            summary: "Moves the focus in which camera.sim shows its beads, in the time of the host's clock.",
            source: "after MagScope's SimulatedFocusMotor",
            licence: "MIT OR Apache-2.0",
            parameters: [speed_parameter(), position_file_parameter()].into_iter().chain(fault_parameters()).collect(),
            ..Descriptor::default()
        }
    }

    fn enumerate(_bench: &Arc<OpticalBench>) -> Result<Vec<Device>> {
        Ok(vec![Device { device: DEVICE.into(), name: "Simulated focus motor".into(), serial: String::new() }])
    }

    fn open(bench: &Arc<OpticalBench>, device: &str, params: &ParamValues) -> Result<Self> {
        if !matches!(device, "" | DEVICE) {
            return Err(Error::invalid(format!("there is no simulated stage `{device}`\nopen `{DEVICE}`")));
        }
        let (speed, fault) = (params.float(SPEED)?, Fault::of(params)?);
        let memory = PositionFile::new(params.text(POSITION_FILE)?);
        let kept_nm = memory.read(LIMIT_NM)?;
        bench.check_plugged()?;
        if !bench.take_stage() {
            return Err(Error::busy("the simulated focus motor is in use\nclose it where it was opened first"));
        }
        bench.with_focus(|focus, now| {
            focus.set_speed(now, speed);
            if let Some(nm) = kept_nm {
                focus.place(nm);
            }
        });
        Ok(Self { bench: bench.clone(), revision: AtomicU64::new(0), fault, n_moves: AtomicI64::new(0), memory })
    }

    fn axes(&self) -> Result<Vec<Axis>> {
        Ok(vec![Axis {
            role: "focus".into(),
            unit: "nm".into(),
            min: -LIMIT_NM,
            max: LIMIT_NM,
            max_speed_per_s: SPEED_NM_PER_S.1,
        }])
    }

    fn settings(&self) -> Result<Settings> {
        let value = Value::Float(self.bench.with_focus(|focus, _| focus.speed_nm_per_s()));
        let speed = Setting { parameter: speed_parameter(), value, writable: true };
        Ok(Settings { revision: self.revision.load(Ordering::Relaxed), settings: vec![speed] })
    }

    fn set(&self, values: &ParamValues) -> Result<()> {
        for (key, value) in values.iter() {
            match (key, value) {
                (SPEED, Value::Float(speed)) => self.bench.with_focus(|focus, now| focus.set_speed(now, *speed)),
                _ => return Err(Error::invalid(format!("`{key}` cannot be {value:?}"))),
            }
        }
        self.revision.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn move_to(&self, axis: u32, position: f64) -> Result<()> {
        check_axis(axis)?;
        if !(-LIMIT_NM..=LIMIT_NM).contains(&position) {
            return Err(Error::invalid(format!(
                "the simulated focus cannot go to {position} nm\nit goes from {} to {LIMIT_NM} nm\n\
                 choose a position between",
                -LIMIT_NM
            )));
        }
        self.bench.check_plugged()?;
        let earlier = self.n_moves.fetch_add(1, Ordering::Relaxed);
        match self.fault.filter(|f| earlier >= f.after_moves) {
            Some(f) if f.unplugged && earlier == f.after_moves => {
                self.bench.unplug_for(f.for_ns);
                self.bench.check_plugged()
            }
            Some(f) if !f.unplugged => Ok(()),
            _ => {
                self.memory.write(position)?;
                self.bench.with_focus(|focus, now| focus.go(now, position));
                Ok(())
            }
        }
    }

    fn position(&self, axis: u32) -> Result<f64> {
        check_axis(axis)?;
        self.bench.check_plugged()?;
        Ok(self.bench.with_focus(|focus, now| focus.position_nm(now)))
    }

    fn moving(&self, axis: u32) -> Result<bool> {
        check_axis(axis)?;
        self.bench.check_plugged()?;
        Ok(self.bench.with_focus(|focus, now| focus.moving(now)))
    }

    fn stop(&self) -> Result<()> {
        self.halt()
    }
}

impl SimFocus {
    fn halt(&self) -> Result<()> {
        let at_nm = self.bench.with_focus(|focus, now| {
            focus.stop(now);
            focus.position_nm(now)
        });
        self.memory.write(at_nm)
    }
}

impl Drop for SimFocus {
    fn drop(&mut self) {
        // Nobody is left who could be told; the next one finds the target of the last move.
        let _ = self.halt();
        self.bench.release_stage();
    }
}

#[cfg(test)]
mod tests;
