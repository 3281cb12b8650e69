//! Rows of the last minutes in memory, by bead, with smallest and largest values of blocks, so that a plot over an hour costs
//! no more than one over a second. Full chunks are shared and never change: who plots holds the lock for a blink, and nobody
//! who tracks waits for a plot.

mod chunk;
mod difference;

use crate::control::{MinMax, NewestRow, Trace, TraceColumn, TraceQuery, Traces};
use chunk::{Chunk, ROWS_PER_CHUNK, Sample, Summary};
use difference::Differences;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tetherscope_files::Row;

/// Rows in memory.
pub(crate) struct History {
    inner: Mutex<Inner>,
    /// Locked before the rows, and never by who tracks.
    differences: Mutex<Differences>,
}

struct Inner {
    beads: HashMap<u32, BeadRows>,
    n_rows: usize,
    max_rows: usize,
}

#[derive(Default)]
struct BeadRows {
    full: VecDeque<Arc<Chunk>>,
    open: Chunk,
    newest: Option<NewestRow>,
    lost_for_frames: u64,
}

/// What is newest of a bead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Newest {
    pub(crate) row: NewestRow,
    pub(crate) lost_for_frames: u64,
}

impl History {
    /// Keeps at least `max_rows` rows of all beads together, if there were so many, and not many more.
    pub(crate) fn new(max_rows: usize) -> Arc<Self> {
        let inner = Inner { beads: HashMap::new(), n_rows: 0, max_rows };
        Arc::new(Self { inner: Mutex::new(inner), differences: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes rows, oldest first; `utc_ns` gives the arrival of a row's frame.
    pub(crate) fn push(&self, rows: &[Row], utc_ns: impl Fn(u64) -> i64) {
        let mut inner = self.lock();
        for row in rows {
            let sample = Sample { utc_ns: utc_ns(row.frame), frame: row.frame, xyz_nm: [row.x_nm, row.y_nm, row.z_nm] };
            inner.beads.entry(row.bead).or_default().push(sample, row);
        }
        inner.n_rows += rows.len();
        while inner.n_rows > inner.max_rows.saturating_add(ROWS_PER_CHUNK) && inner.drop_oldest_chunk() {}
    }

    /// What is newest of each bead.
    pub(crate) fn newest(&self) -> HashMap<u32, Newest> {
        let inner = self.lock();
        let newest = |(bead, rows): (&u32, &BeadRows)| {
            rows.newest.map(|row| (*bead, Newest { row, lost_for_frames: rows.lost_for_frames }))
        };
        inner.beads.iter().filter_map(newest).collect()
    }

    /// Forgets rows of beads that are no more.
    pub(crate) fn forget(&self, gone: impl Fn(u32) -> bool) {
        {
            let mut inner = self.lock();
            inner.beads.retain(|bead, _| !gone(*bead));
            inner.n_rows = inner.beads.values().map(BeadRows::len).sum();
        }
        // After the rows: who makes a difference of them meanwhile is waited for, and it is forgotten too.
        self.lock_differences().forget(gone);
    }

    fn lock_differences(&self) -> MutexGuard<'_, Differences> {
        self.differences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn chunks(&self, bead: u32) -> Vec<Arc<Chunk>> {
        let Some(rows) = self.beads.get(&bead) else { return Vec::new() };
        let open = Arc::new(rows.open.clone());
        rows.full.iter().cloned().chain([open]).filter(|c| !c.is_empty()).collect()
    }

    /// Drops the oldest full chunk; false if no bead has one.
    fn drop_oldest_chunk(&mut self) -> bool {
        let oldest = |rows: &&mut BeadRows| rows.full.front().and_then(|c| c.first()).map(|s| s.utc_ns);
        let with_full = self.beads.values_mut().filter(|rows| !rows.full.is_empty());
        let Some(rows) = with_full.min_by_key(oldest) else { return false };
        let gone = rows.full.pop_front().map_or(0, |c| c.len());
        self.n_rows -= gone;
        true
    }
}

impl BeadRows {
    fn len(&self) -> usize {
        self.open.len() + self.full.iter().map(|c| c.len()).sum::<usize>()
    }

    fn push(&mut self, sample: Sample, row: &Row) {
        self.open.push(sample);
        if self.open.len() == ROWS_PER_CHUNK {
            self.full.push_back(Arc::new(std::mem::take(&mut self.open)));
        }
        let without_position = row.x_nm.is_nan() || row.y_nm.is_nan();
        self.lost_for_frames = if without_position { self.lost_for_frames + 1 } else { 0 };
        self.newest = Some(NewestRow {
            frame: row.frame,
            x_nm: row.x_nm,
            y_nm: row.y_nm,
            z_nm: row.z_nm,
            sigma_x_nm: row.sigma_x_nm.into(),
            sigma_y_nm: row.sigma_y_nm.into(),
            sigma_z_nm: row.sigma_z_nm.into(),
            quality: row.quality.into(),
            flags: row.flags,
        });
    }
}

impl Traces for History {
    fn trace(&self, query: &TraceQuery) -> Trace {
        let Some(minus) = query.minus else {
            let chunks = self.lock().chunks(query.bead);
            return Trace { columns: columns_of(&chunks, query), ..ends(&chunks) };
        };
        let mut differences = self.lock_differences();
        // Of one moment, so that no frame is there of one bead only.
        let (of, others) = {
            let inner = self.lock();
            (inner.chunks(query.bead), inner.chunks(minus))
        };
        let difference = differences.of((query.bead, minus), &of, &others);
        drop(differences);
        // A difference goes in whole chunks of its own: what is older than the rows of both is not shown.
        let kept_from = ends(&of).oldest_utc_ns.max(ends(&others).oldest_utc_ns).unwrap_or(i64::MIN);
        let query = TraceQuery { from_utc_ns: query.from_utc_ns.max(kept_from), ..*query };
        Trace { columns: columns_of(&difference, &query), ..ends(&of) }
    }
}

/// An empty trace with the instants of the oldest and the newest row.
fn ends(chunks: &[Arc<Chunk>]) -> Trace {
    let at = |sample: Option<Sample>| sample.map(|s| s.utc_ns);
    Trace {
        columns: Vec::new(),
        oldest_utc_ns: at(chunks.first().and_then(|c| c.first())),
        newest_utc_ns: at(chunks.last().and_then(|c| c.last())),
    }
}

/// The rows between two instants as at most so many columns.
fn columns_of(chunks: &[Arc<Chunk>], query: &TraceQuery) -> Vec<TraceColumn> {
    let ranges: Vec<_> = chunks.iter().map(|c| c.range(query.from_utc_ns, query.to_utc_ns)).collect();
    let n: usize = ranges.iter().map(|r| r.len()).sum();
    if n == 0 || query.max_columns == 0 {
        return Vec::new();
    }
    let per_column = n.div_ceil(query.max_columns as usize);
    let mut columns = Vec::with_capacity(n.div_ceil(per_column));
    let mut open = Summary::default();
    let mut left = per_column;
    for (chunk, range) in chunks.iter().zip(ranges) {
        let mut at = range.start;
        while at < range.end {
            let until = range.end.min(at + left);
            chunk.summarise(at..until, &mut open);
            left -= until - at;
            at = until;
            if left == 0 {
                columns.extend(column(&std::mem::take(&mut open)));
                left = per_column;
            }
        }
    }
    columns.extend(column(&open));
    columns
}

fn column(s: &Summary) -> Option<TraceColumn> {
    let of = |i: usize| MinMax { min: s.min[i], max: s.max[i] };
    (s.n_rows > 0).then(|| TraceColumn {
        from_utc_ns: s.from_utc_ns,
        to_utc_ns: s.to_utc_ns,
        n_rows: s.n_rows as u32,
        x_nm: of(0),
        y_nm: of(1),
        z_nm: of(2),
    })
}

#[cfg(test)]
mod tests;
