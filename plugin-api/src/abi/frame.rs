//! Pixels: formats, images, batches of ROIs in place in their frames, and what is known about the camera's noise.

/// PFNC code: 8 bits per pixel.
pub const PIXEL_MONO8: u32 = 0x0108_0001;
/// PFNC code: 10 bits in 16, value in the low bits.
pub const PIXEL_MONO10: u32 = 0x0110_0003;
/// PFNC code: 12 bits in 16, value in the low bits.
pub const PIXEL_MONO12: u32 = 0x0110_0005;
/// PFNC code: 14 bits in 16, value in the low bits.
pub const PIXEL_MONO14: u32 = 0x0110_0025;
/// PFNC code: 16 bits. What trackers see of every format above 8 bits: native-endian, value in the low bits.
pub const PIXEL_MONO16: u32 = 0x0110_0007;
/// PFNC code: 10 bits, packed without gaps, least significant first.
pub const PIXEL_MONO10P: u32 = 0x010a_0046;
/// PFNC code: 12 bits, packed without gaps, least significant first.
pub const PIXEL_MONO12P: u32 = 0x010c_0047;
/// PFNC code: 12 bits, two pixels in three bytes as GigE Vision packs them.
pub const PIXEL_MONO12_PACKED: u32 = 0x010c_0006;

/// One grey image in memory.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Image {
    /// First byte of the top-left pixel; aligned to the pixel's size.
    pub base: *const u8,
    /// Bytes that may be read from `base` on.
    pub len_bytes: u64,
    /// Bytes from one row to the next; a multiple of the pixel's size.
    pub row_stride_bytes: u64,
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
    /// [`PIXEL_MONO8`] or [`PIXEL_MONO16`].
    pub pixel_format: u32,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Zero.
    pub reserved: [u64; 2],
}

/// A rectangle of pixels.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Rect {
    /// Column of the top-left pixel.
    pub x_px: i32,
    /// Row of the top-left pixel.
    pub y_px: i32,
    /// Width.
    pub w_px: u32,
    /// Height.
    pub h_px: u32,
}

/// ROIs in place in their frames: nothing was copied. Pixel (x, y) of ROI i begins at byte
/// `base + offsets[i] + y * row_stride_bytes + x * pixel_stride_bytes`.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct Batch {
    /// Start of the memory that holds the frames. Null when the callee needs no pixels.
    pub base: *const u8,
    /// Bytes that may be read from `base` on.
    pub len_bytes: u64,
    /// Per ROI: bytes from `base` to its top-left pixel.
    pub offsets: *const u64,
    /// Bytes from one row to the next.
    pub row_stride_bytes: u64,
    /// Bytes from one pixel to its right neighbour.
    pub pixel_stride_bytes: u32,
    /// Number of ROIs; may be 0.
    pub n_rois: u32,
    /// Width of every ROI.
    pub w_px: u32,
    /// Height of every ROI.
    pub h_px: u32,
    /// [`PIXEL_MONO8`] or [`PIXEL_MONO16`].
    pub pixel_format: u32,
    /// Zero.
    pub reserved0: u32,
    /// Per ROI: bead id.
    pub bead_ids: *const u32,
    /// Per ROI: frame index of the host.
    pub frame_indices: *const u64,
    /// Zero.
    pub reserved: [u64; 4],
}

/// What a worker is told once: the shape of its ROIs and what is known about the camera. NaN means unknown.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "layout-check", derive(abi_stable::StableAbi))]
pub struct WorkerConfig {
    /// Width of the ROIs.
    pub w_px: u32,
    /// Height of the ROIs.
    pub h_px: u32,
    /// [`PIXEL_MONO8`] or [`PIXEL_MONO16`].
    pub pixel_format: u32,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Most ROIs that one batch will have.
    pub max_rois: u32,
    /// Zero.
    pub reserved0: u32,
    /// Pixel value from which a pixel counts as saturated, in ADU.
    pub saturation_adu: f64,
    /// Electrons per ADU.
    pub gain_e_per_adu: f64,
    /// Pixel value without light, in ADU.
    pub offset_adu: f64,
    /// Read noise, rms, in electrons.
    pub read_noise_e: f64,
    /// Size of a pixel in the sample.
    pub nm_per_px: f64,
    /// Zero.
    pub reserved: [u64; 4],
}
