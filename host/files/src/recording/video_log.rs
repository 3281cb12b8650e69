//! A video over all its parts: a new file at the size limit, when asked, and when the beads of ROI stacks change.

use std::time::{Duration, Instant};

use super::finalise::ClosedPart;
use super::index::IndexHeader;
use super::metadata::FileState;
use super::names::Stream;
use super::records::{FrameRecord, PlaneView, RoiPlace, StackOptions};
use super::shared::Shared;
use super::stack::LiveStack;
use crate::error::Result;

/// Writes full frames or ROI stacks.
#[derive(Debug)]
pub(crate) struct VideoLog {
    stream: Stream,
    options: StackOptions,
    beads: Option<Vec<u32>>,
    now: LiveStack,
    part: u32,
    begun: Instant,
    done_bytes: u64,
}

impl VideoLog {
    /// Begins with the file numbered `part`.
    pub(crate) fn create(shared: &Shared, options: &StackOptions, beads: Option<Vec<u32>>, part: u32) -> Result<Self> {
        let stream = if beads.is_some() { Stream::Rois } else { Stream::Frames };
        let now = open_part(shared, &stream, options, beads.clone(), part)?;
        Ok(Self { stream, options: options.clone(), beads, now, part, begun: Instant::now(), done_bytes: 0 })
    }

    pub(crate) fn append_view(&mut self, shared: &Shared, view: &PlaneView<'_>, frame: &FrameRecord) -> Result<()> {
        self.make_room(shared)?;
        self.now.append_view(view, frame)
    }

    pub(crate) fn append_rois(
        &mut self,
        shared: &Shared,
        planes: &[u8],
        places: &[RoiPlace],
        frame: &FrameRecord,
    ) -> Result<()> {
        if self.has_other_beads(places) {
            if places.is_empty() {
                return Ok(()); // no bead, no plane; the frame is in the gap between two files
            }
            let beads = Some(places.iter().map(|p| p.bead).collect::<Vec<_>>());
            let before = std::mem::replace(&mut self.beads, beads);
            self.rotate(shared).inspect_err(|_| self.beads = before)?;
        }
        self.make_room(shared)?;
        self.now.append_rois(planes, places, frame)
    }

    fn make_room(&mut self, shared: &Shared) -> Result<()> {
        if self.now.is_full(self.options.max_file_bytes) { self.rotate(shared) } else { Ok(()) }
    }

    /// Whether the next frame goes into a new file, for which the disk may be waited.
    pub(crate) fn is_to_rotate(&self, every: Option<Duration>) -> bool {
        every.is_some_and(|every| self.begun.elapsed() >= every) || self.now.is_full(self.options.max_file_bytes)
    }

    /// Whether these are ROIs of other beads than before, which go into a new file.
    pub(crate) fn has_other_beads(&self, places: &[RoiPlace]) -> bool {
        !self.beads.iter().flatten().eq(places.iter().map(|p| &p.bead))
    }

    /// Rotates after a time. A rotation that fails is noted, and the old file goes on: no frame is lost by it.
    pub(crate) fn rotate_if_due(&mut self, shared: &Shared, every: Option<Duration>) {
        if every.is_some_and(|every| self.begun.elapsed() >= every)
            && let Err(error) = self.rotate(shared)
        {
            self.begun = Instant::now();
            shared.note(&error);
        }
    }

    /// Goes on in a new file. If that can't be made, the old one goes on.
    pub(crate) fn rotate(&mut self, shared: &Shared) -> Result<()> {
        let next = open_part(shared, &self.stream, &self.options, self.beads.clone(), self.part + 1)?;
        let old = std::mem::replace(&mut self.now, next);
        self.done_bytes += old.bytes();
        let closed = close_part(shared, &self.stream, old, self.part);
        self.part += 1;
        self.begun = Instant::now();
        closed
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.now.patch()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.done_bytes + self.now.bytes()
    }

    /// The number of the file after this one.
    pub(crate) fn next_part(&self) -> u32 {
        self.part + 1
    }

    /// Closes the file and returns the number of the next.
    pub(crate) fn close(self, shared: &Shared) -> (u32, Result<()>) {
        (self.part + 1, close_part(shared, &self.stream, self.now, self.part))
    }
}

fn open_part(
    shared: &Shared,
    stream: &Stream,
    options: &StackOptions,
    beads: Option<Vec<u32>>,
    part: u32,
) -> Result<LiveStack> {
    let header = IndexHeader::new(&shared.metadata().id, options, beads);
    let at = |extension: &str| shared.dir.join(stream.file(part, extension));
    let stack = LiveStack::create(&at("tif"), &at("index"), header, &shared.open)?;
    shared.change(|m| {
        m.file(&stream.file(part, "tif"), &stream.name(), part);
    });
    Ok(stack)
}

fn close_part(shared: &Shared, stream: &Stream, mut stack: LiveStack, part: u32) -> Result<()> {
    // In place, so it works on a full disk too.
    let patched = stack.patch();
    shared.change(|m| {
        let entry = m.file(&stream.file(part, "tif"), &stream.name(), part);
        entry.state = FileState::Closed;
        entry.n_records = stack.n_frames();
        (entry.first_frame, entry.last_frame) = (stack.first_frame, stack.last_frame);
    });
    shared.push_closed(ClosedPart { stream: stream.clone(), part });
    patched
}
