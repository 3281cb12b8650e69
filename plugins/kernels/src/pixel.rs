//! The pixel types that kernels accept, and how they walk over an image of any stride.

use ndarray::{ArrayView2, Axis};

use crate::median::Scratch;

/// A pixel: `u8`, `u16`, `f32` or `f64`. Sealed: no other type can be one.
pub trait Pixel: sealed::Sealed + Copy + PartialOrd + Send + Sync + 'static {
    /// The pixel value as a number; exact for every pixel type.
    fn to_f64(self) -> f64;
}

pub(crate) mod sealed {
    use super::ArrayView2;
    use crate::median::Scratch;

    /// What the kernels need to know of a pixel type to be quick about it.
    pub trait Sealed: Sized {
        /// Sums of whole lines: exact for integers.
        type Sum: Copy + Default + std::ops::AddAssign + From<Self> + Into<f64>;
        /// Black.
        const ZERO: Self;
        /// True for `u8` and `u16`.
        const IS_INTEGER: bool;
        /// The value of an integer pixel; 0 for the other types, which never take the integer path.
        fn to_i32(self) -> i32;
        /// Median of all pixels (mean of the two middle ones when even); NaN when a pixel is NaN.
        fn median(image: ArrayView2<'_, Self>, scratch: &mut Scratch) -> f64;
    }
}

macro_rules! pixel {
    ($type:ty, $sum:ty, $is_integer:literal, $to_i32:expr, $median:path) => {
        impl Pixel for $type {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
        }
        impl sealed::Sealed for $type {
            type Sum = $sum;
            const ZERO: Self = 0 as $type;
            const IS_INTEGER: bool = $is_integer;
            #[inline(always)]
            fn to_i32(self) -> i32 {
                $to_i32(self)
            }
            fn median(image: ArrayView2<'_, Self>, scratch: &mut Scratch) -> f64 {
                $median(image, scratch)
            }
        }
    };
}

pixel!(u8, u32, true, i32::from, crate::median::of_u8);
pixel!(u16, u32, true, i32::from, crate::median::of_u16);
pixel!(f32, f64, false, |_| 0, crate::median::of_floats);
pixel!(f64, f64, false, |_| 0, crate::median::of_floats);

/// Longest piece of a row that [`for_each_piece`] hands out.
pub(crate) const PIECE: usize = 64;

/// Calls `f(row, first column, pixels)` for every row, in pieces of at most [`PIECE`] pixels.
///
/// The pieces start at the same columns whatever the stride, so that sums of floats have the same bits. Rows that are
/// not contiguous go through a small buffer on the stack. `f` is called at one place only, so that it is inlined here, and
/// with this into loops compiled for an instruction set.
#[inline(always)]
pub(crate) fn for_each_piece<P: Pixel>(image: ArrayView2<'_, P>, mut f: impl FnMut(usize, usize, &[P])) {
    let mut buffer = [P::ZERO; PIECE];
    for (i, row) in image.axis_iter(Axis(0)).enumerate() {
        let (contiguous, width) = (row.to_slice(), row.len());
        let mut j = 0;
        while j < width {
            let n = PIECE.min(width - j);
            let piece = match contiguous {
                Some(slice) => &slice[j..j + n],
                None => {
                    for (k, to) in buffer[..n].iter_mut().enumerate() {
                        *to = row[j + k];
                    }
                    &buffer[..n]
                }
            };
            f(i, j, piece);
            j += n;
        }
    }
}

/// Every worker is made for one image size: a caller who mixes them has a bug.
#[inline]
pub(crate) fn assert_size<P>(image: &ArrayView2<'_, P>, size_px: usize) {
    assert!(
        image.dim() == (size_px, size_px),
        "image is {:?} pixels, the worker was made for {size_px} x {size_px}",
        image.dim()
    );
}
