//! The bytes of a stack's header page and of what stands behind the planes: the chain of pages and ImageJ's labels.
//! Header: TIFF header, directory at 8, resolution at 256, description at 512, planes from 4096. Bytes 8 to 255 keep room
//! for two more entries (the labels).

use super::{GreyDepth, TiffStackOptions};

/// Where the first plane begins.
pub(crate) const HEADER_BYTES: u64 = 4096;

/// ImageJ counts planes in a signed 32-bit number.
pub(crate) const MAX_PLANES: u64 = i32::MAX as u64;

/// Bytes of a page's directory in the chain: a count, 14 entries of 12 bytes, the next offset.
pub(crate) const PAGE_IFD_BYTES: u64 = 2 + 14 * 12 + 4;

const IFD_OFFSET: usize = 8;
const FIRST_IFD_ENTRIES: usize = 15;
const RESOLUTION_OFFSET: u32 = 256;
const DESCRIPTION_OFFSET: u32 = 512;
const COUNT_DIGITS: usize = 10;

// Field types of TIFF 6.0.
const BYTE: u16 = 1;
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

/// One entry of a directory; a value that doesn't fit is the offset of where it stands.
struct Entry {
    tag: u16,
    kind: u16,
    n: u32,
    value: u32,
}

/// What the header page of a stack says.
#[derive(Debug)]
pub(crate) struct Header {
    n_channels: u32,
    width_px: u32,
    height_px: u32,
    bits: u32,
    pub(crate) plane_bytes: u32,
    /// Pixels per nm, or 1 per nothing: numerator, denominator.
    resolution: (u32, u32),
    description: Vec<u8>,
    /// Offsets in the file of the digits of `images=` and `frames=`.
    counts: [u64; 2],
}

impl Header {
    /// Checks the options; the error is the cause in words.
    pub(crate) fn new(options: &TiffStackOptions) -> Result<Self, String> {
        Self::hyperstack(options, 1)
    }

    /// As [`Header::new`], with `n_channels` planes for each time: ImageJ's TCYX.
    pub(crate) fn hyperstack(options: &TiffStackOptions, n_channels: u32) -> Result<Self, String> {
        let (w, h) = (options.width_px, options.height_px);
        let bytes_per_px = options.depth.bytes_per_px();
        let plane_bytes = w
            .checked_mul(h)
            .and_then(|n| n.checked_mul(bytes_per_px))
            .filter(|&n| n > 0)
            .ok_or_else(|| format!("a plane of {w} × {h} px, {bytes_per_px} bytes each"))?;
        let resolution = match options.nm_per_px {
            None => (1, 1),
            Some(size) => px_per_nm(size).ok_or_else(|| format!("a pixel of {size} nm"))?,
        };
        if let Some(interval) = options.frame_interval_s
            && !(interval.is_finite() && interval > 0.0)
        {
            return Err(format!("frames every {interval} s"));
        }
        let (description, counts) = describe(options, n_channels);
        Ok(Self {
            n_channels,
            width_px: w,
            height_px: h,
            bits: 8 * bytes_per_px,
            plane_bytes,
            resolution,
            description,
            counts,
        })
    }

    /// The first 4096 bytes of the file, with a count of zero and no next page.
    pub(crate) fn page(&self) -> Vec<u8> {
        let mut page = b"II\x2a\x00\x08\x00\x00\x00".to_vec();
        let entries = self.first_entries();
        debug_assert_eq!(entries.len(), FIRST_IFD_ENTRIES);
        push_ifd(&mut page, &entries, 0);
        page.resize(RESOLUTION_OFFSET as usize, 0);
        for _ in 0..2 {
            page.extend(self.resolution.0.to_le_bytes());
            page.extend(self.resolution.1.to_le_bytes());
        }
        page.resize(DESCRIPTION_OFFSET as usize, 0);
        page.extend(&self.description);
        page.resize(HEADER_BYTES as usize, 0);
        page
    }

    /// Where and what to write when there are `n_planes`, a multiple of the channels.
    pub(crate) fn count_patches(&self, n_planes: u64) -> [(u64, Vec<u8>); 2] {
        let digits = |n: u64| format!("{n:0COUNT_DIGITS$}").into_bytes();
        let [images, frames] = self.counts;
        [(images, digits(n_planes)), (frames, digits(n_planes / u64::from(self.n_channels)))]
    }

    /// Where and what to write so that the first directory knows labels and is followed by a chain at `chain` (0: none).
    pub(crate) fn final_directory(&self, chain: u64, labels: Option<&Labels>) -> (u64, Vec<u8>) {
        let mut entries = self.first_entries();
        if let Some(labels) = labels {
            entries.push(Entry { tag: 50838, kind: LONG, n: labels.n + 1, value: labels.counts_offset });
            entries.push(Entry { tag: 50839, kind: BYTE, n: labels.n_bytes, value: labels.offset });
        }
        let mut bytes = Vec::new();
        push_ifd(&mut bytes, &entries, chain as u32);
        (IFD_OFFSET as u64, bytes)
    }

    /// The directories of planes 1 to `n_planes` - 1, to stand at `start`. The caller has made
    /// sure that everything lies below 4 GiB.
    pub(crate) fn chain(&self, start: u64, n_planes: u64) -> Vec<u8> {
        let mut chain = Vec::with_capacity((PAGE_IFD_BYTES * n_planes) as usize);
        for plane in 1..n_planes {
            let offset = HEADER_BYTES + plane * u64::from(self.plane_bytes);
            let next = match plane + 1 < n_planes {
                true => start + plane * PAGE_IFD_BYTES,
                false => 0,
            };
            push_ifd(&mut chain, &self.entries(offset as u32), next as u32);
        }
        chain
    }

    /// Where and what to write so that the first page is followed by a chain at `start`.
    pub(crate) fn link(&self, start: u64) -> (u64, [u8; 4]) {
        let offset = IFD_OFFSET + 2 + FIRST_IFD_ENTRIES * 12;
        (offset as u64, (start as u32).to_le_bytes())
    }

    /// What the first page says.
    fn first_entries(&self) -> Vec<Entry> {
        let mut entries = self.entries(HEADER_BYTES as u32);
        let description = Entry { tag: 270, kind: ASCII, n: self.description.len() as u32, value: DESCRIPTION_OFFSET };
        let place = entries.partition_point(|e| e.tag < description.tag);
        entries.insert(place, description);
        entries
    }

    /// What every page says, in the order of the tags.
    fn entries(&self, plane_offset: u32) -> Vec<Entry> {
        let one = |tag, kind, value| Entry { tag, kind, n: 1, value };
        vec![
            one(254, LONG, 0),                         // NewSubfileType
            one(256, LONG, self.width_px),             // ImageWidth
            one(257, LONG, self.height_px),            // ImageLength
            one(258, SHORT, self.bits),                // BitsPerSample
            one(259, SHORT, 1),                        // Compression: none
            one(262, SHORT, 1),                        // Photometric: black is zero
            one(273, LONG, plane_offset),              // StripOffsets
            one(277, SHORT, 1),                        // SamplesPerPixel
            one(278, LONG, self.height_px),            // RowsPerStrip
            one(279, LONG, self.plane_bytes),          // StripByteCounts
            one(282, RATIONAL, RESOLUTION_OFFSET),     // XResolution
            one(283, RATIONAL, RESOLUTION_OFFSET + 8), // YResolution
            one(296, SHORT, 1),                        // ResolutionUnit: as the description says
            one(339, SHORT, 1),                        // SampleFormat: unsigned
        ]
    }
}

/// `IJIJ` and `labl` in little-endian order.
const LABELS_MAGIC: &[u8; 8] = b"JIJIlbal";

/// ImageJ's labels, one for each plane, as they stand in the file.
#[derive(Debug)]
pub(crate) struct Labels {
    n: u32,
    counts_offset: u32,
    offset: u32,
    n_bytes: u32,
    /// The sizes, then the texts.
    pub(crate) bytes: Vec<u8>,
}

impl Labels {
    /// Labels that will stand at `offset` of the file; `None` when they would not lie below 4 GiB.
    ///
    /// Format as ImageJ and tifffile have it: a header that names what follows (here `labl`, backwards in a little-endian
    /// file) and how many, then UTF-16; beside it the size of the header and of each text.
    pub(crate) fn new(offset: u64, labels: &[String]) -> Option<Self> {
        let n = u32::try_from(labels.len()).ok()?;
        let mut texts = LABELS_MAGIC.to_vec();
        texts.extend(n.to_le_bytes());
        let mut counts = (texts.len() as u32).to_le_bytes().to_vec();
        for label in labels {
            let start = texts.len();
            texts.extend(label.encode_utf16().flat_map(u16::to_le_bytes));
            counts.extend(((texts.len() - start) as u32).to_le_bytes());
        }
        let texts_offset = offset + counts.len() as u64;
        let (counts_offset, n_bytes) = (u32::try_from(offset).ok()?, u32::try_from(texts.len()).ok()?);
        u32::try_from(texts_offset + texts.len() as u64).ok()?;
        counts.extend(texts);
        Some(Self { n, counts_offset, offset: texts_offset as u32, n_bytes, bytes: counts })
    }
}

impl Labels {
    /// Whether labels for `n_planes` stand where planes end.
    pub(crate) fn begin_at(file: &std::fs::File, planes_end: u64, n_planes: u64) -> std::io::Result<bool> {
        use std::io::{ErrorKind, Read, Seek, SeekFrom};
        let mut file = file;
        let mut magic = [0; 8];
        file.seek(SeekFrom::Start(planes_end + planes_end % 2 + 4 * (n_planes + 1)))?;
        match file.read_exact(&mut magic) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| magic == *LABELS_MAGIC),
        }
    }
}

/// ImageJ's description, ended by a zero, and where in the file the two counts stand.
fn describe(options: &TiffStackOptions, n_channels: u32) -> (Vec<u8>, [u64; 2]) {
    let mut text = String::from("ImageJ=1.54f\n");
    let mut counts = [0; 2];
    for (count, key) in counts.iter_mut().zip(["images=", "frames="]) {
        if key == "frames=" && n_channels > 1 {
            text.push_str(&format!("channels={n_channels}\n"));
        }
        text.push_str(key);
        *count = u64::from(DESCRIPTION_OFFSET) + text.len() as u64;
        text.push_str(&"0".repeat(COUNT_DIGITS));
        text.push('\n');
    }
    text.push_str("hyperstack=true\nmode=grayscale\n");
    if options.nm_per_px.is_some() {
        text.push_str("unit=nm\n");
    }
    if let Some(interval) = options.frame_interval_s {
        text.push_str(&format!("finterval={interval:e}\ntunit=s\n"));
    }
    if options.depth == GreyDepth::U8 {
        text.push_str("min=0.0\nmax=255.0\n");
    }
    text.push_str("loop=false\n\0");
    (text.into_bytes(), counts)
}

/// Pixels per nm as numerator and denominator; exact for decimal sizes. `None` when it can't be.
fn px_per_nm(nm_per_px: f64) -> Option<(u32, u32)> {
    if !(nm_per_px.is_finite() && nm_per_px > 0.0) {
        return None;
    }
    let fits = |scale: &u32| nm_per_px * f64::from(*scale) < f64::from(u32::MAX);
    let scale = (0..=9).rev().map(|p| 10_u32.pow(p)).find(fits)?;
    let denominator = (nm_per_px * f64::from(scale)).round();
    (denominator >= 1.0).then_some((scale, denominator as u32))
}

fn push_ifd(out: &mut Vec<u8>, entries: &[Entry], next: u32) {
    out.extend((entries.len() as u16).to_le_bytes());
    for entry in entries {
        out.extend(entry.tag.to_le_bytes());
        out.extend(entry.kind.to_le_bytes());
        out.extend(entry.n.to_le_bytes());
        // A SHORT stands in the first two bytes, which little-endian order gives by itself.
        out.extend(entry.value.to_le_bytes());
    }
    out.extend(next.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_pixel_sizes_are_exact() {
        assert_eq!(px_per_nm(54.2), Some((10_000_000, 542_000_000)));
        assert_eq!(px_per_nm(1.0), Some((1_000_000_000, 1_000_000_000)));
        assert_eq!(px_per_nm(0.0), None);
        assert_eq!(px_per_nm(f64::NAN), None);
        assert_eq!(px_per_nm(1e300), None);
    }

    #[test]
    fn the_header_page_has_its_parts_where_the_format_says() {
        let header = Header::new(&TiffStackOptions {
            width_px: 5,
            height_px: 3,
            depth: GreyDepth::U16,
            nm_per_px: None,
            frame_interval_s: None,
        })
        .unwrap();
        let page = header.page();
        assert_eq!(page.len(), 4096);
        assert_eq!(u16::from_le_bytes([page[8], page[9]]), 15);
        let tags: Vec<u16> = (0..15).map(|i| u16::from_le_bytes([page[10 + 12 * i], page[11 + 12 * i]])).collect();
        let expected = [254, 256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 282, 283, 296, 339];
        assert_eq!(tags, expected);
        for (offset, digits) in header.count_patches(1234) {
            assert_eq!(digits, b"0000001234");
            let at = offset as usize;
            assert_eq!(&page[at..at + 10], b"0000000000");
            assert_eq!(page[at + 10], b'\n');
        }
    }
}
