//! `lookup` called with rows between guard bytes, and looked at before the host's checks touch it.
#![allow(unsafe_code)]

use super::guarded::{Guarded, guard_fix, is_guard_fix};
use super::{Raw, batch_of, call, str_of, with_params};
use crate::outcome::Stop;
use crate::subject::Subject;
use crate::zlut::Material;
use std::ffi::c_void;
use tetherscope_loader::Fix;
use tetherscope_loader::abi::{Batch, Lookup, Params, Sweep, ZlutStrategyTable};

/// What `lookup` left behind.
pub(crate) struct RawLookup {
    /// As the plugin wrote them.
    pub(crate) fixes: Vec<Fix>,
    /// Which guards were changed, and which inputs.
    pub(crate) overwritten: Vec<String>,
}

/// The pixels of a material, and the batch that leads to them.
struct Pixels {
    /// Written by nobody but a plugin that must not.
    _memory: Vec<u64>,
    batch: Batch,
}

impl Pixels {
    fn of(material: &Material) -> Self {
        let bytes = material.picture.bytes();
        let memory: Vec<u64> = bytes
            .chunks(8)
            .map(|c| {
                let mut word = [0; 8];
                word[..c.len()].copy_from_slice(c);
                u64::from_ne_bytes(word)
            })
            .collect();
        let batch = batch_of(&material.picture.rois(), memory.as_ptr().cast(), bytes.len());
        Self { _memory: memory, batch }
    }
}

/// Builds a table of a sweep, and looks materials up in it, each in a fresh worker.
pub(crate) fn lookup(subject: &Subject, sweep: &Material, of: &[&Material]) -> Result<Vec<RawLookup>, Stop> {
    // SAFETY: Z-LUT strategies have this table; only they have this check.
    let raw = unsafe { Raw::<ZlutStrategyTable>::open(subject)? };
    let t = &raw.table;
    let (Some(create), Some(destroy), Some(build), Some(free_table)) = (t.create, t.destroy, t.build, t.free_table)
    else {
        return Err(Stop::Failed("its table lacks a function".into()));
    };
    let (mut instance, mut table) = (std::ptr::null_mut(), std::ptr::null_mut());
    let params = subject.params()?;
    with_params(&params, |p| {
        // SAFETY: the library's context, readable parameters, a valid place.
        call("create", |error| unsafe { create(raw.context, p, &mut instance, error) })
    })?;
    let pixels = Pixels::of(sweep);
    let data = Sweep {
        batch: pixels.batch,
        focus_nm: sweep.z_nm.as_ptr(),
        fixes: sweep.tracks.fixes.as_ptr(),
        profiles: sweep.tracks.profiles.as_ptr(),
        weights: sweep.tracks.weights.as_ptr(),
        layout: sweep.layout,
        config: sweep.config,
        tracker_id: str_of("tracker.check"),
        tracker_version: str_of("1.0.0"),
        tracker_params: Params { ptr: std::ptr::null(), len: 0 },
        reserved: [0; 4],
    };
    // SAFETY: the instance is alive; the sweep describes memory that lives through the call; the place is valid.
    call("build", |error| unsafe { build(instance, &data, &mut table, error) })?;
    let all = of.iter().map(|of| one(subject, t, instance, table, of)).collect();
    // SAFETY: made above, freed once, the table first; the workers are gone.
    unsafe {
        free_table(table);
        destroy(instance);
    }
    all
}

fn one(
    subject: &Subject,
    t: &ZlutStrategyTable,
    instance: *mut c_void,
    table: *mut c_void,
    of: &Material,
) -> Result<RawLookup, Stop> {
    let (Some(make), Some(free), Some(lookup)) = (t.worker, t.free_worker, t.lookup) else {
        return Err(Stop::Failed("its table lacks a function".into()));
    };
    let mut worker = std::ptr::null_mut();
    // SAFETY: the instance is alive; all places are valid.
    call("worker", |error| unsafe { make(instance, &of.config, &of.layout, &mut worker, error) })?;
    let n = of.tracks.fixes.len();
    let mut fixes = Guarded::new(n, guard_fix(), Fix::EMPTY);
    fixes.values_mut().copy_from_slice(&of.tracks.fixes);
    let (profiles, weights) = (of.tracks.profiles.clone(), of.tracks.weights.clone());
    let tables = vec![table.cast_const(); n];
    let mut pixels = Pixels::of(of);
    if !subject.can("needs_pixels") {
        (pixels.batch.base, pixels.batch.len_bytes) = (std::ptr::null(), 0);
    }
    let rows = Lookup {
        tables: tables.as_ptr(),
        fixes: fixes.first(),
        profiles: profiles.as_ptr(),
        weights: weights.as_ptr(),
        n_bins: of.layout.n_bins,
        n_rois: n as u32,
        reserved: [0; 2],
    };
    // SAFETY: the worker is alive and ours alone; batch and rows describe memory that lives through the call.
    let done = call("lookup", |error| unsafe { lookup(worker, &pixels.batch, &rows, error) });
    // SAFETY: made above, freed once.
    unsafe { free(worker) };
    done?;
    let mut overwritten = Vec::new();
    fixes.changed("fixes", is_guard_fix, &mut overwritten);
    let same = profiles.iter().zip(&of.tracks.profiles).all(|(a, b)| a.to_bits() == b.to_bits());
    if !same || weights.iter().zip(&of.tracks.weights).any(|(a, b)| a.to_bits() != b.to_bits()) {
        overwritten.push("the profiles or weights, which are the tracker's".into());
    }
    Ok(RawLookup { fixes: fixes.values().to_vec(), overwritten })
}
