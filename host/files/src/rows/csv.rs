//! Rows as plain CSV: a header and one line per row, every number as short as reads back to the
//! same bits, NaN as `NaN`, a missing time as nothing. No metadata.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::{ROW_COLUMNS, Row};
use crate::error::{FileError, Result};
use crate::new_file::NewFile;
use crate::text::{CsvReader, LastLine, Record, push_f32, push_f64};

/// Rows that are read at a time.
const BATCH_ROWS: usize = 1 << 14;

#[derive(Debug)]
pub(super) struct CsvRowsWriter {
    out: BufWriter<NewFile>,
    line: String,
    failed: bool,
}

impl CsvRowsWriter {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 16, NewFile::create(path)?),
            line: ROW_COLUMNS.join(","),
            failed: false,
        };
        writer.line.push('\n');
        writer.write_line()?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, rows: &[Row]) -> Result<()> {
        if self.failed {
            return Err(FileError::failed_before(self.out.get_ref().target()));
        }
        for row in rows {
            push_row(&mut self.line, row);
            self.write_line()?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<()> {
        let target = self.out.get_ref().target().to_owned();
        if self.failed {
            return Err(FileError::failed_before(&target));
        }
        self.out.into_inner().map_err(|e| FileError::writing(&target, e.error()))?.finish()
    }

    fn write_line(&mut self) -> Result<()> {
        let written = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        written.map_err(|e| {
            self.failed = true;
            FileError::writing(self.out.get_ref().target(), &e)
        })
    }
}

fn push_row(line: &mut String, row: &Row) {
    const TAKES_ALL: &str = "a String takes whatever is written";
    write!(line, "{},{},", row.frame, row.bead).expect(TAKES_ALL);
    if let Some(time_ns) = row.time_ns {
        write!(line, "{time_ns}").expect(TAKES_ALL);
    }
    line.push(',');
    for value in [row.x_nm, row.y_nm, row.z_nm] {
        push_f64(line, value);
        line.push(',');
    }
    for value in [row.sigma_x_nm, row.sigma_y_nm, row.sigma_z_nm, row.quality] {
        push_f32(line, value);
        line.push(',');
    }
    writeln!(line, "{},{},{}", row.flags, row.roi_x_px, row.roi_y_px).expect(TAKES_ALL);
}

#[derive(Debug)]
pub(super) struct CsvRowsReader {
    input: CsvReader,
}

impl CsvRowsReader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let input = CsvReader::open(path, &ROW_COLUMNS, LastLine::MustEnd)?;
        Ok(Self { input })
    }

    pub(super) fn read_batch(&mut self, rows: &mut Vec<Row>) -> Result<usize> {
        let before = rows.len();
        while rows.len() - before < BATCH_ROWS {
            match self.input.next_record()? {
                Some(record) => rows.push(parse_row(&record)?),
                None => break,
            }
        }
        Ok(rows.len() - before)
    }
}

/// The numbers are the places in [`ROW_COLUMNS`].
fn parse_row(record: &Record<'_>) -> Result<Row> {
    Ok(Row {
        frame: record.whole(0)?,
        bead: record.whole(1)?,
        time_ns: record.whole_or_empty(2)?,
        x_nm: record.float(3)?,
        y_nm: record.float(4)?,
        z_nm: record.float(5)?,
        sigma_x_nm: record.float(6)?,
        sigma_y_nm: record.float(7)?,
        sigma_z_nm: record.float(8)?,
        quality: record.float(9)?,
        flags: record.whole(10)?,
        roi_x_px: record.whole(11)?,
        roi_y_px: record.whole(12)?,
    })
}
