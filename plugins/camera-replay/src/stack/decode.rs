//! Packed and tiled pages, unpacked by the `tiff` crate: one page at a time, found by its place. A panic inside that
//! crate becomes an error, since it reads whatever lies in a stranger's file.

use super::bytes::Bytes;
use super::ifd::{HEADER_BYTES, Header};
use crate::fault::Fault;
use crate::shape::Shape;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tiff::decoder::{Decoder, Limits};

/// Bytes read from the file at once: a strip is often smaller than this, and the decoder asks for few at a time.
const READ_BYTES: usize = 64 << 10;

/// Unpacks the page whose tags lie at `ifd_at` into `out`, which holds exactly one image. White-is-zero pages come out
/// with black as zero, 16-bit pixels in the machine's byte order.
pub fn page(bytes: &mut Bytes, header: Header, ifd_at: u64, shape: &Shape, out: &mut [u8]) -> Result<(), Fault> {
    let view = OnePage { header: header.naming(ifd_at), header_len: header.len() as u64, at: 0, file: bytes.file() };
    let unpack = || -> Result<(), tiff::TiffError> {
        let mut limits = Limits::default();
        limits.intermediate_buffer_size = limits.intermediate_buffer_size.max(2 * out.len());
        let mut decoder = Decoder::new(BufReader::with_capacity(READ_BYTES, view))?.with_limits(limits);
        if decoder.dimensions()? != (shape.width_px, shape.height_px) {
            return Err(tiff::TiffError::LimitsExceeded);
        }
        decoder.read_image_bytes(out)
    };
    match catch_unwind(AssertUnwindSafe(unpack)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(tiff::TiffError::IoError(e))) => Err(Fault::io("it cannot be unpacked", &e)),
        Ok(Err(e)) => Err(Fault::damaged(format!("it cannot be unpacked: {e}"))),
        Err(payload) => {
            // Dropping a payload can panic again.
            std::mem::forget(payload);
            Err(Fault::damaged("its packed pixels are scrambled"))
        }
    }
}

/// The file as a decoder shall see it: with a header that names one page as the first. So page 10,000 is found without
/// walking through the 9,999 before it.
struct OnePage<'a> {
    header: [u8; HEADER_BYTES],
    header_len: u64,
    at: u64,
    file: &'a mut std::fs::File,
}

impl Read for OnePage<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = if self.at < self.header_len {
            let rest = &self.header[self.at as usize..self.header_len as usize];
            let n = rest.len().min(out.len());
            out[..n].copy_from_slice(&rest[..n]);
            n
        } else {
            self.file.seek(SeekFrom::Start(self.at))?;
            self.file.read(out)?
        };
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for OnePage<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let invalid = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "a place before the file's start");
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.checked_add_signed(by).ok_or_else(invalid)?,
            SeekFrom::End(by) => self.file.seek(SeekFrom::End(by))?,
        };
        Ok(self.at)
    }
}
