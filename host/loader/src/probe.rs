//! The first load of an unknown library happens in a child process with a time limit, so that one that crashes, hangs
//! or exits while it is loaded cannot take the host along. What it said is remembered by path, size, time and hash.

use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::inspect::{FileFacts, inspect};
use crate::library::{self, Described};
use crate::search::SearchOptions;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// First argument of a process that is a helper of another.
const CHILD_ARGUMENT: &str = "--tetherscope-child";
/// How often the host looks whether the child is done.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// What a child found out. Kind code and descriptor text of each component, or the three lines of an error.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
enum Report {
    Components(Described),
    Refused { kind: Kind, cause: String, mend: String },
}

/// To be called first in `main`: if this process is a helper child, does its work and does not return.
pub fn run_if_child() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|a| a != CHILD_ARGUMENT) {
        return;
    }
    let (Some(path), Some(report)) = (args.next(), args.next()) else { std::process::exit(2) };
    let done = write_report(Path::new(&path), Path::new(&report));
    std::process::exit(if done { 0 } else { 2 });
}

fn write_report(path: &Path, report: &Path) -> bool {
    let outcome = inspect(path).and_then(|facts| library::open(path, &facts)).and_then(|(library, components)| {
        for (index, (code, json)) in components.iter().enumerate() {
            library::component(&library, index as u32, *code, json)?;
        }
        Ok(components)
    });
    let outcome = match outcome {
        Ok(components) => Report::Components(components),
        Err(e) => Report::Refused { kind: e.kind, cause: e.cause, mend: e.mend },
    };
    serde_json::to_vec(&outcome).is_ok_and(|json| std::fs::write(report, json).is_ok())
}

/// Kind and descriptor of each component, as a child that loads the library finds them.
pub(crate) fn probe(path: &Path, options: &SearchOptions) -> Result<Described, LoadError> {
    let here = |cause: String, mend: &str| LoadError::file(Kind::Failed, path, cause, mend);
    let cannot = |e: std::io::Error| {
        here(
            format!("it cannot be tried in a child process: {e}"),
            "see that programs may be started and temporary files written",
        )
    };
    let executable = match &options.child {
        Some(e) => e.clone(),
        None => std::env::current_exe().map_err(cannot)?,
    };
    let folder = tempfile::tempdir().map_err(cannot)?;
    let report = folder.path().join("report.json");
    let mut child = Command::new(executable)
        .arg(CHILD_ARGUMENT)
        .args([path, &report])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot)?;
    let stderr = child.stderr.take();
    // A plugin may write without end: keep the beginning, and read on so that it does not block.
    let reader = std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = stderr {
            let _ = from.by_ref().take(2000).read_to_end(&mut kept);
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).trim().to_owned()
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => break Some(status),
            None if begun.elapsed() > options.probe_limit => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let Some(status) = status else {
        return Err(here(
            format!("it did not finish loading within {} s, and was ended", options.probe_limit.as_secs()),
            "report it to the plugin's author; remove the file to spare the wait",
        ));
    };
    match std::fs::read(&report).ok().and_then(|json| serde_json::from_slice(&json).ok()) {
        Some(Report::Components(components)) if status.success() => Ok(components),
        Some(Report::Refused { kind, cause, mend }) => Err(LoadError::file(kind, path, cause, mend)),
        _ => {
            let said = reader.join().unwrap_or_default();
            let said = said.lines().last().map(|l| format!("; its last words: {l}")).unwrap_or_default();
            Err(here(
                format!("it ended the process that loaded it ({}){said}", ending(status)),
                "report it to the plugin's author; remove the file to be rid of this message",
            ))
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
            return format!("{name}, signal {signal}");
        }
    }
    status.code().map_or_else(|| "no exit code".into(), |c| format!("exit code {c} before it was described"))
}

/// What is remembered of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    path: PathBuf,
    size: u64,
    modified_ns: u64,
    hash: String,
    host: String,
    components: Described,
}

/// Descriptors of files that were probed before. Only what was loaded well is remembered.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    known: Vec<Known>,
    changed: bool,
}

impl Cache {
    /// Reads the cache; an unreadable one is an empty one.
    pub(crate) fn read(options: &SearchOptions) -> Self {
        let bytes = options.cache.as_ref().and_then(|c| std::fs::read(c).ok());
        let known = bytes.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        Self { known, changed: false }
    }

    /// What is remembered of a file with this content.
    pub(crate) fn get(&self, path: &Path, facts: &FileFacts) -> Option<Described> {
        let host = crate::host_version().to_string();
        let modified_ns = modified_ns(path);
        let same = |k: &&Known| {
            k.path == path
                && k.size == facts.size
                && k.hash == facts.hash
                && k.host == host
                && k.modified_ns == modified_ns
        };
        self.known.iter().find(same).map(|k| k.components.clone())
    }

    /// Remembers a file.
    pub(crate) fn put(&mut self, path: &Path, facts: &FileFacts, components: &[(u32, String)]) {
        self.known.retain(|k| k.path != path && k.path.exists());
        self.known.push(Known {
            path: path.to_owned(),
            size: facts.size,
            modified_ns: modified_ns(path),
            hash: facts.hash.clone(),
            host: crate::host_version().to_string(),
            components: components.to_vec(),
        });
        self.changed = true;
    }

    /// Writes the cache in one step. Failing costs only the next start a probe.
    pub(crate) fn write(&self, options: &SearchOptions) {
        let Some(path) = options.cache.as_ref().filter(|_| self.changed) else { return };
        let write = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(&mut file, &self.known)?;
            file.persist(path).map_err(|e| e.error)?;
            Ok(())
        };
        if let Err(e) = write() {
            tracing::debug!("the plugin cache {} cannot be written: {e}", path.display());
        }
    }
}

fn modified_ns(path: &Path) -> u64 {
    let modified = std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let since = modified.and_then(|m| m.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}
