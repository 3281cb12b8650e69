//! Rows and profiles as Arrow record batches: the columns of [`ROW_COLUMNS`] in their order, and back. It opens no file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, UInt32Array,
    UInt64Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::rows::{ROW_COLUMNS, ROWS_VERSION, ROWS_VERSION_KEY, Row};

type ArrowResult<T> = std::result::Result<T, ArrowError>;

/// The schema of a stream of rows.
pub(crate) fn rows_schema(metadata: &[(String, String)]) -> Schema {
    let fields: Vec<Field> = ROW_COLUMNS
        .iter()
        .map(|&name| {
            let kind = match name {
                "frame" => DataType::UInt64,
                "bead" | "flags" => DataType::UInt32,
                // A plain integer, as in Parquet.
                "time_ns" => DataType::Int64,
                "x_nm" | "y_nm" | "z_nm" => DataType::Float64,
                "roi_x_px" | "roi_y_px" => DataType::Int32,
                _ => DataType::Float32,
            };
            Field::new(name, kind, name == "time_ns")
        })
        .collect();
    let version = (ROWS_VERSION_KEY.to_owned(), ROWS_VERSION.to_string());
    Schema::new_with_metadata(fields, metadata.iter().cloned().chain([version]).collect::<HashMap<_, _>>())
}

/// Rows in the order given.
pub(crate) fn rows_batch(schema: &Arc<Schema>, rows: &[Row]) -> ArrowResult<RecordBatch> {
    fn column<T>(rows: &[Row], value: impl Fn(&Row) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let times: Int64Array = rows.iter().map(|r| r.time_ns).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(column(rows, |r| r.frame))),
        Arc::new(UInt32Array::from(column(rows, |r| r.bead))),
        Arc::new(times),
        Arc::new(Float64Array::from(column(rows, |r| r.x_nm))),
        Arc::new(Float64Array::from(column(rows, |r| r.y_nm))),
        Arc::new(Float64Array::from(column(rows, |r| r.z_nm))),
        Arc::new(Float32Array::from(column(rows, |r| r.sigma_x_nm))),
        Arc::new(Float32Array::from(column(rows, |r| r.sigma_y_nm))),
        Arc::new(Float32Array::from(column(rows, |r| r.sigma_z_nm))),
        Arc::new(Float32Array::from(column(rows, |r| r.quality))),
        Arc::new(UInt32Array::from(column(rows, |r| r.flags))),
        Arc::new(Int32Array::from(column(rows, |r| r.roi_x_px))),
        Arc::new(Int32Array::from(column(rows, |r| r.roi_y_px))),
    ];
    RecordBatch::try_new(schema.clone(), columns)
}

/// Appends the rows of a batch; the error says in words what is not as it should be.
pub(crate) fn rows_from(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), String> {
    let expected = rows_schema(&[]);
    if batch.num_columns() != ROW_COLUMNS.len() {
        return Err(format!("{} columns instead of {}", batch.num_columns(), ROW_COLUMNS.len()));
    }
    for (field, wanted) in batch.schema().fields().iter().zip(expected.fields()) {
        if field.name() != wanted.name() || field.data_type() != wanted.data_type() {
            return Err(format!("column {} is {} {}", wanted.name(), field.name(), field.data_type()));
        }
    }
    let nulls = batch.columns().iter().enumerate().any(|(i, c)| i != 2 && c.null_count() > 0);
    if nulls {
        return Err("a column other than time_ns has empty values".to_owned());
    }
    let (u64s, u32s) = (
        |i: usize| batch.column(i).as_primitive::<UInt64Type>(),
        |i: usize| batch.column(i).as_primitive::<UInt32Type>(),
    );
    let (f64s, f32s) = (
        |i: usize| batch.column(i).as_primitive::<Float64Type>(),
        |i: usize| batch.column(i).as_primitive::<Float32Type>(),
    );
    let i32s = |i: usize| batch.column(i).as_primitive::<Int32Type>();
    let times = batch.column(2).as_primitive::<Int64Type>();
    let (frame, bead, flags) = (u64s(0), u32s(1), u32s(10));
    let (x, y, z) = (f64s(3), f64s(4), f64s(5));
    let (sx, sy, sz, quality) = (f32s(6), f32s(7), f32s(8), f32s(9));
    let (roi_x, roi_y) = (i32s(11), i32s(12));
    rows.extend((0..batch.num_rows()).map(|i| Row {
        frame: frame.value(i),
        bead: bead.value(i),
        time_ns: times.is_valid(i).then(|| times.value(i)),
        x_nm: x.value(i),
        y_nm: y.value(i),
        z_nm: z.value(i),
        sigma_x_nm: sx.value(i),
        sigma_y_nm: sy.value(i),
        sigma_z_nm: sz.value(i),
        quality: quality.value(i),
        flags: flags.value(i),
        roi_x_px: roi_x.value(i),
        roi_y_px: roi_y.value(i),
    }));
    Ok(())
}

/// One bead's radial profile in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileRow {
    /// Frame index of the host.
    pub frame: u64,
    /// Bead id.
    pub bead: u32,
    /// One value per bin; NaN is an empty bin.
    pub profile: Vec<f64>,
    /// Pixels per bin; empty where the method doesn't tell.
    pub weights: Vec<f32>,
}

/// The schema of a stream of profiles.
pub(crate) fn profiles_schema(n_bins: u32, weights: bool, metadata: &[(String, String)]) -> Schema {
    let n = i32::try_from(n_bins).unwrap_or(i32::MAX);
    let list = |kind: DataType| DataType::FixedSizeList(Arc::new(Field::new("item", kind, false)), n);
    let mut fields = vec![
        Field::new("frame", DataType::UInt64, false),
        Field::new("bead", DataType::UInt32, false),
        Field::new("profile", list(DataType::Float64), false),
    ];
    if weights {
        fields.push(Field::new("weights", list(DataType::Float32), false));
    }
    Schema::new_with_metadata(fields, metadata.iter().cloned().collect::<HashMap<_, _>>())
}

/// Profiles one after the other; `profiles` and `weights` are n × n_bins.
pub(crate) fn profiles_batch(
    schema: &Arc<Schema>,
    keys: &[(u64, u32)],
    profiles: &[f64],
    weights: Option<&[f32]>,
) -> ArrowResult<RecordBatch> {
    let list = |i: usize, values: ArrayRef| -> ArrowResult<ArrayRef> {
        let DataType::FixedSizeList(item, n) = schema.field(i).data_type() else {
            return Err(ArrowError::SchemaError("a profile is a list".to_owned()));
        };
        Ok(Arc::new(FixedSizeListArray::try_new(item.clone(), *n, values, None)?))
    };
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from(keys.iter().map(|k| k.0).collect::<Vec<_>>())),
        Arc::new(UInt32Array::from(keys.iter().map(|k| k.1).collect::<Vec<_>>())),
        list(2, Arc::new(Float64Array::from(profiles.to_vec())))?,
    ];
    if let Some(weights) = weights {
        columns.push(list(3, Arc::new(Float32Array::from(weights.to_vec())))?);
    }
    RecordBatch::try_new(schema.clone(), columns)
}

/// Appends the profiles of a batch.
pub(crate) fn profiles_from(batch: &RecordBatch, rows: &mut Vec<ProfileRow>) -> Result<(), String> {
    let column = |name: &str| batch.column_by_name(name);
    let frame = column("frame").and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let bead = column("bead").and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let profile = column("profile").and_then(|c| c.as_fixed_size_list_opt());
    let (Some(frame), Some(bead), Some(profile)) = (frame, bead, profile) else {
        return Err("these are no profiles".to_owned());
    };
    let weights = column("weights").and_then(|c| c.as_fixed_size_list_opt());
    for i in 0..batch.num_rows() {
        let values = profile.value(i);
        let values = values.as_primitive_opt::<Float64Type>().ok_or("a profile is not f64")?;
        let weights = weights.map(|w| w.value(i));
        let weights = weights.as_ref().and_then(|w| w.as_primitive_opt::<Float32Type>());
        rows.push(ProfileRow {
            frame: frame.value(i),
            bead: bead.value(i),
            profile: values.values().to_vec(),
            weights: weights.map_or_else(Vec::new, |w| w.values().to_vec()),
        });
    }
    Ok(())
}
