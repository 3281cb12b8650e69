//! Positions over time, as plots want them: from the last minutes that the engine keeps, no more points than pixels.

use serde::{Deserialize, Serialize};

/// What to plot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TraceQuery {
    /// Bead.
    pub bead: u32,
    /// Bead that is subtracted frame by frame.
    pub minus: Option<u32>,
    /// From this instant (UTC of arrival) …
    pub from_utc_ns: i64,
    /// … up to this one.
    pub to_utc_ns: i64,
    /// Most columns: rows that fall into one are told as their smallest and largest values.
    pub max_columns: u32,
}

/// Smallest and largest of some values; NaN without any.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MinMax {
    /// Smallest.
    #[serde(with = "super::snapshot::nan_as_null_one")]
    pub min: f64,
    /// Largest.
    #[serde(with = "super::snapshot::nan_as_null_one")]
    pub max: f64,
}

/// Some rows, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TraceColumn {
    /// UTC of arrival of the first.
    pub from_utc_ns: i64,
    /// UTC of arrival of the last.
    pub to_utc_ns: i64,
    /// Rows.
    pub n_rows: u32,
    /// x.
    pub x_nm: MinMax,
    /// y.
    pub y_nm: MinMax,
    /// z.
    pub z_nm: MinMax,
}

/// A trace, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// Columns.
    pub columns: Vec<TraceColumn>,
    /// Instant of the oldest row that is kept of the bead.
    pub oldest_utc_ns: Option<i64>,
    /// Instant of the newest.
    pub newest_utc_ns: Option<i64>,
}

/// Who keeps rows and answers.
pub(crate) trait Traces: Send + Sync {
    /// The trace of a query; empty for a bead that nobody knows.
    fn trace(&self, query: &TraceQuery) -> Trace;
}
