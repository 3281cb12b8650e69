//! One line of a CSV file: its values by column, as numbers, with errors that name line, column and
//! value.

use super::{CsvReader, shown};
use crate::error::{FileError, Result};

/// One line; columns are counted as in the `names` given to [`CsvReader::open`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(super) reader: &'a CsvReader,
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
