//! The skeleton of a TIFF: header, list of pages, and the tags of a page, classic and BigTIFF, both byte orders. Reads
//! numbers and text; what they mean is decided by `page.rs`.
//!
//! Format: TIFF Revision 6.0 (Adobe, 1992), and the BigTIFF design of libtiff.

use super::bytes::Bytes;
use crate::fault::Fault;

/// Most tags that a page may have; more is taken for damage. Real pages have 10 to 40.
const MAX_TAGS: u64 = 4096;
/// Longest value that is read. The list of strips of a huge image is 1 MB.
const MAX_VALUE_BYTES: u64 = 64 << 20;
/// Bytes of the longest header.
pub const HEADER_BYTES: usize = 16;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// Most significant byte first.
    pub big_endian: bool,
    /// 64-bit offsets.
    pub big_tiff: bool,
    /// Where the first page's tags lie.
    pub first_ifd: u64,
}

/// The tags of one page.
#[derive(Debug)]
pub struct Ifd {
    header: Header,
    entries: Vec<Entry>,
    /// Where the next page's tags lie; 0 at the last page.
    pub next: u64,
}

/// One tag: its values, or where they lie.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    payload: [u8; 8],
}

impl Header {
    /// Reads the header. Fails for what is not a TIFF.
    pub fn read(bytes: &mut Bytes) -> Result<Self, Fault> {
        let not_tiff = || {
            Fault::refused(
                "it is not a TIFF file",
                "give a TIFF stack or a folder of TIFF or PNG images; ImageJ or ffmpeg (`-pix_fmt gray`) convert videos",
            )
        };
        if bytes.len() == 0 {
            return Err(Fault::damaged("the file is empty"));
        }
        let mut start = [0; HEADER_BYTES];
        let n = HEADER_BYTES.min(usize::try_from(bytes.len()).unwrap_or(HEADER_BYTES));
        bytes.read_at(0, &mut start[..n])?;
        if n < 4 {
            return Err(Fault::damaged("the header ends too early"));
        }
        let big_endian = match &start[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return Err(not_tiff()),
        };
        let mut header = Header { big_endian, big_tiff: false, first_ifd: 0 };
        header.big_tiff = match header.number(&start[2..4]) {
            42 => false,
            43 => true,
            _ => return Err(not_tiff()),
        };
        if n < header.len() {
            return Err(Fault::damaged("the header ends too early"));
        }
        if header.big_tiff && header.number(&start[4..8]) != if big_endian { 8 << 16 } else { 8 } {
            return Err(not_tiff());
        }
        header.first_ifd = header.number(if header.big_tiff { &start[8..16] } else { &start[4..8] });
        Ok(header)
    }

    /// Bytes of this header.
    pub fn len(&self) -> usize {
        if self.big_tiff { HEADER_BYTES } else { 8 }
    }

    /// A header that names `first_ifd` as the first page, for a reader that shall see that page alone.
    pub fn naming(&self, first_ifd: u64) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut put = |at: usize, n: usize, value: u64| {
            if self.big_endian {
                out[at..at + n].copy_from_slice(&value.to_be_bytes()[8 - n..]);
            } else {
                out[at..at + n].copy_from_slice(&value.to_le_bytes()[..n]);
            }
        };
        put(0, 2, if self.big_endian { 0x4d4d } else { 0x4949 });
        put(2, 2, if self.big_tiff { 43 } else { 42 });
        if self.big_tiff {
            put(4, 2, 8);
            put(8, 8, first_ifd);
        } else {
            put(4, 4, first_ifd);
        }
        out
    }

    /// An unsigned number of up to eight bytes in the file's byte order.
    fn number(&self, bytes: &[u8]) -> u64 {
        let shift_in = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, shift_in) } else { bytes.iter().rev().fold(0, shift_in) }
    }
}

impl Ifd {
    /// Reads the tags at `at`.
    pub fn read(bytes: &mut Bytes, header: Header, at: u64) -> Result<Self, Fault> {
        let (count_bytes, entry_bytes, offset_bytes) = if header.big_tiff { (8, 20, 8) } else { (2, 12, 4) };
        let mut count = [0; 8];
        bytes.read_at(at, &mut count[..count_bytes])?;
        let n = header.number(&count[..count_bytes]);
        if n == 0 || n > MAX_TAGS {
            return Err(Fault::damaged(format!("its list of tags has {n} entries")));
        }
        let table = bytes.vec_at(at.saturating_add(count_bytes as u64), n * entry_bytes + offset_bytes)?;
        let (table, next) = table.split_at((n * entry_bytes) as usize);
        let entries = table
            .chunks_exact(entry_bytes as usize)
            .map(|e| {
                let (head, value) = e.split_at(e.len() - offset_bytes as usize);
                let mut payload = [0; 8];
                payload[..value.len()].copy_from_slice(value);
                Entry {
                    tag: header.number(&head[..2]) as u16,
                    kind: header.number(&head[2..4]) as u16,
                    count: header.number(&head[4..]),
                    payload,
                }
            })
            .collect();
        Ok(Self { header, entries, next: header.number(next) })
    }

    /// True when the page has the tag.
    pub fn has(&self, tag: u16) -> bool {
        self.entry(tag).is_some()
    }

    /// All values of an unsigned tag; None when the page lacks it.
    pub fn numbers(&self, bytes: &mut Bytes, tag: u16) -> Result<Option<Vec<u64>>, Fault> {
        let Some(entry) = self.entry(tag) else { return Ok(None) };
        let size = match entry.kind {
            1 | 7 => 1,
            3 => 2,
            4 | 13 => 4,
            16 | 18 => 8,
            kind => return Err(Fault::damaged(format!("its tag {tag} has the type {kind}, a number is needed"))),
        };
        let raw = self.raw(bytes, entry, size)?;
        Ok(Some(raw.chunks_exact(size as usize).map(|v| self.header.number(v)).collect()))
    }

    /// The only or first value of an unsigned tag, `otherwise` when the page lacks it.
    pub fn number_or(&self, bytes: &mut Bytes, tag: u16, otherwise: u64) -> Result<u64, Fault> {
        let values = self.numbers(bytes, tag)?;
        Ok(values.and_then(|v| v.first().copied()).unwrap_or(otherwise))
    }

    /// The bytes of a text or byte tag; None when the page lacks it or they cannot be read: nothing depends on them.
    pub fn raw_bytes(&self, bytes: &mut Bytes, tag: u16) -> Option<Vec<u8>> {
        let entry = self.entry(tag).filter(|e| matches!(e.kind, 1 | 2 | 7))?;
        self.raw(bytes, entry, 1).ok()
    }

    /// A text tag, what is not UTF-8 replaced; None when the page lacks it or it cannot be read.
    pub fn text(&self, bytes: &mut Bytes, tag: u16) -> Option<String> {
        let raw = self.raw_bytes(bytes, tag)?;
        let end = raw.iter().position(|&b| b == 0).unwrap_or(raw.len());
        Some(String::from_utf8_lossy(&raw[..end]).into_owned())
    }

    fn entry(&self, tag: u16) -> Option<Entry> {
        self.entries.iter().find(|e| e.tag == tag).copied()
    }

    /// The bytes of a value of `size` bytes per item: in the entry itself where they fit, else where it points to.
    fn raw(&self, bytes: &mut Bytes, entry: Entry, size: u64) -> Result<Vec<u8>, Fault> {
        let offset_bytes = if self.header.big_tiff { 8 } else { 4 };
        let n_bytes = entry.count.saturating_mul(size);
        if n_bytes > MAX_VALUE_BYTES {
            return Err(Fault::damaged(format!("its tag {} has {} values", entry.tag, entry.count)));
        }
        if n_bytes <= offset_bytes {
            return Ok(entry.payload[..n_bytes as usize].to_vec());
        }
        bytes.vec_at(self.header.number(&entry.payload[..offset_bytes as usize]), n_bytes)
    }
}
