//! Where simulated beads really are: written beside a simulated video, read to judge a method.
//! One row per frame and bead; everything is finite, the truth is never unknown.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{FileError, Result};
use crate::new_file::NewFile;
use crate::text::{CsvReader, LastLine, push_f64};

/// The columns of a truth file, in order.
pub const TRUTH_COLUMNS: [&str; 8] = ["frame", "bead", "time_s", "x_px", "y_px", "z_nm", "x_nm", "y_nm"];

/// Where one simulated bead is in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TruthRow {
    /// Frame index in the video, from 0.
    pub frame: u64,
    /// Bead id.
    pub bead: u32,
    /// Middle of the exposure since the first frame or any other origin, s.
    pub time_s: f64,
    /// Position in the frame, px; 0 is the middle of the top-left pixel, x to the right.
    pub x_px: f64,
    /// Position in the frame, px; 0 is the middle of the top-left pixel, y down.
    pub y_px: f64,
    /// Height with the sign of the focus position of a sweep, nm.
    pub z_nm: f64,
    /// `x_px` times the size of a pixel, nm.
    pub x_nm: f64,
    /// `y_px` times the size of a pixel, nm.
    pub y_nm: f64,
}

impl TruthRow {
    fn floats(&self) -> [f64; 6] {
        [self.time_s, self.x_px, self.y_px, self.z_nm, self.x_nm, self.y_nm]
    }
}

/// Writes a truth file (CSV) bead by bead while the video is made.
///
/// Until [`TruthWriter::finish`] the file has a temporary name in the same folder; a writer that
/// is dropped unfinished leaves nothing behind.
#[derive(Debug)]
pub struct TruthWriter {
    out: BufWriter<NewFile>,
    line: String,
    order: FrameOrder,
    failed: bool,
}

impl TruthWriter {
    /// Begins a new file. Fails when it exists or its folder doesn't.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 16, NewFile::create(path.as_ref())?),
            line: TRUTH_COLUMNS.join(","),
            order: FrameOrder::default(),
            failed: false,
        };
        writer.line.push('\n');
        writer.write_line()?;
        Ok(writer)
    }

    /// Appends rows. Refuses NaN and infinity, frames that fall, and a bead twice in a frame;
    /// after an error the file can't be finished any more.
    pub fn write(&mut self, rows: &[TruthRow]) -> Result<()> {
        if self.failed {
            return Err(FileError::failed_before(self.out.get_ref().target()));
        }
        for row in rows {
            self.failed = true;
            self.check(row)?;
            write!(self.line, "{},{}", row.frame, row.bead).expect("a String takes whatever is written");
            for value in row.floats() {
                self.line.push(',');
                push_f64(&mut self.line, value);
            }
            self.line.push('\n');
            self.write_line()?;
            self.failed = false;
        }
        Ok(())
    }

    /// Completes the file, syncs it and gives it its name.
    pub fn finish(self) -> Result<()> {
        let target = self.out.get_ref().target().to_owned();
        if self.failed {
            return Err(FileError::failed_before(&target));
        }
        self.out.into_inner().map_err(|e| FileError::writing(&target, e.error()))?.finish()
    }

    fn check(&mut self, row: &TruthRow) -> Result<()> {
        let target = self.out.get_ref().target();
        if row.floats().iter().any(|v| !v.is_finite()) {
            return Err(FileError::invalid(
                target,
                format!("bead {} in frame {} has a value that is not finite", row.bead, row.frame),
                "check the simulation: the truth is always known",
            ));
        }
        self.order.next(row).map_err(|cause| FileError::invalid(target, cause, MEND_ORDER))
    }

    fn write_line(&mut self) -> Result<()> {
        let written = self.out.write_all(self.line.as_bytes());
        self.line.clear();
        written.map_err(|e| FileError::writing(self.out.get_ref().target(), &e))
    }
}

/// Reads a truth file whole, in the order of the file.
///
/// Fails on a missing column, a value that is no number or not finite, frames that fall, a bead
/// that stands twice in a frame, and a file that was cut.
pub fn read_truth(path: impl AsRef<Path>) -> Result<Vec<TruthRow>> {
    let mut input = CsvReader::open(path.as_ref(), &TRUTH_COLUMNS, LastLine::MustEnd)?;
    let mut rows = Vec::new();
    let mut order = FrameOrder::default();
    while let Some(record) = input.next_record()? {
        let row = TruthRow {
            frame: record.whole(0)?,
            bead: record.whole(1)?,
            time_s: record.finite(2)?,
            x_px: record.finite(3)?,
            y_px: record.finite(4)?,
            z_nm: record.finite(5)?,
            x_nm: record.finite(6)?,
            y_nm: record.finite(7)?,
        };
        order.next(&row).map_err(|cause| record.error(cause, MEND_ORDER))?;
        rows.push(row);
    }
    Ok(rows)
}

const MEND_ORDER: &str = "give every bead one line per frame, frame after frame";

/// Checks that frames don't fall and that no bead stands twice in one.
#[derive(Debug, Default)]
struct FrameOrder {
    frame: u64,
    beads: HashSet<u32>,
}

impl FrameOrder {
    fn next(&mut self, row: &TruthRow) -> std::result::Result<(), String> {
        if row.frame < self.frame {
            return Err(format!("frame {} comes after frame {}", row.frame, self.frame));
        }
        if row.frame > self.frame {
            self.frame = row.frame;
            self.beads.clear();
        }
        if !self.beads.insert(row.bead) {
            return Err(format!("bead {} stands twice in frame {}", row.bead, row.frame));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::spoil::every_prefix;

    fn row(frame: u64, bead: u32) -> TruthRow {
        TruthRow {
            frame,
            bead,
            time_s: frame as f64 * 0.01,
            x_px: 10.0 / 3.0,
            y_px: -0.0,
            z_nm: -1234.5678901234567,
            x_nm: 1e-300,
            y_nm: 5e15,
        }
    }

    #[test]
    fn the_truth_reads_back_to_the_same_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("truth.csv");
        let rows: Vec<TruthRow> = (0..20).map(|i| row(i / 2, (i % 2) as u32)).collect();
        let mut writer = TruthWriter::create(&path).unwrap();
        for part in rows.chunks(7) {
            writer.write(part).unwrap();
        }
        writer.finish().unwrap();
        let back = read_truth(&path).unwrap();
        assert_eq!(back, rows);
        assert!(back[0].y_px.is_sign_negative());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("frame,bead,time_s,x_px,y_px,z_nm,x_nm,y_nm\n0,0,0,"));
    }

    #[test]
    fn wrong_rows_are_refused_and_leave_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("truth.csv");
        let mut unknown = row(1, 1);
        unknown.z_nm = f64::NAN;
        for bad in [unknown, row(0, 5), row(1, 0)] {
            let mut writer = TruthWriter::create(&path).unwrap();
            writer.write(&[row(0, 0), row(1, 0)]).unwrap();
            let error = writer.write(&[bad]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue);
            assert!(writer.finish().is_err());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_file_cut_anywhere_gives_an_error_or_the_whole_rows_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("truth.csv");
        let mut writer = TruthWriter::create(&path).unwrap();
        writer.write(&[row(0, 0), row(0, 1), row(1, 0)]).unwrap();
        writer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        every_prefix("truth.csv", &bytes, |cut, n| match read_truth(cut) {
            Ok(rows) => assert!(bytes[n - 1] == b'\n' && rows.len() < 3),
            Err(error) => assert!(error.what().contains("truth.csv")),
        });
    }

    #[test]
    fn reading_names_line_and_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("truth.csv");
        let header = TRUTH_COLUMNS.join(",");
        let cases = [
            ("0,0,0,1,1,NaN,1,1\n", "z_nm is NaN"),
            ("0,0,0,1,1,1,1,1\n0,0,0,1,1,1,1,1\n", "bead 0 stands twice in frame 0"),
            ("3,0,0,1,1,1,1,1\n2,0,0,1,1,1,1,1\n", "frame 2 comes after frame 3"),
        ];
        for (content, cause) in cases {
            std::fs::write(&path, format!("{header}\n{content}")).unwrap();
            let error = read_truth(&path).unwrap_err();
            assert!(error.cause().contains(cause), "{error}");
            assert!(error.what().contains("line "), "{error}");
        }
    }
}
