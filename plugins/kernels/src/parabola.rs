//! The vertex of a parabola fitted to a few points around a maximum.

use crate::error::KernelError;

/// A least-squares parabola over an odd number of neighbouring points.
///
/// Weighted fits count a residual at distance u with `half - |u| + 1` (five points: 1, 2, 3, 2, 1). Method:
/// `parabolic_vertex` of MagTrack 1.0.0.
#[derive(Debug, Clone, PartialEq)]
pub struct ParabolaFit {
    half: usize,
    /// Squared weight of each point.
    weights: Vec<f64>,
    s0: f64,
    s2: f64,
    s4: f64,
}

impl ParabolaFit {
    /// Weighted fit over `n_local` points. Fails when `n_local` is even or below 3.
    pub fn weighted(n_local: usize) -> Result<ParabolaFit, KernelError> {
        ParabolaFit::new(n_local, |half, u| (half - u + 1) as f64)
    }

    /// Fit with equal weights over `n_local` points. Fails when `n_local` is even or below 3.
    pub fn unweighted(n_local: usize) -> Result<ParabolaFit, KernelError> {
        ParabolaFit::new(n_local, |_, _| 1.0)
    }

    fn new(n_local: usize, weight: impl Fn(usize, usize) -> f64) -> Result<ParabolaFit, KernelError> {
        if n_local.is_multiple_of(2) || n_local < 3 {
            return Err(KernelError::EvenWindow { n_local });
        }
        let half = n_local / 2;
        let distance = |i: usize| i.abs_diff(half);
        let weights: Vec<f64> = (0..n_local).map(|i| weight(half, distance(i)).powi(2)).collect();
        let moment = |p: i32| weights.iter().enumerate().map(|(i, w)| w * (distance(i) as f64).powi(p)).sum::<f64>();
        let (s0, s2, s4) = (moment(0), moment(2), moment(4));
        Ok(ParabolaFit { half, s0, s2, s4, weights })
    }

    /// Number of points of the fit.
    pub fn n_local(&self) -> usize {
        self.weights.len()
    }

    /// Where the fitted parabola through these points has its vertex, counted from the middle point.
    ///
    /// `points` has [`ParabolaFit::n_local`] numbers. No bound on the result, and no check that the vertex is a
    /// maximum; a straight line gives NaN.
    pub fn offset(&self, points: &[f64]) -> f64 {
        assert!(
            points.len() == self.weights.len(),
            "{} points for a parabola over {}",
            points.len(),
            self.weights.len()
        );
        self.offset_of(|i| points[i])
    }

    /// [`ParabolaFit::offset`] for points that are computed one by one.
    pub(crate) fn offset_of(&self, point: impl Fn(usize) -> f64) -> f64 {
        let middle = point(self.half);
        let (mut t0, mut t1, mut t2) = (0.0, 0.0, 0.0);
        for (i, &weight) in self.weights.iter().enumerate() {
            let u = i as f64 - self.half as f64;
            // Counted from the middle value: the vertex does not see an offset, the rounding does.
            let y = weight * (point(i) - middle);
            t0 += y;
            t1 += u * y;
            t2 += u * u * y;
        }
        let slope = t1 / self.s2;
        let curvature = (self.s0 * t2 - self.s2 * t0) / (self.s0 * self.s4 - self.s2 * self.s2);
        let offset = -slope / (2.0 * curvature);
        if offset.is_finite() { offset } else { f64::NAN }
    }

    /// The points that [`ParabolaFit::offset`] needs around an estimate, as `(middle, first)` index; `None` when the
    /// estimate is not finite or so near an end of `n` points that it would hit the limit.
    pub(crate) fn place(&self, n: usize, estimate: f64) -> Option<(usize, usize)> {
        let middle = estimate.round_ties_even();
        let inside = middle > self.half as f64 && middle < n as f64 - 1.0 - self.half as f64;
        inside.then(|| (middle as usize, middle as usize - self.half))
    }
}

/// The vertex, as an index into `data`, of the parabola around `vertex_est` (rounded, ties to even).
///
/// NaN when the estimate is not finite, or when fewer than [`ParabolaFit::n_local`]` / 2 + 1` points lie on either
/// side of it (MagTrack too calls an estimate exactly at that limit lost).
pub fn parabolic_vertex(data: &[f64], vertex_est: f64, fit: &ParabolaFit) -> f64 {
    match fit.place(data.len(), vertex_est) {
        Some((middle, first)) => middle as f64 + fit.offset(&data[first..first + fit.n_local()]),
        None => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vertex_of_an_exact_parabola_is_found_by_every_fit() {
        let data: Vec<f64> = (0..20).map(|i| 7.0 - 0.3 * (i as f64 - 9.3).powi(2)).collect();
        for n_local in [3, 5, 7, 9] {
            for fit in [ParabolaFit::weighted(n_local), ParabolaFit::unweighted(n_local)] {
                let vertex = parabolic_vertex(&data, 9.4, &fit.unwrap());
                assert!((vertex - 9.3).abs() < 1e-12, "{n_local} points: {vertex}");
            }
        }
    }

    #[test]
    fn an_estimate_at_the_limit_has_no_vertex() {
        let data = [0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 0.0, 0.0];
        let fit = ParabolaFit::weighted(5).unwrap();
        assert!(parabolic_vertex(&data, 2.0, &fit).is_nan());
        assert!(parabolic_vertex(&data, 3.0, &fit).is_finite());
        assert!(parabolic_vertex(&data, 5.0, &fit).is_nan());
        assert!(parabolic_vertex(&data, f64::NAN, &fit).is_nan());
        assert!(parabolic_vertex(&data[..3], 1.0, &fit).is_nan(), "fewer points than the fit needs");
    }

    #[test]
    fn an_even_or_short_window_is_refused() {
        for n_local in [0, 1, 2, 4, 10] {
            assert_eq!(ParabolaFit::weighted(n_local), Err(KernelError::EvenWindow { n_local }));
        }
    }
}
