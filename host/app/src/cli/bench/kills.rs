//! Recordings whose program is ended at random moments, as by the kernel or a power switch of a process: how much is lost,
//! and whether every one opens.

use super::children;
use super::live::Bed;
use super::rows::Figure;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tetherscope_core::RunError;
use tetherscope_files::{Recording, recover};

/// How long a recording may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);

/// A recording is ended at a moment within this time: rows are written out each tenth of a second, the disk is waited for
/// once a second.
const MOST_MS: u64 = 1200;
/// How often it tells how far it is.
const TELL_EVERY: u32 = 10;

const RIG: &str = r#"version = 1
[camera]
method = "camera.sim"
[camera.parameters]
nm_per_px = 100.0
focus_start_nm = -3000.0
[optics]
nm_per_px = 100.0
[beads]
list = [{ bead = 0, x_px = 100, y_px = 80 }, { bead = 1, x_px = 300, y_px = 120 }]
[tracker]
method = "tracker.quadrant"
[tracking]
mode = "track_and_roi_video"
[recording]
folder = "kills"
name = "run {n}"
"#;

/// Kills `n` recordings, fewer if they take longer than `limit`.
pub(super) fn measure(bed: &Bed<'_>, n: u32, limit: Duration) -> Result<Figure, RunError> {
    let rig = bed.folder.join("kills.toml");
    std::fs::write(&rig, RIG).map_err(|e| bed.unusable(&e))?;
    let begun = Instant::now();
    let (mut lost, mut mended, mut damaged, mut rows) = (Vec::new(), 0, 0, 0_u64);
    // A fixed sequence: the same moments each time, as far as a machine repeats itself.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for i in 0..n {
        if begun.elapsed() >= limit {
            bed.say(&format!("{i} of {n} kills after {} s: that is all there is time for", limit.as_secs()));
            break;
        }
        if bed.context.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_millis(20 + (random >> 33) % MOST_MS);
        let (folder, killed_ns) = kill_one(bed, wait)?;
        recover(&folder)?;
        mended += 1;
        let recording = Recording::open(&folder)?;
        damaged += usize::from(!recording.check()?.is_empty());
        let (count, last_ns) = rows_of(&recording)?;
        rows += count;
        lost.push(last_ns.map_or(f64::INFINITY, |last| (killed_ns - last) as f64 * 1e-9));
        if (i + 1) % TELL_EVERY == 0 {
            let most = lost.iter().copied().fold(0.0, f64::max);
            bed.say(&format!(
                "{} of {n} kills, at most {most:.3} s lost, {:.0} s",
                i + 1,
                begun.elapsed().as_secs_f64()
            ));
        }
        // Hundreds of recordings would fill a disk.
        let _ = std::fs::remove_dir_all(&folder);
    }
    lost.sort_by(f64::total_cmp);
    let at = |q: f64| lost.get((q * (lost.len() as f64 - 1.0)).round() as usize).copied().unwrap_or(f64::NAN);
    let n = lost.len();
    Ok(Figure::of(format!("kill -9: {n} recordings at 100 frames/s, ROI video on, ended at random moments"))
        .with("recordings that open and are mended", f64::from(mended), "")
        .with("recordings with damage after that", damaged as f64, "")
        .with("rows kept", rows as f64, "")
        .with("lost before the end, p50", at(0.5), "s")
        .with("lost before the end, most", at(1.0), "s"))
}

/// The recording's folder, and when its writer was ended.
fn kill_one(bed: &Bed<'_>, wait: Duration) -> Result<(PathBuf, i64), RunError> {
    let before = folders(&bed.folder.join("kills"));
    let mut child = children::start(&bed.folder, &["acquire", "--config", "kills.toml"], &bed.shared)?;
    let until = Instant::now() + PATIENCE;
    let begun = loop {
        let new = folders(&bed.folder.join("kills")).into_iter().find(|f| !before.contains(f));
        let has_rows = |f: &PathBuf| Recording::open(f).ok().and_then(|r| rows_of(&r).ok()).is_some_and(|r| r.0 > 0);
        if let Some(folder) = new.filter(has_rows) {
            break folder;
        }
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() || Instant::now() > until {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            let cause = ended.map_or_else(|| "no row came in time".to_owned(), |s| format!("it ended: {s}"));
            return Err(RunError::refused("cannot record what is to be killed", cause, "look at the log"));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    std::thread::sleep(wait);
    let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let gone = |e: std::io::Error| RunError::refused("cannot end a recording", e.to_string(), "run it again");
    child.kill().map_err(gone)?;
    child.wait().map_err(gone)?;
    Ok((begun, i64::try_from(killed.as_nanos()).unwrap_or(i64::MAX)))
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect()
}

/// Rows, and the time of the last.
fn rows_of(recording: &Recording) -> Result<(u64, Option<i64>), RunError> {
    let (mut n, mut last) = (0, None);
    for set in recording.track_sets() {
        let mut reader = recording.tracks(&set)?;
        let mut rows = Vec::new();
        while reader.read_batch(&mut rows)? > 0 {
            n += rows.len() as u64;
            last = last.max(rows.iter().filter_map(|r| r.time_ns).max());
            rows.clear();
        }
    }
    Ok((n, last))
}
