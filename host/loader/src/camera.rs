//! Cameras, in this process or in the child of their library: callers do not know which.

use crate::child::RemoteCamera;
use crate::component::Component;
use crate::direct::{self, ChannelInfo, Device, FrameTarget, SettingsInfo};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::time::Duration;
use tetherscope_plugin_api::CameraFormat;

/// An open camera.
pub struct Camera {
    component: Component,
    home: Home,
}

enum Home {
    Direct(Box<direct::Camera>),
    Child(Box<RemoteCamera>),
}

impl Camera {
    /// The devices that could be opened. May take seconds.
    pub fn enumerate(component: &Component) -> Result<Vec<Device>, PluginError> {
        if component.is_isolated() { crate::child::enumerate(component) } else { direct::Camera::enumerate(component) }
    }

    /// Opens a device; empty text is the first, or the only one. May take seconds.
    pub fn open(component: &Component, device: &str, params: &ParamSet) -> Result<Self, PluginError> {
        let home = if component.is_isolated() {
            Home::Child(Box::new(RemoteCamera::open(component, device, params)?))
        } else {
            Home::Direct(Box::new(direct::Camera::open(component, device, params)?))
        };
        Ok(Self { component: component.clone(), home })
    }

    /// The component.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// The settings with their present values.
    pub fn settings(&self) -> Result<SettingsInfo, PluginError> {
        match &self.home {
            Home::Direct(c) => c.settings(),
            Home::Child(c) => c.settings(),
        }
    }

    /// Changes settings, and gives them as they are afterwards.
    pub fn set<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<SettingsInfo, PluginError> {
        match &self.home {
            Home::Direct(c) => c.set(pairs),
            Home::Child(c) => c.set(pairs),
        }
    }

    /// What the camera delivers with its present settings, checked.
    pub fn format(&self) -> Result<CameraFormat, PluginError> {
        match &self.home {
            Home::Direct(c) => c.format(),
            Home::Child(c) => c.format(),
        }
    }

    /// The channels of each frame.
    pub fn channels(&self) -> Result<Vec<ChannelInfo>, PluginError> {
        match &self.home {
            Home::Direct(c) => c.channels(),
            Home::Child(c) => c.channels(),
        }
    }

    /// Arms the camera; its frames go to `target` until [`Camera::stop`] has returned. One in a child needs a target whose
    /// slots lie in shared memory.
    pub fn start(&self, target: Box<dyn FrameTarget>) -> Result<(), PluginError> {
        match &self.home {
            Home::Direct(c) => c.start(target),
            Home::Child(c) => c.start(target),
        }
    }

    /// Lets the camera deliver frames for at most `timeout`; false when none came.
    pub fn poll(&self, timeout: Duration) -> Result<bool, PluginError> {
        match &self.home {
            Home::Direct(c) => c.poll(timeout),
            Home::Child(c) => c.poll(timeout),
        }
    }

    /// Stops, and waits until the call under way has returned. Harmless when not running.
    pub fn stop(&self) -> Result<(), PluginError> {
        match &self.home {
            Home::Direct(c) => c.stop(),
            Home::Child(c) => c.stop(),
        }
    }
}
