//! What is remembered of libraries that took a host down while they ran in its process: they run isolated from then on,
//! until somebody forgives them or they are built anew.
//!
//! A dying host leaves a note beside the probe cache (`in_call`); the next one that starts takes it into the list. What is
//! held against a library is held against its content: another build is another library.

use crate::child::ending::signal_name;
use crate::error::{LoadError, LoadErrorKind};
use crate::library::one_line;
use crate::method::MethodRef;
use crate::search::SearchOptions;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Extension of a note that is whole.
pub(crate) const EXTENSION: &str = "crash";
/// The list, beside the notes.
const LIST: &str = "list.json";
/// Held while the list is changed.
const LOCK: &str = "lock";
/// Most bytes of a note that are read: a few lines for each of some thousand components.
const MAX_NOTE_BYTES: u64 = 1 << 22;
/// Most entries that are kept; the oldest go.
const MAX_ENTRIES: usize = 500;

/// A component as it is written down: who, and of which library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accused {
    /// Id; empty for the library as a whole.
    pub(crate) method: String,
    pub(crate) version: String,
    pub(crate) path: PathBuf,
    pub(crate) hash: String,
}

/// Something that is held against a library: it took a host down, or was in a call when one went down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    who: Accused,
    /// The function that was called; empty if that is not known.
    function: String,
    /// How the host ended.
    cause: String,
    /// The crash came from the very thread that was in the call.
    certain: bool,
    /// What other methods were in a call then.
    beside: Vec<String>,
    /// Seconds since 1970.
    utc_s: i64,
}

impl Crash {
    /// Id of the method; empty if the library crashed before any of its methods was called.
    pub fn method(&self) -> &str {
        &self.who.method
    }

    /// The library's file when it crashed.
    pub fn path(&self) -> &Path {
        &self.who.path
    }

    /// blake3 of the library's content, in hex.
    pub fn hash(&self) -> &str {
        &self.who.hash
    }

    /// False if the host crashed in a thread that was in no plugin, while others were in this one.
    pub fn is_certain(&self) -> bool {
        self.certain
    }

    /// What a user calls it.
    fn name(&self) -> String {
        let file = self.who.path.file_name().unwrap_or_default().to_string_lossy();
        if self.who.method.is_empty() {
            file.into()
        } else {
            format!("{} {} ({file})", self.who.method, self.who.version)
        }
    }

    /// The thing: first line of a message.
    pub fn thing(&self) -> String {
        format!("{} runs in a process of its own", self.name())
    }

    /// The cause: second line.
    pub fn cause(&self) -> String {
        let at = jiff::Timestamp::from_second(self.utc_s).map(|t| t.strftime("%Y-%m-%d %H:%M UTC").to_string());
        let at = at.unwrap_or_else(|_| "an unknown date".into());
        let function = if self.function.is_empty() { String::new() } else { format!(" in `{}`", self.function) };
        let beside = match self.beside.as_slice() {
            [] => String::new(),
            others => format!("; also in a call: {}", others.join(", ")),
        };
        if self.certain {
            format!("it took Tetherscope down{function} on {at}: {}{beside}", self.cause)
        } else {
            format!("it was in a call when Tetherscope went down elsewhere on {at}: {}{beside}", self.cause)
        }
    }

    /// The mend: third line.
    pub fn mend(&self) -> String {
        let name =
            if self.who.method.is_empty() { self.who.path.display().to_string() } else { self.who.method.clone() };
        format!(
            "report it to the plugin's author; a new build is trusted again, `tetherscope plugins forgive {name}` \
                 trusts this one"
        )
    }

    /// True if a user may mean it by this name: a method as `MethodRef` reads it, or a file.
    fn is_meant(&self, name: &str) -> bool {
        let by_method = name.parse::<MethodRef>().is_ok_and(|m| {
            let version = || semver::Version::parse(&self.who.version).ok();
            m.id == self.who.method
                && m.version.as_ref().is_none_or(|pin| version().is_some_and(|v| pin.matches(&v)))
                && m.hash.as_ref().is_none_or(|h| self.who.hash.starts_with(h.as_str()))
        });
        let path = Path::new(name);
        by_method || path == self.who.path || path.canonicalize().is_ok_and(|p| p == self.who.path)
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.thing(), self.cause(), self.mend())
    }
}

/// Where notes and list are.
pub(crate) fn folder(options: &SearchOptions) -> Option<PathBuf> {
    options.cache.as_ref().map(|c| c.with_file_name("crashes"))
}

/// All that is held against libraries, the newest first. Takes what dead hosts left into the list.
pub(crate) fn remembered(options: &SearchOptions) -> Vec<Crash> {
    let Some(folder) = folder(options) else { return Vec::new() };
    if notes(&folder).is_empty() {
        return read_list(&folder);
    }
    let taken = changed(&folder, |list| {
        // Another host may have taken them meanwhile.
        for note in notes(&folder) {
            let new = read_note(&note);
            list.retain(|old| !new.iter().any(|n| n.who == old.who));
            list.splice(0..0, new);
            if let Err(e) = std::fs::remove_file(&note) {
                tracing::debug!("{} stays: {e}", note.display());
            }
        }
    });
    taken.unwrap_or_else(|e| {
        tracing::warn!("what is remembered of crashes cannot be written in {}: {e}", folder.display());
        let mut all: Vec<Crash> = notes(&folder).iter().flat_map(|n| read_note(n)).collect();
        all.extend(read_list(&folder));
        all
    })
}

/// Forgets what is held against the libraries that a name means (`id`, `id@version`, `id#hash` or a file; None: all), and
/// gives it. They run in the host's process again from its next start on.
pub fn forgive(options: &SearchOptions, name: Option<&str>) -> Result<Vec<Crash>, LoadError> {
    let thing = || format!("cannot forgive {}", name.unwrap_or("anything"));
    let held = remembered(options);
    let meant: Vec<&Crash> = held.iter().filter(|c| name.is_none_or(|n| c.is_meant(n))).collect();
    if meant.is_empty() && name.is_some() {
        let mut names: Vec<&str> = held.iter().map(Crash::method).filter(|m| !m.is_empty()).collect();
        names.dedup();
        let mend = match names.as_slice() {
            [] => {
                "nothing is held against any plugin: it may be isolated because it asks for it, or by --isolate".into()
            }
            names => format!("something is held against: {}", names.join(", ")),
        };
        return Err(LoadError::new(LoadErrorKind::NotFound, thing(), "nothing is held against it", mend));
    }
    // A library is isolated as a whole, so it is forgiven as a whole.
    let forgiven = |c: &Crash| meant.iter().any(|m| m.who.hash == c.who.hash);
    let gone: Vec<Crash> = held.iter().filter(|c| forgiven(c)).cloned().collect();
    if let Some(folder) = folder(options).filter(|_| !gone.is_empty()) {
        changed(&folder, |list| list.retain(|c| !gone.contains(c))).map_err(|e| {
            let mend = "see that this folder may be written, or remove it";
            let cause = format!("the list in {} cannot be written: {e}", folder.display());
            LoadError::new(LoadErrorKind::Unreadable, thing(), cause, mend)
        })?;
    }
    Ok(gone)
}

/// Notes of dead hosts, the oldest first.
fn notes(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == EXTENSION)).collect();
    found.sort_by_key(|p| written_s(p));
    found
}

fn written_s(path: &Path) -> i64 {
    let modified = std::fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    modified.duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// What a note says; nothing if it makes no sense.
fn read_note(path: &Path) -> Vec<Crash> {
    use std::io::Read;
    let mut text = String::new();
    let read = File::open(path).and_then(|f| f.take(MAX_NOTE_BYTES).read_to_string(&mut text));
    let found = if read.is_ok() { parse_note(&text, written_s(path)) } else { Vec::new() };
    if found.is_empty() {
        tracing::debug!("{} makes no sense", path.display());
    }
    found
}

/// Lines as `last_words` writes them.
fn parse_note(text: &str, utc_s: i64) -> Vec<Crash> {
    let mut lines = text.lines();
    let Some(how) = lines.next().and_then(|l| l.strip_prefix("by ")) else { return Vec::new() };
    let (how, function) = how.split_once(' ').unwrap_or((how, ""));
    let cause = match how.parse() {
        Ok(signal) => format!("{}, signal {signal}", signal_name(signal)),
        Err(_) if how == "exit" => "it ended the program with `exit`".into(),
        Err(_) => return Vec::new(),
    };
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for line in lines {
        let Some((place, who)) = line.split_once(' ') else { continue };
        let Ok(who) = serde_json::from_str::<Accused>(who) else { continue };
        match place {
            "in" => own.push(who),
            "beside" => others.push(who),
            _ => {}
        }
    }
    let certain = !own.is_empty();
    let accused = if certain { own } else { others.clone() };
    let crash = |who: Accused| {
        let beside = others.iter().filter(|o| **o != who).map(|o| one_line(&o.method, 100)).collect();
        Crash { who, function: one_line(function, 40), cause: cause.clone(), certain, beside, utc_s }
    };
    accused.into_iter().map(crash).collect()
}

/// The list; one that cannot be read is empty.
fn read_list(folder: &Path) -> Vec<Crash> {
    let Ok(bytes) = std::fs::read(folder.join(LIST)) else { return Vec::new() };
    serde_json::from_slice(&bytes).unwrap_or_else(|e| {
        tracing::warn!("what is remembered of crashes in {} makes no sense: {e}", folder.display());
        Vec::new()
    })
}

/// Changes the list in one step, one host after the other, and gives it.
fn changed(folder: &Path, change: impl FnOnce(&mut Vec<Crash>)) -> std::io::Result<Vec<Crash>> {
    let lock = File::create(folder.join(LOCK))?;
    // Where files cannot be locked, two hosts at once may lose one's change: better than none.
    let _ = lock.lock();
    let mut list = read_list(folder);
    change(&mut list);
    list.truncate(MAX_ENTRIES);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &list)?;
    file.persist(folder.join(LIST)).map_err(|e| e.error)?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accused(method: &str) -> Accused {
        Accused {
            method: method.into(),
            version: "1.2.0".into(),
            path: "/p/liba.so".into(),
            hash: format!("{method}ff"),
        }
    }

    fn json(method: &str) -> String {
        serde_json::to_string(&accused(method)).unwrap()
    }

    fn options(folder: &Path) -> SearchOptions {
        SearchOptions { cache: Some(folder.join("plugins.json")), ..SearchOptions::default() }
    }

    fn leave_note(folder: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(folder.join("crashes")).unwrap();
        std::fs::write(folder.join("crashes").join(name), text).unwrap();
    }

    #[test]
    fn the_thread_that_crashed_accuses_and_the_others_are_named() {
        let text = format!("by 11 track\nin {}\nbeside {}\n", json("tracker.a"), json("zlut.b"));
        let found = parse_note(&text, 0);
        assert_eq!(found.len(), 1);
        let lines = found[0].to_string();
        let expected = "tracker.a 1.2.0 (liba.so) runs in a process of its own\nit took Tetherscope down in `track` on \
                        1970-01-01 00:00 UTC: segmentation fault, signal 11; also in a call: zlut.b\n";
        assert!(lines.starts_with(expected), "{lines}");
        assert!(lines.lines().count() == 3 && lines.contains("plugins forgive tracker.a`"), "{lines}");
    }

    #[test]
    fn a_crash_outside_of_every_plugin_makes_suspects_of_all_that_were_in_a_call() {
        let text = format!("by 06\nbeside {}\nbeside {}\n", json("tracker.a"), json("zlut.b"));
        let found = parse_note(&text, 0);
        assert_eq!(found.iter().map(Crash::method).collect::<Vec<_>>(), ["tracker.a", "zlut.b"]);
        assert!(found.iter().all(|c| !c.is_certain() && c.cause().contains("went down elsewhere")), "{found:?}");
        assert!(found[0].cause().ends_with("also in a call: zlut.b"), "{}", found[0]);
    }

    #[test]
    fn a_note_that_is_cut_or_rubbish_accuses_nobody_wrongly() {
        let whole = format!("by 11 track\nin {}\nbeside {}\n", json("tracker.a"), json("zlut.b"));
        for cut in 0..whole.len() {
            for crash in parse_note(&whole[..cut], 0) {
                assert!(
                    crash.who == accused("tracker.a") || crash.who == accused("zlut.b"),
                    "cut after {cut}: {crash:?}"
                );
            }
        }
        for text in ["", "by", "by 11", "by x\nin {}", "in {}\n", "by 11 track\nin {\"method\": 3}\nbeside\n\u{1}"] {
            assert!(parse_note(text, 0).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn notes_are_taken_once_and_remembered_until_they_are_forgiven() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        assert!(remembered(&options).is_empty());
        leave_note(folder.path(), "1-1.crash", &format!("by 11 track\nin {}\n", json("tracker.a")));
        leave_note(folder.path(), "2-1.crash", &format!("by exit poll\nin {}\n", json("camera.c")));
        leave_note(folder.path(), "3-1.part", &format!("by 11 track\nin {}\n", json("tracker.half")));
        leave_note(folder.path(), "4-1.crash", "rubbish");
        for _ in 0..2 {
            let mut held: Vec<String> = remembered(&options).iter().map(|c| c.method().to_owned()).collect();
            held.sort();
            assert_eq!(held, ["camera.c", "tracker.a"]);
        }
        let error = forgive(&options, Some("tracker.b")).unwrap_err();
        assert!(error.mend.contains("tracker.a") && error.mend.contains("camera.c"), "{error}");
        assert!(forgive(&options, Some("tracker.a@2")).is_err() && forgive(&options, Some("tracker.a#ffff")).is_err());
        let forgiven = forgive(&options, Some("tracker.a@1.2")).unwrap();
        assert_eq!(forgiven[0].method(), "tracker.a");
        assert_eq!(remembered(&options).len(), 1);
        assert_eq!(forgive(&options, Some("/p/liba.so")).unwrap().len(), 1);
        assert!(forgive(&options, None).unwrap().is_empty() && remembered(&options).is_empty());
    }

    #[test]
    fn the_same_crash_again_stands_in_the_list_once() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..3 {
            leave_note(folder.path(), &format!("{n}-1.crash"), &format!("by 1{n} track\nin {}\n", json("tracker.a")));
            let held = remembered(&options(folder.path()));
            assert_eq!(held.len(), 1);
            assert!(held[0].cause().ends_with(&format!("signal 1{n}")), "{}", held[0]);
        }
    }
}
