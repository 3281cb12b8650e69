//! A stage in this process: order of calls, limits checked before a move, settings.
#![allow(unsafe_code)]

use super::camera::{Device, SettingsInfo, json, text_output};
use crate::component::Component;
use crate::error::PluginError;
use crate::params::ParamSet;
use serde::{Deserialize, Serialize};
use std::ffi::c_void;
use std::sync::Mutex;
use tetherscope_plugin_api::abi::{self, StageTable, Str};

/// What a stage without settings would write.
const NO_SETTINGS: &str = r#"{"revision": 0, "settings": []}"#;

/// One axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// Axes with limits; the error names what makes no sense.
pub(crate) fn check_axes(axes: &[Axis]) -> Result<(), String> {
    let sane = |a: &Axis| a.min.is_finite() && a.max.is_finite() && a.min <= a.max;
    match axes.iter().enumerate().find(|(_, a)| !sane(a)) {
        Some((i, a)) => Err(format!("axis {i} has limits from {} to {}", a.min, a.max)),
        None => Ok(()),
    }
}

/// The axis of an index; the error says how many there are.
pub(crate) fn axis_of(axes: &[Axis], axis: u32) -> Result<&Axis, String> {
    axes.get(axis as usize).ok_or_else(|| format!("there is no axis {axis}; it has {}", axes.len()))
}

/// A position within an axis' limits; the error names them.
pub(crate) fn check_move(a: &Axis, position: f64) -> Result<(), String> {
    if position >= a.min && position <= a.max {
        return Ok(());
    }
    Err(format!("{position} {} is outside the limits of {}, {} to {}", a.unit, a.role, a.min, a.max))
}

/// An open stage.
pub struct Stage {
    component: Component,
    table: StageTable,
    stage: *mut c_void,
    axes: Vec<Axis>,
    /// One caller at a time, `stop` apart.
    calls: Mutex<()>,
}

// SAFETY: calls are serialised by `calls`; `stop` may come at any time, says the interface.
unsafe impl Send for Stage {}
// SAFETY: as above.
unsafe impl Sync for Stage {}

impl Stage {
    /// The devices that could be opened. May take seconds.
    pub fn enumerate(component: &Component) -> Result<Vec<Device>, PluginError> {
        // SAFETY: the component is a stage, checked where it was resolved and by its table at load.
        let table: StageTable = unsafe { component.table() };
        let enumerate = table.enumerate.expect("checked at load");
        json(component, "enumerate", |out, error| {
            // SAFETY: the library's context; both writers live through the call.
            unsafe { enumerate(component.context(), out, error) }
        })
    }

    /// Opens a device; empty text is the first, or the only one. Nothing moves.
    pub fn open(component: &Component, device: &str, params: &ParamSet) -> Result<Self, PluginError> {
        // SAFETY: as in `enumerate`.
        let table: StageTable = unsafe { component.table() };
        let open = table.open.expect("checked at load");
        let mut stage = std::ptr::null_mut();
        let device = Str { ptr: device.as_ptr(), len: device.len() as u64 };
        params.with_abi(|p| {
            // SAFETY: the library's context, readable text and parameters, a valid place.
            component.call("open", |error| unsafe { open(component.context(), device, p, &mut stage, error) })
        })?;
        let mut opened = Self { component: component.clone(), table, stage, axes: Vec::new(), calls: Mutex::new(()) };
        let axes = opened.table.axes.expect("checked at load");
        opened.axes = json(component, "axes", |out, error| {
            // SAFETY: the stage is open; both writers live through the call.
            unsafe { axes(opened.stage, out, error) }
        })?;
        check_axes(&opened.axes).map_err(|m| component.error("axes", abi::STATUS_INTERNAL, m))?;
        Ok(opened)
    }

    /// The axes; the index names an axis elsewhere.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn one_caller(&self) -> std::sync::MutexGuard<'_, ()> {
        self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn axis(&self, function: &'static str, axis: u32) -> Result<&Axis, PluginError> {
        axis_of(&self.axes, axis).map_err(|m| self.component.error(function, abi::STATUS_INVALID_ARGUMENT, m))
    }

    /// The settings with their present values; none for a stage without.
    pub fn settings(&self) -> Result<SettingsInfo, PluginError> {
        let text = self.settings_text()?;
        SettingsInfo::parse(&text).map_err(|m| self.component.error("settings", abi::STATUS_INTERNAL, m))
    }

    /// The settings as the plugin writes them.
    pub(crate) fn settings_text(&self) -> Result<String, PluginError> {
        let _one = self.one_caller();
        let Some(settings) = self.table.settings else { return Ok(NO_SETTINGS.into()) };
        text_output(&self.component, "settings", |out, error| {
            // SAFETY: the stage is open; both writers live through the call.
            unsafe { settings(self.stage, out, error) }
        })
    }

    /// Changes settings, and gives them as they are afterwards.
    pub fn set<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<SettingsInfo, PluginError> {
        let changes = self.settings()?.changes(pairs);
        let changes = changes.map_err(|m| self.component.error("set", abi::STATUS_INVALID_ARGUMENT, m))?;
        let Some(set) = self.table.set else {
            return Err(self.component.error("set", abi::STATUS_UNSUPPORTED, "this stage has no settings".into()));
        };
        {
            let _one = self.one_caller();
            // SAFETY: the stage is open; the parameters are readable.
            changes.with_abi(|p| self.component.call("set", |error| unsafe { set(self.stage, p, error) }))?;
        }
        self.settings()
    }

    /// Begins a move. Refused outside the limits, without asking the device.
    pub fn move_to(&self, axis: u32, position: f64) -> Result<(), PluginError> {
        let outside = check_move(self.axis("move_to", axis)?, position);
        outside.map_err(|m| self.component.error("move_to", abi::STATUS_INVALID_ARGUMENT, m))?;
        let _one = self.one_caller();
        let move_to = self.table.move_to.expect("checked at load");
        // SAFETY: the stage is open.
        self.component.call("move_to", |error| unsafe { move_to(self.stage, axis, position, error) })
    }

    /// The measured position.
    pub fn position(&self, axis: u32) -> Result<f64, PluginError> {
        self.axis("position", axis)?;
        let _one = self.one_caller();
        let get = self.table.position.expect("checked at load");
        let mut position = f64::NAN;
        // SAFETY: the stage is open; `position` is a valid place.
        self.component.call("position", |error| unsafe { get(self.stage, axis, &mut position, error) })?;
        if !position.is_finite() {
            return Err(self.component.error(
                "position",
                abi::STATUS_INTERNAL,
                format!("it says that it is at {position}"),
            ));
        }
        Ok(position)
    }

    /// True while the axis moves.
    pub fn moving(&self, axis: u32) -> Result<bool, PluginError> {
        self.axis("moving", axis)?;
        let _one = self.one_caller();
        let get = self.table.moving.expect("checked at load");
        let mut moving = 0;
        // SAFETY: the stage is open; `moving` is a valid place.
        self.component.call("moving", |error| unsafe { get(self.stage, axis, &mut moving, error) })?;
        Ok(moving != 0)
    }

    /// Stops all axes at once; may come while another call runs.
    pub fn stop(&self) -> Result<(), PluginError> {
        let stop = self.table.stop.expect("checked at load");
        // SAFETY: the stage is open; `stop` may come while another call runs.
        self.component.call("stop", |error| unsafe { stop(self.stage, error) })
    }

    /// Begins a homing run.
    pub fn home(&self, axis: u32) -> Result<(), PluginError> {
        self.axis("home", axis)?;
        let Some(home) = self.table.home else {
            let message = "this axis knows its position and needs no homing".to_owned();
            return Err(self.component.error("home", abi::STATUS_UNSUPPORTED, message));
        };
        let _one = self.one_caller();
        // SAFETY: the stage is open.
        self.component.call("home", |error| unsafe { home(self.stage, axis, error) })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let close = self.table.close.expect("checked at load");
        let _in_call = self.component.enter("close");
        // SAFETY: made by `open`, freed once.
        unsafe { close(self.stage) }
    }
}
