//! Logs of commands in files: one JSON line for each command that changed something, as the engine tells of it, and the
//! same read back.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tetherscope_core::RunError;
use tetherscope_core::control::Command;
use tetherscope_core::{CommandSink, LoggedCommand, ReplayLog};

/// A new file, and what writes into it.
pub(super) fn write_to(path: &Path) -> Result<CommandSink, RunError> {
    let mut file = File::create_new(path).map_err(|e| {
        let mend = "give a new file, in a folder where you may write";
        RunError::refused(format!("cannot write commands to {}", path.display()), e.to_string(), mend)
    })?;
    let path: PathBuf = path.to_owned();
    let mut fine = true;
    Ok(Box::new(move |command: &LoggedCommand| {
        let line = serde_json::to_string(command).map_err(std::io::Error::from);
        let written = line.and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
        if let (Err(e), true) = (written, fine) {
            fine = false;
            tracing::error!("commands are no longer written to {}: {e}", path.display());
        }
    }))
}

/// Reads such a file: the commands from before the first frame, and those at their frames. Commands to the camera are left
/// out (the frames come from elsewhere now), and those about recordings: what is recorded, and where, is said anew.
pub(super) fn read(path: &Path) -> Result<(Vec<Command>, ReplayLog), RunError> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        let mend = "give a file that --log-commands wrote";
        RunError::refused(format!("cannot read commands from {}", path.display()), e.to_string(), mend)
    })?;
    // All of it is looked at first, so that a bad line is told whatever it would be.
    ReplayLog::parse(&text)?;
    let (first, later) = parts(&text);
    Ok((first, ReplayLog::parse(&later)?))
}

/// Commands from before the first frame, and the lines of the others.
fn parts(text: &str) -> (Vec<Command>, String) {
    let (mut first, mut later) = (Vec::new(), String::new());
    for line in text.lines() {
        let Ok(logged) = serde_json::from_str::<LoggedCommand>(line) else { continue };
        let elsewhere = matches!(logged.command, Command::Recording(_) | Command::Camera(_) | Command::Engine(_));
        match logged.frame {
            _ if elsewhere => {}
            None => first.push(logged.command),
            Some(_) => later += &format!("{line}\n"),
        }
    }
    (first, later)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_core::control::BeadsCommand;

    #[test]
    fn commands_before_the_first_frame_are_apart_and_recordings_are_left_out() {
        let line = |frame: &str, command: &str| {
            format!(r#"{{"frame": {frame}, "client": 0, "time_utc_ns": 0, "command": {command}}}"#)
        };
        let stop = r#"{"area": "recording", "do": "stop"}"#;
        let start = r#"{"area": "camera", "do": "start"}"#;
        let remove = r#"{"area": "beads", "do": "remove_all"}"#;
        let lines = [line("null", remove), line("0", start), line("2", stop), line("3", remove)];
        let (first, later) = parts(&lines.join("\n"));
        assert_eq!(first, [Command::Beads(BeadsCommand::RemoveAll)]);
        assert_eq!(later, format!("{}\n", lines[3]));
    }
}
