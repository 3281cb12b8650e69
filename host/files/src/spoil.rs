//! For tests: every way to cut a good file and to change one of its bytes. The file is changed in
//! place, since file systems flush a file to the disk that is emptied and written again.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// Calls `read` with a file of every proper prefix of `good`, the longest first. `name` decides the
/// format.
pub(crate) fn every_prefix(name: &str, good: &[u8], mut read: impl FnMut(&Path, usize)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, good).unwrap();
    for n in (0..good.len()).rev() {
        open(&path).set_len(n as u64).unwrap();
        read(&path, n);
    }
}

/// Calls `read` with a file like `good` in which one byte differs, for every byte and every mask.
pub(crate) fn every_flip(name: &str, good: &[u8], masks: &[u8], mut read: impl FnMut(&Path, usize)) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, good).unwrap();
    let mut file = open(&path);
    let mut put = |n: usize, byte: u8| {
        file.seek(SeekFrom::Start(n as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    for (n, byte) in good.iter().enumerate() {
        for mask in masks {
            put(n, byte ^ mask);
            read(&path, n);
        }
        put(n, *byte);
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}
