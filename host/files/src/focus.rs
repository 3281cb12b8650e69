//! The focus of each frame of a sweep: what a Z-LUT is built from when the video comes from a file.
//! Frames rise and are named once; time and focus are finite.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::{FileError, Result};
use crate::new_file::write_text;
use crate::text::{CsvReader, LastLine, push_f64};

/// The columns of a focus list, in order.
pub const FOCUS_COLUMNS: [&str; 3] = ["frame", "time_s", "focus_nm"];

/// Where the focus was while one frame was exposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FocusRow {
    /// Frame index in the video, from 0.
    pub frame: u64,
    /// Time since the first frame or any other origin, s.
    pub time_s: f64,
    /// Position of the focus, nm.
    pub focus_nm: f64,
}

/// Reads a focus list (CSV with a header of [`FOCUS_COLUMNS`]; further columns are passed over).
///
/// Fails on a missing column, a value that is no number, NaN or infinity, a frame that stands
/// twice or out of order, a time that falls, and a list without a frame.
pub fn read_focus(path: impl AsRef<Path>) -> Result<Vec<FocusRow>> {
    let path = path.as_ref();
    let mut input = CsvReader::open(path, &FOCUS_COLUMNS, LastLine::MayLackNewline)?;
    let mut rows: Vec<FocusRow> = Vec::new();
    while let Some(record) = input.next_record()? {
        let row = FocusRow { frame: record.whole(0)?, time_s: record.finite(1)?, focus_nm: record.finite(2)? };
        if let Some((cause, mend)) = rows.last().and_then(|last| order(last, &row)) {
            return Err(record.error(cause, mend));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(FileError::malformed(
            path,
            None,
            "there is a header, but no frame",
            "add one line per frame, such as 0,0.0,1250.5",
        ));
    }
    Ok(rows)
}

/// Writes a focus list to a new file. Refuses what [`read_focus`] would refuse. Numbers read back
/// to the same bits.
pub fn write_focus(path: impl AsRef<Path>, rows: &[FocusRow]) -> Result<()> {
    let path = path.as_ref();
    let mut text = FOCUS_COLUMNS.join(",");
    text.push('\n');
    for (i, row) in rows.iter().enumerate() {
        if !row.time_s.is_finite() || !row.focus_nm.is_finite() {
            return Err(FileError::invalid(
                path,
                format!("frame {} has time {} s and focus {} nm", row.frame, row.time_s, row.focus_nm),
                "leave out frames whose focus is not known",
            ));
        }
        if let Some((cause, mend)) = i.checked_sub(1).and_then(|last| order(&rows[last], row)) {
            return Err(FileError::invalid(path, cause, mend));
        }
        write!(text, "{},", row.frame).expect("a String takes whatever is written");
        push_f64(&mut text, row.time_s);
        text.push(',');
        push_f64(&mut text, row.focus_nm);
        text.push('\n');
    }
    if rows.is_empty() {
        return Err(FileError::invalid(path, "there is no frame", "record a sweep first"));
    }
    write_text(path, &text)
}

/// What is wrong with the order of two rows, and the mend.
fn order(last: &FocusRow, row: &FocusRow) -> Option<(String, &'static str)> {
    if row.frame == last.frame {
        return Some((format!("frame {} stands twice", row.frame), "give every frame one line"));
    }
    if row.frame < last.frame {
        return Some((format!("frame {} comes after frame {}", row.frame, last.frame), "sort the lines by frame"));
    }
    if row.time_s < last.time_s {
        return Some((
            format!("frame {} is at {} s, frame {} before it at {} s", row.frame, row.time_s, last.frame, last.time_s),
            "check the times: they never fall",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::spoil::{every_flip, every_prefix};

    fn read(content: &[u8]) -> Result<Vec<FocusRow>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("focus.csv");
        std::fs::write(&path, content).unwrap();
        read_focus(&path)
    }

    fn row(frame: u64, time_s: f64, focus_nm: f64) -> FocusRow {
        FocusRow { frame, time_s, focus_nm }
    }

    #[test]
    fn a_list_reads_back_to_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("focus.csv");
        let rows = [row(0, 0.0, -0.0), row(2, 0.1 + 0.2, 1.0 / 3.0), row(u64::MAX, 1e9, -1e-300)];
        write_focus(&path, &rows).unwrap();
        let back = read_focus(&path).unwrap();
        assert_eq!(back.len(), rows.len());
        for (a, b) in back.iter().zip(&rows) {
            assert_eq!(a.frame, b.frame);
            assert_eq!(a.time_s.to_bits(), b.time_s.to_bits());
            assert_eq!(a.focus_nm.to_bits(), b.focus_nm.to_bits());
        }
    }

    #[test]
    fn a_recorded_sweep_of_a_lab_is_read() {
        let text = b"frame,time_s,focus_nm\n0,0.000000,0.00\n1,0.039526,40.86\n2,0.079051,84.40\n";
        let rows = read(text).unwrap();
        assert_eq!(rows[1], row(1, 0.039526, 40.86));
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn every_error_names_line_and_value() {
        let good = "frame,time_s,focus_nm\n5,1.0,100\n";
        let cases = [
            ("", "", "the file is empty"),
            ("frame,time_s,focus_nm\n", "", "no frame"),
            ("0,0,0\n", "line 1", "the header is missing"),
            ("frame,focus_nm\n0,0\n", "line 1", "column time_s is missing"),
            (&format!("{good}5,1.1,200\n"), "line 3", "frame 5 stands twice"),
            (&format!("{good}4,1.1,200\n"), "line 3", "frame 4 comes after frame 5"),
            (&format!("{good}6,0.9,200\n"), "line 3", "frame 6 is at 0.9 s"),
            (&format!("{good}6,1.1,NaN\n"), "line 3", "focus_nm is NaN"),
            (&format!("{good}6,inf,2\n"), "line 3", "time_s is inf"),
            (&format!("{good}6,1.1,two\n"), "line 3", "focus_nm is \"two\""),
            (&format!("{good}6.0,1.1,2\n"), "line 3", "frame is \"6.0\""),
            (&format!("{good}6,1.1\n"), "line 3", "2 columns here, 3 in the header"),
        ];
        for (content, line, cause) in cases {
            let error = read(content.as_bytes()).unwrap_err();
            assert!(error.cause().contains(cause), "{error}");
            assert!(error.what().ends_with(line), "{error}");
        }
    }

    #[test]
    fn no_prefix_and_no_flipped_byte_panics() {
        let good = b"frame,time_s,focus_nm\n0,0.0,0.5\n1,0.04,40.86\n";
        every_prefix("focus.csv", good, |path, _| drop(read_focus(path)));
        every_flip("focus.csv", good, &[0x01, 0x20, 0x80], |path, _| drop(read_focus(path)));
    }

    #[test]
    fn what_could_not_be_read_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("focus.csv");
        let cases = [
            vec![],
            vec![row(0, 0.0, f64::NAN)],
            vec![row(0, f64::INFINITY, 0.0)],
            vec![row(1, 0.0, 0.0), row(1, 0.0, 0.0)],
            vec![row(0, 1.0, 0.0), row(1, 0.0, 0.0)],
        ];
        for rows in cases {
            let error = write_focus(&path, &rows).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue);
            assert!(!path.exists());
        }
    }
}
