//! The first load of an unknown library happens in a child process with a time limit, so that one that crashes, hangs
//! or exits while it is loaded cannot take the host along. What it said is remembered by path, size, time and hash.

use crate::child::ending::ending;
use crate::child::{CHILD_ARGUMENT, PROBE_WORD};
use crate::component;
use crate::error::{LoadError, LoadErrorKind as Kind};
use crate::group::ProcessGroup;
use crate::inspect::{FileFacts, inspect};
use crate::layout::Checked;
use crate::library::{self, Described};
use crate::search::SearchOptions;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a child found out of a library that loads.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub(crate) struct Probed {
    /// Kind code and descriptor text of each component.
    pub(crate) components: Described,
    /// What became of the comparison of layouts.
    pub(crate) layout: Checked,
}

/// What a child writes: what it found out, or the three lines of an error.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
enum Report {
    Loads(Probed),
    Refused { kind: Kind, cause: String, mend: String },
}

/// Loads a library, and writes what became of it into a file. The child's side.
pub(crate) fn write_report(path: &Path, report: &Path) -> bool {
    let outcome = match try_library(path) {
        Ok(probed) => Report::Loads(probed),
        Err(e) => Report::Refused { kind: e.kind, cause: e.cause, mend: e.mend },
    };
    serde_json::to_vec(&outcome).is_ok_and(|json| std::fs::write(report, json).is_ok())
}

fn try_library(path: &Path) -> Result<Probed, LoadError> {
    let facts = inspect(path)?;
    let (library, components) = library::open(path, None)?;
    for (index, info) in component::parse(path, &facts, &components)?.iter().enumerate() {
        library::table(&library, index as u32, info)?;
    }
    Ok(Probed { components, layout: library.layout })
}

/// What a child that loads the library finds.
pub(crate) fn probe(path: &Path, options: &SearchOptions) -> Result<Probed, LoadError> {
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
    let mut command = Command::new(executable);
    command.args([CHILD_ARGUMENT, PROBE_WORD]).args([path, &report]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut group = ProcessGroup::start(&mut command).map_err(cannot)?;
    let stderr = group.child().stderr.take();
    // A plugin may write without end: keep the beginning, and read on so that it does not block.
    let reader = std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = stderr {
            let _ = from.by_ref().take(2000).read_to_end(&mut kept);
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        }
        String::from_utf8_lossy(&kept).trim().to_owned()
    });
    let status = group.wait(options.probe_limit, || false).map_err(cannot)?;
    let Some(status) = status else {
        return Err(here(
            format!("it did not finish loading within {} s, and was ended", options.probe_limit.as_secs()),
            "report it to the plugin's author; remove the file to spare the wait",
        ));
    };
    match std::fs::read(&report).ok().and_then(|json| serde_json::from_slice(&json).ok()) {
        Some(Report::Loads(probed)) if status.success() => Ok(probed),
        Some(Report::Refused { kind, cause, mend }) => Err(LoadError::file(kind, path, cause, mend)),
        _ => {
            let said = reader.join().unwrap_or_default();
            let said = said.lines().last().map(|l| format!("; its last words: {l}")).unwrap_or_default();
            Err(here(
                format!("it ended the process that loaded it ({} before it was described){said}", ending(status)),
                "report it to the plugin's author; remove the file to be rid of this message",
            ))
        }
    }
}

/// What is remembered of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    path: PathBuf,
    size: u64,
    modified_ns: u64,
    hash: String,
    host: String,
    probed: Probed,
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
    pub(crate) fn get(&self, path: &Path, facts: &FileFacts) -> Option<Probed> {
        let host = crate::host_version().to_string();
        let modified_ns = modified_ns(path);
        let same = |k: &&Known| {
            k.path == path
                && k.size == facts.size
                && k.hash == facts.hash
                && k.host == host
                && k.modified_ns == modified_ns
        };
        self.known.iter().find(same).map(|k| k.probed.clone())
    }

    /// Remembers a file.
    pub(crate) fn put(&mut self, path: &Path, facts: &FileFacts, probed: &Probed) {
        self.known.retain(|k| k.path != path && k.path.exists());
        self.known.push(Known {
            path: path.to_owned(),
            size: facts.size,
            modified_ns: modified_ns(path),
            hash: facts.hash.clone(),
            host: crate::host_version().to_string(),
            probed: probed.clone(),
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
