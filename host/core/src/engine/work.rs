//! The tracking of one batch on the live pool, waited for up to a deadline. Each piece owns all that it touches, frames
//! included, so a plugin that does not return keeps its own slots and spoils nobody else's.

use super::pool::LivePool;
use crate::piece::{Frames, Output, Piece, PixelGrid, ROIS_PER_CALL};
use crate::plan::Plan;
use crate::ring::Frame;
use crate::run::BatchPixels;
use crate::unpack;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tetherscope_loader::{CameraFormat, Fix, FrameMemory, PluginError, abi};

/// Fewest ROIs of a call, unless the batch has fewer: below, waking a thread costs more than it saves.
const FEWEST_ROIS_PER_CALL: usize = 8;

/// A row of a call that did not return.
pub(crate) const HUNG: Fix = Fix { flags: abi::FLAG_PLUGIN_ERROR | abi::FLAG_DEADLINE, ..Fix::EMPTY };
/// A row of a call that failed in the host, or of a plugin that is called no more.
pub(crate) const FAILED: Fix = Fix { flags: abi::FLAG_PLUGIN_ERROR, ..Fix::EMPTY };

/// Some frames and what is needed to read them.
pub(crate) struct BatchFrames {
    frames: Vec<Frame>,
    unpacked: Vec<u16>,
    offsets: Vec<u64>,
    indices: Vec<u64>,
    /// UTC of the middle of each exposure.
    utc_ns: Vec<i64>,
    grid: PixelGrid,
    image_offset: usize,
}

impl BatchFrames {
    /// Unpacks them if they need it, on the pool.
    pub(crate) fn new(frames: Vec<Frame>, utc_ns: Vec<i64>, format: &CameraFormat, pool: &LivePool) -> Self {
        let needed = unpack::is_needed(format);
        let n = format.width_px as usize * format.height_px as usize;
        let mut unpacked = Vec::new();
        if needed {
            unpacked.resize(frames.len() * n, 0);
            for (frame, pixels) in frames.iter().zip(unpacked.chunks_mut(n)) {
                pool.pool().install(|| unpack::unpack(format, frame.payload(), pixels));
            }
        }
        let offset = |(i, f): (usize, &Frame)| {
            if needed { (i * n * 2) as u64 } else { f.offset_bytes() + format.image_offset_bytes }
        };
        Self {
            offsets: frames.iter().enumerate().map(offset).collect(),
            indices: frames.iter().map(Frame::index).collect(),
            grid: PixelGrid::new(format, needed),
            image_offset: format.image_offset_bytes as usize,
            utc_ns,
            frames,
            unpacked,
        }
    }

    pub(crate) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// UTC of the middle of each exposure.
    pub(crate) fn utc_ns(&self) -> &[i64] {
        &self.utc_ns
    }

    fn view(&self) -> Option<Frames<'_>> {
        let memory = if self.unpacked.is_empty() {
            self.frames.first()?.memory()
        } else {
            FrameMemory::from(&self.unpacked[..])
        };
        Some(Frames { memory, offsets: &self.offsets, indices: &self.indices, grid: self.grid })
    }
}

impl BatchPixels for BatchFrames {
    fn image(&self, i: usize) -> std::borrow::Cow<'_, [u8]> {
        if self.unpacked.is_empty() {
            return std::borrow::Cow::Borrowed(&self.frames[i].payload()[self.image_offset..]);
        }
        let n = self.grid.width_px * self.grid.height_px;
        std::borrow::Cow::Owned(self.unpacked[i * n..(i + 1) * n].iter().flat_map(|p| p.to_ne_bytes()).collect())
    }

    fn grid(&self) -> &PixelGrid {
        &self.grid
    }
}

/// What became of a batch.
pub(crate) struct BatchResults {
    /// `[frame][ROI]`.
    pub(crate) fixes: Vec<Fix>,
    /// `[frame][ROI][bin]`; empty unless wanted.
    pub(crate) profiles: Vec<f64>,
    /// As profiles.
    pub(crate) weights: Vec<f32>,
    /// Failed calls: the error, and the rows that it spoiled.
    pub(crate) failures: Vec<(Failure, u64)>,
    /// Calls that had not returned at the deadline.
    pub(crate) n_hung: usize,
}

/// Why a call failed.
pub(crate) enum Failure {
    /// The plugin says so, or the loader of it.
    Plugin(Box<PluginError>),
    /// The host could not make the call.
    Host(String),
}

struct PieceResult {
    fixes: Vec<Fix>,
    profiles: Vec<f64>,
    weights: Vec<f32>,
    failures: Vec<(Failure, u64)>,
}

/// A batch on its way.
pub(crate) struct BatchWork {
    plan: Arc<Plan>,
    frames: Arc<BatchFrames>,
    with_profiles: bool,
    per_piece: usize,
    n_rows: usize,
    state: Mutex<State>,
    all_done: Condvar,
}

struct State {
    results: Vec<Option<PieceResult>>,
    left: usize,
}

impl BatchWork {
    /// Puts all pieces of a batch on the pool.
    pub(crate) fn start(
        plan: &Arc<Plan>,
        frames: &Arc<BatchFrames>,
        with_profiles: bool,
        pool: &LivePool,
    ) -> Arc<Self> {
        let n_rows = plan.rois().len() * frames.frames.len();
        let even = n_rows.div_ceil(pool.n_threads());
        let per_piece = even.clamp(FEWEST_ROIS_PER_CALL, ROIS_PER_CALL);
        let n_pieces = n_rows.div_ceil(per_piece);
        let work = Arc::new(Self {
            plan: plan.clone(),
            frames: frames.clone(),
            with_profiles,
            per_piece,
            n_rows,
            state: Mutex::new(State { results: (0..n_pieces).map(|_| None).collect(), left: n_pieces }),
            all_done: Condvar::new(),
        });
        for piece in 0..n_pieces {
            let work = work.clone();
            pool.pool().spawn_fifo(move || work.do_piece(piece));
        }
        work
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows_of(&self, piece: usize) -> usize {
        self.per_piece.min(self.n_rows - piece * self.per_piece)
    }

    fn do_piece(&self, piece: usize) {
        let n = self.rows_of(piece);
        let done = catch_unwind(AssertUnwindSafe(|| self.track(piece, n)));
        let result = done.unwrap_or_else(|_| self.failed(n, "the host's part of the call panicked".into()));
        let mut state = self.lock();
        state.results[piece] = Some(result);
        state.left -= 1;
        if state.left == 0 {
            self.all_done.notify_all();
        }
    }

    fn n_bins(&self) -> usize {
        if self.with_profiles { self.plan.layout().n_bins as usize } else { 0 }
    }

    fn track(&self, piece: usize, n: usize) -> PieceResult {
        let n_bins = self.n_bins();
        let Some(frames) = self.frames.view() else { return self.failed(n, "the batch has no frames".into()) };
        let failures = Mutex::new(Vec::new());
        let note = |e: &PluginError| {
            let failure = (Failure::Plugin(Box::new(e.clone())), n as u64);
            failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
        };
        let mut out = PieceResult {
            fixes: vec![FAILED; n],
            profiles: vec![f64::NAN; n * n_bins],
            weights: vec![f32::NAN; n * n_bins],
            failures: Vec::new(),
        };
        let into = Output { fixes: &mut out.fixes, profiles: &mut out.profiles, weights: &mut out.weights };
        let tracked = Piece { plan: &self.plan, frames, first: piece * self.per_piece }.track(into, &note);
        match tracked {
            Ok(()) => {
                out.failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
                out
            }
            Err(crate::RunError::Plugin(e)) => {
                let failures = vec![(Failure::Plugin(Box::new(e)), n as u64)];
                PieceResult { failures, ..self.failed(n, String::new()) }
            }
            Err(e) => self.failed(n, e.to_string()),
        }
    }

    fn failed(&self, n: usize, why: String) -> PieceResult {
        let n_bins = self.n_bins();
        PieceResult {
            fixes: vec![FAILED; n],
            profiles: vec![f64::NAN; n * n_bins],
            weights: vec![f32::NAN; n * n_bins],
            failures: vec![(Failure::Host(why), n as u64)],
        }
    }

    /// Waits for all pieces, or until `limit` has passed: then rows of calls that are still out are written off.
    pub(crate) fn finish(&self, limit: Duration) -> BatchResults {
        let until = Instant::now() + limit;
        let mut state = self.lock();
        while state.left > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|l| !l.is_zero()) else { break };
            state = self.all_done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let n_bins = self.n_bins();
        let mut all = BatchResults {
            fixes: Vec::with_capacity(self.n_rows),
            profiles: Vec::with_capacity(self.n_rows * n_bins),
            weights: Vec::with_capacity(self.n_rows * n_bins),
            failures: Vec::new(),
            n_hung: 0,
        };
        for piece in 0..state.results.len() {
            let n = self.rows_of(piece);
            match state.results[piece].take() {
                Some(mut r) => {
                    all.fixes.append(&mut r.fixes);
                    all.profiles.append(&mut r.profiles);
                    all.weights.append(&mut r.weights);
                    all.failures.append(&mut r.failures);
                }
                None => {
                    all.n_hung += 1;
                    all.fixes.resize(all.fixes.len() + n, HUNG);
                    all.profiles.resize(all.profiles.len() + n * n_bins, f64::NAN);
                    all.weights.resize(all.weights.len() + n * n_bins, f32::NAN);
                }
            }
        }
        all
    }
}
