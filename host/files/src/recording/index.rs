//! The index beside a video: one record per frame with its number, times, exposure, status, channels, places of ROIs, and
//! checksums of its pixels and of itself. Little-endian: `TSINDX01`, length and crc32c of the header (u32 each), the header
//! as JSON, then records of one size:
//!
//! | bytes | content |
//! |---|---|
//! | 0, 8, 16 | frame index (u64), device id (u64), device time in ns (i64) |
//! | 24, 32, 40 | arrival on the host's monotonic clock (u64), UTC (i64), exposure (i64), all ns |
//! | 48, 52 | status (u32); which of device id, device time, UTC, exposure are known (u32, bits 0 to 3) |
//! | 56, 60 | crc32c of the frame's planes (u32), zero |
//! | 64 … | channels, f64 each |
//! | … | for each bead of ROI stacks x_px, y_px (i32), 1 if inside the frame (u32) |
//! | last 4 | crc32c of the record so far |

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::records::{ChannelName, FrameRecord, RoiPlace, StackOptions};
use crate::error::{ErrorKind, FileError, Result};
use crate::tiff_out::layout::Header;
use crate::tiff_out::{GreyDepth, TiffStackOptions};

const MAGIC: &[u8; 8] = b"TSINDX01";
const FIXED_BYTES: usize = 64;
const PLACE_BYTES: usize = 12;
/// A header of more is none.
const MAX_HEADER_BYTES: u32 = 1 << 24;

/// What is the same for all frames of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexHeader {
    pub(crate) recording_id: String,
    pub(crate) width_px: u32,
    pub(crate) height_px: u32,
    pub(crate) bytes_per_px: u32,
    pub(crate) significant_bits: u32,
    pub(crate) nm_per_px: Option<f64>,
    pub(crate) frame_interval_s: Option<f64>,
    pub(crate) channels: Vec<ChannelName>,
    /// Of ROI stacks: whose plane is which. `None`: full frames.
    pub(crate) beads: Option<Vec<u32>>,
}

impl IndexHeader {
    pub(crate) fn new(recording_id: &str, options: &StackOptions, beads: Option<Vec<u32>>) -> Self {
        Self {
            recording_id: recording_id.to_owned(),
            width_px: options.width_px,
            height_px: options.height_px,
            bytes_per_px: options.depth.bytes_per_px(),
            significant_bits: options.significant_bits,
            nm_per_px: options.nm_per_px,
            frame_interval_s: options.frame_interval_s,
            channels: options.channels.clone(),
            beads,
        }
    }

    pub(crate) fn depth(&self) -> GreyDepth {
        if self.bytes_per_px == 1 { GreyDepth::U8 } else { GreyDepth::U16 }
    }

    /// Planes for each frame.
    pub(crate) fn n_planes(&self) -> u32 {
        self.beads.as_ref().map_or(1, |b| b.len() as u32)
    }

    /// Bytes of pixels for each frame.
    pub(crate) fn frame_bytes(&self) -> u64 {
        self.plane_bytes() * u64::from(self.n_planes())
    }

    pub(crate) fn plane_bytes(&self) -> u64 {
        u64::from(self.width_px) * u64::from(self.height_px) * u64::from(self.bytes_per_px)
    }

    /// Bytes of a record.
    pub(crate) fn record_bytes(&self) -> usize {
        let places = self.beads.as_ref().map_or(0, Vec::len);
        FIXED_BYTES + 8 * self.channels.len() + PLACE_BYTES * places + 4
    }

    /// The header of the video's TIFF; the error is the cause in words.
    pub(crate) fn tiff(&self) -> std::result::Result<Header, String> {
        if self.n_planes() == 0 {
            return Err("ROI stacks without a bead".to_owned());
        }
        let options = TiffStackOptions {
            width_px: self.width_px,
            height_px: self.height_px,
            depth: self.depth(),
            nm_per_px: self.nm_per_px,
            frame_interval_s: self.frame_interval_s,
        };
        Header::hyperstack(&options, self.n_planes())
    }

    /// The index file's first bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("plain numbers and texts");
        let mut bytes = MAGIC.to_vec();
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(crc32c::crc32c(&json).to_le_bytes());
        bytes.extend(json);
        bytes
    }

    /// Reads the header; the second value is where the records begin.
    pub(crate) fn read(path: &Path, file: &mut impl std::io::Read) -> Result<(Self, u64)> {
        let damaged = |cause: &str| FileError::damaged(path, cause);
        let mut prefix = [0; 16];
        file.read_exact(&mut prefix).map_err(|_| damaged("it ends inside its header"))?;
        if prefix[..6] == MAGIC[..6] && prefix[..8] > MAGIC[..] && prefix[6..8].iter().all(u8::is_ascii_digit) {
            return Err(FileError::new(
                ErrorKind::TooNew,
                format!("cannot read {}", path.display()),
                "a newer Tetherscope wrote it",
                "get a newer Tetherscope",
            ));
        }
        let u32_at = |i: usize| u32::from_le_bytes(prefix[i..i + 4].try_into().expect("four bytes"));
        let (length, crc) = (u32_at(8), u32_at(12));
        if prefix[..8] != MAGIC[..] || length > MAX_HEADER_BYTES {
            return Err(damaged("its first bytes are not those of an index"));
        }
        let mut json = vec![0; length as usize];
        file.read_exact(&mut json).map_err(|_| damaged("it ends inside its header"))?;
        if crc32c::crc32c(&json) != crc {
            return Err(damaged("its header doesn't match its checksum"));
        }
        let header: Self = serde_json::from_slice(&json).map_err(|e| damaged(&e.to_string()))?;
        header.tiff().map_err(|cause| damaged(&cause))?;
        Ok((header, 16 + u64::from(length)))
    }

    /// A frame's record, into `record`.
    pub(crate) fn encode(&self, frame: &FrameRecord, places: &[RoiPlace], plane_crc: u32, record: &mut Vec<u8>) {
        debug_assert_eq!(frame.channels.len(), self.channels.len());
        record.clear();
        record.extend(frame.index.to_le_bytes());
        record.extend(frame.device_id.unwrap_or(0).to_le_bytes());
        record.extend(frame.device_time_ns.unwrap_or(0).to_le_bytes());
        record.extend(frame.arrival_mono_ns.to_le_bytes());
        record.extend(frame.utc_ns.unwrap_or(0).to_le_bytes());
        record.extend(frame.exposure_ns.unwrap_or(0).to_le_bytes());
        record.extend(frame.status.to_le_bytes());
        let known = [
            frame.device_id.is_some(),
            frame.device_time_ns.is_some(),
            frame.utc_ns.is_some(),
            frame.exposure_ns.is_some(),
        ];
        let known = known.iter().enumerate().fold(0_u32, |bits, (i, k)| bits | u32::from(*k) << i);
        record.extend(known.to_le_bytes());
        record.extend(plane_crc.to_le_bytes());
        record.extend([0; 4]);
        record.extend(frame.channels.iter().flat_map(|v| v.to_le_bytes()));
        for place in places {
            record.extend(place.x_px.to_le_bytes());
            record.extend(place.y_px.to_le_bytes());
            record.extend(u32::from(place.inside).to_le_bytes());
        }
        record.extend(crc32c::crc32c(record).to_le_bytes());
    }

    /// Reads a record of [`IndexHeader::record_bytes`]; `None` if it was changed. The last value is the planes' checksum.
    pub(crate) fn decode(&self, record: &[u8], frame: &mut FrameRecord, places: &mut Vec<RoiPlace>) -> Option<u32> {
        let (body, crc) = record.split_at(record.len() - 4);
        if crc32c::crc32c(body).to_le_bytes() != crc {
            return None;
        }
        let u64_at = |i: usize| u64::from_le_bytes(body[i..i + 8].try_into().expect("eight bytes"));
        let u32_at = |i: usize| u32::from_le_bytes(body[i..i + 4].try_into().expect("four bytes"));
        let known = |bit: u32| u32_at(52) >> bit & 1 == 1;
        frame.index = u64_at(0);
        frame.device_id = known(0).then(|| u64_at(8));
        frame.device_time_ns = known(1).then(|| u64_at(16).cast_signed());
        frame.arrival_mono_ns = u64_at(24);
        frame.utc_ns = known(2).then(|| u64_at(32).cast_signed());
        frame.exposure_ns = known(3).then(|| u64_at(40).cast_signed());
        frame.status = u32_at(48);
        frame.channels.clear();
        frame.channels.extend((0..self.channels.len()).map(|i| f64::from_bits(u64_at(FIXED_BYTES + 8 * i))));
        places.clear();
        let start = FIXED_BYTES + 8 * self.channels.len();
        places.extend(self.beads.iter().flatten().enumerate().map(|(i, bead)| {
            let at = start + PLACE_BYTES * i;
            RoiPlace {
                bead: *bead,
                x_px: u32_at(at).cast_signed(),
                y_px: u32_at(at + 4).cast_signed(),
                inside: u32_at(at + 8) == 1,
            }
        }));
        Some(u32_at(56))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_whole_and_every_flipped_bit_is_found() {
        let options = StackOptions {
            width_px: 4,
            height_px: 3,
            depth: GreyDepth::U16,
            significant_bits: 12,
            nm_per_px: Some(54.2),
            frame_interval_s: None,
            channels: vec![ChannelName { key: "temperature_c".into(), unit: "°C".into() }],
            max_file_bytes: 1 << 30,
        };
        let header = IndexHeader::new("id", &options, Some(vec![7, 9]));
        let bytes = header.bytes();
        assert_eq!(
            IndexHeader::read(Path::new("i"), &mut bytes.as_slice()).unwrap(),
            (header.clone(), bytes.len() as u64)
        );
        for n in 0..bytes.len() {
            assert!(IndexHeader::read(Path::new("i"), &mut &bytes[..n]).is_err(), "cut at {n}");
            let mut changed = bytes.clone();
            changed[n] ^= 4;
            assert!(IndexHeader::read(Path::new("i"), &mut changed.as_slice()).is_err(), "changed at {n}");
        }

        let frame = FrameRecord {
            index: 12,
            device_id: Some(u64::MAX),
            device_time_ns: Some(-3),
            arrival_mono_ns: 99,
            utc_ns: None,
            exposure_ns: Some(1000),
            status: 2,
            channels: vec![21.5],
        };
        let places = [
            RoiPlace { bead: 7, x_px: -3, y_px: 4, inside: false },
            RoiPlace { bead: 9, x_px: 100, y_px: 200, inside: true },
        ];
        let mut record = Vec::new();
        header.encode(&frame, &places, 0xabcd, &mut record);
        assert_eq!(record.len(), header.record_bytes());
        let (mut found, mut found_places) = (FrameRecord::default(), Vec::new());
        assert_eq!(header.decode(&record, &mut found, &mut found_places), Some(0xabcd));
        assert_eq!((found, found_places.as_slice()), (frame, places.as_slice()));
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(header.decode(&record, &mut FrameRecord::default(), &mut Vec::new()), None);
            record[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
