//! Commands that changed something, as they are written down, one JSON line each; and such lines as commands to be given
//! again at their frames.

use crate::RunError;
use crate::control::{ClientId, Command};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A command that was accepted and changed something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedCommand {
    /// First frame that it holds for; none: no camera ran.
    pub frame: Option<u64>,
    /// Who gave it.
    pub client: ClientId,
    /// When, UTC.
    pub time_utc_ns: i64,
    /// The command.
    pub command: Command,
}

/// Commands with the frames at which they took effect, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplayLog {
    commands: VecDeque<LoggedCommand>,
}

impl ReplayLog {
    /// Reads lines of JSON. Commands to the camera and to the engine are left out: frames come from elsewhere now.
    ///
    /// # Errors
    /// A line that is no logged command, or frames out of order; the line is named.
    pub fn parse(text: &str) -> Result<Self, RunError> {
        let mut commands: VecDeque<LoggedCommand> = VecDeque::new();
        let mut newest = None;
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            let bad = |cause: String| {
                RunError::refused(
                    "cannot read this log of commands",
                    format!("line {}: {cause}", i + 1),
                    "give a file that --log-commands wrote",
                )
            };
            let logged: LoggedCommand = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
            if logged.frame.is_some() && logged.frame < newest {
                return Err(bad("its frame is before that of the line above".into()));
            }
            newest = logged.frame.or(newest);
            if !matches!(logged.command, Command::Camera(_) | Command::Engine(_)) {
                commands.push_back(logged);
            }
        }
        Ok(Self { commands })
    }

    /// Frames before which something is to be done.
    pub(crate) fn barriers(&self) -> VecDeque<u64> {
        let mut frames: Vec<u64> = self.commands.iter().filter_map(|c| c.frame).collect();
        frames.dedup();
        frames.into()
    }

    /// The commands up to this frame, or, None, those from before the camera ran.
    pub(crate) fn take_until(&mut self, frame: Option<u64>) -> Vec<LoggedCommand> {
        let n = self.commands.iter().take_while(|c| c.frame.is_none() || c.frame <= frame).count();
        self.commands.drain(..n).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{BeadsCommand, CameraCommand};

    fn line(frame: Option<u64>, command: Command) -> String {
        let logged = LoggedCommand { frame, client: ClientId(0), time_utc_ns: 0, command };
        serde_json::to_string(&logged).unwrap()
    }

    fn remove(bead: u32) -> Command {
        Command::Beads(BeadsCommand::Remove { beads: vec![bead] })
    }

    #[test]
    fn commands_come_at_their_frames_and_the_cameras_own_are_left_out() {
        let camera = Command::Camera(CameraCommand::Start);
        let lines = [line(None, remove(0)), line(None, camera), line(Some(5), remove(1)), line(Some(9), remove(2))];
        let mut log = ReplayLog::parse(&lines.join("\n")).unwrap();
        assert_eq!(log.barriers(), [5, 9]);
        let taken =
            |log: &mut ReplayLog, frame| log.take_until(frame).into_iter().map(|c| c.command).collect::<Vec<_>>();
        assert_eq!(taken(&mut log, None), [remove(0)]);
        assert_eq!(taken(&mut log, Some(4)), []);
        assert_eq!(taken(&mut log, Some(5)), [remove(1)]);
        assert_eq!(taken(&mut log, Some(100)), [remove(2)]);
    }

    #[test]
    fn a_log_out_of_order_or_cut_is_refused_with_its_line() {
        let text = format!("{}\n{}", line(Some(9), remove(2)), line(Some(5), remove(1)));
        assert!(ReplayLog::parse(&text).unwrap_err().to_string().contains("line 2"));
        assert!(ReplayLog::parse(&text[..20]).unwrap_err().to_string().contains("line 1"));
    }
}
