//! Isolated cameras with a fault, a camera and a stage that fall together, and the simulated microscope in one child.
#![allow(unsafe_code)]

use super::{Expected, Fails, PATIENCE, Right, check_error, component, fixtures, load, options};
use crate::harness::{plugin, rust_fixture};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tetherscope_loader::{
    Camera, FrameInfo, FrameTarget, Kind, PluginError, Registry, STATUS_CRASHED, SharedRegion, Stage, abi,
};

/// Slots in shared memory, and what came.
struct Slots {
    region: SharedRegion,
    addresses: Vec<*mut u8>,
    slot_bytes: usize,
    lossless: bool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    lent: Vec<bool>,
    frames: Vec<(FrameInfo, Vec<u8>, Vec<f64>)>,
    ended: Vec<(u32, String)>,
}

// SAFETY: the addresses lead into the region; who lends a slot has it alone.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    fn new(n: usize, slot_bytes: usize) -> Arc<Self> {
        let stride = slot_bytes.next_multiple_of(4096);
        let region = SharedRegion::new(n * stride).unwrap();
        // SAFETY: every slot lies inside the region.
        let addresses = (0..n).map(|i| unsafe { region.as_mut_ptr().add(i * stride) }).collect();
        let inner = Mutex::new(Inner { lent: vec![false; n], ..Inner::default() });
        Arc::new(Self { region, addresses, slot_bytes, lossless: true, inner, changed: Condvar::new() })
    }

    /// Numbers of the frames that came, checked to be full of them.
    fn numbers(&self) -> Vec<u64> {
        let inner = self.inner.lock().unwrap();
        let check = |(info, bytes, channels): &(FrameInfo, Vec<u8>, Vec<f64>)| {
            assert!(bytes.iter().all(|&b| u64::from(b) == info.device_frame_id), "frame {}", info.device_frame_id);
            assert!(channels[0].is_nan() || channels[0] == info.device_frame_id as f64, "{channels:?}");
            info.device_frame_id
        };
        inner.frames.iter().map(check).collect()
    }

    fn ended(&self) -> Vec<(u32, String)> {
        self.inner.lock().unwrap().ended.clone()
    }

    fn n_lent(&self) -> usize {
        self.inner.lock().unwrap().lent.iter().filter(|l| **l).count()
    }
}

struct Target(Arc<Slots>);

impl FrameTarget for Target {
    fn lossless(&self) -> bool {
        self.0.lossless
    }

    fn slots(&self) -> &[*mut u8] {
        &self.0.addresses
    }

    fn slot_bytes(&self) -> usize {
        self.0.slot_bytes
    }

    fn lend(&self, timeout: Duration) -> Option<usize> {
        let inner = self.0.inner.lock().unwrap();
        let all_lent = |i: &mut Inner| i.lent.iter().all(|l| *l);
        let (mut inner, _) = self.0.changed.wait_timeout_while(inner, timeout, all_lent).unwrap();
        let free = inner.lent.iter().position(|l| !l)?;
        inner.lent[free] = true;
        Some(free)
    }

    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        let mut inner = self.0.inner.lock().unwrap();
        let was_lent = std::mem::take(&mut inner.lent[slot]);
        // SAFETY: the slot is lent to this call, and `slot_bytes` long.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.addresses[slot], self.0.slot_bytes) };
        inner.frames.push((*info, bytes.to_vec(), channels.to_vec()));
        self.0.changed.notify_all();
        was_lent
    }

    fn give_back(&self, slot: usize) -> bool {
        self.0.changed.notify_all();
        std::mem::take(&mut self.0.inner.lock().unwrap().lent[slot])
    }

    fn push(&self, _payload: &[u8], _info: &FrameInfo, _channels: &[f64]) -> bool {
        panic!("a child pushes into slots of its own")
    }

    fn lost(&self, _count: u64, _reason: u32) {}

    fn ended(&self, reason: u32, text: &str) {
        self.0.inner.lock().unwrap().ended.push((reason, text.to_owned()));
    }

    fn region(&self) -> Option<&SharedRegion> {
        Some(&self.0.region)
    }
}

fn open(registry: &Registry, id: &str, fault: &str) -> Result<Camera, PluginError> {
    let component = component(registry, Kind::Camera, id);
    Camera::open(component, "", &component.params([("fault", fault)]).unwrap())
}

/// Polls until the camera ends or fails.
fn run(camera: &Camera, slots: &Arc<Slots>) -> Result<(), PluginError> {
    camera.start(Box::new(Target(slots.clone())))?;
    let outcome = loop {
        match camera.poll(Duration::from_millis(100)) {
            Ok(_) if slots.ended().is_empty() => {}
            Ok(_) => break Ok(()),
            Err(e) => break Err(e),
        }
    };
    // One that has gone cannot be stopped, and says so; all others can.
    let stopped = camera.stop();
    let gone = outcome.as_ref().is_err_and(|e: &PluginError| e.status < 0);
    assert_eq!(stopped.is_err(), gone, "{stopped:?}");
    outcome
}

fn slots_of(camera: &Camera) -> Arc<Slots> {
    Slots::new(3, camera.format().unwrap().payload_bytes as usize)
}

#[track_caller]
pub(super) fn survives(fault: &str, expected: Expected) {
    for (registry, id) in fixtures(fault, Kind::Camera) {
        let camera = open(&registry, id, fault).unwrap();
        assert_eq!(camera.channels().unwrap()[0].key, "number");
        let slots = slots_of(&camera);
        let outcome = run(&camera, &slots);
        match expected {
            Fails(cause) => {
                let error = outcome.unwrap_err();
                check_error(&error, id, "poll", cause);
                assert_eq!(slots.numbers(), [0, 1]);
                if error.status < 0 {
                    let ended = slots.ended();
                    assert!(matches!(&ended[..], [(abi::ENDED_ERROR, text)] if text.contains(cause)), "{ended:?}");
                    check_error(&camera.format().unwrap_err(), id, "format", cause);
                }
            }
            _ => {
                outcome.unwrap();
                assert_eq!(slots.numbers(), [0, 1, 2, 3, 4, 5]);
                assert_eq!(slots.ended(), [(abi::ENDED_END_OF_DATA, "six frames are all there is".to_owned())]);
            }
        }
        assert_eq!(slots.n_lent(), 0, "all slots are back");
        drop(camera);
        // Opened again it is there again.
        let camera = open(&registry, id, "none").unwrap();
        let slots = slots_of(&camera);
        run(&camera, &slots).unwrap();
        assert_eq!(slots.numbers(), [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn a_camera_that_panics_is_told() {
    survives("panic", Fails("the plugin panicked: told to panic"));
}

#[test]
fn a_camera_that_segfaults_ends_its_frames() {
    survives("segfault", Fails("segmentation fault, signal 11"));
}

#[test]
fn a_camera_that_aborts_ends_its_frames() {
    survives("abort", Fails("abort, signal 6"));
}

#[test]
fn a_camera_that_exits_ends_its_frames() {
    survives("exit", Fails("exit code 3"));
}

#[test]
fn a_camera_that_frees_twice_ends_its_frames() {
    survives("double-free", Fails("its process ended ("));
}

#[test]
fn a_camera_that_never_comes_back_is_ended() {
    survives("loop", Fails("it did not come back within 5.1 s"));
}

#[test]
fn a_camera_with_nan_in_a_channel_delivers_it() {
    survives("nan", Right);
}

#[test]
fn a_camera_that_pushes_too_few_bytes_is_refused() {
    survives("count", Fails("the host refused the frame"));
}

#[test]
fn a_camera_that_writes_far_beyond_its_slot_ends_its_frames() {
    survives("beyond", Fails("segmentation fault, signal 11"));
}

#[test]
fn a_slow_camera_is_waited_for() {
    survives("slow", Right);
}

#[test]
fn a_camera_that_floods_its_output_disturbs_nobody() {
    survives("flood", Right);
}

#[test]
fn a_camera_that_writes_rubbish_into_the_pipe_ends_its_frames() {
    // It has both pipes: either the host finds rubbish, or the child does and ends itself.
    survives("pipe", Fails("its process "));
}

#[test]
fn a_camera_and_a_stage_of_one_library_fall_together_and_can_be_opened_again() {
    let registry = load(&rust_fixture("crashing"), &options(PATIENCE));
    let open_stage = |fault: &str| {
        let component = component(&registry, Kind::Stage, "stage.fixture.crash");
        Stage::open(component, "", &component.params([("fault", fault)]).unwrap())
    };
    let (camera, stage) = (open(&registry, "camera.fixture.crash", "none").unwrap(), open_stage("abort").unwrap());
    let slots = slots_of(&camera);
    camera.start(Box::new(Target(slots.clone()))).unwrap();
    let axis = stage.axis_of("focus").unwrap();
    stage.move_to(axis, 12.0).unwrap();
    assert_eq!((stage.position(axis).unwrap(), stage.moving(axis).unwrap()), (12.0, false));
    let outside = stage.move_to(axis, 1e6).unwrap_err();
    assert_eq!(outside.status, abi::STATUS_INVALID_ARGUMENT, "{outside}");
    check_error(&stage.move_to(axis, 13.0).unwrap_err(), "stage.fixture.crash", "move_to", "abort, signal 6");
    let error = stage.position(axis).unwrap_err();
    check_error(&error, "stage.fixture.crash", "position", "abort, signal 6");
    assert_eq!(error.status, STATUS_CRASHED);
    check_error(&camera.poll(Duration::ZERO).unwrap_err(), "camera.fixture.crash", "poll", "abort, signal 6");
    assert!(matches!(&slots.ended()[..], [(abi::ENDED_ERROR, _)]), "{:?}", slots.ended());
    assert_eq!(open_stage("none").unwrap().position(axis).unwrap(), 0.0, "a new child, a new stage");
}

#[test]
fn a_camera_that_cannot_be_stopped_is_ended_so_that_it_writes_no_more() {
    let registry = load(&rust_fixture("misbehaving"), &options(PATIENCE));
    let component = component(&registry, Kind::Camera, "camera.fixture.panic-stop");
    let camera = Camera::open(component, "", &component.params([]).unwrap()).unwrap();
    let slots = slots_of(&camera);
    camera.start(Box::new(Target(slots.clone()))).unwrap();
    check_error(&camera.stop().unwrap_err(), "camera.fixture.panic-stop", "stop", "told to panic in stop");
    assert_eq!(slots.n_lent(), 0, "all slots are back");
    check_error(&camera.format().unwrap_err(), "camera.fixture.panic-stop", "format", "could not be stopped");
}

#[test]
fn an_isolated_camera_without_shared_slots_is_refused() {
    struct Elsewhere(Target);
    impl FrameTarget for Elsewhere {
        fn lossless(&self) -> bool {
            self.0.lossless()
        }
        fn slots(&self) -> &[*mut u8] {
            self.0.slots()
        }
        fn slot_bytes(&self) -> usize {
            self.0.slot_bytes()
        }
        fn lend(&self, timeout: Duration) -> Option<usize> {
            self.0.lend(timeout)
        }
        fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
            self.0.commit(slot, info, channels)
        }
        fn give_back(&self, slot: usize) -> bool {
            self.0.give_back(slot)
        }
        fn push(&self, payload: &[u8], info: &FrameInfo, channels: &[f64]) -> bool {
            self.0.push(payload, info, channels)
        }
        fn lost(&self, count: u64, reason: u32) {
            self.0.lost(count, reason);
        }
        fn ended(&self, reason: u32, text: &str) {
            self.0.ended(reason, text);
        }
    }
    let registry = load(&rust_fixture("crashing"), &options(PATIENCE));
    let camera = open(&registry, "camera.fixture.crash", "none").unwrap();
    let error = camera.start(Box::new(Elsewhere(Target(slots_of(&camera))))).unwrap_err();
    check_error(&error, "camera.fixture.crash", "start", "shared memory");
}

/// The next frame that was exposed after this call.
fn fresh_frame(camera: &Camera, slots: &Slots) -> (Vec<u8>, Vec<f64>) {
    slots.inner.lock().unwrap().frames.clear();
    let begun = Instant::now();
    loop {
        camera.poll(Duration::from_millis(100)).unwrap();
        // Frames that were rendered ahead lie in the slots that were lent ahead: the last of some is fresh.
        let frames = &slots.inner.lock().unwrap().frames;
        if frames.len() >= 12 {
            let (_, bytes, channels) = frames.last().unwrap();
            return (bytes.clone(), channels.clone());
        }
        assert!(begun.elapsed() < PATIENCE, "no frames come");
    }
}

#[test]
fn moving_the_isolated_stage_defocuses_the_beads_of_the_isolated_camera() {
    let registry = load(&plugin("sim"), &options(PATIENCE));
    let sim = component(&registry, Kind::Camera, "camera.sim");
    let settings =
        [("width_px", "128"), ("height_px", "128"), ("n_fixed", "1"), ("n_tethered", "0"), ("noise", "false")];
    let camera = Camera::open(sim, "", &sim.params(settings).unwrap()).unwrap();
    let focus = component(&registry, Kind::Stage, "stage.sim-focus");
    let stage = Stage::open(focus, "", &focus.params([]).unwrap()).unwrap();
    let channels = camera.channels().unwrap();
    let at = channels.iter().position(|c| c.key == "focus_nm").unwrap();
    let at: usize = channels[..at].iter().map(|c| c.length as usize).sum();
    let slots = Slots::new(4, camera.format().unwrap().payload_bytes as usize);
    camera.start(Box::new(Target(slots.clone()))).unwrap();
    let axis = stage.axis_of("focus").unwrap();
    let move_to = |position: f64| {
        stage.move_to(axis, position).unwrap();
        let begun = Instant::now();
        while stage.moving(axis).unwrap() {
            assert!(begun.elapsed() < PATIENCE, "the stage does not arrive");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    move_to(0.0);
    let (sharp, truth) = fresh_frame(&camera, &slots);
    assert!(truth[at].abs() < 50.0, "the focus is {}", truth[at]);
    move_to(3000.0);
    let (blurred, truth) = fresh_frame(&camera, &slots);
    assert!((truth[at] - 3000.0).abs() < 50.0, "the focus is {}", truth[at]);
    let contrast = |image: &[u8]| {
        let mean = image.iter().map(|&v| f64::from(v)).sum::<f64>() / image.len() as f64;
        image.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>()
    };
    assert_ne!(sharp, blurred);
    let (before, after) = (contrast(&sharp), contrast(&blurred));
    assert!((before - after).abs() > 0.05 * before, "the beads look the same: {before} and {after}");
    camera.stop().unwrap();
    assert_eq!(slots.n_lent(), 0, "all slots are back");
}
