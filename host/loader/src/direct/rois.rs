//! ROIs in place in their frames, as the host hands them out, and the named arrays of an `explain`.
#![allow(unsafe_code)]

use std::ffi::c_void;
use tetherscope_plugin_api::abi::{self, ArraySink, Batch, Status, Str};

/// Memory that holds frames. Not a slice: other parts of it may be written meanwhile, by the camera, into slots that
/// nobody reads.
#[derive(Clone, Copy)]
pub struct FrameMemory<'a> {
    base: *const u8,
    len_bytes: usize,
    _frames: std::marker::PhantomData<&'a [u8]>,
}

// SAFETY: it is as shareable as a `&[u8]`; who made it promised that what is read is not written.
unsafe impl Send for FrameMemory<'_> {}
// SAFETY: as above.
unsafe impl Sync for FrameMemory<'_> {}

impl<'a> FrameMemory<'a> {
    /// Memory of which only parts are frames that may be read.
    ///
    /// # Safety
    /// `len_bytes` bytes from `base` on must stay allocated during `'a`, and nobody may write a pixel of any ROI that is
    /// read through it meanwhile.
    pub unsafe fn new(base: *const u8, len_bytes: usize) -> Self {
        Self { base, len_bytes, _frames: std::marker::PhantomData }
    }
}

impl<'a> From<&'a [u8]> for FrameMemory<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { base: bytes.as_ptr(), len_bytes: bytes.len(), _frames: std::marker::PhantomData }
    }
}

impl<'a> From<&'a [u16]> for FrameMemory<'a> {
    fn from(pixels: &'a [u16]) -> Self {
        Self { base: pixels.as_ptr().cast(), len_bytes: size_of_val(pixels), _frames: std::marker::PhantomData }
    }
}

/// ROIs of one size in one piece of memory. Offsets and strides are in bytes.
#[derive(Clone, Copy)]
pub struct RoiSet<'a> {
    /// The memory that holds the frames.
    pub memory: FrameMemory<'a>,
    /// Per ROI: its top-left pixel.
    pub offsets: &'a [u64],
    /// From one row to the next.
    pub row_stride_bytes: u64,
    /// From one pixel to its right neighbour.
    pub pixel_stride_bytes: u32,
    /// Width.
    pub w_px: u32,
    /// Height.
    pub h_px: u32,
    /// [`abi::PIXEL_MONO8`] or [`abi::PIXEL_MONO16`].
    pub pixel_format: u32,
    /// Per ROI: bead id.
    pub bead_ids: &'a [u32],
    /// Per ROI: frame index.
    pub frame_indices: &'a [u64],
}

impl RoiSet<'_> {
    /// Number of ROIs.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// True without ROIs.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// As it crosses the interface. Panics if a ROI does not lie inside the memory: the host decides which ROIs are
    /// tracked, and a wrong one would make a plugin read what is not a frame.
    pub(crate) fn to_abi(self) -> Batch {
        let n = self.len();
        assert!(self.bead_ids.len() == n, "{} bead ids for {n} ROIs", self.bead_ids.len());
        assert!(self.frame_indices.len() == n, "{} frame indices for {n} ROIs", self.frame_indices.len());
        let size = if self.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
        let rows = u64::from(self.h_px.saturating_sub(1)) * self.row_stride_bytes;
        let reach = rows + u64::from(self.w_px.saturating_sub(1)) * u64::from(self.pixel_stride_bytes) + size;
        let end = self.memory.len_bytes as u64;
        for (i, &offset) in self.offsets.iter().enumerate() {
            let inside = offset.checked_add(reach).is_some_and(|e| e <= end);
            assert!(inside, "ROI {i} at byte {offset} reaches beyond the {end} bytes of its frames");
        }
        Batch {
            base: self.memory.base,
            len_bytes: end,
            offsets: self.offsets.as_ptr(),
            row_stride_bytes: self.row_stride_bytes,
            pixel_stride_bytes: self.pixel_stride_bytes,
            n_rois: u32::try_from(n).expect("a batch has fewer than 2^32 ROIs"),
            w_px: self.w_px,
            h_px: self.h_px,
            pixel_format: self.pixel_format,
            reserved0: 0,
            bead_ids: self.bead_ids.as_ptr(),
            frame_indices: self.frame_indices.as_ptr(),
            reserved: [0; 4],
        }
    }
}

/// One array that a plugin gave to explain a result.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedArray {
    /// Name.
    pub name: String,
    /// Unit of the values.
    pub unit: String,
    /// Shape, slowest axis first.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Vec<f64>,
}

/// The arrays of one `explain`.
#[derive(Debug, Default)]
pub struct ArraySet {
    /// In the order in which they came.
    pub arrays: Vec<NamedArray>,
}

impl ArraySet {
    /// Most values that one `explain` may give.
    const MAX_VALUES: usize = 1 << 26;

    /// A sink into this set; valid while the set is not moved.
    pub(crate) fn sink(&mut self) -> ArraySink {
        unsafe extern "C" fn array(
            ctx: *mut c_void,
            name: Str,
            unit: Str,
            shape: *const u64,
            n_axes: u32,
            values: *const f64,
        ) -> Status {
            if shape.is_null() || values.is_null() || n_axes == 0 || n_axes > 8 {
                return abi::STATUS_INVALID_ARGUMENT;
            }
            // SAFETY: `ctx` is the set below, which outlives the call; the plugin's shape has `n_axes` entries.
            let (set, shape) =
                unsafe { (&mut *ctx.cast::<ArraySet>(), std::slice::from_raw_parts(shape, n_axes as usize)) };
            let Some(n) = shape.iter().try_fold(1_usize, |n, &s| n.checked_mul(usize::try_from(s).ok()?)) else {
                return abi::STATUS_INVALID_ARGUMENT;
            };
            let so_far: usize = set.arrays.iter().map(|a| a.values.len()).sum();
            if n > ArraySet::MAX_VALUES - so_far {
                return abi::STATUS_OUT_OF_MEMORY;
            }
            // SAFETY: the plugin's texts are readable, and its values are as many as the shape says.
            let made = unsafe {
                NamedArray {
                    name: crate::library::text_of(name),
                    unit: crate::library::text_of(unit),
                    shape: shape.iter().map(|&s| s as usize).collect(),
                    values: std::slice::from_raw_parts(values, n).to_vec(),
                }
            };
            set.arrays.push(made);
            abi::STATUS_OK
        }
        ArraySink { ctx: (&raw mut *self).cast(), array: Some(array) }
    }
}
