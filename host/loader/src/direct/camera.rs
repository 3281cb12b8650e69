//! A camera in this process: order of calls, settings, and the sink through which it reaches the host's slots.
#![allow(unsafe_code)]

use crate::component::Component;
use crate::descriptor::{ParameterInfo, RawParameter, from_json, to_json};
use crate::error::PluginError;
use crate::library::Output;
use crate::params::ParamSet;
use crate::shared::SharedRegion;
use serde::{Deserialize, Serialize};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;
use tetherscope_plugin_api::abi::{self, CameraSink, CameraTable, Status, Str};
use tetherscope_plugin_api::{CameraFormat, FrameInfo, Value};

/// A device that could be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Text for `open`.
    pub device: String,
    /// Name for people.
    pub name: String,
    /// Serial number, if it has one.
    #[serde(default)]
    pub serial: String,
}

/// What comes with every frame besides the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelInfo {
    /// Name.
    pub key: String,
    /// Unit of the values.
    pub unit: String,
    /// Number of values.
    pub length: u32,
}

/// One setting with its present value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingInfo {
    /// Schema as it is now.
    #[serde(flatten)]
    pub parameter: ParameterInfo,
    /// Value as read back.
    #[serde(serialize_with = "plain")]
    pub value: Value,
    /// False for one that can only be read.
    pub writable: bool,
}

fn plain<S: serde::Serializer>(value: &Value, s: S) -> Result<S::Ok, S::Error> {
    to_json(value).serialize(s)
}

/// All settings of a device.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct SettingsInfo {
    /// Rises with every change.
    pub revision: u64,
    /// The settings.
    pub settings: Vec<SettingInfo>,
}

impl SettingsInfo {
    /// Reads a device's JSON; the error says what makes no sense.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Raw {
            revision: u64,
            settings: Vec<RawSetting>,
        }
        #[derive(Deserialize)]
        struct RawSetting {
            value: serde_json::Value,
            #[serde(default)]
            access: String,
            #[serde(flatten)]
            rest: serde_json::Map<String, serde_json::Value>,
        }
        let raw: Raw = serde_json::from_str(json).map_err(|e| format!("its settings make no sense: {e}"))?;
        let mut settings = Vec::with_capacity(raw.settings.len());
        for s in raw.settings {
            let wrong = |e: String| format!("its settings make no sense: {e}");
            let parameter: RawParameter =
                serde_json::from_value(serde_json::Value::Object(s.rest)).map_err(|e| wrong(e.to_string()))?;
            let parameter = parameter.check().map_err(wrong)?;
            let value = from_json(parameter.kind, &s.value)
                .ok_or_else(|| wrong(format!("`{}` is {}, not {}", parameter.key, s.value, parameter.kind.name())))?;
            settings.push(SettingInfo { parameter, value, writable: s.access == "rw" });
        }
        Ok(Self { revision: raw.revision, settings })
    }

    /// Values for `set`, from `key=text` pairs, checked against these settings.
    pub(crate) fn changes<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<ParamSet, String> {
        let schema: Vec<ParameterInfo> = self.settings.iter().map(|s| s.parameter.clone()).collect();
        let set = ParamSet::some_from_text(&schema, pairs)?;
        for (key, _) in set.iter() {
            if self.settings.iter().any(|s| s.parameter.key == key && !s.writable) {
                return Err(format!("`{key}` can only be read"));
            }
        }
        Ok(set)
    }
}

/// Where a camera's frames go: implemented by the host's ring. Every method may be called from any thread.
pub trait FrameTarget: Send + Sync {
    /// True offline: the source waits for slots and drops nothing.
    fn lossless(&self) -> bool;
    /// Addresses of all slots, each of [`FrameTarget::slot_bytes`] bytes, valid as long as the target.
    fn slots(&self) -> &[*mut u8];
    /// Bytes of each slot.
    fn slot_bytes(&self) -> usize;
    /// Lends a slot; None when none became free in time.
    fn lend(&self, timeout: Duration) -> Option<usize>;
    /// Takes a lent slot as the next frame; false if the slot was not lent.
    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool;
    /// Takes a lent slot back unused; false if the slot was not lent.
    fn give_back(&self, slot: usize) -> bool;
    /// Copies a payload into a slot and takes it as the next frame; false when none was free (and counts it).
    fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool;
    /// Frames that were lost before they reached a slot; one of `LOST_*`.
    fn lost(&self, count: u64, reason: u32);
    /// No more frames come; one of `ENDED_*`.
    fn ended(&self, reason: u32, text: &str);
    /// The shared memory that the slots lie in, for a camera in a child process; None: none can fill them.
    fn region(&self) -> Option<&SharedRegion> {
        None
    }
    /// True when no more slots will be lent.
    fn closed(&self) -> bool {
        false
    }
}

/// The target behind a running camera, and the table that leads to it. Boxed, so that its address stays.
struct Running {
    target: Box<dyn FrameTarget>,
    n_channel_values: usize,
    payload_bytes: u64,
    sink: CameraSink,
}

/// Lets go of the sink of a camera that stopped. One that failed to stop may still deliver from threads of its own, so
/// its sink and target are kept forever.
fn release(running: Option<Box<Running>>, stopped: bool) {
    if !stopped {
        std::mem::forget(running);
    }
}

/// An open camera.
pub struct Camera {
    component: Component,
    table: CameraTable,
    camera: *mut c_void,
    /// One caller at a time, `stop` apart; holds the sink of a running camera.
    calls: Mutex<Option<Box<Running>>>,
}

// SAFETY: calls are serialised by `calls`; `stop` may come at any time, says the interface.
unsafe impl Send for Camera {}
// SAFETY: as above.
unsafe impl Sync for Camera {}

impl Camera {
    /// The devices that could be opened. May take seconds.
    pub fn enumerate(component: &Component) -> Result<Vec<Device>, PluginError> {
        // SAFETY: the component is a camera, checked where it was resolved and by its table at load.
        let table: CameraTable = unsafe { component.table() };
        let enumerate = table.enumerate.expect("checked at load");
        json(component, "enumerate", |out, error| {
            // SAFETY: the library's context; both writers live through the call.
            unsafe { enumerate(component.context(), out, error) }
        })
    }

    /// Opens a device; empty text is the first, or the only one. May take seconds.
    pub fn open(component: &Component, device: &str, params: &ParamSet) -> Result<Self, PluginError> {
        // SAFETY: as in `enumerate`.
        let table: CameraTable = unsafe { component.table() };
        let open = table.open.expect("checked at load");
        let mut camera = std::ptr::null_mut();
        let device = Str { ptr: device.as_ptr(), len: device.len() as u64 };
        params.with_abi(|p| {
            // SAFETY: the library's context, readable text and parameters, a valid place.
            component.call("open", |error| unsafe { open(component.context(), device, p, &mut camera, error) })
        })?;
        Ok(Self { component: component.clone(), table, camera, calls: Mutex::new(None) })
    }

    fn one_caller(&self) -> std::sync::MutexGuard<'_, Option<Box<Running>>> {
        self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The settings with their present values.
    pub fn settings(&self) -> Result<SettingsInfo, PluginError> {
        let text = self.settings_text()?;
        SettingsInfo::parse(&text).map_err(|m| self.component.error("settings", abi::STATUS_INTERNAL, m))
    }

    /// The settings as the plugin writes them.
    pub(crate) fn settings_text(&self) -> Result<String, PluginError> {
        let _one = self.one_caller();
        let settings = self.table.settings.expect("checked at load");
        text_output(&self.component, "settings", |out, error| {
            // SAFETY: the camera is open; both writers live through the call.
            unsafe { settings(self.camera, out, error) }
        })
    }

    /// Changes settings, and gives them as they are afterwards.
    pub fn set<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<SettingsInfo, PluginError> {
        let changes = self.settings()?.changes(pairs);
        let changes = changes.map_err(|m| self.component.error("set", abi::STATUS_INVALID_ARGUMENT, m))?;
        {
            let _one = self.one_caller();
            let set = self.table.set.expect("checked at load");
            // SAFETY: the camera is open; the parameters are readable.
            changes.with_abi(|p| self.component.call("set", |error| unsafe { set(self.camera, p, error) }))?;
        }
        self.settings()
    }

    /// What the camera delivers with its present settings, checked.
    pub fn format(&self) -> Result<CameraFormat, PluginError> {
        let _one = self.one_caller();
        self.format_unlocked()
    }

    fn format_unlocked(&self) -> Result<CameraFormat, PluginError> {
        let format = self.table.format.expect("checked at load");
        let mut f = CameraFormat::packed(0, 0, abi::PIXEL_MONO8, 8);
        // SAFETY: the camera is open; `f` is a valid place.
        self.component.call("format", |error| unsafe { format(self.camera, &mut f, error) })?;
        check_format(&f).map_err(|m| self.component.error("format", abi::STATUS_INTERNAL, m))?;
        Ok(f)
    }

    /// The channels of each frame.
    pub fn channels(&self) -> Result<Vec<ChannelInfo>, PluginError> {
        let _one = self.one_caller();
        let Some(channels) = self.table.channels else { return Ok(Vec::new()) };
        json(&self.component, "channels", |out, error| {
            // SAFETY: the camera is open; both writers live through the call.
            unsafe { channels(self.camera, out, error) }
        })
    }

    /// Arms the camera; its frames go to `target` until [`Camera::stop`] has returned.
    pub fn start(&self, target: Box<dyn FrameTarget>) -> Result<(), PluginError> {
        let mut running = self.one_caller();
        if running.is_some() {
            return Err(self.component.error("start", abi::STATUS_BUSY, "the camera is already running".into()));
        }
        let format = self.format_unlocked()?;
        let n_channel_values = format.n_channel_values as usize;
        let slots = target.slots();
        let sink = CameraSink {
            struct_size: size_of::<CameraSink>() as u32,
            lossless: target.lossless().into(),
            ctx: std::ptr::null_mut(),
            slots: slots.as_ptr(),
            n_slots: slots.len() as u32,
            n_channel_values: n_channel_values as u32,
            slot_bytes: target.slot_bytes() as u64,
            lend: Some(lend),
            commit: Some(commit),
            give_back: Some(give_back),
            push: Some(push),
            lost: Some(lost),
            ended: Some(ended),
        };
        let mut made = Box::new(Running { target, n_channel_values, payload_bytes: format.payload_bytes, sink });
        made.sink.ctx = (&raw const *made).cast_mut().cast();
        let start = self.table.start.expect("checked at load");
        let sink: *const CameraSink = &raw const made.sink;
        // Kept before the call: an SDK's thread may deliver before `start` returns.
        *running = Some(made);
        // SAFETY: the camera is open; the sink stays where it is until `stop` has returned.
        let started = self.component.call("start", |error| unsafe { start(self.camera, sink, error) });
        if started.is_err() {
            // A failed start may have left threads behind: stop before the sink goes.
            let stopped = self.stop_plugin();
            release(running.take(), stopped.is_ok());
        }
        started
    }

    /// Lets the camera deliver frames for at most `timeout`; false when none came.
    pub fn poll(&self, timeout: Duration) -> Result<bool, PluginError> {
        let _one = self.one_caller();
        let poll = self.table.poll.expect("checked at load");
        let timeout_ns = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
        // SAFETY: the camera is open.
        match self.component.call("poll", |error| unsafe { poll(self.camera, timeout_ns, error) }) {
            Ok(()) => Ok(true),
            Err(e) if e.status == abi::STATUS_TIMED_OUT => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn stop_plugin(&self) -> Result<(), PluginError> {
        let stop = self.table.stop.expect("checked at load");
        // SAFETY: the camera is open; `stop` may come while another call runs.
        self.component.call("stop", |error| unsafe { stop(self.camera, error) })
    }

    /// Stops, and waits until the call under way has returned. Harmless when not running.
    pub fn stop(&self) -> Result<(), PluginError> {
        let stopped = self.stop_plugin();
        // The plugin uses the sink no more; a `poll` under way has it until it returns.
        release(self.one_caller().take(), stopped.is_ok());
        stopped
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        if let Err(e) = self.stop() {
            tracing::warn!("{e}");
        }
        let close = self.table.close.expect("checked at load");
        let _in_call = self.component.enter("close");
        // SAFETY: made by `open`, stopped, freed once.
        unsafe { close(self.camera) }
    }
}

/// Text that a plugin writes.
pub(crate) fn text_output(
    component: &Component,
    function: &'static str,
    f: impl FnOnce(abi::Writer, abi::Writer) -> Status,
) -> Result<String, PluginError> {
    let mut out = Output::new(1 << 24);
    let writer = out.writer();
    component.call(function, |error| f(writer, error))?;
    Ok(out.text())
}

/// JSON that a plugin writes, read as `T`.
pub(crate) fn json<T: serde::de::DeserializeOwned>(
    component: &Component,
    function: &'static str,
    f: impl FnOnce(abi::Writer, abi::Writer) -> Status,
) -> Result<T, PluginError> {
    let text = text_output(component, function, f)?;
    serde_json::from_str(&text)
        .map_err(|e| component.error(function, abi::STATUS_INTERNAL, format!("what it wrote makes no sense: {e}")))
}

/// Bytes per pixel of an unpacked format; None for a packed or unknown one.
fn bytes_per_px(pixel_format: u32) -> Option<u64> {
    match pixel_format {
        abi::PIXEL_MONO8 => Some(1),
        abi::PIXEL_MONO10 | abi::PIXEL_MONO12 | abi::PIXEL_MONO14 | abi::PIXEL_MONO16 => Some(2),
        _ => None,
    }
}

/// A format that fits together; the error names what does not.
pub(crate) fn check_format(f: &CameraFormat) -> Result<(), String> {
    let (w, h) = (u64::from(f.width_px), u64::from(f.height_px));
    if w == 0 || h == 0 || w > 1 << 20 || h > 1 << 20 {
        return Err(format!("it announces frames of {w} × {h} px"));
    }
    let row_bytes = match bytes_per_px(f.pixel_format) {
        Some(b) => w * b,
        None => match f.pixel_format {
            abi::PIXEL_MONO10P => (w * 10).div_ceil(8),
            abi::PIXEL_MONO12P | abi::PIXEL_MONO12_PACKED => (w * 12).div_ceil(8),
            other => {
                return Err(format!(
                    "it announces the pixel format 0x{other:08x}, which is not one of the grey formats that can be tracked; set the camera to Mono8, Mono10, Mono12 or Mono16"
                ));
            }
        },
    };
    if f.row_stride_bytes < row_bytes {
        return Err(format!("it announces rows of {} bytes, {w} px need {row_bytes}", f.row_stride_bytes));
    }
    let image = f
        .row_stride_bytes
        .checked_mul(h - 1)
        .and_then(|b| b.checked_add(row_bytes))
        .and_then(|b| b.checked_add(f.image_offset_bytes));
    if image.is_none_or(|i| i > f.payload_bytes) {
        return Err(format!("it announces {} bytes a frame, the image does not fit into them", f.payload_bytes));
    }
    if !f.alignment_bytes.is_power_of_two() || f.alignment_bytes > 4096 {
        return Err(format!(
            "it wants slots aligned to {} bytes; a power of two up to 4096 is possible",
            f.alignment_bytes
        ));
    }
    if f.significant_bits == 0 || f.significant_bits > 16 {
        return Err(format!("it announces {} significant bits; 1 to 16 are possible", f.significant_bits));
    }
    if f.n_channel_values > 1 << 16 {
        return Err(format!("it announces {} channel values a frame", f.n_channel_values));
    }
    Ok(())
}

/// The running camera behind a sink's ctx; a panic of the host must not cross into the plugin.
///
/// # Safety
/// `ctx` must be that of a sink whose camera has not been stopped.
unsafe fn with<R>(ctx: *mut c_void, otherwise: R, f: impl FnOnce(&Running) -> R) -> R {
    // SAFETY: the caller promises it.
    let running = unsafe { &*ctx.cast::<Running>() };
    catch_unwind(AssertUnwindSafe(|| f(running))).unwrap_or(otherwise)
}

fn timeout_of(ns: i64) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(0))
}

unsafe extern "C" fn lend(ctx: *mut c_void, timeout_ns: i64) -> i32 {
    // SAFETY: the plugin calls this only while it runs.
    let slot = unsafe { with(ctx, None, |r| r.target.lend(timeout_of(timeout_ns))) };
    slot.and_then(|s| i32::try_from(s).ok()).unwrap_or(-1)
}

/// The plugin's channel values; empty for null.
///
/// # Safety
/// `channels` must be null or lead to as many values as the format announced.
unsafe fn values<'a>(running: &Running, channels: *const f64) -> &'a [f64] {
    // SAFETY: the caller promises it.
    if channels.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(channels, running.n_channel_values) } }
}

unsafe extern "C" fn commit(ctx: *mut c_void, slot: i32, info: *const FrameInfo, channels: *const f64) -> Status {
    if info.is_null() {
        return abi::STATUS_INVALID_ARGUMENT;
    }
    // SAFETY: the plugin calls this only while it runs; info and channels are readable.
    let taken = unsafe {
        with(ctx, false, |r| usize::try_from(slot).is_ok_and(|s| r.target.commit(s, &*info, values(r, channels))))
    };
    if taken { abi::STATUS_OK } else { abi::STATUS_INVALID_ARGUMENT }
}

unsafe extern "C" fn give_back(ctx: *mut c_void, slot: i32) -> Status {
    // SAFETY: the plugin calls this only while it runs.
    let taken = unsafe { with(ctx, false, |r| usize::try_from(slot).is_ok_and(|s| r.target.give_back(s))) };
    if taken { abi::STATUS_OK } else { abi::STATUS_INVALID_ARGUMENT }
}

unsafe extern "C" fn push(
    ctx: *mut c_void,
    payload: *const u8,
    len_bytes: u64,
    info: *const FrameInfo,
    channels: *const f64,
) -> Status {
    if info.is_null() || payload.is_null() {
        return abi::STATUS_INVALID_ARGUMENT;
    }
    // SAFETY: the plugin calls this only while it runs; payload, info and channels are readable.
    unsafe {
        with(ctx, abi::STATUS_INTERNAL, |r| {
            let incomplete = (*info).status & abi::FRAME_INCOMPLETE != 0;
            if len_bytes > r.target.slot_bytes() as u64 || (len_bytes < r.payload_bytes && !incomplete) {
                return abi::STATUS_INVALID_ARGUMENT;
            }
            let payload = std::slice::from_raw_parts(payload, len_bytes as usize);
            if r.target.push(payload, &*info, values(r, channels)) { abi::STATUS_OK } else { abi::STATUS_BUSY }
        })
    }
}

unsafe extern "C" fn lost(ctx: *mut c_void, count: u64, reason: u32) {
    // SAFETY: the plugin calls this only while it runs.
    unsafe { with(ctx, (), |r| r.target.lost(count, reason)) }
}

unsafe extern "C" fn ended(ctx: *mut c_void, reason: u32, text: Str) {
    // SAFETY: the plugin calls this only while it runs; the text is readable.
    unsafe { with(ctx, (), |r| r.target.ended(reason, &crate::library::text_of(text))) }
}
