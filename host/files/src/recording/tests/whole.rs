//! Recordings that nothing happens to.

use super::*;

#[test]
fn everything_that_was_recorded_reads_back_while_it_is_live_and_when_it_is_finished() {
    let (_keep, dir) = folder();
    let depth = GreyDepth::U16;
    let mut options = options();
    options.track_sets.push(set("shadow-1"));
    options.frames = Some(stack(depth));
    options.rois =
        Some(RoiStackOptions { stack: StackOptions { width_px: 3, height_px: 2, ..stack(depth) }, beads: vec![4, 9] });
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    assert_eq!(Recording::open(&dir).unwrap().condition(), Condition::Live);
    let (main, shadow) = (writer.track_set("main").unwrap(), writer.track_set("shadow-1").unwrap());
    writer.start_profiles(main, 3, true).unwrap();
    let (mut planes, mut places) = (Vec::new(), Vec::new());
    for i in 0..12 {
        writer.append_rows(main, &rows(i..i + 1, 3)).unwrap();
        writer.append_rows(shadow, &rows(i..i + 1, 1)).unwrap();
        writer.append_profiles(main, &[(i, 0)], &[i as f64, f64::NAN, 0.5], &[1.0, 0.0, 2.0]).unwrap();
        let stride = if i % 2 == 0 { 18 } else { 32 };
        let bytes = pixels(i, depth, stride);
        let view = view(&bytes, depth, stride);
        writer.append_frame(&view, &record(i)).unwrap();
        crop_rois(&view, &[(4, 1 + i as i32 % 2, 2), (9, 7, 3)], 3, 2, &mut planes, &mut places);
        writer.append_rois(&planes, &places, &record(i)).unwrap();
        writer.append_stage(&sample(i as i64)).unwrap();
    }
    writer.append_event(&event(3)).unwrap();
    writer.append_gap(&gap(7)).unwrap();
    writer.flush().unwrap();
    let handle = writer.sync_handle();
    handle.sync().unwrap();

    let check = |condition: Condition| {
        let recording = Recording::open(&dir).unwrap();
        assert_eq!(recording.condition(), condition);
        assert_eq!(recording.check().unwrap(), []);
        assert_eq!(recording.track_sets(), ["main", "shadow-1"]);
        assert_same(&all_rows(&dir, "main").0, &rows(0..12, 3));
        assert_same(&all_rows(&dir, "shadow-1").0, &rows(0..12, 1));
        let mut profiles = Vec::new();
        assert_eq!(recording.profiles("main", |p| profiles.extend_from_slice(p)).unwrap(), []);
        assert_eq!(profiles.len(), 12);
        assert!(profiles[5].profile[1].is_nan());
        assert_eq!((profiles[5].frame, profiles[5].profile[0], profiles[5].weights[2]), (5, 5.0, 2.0));

        let frames = recording.frames().unwrap();
        assert_eq!(frames.n_frames(), 12);
        assert_eq!(frames.format().unwrap().channels, stack(depth).channels);
        let frames = all_frames(frames);
        for (i, (whole, frame)) in frames.iter().enumerate() {
            assert_eq!((*whole, &frame.record), (FrameCondition::Whole, &record(i as u64)));
            assert_eq!(frame.pixels, pixels(i as u64, depth, 18));
        }
        let rois = all_frames(recording.rois().unwrap());
        assert_eq!(rois.len(), 12);
        for (i, (_, roi)) in rois.iter().enumerate() {
            let x = 1 + i % 2;
            let place = RoiPlace { bead: 4, x_px: x as i32, y_px: 2, inside: true };
            assert_eq!(roi.places, [place, RoiPlace { bead: 9, x_px: 7, y_px: 3, inside: false }]);
            let full = &frames[i].1.pixels;
            assert_eq!(roi.pixels[..6], full[2 * 18 + 2 * x..][..6]);
            assert_eq!(roi.pixels[6..12], full[3 * 18 + 2 * x..][..6]);
            assert_eq!(roi.pixels[12..], [0; 12], "a ROI outside is black");
        }
        assert_eq!(recording.events().unwrap().0, [event(3)]);
        assert_eq!(recording.gaps().unwrap().0, [gap(7)]);
        assert_eq!(recording.stages().unwrap().0, (0..12).map(sample).collect::<Vec<_>>());
    };
    check(Condition::Live);
    writer.set_section("ledger", json!({"seen": 12}));
    assert_eq!(writer.finish().unwrap().problems, []);
    check(Condition::Finished);

    let metadata = Metadata::read(&dir).unwrap();
    assert_eq!(metadata.sections["camera"]["nm_per_px"], 54.2);
    assert_eq!(metadata.sections["ledger"]["seen"], 12);
    assert_eq!(metadata.track_sets.len(), 2);
    let entry = metadata.files.iter().find(|f| f.name == "tracks.main.0001.parquet").unwrap();
    assert_eq!(
        (entry.state, entry.n_records, entry.first_frame, entry.last_frame),
        (FileState::Final, 36, Some(0), Some(11))
    );
    assert!(metadata.files.iter().all(|f| f.state == FileState::Final && dir.join(&f.name).exists()), "{metadata:?}");
    let expected = [
        ".lock",
        "events.jsonl",
        "frames.0001.index",
        "frames.0001.tif",
        "gaps.jsonl",
        "profiles.main.0001.arrows",
        "profiles.main.0001.crc",
        "recording.json",
        "rois.0001.index",
        "rois.0001.tif",
        "stages.jsonl",
        "tracks.main.0001.parquet",
        "tracks.shadow-1.0001.parquet",
    ];
    assert_eq!(names_in(&dir), expected);
}

#[test]
fn rotation_loses_and_doubles_nothing() {
    let (_keep, dir) = folder();
    let mut options = options();
    options.frames = Some(StackOptions { max_file_bytes: 4096 + 3 * 63, ..stack(GreyDepth::U8) });
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    let main = writer.track_set("main").unwrap();
    for i in 0..20 {
        writer.append_rows(main, &rows(i..i + 1, 2)).unwrap();
        writer.append_frame(&view(&pixels(i, GreyDepth::U8, 9), GreyDepth::U8, 9), &record(i)).unwrap();
        if i == 7 || i == 8 {
            writer.rotate().unwrap();
        }
    }
    let handle = writer.sync_handle();
    assert!(handle.finish_next_part().unwrap());
    assert!(dir.join("tracks.main.0001.parquet").exists() != dir.join("tracks.main.0001.arrows").exists());
    writer.flush().unwrap();
    assert_same(&all_rows(&dir, "main").0, &rows(0..20, 2));
    assert_eq!(writer.finish().unwrap().problems, []);

    assert_same(&all_rows(&dir, "main").0, &rows(0..20, 2));
    let recording = Recording::open(&dir).unwrap();
    let mut frames = recording.frames().unwrap();
    assert_eq!(frames.n_frames(), 20);
    frames.seek(13);
    let mut frame = StoredFrame::default();
    assert_eq!(frames.read(&mut frame).unwrap(), Some(FrameCondition::Whole));
    assert_eq!((frame.record.index, frame.pixels.clone()), (13, pixels(13, GreyDepth::U8, 9)));
    let indices: Vec<u64> = all_frames(recording.frames().unwrap()).iter().map(|f| f.1.record.index).collect();
    assert_eq!(indices, (0..20).collect::<Vec<_>>());
    let parts = names_in(&dir).iter().filter(|n| n.starts_with("tracks.main") && n.ends_with(".parquet")).count();
    assert_eq!(parts, 3);
    assert_eq!(recording.check().unwrap(), []);
}

#[test]
fn a_second_track_set_is_added_to_a_finished_recording_and_nothing_else_changes() {
    let (_keep, dir) = folder();
    let mut writer = RecordingWriter::create(&dir, &options()).unwrap();
    let main = writer.track_set("main").unwrap();
    writer.append_rows(main, &rows(0..9, 2)).unwrap();
    writer.append_event(&event(1)).unwrap();
    writer.finish().unwrap();
    let before = std::fs::read(dir.join("tracks.main.0001.parquet")).unwrap();
    let ended = Metadata::read(&dir).unwrap().ended_utc_ns;

    let mut writer = RecordingWriter::reopen(&dir).unwrap();
    assert_eq!(writer.add_track_set(&set("main")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let rerun = writer.add_track_set(&set("rerun")).unwrap();
    writer.append_rows(rerun, &rows(0..9, 1)).unwrap();
    writer.append_event(&event(2)).unwrap();
    writer.finish().unwrap();

    let recording = Recording::open(&dir).unwrap();
    assert_eq!((recording.condition(), recording.check().unwrap()), (Condition::Finished, vec![]));
    assert!(ended.is_some() && recording.metadata().ended_utc_ns == ended, "it ended when it ended");
    assert_same(&all_rows(&dir, "rerun").0, &rows(0..9, 1));
    assert_eq!(std::fs::read(dir.join("tracks.main.0001.parquet")).unwrap(), before);
    assert_eq!(recording.events().unwrap().0, [event(1), event(2)]);
}

#[test]
fn rows_that_wait_are_written_before_a_new_file_is_made() {
    // To make a file may take as long as the disk likes; rows must not wait for that too.
    let (_keep, dir) = folder();
    let mut options = options();
    options.frames = Some(StackOptions { max_file_bytes: 4096 + 3 * 63, ..stack(GreyDepth::U8) });
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    let main = writer.track_set("main").unwrap();
    let frame = |writer: &mut RecordingWriter, i| {
        writer.append_rows(main, &rows(i..i + 1, 2)).unwrap();
        writer.append_frame(&view(&pixels(i, GreyDepth::U8, 9), GreyDepth::U8, 9), &record(i)).unwrap();
        let written = writer.rows_written(main);
        assert_eq!(all_rows(&dir, "main").0.len() as u64, written, "what it says is what a reader finds");
        written
    };
    writer.flush().unwrap();
    for i in 0..3 {
        frame(&mut writer, i);
    }
    assert!(!dir.join("frames.0002.tif").exists());
    // The fourth frame begins a file, so the rows that came before it are there, its own among them.
    assert_eq!(frame(&mut writer, 3), 8);
    assert!(dir.join("frames.0002.tif").exists());
    writer.append_rows(main, &rows(4..5, 2)).unwrap();
    writer.rotate().unwrap();
    assert_eq!(writer.rows_written(main), 10, "rows of all parts");
}

#[test]
fn other_beads_begin_a_new_file_of_roi_stacks() {
    let (_keep, dir) = folder();
    let mut options = options();
    let small = StackOptions { width_px: 2, height_px: 2, channels: vec![], ..stack(GreyDepth::U8) };
    options.rois = Some(RoiStackOptions { stack: small, beads: vec![1] });
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    let bytes = pixels(0, GreyDepth::U8, 9);
    let (mut planes, mut places) = (Vec::new(), Vec::new());
    for (i, beads) in [vec![1], vec![1, 2], vec![], vec![2]].iter().enumerate() {
        let rois: Vec<_> = beads.iter().map(|b| (*b, 1, 1)).collect();
        crop_rois(&view(&bytes, GreyDepth::U8, 9), &rois, 2, 2, &mut planes, &mut places);
        writer.append_rois(&planes, &places, &FrameRecord { channels: vec![], ..record(i as u64) }).unwrap();
    }
    assert_eq!(writer.finish().unwrap().problems, []);
    let found = all_frames(Recording::open(&dir).unwrap().rois().unwrap());
    let beads: Vec<Vec<u32>> = found.iter().map(|f| f.1.places.iter().map(|p| p.bead).collect()).collect();
    assert_eq!(beads, [vec![1], vec![1, 2], vec![2]]);
}

#[test]
fn frames_of_another_shape_are_refused_and_the_video_goes_on() {
    let (_keep, dir) = folder();
    let mut options = options();
    options.frames = Some(stack(GreyDepth::U8));
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    let bytes = pixels(0, GreyDepth::U8, 9);
    let good = view(&bytes, GreyDepth::U8, 9);
    let short = PlaneView { bytes: &bytes[..62], ..good };
    for bad in [PlaneView { width_px: 8, ..good }, short, PlaneView { row_stride_bytes: 8, ..good }] {
        assert_eq!(writer.append_frame(&bad, &record(0)).unwrap_err().kind(), ErrorKind::InvalidValue);
    }
    let no_channel = FrameRecord { channels: vec![], ..record(0) };
    assert_eq!(writer.append_frame(&good, &no_channel).unwrap_err().kind(), ErrorKind::InvalidValue);
    writer.append_frame(&good, &record(0)).unwrap();
    writer.finish().unwrap();
    assert_eq!(Recording::open(&dir).unwrap().frames().unwrap().n_frames(), 1);
}

#[test]
fn a_finished_video_has_a_page_and_a_label_for_each_plane() {
    use tiff::decoder::{Decoder, DecodingResult};
    use tiff::tags::Tag;
    let (_keep, dir) = folder();
    let options = RecordingOptions { frames: Some(stack(GreyDepth::U8)), ..options() };
    let mut writer = RecordingWriter::create(&dir, &options).unwrap();
    for i in 0..5 {
        writer.append_frame(&view(&pixels(i, GreyDepth::U8, 9), GreyDepth::U8, 9), &record(i)).unwrap();
    }
    writer.flush().unwrap();
    let path = dir.join("frames.0001.tif");
    let open = || Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap())).unwrap();
    let description = open().get_tag_ascii_string(Tag::ImageDescription).unwrap();
    assert!(description.contains("images=0000000005"), "the count is up to date while it grows: {description}");
    assert_eq!(writer.finish().unwrap().problems, []);

    let mut tiff = open();
    let sizes = tiff.get_tag_u32_vec(Tag::Unknown(50838)).unwrap();
    let labels = tiff.get_tag_u8_vec(Tag::Unknown(50839)).unwrap();
    assert_eq!((sizes.len(), sizes[0], labels.len() as u32), (6, 12, sizes.iter().sum()));
    let text: Vec<u16> =
        labels[12..][..sizes[1] as usize].chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    assert_eq!(String::from_utf16(&text).unwrap(), "1795000000.000000000 s frame 0");
    for i in 0..5 {
        match tiff.read_image().unwrap() {
            DecodingResult::U8(found) => assert_eq!(found, pixels(i, GreyDepth::U8, 9)),
            other => panic!("{other:?}"),
        }
        assert_eq!(tiff.more_images(), i < 4);
        if i < 4 {
            tiff.next_image().unwrap();
        }
    }
}
