//! The stage's trait, and the function table made from it.

use super::camera::{Device, Settings, devices_json};
use super::error::{Error, Result};
use super::export::{LibraryBox, LibraryContext};
use super::guard::{guard, guard_value, text, write_all};
use super::json;
use super::params::ParamValues;
use super::schema::Descriptor;
use crate::abi::{self, StageTable, Status, Str, Writer};
use std::ffi::c_void;
use std::sync::Arc;

/// A stage driver. Methods take `&self`, since `stop` may come while another call runs. No method waits for a move to
/// end; nothing moves by being opened. Called off the live path, by one thread at a time apart from `stop`.
pub trait Stage: Send + Sync + Sized + 'static {
    /// What the library's components share.
    type Context: LibraryContext;

    /// Identity and schema of the parameters of `open`. The same each time.
    fn descriptor() -> Descriptor;

    /// The devices that could be opened. May take seconds.
    fn enumerate(context: &Arc<Self::Context>) -> Result<Vec<Device>>;

    /// Opens a device of `enumerate`; empty text is the first, or the only one. Nothing moves.
    fn open(context: &Arc<Self::Context>, device: &str, params: &ParamValues) -> Result<Self>;

    /// The axes; the index in the list names an axis elsewhere. Constant while open.
    fn axes(&self) -> Result<Vec<Axis>>;

    /// The settings with their present values.
    fn settings(&self) -> Result<Settings> {
        Ok(Settings::default())
    }

    /// Changes settings; values are checked against `settings` before.
    fn set(&self, values: &ParamValues) -> Result<()> {
        let _ = values;
        Err(Error::unsupported("this stage has no settings"))
    }

    /// Begins a move to a position in the axis' unit. Outside the limits: [`Error::invalid`], and nothing moves.
    fn move_to(&self, axis: u32, position: f64) -> Result<()>;

    /// The measured position in the axis' unit.
    fn position(&self, axis: u32) -> Result<f64>;

    /// True while the axis moves.
    fn moving(&self, axis: u32) -> Result<bool>;

    /// Stops all axes at once.
    fn stop(&self) -> Result<()>;

    /// Begins a homing run.
    fn home(&self, axis: u32) -> Result<()> {
        let _ = axis;
        Err(Error::unsupported("this axis knows its position and needs no homing"))
    }
}

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// `focus`, `magnet_height`, `magnet_rotation`, `x` or `y`.
    pub role: String,
    /// Unit of positions.
    pub unit: String,
    /// Lowest position.
    pub min: f64,
    /// Highest position.
    pub max: f64,
    /// Largest speed, in units per second.
    pub max_speed_per_s: f64,
}

/// The function table of `T`.
pub(crate) struct StageGlue<T>(std::marker::PhantomData<T>);

impl<T: Stage> StageGlue<T> {
    pub(crate) const TABLE: StageTable = StageTable {
        struct_size: size_of::<StageTable>() as u32,
        reserved: 0,
        enumerate: Some(Self::enumerate),
        open: Some(Self::open),
        close: Some(Self::close),
        axes: Some(Self::axes),
        settings: Some(Self::settings),
        set: Some(Self::set),
        move_to: Some(Self::move_to),
        position: Some(Self::position),
        moving: Some(Self::moving),
        stop: Some(Self::stop),
        home: Some(Self::home),
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
        stage: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the context is this library's; text, parameters and place are the host's and valid.
            unsafe {
                let context = &(*context.cast::<LibraryBox<T::Context>>()).context;
                let values = ParamValues::from_abi(params, &T::descriptor().parameters, true)?;
                *stage = Box::into_raw(Box::new(T::open(context, &text(device), &values)?)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn close(stage: *mut c_void) {
        // SAFETY: made by `open` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(stage.cast::<T>()) }));
    }

    unsafe extern "C" fn axes(stage: *mut c_void, out: Writer, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the stage was made by `open`.
            let axes = unsafe { &*stage.cast::<T>() }.axes()?;
            let mut json_text = String::new();
            json::array(&mut json_text, &axes, |o, a| {
                o.push('{');
                json::field(o, "role", &a.role);
                json::field(o, "unit", &a.unit);
                for (key, value) in [("min", a.min), ("max", a.max), ("max_speed_per_s", a.max_speed_per_s)] {
                    json::string(o, key);
                    o.push(':');
                    json::number(o, value);
                    o.push(',');
                }
                json::close(o);
            });
            write_all(out, json_text.as_bytes())
        })
    }

    unsafe extern "C" fn settings(stage: *mut c_void, out: Writer, error: Writer) -> Status {
        // SAFETY: the stage was made by `open`.
        guard(error, || write_all(out, unsafe { &*stage.cast::<T>() }.settings()?.to_json().as_bytes()))
    }

    unsafe extern "C" fn set(stage: *mut c_void, params: abi::Params, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the stage was made by `open`; the parameters are readable.
            unsafe {
                let stage = &*stage.cast::<T>();
                stage.set(&stage.settings()?.values(params)?)
            }
        })
    }

    unsafe extern "C" fn move_to(stage: *mut c_void, axis: u32, position: f64, error: Writer) -> Status {
        // SAFETY: the stage was made by `open`.
        guard(error, || unsafe { (*stage.cast::<T>()).move_to(axis, position) })
    }

    unsafe extern "C" fn position(stage: *mut c_void, axis: u32, position: *mut f64, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the stage was made by `open`; `position` is a valid place.
            unsafe { *position = (*stage.cast::<T>()).position(axis)? };
            Ok(())
        })
    }

    unsafe extern "C" fn moving(stage: *mut c_void, axis: u32, moving: *mut u32, error: Writer) -> Status {
        guard(error, || {
            // SAFETY: the stage was made by `open`; `moving` is a valid place.
            unsafe { *moving = u32::from((*stage.cast::<T>()).moving(axis)?) };
            Ok(())
        })
    }

    unsafe extern "C" fn stop(stage: *mut c_void, error: Writer) -> Status {
        // SAFETY: the stage was made by `open`.
        guard(error, || unsafe { (*stage.cast::<T>()).stop() })
    }

    unsafe extern "C" fn home(stage: *mut c_void, axis: u32, error: Writer) -> Status {
        // SAFETY: the stage was made by `open`.
        guard(error, || unsafe { (*stage.cast::<T>()).home(axis) })
    }
}
