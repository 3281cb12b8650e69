//! The search: a map of scores with or without a seed, candidates, threshold, centres, flags.

use crate::frame::PaddedFrame;
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
/// Without a seed the first look is at a coarser image, which blurs fine rings: candidates of this part of the least
/// score that counts are looked at again.
const LOOK_CLOSER: f64 = 0.5;
/// Candidates that are looked at between two questions whether to go on: a few milliseconds.
const ASK_EVERY: usize = 64;
/// Smallest side of a ROI.
const LEAST_SIDE: usize = 8;

/// What is searched for.
pub struct Search<'a> {
    pub options: &'a Options,
    pub seed: Option<Rect>,
}

/// A place of the frame.
type Place = (f64, f64);

/// Finds beads, the surest first; the seed, if there is one, before all others.
pub fn find<P: CameraPixel>(search: &Search<'_>, image: ArrayView2<'_, P>, watch: Watch<'_>) -> Result<Vec<Hit>> {
    let options = search.options;
    let roi = match search.seed {
        Some(seed) => {
            check_seed(seed, image.dim())?;
            (seed.w_px as usize, seed.h_px as usize)
        }
        None => (options.roi_px, options.roi_px),
    };
    if roi.0 > image.ncols() || roi.1 > image.nrows() {
        let error = KernelError::TemplateTooLarge { template_size: (roi.1, roi.0), image_size: image.dim() };
        return Err(refused(error));
    }
    let frame = PaddedFrame::new(image, roi);
    let mut map_watch = |done: f64| watch(MAP_SHARE * done);
    let found = match search.seed {
        Some(seed) => with_seed(options, &frame, seed, &mut map_watch)?,
        None => without_seed(options, &frame, &mut map_watch)?,
    };
    if watch(1.0).is_break() {
        return Err(Error::cancelled());
    }
    let on_frame = found.into_iter().filter(|(place, _)| frame.contains(*place));
    let hits = on_frame.take(options.max_beads).map(|((x_px, y_px), score)| {
        let cut = frame.clearance((x_px, y_px)) < 0.0;
        Hit { x_px, y_px, score, flags: if cut { FLAG_AT_BORDER } else { 0 }, reserved: 0 }
    });
    Ok(with_neighbours(hits.collect(), roi))
}

fn refused(error: KernelError) -> Error {
    Error::invalid(error.to_string())
}

fn check_seed(seed: Rect, (height, width): (usize, usize)) -> Result<()> {
    let inside = |at: i32, side: u32, limit: usize| {
        at >= 0 && at as usize + side as usize <= limit && side as usize >= LEAST_SIDE
    };
    if inside(seed.x_px, seed.w_px, width) && inside(seed.y_px, seed.h_px, height) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "cannot take {} x {} px at ({}, {}) as the seed\nthe frame has {width} x {height} px, and a seed {LEAST_SIDE} x \
         {LEAST_SIDE} or more\nchoose a bead whose ROI lies wholly inside the frame, or make the ROI smaller",
        seed.w_px, seed.h_px, seed.x_px, seed.y_px
    )))
}

fn with_seed<P: CameraPixel>(
    options: &Options,
    frame: &PaddedFrame<P>,
    seed: Rect,
    watch: Watch<'_>,
) -> Result<Vec<(Place, f64)>> {
    let (w, h) = frame.roi;
    let image = frame.pixels.view();
    let corner = frame.padded((f64::from(seed.x_px), f64::from(seed.y_px)));
    let middle = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let clicked = ((corner.0 as usize, corner.1 as usize), middle);
    let recentred = if options.recentre_seed { recentred(image, corner, (w, h)) } else { None };
    let ((x, y), middle) = recentred.unwrap_or(clicked);
    let template = image.slice(s![y..y + h, x..x + w]);
    let mut ncc = Ncc::new(template, image.dim(), options.contrast_weight).map_err(refused)?;
    let mut scores = Array2::zeros(ncc.map_size());
    if ncc.execute(image, scores.view_mut(), watch).is_break() {
        return Err(Error::cancelled());
    }
    let place = |c: &Candidate| {
        let (dx, dy) = sub_pixel(scores.view(), c);
        frame.unpadded((c.x as f64 + dx + middle.0, c.y as f64 + dy + middle.1))
    };
    let distance = (apart(w, options.max_overlap), apart(h, options.max_overlap));
    let mut candidates = Vec::new();
    let around_seed = Blocked::around(x as i64, y as i64, distance);
    pick_best(scores.view(), f32::EPSILON, distance, &[around_seed], &mut candidates);
    let scored = |c: &Candidate| (place(c), f64::from(c.score));
    let beads = chosen(options, frame, candidates.iter().map(scored).collect());
    // The seed is a bead because the user says so; it takes no part in the choice of the threshold.
    let seed = Candidate { x, y, score: scores[(y, x)] };
    Ok(std::iter::once(scored(&seed)).chain(beads).collect())
}

/// A seed moved so that its bead lies in the middle: its new corner, and the place of the bead's centre in it. None when
/// there is nothing symmetric near.
fn recentred<P: CameraPixel>(
    image: ArrayView2<'_, P>,
    corner: Place,
    (w, h): (usize, usize),
) -> Option<((usize, usize), Place)> {
    let middle = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let start = ((corner.0 + middle.0).round() as i64, (corner.1 + middle.1).round() as i64);
    let side = w.min(h);
    let mut symmetry = LocalSymmetry::new(side).ok()?;
    let center = symmetry.best_near(image, start, (side / 4) as i64, ROUNDING_VARIANCE)?;
    if center.score < SYMMETRIC {
        return None;
    }
    let moved = |center: f64, middle: f64, side: usize, limit: usize| {
        (center - middle).round().clamp(0.0, (limit - side) as f64) as usize
    };
    let x = moved(center.x_px, middle.0, w, image.ncols());
    let y = moved(center.y_px, middle.1, h, image.nrows());
    Some(((x, y), (center.x_px - x as f64, center.y_px - y as f64)))
}

fn without_seed<P: CameraPixel>(
    options: &Options,
    frame: &PaddedFrame<P>,
    watch: Watch<'_>,
) -> Result<Vec<(Place, f64)>> {
    let image = frame.pixels.view();
    let side = options.roi_px;
    let mut radial = RadialScore::new(side, image.dim(), options.background_factor).map_err(refused)?;
    // What the margin has put into a disc is no background.
    radial.leave_out_of_background(side / 2);
    let mut scores = Array2::zeros(radial.map_size());
    let ControlFlow::Continue(background) = radial.execute(image, scores.view_mut(), watch) else {
        return Err(Error::cancelled());
    };
    let step = radial.step_px();
    let distance = apart(side, options.max_overlap).div_ceil(step);
    let mut candidates = Vec::new();
    pick_best(scores.view(), f32::EPSILON, (distance, distance), &[], &mut candidates);
    let mut symmetry = LocalSymmetry::new(side).map_err(refused)?;
    let worth_a_look = LOOK_CLOSER * options.threshold.least();
    let mut found: Vec<(Place, f64)> = Vec::with_capacity(candidates.len());
    for (i, c) in candidates.iter().enumerate() {
        if i.is_multiple_of(ASK_EVERY) && watch(1.0).is_break() {
            return Err(Error::cancelled());
        }
        let coarse = radial.place_px(c.x as f64, c.y as f64);
        let start = (coarse.0.round() as i64, coarse.1.round() as i64);
        let climbed = match f64::from(c.score) {
            score if score < worth_a_look => None,
            // None where the finer disc leaves the image.
            _ => symmetry.climb(image, start, 2 * step as i64, background),
        };
        let (place, score) = climbed.map_or((coarse, f64::from(c.score)), |f| ((f.x_px, f.y_px), f.score));
        found.push((frame.unpadded(place), score));
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(each_once(chosen(options, frame, found), apart(side, options.max_overlap) as f64 / 2.0))
}

/// Without those that climbed to the place of a better one.
fn each_once(found: Vec<(Place, f64)>, apart: f64) -> Vec<(Place, f64)> {
    let mut kept: Vec<(Place, f64)> = Vec::with_capacity(found.len());
    for (place, score) in found {
        if kept.iter().all(|((x, y), _)| (place.0 - x).abs() >= apart || (place.1 - y).abs() >= apart) {
            kept.push((place, score));
        }
    }
    kept
}

/// Least distance of two ROIs along an axis, in pixels.
fn apart(side: usize, max_overlap: f64) -> usize {
    ((side as f64 * (1.0 - max_overlap)).round() as usize).max(1)
}

/// The candidates (places and scores, best first) that are beads. One whose ROI leaves the frame scores somewhere between
/// a bead and none: it has no say in the automatic threshold, and needs only half of what that asks beyond the floor.
fn chosen<P: CameraPixel>(
    options: &Options,
    frame: &PaddedFrame<P>,
    mut candidates: Vec<(Place, f64)>,
) -> Vec<(Place, f64)> {
    let (limit, limit_if_cut) = match options.threshold {
        Threshold::Value(v) => (v, v),
        Threshold::Auto { min_score } => {
            let whole = candidates.iter().filter(|(place, _)| frame.clearance(*place) >= 0.0);
            let sorted: Vec<f64> = whole.map(|(_, score)| *score).collect();
            let limit = default_threshold(&sorted).map_or(min_score, |t| t.max(min_score));
            (limit, (limit + min_score) / 2.0)
        }
    };
    let margin = options.margin_px as f64;
    candidates.retain(|(place, score)| {
        let clearance = frame.clearance(*place);
        let limit = if clearance < 0.0 { limit_if_cut } else { limit };
        *score >= limit && (margin == 0.0 || clearance >= margin)
    });
    candidates
}

/// Flags the hits whose ROIs overlap.
fn with_neighbours(mut hits: Vec<Hit>, (w, h): (usize, usize)) -> Vec<Hit> {
    let (w, h) = (w as f64, h as f64);
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
