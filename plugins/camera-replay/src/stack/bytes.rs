//! A file that is read at given places. Checks every place against the length before it reads or makes room, so that a
//! scrambled length cannot ask for gigabytes.

use crate::fault::Fault;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// An open file and its length when it was opened.
#[derive(Debug)]
pub struct Bytes {
    file: File,
    len: u64,
}

impl Bytes {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(|e| Fault::io("it cannot be opened", &e))?;
        let len = file.metadata().map_err(|e| Fault::io("its length cannot be read", &e))?.len();
        Ok(Self { file, len })
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True when `n_bytes` from `at` on lie inside the file.
    pub fn holds(&self, at: u64, n_bytes: u64) -> bool {
        at.checked_add(n_bytes).is_some_and(|end| end <= self.len)
    }

    /// Fills `out` from `at` on.
    pub fn read_at(&mut self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.check(at, out.len() as u64)?;
        let mut read = || {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.read_exact(out)
        };
        read().map_err(|e| Fault::io("it cannot be read", &e))
    }

    /// `n_bytes` from `at` on.
    pub fn vec_at(&mut self, at: u64, n_bytes: u64) -> Result<Vec<u8>, Fault> {
        self.check(at, n_bytes)?;
        let mut out = vec![0; n_bytes as usize];
        self.read_at(at, &mut out)?;
        Ok(out)
    }

    /// Fails unless the bytes lie inside the file.
    fn check(&self, at: u64, n_bytes: u64) -> Result<(), Fault> {
        if self.holds(at, n_bytes) {
            return Ok(());
        }
        Err(Fault::damaged(format!("it needs {n_bytes} bytes from byte {at} on, the file has {} bytes", self.len)))
    }

    /// The file itself, for a reader that seeks by its own.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }
}
