//! What the engine tells, in words for people.

use tetherscope_core::control::{EventKind, RecordingState, Severity, StageLedger, SweepPhase};

/// One event as a line or three.
pub(crate) fn event(kind: &EventKind) -> String {
    let path = |p: &std::path::Path| p.display().to_string();
    match kind {
        EventKind::Changed { client, command } => {
            let what = serde_json::to_value(command).unwrap_or_default();
            let area = what["area"].as_str().unwrap_or_default().to_owned();
            let change = match &what["do"] {
                serde_json::Value::String(word) => word.clone(),
                serde_json::Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
                _ => String::new(),
            };
            format!("client {} changed {area}: {}", client.0, change.replace('_', " "))
        }
        EventKind::CameraStarted { camera } => format!("{camera} runs"),
        EventKind::CameraStopped { reason } => format!("the camera stands: {reason}"),
        EventKind::CameraBack { camera } => format!("{camera} delivers again"),
        EventKind::FramesDropped { stage, reason, count } => {
            let frames = if *count == 1 { "1 frame was".to_owned() } else { format!("{count} frames were") };
            format!("{frames} dropped in {stage}: {}", reason.replace('_', " "))
        }
        EventKind::PluginFailed { failure, rows } => {
            let rows = if *rows > 0 { format!("\n{rows} rows hold no number because of it") } else { String::new() };
            format!("{failure}{rows}")
        }
        EventKind::ZlutLoaded { path: Some(p) } => format!("the Z-LUT {} is in use", path(p)),
        EventKind::ZlutLoaded { path: None } => "the Z-LUT of the sweep is in use".into(),
        EventKind::ZlutUnloaded { reason } => format!("no Z-LUT is in use any more: {reason}"),
        EventKind::RecordingStarted { folder } => format!("recording into {}", path(folder)),
        EventKind::RecordingStopped { folder, rows, reason } => {
            format!("{rows} rows were recorded into {}: {reason}", path(folder))
        }
        EventKind::RecordingRotated { part } => format!("part {part} of the recording began"),
        EventKind::Captured { folder, frames } => format!("{frames} frames were captured into {}", path(folder)),
        EventKind::Note { text } => format!("note: {text}"),
        EventKind::StageMoved { stage, axis, target, by } => format!("{by} moves axis {axis} of {stage} to {target}"),
        EventKind::StagesStopped { reason } => format!("all stages were stopped: {reason}"),
        EventKind::StageConnection { stage, connected: true, .. } => format!("the stage {stage} is back"),
        EventKind::StageConnection { stage, connected: false, cause } => format!("the stage {stage} is gone: {cause}"),
        EventKind::SweepStarted { steps } => format!("a sweep of {steps} steps began"),
        EventKind::SweepStep { step, focus_nm } => format!("sweep: step {step} at {focus_nm:.0} nm"),
        EventKind::SweepPlane { step, first_frame, last_frame, .. } => {
            format!("sweep: step {step} has frames {first_frame} to {last_frame}")
        }
        EventKind::SweepEnded { result: Ok(beads), verdict } => {
            format!("the sweep made tables of {} beads\n{verdict}", beads.len())
        }
        EventKind::SweepEnded { result: Err(why), .. } => why.to_string(),
        EventKind::Message { text } => text.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// How much it matters.
pub(crate) fn severity(s: Severity) -> &'static str {
    match s {
        Severity::Info => "",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// State of the recording.
pub(crate) fn recording(state: &RecordingState) -> &'static str {
    match state {
        RecordingState::Off => "not recording",
        RecordingState::On => "RECORDING",
        RecordingState::Finishing => "finishing…",
        RecordingState::Failed(_) => "recording failed",
    }
}

/// Where a sweep is.
pub(crate) fn phase(phase: SweepPhase) -> &'static str {
    match phase {
        SweepPhase::Idle => "no sweep runs",
        SweepPhase::Moving => "the stage moves or settles",
        SweepPhase::Capturing => "frames are taken",
        SweepPhase::Paused => "a step failed: resume or cancel",
        SweepPhase::Returning => "the stage returns",
        SweepPhase::Building => "tables are built",
        SweepPhase::Done => "tables are ready: save, use or discard them",
        SweepPhase::Failed => "the sweep failed",
    }
}

/// Bytes with a unit that people read.
pub(crate) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if value < 1000.0 || unit == "TB" {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{n} B")
}

/// A time span for people.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".into();
    }
    let s = seconds.max(0.0);
    if s < 120.0 {
        format!("{s:.0} s")
    } else if s < 7200.0 {
        format!("{:.0} min", s / 60.0)
    } else if s < 172_800.0 {
        format!("{:.0} h", s / 3600.0)
    } else {
        format!("{:.0} days", s / 86_400.0)
    }
}

/// UTC time of day.
pub(crate) fn time_of_day(utc_ns: i64) -> String {
    let s = utc_ns.div_euclid(1_000_000_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

/// Dropped frames of a stage with their reasons; empty without any.
pub(crate) fn dropped(stage: &StageLedger) -> String {
    let all: Vec<String> = stage
        .dropped
        .iter()
        .filter(|d| d.count > 0)
        .map(|d| format!("{} {}", d.count, d.reason.replace('_', " ")))
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_core::control::{BeadsCommand, ClientId, Command};

    #[test]
    fn a_change_is_told_by_its_area_and_what_was_done() {
        let kind = EventKind::Changed {
            client: ClientId(2),
            command: Command::Beads(BeadsCommand::SetRoiSize { size_px: 64 }),
        };
        assert_eq!(event(&kind), "client 2 changed beads: set roi size");
        let kind = EventKind::Changed { client: ClientId(0), command: Command::Beads(BeadsCommand::RemoveAll) };
        assert_eq!(event(&kind), "client 0 changed beads: remove all");
    }

    #[test]
    fn amounts_have_the_unit_that_people_read() {
        assert_eq!((bytes(999), bytes(1_500_000)), ("999 B".into(), "1.5 MB".into()));
        assert_eq!((span(59.6), span(7000.0), span(f64::NAN)), ("60 s".into(), "117 min".into(), "–".into()));
        assert_eq!(time_of_day(86_399_000_000_000), "23:59:59");
    }
}
