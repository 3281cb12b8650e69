//! The memory of one worker that host and child share: the packed ROIs of a batch, and the rows of its results between
//! guards. Both sides compute the same places from the shape and the number of ROIs; nothing in the memory says where
//! anything lies, so nothing that a child writes there can lead the host astray.
#![allow(unsafe_code)]

use super::pod::{Pod, bytes_of};
use crate::direct::{FrameMemory, RoiSet};
use crate::shared::SharedRegion;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use tetherscope_plugin_api::Fix;
use tetherscope_plugin_api::abi::{Batch, PIXEL_MONO8};

/// Bytes before and after each output that nobody may write.
const GUARD_BYTES: usize = 512;
/// What they hold: as a number it is neither small nor plausible.
const GUARD: [u8; GUARD_BYTES] = [0xa5; GUARD_BYTES];
/// Each part begins on a line of the cache.
const ALIGNMENT: usize = 64;

/// What the ROIs of a worker look like.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) w_px: u32,
    pub(crate) h_px: u32,
    pub(crate) pixel_format: u32,
    pub(crate) n_bins: u32,
    /// False: a lookup that needs no pixels gets none.
    pub(crate) with_pixels: bool,
}

/// Where the parts for a number of ROIs begin, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pixels: usize,
    bead_ids: usize,
    frame_indices: usize,
    /// Per ROI 8 bytes: the number of its table, or its focus.
    pub(crate) extra: usize,
    pub(crate) fixes: usize,
    pub(crate) profiles: usize,
    pub(crate) weights: usize,
    guards: [usize; 4],
    pub(crate) end: usize,
}

impl Shape {
    fn bytes_per_px(&self) -> usize {
        if self.pixel_format == PIXEL_MONO8 { 1 } else { 2 }
    }

    fn roi_bytes(&self) -> usize {
        self.w_px as usize * self.h_px as usize * self.bytes_per_px()
    }

    /// The places for `n` ROIs; None beyond any memory.
    pub(crate) fn places(&self, n: usize) -> Option<Places> {
        let mut at = 0_usize;
        let mut part = |bytes: Option<usize>| {
            let begin = at.checked_next_multiple_of(ALIGNMENT)?;
            at = begin.checked_add(bytes?)?;
            Some((begin, at))
        };
        let (pixels, _) = part(if self.with_pixels { self.roi_bytes().checked_mul(n) } else { Some(0) })?;
        let (bead_ids, _) = part(n.checked_mul(4))?;
        let (frame_indices, _) = part(n.checked_mul(8))?;
        let (extra, _) = part(n.checked_mul(8))?;
        let n_values = (self.n_bins as usize).checked_mul(n)?;
        // A guard follows its output at once: it finds even one byte too many.
        let guarded = |bytes: Option<usize>| bytes?.checked_add(GUARD_BYTES);
        let (first, _) = part(Some(GUARD_BYTES))?;
        let (fixes, fixes_end) = part(guarded(n.checked_mul(size_of::<Fix>())))?;
        let (profiles, profiles_end) = part(guarded(n_values.checked_mul(8)))?;
        let (weights, end) = part(guarded(n_values.checked_mul(4)))?;
        let guards = [first, fixes_end - GUARD_BYTES, profiles_end - GUARD_BYTES, end - GUARD_BYTES];
        Some(Places { pixels, bead_ids, frame_indices, extra, fixes, profiles, weights, guards, end })
    }
}

/// The memory, and what lies in it.
pub(crate) struct Arena {
    region: SharedRegion,
    shape: Shape,
}

impl Arena {
    /// Memory for at most `max_rois` ROIs.
    pub(crate) fn new(shape: Shape, max_rois: usize) -> io::Result<Self> {
        let too_much =
            || io::Error::other(format!("{max_rois} ROIs of {} bins are more than any memory", shape.n_bins));
        let bytes = shape.places(max_rois).ok_or_else(too_much)?.end;
        Ok(Self { region: SharedRegion::new(bytes)?, shape })
    }

    /// Maps what the other process made.
    pub(crate) fn open(path: &std::path::Path, bytes: usize, shape: Shape) -> io::Result<Self> {
        Ok(Self { region: SharedRegion::open(path, bytes)?, shape })
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn path_and_bytes(&self) -> (PathBuf, usize) {
        (self.region.path(), self.region.len())
    }

    /// The places for `n` ROIs; None if the memory was made for fewer.
    pub(crate) fn places_of(&self, n: usize) -> Option<Places> {
        self.shape.places(n).filter(|p| p.end <= self.region.len())
    }

    /// The places for `n` ROIs. Panics if the memory was made for fewer.
    pub(crate) fn places(&self, n: usize) -> Places {
        self.places_of(n).unwrap_or_else(|| panic!("{n} ROIs in memory of {} bytes", self.region.len()))
    }

    /// Where each of `n` ROIs lies, from the first on. Computed on both sides: an offset that somebody else can write leads
    /// anywhere.
    pub(crate) fn offsets(&self, n: usize) -> impl Iterator<Item = u64> + use<> {
        let roi_bytes = if self.shape.with_pixels { self.shape.roi_bytes() as u64 } else { 0 };
        (0..n as u64).map(move |i| i * roi_bytes)
    }

    /// Writes values.
    pub(crate) fn put<T: Pod>(&self, at: usize, values: &[T]) {
        let bytes = bytes_of(values);
        assert!(at + bytes.len() <= self.region.len(), "{} bytes at {at} of {}", bytes.len(), self.region.len());
        // SAFETY: the bytes lie inside the region, which no reference of this process leads into.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.region.as_mut_ptr().add(at), bytes.len()) }
    }

    /// Reads values, whatever the other process made of them.
    pub(crate) fn get<T: Pod>(&self, at: usize, into: &mut [T]) {
        let bytes = size_of_val(into);
        assert!(at + bytes <= self.region.len(), "{bytes} bytes at {at} of {}", self.region.len());
        // SAFETY: the bytes lie inside the region; any bytes are a `T`.
        unsafe { std::ptr::copy_nonoverlapping(self.region.as_mut_ptr().add(at), into.as_mut_ptr().cast(), bytes) }
    }

    /// Writes the guards.
    pub(crate) fn guard(&self, places: &Places) {
        places.guards.iter().for_each(|&at| self.put(at, &GUARD));
    }

    /// True if nobody wrote beyond an output.
    pub(crate) fn guards_hold(&self, places: &Places) -> bool {
        let mut is = [0_u8; GUARD_BYTES];
        places.guards.iter().all(|&at| {
            self.get(at, &mut is);
            is == GUARD
        })
    }

    /// Copies the ROIs, without the gaps between them.
    pub(crate) fn put_rois(&self, places: &Places, rois: &RoiSet<'_>) {
        let batch = rois.to_abi();
        let (w, h, px) = (batch.w_px as usize, batch.h_px as usize, self.shape.bytes_per_px());
        let same = (batch.w_px, batch.h_px, batch.pixel_format);
        assert!(same == (self.shape.w_px, self.shape.h_px, self.shape.pixel_format), "ROIs of another shape");
        let roi_bytes = self.shape.roi_bytes();
        for (i, &offset) in rois.offsets.iter().enumerate() {
            if !self.shape.with_pixels {
                break;
            }
            let (row_stride, px_stride) = (batch.row_stride_bytes as usize, batch.pixel_stride_bytes as usize);
            let to = places.pixels + i * roi_bytes;
            assert!(to + roi_bytes <= self.region.len(), "ROI {i} does not fit into the region");
            // SAFETY: `to_abi` checked that every pixel of the ROI lies inside the frames, which nobody writes meanwhile;
            // the target lies inside the region.
            unsafe {
                let (from, to) = (batch.base.add(offset as usize), self.region.as_mut_ptr().add(to));
                if px_stride == px && row_stride == w * px {
                    std::ptr::copy_nonoverlapping(from, to, roi_bytes);
                } else if px_stride == px {
                    (0..h).for_each(|y| {
                        std::ptr::copy_nonoverlapping(from.add(y * row_stride), to.add(y * w * px), w * px)
                    });
                } else {
                    for (k, (y, x)) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))).enumerate() {
                        std::ptr::copy_nonoverlapping(from.add(y * row_stride + x * px_stride), to.add(k * px), px);
                    }
                }
            }
        }
        self.put(places.bead_ids, rois.bead_ids);
        self.put(places.frame_indices, rois.frame_indices);
    }

    /// The address of a place, for the plugin in the child.
    pub(crate) fn address<T: Pod>(&self, at: usize) -> *mut T {
        assert!(at <= self.region.len() && at.is_multiple_of(align_of::<T>()), "place {at} of {}", self.region.len());
        // SAFETY: the place lies inside the region or at its end.
        unsafe { self.region.as_mut_ptr().add(at).cast() }
    }

    /// The batch that lies here, as it crosses the interface; `offsets` as [`Arena::offsets`] gives them.
    pub(crate) fn batch(&self, places: &Places, offsets: &[u64]) -> Batch {
        let n = offsets.len();
        let len_bytes = if self.shape.with_pixels { (n * self.shape.roi_bytes()) as u64 } else { 0 };
        Batch {
            base: if len_bytes > 0 { self.address::<u8>(places.pixels) } else { std::ptr::null() },
            len_bytes,
            offsets: offsets.as_ptr(),
            row_stride_bytes: u64::from(self.shape.w_px) * self.shape.bytes_per_px() as u64,
            pixel_stride_bytes: self.shape.bytes_per_px() as u32,
            n_rois: n as u32,
            w_px: self.shape.w_px,
            h_px: self.shape.h_px,
            pixel_format: self.shape.pixel_format,
            reserved0: 0,
            bead_ids: self.address::<u32>(places.bead_ids),
            frame_indices: self.address::<u64>(places.frame_indices),
            reserved: [0; 4],
        }
    }

    /// Runs `f` with the ROIs that lie here; bead ids and frame indices are copied first.
    pub(crate) fn with_rois<R>(&self, places: &Places, n: usize, f: impl FnOnce(&RoiSet<'_>) -> R) -> R {
        let (mut bead_ids, mut frame_indices) = (vec![0_u32; n], vec![0_u64; n]);
        let offsets: Vec<u64> = self.offsets(n).collect();
        self.get(places.bead_ids, &mut bead_ids);
        self.get(places.frame_indices, &mut frame_indices);
        let bytes = if self.shape.with_pixels { n * self.shape.roi_bytes() } else { 0 };
        // SAFETY: the pixels lie inside the region, and the host does not write them before it has its answer.
        let memory = unsafe { FrameMemory::new(self.address::<u8>(places.pixels), bytes) };
        f(&RoiSet {
            memory,
            offsets: &offsets,
            row_stride_bytes: u64::from(self.shape.w_px) * self.shape.bytes_per_px() as u64,
            pixel_stride_bytes: self.shape.bytes_per_px() as u32,
            w_px: self.shape.w_px,
            h_px: self.shape.h_px,
            pixel_format: self.shape.pixel_format,
            bead_ids: &bead_ids,
            frame_indices: &frame_indices,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_plugin_api::abi::PIXEL_MONO16;

    const SHAPE: Shape = Shape { w_px: 5, h_px: 3, pixel_format: PIXEL_MONO16, n_bins: 7, with_pixels: true };

    #[test]
    fn rois_with_gaps_are_packed() {
        let frame: Vec<u16> = (0..200).collect();
        let rois = RoiSet {
            memory: frame.as_slice().into(),
            offsets: &[2, 44],
            row_stride_bytes: 40,
            pixel_stride_bytes: 4,
            w_px: 5,
            h_px: 3,
            pixel_format: PIXEL_MONO16,
            bead_ids: &[8, 9],
            frame_indices: &[70, 71],
        };
        let arena = Arena::new(SHAPE, 2).unwrap();
        let places = arena.places(2);
        arena.put_rois(&places, &rois);
        let mut packed = [0_u16; 30];
        let mut bytes = [0_u8; 60];
        arena.get(places.pixels, &mut bytes);
        packed.iter_mut().zip(bytes.as_chunks::<2>().0).for_each(|(p, b)| *p = u16::from_ne_bytes(*b));
        for (k, &p) in packed.iter().enumerate() {
            let (i, y, x) = (k / 15, k % 15 / 5, k % 5);
            assert_eq!(p, ([1, 22][i] + 20 * y + 2 * x) as u16, "ROI {i}, ({x}, {y})");
        }
        arena.with_rois(&places, 2, |r| {
            assert_eq!((r.bead_ids, r.frame_indices), ([8, 9].as_slice(), [70, 71].as_slice()))
        });
    }

    #[test]
    fn one_byte_beyond_any_output_is_noticed() {
        let arena = Arena::new(SHAPE, 4).unwrap();
        for n in [0, 1, 4] {
            let places = arena.places(n);
            arena.guard(&places);
            assert!(arena.guards_hold(&places));
            let ends = [places.fixes + n * 48, places.profiles + n * 7 * 8, places.weights + n * 7 * 4];
            for beyond in ends.into_iter().chain([places.fixes - 1]) {
                arena.guard(&places);
                arena.put(beyond, &[0_u8]);
                assert!(!arena.guards_hold(&places), "{n} ROIs, byte {beyond}");
            }
        }
    }

    #[test]
    fn sizes_beyond_any_memory_are_refused() {
        let shape = Shape { n_bins: u32::MAX, ..SHAPE };
        assert!(shape.places(usize::MAX / 8).is_none());
    }
}
