//! Space on the disk: how much there is, and how long it lasts.

use std::path::Path;

use crate::error::{ErrorKind, FileError, Result};
use crate::recording::records::StackOptions;

/// Bytes of a row in the live log, with what Arrow and the checksums add at a batch of a few hundred rows (measured: 81
/// to 95).
pub const ROW_BYTES: u64 = 96;

/// What is always left free: finishing needs room, and other programs too.
pub const KEEP_FREE_BYTES: u64 = 64 << 20;

/// Finishing writes the rows a second time, at 45 % of their size in the log, before the log goes.
const FINISHING_PERCENT: u64 = 45;

/// Space on the disk that holds a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What an ordinary user may still write.
    pub free_bytes: u64,
    /// The size of the disk.
    pub total_bytes: u64,
}

/// Asks the operating system for the space where `path` is; `None` where it can't be asked.
pub fn disk_space(path: &Path) -> Result<Option<DiskSpace>> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(path).map_err(|e| FileError::reading(path, &e.into()))?;
        Ok(Some(DiskSpace {
            free_bytes: found.f_bavail * found.f_frsize,
            total_bytes: found.f_blocks * found.f_frsize,
        }))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(None)
    }
}

/// Bytes per second that a recording will write.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DataRate {
    /// Into tracks.
    pub rows_bytes_per_s: f64,
    /// Into everything else.
    pub other_bytes_per_s: f64,
}

impl DataRate {
    /// Of rows: beads × frames per second, for each track set.
    #[must_use]
    pub fn rows(rows_per_s: f64) -> Self {
        Self { rows_bytes_per_s: rows_per_s * ROW_BYTES as f64, other_bytes_per_s: 0.0 }
    }

    /// Of a video: full frames (`n_planes` 1) or the ROIs of `n_planes` beads.
    #[must_use]
    pub fn video(options: &StackOptions, n_planes: u32, frames_per_s: f64) -> Self {
        let plane =
            f64::from(options.width_px) * f64::from(options.height_px) * f64::from(options.depth.bytes_per_px());
        let index = 68.0 + 8.0 * options.channels.len() as f64 + 12.0 * f64::from(n_planes);
        Self { rows_bytes_per_s: 0.0, other_bytes_per_s: frames_per_s * (plane * f64::from(n_planes) + index) }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            rows_bytes_per_s: self.rows_bytes_per_s + other.rows_bytes_per_s,
            other_bytes_per_s: self.other_bytes_per_s + other.other_bytes_per_s,
        }
    }

    /// Everything.
    #[must_use]
    pub fn bytes_per_s(self) -> f64 {
        self.rows_bytes_per_s + self.other_bytes_per_s
    }
}

/// Seconds that `free_bytes` last at this rate, with what finishing needs of it and [`KEEP_FREE_BYTES`] left over. Of the
/// present `unfinished_log_bytes` (rows that are still in their log) finishing needs its part too. Infinite at no rate.
#[must_use]
pub fn seconds_left(free_bytes: u64, unfinished_log_bytes: u64, rate: DataRate) -> f64 {
    let finishing = unfinished_log_bytes / 100 * FINISHING_PERCENT;
    let usable = free_bytes.saturating_sub(KEEP_FREE_BYTES).saturating_sub(finishing);
    let per_s = rate.rows_bytes_per_s * (1.0 + FINISHING_PERCENT as f64 / 100.0) + rate.other_bytes_per_s;
    if per_s > 0.0 { usable as f64 / per_s } else { f64::INFINITY }
}

/// Refuses a start for which there is not enough space. Where the space can't be asked for, nothing is refused.
pub(crate) fn require(dir: &Path, needed_bytes: u64) -> Result<()> {
    let Some(space) = disk_space(dir)? else { return Ok(()) };
    let needed = needed_bytes.saturating_add(KEEP_FREE_BYTES);
    if space.free_bytes >= needed {
        return Ok(());
    }
    let mb = |n: u64| n.div_ceil(1_000_000);
    Err(FileError::new(
        ErrorKind::DiskFull,
        format!("cannot begin a recording in {}", dir.display()),
        format!("{} MB are free there, {} MB are needed", mb(space.free_bytes), mb(needed)),
        "make room, record for a shorter time or less, or choose another disk",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_counts_what_finishing_needs() {
        let rate = DataRate::rows(10_000.0);
        assert_eq!(rate.bytes_per_s(), 960_000.0);
        let free = KEEP_FREE_BYTES + 139_200_000;
        assert_eq!(seconds_left(free, 0, rate), 100.0);
        assert_eq!(seconds_left(free, 139_200_000, rate), 55.0);
        assert_eq!(seconds_left(0, 0, rate), 0.0);
        assert!(seconds_left(free, 0, DataRate::default()).is_infinite());
    }

    #[test]
    fn the_space_here_can_be_asked_for_and_too_much_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        if let Some(space) = disk_space(dir.path()).unwrap() {
            assert!(space.total_bytes > 0);
            let error = require(dir.path(), u64::MAX).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DiskFull);
            assert_eq!(error.to_string().lines().count(), 3);
        }
    }
}
