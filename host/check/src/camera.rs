//! The checks of cameras: what they share. A camera without a device is skipped: give it one with `--param`.

mod calls;
mod frames;

pub(crate) use calls::CHECKS as CALLS;
pub(crate) use frames::CHECKS as FRAMES;

use crate::outcome::{Stop, fail};
use crate::slots::{Handle, Slots};
use crate::subject::Subject;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_loader::{Camera, CameraFormat, abi};

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(50);
/// How long a camera may deliver nothing: slower ones cannot be tracked with.
const SILENCE: Duration = Duration::from_secs(10);
/// Slots that a camera gets, besides those that it wants to hold.
const SPARE_SLOTS: usize = 2;

/// Opens the first device. A component without any device is skipped.
fn open(subject: &Subject) -> Result<Camera, Stop> {
    Camera::open(&subject.component, "", &subject.params()?).map_err(|e| {
        let none = Camera::enumerate(&subject.component).is_ok_and(|devices| devices.is_empty());
        let said = e.message.replace('\n', "; ");
        if none {
            Stop::Skipped(format!("there is no device ({said}); connect one, or name it with --param"))
        } else {
            Stop::Failed(format!("it cannot be opened: {said}"))
        }
    })
}

fn slots_for(format: &CameraFormat, lossless: bool) -> Arc<Slots> {
    Slots::new(format, format.slots_wanted.min(16) as usize + SPARE_SLOTS, lossless)
}

/// An open camera that runs into slots.
struct Running {
    camera: Camera,
    format: CameraFormat,
    slots: Arc<Slots>,
}

impl Running {
    fn start(subject: &Subject, lossless: bool) -> Result<Self, Stop> {
        let camera = open(subject)?;
        let format = camera.format()?;
        let slots = slots_for(&format, lossless);
        camera.start(Box::new(Handle(slots.clone())))?;
        Ok(Self { camera, format, slots })
    }

    /// Polls until so many frames came, or the source ended.
    fn run(&self, n: usize) -> Result<(), Stop> {
        let mut last = (0, Instant::now());
        loop {
            let (have, ended) = {
                let events = self.slots.events();
                (events.frames.len(), events.ended.clone())
            };
            match ended {
                _ if have >= n => return Ok(()),
                Some((abi::ENDED_END_OF_DATA, _)) => return Ok(()),
                Some((reason, text)) => fail!("it ended after {have} frames with reason {reason}: {text}"),
                None => {}
            }
            if have > last.0 {
                last = (have, Instant::now());
            }
            if last.1.elapsed() > SILENCE {
                fail!("it delivers nothing for {} s after {have} frames", SILENCE.as_secs());
            }
            self.camera.poll(POLL)?;
        }
    }

    fn stop(&self) -> Result<(), Stop> {
        Ok(self.camera.stop()?)
    }
}

/// Runs for some frames and stops.
fn some_frames(subject: &Subject, n: usize, lossless: bool) -> Result<Running, Stop> {
    let running = Running::start(subject, lossless)?;
    running.run(n)?;
    running.stop()?;
    let none = running.slots.events().frames.is_empty();
    if none {
        fail!("it delivers no frame");
    }
    Ok(running)
}
