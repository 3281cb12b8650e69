//! Some recorded frames with the same ROIs, tracked together on the pool `bulk`.

use super::roi_of;
use super::settings::Methods;
use crate::error::RunError;
use crate::piece::{Frames, PixelGrid};
use crate::plan::{Plan, Roi};
use crate::run::{Results, track_frames};
use tetherscope_files::{GreyDepth, Row, StoredFrame};
use tetherscope_loader::FrameMemory;

/// Most bytes of pixels of a group.
const MAX_BYTES: usize = 64 << 20;
/// Most frames of a group.
const MAX_FRAMES: usize = 256;

/// A group that grows.
pub(super) struct Group<'a> {
    methods: &'a Methods,
    pool: rayon::ThreadPool,
    rois: Vec<Roi>,
    bytes: Vec<u8>,
    words: Vec<u16>,
    rows: Vec<Row>,
    indices: Vec<u64>,
    results: Results,
}

/// A group that was tracked.
pub(super) struct Tracked {
    /// Rows as recorded.
    pub(super) then: Vec<Row>,
    /// Rows as they are now, in the same order.
    pub(super) now: Vec<Row>,
    pub(super) failed_calls: u64,
}

impl<'a> Group<'a> {
    pub(super) fn new(methods: &'a Methods, threads: usize) -> Result<Self, RunError> {
        let threads = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("bulk-{i}")).build();
        let pool = pool.map_err(|e| {
            RunError::refused("cannot start the tracking threads", e.to_string(), "use fewer --threads")
        })?;
        methods.chain.prepare(threads)?;
        Ok(Self {
            methods,
            pool,
            rois: Vec::new(),
            bytes: Vec::new(),
            words: Vec::new(),
            rows: Vec::new(),
            indices: Vec::new(),
            results: Results::default(),
        })
    }

    /// Takes a frame with the rows that were made of it. Gives what had to be tracked before it.
    pub(super) fn add(&mut self, frame: &StoredFrame, mut rows: Vec<Row>) -> Result<Option<Tracked>, RunError> {
        if self.methods.planes_are_rois {
            // Only rows whose plane was recorded where the row says.
            let has = |r: &Row| {
                let at = (r.bead, r.roi_x_px, r.roi_y_px);
                frame.places.iter().any(|p| p.inside && (p.bead, p.x_px, p.y_px) == at)
            };
            rows.retain(has);
        }
        let size = (self.methods.roi_size_px, self.methods.roi_size_px);
        let rois: Vec<Roi> = rows.iter().map(|r| roi_of(r, size)).collect();
        let is_full = self.indices.len() >= MAX_FRAMES || self.bytes.len() + self.words.len() * 2 >= MAX_BYTES;
        let before = if rois != self.rois || is_full { self.track()? } else { None };
        if rois.is_empty() {
            return Ok(before);
        }
        let plane_bytes = self.methods.format.payload_bytes as usize;
        let planes: Vec<&[u8]> = if self.methods.planes_are_rois {
            let at = |roi: &Roi| frame.places.iter().position(|p| p.bead == roi.bead).unwrap_or(0);
            rois.iter().map(|roi| &frame.pixels[at(roi) * plane_bytes..][..plane_bytes]).collect()
        } else {
            vec![&frame.pixels[..]]
        };
        for plane in planes {
            if self.methods.depth() == GreyDepth::U8 {
                self.bytes.extend_from_slice(plane);
            } else {
                self.words.extend(plane.as_chunks::<2>().0.iter().map(|b| u16::from_ne_bytes(*b)));
            }
        }
        self.rois = rois;
        self.rows.extend(rows);
        self.indices.push(frame.record.index);
        Ok(before)
    }

    /// Tracks what there is; None without frames.
    pub(super) fn track(&mut self) -> Result<Option<Tracked>, RunError> {
        if self.indices.is_empty() {
            return Ok(None);
        }
        let m = self.methods;
        let n_planes = self.rows.len() / self.rois.len();
        // A recorded ROI is a frame of its own, with the one ROI at its corner.
        let (rois_of_plan, per_plane): (Vec<Vec<Roi>>, bool) = if m.planes_are_rois {
            (self.rois.iter().map(|r| vec![Roi { x_px: 0, y_px: 0, ..*r }]).collect(), true)
        } else {
            (vec![self.rois.clone()], false)
        };
        let memory = if m.depth() == GreyDepth::U8 {
            FrameMemory::from(&self.bytes[..])
        } else {
            FrameMemory::from(&self.words[..])
        };
        let grid = PixelGrid::new(&m.format, true);
        let plane_bytes = m.format.payload_bytes;
        let stride = if per_plane { self.rois.len() as u64 * plane_bytes } else { plane_bytes };
        let mut now = self.rows.clone();
        let mut failed_calls = 0;
        for (r, rois) in rois_of_plan.into_iter().enumerate() {
            let offsets: Vec<u64> =
                (0..n_planes as u64).map(|f| f * stride + if per_plane { r as u64 * plane_bytes } else { 0 }).collect();
            let plan = Plan::of_chain(m.chain.clone(), m.optics, m.tables.as_ref(), rois, &m.format)?;
            let n_rois = plan.rois().len();
            self.results.resize(n_planes * n_rois, 0, false);
            let frames = Frames { memory, offsets: &offsets, indices: &self.indices, grid };
            let results = &mut self.results;
            failed_calls += self.pool.install(|| track_frames(&plan, frames, results))?.count;
            for (i, fix) in self.results.fixes.iter().enumerate() {
                let at = if per_plane { i * self.rois.len() + r } else { i };
                let row = self.rows[at];
                let roi = roi_of(&row, (m.roi_size_px, m.roi_size_px));
                now[at] = m.maker.row_at(row.frame, row.time_ns, &roi, fix);
            }
        }
        let then = std::mem::take(&mut self.rows);
        self.bytes.clear();
        self.words.clear();
        self.indices.clear();
        Ok(Some(Tracked { then, now, failed_calls }))
    }
}

impl Methods {
    fn depth(&self) -> GreyDepth {
        if self.format.pixel_format == tetherscope_loader::abi::PIXEL_MONO8 { GreyDepth::U8 } else { GreyDepth::U16 }
    }
}
