//! `track` called with memory between guard bytes, and looked at before the host's checks touch it.
#![allow(unsafe_code)]

use super::guarded::{Guarded, PATTERN, PATTERN_F32, guard_fix, is_guard_fix};
use super::{Raw, batch_of, call, with_params};
use crate::outcome::{Stop, ensure};
use crate::picture::Picture;
use crate::subject::Subject;
use tetherscope_loader::abi::{TrackOutput, TrackerTable};
use tetherscope_loader::{Fix, ProfileLayout, WorkerConfig};

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

/// Tracks a picture once, in a fresh worker that is told this of the camera.
pub(crate) fn track(
    subject: &Subject,
    picture: &Picture,
    config: &WorkerConfig,
    wanted: Wanted,
) -> Result<RawTracks, Stop> {
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
    let mut layout = ProfileLayout::NONE;
    // SAFETY: the instance is alive; all places are valid.
    call("worker", |error| unsafe { make(instance, config, &mut worker, &mut layout, error) })?;
    ensure!(layout.n_bins < 1 << 20, "it announces profiles of {} bins", layout.n_bins);
    let (n, n_values) = (picture.len(), picture.len() * layout.n_bins as usize);
    let mut fixes = Guarded::new(n, guard_fix(), Fix::EMPTY);
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
    let batch = batch_of(&rois, base, before.len());
    // SAFETY: the worker is alive and ours alone; batch and output describe memory that lives through the call.
    let done = call("track", |error| unsafe { track(worker, &batch, &output, error) });
    // SAFETY: made above, freed once, the worker first.
    unsafe {
        free(worker);
        destroy(instance);
    }
    done?;
    let mut overwritten = Vec::new();
    fixes.changed("fixes", is_guard_fix, &mut overwritten);
    profiles.changed("profiles", |v| v.to_bits() == PATTERN, &mut overwritten);
    weights.changed("weights", |v| v.to_bits() == PATTERN_F32, &mut overwritten);
    // SAFETY: as many bytes were copied there above.
    let after = unsafe { std::slice::from_raw_parts(base, before.len()) };
    Ok(RawTracks { fixes: fixes.values().to_vec(), overwritten, input_changed: after != before })
}
