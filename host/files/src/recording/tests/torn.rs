//! Recordings whose writer was killed, and files that were cut, zeroed and changed: everything whole is read, before and
//! after mending, and what is lost is told.

use super::*;

const N_FRAMES: u64 = 12;

/// A recording of which the writer was killed, and how many rows stand in its log after each batch.
struct Killed {
    _keep: tempfile::TempDir,
    dir: PathBuf,
}

/// In memory where there is such a folder: hundreds of copies are made, each of which is synced.
fn quick_folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    tempfile::tempdir_in(shared).or_else(|_| tempfile::tempdir()).unwrap()
}

fn killed() -> Killed {
    let keep = quick_folder();
    let dir = keep.path().join("rec");
    let mut options = options();
    options.frames = Some(stack(GreyDepth::U8));
    let rois = StackOptions { width_px: 3, height_px: 2, ..stack(GreyDepth::U8) };
    options.rois = Some(RoiStackOptions { stack: rois, beads: vec![4, 9] });
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    let main = writer.track_set("main").unwrap();
    writer.start_profiles(main, 3, false).unwrap();
    let (mut planes, mut places) = (Vec::new(), Vec::new());
    for i in 0..N_FRAMES {
        writer.append_rows(main, &rows(i..i + 1, 2)).unwrap();
        writer.append_profiles(main, &[(i, 0)], &[i as f64, 1.0, 2.0], &[]).unwrap();
        let bytes = pixels(i, GreyDepth::U8, 9);
        let view = view(&bytes, GreyDepth::U8, 9);
        writer.append_frame(&view, &record(i)).unwrap();
        crop_rois(&view, &[(4, 1, 1), (9, 2, 2)], 3, 2, &mut planes, &mut places);
        writer.append_rois(&planes, &places, &record(i)).unwrap();
        writer.append_event(&event(i)).unwrap();
        writer.append_gap(&gap(i)).unwrap();
        writer.append_stage(&sample(i as i64)).unwrap();
        writer.flush().unwrap(); // a batch of rows for each frame
    }
    drop(writer);
    Killed { _keep: keep, dir }
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).unwrap();
    for name in names_in(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// What a recording gives: rows, profiles, frames that are whole, ROI stacks that are whole, events, gaps, stages.
#[derive(Debug, PartialEq, Clone)]
struct Content {
    rows: Vec<String>,
    profiles: Vec<u64>,
    frames: Vec<u64>,
    rois: Vec<u64>,
    lines: [usize; 3],
}

fn content(dir: &Path) -> Content {
    let recording = Recording::open(dir).unwrap();
    let rows = match recording.tracks("main") {
        Ok(_) => all_rows(dir, "main").0,
        Err(_) => Vec::new(),
    };
    for row in &rows {
        assert!(row.same_bits(&self::row(row.frame, row.bead)), "a wrong row: {row:?}");
    }
    let mut profiles = Vec::new();
    let _ = recording.profiles("main", |p| {
        for row in p {
            assert_eq!(row.profile, [row.frame as f64, 1.0, 2.0]);
            profiles.push(row.frame);
        }
    });
    let whole = |reader: FramesReader, rois: bool| -> Vec<u64> {
        let found = all_frames(reader).into_iter().filter(|f| f.0 == FrameCondition::Whole);
        found
            .map(|(_, f)| {
                assert_eq!(f.record, record(f.record.index));
                assert!(rois || f.pixels == pixels(f.record.index, GreyDepth::U8, 9));
                f.record.index
            })
            .collect()
    };
    let (events, gaps, stages) =
        (recording.events().unwrap().0, recording.gaps().unwrap().0, recording.stages().unwrap().0);
    assert!(events.iter().all(|e| *e == event(e.frame.unwrap())));
    assert!(gaps.iter().all(|g| *g == gap(g.first_frame_after)));
    assert!(stages.iter().all(|s| *s == sample(s.utc_ns)));
    Content {
        rows: rows.iter().map(|r| format!("{} {}", r.frame, r.bead)).collect(),
        profiles,
        frames: whole(recording.frames().unwrap(), false),
        rois: whole(recording.rois().unwrap(), true),
        lines: [events.len(), gaps.len(), stages.len()],
    }
}

/// Reads, mends, reads again, mends again. What could be read before can be read afterwards; a mended recording is whole
/// but for what the report tells.
fn mend(dir: &Path, what: &str) -> (Content, RecoverReport) {
    let torn = content(dir);
    let report = recover(dir).unwrap_or_else(|e| panic!("{what}: {e}"));
    let recording = Recording::open(dir).unwrap();
    assert_eq!(recording.condition(), Condition::Recovered, "{what}");
    assert_eq!(content(dir), torn, "{what}");
    let left = recording.check().unwrap();
    assert!(left.is_empty() || !report.lost().is_empty() || !report.problems.is_empty(), "{what}: {left:?}");
    assert!(!names_in(dir).iter().any(|n| n.ends_with(".part") || n == ".reserve"), "{what}: {:?}", names_in(dir));
    let before: Vec<_> = names_in(dir).iter().map(|n| (n.clone(), std::fs::read(dir.join(n)).unwrap())).collect();
    let again = recover(dir).unwrap();
    if report.problems.is_empty() {
        assert!(again.was_whole, "{what}: {again:?}");
        let after: Vec<_> = names_in(dir).iter().map(|n| (n.clone(), std::fs::read(dir.join(n)).unwrap())).collect();
        assert!(before == after, "{what}: the second mending changed something");
    }
    (torn, report)
}

fn everything() -> Content {
    Content {
        rows: rows(0..N_FRAMES, 2).iter().map(|r| format!("{} {}", r.frame, r.bead)).collect(),
        profiles: (0..N_FRAMES).collect(),
        frames: (0..N_FRAMES).collect(),
        rois: (0..N_FRAMES).collect(),
        lines: [N_FRAMES as usize; 3],
    }
}

/// The numbers of whole records of `name` when its first `length` bytes are good.
fn expected_after_cut(name: &str, good: &[u8], length: usize, all: &Content) -> Content {
    let mut expected = all.clone();
    let n_lines = good[..length].iter().filter(|b| **b == b'\n').count();
    let of_crc = (length / 32).saturating_sub(2); // the header and the schema
    let planes = |size: usize| length.saturating_sub(4096) / size;
    let records = || {
        let json = u32::from_le_bytes(good[8..12].try_into().unwrap()) as usize;
        let size = (good.len() - 16 - json) / N_FRAMES as usize;
        length.saturating_sub(16 + json) / size
    };
    match name {
        "events.jsonl" => expected.lines[0] = n_lines,
        "gaps.jsonl" => expected.lines[1] = n_lines,
        "stages.jsonl" => expected.lines[2] = n_lines,
        "frames.0001.tif" => expected.frames.truncate(planes(63)),
        "rois.0001.tif" => expected.rois.truncate(planes(12)),
        "frames.0001.index" => expected.frames.truncate(records()),
        "rois.0001.index" => expected.rois.truncate(records()),
        "tracks.main.0001.crc" => expected.rows.truncate(2 * of_crc),
        "profiles.main.0001.crc" => expected.profiles.truncate(of_crc),
        "tracks.main.0001.arrows" => expected.rows.truncate(2 * batches(good, length)),
        "profiles.main.0001.arrows" => expected.profiles.truncate(batches(good, length)),
        other => panic!("{other} is no live file"),
    }
    expected
}

/// Where the messages of an Arrow stream end: marker, length of the description, description, length of the body in it. The
/// batches are all of one size here, which the last ones tell.
fn message_ends(good: &[u8]) -> Vec<usize> {
    let starts: Vec<usize> = (0..good.len()).step_by(8).filter(|i| good[*i..].starts_with(&[0xff; 4])).collect();
    // NaNs in the bodies look like markers; a marker is followed by the length of a description.
    let starts: Vec<usize> = starts
        .into_iter()
        .filter(|i| good.get(i + 4..i + 8).is_some_and(|l| l[3] == 0 && l[2] == 0 && l != [0; 4]))
        .collect();
    starts.into_iter().skip(1).chain([good.len()]).collect()
}

fn batches(good: &[u8], length: usize) -> usize {
    message_ends(good).iter().filter(|e| **e <= length).count().saturating_sub(1)
}

fn live_files(dir: &Path) -> Vec<String> {
    let names = names_in(dir);
    let live: Vec<String> = names.into_iter().filter(|n| !n.starts_with('.') && n != "recording.json").collect();
    assert_eq!(live.len(), 11, "{live:?}");
    live
}

/// Places to tear a file at: both ends, every end of a record, and random ones.
fn places(name: &str, good: &[u8], random: &mut impl FnMut(usize) -> usize) -> Vec<usize> {
    let mut places: Vec<usize> = vec![0, 1, good.len() - 1];
    match name.rsplit_once('.').unwrap().1 {
        "jsonl" => places.extend(good.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1)),
        "crc" => places.extend((0..good.len()).step_by(32)),
        "arrows" => places.extend(message_ends(good)),
        "tif" if name.starts_with("rois") => places.extend((4096..good.len()).step_by(12)),
        "tif" => places.extend((4096..good.len()).step_by(63)),
        _ => places.extend((0..good.len()).step_by(good.len() / 14)),
    }
    places.extend((0..8).map(|_| random(good.len())));
    places
}

fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move |n| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    }
}

#[test]
fn a_killed_recording_is_read_and_mended_without_loss() {
    let killed = killed();
    assert_eq!(Recording::open(&killed.dir).unwrap().condition(), Condition::Torn);
    assert_eq!(Recording::open(&killed.dir).unwrap().check().unwrap(), []);
    let (found, report) = mend(&killed.dir, "killed");
    assert_eq!(found, everything());
    assert_eq!((report.lost(), report.problems), (Vec::<String>::new(), Vec::new()));
    let metadata = Metadata::read(&killed.dir).unwrap();
    assert_eq!(metadata.state, RecordingState::Recovered);
    assert_eq!(metadata.sections["camera"]["nm_per_px"], 54.2, "what was known stays");
    assert!(metadata.recovery.unwrap()["report"]["files"].as_array().unwrap().len() > 5);
    assert!(killed.dir.join("tracks.main.0001.parquet").exists());
}

#[test]
fn a_live_file_cut_at_every_record_and_anywhere_gives_all_whole_records_before() {
    let killed = killed();
    let work = killed.dir.with_file_name("work");
    let (all, mut random) = (everything(), random());
    for name in live_files(&killed.dir) {
        let good = std::fs::read(killed.dir.join(&name)).unwrap();
        for place in places(&name, &good, &mut random) {
            copy(&killed.dir, &work);
            let what = format!("{name} cut at {place} of {}", good.len());
            std::fs::write(work.join(&name), &good[..place]).unwrap();
            let (found, report) = mend(&work, &what);
            if header_lost(&name, &good, place) {
                // Without the description of its records nothing can be vouched for, and all of it is kept.
                assert!(!report.problems.is_empty() || !report.lost().is_empty(), "{what}");
                continue;
            }
            let expected = expected_after_cut(&name, &good, place, &all);
            assert_eq!(found, expected, "{what}");
        }
    }
}

/// Whether the part of a file without which its records mean nothing is cut.
fn header_lost(name: &str, good: &[u8], place: usize) -> bool {
    match name.rsplit_once('.').unwrap().1 {
        "index" => place < 16 + u32::from_le_bytes(good[8..12].try_into().unwrap()) as usize,
        _ => {
            name == "profiles.main.0001.crc" && place < 64
                || name == "profiles.main.0001.arrows" && batches(good, place) == 0
        }
    }
}

#[test]
fn a_tail_of_zeros_is_never_read_as_data() {
    let killed = killed();
    let work = killed.dir.with_file_name("work");
    let (all, mut random) = (everything(), random());
    for name in live_files(&killed.dir) {
        let good = std::fs::read(killed.dir.join(&name)).unwrap();
        for place in places(&name, &good, &mut random) {
            copy(&killed.dir, &work);
            let what = format!("{name} zero from {place} of {}", good.len());
            let mut bytes = good.clone();
            bytes[place..].fill(0);
            std::fs::write(work.join(&name), &bytes).unwrap();
            let (found, report) = mend(&work, &what);
            if place < good.len() && bytes != good {
                assert!(!report.lost().is_empty() || !report.problems.is_empty(), "{what}: nothing was told");
            }
            if !header_lost(&name, &good, place) {
                let expected = expected_after_cut(&name, &good, place, &all);
                // Pixels may be zeros anyway, and a record may end in them; never less than what was whole.
                assert!(found.rows.starts_with(&expected.rows) && found.frames.starts_with(&expected.frames), "{what}");
                assert!(
                    found.rois.starts_with(&expected.rois) && found.profiles.starts_with(&expected.profiles),
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn a_flipped_bit_costs_its_record_and_is_told() {
    let killed = killed();
    let work = killed.dir.with_file_name("work");
    let (all, mut random) = (everything(), random());
    for name in live_files(&killed.dir) {
        let good = std::fs::read(killed.dir.join(&name)).unwrap();
        for _ in 0..24 {
            let (place, bit) = (random(good.len()), random(8));
            copy(&killed.dir, &work);
            let what = format!("{name} bit {bit} of byte {place} flipped");
            let mut bytes = good.clone();
            bytes[place] ^= 1 << bit;
            std::fs::write(work.join(&name), &bytes).unwrap();
            let (found, report) = mend(&work, &what);
            let tif_header = name.ends_with(".tif") && place < 4096; // written anew
            let crc_header = name.ends_with(".crc") && place < 32; // says nothing
            let told = !report.lost().is_empty() || !report.problems.is_empty();
            let n_lost = (all.rows.len() - found.rows.len()) / 2 + all.profiles.len() - found.profiles.len()
                + all.frames.len()
                - found.frames.len()
                + all.rois.len()
                - found.rois.len()
                + all.lines.iter().sum::<usize>()
                - found.lines.iter().sum::<usize>();
            let header = header_lost(&name, &good, place) && place < good.len();
            assert!(
                told || tif_header || crc_header || n_lost == 0,
                "{what}: {n_lost} records are lost, nothing was told"
            );
            // A flipped line end costs two lines.
            assert!(n_lost <= 2 || header, "{what}: {n_lost} records are lost");
        }
    }
}

#[test]
fn lost_metadata_are_made_anew_and_damaged_ones_are_kept() {
    for damaged in [false, true] {
        let killed = killed();
        let path = killed.dir.join("recording.json");
        if damaged {
            std::fs::write(&path, "{ half").unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        assert!(Recording::open(&killed.dir).is_err());
        let report = recover(&killed.dir).unwrap();
        assert!(report.lost().iter().any(|l| l.starts_with("recording.json: settings")), "{report:?}");
        assert_eq!(content(&killed.dir), everything());
        assert_eq!(killed.dir.join("recording.json.damaged").exists(), damaged);
    }
    let (keep, dir) = folder();
    assert_eq!(recover(&dir).unwrap_err().to_string().lines().count(), 3);
    assert_eq!(recover(keep.path()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn mending_goes_on_where_a_killed_finish_stopped() {
    let killed = killed();
    let finished = killed.dir.with_file_name("finished");
    copy(&killed.dir, &finished);
    recover(&finished).unwrap();
    let work = killed.dir.with_file_name("work");
    // The Parquet file is there, the log too; then one of the log's two files is gone.
    for gone in [
        &["tracks.main.0001.none"][..],
        &["tracks.main.0001.arrows"],
        &["tracks.main.0001.arrows", "tracks.main.0001.crc"],
    ] {
        copy(&killed.dir, &work);
        std::fs::copy(finished.join("tracks.main.0001.parquet"), work.join("tracks.main.0001.parquet")).unwrap();
        std::fs::write(work.join(".tracks.main.0001.parquet.x.part"), "half").unwrap();
        gone.iter().for_each(|n| drop(std::fs::remove_file(work.join(n))));
        let (found, report) = mend(&work, "killed while it finished");
        assert_eq!((found, report.lost(), report.problems), (everything(), vec![], vec![]));
        assert!(!work.join("tracks.main.0001.arrows").exists() && !work.join("tracks.main.0001.crc").exists());
    }
    // The video has its labels, cut anywhere; the index is whole.
    let tif = std::fs::read(finished.join("frames.0001.tif")).unwrap();
    let planes_end = 4096 + 63 * N_FRAMES as usize;
    for length in [planes_end, planes_end + 1, planes_end + 70, tif.len() - 1, tif.len()] {
        copy(&killed.dir, &work);
        std::fs::write(work.join("frames.0001.tif"), &tif[..length]).unwrap();
        let (found, _) = mend(&work, "killed while it wrote labels");
        assert_eq!(found, everything());
        assert_eq!(std::fs::read(work.join("frames.0001.tif")).unwrap(), tif);
    }
}

#[test]
fn a_parquet_file_that_is_not_the_logs_costs_no_log() {
    let killed = killed();
    let mut other = crate::RowsWriter::create(killed.dir.join("tracks.main.0001.parquet")).unwrap();
    other.write(&rows(0..3, 2)).unwrap();
    other.finish().unwrap();
    let report = recover(&killed.dir).unwrap();
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(killed.dir.join("tracks.main.0001.arrows").exists() && killed.dir.join("tracks.main.0001.crc").exists());
}

#[test]
fn a_rerun_that_was_killed_costs_only_its_own_end() {
    let (_keep, dir) = folder();
    let mut writer = RecordingWriter::create(&dir, &options()).unwrap();
    writer.append_rows(writer.track_set("main").unwrap(), &rows(0..9, 2)).unwrap();
    writer.finish().unwrap();
    let mut writer = RecordingWriter::reopen(&dir).unwrap();
    let rerun = writer.add_track_set(&set("rerun")).unwrap();
    writer.append_rows(rerun, &rows(0..5, 1)).unwrap();
    writer.flush().unwrap();
    writer.sync_handle().sync().unwrap();
    drop(writer);
    assert_eq!(RecordingWriter::reopen(&dir).unwrap_err().kind(), ErrorKind::Damaged);
    assert!(!recover(&dir).unwrap().was_whole);
    assert_same(&all_rows(&dir, "main").0, &rows(0..9, 2));
    assert_same(&all_rows(&dir, "rerun").0, &rows(0..5, 1));
    assert_eq!(Recording::open(&dir).unwrap().check().unwrap(), []);
    RecordingWriter::reopen(&dir).unwrap();
}
