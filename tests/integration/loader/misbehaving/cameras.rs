//! Bad cameras, and the slots that they deliver into.

use super::super::check_call;
use super::{component, defaults};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tetherscope_loader::{Camera, FrameInfo, FrameTarget, Kind, PluginError, abi};

const SLOT_BYTES: usize = 16 * 8;

/// Two slots, and a list of what happened to them.
struct Slots {
    /// Kept for the addresses.
    _memory: Box<[[u8; SLOT_BYTES]; 2]>,
    addresses: Vec<*mut u8>,
    events: Arc<Mutex<Vec<String>>>,
    lent: Mutex<[bool; 2]>,
}

// SAFETY: the addresses lead into `memory`, which is as sendable as they; who lends a slot has it alone.
#[allow(unsafe_code)]
unsafe impl Send for Slots {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Slots {}

impl Slots {
    fn new() -> (Box<Self>, Arc<Mutex<Vec<String>>>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let mut memory = Box::new([[7; SLOT_BYTES]; 2]);
        let addresses = memory.iter_mut().map(|s| s.as_mut_ptr()).collect();
        let slots = Self { _memory: memory, addresses, events: events.clone(), lent: Mutex::new([false; 2]) };
        (Box::new(slots), events)
    }

    fn tell(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }
}

impl FrameTarget for Slots {
    fn lossless(&self) -> bool {
        true
    }

    fn slots(&self) -> &[*mut u8] {
        &self.addresses
    }

    fn slot_bytes(&self) -> usize {
        SLOT_BYTES
    }

    fn lend(&self, _timeout: Duration) -> Option<usize> {
        let mut lent = self.lent.lock().unwrap();
        let free = lent.iter().position(|l| !l)?;
        lent[free] = true;
        Some(free)
    }

    fn commit(&self, slot: usize, info: &FrameInfo, _channels: &[f64]) -> bool {
        let was_lent = std::mem::take(&mut self.lent.lock().unwrap()[slot]);
        self.tell(format!("frame {}", info.device_frame_id));
        was_lent
    }

    fn give_back(&self, slot: usize) -> bool {
        std::mem::take(&mut self.lent.lock().unwrap()[slot])
    }

    fn push(&self, payload: &[u8], _info: &FrameInfo, _channels: &[f64]) -> bool {
        self.tell(format!("push of {} bytes", payload.len()));
        true
    }

    fn lost(&self, count: u64, _reason: u32) {
        self.tell(format!("lost {count}"));
    }

    fn ended(&self, reason: u32, text: &str) {
        self.tell(format!("ended {reason}: {text}"));
    }
}

fn open_camera(id: &str) -> Result<Camera, PluginError> {
    let component = component(Kind::Camera, id);
    Camera::open(component, "", &defaults(component))
}

#[test]
fn the_good_camera_of_the_bad_library_delivers_three_frames_and_ends() {
    let camera = open_camera("camera.fixture.good").unwrap();
    let (slots, events) = Slots::new();
    camera.start(slots).unwrap();
    for _ in 0..4 {
        camera.poll(Duration::ZERO).unwrap();
    }
    camera.stop().unwrap();
    let ended = format!("ended {}: three frames are all there is", abi::ENDED_END_OF_DATA);
    assert_eq!(*events.lock().unwrap(), ["frame 0", "frame 1", "frame 2", &ended]);
}

#[test]
fn a_camera_that_panics_or_fails_before_it_runs_is_an_error() {
    let bad = |id: &str| component(Kind::Camera, id);
    let id = "camera.fixture.panic-enumerate";
    check_call(Camera::enumerate(bad(id)), id, "enumerate", "told to panic in enumerate");
    let id = "camera.fixture.panic-open";
    check_call(open_camera(id), id, "open", "told to panic in open");
    let id = "camera.fixture.error-open";
    check_call(open_camera(id), id, "open", "told to fail in open");
    let id = "camera.fixture.panic-settings";
    check_call(open_camera(id).unwrap().settings(), id, "settings", "told to panic in settings");
    let id = "camera.fixture.panic-set";
    check_call(open_camera(id).unwrap().set([("exposure_ms", "2")]), id, "set", "told to panic in set");
    let id = "camera.fixture.panic-format";
    check_call(open_camera(id).unwrap().format(), id, "format", "told to panic in format");
    let id = "camera.fixture.panic-channels";
    check_call(open_camera(id).unwrap().channels(), id, "channels", "told to panic in channels");
}

#[test]
fn a_setting_out_of_its_range_does_not_reach_the_camera() {
    let camera = open_camera("camera.fixture.panic-set").unwrap();
    let outcome = camera.set([("exposure_ms", "99")]);
    check_call(outcome, "camera.fixture.panic-set", "set", "`exposure_ms` is 99 ms, allowed is 0.1 to 10 ms");
    let outcome = camera.set([("gain", "1")]);
    check_call(outcome, "camera.fixture.panic-set", "set", "there is no parameter `gain`");
}

#[test]
fn a_format_that_does_not_fit_together_is_refused_before_the_start() {
    for (id, cause) in [
        ("camera.fixture.no-pixels", "frames of 0 × 0 px"),
        ("camera.fixture.small-payload", "127 bytes a frame, the image does not fit"),
        ("camera.fixture.odd-alignment", "slots aligned to 3 bytes"),
    ] {
        let camera = open_camera(id).unwrap();
        check_call(camera.format(), id, "format", cause);
        check_call(camera.start(Slots::new().0), id, "format", cause);
    }
}

#[test]
fn a_camera_that_panics_or_fails_at_the_start_is_an_error_and_can_be_closed() {
    for (id, cause) in [
        ("camera.fixture.panic-start", "told to panic in start"),
        ("camera.fixture.error-start", "told to fail in start"),
    ] {
        let camera = open_camera(id).unwrap();
        check_call(camera.start(Slots::new().0), id, "start", cause);
        // Not running after the failure: a second start is the camera's own affair again.
        check_call(camera.start(Slots::new().0), id, "start", cause);
    }
}

#[test]
fn a_camera_that_panics_or_fails_while_it_runs_can_be_stopped() {
    for (id, cause) in
        [("camera.fixture.panic-poll", "told to panic in poll"), ("camera.fixture.error-poll", "told to fail in poll")]
    {
        let camera = open_camera(id).unwrap();
        camera.start(Slots::new().0).unwrap();
        check_call(camera.poll(Duration::ZERO), id, "poll", cause);
        camera.stop().unwrap();
    }
}

#[test]
fn a_camera_that_panics_in_stop_or_close_does_not_take_the_host_along() {
    let id = "camera.fixture.panic-stop";
    let camera = open_camera(id).unwrap();
    camera.start(Slots::new().0).unwrap();
    check_call(camera.stop(), id, "stop", "told to panic in stop");
    drop(camera);
    drop(open_camera("camera.fixture.panic-close").unwrap());
    assert!(open_camera("camera.fixture.good").unwrap().format().is_ok());
}

#[test]
fn a_target_whose_camera_fails_to_stop_is_kept_since_the_camera_may_still_use_it() {
    for (id, kept) in [("camera.fixture.good", false), ("camera.fixture.panic-stop", true)] {
        let camera = open_camera(id).unwrap();
        let (slots, events) = Slots::new();
        camera.start(slots).unwrap();
        let _ = camera.stop();
        assert_eq!(Arc::strong_count(&events) == 2, kept, "{id}");
    }
}

#[test]
fn a_camera_that_keeps_its_slots_gets_no_more_of_them() {
    let camera = open_camera("camera.fixture.keeps-slots").unwrap();
    let (slots, events) = Slots::new();
    camera.start(slots).unwrap();
    assert!(camera.poll(Duration::ZERO).unwrap());
    assert!(camera.poll(Duration::ZERO).unwrap());
    assert!(!camera.poll(Duration::ZERO).unwrap(), "no slot is left, so no frame came");
    camera.stop().unwrap();
    assert!(events.lock().unwrap().is_empty());
}

#[test]
fn a_push_of_less_than_a_frame_is_refused() {
    let id = "camera.fixture.short-push";
    let camera = open_camera(id).unwrap();
    let (slots, events) = Slots::new();
    camera.start(slots).unwrap();
    check_call(camera.poll(Duration::ZERO), id, "poll", "the host refused the frame");
    camera.stop().unwrap();
    assert!(events.lock().unwrap().is_empty(), "{:?}", events.lock().unwrap());
}

#[test]
fn a_camera_cannot_be_started_twice() {
    let camera = open_camera("camera.fixture.good").unwrap();
    camera.start(Slots::new().0).unwrap();
    check_call(camera.start(Slots::new().0), "camera.fixture.good", "start", "already running");
    camera.stop().unwrap();
    camera.stop().unwrap();
}
