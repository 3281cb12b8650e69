//! This program as a child process: material for the benches is made by the commands that users have.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use tetherscope_core::RunError;

fn command(folder: &Path, args: &[&str], shared: &[String]) -> Result<Command, RunError> {
    let program = std::env::current_exe().map_err(|e| failed("find this program", &e.to_string()))?;
    let mut command = Command::new(program);
    command.args(shared).args(args).current_dir(folder).stdin(Stdio::null());
    Ok(command)
}

fn failed(what: &str, cause: &str) -> RunError {
    RunError::refused(format!("cannot {what}"), cause.to_owned(), "look whether the disk is full, and run it again")
}

/// Runs a command to its end; its standard output.
pub(super) fn run(folder: &Path, args: &[&str], shared: &[String]) -> Result<String, RunError> {
    let output = command(folder, args, shared)?.output().map_err(|e| failed("start this program", &e.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).lines().collect::<Vec<_>>().join(" ");
        return Err(failed(&format!("run `tetherscope {}`", args.join(" ")), &said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Starts a command that nobody listens to.
pub(super) fn start(folder: &Path, args: &[&str], shared: &[String]) -> Result<Child, RunError> {
    let mut command = command(folder, args, shared)?;
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.map_err(|e| failed("start this program", &e.to_string()))
}
