//! The file of checksums beside an Arrow stream. Without it a tail of zeros reads as a clean end, and a flipped bit as good
//! data. 32 bytes a record, little-endian: start and end of the message (u64), rows (u32), crc32c of the message (u32), a
//! zero (u32), crc32c of these 28 bytes (u32). The first record is `TSCRC001` and zeros; the second stands for the schema.

use std::path::Path;

use crate::error::{ErrorKind, FileError, Result};

pub(crate) const RECORD_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"TSCRC001";

/// What is known of one message of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CrcRecord {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) n_rows: u32,
    pub(crate) crc: u32,
}

impl CrcRecord {
    pub(crate) fn bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[0..8].copy_from_slice(&self.start.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.end.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.n_rows.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.crc.to_le_bytes());
        seal(bytes)
    }

    fn parse(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let u64_at = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().expect("eight bytes"));
        let u32_at = |i: usize| u32::from_le_bytes(bytes[i..i + 4].try_into().expect("four bytes"));
        let whole = crc32c::crc32c(&bytes[..28]) == u32_at(28) && u64_at(0) <= u64_at(8);
        whole.then(|| Self { start: u64_at(0), end: u64_at(8), n_rows: u32_at(16), crc: u32_at(20) })
    }
}

/// The first record of the file.
pub(crate) fn header() -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[..8].copy_from_slice(MAGIC);
    seal(bytes)
}

fn seal(mut bytes: [u8; RECORD_BYTES]) -> [u8; RECORD_BYTES] {
    let crc = crc32c::crc32c(&bytes[..28]);
    bytes[28..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The records of a file; `None` where one is damaged. An unfinished record at the end is passed over.
pub(crate) fn read(path: &Path) -> Result<Vec<Option<CrcRecord>>> {
    let bytes = std::fs::read(path).map_err(|e| FileError::reading(path, &e))?;
    let (records, _) = bytes.as_chunks::<RECORD_BYTES>();
    let Some((first, records)) = records.split_first() else { return Ok(Vec::new()) };
    if first[..6] == MAGIC[..6] && first[..8] > MAGIC[..] && *first == seal(*first) {
        return Err(FileError::new(
            ErrorKind::TooNew,
            format!("cannot read {}", path.display()),
            "a newer Tetherscope wrote it",
            "get a newer Tetherscope",
        ));
    }
    Ok(records.iter().map(CrcRecord::parse).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_a_tail_of_zeros_are_found() {
        let record = CrcRecord { start: 7, end: 900, n_rows: 3, crc: 0xdead_beef };
        assert_eq!(CrcRecord::parse(&record.bytes()), Some(record));
        for bit in 0..RECORD_BYTES * 8 {
            let mut bytes = record.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(CrcRecord::parse(&bytes), None, "bit {bit}");
        }
        assert_eq!(CrcRecord::parse(&[0; RECORD_BYTES]), None);
    }
}
