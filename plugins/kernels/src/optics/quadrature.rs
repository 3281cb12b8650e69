//! Gauss–Legendre quadrature: nodes and weights for any number of points.

/// Nodes in (-1, 1), ascending, and weights (sum 2), exact for polynomials up to degree 2 n − 1.
/// Newton's method on the Legendre polynomial, started at Tricomi's estimate (Abramowitz & Stegun 25.4.29).
pub(super) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    assert!(n > 0, "a quadrature needs at least one point");
    let mut points = vec![(0.0, 0.0); n];
    for i in 0..n.div_ceil(2) {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..8 {
            let (mut p, mut previous) = (1.0, 0.0);
            for k in 0..n {
                let next = ((2 * k + 1) as f64 * x * p - k as f64 * previous) / (k + 1) as f64;
                (previous, p) = (p, next);
            }
            slope = n as f64 * (x * p - previous) / (x * x - 1.0);
            x -= p / slope;
        }
        let weight = 2.0 / ((1.0 - x * x) * slope * slope);
        points[i] = (-x, weight);
        points[n - 1 - i] = (x, weight);
    }
    points
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn polynomials_up_to_twice_the_number_of_points_are_integrated_exactly() {
        for n in [1, 2, 5, 8, 64, 301] {
            for degree in (0..2 * n).step_by(2).chain([1]) {
                let sum: f64 = gauss_legendre(n).iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = if degree == 1 { 0.0 } else { 2.0 / (degree + 1) as f64 };
                assert!((sum - exact).abs() < 1e-13, "{n} points, degree {degree}: {sum} instead of {exact}");
            }
        }
    }
}
