//! The child process of a check: what it is told, what it answers, how long it may take and how its end is told.

use crate::outcome::Outcome;
use crate::runner::try_check;
use crate::subject::Subject;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tetherscope_loader::{CancelToken, IsolationOptions, ProcessGroup, Registry, SearchOptions, end_with_starter};

/// First argument of a process that does one check.
const CHILD_ARGUMENT: &str = "--tetherscope-check";
/// How often the host looks whether the last words are there.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Bytes of the child's last words that are kept.
const MOST_WORDS: u64 = 4000;

/// How long the last words of a child that has ended are waited for.
const WORDS_WITHIN: Duration = Duration::from_millis(500);

/// One check of one component.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) library: PathBuf,
    pub(crate) id: String,
    pub(crate) check: String,
    pub(crate) params: Vec<(String, String)>,
    /// Where the loader remembers that it knows the library.
    pub(crate) cache: Option<PathBuf>,
}

/// To be called in `main`, right after the loader's: if this process shall do a check, does it and does not return.
pub fn run_if_child() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|a| a != CHILD_ARGUMENT) {
        return;
    }
    end_with_starter();
    let (Some(job), Some(answer)) = (args.next(), args.next()) else { std::process::exit(2) };
    let job: Option<Job> = std::fs::read(job).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let Some(job) = job else { std::process::exit(2) };
    let outcome = do_job(&job);
    let written = serde_json::to_vec(&outcome).is_ok_and(|json| std::fs::write(answer, json).is_ok());
    std::process::exit(if written { 0 } else { 2 });
}

fn do_job(job: &Job) -> Outcome {
    let mut registry = Registry::default();
    // This process is the child already.
    let isolation = IsolationOptions { never: true, ..IsolationOptions::default() };
    let options =
        SearchOptions { usual_places: false, cache: job.cache.clone(), isolation, ..SearchOptions::default() };
    if let Err(e) = registry.load_file(&job.library, &options) {
        return Outcome::Failed(format!("{}: {}", e.thing, e.cause));
    }
    let component = registry.components().iter().find(|c| c.info().id == job.id);
    match (component, crate::checks::find(&job.check)) {
        (Some(component), Some(check)) => {
            try_check(check, &Subject { component: component.clone(), params: job.params.clone() })
        }
        _ => Outcome::Failed(format!("its library no longer offers {}, or there is no check {}", job.id, job.check)),
    }
}

/// Does a check in a child. Whatever happens there, this process lives on.
pub(crate) fn run(executable: Option<&Path>, job: &Job, limit: Duration) -> Outcome {
    if given_up() {
        return Outcome::Skipped("it was given up".into());
    }
    match try_run(executable, job, limit) {
        Ok(outcome) => outcome,
        Err(e) => Outcome::Failed(format!("the check cannot run in a child process: {e}")),
    }
}

fn given_up() -> bool {
    CancelToken::current().is_some_and(|c| c.is_cancelled())
}

fn try_run(executable: Option<&Path>, job: &Job, limit: Duration) -> std::io::Result<Outcome> {
    let executable = executable.map_or_else(std::env::current_exe, |e| Ok(e.to_owned()))?;
    let folder = tempfile::tempdir()?;
    let (question, answer) = (folder.path().join("job.json"), folder.path().join("outcome.json"));
    std::fs::write(&question, serde_json::to_vec(job)?)?;
    let mut command = Command::new(executable);
    command.arg(CHILD_ARGUMENT).args([&question, &answer]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut group = ProcessGroup::start(&mut command)?;
    // Read on to the end, so that a plugin that writes a lot does not block.
    let stderr = group.child().stderr.take();
    let reader = std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = stderr {
            let _ = from.by_ref().take(MOST_WORDS).read_to_end(&mut kept);
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().to_owned()
    });
    // In a group of its own it does not hear a Ctrl-C that is meant for all.
    let Some(status) = group.wait(limit, given_up)? else {
        if given_up() {
            return Ok(Outcome::Skipped("it was given up, and its process was ended".into()));
        }
        let text = format!("it was not done after {} s, and was ended", limit.as_secs_f64());
        return Ok(Outcome::TimedOut(text));
    };
    let said = std::fs::read(&answer).ok().and_then(|json| serde_json::from_slice(&json).ok());
    match said {
        Some(outcome) if status.success() => Ok(outcome),
        _ => {
            // Not waited for longer: a process that the plugin started may hold the pipe open.
            let ended = Instant::now();
            while !reader.is_finished() && ended.elapsed() < WORDS_WITHIN {
                std::thread::sleep(LOOK_EVERY);
            }
            let words = if reader.is_finished() { reader.join().unwrap_or_default() } else { String::new() };
            let words = if words.is_empty() { String::new() } else { format!("; its last words: {words}") };
            Ok(Outcome::Crashed(format!("{}{words}", ending(status))))
        }
    }
}

/// How a process ended, in words.
fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            let name = match signal {
                4 => "illegal instruction",
                6 => "abort",
                7 => "bus error",
                8 => "arithmetic error",
                9 => "killed",
                11 => "segmentation fault",
                _ => "signal",
            };
            return format!("its process ended by {name} (signal {signal})");
        }
    }
    status.code().map_or_else(|| "its process ended".into(), |c| format!("its process ended with exit code {c}"))
}
