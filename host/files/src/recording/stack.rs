//! A live video: planes go into a TIFF that ImageJ opens while it grows, and a record for each frame into the index beside
//! it. The count in the TIFF is patched after planes were written, never before.

use std::path::Path;
use std::time::{Duration, Instant};

use super::index::IndexHeader;
use super::live::{LiveFile, OpenFiles};
use super::records::{FrameRecord, PlaneView, RoiPlace};
use crate::error::{FileError, Result};
use crate::tiff_out::layout::{Header, MAX_PLANES};

/// The count is patched so often.
const PATCH_EVERY: Duration = Duration::from_millis(500);

/// Writes one part of a video.
#[derive(Debug)]
pub(crate) struct LiveStack {
    tif: LiveFile,
    index: LiveFile,
    tiff: Header,
    header: IndexHeader,
    n_frames: u64,
    n_patched: u64,
    patched: Instant,
    scratch: Vec<u8>,
    record: Vec<u8>,
    pub(crate) first_frame: Option<u64>,
    pub(crate) last_frame: Option<u64>,
}

impl LiveStack {
    /// Begins both files; if one can't be made, neither is left behind.
    pub(crate) fn create(tif: &Path, index: &Path, header: IndexHeader, open: &OpenFiles) -> Result<Self> {
        let tiff = header
            .tiff()
            .map_err(|cause| FileError::invalid(tif, cause, "check the size of the frames and the list of beads"))?;
        let tif_file = LiveFile::create(tif, open)?;
        let index_file = LiveFile::create(index, open).inspect_err(|_| drop(std::fs::remove_file(tif)))?;
        let mut stack = Self {
            tif: tif_file,
            index: index_file,
            tiff,
            header,
            n_frames: 0,
            n_patched: 0,
            patched: Instant::now(),
            scratch: Vec::new(),
            record: Vec::new(),
            first_frame: None,
            last_frame: None,
        };
        let begun = stack.index.append(&stack.header.bytes()).and_then(|_| stack.tif.append(&stack.tiff.page()));
        if let Err(error) = begun {
            let _ = std::fs::remove_file(tif);
            let _ = std::fs::remove_file(index);
            return Err(error);
        }
        Ok(stack)
    }

    pub(crate) fn n_frames(&self) -> u64 {
        self.n_frames
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.tif.end() + self.index.end()
    }

    /// Whether another frame would make the file larger than that.
    pub(crate) fn is_full(&self, max_file_bytes: u64) -> bool {
        let n_planes = (self.n_frames + 1) * u64::from(self.header.n_planes());
        let over = self.tif.end() + self.header.frame_bytes() > max_file_bytes;
        self.n_frames > 0 && (over || n_planes > MAX_PLANES)
    }

    /// Appends a full frame.
    pub(crate) fn append_view(&mut self, view: &PlaneView<'_>, frame: &FrameRecord) -> Result<()> {
        let row = self.header.width_px as usize * self.header.bytes_per_px as usize;
        let rows = self.header.height_px as usize;
        let shape = (view.width_px, view.height_px, view.depth);
        if shape != (self.header.width_px, self.header.height_px, self.header.depth()) {
            return Err(self.refused(format!(
                "a frame of {} × {} px, {} bytes each, came into a video of {} × {} px, {} bytes each",
                view.width_px,
                view.height_px,
                view.depth.bytes_per_px(),
                self.header.width_px,
                self.header.height_px,
                self.header.bytes_per_px
            )));
        }
        let needed = (rows - 1).checked_mul(view.row_stride_bytes).and_then(|n| n.checked_add(row));
        if view.row_stride_bytes < row || needed.is_none_or(|n| n > view.bytes.len()) {
            return Err(self.refused(format!(
                "{} bytes with a stride of {} hold no {rows} rows of {row} bytes",
                view.bytes.len(),
                view.row_stride_bytes
            )));
        }
        if view.row_stride_bytes == row && !swapped(self.header.bytes_per_px) {
            return self.append(&view.bytes[..row * rows], frame, &[]);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        for line in view.bytes.chunks(view.row_stride_bytes).take(rows) {
            scratch.extend_from_slice(&line[..row]);
        }
        to_little_endian(&mut scratch, self.header.bytes_per_px);
        let appended = self.append(&scratch, frame, &[]);
        self.scratch = scratch;
        appended
    }

    /// Appends the ROIs of one frame, plane after plane without gaps, in the order of the beads.
    pub(crate) fn append_rois(&mut self, planes: &[u8], places: &[RoiPlace], frame: &FrameRecord) -> Result<()> {
        let same = self.header.beads.iter().flatten().eq(places.iter().map(|p| &p.bead));
        if !same || planes.len() as u64 != self.header.frame_bytes() {
            return Err(self.refused(format!(
                "{} bytes for {} ROIs came into stacks of {} ROIs of {} bytes",
                planes.len(),
                places.len(),
                self.header.n_planes(),
                self.header.plane_bytes()
            )));
        }
        if !swapped(self.header.bytes_per_px) {
            return self.append(planes, frame, places);
        }
        let mut scratch = planes.to_vec();
        to_little_endian(&mut scratch, self.header.bytes_per_px);
        self.append(&scratch, frame, places)
    }

    fn append(&mut self, planes: &[u8], frame: &FrameRecord, places: &[RoiPlace]) -> Result<()> {
        if frame.channels.len() != self.header.channels.len() {
            return Err(self.refused(format!(
                "{} values of channels came, this video has {} channels",
                frame.channels.len(),
                self.header.channels.len()
            )));
        }
        let start = self.tif.append(planes)?;
        self.header.encode(frame, places, crc32c::crc32c(planes), &mut self.record);
        if let Err(error) = self.index.append(&self.record) {
            self.tif.take_back(start);
            return Err(error);
        }
        self.n_frames += 1;
        self.first_frame.get_or_insert(frame.index);
        self.last_frame = Some(frame.index);
        if self.patched.elapsed() >= PATCH_EVERY {
            self.patch()?;
        }
        Ok(())
    }

    /// Brings the count in the TIFF up to date.
    pub(crate) fn patch(&mut self) -> Result<()> {
        self.patched = Instant::now();
        if self.n_patched == self.n_frames {
            return Ok(());
        }
        let n_planes = self.n_frames * u64::from(self.header.n_planes());
        self.tif.patch(&self.tiff.count_patches(n_planes))?;
        self.n_patched = self.n_frames;
        Ok(())
    }

    fn refused(&self, cause: String) -> FileError {
        FileError::invalid(self.tif.path(), cause, "begin a new part for frames of another shape")
    }
}

/// Whether pixels have to be turned round: TIFFs are little-endian.
fn swapped(bytes_per_px: u32) -> bool {
    cfg!(target_endian = "big") && bytes_per_px == 2
}

pub(crate) fn to_little_endian(bytes: &mut [u8], bytes_per_px: u32) {
    if swapped(bytes_per_px) {
        let (pixels, _) = bytes.as_chunks_mut::<2>();
        pixels.iter_mut().for_each(|p| p.reverse());
    }
}

/// Crops ROIs out of a frame into `planes`, plane after plane, in the order given, and says where each was. A ROI that is
/// not wholly inside the frame becomes a black plane and is marked.
pub fn crop_rois(
    frame: &PlaneView<'_>,
    rois: &[(u32, i32, i32)],
    w_px: u32,
    h_px: u32,
    planes: &mut Vec<u8>,
    places: &mut Vec<RoiPlace>,
) {
    planes.clear();
    places.clear();
    let px = frame.depth.bytes_per_px() as usize;
    let row = w_px as usize * px;
    for &(bead, x_px, y_px) in rois {
        let inside = x_px >= 0
            && y_px >= 0
            && i64::from(x_px) + i64::from(w_px) <= i64::from(frame.width_px)
            && i64::from(y_px) + i64::from(h_px) <= i64::from(frame.height_px);
        places.push(RoiPlace { bead, x_px, y_px, inside });
        if !inside {
            planes.resize(planes.len() + row * h_px as usize, 0);
            continue;
        }
        for y in 0..h_px as usize {
            let start = (y_px as usize + y) * frame.row_stride_bytes + x_px as usize * px;
            planes.extend_from_slice(&frame.bytes[start..start + row]);
        }
    }
}
