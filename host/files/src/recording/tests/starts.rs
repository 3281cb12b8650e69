//! Starts that are refused, and folders that go away: a clear message each, and nothing is left or lost.

use super::*;

fn refusal(dir: &Path, options: &RecordingOptions) -> crate::FileError {
    let error = RecordingWriter::create(dir, options).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 3, "{error}");
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{error}");
    error
}

#[test]
fn a_start_into_a_missing_folder_a_file_or_a_taken_name_is_refused_and_leaves_nothing() {
    let (keep, dir) = folder();
    let missing = refusal(&keep.path().join("no/rec"), &options());
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.cause().contains("no does not exist"), "{missing}");

    let file = keep.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_eq!(refusal(&file, &options()).kind(), ErrorKind::AlreadyExists);

    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("notes.txt"), "mine").unwrap();
    assert_eq!(refusal(&dir, &options()).kind(), ErrorKind::AlreadyExists);
    assert_eq!(names_in(&dir), ["notes.txt"]);

    std::fs::remove_file(dir.join("notes.txt")).unwrap();
    RecordingWriter::create(&dir, &options()).unwrap().finish().unwrap();
    let before = names_in(&dir);
    assert_eq!(refusal(&dir, &options()).kind(), ErrorKind::AlreadyExists);
    assert_eq!(names_in(&dir), before);
}

#[test]
fn a_start_that_fails_half_way_leaves_nothing() {
    let (keep, dir) = folder();
    let bad_video =
        RecordingOptions { frames: Some(StackOptions { width_px: 0, ..stack(GreyDepth::U8) }), ..options() };
    let no_beads = RoiStackOptions { stack: stack(GreyDepth::U8), beads: vec![] };
    let bad_rois = RecordingOptions { frames: Some(stack(GreyDepth::U8)), rois: Some(no_beads), ..options() };
    let twice = RecordingOptions { track_sets: vec![set("main"), set("main")], ..options() };
    let name = RecordingOptions { track_sets: vec![set("../main")], ..options() };
    let space = RecordingOptions { needed_bytes: u64::MAX, ..options() };
    for (options, kind) in [
        (bad_video, ErrorKind::InvalidValue),
        (bad_rois, ErrorKind::InvalidValue),
        (twice, ErrorKind::AlreadyExists),
        (name, ErrorKind::InvalidValue),
        (space, ErrorKind::DiskFull),
    ] {
        if kind == ErrorKind::DiskFull && disk_space(keep.path()).unwrap().is_none() {
            continue; // this system can't be asked
        }
        assert_eq!(refusal(&dir, &options).kind(), kind);
        assert_eq!(names_in(keep.path()), Vec::<String>::new());
        // An empty folder of the user's stays.
        std::fs::create_dir(&dir).unwrap();
        assert_eq!(refusal(&dir, &options).kind(), kind);
        assert_eq!(names_in(&dir), Vec::<String>::new());
        std::fs::remove_dir(&dir).unwrap();
    }
}

#[test]
fn a_second_writer_on_one_folder_is_refused_and_told_who_holds_it() {
    let (_keep, dir) = folder();
    let writer = RecordingWriter::create(&dir, &options()).unwrap();
    for error in [refusal(&dir, &options()), RecordingWriter::reopen(&dir).unwrap_err(), recover(&dir).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.cause().contains(&format!("process {}", std::process::id())), "{error}");
        assert_eq!(error.to_string().lines().count(), 3);
    }
    // The lock of a writer that is gone is in nobody's way.
    drop(writer);
    assert!(!recover(&dir).unwrap().was_whole);
}

#[cfg(unix)]
#[test]
fn a_folder_without_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (keep, dir) = folder();
    std::fs::set_permissions(keep.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(keep.path().join("probe"), "").is_ok() {
        // Root may write everywhere; what the system says then is tested with a refusal of its own: no file can be made
        // in a folder of the kernel's.
        let error = RecordingWriter::create("/proc/tetherscope-recording", &options()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Io), "{error}");
        assert_eq!(error.to_string().lines().count(), 3);
        return;
    }
    assert_eq!(refusal(&dir, &options()).kind(), ErrorKind::PermissionDenied);
    std::fs::set_permissions(keep.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_removed_or_moved_while_it_is_written_is_noticed() {
    for moved in [false, true] {
        let (keep, dir) = folder();
        let mut writer = RecordingWriter::create(&dir, &options()).unwrap();
        let main = writer.track_set("main").unwrap();
        let handle = writer.sync_handle();
        writer.append_rows(main, &rows(0..3, 2)).unwrap();
        writer.flush().unwrap();
        let elsewhere = keep.path().join("elsewhere");
        if moved {
            std::fs::rename(&dir, &elsewhere).unwrap();
        } else {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        for error in [writer.flush().unwrap_err(), handle.sync().unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Moved, "{error}");
        }
        assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Moved);
        if moved {
            assert!(recover(&elsewhere).unwrap().lost().is_empty());
            assert_same(&all_rows(&elsewhere, "main").0, &rows(0..3, 2));
        }
    }
}

#[test]
fn a_full_disk_keeps_what_is_whole_and_says_so() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: a small disk can only be mounted by root on Linux");
        return;
    };
    let dir = disk.0.join("rec");
    let video = StackOptions { width_px: 640, height_px: 480, channels: vec![], ..stack(GreyDepth::U8) };
    let options = RecordingOptions { frames: Some(video.clone()), ..options() };
    let needs = RecordingWriter::create(&dir, &options).unwrap_err();
    assert_eq!(needs.kind(), ErrorKind::DiskFull, "64 MB are kept free, the disk has 20");

    let mut writer = super::start::create_in_any_space(&dir, &options).unwrap();
    let main = writer.track_set("main").unwrap();
    let bytes = vec![7; 640 * 480];
    let view = PlaneView { bytes: &bytes, row_stride_bytes: 640, width_px: 640, height_px: 480, depth: GreyDepth::U8 };
    let mut n = 0;
    let error = loop {
        match writer.append_frame(&view, &FrameRecord { channels: vec![], ..record(n) }) {
            Ok(()) => n += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::DiskFull);
    assert_eq!(error.to_string().lines().count(), 3);
    assert!(writer.append_frame(&view, &FrameRecord { channels: vec![], ..record(n) }).is_err(), "it stays closed");
    // The reserve makes room for the rest, and for the words about it.
    writer.append_rows(main, &rows(0..n, 4)).unwrap();
    writer.append_gap(&gap(n)).unwrap();
    writer.flush().unwrap();
    let report = writer.finish().unwrap();
    let recording = Recording::open(&dir).unwrap();
    assert_eq!(recording.condition(), Condition::Finished, "{report:?}");
    assert_eq!(recording.check().unwrap(), []);
    let frames = all_frames(recording.frames().unwrap());
    assert_eq!(frames.len() as u64, n);
    assert!(frames.iter().all(|f| f.0 == FrameCondition::Whole));
    assert_same(&all_rows(&dir, "main").0, &rows(0..n, 4));
    assert_eq!(recording.gaps().unwrap().0, [gap(n)]);
    assert_eq!(report.problems, [], "the rows had room for their last form");
    assert!(n >= 50, "{n} frames of 0.3 MB on 20 MB");
}

/// A disk of 20 MB in memory, for the time of a test.
struct SmallDisk(PathBuf, #[expect(dead_code, reason = "its folder lives as long")] tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let keep = tempfile::tempdir().unwrap();
        let at = keep.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=20m", "tmpfs"])
            .arg(&at)
            .stderr(std::process::Stdio::null())
            .status();
        mounted.is_ok_and(|s| s.success()).then(|| Self(at, keep))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
