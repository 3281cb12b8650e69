//! `rig.toml` as people write it: reading, and naming line and key of everything that is wrong with it, be it a slip of
//! the pen, a method that is not there or a refusal of the engine. What a rig means stands in `tetherscope-core`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use tetherscope_core::RunError;
use tetherscope_core::loader::Registry;
use tetherscope_core::rig::{RIG_VERSION, Rig, RigProblem};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The rig that runs without a file: simulated beads.
pub(crate) const EXAMPLE: &str = include_str!("../../../examples/rigs/sim.toml");

/// A rig with the text that it was read from.
pub(crate) struct RigFile {
    /// Its file; none for the example.
    path: Option<PathBuf>,
    text: String,
    /// The rig, its paths whole.
    pub(crate) rig: Rig,
}

/// Something wrong with a rig's file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileProblem {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Key; empty where the text is no TOML.
    pub(crate) key: String,
    pub(crate) cause: String,
    pub(crate) mend: String,
}

/// Why a rig's file could not be read.
pub(crate) enum ReadProblem {
    /// The file itself.
    Unreadable(RunError),
    /// What stands in it.
    Wrong(FileProblem),
}

impl FileProblem {
    /// The three lines, for a file of this name.
    pub(crate) fn error(&self, name: &str) -> RunError {
        RunError::refused(format!("cannot use {name}"), format!("{}: {}", self.place(), self.cause), self.mend.clone())
    }

    /// `line 12, camera.method`.
    pub(crate) fn place(&self) -> String {
        if self.key.is_empty() { format!("line {}", self.line) } else { format!("line {}, {}", self.line, self.key) }
    }
}

impl RigFile {
    /// The rig that runs without a file. Its paths count from the current folder.
    pub(crate) fn example() -> Self {
        let rig = parse(EXAMPLE).unwrap_or_else(|p| panic!("the example is tested, but {}: {}", p.place(), p.cause));
        Self { path: None, text: EXAMPLE.to_owned(), rig }
    }

    /// Reads a file. Only its grammar is checked; see [`RigFile::check`].
    pub(crate) fn read(path: &Path) -> Result<Self, ReadProblem> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let mend = "give a file of text; `tetherscope config example` prints one to begin with";
            ReadProblem::Unreadable(RunError::refused(format!("cannot read {}", path.display()), e.to_string(), mend))
        })?;
        let mut rig = parse(&text).map_err(ReadProblem::Wrong)?;
        rig.resolve_paths(path.parent().unwrap_or(Path::new("")));
        Ok(Self { path: Some(path.to_owned()), text, rig })
    }

    /// A rig that the program itself wrote; its paths count from `folder`.
    pub(crate) fn of_text(text: &str, folder: &Path) -> Result<Self, RunError> {
        let mut rig = parse(text).map_err(|p| p.error("a rig of this program's own"))?;
        rig.resolve_paths(folder);
        Ok(Self { path: None, text: text.to_owned(), rig })
    }

    /// The rig of `--config`, or the example. Wrong in any way: an error with its first problem.
    pub(crate) fn usable(path: Option<&Path>, registry: &Registry) -> Result<Self, RunError> {
        let file = match path {
            None => Self::example(),
            Some(path) => Self::read(path).map_err(|e| match e {
                ReadProblem::Unreadable(e) => e,
                ReadProblem::Wrong(p) => p.error(&path.display().to_string()),
            })?,
        };
        let problems = file.check(registry);
        match problems.first() {
            None => Ok(file),
            Some(first) => {
                let mut first = first.clone();
                if problems.len() > 1 {
                    first.mend += &format!("; `tetherscope config check` tells of {} more", problems.len() - 1);
                }
                Err(first.error(&file.name()))
            }
        }
    }

    /// Its file; none if nobody wrote one.
    #[cfg(feature = "gui")]
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// True if a person wrote it.
    pub(crate) fn is_a_file(&self) -> bool {
        self.path.is_some()
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "the example rig".to_owned(), |p| p.display().to_string())
    }

    /// Everything that can be found wrong without touching a device.
    pub(crate) fn check(&self, registry: &Registry) -> Vec<FileProblem> {
        self.rig.check(registry).into_iter().map(|p| self.place(p)).collect()
    }

    /// A problem at its place in the file.
    pub(crate) fn place(&self, problem: RigProblem) -> FileProblem {
        let RigProblem { key, cause, mend } = problem;
        FileProblem { line: line_of_key(&self.text, &key), key, cause, mend }
    }

    /// The error of a problem, with file, line and key.
    pub(crate) fn error(&self, problem: RigProblem) -> RunError {
        self.place(problem).error(&self.name())
    }
}

/// Reads the text of a rig.
fn parse(text: &str) -> Result<Rig, FileProblem> {
    let table = DeTable::parse(text).map_err(|e| {
        let cause = e.message().lines().collect::<Vec<_>>().join(", ");
        let line = line_at(text, e.span().map_or(0, |s| s.start));
        FileProblem { line, key: String::new(), cause, mend: "mend the text; it is TOML (https://toml.io)".into() }
    })?;
    check_version(text, table.get_ref())?;
    toml::from_str(text).map_err(|e: toml::de::Error| {
        let span = e.span().unwrap_or(0..0);
        let key = key_at(table.get_ref(), &span).unwrap_or_default();
        FileProblem {
            line: line_at(text, span.start),
            key,
            cause: e.message().lines().collect::<Vec<_>>().join(", "),
            mend: "correct it; `tetherscope config example` shows a rig, `tetherscope config schema` says all keys"
                .into(),
        }
    })
}

/// The version comes first: what a newer one means by its other keys nobody can know here.
fn check_version(text: &str, table: &DeTable<'_>) -> Result<(), FileProblem> {
    let found = table.iter().find(|(k, _)| k.get_ref() == "version");
    let problem = |at: usize, cause: String, mend: &str| {
        Err(FileProblem { line: line_at(text, at), key: "version".into(), cause, mend: mend.into() })
    };
    let Some((key, value)) = found else {
        return problem(0, "it is missing".into(), "begin the file with `version = 1`");
    };
    match value.get_ref().as_integer().and_then(|i| i.as_str().parse::<u32>().ok()) {
        Some(RIG_VERSION) => Ok(()),
        Some(newer) if newer > RIG_VERSION => {
            let cause = format!("it is {newer}, this program reads rigs up to version {RIG_VERSION}");
            problem(key.span().start, cause, "get a newer Tetherscope")
        }
        _ => problem(key.span().start, "there is no such version".into(), "write `version = 1`"),
    }
}

/// Line, from 1, of a place in a text.
fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

/// Line of a key, or of what it would stand in: as much of it as there is.
fn line_of_key(text: &str, key: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 1 };
    let mut here = 0;
    let mut value: Option<&DeValue<'_>> = None;
    for part in key.split('.') {
        let (name, numbers) = part.split_once('[').unwrap_or((part, ""));
        let inside = match value {
            None => Some(table.get_ref()),
            Some(v) => v.as_table(),
        };
        let Some((k, v)) = inside.and_then(|t| t.iter().find(|(k, _)| k.get_ref() == name)) else { break };
        here = k.span().start;
        value = Some(v.get_ref());
        let number = numbers.trim_end_matches(']').parse::<usize>().ok();
        if let (Some(n), Some(list)) = (number, v.get_ref().as_array()) {
            let Some(element) = list.get(n) else { break };
            here = element.span().start;
            value = Some(element.get_ref());
        }
    }
    line_at(text, here)
}

/// The innermost key whose name or value holds a place.
fn key_at(table: &DeTable<'_>, place: &Range<usize>) -> Option<String> {
    let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    for (key, value) in table.iter() {
        if holds(key.span()) {
            return Some(key.get_ref().to_string());
        }
        let inner = key_in_value(value, place);
        if inner.is_some() || holds(value.span()) {
            return Some(format!("{}{}", key.get_ref(), inner.unwrap_or_default()));
        }
    }
    None
}

/// The rest of a key, from its first `.` or `[`.
fn key_in_value(value: &Spanned<DeValue<'_>>, place: &Range<usize>) -> Option<String> {
    if let Some(table) = value.get_ref().as_table() {
        return key_at(table, place).map(|k| format!(".{k}"));
    }
    let list = value.get_ref().as_array()?;
    list.iter().enumerate().find_map(|(i, element)| {
        let span = element.span();
        let inner = key_in_value(element, place);
        let here = inner.is_some() || (span.start <= place.start && place.end <= span.end);
        here.then(|| format!("[{i}]{}", inner.unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests;
