//! A bead's rows minus those of another, frame by frame, kept from one question to the next: a plot that is drawn again pays
//! for the rows that came meanwhile, not for all of them. They take as much memory as the rows themselves, so only what was
//! asked for last is kept.

use super::chunk::{Chunk, ROWS_PER_CHUNK, Sample};
use std::collections::VecDeque;
use std::sync::Arc;

/// Most differences that are kept: more than a window plots at once.
const MOST: usize = 16;

/// Differences that were asked for, the newest question last.
#[derive(Default)]
pub(super) struct Differences {
    kept: Vec<((u32, u32), Difference)>,
}

impl Differences {
    /// The difference of a pair of beads; their rows are all that is known of them.
    pub(super) fn of(&mut self, pair: (u32, u32), of: &[Arc<Chunk>], minus: &[Arc<Chunk>]) -> Vec<Arc<Chunk>> {
        let known = self.kept.iter().position(|(p, _)| *p == pair);
        let mut difference = known.map_or_else(Difference::default, |at| self.kept.remove(at).1);
        difference.extend(of, minus);
        let chunks = difference.chunks();
        if self.kept.len() == MOST {
            self.kept.remove(0);
        }
        self.kept.push((pair, difference));
        chunks
    }

    /// Forgets those of beads that are no more.
    pub(super) fn forget(&mut self, gone: impl Fn(u32) -> bool) {
        self.kept.retain(|((of, minus), _)| !gone(*of) && !gone(*minus));
    }
}

/// One of them.
#[derive(Default)]
struct Difference {
    full: VecDeque<Arc<Chunk>>,
    open: Chunk,
    /// Rows of earlier frames are in it.
    next_frame: u64,
}

impl Difference {
    /// Takes in what came since, and drops what both beads no longer have.
    fn extend(&mut self, of: &[Arc<Chunk>], minus: &[Arc<Chunk>]) {
        let first = [of, minus].map(|c| c.first().and_then(|c| c.first()).map_or(0, |s| s.frame));
        let first = first[0].max(first[1]);
        while self.full.front().is_some_and(|c| c.last().is_none_or(|s| s.frame < first)) {
            self.full.pop_front();
        }
        let mut others = since(minus, self.next_frame).peekable();
        for s in since(of, self.next_frame) {
            self.next_frame = s.frame + 1;
            while others.next_if(|o| o.frame < s.frame).is_some() {}
            let Some(other) = others.peek().filter(|o| o.frame == s.frame) else { continue };
            let xyz_nm = std::array::from_fn(|i| s.xyz_nm[i] - other.xyz_nm[i]);
            self.open.push(Sample { xyz_nm, ..*s });
            if self.open.len() == ROWS_PER_CHUNK {
                self.full.push_back(Arc::new(std::mem::take(&mut self.open)));
            }
        }
    }

    fn chunks(&self) -> Vec<Arc<Chunk>> {
        self.full.iter().cloned().chain([Arc::new(self.open.clone())]).collect()
    }
}

/// Rows from a frame on.
fn since(chunks: &[Arc<Chunk>], frame: u64) -> impl Iterator<Item = &Sample> {
    let from = chunks.partition_point(|c| c.last().is_none_or(|s| s.frame < frame));
    chunks[from..].iter().flat_map(move |c| c.since(frame))
}
