//! Shorthands for the frozen structs that a plugin fills in itself.

use crate::abi::{self, CameraFormat, Fix, FrameInfo, ProfileLayout, WorkerConfig};

impl Fix {
    /// No result yet: NaN everywhere, no flag. What the host puts into every row before a call.
    pub const EMPTY: Fix = Fix {
        x_px: f64::NAN,
        y_px: f64::NAN,
        z_nm: f64::NAN,
        sigma_x_px: f32::NAN,
        sigma_y_px: f32::NAN,
        sigma_z_nm: f32::NAN,
        quality: f32::NAN,
        flags: 0,
        reserved: 0,
    };
}

impl ProfileLayout {
    /// No profile.
    pub const NONE: ProfileLayout =
        ProfileLayout { n_bins: 0, kind: abi::PROFILE_NONE, first_radius_px: 0.0, step_px: 0.0, reserved: [0; 2] };

    /// A profile of one of the `PROFILE_*` kinds.
    pub fn new(kind: u32, n_bins: usize, first_radius_px: f64, step_px: f64) -> Self {
        let n_bins = u32::try_from(n_bins).expect("a profile has fewer than 2^32 bins");
        ProfileLayout { n_bins, kind, first_radius_px, step_px, reserved: [0; 2] }
    }
}

impl WorkerConfig {
    /// ROIs of one shape from a camera of which nothing else is known: 8 bits, no noise model.
    pub fn mono8(w_px: u32, h_px: u32, max_rois: u32) -> Self {
        WorkerConfig {
            w_px,
            h_px,
            pixel_format: abi::PIXEL_MONO8,
            significant_bits: 8,
            max_rois,
            reserved0: 0,
            saturation_adu: 255.0,
            gain_e_per_adu: f64::NAN,
            offset_adu: f64::NAN,
            read_noise_e: f64::NAN,
            nm_per_px: f64::NAN,
            reserved: [0; 4],
        }
    }
}

impl CameraFormat {
    /// A format without gaps between rows, without ids, clock and channels; refine the fields that differ.
    pub fn packed(width_px: u32, height_px: u32, pixel_format: u32, significant_bits: u32) -> Self {
        let bytes_per_px = if pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
        let row_stride_bytes = u64::from(width_px) * bytes_per_px;
        CameraFormat {
            width_px,
            height_px,
            pixel_format,
            significant_bits,
            row_stride_bytes,
            payload_bytes: row_stride_bytes * u64::from(height_px),
            image_offset_bytes: 0,
            alignment_bytes: bytes_per_px,
            slots_wanted: 4,
            time_instant: abi::TIME_UNKNOWN,
            ns_per_tick: 0.0,
            device_id_bits: 0,
            flags: 0,
            n_channel_values: 0,
            reserved0: 0,
            n_frames: 0,
            reserved: [0; 4],
        }
    }
}

impl FrameInfo {
    /// A whole frame with the device's id and time.
    pub fn new(device_frame_id: u64, device_time_ticks: i64) -> Self {
        FrameInfo { device_frame_id, device_time_ticks, exposure_ns: -1, status: 0, reserved0: 0, reserved: [0; 2] }
    }
}
