//! The templates' camera and stage at work in the loader, in all languages: a run offline and one live, a stop while a
//! poll waits, and moves in real time.
#![allow(unsafe_code)]

use super::{LANGUAGES, load, made};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tetherscope_loader::abi::{ENDED_END_OF_DATA, STATUS_BUSY, STATUS_CANCELLED, STATUS_INVALID_ARGUMENT};
use tetherscope_loader::{Camera, FrameInfo, FrameTarget, Kind, Stage};

const SLOT_BYTES: usize = 64 * 32;
/// Longer than any machine needs for what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frame that arrived: its id, its channels, and where its brightest pixel is.
#[derive(Debug, Clone, PartialEq)]
struct Arrived {
    id: u64,
    channels: Vec<f64>,
    brightest: (usize, usize),
}

/// What happened to the slots.
#[derive(Default)]
struct Log {
    frames: Vec<Arrived>,
    lost: u64,
    ended: Vec<u32>,
    lent: [bool; 2],
}

/// Two slots; `n_free` of them may be lent.
struct Slots {
    _memory: Box<[[u8; SLOT_BYTES]; 2]>,
    addresses: Vec<*mut u8>,
    log: Arc<Mutex<Log>>,
    lossless: bool,
    n_free: usize,
}

// SAFETY: the addresses lead into `_memory`, which is as sendable as they; who lends a slot has it alone.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    fn new(lossless: bool, n_free: usize) -> (Box<Self>, Arc<Mutex<Log>>) {
        let log = Arc::new(Mutex::new(Log::default()));
        let mut memory = Box::new([[0; SLOT_BYTES]; 2]);
        let addresses = memory.iter_mut().map(|s| s.as_mut_ptr()).collect();
        (Box::new(Self { _memory: memory, addresses, log: log.clone(), lossless, n_free }), log)
    }
}

impl FrameTarget for Slots {
    fn lossless(&self) -> bool {
        self.lossless
    }
    fn slots(&self) -> &[*mut u8] {
        &self.addresses
    }
    fn slot_bytes(&self) -> usize {
        SLOT_BYTES
    }
    fn lend(&self, timeout: Duration) -> Option<usize> {
        let free = {
            let mut log = self.log.lock().unwrap();
            let free = log.lent[..self.n_free].iter().position(|l| !l);
            if let Some(free) = free {
                log.lent[free] = true;
            }
            free
        };
        if free.is_none() {
            std::thread::sleep(timeout);
        }
        free
    }
    fn commit(&self, slot: usize, info: &FrameInfo, channels: &[f64]) -> bool {
        // SAFETY: the slot was lent and is ours again; it has SLOT_BYTES bytes.
        let pixels = unsafe { std::slice::from_raw_parts(self.addresses[slot], SLOT_BYTES) };
        let at = (0..SLOT_BYTES).max_by_key(|&i| pixels[i]).expect("there are pixels");
        let mut log = self.log.lock().unwrap();
        log.frames.push(Arrived {
            id: info.device_frame_id,
            channels: channels.to_vec(),
            brightest: (at % 64, at / 64),
        });
        std::mem::take(&mut log.lent[slot])
    }
    fn give_back(&self, slot: usize) -> bool {
        std::mem::take(&mut self.log.lock().unwrap().lent[slot])
    }
    fn push(&self, _payload: &[u8], _info: &FrameInfo, _channels: &[f64]) -> bool {
        panic!("these cameras own no memory");
    }
    fn lost(&self, count: u64, _reason: u32) {
        self.log.lock().unwrap().lost += count;
    }
    fn ended(&self, reason: u32, _text: &str) {
        self.log.lock().unwrap().ended.push(reason);
    }
}

/// Runs `test` with the camera of each language, 64 × 32 px.
fn each_camera(test: impl Fn(Camera)) {
    for made in LANGUAGES.iter().filter_map(|lang| made(Kind::Camera, lang)) {
        let (_registry, component) = load(&made);
        let camera = Camera::open(&component, "", &component.params([]).unwrap()).unwrap();
        camera.set([("width_px", "64"), ("height_px", "32")]).unwrap();
        test(camera);
    }
}

#[test]
fn an_offline_run_gives_every_frame_with_its_truth_and_ends_and_the_next_is_the_same() {
    each_camera(|camera| {
        let settings = camera.set([("n_frames", "7")]).unwrap();
        assert!(settings.settings.iter().any(|s| s.parameter.key == "n_frames" && s.value.kind() == "int"));
        let format = camera.format().unwrap();
        assert_eq!((format.width_px, format.height_px, format.n_frames), (64, 32, 7));
        let keys: Vec<String> = camera.channels().unwrap().into_iter().map(|c| c.key).collect();
        assert_eq!(keys, ["blob_x_px", "blob_y_px"]);
        let mut runs = Vec::new();
        for _ in 0..2 {
            let (slots, log) = Slots::new(true, 2);
            camera.start(slots).unwrap();
            let busy = camera.set([("width_px", "32")]).unwrap_err();
            assert_eq!(busy.status, STATUS_BUSY, "{busy}");
            while log.lock().unwrap().ended.is_empty() {
                assert!(camera.poll(PATIENCE).unwrap());
            }
            camera.stop().unwrap();
            let log = log.lock().unwrap();
            assert_eq!((log.ended.as_slice(), log.lost, log.lent), (&[ENDED_END_OF_DATA][..], 0, [false; 2]));
            assert!(log.frames.iter().map(|f| f.id).eq(0..7));
            for f in &log.frames {
                let (x, y) = (f.brightest.0 as f64, f.brightest.1 as f64);
                assert!((x - f.channels[0]).abs() <= 1.0 && (y - f.channels[1]).abs() <= 1.0, "{f:?}");
            }
            runs.push(log.frames.clone());
        }
        assert_eq!(runs[0], runs[1]);
    });
}

#[test]
fn stop_ends_a_poll_that_waits_for_the_next_frame_or_for_a_slot() {
    for (lossless, n_free) in [(false, 2), (true, 0)] {
        each_camera(|camera| {
            // Live, the first frame is there at once, the second after 10 s; offline there is never a slot.
            camera.set([("frame_rate_hz", "0.1")]).unwrap();
            let (slots, log) = Slots::new(lossless, n_free);
            camera.start(slots).unwrap();
            if !lossless {
                assert!(camera.poll(PATIENCE).unwrap());
            }
            let n_before = log.lock().unwrap().frames.len();
            std::thread::scope(|scope| {
                let polling = scope.spawn(|| camera.poll(PATIENCE));
                // Whether it comes before or during the poll, the poll must end without a frame.
                std::thread::sleep(Duration::from_millis(50));
                camera.stop().unwrap();
                let ended = polling.join().unwrap().unwrap_err();
                assert_eq!(ended.status, STATUS_CANCELLED, "{ended}");
            });
            let log = log.lock().unwrap();
            assert_eq!((log.frames.len(), log.lent), (n_before, [false; 2]));
        });
    }
}

#[test]
fn a_live_camera_without_a_free_slot_tells_of_each_frame_that_it_loses() {
    each_camera(|camera| {
        camera.set([("frame_rate_hz", "200"), ("n_frames", "5")]).unwrap();
        let (slots, log) = Slots::new(false, 0);
        camera.start(slots).unwrap();
        while log.lock().unwrap().ended.is_empty() {
            camera.poll(PATIENCE).unwrap();
        }
        camera.stop().unwrap();
        let log = log.lock().unwrap();
        assert_eq!((log.frames.len(), log.lost), (0, 5));
    });
}

#[test]
fn a_setting_outside_its_range_is_refused_and_nothing_changes() {
    each_camera(|camera| {
        let before = camera.settings().unwrap();
        for (key, value) in [("width_px", "3"), ("frame_rate_hz", "0"), ("nonsense", "1")] {
            assert!(camera.set([(key, value)]).is_err(), "{key} = {value}");
        }
        assert_eq!(camera.settings().unwrap(), before);
        camera.stop().unwrap();
    });
}

/// Waits until the axis stands.
fn arrive(stage: &Stage) {
    let begun = Instant::now();
    while stage.moving(0).unwrap() {
        assert!(begun.elapsed() < PATIENCE, "it never arrives");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn stages_arrive_stop_on_the_way_keep_to_their_limits_and_stand_where_they_stood() {
    for made in LANGUAGES.iter().filter_map(|lang| made(Kind::Stage, lang)) {
        let (_registry, component) = load(&made);
        let open = || Stage::open(&component, "", &component.params([]).unwrap());
        let stage = open().unwrap();
        assert_eq!(stage.axis_of("focus"), Some(0));
        stage.move_to(0, 100.0).unwrap();
        arrive(&stage);
        assert_eq!(stage.position(0).unwrap(), 100.0);

        let settings = stage.set([("speed_nm_per_s", "1.5")]).unwrap();
        assert_eq!(settings.settings[0].value, tetherscope_loader::Value::Float(1.5));
        stage.move_to(0, -10000.0).unwrap();
        assert!(stage.moving(0).unwrap());
        stage.stop().unwrap();
        assert!(!stage.moving(0).unwrap());
        let stopped = stage.position(0).unwrap();
        assert!(stopped > -10000.0 && stopped <= 100.0, "{stopped}");
        assert_eq!(stage.move_to(0, 20000.0).unwrap_err().status, STATUS_INVALID_ARGUMENT);
        assert_eq!(open().err().expect("the axis is taken").status, STATUS_BUSY);
        drop(stage);
        assert_eq!(open().unwrap().position(0).unwrap(), stopped);
    }
}
