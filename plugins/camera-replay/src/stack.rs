//! A TIFF file as a video: its list of pages, made once when it is opened, and the pixels of each, read when asked for.
//! Unpacked pages are read straight into the caller's memory; packed and tiled ones go through `decode.rs`.

mod bytes;
mod decode;
mod description;
mod ifd;
mod page;
#[cfg(test)]
mod tests;

use crate::fault::Fault;
use crate::shape::{Shape, invert, swap_bytes};
use crate::times::Times;
use bytes::Bytes;
use ifd::{Header, Ifd};
use page::{Data, Page};
use std::collections::HashSet;
use std::path::Path;

/// An open TIFF file with at least one complete page.
#[derive(Debug)]
pub struct Stack {
    bytes: Bytes,
    header: Header,
    shape: Shape,
    white_is_zero: bool,
    pages: Vec<PageRef>,
    times: Times,
    significant_bits: Option<u32>,
    damage: Option<Fault>,
}

/// Where a page lies. Kept small: a long video has a million of them.
#[derive(Debug, Clone, Copy)]
enum PageRef {
    /// Unpacked pixels in one piece, from here on.
    Pixels(u64),
    /// The page's tags, to be read again with the pixels.
    Tags(u64),
}

impl Stack {
    /// Opens a file and lists its pages. A file that is cut short opens as long as its first page is complete; then
    /// [`Stack::damage`] says what is missing. Pages of different size or type are refused.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let mut bytes = Bytes::open(path)?;
        let header = Header::read(&mut bytes)?;
        if header.first_ifd == 0 {
            return Err(Fault::damaged("the file holds no images: its writer did not finish it"));
        }
        let (ifd, first) = read_page(&mut bytes, header, header.first_ifd).map_err(|f| f.at("page 1"))?;
        let mut list = PageList::new(&first, header.first_ifd);
        list.walk(&mut bytes, header, &ifd)?;
        let text = ifd.text(&mut bytes, page::DESCRIPTION).unwrap_or_default();
        let description = description::read(&text, list.pages.len(), list.damage.is_some());
        list.add_imagej_images(&bytes, ifd.next, description.imagej_images.unwrap_or(1));
        let mut times = std::mem::take(&mut list.record_times);
        if !times.known() {
            times = label_times(&mut bytes, header, &ifd, &list);
        }
        if !times.known() {
            times = description.times;
        }
        Ok(Self {
            bytes,
            header,
            shape: first.shape,
            white_is_zero: first.white_is_zero,
            pages: list.pages,
            times,
            significant_bits: description.significant_bits.filter(|&b| b <= first.shape.bits),
            damage: list.damage,
        })
    }

    /// Size and type of every page.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Number of complete pages, at least 1.
    pub fn n_frames(&self) -> u64 {
        self.pages.len() as u64
    }

    /// What the file says about time.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Bits that carry the value, where the file says so.
    pub fn significant_bits(&self) -> Option<u32> {
        self.significant_bits
    }

    /// What is missing at the end of a file that is cut short.
    pub fn damage(&self) -> Option<&Fault> {
        self.damage.as_ref()
    }

    /// Reads page `index` into `out`, which holds exactly one image: rows without gaps, 16-bit pixels in the machine's
    /// byte order, black as zero.
    pub fn read(&mut self, index: u64, out: &mut [u8]) -> Result<(), Fault> {
        debug_assert_eq!(out.len(), self.shape.image_bytes());
        self.read_page(index, out).map_err(|f| f.at(&format!("page {} of {}", index + 1, self.pages.len())))
    }

    fn read_page(&mut self, index: u64, out: &mut [u8]) -> Result<(), Fault> {
        match self.pages[index as usize] {
            PageRef::Pixels(at) => self.bytes.read_at(at, out)?,
            PageRef::Tags(at) => {
                let (_, page) = read_page(&mut self.bytes, self.header, at)?;
                self.shape.must_equal(&page.shape, "it")?;
                match page.data {
                    Data::Encoded => return decode::page(&mut self.bytes, self.header, at, &self.shape, out),
                    Data::Whole(at) => self.bytes.read_at(at, out)?,
                    Data::Strips { rows, offsets } => {
                        let strips = out.chunks_mut(rows as usize * self.shape.row_bytes());
                        for (strip, at) in strips.zip(offsets) {
                            self.bytes.read_at(at, strip)?;
                        }
                    }
                }
            }
        }
        if self.shape.bits == 16 && self.header.big_endian != cfg!(target_endian = "big") {
            swap_bytes(out);
        }
        if self.white_is_zero {
            invert(out);
        }
        Ok(())
    }
}

/// Reads the tags at `at` and what they mean.
fn read_page(bytes: &mut Bytes, header: Header, at: u64) -> Result<(Ifd, Page), Fault> {
    let ifd = Ifd::read(bytes, header, at)?;
    let page = page::read(bytes, &ifd)?;
    Ok((ifd, page))
}

/// The pages found so far, and why there are no more.
struct PageList {
    first: Page,
    seen: HashSet<u64>,
    pages: Vec<PageRef>,
    record_times: Times,
    damage: Option<Fault>,
}

impl PageList {
    /// A list with the first page.
    fn new(first: &Page, at: u64) -> Self {
        Self {
            first: first.clone(),
            seen: HashSet::from([at]),
            pages: vec![Self::page_ref(first, at)],
            record_times: Times::Unknown,
            damage: None,
        }
    }

    fn page_ref(page: &Page, at: u64) -> PageRef {
        match page.data {
            Data::Whole(pixels_at) => PageRef::Pixels(pixels_at),
            _ => PageRef::Tags(at),
        }
    }

    /// Follows the chain of pages to its end, or to the first page that is not complete. Fails for a page that is whole
    /// and differs from the first.
    fn walk(&mut self, bytes: &mut Bytes, header: Header, first: &Ifd) -> Result<(), Fault> {
        let mut record_times = Vec::new();
        record_times.extend(record_time(bytes, first));
        let mut next = first.next;
        while next != 0 {
            let number = self.pages.len() + 1;
            if !self.seen.insert(next) {
                self.damage = Some(self.missing(Fault::damaged(format!(
                    "page {number}: the list of pages leads back to a page before it"
                ))));
                break;
            }
            match self.next_page(bytes, header, next) {
                Ok((ifd, kept)) => {
                    if kept && record_times.len() + 1 == number {
                        record_times.extend(record_time(bytes, &ifd));
                    }
                    next = ifd.next;
                }
                Err(fault) if fault.is_damage() => {
                    self.damage = Some(self.missing(fault.at(&format!("page {number}"))));
                    break;
                }
                Err(fault) => return Err(fault.at(&format!("page {number}"))),
            }
        }
        self.record_times = Times::each(record_times, self.pages.len());
        Ok(())
    }

    /// Reads the page at `at` and keeps it, unless it is a thumbnail or mask. Says whether it was kept.
    fn next_page(&mut self, bytes: &mut Bytes, header: Header, at: u64) -> Result<(Ifd, bool), Fault> {
        let ifd = Ifd::read(bytes, header, at)?;
        if page::is_side_page(bytes, &ifd)? {
            return Ok((ifd, false));
        }
        let page = page::read(bytes, &ifd)?;
        self.first.shape.must_equal(&page.shape, "it")?;
        if page.white_is_zero != self.first.white_is_zero {
            return Err(Fault::refused(
                "black and white are the other way round than in the first page",
                "save all pages in one way (ImageJ: File > Save As)",
            ));
        }
        self.pages.push(Self::page_ref(&page, at));
        Ok((ifd, true))
    }

    /// ImageJ writes the images of a stack one behind the other, the list of the pages behind them all, or no list where
    /// they are larger than 4 GB. Adds the images that the description names and the list does not. `next` is where the
    /// first page says that the second one lies.
    fn add_imagej_images(&mut self, bytes: &Bytes, next: u64, n_images: u64) {
        let Data::Whole(start) = self.first.data else { return };
        let listed = self.pages.len() as u64;
        let image_bytes = self.first.shape.image_bytes() as u64;
        let list_is_behind = next == 0 || start.saturating_add(n_images.saturating_mul(image_bytes)) <= next;
        let may_add = listed == 1 || self.damage.is_some();
        if n_images <= listed || !may_add || !list_is_behind || !self.lie_one_behind_the_other(start) {
            return;
        }
        let n_fit = (bytes.len() - start) / image_bytes;
        let n = n_images.min(n_fit);
        self.pages = (0..n).map(|i| PageRef::Pixels(start + i * image_bytes)).collect();
        self.damage = (n < n_images).then(|| {
            let cause = format!("page {} of {n_images} lies beyond the end of the file ({} bytes)", n + 1, bytes.len());
            self.missing(Fault::damaged(cause))
        });
    }

    /// True when every listed page begins where the one before it ends.
    fn lie_one_behind_the_other(&self, start: u64) -> bool {
        let image_bytes = self.first.shape.image_bytes() as u64;
        let mut places = (0_u64..).map(|i| start.checked_add(i.checked_mul(image_bytes)?));
        self.pages.iter().all(|p| matches!(p, PageRef::Pixels(at) if places.next() == Some(Some(*at))))
    }

    /// Adds how many pages are complete.
    fn missing(&self, fault: Fault) -> Fault {
        fault.and(&format!("; the {} before it are complete", self.pages.len()))
    }
}

/// The time that Micro-Manager wrote beside a page.
fn record_time(bytes: &mut Bytes, ifd: &Ifd) -> Option<i64> {
    description::micro_manager_time_ns(&ifd.text(bytes, page::MICRO_MANAGER)?)
}

/// Times from ImageJ's slice labels, if every label has one.
fn label_times(bytes: &mut Bytes, header: Header, ifd: &Ifd, list: &PageList) -> Times {
    let counts = ifd.numbers(bytes, page::IMAGEJ_METADATA_COUNTS).ok().flatten().unwrap_or_default();
    let data = ifd.raw_bytes(bytes, page::IMAGEJ_METADATA).unwrap_or_default();
    let labels = description::imagej_labels(&data, &counts, header.big_endian).unwrap_or_default();
    let mut times_ns: Vec<i64> = labels.iter().map_while(|label| description::label_time_ns(label)).collect();
    if list.damage.is_some() {
        times_ns.truncate(list.pages.len());
    }
    Times::each(times_ns, list.pages.len())
}
