//! The camera's trait, the sink it delivers to, and the function table made from it.

use super::error::{Error, Result};
use super::export::{LibraryBox, LibraryContext};
use super::guard::{guard, guard_value, str_of, text, write_all};
use super::json;
use super::params::{ParamValues, Value};
use super::schema::{Descriptor, Parameter, value_field};
use crate::abi::{self, CameraFormat, CameraSink, CameraTable, FrameInfo, Status, Str, Writer};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

/// A camera driver. Methods take `&self`, since `stop` may come while another call runs: keep what changes in a mutex
/// or an atomic. Apart from `stop` there is one caller at a time, none of them on a worker's live path but `poll`.
pub trait Camera: Send + Sync + Sized + 'static {
    /// What the library's components share.
    type Context: LibraryContext;

    /// Identity and schema of the parameters of `open`. The same each time.
    fn descriptor() -> Descriptor;

    /// The devices that could be opened. May take seconds.
    fn enumerate(context: &Arc<Self::Context>) -> Result<Vec<Device>>;

    /// Opens a device of `enumerate`; empty text is the first, or the only one. May take seconds.
    fn open(context: &Arc<Self::Context>, device: &str, params: &ParamValues) -> Result<Self>;

    /// The settings with their present values. Asked again after every change.
    fn settings(&self) -> Result<Settings>;

    /// Changes settings; values are checked against `settings` before. [`Error::busy`] for one that cannot change now.
    fn set(&self, values: &ParamValues) -> Result<()>;

    /// What will be delivered with the present settings.
    fn format(&self) -> Result<CameraFormat>;

    /// The channels of each frame; their lengths sum up to the format's `n_channel_values`.
    fn channels(&self) -> Result<Vec<Channel>> {
        Ok(Vec::new())
    }

    /// Arms and returns. Frames go to `sink` from `poll`, or from an SDK's threads.
    fn start(&self, sink: FrameSink) -> Result<()>;

    /// Waits at most `timeout` for frames and delivers them; [`Error::timed_out`] when none came.
    fn poll(&self, timeout: Duration) -> Result<()>;

    /// Stops; a `poll` under way returns soon. After it the sink is not used. Harmless when not running.
    fn stop(&self) -> Result<()>;
}

/// A device that could be opened.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// The text for `open`.
    pub device: String,
    /// Name for people.
    pub name: String,
    /// Serial number, if it has one.
    pub serial: String,
}

/// What comes with every frame besides the image.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Name, with the unit at its end where there is one.
    pub key: String,
    /// Unit of the values.
    pub unit: String,
    /// Number of values.
    pub length: u32,
}

/// One setting: its schema as it is now (ranges may depend on other settings), and its value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Schema.
    pub parameter: Parameter,
    /// Present value, as read back.
    pub value: Value,
    /// False for a read-only one.
    pub writable: bool,
}

/// All settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Rises with every change, so that a client sees when to ask again.
    pub revision: u64,
    /// The settings.
    pub settings: Vec<Setting>,
}

impl Settings {
    pub(crate) fn to_json(&self) -> String {
        let mut out = format!("{{\"revision\":{},", self.revision);
        json::list(&mut out, "settings", &self.settings, |o, s| {
            s.parameter.open_json(o);
            value_field(o, "value", &s.value);
            json::field(o, "access", if s.writable { "rw" } else { "r" });
            json::close(o);
        });
        json::close(&mut out);
        out
    }

    /// Reads what the host sent, checked against the settings as they are now.
    ///
    /// # Safety
    /// `params` must describe readable memory.
    pub(crate) unsafe fn values(&self, params: abi::Params) -> Result<ParamValues> {
        let schema: Vec<Parameter> = self.settings.iter().map(|s| s.parameter.clone()).collect();
        // SAFETY: passed on.
        let values = unsafe { ParamValues::from_abi(params, &schema, false) }?;
        for (key, _) in values.iter() {
            if self.settings.iter().any(|s| s.parameter.key() == key && !s.writable) {
                return Err(Error::unsupported(format!("`{key}` can only be read")));
            }
        }
        Ok(values)
    }
}

pub(crate) fn devices_json(devices: &[Device]) -> String {
    let mut out = String::new();
    json::array(&mut out, devices, |o, d| {
        o.push('{');
        json::field(o, "device", &d.device);
        json::field(o, "name", &d.name);
        json::field(o, "serial", &d.serial);
        json::close(o);
    });
    out
}

/// Where frames go. Copied freely, used from any thread, between `start` and the return of `stop`.
#[derive(Clone, Copy)]
pub struct FrameSink {
    table: *const CameraSink,
}

// SAFETY: the host promises that its sink may be used from any thread until `stop` has returned.
unsafe impl Send for FrameSink {}
// SAFETY: as above.
unsafe impl Sync for FrameSink {}

impl FrameSink {
    /// A sink for the table that `start` got.
    ///
    /// # Safety
    /// `table` must stay valid as long as the sink is used.
    pub unsafe fn new(table: *const CameraSink) -> Self {
        Self { table }
    }

    fn table(&self) -> &CameraSink {
        // SAFETY: valid until `stop` has returned, which is as long as the sink may be used.
        unsafe { &*self.table }
    }

    /// True offline: wait for slots, drop nothing.
    pub fn lossless(&self) -> bool {
        self.table().lossless != 0
    }

    /// Bytes of each slot.
    pub fn slot_bytes(&self) -> usize {
        self.table().slot_bytes as usize
    }

    /// Addresses of all slots, for an SDK that announces them once.
    pub fn slots(&self) -> &[*mut u8] {
        let table = self.table();
        // SAFETY: the host shows `n_slots` addresses.
        unsafe { super::export::slice(table.slots, table.n_slots as usize) }
    }

    /// Lends a slot; None when none became free in time.
    pub fn lend(&self, timeout: Duration) -> Option<Slot<'_>> {
        let table = self.table();
        let timeout_ns = i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX);
        // SAFETY: the host's function and ctx.
        let index = unsafe { (table.lend?)(table.ctx, timeout_ns) };
        let at = *self.slots().get(usize::try_from(index).ok()?)?;
        // SAFETY: a lent slot of `slot_bytes` bytes is ours alone until it is committed or given back.
        let bytes = unsafe { std::slice::from_raw_parts_mut(at, self.slot_bytes()) };
        Some(Slot { sink: *self, index, bytes })
    }

    /// Where the host reads `channels`: null when there are none, an error when they are not as many as announced.
    fn channels(&self, channels: &[f64]) -> Result<*const f64> {
        let announced = self.table().n_channel_values as usize;
        match channels.len() {
            0 => Ok(std::ptr::null()),
            n if n == announced => Ok(channels.as_ptr()),
            n => Err(Error::internal(format!("{n} channel values with a frame, the format announced {announced}"))),
        }
    }

    /// Copies a payload into a slot and commits it; false when no slot was free (the host counted it). `channels` are
    /// the values that the format announced, or empty.
    pub fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> Result<bool> {
        let table = self.table();
        let Some(push) = table.push else { return Err(Error::unsupported("the host takes no copies")) };
        let channels = self.channels(channels)?;
        // SAFETY: the host's function and ctx; all pointers live on, `channels` leads to as many values as the host reads.
        let status = unsafe { push(table.ctx, payload.as_ptr(), payload.len() as u64, info, channels) };
        match status {
            abi::STATUS_OK => Ok(true),
            abi::STATUS_BUSY => Ok(false),
            s => Err(Error::new(s, "the host refused the frame")),
        }
    }

    /// Tells of frames that were lost before they reached a slot, with one of the `LOST_*` reasons.
    pub fn lost(&self, count: u64, reason: u32) {
        let table = self.table();
        if let Some(lost) = table.lost {
            // SAFETY: the host's function and ctx.
            unsafe { lost(table.ctx, count, reason) }
        }
    }

    /// Tells that no more frames come, with one of the `ENDED_*` reasons.
    pub fn ended(&self, reason: u32, why: &str) {
        let table = self.table();
        if let Some(ended) = table.ended {
            // SAFETY: the host's function and ctx; the text lives on.
            unsafe { ended(table.ctx, reason, str_of(why)) }
        }
    }
}

/// A lent slot: the bytes of one frame. Given back when it is dropped without a commit.
pub struct Slot<'a> {
    sink: FrameSink,
    index: i32,
    bytes: &'a mut [u8],
}

impl Slot<'_> {
    /// Gives the slot to the host as the next frame. `channels` are the values that the format announced, or empty.
    pub fn commit(self, info: &FrameInfo, channels: &[f64]) -> Result<()> {
        let sink = self.sink;
        let channels = sink.channels(channels)?;
        let table = sink.table();
        let Some(commit) = table.commit else { return Err(Error::unsupported("the host takes no frames")) };
        let slot = std::mem::ManuallyDrop::new(self);
        // SAFETY: the host's function and ctx; the slot is lent to us and is used no more; `channels` leads to as many
        // values as the host reads.
        match unsafe { commit(table.ctx, slot.index, info, channels) } {
            abi::STATUS_OK => Ok(()),
            s => Err(Error::new(s, "the host refused the frame")),
        }
    }
}

impl std::ops::Deref for Slot<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl std::ops::DerefMut for Slot<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let table = self.sink.table();
        if let Some(give_back) = table.give_back {
            // SAFETY: the host's function and ctx; the slot is lent to us and is used no more.
            unsafe { give_back(table.ctx, self.index) };
        }
    }
}

/// The function table of `T`.
pub(crate) struct CameraGlue<T>(std::marker::PhantomData<T>);

impl<T: Camera> CameraGlue<T> {
    pub(crate) const TABLE: CameraTable = CameraTable {
        struct_size: size_of::<CameraTable>() as u32,
        reserved: 0,
        enumerate: Some(Self::enumerate),
        open: Some(Self::open),
        close: Some(Self::close),
        settings: Some(Self::settings),
        set: Some(Self::set),
        format: Some(Self::format),
        channels: Some(Self::channels),
        start: Some(Self::start),
        poll: Some(Self::poll),
        stop: Some(Self::stop),
    };

    unsafe extern "C" fn enumerate(context: *mut c_void, out: Writer, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the context is this library's, of this type.
            let context = unsafe { &(*context.cast::<LibraryBox<T::Context>>()).context };
            write_all(out, devices_json(&T::enumerate(context)?).as_bytes())
        })
    }

    unsafe extern "C" fn open(
        context: *mut c_void,
        device: Str,
        params: abi::Params,
        camera: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the context is this library's; text, parameters and place are the host's and valid.
            unsafe {
                let context = &(*context.cast::<LibraryBox<T::Context>>()).context;
                let values = ParamValues::from_abi(params, &T::descriptor().parameters, true)?;
                *camera = Box::into_raw(Box::new(T::open(context, &text(device), &values)?)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn close(camera: *mut c_void) {
        // SAFETY: made by `open` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(camera.cast::<T>()) }));
    }

    unsafe extern "C" fn settings(camera: *mut c_void, out: Writer, error: Writer) -> Status {
        // SAFETY: the camera was made by `open`.
        guard(error, || write_all(out, unsafe { &*camera.cast::<T>() }.settings()?.to_json().as_bytes()))
    }

    unsafe extern "C" fn set(camera: *mut c_void, params: abi::Params, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the camera was made by `open`; the parameters are readable.
            unsafe {
                let camera = &*camera.cast::<T>();
                camera.set(&camera.settings()?.values(params)?)
            }
        })
    }

    unsafe extern "C" fn format(camera: *mut c_void, format: *mut CameraFormat, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the camera was made by `open`; `format` is a valid place.
            unsafe { *format = (*camera.cast::<T>()).format()? };
            Ok(())
        })
    }

    unsafe extern "C" fn channels(camera: *mut c_void, out: Writer, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the camera was made by `open`.
            let channels = unsafe { &*camera.cast::<T>() }.channels()?;
            let mut json_text = String::new();
            json::array(&mut json_text, &channels, |o, c| {
                o.push('{');
                json::field(o, "key", &c.key);
                json::field(o, "unit", &c.unit);
                o.push_str(&format!("\"length\":{}}}", c.length));
            });
            write_all(out, json_text.as_bytes())
        })
    }

    unsafe extern "C" fn start(camera: *mut c_void, sink: *const CameraSink, error: Writer) -> Status {
        // SAFETY: the camera was made by `open`; the sink stays valid until `stop` has returned.
        guard(error, || unsafe { (*camera.cast::<T>()).start(FrameSink::new(sink)) })
    }

    unsafe extern "C" fn poll(camera: *mut c_void, timeout_ns: i64, error: Writer) -> Status {
        let timeout = Duration::from_nanos(u64::try_from(timeout_ns).unwrap_or(0));
        // SAFETY: the camera was made by `open`.
        guard(error, || unsafe { (*camera.cast::<T>()).poll(timeout) })
    }

    unsafe extern "C" fn stop(camera: *mut c_void, error: Writer) -> Status {
        // SAFETY: the camera was made by `open`.
        guard(error, || unsafe { (*camera.cast::<T>()).stop() })
    }
}
