//! ROIs as a plugin reads them: views in place in the frames, bounds checked once per ROI.

use crate::abi;
use ndarray::{ArrayView2, ShapeBuilder};

/// One ROI: height × width, row = y, column = x, any stride.
#[derive(Debug, Clone)]
pub enum Roi<'a> {
    /// 8 bits per pixel.
    U8(ArrayView2<'a, u8>),
    /// Above 8 bits: value in the low bits.
    U16(ArrayView2<'a, u16>),
}

/// A batch of ROIs of one size.
#[derive(Clone, Copy)]
pub struct RoiBatch<'a> {
    raw: &'a abi::Batch,
}

impl<'a> RoiBatch<'a> {
    /// A view of what the host sent.
    ///
    /// # Safety
    /// `raw` must describe readable memory that nobody writes during `'a`.
    pub unsafe fn new(raw: &'a abi::Batch) -> Self {
        Self { raw }
    }

    /// Number of ROIs; may be 0.
    pub fn len(&self) -> usize {
        self.raw.n_rois as usize
    }

    /// True without ROIs.
    pub fn is_empty(&self) -> bool {
        self.raw.n_rois == 0
    }

    /// Width of every ROI.
    pub fn w_px(&self) -> usize {
        self.raw.w_px as usize
    }

    /// Height of every ROI.
    pub fn h_px(&self) -> usize {
        self.raw.h_px as usize
    }

    /// True when the batch carries pixels.
    pub fn has_pixels(&self) -> bool {
        !self.raw.base.is_null()
    }

    /// Bead of ROI `i`. Panics if there is no ROI `i`.
    pub fn bead_id(&self, i: usize) -> u32 {
        self.check_index(i);
        // SAFETY: `bead_ids` has `n_rois` entries, and `i` is one of them.
        unsafe { *self.raw.bead_ids.add(i) }
    }

    /// Frame of ROI `i`. Panics if there is no ROI `i`.
    pub fn frame_index(&self, i: usize) -> u64 {
        self.check_index(i);
        // SAFETY: `frame_indices` has `n_rois` entries, and `i` is one of them.
        unsafe { *self.raw.frame_indices.add(i) }
    }

    /// Pixels of ROI `i`. Panics if there is no ROI `i`, if it reaches outside the batch's memory, or if the batch
    /// carries no pixels.
    pub fn roi(&self, i: usize) -> Roi<'a> {
        match self.raw.pixel_format {
            abi::PIXEL_MONO8 => Roi::U8(self.view::<u8>(i)),
            abi::PIXEL_MONO16 => Roi::U16(self.view::<u16>(i)),
            other => panic!("pixel format 0x{other:08x} is none that a tracker is given"),
        }
    }

    fn check_index(&self, i: usize) {
        assert!(i < self.len(), "ROI {i} asked for, the batch has {}", self.len());
    }

    fn view<P: Copy>(&self, i: usize) -> ArrayView2<'a, P> {
        self.check_index(i);
        let raw = self.raw;
        assert!(self.has_pixels(), "this batch carries no pixels");
        // SAFETY: `offsets` has `n_rois` entries, and `i` is one of them.
        let offset = unsafe { *raw.offsets.add(i) };
        let size = size_of::<P>() as u64;
        let (row, pixel) = (raw.row_stride_bytes, u64::from(raw.pixel_stride_bytes));
        let (h, w) = (u64::from(raw.h_px), u64::from(raw.w_px));
        if h == 0 || w == 0 {
            return ArrayView2::from_shape((h as usize, w as usize), &[]).expect("an empty view always fits");
        }
        let aligned = [row, pixel, offset, raw.base as u64].iter().all(|v| v % size == 0);
        assert!(aligned, "ROI {i}: offsets and strides are not multiples of the pixel's {size} bytes");
        let end = (|| {
            let last_row = (h - 1).checked_mul(row)?;
            let last_pixel = (w - 1).checked_mul(pixel)?;
            offset.checked_add(last_row)?.checked_add(last_pixel)?.checked_add(size)
        })();
        assert!(end.is_some_and(|e| e <= raw.len_bytes), "ROI {i} lies outside the batch");
        let shape = (h as usize, w as usize).strides(((row / size) as usize, (pixel / size) as usize));
        // SAFETY: all pixels lie inside the memory that the batch describes (checked above), aligned (checked above),
        // and nobody writes it during 'a (promised to `new`).
        unsafe { ArrayView2::from_shape_ptr(shape, raw.base.add(offset as usize).cast()) }
    }
}
