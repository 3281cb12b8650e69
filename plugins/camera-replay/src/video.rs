//! A file or folder that is replayed, whatever its format: one TIFF stack or one sequence of images behind the same few
//! functions.

use crate::fault::Fault;
use crate::sequence::Sequence;
use crate::shape::Shape;
use crate::stack::Stack;
use crate::times::Times;
use std::path::Path;

/// An open video with at least one complete frame.
#[derive(Debug)]
pub enum Video {
    /// A TIFF file.
    Stack(Stack),
    /// A folder, or a single PNG file.
    Sequence(Sequence),
}

impl Video {
    /// Opens a TIFF file, a PNG file or a folder of either.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let meta = std::fs::metadata(path).map_err(|e| Fault::io("it cannot be opened", &e))?;
        if meta.is_dir() {
            return Sequence::open_folder(path).map(Video::Sequence);
        }
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            return Sequence::open_png(path).map(Video::Sequence);
        }
        Stack::open(path).map(Video::Stack)
    }

    /// Size and type of every frame.
    pub fn shape(&self) -> Shape {
        match self {
            Video::Stack(s) => s.shape(),
            Video::Sequence(s) => s.shape(),
        }
    }

    /// Number of complete frames, at least 1.
    pub fn n_frames(&self) -> u64 {
        match self {
            Video::Stack(s) => s.n_frames(),
            Video::Sequence(s) => s.n_frames(),
        }
    }

    /// What the file says about time; image files say nothing.
    pub fn times(&self) -> Times {
        match self {
            Video::Stack(s) => s.times().clone(),
            Video::Sequence(_) => Times::Unknown,
        }
    }

    /// Bits that carry the value, where the file says so.
    pub fn significant_bits(&self) -> Option<u32> {
        match self {
            Video::Stack(s) => s.significant_bits(),
            Video::Sequence(_) => None,
        }
    }

    /// What is missing or unreadable after the last complete frame.
    pub fn damage(&self) -> Option<&Fault> {
        match self {
            Video::Stack(s) => s.damage(),
            Video::Sequence(s) => s.damage(),
        }
    }

    /// Reads frame `index` into `out`, which holds exactly one image: rows without gaps, 16-bit pixels in the machine's
    /// byte order, black as zero.
    pub fn read(&mut self, index: u64, out: &mut [u8]) -> Result<(), Fault> {
        match self {
            Video::Stack(s) => s.read(index, out),
            Video::Sequence(s) => s.read(index, out),
        }
    }
}
