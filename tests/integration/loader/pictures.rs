//! Small pictures of beads for the loader's tests, in memory of their own: packed, or in place in a larger frame.

use tetherscope_loader::abi::{PIXEL_MONO8, PIXEL_MONO16};
use tetherscope_loader::{RoiSet, WorkerConfig};

/// A row of ROIs that lie side by side in one frame, with what a [`RoiSet`] points to.
pub struct Picture {
    pixels: Vec<u16>,
    bytes: Vec<u8>,
    offsets: Vec<u64>,
    bead_ids: Vec<u32>,
    frame_indices: Vec<u64>,
    frame_w_px: usize,
    w_px: usize,
    h_px: usize,
    pub bits: u32,
}

/// What a pixel (x, y) of ROI i is.
type Value<'a> = &'a dyn Fn(usize, usize, usize) -> f64;

impl Picture {
    /// ROIs of `w` × `h` px side by side, with `gap` px of white noise-free margin round each of them.
    pub fn new(n: usize, w: usize, h: usize, gap: usize, bits: u32, value: Value<'_>) -> Self {
        let (frame_w, frame_h) = (n * (w + gap) + gap, h + 2 * gap);
        let white = if bits == 8 { 255 } else { 4095 };
        let mut pixels = vec![white; frame_w * frame_h];
        let mut offsets = Vec::new();
        for i in 0..n {
            let (left, top) = (gap + i * (w + gap), gap);
            offsets.push(((top * frame_w + left) * if bits == 8 { 1 } else { 2 }) as u64);
            for y in 0..h {
                for x in 0..w {
                    pixels[(top + y) * frame_w + left + x] = value(i, x, y).round() as u16;
                }
            }
        }
        let bytes = pixels.iter().map(|&v| v as u8).collect();
        let (bead_ids, frame_indices) = ((0..n as u32).collect(), vec![0; n]);
        Self { pixels, bytes, offsets, bead_ids, frame_indices, frame_w_px: frame_w, w_px: w, h_px: h, bits }
    }

    /// ROIs without anything on them.
    pub fn flat(n: usize, w: usize, h: usize) -> Self {
        Self::new(n, w, h, 0, 8, &|_, _, _| 100.0)
    }

    /// The bead ids, where they shall not count up from 0.
    pub fn with_beads(mut self, ids: &[u32]) -> Self {
        self.bead_ids = ids.to_vec();
        self
    }

    /// All ROIs.
    pub fn rois(&self) -> RoiSet<'_> {
        let bytes_per_px = if self.bits == 8 { 1 } else { 2 };
        RoiSet {
            memory: if self.bits == 8 { self.bytes.as_slice().into() } else { self.pixels.as_slice().into() },
            offsets: &self.offsets,
            row_stride_bytes: (self.frame_w_px * bytes_per_px) as u64,
            pixel_stride_bytes: bytes_per_px as u32,
            w_px: self.w_px as u32,
            h_px: self.h_px as u32,
            pixel_format: if self.bits == 8 { PIXEL_MONO8 } else { PIXEL_MONO16 },
            bead_ids: &self.bead_ids,
            frame_indices: &self.frame_indices,
        }
    }

    /// The first ROI alone.
    pub fn first(&self) -> RoiSet<'_> {
        let all = self.rois();
        RoiSet {
            offsets: &all.offsets[..1],
            bead_ids: &all.bead_ids[..1],
            frame_indices: &all.frame_indices[..1],
            ..all
        }
    }

    /// What a worker for these ROIs is told.
    pub fn config(&self) -> WorkerConfig {
        let mut config = WorkerConfig::mono8(self.w_px as u32, self.h_px as u32, 64);
        if self.bits > 8 {
            config.pixel_format = PIXEL_MONO16;
            config.significant_bits = self.bits;
            config.saturation_adu = f64::from((1_u32 << self.bits) - 1);
        }
        config
    }

    /// Pixel (x, y) of ROI i.
    pub fn at(&self, i: usize, x: usize, y: usize) -> f64 {
        let per_px = if self.bits == 8 { 1 } else { 2 };
        f64::from(self.pixels[self.offsets[i] as usize / per_px + y * self.frame_w_px + x])
    }
}

/// Rings whose spacing tells the defocus, fading outwards: background 120, rings up to ±80 (times `scale`).
pub fn bead(x: usize, y: usize, center: (f64, f64), defocus: f64, scale: f64) -> f64 {
    let r = (x as f64 - center.0).hypot(y as f64 - center.1);
    let rings = (r * (0.5 + 0.3 * defocus)).cos() * (-(r / 7.0) * (r / 7.0)).exp();
    scale * (120.0 + 80.0 * rings)
}
