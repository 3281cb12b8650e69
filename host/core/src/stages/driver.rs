//! The thread of one stage: opens it, carries out moves one after the other, asks where it is twenty times a second and on
//! change, and looks for it again when it is gone. Nobody else waits for the device, apart from who stops it.

use super::StageListener;
use super::guard::AxisGuard;
use crate::control::{EventKind, Refusal, RefusalKind, Severity};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_loader::{Axis, Component, ParamSet, PluginError, Stage, now_ns};

/// Time between two looks at a stage that stands, and between two rows of telemetry at most.
const LOOK: Duration = Duration::from_millis(50);
/// … at one that moves.
const LOOK_MOVING: Duration = Duration::from_millis(5);
/// Time between two tries to open a stage that is gone.
const RETRY: Duration = Duration::from_secs(1);
/// Small moves of one that is slowed down, per second.
const RAMP_PER_S: f64 = 20.0;

/// A row of telemetry.
#[derive(Debug, Clone, PartialEq)]
pub struct StageSample {
    /// When, on the host's monotonic clock, which frames have too.
    pub time_ns: i64,
    /// Name of the stage.
    pub stage: Arc<str>,
    /// Axis.
    pub axis: u32,
    /// Measured position, in the axis' unit.
    pub position: f64,
    /// Where it was last sent.
    pub target: Option<f64>,
    /// It moves.
    pub moving: bool,
}

/// How to open a stage, now and again.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) component: Component,
    pub(crate) device: String,
    pub(crate) params: ParamSet,
}

/// Hears how an order ended; called on the stage's thread.
pub(crate) type Done = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// What the thread is asked to do. Orders of before a stop are dropped.
pub(crate) enum Order {
    Move { axis: u32, to: f64, epoch: u64, done: Done },
    Home { axis: u32, epoch: u64, done: Done },
    Close,
}

/// An axis as others see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisState {
    pub(crate) guard: AxisGuard,
    pub(crate) axis: Axis,
    pub(crate) position: Option<f64>,
    pub(crate) target: Option<f64>,
    pub(crate) moving: bool,
    /// When position and moving were asked.
    pub(crate) seen_ns: i64,
}

/// What the thread and everybody else share.
pub(crate) struct Shared {
    pub(crate) name: Arc<str>,
    pub(crate) opening: Opening,
    device: Mutex<Option<Arc<Stage>>>,
    axes: Mutex<Vec<AxisState>>,
    failure: Mutex<Option<Refusal>>,
    /// Grows with each stop.
    epoch: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(name: &str, opening: Opening) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            opening,
            device: Mutex::new(None),
            axes: Mutex::new(Vec::new()),
            failure: Mutex::new(None),
            epoch: AtomicU64::new(0),
        })
    }

    /// Works with the axes.
    pub(crate) fn with_axes<R>(&self, work: impl FnOnce(&mut [AxisState]) -> R) -> R {
        work(&mut lock(&self.axes))
    }

    /// Why it cannot be used now.
    pub(crate) fn failure(&self) -> Option<Refusal> {
        lock(&self.failure).clone()
    }

    /// The epoch that an order of now belongs to.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Stops the device, whatever its thread does at this moment, and drops orders that have not begun.
    pub(crate) fn stop(&self) -> Result<(), Refusal> {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        let device = lock(&self.device).clone();
        device.map_or(Ok(()), |d| d.stop().map_err(|e| refusal(&e)))
    }
}

/// The thread's own view.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    listener: Arc<dyn StageListener>,
    /// Moves cut into small ones: axis, end, speed, next instant, epoch.
    ramps: Vec<Ramp>,
    sampled: Vec<Option<(StageSample, Instant)>>,
    retry_at: Instant,
}

struct Ramp {
    axis: u32,
    to: f64,
    at: f64,
    next: Instant,
    epoch: u64,
}

impl Driver {
    /// Starts the thread; `opened` hears whether the stage could be opened the first time.
    pub(crate) fn start(
        shared: Arc<Shared>,
        listener: Arc<dyn StageListener>,
        opened: Done,
    ) -> std::io::Result<(Sender<Order>, std::thread::JoinHandle<()>)> {
        let (sender, orders) = std::sync::mpsc::channel();
        let name = format!("stage {}", shared.name);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let now = Instant::now();
            let mut driver = Self { shared, orders, listener, ramps: Vec::new(), sampled: Vec::new(), retry_at: now };
            let first = driver.open();
            let fine = first.is_ok();
            opened(first);
            if fine {
                driver.run();
            }
            driver.close();
        })?;
        Ok((sender, thread))
    }

    fn open(&mut self) -> Result<(), Refusal> {
        let o = &self.shared.opening;
        let stage = Stage::open(&o.component, &o.device, &o.params).map_err(|e| refusal(&e))?;
        let mut axes = lock(&self.shared.axes);
        // A stage that comes back keeps its windows and caps, if it still is the same.
        let same = axes.iter().map(|a| &a.axis).eq(stage.axes());
        if !same {
            *axes = stage.axes().iter().map(AxisState::new).collect();
        }
        for a in axes.iter_mut() {
            (a.target, a.moving) = (None, false);
        }
        self.sampled = vec![None; axes.len()];
        drop(axes);
        *lock(&self.shared.device) = Some(Arc::new(stage));
        *lock(&self.shared.failure) = None;
        Ok(())
    }

    fn close(&self) {
        let device = lock(&self.shared.device).take();
        if let Some(d) = device {
            // Nothing more can be done about one that does not stop: it is closed next.
            let _ = d.stop();
        }
    }

    fn run(&mut self) {
        loop {
            let moving = !self.ramps.is_empty() || self.shared.with_axes(|axes| axes.iter().any(|a| a.moving));
            match self.orders.recv_timeout(if moving { LOOK_MOVING } else { LOOK }) {
                Ok(Order::Close) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(order) => self.carry_out(order),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let device = lock(&self.shared.device).clone();
            match device {
                Some(device) => {
                    if let Err(e) = self.ramp(&device).and_then(|()| self.look(&device)) {
                        self.lose(&e);
                    }
                }
                None if Instant::now() >= self.retry_at => self.look_for_it(),
                None => {}
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        let device = lock(&self.shared.device).clone();
        let (axis, epoch, to, done) = match order {
            Order::Move { axis, to, epoch, done } => (axis, epoch, Some(to), done),
            Order::Home { axis, epoch, done } => (axis, epoch, None, done),
            Order::Close => return,
        };
        let Some(device) = device else {
            let gone = self.shared.failure().unwrap_or_else(|| stopped(&self.shared.name));
            return done(Err(gone));
        };
        if epoch != self.shared.epoch() {
            return done(Err(stopped(&self.shared.name)));
        }
        self.ramps.retain(|r| r.axis != axis);
        let outcome = match to {
            None => device.home(axis),
            Some(to) => self.begin_move(&device, axis, to, epoch),
        };
        let outcome = outcome.map_err(|e| refusal(&e));
        if outcome.is_ok() {
            self.shared.with_axes(|axes| {
                let a = &mut axes[axis as usize];
                (a.target, a.moving) = (to, true);
            });
        }
        done(outcome);
    }

    fn begin_move(&mut self, device: &Stage, axis: u32, to: f64, epoch: u64) -> Result<(), PluginError> {
        let slowed = self.shared.with_axes(|axes| axes[axis as usize].guard.is_slowed());
        if !slowed {
            return device.move_to(axis, to);
        }
        let at = device.position(axis)?;
        self.ramps.push(Ramp { axis, to, at, next: Instant::now(), epoch });
        Ok(())
    }

    /// Sends axes that are slowed down a little farther.
    fn ramp(&mut self, device: &Stage) -> Result<(), PluginError> {
        let (now, epoch) = (Instant::now(), self.shared.epoch());
        self.ramps.retain(|r| r.epoch == epoch);
        for r in self.ramps.iter_mut().filter(|r| r.next <= now) {
            let speed = self.shared.with_axes(|axes| axes[r.axis as usize].guard.max_speed_per_s);
            let step = speed / RAMP_PER_S;
            r.at = if (r.to - r.at).abs() <= step { r.to } else { r.at + step.copysign(r.to - r.at) };
            device.move_to(r.axis, r.at)?;
            r.next += Duration::from_secs_f64(1.0 / RAMP_PER_S);
        }
        self.ramps.retain(|r| r.at != r.to);
        Ok(())
    }

    fn look(&mut self, device: &Stage) -> Result<(), PluginError> {
        for axis in 0..device.axes().len() as u32 {
            let i = axis as usize;
            let position = device.position(axis)?;
            let ramping = self.ramps.iter().any(|r| r.axis == axis);
            let moving = device.moving(axis)? || ramping;
            let time_ns = now_ns();
            let target = self.shared.with_axes(|axes| {
                let a = &mut axes[i];
                (a.position, a.moving, a.seen_ns) = (Some(position), moving, time_ns);
                a.target
            });
            let sample = StageSample { time_ns, stage: self.shared.name.clone(), axis, position, target, moving };
            let (changed, due) = match &self.sampled[i] {
                None => (true, true),
                Some((last, at)) => {
                    let same = (last.position, last.target, last.moving) == (position, target, moving);
                    (!same, at.elapsed() >= LOOK)
                }
            };
            if changed || due {
                self.listener.sample(&sample);
                self.sampled[i] = Some((sample, Instant::now()));
            }
        }
        Ok(())
    }

    fn lose(&mut self, error: &PluginError) {
        *lock(&self.shared.device) = None;
        self.ramps.clear();
        self.shared.with_axes(|axes| axes.iter_mut().for_each(|a| (a.position, a.moving) = (None, false)));
        let why = refusal(error);
        *lock(&self.shared.failure) = Some(why.clone());
        self.retry_at = Instant::now() + RETRY;
        self.tell(Severity::Error, false, &why.cause);
    }

    fn look_for_it(&mut self) {
        self.retry_at = Instant::now() + RETRY;
        if self.open().is_ok() {
            self.tell(Severity::Warning, true, "it answers again; nothing was moved");
        }
    }

    fn tell(&self, severity: Severity, connected: bool, cause: &str) {
        let stage = self.shared.name.to_string();
        self.listener.event(severity, EventKind::StageConnection { stage, connected, cause: cause.to_owned() });
    }
}

impl AxisState {
    fn new(axis: &Axis) -> Self {
        Self {
            guard: AxisGuard::new(axis),
            axis: axis.clone(),
            position: None,
            target: None,
            moving: false,
            seen_ns: i64::MIN,
        }
    }
}

fn refusal(e: &PluginError) -> Refusal {
    let text = e.to_string();
    let mut lines = text.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    Refusal { kind: RefusalKind::Device, thing: line(), cause: line(), mend: line() }
}

fn stopped(name: &str) -> Refusal {
    Refusal::new(
        RefusalKind::Cancelled,
        format!("cannot move {name}"),
        "everything was stopped before this move began",
        "arm the stages and send it again",
    )
}
