//! A camera that fills a ring: started, watched and stopped from here, while a thread of its own polls it (`thread.rs`). It
//! knows no consumer.
//!
//! # Stopping
//! [`LiveCamera::stop`] works while the camera is silent, and when its plugin does not come back: the plugin's own `stop`
//! is called beside a poll that does not return, and after [`CameraOptions::stop_limit`] the thread is left to itself, the
//! ring takes nothing more from it, and the state says so.

mod thread;

use crate::error::RunError;
use crate::ring::{Ring, RingTarget};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_loader::{Camera, Component, ParamSet, SettingsInfo, abi, now_ns};

/// A poll that does not return by itself for so long after `stop` is woken by the plugin's own `stop`.
const WAKE_AFTER: Duration = Duration::from_millis(15);

/// How a camera is run.
#[derive(Debug, Clone)]
pub struct CameraOptions {
    /// How long one poll may wait for a frame.
    pub poll_for: Duration,
    /// How long `stop` waits for the plugin until it goes on without it.
    pub stop_limit: Duration,
    /// How to open it again when it was unplugged, or its process ended; None: then it is over.
    pub reopen: Option<Reopen>,
}

impl Default for CameraOptions {
    fn default() -> Self {
        Self { poll_for: Duration::from_millis(50), stop_limit: Duration::from_secs(5), reopen: None }
    }
}

/// How to open a camera again.
#[derive(Debug, Clone)]
pub struct Reopen {
    /// The camera's component.
    pub component: Component,
    /// Text for `open`.
    pub device: String,
    /// Parameters for `open`.
    pub params: ParamSet,
    /// From one attempt to the next.
    pub every: Duration,
}

/// How a camera's run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CameraEnd {
    /// It was told to stop.
    Stopped,
    /// It gave its last frame.
    EndOfData,
    /// The device is gone; in the camera's words.
    Disconnected(String),
    /// Something failed; what is said about it.
    Failed(String),
    /// Its plugin did not come back and was left to itself; three lines.
    WrittenOff(String),
}

/// What a camera does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CameraState {
    /// It is polled.
    Running,
    /// It is gone, and is opened again as soon as it is there.
    Reopening {
        /// Attempts so far.
        attempts: u64,
        /// Why it was gone, or why the last attempt failed.
        cause: String,
    },
    /// It is over.
    Ended(CameraEnd),
}

struct Shared {
    ring: Arc<Ring>,
    options: CameraOptions,
    stop: AtomicBool,
    /// The thread was left to itself: what it still does is not told any more.
    written_off: AtomicBool,
    n_polls: AtomicU64,
    /// When the poll under way began; 0 between polls.
    polling_since_ns: AtomicI64,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    state: CameraState,
    /// The camera as it is open now.
    camera: Option<Arc<Camera>>,
    target: Option<RingTarget>,
    /// Settings that were changed, to be made again after opening it again.
    settings: Vec<(String, String)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn set_state(&self, state: CameraState) {
        if !self.written_off.load(Ordering::SeqCst) {
            self.lock().state = state;
            self.changed.notify_all();
        }
    }

    /// Waits until `done`, at most until `until`; true when it was.
    fn wait_until(&self, until: Option<Instant>, done: impl Fn(&Inner) -> bool) -> bool {
        let mut inner = self.lock();
        while !done(&inner) {
            let left = match until {
                None => Duration::from_secs(3600),
                Some(until) => match until.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => left,
                    _ => return false,
                },
            };
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

fn has_ended(inner: &Inner) -> bool {
    matches!(inner.state, CameraState::Ended(_))
}

/// A camera that fills a ring on a thread of its own. Stopped when dropped.
pub struct LiveCamera {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for LiveCamera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveCamera({:?})", self.state())
    }
}

impl LiveCamera {
    /// Arms an open camera into the ring, and begins to poll it. The ring was made for the format that it has now.
    ///
    /// # Errors
    /// What the plugin says, or a format that is not the ring's.
    pub fn start(camera: Arc<Camera>, ring: Arc<Ring>, options: CameraOptions) -> Result<Self, RunError> {
        check_format(&camera, &ring)?;
        let target = RingTarget::new(&ring);
        if let Err(e) = camera.start(Box::new(target.clone())) {
            target.retire(false);
            return Err(e.into());
        }
        let inner = Inner {
            state: CameraState::Running,
            camera: Some(camera.clone()),
            target: Some(target.clone()),
            settings: Vec::new(),
        };
        let shared = Arc::new(Shared {
            ring,
            options,
            stop: AtomicBool::new(false),
            written_off: AtomicBool::new(false),
            n_polls: AtomicU64::new(0),
            polling_since_ns: AtomicI64::new(0),
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        });
        let spawned = std::thread::Builder::new().name("camera".into()).spawn({
            let (shared, camera, target) = (shared.clone(), camera.clone(), target.clone());
            move || thread::run(&shared, camera, target)
        });
        match spawned {
            Ok(thread) => Ok(Self { shared, thread: Some(thread) }),
            Err(e) => {
                target.retire(camera.stop().is_ok());
                Err(RunError::refused("cannot start the camera's thread", e.to_string(), "close other programs"))
            }
        }
    }

    /// The ring that it fills.
    pub fn ring(&self) -> &Arc<Ring> {
        &self.shared.ring
    }

    /// What it does.
    pub fn state(&self) -> CameraState {
        self.shared.lock().state.clone()
    }

    /// How often it was polled.
    pub fn n_polls(&self) -> u64 {
        self.shared.n_polls.load(Ordering::Relaxed)
    }

    /// How long the poll under way has not come back beyond what it may wait: zero while all is well.
    pub fn overdue(&self) -> Duration {
        let since_ns = self.shared.polling_since_ns.load(Ordering::Relaxed);
        let for_ns = if since_ns == 0 { 0 } else { now_ns() - since_ns };
        Duration::from_nanos(u64::try_from(for_ns).unwrap_or(0)).saturating_sub(self.shared.options.poll_for)
    }

    /// The camera as it is open now; None while it is gone.
    pub fn camera(&self) -> Option<Arc<Camera>> {
        self.shared.lock().camera.clone()
    }

    /// Changes settings of the running camera, and gives them as they are then. After it was opened again they are made
    /// again.
    ///
    /// # Errors
    /// What the plugin says; a camera that is gone.
    pub fn set(&self, pairs: &[(String, String)]) -> Result<SettingsInfo, RunError> {
        let Some(camera) = self.camera() else {
            return Err(RunError::refused(
                "cannot change the camera's settings",
                "the camera is not connected",
                "connect it, and change them when it is back",
            ));
        };
        let settings = camera.set(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
        let mut inner = self.shared.lock();
        for (key, value) in pairs {
            match inner.settings.iter_mut().find(|(k, _)| k == key) {
                Some(entry) => entry.1.clone_from(value),
                None => inner.settings.push((key.clone(), value.clone())),
            }
        }
        Ok(settings)
    }

    /// Waits until it is over by itself, at most `timeout`; how it ended, if it has.
    pub fn wait(&self, timeout: Duration) -> Option<CameraEnd> {
        self.shared.wait_until(Instant::now().checked_add(timeout), has_ended);
        match self.state() {
            CameraState::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Stops it and its thread, and says how it ended. When this returns, nothing more comes into the ring.
    pub fn stop(&mut self) -> CameraEnd {
        let shared = &self.shared;
        shared.stop.store(true, Ordering::SeqCst);
        // Whoever waits for a slot in a call of the plugin is let go.
        shared.ring.close();
        shared.changed.notify_all();
        let begun = Instant::now();
        let limit = begun + shared.options.stop_limit;
        if !shared.wait_until(Some(limit.min(begun + WAKE_AFTER)), has_ended) {
            let waking = self.wake();
            if !self.shared.wait_until(Some(limit), has_ended) {
                return self.write_off();
            }
            // One that comes late would stop the camera's next start.
            let came = |w: &JoinHandle<()>| w.is_finished() || Instant::now() >= limit;
            while waking.as_ref().is_some_and(|w| !came(w)) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the camera's thread panicked");
        }
        self.ended()
    }

    /// Calls the plugin's `stop` beside a poll that does not return.
    fn wake(&self) -> Option<JoinHandle<()>> {
        let camera = self.camera()?;
        // A thread of its own: `stop` may hang too. If there is none, the poll has to end by itself.
        let waking = std::thread::Builder::new().name("camera-stop".into()).spawn(move || {
            // What goes wrong here goes wrong again in the camera's thread, which tells it.
            let _ = camera.stop();
        });
        waking.ok()
    }

    fn ended(&self) -> CameraEnd {
        match self.state() {
            CameraState::Ended(end) => end,
            _ => CameraEnd::Failed("the camera's thread ended without a word".into()),
        }
    }

    /// Goes on without a plugin that does not come back.
    fn write_off(&mut self) -> CameraEnd {
        let shared = &self.shared;
        // First, so that the thread, if it comes back right now, tells nothing any more.
        let (label, target) = {
            let mut inner = shared.lock();
            if has_ended(&inner) {
                drop(inner);
                return self.ended();
            }
            shared.written_off.store(true, Ordering::SeqCst);
            (inner.camera.as_ref().map(|c| c.component().label()), inner.target.take())
        };
        if let Some(target) = target {
            target.retire(false);
        }
        shared.ring.finish();
        let label = label.unwrap_or_else(|| "the camera".into());
        let end = CameraEnd::WrittenOff(format!(
            "{label} was left to itself\na call into its plugin did not return within {:?} after stop\nrun it isolated \
             (--isolate), so that it can be ended; until this program ends, the device may stay busy",
            shared.options.stop_limit
        ));
        shared.lock().state = CameraState::Ended(end.clone());
        shared.changed.notify_all();
        // Not joined: it may never end.
        self.thread = None;
        end
    }
}

impl Drop for LiveCamera {
    fn drop(&mut self) {
        if let (Some(_), CameraEnd::WrittenOff(why)) = (self.thread.is_some().then_some(()), self.stop_if_running()) {
            tracing::error!("{why}");
        }
    }
}

impl LiveCamera {
    fn stop_if_running(&mut self) -> CameraEnd {
        if self.thread.is_some() { self.stop() } else { CameraEnd::Stopped }
    }
}

fn check_format(camera: &Camera, ring: &Ring) -> Result<(), RunError> {
    let (now, made_for) = (camera.format()?, ring.format());
    let key = |f: &tetherscope_loader::CameraFormat| {
        let layout = (f.width_px, f.height_px, f.pixel_format, f.significant_bits, f.row_stride_bytes);
        let rest = (f.payload_bytes, f.image_offset_bytes, f.n_channel_values, f.flags & abi::FORMAT_MSB_ALIGNED);
        (layout, rest, f.ns_per_tick.to_bits(), f.time_instant, f.device_id_bits)
    };
    if key(&now) == key(made_for) {
        return Ok(());
    }
    Err(RunError::refused(
        format!("cannot let {} fill this ring", camera.component().label()),
        format!(
            "it delivers {} × {} px in {} bytes, the ring is made for {} × {} px in {} bytes, or they differ in depth or \
             time",
            now.width_px,
            now.height_px,
            now.payload_bytes,
            made_for.width_px,
            made_for.height_px,
            made_for.payload_bytes
        ),
        "arm it anew: a ring fits one format",
    ))
}
