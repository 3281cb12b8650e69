//! Rows of the last minutes in memory, by bead, with smallest and largest values of blocks, so that a plot over an hour costs
//! no more than one over a second. Full chunks are shared and never change: who plots holds the lock for a blink, and nobody
//! who tracks waits for a plot.

mod chunk;

use crate::control::{MinMax, NewestRow, Trace, TraceColumn, TraceQuery, Traces};
use chunk::{Chunk, ROWS_PER_CHUNK, Sample, Summary};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tetherscope_files::Row;

/// Rows in memory.
pub(crate) struct History {
    inner: Mutex<Inner>,
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
        Arc::new(Self { inner: Mutex::new(Inner { beads: HashMap::new(), n_rows: 0, max_rows }) })
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
        let mut inner = self.lock();
        inner.beads.retain(|bead, _| !gone(*bead));
        inner.n_rows = inner.beads.values().map(BeadRows::len).sum();
    }

    fn chunks(&self, bead: u32) -> Vec<Arc<Chunk>> {
        let inner = self.lock();
        let Some(rows) = inner.beads.get(&bead) else { return Vec::new() };
        let open = Arc::new(rows.open.clone());
        rows.full.iter().cloned().chain([open]).filter(|c| !c.is_empty()).collect()
    }
}

impl Inner {
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
        let chunks = self.chunks(query.bead);
        let ends = |pick: fn(&Chunk) -> Option<Sample>, chunk: Option<&Arc<Chunk>>| {
            chunk.and_then(|c| pick(c)).map(|s| s.utc_ns)
        };
        let oldest_utc_ns = ends(Chunk::first, chunks.first());
        let newest_utc_ns = ends(Chunk::last, chunks.last());
        let columns = match query.minus {
            None => columns_of(&chunks, query),
            Some(minus) => {
                let difference = subtract(&chunks, &self.chunks(minus), query);
                columns_of(&difference, query)
            }
        };
        Trace { columns, oldest_utc_ns, newest_utc_ns }
    }
}

/// Rows of two beads in the same frames, subtracted, as chunks.
fn subtract(of: &[Arc<Chunk>], minus: &[Arc<Chunk>], query: &TraceQuery) -> Vec<Arc<Chunk>> {
    let inside = |chunks: &[Arc<Chunk>]| {
        let wanted = chunks.iter().flat_map(|c| c.between(query.from_utc_ns, query.to_utc_ns).to_vec());
        wanted.collect::<Vec<Sample>>()
    };
    let (a, b) = (inside(of), inside(minus));
    let (mut chunks, mut open) = (Vec::new(), Chunk::default());
    let mut j = 0;
    for s in &a {
        while j < b.len() && b[j].frame < s.frame {
            j += 1;
        }
        let Some(other) = b.get(j).filter(|o| o.frame == s.frame) else { continue };
        let xyz_nm = std::array::from_fn(|i| s.xyz_nm[i] - other.xyz_nm[i]);
        open.push(Sample { xyz_nm, ..*s });
        if open.len() == ROWS_PER_CHUNK {
            chunks.push(Arc::new(std::mem::take(&mut open)));
        }
    }
    chunks.push(Arc::new(open));
    chunks
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
