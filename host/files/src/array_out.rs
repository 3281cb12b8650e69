//! A plain table of numbers as CSV, for arrays that a method gives to explain a result. Not for measurements; those are
//! rows.

use crate::error::{FileError, Result};
use crate::new_file::write_bytes;
use std::path::Path;

/// Writes an array to a new CSV file without header: the last axis is the columns, the others follow each other as lines; a
/// list is one value per line. Numbers read back to the same bits, NaN as `NaN`.
///
/// Fails when the file exists, when its folder does not, and when `values` are not as many as `shape` says.
pub fn write_array(path: impl AsRef<Path>, shape: &[usize], values: &[f64]) -> Result<()> {
    let path = path.as_ref();
    let wanted: usize = shape.iter().product();
    if wanted != values.len() {
        return Err(FileError::invalid(
            path,
            format!("an array of shape {shape:?} has {wanted} values, {} were given", values.len()),
            "give as many values as the shape says",
        ));
    }
    let columns = if shape.len() > 1 { shape[shape.len() - 1].max(1) } else { 1 };
    let mut text = String::new();
    for line in values.chunks(columns) {
        let line: Vec<String> = line.iter().map(f64::to_string).collect();
        text += &line.join(",");
        text.push('\n');
    }
    write_bytes(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_has_a_line_for_each_row_and_reads_back_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        write_array(&path, &[2, 2], &[0.1, f64::NAN, -3.0, 1e-300]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<f64>> = text.lines().map(|l| l.split(',').map(|v| v.parse().unwrap()).collect()).collect();
        assert_eq!((lines.len(), lines[0][0], lines[1][1]), (2, 0.1, 1e-300));
        assert!(lines[0][1].is_nan());
        assert!(write_array(&path, &[4], &[0.0; 4]).is_err(), "nothing is overwritten");
        assert!(write_array(folder.path().join("b.csv"), &[3], &[0.0; 4]).is_err());
    }
}
