//! Cameras and stages in a child: a thread for each, which makes its calls one after the other, and a way past it for
//! `stop`.

use super::out::Out;
use super::slots::{ChildTarget, Slots};
use super::{Answer, nonsense, told};
use crate::child::request::{DeviceCall, WireError, pod};
use crate::component::Component;
use crate::direct::{Camera, Stage};
use crate::error::PluginError;
use crate::params::ParamSet;
use crate::shared::SharedRegion;
use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tetherscope_plugin_api::Kind;

type Job = Box<dyn FnOnce() + Send>;

/// An open camera or stage.
enum Object {
    Camera(Camera),
    Stage(Stage),
}

/// A device under the host's number. Its object is made by its thread.
struct Device {
    object: Arc<OnceLock<Object>>,
    slots: Arc<Mutex<Option<Arc<Slots>>>>,
    jobs: Sender<Job>,
}

/// All devices of this process.
pub(super) struct Devices {
    out: Out,
    open: HashMap<u64, Device>,
}

impl Devices {
    pub(super) fn new(out: Out) -> Self {
        Self { out, open: HashMap::new() }
    }

    pub(super) fn enumerate(&self, number: u64, component: Component) {
        let out = self.out.clone();
        std::thread::spawn(move || {
            let found = match component.info().kind {
                Kind::Camera => Camera::enumerate(&component),
                _ => Stage::enumerate(&component),
            };
            out.answer(number, told(found).map(|d| (serde_json::to_vec(&d).expect("devices are text"), Vec::new())));
        });
    }

    pub(super) fn open_camera(&mut self, number: u64, id: u64, component: Component, device: String, params: ParamSet) {
        self.open(number, id, move || {
            Ok((Object::Camera(Camera::open(&component, &device, &params)?), b"{}".to_vec()))
        });
    }

    pub(super) fn open_stage(&mut self, number: u64, id: u64, component: Component, device: String, params: ParamSet) {
        self.open(number, id, move || {
            let stage = Stage::open(&component, &device, &params)?;
            let axes = serde_json::to_vec(stage.axes()).expect("axes are text and numbers");
            Ok((Object::Stage(stage), axes))
        });
    }

    /// Opens on a new thread, which then makes all calls of the device but `stop`.
    fn open(
        &mut self,
        number: u64,
        id: u64,
        open: impl FnOnce() -> Result<(Object, Vec<u8>), PluginError> + Send + 'static,
    ) {
        let (jobs, next) = channel::<Job>();
        let (object, out) = (Arc::new(OnceLock::new()), self.out.clone());
        let place = object.clone();
        std::thread::spawn(move || {
            let answer = open().map(|(object, json)| {
                let _ = place.set(object);
                (json, Vec::new())
            });
            drop(place);
            out.answer(number, told(answer));
            next.into_iter().for_each(|job| job());
        });
        self.open.insert(id, Device { object, slots: Arc::default(), jobs });
    }

    /// A slot for a running camera, or None: no more.
    pub(super) fn credit(&self, id: u64, slot: Option<u32>) {
        let slots = self.open.get(&id).and_then(|d| lock(&d.slots).clone());
        match (slots, slot) {
            (Some(slots), Some(slot)) => slots.credit(slot as usize),
            (Some(slots), None) => slots.close(),
            (None, _) => {}
        }
    }

    pub(super) fn call(&mut self, number: u64, id: u64, call: DeviceCall) {
        let Some(device) = self.open.get(&id) else {
            return self.out.answer(number, Err(WireError::nonsense(format!("there is no device {id}"))));
        };
        let (out, object, slots) = (self.out.clone(), device.object.clone(), device.slots.clone());
        match call {
            DeviceCall::Map { path, bytes, offsets, slot_bytes, lossless } => {
                let region = nonsense(SharedRegion::open(&path, bytes).map_err(|e| e.to_string()));
                let made = region.and_then(|region| {
                    let made = Slots::new(id, out.clone(), region, &offsets, slot_bytes, lossless);
                    made.ok_or_else(|| WireError::nonsense("a slot lies outside the memory"))
                });
                out.answer(
                    number,
                    made.map(|made| {
                        *lock(&slots) = Some(made);
                        empty()
                    }),
                );
            }
            DeviceCall::Stop => {
                // Who waits for a slot is let go first.
                if let Some(slots) = &*lock(&slots) {
                    slots.close();
                }
                std::thread::spawn(move || out.answer(number, stop(&object)));
            }
            DeviceCall::Close => {
                let Some(Device { object, jobs, .. }) = self.open.remove(&id) else { return };
                // The last one: the thread ends with its channel.
                let _ = jobs.send(Box::new(move || {
                    drop(object);
                    out.answer(number, Ok(empty()));
                }));
            }
            other => {
                let job = move || out.answer(number, on_thread(&object, &slots, other));
                // It fails only after `open` failed and nobody may call.
                let _ = device.jobs.send(Box::new(job));
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn empty() -> (Vec<u8>, Vec<u8>) {
    (b"{}".to_vec(), Vec::new())
}

fn stop(object: &OnceLock<Object>) -> Answer {
    let stopped = match object.get() {
        Some(Object::Camera(c)) => c.stop(),
        Some(Object::Stage(s)) => s.stop(),
        None => Ok(()),
    };
    told(stopped.map(|()| empty()))
}

/// A call on the device's own thread.
fn on_thread(object: &OnceLock<Object>, slots: &Mutex<Option<Arc<Slots>>>, call: DeviceCall) -> Answer {
    match object.get() {
        Some(Object::Camera(camera)) => camera_call(camera, slots, call),
        Some(Object::Stage(stage)) => stage_call(stage, call),
        None => Err(WireError::nonsense("the device is not open")),
    }
}

fn pairs_of(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(k, v)| (k.as_str(), v.as_str()))
}

fn camera_call(camera: &Camera, slots: &Mutex<Option<Arc<Slots>>>, call: DeviceCall) -> Answer {
    told(match call {
        DeviceCall::Settings => camera.settings_text().map(|text| (text.into_bytes(), Vec::new())),
        DeviceCall::Set { pairs } => camera.set(pairs_of(&pairs)).map(|_| empty()),
        DeviceCall::Format => camera.format().map(|f| (b"{}".to_vec(), pod(&f))),
        DeviceCall::Channels => {
            camera.channels().map(|c| (serde_json::to_vec(&c).expect("channels are text"), Vec::new()))
        }
        DeviceCall::Start => {
            let slots = lock(slots).clone();
            let slots = slots.ok_or_else(|| WireError::nonsense("a camera is started without slots"))?;
            camera.start(Box::new(ChildTarget(slots))).map(|()| empty())
        }
        DeviceCall::Poll { timeout_ns } => {
            let came = camera.poll(Duration::from_nanos(timeout_ns));
            came.map(|came| (if came { b"true".to_vec() } else { b"false".to_vec() }, Vec::new()))
        }
        other => return Err(WireError::nonsense(format!("{other:?} is no call of a camera"))),
    })
}

fn stage_call(stage: &Stage, call: DeviceCall) -> Answer {
    told(match call {
        DeviceCall::Settings => stage.settings_text().map(|text| (text.into_bytes(), Vec::new())),
        DeviceCall::Set { pairs } => stage.set(pairs_of(&pairs)).map(|_| empty()),
        DeviceCall::MoveTo { axis, position } => stage.move_to(axis, f64::from_bits(position)).map(|()| empty()),
        DeviceCall::Position { axis } => stage.position(axis).map(|p| (b"{}".to_vec(), p.to_le_bytes().to_vec())),
        DeviceCall::Moving { axis } => {
            stage.moving(axis).map(|moving| (if moving { b"true".to_vec() } else { b"false".to_vec() }, Vec::new()))
        }
        DeviceCall::Home { axis } => stage.home(axis).map(|()| empty()),
        other => return Err(WireError::nonsense(format!("{other:?} is no call of a stage"))),
    })
}
