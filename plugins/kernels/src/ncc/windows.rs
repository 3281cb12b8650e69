//! Sum and sum of squares over every window of an image, exact: whole numbers throughout, so that a flat window has
//! variance 0 and no window a negative one.

use super::CameraPixel;
use ndarray::{ArrayView2, Axis};

/// Calls `f(y, norms)` for each row of windows: per window, Σ (pixel - mean)² over its pixels. `size` is the windows'
/// (height, width) and must fit the image.
pub(super) fn each_row_of_norms<P: CameraPixel>(
    image: ArrayView2<'_, P>,
    size: (usize, usize),
    mut f: impl FnMut(usize, &[f64]),
) {
    let (height, width) = size;
    let n = (height * width) as u128;
    // Per column: sums over the `height` rows of the present row of windows. 2^16 rows of 2^32 fit.
    let mut columns = vec![(0_u64, 0_u64); image.ncols()];
    let mut norms = vec![0.0; image.ncols() - width + 1];
    for (y, row) in image.axis_iter(Axis(0)).enumerate() {
        for (c, &p) in columns.iter_mut().zip(row) {
            let p: u64 = p.into();
            *c = (c.0 + p, c.1 + p * p);
        }
        if y + 1 < height {
            continue;
        }
        let top = y + 1 - height;
        let (mut sum, mut squares) = (0_u64, 0_u64);
        for x in 0..columns.len() {
            (sum, squares) = (sum + columns[x].0, squares + columns[x].1);
            if x + 1 < width {
                continue;
            }
            let left = x + 1 - width;
            // n Σp² is at least (Σp)², and both are exact.
            let scatter = n * u128::from(squares) - u128::from(sum) * u128::from(sum);
            norms[left] = scatter as f64 / n as f64;
            (sum, squares) = (sum - columns[left].0, squares - columns[left].1);
        }
        f(top, &norms);
        for (c, &p) in columns.iter_mut().zip(image.row(top)) {
            let p: u64 = p.into();
            *c = (c.0 - p, c.1 - p * p);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    #[test]
    fn norms_are_those_of_each_window_and_flat_windows_have_none() {
        let mut image = Array2::from_shape_fn((13, 17), |(y, x)| (65_000 + (y * y + 7 * x) % 400) as u16);
        image.slice_mut(s![3..9, 5..12]).fill(65_535);
        let mut seen = 0;
        each_row_of_norms(image.view(), (4, 6), |y, norms| {
            assert_eq!(norms.len(), 12);
            for (x, &norm) in norms.iter().enumerate() {
                let window = image.slice(s![y..y + 4, x..x + 6]).mapv(f64::from);
                let mean = window.mean().unwrap();
                let plain: f64 = window.iter().map(|v| (v - mean).powi(2)).sum();
                assert!((norm - plain).abs() <= 1e-6 * (1.0 + plain), "{y}, {x}: {norm}, plainly {plain}");
                seen += 1;
            }
            if y == 4 {
                assert_eq!(norms[5], 0.0, "a flat window");
            }
        });
        assert_eq!(seen, 10 * 12);
    }
}
