//! Memory that several processes can map: where the slots of frames lie, from the first day.
//!
//! On Linux it is an anonymous file in memory; elsewhere a temporary file without a name. A child process gets the
//! file handle and maps the same pages.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

/// A block of zeroed, page-aligned memory. Who may touch which part when is its user's business: it only gives out
/// addresses.
#[derive(Debug)]
pub struct SharedRegion {
    map: memmap2::MmapRaw,
    file: File,
}

impl SharedRegion {
    /// A region of at least one byte.
    pub fn new(bytes: usize) -> io::Result<Self> {
        if bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a region needs at least one byte"));
        }
        let file = anonymous_file()?;
        file.set_len(bytes as u64)?;
        let map = memmap2::MmapOptions::new().len(bytes).map_raw(&file)?;
        Ok(Self { map, file })
    }

    /// First byte.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Never true: a region has at least one byte.
    pub fn is_empty(&self) -> bool {
        self.map.len() == 0
    }

    /// The file behind it, for a child process to map.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The whole region as bytes.
    ///
    /// # Safety
    /// Nobody may write the region while the slice lives.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: the map is `len` readable bytes; the caller promises that nobody writes them.
        unsafe { std::slice::from_raw_parts(self.as_mut_ptr(), self.len()) }
    }
}

#[cfg(target_os = "linux")]
fn anonymous_file() -> io::Result<File> {
    use rustix::fs::MemfdFlags;
    Ok(File::from(rustix::fs::memfd_create("tetherscope", MemfdFlags::CLOEXEC)?))
}

#[cfg(not(target_os = "linux"))]
fn anonymous_file() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
mod tests {
    use super::SharedRegion;

    #[test]
    fn a_region_is_zeroed_and_page_aligned() {
        let region = SharedRegion::new(10_000).unwrap();
        assert_eq!(region.as_mut_ptr() as usize % 4096, 0);
        // SAFETY: nobody else has the region.
        assert!(unsafe { region.bytes() }.iter().all(|&b| b == 0));
        assert!(SharedRegion::new(0).is_err());
    }
}
