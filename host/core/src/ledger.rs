//! The ledger: where every frame went. Each stage counts what it saw, what it passed on, what it dropped and why; the rest
//! is in flight. It counts with atomics, so that the live path may; it knows no frame and no stage's work.
//!
//! How a stage is counted, one of two ways:
//! - [`StageCounts`] with a [`Ticket`]: [`StageCounts::enter`] when frames come in, [`Ticket::delivered`] or
//!   [`Ticket::dropped`] for each of them. A ticket that is dropped before every frame was explained says so:
//!   unexplained.
//! - [`StageCounts::saw`], [`StageCounts::delivered`] and [`StageCounts::dropped`] by hand, where what is in flight is
//!   known otherwise (a queue's length). Then the snapshot is made with [`StageCounts::snapshot_with`].

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a frame was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// The device's ids, or the driver, say that the frame never came.
    CameraGap,
    /// The driver had no buffer of its own for it.
    Underrun,
    /// It came in parts, or damaged.
    Incomplete,
    /// No slot of the ring was free.
    RingFull,
    /// A consumer's queue was full.
    ConsumerSlow,
    /// Its turn came too late.
    Deadline,
    /// A call of a plugin failed.
    PluginError,
    /// A call of a plugin did not return.
    PluginHung,
    /// The plugin failed too often and is called no more.
    PluginDisabled,
    /// The writer had no room.
    WriterFull,
    /// The disk refused it.
    DiskError,
    /// The user stopped.
    UserStop,
    /// The program ended.
    Shutdown,
}

impl DropReason {
    /// All reasons, in the order of their counters.
    pub const ALL: [Self; 13] = [
        Self::CameraGap,
        Self::Underrun,
        Self::Incomplete,
        Self::RingFull,
        Self::ConsumerSlow,
        Self::Deadline,
        Self::PluginError,
        Self::PluginHung,
        Self::PluginDisabled,
        Self::WriterFull,
        Self::DiskError,
        Self::UserStop,
        Self::Shutdown,
    ];

    /// As it stands in files and snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Self::CameraGap => "camera_gap",
            Self::Underrun => "underrun",
            Self::Incomplete => "incomplete",
            Self::RingFull => "ring_full",
            Self::ConsumerSlow => "consumer_slow",
            Self::Deadline => "deadline",
            Self::PluginError => "plugin_error",
            Self::PluginHung => "plugin_hung",
            Self::PluginDisabled => "plugin_disabled",
            Self::WriterFull => "writer_full",
            Self::DiskError => "disk_error",
            Self::UserStop => "user_stop",
            Self::Shutdown => "shutdown",
        }
    }

    /// True for those that somebody wanted: they do not count as a loss.
    pub fn is_wanted(self) -> bool {
        matches!(self, Self::UserStop | Self::Shutdown)
    }
}

/// The counters of one stage.
#[derive(Debug)]
pub struct StageCounts {
    name: String,
    seen: AtomicU64,
    delivered: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    /// Held by tickets.
    ticketed: AtomicU64,
    /// Left by tickets that explained nothing.
    unexplained: AtomicU64,
    /// Frames that were never meant for this stage: see [`StageSnapshot::passed_over`].
    passed_over: AtomicU64,
}

impl StageCounts {
    /// A stage that has seen nothing yet.
    pub fn new(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            seen: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            dropped: Default::default(),
            ticketed: AtomicU64::new(0),
            unexplained: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `n` frames came in.
    pub fn saw(&self, n: u64) {
        self.seen.fetch_add(n, Ordering::AcqRel);
    }

    /// `n` frames that had been seen were after all not there.
    pub(crate) fn unsaw(&self, reason: DropReason, n: u64) {
        self.dropped[reason as usize].fetch_sub(n, Ordering::AcqRel);
        self.seen.fetch_sub(n, Ordering::AcqRel);
    }

    /// `n` frames that had been seen were passed over by the stage's own policy: they count neither as seen nor as lost.
    pub(crate) fn pass_over_seen(&self, n: u64) {
        self.seen.fetch_sub(n, Ordering::AcqRel);
        self.pass_over(n);
    }

    /// `n` frames were not meant for this stage.
    pub(crate) fn pass_over(&self, n: u64) {
        self.passed_over.fetch_add(n, Ordering::AcqRel);
    }

    /// `n` frames went on.
    pub fn delivered(&self, n: u64) {
        self.delivered.fetch_add(n, Ordering::AcqRel);
    }

    /// `n` frames were dropped.
    pub fn dropped(&self, reason: DropReason, n: u64) {
        self.dropped[reason as usize].fetch_add(n, Ordering::AcqRel);
    }

    /// `n` frames came in, and whoever holds the ticket will say what became of them.
    pub fn enter(self: &Arc<Self>, n: u64) -> Ticket {
        self.ticketed.fetch_add(n, Ordering::AcqRel);
        self.saw(n);
        Ticket { stage: self.clone(), left: n }
    }

    /// How it stands; in flight is what tickets hold.
    pub fn snapshot(&self) -> StageSnapshot {
        self.snapshot_with(|| self.ticketed.load(Ordering::Acquire))
    }

    /// How it stands, with what is in flight as `in_flight` tells it. Counters move while they are read, so this reads
    /// until two readings agree, or often enough to say that they do not.
    pub fn snapshot_with(&self, in_flight: impl Fn() -> u64) -> StageSnapshot {
        const MOST_READINGS: usize = 1000;
        let mut last = self.read(in_flight());
        for reading in 0..MOST_READINGS {
            let again = self.read(in_flight());
            if again == last && again.unexplained() == 0 {
                break;
            }
            last = again;
            if reading > 10 {
                std::thread::yield_now();
            }
        }
        last
    }

    fn read(&self, in_flight: u64) -> StageSnapshot {
        let load = |a: &AtomicU64| a.load(Ordering::Acquire);
        let dropped = DropReason::ALL.iter().zip(&self.dropped).map(|(reason, n)| (*reason, load(n)));
        StageSnapshot {
            stage: self.name.clone(),
            dropped: dropped.filter(|(_, n)| *n > 0).map(|(reason, frames)| Dropped { reason, frames }).collect(),
            delivered: load(&self.delivered),
            in_flight,
            passed_over: load(&self.passed_over),
            left_unexplained: load(&self.unexplained),
            seen: load(&self.seen),
        }
    }
}

/// Frames that entered a stage and whose fate is not told yet.
#[derive(Debug)]
#[must_use = "a ticket that is thrown away leaves its frames unexplained"]
pub struct Ticket {
    stage: Arc<StageCounts>,
    left: u64,
}

impl Ticket {
    /// Frames whose fate is not told yet.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// `n` of them went on. More than are left counts as what is left.
    pub fn delivered(&mut self, n: u64) {
        let n = self.take(n);
        self.stage.delivered(n);
    }

    /// `n` of them were dropped.
    pub fn dropped(&mut self, reason: DropReason, n: u64) {
        let n = self.take(n);
        self.stage.dropped(reason, n);
    }

    /// All that are left went on.
    pub fn deliver_rest(mut self) {
        self.delivered(self.left);
    }

    /// All that are left were dropped.
    pub fn drop_rest(mut self, reason: DropReason) {
        self.dropped(reason, self.left);
    }

    fn take(&mut self, n: u64) -> u64 {
        debug_assert!(n <= self.left, "{n} frames explained, the ticket has {}", self.left);
        let n = n.min(self.left);
        self.left -= n;
        self.stage.ticketed.fetch_sub(n, Ordering::AcqRel);
        n
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let n = self.take(self.left);
        self.stage.unexplained.fetch_add(n, Ordering::AcqRel);
    }
}

/// Frames dropped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub frames: u64,
}

/// How a stage stands. `seen = delivered + Σ dropped + in_flight`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSnapshot {
    /// Its name.
    pub stage: String,
    /// Frames that came in.
    pub seen: u64,
    /// Frames that went on.
    pub delivered: u64,
    /// Frames that were dropped, by reason; reasons without a frame are left out.
    pub dropped: Vec<Dropped>,
    /// Frames inside.
    pub in_flight: u64,
    /// Frames that the stage's own policy passed over, such as those between two pictures of a display. Not among those
    /// seen, and no loss.
    #[serde(default)]
    pub passed_over: u64,
    /// Frames of which somebody inside the stage lost sight.
    #[serde(default)]
    pub left_unexplained: u64,
}

impl StageSnapshot {
    /// Frames dropped for all reasons together.
    pub fn n_dropped(&self) -> u64 {
        self.dropped.iter().map(|d| d.frames).sum()
    }

    /// Frames that were lost: dropped for a reason that nobody wanted.
    pub fn n_lost(&self) -> u64 {
        self.dropped.iter().filter(|d| !d.reason.is_wanted()).map(|d| d.frames).sum()
    }

    /// Frames dropped for one reason.
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped.iter().filter(|d| d.reason == reason).map(|d| d.frames).sum()
    }

    /// Frames that are missing from the sum (positive), or too many in it (negative). Always 0, unless we have a bug.
    pub fn unexplained(&self) -> i128 {
        let sum = i128::from(self.delivered) + i128::from(self.n_dropped()) + i128::from(self.in_flight);
        i128::from(self.seen) - sum
    }
}

/// How all stages stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LedgerSnapshot {
    /// The stages, in the order in which frames pass.
    pub stages: Vec<StageSnapshot>,
}

/// A stage whose frames do not add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutOfBalance {
    /// The stage as it stands.
    pub stage: StageSnapshot,
}

impl std::fmt::Display for OutOfBalance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let s = &self.stage;
        write!(
            f,
            "the ledger of the stage `{}` does not add up\n{} frames seen, {} delivered + {} dropped + {} in flight: {} \
             unexplained\nthis is a bug of Tetherscope: please report it with the recording",
            s.stage,
            s.seen,
            s.delivered,
            s.n_dropped(),
            s.in_flight,
            s.unexplained()
        )
    }
}

impl std::error::Error for OutOfBalance {}

impl LedgerSnapshot {
    /// One stage.
    pub fn stage(&self, name: &str) -> Option<&StageSnapshot> {
        self.stages.iter().find(|s| s.stage == name)
    }

    /// Frames that no stage can account for: 0.
    pub fn unexplained(&self) -> u128 {
        self.stages.iter().map(|s| s.unexplained().unsigned_abs()).sum()
    }

    /// Checks every stage's sum; the error is the first that does not add up.
    pub fn check(&self) -> Result<(), OutOfBalance> {
        match self.stages.iter().find(|s| s.unexplained() != 0) {
            Some(stage) => Err(OutOfBalance { stage: stage.clone() }),
            None => Ok(()),
        }
    }

    /// Frames lost in all stages together.
    pub fn n_lost(&self) -> u64 {
        self.stages.iter().map(StageSnapshot::n_lost).sum()
    }
}

/// Makes a stage's snapshot.
type Reader = Box<dyn Fn() -> StageSnapshot + Send + Sync>;

/// The stages of a run. Cheap to clone; every clone is the same ledger.
#[derive(Clone, Default)]
pub struct Ledger {
    stages: Arc<Mutex<Vec<Reader>>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.snapshot().stages).finish()
    }
}

impl Ledger {
    /// A ledger without stages.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stage that counts with tickets.
    pub fn stage(&self, name: impl Into<String>) -> Arc<StageCounts> {
        let counts = StageCounts::new(name);
        let read = counts.clone();
        self.add(move || read.snapshot());
        counts
    }

    /// Adds a stage that knows by itself how it stands. It stays in the ledger when the stage is long gone.
    pub fn add(&self, read: impl Fn() -> StageSnapshot + Send + Sync + 'static) {
        self.lock().push(Box::new(read));
    }

    /// How all stages stand.
    pub fn snapshot(&self) -> LedgerSnapshot {
        LedgerSnapshot { stages: self.lock().iter().map(|read| read()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_adds_up_while_frames_are_in_it_and_after() {
        let ledger = Ledger::new();
        let tracking = ledger.stage("tracking");
        let mut ticket = tracking.enter(10);
        ticket.delivered(6);
        ticket.dropped(DropReason::PluginError, 1);
        let now = ledger.snapshot();
        assert_eq!(now.check(), Ok(()));
        let stage = now.stage("tracking").unwrap();
        assert_eq!((stage.seen, stage.delivered, stage.n_dropped(), stage.in_flight), (10, 6, 1, 3));
        ticket.drop_rest(DropReason::UserStop);
        let stage = tracking.snapshot();
        assert_eq!((stage.in_flight, stage.n_dropped(), stage.n_lost()), (0, 4, 1));
        assert_eq!(stage.dropped_for(DropReason::UserStop), 3);
    }

    #[test]
    fn frames_that_nobody_explains_are_found_by_the_name_of_their_stage() {
        let ledger = Ledger::new();
        ledger.stage("display").enter(2).deliver_rest();
        drop(ledger.stage("recorder").enter(3));
        let error = ledger.snapshot().check().unwrap_err();
        assert_eq!((error.stage.stage.as_str(), error.stage.unexplained()), ("recorder", 3));
        assert_eq!((error.stage.left_unexplained, ledger.snapshot().unexplained()), (3, 3));
        assert!(error.to_string().starts_with("the ledger of the stage `recorder` does not add up\n3 frames seen"));
        assert_eq!(error.to_string().lines().count(), 3);
    }

    #[test]
    fn every_reason_has_its_own_counter_and_its_name_in_files() {
        let stage = StageCounts::new("all");
        for (n, reason) in DropReason::ALL.into_iter().enumerate() {
            stage.saw(n as u64 + 1);
            stage.dropped(reason, n as u64 + 1);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
        let snapshot = stage.snapshot_with(|| 0);
        assert_eq!(snapshot.unexplained(), 0);
        for (n, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(snapshot.dropped_for(reason), n as u64 + 1, "{}", reason.name());
        }
        let json = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(serde_json::from_str::<StageSnapshot>(&json).unwrap(), snapshot);
    }

    #[test]
    fn a_snapshot_taken_while_others_count_adds_up() {
        let ledger = Ledger::new();
        let stage = ledger.stage("busy");
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    for _ in 0..2000 {
                        let mut ticket = stage.enter(3);
                        ticket.delivered(2);
                        ticket.drop_rest(DropReason::Deadline);
                        std::thread::sleep(std::time::Duration::from_micros(20));
                    }
                });
            }
            for _ in 0..50 {
                ledger.snapshot().check().unwrap();
            }
        });
        assert_eq!(stage.snapshot().seen, 12_000);
    }
}
