//! The ring from both sides: a camera that lends, fills, commits and loses, and consumers that are quick, slow or gone.

use super::*;
use std::time::Duration;
use tetherscope_loader::FrameInfo;

const NOW: Duration = Duration::ZERO;
/// Ends early when something happens; long enough that a loaded machine never ends it.
const PATIENT: Duration = Duration::from_secs(60);

fn format(id_bits: u32) -> CameraFormat {
    // A width that is no multiple of 4.
    CameraFormat {
        slots_wanted: 2,
        device_id_bits: id_bits,
        ns_per_tick: 1000.0,
        n_channel_values: 2,
        ..CameraFormat::packed(13, 7, abi::PIXEL_MONO8, 8)
    }
}

fn channels() -> Vec<ChannelInfo> {
    vec![ChannelInfo { key: "truth".into(), unit: "px".into(), length: 2 }]
}

fn ring(n_slots: usize, lossless: bool) -> (Arc<Ring>, RingTarget) {
    let options = RingOptions { n_slots, lossless, gap_capacity: 100, ..RingOptions::default() };
    let ring = Ring::new(&format(64), channels(), &options, &Ledger::new()).unwrap();
    let camera = RingTarget::new(&ring);
    (ring, camera)
}

fn consumer(name: &str, capacity: usize, policy: Policy) -> SubscribeOptions {
    SubscribeOptions { name: name.into(), capacity, in_hand: 1, policy }
}

fn info(id: u64) -> FrameInfo {
    FrameInfo::new(id, id as i64 * 10)
}

/// Delivers a frame full of its id.
fn deliver(camera: &RingTarget, id: u64) -> bool {
    camera.push(&[id as u8; 13 * 7], &info(id), &[id as f64, 0.5])
}

fn take_all(of: &mut Subscription) -> Vec<u64> {
    std::iter::from_fn(|| of.try_next()).map(|f| f.device_id().unwrap()).collect()
}

fn gaps(ring: &Ring) -> Vec<(&'static str, u64, Option<u64>)> {
    std::iter::from_fn(|| ring.next_gap()).map(|g| (g.kind.name(), g.n_frames, g.after_index)).collect()
}

fn stage(ring: &Ring, name: &str) -> crate::StageSnapshot {
    let ledger = ring.ledger().snapshot();
    ledger.check().unwrap();
    ledger.stage(name).unwrap().clone()
}

#[test]
fn a_frame_arrives_with_all_that_came_with_it() {
    let (ring, camera) = ring(4, false);
    let mut all = ring.subscribe(&consumer("all", 1, Policy::DropNewest)).unwrap();
    let slot = camera.lend(NOW).unwrap();
    let before = tetherscope_loader::now_ns();
    assert!(camera.commit(slot, &FrameInfo { exposure_ns: 77, ..info(5) }, &[1.0, 2.0]));
    let Next::Frame(frame) = all.next(PATIENT) else { panic!("it was committed") };
    assert_eq!((frame.index(), frame.device_id(), frame.device_time_ns()), (0, Some(5), Some(50_000)));
    assert_eq!((frame.exposure_ns(), frame.channels()), (Some(77), &[1.0, 2.0][..]));
    assert!((before..=tetherscope_loader::now_ns()).contains(&frame.arrival_ns()));
    assert_eq!(frame.payload().len(), 13 * 7);
    let at = frame.payload().as_ptr() as usize - ring.slots.region().as_mut_ptr() as usize;
    assert_eq!(frame.offset_bytes(), at as u64, "the offset leads from the region's start to the payload");
    assert!(!camera.commit(slot, &info(6), &[]), "it is a frame now, not the camera's");
    assert!(!camera.give_back(slot) && !camera.give_back(99) && !camera.commit(99, &info(6), &[]));
    assert_eq!(deliver(&camera, 6).then(|| all.try_next().unwrap().channels().to_vec()), Some(vec![6.0, 0.5]));
}

#[test]
fn a_slot_is_not_written_while_any_handle_of_its_frame_lives() {
    let (ring, camera) = ring(4, false);
    let mut one = ring.subscribe(&consumer("one", 1, Policy::DropNewest)).unwrap();
    deliver(&camera, 1);
    let frame = one.try_next().unwrap();
    let clone = std::thread::spawn({
        let clone = frame.clone();
        move || clone
    });
    drop(frame);
    // Everything else is used over and over.
    for id in 2..50 {
        deliver(&camera, id);
        take_all(&mut one);
    }
    let lent: Vec<usize> = std::iter::from_fn(|| camera.lend(NOW)).collect();
    assert_eq!(lent.len(), 3);
    let clone = clone.join().unwrap();
    assert!(clone.payload().iter().all(|&b| b == 1));
    drop(clone);
    assert!(camera.lend(NOW).is_some(), "the last handle frees it");
}

#[test]
fn a_full_ring_counts_every_frame_and_tells_where_they_are_missing() {
    let (ring, camera) = ring(4, false);
    let mut slow = ring.subscribe(&consumer("slow", 1, Policy::DropNewest)).unwrap();
    deliver(&camera, 0);
    let mut held = vec![slow.try_next().unwrap()];
    // Who keeps more than it said takes the slots of others: that is what `ring_full` is for.
    for id in 1..4 {
        deliver(&camera, id);
        held.extend(slow.try_next());
    }
    assert!(!deliver(&camera, 4));
    assert_eq!(camera.lend(Duration::from_millis(1)), None);
    camera.lost(2, abi::LOST_UNDERRUN);
    held.clear();
    assert!(deliver(&camera, 7));
    let frame = slow.try_next().unwrap();
    assert_eq!((frame.index(), frame.n_lost_before()), (4, 3));
    assert_eq!(stage(&ring, CAMERA_STAGE).dropped_for(DropReason::RingFull), 3);
    let gap = ring.next_gap().unwrap();
    assert_eq!((gap.kind.name(), gap.n_frames, gap.after_index), ("ring_full", 3, Some(3)));
    assert_eq!((gap.first_device_id, gap.last_device_id), (Some(4), Some(6)));
    assert_eq!(ring.next_gap(), None, "what the camera told and what the ids show is one gap");
}

#[test]
fn frames_for_which_a_stopped_camera_gets_no_slot_are_the_stops_doing_and_not_a_loss() {
    let (ring, camera) = ring(4, false);
    deliver(&camera, 0);
    ring.close();
    assert_eq!((camera.lend(NOW), camera.lend(Duration::from_millis(1))), (None, None));
    camera.lost(3, abi::LOST_UNDERRUN);
    camera.lost(1, abi::LOST_CAMERA_GAP);
    camera.retire(true);
    let stage = stage(&ring, CAMERA_STAGE);
    assert_eq!((stage.dropped_for(DropReason::UserStop), stage.dropped_for(DropReason::CameraGap)), (3, 1));
    assert_eq!(stage.n_dropped(), 4);
    assert_eq!(gaps(&ring), [("camera_gap", 1, Some(0))], "what the user asked for is no gap");
}

#[test]
fn what_the_camera_tells_keeps_its_reason_and_what_it_does_not_tell_shows_in_the_ids() {
    let (ring, camera) = ring(4, false);
    deliver(&camera, 0);
    camera.lost(2, abi::LOST_UNDERRUN);
    camera.lost(1, abi::LOST_INCOMPLETE);
    deliver(&camera, 6);
    camera.push(&[0; 13 * 7], &FrameInfo { status: abi::FRAME_CORRUPT, ..info(7) }, &[]);
    camera.push(&[0; 3], &FrameInfo { status: abi::FRAME_INCOMPLETE, ..info(8) }, &[]);
    deliver(&camera, 9);
    deliver(&camera, 9);
    deliver(&camera, 12);
    deliver(&camera, 11);
    deliver(&camera, 3);
    deliver(&camera, 13);
    camera.lost(5, abi::LOST_CAMERA_GAP);
    camera.retire(true);
    let expected = [
        ("underrun", 2, Some(0)),
        ("incomplete", 1, Some(0)),
        ("camera_gap", 2, Some(0)),
        ("incomplete", 2, Some(1)),
        ("duplicate_id", 1, Some(2)),
        ("camera_gap", 2, Some(3)),
        ("came_late", 1, Some(4)),
        ("ids_went_back", 1, Some(5)),
        ("camera_gap", 5, Some(7)),
    ];
    assert_eq!(gaps(&ring), expected);
    let stage = stage(&ring, CAMERA_STAGE);
    assert_eq!((stage.seen, stage.delivered, stage.n_dropped()), (21, 8, 13));
    assert_eq!(stage.dropped_for(DropReason::CameraGap), 2 + 2 - 1 + 5);
}

#[test]
fn a_consumer_that_does_not_come_back_costs_the_others_nothing() {
    let (ring, camera) = ring(18, false);
    let asleep = ring.subscribe(&consumer("asleep", 3, Policy::DropNewest)).unwrap();
    let mut recent = ring.subscribe(&consumer("recent", 3, Policy::DropOldest)).unwrap();
    let mut display = ring.subscribe(&consumer("display", 3, Policy::NewestOnly)).unwrap();
    let third = Policy::Every(3.try_into().unwrap());
    let mut third = ring.subscribe(&consumer("third", 3, third)).unwrap();
    let mut quick = ring.subscribe(&consumer("quick", 1, Policy::DropNewest)).unwrap();
    for id in 0..1000 {
        assert!(deliver(&camera, id));
        assert_eq!(take_all(&mut quick), [id]);
        if id % 3 == 0 {
            assert_eq!(take_all(&mut third), [id]);
        }
    }
    assert_eq!(take_all(&mut recent), [997, 998, 999]);
    assert_eq!(take_all(&mut display), [999]);
    let of = |name| stage(&ring, name);
    assert_eq!((of("quick").seen, of("quick").n_dropped()), (1000, 0));
    assert_eq!(
        (of("asleep").seen, of("asleep").in_flight, of("asleep").dropped_for(DropReason::ConsumerSlow)),
        (1000, 3, 997)
    );
    assert_eq!((of("recent").delivered, of("recent").dropped_for(DropReason::ConsumerSlow)), (3, 997));
    assert_eq!((of("display").seen, of("display").passed_over, of("display").n_dropped()), (1, 999, 0));
    assert_eq!((of("third").seen, of("third").passed_over, of("third").n_dropped()), (334, 666, 0));
    assert_eq!(of(CAMERA_STAGE).n_dropped(), 0);
    assert_eq!(ring.status().n_free, 15);
    drop(asleep);
    assert_eq!((of("asleep").in_flight, of("asleep").dropped_for(DropReason::UserStop)), (0, 3));
    assert_eq!(ring.status().n_free, 18);
}

#[test]
fn consumers_that_would_take_the_cameras_slots_are_refused_with_the_sum() {
    let (ring, _camera) = ring(8, false);
    let _first = ring.subscribe(&consumer("first", 3, Policy::DropNewest)).unwrap();
    let error = ring.subscribe(&consumer("second", 2, Policy::DropNewest)).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot give `second` the camera's frames\nit may hold 3 slots, other consumers hold 4, the camera 2: 9 of 8\n\
         give the ring more slots, or the consumers shorter queues"
    );
    assert!(ring.subscribe(&consumer("first", 1, Policy::DropNewest)).unwrap_err().to_string().contains("this name"));
    ring.subscribe(&consumer("second", 1, Policy::DropNewest)).unwrap();
}

#[test]
fn a_ring_of_one_slot_works_where_the_camera_waits_and_is_refused_where_it_cannot() {
    let (live, _) = ring(1, false);
    assert!(live.subscribe(&consumer("any", 1, Policy::DropNewest)).is_err());
    let (patient, camera) = ring(1, true);
    let mut all = patient.subscribe(&consumer("all", 1, Policy::DropNewest));
    assert!(all.is_err(), "this camera wants two slots");
    drop((patient, camera));
    let one = CameraFormat { slots_wanted: 1, ..format(64) };
    let options = RingOptions { n_slots: 1, lossless: true, ..RingOptions::default() };
    let patient = Ring::new(&one, channels(), &options, &Ledger::new()).unwrap();
    let camera = RingTarget::new(&patient);
    all = patient.subscribe(&consumer("all", 1, Policy::DropNewest));
    let mut all = all.unwrap();
    let seen = std::thread::scope(|s| {
        s.spawn(|| {
            assert!((0..100).all(|id| deliver(&camera, id)));
            patient.finish();
        });
        let mut seen = Vec::new();
        while let Next::Frame(frame) = all.next(PATIENT) {
            assert!(frame.payload().iter().all(|&b| b == frame.index() as u8));
            seen.push(frame.device_id().unwrap());
        }
        seen
    });
    assert_eq!(seen, (0..100).collect::<Vec<u64>>());
    assert_eq!(stage(&patient, CAMERA_STAGE).n_dropped(), 0);
}

#[test]
fn a_lossless_ring_loses_nothing_however_slow_its_consumers() {
    let (ring, camera) = ring(6, true);
    let mut subscriptions: Vec<Subscription> =
        ["a", "b"].map(|name| ring.subscribe(&consumer(name, 1, Policy::DropNewest)).unwrap()).into();
    std::thread::scope(|s| {
        s.spawn(|| {
            for id in 0..300 {
                let slot = camera.lend(PATIENT).unwrap();
                assert!(camera.commit(slot, &info(id), &[]));
            }
            ring.finish();
        });
        for (mut of, pause) in subscriptions.drain(..).zip([0, 50]) {
            s.spawn(move || {
                let mut next = 0;
                while let Next::Frame(frame) = of.next(PATIENT) {
                    assert_eq!((frame.index(), frame.device_id(), frame.n_lost_before()), (next, Some(next), 0));
                    next += 1;
                    std::thread::sleep(Duration::from_micros(pause));
                }
                assert_eq!(next, 300);
            });
        }
    });
    for name in ["a", "b", CAMERA_STAGE] {
        assert_eq!((stage(&ring, name).delivered, stage(&ring, name).n_dropped()), (300, 0), "{name}");
    }
}

#[test]
fn frames_of_several_threads_of_a_driver_all_arrive_once_and_in_order() {
    let (ring, camera) = ring(8, true);
    let mut all = ring.subscribe(&consumer("all", 1, Policy::DropNewest)).unwrap();
    let seen = std::thread::scope(|s| {
        for thread in 0..3_u64 {
            let camera = camera.clone();
            s.spawn(move || {
                for i in 0..200 {
                    let no_id = FrameInfo { device_frame_id: abi::NO_DEVICE_FRAME_ID, ..info(0) };
                    assert!(camera.push(&[thread as u8; 91], &no_id, &[thread as f64, f64::from(i)]));
                }
            });
        }
        let mut seen: Vec<Vec<f64>> = vec![Vec::new(); 3];
        for index in 0..600 {
            let Next::Frame(frame) = all.next(PATIENT) else { panic!("frame {index} is missing") };
            let &[thread, i] = frame.channels() else { panic!("it has two values") };
            assert_eq!((frame.index(), frame.device_id()), (index, None));
            assert!(frame.payload().iter().all(|&b| f64::from(b) == thread));
            seen[thread as usize].push(i);
        }
        seen
    });
    // Each thread's own frames are in its order.
    for of_thread in seen {
        assert!(of_thread.windows(2).all(|w| w[0] < w[1]) && of_thread.len() == 200);
    }
}

#[test]
fn consumers_come_and_go_while_frames_flow_and_know_where_they_began() {
    let (ring, camera) = ring(16, false);
    deliver(&camera, 0);
    let mut late = ring.subscribe(&consumer("late", 4, Policy::DropNewest)).unwrap();
    assert_eq!(late.first_index(), 1);
    deliver(&camera, 1);
    assert_eq!(take_all(&mut late), [1]);
    drop(late);
    deliver(&camera, 2);
    let again = ring.subscribe(&consumer("late", 4, Policy::DropNewest)).unwrap();
    assert_eq!((again.first_index(), again.len()), (3, 0));
    ring.finish();
    let mut after = ring.subscribe(&consumer("after", 4, Policy::DropNewest)).unwrap();
    assert!(matches!(after.next(PATIENT), Next::Ended), "who comes after the end learns so at once");
}

#[test]
fn a_waiting_consumer_is_woken_by_a_frame_by_the_end_and_by_its_waker() {
    let (ring, camera) = ring(8, false);
    let mut of = ring.subscribe(&consumer("of", 4, Policy::DropNewest)).unwrap();
    let waker = of.waker();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::scope(|s| {
        s.spawn(move || {
            for _ in 0..3 {
                let next = of.next(PATIENT);
                let what = match next {
                    Next::Frame(_) => "frame",
                    Next::TimedOut => "woken",
                    Next::Ended => "ended",
                };
                told.send(what).unwrap();
            }
        });
        deliver(&camera, 0);
        assert_eq!(heard.recv(), Ok("frame"));
        waker.wake();
        assert_eq!(heard.recv(), Ok("woken"));
        ring.finish();
        assert_eq!(heard.recv(), Ok("ended"));
    });
}

#[test]
fn an_earlier_start_of_the_camera_delivers_nothing_into_the_present_one() {
    let (ring, first) = ring(4, false);
    deliver(&first, 10);
    let kept = first.lend(NOW).unwrap();
    first.retire(false);
    let second = RingTarget::new(&ring);
    assert!(!deliver(&first, 11) && first.lend(NOW).is_none() && !first.commit(kept, &info(12), &[]));
    assert!(deliver(&second, 0), "its ids begin anew");
    let stage = stage(&ring, CAMERA_STAGE);
    assert_eq!((stage.delivered, stage.n_dropped(), gaps(&ring)), (2, 0, vec![]));
    // One that stopped as it should keeps no slot.
    let lent = second.lend(NOW).unwrap();
    second.retire(true);
    // The first one's came back with its late commit.
    assert_eq!((ring.status().n_free, ring.status().n_lent, ring.status().n_taken_back), (4, 0, 1));
    assert!(!second.give_back(lent));
}

#[test]
fn channels_that_do_not_fit_the_format_are_refused() {
    let refused = Ring::new(&format(64), vec![], &RingOptions::default(), &Ledger::new()).unwrap_err();
    assert!(refused.to_string().contains("have 0 values, its format announces 2"));
    let few = RingOptions { n_slots: 10, memory_budget_bytes: Some(30_000), ..RingOptions::default() };
    let refused = Ring::new(&format(64), channels(), &few, &Ledger::new()).unwrap_err().to_string();
    assert!(refused.contains("10 × 4096 bytes = 0.04 MB, the budget is 0.03 MB\nuse at most 7 slots"), "{refused}");
}

#[test]
fn the_cameras_path_allocates_nothing_whatever_happens_on_it() {
    let (ring, camera) = ring(40, false);
    // Nobody takes anything: every queue runs over, and so do the gap records.
    let policies = [Policy::DropNewest, Policy::DropOldest, Policy::NewestOnly, Policy::Every(7.try_into().unwrap())];
    let consumers: Vec<Subscription> = policies
        .iter()
        .enumerate()
        .map(|(i, &policy)| ring.subscribe(&consumer(&format!("consumer {i}"), 3, policy)).unwrap())
        .collect();
    let mut held = Vec::with_capacity(40);
    let mut hold_all = ring.subscribe(&consumer("holds", 10, Policy::DropNewest)).unwrap();
    let allocated = allocation_counter::measure(|| {
        for round in 0..500_u64 {
            let id = round * 10;
            let (a, b) = (camera.lend(NOW), camera.lend(NOW));
            if let Some(a) = a {
                camera.commit(a, &info(id), &[1.0, 2.0]);
            }
            if let Some(b) = b {
                camera.give_back(b);
            }
            deliver(&camera, id + 1);
            deliver(&camera, id + 1);
            camera.push(&[1; 91], &FrameInfo { status: abi::FRAME_CORRUPT, ..info(id + 2) }, &[]);
            camera.lost(2, abi::LOST_UNDERRUN);
            camera.lost(1, abi::LOST_CAMERA_GAP);
            // Ids that went back, and some that are missing.
            deliver(&camera, id);
            // For some rounds every slot is held, so that the ring is full.
            if round % 50 < 25 {
                held.extend((held.len() < 30).then(|| hold_all.try_next()).flatten());
            } else {
                held.clear();
            }
        }
    });
    assert_eq!(allocated.count_total, 0);
    let stage = stage(&ring, CAMERA_STAGE);
    assert!(stage.delivered > 1000 && ring.status().n_gap_records_lost > 100, "{stage:?}");
    drop(consumers);
}
