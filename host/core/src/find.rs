//! Beads in the first frame of a source, by a bead finder, and the ROIs round them. Shows nothing and writes nothing; who
//! asks decides what becomes of the ROIs.

use crate::error::RunError;
use crate::plan::Roi;
use crate::source::FrameSource;
use std::sync::Arc;
use tetherscope_loader::abi::{self, Rect};
use tetherscope_loader::{BeadFinder, Camera, CameraFormat, CancelToken, FrameMemory, Hit, RoiSet};

/// Pixels of a still image.
#[derive(Debug, Clone, PartialEq)]
pub enum Pixels {
    /// 8 bits.
    U8(Vec<u8>),
    /// Above 8 bits: value in the low bits.
    U16(Vec<u16>),
}

/// One frame, row by row without gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct StillImage {
    /// Columns.
    pub width_px: u32,
    /// Rows.
    pub height_px: u32,
    /// Bits of a pixel that carry the value.
    pub significant_bits: u32,
    /// The pixels.
    pub pixels: Pixels,
}

/// The first frame of `camera`, which is armed for it and stopped again.
pub fn first_image(camera: Arc<Camera>, cancel: &CancelToken) -> Result<StillImage, RunError> {
    let format = camera.format()?;
    let label = camera.component().label();
    let mono16 = [abi::PIXEL_MONO10, abi::PIXEL_MONO12, abi::PIXEL_MONO14, abi::PIXEL_MONO16];
    if format.pixel_format != abi::PIXEL_MONO8 && !mono16.contains(&format.pixel_format) {
        return Err(RunError::refused(
            format!("cannot take an image from {label}"),
            format!("its pixel format 0x{:08x} is packed", format.pixel_format),
            "set the camera to 8 or 16 bits per pixel",
        ));
    }
    let mut pixels = None;
    let source = FrameSource::start(camera, format.slots_wanted as usize)?;
    source.for_each_image(Some(1), cancel, |_, bytes| {
        pixels = Some(pixels_of(&format, bytes));
        Ok(())
    })?;
    match pixels {
        Some(pixels) => Ok(StillImage {
            width_px: format.width_px,
            height_px: format.height_px,
            significant_bits: format.significant_bits,
            pixels,
        }),
        None => Err(RunError::refused(
            format!("cannot take an image from {label}"),
            "it has no frames",
            "give a source with at least one frame",
        )),
    }
}

fn pixels_of(format: &CameraFormat, bytes: &[u8]) -> Pixels {
    if format.pixel_format == abi::PIXEL_MONO8 {
        return Pixels::U8(bytes.to_vec());
    }
    let high = format.flags & abi::FORMAT_MSB_ALIGNED != 0;
    let shift = if high { 16_u32.saturating_sub(format.significant_bits) } else { 0 };
    Pixels::U16(bytes.as_chunks::<2>().0.iter().map(|b| u16::from_ne_bytes(*b) >> shift).collect())
}

/// Beads in `image`, the surest first. `progress` hears 0 to 1; cancelling ends it with [`RunError::Cancelled`].
pub fn find_beads(
    finder: &BeadFinder,
    image: &StillImage,
    seed: Option<Rect>,
    cancel: &CancelToken,
    progress: impl FnMut(f64),
) -> Result<Vec<Hit>, RunError> {
    let (memory, bytes_per_px, pixel_format) = match &image.pixels {
        Pixels::U8(p) => (FrameMemory::from(&p[..]), 1, abi::PIXEL_MONO8),
        Pixels::U16(p) => (FrameMemory::from(&p[..]), 2, abi::PIXEL_MONO16),
    };
    let whole = RoiSet {
        memory,
        offsets: &[0],
        row_stride_bytes: u64::from(image.width_px) * u64::from(bytes_per_px),
        pixel_stride_bytes: bytes_per_px,
        w_px: image.width_px,
        h_px: image.height_px,
        pixel_format,
        bead_ids: &[0],
        frame_indices: &[0],
    };
    match cancel.run(|| finder.find(&whole, image.significant_bits, seed, progress)) {
        Err(_) if cancel.is_cancelled() => Err(RunError::Cancelled),
        other => Ok(other?),
    }
}

/// The ROI of `size_px` x `size_px` whose middle is nearest to (x, y).
pub fn roi_round(bead: u32, x_px: f64, y_px: f64, size_px: u32) -> Roi {
    // The middle of a ROI of even size lies between two pixels.
    let first = |at: f64| (at - (f64::from(size_px) - 1.0) / 2.0).round() as i32;
    Roi { bead, x_px: first(x_px), y_px: first(y_px), w_px: size_px, h_px: size_px }
}

/// ROIs round hits, ids in the hits' order: `Some` for a hit whose ROI lies wholly inside the image, if need be moved by
/// one pixel; `None` for one that is cut, by its flag or by its place.
pub fn rois_round(hits: &[Hit], size_px: u32, image: &StillImage) -> Vec<Option<Roi>> {
    let mut n_beads = 0;
    let mut place = |hit: &Hit| {
        let mut roi = roi_round(n_beads, hit.x_px, hit.y_px, size_px);
        let inside = |at: i32, limit: u32| {
            let last = i32::try_from(limit).ok()?.checked_sub(i32::try_from(size_px).ok()?).filter(|l| *l >= 0)?;
            (-1..=last + 1).contains(&at).then(|| at.clamp(0, last))
        };
        if hit.flags & abi::FLAG_AT_BORDER != 0 {
            return None;
        }
        (roi.x_px, roi.y_px) = inside(roi.x_px, image.width_px).zip(inside(roi.y_px, image.height_px))?;
        n_beads += 1;
        Some(roi)
    };
    hits.iter().map(&mut place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(x_px: f64, y_px: f64, flags: u32) -> Hit {
        Hit { x_px, y_px, score: 1.0, flags, reserved: 0 }
    }

    #[test]
    fn rois_have_their_bead_in_the_middle_and_cut_ones_get_none() {
        let image = StillImage { width_px: 40, height_px: 30, significant_bits: 8, pixels: Pixels::U8(vec![0; 1200]) };
        let hits = [
            hit(20.0, 15.5, 0),
            hit(5.0, 15.0, abi::FLAG_AT_BORDER),
            hit(4.4, 24.6, abi::FLAG_NEIGHBOUR),
            hit(2.0, 15.0, 0),
            hit(35.2, 4.0, 0),
        ];
        let rois = rois_round(&hits, 10, &image);
        let corners: Vec<_> = rois.iter().map(|r| r.map(|r| (r.bead, r.x_px, r.y_px))).collect();
        assert_eq!(corners, [Some((0, 16, 11)), None, Some((1, 0, 20)), None, Some((2, 30, 0))]);
        assert!(rois_round(&hits[..1], 31, &image)[0].is_none(), "larger than the image");
    }

    #[test]
    fn data_in_the_high_bits_are_shifted_down() {
        let mut format = CameraFormat::packed(2, 1, abi::PIXEL_MONO12, 12);
        let bytes: Vec<u8> = [0x0abc_u16, 0xfff0].iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(pixels_of(&format, &bytes), Pixels::U16(vec![0x0abc, 0xfff0]));
        format.flags = abi::FORMAT_MSB_ALIGNED;
        assert_eq!(pixels_of(&format, &bytes), Pixels::U16(vec![0x00ab, 0x0fff]));
    }
}
