//! Sums of neighbouring rows or columns of an image.

use ndarray::{ArrayView2, s};

use crate::pixel::{PIECE, Pixel};

/// `out[j]` = sum of the rows `first .. first + n` in column j. Exact for integer pixels.
pub(crate) fn sum_rows<P: Pixel>(image: ArrayView2<'_, P>, first: usize, n: usize, out: &mut [f64]) {
    let rows = image.slice(s![first..first + n, ..]);
    for (chunk, out) in out.chunks_mut(PIECE).enumerate() {
        let from = chunk * PIECE;
        let mut sums = [P::Sum::default(); PIECE];
        for row in rows.rows() {
            match row.to_slice() {
                Some(row) => {
                    for (sum, &p) in sums.iter_mut().zip(&row[from..from + out.len()]) {
                        *sum += p.into();
                    }
                }
                None => {
                    for (sum, &p) in sums.iter_mut().zip(row.iter().skip(from).take(out.len())) {
                        *sum += p.into();
                    }
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum.into();
        }
    }
}

/// `out[i]` = sum of the columns `first .. first + n` in row i. Exact for integer pixels.
pub(crate) fn sum_columns<P: Pixel>(image: ArrayView2<'_, P>, first: usize, n: usize, out: &mut [f64]) {
    let columns = image.slice(s![.., first..first + n]);
    for (row, out) in columns.rows().into_iter().zip(out) {
        let mut sum = P::Sum::default();
        match row.to_slice() {
            Some(row) => {
                for &p in row {
                    sum += p.into();
                }
            }
            None => {
                for &p in row {
                    sum += p.into();
                }
            }
        }
        *out = sum.into();
    }
}
