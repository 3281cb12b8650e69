//! Reads rows back from Parquet, ours or what other tools made of it: columns are found by name,
//! nullable columns are taken (a null float is NaN), anything else is an error that names it.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;

use super::{ROW_COLUMNS, ROWS_VERSION, ROWS_VERSION_KEY, Row};
use crate::error::{ErrorKind, FileError, Result};

pub(super) struct ParquetRowsReader {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    /// Place of each of [`ROW_COLUMNS`] in the file.
    positions: Vec<usize>,
    metadata: BTreeMap<String, String>,
    next_group: usize,
}

impl std::fmt::Debug for ParquetRowsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetRowsReader")
            .field("path", &self.path)
            .field("next_group", &self.next_group)
            .finish_non_exhaustive()
    }
}

impl ParquetRowsReader {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| FileError::reading(path, &e))?;
        let length = file.metadata().map_err(|e| FileError::reading(path, &e))?.len();
        if length == 0 {
            return Err(FileError::damaged(path, "the file is empty"));
        }
        let reader = guarded(path, || SerializedFileReader::new(file))?;
        check_ranges(path, &reader, length)?;
        let metadata = metadata_of(&reader);
        check_version(path, &metadata)?;
        let positions = find_columns(path, &reader)?;
        Ok(Self { path: path.to_owned(), reader, positions, metadata, next_group: 0 })
    }

    pub(super) fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Reads the next row group.
    pub(super) fn read_batch(&mut self, rows: &mut Vec<Row>) -> Result<usize> {
        while self.next_group < self.reader.num_row_groups() {
            let group = guarded(&self.path, || self.reader.get_row_group(self.next_group))?;
            self.next_group += 1;
            let n = GroupReader { path: &self.path, group: group.as_ref(), positions: &self.positions }.read(rows)?;
            if n > 0 {
                return Ok(n);
            }
        }
        Ok(0)
    }
}

/// One row group, column by column.
struct GroupReader<'a> {
    path: &'a Path,
    group: &'a dyn RowGroupReader,
    positions: &'a [usize],
}

impl GroupReader<'_> {
    fn read(&self, rows: &mut Vec<Row>) -> Result<usize> {
        let frame = self.required::<Int64Type>(0)?;
        let bead = self.required::<Int32Type>(1)?;
        let time_ns = self.column::<Int64Type>(2)?;
        let [x, y, z] = [3, 4, 5].map(|c| self.column::<DoubleType>(c));
        let (x, y, z) = (x?, y?, z?);
        let [sx, sy, sz, quality] = [6, 7, 8, 9].map(|c| self.column::<FloatType>(c));
        let (sx, sy, sz, quality) = (sx?, sy?, sz?, quality?);
        let flags = self.required::<Int32Type>(10)?;
        let roi_x_px = self.required::<Int32Type>(11)?;
        let roi_y_px = self.required::<Int32Type>(12)?;
        rows.extend((0..frame.len()).map(|i| Row {
            frame: frame[i].cast_unsigned(),
            bead: bead[i].cast_unsigned(),
            time_ns: time_ns[i],
            x_nm: x[i].unwrap_or(f64::NAN),
            y_nm: y[i].unwrap_or(f64::NAN),
            z_nm: z[i].unwrap_or(f64::NAN),
            sigma_x_nm: sx[i].unwrap_or(f32::NAN),
            sigma_y_nm: sy[i].unwrap_or(f32::NAN),
            sigma_z_nm: sz[i].unwrap_or(f32::NAN),
            quality: quality[i].unwrap_or(f32::NAN),
            flags: flags[i].cast_unsigned(),
            roi_x_px: roi_x_px[i],
            roi_y_px: roi_y_px[i],
        }));
        Ok(frame.len())
    }

    fn required<T: DataType>(&self, column: usize) -> Result<Vec<T::T>> {
        self.column::<T>(column)?.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| {
            FileError::malformed(
                self.path,
                None,
                format!("column {} has an empty value", ROW_COLUMNS[column]),
                "only time_ns and the floating-point columns may be empty",
            )
        })
    }

    /// All values of a column of this group; exactly as many as the group has rows.
    fn column<T: DataType>(&self, column: usize) -> Result<Vec<Option<T::T>>> {
        let n_rows = usize::try_from(self.group.metadata().num_rows())
            .map_err(|_| FileError::damaged(self.path, "a negative number of rows"))?;
        let (values, present) = guarded(self.path, || self.raw::<T>(self.positions[column], n_rows))?;
        let mut values = values.into_iter();
        let all: Vec<Option<T::T>> = match present {
            None => values.map(Some).collect(),
            Some(present) => present.iter().map(|&p| if p > 0 { values.next() } else { None }).collect(),
        };
        if all.len() == n_rows {
            return Ok(all);
        }
        Err(FileError::damaged(
            self.path,
            format!("column {} has {} values, {n_rows} were announced", ROW_COLUMNS[column], all.len()),
        ))
    }

    #[expect(clippy::type_complexity, reason = "values and their definition levels")]
    fn raw<T: DataType>(
        &self,
        position: usize,
        n_rows: usize,
    ) -> std::result::Result<(Vec<T::T>, Option<Vec<i16>>), ParquetError> {
        let column = self.group.get_column_reader(position)?;
        let mut reader = get_typed_column_reader::<T>(column);
        let mut values = Vec::new();
        if self.group.metadata().column(position).column_descr().max_def_level() == 0 {
            reader.read_records(n_rows, None, None, &mut values)?;
            return Ok((values, None));
        }
        let mut present = Vec::new();
        reader.read_records(n_rows, Some(&mut present), None, &mut values)?;
        Ok((values, Some(present)))
    }
}

fn metadata_of(reader: &SerializedFileReader<File>) -> BTreeMap<String, String> {
    let stored = reader.metadata().file_metadata().key_value_metadata();
    stored.into_iter().flatten().filter_map(|kv| Some((kv.key.clone(), kv.value.clone()?))).collect()
}

/// Files of other tools carry no version; then the columns decide alone.
fn check_version(path: &Path, metadata: &BTreeMap<String, String>) -> Result<()> {
    let Some(version) = metadata.get(ROWS_VERSION_KEY) else {
        return Ok(());
    };
    match version.parse::<u32>() {
        Ok(version) if version <= ROWS_VERSION => Ok(()),
        _ => Err(FileError::new(
            ErrorKind::TooNew,
            format!("cannot read {}", path.display()),
            format!("its rows have version {version}, this Tetherscope knows {ROWS_VERSION}"),
            "get a newer Tetherscope",
        )),
    }
}

fn find_columns(path: &Path, reader: &SerializedFileReader<File>) -> Result<Vec<usize>> {
    let schema = reader.metadata().file_metadata().schema_descr();
    let mut positions = Vec::with_capacity(ROW_COLUMNS.len());
    for (wanted, name) in ROW_COLUMNS.iter().enumerate() {
        let found = (0..schema.num_columns()).find(|&i| schema.column(i).path().string() == *name);
        let Some(found) = found else {
            return Err(FileError::malformed(
                path,
                None,
                format!("column {name} is missing"),
                format!("a table of rows has: {}", ROW_COLUMNS.join(", ")),
            ));
        };
        let column = schema.column(found);
        let expected = physical_type(wanted);
        if column.physical_type() != expected || column.max_rep_level() != 0 || column.max_def_level() > 1 {
            return Err(FileError::malformed(
                path,
                None,
                format!("column {name} is {}, not {expected}", column.physical_type()),
                "keep the types of the columns when you rewrite the table",
            ));
        }
        positions.push(found);
    }
    Ok(positions)
}

fn physical_type(column: usize) -> parquet::basic::Type {
    use parquet::basic::Type;
    match column {
        0 | 2 => Type::INT64,
        3..=5 => Type::DOUBLE,
        6..=9 => Type::FLOAT,
        _ => Type::INT32,
    }
}

/// The crate asserts on some damaged files. A file must never end the program, so such a panic
/// becomes the same error as any other damage; the reader is not used after it.
fn guarded<T>(path: &Path, read: impl FnOnce() -> std::result::Result<T, ParquetError>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(FileError::damaged(path, error.to_string())),
        Err(_) => Err(FileError::damaged(path, "its description of itself makes no sense")),
    }
}

/// The footer has no checksum: whether its numbers can be true is checked before they are used.
fn check_ranges(path: &Path, reader: &SerializedFileReader<File>, length: u64) -> Result<()> {
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            let fits =
                start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end.cast_unsigned() <= length);
            if !fits || column.num_values() != group.num_rows() {
                return Err(FileError::damaged(
                    path,
                    format!("the footer says that column {} lies where it can't", column.column_path().string()),
                ));
            }
        }
    }
    Ok(())
}
