//! Some rows of one bead, with smallest and largest values of blocks of 64 of them.

use std::ops::Range;

/// Rows of a chunk.
pub(crate) const ROWS_PER_CHUNK: usize = 4096;
/// Rows of a block.
const ROWS_PER_BLOCK: usize = 64;

/// One row, as plots need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) utc_ns: i64,
    pub(crate) frame: u64,
    pub(crate) xyz_nm: [f64; 3],
}

/// Smallest and largest values of some rows; NaN without any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) n_rows: usize,
    pub(crate) from_utc_ns: i64,
    pub(crate) to_utc_ns: i64,
    pub(crate) min: [f64; 3],
    pub(crate) max: [f64; 3],
}

impl Default for Summary {
    fn default() -> Self {
        Self { n_rows: 0, from_utc_ns: 0, to_utc_ns: 0, min: [f64::NAN; 3], max: [f64::NAN; 3] }
    }
}

impl Summary {
    /// `f64::min` and `max` ignore NaN, so a flagged row changes nothing.
    fn add(&mut self, other: &Self) {
        if self.n_rows == 0 {
            self.from_utc_ns = other.from_utc_ns;
        }
        self.to_utc_ns = other.to_utc_ns;
        self.n_rows += other.n_rows;
        for i in 0..3 {
            self.min[i] = self.min[i].min(other.min[i]);
            self.max[i] = self.max[i].max(other.max[i]);
        }
    }

    fn of(s: &Sample) -> Self {
        Self { n_rows: 1, from_utc_ns: s.utc_ns, to_utc_ns: s.utc_ns, min: s.xyz_nm, max: s.xyz_nm }
    }
}

/// Rows in order of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chunk {
    samples: Vec<Sample>,
    blocks: Vec<Summary>,
}

impl Chunk {
    pub(crate) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    pub(crate) fn first(&self) -> Option<Sample> {
        self.samples.first().copied()
    }

    pub(crate) fn last(&self) -> Option<Sample> {
        self.samples.last().copied()
    }

    pub(crate) fn push(&mut self, sample: Sample) {
        if self.samples.len().is_multiple_of(ROWS_PER_BLOCK) {
            self.blocks.push(Summary::default());
        }
        self.samples.push(sample);
        if let Some(block) = self.blocks.last_mut() {
            block.add(&Summary::of(&sample));
        }
    }

    /// Places of the rows from one instant up to another.
    pub(crate) fn range(&self, from_utc_ns: i64, to_utc_ns: i64) -> Range<usize> {
        let start = self.samples.partition_point(|s| s.utc_ns < from_utc_ns);
        let end = self.samples.partition_point(|s| s.utc_ns <= to_utc_ns);
        start..end.max(start)
    }

    /// The rows from a frame on.
    pub(crate) fn since(&self, frame: u64) -> &[Sample] {
        &self.samples[self.samples.partition_point(|s| s.frame < frame)..]
    }

    /// Adds the rows at these places to a summary: whole blocks at once.
    pub(crate) fn summarise(&self, places: Range<usize>, into: &mut Summary) {
        let mut at = places.start;
        while at < places.end {
            if at.is_multiple_of(ROWS_PER_BLOCK) && at + ROWS_PER_BLOCK <= places.end {
                into.add(&self.blocks[at / ROWS_PER_BLOCK]);
                at += ROWS_PER_BLOCK;
            } else {
                into.add(&Summary::of(&self.samples[at]));
                at += 1;
            }
        }
    }
}
