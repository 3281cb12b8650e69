//! Reading and writing of plain CSV: lines, columns found by name, numbers, and errors that name
//! file, line and value. It knows no particular table.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{FileError, Result};

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

/// One line; columns are counted as in the `names` given to [`CsvReader::open`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    reader: &'a CsvReader,
}

impl Record<'_> {
    /// The text of a column, without blanks and quotes round it.
    pub(crate) fn text(&self, column: usize) -> &str {
        let range = &self.reader.fields[self.reader.positions[column]];
        // The line was checked to be UTF-8 before it was split, at ASCII characters.
        std::str::from_utf8(&self.reader.line[range.clone()]).unwrap_or_default()
    }

    /// A whole number of the type that is asked for.
    pub(crate) fn whole<T: Whole>(&self, column: usize) -> Result<T> {
        let text = self.text(column);
        text.parse().map_err(|_| {
            self.wrong(
                column,
                &format!("is {}, not a whole number in its range", shown(text)),
                &format!("give a whole number from {} to {}", T::MIN, T::MAX),
            )
        })
    }

    /// A whole number, or `None` where the column is empty.
    pub(crate) fn whole_or_empty<T: Whole>(&self, column: usize) -> Result<Option<T>> {
        if self.text(column).is_empty() {
            return Ok(None);
        }
        self.whole(column).map(Some)
    }

    /// A number; `NaN`, `inf` and `-inf` are numbers here.
    pub(crate) fn float<T: std::str::FromStr>(&self, column: usize) -> Result<T> {
        let text = self.text(column);
        text.parse().map_err(|_| {
            self.wrong(
                column,
                &format!("is {}, not a number", shown(text)),
                "give a number with a decimal point, such as 12.5",
            )
        })
    }

    /// A number that is neither NaN nor infinite.
    pub(crate) fn finite(&self, column: usize) -> Result<f64> {
        let value: f64 = self.float(column)?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(self.wrong(column, &format!("is {value}"), "give a number, or leave the whole line out"))
    }

    /// An error about a column of this line: its name, then `cause`.
    pub(crate) fn wrong(&self, column: usize, cause: &str, mend: &str) -> FileError {
        let name = self.reader.names[column];
        self.error(format!("{name} {cause}"), mend)
    }

    /// An error about this line.
    pub(crate) fn error(&self, cause: impl Into<String>, mend: impl Into<String>) -> FileError {
        self.reader.error_here(cause, mend)
    }

    /// The number of this line, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.reader.number
    }
}

/// The integer types that stand in tables, with their ranges for the error text.
pub(crate) trait Whole: std::str::FromStr {
    const MIN: i128;
    const MAX: i128;
}

macro_rules! whole {
    ($($t:ty),*) => {$(
        impl Whole for $t {
            const MIN: i128 = <$t>::MIN as i128;
            const MAX: i128 = <$t>::MAX as i128;
        }
    )*};
}
whole!(u64, u32, i64, i32);

/// A piece of a file for an error text: quoted, unprintable characters escaped, not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("\"{}\"", cut.escape_debug())
}

/// Appends a number so that it reads back to the same bits, as short as possible.
/// NaN is `NaN` (its sign and payload are lost), zero keeps its sign.
pub(crate) fn push_f64(out: &mut String, value: f64) {
    let size = value.abs();
    // Plain digits where people expect them; `{}` alone would print 1e300 with 301 digits.
    let written = if size == 0.0 || (1e-5..1e16).contains(&size) || !value.is_finite() {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    written.expect("a String takes whatever is written");
}

/// As [`push_f64`], with the fewer digits that an f32 needs.
pub(crate) fn push_f32(out: &mut String, value: f32) {
    let size = value.abs();
    let written = if size == 0.0 || (1e-5..1e16).contains(&size) || !value.is_finite() {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    written.expect("a String takes whatever is written");
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
    fn numbers_read_back_to_the_same_bits() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let special = [0.0, -0.0, 1e300, -5e-324, f64::MAX, 1e16, 0.1, f64::INFINITY];
        for i in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = match special.get(i) {
                Some(value) => *value,
                None => f64::from_bits(state),
            };
            if value.is_nan() {
                continue;
            }
            let mut text = String::new();
            push_f64(&mut text, value);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            let small = value as f32;
            text.clear();
            push_f32(&mut text, small);
            assert_eq!(text.parse::<f32>().unwrap().to_bits(), small.to_bits());
        }
    }

    #[test]
    fn numbers_stay_short_and_nan_is_spelled_nan() {
        let print = |v| {
            let mut text = String::new();
            push_f64(&mut text, v);
            text
        };
        assert_eq!(print(12.5), "12.5");
        assert_eq!(print(1e300), "1e300");
        assert_eq!(print(f64::NAN), "NaN");
    }

    #[test]
    fn a_wrong_value_is_shown_short_and_printable() {
        assert_eq!(shown("a\u{7}b"), "\"a\\u{7}b\"");
        assert!(shown(&"x".repeat(1000)).chars().count() < 50);
    }
}
