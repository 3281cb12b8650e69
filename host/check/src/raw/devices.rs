//! Cameras and stages without the host in between: calls that the loader would refuse itself, and a sink that lives on
//! after `stop`, so that a late call is seen instead of being a crash.
#![allow(unsafe_code)]

use super::{Raw, call, param, status_of, str_of, with_params, writer};
use crate::outcome::Stop;
use crate::slots::Slots;
use crate::subject::Subject;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;
use tetherscope_loader::abi::{self, CameraSink, CameraTable, Params, StageTable, Status, Str};
use tetherscope_loader::{FrameInfo, FrameTarget, Value};

macro_rules! function {
    ($self:ident, $name:ident) => {
        $self.raw.table.$name.ok_or_else(|| Stop::Failed(format!("its table lacks {}", stringify!($name))))?
    };
}

/// A camera, opened without the loader.
pub(crate) struct RawCamera {
    raw: Raw<CameraTable>,
    camera: *mut c_void,
}

/// What a sink's ctx leads to. Never freed.
struct Ctx {
    slots: Arc<Slots>,
    n_values: usize,
}

impl RawCamera {
    /// Opens the first device with the user's parameters.
    pub(crate) fn open(subject: &Subject) -> Result<Self, Stop> {
        // SAFETY: cameras have this table; only they have this check.
        let raw = unsafe { Raw::<CameraTable>::open(subject)? };
        let mut made = Self { raw, camera: std::ptr::null_mut() };
        let open = function!(made, open);
        let params = subject.params()?;
        with_params(&params, |p| {
            // SAFETY: the library's context, readable text and parameters, a valid place.
            call("open", |error| unsafe { open(made.raw.context, str_of(""), p, &mut made.camera, error) })
        })?;
        Ok(made)
    }

    /// `start`, with a sink that stays valid for ever.
    pub(crate) fn start(&self, slots: &Arc<Slots>, n_values: u32) -> Result<(Status, String), Stop> {
        let start = function!(self, start);
        let ctx = Box::leak(Box::new(Ctx { slots: slots.clone(), n_values: n_values as usize }));
        let sink: &'static CameraSink = Box::leak(Box::new(CameraSink {
            struct_size: size_of::<CameraSink>() as u32,
            lossless: slots.lossless().into(),
            slots: slots.slots().as_ptr(),
            n_slots: slots.slots().len() as u32,
            n_channel_values: n_values,
            slot_bytes: slots.slot_bytes() as u64,
            ctx: (&raw mut *ctx).cast(),
            lend: Some(lend),
            commit: Some(commit),
            give_back: Some(give_back),
            push: Some(push),
            lost: Some(lost),
            ended: Some(ended),
        }));
        // SAFETY: the camera is open; the sink lives for ever.
        Ok(status_of(|error| unsafe { start(self.camera, sink, error) }))
    }

    /// `poll`.
    pub(crate) fn poll(&self, timeout: Duration) -> Result<(Status, String), Stop> {
        let poll = function!(self, poll);
        // SAFETY: the camera is open.
        Ok(status_of(|error| unsafe { poll(self.camera, timeout.as_nanos() as i64, error) }))
    }

    /// `stop`.
    pub(crate) fn stop(&self) -> Result<(Status, String), Stop> {
        let stop = function!(self, stop);
        // SAFETY: the camera is open.
        Ok(status_of(|error| unsafe { stop(self.camera, error) }))
    }

    /// The settings as JSON text.
    pub(crate) fn settings(&self) -> Result<String, Stop> {
        let settings = function!(self, settings);
        let mut json = Vec::new();
        // SAFETY: the camera is open; the writer leads to `json`, which lives through the call.
        call("settings", |error| unsafe { settings(self.camera, writer(&mut json), error) })?;
        Ok(String::from_utf8_lossy(&json).into_owned())
    }

    /// `set`, whatever the value.
    pub(crate) fn set(&self, key: &str, value: &Value) -> Result<(Status, String), Stop> {
        let set = function!(self, set);
        let entry = param(key, value);
        // SAFETY: the camera is open; the parameter points to `key` and `value`, which live through the call.
        Ok(status_of(|error| unsafe { set(self.camera, Params { ptr: &entry, len: 1 }, error) }))
    }

    /// `close`; the camera was stopped before.
    pub(crate) fn close(self) -> Result<(), Stop> {
        let close = function!(self, close);
        // SAFETY: made by `open`, closed once.
        unsafe { close(self.camera) };
        Ok(())
    }
}

/// The context of a sink.
///
/// # Safety
/// `ctx` must be that of a sink made above.
unsafe fn ctx_of<'a>(ctx: *mut c_void) -> &'a Ctx {
    // SAFETY: it was leaked, and nobody changes it.
    unsafe { &*ctx.cast::<Ctx>() }
}

fn yes(taken: bool) -> Status {
    if taken { abi::STATUS_OK } else { abi::STATUS_INVALID_ARGUMENT }
}

unsafe extern "C" fn lend(ctx: *mut c_void, timeout_ns: i64) -> i32 {
    // SAFETY: the sink's own ctx.
    let slot = unsafe { ctx_of(ctx) }.slots.lend(Duration::from_nanos(timeout_ns.max(0) as u64));
    slot.map_or(-1, |s| s as i32)
}

/// # Safety
/// `values` must be null or lead to as many values as were announced.
unsafe fn channels<'a>(ctx: &Ctx, values: *const f64) -> &'a [f64] {
    // SAFETY: the caller promises it.
    if values.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(values, ctx.n_values) } }
}

unsafe extern "C" fn commit(ctx: *mut c_void, slot: i32, info: *const FrameInfo, values: *const f64) -> Status {
    // SAFETY: the sink's own ctx; the plugin's info and channels are readable.
    unsafe {
        let ctx = ctx_of(ctx);
        yes(!info.is_null() && slot >= 0 && ctx.slots.commit(slot as usize, &*info, channels(ctx, values)))
    }
}

unsafe extern "C" fn give_back(ctx: *mut c_void, slot: i32) -> Status {
    // SAFETY: the sink's own ctx.
    yes(slot >= 0 && unsafe { ctx_of(ctx) }.slots.give_back(slot as usize))
}

unsafe extern "C" fn push(
    ctx: *mut c_void,
    payload: *const u8,
    len: u64,
    info: *const FrameInfo,
    values: *const f64,
) -> Status {
    if payload.is_null() || info.is_null() {
        return abi::STATUS_INVALID_ARGUMENT;
    }
    // SAFETY: the sink's own ctx; the plugin's payload, info and channels are readable.
    unsafe {
        let ctx = ctx_of(ctx);
        if len > ctx.slots.slot_bytes() as u64 {
            return abi::STATUS_INVALID_ARGUMENT;
        }
        let payload = std::slice::from_raw_parts(payload, len as usize);
        if ctx.slots.push(payload, &*info, channels(ctx, values)) { abi::STATUS_OK } else { abi::STATUS_BUSY }
    }
}

unsafe extern "C" fn lost(ctx: *mut c_void, count: u64, reason: u32) {
    // SAFETY: the sink's own ctx.
    unsafe { ctx_of(ctx) }.slots.lost(count, reason);
}

unsafe extern "C" fn ended(ctx: *mut c_void, reason: u32, text: Str) {
    // SAFETY: the sink's own ctx; the plugin's text is readable.
    unsafe {
        let bytes: &[u8] =
            if text.ptr.is_null() { &[] } else { std::slice::from_raw_parts(text.ptr, text.len as usize) };
        ctx_of(ctx).slots.ended(reason, &String::from_utf8_lossy(bytes));
    }
}

/// A stage, opened without the loader.
pub(crate) struct RawStage {
    raw: Raw<StageTable>,
    stage: *mut c_void,
}

impl RawStage {
    /// Opens the first device with the user's parameters.
    pub(crate) fn open(subject: &Subject) -> Result<Self, Stop> {
        // SAFETY: stages have this table; only they have this check.
        let raw = unsafe { Raw::<StageTable>::open(subject)? };
        let mut made = Self { raw, stage: std::ptr::null_mut() };
        let open = function!(made, open);
        let params = subject.params()?;
        with_params(&params, |p| {
            // SAFETY: the library's context, readable text and parameters, a valid place.
            call("open", |error| unsafe { open(made.raw.context, str_of(""), p, &mut made.stage, error) })
        })?;
        Ok(made)
    }

    /// `move_to`, whatever the position.
    pub(crate) fn move_to(&self, axis: u32, position: f64) -> Result<(Status, String), Stop> {
        let move_to = function!(self, move_to);
        // SAFETY: the stage is open.
        Ok(status_of(|error| unsafe { move_to(self.stage, axis, position, error) }))
    }

    /// `position`.
    pub(crate) fn position(&self, axis: u32) -> Result<(Status, f64), Stop> {
        let get = function!(self, position);
        let mut position = f64::NAN;
        // SAFETY: the stage is open; the place is valid.
        let (status, _) = status_of(|error| unsafe { get(self.stage, axis, &mut position, error) });
        Ok((status, position))
    }

    /// `moving`.
    pub(crate) fn moving(&self, axis: u32) -> Result<(Status, bool), Stop> {
        let get = function!(self, moving);
        let mut moving = 0;
        // SAFETY: the stage is open; the place is valid.
        let (status, _) = status_of(|error| unsafe { get(self.stage, axis, &mut moving, error) });
        Ok((status, moving != 0))
    }

    /// `close`.
    pub(crate) fn close(self) -> Result<(), Stop> {
        let close = function!(self, close);
        // SAFETY: made by `open`, closed once.
        unsafe { close(self.stage) };
        Ok(())
    }
}
