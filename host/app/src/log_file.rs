//! The log in a file: one line for each problem or event, for whoever has to find out later what happened. A file for each
//! run of the program, made with its first line; a new part when one is full; old ones are removed. Until a command opens
//! the log, and wherever it cannot be written, lines for the file are dropped: measuring goes on.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tetherscope_core::RunError;
use tetherscope_core::rig::{Log, LogLevel};
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Names of log files begin and end so: what else lies in the folder is never touched.
const PREFIX: &str = "tetherscope-";
const SUFFIX: &str = ".log";

/// The open log of this process.
static LOG: Mutex<Option<Parts>> = Mutex::new(None);

fn log() -> MutexGuard<'static, Option<Parts>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Log lines to standard error, of this level and worse or as `TETHERSCOPE_LOG` says, and to the file that
/// [`open`] may open later.
pub(crate) fn start(verbosity: u8) {
    let level = ["warn", "info", "debug"][usize::from(verbosity.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_env("TETHERSCOPE_LOG");
    let errors = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_filter(filter.unwrap_or_else(|_| level.into()))
        // What is told to people by the command itself is not told twice.
        .with_filter(dynamic_filter_fn(move |meta, _| {
            let told = meta.target() == FILE_ONLY
                || (verbosity == 0 && meta.target().starts_with(ENGINE) && TOLD.load(Ordering::Relaxed));
            !told
        }));
    let file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(ToFile)
        .with_filter(LevelFilter::DEBUG)
        // Asked anew for each line, since the log is opened later.
        .with_filter(dynamic_filter_fn(|meta, _| log().as_ref().is_some_and(|l| *meta.level() <= l.level)));
    tracing_subscriber::registry().with(errors).with(file).init();
}

/// Target of lines that the command tells people itself.
pub(crate) const FILE_ONLY: &str = "tetherscope::record";

/// Where the engine logs from. All that it has to say to people it tells as events too.
const ENGINE: &str = "tetherscope_core::engine";

/// A command tells people of the engine's events.
static TOLD: AtomicBool = AtomicBool::new(false);

/// From now on the command tells people of the engine's events by itself.
pub(crate) fn events_are_told() {
    TOLD.store(true, Ordering::Relaxed);
}

/// Opens the log of this process where `settings` say, or in the user's state folder. Gives its folder.
pub(crate) fn open(settings: &Log) -> Result<PathBuf, RunError> {
    let folder = settings.folder.clone().unwrap_or_else(usual_folder);
    std::fs::create_dir_all(&folder).map_err(|e| {
        let mend = "give a folder that you may write as log.folder in the rig";
        RunError::refused(format!("cannot keep a log in {}", folder.display()), e.to_string(), mend)
    })?;
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ");
    *log() = Some(Parts {
        stem: format!("{PREFIX}{now}-{}", std::process::id()),
        folder: folder.clone(),
        level: level(settings.level),
        part_bytes: u64::from(settings.file_mib) << 20,
        files: settings.files as usize,
        part: 0,
        written: 0,
        file: None,
    });
    Ok(folder)
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// `tetherscope/log` where the system wants a user's logs to be.
fn usual_folder() -> PathBuf {
    use etcetera::BaseStrategy;
    let base = etcetera::choose_base_strategy().ok();
    let state = base.map(|b| b.state_dir().unwrap_or_else(|| b.data_dir()));
    state.unwrap_or_else(std::env::temp_dir).join("tetherscope").join("log")
}

/// The files of one run.
struct Parts {
    folder: PathBuf,
    stem: String,
    level: LevelFilter,
    part_bytes: u64,
    files: usize,
    part: u32,
    written: u64,
    file: Option<File>,
}

impl Parts {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.is_some() && self.written + line.len() as u64 > self.part_bytes {
            self.file = None;
            self.part += 1;
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let path = self.folder.join(format!("{}-{}{SUFFIX}", self.stem, self.part));
                self.written = 0;
                let made = File::options().append(true).create(true).open(path)?;
                remove_old(&self.folder, self.files);
                self.file.insert(made)
            }
        };
        file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(())
    }
}

/// Keeps the newest `keep` log files of a folder. Names begin with the time, so they sort by age.
fn remove_old(folder: &Path, keep: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let is_log = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let mut logs: Vec<String> = names.filter(|n| is_log(n)).collect();
    // The number of a part has no leading zeros: by length first where the rest is equal.
    logs.sort_by_key(|n| (n.rsplit_once('-').map(|(stem, _)| stem.to_owned()), n.len(), n.clone()));
    for name in logs.iter().take(logs.len().saturating_sub(keep)) {
        // Another run may have removed it already.
        let _ = std::fs::remove_file(folder.join(name));
    }
}

/// Writes to the log that is open at the time.
struct ToFile;

impl MakeWriter<'_> for ToFile {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line
    }
}

/// One line.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(parts) = log().as_mut() {
            // A full disk must not stop the experiment, and where to tell it is what just failed.
            let _ = parts.write(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(folder: &Path, files: usize) -> Parts {
        Parts {
            folder: folder.to_owned(),
            stem: format!("{PREFIX}2026-11-27T22-00-00Z-1"),
            level: LevelFilter::INFO,
            part_bytes: 100,
            files,
            part: 0,
            written: 0,
            file: None,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        all.sort_by_key(|n| (n.len(), n.clone()));
        all
    }

    #[test]
    fn a_full_part_is_followed_by_the_next_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        std::fs::write(folder.path().join("tetherscope-2026-11-01T00-00-00Z-7-0.log"), "old").unwrap();
        let mut log = parts(folder.path(), 3);
        for i in 0..30 {
            log.write(format!("{i:39}\n").as_bytes()).unwrap();
        }
        // Two lines a part.
        let stem = "tetherscope-2026-11-27T22-00-00Z-1";
        let kept: Vec<String> = (12..15).map(|part| format!("{stem}-{part}.log")).collect();
        assert_eq!(names(folder.path()), [&["notes.txt".to_owned()], &kept[..]].concat());
        let last = std::fs::read_to_string(folder.path().join(&kept[2])).unwrap();
        assert_eq!(last.split_whitespace().collect::<Vec<_>>(), ["28", "29"]);
    }

    #[test]
    fn nothing_is_made_before_there_is_something_to_say() {
        let folder = tempfile::tempdir().unwrap();
        drop(parts(folder.path(), 3));
        assert!(names(folder.path()).is_empty());
    }
}
