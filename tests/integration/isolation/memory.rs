//! Rubbish in what a child and its host share: every word of the memory, and heads of messages in the pipe. The host lives,
//! the rows say what happened to them, the next batch is right, and no row is wrong without a flag.

use super::pictures::Picture;
use super::{PATIENCE, component, load, options};
use crate::harness::rust_fixture;
use std::time::Duration;
use tetherscope_loader::abi::{FLAG_PLUGIN_ERROR, PROFILE_RADIAL};
use tetherscope_loader::{
    Fix, Kind, LookupBuffers, ProfileLayout, Registry, RoiSet, SavedTable, Table, TrackBuffers, Tracker, ZlutStrategy,
};

/// Rows of a batch, and bins of the fixture's profiles.
const N: usize = 4;
const N_BINS: usize = 4;
/// Words that guard the outputs: four times 512 bytes.
const GUARD_WORDS: usize = 4 * 512 / 8;
/// Words of the rows: fixes, profiles (f64) and weights (f32).
const ROW_WORDS: usize = N * size_of::<Fix>() / 8 + N * N_BINS + N * N_BINS / 2;
/// Where the last guard ends at the latest: all of it and what lies before, each part on a line of the cache.
const N_WORDS: u64 = 450;

/// Numbers that break what trusts them.
const EDGES: [u64; 10] = [
    0,
    1,
    u64::MAX,
    i64::MIN as u64,
    i64::MAX as u64,
    0x7ff8_0000_0000_0000, // NaN
    0x7ff0_0000_0000_0000, // infinite
    0x7ff8_7465_7468_6572, // what a row holds before it is written
    0x0000_0001_0000_0001,
    0xffff_ffff,
];

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed ^ (*seed >> 29)
}

/// Everything isolated; no plugin is given up however often it crashes.
fn registry(call_limit: Duration) -> Registry {
    let mut options = options(call_limit);
    options.isolation.strikes = u32::MAX;
    load(&rust_fixture("crashing"), &options)
}

/// The batch that does it: what is to be done stands in the frame indices.
fn with_orders<'a>(picture: &'a Picture, orders: &'a [u64; N]) -> RoiSet<'a> {
    RoiSet { frame_indices: orders, ..picture.rois() }
}

/// A row that no reader takes for a result that it is not: flagged, or numbers that a reader can live with.
#[track_caller]
fn check_contained(fix: &Fix, context: &str) {
    let positions = [fix.x_px, fix.y_px, fix.z_nm];
    assert!(positions.iter().all(|v| !v.is_infinite()), "{context}: {fix:?}");
    assert!((fix.x_px.is_finite() && fix.y_px.is_finite()) || fix.flags != 0, "{context}: {fix:?}");
    let sigmas = [fix.sigma_x_px, fix.sigma_y_px, fix.sigma_z_nm];
    assert!(sigmas.iter().all(|s| s.is_nan() || (s.is_finite() && *s >= 0.0)), "{context}: {fix:?}");
    assert!(fix.quality.is_nan() || (0.0..=1.0).contains(&fix.quality), "{context}: {fix:?}");
}

#[test]
fn no_word_of_a_trackers_memory_leads_the_host_astray() {
    let registry = registry(PATIENCE);
    let component = component(&registry, Kind::Tracker, "tracker.fixture.crash");
    let tracker = Tracker::create(component, component.params([("fault", "word")]).unwrap()).unwrap();
    let (good, bad) =
        (Picture::flat(N, 8, 6).with_beads(&[1, 2, 3, 4]), Picture::flat(N, 8, 6).with_beads(&[1, 2, 13, 4]));
    let mut worker = tracker.worker(&good.config()).unwrap();
    let (mut out, mut seed) = (TrackBuffers::default(), 1);
    let (mut lost, mut altered) = (Vec::new(), Vec::new());
    for word in 0..N_WORDS {
        let values = EDGES.into_iter().chain([random(&mut seed), random(&mut seed)]);
        for value in values {
            let orders = [word, value, 0, 0];
            let outcome = worker.track(&with_orders(&bad, &orders), &mut out);
            let context = format!("word {word} is {value:#x}");
            match &outcome {
                Err(e) => {
                    assert!(e.message.contains("it wrote beyond its output"), "{context}: {e}");
                    assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.flags == FLAG_PLUGIN_ERROR), "{context}");
                    assert!(out.profiles.iter().all(|v| v.is_nan()), "{context}");
                    lost.push(word);
                }
                Ok(()) => {
                    out.fixes.iter().for_each(|f| check_contained(f, &context));
                    let right = |(i, f): (usize, &Fix)| {
                        let bead = f64::from([1, 2, 13, 4][i]);
                        (f.x_px, f.y_px, f.quality.to_bits(), f.flags) == (3.5, 2.5, 1_f32.to_bits(), 0)
                            && f.z_nm.is_nan()
                            && [f.sigma_x_px, f.sigma_y_px, f.sigma_z_nm].iter().all(|s| s.is_nan())
                            && out.profile(i).iter().all(|&v| v == bead)
                            && out.weights[i * N_BINS..(i + 1) * N_BINS].iter().all(|&w| w == 1.0)
                    };
                    let wrong: Vec<usize> = (0..N).filter(|&i| !right((i, &out.fixes[i]))).collect();
                    assert!(wrong.len() <= 1, "{context}: rows {wrong:?} of {:?}", out.fixes);
                    altered.extend((!wrong.is_empty()).then_some(word));
                }
            }
            worker.track(&good.rois(), &mut out).unwrap_or_else(|e| panic!("after {context}: {e}"));
            let right = |(i, f): (usize, &Fix)| {
                (f.x_px, f.y_px, f.flags) == (3.5, 2.5, 0) && out.profile(i)[0] == (i + 1) as f64
            };
            assert!(out.fixes.iter().enumerate().all(right), "after {context}: {:?}", out.fixes);
            if lost.last() == Some(&word) {
                // A guard is a guard, whatever is written there, and a new process for each value takes its time.
                break;
            }
        }
    }
    // The test reached all of it, and the host found exactly the guards: neither more words nor fewer.
    assert_eq!(lost.len(), GUARD_WORDS, "{lost:?}");
    altered.dedup();
    assert_eq!(altered.len(), ROW_WORDS, "{altered:?}");
    assert!(lost.iter().max() < Some(&(N_WORDS - 1)));
}

#[test]
fn no_word_of_a_strategys_memory_leads_the_host_astray() {
    let registry = registry(PATIENCE);
    let component = component(&registry, Kind::Zlut, "zlut.fixture.crash");
    let strategy = ZlutStrategy::create(component, component.params([("fault", "word")]).unwrap()).unwrap();
    let layout = ProfileLayout::new(PROFILE_RADIAL, N_BINS, 0.5, 1.0);
    let config = Picture::flat(1, 8, 6).config();
    let saved = SavedTable { z_nm: vec![100.0], profiles: vec![1.0; N_BINS], ..SavedTable::default() };
    let table = strategy.load(&saved, &layout, &config).unwrap();
    let mut worker = strategy.worker(&config, &layout).unwrap();
    let (good, bad) =
        (Picture::flat(N, 8, 6).with_beads(&[1, 2, 3, 4]), Picture::flat(N, 8, 6).with_beads(&[1, 2, 13, 4]));
    let before = Fix { x_px: 1.25, y_px: 2.25, quality: 0.5, ..Fix::EMPTY };
    let mut scratch = LookupBuffers::default();
    let mut look_up = |rois: &RoiSet<'_>| {
        let mut tracks = TrackBuffers {
            fixes: vec![before; N],
            profiles: vec![1.0; N * N_BINS],
            weights: vec![1.0; N * N_BINS],
            n_bins: N_BINS,
        };
        let tables: [&Table; N] = [&table; N];
        (worker.lookup(rois, &tables, &mut tracks, &mut scratch), tracks.fixes)
    };
    let (mut seed, mut lost, mut altered) = (2, Vec::new(), Vec::new());
    for word in 0..N_WORDS {
        for value in EDGES.into_iter().chain([random(&mut seed), random(&mut seed)]) {
            let orders = [word, value, 0, 0];
            let (outcome, fixes) = look_up(&with_orders(&bad, &orders));
            let context = format!("word {word} is {value:#x}");
            let kept = |f: &Fix| (f.x_px, f.y_px) == (1.25, 2.25);
            assert!(fixes.iter().all(kept), "{context}: it does not refine x and y: {fixes:?}");
            match &outcome {
                Err(e) => {
                    assert!(e.message.contains("it wrote beyond its output"), "{context}: {e}");
                    assert!(fixes.iter().all(|f| f.z_nm.is_nan() && f.flags == FLAG_PLUGIN_ERROR), "{context}");
                    lost.push(word);
                }
                Ok(()) => {
                    fixes.iter().for_each(|f| check_contained(f, &context));
                    assert!(fixes.iter().all(|f| f.z_nm.is_finite() || f.flags != 0), "{context}: {fixes:?}");
                    let right = |i: usize| (fixes[i].z_nm, fixes[i].flags) == (100.0 + f64::from([1, 2, 13, 4][i]), 0);
                    let wrong: Vec<usize> = (0..N).filter(|&i| !right(i)).collect();
                    assert!(wrong.len() <= 1, "{context}: rows {wrong:?} of {fixes:?}");
                    altered.extend((!wrong.is_empty()).then_some(word));
                }
            }
            let (outcome, fixes) = look_up(&good.rois());
            outcome.unwrap_or_else(|e| panic!("after {context}: {e}"));
            let right = |(i, f): (usize, &Fix)| (f.z_nm, f.flags) == (101.0 + i as f64, 0);
            assert!(fixes.iter().enumerate().all(right), "after {context}: {fixes:?}");
            if lost.last() == Some(&word) {
                break;
            }
        }
    }
    assert_eq!(lost.len(), GUARD_WORDS, "{lost:?}");
    altered.dedup();
    // z of each row, and its flags with the word beside them; the rest is the tracker's.
    assert_eq!(altered.len(), 2 * N, "{altered:?}");
}

#[test]
fn no_head_of_a_message_leads_the_host_astray() {
    // Some of them promise more than ever comes: those are waited for until the limit.
    let registry = registry(Duration::from_secs(3));
    let component = component(&registry, Kind::Tracker, "tracker.fixture.crash");
    let tracker = Tracker::create(component, component.params([("fault", "answer")]).unwrap()).unwrap();
    let (good, bad) =
        (Picture::flat(N, 8, 6).with_beads(&[1, 2, 3, 4]), Picture::flat(N, 8, 6).with_beads(&[1, 2, 13, 4]));
    let mut worker = tracker.worker(&good.config()).unwrap();
    let mut out = TrackBuffers::default();
    let right = |out: &TrackBuffers, beads: [u32; N]| {
        let row = |i: usize| {
            let f = &out.fixes[i];
            (f.x_px, f.y_px, f.flags) == (3.5, 2.5, 0) && out.profile(i)[0] == f64::from(beads[i])
        };
        (0..N).all(row)
    };
    let head = |kind: u32, len: u32| u64::from(kind) | u64::from(len) << 32;
    let mut heads: Vec<(u64, u64)> = Vec::new();
    for kind in [0, 1, 2, 15, 16, 17, 18, 19, 20, 21, 22, 23, 0x8000_0000, u32::MAX] {
        heads.push((head(kind, 0), u64::MAX));
    }
    for len in [1, 15, 17, 1 << 30, (1 << 30) + 1, u32::MAX] {
        heads.push((head(16, len), 0));
    }
    let mut seed = 3;
    heads.extend((0..20).map(|_| (random(&mut seed), random(&mut seed))));
    for (first, second) in heads {
        let orders = [first, second, 0, 0];
        let outcome = worker.track(&with_orders(&bad, &orders), &mut out);
        let context = format!("head {first:#x} {second:#x}");
        match outcome {
            Err(e) => {
                assert!(e.status < 0, "{context}: {e}");
                assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.flags == FLAG_PLUGIN_ERROR), "{context}");
            }
            Ok(()) => assert!(right(&out, [1, 2, 13, 4]), "{context}: {:?}", out.fixes),
        }
        // An answer to spare is found out with the next batch at the latest; the one after that is right.
        if worker.track(&good.rois(), &mut out).is_err() {
            assert!(out.fixes.iter().all(|f| f.x_px.is_nan() && f.flags == FLAG_PLUGIN_ERROR), "{context}");
            worker.track(&good.rois(), &mut out).unwrap_or_else(|e| panic!("after {context}: {e}"));
        }
        assert!(right(&out, [1, 2, 3, 4]), "after {context}: {:?}", out.fixes);
    }
}
