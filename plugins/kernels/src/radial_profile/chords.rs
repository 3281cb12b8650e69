//! Sums over rings of integer pixels, from the chords that the columns of the image cut out of discs.
//!
//! The pixels of a column within a radius are neighbours, so their sum is the difference of two sums from the top of the
//! column. With one ring per pixel that is half as many look-ups as the image has pixels, and nothing is scattered.

use std::ops::Range;

use ndarray::ArrayView2;

use super::{ROUND_F32, bin_in_double_precision};
use crate::isa::Vectorised;
use crate::pixel::{Pixel, for_each_piece};

/// Columns side by side.
const LANES: usize = 8;

/// Bound on the error, per squared radius, of the square of half a chord in single precision: two conversions, a
/// product and a difference of numbers up to the squared radius, five times 2^-24 = 3e-7 in all, with room to spare.
const SQUARE_ROUNDING: f64 = 6e-7;
/// Bound on the relative error of what is added to find an end: a conversion, a square root and a sum, 2^-24 each.
const END_ROUNDING: f64 = 5e-7;

/// Plan and scratch for images of one size.
#[derive(Debug, Clone)]
pub(super) struct Chords {
    size_px: usize,
    oversample: usize,
    discs: Vec<Disc>,
    /// How far off the middle between two pixels an end may be found and be sure.
    sure: f32,
    /// Columns beside the image on either side, so that every disc has its full width.
    margin: usize,
    /// Squared distance of each column from the centre; infinite beside the image, where no disc reaches.
    x_squared: Vec<f32>,
    /// Sum of the pixels above, by row and column, for one row more than the image has, and room for the margins at
    /// both ends. Sums wrap around: those of a whole ring fit, and only they are wanted.
    above: Vec<u32>,
    /// The chords of one disc.
    chords: Scratch,
}

/// The pixels of one bin and of all bins inside it.
#[derive(Debug, Clone, Copy)]
struct Disc {
    bin: usize,
    radius: f64,
    radius_squared: f32,
    /// Bound on the error of the square of half a chord.
    error: f32,
    /// How many columns it may reach to the left of the one nearest to the centre, and in all, in lanes.
    n_left: usize,
    n_lanes: usize,
}

/// Per column of a disc: where its chord begins and ends.
#[derive(Debug, Clone)]
struct Scratch {
    /// Index of the first pixel into the sums from the top.
    tops: Vec<[u32; LANES]>,
    /// The same of the pixel after the last.
    bottoms: Vec<[u32; LANES]>,
    /// 1 when an end is so near to a pixel that it may be another, else 0.
    unsure: Vec<[u32; LANES]>,
}

impl Chords {
    pub(super) fn new(size_px: usize, oversample: usize, n_bins: usize) -> Chords {
        let disc = |bin: usize| {
            let radius = (bin as f64 + 0.5) / oversample as f64;
            let (radius_squared, error) = (radius * radius, SQUARE_ROUNDING * radius * radius);
            let n_left = radius as usize + 1;
            let n_lanes = (2 * n_left + 1).div_ceil(LANES);
            Disc { bin, radius, radius_squared: radius_squared as f32, error: error as f32, n_left, n_lanes }
        };
        let discs: Vec<Disc> = (0..n_bins).map(disc).collect();
        let n_lanes = discs.iter().map(|disc| disc.n_lanes).max().unwrap_or(0);
        let margin = n_lanes * LANES;
        Chords {
            size_px,
            oversample,
            discs,
            sure: (0.5 - END_ROUNDING * (2 * size_px + 1) as f64) as f32,
            margin,
            x_squared: vec![f32::INFINITY; size_px + 2 * margin],
            above: vec![0; (size_px + 1) * size_px + 2 * margin],
            chords: Scratch {
                tops: vec![[0; LANES]; n_lanes],
                bottoms: vec![[0; LANES]; n_lanes],
                unsure: vec![[0; LANES]; n_lanes],
            },
        }
    }
}

/// The pass over an image: sum and number of the pixels of every ring. The centre lies inside the image.
pub(super) struct SumRings<'a, 'b, P> {
    pub chords: &'a mut Chords,
    pub image: ArrayView2<'b, P>,
    pub x_px: f64,
    pub y_px: f64,
    pub sums: &'a mut [f64],
    pub counts: &'a mut [u32],
}

impl<P: Pixel> Vectorised for SumRings<'_, '_, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let SumRings { chords: plan, image, x_px, y_px, sums, counts } = self;
        sum_from_the_top(image, plan.size_px, &mut plan.above[plan.margin..]);
        for (j, x_squared) in plan.x_squared[plan.margin..][..plan.size_px].iter_mut().enumerate() {
            *x_squared = (j as f64 - x_px).powi(2) as f32;
        }
        let (mut sum_inside, mut count_inside) = (0u32, 0);
        for ((&disc, sum), count) in plan.discs.iter().zip(sums).zip(counts) {
            let first = plan.margin + x_px.round_ties_even() as usize - disc.n_left;
            let cut = Cut {
                disc,
                first,
                x_px,
                y_px,
                size_px: plan.size_px,
                margin: plan.margin,
                oversample: plan.oversample,
            };
            let n = cut.find_chords(&plan.x_squared[first..], plan.sure, &mut plan.chords);
            let tops = plan.chords.tops[..disc.n_lanes].as_flattened();
            let bottoms = plan.chords.bottoms[..disc.n_lanes].as_flattened();
            let above = &plan.above[..];
            let total = tops.iter().zip(bottoms).fold(0u32, |total, (&top, &bottom)| {
                total.wrapping_add(above[bottom as usize]).wrapping_sub(above[top as usize])
            });
            *sum = f64::from(total.wrapping_sub(sum_inside));
            *count = n - count_inside;
            (sum_inside, count_inside) = (total, n);
        }
    }
}

#[inline(always)]
fn sum_from_the_top<P: Pixel>(image: ArrayView2<'_, P>, stride: usize, above: &mut [u32]) {
    for_each_piece(image, |i, j, piece| {
        let (done, next) = above[i * stride + j..].split_at_mut(stride);
        for ((sum, above), p) in next[..piece.len()].iter_mut().zip(done).zip(piece) {
            *sum = above.wrapping_add(p.to_i32() as u32);
        }
    });
}

/// A disc in an image, its first column counted with the margin.
struct Cut {
    disc: Disc,
    first: usize,
    x_px: f64,
    y_px: f64,
    size_px: usize,
    margin: usize,
    oversample: usize,
}

impl Cut {
    /// Finds the chords of all columns, and the number of pixels on them.
    #[inline(always)]
    fn find_chords(&self, x_squared: &[f32], sure: f32, chords: &mut Scratch) -> u32 {
        let n_lanes = self.disc.n_lanes;
        let tops = chords.tops[..n_lanes].as_flattened_mut();
        let bottoms = chords.bottoms[..n_lanes].as_flattened_mut();
        let unsure = chords.unsure[..n_lanes].as_flattened_mut();
        let x_squared = &x_squared[..n_lanes * LANES];
        let (radius_squared, error) = (self.disc.radius_squared, self.disc.error);
        let reach = radius_squared + error;
        // Half a row is added: so ends are rounded to the next whole number, and no pixel lies between.
        let (middle, last) = ((self.y_px + 0.5) as f32, self.size_px as f32);
        let stride = self.size_px as u32;
        // Rows come with what rounding adds to the bits; it is taken off the columns instead.
        let first = (self.first as u32).wrapping_sub(ROUND_F32.to_bits().wrapping_mul(stride));
        let (mut n, mut any_unsure) = (0u32, 0);
        for ((((j, &x_squared), top), bottom), unsure) in
            (0..x_squared.len() as u32).zip(x_squared).zip(tops).zip(bottoms).zip(unsure)
        {
            let square = radius_squared - x_squared;
            let half = if square > 0.0 { square } else { 0.0 }.sqrt();
            let (from, to) = (middle - half, middle + half);
            let from = if from > 0.0 { from } else { 0.0 };
            let to = if to < last { to } else { last };
            let (from_row, to_row) = (from + ROUND_F32, to + ROUND_F32);
            let (off_from, off_to) = ((from - (from_row - ROUND_F32)).abs(), (to - (to_row - ROUND_F32)).abs());
            let off = if off_from > off_to { off_from } else { off_to };
            // The error of half the chord is that of its square, divided by twice itself.
            let near = ((sure - off) * half <= error) & (x_squared < reach);
            *unsure = u32::from(near);
            any_unsure |= *unsure;
            let (from_row, to_row) = (from_row.to_bits(), to_row.to_bits());
            n = n.wrapping_add(to_row.wrapping_sub(from_row));
            let at = |row: u32| row.wrapping_mul(stride).wrapping_add(j.wrapping_add(first));
            (*top, *bottom) = (at(from_row), at(to_row));
        }
        if any_unsure > 0 { self.decide(chords) } else { n }
    }

    /// Decides the unsure chords as the distance of every pixel decides it.
    #[inline(never)]
    fn decide(&self, chords: &mut Scratch) -> u32 {
        let n_columns = self.disc.n_lanes * LANES;
        let tops = &mut chords.tops.as_flattened_mut()[..n_columns];
        let bottoms = &mut chords.bottoms.as_flattened_mut()[..n_columns];
        let mut n = 0;
        for (j, (top, bottom)) in tops.iter_mut().zip(bottoms).enumerate() {
            if chords.unsure.as_flattened()[j] > 0 {
                let rows = self.chord_in_double_precision(self.first + j - self.margin);
                [*top, *bottom] = [rows.start, rows.end].map(|row| (row * self.size_px + self.first + j) as u32);
            }
            n += (*bottom - *top) / self.size_px as u32;
        }
        n
    }

    /// Distances rise from the centre on, rounded or not, so only the pixels beside an end need be asked.
    fn chord_in_double_precision(&self, column: usize) -> Range<usize> {
        let x_squared = (column as f64 - self.x_px).powi(2);
        let half = (self.disc.radius.powi(2) - x_squared).max(0.0).sqrt();
        let outside = |row: usize| {
            let squared_distance = x_squared + (row as f64 - self.y_px).powi(2);
            bin_in_double_precision(squared_distance, self.oversample, self.disc.bin + 1) as usize > self.disc.bin
        };
        let row_at = |y: f64| y.clamp(0.0, self.size_px as f64) as usize;
        let (mut top, mut end) = (row_at(self.y_px - half - 1.0), row_at(self.y_px + half + 2.0));
        while top < end && outside(top) {
            top += 1;
        }
        while end > top && outside(end - 1) {
            end -= 1;
        }
        top..end
    }
}
