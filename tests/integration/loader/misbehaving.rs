//! Calls into components that are bad in one way: each fails with the plugin's id, the function, the cause and a mend, or
//! comes back checked; this process lives on, and the good component beside them goes on working.

use super::pictures::Picture;
use super::{c_fixture, check_call, rust_fixture, scan_alone};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tetherscope_loader::abi::{self, FLAG_NON_FINITE, FLAG_NOT_WRITTEN, FLAG_PLUGIN_ERROR};
use tetherscope_loader::{
    BeadFinder, Camera, Component, FrameInfo, FrameTarget, Kind, LookupBuffers, ParamSet, PluginError, Registry,
    SavedTable, Stage, SweepData, Table, TrackBuffers, Tracker, TrackerStamp, TrackerWorker, ZlutStrategy,
};

/// The library with one fault per component, loaded once.
static BAD: LazyLock<Registry> = LazyLock::new(|| {
    let registry = scan_alone(&rust_fixture("misbehaving"));
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    registry
});

fn component(kind: Kind, id: &str) -> &'static Component {
    BAD.resolve(kind, id).unwrap()
}

fn defaults(component: &Component) -> ParamSet {
    component.params([]).unwrap()
}

// ---- Trackers ----

fn create_tracker(registry: &Registry, id: &str) -> Result<Arc<Tracker>, PluginError> {
    let component = registry.resolve(Kind::Tracker, id).unwrap();
    Tracker::create(component, defaults(component))
}

/// A worker for ROIs of 8 × 6 px.
pub fn tracker_worker(registry: &Registry, id: &str) -> TrackerWorker {
    create_tracker(registry, id).unwrap().worker(&Picture::flat(1, 8, 6).config()).unwrap()
}

/// Tracks five flat ROIs.
fn track_five(worker: &mut TrackerWorker) -> (Result<(), PluginError>, TrackBuffers) {
    let picture = Picture::flat(5, 8, 6);
    let mut out = TrackBuffers::default();
    let outcome = worker.track(&picture.rois(), &mut out);
    (outcome, out)
}

fn assert_spoilt(out: &TrackBuffers) {
    assert_eq!(out.fixes.len(), 5);
    for fix in &out.fixes {
        assert!(fix.x_px.is_nan() && fix.y_px.is_nan() && fix.flags == FLAG_PLUGIN_ERROR, "{fix:?}");
    }
    assert!(out.profiles.iter().all(|v| v.is_nan()), "a spoilt batch has no profiles");
}

#[test]
fn the_good_tracker_of_the_bad_library_tracks() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.good"));
    outcome.unwrap();
    for fix in &out.fixes {
        assert_eq!((fix.x_px, fix.y_px, fix.flags), (3.5, 2.5, 0));
        assert!(fix.z_nm.is_nan());
    }
    assert!(out.profiles.iter().all(|&v| v == 1.0) && out.profiles.len() == 5 * 4);
}

#[test]
fn a_panic_in_create_is_an_error() {
    let outcome = create_tracker(&BAD, "tracker.fixture.panic-create");
    check_call(outcome, "tracker.fixture.panic-create", "create", "the plugin panicked: told to panic in create");
}

#[test]
fn an_error_in_create_is_told_in_the_plugins_words() {
    let outcome = create_tracker(&BAD, "tracker.fixture.error-create");
    check_call(outcome, "tracker.fixture.error-create", "create", "told to fail in create");
}

#[test]
fn a_panic_in_worker_is_an_error() {
    let tracker = create_tracker(&BAD, "tracker.fixture.panic-worker").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.panic-worker", "worker", "told to panic in worker");
}

#[test]
fn an_error_in_worker_is_told_in_the_plugins_words() {
    let tracker = create_tracker(&BAD, "tracker.fixture.error-worker").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.error-worker", "worker", "told to fail in worker");
}

#[test]
fn a_panic_in_track_spoils_the_batch_and_the_next_call_is_made_all_the_same() {
    let mut worker = tracker_worker(&BAD, "tracker.fixture.panic-track");
    for _ in 0..2 {
        let (outcome, out) = track_five(&mut worker);
        check_call(outcome, "tracker.fixture.panic-track", "track", "the plugin panicked: told to panic in track");
        assert_spoilt(&out);
    }
}

#[test]
fn a_panic_midway_leaves_no_half_batch() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.panic-midway"));
    check_call(outcome, "tracker.fixture.panic-midway", "track", "told to panic in midway");
    assert_spoilt(&out);
}

#[test]
fn a_panic_whose_payload_panics_too_is_an_error() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.panics-twice"));
    check_call(outcome, "tracker.fixture.panics-twice", "track", "the plugin panicked");
    assert_spoilt(&out);
}

#[test]
fn an_error_in_track_spoils_the_batch() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.error-track"));
    check_call(outcome, "tracker.fixture.error-track", "track", "told to fail in track");
    assert_spoilt(&out);
}

#[test]
fn a_panic_in_explain_is_an_error() {
    let mut worker = tracker_worker(&BAD, "tracker.fixture.panic-explain");
    let outcome = worker.explain(&Picture::flat(1, 8, 6).rois());
    check_call(outcome, "tracker.fixture.panic-explain", "explain", "told to panic in explain");
    track_five(&mut worker).0.unwrap();
}

#[test]
fn a_panic_while_a_worker_or_an_instance_is_freed_does_not_reach_the_host() {
    drop(tracker_worker(&BAD, "tracker.fixture.panic-free"));
    drop(tracker_worker(&BAD, "tracker.fixture.panic-destroy"));
    track_five(&mut tracker_worker(&BAD, "tracker.fixture.good")).0.unwrap();
}

#[test]
fn rows_that_a_tracker_leaves_out_are_flagged() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.leaves-rows"));
    outcome.unwrap();
    for (i, fix) in out.fixes.iter().enumerate() {
        let left = i % 2 == 1;
        assert_eq!(fix.x_px.is_nan(), left, "row {i}: {fix:?}");
        assert_eq!(fix.flags, if left { FLAG_NOT_WRITTEN } else { 0 }, "row {i}: {fix:?}");
    }
}

#[test]
fn nan_without_a_flag_gets_one() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.nan-without-flag"));
    outcome.unwrap();
    assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.flags == FLAG_NON_FINITE), "{:?}", out.fixes);
}

#[test]
fn infinite_values_become_nan_and_a_flag() {
    let (outcome, out) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.infinite"));
    outcome.unwrap();
    for fix in &out.fixes {
        assert!(fix.y_px.is_nan() && fix.flags == FLAG_NON_FINITE, "{fix:?}");
        assert!(fix.sigma_x_px.is_nan() && fix.quality.is_nan(), "{fix:?}");
    }
}

#[test]
fn profiles_that_no_memory_holds_are_refused() {
    let tracker = create_tracker(&BAD, "tracker.fixture.too-many-bins").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.too-many-bins", "worker", "profiles of 4294967295 bins");
}

#[test]
fn profiles_of_an_unknown_kind_are_refused() {
    let tracker = create_tracker(&BAD, "tracker.fixture.strange-profile").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.strange-profile", "worker", "profiles of the unknown kind 99");
}

#[test]
fn profiles_without_a_step_are_refused() {
    let tracker = create_tracker(&BAD, "tracker.fixture.nan-step").unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 8, 6).config());
    check_call(outcome, "tracker.fixture.nan-step", "worker", "NaN px apart");
}

#[test]
fn c_functions_that_fail_flood_or_return_nonsense_are_errors_of_three_lines() {
    for (case, definition, cause) in [
        ("track-error", "IN_TRACK=FAULT_ERROR", "the fixture was told to fail"),
        ("track-flood", "IN_TRACK=FAULT_FLOOD", "A plugin that never stops talking"),
        ("track-not-utf8", "IN_TRACK=FAULT_NOT_UTF8", " broken "),
        ("track-unknown", "IN_TRACK=FAULT_UNKNOWN", "a status that does not exist"),
    ] {
        let Some(library) = c_fixture("faulty.c", case, &[definition]) else { return };
        let (outcome, out) = track_five(&mut tracker_worker(&scan_alone(&library), "tracker.fixture.c"));
        check_call(outcome, "tracker.fixture.c", "track", cause);
        assert_spoilt(&out);
    }
}

// ---- Z-LUT strategies ----

fn create_strategy(id: &str) -> Arc<ZlutStrategy> {
    let component = component(Kind::Zlut, id);
    ZlutStrategy::create(component, defaults(component)).unwrap()
}

/// Builds a table of three planes, with the profiles of the good tracker.
fn build(strategy: &Arc<ZlutStrategy>) -> Result<Arc<Table>, PluginError> {
    let mut worker = tracker_worker(&BAD, "tracker.fixture.good");
    let picture = Picture::flat(3, 8, 6);
    let mut tracks = TrackBuffers::default();
    worker.track(&picture.rois(), &mut tracks).unwrap();
    strategy.build(&SweepData {
        rois: picture.rois(),
        focus_nm: &[0.0, 100.0, 200.0],
        tracks: &tracks,
        layout: *worker.layout(),
        config: picture.config(),
        tracker: TrackerStamp { id: "tracker.fixture.good", version: "1.0.0", params: &ParamSet::default() },
    })
}

/// Looks five ROIs up, whose x and y are 3.5 and 2.5.
fn look_up_five(id: &str) -> (Result<(), PluginError>, TrackBuffers) {
    let strategy = create_strategy(id);
    let table = build(&strategy).unwrap();
    let picture = Picture::flat(5, 8, 6);
    let mut worker = strategy.worker(&picture.config(), table.layout()).unwrap();
    let (_, mut tracks) = track_five(&mut tracker_worker(&BAD, "tracker.fixture.good"));
    let outcome = worker.lookup(&picture.rois(), &[&*table; 5], &mut tracks, &mut LookupBuffers::default());
    (outcome, tracks)
}

#[test]
fn the_good_strategy_of_the_bad_library_looks_up() {
    let (outcome, tracks) = look_up_five("zlut.fixture.good");
    outcome.unwrap();
    // All planes are alike, so the first is the nearest.
    assert!(tracks.fixes.iter().all(|f| f.z_nm == 0.0 && f.flags == 0), "{:?}", tracks.fixes);
}

#[test]
fn a_panic_in_a_strategys_create_is_an_error() {
    let component = component(Kind::Zlut, "zlut.fixture.panic-create");
    let outcome = ZlutStrategy::create(component, defaults(component));
    check_call(outcome, "zlut.fixture.panic-create", "create", "told to panic in create");
}

#[test]
fn a_panic_in_build_is_an_error() {
    let outcome = build(&create_strategy("zlut.fixture.panic-build"));
    check_call(outcome, "zlut.fixture.panic-build", "build", "told to panic in build");
}

#[test]
fn an_error_in_build_is_told_in_the_plugins_words() {
    let outcome = build(&create_strategy("zlut.fixture.error-build"));
    check_call(outcome, "zlut.fixture.error-build", "build", "told to fail in build");
}

fn load(id: &str) -> Result<Arc<Table>, PluginError> {
    let table = build(&create_strategy("zlut.fixture.good")).unwrap();
    create_strategy(id).load(&table.save().unwrap(), table.layout(), &Picture::flat(1, 8, 6).config())
}

#[test]
fn a_panic_in_load_is_an_error() {
    check_call(load("zlut.fixture.panic-load"), "zlut.fixture.panic-load", "load", "told to panic in load");
}

#[test]
fn an_error_in_load_is_told_in_the_plugins_words() {
    check_call(load("zlut.fixture.error-load"), "zlut.fixture.error-load", "load", "told to fail in load");
}

fn save(id: &str) -> Result<SavedTable, PluginError> {
    build(&create_strategy(id)).unwrap().save()
}

#[test]
fn a_panic_in_save_is_an_error() {
    check_call(save("zlut.fixture.panic-save"), "zlut.fixture.panic-save", "save", "told to panic in save");
}

#[test]
fn a_table_saved_with_too_few_profile_values_is_refused() {
    let cause = "it saved 3 planes, 11 profile values and 0 variances, with 4 bins a plane";
    check_call(save("zlut.fixture.wrong-count"), "zlut.fixture.wrong-count", "save", cause);
}

#[test]
fn a_table_saved_without_planes_is_refused() {
    check_call(save("zlut.fixture.saves-nothing"), "zlut.fixture.saves-nothing", "save", "it saved 0 planes");
}

#[test]
fn a_panic_in_a_strategys_worker_is_an_error() {
    let strategy = create_strategy("zlut.fixture.panic-worker");
    let table = build(&strategy).unwrap();
    let outcome = strategy.worker(&Picture::flat(1, 8, 6).config(), table.layout());
    check_call(outcome, "zlut.fixture.panic-worker", "worker", "told to panic in worker");
}

#[test]
fn a_lookup_that_panics_or_fails_leaves_x_and_y_and_flags_the_rows() {
    for (id, cause) in [
        ("zlut.fixture.panic-lookup", "told to panic in lookup"),
        ("zlut.fixture.error-lookup", "told to fail in lookup"),
    ] {
        let (outcome, tracks) = look_up_five(id);
        check_call(outcome, id, "lookup", cause);
        for fix in &tracks.fixes {
            assert_eq!((fix.x_px, fix.y_px, fix.flags), (3.5, 2.5, FLAG_PLUGIN_ERROR), "{id}");
            assert!(fix.z_nm.is_nan(), "{id}");
        }
    }
}

#[test]
fn z_that_is_nan_or_infinite_without_a_flag_gets_one() {
    for id in ["zlut.fixture.nan-without-flag", "zlut.fixture.infinite"] {
        let (outcome, tracks) = look_up_five(id);
        outcome.unwrap();
        assert!(tracks.fixes.iter().all(|f| f.z_nm.is_nan() && f.flags == FLAG_NON_FINITE), "{id}: {:?}", tracks.fixes);
    }
}

#[test]
fn a_strategy_that_does_not_refine_x_cannot_move_it() {
    let (outcome, tracks) = look_up_five("zlut.fixture.moves-xy");
    outcome.unwrap();
    assert!(tracks.fixes.iter().all(|f| f.x_px == 3.5), "{:?}", tracks.fixes);
}

#[test]
fn a_panic_in_a_strategys_explain_is_an_error_and_its_table_may_panic_when_freed() {
    let strategy = create_strategy("zlut.fixture.panic-explain");
    let table = build(&strategy).unwrap();
    let picture = Picture::flat(1, 8, 6);
    let mut worker = strategy.worker(&picture.config(), table.layout()).unwrap();
    let mut tracks = TrackBuffers::default();
    tracker_worker(&BAD, "tracker.fixture.good").track(&picture.rois(), &mut tracks).unwrap();
    let outcome = worker.explain(&picture.rois(), &table, &mut tracks);
    check_call(outcome, "zlut.fixture.panic-explain", "explain", "told to panic in explain");
    drop(build(&create_strategy("zlut.fixture.panic-free")).unwrap());
}

// ---- Cameras ----

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

// ---- Stages ----

fn open_stage(id: &str) -> Result<Stage, PluginError> {
    let component = component(Kind::Stage, id);
    Stage::open(component, "", &defaults(component))
}

#[test]
fn the_good_stage_of_the_bad_library_moves_within_its_limits() {
    let id = "stage.fixture.good";
    let stage = open_stage(id).unwrap();
    assert_eq!(stage.axis_of("focus"), Some(0));
    stage.move_to(0, 500.0).unwrap();
    assert_eq!((stage.position(0).unwrap(), stage.moving(0).unwrap()), (500.0, false));
    check_call(stage.move_to(0, 1000.5), id, "move_to", "1000.5 nm is outside the limits of focus, -1000 to 1000");
    check_call(stage.move_to(0, f64::NAN), id, "move_to", "outside the limits");
    check_call(stage.move_to(1, 0.0), id, "move_to", "there is no axis 1");
    assert_eq!(stage.position(0).unwrap(), 500.0);
}

#[test]
fn a_stage_that_panics_or_fails_is_an_error_each_time() {
    let id = "stage.fixture.panic-enumerate";
    check_call(Stage::enumerate(component(Kind::Stage, id)), id, "enumerate", "told to panic in enumerate");
    let id = "stage.fixture.panic-open";
    check_call(open_stage(id), id, "open", "told to panic in open");
    let id = "stage.fixture.panic-axes";
    check_call(open_stage(id), id, "axes", "told to panic in axes");
    let id = "stage.fixture.panic-settings";
    check_call(open_stage(id).unwrap().settings(), id, "settings", "told to panic in settings");
    let id = "stage.fixture.panic-move";
    check_call(open_stage(id).unwrap().move_to(0, 0.0), id, "move_to", "told to panic in move");
    let id = "stage.fixture.error-move";
    check_call(open_stage(id).unwrap().move_to(0, 0.0), id, "move_to", "told to fail in move");
    let id = "stage.fixture.panic-position";
    check_call(open_stage(id).unwrap().position(0), id, "position", "told to panic in position");
    let id = "stage.fixture.panic-moving";
    check_call(open_stage(id).unwrap().moving(0), id, "moving", "told to panic in moving");
    let id = "stage.fixture.panic-stop";
    check_call(open_stage(id).unwrap().stop(), id, "stop", "told to panic in stop");
    let id = "stage.fixture.panic-home";
    check_call(open_stage(id).unwrap().home(0), id, "home", "told to panic in home");
    drop(open_stage("stage.fixture.panic-close").unwrap());
    open_stage("stage.fixture.good").unwrap().stop().unwrap();
}

#[test]
fn a_position_that_is_no_number_is_an_error() {
    let id = "stage.fixture.nan-position";
    check_call(open_stage(id).unwrap().position(0), id, "position", "it says that it is at NaN");
}

#[test]
fn limits_that_are_turned_round_are_refused() {
    let id = "stage.fixture.reversed-limits";
    check_call(open_stage(id), id, "axes", "axis 0 has limits from 1000 to -1000");
}

#[test]
fn an_axis_with_an_unknown_role_is_no_focus() {
    let stage = open_stage("stage.fixture.strange-role").unwrap();
    assert_eq!((stage.axes()[0].role.as_str(), stage.axis_of("focus")), ("sideways", None));
}

// ---- Bead finders ----

fn find(id: &str) -> Result<Vec<tetherscope_loader::Hit>, PluginError> {
    let component = component(Kind::Finder, id);
    let finder = BeadFinder::create(component, &defaults(component))?;
    finder.find(&Picture::flat(1, 8, 6).rois(), 8, None, |_| {})
}

#[test]
fn the_good_finder_of_the_bad_library_finds_and_tells_its_progress() {
    let component = component(Kind::Finder, "finder.fixture.good");
    let finder = BeadFinder::create(component, &defaults(component)).unwrap();
    let mut told = Vec::new();
    let hits = finder.find(&Picture::flat(1, 8, 6).rois(), 8, None, |p| told.push(p)).unwrap();
    assert_eq!((hits.len(), hits[0].x_px, hits[0].y_px), (1, 3.5, 2.5));
    assert_eq!(told, [0.5]);
}

#[test]
fn a_finder_that_panics_or_fails_is_an_error() {
    for (id, function, cause) in [
        ("finder.fixture.panic-create", "create", "told to panic in create"),
        ("finder.fixture.panic-find", "find", "told to panic in find"),
        ("finder.fixture.error-find", "find", "told to fail in find"),
    ] {
        check_call(find(id), id, function, cause);
    }
    assert_eq!(find("finder.fixture.panic-destroy").unwrap().len(), 1);
}

#[test]
fn hits_that_are_nowhere_are_refused() {
    check_call(find("finder.fixture.nan-hit"), "finder.fixture.nan-hit", "find", "hit 0 lies at (NaN, 2.5)");
    let cause = "hit 0 lies at (3.5, -1000000)";
    check_call(find("finder.fixture.outside"), "finder.fixture.outside", "find", cause);
}

#[test]
fn more_hits_than_any_frame_has_are_refused() {
    check_call(find("finder.fixture.too-many"), "finder.fixture.too-many", "find", "the host took no more output");
}
