//! Whether an image has saturated pixels.

use ndarray::ArrayView2;

use crate::isa::{Supported, Vectorised};
use crate::pixel::{Pixel, for_each_piece};

/// Pixels of a row that are looked at side by side.
const LANES: usize = 32;

/// True when a pixel of `image` (`[y, x]`, any stride) is at `level` or above; false when `level` is NaN: not known.
pub fn is_saturated<P: Pixel>(image: ArrayView2<'_, P>, level: f64) -> bool {
    !level.is_nan() && Supported::best().run(Largest(image)).is_some_and(|largest| largest >= level)
}

/// The largest pixel, NaN apart; None of an image without any.
struct Largest<'a, P>(ArrayView2<'a, P>);

impl<P: Pixel> Vectorised for Largest<'_, P> {
    type Output = Option<f64>;

    #[inline(always)]
    fn run(self) -> Option<f64> {
        // Lanes go on from row to row: the largest of a row alone takes longer to draw from them than to find.
        let mut lanes = [*self.0.first()?; LANES];
        for_each_piece(self.0, |_, _, piece| {
            let (chunks, rest) = piece.as_chunks::<LANES>();
            for pixels in chunks {
                for (lane, &p) in lanes.iter_mut().zip(pixels) {
                    *lane = if p > *lane { p } else { *lane };
                }
            }
            for (lane, &p) in lanes.iter_mut().zip(rest) {
                *lane = if p > *lane { p } else { *lane };
            }
        });
        Some(lanes.into_iter().map(Pixel::to_f64).fold(f64::NEG_INFINITY, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    #[test]
    fn a_pixel_at_the_level_is_enough_and_an_unknown_level_has_none() {
        let image = arr2(&[[0u8, 200], [239, 250]]);
        for (level, expected) in [
            (250.0, true),
            (249.5, true),
            (250.2, false),
            (0.0, true),
            (-5.0, true),
            (f64::INFINITY, false),
            (f64::NAN, false),
        ] {
            assert_eq!(is_saturated(image.view(), level), expected, "u8, level {level}");
            assert_eq!(is_saturated(image.mapv(f64::from).view(), level), expected, "f64, level {level}");
        }
    }

    #[test]
    fn a_saturated_pixel_is_seen_wherever_it_lies() {
        for size in [7, 32, 45, 64, 100] {
            let mut image = Array2::from_elem((size, size), 199u16);
            assert!(!is_saturated(image.view(), 200.0));
            for place in 0..size * size {
                let at = (place / size, place % size);
                image[at] = 200;
                assert!(is_saturated(image.view(), 200.0), "{at:?} of {size} px");
                assert!(is_saturated(image.t(), 200.0), "{at:?} of {size} px, columns contiguous");
                image[at] = 199;
            }
        }
    }
}
