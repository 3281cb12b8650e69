//! One pass over the pixels of an image: how it differs from the template at one x, y, z, gain and offset, and the sums of
//! the normal equations of all five. Nearly all time of a fit is spent here.
//!
//! One row of a table holds all four numbers that a pixel needs, so that it is fetched by one load. `plain.rs` says what is
//! computed, `avx2.rs` does it eight pixels at a time: the same operations in the same order, no multiply-add is fused, so
//! the bits are the same. Compiled from the plain one, AVX2 code was four times slower: the compiler does not see that rows
//! can be loaded whole and turned.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod plain;

use ndarray::ArrayView2;

use super::radial_spline::{NODES_PER_PX, Node};
use crate::isa::{Isa, Supported};
use crate::pixel::{PIECE, Pixel, for_each_piece};

/// Parameters of a fit: x, y, z, gain, offset.
pub(super) const N: usize = 5;

const LANES: usize = 8;
/// Rows whose sums stay in single precision; also the height of a tile.
const ROWS: usize = 8;

/// Adding this rounds a number below two million to a whole one; its lowest bits then hold the number.
const ROUND: f32 = 12_582_912.0;
const INDEX_MASK: u32 = 0x3f_ffff;

/// Added to a radius, in node steps, that it is never 0.
const TINY_RADIUS: f32 = 1e-6;

/// Sums of products of the five columns (upper triangle, row by row) and of each with the difference.
const N_SUMS: usize = N * (N + 1) / 2 + N;

/// Where a pass looks, and what counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub x_px: f64,
    pub y_px: f64,
    pub gain: f64,
    /// Added to gain × template, ADU.
    pub offset: f64,
    /// Variance of a pixel: rise per ADU, where it begins, and its floor.
    pub slope: f64,
    pub dark: f64,
    pub floor: f64,
    /// Pixels at this value or above do not count; infinite when unknown.
    pub saturation: f64,
    /// Nor do pixels whose expected value is above this.
    pub expected_limit: f64,
    /// Nor do pixels beyond this radius.
    pub radius_px: f64,
}

/// What a pass found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    /// Normal matrix of template columns: −∂/∂x, −∂/∂y, ∂/∂z (all without the gain), template, 1.
    pub matrix: [[f64; N]; N],
    /// The same columns times the difference of image and model.
    pub right: [f64; N],
    /// Weighted sum of squares of the difference.
    pub chi2: f64,
    /// Pixels that took part.
    pub n: f64,
}

/// χ² and number of pixels of one tile of 8 × 8 pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tile {
    pub chi2: f32,
    pub n: f32,
}

/// Scratch of a pass over images of one size.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    isa: Supported,
    /// Column minus x, far away in the columns that only fill the last block.
    dx: Vec<f32>,
    tile_chi2: Vec<[f32; LANES]>,
    tile_n: Vec<[f32; LANES]>,
    /// Tiles row by row, as the last pass left them.
    pub tiles: Vec<Tile>,
}

impl Pass {
    pub(super) fn new(size_px: usize, isa: Supported) -> Pass {
        let columns = size_px.next_multiple_of(PIECE);
        let n_tiles = size_px.div_ceil(LANES);
        Pass {
            isa,
            dx: vec![0.0; columns],
            tile_chi2: vec![[0.0; LANES]; columns / LANES],
            tile_n: vec![[0.0; LANES]; columns / LANES],
            tiles: vec![Tile::default(); n_tiles * n_tiles],
        }
    }

    /// Goes over the pixels of `image`, which has the size that this was made for.
    pub(super) fn run<P: Pixel>(&mut self, image: ArrayView2<'_, P>, nodes: &[Node], place: &Place) -> Sums {
        match self.isa.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Supported` of AVX2 exists only where the processor has it.
            Isa::Avx2 => unsafe { self.run_avx2(image, nodes, place) },
            _ => self.walk(image, nodes, place, plain::block),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn run_avx2<P: Pixel>(&mut self, image: ArrayView2<'_, P>, nodes: &[Node], place: &Place) -> Sums {
        self.walk(image, nodes, place, |block| avx2::block(block))
    }
}

/// A piece of a row, up to 64 pixels, and where its sums go.
struct Block<'a> {
    constants: &'a Constants,
    nodes: &'a [Node],
    dy: f32,
    /// Column minus x, and pixel values; as many as there are pixels, up to a multiple of eight.
    dx: &'a [[f32; LANES]],
    values: &'a [[f32; LANES]],
    sums: &'a mut [[f32; LANES]; N_SUMS],
    tile_chi2: &'a mut [[f32; LANES]],
    tile_n: &'a mut [[f32; LANES]],
}

impl Pass {
    #[inline(always)]
    fn walk<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        nodes: &[Node],
        place: &Place,
        add: impl Fn(Block<'_>),
    ) -> Sums {
        let size = image.nrows();
        /// So far from any bead that it never counts.
        const FAR: f32 = 1e6;
        for (j, dx) in self.dx.iter_mut().enumerate() {
            *dx = if j < size { (j as f64 - place.x_px) as f32 } else { FAR };
        }
        let constants = Constants::new(place, nodes.len());
        let mut sums = [[0.0f32; LANES]; N_SUMS];
        let mut totals = [0.0f64; N_SUMS];
        let (mut chi2, mut n) = (0.0f64, 0.0f64);
        let n_tiles = size.div_ceil(LANES);
        self.tile_chi2.fill([0.0; LANES]);
        self.tile_n.fill([0.0; LANES]);
        let mut row = 0;
        for_each_piece(image, |i, j, piece| {
            if i != row {
                row = i;
                if i % ROWS == 0 {
                    flush(&mut sums, &mut totals);
                    let tiles = &mut self.tiles[(i / ROWS - 1) * n_tiles..][..n_tiles];
                    flush_tiles(&mut self.tile_chi2, &mut self.tile_n, tiles);
                }
            }
            let mut values = [0.0f32; PIECE];
            for (value, &p) in values.iter_mut().zip(piece) {
                *value = if P::IS_INTEGER { p.to_i32() as f32 } else { p.to_f64() as f32 };
            }
            let n_blocks = piece.len().div_ceil(LANES);
            let blocks = j / LANES..j / LANES + n_blocks;
            add(Block {
                constants: &constants,
                nodes,
                dy: (i as f64 - place.y_px) as f32,
                dx: &self.dx.as_chunks::<LANES>().0[blocks.clone()],
                values: &values.as_chunks::<LANES>().0[..n_blocks],
                sums: &mut sums,
                tile_chi2: &mut self.tile_chi2[blocks.clone()],
                tile_n: &mut self.tile_n[blocks],
            });
        });
        flush(&mut sums, &mut totals);
        let last = (size - 1) / ROWS;
        flush_tiles(&mut self.tile_chi2, &mut self.tile_n, &mut self.tiles[last * n_tiles..][..n_tiles]);
        for tile in &self.tiles {
            chi2 += f64::from(tile.chi2);
            n += f64::from(tile.n);
        }
        let mut found = Sums { chi2, n, ..Sums::default() };
        let mut totals = totals.into_iter();
        for a in 0..N {
            for b in a..N {
                let sum = totals.next().expect("one sum per pair");
                (found.matrix[a][b], found.matrix[b][a]) = (sum, sum);
            }
            found.right[a] = totals.next().expect("one sum per column");
        }
        found
    }
}

/// [`Place`] as the loop wants it.
struct Constants {
    gain: f32,
    offset: f32,
    /// Variance = rise × template + base, not below 0, plus floor.
    rise: f32,
    base: f32,
    floor: f32,
    saturation: f32,
    expected_limit: f32,
    radius: f32,
    last_node: f32,
}

impl Constants {
    fn new(place: &Place, n_nodes: usize) -> Constants {
        Constants {
            gain: place.gain as f32,
            offset: place.offset as f32,
            rise: (place.slope * place.gain) as f32,
            base: (place.slope * (place.offset - place.dark)) as f32,
            floor: place.floor as f32,
            saturation: place.saturation as f32,
            expected_limit: place.expected_limit as f32,
            radius: place.radius_px as f32 * NODES_PER_PX,
            last_node: (n_nodes - 1) as f32,
        }
    }
}

#[inline(always)]
fn flush(sums: &mut [[f32; LANES]; N_SUMS], totals: &mut [f64; N_SUMS]) {
    for (lanes, total) in sums.iter_mut().zip(totals) {
        *total += lanes.iter().map(|&v| f64::from(v)).sum::<f64>();
        *lanes = [0.0; LANES];
    }
}

#[inline(always)]
fn flush_tiles(chi2: &mut [[f32; LANES]], n: &mut [[f32; LANES]], tiles: &mut [Tile]) {
    for ((tile, chi2), n) in tiles.iter_mut().zip(chi2).zip(n) {
        *tile = Tile { chi2: chi2.iter().sum(), n: n.iter().sum() };
        *chi2 = [0.0; LANES];
        *n = [0.0; LANES];
    }
}
