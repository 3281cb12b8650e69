//! A stage in the child of its library. Limits are checked here, by the axes that it told when it was opened.

use super::{DeviceChild, json_of, lock, settings_of};
use crate::child::pod::value_of;
use crate::child::request::{DeviceCall, Request, to_wire};
use crate::component::Component;
use crate::direct::{Axis, SettingsInfo, axis_of, check_axes, check_move};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::{Arc, Mutex};
use tetherscope_plugin_api::abi;

/// An open stage.
pub(crate) struct RemoteStage {
    component: Component,
    child: Arc<DeviceChild>,
    id: u64,
    axes: Vec<Axis>,
    /// One caller at a time, `stop` apart.
    calls: Mutex<()>,
}

impl RemoteStage {
    pub(crate) fn open(component: &Component, device: &str, params: &ParamSet) -> Result<Self, PluginError> {
        let child = DeviceChild::of(component, "open")?;
        let stage = child.number();
        let (index, device, params) = (component.index, device.to_owned(), to_wire(params));
        let request = Request::OpenStage { index, device, params, stage };
        let (json, _) = child.ask(component, "open", &request, child.job_limit)?;
        let mut opened =
            Self { component: component.clone(), child, id: stage, axes: Vec::new(), calls: Mutex::default() };
        opened.axes = json_of(component, "axes", &json)?;
        check_axes(&opened.axes).map_err(|m| component.error("axes", abi::STATUS_INTERNAL, m))?;
        Ok(opened)
    }

    fn call(&self, function: &'static str, call: DeviceCall) -> Result<(Vec<u8>, Vec<u8>), PluginError> {
        let _one = lock(&self.calls);
        self.child.call(&self.component, function, self.id, call, self.child.call_limit)
    }

    fn axis(&self, function: &'static str, axis: u32) -> Result<&Axis, PluginError> {
        axis_of(&self.axes, axis).map_err(|m| self.component.error(function, abi::STATUS_INVALID_ARGUMENT, m))
    }

    pub(crate) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    pub(crate) fn settings(&self) -> Result<SettingsInfo, PluginError> {
        let (json, _) = self.call("settings", DeviceCall::Settings)?;
        settings_of(&self.component, &json)
    }

    pub(crate) fn set<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<SettingsInfo, PluginError> {
        let pairs = pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        self.call("set", DeviceCall::Set { pairs })?;
        self.settings()
    }

    pub(crate) fn move_to(&self, axis: u32, position: f64) -> Result<(), PluginError> {
        check_move(self.axis("move_to", axis)?, position)
            .map_err(|m| self.component.error("move_to", abi::STATUS_INVALID_ARGUMENT, m))?;
        self.call("move_to", DeviceCall::MoveTo { axis, position: position.to_bits() }).map(drop)
    }

    pub(crate) fn position(&self, axis: u32) -> Result<f64, PluginError> {
        self.axis("position", axis)?;
        let (_, position) = self.call("position", DeviceCall::Position { axis })?;
        let position = value_of::<f64>(&position).filter(|p| p.is_finite());
        let nowhere = || "it says that it is at no finite position".to_owned();
        position.ok_or_else(|| self.component.error("position", abi::STATUS_INTERNAL, nowhere()))
    }

    pub(crate) fn moving(&self, axis: u32) -> Result<bool, PluginError> {
        self.axis("moving", axis)?;
        let (moving, _) = self.call("moving", DeviceCall::Moving { axis })?;
        json_of(&self.component, "moving", &moving)
    }

    pub(crate) fn stop(&self) -> Result<(), PluginError> {
        self.child.call(&self.component, "stop", self.id, DeviceCall::Stop, self.child.call_limit).map(drop)
    }

    pub(crate) fn home(&self, axis: u32) -> Result<(), PluginError> {
        self.axis("home", axis)?;
        self.call("home", DeviceCall::Home { axis }).map(drop)
    }
}

impl Drop for RemoteStage {
    fn drop(&mut self) {
        if lock(&self.child.ended).is_some() {
            return;
        }
        if let Err(e) = self.call("close", DeviceCall::Close) {
            tracing::warn!("{e}");
        }
    }
}
