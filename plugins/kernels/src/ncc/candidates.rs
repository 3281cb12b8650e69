//! From a map of scores to candidates: the best place first, then the best of what is far enough from those taken.

use ndarray::ArrayView2;

/// A place in a map of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Column in the map.
    pub x: usize,
    /// Row in the map.
    pub y: usize,
    /// Its score.
    pub score: f32,
}

/// Places of a map that may not be taken: columns `x.0 .. x.1`, rows `y.0 .. y.1`; parts outside the map do no harm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blocked {
    /// First column, and the one after the last.
    pub x: (i64, i64),
    /// First row, and the one after the last.
    pub y: (i64, i64),
}

impl Blocked {
    /// Blocks every place that is nearer than `distance` (columns, rows) to (x, y) along both axes. With the map of
    /// top-left pixels and the ROI's size as distance: every place whose ROI would overlap the one at (x, y).
    pub fn around(x: i64, y: i64, distance: (usize, usize)) -> Blocked {
        let span = |at: i64, distance: usize| (at + 1 - distance.max(1) as i64, at + distance.max(1) as i64);
        Blocked { x: span(x, distance.0), y: span(y, distance.1) }
    }
}

/// Fills `out` with the local maxima above `above`, best first, none nearer than `distance` (columns, rows, along both
/// axes) to a better one, none on a blocked place. Equal scores: the upper, then the left one first.
///
/// Method: the greedy choice of MagScope's auto bead selection, but of local maxima (of 3 x 3) only: the flank of a bead
/// that was taken is no candidate, however high.
pub fn pick_best(
    scores: ArrayView2<'_, f32>,
    above: f32,
    distance: (usize, usize),
    blocked: &[Blocked],
    out: &mut Vec<Candidate>,
) {
    out.clear();
    let mut taken = Mask::new(scores.dim());
    blocked.iter().for_each(|b| taken.block(b));
    let mut maxima = Vec::new();
    for ((y, x), &score) in scores.indexed_iter() {
        if score > above && is_maximum(scores, y, x) {
            maxima.push(Candidate { x, y, score });
        }
    }
    // A stable sort keeps the order of rows and columns among equals.
    maxima.sort_by(|a, b| b.score.total_cmp(&a.score));
    for candidate in maxima {
        if !taken.is_blocked(&candidate) {
            taken.block(&Blocked::around(candidate.x as i64, candidate.y as i64, distance));
            out.push(candidate);
        }
    }
}

/// Which places of the map are gone.
struct Mask {
    size: (usize, usize),
    taken: Vec<bool>,
}

impl Mask {
    fn new(size: (usize, usize)) -> Mask {
        Mask { size, taken: vec![false; size.0 * size.1] }
    }

    fn block(&mut self, b: &Blocked) {
        let (height, width) = self.size;
        let clip = |(first, end): (i64, i64), size: usize| {
            let end = end.clamp(0, size as i64) as usize;
            (first.clamp(0, end as i64) as usize, end)
        };
        let ((x0, x1), (y0, y1)) = (clip(b.x, width), clip(b.y, height));
        (y0..y1).for_each(|y| self.taken[y * width + x0..y * width + x1].fill(true));
    }

    fn is_blocked(&self, c: &Candidate) -> bool {
        self.taken[c.y * self.size.1 + c.x]
    }
}

/// Higher than its neighbours, or as high as those that come later: a plateau has one maximum per run.
fn is_maximum(scores: ArrayView2<'_, f32>, y: usize, x: usize) -> bool {
    let (height, width) = scores.dim();
    let here = scores[(y, x)];
    let rows = y.saturating_sub(1)..(y + 2).min(height);
    rows.into_iter().all(|v| {
        let mut columns = x.saturating_sub(1)..(x + 2).min(width);
        columns.all(|u| match (v, u).cmp(&(y, x)) {
            std::cmp::Ordering::Less => here > scores[(v, u)],
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => here >= scores[(v, u)],
        })
    })
}

/// How far the true maximum lies from the candidate's place, in (columns, rows): the vertex of the parabola through it
/// and its two neighbours along each axis, at most half a place; 0 along an axis where it lies on the map's edge.
pub fn sub_pixel(scores: ArrayView2<'_, f32>, candidate: &Candidate) -> (f64, f64) {
    let (height, width) = scores.dim();
    let Candidate { x, y, .. } = *candidate;
    let value = |y: usize, x: usize| f64::from(scores[(y, x)]);
    let along_x = (x > 0 && x + 1 < width).then(|| vertex(value(y, x - 1), value(y, x), value(y, x + 1)));
    let along_y = (y > 0 && y + 1 < height).then(|| vertex(value(y - 1, x), value(y, x), value(y + 1, x)));
    (along_x.unwrap_or(0.0), along_y.unwrap_or(0.0))
}

/// The vertex of the parabola through three values at -1, 0 and 1, of which the middle one is the highest.
pub(super) fn vertex(before: f64, here: f64, after: f64) -> f64 {
    let curvature = before - 2.0 * here + after;
    if curvature < 0.0 { (0.5 * (before - after) / curvature).clamp(-0.5, 0.5) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn places(scores: &Array2<f32>, distance: usize, blocked: &[Blocked]) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        pick_best(scores.view(), 0.0, (distance, distance), blocked, &mut out);
        assert!(out.is_sorted_by(|a, b| a.score >= b.score));
        out.iter().map(|c| (c.x, c.y)).collect()
    }

    fn map(peaks: &[(usize, usize, f32)]) -> Array2<f32> {
        let mut scores = Array2::zeros((12, 20));
        peaks.iter().for_each(|&(x, y, s)| scores[(y, x)] = s);
        scores
    }

    #[test]
    fn the_best_comes_first_and_keeps_the_others_at_a_distance() {
        let scores = map(&[(5, 5, 0.8), (8, 5, 0.9), (13, 5, 0.7), (5, 10, 0.1), (0, 0, 0.2)]);
        assert_eq!(places(&scores, 1, &[]), [(8, 5), (5, 5), (13, 5), (0, 0), (5, 10)]);
        assert_eq!(
            places(&scores, 3, &[]),
            [(8, 5), (5, 5), (13, 5), (0, 0), (5, 10)],
            "a distance of 3 is enough for 3"
        );
        assert_eq!(places(&scores, 4, &[]), [(8, 5), (13, 5), (0, 0), (5, 10)]);
        assert_eq!(places(&scores, 6, &[]), [(8, 5), (0, 0)]);
    }

    #[test]
    fn what_overlaps_an_existing_roi_is_blocked_even_when_that_reaches_outside() {
        let scores = map(&[(5, 5, 0.8), (8, 5, 0.9), (18, 1, 0.7)]);
        assert_eq!(places(&scores, 2, &[Blocked::around(9, 6, (2, 2))]), [(5, 5), (18, 1)]);
        assert_eq!(places(&scores, 2, &[Blocked::around(22, -3, (5, 5))]), [(8, 5), (5, 5)]);
        assert_eq!(places(&scores, 2, &[Blocked::around(-40, 90, (5, 5))]).len(), 3);
    }

    #[test]
    fn a_flank_is_no_candidate_and_a_plateau_is_one() {
        let slope = Array2::from_shape_fn((9, 9), |(y, x)| 20.0 - (y + x) as f32);
        assert_eq!(places(&slope, 2, &[]), [(0, 0)]);
        assert_eq!(places(&Array2::from_elem((6, 6), 0.5), 3, &[]), [(0, 0)]);
    }

    #[test]
    fn a_maximum_between_places_is_found() {
        let (x0, y0) = (6.3, 4.8);
        let scores = Array2::from_shape_fn((12, 20), |(y, x)| {
            (1.0 - 0.01 * (x as f64 - x0).powi(2) - 0.02 * (y as f64 - y0).powi(2)) as f32
        });
        let mut out = Vec::new();
        pick_best(scores.view(), 0.9, (50, 50), &[], &mut out);
        let (dx, dy) = sub_pixel(scores.view(), &out[0]);
        assert!((out[0].x as f64 + dx - x0).abs() < 1e-4 && (out[0].y as f64 + dy - y0).abs() < 1e-4, "{dx}, {dy}");
    }
}
