//! Smoothing of the planes along the radius: quarter-pixel bins are a small part of a fringe, and what is in one of them but
//! not in its neighbours is noise, or how few pixels happened to lie on a ring that is not quite round. Local polynomials,
//! as wide as generalised cross-validation makes best. Does not smooth along z.
//!
//! The slopes of a table are differences of planes: where they hold noise, its product with the noise of the planes and of a
//! profile moves z, by more the more bins there are. W. S. Cleveland, J. Am. Stat. Assoc. 74, 829 (1979); P. Craven and G.
//! Wahba, Numer. Math. 31, 377 (1979).

/// Bins on either side that a polynomial may run through. Fewer do not smooth.
const HALF_WIDTHS: [usize; 6] = [3, 4, 5, 6, 8, 10];

/// Coefficients of a polynomial: of the fourth degree, which follows a fringe of 15 bins to a thousandth over 11 bins.
const N: usize = 5;

/// Smooths every plane of `values` (`[plane][bin]`) in place, all with the same width. `noise` is the variance of each bin,
/// and becomes that of what is left; `pixels` says how much a bin weighs beside its neighbours. Bins without a number in
/// some plane stay as they are and smooth no other.
pub(super) fn smooth_along_radius(values: &mut [f64], n_bins: usize, noise: &mut [f64], pixels: impl Fn(usize) -> f64) {
    let usable: Vec<bool> = (0..n_bins).map(|b| values.chunks(n_bins).all(|plane| plane[b].is_finite())).collect();
    let mut best = (f64::INFINITY, Vec::new());
    for half_width in HALF_WIDTHS {
        let kernels: Vec<Option<Kernel>> = (0..n_bins).map(|b| Kernel::new(b, half_width, &usable, &pixels)).collect();
        let (mut squares, mut spare) = (0.0, 0.0);
        for (b, kernel) in kernels.iter().enumerate() {
            let Some(kernel) = kernel else { continue };
            let residual = |plane: &[f64]| plane[b] - kernel.apply(plane);
            squares += pixels(b) * values.chunks(n_bins).map(|plane| residual(plane).powi(2)).sum::<f64>();
            spare += 1.0 - kernel.own;
        }
        let cost = squares / (spare * spare);
        if cost < best.0 {
            best = (cost, kernels);
        }
    }
    let kernels = best.1;
    let before = values.to_vec();
    for (to, from) in values.chunks_mut(n_bins).zip(before.chunks(n_bins)) {
        for (to, kernel) in to.iter_mut().zip(&kernels) {
            if let Some(kernel) = kernel {
                *to = kernel.apply(from);
            }
        }
    }
    let before = noise.to_vec();
    for (to, kernel) in noise.iter_mut().zip(&kernels) {
        if let Some(kernel) = kernel {
            *to = kernel.weights.iter().zip(&before[kernel.first..]).map(|(w, v)| w * w * v).sum();
        }
    }
}

/// What makes the smoothed value of one bin out of its neighbours.
struct Kernel {
    first: usize,
    weights: Vec<f64>,
    /// The bin's own weight: its share of a parameter.
    own: f64,
}

impl Kernel {
    /// The least-squares polynomial through the usable bins within `half_width` of bin `b`, at `b`. None where there are
    /// too few.
    fn new(b: usize, half_width: usize, usable: &[bool], pixels: impl Fn(usize) -> f64) -> Option<Kernel> {
        let first = b.saturating_sub(half_width);
        let bins = first..(b + half_width + 1).min(usable.len());
        if !usable[b] || bins.clone().filter(|&k| usable[k]).count() <= N {
            return None;
        }
        let powers = |k: usize| -> [f64; N] {
            let x = (k as f64 - b as f64) / half_width as f64;
            std::array::from_fn(|e| x.powi(e as i32))
        };
        let weight = |k: usize| if usable[k] { pixels(k) } else { 0.0 };
        let mut normal = [[0.0; N]; N];
        for k in bins.clone() {
            let (powers, weight) = (powers(k), weight(k));
            for i in 0..N {
                for j in 0..N {
                    normal[i][j] += weight * powers[i] * powers[j];
                }
            }
        }
        // The value at b is the first coefficient, so the first row of the inverse makes it.
        let row = first_row_of_inverse(normal)?;
        let weights: Vec<f64> =
            bins.map(|k| weight(k) * powers(k).iter().zip(&row).map(|(p, r)| p * r).sum::<f64>()).collect();
        let own = weights[b - first];
        Some(Kernel { first, weights, own })
    }

    fn apply(&self, plane: &[f64]) -> f64 {
        let used = self.weights.iter().zip(&plane[self.first..]).filter(|(w, _)| **w != 0.0);
        used.map(|(w, v)| w * v).sum()
    }
}

/// The first row of the inverse of a symmetric positive matrix, by Gauss' elimination; None where it is singular.
// Rows and columns of a matrix: indices say more than iterators.
#[allow(clippy::needless_range_loop)]
fn first_row_of_inverse(mut matrix: [[f64; N]; N]) -> Option<[f64; N]> {
    let mut right = [0.0; N];
    right[0] = 1.0;
    for pivot in 0..N {
        let left = matrix[pivot][pivot];
        if left.is_nan() || left <= 1e-12 * matrix[0][0].abs() {
            return None;
        }
        for row in pivot + 1..N {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            for column in pivot..N {
                matrix[row][column] -= factor * matrix[pivot][column];
            }
            right[row] -= factor * right[pivot];
        }
    }
    for row in (0..N).rev() {
        for column in row + 1..N {
            right[row] -= matrix[row][column] * right[column];
        }
        right[row] /= matrix[row][row];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_images::Random;

    const N_BINS: usize = 200;
    const N_PLANES: usize = 20;

    fn pixels(b: usize) -> f64 {
        0.4 * b as f64 + 0.05
    }

    /// Fringes of 15 bins.
    fn fringes() -> Vec<f64> {
        let at = |k: usize, b: usize| 100.0 + 30.0 * (0.42 * b as f64 + 0.3 * k as f64).cos();
        (0..N_PLANES).flat_map(|k| (0..N_BINS).map(move |b| at(k, b))).collect()
    }

    fn rms(a: &[f64], b: &[f64]) -> f64 {
        (a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / a.len() as f64).sqrt()
    }

    #[test]
    fn noise_falls_as_stated_and_fringes_stay() {
        let (truth, mut random) = (fringes(), Random(2));
        let mut noise: Vec<f64> = (0..N_BINS).map(|b| 4.0 / pixels(b)).collect();
        let noisy: Vec<f64> =
            truth.iter().enumerate().map(|(i, v)| v + noise[i % N_BINS].sqrt() * random.normal()).collect();
        let mut smooth = noisy.clone();
        smooth_along_radius(&mut smooth, N_BINS, &mut noise, pixels);
        // Nearer in, few bins lie on one side.
        let outer = |of: &[f64]| -> Vec<f64> { of.chunks(N_BINS).flat_map(|p| p[20..].to_vec()).collect() };
        let (left, before) = (rms(&outer(&smooth), &outer(&truth)), rms(&outer(&noisy), &outer(&truth)));
        let stated = (noise[20..].iter().sum::<f64>() / (N_BINS - 20) as f64).sqrt();
        assert!(left < 0.7 * before && (left / stated - 1.0).abs() < 0.1, "{left}, stated {stated}, before {before}");
    }

    #[test]
    fn fringes_without_noise_stay_to_a_thousandth() {
        let (truth, mut noise) = (fringes(), vec![0.0; N_BINS]);
        let mut kept = truth.clone();
        smooth_along_radius(&mut kept, N_BINS, &mut noise, pixels);
        assert!(rms(&kept, &truth) < 0.03 && noise.iter().all(|v| *v == 0.0), "{}", rms(&kept, &truth));
    }

    #[test]
    fn a_bin_with_a_gap_stays_and_moves_no_other() {
        let (mut random, mut noise) = (Random(4), vec![1.0; N_BINS]);
        let mut values: Vec<f64> = fringes().iter().map(|v| v + random.normal()).collect();
        values[3 * N_BINS + 50] = f64::NAN;
        let before = values.clone();
        smooth_along_radius(&mut values, N_BINS, &mut noise, |_| 1.0);
        assert!(values[3 * N_BINS + 50].is_nan() && values.iter().filter(|v| v.is_nan()).count() == 1);
        assert!(values[50] == before[50] && noise[50] == 1.0 && values[51] != before[51] && noise[51] < 0.7);
    }
}
