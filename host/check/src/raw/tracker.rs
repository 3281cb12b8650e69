//! `track` called with memory between guard bytes, and looked at before the host's checks touch it.
#![allow(unsafe_code)]

use super::{Raw, call, with_params};
use crate::outcome::{Stop, ensure};
use crate::picture::Picture;
use crate::subject::Subject;
use tetherscope_loader::abi::{Batch, TrackOutput, TrackerTable};
use tetherscope_loader::{Fix, ProfileLayout};

/// Rows, or values, on each side of an output that nobody may touch.
const GUARD: usize = 32;
/// What stands in guards: a NaN that no arithmetic gives.
const PATTERN: u64 = 0x7ff8_6775_6172_6421;
const PATTERN_F32: u32 = 0x7fc0_6775;

/// Which outputs the host wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    /// Fixes, profiles and weights.
    Everything,
    /// Fixes; the pointers to the others are null.
    FixesOnly,
}

/// What `track` left behind.
pub(crate) struct RawTracks {
    /// As the plugin wrote them.
    pub(crate) fixes: Vec<Fix>,
    /// Which guards were changed.
    pub(crate) overwritten: Vec<String>,
    /// True if the pixels changed.
    pub(crate) input_changed: bool,
}

/// Memory for `n` values between two guards.
struct Guarded<T> {
    all: Vec<T>,
    n: usize,
}

impl<T: Copy> Guarded<T> {
    fn new(n: usize, guard: T, empty: T) -> Self {
        let mut all = vec![guard; n + 2 * GUARD];
        all[GUARD..GUARD + n].fill(empty);
        Self { all, n }
    }

    /// First value between the guards.
    fn first(&mut self) -> *mut T {
        // SAFETY: the vector has more than GUARD values. Made from the whole vector, so that a write into a guard is one
        // into this very memory.
        unsafe { self.all.as_mut_ptr().add(GUARD) }
    }

    /// Names the guards in which a value is no longer as it was.
    fn changed(&self, name: &str, intact: impl Fn(&T) -> bool, into: &mut Vec<String>) {
        for (guard, side) in [(&self.all[..GUARD], "before"), (&self.all[GUARD + self.n..], "after")] {
            if !guard.iter().all(&intact) {
                into.push(format!("{side} the {name}"));
            }
        }
    }
}

/// Tracks a picture once, in a fresh worker.
pub(crate) fn track(subject: &Subject, picture: &Picture, wanted: Wanted) -> Result<RawTracks, Stop> {
    // SAFETY: trackers have this table; only they have this check.
    let raw = unsafe { Raw::<TrackerTable>::open(subject)? };
    let t = &raw.table;
    let (Some(create), Some(destroy), Some(make), Some(free), Some(track)) =
        (t.create, t.destroy, t.worker, t.free_worker, t.track)
    else {
        return Err(Stop::Failed("its table lacks a function".into()));
    };
    let (mut instance, mut worker) = (std::ptr::null_mut(), std::ptr::null_mut());
    let params = subject.params()?;
    with_params(&params, |p| {
        // SAFETY: the library's context, readable parameters, a valid place.
        call("create", |error| unsafe { create(raw.context, p, &mut instance, error) })
    })?;
    let (config, mut layout) = (picture.config(), ProfileLayout::NONE);
    // SAFETY: the instance is alive; all places are valid.
    call("worker", |error| unsafe { make(instance, &config, &mut worker, &mut layout, error) })?;
    ensure!(layout.n_bins < 1 << 20, "it announces profiles of {} bins", layout.n_bins);
    let (n, n_values) = (picture.len(), picture.len() * layout.n_bins as usize);
    let guard = Fix { x_px: f64::from_bits(PATTERN), y_px: f64::from_bits(PATTERN), flags: 0x5a5a_5a5a, ..Fix::EMPTY };
    let mut fixes = Guarded::new(n, guard, Fix::EMPTY);
    let mut profiles = Guarded::new(n_values, f64::from_bits(PATTERN), f64::NAN);
    let mut weights = Guarded::new(n_values, f32::from_bits(PATTERN_F32), f32::NAN);
    let everything = wanted == Wanted::Everything;
    let output = TrackOutput {
        fixes: fixes.first(),
        profiles: if everything { profiles.first() } else { std::ptr::null_mut() },
        weights: if everything { weights.first() } else { std::ptr::null_mut() },
        n_bins: layout.n_bins,
        n_rois: n as u32,
        reserved: [0; 2],
    };
    // A copy whose memory may be written without anybody reading it at the same time.
    let mut memory: Vec<u64> = vec![0; picture.bytes().len().div_ceil(8)];
    let before = picture.bytes();
    let base: *mut u8 = memory.as_mut_ptr().cast();
    // SAFETY: `memory` has room for all bytes of the picture.
    unsafe { base.copy_from_nonoverlapping(before.as_ptr(), before.len()) };
    let rois = picture.rois();
    let batch = Batch {
        base,
        len_bytes: before.len() as u64,
        offsets: rois.offsets.as_ptr(),
        row_stride_bytes: rois.row_stride_bytes,
        pixel_stride_bytes: rois.pixel_stride_bytes,
        n_rois: n as u32,
        w_px: rois.w_px,
        h_px: rois.h_px,
        pixel_format: rois.pixel_format,
        reserved0: 0,
        bead_ids: rois.bead_ids.as_ptr(),
        frame_indices: rois.frame_indices.as_ptr(),
        reserved: [0; 4],
    };
    // SAFETY: the worker is alive and ours alone; batch and output describe memory that lives through the call.
    let done = call("track", |error| unsafe { track(worker, &batch, &output, error) });
    // SAFETY: made above, freed once, the worker first.
    unsafe {
        free(worker);
        destroy(instance);
    }
    done?;
    let mut overwritten = Vec::new();
    let intact = |f: &Fix| (f.x_px.to_bits(), f.y_px.to_bits(), f.flags) == (PATTERN, PATTERN, guard.flags);
    fixes.changed("fixes", intact, &mut overwritten);
    profiles.changed("profiles", |v| v.to_bits() == PATTERN, &mut overwritten);
    weights.changed("weights", |v| v.to_bits() == PATTERN_F32, &mut overwritten);
    // SAFETY: as many bytes were copied there above.
    let after = unsafe { std::slice::from_raw_parts(base, before.len()) };
    Ok(RawTracks { fixes: fixes.all[GUARD..GUARD + n].to_vec(), overwritten, input_changed: after != before })
}
