//! Curves of beads for the plots: asked of the engine for exactly the window and the columns that are drawn, once for all
//! three axes. Times are seconds after a fixed instant, so that a number keeps its nanoseconds.

use super::link::Link;
use super::widget::plot::columns::{Column, join};
use super::widget::plot::{Curves, Range};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use tetherscope_core::control::{MinMax, Trace, TraceColumn, TraceQuery};

/// Which axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    /// Column.
    X,
    /// Row.
    Y,
    /// Height.
    Z,
}

/// What is plotted.
pub(crate) struct Traces {
    link: Arc<dyn Link>,
    /// x = 0, UTC.
    pub(crate) zero_utc_ns: i64,
    /// Beads, with their colours.
    pub(crate) beads: Vec<(u32, [u8; 3])>,
    /// Bead that is subtracted.
    pub(crate) minus: Option<u32>,
    /// Of the snapshot; rises with new rows.
    pub(crate) revision: u64,
    kept: RefCell<Kept>,
}

/// Bead, bead that is subtracted, from, to, columns.
type Question = (u32, Option<u32>, i64, i64, u32);
/// UTC; none without a row.
type Ends = Option<(i64, i64)>;

/// Answers for one revision.
#[derive(Default)]
struct Kept {
    revision: u64,
    answers: HashMap<Question, Arc<Trace>>,
    /// First and last instant of a bead minus another.
    domain: HashMap<(u32, Option<u32>), Ends>,
}

/// Most columns that are asked for at once.
const MOST_COLUMNS: usize = 8192;

impl Traces {
    /// Nothing is plotted yet.
    pub(crate) fn new(link: Arc<dyn Link>, zero_utc_ns: i64) -> Self {
        Self { link, zero_utc_ns, beads: Vec::new(), minus: None, revision: 0, kept: RefCell::new(Kept::default()) }
    }

    fn fresh(&self) -> std::cell::RefMut<'_, Kept> {
        let mut kept = self.kept.borrow_mut();
        if kept.revision != self.revision {
            *kept = Kept { revision: self.revision, ..Kept::default() };
        }
        kept
    }

    fn ask(&self, bead: u32, from_utc_ns: i64, to_utc_ns: i64, max_columns: u32) -> Arc<Trace> {
        let minus = self.minus.filter(|m| *m != bead);
        let key = (bead, minus, from_utc_ns, to_utc_ns, max_columns);
        if let Some(trace) = self.fresh().answers.get(&key) {
            return trace.clone();
        }
        let trace = Arc::new(self.link.trace(&TraceQuery { bead, minus, from_utc_ns, to_utc_ns, max_columns }));
        self.fresh().answers.insert(key, trace.clone());
        trace
    }

    fn seconds(&self, utc_ns: i64) -> f64 {
        (utc_ns - self.zero_utc_ns) as f64 * 1e-9
    }

    fn utc_ns(&self, seconds: f64) -> i64 {
        self.zero_utc_ns.saturating_add((seconds * 1e9) as i64)
    }

    /// First and last instant of all beads that are plotted, in seconds.
    fn domain(&self) -> Option<Range> {
        let of = |bead: u32| {
            let minus = self.minus.filter(|m| *m != bead);
            if let Some(known) = self.fresh().domain.get(&(bead, minus)) {
                return *known;
            }
            // The ends come with every answer; one column of nothing is the least that can be asked for.
            let t = self.link.trace(&TraceQuery { bead, minus, from_utc_ns: 0, to_utc_ns: 0, max_columns: 1 });
            let ends = t.oldest_utc_ns.zip(t.newest_utc_ns);
            self.fresh().domain.insert((bead, minus), ends);
            ends
        };
        let all = self.beads.iter().filter_map(|(b, _)| of(*b));
        let (from, to) = all.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        Some((self.seconds(from), self.seconds(to)))
    }
}

/// The plot of one axis.
pub(crate) struct OneAxis<'a> {
    /// All.
    pub(crate) traces: &'a Traces,
    /// Which.
    pub(crate) axis: Axis,
}

impl OneAxis<'_> {
    fn of(&self, c: &TraceColumn) -> MinMax {
        match self.axis {
            Axis::X => c.x_nm,
            Axis::Y => c.y_nm,
            Axis::Z => c.z_nm,
        }
    }
}

impl Curves for OneAxis<'_> {
    fn revision(&self) -> u64 {
        let mut all = self.traces.revision.wrapping_mul(31);
        for (bead, _) in &self.traces.beads {
            all = all.wrapping_mul(31).wrapping_add(u64::from(*bead) + 1);
        }
        all.wrapping_mul(31).wrapping_add(self.traces.minus.map_or(0, |m| u64::from(m) + 1))
    }

    fn names(&self) -> Vec<(String, [u8; 3])> {
        let name = |bead: u32| match self.traces.minus {
            Some(minus) if minus != bead => format!("{bead} − {minus}"),
            _ => format!("{bead}"),
        };
        self.traces.beads.iter().map(|(bead, color)| (name(*bead), *color)).collect()
    }

    fn domain(&self) -> Option<Range> {
        self.traces.domain()
    }

    fn columns(&self, curve: usize, from: f64, to: f64, out: &mut [Column]) {
        out.fill(Column::EMPTY);
        let Some((bead, _)) = self.traces.beads.get(curve) else { return };
        if out.is_empty() || to <= from || to.is_nan() {
            return;
        }
        let t = self.traces;
        // One column of time more on each side, so that lines cross the edges of the plot.
        let air = (to - from) / out.len() as f64;
        let most = out.len().min(MOST_COLUMNS) as u32;
        let trace = t.ask(*bead, t.utc_ns(from - air), t.utc_ns(to + air), most);
        let per_s = out.len() as f64 / (to - from);
        let mut before: Option<(f64, f64)> = None;
        for c in &trace.columns {
            let v = self.of(c);
            if v.min.is_nan() {
                before = None;
                continue;
            }
            let (first, last) = ((t.seconds(c.from_utc_ns) - from) * per_s, (t.seconds(c.to_utc_ns) - from) * per_s);
            let middle = f64::midpoint(v.min, v.max);
            if let Some((at, value)) = before {
                join(out, (at, value), (first, middle));
            }
            for i in (first.floor().max(0.0) as usize)..=(last.floor().max(0.0) as usize).min(out.len() - 1) {
                if last >= 0.0 && first < out.len() as f64 {
                    out[i].add(v.min as f32);
                    out[i].add(v.max as f32);
                }
            }
            before = Some((last, middle));
        }
    }
}
