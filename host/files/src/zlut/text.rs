//! MagScope's Z-LUT: plain text as `numpy.savetxt` writes it, one matrix. The first row holds the
//! focus positions (nm), one column per plane; each further row one bin of the profile at every
//! plane. There is no metadata.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::table::ZlutTable;
use crate::error::{FileError, Result};
use crate::new_file::write_text;
use crate::text::shown;

/// No line is longer: 500 000 planes would fit.
const MAX_LINE_BYTES: u64 = 1 << 24;

const MEND_TABLE: &str = "give a table with z in the first row and one bin per further row";

/// Reads MagScope's table. `#` begins a comment; a table whose z falls (a sweep downwards) is
/// turned round, so that z rises.
///
/// Fails, with the line, on rows of different lengths, on what is no number, and on a last line
/// that isn't ended; and on a table that makes no sense: one plane, no profile row, z that is NaN,
/// infinite, the same twice or not monotonic, an infinite profile value, a plane without profile.
pub fn read_zlut_text(path: impl AsRef<Path>) -> Result<ZlutTable> {
    let path = path.as_ref();
    let rows = read_matrix(path)?;
    let Some((z_nm, bins)) = rows.split_first() else {
        return Err(FileError::malformed(path, None, "the file holds no numbers", MEND_TABLE));
    };
    if bins.is_empty() {
        return Err(FileError::malformed(
            path,
            None,
            "there is one row: z positions, but no radial profile",
            MEND_TABLE,
        ));
    }
    let falling = z_nm.len() > 1 && z_nm.windows(2).all(|p| p[1] < p[0]);
    let mut planes: Vec<usize> = (0..z_nm.len()).collect();
    if falling {
        planes.reverse();
    }
    let table = ZlutTable {
        z_nm: planes.iter().map(|&p| z_nm[p]).collect(),
        profiles: planes.iter().flat_map(|&p| bins.iter().map(move |bin| bin[p])).collect(),
        ..ZlutTable::default()
    };
    table.check().map_err(|cause| FileError::malformed(path, None, cause, MEND_TABLE))?;
    Ok(table)
}

/// Writes a table to a new file as MagScope does (`%.18e`); numbers read back to the same bits.
/// Whatever isn't z and profile is lost: that is why `.zlut` exists.
pub fn write_zlut_text(path: impl AsRef<Path>, table: &ZlutTable) -> Result<()> {
    let path = path.as_ref();
    let mend = "give a table with two planes or more and a profile for each";
    table.check().map_err(|cause| FileError::invalid(path, cause, mend))?;
    let n_bins = table.n_bins();
    if n_bins == 0 {
        return Err(FileError::invalid(
            path,
            "the table has no profiles",
            "write a .zlut file: it holds what the strategy keeps",
        ));
    }
    let mut text = String::with_capacity((n_bins + 1) * table.n_planes() * 25);
    push_row(&mut text, table.z_nm.iter().copied());
    for bin in 0..n_bins {
        push_row(&mut text, table.profiles.chunks(n_bins).map(|p| p[bin]));
    }
    write_text(path, &text)
}

fn push_row(text: &mut String, values: impl Iterator<Item = f64>) {
    for (i, value) in values.enumerate() {
        if i > 0 {
            text.push(' ');
        }
        push_savetxt(text, value);
    }
    text.push('\n');
}

/// C's `%.18e`: the exponent has a sign and two digits at least.
fn push_savetxt(text: &mut String, value: f64) {
    if value.is_nan() {
        text.push_str("nan");
        return;
    }
    let rust = format!("{value:.18e}");
    let (mantissa, exponent) = rust.split_once('e').unwrap_or((&rust, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    write!(text, "{mantissa}e{sign}{digits:0>2}").expect("a String takes whatever is written");
}

/// All rows of numbers, all of one length.
fn read_matrix(path: &Path) -> Result<Vec<Vec<f64>>> {
    let file = File::open(path).map_err(|e| FileError::reading(path, &e))?;
    let mut input = BufReader::with_capacity(1 << 16, file);
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let mut first_line = 0;
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let n = (&mut input)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut bytes)
            .map_err(|e| FileError::reading(path, &e))?;
        if n == 0 {
            break;
        }
        let error = |cause: String, mend: &str| FileError::malformed(path, Some(line), cause, mend);
        if bytes.contains(&0) || n as u64 == MAX_LINE_BYTES {
            return Err(error("this is not text".to_owned(), MEND_TABLE));
        }
        // Comments may be in any encoding; in a number a wrong byte shows as one.
        let text = String::from_utf8_lossy(&bytes);
        let content = text.split('#').next().unwrap_or_default();
        let content = content.trim_start_matches('\u{feff}');
        if content.trim().is_empty() {
            continue;
        }
        if !text.ends_with('\n') {
            return Err(error(
                "the last line is not complete, the file was cut".to_owned(),
                "copy the file again; if the line is whole, end it with a newline",
            ));
        }
        let row = parse_row(content).map_err(|word| {
            error(format!("{} is not a number", shown(&word)), "separate numbers by blanks, with a decimal point")
        })?;
        match rows.first() {
            None => first_line = line,
            Some(first) if first.len() != row.len() => {
                return Err(error(
                    format!("{} values here, {} in line {first_line}", row.len(), first.len()),
                    "give every row one value per plane",
                ));
            }
            Some(_) => {}
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The numbers of a line, or the word that is none.
fn parse_row(content: &str) -> std::result::Result<Vec<f64>, String> {
    content.split_whitespace().map(|word| word.parse().map_err(|_| word.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_numpy_writes_them() {
        // numpy.savetxt(sys.stdout, [v]) of numpy 2.4
        let cases = [
            (-5000.0, "-5.000000000000000000e+03"),
            (0.0, "0.000000000000000000e+00"),
            (-0.0, "-0.000000000000000000e+00"),
            (101.01010101010105, "1.010101010101010530e+02"),
            (0.1, "1.000000000000000056e-01"),
            (1e300, "1.000000000000000053e+300"),
            (5e-324, "4.940656458412465442e-324"),
            (f64::NAN, "nan"),
        ];
        for (value, expected) in cases {
            let mut text = String::new();
            push_savetxt(&mut text, value);
            assert_eq!(text, expected);
        }
    }
}
