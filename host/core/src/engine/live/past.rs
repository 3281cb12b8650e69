//! The last frames, kept in their slots so that a capture can begin before somebody asked for it; and captures under way.

use crate::control::{Captured, DataMode};
use crate::engine::pool::LivePool;
use crate::engine::program::Program;
use crate::engine::recorder::{Inlet, Item};
use crate::engine::work::BatchFrames;
use crate::ring::Frame;
use std::collections::VecDeque;
use std::sync::Arc;
use tetherscope_loader::CameraFormat;

/// Frames of the past that are put into the queue at once.
const FRAMES_AT_ONCE: usize = 16;

/// A capture that somebody asked for.
pub(crate) struct Capture {
    pub(crate) inlet: Inlet,
    pub(crate) what: Captured,
    /// From this instant of the host's clock …
    pub(crate) from_ns: i64,
    /// … to this one.
    pub(crate) until_ns: i64,
}

/// Frames of the past, and captures.
pub(super) struct Past {
    frames: VecDeque<(Frame, i64)>,
    max_frames: usize,
    captures: Vec<Capture>,
}

impl Past {
    pub(super) fn new(max_frames: usize) -> Self {
        Self { frames: VecDeque::new(), max_frames, captures: Vec::new() }
    }

    /// Keeps frames; what captures hold counts too, so that the ring has room for all.
    pub(super) fn keep(&mut self, frames: &[Frame], utc_ns: &[i64]) {
        self.frames.extend(frames.iter().cloned().zip(utc_ns.iter().copied()));
        let held: usize = self.captures.iter().map(|c| c.inlet.held_frames()).sum();
        let room = self.max_frames.saturating_sub(held);
        while self.frames.len() > room {
            self.frames.pop_front();
        }
    }

    /// Begins a capture with what there is of the past.
    pub(super) fn begin(
        &mut self,
        capture: Capture,
        program: &Program,
        next_frame: u64,
        format: &CameraFormat,
        pool: &LivePool,
    ) {
        let program = of_capture(&capture, program);
        let mut frames: VecDeque<_> = std::mem::take(&mut self.frames);
        while frames.front().is_some_and(|(f, _)| f.arrival_ns() < capture.from_ns) {
            frames.pop_front();
        }
        capture.inlet.begin(frames.front().map_or(next_frame, |(f, _)| f.index()));
        while !frames.is_empty() {
            let n = frames.len().min(FRAMES_AT_ONCE);
            let (some, utc_ns): (Vec<Frame>, Vec<i64>) = frames.drain(..n).unzip();
            let batch = Arc::new(BatchFrames::new(some, utc_ns, format, pool));
            capture.inlet.take(&program, &batch, &[], None);
        }
        self.captures.push(capture);
    }

    /// Gives a batch to the captures that want it, and ends those that have all.
    pub(super) fn give(&mut self, program: &Program, batch: &Arc<BatchFrames>) {
        let arrival = |f: Option<&Frame>| f.map_or(0, Frame::arrival_ns);
        let (first, last) = (arrival(batch.frames().first()), arrival(batch.frames().last()));
        self.captures.retain(|capture| {
            if first <= capture.until_ns {
                capture.inlet.take(&of_capture(capture, program), batch, &[], None);
            }
            let goes_on = last < capture.until_ns;
            if !goes_on {
                capture.inlet.end(batch.frames().last().map_or(0, |f| f.index() + 1));
                capture.inlet.put(Item::Finish);
            }
            goes_on
        });
    }

    pub(super) fn wants_frames(&self) -> bool {
        !self.captures.is_empty()
    }

    /// No more frames come.
    pub(super) fn end(&mut self, next_frame: u64) {
        for capture in self.captures.drain(..) {
            capture.inlet.end(next_frame);
            capture.inlet.put(Item::Finish);
        }
        self.frames.clear();
    }
}

/// What a capture records: video, with the ROIs of now.
fn of_capture(capture: &Capture, program: &Program) -> Program {
    let mode = match capture.what {
        Captured::Frames => DataMode::FullVideo,
        Captured::Rois => DataMode::RoiVideo,
    };
    Program { plan: program.plan.clone(), mode, ..Program::idle(program.batch) }
}
