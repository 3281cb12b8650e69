//! Reads the frames or ROI stacks of a recording one at a time, over all parts, with each plane checked. Also of recordings
//! that still grow or were torn: a frame counts when both its pixels and its record are there.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::arrow_log::Damage;
use super::index::IndexHeader;
use super::names::{PartFiles, Stream};
use super::records::{ChannelName, FrameRecord, RoiPlace};
use crate::error::{FileError, Result};
use crate::tiff_out::GreyDepth;
use crate::tiff_out::layout::HEADER_BYTES;

/// Reads the index of one part.
#[derive(Debug)]
pub(crate) struct IndexReader {
    path: PathBuf,
    file: File,
    header: IndexHeader,
    start: u64,
    n_frames: u64,
    /// Bytes behind the last whole record.
    pub(crate) n_torn_bytes: u64,
}

impl IndexReader {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|e| FileError::reading(path, &e))?;
        let (header, start) = IndexHeader::read(path, &mut file)?;
        let mut reader = Self { path: path.to_owned(), file, header, start, n_frames: 0, n_torn_bytes: 0 };
        reader.refresh()?;
        Ok(reader)
    }

    /// Looks again how many records there are.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let length = self.file.metadata().map_err(|e| FileError::reading(&self.path, &e))?.len();
        let records = length.saturating_sub(self.start);
        let size = self.header.record_bytes() as u64;
        (self.n_frames, self.n_torn_bytes) = (records / size, records % size);
        Ok(())
    }

    pub(crate) fn header(&self) -> &IndexHeader {
        &self.header
    }

    pub(crate) fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Where record `i` begins.
    pub(crate) fn offset(&self, i: u64) -> u64 {
        self.start + i * self.header.record_bytes() as u64
    }

    /// Reads record `i` and returns the checksum of its planes; `None` if the record is damaged.
    pub(crate) fn read(&self, i: u64, frame: &mut FrameRecord, places: &mut Vec<RoiPlace>) -> Result<Option<u32>> {
        let mut bytes = vec![0; self.header.record_bytes()];
        read_at(&self.file, self.offset(i), &mut bytes).map_err(|e| FileError::reading(&self.path, &e))?;
        Ok(self.header.decode(&bytes, frame, places))
    }
}

/// Reads at a place; the handle's own place moves.
pub(crate) fn read_at(mut file: &File, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[derive(Debug)]
struct Part {
    index: IndexReader,
    tif_path: PathBuf,
    tif: File,
    /// Place of its first frame among all.
    first: u64,
    n_frames: u64,
}

/// What the planes of one part are like.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaneFormat {
    /// Width of a plane.
    pub width_px: u32,
    /// Height of a plane.
    pub height_px: u32,
    /// Type of a pixel.
    pub depth: GreyDepth,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// Size of a pixel in the sample.
    pub nm_per_px: Option<f64>,
    /// Names of the values of [`FrameRecord::channels`].
    pub channels: Vec<ChannelName>,
    /// Of ROI stacks: the beads, in the order of the planes. Empty for full frames.
    pub beads: Vec<u32>,
}

/// One frame as it was recorded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredFrame {
    /// What is known of it.
    pub record: FrameRecord,
    /// Of ROI stacks: where each ROI was.
    pub places: Vec<RoiPlace>,
    /// Pixels, row after row without gaps; ROI stacks plane after plane. u16 in the machine's byte order.
    pub pixels: Vec<u8>,
}

/// Whether a frame could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameCondition {
    /// Pixels and record are as they were written.
    Whole,
    /// The record is good, the pixels don't match their checksum; they are given as they are.
    PixelsDamaged,
    /// The record is damaged, so nothing is known of the frame; it is not given.
    RecordDamaged,
}

/// Reads frames.
#[derive(Debug)]
pub struct FramesReader {
    parts: Vec<Part>,
    n_frames: u64,
    next: u64,
    damage: Vec<Damage>,
}

impl FramesReader {
    /// `growing`: an unfinished end is no damage.
    pub(crate) fn open(dir: &Path, parts: &[PartFiles], stream: &Stream, growing: bool) -> Result<Self> {
        let mut reader = Self { parts: Vec::new(), n_frames: 0, next: 0, damage: Vec::new() };
        for files in parts.iter().filter(|p| p.stream == *stream) {
            let (tif_path, index_path) = (files.path(dir, "tif"), files.path(dir, "index"));
            if !files.has("index") {
                reader.tell(&tif_path, "its index is missing, so nothing is known of its frames".to_owned(), None);
                continue;
            }
            if !files.has("tif") {
                reader.tell(&index_path, "the video that belongs to it is missing".to_owned(), None);
                continue;
            }
            let index = match IndexReader::open(&index_path) {
                Ok(index) => index,
                Err(error) if error.kind() == crate::ErrorKind::Damaged => {
                    reader.tell(&index_path, error.cause().to_owned(), None);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let tif = File::open(&tif_path).map_err(|e| FileError::reading(&tif_path, &e))?;
            let n_frames = n_whole(&tif, &tif_path, &index)?;
            if !growing && (index.n_torn_bytes > 0 || n_frames < index.n_frames()) {
                let lost = index.n_frames() - n_frames + u64::from(index.n_torn_bytes > 0);
                reader.tell(&tif_path, format!("{lost} frames at its end are not whole"), Some(lost));
            }
            reader.parts.push(Part { index, tif_path, tif, first: reader.n_frames, n_frames });
            reader.n_frames += n_frames;
        }
        Ok(reader)
    }

    /// How many frames there are. Looks no further than when it was opened.
    #[must_use]
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// What planes are like where the next frame comes from; of the last part at the end. `None` without a part.
    #[must_use]
    pub fn format(&self) -> Option<PlaneFormat> {
        let part = self.part_of(self.next).or(self.parts.last())?;
        let header = part.index.header();
        Some(PlaneFormat {
            width_px: header.width_px,
            height_px: header.height_px,
            depth: header.depth(),
            significant_bits: header.significant_bits,
            nm_per_px: header.nm_per_px,
            channels: header.channels.clone(),
            beads: header.beads.clone().unwrap_or_default(),
        })
    }

    /// Goes to the frame at a place, from 0; the next read gives it.
    pub fn seek(&mut self, place: u64) {
        self.next = place.min(self.n_frames);
    }

    /// Reads the next frame into `frame`, whose memory is used again. `None` at the end.
    pub fn read(&mut self, frame: &mut StoredFrame) -> Result<Option<FrameCondition>> {
        let place = self.next;
        let Some(part) = self.part_of(place) else { return Ok(None) };
        let i = place - part.first;
        let size = part.index.header().frame_bytes();
        let found = part.index.read(i, &mut frame.record, &mut frame.places)?;
        let condition = match found {
            None => FrameCondition::RecordDamaged,
            Some(crc) => {
                frame.pixels.resize(size as usize, 0);
                read_at(&part.tif, HEADER_BYTES + i * size, &mut frame.pixels)
                    .map_err(|e| FileError::reading(&part.tif_path, &e))?;
                let whole = crc32c::crc32c(&frame.pixels) == crc;
                super::stack::to_little_endian(&mut frame.pixels, part.index.header().bytes_per_px);
                if whole { FrameCondition::Whole } else { FrameCondition::PixelsDamaged }
            }
        };
        let told = match condition {
            FrameCondition::Whole => None,
            FrameCondition::PixelsDamaged => Some(format!("the pixels of frame {} were changed", frame.record.index)),
            FrameCondition::RecordDamaged => Some(format!("record {i} of its index was changed")),
        };
        if let Some(what) = told {
            let path = part.tif_path.clone();
            self.tell(&path, what, Some(1));
        }
        self.next = place + 1;
        Ok(Some(condition))
    }

    /// Reads what is known of the frame at a place, without its pixels and without going there. `None` beyond the end or
    /// if its record is damaged.
    pub fn record_at(&self, place: u64, record: &mut FrameRecord, places: &mut Vec<RoiPlace>) -> Result<Option<()>> {
        let Some(part) = self.part_of(place) else { return Ok(None) };
        Ok(part.index.read(place - part.first, record, places)?.map(|_| ()))
    }

    /// What was found damaged so far.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    fn part_of(&self, place: u64) -> Option<&Part> {
        let i = self.parts.partition_point(|p| p.first <= place).checked_sub(1)?;
        // Parts without frames share their first place with the one behind.
        self.parts[..=i].iter().rev().find(|p| p.n_frames > 0 && place - p.first < p.n_frames)
    }

    fn tell(&mut self, path: &Path, what: String, n_lost: Option<u64>) {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.damage.push(Damage { file, what, n_lost });
    }
}

/// Frames whose record and pixels are both there by length.
pub(crate) fn n_whole(tif: &File, path: &Path, index: &IndexReader) -> Result<u64> {
    let length = tif.metadata().map_err(|e| FileError::reading(path, &e))?.len();
    let in_tif = length.saturating_sub(HEADER_BYTES) / index.header().frame_bytes();
    Ok(in_tif.min(index.n_frames()))
}
