//! What camera and stage share: the focus as a function of time, and the clock that both live by. It is there as long as
//! the library, so the focus stays where it is when the stage is closed.
//!
//! The stage moves in the time of the clock, never in simulated time. A live camera asks for the focus in the middle of
//! each exposure. An offline camera makes frames as fast as they are taken, so its frames have the focus of the instant at
//! which they are rendered; for a sweep that is the same every time, use the camera's scripted focus.

use crate::clock::Clock;
use crate::gate::lock;
use crate::trajectory::Trajectory;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use tetherscope_plugin_api::{Error, HostHandle, LibraryContext, Result};

/// Speed of the focus until a stage says otherwise, in nm/s. 10 µm/s: a step of 100 nm takes 10 ms, about what a
/// closed-loop piezo needs to settle, and a sweep over 10 µm is not slower than its frames. MagScope's simulated motor
/// does 100 nm/s, at which such a sweep would take 100 s of moving alone.
pub const DEFAULT_SPEED_NM_PER_S: f64 = 10_000.0;

/// The shared context.
pub struct OpticalBench {
    clock: Clock,
    focus: Mutex<Trajectory>,
    stage_taken: AtomicBool,
    /// The stage answers no call before this time of the clock.
    unplugged_until_ns: AtomicI64,
}

impl LibraryContext for OpticalBench {
    fn open(host: HostHandle) -> Result<Self> {
        Ok(Self::with_clock(Clock::of(host)))
    }
}

impl OpticalBench {
    /// A bench with its focus at 0.
    pub fn with_clock(clock: Clock) -> Self {
        let focus = Mutex::new(Trajectory::new(DEFAULT_SPEED_NM_PER_S));
        Self { clock, focus, stage_taken: AtomicBool::new(false), unplugged_until_ns: AtomicI64::new(i64::MIN) }
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Focus at a time of the clock; also a little in the past.
    pub fn focus_nm(&self, t_ns: i64) -> f64 {
        lock(&self.focus).position_nm(t_ns)
    }

    /// Works with the focus axis at the present time.
    pub fn with_focus<R>(&self, work: impl FnOnce(&mut Trajectory, i64) -> R) -> R {
        let mut focus = lock(&self.focus);
        // Read with the lock held, so that commands have times in the order in which they come.
        work(&mut focus, self.clock.now_ns())
    }

    /// Takes the stage; false while somebody has it.
    pub fn take_stage(&self) -> bool {
        !self.stage_taken.swap(true, Ordering::AcqRel)
    }

    /// Pulls the stage's cable for some time; the axis stays where it is.
    pub fn unplug_for(&self, ns: i64) {
        self.with_focus(Trajectory::stop);
        self.unplugged_until_ns.store(self.clock.now_ns().saturating_add(ns), Ordering::Relaxed);
    }

    /// An error while the stage's cable is pulled.
    pub fn check_plugged(&self) -> Result<()> {
        if self.clock.now_ns() >= self.unplugged_until_ns.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::disconnected("the simulated focus motor is unplugged\nits fault says so; wait, or open it without"))
    }

    /// Gives the stage back.
    pub fn release_stage(&self) {
        self.stage_taken.store(false, Ordering::Release);
    }
}
