//! The pass over the pixels: every one adds to the sums of its bin. Both paths give the same bits.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod plain;

use ndarray::ArrayView2;

use super::RingProfile;
#[cfg(target_arch = "x86_64")]
use crate::isa::Isa;
use crate::isa::Supported;
use crate::pixel::{PIECE, Pixel, for_each_piece};

/// Adding this rounds a number below two million to a whole one; its lowest bits then hold the number.
const ROUND: f32 = 12_582_912.0;
const INDEX_MASK: u32 = 0x3f_ffff;

const BINS_PER_PX: f32 = (1.0 / RingProfile::STEP_PX) as f32;

/// Pixels handled at a time.
const BLOCK: usize = 8;

/// Accumulators side by side: neighbours often share a bin, and a bin that was just written is slow to read.
const LANES: usize = 4;

/// Sums of a bin, per lane: value, 1, distance from the middle of the bin and its square.
pub(super) type LaneSums = [[f32; 4]; LANES];

/// Sums of all bins, and scratch.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    /// Square of column minus x; infinite in the columns that only fill the last block.
    dx_squared: Vec<f32>,
    /// One more than bins, for everything beyond.
    sums: Vec<LaneSums>,
}

/// A piece of a row, and where it goes.
struct Row<'a> {
    /// As many blocks as values.
    dx_squared: &'a [[f32; BLOCK]],
    dy_squared: f32,
    values: &'a [[f32; BLOCK]],
    sums: &'a mut [LaneSums],
}

impl Pass {
    pub(super) fn new(size_px: usize, n_bins: usize) -> Pass {
        let mut dx_squared = vec![f32::INFINITY; size_px.next_multiple_of(BLOCK)];
        dx_squared[..size_px].fill(0.0);
        Pass { dx_squared, sums: vec![[[0.0; 4]; LANES]; n_bins + 1] }
    }

    /// Of the last image, bin by bin, then of everything beyond.
    pub(super) fn sums(&self) -> &[LaneSums] {
        &self.sums
    }

    /// Goes over the pixels of `image` round (`x_px`, `y_px`); those that are no integers count from `zero`.
    pub(super) fn run<P: Pixel>(&mut self, isa: Supported, image: ArrayView2<'_, P>, center: (f64, f64), zero: f64) {
        match isa.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Supported` of AVX2 exists only where the processor has it.
            Isa::Avx2 => unsafe { self.run_avx2(image, center, zero) },
            _ => self.walk(image, center, zero, plain::add),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2<P: Pixel>(&mut self, image: ArrayView2<'_, P>, center: (f64, f64), zero: f64) {
        self.walk(image, center, zero, |row| avx2::add(row));
    }

    #[inline(always)]
    fn walk<P: Pixel>(&mut self, image: ArrayView2<'_, P>, (x_px, y_px): (f64, f64), zero: f64, add: impl Fn(Row<'_>)) {
        let Pass { dx_squared, sums } = self;
        for (j, square) in dx_squared[..image.ncols()].iter_mut().enumerate() {
            *square = (j as f64 - x_px).powi(2) as f32;
        }
        sums.fill([[0.0; 4]; LANES]);
        let columns = dx_squared.as_chunks().0;
        for_each_piece(image, |i, j, piece| {
            let mut values = [0.0f32; PIECE];
            for (value, &p) in values.iter_mut().zip(piece) {
                *value = if P::IS_INTEGER { p.to_i32() as f32 } else { (p.to_f64() - zero) as f32 };
            }
            let n = piece.len().div_ceil(BLOCK);
            add(Row {
                dx_squared: &columns[j / BLOCK..][..n],
                dy_squared: (i as f64 - y_px).powi(2) as f32,
                values: &values.as_chunks().0[..n],
                sums,
            });
        });
    }
}
