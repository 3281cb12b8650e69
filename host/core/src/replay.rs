//! A recording played as a camera: its frames go into the ring at recorded timing, or as fast as they are taken, and what was
//! missing then is told as missing now. It stands where a camera and its thread stand; nobody behind the ring sees a
//! difference.

use crate::error::RunError;
use crate::live_camera::CameraEnd;
use crate::ring::{Ring, RingTarget};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tetherscope_files::{FrameCondition, FrameRecord, FramesReader, GreyDepth, PlaneFormat, Recording, StoredFrame};
use tetherscope_loader::{CameraFormat, ChannelInfo, FrameInfo, FrameTarget, abi};

/// A recording with full frames.
#[derive(Debug, Clone)]
pub struct ReplaySource {
    folder: PathBuf,
    plane: PlaneFormat,
    /// As a camera says it.
    format: CameraFormat,
    n_frames: u64,
}

/// How it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayTiming {
    /// As the frames came then.
    Recorded,
    /// As fast as the ring takes them.
    Fast,
}

impl ReplaySource {
    /// Opens a recording. Nothing is played yet.
    ///
    /// # Errors
    /// No recording, or one without full frames.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let frames = Recording::open(folder)?.frames()?;
        let plane = frames.format().filter(|_| frames.n_frames() > 0).ok_or_else(|| {
            RunError::refused(
                format!("cannot play {}", folder.display()),
                "it holds no full frames",
                "give a recording that was made in a mode with full video",
            )
        })?;
        let code = match (plane.depth, plane.significant_bits) {
            (GreyDepth::U8, _) => abi::PIXEL_MONO8,
            (GreyDepth::U16, 10) => abi::PIXEL_MONO10,
            (GreyDepth::U16, 12) => abi::PIXEL_MONO12,
            (GreyDepth::U16, 14) => abi::PIXEL_MONO14,
            (GreyDepth::U16, _) => abi::PIXEL_MONO16,
        };
        let format = CameraFormat {
            ns_per_tick: 1.0,
            device_id_bits: 64,
            n_channel_values: plane.channels.len() as u32,
            ..CameraFormat::packed(plane.width_px, plane.height_px, code, plane.significant_bits)
        };
        Ok(Self { folder: folder.to_owned(), n_frames: frames.n_frames(), plane, format })
    }

    /// The recording's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The format of its frames.
    pub fn format(&self) -> &CameraFormat {
        &self.format
    }

    /// Its frames.
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// The channels of its frames, one value each.
    pub fn channels(&self) -> Vec<ChannelInfo> {
        let info =
            |c: &tetherscope_files::ChannelName| ChannelInfo { key: c.key.clone(), unit: c.unit.clone(), length: 1 };
        self.plane.channels.iter().map(info).collect()
    }
}

/// A recording that is being played.
pub(crate) struct ReplayPlayer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    end: Mutex<Option<CameraEnd>>,
    changed: Condvar,
}

impl ReplayPlayer {
    /// Plays into the ring from now on.
    pub(crate) fn start(source: &ReplaySource, timing: ReplayTiming, ring: Arc<Ring>) -> Result<Self, RunError> {
        let frames = Recording::open(&source.folder)?.frames()?;
        let shared = Arc::new(Shared { stop: AtomicBool::new(false), end: Mutex::new(None), changed: Condvar::new() });
        let target = RingTarget::new(&ring);
        let thread = std::thread::Builder::new().name("replay".into()).spawn({
            let (shared, folder) = (shared.clone(), source.folder.clone());
            move || {
                let end = play(&shared, frames, timing, &target, &folder);
                target.retire(true);
                *shared.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
                ring.finish();
            }
        });
        match thread {
            Ok(thread) => Ok(Self { shared, thread: Some(thread) }),
            Err(e) => {
                Err(RunError::refused("cannot play a recording", format!("a thread: {e}"), "close other programs"))
            }
        }
    }

    /// Stops it, and says how it ended.
    pub(crate) fn stop(&mut self, ring: &Ring) -> CameraEnd {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Whoever waits for a slot is let go.
        ring.close();
        self.shared.changed.notify_all();
        if self.thread.take().is_some_and(|t| t.join().is_err()) {
            return CameraEnd::Failed("the thread that plays the recording panicked".into());
        }
        let end = self.shared.end.lock().unwrap_or_else(PoisonError::into_inner).clone();
        end.unwrap_or(CameraEnd::Stopped)
    }
}

/// When a frame came, on a clock of the recording's.
fn came_at_ns(record: &FrameRecord) -> i64 {
    i64::try_from(record.arrival_mono_ns).unwrap_or(i64::MAX)
}

fn play(
    shared: &Shared,
    mut frames: FramesReader,
    timing: ReplayTiming,
    target: &RingTarget,
    folder: &Path,
) -> CameraEnd {
    let mut stored = StoredFrame::default();
    let mut expected: Option<u64> = None;
    let mut begun: Option<(Instant, i64)> = None;
    loop {
        if shared.stop.load(Ordering::SeqCst) {
            return CameraEnd::Stopped;
        }
        let condition = match frames.read(&mut stored) {
            Ok(None) => return CameraEnd::EndOfData,
            Ok(Some(condition)) => condition,
            Err(e) => return CameraEnd::Failed(format!("{}: {e}", folder.display())),
        };
        if condition == FrameCondition::RecordDamaged {
            // Nothing is known of it; the next one shows how many are missing.
            continue;
        }
        let record = &stored.record;
        if timing == ReplayTiming::Recorded {
            let (at, first_ns) = *begun.get_or_insert((Instant::now(), came_at_ns(record)));
            let after = u64::try_from(came_at_ns(record).saturating_sub(first_ns)).unwrap_or(0);
            if !wait_until(shared, at + Duration::from_nanos(after)) {
                return CameraEnd::Stopped;
            }
        }
        let missing = expected.map_or(0, |e| record.index.saturating_sub(e));
        target.lost(missing, abi::LOST_CAMERA_GAP);
        expected = Some(record.index + 1);
        if condition == FrameCondition::PixelsDamaged {
            target.lost(1, abi::LOST_INCOMPLETE);
            continue;
        }
        // Without an id of the device's the index is as good: it shows what is missing.
        let id = record.device_id.unwrap_or(abi::NO_DEVICE_FRAME_ID);
        let mut info = FrameInfo::new(id, record.device_time_ns.unwrap_or(abi::NO_DEVICE_TIME));
        info.exposure_ns = record.exposure_ns.unwrap_or(-1);
        if !target.push(&stored.pixels, &info, &record.channels) && shared.stop.load(Ordering::SeqCst) {
            return CameraEnd::Stopped;
        }
    }
}

/// Waits; false when it was told to stop.
fn wait_until(shared: &Shared, until: Instant) -> bool {
    let mut end = shared.end.lock().unwrap_or_else(PoisonError::into_inner);
    while !shared.stop.load(Ordering::SeqCst) {
        let Some(left) = until.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) else { return true };
        // Looked at again soon: `stop` does not hold the lock when it tells.
        let waited = shared.changed.wait_timeout(end, left.min(Duration::from_millis(50)));
        end = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    false
}
