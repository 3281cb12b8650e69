//! The other way round: a host that sends rubbish, or puts it into the memory. The child answers with an error and serves
//! on: a host's mistake costs one call, and never looks like a plugin's crash.

use super::{CHILD, PATIENCE, load, options};
use crate::harness::rust_fixture;
use serde_json::{Value, json};
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tetherscope_loader::{SharedRegion, abi};

/// Kinds of messages, as `wire.rs` numbers them.
const REQUEST: u32 = 1;
const TRACK: u32 = 2;
const LOOKUP: u32 = 3;
const DONE: u32 = 16;
const FAILED: u32 = 17;

/// A child, spoken to by hand.
struct Served {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    number: u64,
}

impl Served {
    fn start() -> Self {
        let mut command = Command::new(CHILD);
        command.args(["--tetherscope-child", "serve", &std::process::id().to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, to, from, number: 0 }
    }

    /// Sends a message and gives kind and body of the answer to it.
    #[track_caller]
    fn message(&mut self, kind: u32, body: &[u8]) -> (u32, Vec<u8>) {
        self.number += 1;
        let head = [&kind.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), &self.number.to_le_bytes()].concat();
        self.to.write_all(&[&head, body].concat()).unwrap();
        loop {
            let mut head = [0_u8; 16];
            if self.from.read_exact(&mut head).is_err() {
                panic!("the child has gone: {:?}", self.child.wait());
            }
            let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
            let mut body = vec![0_u8; word(4) as usize];
            self.from.read_exact(&mut body).unwrap();
            if matches!(word(0), DONE | FAILED) && u64::from(word(8)) == self.number {
                return (word(0), body);
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, request: &Value) -> u32 {
        let json = request.to_string().into_bytes();
        self.message(REQUEST, &[&(json.len() as u32).to_le_bytes()[..], &json].concat()).0
    }

    #[track_caller]
    fn done(&mut self, request: &Value) {
        assert_eq!(self.ask(request), DONE, "{request}");
    }

    #[track_caller]
    fn refused(&mut self, request: &Value) {
        assert_eq!(self.ask(request), FAILED, "{request}");
    }

    fn ring(&mut self, kind: u32, n: u32) -> u32 {
        self.message(kind, &n.to_le_bytes()).0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of a worker's configuration: 8 × 6 px, 8 bit, at most 4 ROIs.
fn config() -> Vec<u8> {
    let words: [u32; 6] = [8, 6, abi::PIXEL_MONO8, 8, 4, 0];
    let numbers = [255.0, f64::NAN, f64::NAN, f64::NAN, 100.0_f64];
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
    bytes.extend(numbers.iter().flat_map(|v| v.to_ne_bytes()));
    bytes.resize(size_of::<tetherscope_loader::WorkerConfig>(), 0);
    bytes
}

fn arena(region: &SharedRegion, with_pixels: bool) -> Value {
    let shape =
        json!({"w_px": 8, "h_px": 6, "pixel_format": abi::PIXEL_MONO8, "n_bins": 4, "with_pixels": with_pixels});
    json!({"MapArena": {"path": region.path(), "bytes": region.len(), "shape": shape}})
}

/// Writes a word of the memory, as another process would.
fn put(region: &SharedRegion, word: usize, value: u64) {
    assert!(8 * word + 8 <= region.len());
    let mut file = std::fs::File::options().write(true).open(region.path()).unwrap();
    file.seek(SeekFrom::Start(8 * word as u64)).unwrap();
    file.write_all(&value.to_ne_bytes()).unwrap();
}

fn loaded() -> Served {
    let registry = load(&rust_fixture("crashing"), &options(PATIENCE));
    let component = &registry.components()[0];
    let mut served = Served::start();
    served.refused(&json!({"Load": {"path": component.path(), "hash": "another"}}));
    served.done(&json!({"Load": {"path": component.path(), "hash": component.hash()}}));
    served
}

/// Index of a component of the fixture.
fn index(id: &str) -> usize {
    let registry = load(&rust_fixture("crashing"), &options(PATIENCE));
    registry.components().iter().position(|c| c.info().id == id).unwrap()
}

fn no_fault() -> Value {
    json!([{"key": "fault", "value": {"Choice": "none"}}])
}

#[test]
fn a_tracker_serves_on_whatever_stands_in_the_memory_and_in_the_messages() {
    let mut served = loaded();
    assert_eq!(served.ring(TRACK, 1), FAILED, "nothing was made yet");
    served.refused(&json!("ExplainTrack"));
    served.refused(&json!({"TrackerWorker": {"config": config()}}));
    served.refused(&json!({"CreateTracker": {"index": 99, "params": no_fault()}}));
    served.done(&json!({"CreateTracker": {"index": index("tracker.fixture.crash"), "params": no_fault()}}));
    served.refused(&json!({"TrackerWorker": {"config": config()[1..]}}));
    served.done(&json!({"TrackerWorker": {"config": config()}}));
    let region = SharedRegion::new(8192).unwrap();
    for bytes in [0, 8193, usize::MAX] {
        let mut wrong = arena(&region, true);
        wrong["MapArena"]["bytes"] = json!(bytes);
        served.refused(&wrong);
    }
    let mut nowhere = arena(&region, true);
    nowhere["MapArena"]["path"] = json!("/nowhere/at/all");
    served.refused(&nowhere);
    served.done(&arena(&region, true));
    assert_eq!(served.ring(TRACK, 4), DONE);
    // More than the memory holds: refused, and nothing is touched.
    for n in [64, 1 << 20, u32::MAX - 1, u32::MAX] {
        assert_eq!(served.ring(TRACK, n), FAILED, "{n} ROIs");
    }
    let mut seed = 5_u64;
    for word in 0..region.len() / 8 {
        for value in [0, 1, u64::MAX, i64::MIN as u64, 0x7ff0_0000_0000_0000] {
            put(&region, word, value);
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        put(&region, word, seed);
        assert_eq!(served.ring(TRACK, 4), DONE, "word {word} is {seed:#x}");
    }
    for kind in [0, 7, 16, 22, u32::MAX] {
        assert_eq!(served.message(kind, &[1, 2, 3]).0, FAILED, "a message of kind {kind}");
    }
    for body in [&b""[..], &[1], &[255; 7], b"\x04\0\0\0nope", b"\xff\xff\xff\x7f{}"] {
        assert_eq!(served.message(REQUEST, body).0, FAILED, "{body:?}");
    }
    assert_eq!(served.ring(TRACK, 4), DONE);
}

#[test]
fn a_strategy_serves_on_whatever_tables_the_memory_names() {
    let mut served = loaded();
    let parts = json!({"n_planes": 1, "n_values": 4, "n_variances": null, "n_bytes": null});
    let layout: Vec<u8> = {
        let (words, numbers) = ([4_u32, abi::PROFILE_RADIAL], [0.5_f64, 1.0]);
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        bytes.extend(numbers.iter().flat_map(|v| v.to_ne_bytes()));
        bytes.resize(size_of::<tetherscope_loader::ProfileLayout>(), 0);
        bytes
    };
    served.done(&json!({"CreateStrategy": {"index": index("zlut.fixture.crash"), "params": no_fault()}}));
    served.done(&json!({"ZlutWorker": {"config": config(), "layout": layout}}));
    let region = SharedRegion::new(8192).unwrap();
    served.done(&arena(&region, false));
    let load = json!({"LoadTable": {"id": 7, "parts": parts, "layout": layout, "config": config()}}).to_string();
    let table: Vec<u8> = [100.0_f64, 1.0, 1.0, 1.0, 1.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let with = |bytes: &[u8]| [&(load.len() as u32).to_le_bytes()[..], load.as_bytes(), bytes].concat();
    assert_eq!(served.message(REQUEST, &with(&table[..39])).0, FAILED, "a table that is cut");
    assert_eq!(served.message(REQUEST, &with(&table)).0, DONE);
    // Bead ids and frame indices, then the tables of 4 rows, each part on a line of the cache.
    let tables = (64 + 64) / 8;
    (0..4).for_each(|i| put(&region, tables + i, 7));
    assert_eq!(served.ring(LOOKUP, 4), DONE);
    for word in tables..tables + 4 {
        for value in [0, 1, 6, 8, u64::MAX, i64::MIN as u64] {
            put(&region, word, value);
            assert_eq!(served.ring(LOOKUP, 4), FAILED, "there is no table {value}");
        }
        put(&region, word, 7);
        assert_eq!(served.ring(LOOKUP, 4), DONE);
    }
    for word in (0..region.len() / 8).filter(|w| !(tables..tables + 4).contains(w)) {
        put(&region, word, if word % 2 == 0 { u64::MAX } else { 0x7ff0_0000_0000_0001 });
    }
    assert_eq!(served.ring(LOOKUP, 4), DONE);
    served.done(&json!({"FreeTables": {"ids": [7, 8, u64::MAX]}}));
    assert_eq!(served.ring(LOOKUP, 4), FAILED, "the table was forgotten");
}

#[test]
fn finders_and_devices_serve_on_after_nonsense() {
    let mut served = loaded();
    let region = SharedRegion::new(4096).unwrap();
    let find = |w: u32, h: u32, seed: Value| {
        json!({"Find": {"path": region.path(), "bytes": region.len(), "w_px": w, "h_px": h,
            "pixel_format": abi::PIXEL_MONO8, "bits": 8, "seed": seed}})
    };
    served.refused(&find(8, 8, Value::Null));
    served.done(&json!({"CreateFinder": {"index": index("finder.fixture.crash"), "params": no_fault()}}));
    for (w, h) in [(0, 8), (65, 64), (u32::MAX, u32::MAX)] {
        served.refused(&find(w, h, Value::Null));
    }
    served.refused(&find(8, 8, json!([1, 2, 3])));
    served.done(&find(8, 8, Value::Null));
    let device = |id: u64, call: Value| json!({"Device": {"device": id, "call": call}});
    served.refused(&device(1, json!("Format")));
    let camera = index("camera.fixture.crash");
    served.done(&json!({"OpenCamera": {"index": camera, "device": "", "params": no_fault(), "camera": 1}}));
    served.refused(&device(1, json!("Start")));
    served.refused(&device(1, json!({"Position": {"axis": 0}})));
    for offsets in [json!([0, 4096]), json!([u64::MAX]), json!([4000])] {
        let map = json!({"path": region.path(), "bytes": region.len(), "offsets": offsets, "slot_bytes": 128,
            "lossless": true});
        served.refused(&device(1, json!({"Map": map})));
    }
    served.done(&device(1, json!("Format")));
    served.refused(&device(2, json!({"Poll": {"timeout_ns": 0}})));
}
