//! Watching an acquisition: until when it runs, what happens meanwhile (told once, where it happens), and the captures
//! that a rig asks for.

use super::status;
use crate::cli::live::Session;
use crate::log_file::FILE_ONLY;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::control::{
    CameraState, Command, Event, EventKind, Message, RecordingCommand, RecordingState, Refusal, Severity, Snapshot,
};
use tetherscope_core::rig::CaptureOn;

/// How often limits are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often the log gets a line on how things stand.
const HEALTH_EVERY: Duration = Duration::from_secs(60);

/// Until when.
pub(super) struct Limits {
    pub(super) seconds: Option<f64>,
    pub(super) frames: Option<u64>,
    /// They are recorded: the recording knows when it has them.
    pub(super) recorded: bool,
}

/// Why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// After the time that was asked for.
    Seconds,
    /// After the frames that were asked for.
    Frames,
    /// Ctrl-C.
    Asked,
    /// The camera has no more frames, or broke down.
    Camera,
    /// The recording broke down.
    Recording,
    /// Another client ended the engine.
    Engine,
}

impl Ended {
    /// The word for it in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Frames => "frames",
            Self::Asked => "asked",
            Self::Camera => "camera",
            Self::Recording => "recording",
            Self::Engine => "engine",
        }
    }
}

/// What was seen.
pub(super) struct Seen {
    pub(super) ended: Ended,
    pub(super) seconds: f64,
    /// The camera still runs.
    pub(super) camera_runs: bool,
    /// The newest snapshot with a running camera: later ones have no rates.
    pub(super) running: Arc<Snapshot>,
    /// Warnings and errors, as events tell them.
    pub(super) warnings: Vec<Event>,
    /// What broke down.
    pub(super) failure: Option<Refusal>,
}

/// Watches until a limit is reached, the user asks, or something breaks down.
pub(super) fn watch(session: &Session, limits: &Limits, interactive: bool) -> Seen {
    let begun = Instant::now();
    let bar = status::bar(interactive);
    let mut captures = Captures::new(session);
    let mut warnings = Vec::new();
    let mut running = session.snapshot();
    let mut health_at = begun + HEALTH_EVERY;
    loop {
        if let Some(Message::Event(event)) = session.client.next_message(LOOK_EVERY) {
            note(&event);
            captures.on_event(session, &event);
            if event.severity >= Severity::Warning {
                bar.suspend(|| status::tell(&event, interactive));
                warnings.push(event);
            }
        }
        let now = session.snapshot();
        let seconds = begun.elapsed().as_secs_f64();
        bar.set_message(status::line(&now, seconds));
        if Instant::now() >= health_at {
            health_at += HEALTH_EVERY;
            tracing::info!(target: FILE_ONLY, "{}", status::line(&now, seconds));
        }
        if matches!(now.camera.state, CameraState::Running | CameraState::Lost(_)) {
            running = now.clone();
        }
        if let Some((ended, failure)) = ended(session, &now, limits, seconds) {
            bar.finish_and_clear();
            let camera_runs = matches!(now.camera.state, CameraState::Running | CameraState::Lost(_));
            return Seen { ended, seconds, camera_runs, running, warnings, failure };
        }
    }
}

/// Whether it is over, and what failed.
fn ended(session: &Session, now: &Snapshot, limits: &Limits, seconds: f64) -> Option<(Ended, Option<Refusal>)> {
    if let RecordingState::Failed(refusal) = &now.recording.state {
        return Some((Ended::Recording, Some(refusal.clone())));
    }
    match &now.camera.state {
        CameraState::Failed(refusal) => return Some((Ended::Camera, Some(refusal.clone()))),
        CameraState::Open | CameraState::Closed => return Some((Ended::Camera, None)),
        CameraState::Running | CameraState::Lost(_) => {}
    }
    // A recording ends by itself at exactly the frame that was asked for.
    let has_all = |n: u64| match limits.recorded {
        true => now.recording.state != RecordingState::On,
        false => now.health.newest_frame.is_some_and(|f| f + 1 >= n),
    };
    if session.has_ended() {
        Some((Ended::Engine, None))
    } else if session.is_cancelled() {
        Some((Ended::Asked, None))
    } else if limits.frames.is_some_and(has_all) {
        Some((Ended::Frames, None))
    } else if limits.seconds.is_some_and(|s| seconds >= s) {
        Some((Ended::Seconds, None))
    } else {
        None
    }
}

/// Waits until a recording that ended by itself is on the disk.
pub(super) fn wait_until_written(session: &Session) {
    while session.snapshot().recording.state == RecordingState::Finishing && !session.has_ended() {
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Notes what happened since in the log.
pub(super) fn note_the_rest(session: &Session) {
    while let Some(message) = session.client.next_message(Duration::ZERO) {
        if let Message::Event(event) = message {
            note(&event);
        }
    }
}

/// One line in the log for what the engine does not log itself.
fn note(event: &Event) {
    if matches!(event.kind, EventKind::Message { .. } | EventKind::PluginFailed { .. }) {
        return;
    }
    let frame = event.frame.map_or_else(String::new, |f| format!("frame {f}: "));
    let text = status::words(event).replace('\n', ": ");
    match event.severity {
        Severity::Info => tracing::info!(target: FILE_ONLY, "{frame}{text}"),
        Severity::Warning => tracing::warn!(target: FILE_ONLY, "{frame}{text}"),
        Severity::Error => tracing::error!(target: FILE_ONLY, "{frame}{text}"),
    }
}

/// Captures that events trigger.
struct Captures {
    command: Option<Command>,
    on: Severity,
    left: u32,
    /// One at a time: until then nothing more is captured.
    busy_until: Instant,
    lasts: Duration,
}

impl Captures {
    fn new(session: &Session) -> Self {
        let now = Instant::now();
        let recording = &session.file.rig.recording;
        let Some(c) = recording.capture.as_ref() else {
            return Self { command: None, on: Severity::Error, left: 0, busy_until: now, lasts: Duration::ZERO };
        };
        let into: PathBuf = session.snapshot().recording.folder.clone().unwrap_or_else(|| recording.folder.clone());
        let (before_s, after_s, what) = (c.before_s, c.after_s, c.what);
        let capture = RecordingCommand::Capture { folder: into, before_s, after_s, what };
        let on = match c.on {
            CaptureOn::Warning => Severity::Warning,
            CaptureOn::Error => Severity::Error,
        };
        let lasts = Duration::from_secs_f64(c.after_s);
        Self { command: Some(Command::Recording(capture)), on, left: c.most, busy_until: now, lasts }
    }

    fn on_event(&mut self, session: &Session, event: &Event) {
        // What a capture itself fails of must not trigger the next.
        let about_capture = matches!(&event.kind, EventKind::Changed { .. } | EventKind::Captured { .. });
        if event.severity < self.on || about_capture || self.left == 0 || Instant::now() < self.busy_until {
            return;
        }
        if let Some(command) = &self.command {
            self.left -= 1;
            self.busy_until = Instant::now() + self.lasts;
            // Its outcome is an event.
            session.client.send(command.clone());
        }
    }
}
