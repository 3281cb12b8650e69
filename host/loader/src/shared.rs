//! Memory that several processes can map: where the slots of frames lie, from the first day.
//!
//! On Linux it is an anonymous file in memory, sealed so that nobody can shrink it under those who read it; elsewhere a
//! temporary file with a name. A child process opens it by its path and maps the same pages.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A block of zeroed, page-aligned memory. Who may touch which part when is its user's business: it only gives out
/// addresses.
#[derive(Debug)]
pub struct SharedRegion {
    map: memmap2::MmapRaw,
    backing: Backing,
}

impl SharedRegion {
    /// A region of at least one byte.
    pub fn new(bytes: usize) -> io::Result<Self> {
        if bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a region needs at least one byte"));
        }
        let backing = Backing::new(bytes as u64)?;
        let map = memmap2::MmapOptions::new().len(bytes).map_raw(backing.file())?;
        Ok(Self { map, backing })
    }

    /// Maps the region of another process: its [`SharedRegion::path`] and size.
    pub fn open(path: &Path, bytes: usize) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let there = file.metadata()?.len();
        if bytes == 0 || there < bytes as u64 {
            let message = format!("a region of {bytes} bytes is wanted, its file has {there}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let map = memmap2::MmapOptions::new().len(bytes).map_raw(&file)?;
        Ok(Self { map, backing: Backing::opened(file, path) })
    }

    /// Where another process of this user can open it while this one lives.
    pub fn path(&self) -> PathBuf {
        self.backing.path()
    }

    /// Takes the memory behind these bytes from the system now, so that whoever writes them later does not wait for it. What
    /// is there stays as it is, and others may read and write meanwhile. Where the system offers no such thing (Linux since
    /// 5.14 does) it is an error of kind `Unsupported`, and the first to write waits.
    pub fn populate(&self, offset: usize, bytes: usize) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return self.map.advise_range(memmap2::Advice::PopulateWrite, offset, bytes).map_err(|e| {
            match e.raw_os_error() {
                // An older kernel does not know the word.
                Some(code) if code == rustix::io::Errno::INVAL.raw_os_error() => io::ErrorKind::Unsupported.into(),
                _ => e,
            }
        });
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (offset, bytes);
            Err(io::ErrorKind::Unsupported.into())
        }
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

    /// The whole region as bytes.
    ///
    /// # Safety
    /// Nobody may write the region while the slice lives.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: the map is `len` readable bytes; the caller promises that nobody writes them.
        unsafe { std::slice::from_raw_parts(self.as_mut_ptr(), self.len()) }
    }
}

/// The file behind a region.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Backing(File);

#[cfg(target_os = "linux")]
impl Backing {
    fn new(bytes: u64) -> io::Result<Self> {
        use rustix::fs::{MemfdFlags, SealFlags};
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create("tetherscope", flags)?);
        file.set_len(bytes)?;
        // Who maps a file that somebody else shrinks is ended by SIGBUS.
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self(file))
    }

    fn opened(file: File, _path: &Path) -> Self {
        Self(file)
    }

    fn file(&self) -> &File {
        &self.0
    }

    fn path(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()))
    }
}

/// The file behind a region: removed with the region that made it.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
enum Backing {
    Made(tempfile::NamedTempFile),
    Opened(File, PathBuf),
}

#[cfg(not(target_os = "linux"))]
impl Backing {
    fn new(bytes: u64) -> io::Result<Self> {
        let file = tempfile::Builder::new().prefix("tetherscope-").tempfile()?;
        file.as_file().set_len(bytes)?;
        Ok(Self::Made(file))
    }

    fn opened(file: File, path: &Path) -> Self {
        Self::Opened(file, path.to_owned())
    }

    fn file(&self) -> &File {
        match self {
            Self::Made(f) => f.as_file(),
            Self::Opened(f, _) => f,
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Made(f) => f.path().to_owned(),
            Self::Opened(_, path) => path.clone(),
        }
    }
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

    #[test]
    fn a_region_opened_by_its_path_is_the_same_memory() {
        let region = SharedRegion::new(5000).unwrap();
        let again = SharedRegion::open(&region.path(), 5000).unwrap();
        // SAFETY: the byte lies inside both regions, and nobody else has them.
        unsafe {
            region.as_mut_ptr().add(4999).write(7);
            assert_eq!(again.as_mut_ptr().add(4999).read(), 7);
        }
        assert!(SharedRegion::open(&region.path(), 5001).is_err(), "more than there is");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_taken_early_keeps_what_was_written() {
        let region = SharedRegion::new(3 * 4096).unwrap();
        // SAFETY: the byte lies inside the region, which nobody else has.
        unsafe { region.as_mut_ptr().add(5000).write(7) };
        match region.populate(0, 3 * 4096) {
            Err(e) if e.kind() == std::io::ErrorKind::Unsupported => return,
            populated => populated.unwrap(),
        }
        // SAFETY: nobody writes it any more.
        let bytes = unsafe { region.bytes() };
        assert!(bytes[5000] == 7 && bytes.iter().filter(|b| **b != 0).count() == 1);
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let begins = format!("{:x}-", region.as_mut_ptr() as usize);
        let of_region = smaps.lines().skip_while(|l| !l.starts_with(&begins));
        let rss = of_region.into_iter().find_map(|l| l.strip_prefix("Rss:")).unwrap();
        assert_eq!(rss.trim(), "12 kB", "all three pages are there");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_region_cannot_be_shrunk_or_grown_by_who_opened_it() {
        let region = SharedRegion::new(5000).unwrap();
        let file = std::fs::File::options().write(true).open(region.path()).unwrap();
        assert!(file.set_len(10).is_err() && file.set_len(10_000).is_err());
    }
}
