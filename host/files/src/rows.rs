//! The table of rows: one row per frame and bead, the same live, in files and for clients.
//! CSV opens everywhere; Parquet is smaller, faster and carries metadata.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{ErrorKind, FileError, Result};

mod csv;
mod parquet_reader;
mod parquet_writer;

use csv::{CsvRowsReader, CsvRowsWriter};
use parquet_reader::ParquetRowsReader;
use parquet_writer::ParquetRowsWriter;

/// The version of the table's columns, in Parquet metadata under [`ROWS_VERSION_KEY`].
/// It grows when a column changes its meaning, not when one is added.
pub const ROWS_VERSION: u32 = 1;

/// The metadata key of [`ROWS_VERSION`]; written by this crate, whatever the caller gives.
pub const ROWS_VERSION_KEY: &str = "tetherscope.rows_version";

/// The columns of the table, in order, as they are named in every file.
pub const ROW_COLUMNS: [&str; 13] = [
    "frame",
    "bead",
    "time_ns",
    "x_nm",
    "y_nm",
    "z_nm",
    "sigma_x_nm",
    "sigma_y_nm",
    "sigma_z_nm",
    "quality",
    "flags",
    "roi_x_px",
    "roi_y_px",
];

/// What was measured of one bead in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Frame index of the host, gapless.
    pub frame: u64,
    /// Bead id, never re-used in a recording.
    pub bead: u32,
    /// UTC of the exposure's middle, in ns since 1970; `None` where the input has no clock.
    pub time_ns: Option<i64>,
    /// Position in the frame, nm; 0 is the middle of the top-left pixel, x to the right.
    pub x_nm: f64,
    /// Position in the frame, nm; 0 is the middle of the top-left pixel, y down.
    pub y_nm: f64,
    /// Focus position of the sweep at which the bead looks the same, times the focal shift
    /// factor, nm. NaN without Z-LUT.
    pub z_nm: f64,
    /// Standard error of `x_nm`; NaN where the method can't tell.
    pub sigma_x_nm: f32,
    /// Standard error of `y_nm`; NaN where the method can't tell.
    pub sigma_y_nm: f32,
    /// Standard error of `z_nm`; NaN where the method can't tell.
    pub sigma_z_nm: f32,
    /// 0 to 1, 1 is best; NaN unknown.
    pub quality: f32,
    /// Bits of the plugin interface's flags.
    pub flags: u32,
    /// Column of the ROI's top-left pixel in the frame.
    pub roi_x_px: i32,
    /// Row of the ROI's top-left pixel in the frame.
    pub roi_y_px: i32,
}

impl Row {
    /// Whether two rows are the same to the bit. NaN equals NaN here, and 0.0 differs from -0.0.
    #[must_use]
    pub fn same_bits(&self, other: &Self) -> bool {
        let floats = |r: &Self| [r.x_nm, r.y_nm, r.z_nm].map(canonical_bits);
        let small =
            |r: &Self| [r.sigma_x_nm, r.sigma_y_nm, r.sigma_z_nm, r.quality].map(|v| canonical_bits(f64::from(v)));
        let whole = |r: &Self| (r.frame, r.bead, r.time_ns, r.flags, r.roi_x_px, r.roi_y_px);
        floats(self) == floats(other) && small(self) == small(other) && whole(self) == whole(other)
    }
}

/// Text files know one NaN only.
fn canonical_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// Writes rows to a new file, CSV or Parquet by the extension.
///
/// Until [`RowsWriter::finish`] the file has a temporary name in the same folder; a writer that
/// is dropped unfinished leaves nothing behind.
#[derive(Debug)]
pub struct RowsWriter {
    format: FormatWriter,
    n_rows: u64,
}

#[derive(Debug)]
enum FormatWriter {
    Csv(CsvRowsWriter),
    Parquet(Box<ParquetRowsWriter>),
}

impl RowsWriter {
    /// Begins a file: `.csv` or `.parquet`. Fails when the file exists, the folder doesn't, or
    /// the extension is another.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let format = match Format::of(path, "write")? {
            Format::Csv => FormatWriter::Csv(CsvRowsWriter::create(path)?),
            Format::Parquet => FormatWriter::Parquet(Box::new(ParquetRowsWriter::create(path)?)),
        };
        Ok(Self { format, n_rows: 0 })
    }

    /// Adds to the file's metadata, at any time before the end; a key given again replaces.
    /// Parquet only: a CSV stays plain, so that it opens everywhere.
    pub fn add_metadata(&mut self, metadata: &BTreeMap<String, String>) {
        if let FormatWriter::Parquet(writer) = &mut self.format {
            writer.add_metadata(metadata);
        }
    }

    /// Whether the format keeps metadata.
    #[must_use]
    pub fn keeps_metadata(&self) -> bool {
        matches!(self.format, FormatWriter::Parquet(_))
    }

    /// Appends rows in the order given. After an error the file can't be finished any more.
    pub fn write(&mut self, rows: &[Row]) -> Result<()> {
        match &mut self.format {
            FormatWriter::Csv(writer) => writer.write(rows)?,
            FormatWriter::Parquet(writer) => writer.write(rows)?,
        }
        self.n_rows += rows.len() as u64;
        Ok(())
    }

    /// How many rows were given so far.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Completes the file, syncs it and gives it its name. A file without rows is a valid one.
    pub fn finish(self) -> Result<()> {
        match self.format {
            FormatWriter::Csv(writer) => writer.finish(),
            FormatWriter::Parquet(writer) => writer.finish(),
        }
    }
}

/// Reads rows of a CSV or Parquet file, batch by batch.
#[derive(Debug)]
pub struct RowsReader {
    format: FormatReader,
}

#[derive(Debug)]
enum FormatReader {
    Csv(CsvRowsReader),
    Parquet(Box<ParquetRowsReader>),
}

impl RowsReader {
    /// Opens a file and checks its columns; further columns are passed over.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let format = match Format::of(path, "read")? {
            Format::Csv => FormatReader::Csv(CsvRowsReader::open(path)?),
            Format::Parquet => FormatReader::Parquet(Box::new(ParquetRowsReader::open(path)?)),
        };
        Ok(Self { format })
    }

    /// The file's metadata; empty for CSV.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, String> {
        match &self.format {
            FormatReader::Csv(_) => BTreeMap::new(),
            FormatReader::Parquet(reader) => reader.metadata().clone(),
        }
    }

    /// Appends the next rows to `rows` and returns how many; 0 is the end of the file.
    /// A batch is a few ten thousand rows, or what the file keeps together.
    pub fn read_batch(&mut self, rows: &mut Vec<Row>) -> Result<usize> {
        match &mut self.format {
            FormatReader::Csv(reader) => reader.read_batch(rows),
            FormatReader::Parquet(reader) => reader.read_batch(rows),
        }
    }
}

/// All rows of a CSV or Parquet file.
pub fn read_rows(path: impl AsRef<Path>) -> Result<Vec<Row>> {
    let mut reader = RowsReader::open(path)?;
    let mut rows = Vec::new();
    while reader.read_batch(&mut rows)? > 0 {}
    Ok(rows)
}

enum Format {
    Csv,
    Parquet,
}

impl Format {
    fn of(path: &Path, verb: &str) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            _ => Err(FileError::new(
                ErrorKind::UnknownFormat,
                format!("cannot {verb} {}", path.display()),
                format!("\".{extension}\" is no format for rows"),
                "end the file's name in .csv or .parquet",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
