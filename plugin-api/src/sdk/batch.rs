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
    #[inline]
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
    #[inline]
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

/// ROIs in one image of one's own: for a plugin's tests and for linking a method statically. All belong to frame 0, and
/// ROI i to bead i.
pub struct RoisInImage<'a> {
    raw: abi::Batch,
    offsets: Vec<u64>,
    bead_ids: Vec<u32>,
    frame_indices: Vec<u64>,
    _image: std::marker::PhantomData<&'a [u16]>,
}

impl<'a> RoisInImage<'a> {
    /// ROIs of `size_px` (width, height) with these top-left pixels (x, y), in an image of 8 bits per pixel without gaps
    /// between its rows.
    pub fn u8(image: &'a [u8], width_px: usize, size_px: (u32, u32), corners_px: &[(usize, usize)]) -> Self {
        Self::new(image.as_ptr(), image.len(), abi::PIXEL_MONO8, 1, width_px, size_px, corners_px)
    }

    /// As [`RoisInImage::u8`], above 8 bits per pixel.
    pub fn u16(image: &'a [u16], width_px: usize, size_px: (u32, u32), corners_px: &[(usize, usize)]) -> Self {
        let len_bytes = size_of_val(image);
        Self::new(image.as_ptr().cast(), len_bytes, abi::PIXEL_MONO16, 2, width_px, size_px, corners_px)
    }

    fn new(
        base: *const u8,
        len_bytes: usize,
        pixel_format: u32,
        pixel_bytes: usize,
        width_px: usize,
        (w_px, h_px): (u32, u32),
        corners_px: &[(usize, usize)],
    ) -> Self {
        let n_rois = u32::try_from(corners_px.len()).expect("a batch has fewer than 2^32 ROIs");
        let raw = abi::Batch {
            base,
            len_bytes: len_bytes as u64,
            offsets: std::ptr::null(),
            row_stride_bytes: (width_px * pixel_bytes) as u64,
            pixel_stride_bytes: pixel_bytes as u32,
            n_rois,
            w_px,
            h_px,
            pixel_format,
            reserved0: 0,
            bead_ids: std::ptr::null(),
            frame_indices: std::ptr::null(),
            reserved: [0; 4],
        };
        let offsets = corners_px.iter().map(|(x, y)| ((y * width_px + x) * pixel_bytes) as u64).collect();
        let mut rois = Self {
            raw,
            offsets,
            bead_ids: (0..n_rois).collect(),
            frame_indices: vec![0; corners_px.len()],
            _image: std::marker::PhantomData,
        };
        // The vectors' memory stays where it is when they are moved, and nothing changes them.
        rois.raw.offsets = rois.offsets.as_ptr();
        rois.raw.bead_ids = rois.bead_ids.as_ptr();
        rois.raw.frame_indices = rois.frame_indices.as_ptr();
        rois
    }

    /// The batch as `track` gets it.
    pub fn batch(&self) -> RoiBatch<'_> {
        // SAFETY: base and length are those of the borrowed image, the other pointers lead to our own vectors; a ROI's
        // bounds are checked when it is asked for.
        unsafe { RoiBatch::new(&self.raw) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Roi, RoisInImage};

    #[test]
    fn rois_lie_where_their_corners_are() {
        let image: Vec<u16> = (0..60).collect();
        let rois = RoisInImage::u16(&image, 10, (3, 2), &[(0, 0), (7, 4)]);
        let batch = rois.batch();
        let Roi::U16(roi) = batch.roi(1) else { panic!("16 bits were given") };
        assert_eq!(roi, ndarray::arr2(&[[47, 48, 49], [57, 58, 59]]));
        assert_eq!((batch.len(), batch.bead_id(1), batch.frame_index(1)), (2, 1, 0));
    }

    #[test]
    #[should_panic(expected = "lies outside the batch")]
    fn a_roi_beyond_the_image_is_not_read() {
        let image = [0u8; 60];
        RoisInImage::u8(&image, 10, (3, 2), &[(0, 5)]).batch().roi(0);
    }
}
