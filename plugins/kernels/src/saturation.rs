//! How many pixels of an image are saturated.

use ndarray::ArrayView2;

use crate::pixel::{Pixel, for_each_piece};

/// The number of pixels of `image` (`[y, x]`, any stride) at `level` or above; 0 when `level` is NaN: not known.
pub fn count_saturated<P: Pixel>(image: ArrayView2<'_, P>, level: f64) -> usize {
    // Whole numbers reach a level when they reach the next whole number: compared in 32 bits, several at once.
    let whole = level.ceil().clamp(f64::from(i32::MIN), f64::from(i32::MAX)) as i32;
    if level.is_nan() {
        return 0;
    }
    let mut count = 0usize;
    for_each_piece(image, |_, _, piece| {
        if P::IS_INTEGER {
            count += piece.iter().map(|p| u32::from(p.to_i32() >= whole)).sum::<u32>() as usize;
        } else {
            count += piece.iter().filter(|p| p.to_f64() >= level).count();
        }
    });
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn pixels_at_the_level_count_and_an_unknown_level_counts_none() {
        let image = arr2(&[[0u8, 200], [239, 255]]);
        for (level, expected) in
            [(255.0, 1), (239.0, 2), (238.5, 2), (239.2, 1), (0.0, 4), (-5.0, 4), (f64::INFINITY, 0), (f64::NAN, 0)]
        {
            assert_eq!(count_saturated(image.view(), level), expected, "u8, level {level}");
            assert_eq!(count_saturated(image.mapv(f64::from).view(), level), expected, "f64, level {level}");
        }
    }
}
