//! The ring, the camera's thread and the ledger with real plugins: the simulated camera with its fault script, cameras that
//! hang or crash, and cameras in child processes. What the host counts is compared with what the simulation knows to be
//! true.

mod leaks;

use super::harness::{plugin, rust_fixture};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tetherscope_core::{
    CAMERA_STAGE, CameraEnd, CameraOptions, CameraState, DropReason, Frame, GapKind, GapRecord, Ledger, LiveCamera,
    Next, Policy, Reopen, Ring, RingOptions, SubscribeOptions, Subscription,
};
use tetherscope_loader::{Camera, Component, IsolationOptions, Kind, ParamSet, Registry, SearchOptions};

/// Long enough for anything on a busy machine; nothing waits so long when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

fn load(library: &Path, isolated: bool) -> Registry {
    let options = SearchOptions {
        usual_places: false,
        cache: None,
        child: Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into()),
        probe_limit: PATIENCE,
        isolation: IsolationOptions {
            all: isolated,
            call_limit: PATIENCE,
            job_limit: PATIENCE,
            ..IsolationOptions::default()
        },
        ..SearchOptions::default()
    };
    let mut registry = Registry::default();
    registry.load_file(library, &options).unwrap();
    registry
}

/// A small simulated camera without beads: quick, with the channels `focus_nm`, and with a script `frame`, `injected`.
/// Its width is no multiple of 4.
struct Sim {
    component: Component,
    params: ParamSet,
}

impl Sim {
    fn new(registry: &Registry, more: &[(&str, &str)]) -> Self {
        let component = registry.resolve(Kind::Camera, "camera.sim").unwrap().clone();
        let small = [
            ("width_px", "61"),
            ("height_px", "33"),
            ("n_fixed", "0"),
            ("n_tethered", "0"),
            ("defocus_range_nm", "1000"),
            ("crop_radius_nm", "2000"),
        ];
        let params = component.params(small.iter().chain(more).copied()).unwrap();
        Self { component, params }
    }

    fn open(&self) -> Arc<Camera> {
        Arc::new(Camera::open(&self.component, "", &self.params).unwrap())
    }
}

fn ring(camera: &Camera, n_slots: usize, lossless: bool) -> Arc<Ring> {
    let options = RingOptions { n_slots, lossless, ..RingOptions::default() };
    Ring::new(&camera.format().unwrap(), camera.channels().unwrap(), &options, &Ledger::new()).unwrap()
}

fn subscribe(ring: &Arc<Ring>, name: &str, capacity: usize) -> Subscription {
    let options = SubscribeOptions { name: name.into(), capacity, in_hand: 1, policy: Policy::DropNewest };
    ring.subscribe(&options).unwrap()
}

/// A frame as the simulation knows it.
struct Seen {
    session: u32,
    /// Number of the simulated frame.
    number: u64,
    injected: u64,
    n_lost_before: u64,
    device_id: u64,
}

fn seen(frame: &Frame) -> Seen {
    let &[.., number, injected] = frame.channels() else { panic!("the script's channels are missing") };
    Seen {
        session: frame.session(),
        number: number as u64,
        injected: injected as u64,
        n_lost_before: frame.n_lost_before(),
        device_id: frame.device_id().unwrap(),
    }
}

/// Takes all frames until the end, in order and without a hole.
fn take_all(all: &mut Subscription, mut look: impl FnMut(&Frame)) -> Vec<Seen> {
    let mut frames = Vec::new();
    loop {
        match all.next(PATIENCE) {
            Next::Frame(frame) => {
                assert_eq!(frame.index(), frames.len() as u64);
                look(&frame);
                frames.push(seen(&frame));
            }
            Next::Ended => return frames,
            Next::TimedOut => panic!("nothing comes after {} frames", frames.len()),
        }
    }
}

fn gaps(ring: &Ring) -> Vec<GapRecord> {
    std::iter::from_fn(|| ring.next_gap()).collect()
}

/// Compares the gap table with the truth: between two frames of a session as many are told lost as are missing.
fn check_gaps(frames: &[Seen], gaps: &[GapRecord]) {
    let mut told: BTreeMap<u64, u64> = BTreeMap::new();
    // Copies, among them those of torn frames, of which neither copy arrives.
    let mut copies: BTreeMap<u64, u64> = BTreeMap::new();
    for gap in gaps {
        match (gap.kind, gap.after_index) {
            (GapKind::Dropped(_), Some(after)) => *told.entry(after).or_default() += gap.n_frames,
            (GapKind::DuplicateId, Some(after)) => *copies.entry(after).or_default() += gap.n_frames,
            _ => {}
        }
    }
    for (index, pair) in frames.windows(2).enumerate() {
        let told = told.remove(&(index as u64)).unwrap_or(0);
        if pair[0].session == pair[1].session {
            let is_copy = u64::from(pair[1].injected & 2 != 0);
            let lost_copies = copies.remove(&(index as u64)).unwrap_or(0) - is_copy;
            let missing = (pair[1].number + is_copy) - pair[0].number - 1 + lost_copies;
            assert_eq!(told, missing, "after frame {index}, {}", pair[0].number);
            assert_eq!(pair[1].n_lost_before, missing, "frame {}", index + 1);
        }
    }
    // After the last frame there is no id that could tell.
    told.remove(&(frames.len() as u64 - 1));
    assert!(told.is_empty(), "gaps are told where none is: {told:?}");
}

#[test]
fn every_injected_gap_is_found_and_the_ledger_balances() {
    let registry = load(&plugin("sim"), false);
    let script = "lost 100..103; lost 150..151 told; duplicate 300; corrupt 400; torn 410; stall 600 1s; drift 50ppm; \
                  random 0.01 lost; random 0.005 torn; random 0.005 duplicate";
    let n = 5000;
    let sim = Sim::new(&registry, &[("n_frames", &n.to_string()), ("faults", script)]);
    let camera = sim.open();
    let ring = ring(&camera, 16, true);
    let mut all = subscribe(&ring, "all", 1);
    let mut live = LiveCamera::start(camera, ring.clone(), CameraOptions::default()).unwrap();
    let mut device_ns = Vec::new();
    let frames = take_all(&mut all, |f| device_ns.push(f.device_time_ns().unwrap()));
    assert_eq!((live.wait(PATIENCE), live.stop()), (Some(CameraEnd::EndOfData), CameraEnd::EndOfData));
    let gaps = gaps(&ring);
    check_gaps(&frames, &gaps);
    // The script's own entries, by device id.
    let find = |first: u64, kind: GapKind| {
        let found =
            gaps.iter().find(|g| g.kind == kind && g.first_device_id <= Some(first) && g.last_device_id >= Some(first));
        found.unwrap_or_else(|| panic!("no {} at {first}", kind.name()))
    };
    let gap = GapKind::Dropped(DropReason::CameraGap);
    assert!(find(100, gap).n_frames >= 4 && find(103, gap).n_frames >= 4);
    find(150, gap);
    find(300, GapKind::DuplicateId);
    find(400, GapKind::Dropped(DropReason::Incomplete));
    find(410, GapKind::Dropped(DropReason::Incomplete));
    assert!(frames.iter().any(|f| f.number == 600 && f.injected & 16 != 0), "the stall was");
    // No frame of the ledger is unexplained, and it has seen every simulated frame and every copy.
    let ledger = ring.ledger().snapshot();
    ledger.check().unwrap();
    let camera = ledger.stage(CAMERA_STAGE).unwrap();
    let n_copies: u64 = gaps.iter().filter(|g| g.kind == GapKind::DuplicateId).map(|g| g.n_frames).sum();
    assert!(n_copies > 10, "{n_copies} of 25");
    assert_eq!(camera.seen, n + n_copies);
    assert_eq!((camera.delivered, camera.in_flight), (frames.len() as u64, 0));
    assert_eq!(ledger.stage("all").unwrap().delivered, frames.len() as u64);
    // 10 ms a frame, the stall, and 50 ppm more.
    let true_ns = 10_000_000 * (frames.last().unwrap().number as i64) + 1_000_000_000;
    assert_eq!(*device_ns.last().unwrap(), true_ns + true_ns / 20_000);
    assert!(frames.iter().all(|f| f.device_id == f.number));
}

#[test]
fn an_unplugged_camera_comes_back_and_a_consumer_that_sleeps_costs_the_others_nothing() {
    let registry = load(&plugin("sim"), false);
    let script = "lost 20..22; late 50 30ms; stall 100 200ms; unplug 200 300ms; torn 420";
    let settings = [("n_frames", "600"), ("frame_rate_hz", "500"), ("faults", script)];
    let sim = Sim::new(&registry, &settings);
    let camera = sim.open();
    let ring = ring(&camera, 400, false);
    let mut all = subscribe(&ring, "all", 300);
    let asleep = subscribe(&ring, "asleep", 20);
    let every = Duration::from_millis(20);
    let reopen = Reopen { component: sim.component.clone(), device: String::new(), params: sim.params.clone(), every };
    let options = CameraOptions { reopen: Some(reopen), ..CameraOptions::default() };
    let mut live = LiveCamera::start(camera, ring.clone(), options).unwrap();
    let changed = live.set(&[("frame_rate_hz".into(), "400".into())]).unwrap();
    assert!(changed.settings.iter().any(|s| s.parameter.key == "frame_rate_hz"));
    let frames = take_all(&mut all, |_| ());
    assert_eq!(live.stop(), CameraEnd::EndOfData);
    let gaps = gaps(&ring);
    check_gaps(&frames, &gaps);
    let at = |kind: GapKind| gaps.iter().position(|g| g.kind == kind).unwrap_or_else(|| panic!("{gaps:?}"));
    assert!(at(GapKind::Disconnected) < at(GapKind::Reconnected));
    let sessions: Vec<u32> = frames.iter().map(|f| f.session).collect();
    let back = frames.iter().find(|f| f.session == 2).expect("it came back");
    // 300 ms are 120 frames at the rate that was set while it ran.
    assert_eq!((sessions[0], sessions.last(), back.number - back.device_id), (1, Some(&2), 320));
    let ledger = ring.ledger().snapshot();
    ledger.check().unwrap();
    let of = |name| ledger.stage(name).unwrap();
    assert_eq!(of("all").dropped_for(DropReason::ConsumerSlow), 0);
    assert_eq!((of("asleep").in_flight, of("asleep").n_dropped()), (20, frames.len() as u64 - 20));
    assert_eq!(of(CAMERA_STAGE).dropped_for(DropReason::RingFull), 0);
    drop(asleep);
    let stage = ring.ledger().snapshot().stage("asleep").unwrap().clone();
    assert_eq!((stage.in_flight, stage.dropped_for(DropReason::UserStop)), (0, 20));
}

#[test]
fn a_camera_that_is_gone_is_over_unless_it_is_to_be_opened_again_and_a_stop_ends_the_attempts() {
    let registry = load(&plugin("sim"), false);
    let sim = Sim::new(&registry, &[("frame_rate_hz", "1000"), ("faults", "unplug 3 3600s")]);
    let camera = sim.open();
    let ring_1 = ring(&camera, 16, false);
    let mut live = LiveCamera::start(camera, ring_1, CameraOptions::default()).unwrap();
    let end = live.wait(PATIENCE);
    assert_eq!(end, Some(CameraEnd::Disconnected("the simulated camera was unplugged by its script".into())));
    assert_eq!(live.stop(), end.unwrap());
    // Another script is another camera.
    let sim = Sim::new(&registry, &[("frame_rate_hz", "1000"), ("faults", "unplug 4 3600s")]);
    let camera = sim.open();
    let ring_2 = ring(&camera, 16, false);
    let every = Duration::from_millis(1);
    let reopen = Reopen { component: sim.component.clone(), device: String::new(), params: sim.params.clone(), every };
    let options = CameraOptions { reopen: Some(reopen), ..CameraOptions::default() };
    let mut live = LiveCamera::start(camera, ring_2.clone(), options).unwrap();
    let begun = Instant::now();
    let cause = loop {
        match live.state() {
            CameraState::Reopening { attempts: 3.., cause } => break cause,
            CameraState::Ended(end) => panic!("{end:?}"),
            _ => assert!(begun.elapsed() < PATIENCE, "it is not opened again"),
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(cause.contains("is unplugged for another"), "{cause}");
    assert!(live.camera().is_none());
    let refused = live.set(&[("noise".into(), "false".into())]).unwrap_err().to_string();
    assert!(refused.contains("the camera is not connected"), "{refused}");
    assert_eq!(live.stop(), CameraEnd::Stopped);
    assert_eq!(gaps(&ring_2).last().map(|g| g.kind), Some(GapKind::Disconnected));
}

/// Waits until so many frames were delivered.
fn wait_for_frames(ring: &Ring, n: u64) {
    let begun = Instant::now();
    while ring.status().next_index < n {
        assert!(begun.elapsed() < PATIENCE, "no frames come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_stop_during_a_stall_of_the_camera_works() {
    let registry = load(&plugin("sim"), false);
    let sim = Sim::new(&registry, &[("frame_rate_hz", "1000"), ("faults", "stall 5 3600s")]);
    let camera = sim.open();
    let ring = ring(&camera, 16, false);
    let mut all = subscribe(&ring, "all", 5);
    // A poll that waits for an hour, if nobody wakes it.
    let options =
        CameraOptions { poll_for: Duration::from_secs(3600), stop_limit: PATIENCE, ..CameraOptions::default() };
    let mut live = LiveCamera::start(camera, ring.clone(), options).unwrap();
    wait_for_frames(&ring, 5);
    assert_eq!(live.state(), CameraState::Running);
    assert_eq!(live.stop(), CameraEnd::Stopped);
    assert_eq!(take_all(&mut all, |_| ()).len(), 5);
    assert_eq!(ring.status().n_lent, 0, "its slots are back");
    assert_eq!(live.stop(), CameraEnd::Stopped, "twice is as good as once");
}

#[test]
fn a_camera_whose_plugin_hangs_is_left_to_itself_with_a_message() {
    let registry = load(&rust_fixture("misbehaving"), false);
    let component = registry.resolve(Kind::Camera, "camera.fixture.hangs").unwrap();
    let camera = Arc::new(Camera::open(component, "", &component.params([]).unwrap()).unwrap());
    let ring = ring(&camera, 16, false);
    let mut all = subscribe(&ring, "all", 4);
    let options = CameraOptions { stop_limit: Duration::from_millis(200), ..CameraOptions::default() };
    let mut live = LiveCamera::start(camera, ring.clone(), options).unwrap();
    wait_for_frames(&ring, 1);
    let begun = Instant::now();
    while live.overdue().is_zero() {
        assert!(begun.elapsed() < PATIENCE, "it does not hang");
        std::thread::sleep(Duration::from_millis(1));
    }
    let CameraEnd::WrittenOff(message) = live.stop() else { panic!("it hangs") };
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 3, "{message}");
    assert!(lines[0].starts_with("camera.fixture.hangs") && lines[2].contains("isolated"), "{message}");
    assert!(matches!(live.state(), CameraState::Ended(CameraEnd::WrittenOff(_))));
    assert!(matches!(all.next(PATIENCE), Next::Frame(_)));
    assert!(matches!(all.next(PATIENCE), Next::Ended), "its consumers go on");
    ring.ledger().snapshot().check().unwrap();
}

#[test]
fn a_camera_in_a_child_fills_the_same_ring_and_its_crash_ends_it_with_the_cause() {
    let registry = load(&plugin("sim"), true);
    let sim = Sim::new(&registry, &[("n_frames", "300"), ("faults", "lost 7; duplicate 9; torn 12")]);
    let camera = sim.open();
    let whole = ring(&camera, 16, true);
    let mut all = subscribe(&whole, "all", 1);
    let mut live = LiveCamera::start(camera, whole.clone(), CameraOptions::default()).unwrap();
    let frames = take_all(&mut all, |_| ());
    assert_eq!((live.stop(), frames.len()), (CameraEnd::EndOfData, 299));
    check_gaps(&frames, &gaps(&whole));
    whole.ledger().snapshot().check().unwrap();
    let registry = load(&rust_fixture("crashing"), true);
    let component = registry.resolve(Kind::Camera, "camera.fixture.crash").unwrap();
    let camera = Arc::new(Camera::open(component, "", &component.params([("fault", "abort")]).unwrap()).unwrap());
    let ring = ring(&camera, 16, true);
    let mut all = subscribe(&ring, "all", 1);
    let mut live = LiveCamera::start(camera, ring.clone(), CameraOptions::default()).unwrap();
    let mut n = 0;
    while let Next::Frame(frame) = all.next(PATIENCE) {
        assert!(frame.payload().iter().all(|&b| u64::from(b) == frame.index()));
        n += 1;
    }
    let end = live.stop();
    assert_eq!(n, 2, "what it delivered before is not lost");
    assert!(
        matches!(&end, CameraEnd::Disconnected(why) | CameraEnd::Failed(why) if why.contains("signal 6")),
        "{end:?}"
    );
    ring.ledger().snapshot().check().unwrap();
}
