//! Reading and writing of plain CSV: lines, columns found by name, numbers, and errors that name
//! file, line and value. It knows no particular table.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{FileError, Result};

mod numbers;
mod record;

pub(crate) use numbers::{push_f32, push_f64};
pub(crate) use record::Record;

/// No line of a table is longer; whatever is, is no table.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// How much of a wrong value an error repeats.
const SHOWN_CHARS: usize = 40;

/// What the end of a file without a newline means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLine {
    /// We wrote the file, and we always end a line: the file was cut, perhaps inside a number.
    MustEnd,
    /// People write such files by hand, and many editors leave the last newline off.
    MayLackNewline,
}

/// Reads a CSV file line by line. Columns are found by the names in the header, in any order;
/// columns nobody asked for are passed over.
#[derive(Debug)]
pub(crate) struct CsvReader {
    path: PathBuf,
    input: BufReader<File>,
    last_line: LastLine,
    names: &'static [&'static str],
    positions: Vec<usize>,
    n_columns: usize,
    line: Vec<u8>,
    number: u64,
    fields: Vec<Range<usize>>,
}

impl CsvReader {
    /// Opens `path` and reads the header, in which each of `names` must stand once.
    pub(crate) fn open(path: &Path, names: &'static [&'static str], last_line: LastLine) -> Result<Self> {
        let file = File::open(path).map_err(|e| FileError::reading(path, &e))?;
        let mut reader = Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(1 << 16, file),
            last_line,
            names,
            positions: Vec::new(),
            n_columns: 0,
            line: Vec::new(),
            number: 0,
            fields: Vec::new(),
        };
        if !reader.read_line()? {
            return Err(FileError::malformed(
                path,
                None,
                "the file is empty",
                format!("the first line is: {}", names.join(",")),
            ));
        }
        reader.read_header()?;
        Ok(reader)
    }

    /// The next line that isn't blank, or `None` at the end of the file.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        if !self.read_line()? {
            return Ok(None);
        }
        let text = self.text()?;
        let fields = split(text);
        if fields.len() != self.n_columns {
            return Err(self.error_here(
                format!("{} columns here, {} in the header", fields.len(), self.n_columns),
                "give every line as many values as the header has names",
            ));
        }
        self.fields = fields;
        Ok(Some(Record { reader: self }))
    }

    fn read_header(&mut self) -> Result<()> {
        let text = self.text()?;
        let found: Vec<String> = split(text).iter().map(|r| text[r.clone()].into()).collect();
        let mut positions = Vec::with_capacity(self.names.len());
        for name in self.names {
            let mut places = found.iter().enumerate().filter(|(_, f)| f == name);
            match (places.next(), places.next()) {
                (Some((place, _)), None) => positions.push(place),
                (None, _) => return Err(self.missing(name, &found)),
                (Some(_), Some(_)) => {
                    return Err(self
                        .error_here(format!("column {name} stands twice in the header"), "leave one of the two out"));
                }
            }
        }
        self.n_columns = found.len();
        self.positions = positions;
        Ok(())
    }

    fn missing(&self, name: &str, found: &[String]) -> FileError {
        let header = self.names.join(",");
        let first = found.first().map_or("", String::as_str);
        if found.len() == 1 && (first.contains(';') || first.contains('\t')) {
            return self.error_here(
                "the columns are separated by semicolons or tabs",
                format!("separate them by commas: {header}"),
            );
        }
        if found.iter().all(|f| f.is_empty() || f.parse::<f64>().is_ok()) {
            return self.error_here(
                format!("the header is missing, the file begins with {}", shown(first)),
                format!("put this line first: {header}"),
            );
        }
        self.error_here(
            format!("column {name} is missing, the header is {}", shown(&found.join(","))),
            format!("the header needs: {header}"),
        )
    }

    /// Reads the next line with something in it, without its newline. False at the end.
    fn read_line(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            let n = (&mut self.input)
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut self.line)
                .map_err(|e| FileError::reading(&self.path, &e))?;
            if n == 0 {
                return Ok(false);
            }
            self.number += 1;
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
                if self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
            } else if n as u64 == MAX_LINE_BYTES {
                return Err(self.error_here("a line of more than 1 MiB", "give a CSV file"));
            } else if self.last_line == LastLine::MustEnd {
                return Err(FileError::damaged(&self.path, format!("line {} is not complete", self.number)));
            }
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn text(&self) -> Result<&str> {
        match std::str::from_utf8(&self.line) {
            Ok(text) if !text.contains('\0') => Ok(text),
            _ => Err(self.error_here("this is not text", "give a CSV file in UTF-8")),
        }
    }

    fn error_here(&self, cause: impl Into<String>, mend: impl Into<String>) -> FileError {
        FileError::malformed(&self.path, Some(self.number), cause, mend)
    }
}

/// A piece of a file for an error text: quoted, unprintable characters escaped, not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("\"{}\"", cut.escape_debug())
}

/// Where the fields of a line stand, without the blanks and quotes round them.
fn split(line: &str) -> Vec<Range<usize>> {
    let mut fields = Vec::with_capacity(16);
    let mut start = 0;
    let mut quoted = false;
    for (i, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                fields.push(trimmed(line, start..i));
                start = i + 1;
            }
            _ => {}
        }
    }
    fields.push(trimmed(line, start..line.len()));
    fields
}

fn trimmed(line: &str, range: Range<usize>) -> Range<usize> {
    let whole = &line[range.clone()];
    let mut start = range.start + (whole.len() - whole.trim_start().len());
    let mut text = whole.trim();
    if let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        start += 1;
        text = inner;
    }
    start..start + text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str) -> Vec<&str> {
        split(line).into_iter().map(|r| &line[r]).collect()
    }

    #[test]
    fn fields_are_trimmed_and_quotes_hide_commas() {
        assert_eq!(fields("1, 2 ,\"a,b\",\"\",\""), ["1", "2", "a,b", "", "\""]);
        assert_eq!(fields(""), [""]);
        assert_eq!(fields(","), ["", ""]);
    }

    #[test]
    fn a_wrong_value_is_shown_short_and_printable() {
        assert_eq!(shown("a\u{7}b"), "\"a\\u{7}b\"");
        assert!(shown(&"x".repeat(1000)).chars().count() < 50);
    }
}
