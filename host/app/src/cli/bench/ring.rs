//! The row `ring`: what the ring costs a camera of 2048 × 2048 px, beside plain copies of the same frames into as much
//! memory, in turn; the whole engine on a video from the page cache; and frames that a driver writes in place.

use super::children;
use super::live::{Bed, Speed, rig, run};
use super::rows::Figure;
use crate::cli::acquire::drops;
use std::time::{Duration, Instant};
use tetherscope_core::loader::{CameraFormat, FrameInfo, FrameTarget, abi};
use tetherscope_core::{Ledger, Next, Policy, Ring, RingOptions, RunError, SubscribeOptions};

const SIDE_PX: u32 = 2048;
const BYTES: usize = (SIDE_PX * SIDE_PX) as usize;
/// Frames to copy from, and slots to copy into: neither fits into a cache.
const N_FRAMES: usize = 16;
const N_SLOTS: usize = 24;
/// Frames in a round, and the fewest rounds.
const ROUND: usize = 32;
const MIN_ROUNDS: usize = 3;

/// Frames of 4 MiB as fast as they can be put into the ring.
pub(super) fn measure(bed: &Bed<'_>) -> Result<Figure, RunError> {
    if !bed.folder.join("ring.tif").exists() {
        let args = ["simulate", "--json", "--size", "2048x2048", "--fixed", "4", "--tethered", "0", "--frames", "16"];
        let files = ["--out", "ring.tif", "--truth", "ring-truth.csv", "--nm-per-px", "100"];
        children::run(&bed.folder, &[&args[..], &files].concat(), &bed.shared)?;
    }
    let at_once = copies_at_once();
    let synthetic = synthetic(bed.seconds / 4.0)?;
    let in_place_us = in_place_us()?;
    let batch = "{ max_frames = 16, max_ms = 5.0 }";
    let file = rig(bed, "ring.tif", Speed::Full, batch, "[recording]\non = false\n")?;
    let run = run(bed, file, bed.seconds / 2.0, false)?;
    let replayed = run.frames_per_s * BYTES as f64;
    Ok(Figure::of("ring: 2048 × 2048 px u8, nothing recorded")
        .with("synthetic frames, one copy each", synthetic.ring / 1e9, "GB/s")
        .with("one memcpy of the same frames", synthetic.plain / 1e9, "GB/s")
        .with("of one memcpy", synthetic.part, "")
        .with("written in place, no copy: cost of a frame", in_place_us, "µs")
        .with("engine, video from the page cache: frames", run.frames_per_s, "frames/s")
        .with("engine, video from the page cache: bytes", replayed / 1e9, "GB/s")
        .with("of one memcpy, engine", replayed / synthetic.plain, "")
        .with("one memcpy of 256 MiB at once", at_once / 1e9, "GB/s")
        .with("frames dropped", drops(&run.last.ledger) as f64, "")
        .with("CPU, engine", run.cores, "cores"))
}

/// Bytes per second into a ring and into plain memory, and the one as a part of the other.
struct Copies {
    ring: f64,
    plain: f64,
    part: f64,
}

fn middle(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Bytes per second of one large copy. The system's library passes by the caches for it, as it does for no single frame.
fn copies_at_once() -> f64 {
    let (from, mut to) = (vec![1_u8; 256 << 20], vec![2_u8; 256 << 20]);
    let once = |to: &mut Vec<u8>| {
        let begun = Instant::now();
        std::hint::black_box(to).copy_from_slice(std::hint::black_box(&from));
        from.len() as f64 / begun.elapsed().as_secs_f64()
    };
    middle((0..5).map(|_| once(&mut to)).collect())
}

/// A ring with one consumer that only lets go of what it gets. Lossless: every frame is copied, however late it runs.
fn with_ring<T>(side_px: u32, f: impl FnOnce(&dyn FrameTarget) -> T) -> Result<T, RunError> {
    let format = CameraFormat::packed(side_px, side_px, abi::PIXEL_MONO8, 8);
    let options = RingOptions { n_slots: N_SLOTS, lossless: true, ..RingOptions::default() };
    let ring = Ring::new(&format, Vec::new(), &options, &Ledger::new())?;
    let name = "empty".to_owned();
    let mut empty = ring.subscribe(&SubscribeOptions { name, capacity: 1, in_hand: 1, policy: Policy::DropNewest })?;
    let camera = ring.target();
    Ok(std::thread::scope(|s| {
        s.spawn(move || while !matches!(empty.next(Duration::from_secs(1)), Next::Ended) {});
        let result = f(&camera);
        ring.finish();
        result
    }))
}

/// Frames from memory, pushed into a ring and copied into plain memory, round by round in turn.
fn synthetic(seconds: f64) -> Result<Copies, RunError> {
    let frames: Vec<u8> = (0..N_FRAMES * BYTES).map(|i| (i * 7 % 251) as u8).collect();
    let mut plain = vec![2_u8; N_SLOTS * BYTES];
    let frame = |n: usize| &frames[n % N_FRAMES * BYTES..][..BYTES];
    let (mut into_ring, mut into_plain) = (Vec::new(), Vec::new());
    with_ring(SIDE_PX, |camera| {
        let mut push =
            |n: usize| assert!(camera.push(frame(n), &FrameInfo::new(n as u64, 0), &[]), "it waits for a slot");
        // Every page is there before anything is measured.
        (0..N_SLOTS).for_each(&mut push);
        let (begun, mut n) = (Instant::now(), N_SLOTS);
        while into_ring.len() < MIN_ROUNDS || begun.elapsed().as_secs_f64() < seconds {
            let at = Instant::now();
            (n..n + ROUND).for_each(&mut push);
            into_ring.push(at.elapsed().as_secs_f64());
            let at = Instant::now();
            for n in n..n + ROUND {
                let to = &mut plain[n % N_SLOTS * BYTES..][..BYTES];
                std::hint::black_box(to).copy_from_slice(std::hint::black_box(frame(n)));
            }
            into_plain.push(at.elapsed().as_secs_f64());
            n += ROUND;
        }
    })?;
    let part = middle(into_plain.iter().zip(&into_ring).map(|(plain, ring)| plain / ring).collect());
    let speed = |s: Vec<f64>| (ROUND * BYTES) as f64 / middle(s);
    Ok(Copies { ring: speed(into_ring), plain: speed(into_plain), part })
}

/// What a frame costs that is written in place, in µs. Small frames: the work is the same, since nothing is copied.
fn in_place_us() -> Result<f64, RunError> {
    const FRAMES: u64 = 2000;
    with_ring(64, |camera| {
        let mut id = 0;
        let mut round = || {
            let begun = Instant::now();
            for _ in 0..FRAMES {
                let slot = camera.lend(Duration::MAX).expect("its consumer lets go of them");
                assert!(camera.commit(slot, &FrameInfo::new(id, 0), &[]), "the slot was lent");
                id += 1;
            }
            begun.elapsed().as_secs_f64() / FRAMES as f64 * 1e6
        };
        middle((0..7).map(|_| round()).collect())
    })
}
