//! Stages, in this process or in the child of their library: callers do not know which.

use crate::child::RemoteStage;
use crate::component::Component;
use crate::direct::{self, Axis, Device, SettingsInfo};
use crate::error::PluginError;
use crate::params::ParamSet;

/// An open stage.
pub struct Stage(Home);

enum Home {
    Direct(Box<direct::Stage>),
    Child(Box<RemoteStage>),
}

impl Stage {
    /// The devices that could be opened. May take seconds.
    pub fn enumerate(component: &Component) -> Result<Vec<Device>, PluginError> {
        if component.is_isolated() { crate::child::enumerate(component) } else { direct::Stage::enumerate(component) }
    }

    /// Opens a device; empty text is the first, or the only one. Nothing moves.
    pub fn open(component: &Component, device: &str, params: &ParamSet) -> Result<Self, PluginError> {
        Ok(Self(if component.is_isolated() {
            Home::Child(Box::new(RemoteStage::open(component, device, params)?))
        } else {
            Home::Direct(Box::new(direct::Stage::open(component, device, params)?))
        }))
    }

    /// The axes; the index names an axis elsewhere.
    pub fn axes(&self) -> &[Axis] {
        match &self.0 {
            Home::Direct(s) => s.axes(),
            Home::Child(s) => s.axes(),
        }
    }

    /// The first axis with a role.
    pub fn axis_of(&self, role: &str) -> Option<u32> {
        self.axes().iter().position(|a| a.role == role).map(|i| i as u32)
    }

    /// The settings with their present values; none for a stage without.
    pub fn settings(&self) -> Result<SettingsInfo, PluginError> {
        match &self.0 {
            Home::Direct(s) => s.settings(),
            Home::Child(s) => s.settings(),
        }
    }

    /// Changes settings, and gives them as they are afterwards.
    pub fn set<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<SettingsInfo, PluginError> {
        match &self.0 {
            Home::Direct(s) => s.set(pairs),
            Home::Child(s) => s.set(pairs),
        }
    }

    /// Begins a move. Refused outside the limits, without asking the device.
    pub fn move_to(&self, axis: u32, position: f64) -> Result<(), PluginError> {
        match &self.0 {
            Home::Direct(s) => s.move_to(axis, position),
            Home::Child(s) => s.move_to(axis, position),
        }
    }

    /// The measured position.
    pub fn position(&self, axis: u32) -> Result<f64, PluginError> {
        match &self.0 {
            Home::Direct(s) => s.position(axis),
            Home::Child(s) => s.position(axis),
        }
    }

    /// True while the axis moves.
    pub fn moving(&self, axis: u32) -> Result<bool, PluginError> {
        match &self.0 {
            Home::Direct(s) => s.moving(axis),
            Home::Child(s) => s.moving(axis),
        }
    }

    /// Stops all axes at once; may come while another call runs.
    pub fn stop(&self) -> Result<(), PluginError> {
        match &self.0 {
            Home::Direct(s) => s.stop(),
            Home::Child(s) => s.stop(),
        }
    }

    /// Begins a homing run.
    pub fn home(&self, axis: u32) -> Result<(), PluginError> {
        match &self.0 {
            Home::Direct(s) => s.home(axis),
            Home::Child(s) => s.home(axis),
        }
    }
}
