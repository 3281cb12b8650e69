//! Plugins that do honest work through the whole road: the C tracker, the strategy that reads pixels, the smallest
//! tracker, and two builds of one method side by side.

use super::pictures::{Picture, bead};
use super::{alone, c_fixture, check_call, options, rust_fixture, scan_alone};
use crate::harness::{repository, tracker_minimal};
use std::path::Path;
use std::sync::Arc;
use tetherscope_loader::abi::{FLAG_NO_SIGNAL, FLAG_OUTSIDE_ZLUT, FLAG_SATURATED};
use tetherscope_loader::{
    Fix, Kind, LookupBuffers, ParamSet, ProfileLayout, Registry, SavedTable, SweepData, Table, TrackBuffers, Tracker,
    TrackerStamp, TrackerWorker, ZlutStrategy,
};

/// Two ways to the same sum of doubles differ by rounding only.
const ROUNDING: f64 = 1e-9;
/// Only some tens of pixels pass the clip, so their grid shows: how far their centre may lie from the bead's.
const CENTRE_PX: f64 = 0.25;

fn worker(registry: &Registry, id: &str, params: &[(&str, &str)], picture: &Picture) -> TrackerWorker {
    let component = registry.resolve(Kind::Tracker, id).unwrap();
    let params = component.params(params.iter().copied()).unwrap();
    Tracker::create(component, params).unwrap().worker(&picture.config()).unwrap()
}

fn track(worker: &mut TrackerWorker, picture: &Picture) -> TrackBuffers {
    let mut out = TrackBuffers::default();
    worker.track(&picture.rois(), &mut out).unwrap();
    out
}

/// Where the beads of the test pictures lie in their ROIs.
const CENTRES: [(f64, f64); 3] = [(19.5, 19.5), (20.25, 18.75), (18.5, 20.125)];

/// Three beads of 40 × 40 px, `gap` px apart in their frame.
fn three_beads(gap: usize, bits: u32) -> Picture {
    let scale = if bits == 8 { 1.0 } else { 16.0 };
    Picture::new(3, 40, 40, gap, bits, &|i, x, y| bead(x, y, CENTRES[i], 0.5, scale))
}

// ---- tracker.fixture.c-com ----

/// The method of `com.c`, written down a second time: mean, clip, centre.
fn plain_center_of_mass(picture: &Picture, i: usize, clip_sd: f64) -> (f64, f64) {
    let pixels: Vec<(f64, f64, f64)> = (0..40)
        .flat_map(|y| (0..40).map(move |x| (x, y)))
        .map(|(x, y)| (x as f64, y as f64, picture.at(i, x, y)))
        .collect();
    let n = pixels.len() as f64;
    let mean = pixels.iter().map(|p| p.2).sum::<f64>() / n;
    let sd = (pixels.iter().map(|p| p.2 * p.2).sum::<f64>() / n - mean * mean).max(0.0).sqrt();
    let counts = pixels.iter().map(|p| (p.0, p.1, (p.2 - mean).abs())).filter(|p| p.2 >= clip_sd * sd);
    let (mass, at_x, at_y) = counts.fold((0.0, 0.0, 0.0), |s, p| (s.0 + p.2, s.1 + p.2 * p.0, s.2 + p.2 * p.1));
    (at_x / mass, at_y / mass)
}

#[test]
fn the_c_tracker_finds_beads_in_8_and_16_bits_and_agrees_with_the_method_written_down_twice() {
    let Some(library) = c_fixture("com.c", "com", &[]) else { return };
    let registry = scan_alone(&library);
    for bits in [8, 12] {
        let picture = three_beads(0, bits);
        for (text, clip_sd) in [("2.0", 2.0), ("0", 0.0), ("1", 1.0)] {
            let mut worker = worker(&registry, "tracker.fixture.c-com", &[("clip_sd", text)], &picture);
            let out = track(&mut worker, &picture);
            for (i, fix) in out.fixes.iter().enumerate() {
                let (x, y) = plain_center_of_mass(&picture, i, clip_sd);
                let near = (fix.x_px - x).abs() < ROUNDING && (fix.y_px - y).abs() < ROUNDING;
                assert!(near, "{bits} bits, clip {clip_sd}, bead {i}: ({}, {}) for ({x}, {y})", fix.x_px, fix.y_px);
                let off = (fix.x_px - CENTRES[i].0).hypot(fix.y_px - CENTRES[i].1);
                assert!(clip_sd < 2.0 || off < CENTRE_PX, "{bits} bits, bead {i}: {off} px off");
                assert!(fix.flags == 0 && fix.z_nm.is_nan(), "{fix:?}");
            }
        }
    }
}

#[test]
fn the_c_tracker_gives_the_same_bits_for_rois_in_place_and_packed() {
    let Some(library) = c_fixture("com.c", "com", &[]) else { return };
    let registry = scan_alone(&library);
    for bits in [8, 12] {
        let [packed, in_place] = [0, 7].map(|gap| {
            let picture = three_beads(gap, bits);
            track(&mut worker(&registry, "tracker.fixture.c-com", &[], &picture), &picture)
        });
        for (a, b) in packed.fixes.iter().zip(&in_place.fixes) {
            assert_eq!((a.x_px.to_bits(), a.y_px.to_bits()), (b.x_px.to_bits(), b.y_px.to_bits()), "{bits} bits");
        }
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
        assert!(packed.profiles.iter().zip(&in_place.profiles).all(same), "{bits} bits");
    }
}

#[test]
fn the_c_trackers_profile_is_the_mean_over_rings_and_its_weights_count_pixels() {
    let Some(library) = c_fixture("com.c", "com", &[]) else { return };
    let registry = scan_alone(&library);
    let picture = three_beads(3, 8);
    let mut worker = worker(&registry, "tracker.fixture.c-com", &[], &picture);
    let layout = *worker.layout();
    assert_eq!((layout.n_bins, layout.first_radius_px, layout.step_px), (20, 0.5, 1.0));
    let out = track(&mut worker, &picture);
    for (i, fix) in out.fixes.iter().enumerate() {
        let mut rings = vec![(0.0, 0.0_f32); 20];
        for (x, y) in (0..40).flat_map(|y| (0..40).map(move |x| (x, y))) {
            let r = (x as f64 - fix.x_px).hypot(y as f64 - fix.y_px);
            if let Some(ring) = rings.get_mut(r as usize) {
                *ring = (ring.0 + picture.at(i, x, y), ring.1 + 1.0);
            }
        }
        for (k, (sum, n)) in rings.into_iter().enumerate() {
            assert!((out.profile(i)[k] - sum / f64::from(n)).abs() < ROUNDING, "bead {i}, ring {k}");
            assert_eq!(out.weights[i * 20 + k], n, "bead {i}, ring {k}");
        }
    }
}

#[test]
fn the_c_tracker_flags_what_is_constant_or_saturated() {
    let Some(library) = c_fixture("com.c", "com", &[]) else { return };
    let registry = scan_alone(&library);
    let picture = Picture::new(2, 40, 40, 0, 8, &|i, x, y| {
        if i == 0 { 77.0 } else { bead(x, y, CENTRES[0], 0.5, 1.4).min(255.0) }
    });
    let out = track(&mut worker(&registry, "tracker.fixture.c-com", &[], &picture), &picture);
    assert!(out.fixes[0].x_px.is_nan() && out.fixes[0].flags == FLAG_NO_SIGNAL, "{:?}", out.fixes[0]);
    assert!(out.profile(0).iter().all(|v| v.is_nan()));
    assert!(out.fixes[1].x_px.is_finite() && out.fixes[1].flags == FLAG_SATURATED, "{:?}", out.fixes[1]);
}

#[test]
fn the_c_trackers_words_reach_the_user() {
    let Some(library) = c_fixture("com.c", "com", &[]) else { return };
    let registry = scan_alone(&library);
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.c-com").unwrap();
    let tracker = Tracker::create(component, component.params([]).unwrap()).unwrap();
    let outcome = tracker.worker(&Picture::flat(1, 3, 3).config());
    check_call(outcome, "tracker.fixture.c-com", "worker", "a ROI needs at least 4 x 4 px");
    let error = component.params([("clip_sd", "11")]).unwrap_err();
    assert!(error.to_string().contains("`clip_sd` is 11, allowed is 0 to 10"), "{error}");
}

// ---- zlut.fixture.pixels ----

const N_PLANES: usize = 21;
/// The planes, 50 nm apart.
const STEP_NM: f64 = 50.0;
/// z between two planes: the parabola through three differences of smooth rings leaves less than this.
const Z_NM: f64 = 5.0;

/// How far the rings of a test bead are out of focus at z, and how wide they are for bead 1.
fn defocus(bead_id: usize, z_nm: f64) -> f64 {
    z_nm / 1000.0 + 0.4 * bead_id as f64
}

fn strategy(registry: &Registry) -> Arc<ZlutStrategy> {
    let component = registry.resolve(Kind::Zlut, "zlut.fixture.pixels").unwrap();
    for capability in ["needs_pixels", "refines_xy", "own_bytes"] {
        assert!(component.info().can(capability), "{capability}");
    }
    ZlutStrategy::create(component, component.params([]).unwrap()).unwrap()
}

/// Rows as a tracker without profiles leaves them.
fn positions(xy: &[(f64, f64)]) -> TrackBuffers {
    let fixes = xy.iter().map(|&(x_px, y_px)| Fix { x_px, y_px, ..Fix::EMPTY }).collect();
    TrackBuffers { fixes, ..TrackBuffers::default() }
}

fn build(strategy: &Arc<ZlutStrategy>, bead_id: usize) -> Arc<Table> {
    let z_nm: Vec<f64> = (0..N_PLANES).map(|k| k as f64 * STEP_NM).collect();
    let picture =
        Picture::new(N_PLANES, 40, 40, 2, 8, &|k, x, y| bead(x, y, (19.5, 19.5), defocus(bead_id, z_nm[k]), 1.0));
    let built = strategy.build(&SweepData {
        rois: picture.rois(),
        focus_nm: &z_nm,
        tracks: &positions(&[(19.5, 19.5); N_PLANES]),
        layout: ProfileLayout::NONE,
        config: picture.config(),
        tracker: TrackerStamp { id: "tracker.fixture.nop", version: "1.0.0", params: &ParamSet::default() },
    });
    built.unwrap()
}

/// Two ROIs, one of each bead, at these depths; their x and y are told a pixel wrong.
fn look_up(strategy: &Arc<ZlutStrategy>, tables: [&Table; 2], z_nm: [f64; 2]) -> (Picture, TrackBuffers) {
    let picture = Picture::new(2, 40, 40, 5, 8, &|i, x, y| bead(x, y, CENTRES[i + 1], defocus(i, z_nm[i]), 1.0))
        .with_beads(&[0, 1]);
    let mut tracks = positions(&CENTRES.map(|(x, y)| (x + 1.0, y - 1.0))[1..]);
    let mut worker = strategy.worker(&picture.config(), &ProfileLayout::NONE).unwrap();
    worker.lookup(&picture.rois(), &tables, &mut tracks, &mut LookupBuffers::default()).unwrap();
    (picture, tracks)
}

#[test]
fn z_from_pixels_is_found_between_the_planes_with_a_table_for_each_bead() {
    let strategy = strategy(&scan_alone(&rust_fixture("zlut-pixels")));
    let tables = [build(&strategy, 0), build(&strategy, 1)];
    for z_nm in [[120.0, 835.0], [500.0, 510.0], [905.0, 77.0]] {
        let (_, tracks) = look_up(&strategy, [&tables[0], &tables[1]], z_nm);
        for (i, fix) in tracks.fixes.iter().enumerate() {
            assert!((fix.z_nm - z_nm[i]).abs() < Z_NM, "bead {i}: {} nm for {} nm", fix.z_nm, z_nm[i]);
            assert_eq!(fix.flags, 0);
        }
    }
    // The other bead's table gives another z: tables really are each bead's own.
    let (_, swapped) = look_up(&strategy, [&tables[1], &tables[0]], [500.0, 510.0]);
    assert!((swapped.fixes[0].z_nm - 500.0).abs() > 10.0 * Z_NM || swapped.fixes[0].flags != 0);
}

#[test]
fn x_and_y_are_refined_from_the_pixels() {
    let strategy = strategy(&scan_alone(&rust_fixture("zlut-pixels")));
    let table = build(&strategy, 0);
    let (picture, tracks) = look_up(&strategy, [&table, &table], [300.0, 300.0]);
    for (i, fix) in tracks.fixes.iter().enumerate() {
        // The strategy's centre is the centre of mass without a clip.
        let (x, y) = plain_center_of_mass(&picture, i, 0.0);
        assert!(
            (fix.x_px - x).abs() < ROUNDING && (fix.y_px - y).abs() < ROUNDING,
            "bead {i}: {fix:?}, not ({x}, {y})"
        );
    }
}

#[test]
fn outside_the_table_without_a_bead_or_without_a_position_there_is_no_z() {
    let strategy = strategy(&scan_alone(&rust_fixture("zlut-pixels")));
    let table = build(&strategy, 0);
    let (_, tracks) = look_up(&strategy, [&table, &table], [-400.0, 300.0]);
    assert!(tracks.fixes[0].z_nm.is_nan() && tracks.fixes[0].flags == FLAG_OUTSIDE_ZLUT, "{:?}", tracks.fixes[0]);
    let picture = Picture::flat(2, 40, 40);
    let mut tracks = positions(&[(20.0, 20.0), (f64::NAN, 20.0)]);
    tracks.fixes[1].flags = FLAG_NO_SIGNAL;
    let mut worker = strategy.worker(&picture.config(), &ProfileLayout::NONE).unwrap();
    worker.lookup(&picture.rois(), &[&*table; 2], &mut tracks, &mut LookupBuffers::default()).unwrap();
    for fix in &tracks.fixes {
        assert!(fix.z_nm.is_nan() && fix.x_px.is_nan() && fix.flags == FLAG_NO_SIGNAL, "{fix:?}");
    }
}

fn load(strategy: &Arc<ZlutStrategy>, saved: &SavedTable) -> Result<Arc<Table>, tetherscope_loader::PluginError> {
    strategy.load(saved, &ProfileLayout::NONE, &Picture::flat(1, 40, 40).config())
}

#[test]
fn a_table_that_was_saved_and_loaded_gives_the_same_bits() {
    let strategy = strategy(&scan_alone(&rust_fixture("zlut-pixels")));
    let table = build(&strategy, 0);
    let saved = table.save().unwrap();
    let bytes = saved.bytes.clone().unwrap();
    assert_eq!((&bytes[..4], &bytes[4..8], saved.z_nm.len()), (&b"TSFP"[..], &[1, 0, 0, 0][..], N_PLANES));
    let again = load(&strategy, &saved).unwrap();
    assert_eq!(again.save().unwrap(), saved);
    let z = |t: &Table| look_up(&strategy, [t, t], [333.0, 333.0]).1.fixes[0].z_nm.to_bits();
    assert_eq!(z(&table), z(&again));
}

#[test]
fn a_table_whose_bytes_are_missing_cut_or_altered_is_refused() {
    let strategy = strategy(&scan_alone(&rust_fixture("zlut-pixels")));
    let saved = build(&strategy, 0).save().unwrap();
    let with = |bytes: Option<Vec<u8>>| load(&strategy, &SavedTable { bytes, ..saved.clone() });
    let id = "zlut.fixture.pixels";
    check_call(with(None), id, "load", "zlut.fixture.pixels needs its own bytes");
    let whole = saved.bytes.clone().unwrap();
    for n in 0..whole.len() {
        check_call(with(Some(whole[..n].to_vec())), id, "load", "the bytes of zlut.fixture.pixels");
    }
    for at in (0..whole.len()).step_by(61) {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        check_call(with(Some(altered)), id, "load", "the bytes of zlut.fixture.pixels");
    }
    let moved = SavedTable { z_nm: saved.z_nm.iter().map(|z| z + 1.0).collect(), ..saved.clone() };
    check_call(load(&strategy, &moved), id, "load", "belong to other planes");
}

// ---- The smallest tracker, nop, two builds ----

#[test]
fn the_smallest_tracker_finds_light_and_has_at_most_sixty_lines() {
    let source = std::fs::read_to_string(repository().join("examples/tracker-minimal/src/lib.rs")).unwrap();
    assert!(source.lines().count() <= 60, "{} lines, counting everything", source.lines().count());
    let registry = scan_alone(&tracker_minimal());
    let picture = Picture::new(2, 20, 20, 4, 8, &|i, x, y| match i {
        0 => 20.0 + 100.0 * f64::from(u8::from((x, y) == (4, 7))) + 50.0 * f64::from(u8::from((x, y) == (7, 7))),
        _ => 20.0,
    });
    let out = track(&mut worker(&registry, "tracker.example.minimal", &[], &picture), &picture);
    assert_eq!((out.fixes[0].x_px, out.fixes[0].y_px, out.fixes[0].flags), (5.0, 7.0, 0));
    assert!(out.fixes[1].x_px.is_nan() && out.fixes[1].flags == FLAG_NO_SIGNAL);
}

#[test]
fn the_nop_tracker_answers_through_the_library() {
    let registry = scan_alone(&rust_fixture("nop"));
    let picture = Picture::flat(3, 8, 8);
    let out = track(&mut worker(&registry, "tracker.fixture.nop", &[], &picture), &picture);
    assert!(out.fixes.iter().all(|f| (f.x_px, f.y_px) == (1.0, 2.0)));
}

/// x that a method says, which tells the build.
fn x_px(registry: &Registry, method: &str) -> f64 {
    let picture = Picture::flat(1, 8, 8);
    track(&mut worker(registry, method, &[], &picture), &picture).fixes[0].x_px
}

#[test]
fn two_versions_of_one_method_are_used_side_by_side() {
    let folder = alone([rust_fixture("two-builds-v04"), rust_fixture("two-builds-v05")]);
    let registry = Registry::scan(&options(folder.path()));
    assert!(registry.refused().is_empty() && registry.notes().is_empty(), "{:?}", registry.notes());
    assert_eq!(x_px(&registry, "tracker.fixture.twice"), 0.5, "the plain name is the newest");
    assert_eq!(x_px(&registry, "tracker.fixture.twice@0.4"), 0.4);
    assert_eq!(x_px(&registry, "tracker.fixture.twice@=0.5.0"), 0.5);
    let error = registry.resolve(Kind::Tracker, "tracker.fixture.twice@0.6").unwrap_err().to_string();
    assert!(error.contains("0.4.0#") && error.contains("0.5.0#"), "{error}");
}

#[test]
fn two_builds_of_one_version_are_told_apart_by_their_hash() {
    let folder = alone([rust_fixture("two-builds-v05"), rust_fixture("two-builds-v05-again")]);
    let registry = Registry::scan(&options(folder.path()));
    let [first, second] = registry.components() else { panic!("two components: {:?}", registry.components()) };
    assert_ne!(first.hash(), second.hash());
    for component in [first, second] {
        let wanted = if name(component.path()).contains("again") { 0.55 } else { 0.5 };
        assert_eq!(x_px(&registry, &format!("tracker.fixture.twice#{}", &component.hash()[..8])), wanted);
    }
    let [note] = registry.notes() else { panic!("one note: {:?}", registry.notes()) };
    assert!(note.text.contains("another build of tracker.fixture.twice 0.5.0"), "{}", note.text);
    let first_x = if name(first.path()).contains("again") { 0.55 } else { 0.5 };
    assert_eq!(x_px(&registry, "tracker.fixture.twice"), first_x, "the plain name is the first that was found");
}

#[test]
fn the_same_file_twice_is_one_component() {
    let folder = alone([rust_fixture("nop"), rust_fixture("nop")]);
    let registry = Registry::scan(&options(folder.path()));
    assert_eq!(registry.components().len(), 1);
    assert!(registry.notes()[0].text.contains("the same build as"), "{:?}", registry.notes());
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
