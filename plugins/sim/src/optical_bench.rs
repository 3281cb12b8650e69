//! What camera and stage share: the focus as a function of time, and the clock that both live by. It is there as long as
//! the library, so the focus stays where it is when the stage is closed.
//!
//! The stage moves in the time of the clock, never in simulated time. A live camera asks for the focus in the middle of
//! each exposure. An offline camera makes frames as fast as they are taken, so its frames have the focus of the instant at
//! which they are rendered; for a sweep that is the same every time, use the camera's scripted focus.

use crate::clock::Clock;
use crate::faults::FaultScript;
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
    camera_gone: Mutex<Option<Unplugged>>,
}

/// A camera that was unplugged by its script.
#[derive(Debug, Clone, PartialEq)]
pub struct Unplugged {
    /// When it can be opened again, by the clock.
    pub until_ns: i64,
    /// The frame that it begins with then.
    pub next_frame: u64,
    /// The script that did it: another camera begins with frame 0.
    pub script: FaultScript,
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
        let stage_taken = AtomicBool::new(false);
        let unplugged_until_ns = AtomicI64::new(i64::MIN);
        Self { clock, focus, stage_taken, unplugged_until_ns, camera_gone: Mutex::new(None) }
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

    /// The camera is gone.
    pub fn unplug_camera(&self, unplugged: Unplugged) {
        *lock(&self.camera_gone) = Some(unplugged);
    }

    /// How long a camera with this script stays gone; None: it is there.
    pub fn gone_for_ns(&self, script: &FaultScript) -> Option<i64> {
        let unplugged = lock(&self.camera_gone);
        let left_ns = unplugged.as_ref().filter(|u| u.script == *script)?.until_ns - self.clock.now_ns();
        (left_ns > 0).then_some(left_ns)
    }

    /// The frame with which a camera with this script begins: 0, or where it goes on after it was unplugged.
    pub fn first_frame(&self, script: &FaultScript) -> u64 {
        lock(&self.camera_gone).take().filter(|u| u.script == *script).map_or(0, |u| u.next_frame)
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
