//! Rows as Parquet, by the column writers of the `parquet` crate (without arrow).
//! Encodings were chosen by measurement: noise in the last digits does not compress, so floats
//! are split into byte streams, integers are stored as differences, and dictionaries are off
//! (they cost three times the CPU and 10 % of the size). zstd 1.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::{ROW_COLUMNS, ROWS_VERSION, ROWS_VERSION_KEY, Row};
use crate::error::{ErrorKind, FileError, Result};
use crate::new_file::NewFile;

/// Rows per row group: 20 MB at a time in memory, and still few groups in an hour's recording.
const GROUP_ROWS: usize = 1 << 18;

pub(super) struct ParquetRowsWriter {
    writer: SerializedFileWriter<NewFile>,
    pending: Vec<Row>,
    metadata: BTreeMap<String, String>,
    failed: bool,
}

impl std::fmt::Debug for ParquetRowsWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetRowsWriter")
            .field("target", &self.writer.inner().target())
            .field("n_pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

impl ParquetRowsWriter {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = NewFile::create(path)?;
        let writer = schema()
            .and_then(|schema| SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties()?)))
            .map_err(|e| parquet_error(path, e))?;
        Ok(Self { writer, pending: Vec::new(), metadata: BTreeMap::new(), failed: false })
    }

    pub(super) fn add_metadata(&mut self, metadata: &BTreeMap<String, String>) {
        let new = metadata.iter().map(|(k, v)| (k.clone(), v.clone()));
        self.metadata.extend(new);
    }

    pub(super) fn write(&mut self, rows: &[Row]) -> Result<()> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(GROUP_ROWS - self.pending.len()));
            self.pending.extend_from_slice(now);
            rest = later;
            if self.pending.len() == GROUP_ROWS {
                self.write_group()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        if !self.pending.is_empty() {
            self.write_group()?;
        }
        let target = self.writer.inner().target().to_owned();
        if self.failed {
            return Err(FileError::failed_before(&target));
        }
        self.metadata.insert(ROWS_VERSION_KEY.to_owned(), ROWS_VERSION.to_string());
        for (key, value) in std::mem::take(&mut self.metadata) {
            self.writer.append_key_value_metadata(KeyValue::new(key, value));
        }
        self.writer.into_inner().map_err(|e| parquet_error(&target, e))?.finish()
    }

    fn write_group(&mut self) -> Result<()> {
        let target = self.writer.inner().target().to_owned();
        if self.failed {
            return Err(FileError::failed_before(&target));
        }
        let written = self.writer.next_row_group().and_then(|group| write_columns(group, &self.pending));
        self.pending.clear();
        written.map_err(|e| {
            self.failed = true;
            parquet_error(&target, e)
        })
    }
}

type ParquetResult<T> = std::result::Result<T, ParquetError>;

/// Writes the columns in the order of [`ROW_COLUMNS`]. Unsigned numbers go through signed ones of
/// the same bits; the schema says that they are unsigned.
fn write_columns(mut group: SerializedRowGroupWriter<'_, NewFile>, rows: &[Row]) -> ParquetResult<()> {
    column::<Int64Type>(&mut group, rows, |r| r.frame.cast_signed())?;
    column::<Int32Type>(&mut group, rows, |r| r.bead.cast_signed())?;
    time_column(&mut group, rows)?;
    column::<DoubleType>(&mut group, rows, |r| r.x_nm)?;
    column::<DoubleType>(&mut group, rows, |r| r.y_nm)?;
    column::<DoubleType>(&mut group, rows, |r| r.z_nm)?;
    column::<FloatType>(&mut group, rows, |r| r.sigma_x_nm)?;
    column::<FloatType>(&mut group, rows, |r| r.sigma_y_nm)?;
    column::<FloatType>(&mut group, rows, |r| r.sigma_z_nm)?;
    column::<FloatType>(&mut group, rows, |r| r.quality)?;
    column::<Int32Type>(&mut group, rows, |r| r.flags.cast_signed())?;
    column::<Int32Type>(&mut group, rows, |r| r.roi_x_px)?;
    column::<Int32Type>(&mut group, rows, |r| r.roi_y_px)?;
    group.close().map(|_| ())
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, NewFile>,
    rows: &[Row],
    value: impl Fn(&Row) -> T::T,
) -> ParquetResult<()> {
    let values: Vec<T::T> = rows.iter().map(value).collect();
    batch::<T>(group, &values, None)
}

fn time_column(group: &mut SerializedRowGroupWriter<'_, NewFile>, rows: &[Row]) -> ParquetResult<()> {
    let values: Vec<i64> = rows.iter().filter_map(|r| r.time_ns).collect();
    let present: Vec<i16> = rows.iter().map(|r| i16::from(r.time_ns.is_some())).collect();
    batch::<Int64Type>(group, &values, Some(&present))
}

fn batch<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, NewFile>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> ParquetResult<()> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has no such column".into()));
    };
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

fn schema() -> ParquetResult<Type> {
    let mut fields = Vec::with_capacity(ROW_COLUMNS.len());
    for name in ROW_COLUMNS {
        let (physical, logical) = match name {
            "frame" => (PhysicalType::INT64, Some(LogicalType::integer(64, false))),
            // A plain integer, not a timestamp: zoned timestamps need extra packages in Python.
            "time_ns" => (PhysicalType::INT64, None),
            "bead" | "flags" => (PhysicalType::INT32, Some(LogicalType::integer(32, false))),
            "roi_x_px" | "roi_y_px" => (PhysicalType::INT32, None),
            "x_nm" | "y_nm" | "z_nm" => (PhysicalType::DOUBLE, None),
            _ => (PhysicalType::FLOAT, None),
        };
        let repetition = match name {
            "time_ns" => Repetition::OPTIONAL,
            _ => Repetition::REQUIRED,
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        fields.push(Arc::new(field));
    }
    Type::group_type_builder("rows").with_fields(fields).build()
}

fn properties() -> ParquetResult<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("tetherscope ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_encoding(Encoding::DELTA_BINARY_PACKED);
    for name in ROW_COLUMNS {
        if matches!(name, "x_nm" | "y_nm" | "z_nm" | "quality") || name.starts_with("sigma_") {
            builder = builder.set_column_encoding(ColumnPath::from(name), Encoding::BYTE_STREAM_SPLIT);
        }
    }
    Ok(builder.build())
}

/// The operating system's error where there is one inside, so that a full disk is told as such.
fn parquet_error(path: &Path, error: ParquetError) -> FileError {
    if let ParquetError::External(inner) = &error
        && let Some(io) = inner.downcast_ref::<io::Error>()
    {
        return FileError::writing(path, io);
    }
    FileError::new(
        ErrorKind::Io,
        format!("cannot write {}", path.display()),
        error.to_string(),
        "check the disk, then try again; writing .csv goes another way",
    )
}
