//! The list of ROIs: which bead is where in the frame. People write it by hand and by scripts, so
//! every error names file, line and value.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::error::{ErrorKind, FileError, Result};
use crate::new_file::write_text;
use crate::text::{CsvReader, LastLine, Record};

/// The columns of a ROI list, in order.
pub const ROI_COLUMNS: [&str; 5] = ["bead", "x_px", "y_px", "w_px", "h_px"];

/// The region of one bead in the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Roi {
    /// Bead id.
    pub bead: u32,
    /// Column of the top-left pixel in the frame. It may be negative: such a ROI is not wholly
    /// inside the frame, and whoever tracks says so.
    pub x_px: i32,
    /// Row of the top-left pixel in the frame.
    pub y_px: i32,
    /// Width, at least 1.
    pub w_px: u32,
    /// Height, at least 1.
    pub h_px: u32,
}

/// Reads a ROI list (CSV with a header of [`ROI_COLUMNS`]; further columns are passed over), in the
/// order of the file.
///
/// Fails on a missing column, a value that is no whole number, a width or height below 1, a bead
/// id that stands twice, and a list without a ROI.
pub fn read_rois(path: impl AsRef<Path>) -> Result<Vec<Roi>> {
    let path = path.as_ref();
    let mut input = CsvReader::open(path, &ROI_COLUMNS, LastLine::MayLackNewline)?;
    let mut rois = Vec::new();
    let mut lines: HashMap<u32, u64> = HashMap::new();
    while let Some(record) = input.next_record()? {
        let roi = Roi {
            bead: record.whole(0)?,
            x_px: record.whole(1)?,
            y_px: record.whole(2)?,
            w_px: size(&record, 3)?,
            h_px: size(&record, 4)?,
        };
        if let Some(first) = lines.insert(roi.bead, record.line()) {
            return Err(record.error(
                format!("bead {} stands in line {first} already", roi.bead),
                "give every ROI a bead id of its own",
            ));
        }
        rois.push(roi);
    }
    if rois.is_empty() {
        return Err(FileError::malformed(
            path,
            None,
            "there is a header, but no ROI",
            "add one line per bead, such as 0,120,80,64,64",
        ));
    }
    Ok(rois)
}

/// Writes a ROI list to a new file. Refuses what [`read_rois`] would refuse.
pub fn write_rois(path: impl AsRef<Path>, rois: &[Roi]) -> Result<()> {
    let path = path.as_ref();
    let mut seen = HashMap::new();
    let mut text = ROI_COLUMNS.join(",");
    text.push('\n');
    for (index, roi) in rois.iter().enumerate() {
        if seen.insert(roi.bead, index).is_some() {
            return Err(FileError::invalid(
                path,
                format!("bead {} has two ROIs", roi.bead),
                "give every ROI a bead id of its own",
            ));
        }
        if [roi.w_px, roi.h_px].iter().any(|&s| s == 0 || s > MAX_SIZE_PX) {
            return Err(FileError::invalid(
                path,
                format!("the ROI of bead {} is {} × {} px", roi.bead, roi.w_px, roi.h_px),
                format!("make width and height 1 to {MAX_SIZE_PX} px"),
            ));
        }
        writeln!(text, "{},{},{},{},{}", roi.bead, roi.x_px, roi.y_px, roi.w_px, roi.h_px)
            .expect("a String takes whatever is written");
    }
    if rois.is_empty() {
        return Err(FileError::invalid(path, "there is no ROI", "choose a bead first"));
    }
    write_text(path, &text)
}

/// The width and height (px) that all ROIs share: a tracking worker is made for one size.
///
/// Fails when there is no ROI, and names the two beads when two sizes differ.
pub fn common_size(rois: &[Roi]) -> Result<(u32, u32)> {
    let what = "cannot track these ROIs together";
    let Some(first) = rois.first() else {
        return Err(FileError::new(ErrorKind::InvalidValue, what, "the list is empty", "choose a bead first"));
    };
    let size = (first.w_px, first.h_px);
    match rois.iter().find(|r| (r.w_px, r.h_px) != size) {
        None => Ok(size),
        Some(other) => Err(FileError::new(
            ErrorKind::InvalidValue,
            what,
            format!(
                "bead {} has {} × {} px, bead {} has {} × {} px",
                first.bead, size.0, size.1, other.bead, other.w_px, other.h_px
            ),
            "give all ROIs one width and one height",
        )),
    }
}

/// No camera is larger; it keeps x + w within an i32 for every ROI near a frame.
const MAX_SIZE_PX: u32 = 1 << 20;

fn size(record: &Record<'_>, column: usize) -> Result<u32> {
    let size: i64 = record.whole(column)?;
    match u32::try_from(size) {
        Ok(size @ 1..=MAX_SIZE_PX) => Ok(size),
        _ => Err(record.wrong(
            column,
            &format!("is {size}, a ROI has 1 to {MAX_SIZE_PX} px"),
            "give the size of the ROI in pixels, such as 64",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spoil::{every_flip, every_prefix};

    fn read(content: &[u8]) -> Result<Vec<Roi>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rois.csv");
        std::fs::write(&path, content).unwrap();
        read_rois(&path)
    }

    fn roi(bead: u32, x_px: i32, w_px: u32) -> Roi {
        Roi { bead, x_px, y_px: 20, w_px, h_px: 64 }
    }

    #[test]
    fn a_list_reads_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rois.csv");
        let rois = [roi(7, 10, 64), roi(0, -5, 64), roi(u32::MAX, i32::MAX, 100)];
        write_rois(&path, &rois).unwrap();
        assert_eq!(read_rois(&path).unwrap(), rois);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("bead,x_px,y_px,w_px,h_px\n7,10,20,64,64\n"));
    }

    #[test]
    fn what_spreadsheets_make_of_it_is_read_too() {
        let text = b"\xef\xbb\xbfnote,bead,y_px,x_px,h_px,w_px\r\n\"a, b\",1, 20,10,64,64\r\n\r\n";
        assert_eq!(read(text).unwrap(), [roi(1, 10, 64)]);
        let no_newline = b"bead,x_px,y_px,w_px,h_px\n1,10,20,64,64";
        assert_eq!(read(no_newline).unwrap(), [roi(1, 10, 64)]);
    }

    #[test]
    fn every_error_names_line_and_value() {
        let good = "bead,x_px,y_px,w_px,h_px\n1,10,20,64,64\n";
        let cases = [
            ("", "", "the file is empty"),
            ("\n\n", "", "the file is empty"),
            ("bead,x_px,y_px,w_px,h_px\n", "", "no ROI"),
            ("1,10,20,64,64\n", "line 1", "the header is missing, the file begins with \"1\""),
            ("bead,x_px,y_px,w_px\n1,2,3,4\n", "line 1", "column h_px is missing"),
            (&format!("{good}1,5,5,64,64\n"), "line 3", "bead 1 stands in line 2"),
            (&format!("{good}2,5,5,0,64\n"), "line 3", "w_px is 0"),
            (&format!("{good}2,5,5,64,-3\n"), "line 3", "h_px is -3"),
            (&format!("{good}\n2,a,5,64,64\n"), "line 4", "x_px is \"a\""),
            (&format!("{good}2,1.5,5,64,64\n"), "line 3", "x_px is \"1.5\""),
            (&format!("{good}-2,1,5,64,64\n"), "line 3", "bead is \"-2\""),
            (&format!("{good}2,99999999999,5,64,64\n"), "line 3", "x_px is \"99999999999\""),
            (&format!("{good}2,1,5,64\n"), "line 3", "4 columns here, 5 in the header"),
            (&format!("{good}2,,5,64,64\n"), "line 3", "x_px is \"\""),
        ];
        for (content, line, cause) in cases {
            let error = read(content.as_bytes()).unwrap_err();
            assert!(error.cause().contains(cause), "{error}");
            assert!(error.what().contains("rois.csv"), "{error}");
            assert!(error.what().ends_with(line), "{error}");
            assert_eq!(error.to_string().lines().count(), 3, "{error}");
        }
    }

    #[test]
    fn no_prefix_and_no_flipped_byte_panics() {
        let good = b"bead,x_px,y_px,w_px,h_px\n1,10,20,64,64\n2,30,20,64,64\n";
        every_prefix("rois.csv", good, |path, _| drop(read_rois(path)));
        every_flip("rois.csv", good, &[0x01, 0x20, 0x80], |path, _| drop(read_rois(path)));
    }

    #[test]
    fn what_could_not_be_read_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rois.csv");
        let cases = [vec![], vec![roi(1, 0, 0)], vec![roi(1, 0, 5), roi(1, 9, 5)]];
        for rois in cases {
            let error = write_rois(&path, &rois).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue);
            assert!(!path.exists());
        }
    }

    #[test]
    fn two_sizes_are_refused_with_the_two_beads() {
        assert_eq!(common_size(&[roi(1, 0, 64), roi(2, 0, 64)]).unwrap(), (64, 64));
        let error = common_size(&[roi(1, 0, 64), roi(2, 0, 64), roi(9, 0, 65)]).unwrap_err();
        assert_eq!(error.cause(), "bead 1 has 64 × 64 px, bead 9 has 65 × 64 px");
        assert!(common_size(&[]).is_err());
    }
}
