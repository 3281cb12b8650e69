//! How radially symmetric an image is round one place, at full resolution: to refine a place that was found coarsely, and
//! to move a seed to the middle of its bead.

use super::CameraPixel;
use super::candidates::vertex;
use crate::error::KernelError;
use ndarray::{ArrayView2, s};

/// Grid of [`LocalSymmetry::best_near`]: this many steps per ROI.
const STEPS_PER_ROI: usize = 24;

/// Scores places with a disc as wide as the ROI. See [`super::RadialScore`] for the score; this is the same, directly.
#[derive(Clone)]
pub struct LocalSymmetry {
    radius: usize,
    /// Ring of each pixel of the disc's square; `n_rings` outside the disc.
    ring_of: Vec<u16>,
    counts: Vec<u32>,
    sums: Vec<u64>,
}

/// A place and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SymmetryCenter {
    /// Column.
    pub x_px: f64,
    /// Row.
    pub y_px: f64,
    /// 0 to 1.
    pub score: f64,
}

impl LocalSymmetry {
    /// Makes a worker for ROIs of `roi_px` x `roi_px`. Fails below 8 pixels and above 4096.
    pub fn new(roi_px: usize) -> Result<LocalSymmetry, KernelError> {
        check_roi(roi_px)?;
        let radius = (roi_px - 1) / 2;
        let (ring_of, counts) = rings(radius);
        Ok(LocalSymmetry { radius, ring_of, sums: vec![0; counts.len() + 1], counts })
    }

    /// The pixels that a disc round a place reaches from it, along each axis.
    pub fn radius_px(&self) -> usize {
        self.radius
    }

    /// The score round the middle of pixel (x, y), `floor` being the variance of the background (see
    /// [`super::RadialScore`]); none where the disc leaves the image.
    pub fn score<P: CameraPixel>(&mut self, image: ArrayView2<'_, P>, x: i64, y: i64, floor: f64) -> Option<f64> {
        let r = self.radius as i64;
        let (height, width) = (image.nrows() as i64, image.ncols() as i64);
        if x < r || y < r || x + r >= width || y + r >= height {
            return None;
        }
        let (x0, y0, side) = ((x - r) as usize, (y - r) as usize, 2 * self.radius + 1);
        let window = image.slice(s![y0..y0 + side, x0..x0 + side]);
        let n_rings = self.counts.len() as u16;
        self.sums.fill(0);
        let mut squares = 0_u64;
        for (line, rings) in window.rows().into_iter().zip(self.ring_of.chunks_exact(side)) {
            for (&p, &ring) in line.iter().zip(rings) {
                let p: u64 = p.into();
                self.sums[usize::from(ring)] += p;
                squares += if ring < n_rings { p * p } else { 0 };
            }
        }
        let n: u32 = self.counts.iter().sum();
        let (mut total, mut of_rings) = (0_u64, 0.0);
        for (&sum, &count) in self.sums.iter().zip(&self.counts) {
            total += sum;
            of_rings += (sum as f64).powi(2) / f64::from(count);
        }
        let of_mean = (total as f64).powi(2) / f64::from(n);
        let explained = (of_rings - of_mean).max(0.0) / f64::from(n);
        let variance = (squares as f64 - of_mean).max(0.0) / f64::from(n);
        Some(score_of(explained, variance, floor))
    }

    /// Climbs from pixel (x, y) to the next maximum of the score, at most `reach` pixels away along each axis, and to the
    /// vertex of the parabola there. None where the disc leaves the image.
    pub fn climb<P: CameraPixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        (x, y): (i64, i64),
        reach: i64,
        floor: f64,
    ) -> Option<SymmetryCenter> {
        let (mut best, mut score) = ((x, y), self.score(image, x, y, floor)?);
        loop {
            let here = best;
            for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)] {
                let next = (here.0 + dx, here.1 + dy);
                if (next.0 - x).abs() <= reach
                    && (next.1 - y).abs() <= reach
                    && let Some(s) = self.score(image, next.0, next.1, floor)
                    && s > score
                {
                    (best, score) = (next, s);
                }
            }
            if best == here {
                break;
            }
        }
        let mut offset = |dx: i64, dy: i64| {
            let before = self.score(image, best.0 - dx, best.1 - dy, floor);
            let after = self.score(image, best.0 + dx, best.1 + dy, floor);
            before.zip(after).map_or(0.0, |(b, a)| vertex(b, score, a))
        };
        Some(SymmetryCenter { x_px: best.0 as f64 + offset(1, 0), y_px: best.1 as f64 + offset(0, 1), score })
    }

    /// The best place within `reach` pixels of pixel (x, y) along each axis: a grid first, then [`LocalSymmetry::climb`].
    pub fn best_near<P: CameraPixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        (x, y): (i64, i64),
        reach: i64,
        floor: f64,
    ) -> Option<SymmetryCenter> {
        let step = ((2 * self.radius + 1) / STEPS_PER_ROI).max(1);
        let mut best: Option<((i64, i64), f64)> = None;
        for dy in (-reach..=reach).step_by(step) {
            for dx in (-reach..=reach).step_by(step) {
                let score = self.score(image, x + dx, y + dy, floor);
                if let Some(s) = score.filter(|s| best.is_none_or(|(_, b)| *s > b)) {
                    best = Some(((x + dx, y + dy), s));
                }
            }
        }
        self.climb(image, best?.0, step as i64, floor)
    }
}

/// The score from variances: the correlation with the ring means, less where the contrast is that of the background.
pub(super) fn score_of(explained: f64, variance: f64, floor: f64) -> f64 {
    let against = variance + floor;
    if against > 0.0 { (explained / against).sqrt().min(1.0) } else { 0.0 }
}

pub(super) fn check_roi(roi_px: usize) -> Result<(), KernelError> {
    match roi_px {
        0..8 => Err(KernelError::SizeTooSmall { size_px: roi_px, min_px: 8 }),
        8..=4096 => Ok(()),
        _ => Err(KernelError::OutOfRange { name: "roi_px", value: roi_px as f64, allowed: "8 to 4096" }),
    }
}

/// The ring (distance from the middle, rounded) of each pixel of a square of 2 `radius` + 1, row by row, `radius` + 1 for
/// those outside the disc; and how many pixels each ring has.
pub(super) fn rings(radius: usize) -> (Vec<u16>, Vec<u32>) {
    let side = 2 * radius + 1;
    let mut counts = vec![0; radius + 1];
    let ring_of = (0..side * side)
        .map(|i| {
            let (dy, dx) = ((i / side) as f64 - radius as f64, (i % side) as f64 - radius as f64);
            let ring = (dy.hypot(dx) + 0.5) as usize;
            match counts.get_mut(ring) {
                Some(count) => *count += 1,
                None => return (radius + 1) as u16,
            }
            ring as u16
        })
        .collect();
    (ring_of, counts)
}
