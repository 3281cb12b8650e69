//! What the ring costs a camera: frames of 2048 × 2048 px copied into it, against plain copies of the same bytes into the
//! same amount of memory; and frames that a driver writes in place, which cost no copy. CPU time of the camera's thread,
//! in turn, the middle of several rounds.
//!
//! `cargo bench -p tetherscope-tests --bench ring`

use std::time::Duration;
use tetherscope_core::{Ledger, Next, Policy, Ring, RingOptions, SubscribeOptions};
use tetherscope_loader::{CameraFormat, FrameInfo, FrameTarget, abi};

const SIDE_PX: u32 = 2048;
const BYTES: usize = (SIDE_PX * SIDE_PX) as usize;
const N_SLOTS: usize = 16;
const ROUNDS: usize = 15;
const FRAMES: u64 = 64;

/// CPU time of this thread, in s.
#[cfg(unix)]
fn cpu_s() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// Wall time, where threads have no clock of their own.
#[cfg(not(unix))]
fn cpu_s() -> f64 {
    tetherscope_loader::now_ns() as f64 * 1e-9
}

fn timed(f: impl FnOnce()) -> f64 {
    let begun = cpu_s();
    f();
    cpu_s() - begun
}

fn middle(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// A ring with so many consumers that only let go of what they get, until it is finished.
fn with_ring(n_consumers: usize, side_px: u32, f: impl FnOnce(&(dyn FrameTarget + Send + Sync))) {
    let format = CameraFormat::packed(side_px, side_px, abi::PIXEL_MONO8, 8);
    // Lossless: every frame is copied, however late the consumers run on a busy machine.
    let options = RingOptions { n_slots: N_SLOTS, lossless: true, ..RingOptions::default() };
    let ring = Ring::new(&format, Vec::new(), &options, &Ledger::new()).expect("64 MB");
    let camera = ring.target();
    std::thread::scope(|s| {
        for i in 0..n_consumers {
            let options =
                SubscribeOptions { name: format!("empty {i}"), capacity: 1, in_hand: 1, policy: Policy::DropNewest };
            let mut empty = ring.subscribe(&options).expect("there is room");
            s.spawn(move || while matches!(empty.next(Duration::from_secs(60)), Next::Frame(_)) {});
        }
        f(&camera);
        ring.finish();
    });
    ring.ledger().snapshot().check().expect("every frame is explained");
}

fn main() {
    let image: Vec<u8> = (0..BYTES).map(|i| (i * 7 % 251) as u8).collect();
    let mut plain = vec![1_u8; BYTES * N_SLOTS];
    let (mut copies, mut pushes) = (Vec::new(), Vec::new());
    with_ring(1, SIDE_PX, |camera| {
        let mut id = 0;
        for _ in 0..ROUNDS {
            copies.push(timed(|| {
                for frame in 0..FRAMES as usize {
                    let at = frame % N_SLOTS * BYTES;
                    std::hint::black_box(&mut plain[at..at + BYTES]).copy_from_slice(std::hint::black_box(&image));
                }
            }));
            pushes.push(timed(|| {
                for _ in 0..FRAMES {
                    assert!(camera.push(std::hint::black_box(&image), &FrameInfo::new(id, 0), &[]));
                    id += 1;
                }
            }));
        }
    });
    let gb_per_s = |s: f64| BYTES as f64 * FRAMES as f64 / s * 1e-9;
    let parts: Vec<f64> = copies.iter().zip(&pushes).map(|(copy, push)| copy / push).collect();
    let (copy, push) = (gb_per_s(middle(copies)), gb_per_s(middle(pushes)));
    println!("2048 x 2048 u8, one empty consumer, {ROUNDS} rounds of {FRAMES} frames, CPU time of the camera's thread");
    println!("memcpy          {copy:8.2} GB/s");
    println!("push (a copy)   {push:8.2} GB/s   {:.0} % of memcpy", 100.0 * middle(parts));
    for n_consumers in [1, 4] {
        let mut costs = Vec::new();
        // Small frames: the same work, since nothing is copied.
        with_ring(n_consumers, 64, |camera| {
            let mut id = 0;
            for _ in 0..ROUNDS {
                let s = timed(|| {
                    for _ in 0..2000 {
                        let slot = camera.lend(Duration::MAX).expect("the consumers let go of them");
                        assert!(camera.commit(slot, &FrameInfo::new(id, 0), &[]));
                        id += 1;
                    }
                });
                costs.push(s / 2000.0 * 1e6);
            }
        });
        let us = middle(costs);
        println!("lend + commit   {us:8.2} µs a frame, {n_consumers} empty consumer(s): no copy");
    }
}
