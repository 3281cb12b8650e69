//! TIFF files written by hand for tests: both byte orders, classic and BigTIFF, strips, tiles, ImageJ's single page with
//! many images. Slow and plain, so that it can be trusted; it shares no code with the reader.

use std::io::Write;
use std::path::{Path, PathBuf};

/// How the file is written.
#[derive(Clone, Copy, Default)]
pub struct Style {
    /// Most significant byte first.
    pub big_endian: bool,
    /// BigTIFF.
    pub big_tiff: bool,
}

/// A file that grows page by page.
pub struct TiffWriter {
    style: Style,
    bytes: Vec<u8>,
    // Where the place of the next page's tags is to be written.
    next_at: usize,
}

/// Values of one tag.
pub enum Value {
    /// 16-bit numbers.
    Short(Vec<u16>),
    /// 32-bit numbers.
    Long(Vec<u32>),
    /// 64-bit numbers.
    Long8(Vec<u64>),
    /// Text; the final zero is added.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl TiffWriter {
    /// A file without pages.
    pub fn new(style: Style) -> Self {
        let mut w = Self { style, bytes: Vec::new(), next_at: 0 };
        w.bytes.extend(if style.big_endian { b"MM" } else { b"II" });
        w.short(if style.big_tiff { 43 } else { 42 });
        if style.big_tiff {
            w.short(8);
            w.short(0);
        }
        w.next_at = w.bytes.len();
        w.offset(0);
        w
    }

    /// Appends bytes at an even place; returns the place.
    pub fn append(&mut self, data: &[u8]) -> u64 {
        if self.bytes.len() % 2 == 1 {
            self.bytes.push(0);
        }
        self.bytes.extend(data);
        (self.bytes.len() - data.len()) as u64
    }

    /// Appends a page with these tags, which must be sorted.
    pub fn page(&mut self, tags: &[(u16, Value)]) {
        let (entry_bytes, inline) = if self.style.big_tiff { (20, 8) } else { (12, 4) };
        let n_count = if self.style.big_tiff { 8 } else { 2 };
        let at = self.append(&[]);
        self.patch(self.next_at, at);
        let table = at as usize + n_count + tags.len() * entry_bytes;
        let mut tail = Vec::new();
        let tail_at = (table + inline) as u64;
        self.count(tags.len() as u64, n_count);
        for (tag, value) in tags {
            let (kind, count, mut raw) = self.raw(value);
            self.short(*tag);
            self.short(kind);
            self.count(count, inline);
            if raw.len() <= inline {
                raw.resize(inline, 0);
                self.bytes.extend(raw);
            } else {
                let place = tail_at + tail.len() as u64;
                self.offset(place);
                tail.extend(raw);
                if tail.len() % 2 == 1 {
                    tail.push(0);
                }
            }
        }
        self.next_at = self.bytes.len();
        self.offset(0);
        self.bytes.extend(tail);
    }

    /// A grey page with its pixels in strips of `rows` rows. `extra` tags are merged in.
    pub fn grey(&mut self, width: u32, height: u32, bits: u16, rows: u32, pixels: &[u16], extra: Vec<(u16, Value)>) {
        let raw = self.pixels(bits, pixels);
        let strip = (rows * width) as usize * usize::from(bits / 8);
        let places: Vec<u32> = raw.chunks(strip).map(|s| self.append(s) as u32).collect();
        let lengths: Vec<u32> = raw.chunks(strip).map(|s| s.len() as u32).collect();
        let mut tags = grey_tags(width, height, bits);
        tags.extend([(273, Value::Long(places)), (278, Value::Long(vec![rows])), (279, Value::Long(lengths))]);
        self.page(&merged(tags, extra));
    }

    /// Pixels as the file keeps them.
    pub fn pixels(&self, bits: u16, pixels: &[u16]) -> Vec<u8> {
        match (bits, self.style.big_endian) {
            (8, _) => pixels.iter().map(|&p| p as u8).collect(),
            (_, true) => pixels.iter().flat_map(|p| p.to_be_bytes()).collect(),
            (_, false) => pixels.iter().flat_map(|p| p.to_le_bytes()).collect(),
        }
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn short(&mut self, v: u16) {
        self.bytes.extend(if self.style.big_endian { v.to_be_bytes() } else { v.to_le_bytes() });
    }

    fn count(&mut self, v: u64, n_bytes: usize) {
        let raw = if self.style.big_endian {
            v.to_be_bytes()[8 - n_bytes..].to_vec()
        } else {
            v.to_le_bytes()[..n_bytes].to_vec()
        };
        self.bytes.extend(raw);
    }

    fn offset(&mut self, v: u64) {
        self.count(v, if self.style.big_tiff { 8 } else { 4 });
    }

    fn patch(&mut self, at: usize, v: u64) {
        let tail = self.bytes.split_off(at);
        self.offset(v);
        let n = self.bytes.len() - at;
        self.bytes.extend(&tail[n..]);
    }

    fn raw(&self, value: &Value) -> (u16, u64, Vec<u8>) {
        let be = self.style.big_endian;
        match value {
            Value::Short(v) => {
                (3, v.len() as u64, v.iter().flat_map(|x| if be { x.to_be_bytes() } else { x.to_le_bytes() }).collect())
            }
            Value::Long(v) => {
                (4, v.len() as u64, v.iter().flat_map(|x| if be { x.to_be_bytes() } else { x.to_le_bytes() }).collect())
            }
            Value::Long8(v) => (
                16,
                v.len() as u64,
                v.iter().flat_map(|x| if be { x.to_be_bytes() } else { x.to_le_bytes() }).collect(),
            ),
            Value::Text(t) => (2, t.len() as u64 + 1, t.bytes().chain([0]).collect()),
            Value::Bytes(b) => (1, b.len() as u64, b.clone()),
        }
    }
}

/// The tags that every grey page has, pixels apart.
pub fn grey_tags(width: u32, height: u32, bits: u16) -> Vec<(u16, Value)> {
    vec![
        (256, Value::Long(vec![width])),
        (257, Value::Long(vec![height])),
        (258, Value::Short(vec![bits])),
        (259, Value::Short(vec![1])),
        (262, Value::Short(vec![1])),
        (277, Value::Short(vec![1])),
    ]
}

/// Tags with some replaced or added, sorted.
pub fn merged(mut tags: Vec<(u16, Value)>, extra: Vec<(u16, Value)>) -> Vec<(u16, Value)> {
    tags.retain(|(tag, _)| extra.iter().all(|(other, _)| other != tag));
    tags.extend(extra);
    tags.sort_by_key(|(tag, _)| *tag);
    tags
}

/// A picture that differs from page to page and from pixel to pixel.
pub fn picture(width: u32, height: u32, bits: u16, page: u32) -> Vec<u16> {
    let mask = if bits == 8 { 0xff } else { 0xffff };
    (0..width * height).map(|i| ((i * 37 + page * 1009 + (i / width) * 11) & mask) as u16).collect()
}

/// A picture as `read` must give it: 16-bit pixels in the machine's byte order.
pub fn native(bits: u16, pixels: &[u16]) -> Vec<u8> {
    if bits == 8 {
        pixels.iter().map(|&p| p as u8).collect()
    } else {
        pixels.iter().flat_map(|p| p.to_ne_bytes()).collect()
    }
}

/// ImageJ's stack: one page, its images one behind the other.
pub fn imagej(style: Style, size: (u32, u32), bits: u16, n_images: u32, lines: &str) -> Vec<u8> {
    let (width, height) = size;
    let mut w = TiffWriter::new(style);
    let all: Vec<u16> = (0..n_images).flat_map(|page| picture(width, height, bits, page)).collect();
    let text = format!("ImageJ=1.53t\nimages={n_images}\n{lines}");
    let raw = w.pixels(bits, &all);
    let place = 4096_u32;
    let mut tags = grey_tags(width, height, bits);
    tags.extend([
        (270, Value::Text(text)),
        (273, Value::Long(vec![place])),
        (278, Value::Long(vec![height])),
        (279, Value::Long(vec![width * height * u32::from(bits / 8)])),
    ]);
    w.page(&merged(tags, Vec::new()));
    let mut bytes = w.finish();
    bytes.resize(place as usize, 0);
    bytes.extend(raw);
    bytes
}

/// A plain stack of `n_pages` pages in one strip each.
pub fn stack(style: Style, size: (u32, u32), bits: u16, n_pages: u32) -> Vec<u8> {
    let mut w = TiffWriter::new(style);
    for page in 0..n_pages {
        w.grey(size.0, size.1, bits, size.1, &picture(size.0, size.1, bits, page), Vec::new());
    }
    w.finish()
}

/// Writes a file into a folder.
pub fn save(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    path
}
