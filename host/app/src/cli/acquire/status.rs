//! What a person sees while an acquisition runs: one line that says how things stand, and a line for each problem.

use super::report::by_reason;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;
use tetherscope_core::control::{CameraState, Event, EventKind, RecordingState, Snapshot};

/// The line at the bottom of a terminal; nothing elsewhere.
pub(super) fn bar(shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    bar.set_style(
        ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// How things stand, in one line.
pub(super) fn line(now: &Snapshot, seconds: f64) -> String {
    let mut parts = vec![clock(seconds)];
    match &now.camera.state {
        CameraState::Lost(refusal) => parts.push(format!("camera gone ({})", refusal.cause)),
        _ => {
            let frames = now.health.newest_frame.map_or(0, |f| f + 1);
            parts.push(format!("{frames} frames, {:.1}/s", now.health.frame_rate_hz));
        }
    }
    parts.push(format!("{} beads", now.beads.len()));
    let drops = by_reason(&now.ledger);
    let n: u64 = drops.iter().map(|(_, n)| n).sum();
    parts.push(match n {
        0 => "0 dropped".to_owned(),
        n => {
            let list: Vec<String> = drops.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
            format!("{n} dropped ({})", list.join(", "))
        }
    });
    if let Some(row) = now.health.latencies.iter().find(|l| l.to == "row") {
        parts.push(format!("row after {:.1} ms (p99 {:.1})", row.p50_ms, row.p99_ms));
    }
    parts.push(format!("queue {}", now.health.tracking_queue));
    if now.health.ring_slots > 0 {
        parts.push(format!("ring {} %", 100 * u64::from(now.health.ring_in_use) / u64::from(now.health.ring_slots)));
    }
    parts.push(match now.recording.state {
        RecordingState::On => format!("{} written{}", size(now.recording.bytes), room(now)),
        RecordingState::Finishing => "finishing the recording".into(),
        RecordingState::Failed(_) => "recording failed".into(),
        RecordingState::Off => "not recording".into(),
    });
    parts.join("  ")
}

fn room(now: &Snapshot) -> String {
    match (now.recording.disk_free_bytes, now.recording.disk_full_in_s) {
        (Some(free), Some(s)) if s < 7.0 * 86_400.0 => format!(", {} left: full in {}", size(free), clock(s)),
        (Some(free), _) => format!(", {} left", size(free)),
        _ => String::new(),
    }
}

/// `0:07`, `12:30`, `3:12:30`.
fn clock(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// Bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    let b = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", b / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", b / 1e6),
        _ => format!("{:.1} GB", b / 1e9),
    }
}

/// Tells of a problem at once, on standard error.
pub(super) fn tell(event: &Event, interactive: bool) {
    let frame = event.frame.map_or_else(String::new, |f| format!("frame {f}: "));
    let text = words(event);
    // Where nobody watches, the report at the end tells of it; failures are told at once all the same.
    if interactive || event.severity >= tetherscope_core::control::Severity::Error {
        eprintln!("{frame}{}", text.replace('\n', "\n  "));
    }
}

/// An event in words.
pub(super) fn words(event: &Event) -> String {
    match &event.kind {
        EventKind::Message { text } => text.to_string(),
        EventKind::PluginFailed { failure, rows } => format!("{failure}\n{rows} rows are NaN because of it"),
        EventKind::FramesDropped { stage, reason, count } => format!("{count} frames dropped at {stage}: {reason}"),
        EventKind::CameraStarted { camera } => format!("{camera} runs"),
        EventKind::CameraStopped { reason } => format!("the camera stands: {reason}"),
        EventKind::CameraBack { camera } => format!("{camera} is back"),
        EventKind::ZlutUnloaded { reason } => format!("no Z-LUT from here on: {reason}"),
        EventKind::RecordingStarted { folder } => format!("recording into {}", folder.display()),
        EventKind::RecordingStopped { folder, rows, reason } => {
            format!("recording of {rows} rows in {} ended: {reason}", folder.display())
        }
        EventKind::RecordingRotated { part } => format!("part {part} of the recording begins"),
        EventKind::Captured { folder, frames } => format!("captured {frames} frames into {}", folder.display()),
        EventKind::Note { text } => text.clone(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_told_as_people_say_them() {
        assert_eq!([0.0, 67.9, 11_550.0].map(clock), ["0:00", "1:07", "3:12:30"]);
        assert_eq!([999, 1_500, 2_000_000, 3_200_000_000].map(size), ["999 B", "1.5 kB", "2.0 MB", "3.2 GB"]);
    }
}
