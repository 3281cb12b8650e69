//! The search: a map of scores with or without a seed, candidates, threshold, centres, flags.

use crate::options::{Options, Threshold};
use ndarray::{Array2, ArrayView2, s};
use std::ops::ControlFlow;
use tetherscope_kernels::{
    Blocked, CameraPixel, Candidate, KernelError, LocalSymmetry, Ncc, RadialScore, Watch, default_threshold, pick_best,
    sub_pixel,
};
use tetherscope_plugin_api::abi::{FLAG_AT_BORDER, FLAG_NEIGHBOUR, Rect};
use tetherscope_plugin_api::{Error, Hit, Result};

/// The part of the work that the map of scores is.
const MAP_SHARE: f64 = 0.9;
/// A seed is moved only to a place that deserves to be called symmetric.
const SYMMETRIC: f64 = 0.5;
/// Background of a seed, of which nothing is known but that its pixels are whole numbers.
const ROUNDING_VARIANCE: f64 = 1.0 / 12.0;

/// What is searched for.
pub struct Search<'a> {
    pub options: &'a Options,
    pub seed: Option<Rect>,
}

/// Finds beads, the surest first; the seed, if there is one, before all others.
pub fn find<P: CameraPixel>(search: &Search<'_>, image: ArrayView2<'_, P>, watch: Watch<'_>) -> Result<Vec<Hit>> {
    let mut map_watch = |done: f64| watch(MAP_SHARE * done);
    let (hits, size) = match search.seed {
        Some(seed) => (with_seed(search.options, image, seed, &mut map_watch)?, (seed.w_px, seed.h_px)),
        None => {
            let side = search.options.roi_px as u32;
            (without_seed(search.options, image, &mut map_watch)?, (side, side))
        }
    };
    let hits = with_neighbours(hits, size);
    match watch(1.0) {
        ControlFlow::Continue(()) => Ok(hits),
        ControlFlow::Break(()) => Err(Error::cancelled()),
    }
}

fn refused(error: KernelError) -> Error {
    Error::invalid(error.to_string())
}

/// A hit that is not flagged yet as a neighbour.
fn hit((x_px, y_px): (f64, f64), score: f64, at_edge: bool) -> Hit {
    Hit { x_px, y_px, score, flags: if at_edge { FLAG_AT_BORDER } else { 0 }, reserved: 0 }
}

fn with_seed<P: CameraPixel>(
    options: &Options,
    image: ArrayView2<'_, P>,
    seed: Rect,
    watch: Watch<'_>,
) -> Result<Vec<Hit>> {
    let (height, width) = image.dim();
    let (w, h) = (seed.w_px as usize, seed.h_px as usize);
    let inside = |at: i32, side: usize, limit: usize| at >= 0 && at as usize + side <= limit && side >= 8;
    if !inside(seed.x_px, w, width) || !inside(seed.y_px, h, height) {
        let message = format!(
            "cannot take {w} x {h} px at ({}, {}) as the seed\nthe frame has {width} x {height} px, and a seed 8 x 8 or \
             more\nchoose a bead whose ROI lies wholly inside the frame, or make the ROI smaller",
            seed.x_px, seed.y_px
        );
        return Err(Error::invalid(message));
    }
    let (x, y, middle) = if options.recentre_seed {
        recentred(image, seed)
    } else {
        (seed.x_px as usize, seed.y_px as usize, ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0))
    };
    let template = image.slice(s![y..y + h, x..x + w]);
    let mut ncc = Ncc::new(template, image.dim(), options.contrast_weight).map_err(refused)?;
    let mut scores = Array2::zeros(ncc.map_size());
    if ncc.execute(image, scores.view_mut(), watch).is_break() {
        return Err(Error::cancelled());
    }
    let distance = (apart(w, options.max_overlap), apart(h, options.max_overlap));
    let around_seed = Blocked::around(x as i64, y as i64, distance);
    let (mut candidates, limit) = chosen(options, &scores, distance, (1, options.margin_px), &[around_seed]);
    candidates.retain(|c| f64::from(c.score) >= limit);
    // The seed is a bead because the user says so; it takes no part in the choice of the threshold.
    let seed = Candidate { x, y, score: scores[(y, x)] };
    let all = std::iter::once(&seed).chain(&candidates).take(options.max_beads);
    let place = |c: &Candidate| {
        let (dx, dy) = sub_pixel(scores.view(), c);
        (c.x as f64 + dx + middle.0, c.y as f64 + dy + middle.1)
    };
    Ok(all.map(|c| hit(inside_frame(place(c), image.dim()), f64::from(c.score), at_edge(c, &scores))).collect())
}

/// The seed's corner (x, y) moved so that its bead lies in the middle, and the place of the bead's centre in it.
fn recentred<P: CameraPixel>(image: ArrayView2<'_, P>, seed: Rect) -> (usize, usize, (f64, f64)) {
    let (w, h) = (f64::from(seed.w_px), f64::from(seed.h_px));
    let middle = ((w - 1.0) / 2.0, (h - 1.0) / 2.0);
    let corner = (f64::from(seed.x_px), f64::from(seed.y_px));
    let side = seed.w_px.min(seed.h_px);
    let start = ((corner.0 + middle.0).round() as i64, (corner.1 + middle.1).round() as i64);
    let center = LocalSymmetry::new(side as usize)
        .ok()
        .and_then(|mut s| s.best_near(image, start, i64::from(side / 4), ROUNDING_VARIANCE))
        .filter(|c| c.score >= SYMMETRIC);
    let Some(center) = center else {
        return (seed.x_px as usize, seed.y_px as usize, middle);
    };
    let moved = |center: f64, middle: f64, side: u32, limit: usize| {
        (center - middle).round().clamp(0.0, (limit - side as usize) as f64) as usize
    };
    let (x, y) = (
        moved(center.x_px, middle.0, seed.w_px, image.ncols()),
        moved(center.y_px, middle.1, seed.h_px, image.nrows()),
    );
    (x, y, (center.x_px - x as f64, center.y_px - y as f64))
}

fn without_seed<P: CameraPixel>(options: &Options, image: ArrayView2<'_, P>, watch: Watch<'_>) -> Result<Vec<Hit>> {
    let mut radial = RadialScore::new(options.roi_px, image.dim(), options.background_factor).map_err(refused)?;
    let mut scores = Array2::zeros(radial.map_size());
    let ControlFlow::Continue(background) = radial.execute(image, scores.view_mut(), watch) else {
        return Err(Error::cancelled());
    };
    let step = radial.step_px();
    let distance = apart(options.roi_px, options.max_overlap).div_ceil(step);
    let margin = (step, options.margin_px);
    let (mut candidates, limit) = chosen(options, &scores, (distance, distance), margin, &[]);
    candidates.retain(|c| f64::from(c.score) >= limit);
    candidates.truncate(options.max_beads);
    let mut symmetry = LocalSymmetry::new(options.roi_px).map_err(refused)?;
    let mut hits = Vec::with_capacity(candidates.len());
    for c in &candidates {
        let coarse = radial.place_px(c.x as f64, c.y as f64);
        let start = (coarse.0.round() as i64, coarse.1.round() as i64);
        // Where the finer disc leaves the frame the coarse place is what there is.
        let fine = symmetry.climb(image, start, 2 * step as i64, background).map_or(coarse, |f| (f.x_px, f.y_px));
        hits.push(hit(inside_frame(fine, image.dim()), f64::from(c.score), at_edge(c, &scores)));
    }
    Ok(hits)
}

/// Least distance of two ROIs along an axis, in pixels.
fn apart(side: usize, max_overlap: f64) -> usize {
    ((side as f64 * (1.0 - max_overlap)).round() as usize).max(1)
}

/// The candidates and the score from which they are beads. `margin` is the map's step and the margin, both in pixels.
fn chosen(
    options: &Options,
    scores: &Array2<f32>,
    distance: (usize, usize),
    (step, margin_px): (usize, usize),
    taken: &[Blocked],
) -> (Vec<Candidate>, f64) {
    let margin = margin_px.div_ceil(step) as i64;
    let (height, width) = (scores.nrows() as i64, scores.ncols() as i64);
    let mut blocked = taken.to_vec();
    blocked.extend([
        Blocked { x: (0, margin), y: (0, height) },
        Blocked { x: (width - margin, width), y: (0, height) },
        Blocked { x: (0, width), y: (0, margin) },
        Blocked { x: (0, width), y: (height - margin, height) },
    ]);
    let mut candidates = Vec::new();
    pick_best(scores.view(), f32::EPSILON, distance, &blocked, &mut candidates);
    let sorted: Vec<f64> = candidates.iter().map(|c| f64::from(c.score)).collect();
    let limit = match options.threshold {
        Threshold::Value(v) => v,
        Threshold::Auto { min_score } => default_threshold(&sorted).map_or(min_score, |t| t.max(min_score)),
    };
    (candidates, limit)
}

/// True where the map ends: a better place may lie beyond, so the bead may be cut by the frame's edge.
fn at_edge(c: &Candidate, scores: &Array2<f32>) -> bool {
    c.x == 0 || c.y == 0 || c.x + 1 == scores.ncols() || c.y + 1 == scores.nrows()
}

fn inside_frame((x, y): (f64, f64), (height, width): (usize, usize)) -> (f64, f64) {
    (x.clamp(0.0, width as f64 - 1.0), y.clamp(0.0, height as f64 - 1.0))
}

/// Flags the hits whose ROIs overlap.
fn with_neighbours(mut hits: Vec<Hit>, (w, h): (u32, u32)) -> Vec<Hit> {
    let (w, h) = (f64::from(w), f64::from(h));
    for i in 0..hits.len() {
        for j in 0..i {
            if (hits[i].x_px - hits[j].x_px).abs() < w && (hits[i].y_px - hits[j].y_px).abs() < h {
                hits[i].flags |= FLAG_NEIGHBOUR;
                hits[j].flags |= FLAG_NEIGHBOUR;
            }
        }
    }
    hits
}
