//! Writes grey videos as TIFF stacks that ImageJ opens as one block: a header page of 4096 bytes,
//! then plane after plane, nothing between them. The count of planes stands in the header with
//! fixed width and is patched after planes are written, never before, so that even the temporary
//! file of a program that was killed opens. Reading TIFF is not done here.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::error::{FileError, Result};
use crate::new_file::NewFile;

pub(crate) mod layout;

use layout::{HEADER_BYTES, Header};

/// Planes between two patches of the count: what a killed program leaves misses at most so many.
const PATCH_EVERY: u64 = 64;

/// Offsets of a classic TIFF are 32 bit. Above, the chain of pages is left out: ImageJ and
/// tifffile don't need it, and other readers see the first page.
const CHAIN_LIMIT_BYTES: u64 = u32::MAX as u64;

/// What one number of a plane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GreyDepth {
    /// One byte per pixel.
    U8,
    /// Two bytes per pixel, little-endian, whatever the number of significant bits.
    U16,
}

impl GreyDepth {
    /// 1 or 2.
    #[must_use]
    pub fn bytes_per_px(self) -> u32 {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
        }
    }
}

/// What every plane of a stack is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TiffStackOptions {
    /// Width of a plane, px.
    pub width_px: u32,
    /// Height of a plane, px.
    pub height_px: u32,
    /// Type of a pixel.
    pub depth: GreyDepth,
    /// Size of a pixel in the sample, nm; ImageJ then measures in nm.
    pub nm_per_px: Option<f64>,
    /// Time from frame to frame, s; ImageJ shows it.
    pub frame_interval_s: Option<f64>,
}

/// Writes one stack, plane by plane.
///
/// Until [`TiffStackWriter::finish`] the file has a temporary name in the same folder; a writer
/// that is dropped unfinished leaves nothing behind. Planes go straight to the file: each is one
/// write.
#[derive(Debug)]
pub struct TiffStackWriter {
    file: NewFile,
    header: Header,
    plane_bytes: u64,
    n_planes: u64,
    chain_limit: u64,
    scratch: Vec<u8>,
    failed: bool,
}

impl TiffStackWriter {
    /// Begins a stack. Fails when the file exists, its folder doesn't, or the options make no
    /// TIFF (a plane without pixels or of 4 GiB, a size or an interval that isn't positive).
    pub fn create(path: impl AsRef<Path>, options: &TiffStackOptions) -> Result<Self> {
        let path = path.as_ref();
        let header =
            Header::new(options).map_err(|cause| FileError::invalid(path, cause, "check the size of the frames"))?;
        let mut writer = Self {
            plane_bytes: u64::from(header.plane_bytes),
            file: NewFile::create(path)?,
            header,
            n_planes: 0,
            chain_limit: CHAIN_LIMIT_BYTES,
            scratch: Vec::new(),
            failed: false,
        };
        let page = writer.header.page();
        writer.guarded(|w| w.file.write_all(&page))?;
        Ok(writer)
    }

    /// Appends one plane: height × width pixels, row after row without gaps; u16 as little-endian
    /// bytes. After a failed write the stack can't be finished any more; a plane of the wrong
    /// length is refused and changes nothing.
    pub fn write_plane(&mut self, plane: &[u8]) -> Result<()> {
        if plane.len() as u64 != self.plane_bytes {
            return Err(FileError::invalid(
                self.file.target(),
                format!("a plane of {} bytes was given, this stack has planes of {}", plane.len(), self.plane_bytes),
                "give height × width pixels of the stack's type",
            ));
        }
        if self.n_planes >= layout::MAX_PLANES {
            return Err(FileError::invalid(
                self.file.target(),
                format!("ImageJ takes no more than {} planes", layout::MAX_PLANES),
                "begin another file",
            ));
        }
        self.guarded(|w| w.file.write_all(plane))?;
        self.n_planes += 1;
        if self.n_planes.is_multiple_of(PATCH_EVERY) {
            self.patch_count()?;
        }
        Ok(())
    }

    /// As [`TiffStackWriter::write_plane`], from the numbers of a u16 stack.
    pub fn write_plane_u16(&mut self, plane: &[u16]) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        bytes.extend(plane.iter().flat_map(|v| v.to_le_bytes()));
        let written = self.write_plane(&bytes);
        self.scratch = bytes;
        written
    }

    /// How many planes were written so far.
    #[must_use]
    pub fn n_planes(&self) -> u64 {
        self.n_planes
    }

    /// Completes the stack: the count, then the chain of pages for readers that don't know
    /// ImageJ's stacks (below 4 GiB), then sync and name. A stack without a plane is an error.
    pub fn finish(mut self) -> Result<()> {
        if self.n_planes == 0 {
            return Err(FileError::invalid(self.file.target(), "no plane was written", "record at least one frame"));
        }
        self.patch_count()?;
        self.append_chain()?;
        self.file.finish()
    }

    fn patch_count(&mut self) -> Result<()> {
        let end = self.end();
        let patches = self.header.count_patches(self.n_planes);
        self.guarded(|w| {
            for (offset, digits) in &patches {
                w.file.seek(SeekFrom::Start(*offset))?;
                w.file.write_all(digits)?;
            }
            w.file.seek(SeekFrom::Start(end)).map(|_| ())
        })
    }

    /// Appends a directory for every plane but the first, then links the first one to them.
    fn append_chain(&mut self) -> Result<()> {
        let padding = self.end() % 2;
        let start = self.end() + padding;
        let n_more = self.n_planes - 1;
        if n_more == 0 || start + n_more * layout::PAGE_IFD_BYTES > self.chain_limit {
            return Ok(());
        }
        let chain = self.header.chain(start, self.n_planes);
        let (offset, link) = self.header.link(start);
        self.guarded(|w| {
            w.file.write_all(&vec![0; padding as usize])?;
            w.file.write_all(&chain)?;
            w.file.seek(SeekFrom::Start(offset))?;
            w.file.write_all(&link)
        })
    }

    /// Where the planes end.
    fn end(&self) -> u64 {
        HEADER_BYTES + self.n_planes * self.plane_bytes
    }

    /// A failed write leaves the file in a state nobody knows, so nothing is written after it.
    fn guarded(&mut self, write: impl FnOnce(&mut Self) -> std::io::Result<()>) -> Result<()> {
        if self.failed {
            return Err(FileError::failed_before(self.file.target()));
        }
        write(self).map_err(|e| {
            self.failed = true;
            FileError::writing(self.file.target(), &e)
        })
    }
}

#[cfg(test)]
mod tests;
