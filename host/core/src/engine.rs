//! The running experiment: camera to ring to tracks to disk, driven by commands. It reads like the drawing in the design:
//!
//! ```text
//! camera thread ──► ring ─┬─► live thread: batch → pool `live` → rows ─┬─► history ─► traces, newest rows
//!                         │        ▲ programs, at frame boundaries     ├─► recorder thread ─► disk
//!                         │        │                                   └─► sweep, questions
//!                         └─► display thread: newest frame             
//! clients ──► hub ──► control thread ──► jobs thread (whatever is slow)
//! ```
//!
//! - The **control thread** ([`control`]) does what clients ask, one command after the other, and publishes snapshots. It
//!   waits for nothing but its inputs.
//! - The **live thread** ([`live`]) takes frames in batches and never waits for a disk, a client, or a plugin beyond a limit.
//! - What is done with frames is one immutable [`program`], swapped at a frame boundary: that is how every change is exact.
//! - Nobody in here touches an address; the only shared memory is the ring's.

mod command_log;
mod control;
mod display;
mod health;
mod history;
mod jobs;
mod live;
mod meters;
mod pool;
mod program;
mod question;
mod recorder;
mod settings;
mod sweep;
mod times;
mod warnings;
mod work;

pub use command_log::{LoggedCommand, ReplayLog};
pub(crate) use control::read_zlut_choice;
pub(crate) use settings::resolve as resolve_method;

use crate::control::{BatchLimits, Client, Hub, Request, Snapshot};
use crate::{Optics, RunError};
use control::Control;
use history::History;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tetherscope_loader::Registry;

/// Hears of every command that changed something, in the order in which they took effect. On the control thread: to write
/// it down and return.
pub type CommandSink = Box<dyn FnMut(&LoggedCommand) + Send>;

/// How an engine runs. What clients may change later stands in commands instead.
pub struct EngineOptions {
    /// Scale and noise of the images.
    pub optics: Optics,
    /// Threads that track.
    pub threads: usize,
    /// Side of ROIs at the start.
    pub roi_size_px: u32,
    /// Bounds of a batch at the start.
    pub batch: BatchLimits,
    /// Bytes for the ring, as far as the memory allows them; it has at least [`EngineOptions::min_ring_slots`].
    pub ring_bytes: u64,
    /// Bytes of the ring besides for the past, which captures begin with.
    pub past_bytes: u64,
    /// Fewest slots of a ring.
    pub min_ring_slots: usize,
    /// Most bytes of a ring: arming a camera that needs more is refused. None: three quarters of the free memory.
    pub memory_budget_bytes: Option<u64>,
    /// Rows that are kept in memory.
    pub history_rows: usize,
    /// The camera waits and no frame is dropped: for frames that are files, tracked as fast as that goes.
    pub lossless: bool,
    /// How long a call of a tracker may take until its frames are written off.
    pub hang_limit: Duration,
    /// How often a camera that is gone is looked for; None: never.
    pub reopen_every: Option<Duration>,
    /// Rows that may wait for the disk, and bytes of frames outside the ring: more is `writer_full`.
    pub recorder_queue_batches: usize,
    /// Hears of commands.
    pub command_log: Option<CommandSink>,
    /// Commands that are given at their frames. Needs [`EngineOptions::lossless`].
    pub replay_log: Option<ReplayLog>,
}

impl EngineOptions {
    /// The usual.
    pub fn new(optics: Optics) -> Self {
        Self {
            optics,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            roi_size_px: 50,
            batch: BatchLimits { max_frames: 16, max_ms: 5.0 },
            ring_bytes: 256 << 20,
            past_bytes: 128 << 20,
            min_ring_slots: 64,
            memory_budget_bytes: None,
            history_rows: 1_000_000,
            lossless: false,
            hang_limit: Duration::from_secs(5),
            reopen_every: Some(Duration::from_secs(1)),
            recorder_queue_batches: 4096,
            command_log: None,
            replay_log: None,
        }
    }
}

/// What the control thread hears.
pub(crate) enum Input {
    /// A client asks.
    Request(Request),
    /// Slow work is done.
    Finished(jobs::Finish),
    /// Something beside commands and jobs is done.
    Beside(jobs::Finish),
    /// The live thread tells.
    Live(live::Note),
    /// The engine is dropped.
    End,
}

/// A running experiment. Ends, tidily, when it is dropped or told to shut down.
pub struct Engine {
    hub: Arc<Hub>,
    inputs: Mutex<Sender<Input>>,
    control: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts it. No camera is open.
    ///
    /// # Errors
    /// Optics that make no sense, options that contradict each other, no threads.
    pub fn start(registry: Arc<Registry>, options: EngineOptions) -> Result<Self, RunError> {
        options.optics.check()?;
        if options.replay_log.is_some() && !options.lossless {
            return Err(RunError::refused(
                "cannot replay a log of commands",
                "frames that may be dropped would meet other commands than before",
                "run lossless, on a recording's frames",
            ));
        }
        let (inputs, inbox) = channel();
        let history = History::new(options.history_rows);
        let to_control = inputs.clone();
        let first = Snapshot::empty(options.optics);
        let hub = Hub::open(first, history.clone(), Box::new(move |r| to_control.send(Input::Request(r)).is_ok()));
        let control = Control::new(registry, options, hub.clone(), history, inputs.clone())?;
        let spawned = std::thread::Builder::new().name("control".into()).spawn(move || control.run(&inbox));
        let control = spawned.map_err(|e| {
            RunError::refused("cannot start the engine", format!("a thread: {e}"), "close other programs")
        })?;
        Ok(Self { hub, inputs: Mutex::new(inputs), control: Some(control) })
    }

    /// A new client. All are equal.
    pub fn client(&self, name: &str) -> Client {
        self.hub.client(name)
    }

    /// True once it has ended.
    pub fn has_ended(&self) -> bool {
        self.control.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.inputs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).send(Input::End);
        if self.control.take().is_some_and(|c| c.join().is_err()) {
            tracing::error!("the control thread panicked");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end();
    }
}
