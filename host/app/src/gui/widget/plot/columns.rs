//! What a curve looks like in each pixel column: its smallest and largest value there, so that noise and single outliers are
//! seen however many points share a column. And round numbers for axes. No drawing.

/// Smallest and largest value in a pixel column; NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Column {
    /// Smallest.
    pub(crate) min: f32,
    /// Largest.
    pub(crate) max: f32,
}

impl Column {
    /// Without a point.
    pub(crate) const EMPTY: Self = Self { min: f32::NAN, max: f32::NAN };

    /// True without a point.
    pub(crate) fn is_empty(self) -> bool {
        self.min.is_nan()
    }

    /// With one more value; NaN adds nothing.
    pub(crate) fn add(&mut self, v: f32) {
        self.min = self.min.min(v);
        self.max = self.max.max(v);
    }
}

/// Puts points into columns of equal width over `from..to`. `x` rises. Columns between two points take part of the straight
/// line that joins them, unless a NaN lies between: a gap stays a gap.
pub(crate) fn columns(x: &[f64], y: &[f32], from: f64, to: f64, out: &mut [Column]) {
    assert_eq!(x.len(), y.len(), "as many places as values");
    out.fill(Column::EMPTY);
    let n = out.len();
    if n == 0 || to <= from || to.is_nan() || from.is_nan() {
        return;
    }
    let per_x = n as f64 / (to - from);
    // One point more on each side, for the lines that cross the edges.
    let first = x.partition_point(|&v| v < from).saturating_sub(1);
    let last = (x.partition_point(|&v| v < to) + 1).min(x.len());
    let mut previous: Option<(f64, f64)> = None;
    for (&x, &y) in x[first..last].iter().zip(&y[first..last]) {
        if y.is_nan() {
            previous = None;
            continue;
        }
        let at = (x - from) * per_x;
        if (0.0..n as f64).contains(&at) {
            out[at as usize].add(y);
        }
        if let Some(before) = previous {
            join(out, before, (at, y.into()));
        }
        previous = Some((at, y.into()));
    }
}

/// Columns strictly between two points, whose places are counted in columns, take part of the straight line that joins them.
pub(crate) fn join(out: &mut [Column], (x0, y0): (f64, f64), (x1, y1): (f64, f64)) {
    if x1.floor() <= x0.floor() + 1.0 {
        return;
    }
    let slope = (y1 - y0) / (x1 - x0);
    let between = (x0.floor() as i64 + 1).max(0)..(x1.floor() as i64).min(out.len() as i64);
    for c in between {
        out[c as usize].add((y0 + slope * (c as f64 + 0.5 - x0)) as f32);
    }
}

/// Smallest and largest value of all columns; none without a point.
pub(crate) fn extent(columns: &[Column]) -> Option<(f32, f32)> {
    columns.iter().filter(|c| !c.is_empty()).fold(None, |e, c| match e {
        None => Some((c.min, c.max)),
        Some((min, max)) => Some((min.min(c.min), max.max(c.max))),
    })
}

/// Round values in a range, rising: about `n`.
pub(crate) fn ticks(from: f64, to: f64, n: usize) -> Vec<f64> {
    let span = to - from;
    if !(span.is_finite() && span > 0.0) || n == 0 {
        return Vec::new();
    }
    let rough = span / n as f64;
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|s| s * decade)
        .find(|s| *s >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade);
    let first = (from / step).ceil() as i64;
    (first..).map(|i| i as f64 * step).take_while(|t| *t <= to).take(4 * n + 4).collect()
}

/// A tick's number, with as many digits as its neighbours need.
pub(crate) fn tick_text(value: f64, ticks: &[f64]) -> String {
    let step = if ticks.len() > 1 { ticks[1] - ticks[0] } else { value.abs().max(1.0) };
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') { text.replace('-', "") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_outlier_among_a_million_points_is_seen() {
        let x: Vec<f64> = (0..1_000_000).map(f64::from).collect();
        let mut y = vec![0.0; x.len()];
        y[123_456] = 9.0;
        let mut out = vec![Column::EMPTY; 100];
        columns(&x, &y, 0.0, 1e6, &mut out);
        assert_eq!(out[12], Column { min: 0.0, max: 9.0 });
        assert_eq!(out.iter().filter(|c| c.max > 0.0).count(), 1);
    }

    #[test]
    fn sparse_points_are_joined_by_lines_and_gaps_stay() {
        let mut out = vec![Column::EMPTY; 10];
        columns(&[0.5, 4.5, 6.5, 8.5], &[0.0, 4.0, f32::NAN, 1.0], 0.0, 10.0, &mut out);
        let middle: Vec<f32> = out.iter().map(|c| c.min).collect();
        assert_eq!(middle[..5], [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert!(middle[5..8].iter().all(|v| v.is_nan()));
        assert_eq!(middle[8], 1.0);
        assert!(middle[9].is_nan());
    }

    #[test]
    fn a_line_from_a_point_outside_the_window_is_cut_at_its_edge() {
        let mut out = vec![Column::EMPTY; 4];
        columns(&[-10.0, 10.0], &[-10.0, 10.0], 0.0, 4.0, &mut out);
        assert_eq!(out.iter().map(|c| c.max).collect::<Vec<_>>(), [0.5, 1.5, 2.5, 3.5]);
    }

    #[test]
    fn empty_and_senseless_windows_draw_nothing() {
        let mut out = vec![Column { min: 1.0, max: 1.0 }; 3];
        columns(&[1.0], &[1.0], 5.0, 5.0, &mut out);
        assert!(out.iter().all(|c| c.is_empty()));
        columns(&[1.0], &[1.0], f64::NAN, 5.0, &mut out);
        assert!(out.iter().all(|c| c.is_empty()));
        columns(&[], &[], 0.0, 5.0, &mut out);
        assert_eq!(extent(&out), None);
    }

    #[test]
    fn ticks_are_round_and_written_with_the_digits_they_need() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let fine = ticks(-0.05, 0.1, 3);
        let texts: Vec<String> = fine.iter().map(|t| tick_text(*t, &fine)).collect();
        assert_eq!(texts, ["-0.05", "0.00", "0.05", "0.10"]);
        assert!(ticks(1.0, 1.0, 5).is_empty() && ticks(f64::NAN, 1.0, 5).is_empty());
    }
}
