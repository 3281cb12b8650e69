//! A camera in the child of its library.

use super::feed::Feed;
use super::{DeviceChild, json_of, lock, settings_of};
use crate::child::request::{DeviceCall, Request, from_pod, to_wire};
use crate::component::Component;
use crate::direct::{ChannelInfo, FrameTarget, SettingsInfo, check_format};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tetherscope_plugin_api::{CameraFormat, abi};

/// An open camera.
pub(crate) struct RemoteCamera {
    component: Component,
    child: Arc<DeviceChild>,
    id: u64,
    /// One caller at a time, `stop` apart.
    calls: Mutex<()>,
    running: Mutex<Option<Running>>,
}

struct Running {
    feed: Arc<Feed>,
    lender: JoinHandle<()>,
}

impl RemoteCamera {
    pub(crate) fn open(component: &Component, device: &str, params: &ParamSet) -> Result<Self, PluginError> {
        let child = DeviceChild::of(component, "open")?;
        let camera = child.number();
        let (index, device, params) = (component.index, device.to_owned(), to_wire(params));
        let request = Request::OpenCamera { index, device, params, camera };
        child.ask(component, "open", &request, child.job_limit)?;
        Ok(Self { component: component.clone(), child, id: camera, calls: Mutex::default(), running: Mutex::default() })
    }

    fn call(&self, function: &'static str, call: DeviceCall) -> Result<(Vec<u8>, Vec<u8>), PluginError> {
        let _one = lock(&self.calls);
        self.child.call(&self.component, function, self.id, call, self.child.call_limit)
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

    pub(crate) fn format(&self) -> Result<CameraFormat, PluginError> {
        let (_, format) = self.call("format", DeviceCall::Format)?;
        let refuse = |m| self.component.error("format", abi::STATUS_INTERNAL, m);
        let format = from_pod(&format).map_err(refuse)?;
        check_format(&format).map_err(refuse)?;
        Ok(format)
    }

    pub(crate) fn channels(&self) -> Result<Vec<ChannelInfo>, PluginError> {
        let (json, _) = self.call("channels", DeviceCall::Channels)?;
        json_of(&self.component, "channels", &json)
    }

    pub(crate) fn start(&self, target: Box<dyn FrameTarget>) -> Result<(), PluginError> {
        let mut running = lock(&self.running);
        if running.is_some() {
            return Err(self.component.error("start", abi::STATUS_BUSY, "the camera is already running".into()));
        }
        let n_values = self.format()?.n_channel_values as usize;
        let feed = Feed::new(target, n_values);
        let map = self.map(feed.target())?;
        self.call("start", map)?;
        // Before the call: a camera may fill slots before `start` returns.
        let (child, lending, id) = (Arc::downgrade(&self.child), feed.clone(), self.id);
        let lender = std::thread::Builder::new().name("lend-slots".into()).spawn(move || lending.lend(&child, id));
        let lender = lender.map_err(|e| self.component.error("start", abi::STATUS_OUT_OF_MEMORY, e.to_string()))?;
        lock(&self.child.feeds).insert(self.id, feed.clone());
        *running = Some(Running { feed, lender });
        let started = self.call("start", DeviceCall::Start);
        if started.is_err() {
            self.end_feed(running.take());
        }
        started.map(drop)
    }

    /// The slots, as the child is told to map them.
    fn map(&self, target: &dyn FrameTarget) -> Result<DeviceCall, PluginError> {
        let Some(region) = target.region() else {
            let message = "an isolated camera needs slots in shared memory".to_owned();
            return Err(self.component.error("start", abi::STATUS_UNSUPPORTED, message));
        };
        let begin = region.as_mut_ptr() as usize;
        let offsets = target.slots().iter().map(|slot| (*slot as usize).wrapping_sub(begin) as u64).collect();
        Ok(DeviceCall::Map {
            path: region.path(),
            bytes: region.len(),
            offsets,
            slot_bytes: target.slot_bytes(),
            lossless: target.lossless(),
        })
    }

    /// Takes the slots back from a camera that does not run any more.
    fn end_feed(&self, running: Option<Running>) {
        lock(&self.child.feeds).remove(&self.id);
        let Some(Running { feed, lender }) = running else { return };
        feed.finish();
        // It panicked: then it lends no more either.
        let _ = lender.join();
    }

    pub(crate) fn poll(&self, timeout: Duration) -> Result<bool, PluginError> {
        let _one = lock(&self.calls);
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let limit = self.child.call_limit.saturating_add(timeout);
        let call = DeviceCall::Poll { timeout_ns };
        let (came, _) = self.child.call(&self.component, "poll", self.id, call, limit)?;
        json_of(&self.component, "poll", &came)
    }

    pub(crate) fn stop(&self) -> Result<(), PluginError> {
        let stopped =
            self.child.call(&self.component, "stop", self.id, DeviceCall::Stop, self.child.call_limit).map(drop);
        // A `poll` under way has its slots until it returns.
        let _one = lock(&self.calls);
        if stopped.is_err() && lock(&self.child.ended).is_none() {
            // One that failed to stop may still write into its slots: it is ended, and then cannot.
            self.child.end_for("a camera of its library could not be stopped, and its process was ended");
        }
        self.end_feed(lock(&self.running).take());
        stopped
    }
}

impl Drop for RemoteCamera {
    fn drop(&mut self) {
        if lock(&self.child.ended).is_some() {
            return self.end_feed(lock(&self.running).take());
        }
        let closed = self.stop().and_then(|()| self.call("close", DeviceCall::Close));
        if let Err(e) = closed {
            tracing::warn!("{e}");
        }
    }
}
