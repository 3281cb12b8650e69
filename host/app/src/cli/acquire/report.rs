//! What an acquisition was, for people and for machines, and whether it was fine.

use super::status::{size, words};
use super::watch::Seen;
use crate::cli::output::{Ending, Output};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tetherscope_core::control::{LedgerView, Refusal, Severity, Snapshot};

/// An acquisition that ended.
pub(super) struct Summary {
    pub(super) seen: Seen,
    pub(super) last: Arc<Snapshot>,
    /// What broke down.
    pub(super) failure: Option<Refusal>,
}

/// Dropped frames by reason, over all stages, in the order of the ledger.
pub(crate) fn by_reason(ledger: &LedgerView) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = Vec::new();
    for drop in ledger.stages.iter().flat_map(|s| &s.dropped).filter(|d| d.count > 0) {
        match all.iter_mut().find(|(reason, _)| *reason == drop.reason) {
            Some(entry) => entry.1 += drop.count,
            None => all.push((drop.reason.clone(), drop.count)),
        }
    }
    all
}

/// Dropped frames over all stages. What the user asked for by stopping is no loss.
pub(crate) fn drops(ledger: &LedgerView) -> u64 {
    let asked = ["user_stop", "shutdown"];
    by_reason(ledger).iter().filter(|(reason, _)| !asked.contains(&reason.as_str())).map(|(_, n)| n).sum()
}

impl Summary {
    /// The report. `log`: where the log lies.
    pub(super) fn report(&self, log: &Path, fail_on_drop: bool) -> (Output, Ending) {
        let (seen, last) = (&self.seen, &self.last);
        let frames = last.health.newest_frame.or(seen.running.health.newest_frame).map_or(0, |f| f + 1);
        let dropped = drops(&last.ledger);
        let fine = self.failure.is_none() && last.ledger.unexplained == 0 && !(fail_on_drop && dropped > 0);
        let recording = last.recording.folder.as_ref();
        let rate = frames as f64 / seen.seconds.max(1e-9);
        let mut text = format!("{frames} frames in {:.1} s ({rate:.1}/s), {} beads\n", seen.seconds, last.beads.len());
        match recording {
            None => text += "nothing was recorded\n",
            Some(folder) => {
                let r = &last.recording;
                let (frames, rows, bytes) = (r.frames, r.rows, size(r.bytes));
                text += &format!("{frames} frames, {rows} rows, {bytes} in {}\n", folder.display());
            }
        }
        let reasons: Vec<String> = by_reason(&last.ledger).iter().map(|(r, n)| format!("{r} {n}")).collect();
        text += &match reasons.len() {
            0 => "nothing dropped\n".to_owned(),
            _ => format!("dropped: {}\n", reasons.join(", ")),
        };
        let health = &seen.running.health;
        for l in &health.latencies {
            text += &format!(
                "frame to {}: {:.2} ms (p50), {:.2} ms (p99), {:.2} ms (max)\n",
                l.to, l.p50_ms, l.p99_ms, l.max_ms
            );
        }
        if last.ledger.unexplained != 0 {
            text += &format!("{} frames that nothing explains: report it to the authors\n", last.ledger.unexplained);
        }
        for w in &seen.warnings {
            let kind = if w.severity == Severity::Error { "error" } else { "warning" };
            text += &format!("{kind}: {}\n", words(w).replace('\n', "\n  "));
        }
        if let Some(failure) = &self.failure {
            text += &format!("failed: {}\n", failure.to_string().replace('\n', "\n  "));
        }
        let json = json!({
            "fine": fine,
            "ended": seen.ended.name(),
            "seconds": seen.seconds,
            "frames": frames,
            "frame_rate_hz": rate,
            "beads": last.beads.len(),
            "dropped": dropped,
            "recording": recording.map(|f| json!({
                "folder": f.display().to_string(),
                "frames": last.recording.frames,
                "rows": last.recording.rows,
                "bytes": last.recording.bytes,
                "from_frame": last.recording.from_frame,
                "parts": last.recording.part + 1,
            })),
            "ledger": last.ledger,
            "health": health,
            "warnings": seen.warnings,
            "failure": self.failure,
            "log": log.display().to_string(),
        });
        (Output { text, json }, Ending::fine_if(fine))
    }
}
