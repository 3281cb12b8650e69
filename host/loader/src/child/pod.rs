//! The frozen structs as bytes, for messages: all fields are numbers, there are no gaps, and any bytes are a value.
#![allow(unsafe_code)]

use tetherscope_plugin_api::abi::{CameraFormat, Fix, FrameInfo, Hit, ProfileLayout, Rect, WorkerConfig};

/// A struct of numbers without gaps.
///
/// # Safety
/// Every bit pattern must be a valid value, and there must be no padding.
pub(crate) unsafe trait Pod: Copy {}

// SAFETY: numbers only; the sizes below are the sums of the fields.
unsafe impl Pod for Fix {}
// SAFETY: as above.
unsafe impl Pod for WorkerConfig {}
// SAFETY: as above.
unsafe impl Pod for ProfileLayout {}
// SAFETY: as above.
unsafe impl Pod for CameraFormat {}
// SAFETY: as above.
unsafe impl Pod for FrameInfo {}
// SAFETY: as above.
unsafe impl Pod for Hit {}
// SAFETY: as above.
unsafe impl Pod for Rect {}
// SAFETY: a number.
unsafe impl Pod for f64 {}
// SAFETY: a number.
unsafe impl Pod for f32 {}
// SAFETY: a number.
unsafe impl Pod for u64 {}
// SAFETY: a number.
unsafe impl Pod for u32 {}
// SAFETY: a number.
unsafe impl Pod for u8 {}

// Without gaps: each size is the sum of its fields.
const _: () = assert!(size_of::<Fix>() == 3 * 8 + 4 * 4 + 2 * 4 && size_of::<Hit>() == 3 * 8 + 2 * 4);
const _: () = assert!(size_of::<WorkerConfig>() == 6 * 4 + 5 * 8 + 4 * 8 && size_of::<Rect>() == 4 * 4);
const _: () = assert!(size_of::<ProfileLayout>() == 2 * 4 + 2 * 8 + 2 * 8);
const _: () = assert!(size_of::<CameraFormat>() == 4 * 4 + 4 * 8 + 2 * 4 + 8 + 4 * 4 + 8 + 4 * 8);
const _: () = assert!(size_of::<FrameInfo>() == 3 * 8 + 2 * 4 + 2 * 8);

/// The bytes of some values.
pub(crate) fn bytes_of<T: Pod>(values: &[T]) -> &[u8] {
    // SAFETY: values without gaps are initialised bytes all through.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// One value from exactly its bytes.
pub(crate) fn value_of<T: Pod>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: as many bytes as the value has, and any bytes are one.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Values from their bytes; what is left over at the end is not looked at.
pub(crate) fn values_of<T: Pod>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).filter_map(value_of).collect()
}
