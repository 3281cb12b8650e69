use super::*;
use crate::error::ErrorKind;
use crate::spoil::{every_flip, every_prefix};
use std::path::PathBuf;

fn stamp(id: &str) -> MethodStamp {
    MethodStamp { id: id.to_owned(), version: "1.0.0".to_owned(), hash: "ab12".to_owned() }
}

fn parameter(key: &str, value: ParamValue, unit: &str, invalidates_zlut: bool) -> StoredParameter {
    StoredParameter { key: key.to_owned(), value, unit: unit.to_owned(), invalidates_zlut }
}

fn settings() -> ZlutSettings {
    ZlutSettings {
        tracker: stamp("tracker.magtrack"),
        tracker_parameters: vec![
            parameter("oversample", ParamValue::I64(4), "", true),
            parameter("iterations", ParamValue::I64(5), "", false),
            parameter("background", ParamValue::Text("median".into()), "", true),
            parameter("radius_px", ParamValue::F64(1.0 / 3.0), "px", true),
            parameter("clip", ParamValue::Bool(true), "", false),
        ],
        strategy: stamp("zlut.correlation"),
        strategy_parameters: vec![parameter("n_local", ParamValue::I64(7), "", false)],
        profile: ProfileGeometry { kind: ProfileKind::Radial, n_bins: 4, first_radius_px: 0.0, step_px: 0.25 },
        roi_w_px: 64,
        roi_h_px: 64,
        nm_per_px: 54.2,
        focal_shift_factor: 0.88,
        pixel_format: "Mono8".to_owned(),
        significant_bits: 8,
        gain_e_per_adu: Some(2.1),
        offset_adu: None,
        read_noise_e: None,
    }
}

fn table(bead: Option<u32>) -> ZlutTable {
    ZlutTable {
        bead,
        z_nm: vec![-100.0, 0.1 + 0.2, 100.0],
        profiles: vec![1.0, 2.0, 3.0, f64::NAN, 1e-300, -0.0, 7.0, 8.0, 0.1, 0.2, 0.3, 0.4],
        variance: bead.map(|_| (0..12).map(f64::from).collect()),
        bytes: bead.map(|b| vec![b as u8, 0, 255]),
        n_frames_per_plane: vec![10, 11, u32::MAX],
    }
}

fn file() -> ZlutFile {
    ZlutFile {
        settings: settings(),
        tables: vec![table(Some(3)), table(None), table(Some(0))],
        created_utc: "2026-11-24T01:46:39Z".to_owned(),
        program_version: "0.1.0".to_owned(),
        notes: "Öl, 100×; \"new\" lamp".to_owned(),
        report: Some(serde_json::json!({"bias_nm": [0.1, -1e-9], "held_out": 12})),
    }
}

fn dir() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    (dir, move |name: &str| folder.join(name))
}

fn own(path: &Path) -> ZlutFile {
    match read_zlut(path).unwrap() {
        StoredZlut::Own(file) => *file,
        StoredZlut::MagScope(_) => panic!("taken for text"),
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn a_file_reads_back_to_the_same_bits() {
    let (_dir, at) = dir();
    let file = file();
    write_zlut(at("a.zlut"), &file).unwrap();
    let back = own(&at("a.zlut"));
    assert_eq!(back.settings, file.settings);
    assert_eq!(back.settings.hash(), file.settings.hash());
    assert_eq!(
        (&back.created_utc, &back.program_version, &back.notes, &back.report),
        (&file.created_utc, &file.program_version, &file.notes, &file.report)
    );
    assert_eq!(back.tables.len(), 3);
    for (a, b) in back.tables.iter().zip(&file.tables) {
        assert_eq!(a.checksum(), b.checksum());
        assert_eq!(bits(&a.z_nm), bits(&b.z_nm));
        assert_eq!(bits(&a.profiles), bits(&b.profiles));
        assert_eq!((a.bead, &a.variance, &a.bytes), (b.bead, &b.variance, &b.bytes));
        assert_eq!(a.n_frames_per_plane, b.n_frames_per_plane);
    }
}

#[test]
fn a_file_is_known_by_its_content_whatever_its_name() {
    let (_dir, at) = dir();
    write_zlut(at("a.zlut"), &file()).unwrap();
    std::fs::rename(at("a.zlut"), at("a.txt")).unwrap();
    assert_eq!(own(&at("a.txt")).tables.len(), 3);
    let error = write_zlut(at("b.txt"), &file()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownFormat);
}

#[test]
fn a_strategy_without_profiles_keeps_its_bytes_alone() {
    let (_dir, at) = dir();
    let mut file = file();
    file.settings.profile.kind = ProfileKind::None;
    file.settings.profile.n_bins = 0;
    file.tables.truncate(1);
    file.tables[0].profiles.clear();
    file.tables[0].variance = None;
    file.tables[0].n_frames_per_plane.clear();
    file.report = None;
    write_zlut(at("a.zlut"), &file).unwrap();
    assert_eq!(own(&at("a.zlut")), file);
}

#[test]
fn a_bead_gets_its_own_table_else_the_shared_one() {
    let mut file = file();
    assert_eq!(file.table_for(3).unwrap().bead, Some(3));
    assert_eq!(file.table_for(99).unwrap().bead, None);
    file.tables.retain(|t| t.bead.is_some());
    assert!(file.table_for(99).is_none());
}

#[test]
fn a_file_cut_anywhere_is_a_clear_error() {
    let (_dir, at) = dir();
    write_zlut(at("a.zlut"), &file()).unwrap();
    let bytes = std::fs::read(at("a.zlut")).unwrap();
    every_prefix("cut.zlut", &bytes, |cut, n| {
        let error = read_zlut(cut).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{n}: {error}");
        assert_eq!(error.to_string().lines().count(), 3);
    });
}

#[test]
fn a_flipped_byte_anywhere_is_a_clear_error() {
    let (_dir, at) = dir();
    write_zlut(at("a.zlut"), &file()).unwrap();
    let bytes = std::fs::read(at("a.zlut")).unwrap();
    every_flip("bad.zlut", &bytes, &[0x01, 0x80], |bad, n| {
        let error = read_zlut(bad).unwrap_err();
        let kind = error.kind();
        assert!(kind == ErrorKind::Damaged || (kind == ErrorKind::TooNew && (6..8).contains(&n)), "{n}: {error}");
    });
    let mut longer = bytes;
    longer.push(0);
    std::fs::write(at("bad.zlut"), &longer).unwrap();
    let error = read_zlut(at("bad.zlut")).unwrap_err();
    assert!(error.cause().contains("1 bytes too many"), "{error}");
}

#[test]
fn a_newer_format_asks_for_a_newer_program() {
    let (_dir, at) = dir();
    std::fs::write(at("a.zlut"), b"TSZLUT02 whatever").unwrap();
    let error = read_zlut(at("a.zlut")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooNew);
    assert!(error.cause().contains("version 02"));
}

#[test]
fn what_makes_no_sense_is_not_written() {
    type Change = fn(&mut ZlutFile);
    let cases: [(Change, &str); 14] = [
        (|f| f.tables.clear(), "no table"),
        (|f| f.tables[1].bead = Some(3), "the table of bead 3 stands twice"),
        (|f| f.tables[0].z_nm[1] = f64::NAN, "plane 2 of 3 is at NaN nm"),
        (|f| f.tables[0].z_nm[1] = 100.0, "planes 2 and 3 of 3 are both at 100 nm"),
        (|f| f.tables[0].z_nm.reverse(), "z must rise"),
        (|f| f.tables[0].z_nm[1] = 500.0, "z turns back: plane 2 of 3 is at 500 nm"),
        (|f| f.tables[0].profiles.truncate(9), "9 profile values"),
        (|f| f.tables[0].profiles[5] = f64::INFINITY, "bin 2 of plane 2"),
        (|f| f.tables[0].profiles[4..8].fill(f64::NAN), "plane 2 of 3 has no profile"),
        (|f| f.tables[0].n_frames_per_plane.truncate(2), "2 frame counts for 3 planes"),
        (|f| f.settings.profile.n_bins = 5, "has 4 bins, the settings say 5"),
        (|f| f.settings.nm_per_px = f64::NAN, "nm_per_px is NaN"),
        (|f| f.settings.focal_shift_factor = 0.0, "focal_shift_factor is 0"),
        (|f| f.settings.tracker_parameters[1].key = "oversample".to_owned(), "tracker.oversample stands twice"),
    ];
    let (dir, at) = dir();
    for (change, cause) in cases {
        let mut file = file();
        change(&mut file);
        let error = write_zlut(at("a.zlut"), &file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert!(error.cause().contains(cause), "{error}");
    }
    let mut deep = serde_json::Value::Null;
    for _ in 0..300 {
        deep = serde_json::json!([deep]);
    }
    let deep = ZlutFile { report: Some(deep), ..file() };
    assert!(write_zlut(at("a.zlut"), &deep).is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_hash_of_settings_stays_what_it_was() {
    // Files and recordings hold it: if this moves, old hashes no longer match.
    assert_eq!(settings().hash(), "caac5001f6b53b300265d0e3da2539a725d645efb5c533ac183ecb45e44f8472");
}

#[test]
fn the_hash_depends_on_what_a_table_depends_on_and_on_nothing_else() {
    type Change = fn(&mut ZlutSettings);
    let changes: [Change; 10] = [
        |s| s.tracker.id.push('2'),
        |s| s.tracker_parameters[0].value = ParamValue::I64(8),
        |s| s.tracker_parameters[0].value = ParamValue::F64(4.0),
        |s| s.tracker_parameters[3].unit = "nm".to_owned(),
        |s| s.profile.kind = ProfileKind::Fft,
        |s| s.profile.n_bins = 5,
        |s| s.profile.step_px = 0.5,
        |s| s.roi_h_px = 65,
        |s| s.nm_per_px = 54.2_f64.next_up(),
        |s| s.focal_shift_factor = 1.0,
    ];
    let base = settings();
    for (i, change) in changes.iter().enumerate() {
        let mut now = base.clone();
        change(&mut now);
        assert_ne!(now.hash(), base.hash(), "change {i}");
        let found = base.check_against(&now);
        assert_eq!(found.mismatches.len(), 1, "change {i}: {found:?}");
    }
    let harmless: [Change; 7] = [
        |s| s.tracker.version = "2.0.0".to_owned(),
        |s| s.tracker.hash = "ff".to_owned(),
        |s| s.tracker_parameters[1].value = ParamValue::I64(50),
        |s| s.tracker_parameters.reverse(),
        |s| s.profile.first_radius_px = -0.0,
        |s| s.strategy = stamp("zlut.spline"),
        |s| s.significant_bits = 12,
    ];
    for (i, change) in harmless.iter().enumerate() {
        let mut now = base.clone();
        change(&mut now);
        assert_eq!(now.hash(), base.hash(), "harmless {i}");
        assert!(base.check_against(&now).is_usable(), "harmless {i}");
    }
}

#[test]
fn the_refusal_names_every_setting_with_both_values() {
    let (in_file, mut now) = (settings(), settings());
    now.tracker_parameters[0].value = ParamValue::I64(8);
    now.tracker_parameters[3].value = ParamValue::F64(2.0);
    now.tracker_parameters.remove(2);
    now.nm_per_px = 55.0;
    let error = in_file.check_against(&now).refusal("a.zlut").unwrap();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert_eq!(
        error.to_string(),
        "cannot use the Z-LUT a.zlut\n\
         tracker.background: \"median\" in the file, not there in use; \
         tracker.oversample: 4 in the file, 8 in use; \
         tracker.radius_px: 0.3333333333333333 px in the file, 2.0 px in use; \
         nm_per_px: 54.2 nm in the file, 55 nm in use\n\
         set what differs as in the file, or record a new Z-LUT"
    );
    assert!(in_file.check_against(&in_file).refusal("a.zlut").is_none());
}

#[test]
fn versions_builds_and_camera_data_are_only_warned_about() {
    let (in_file, mut now) = (settings(), settings());
    now.tracker.version = "1.1.0".to_owned();
    now.strategy.hash = "cd34".to_owned();
    now.significant_bits = 12;
    now.gain_e_per_adu = None;
    let found = in_file.check_against(&now);
    assert!(found.is_usable() && !found.unchecked);
    assert_eq!(
        found.warnings,
        [
            "the version of the tracker is 1.0.0 in the file, 1.1.0 in use",
            "the strategy is another build of the same version 1.0.0",
            "the number of bits is 8 in the file, 12 in use",
            "gain_e_per_adu is 2.1 in the file, unknown in use",
        ]
    );
}

fn read_text(content: &[u8]) -> Result<ZlutTable> {
    let (_dir, at) = dir();
    std::fs::write(at("lut.txt"), content).unwrap();
    match read_zlut(at("lut.txt"))? {
        StoredZlut::MagScope(table) => Ok(table),
        StoredZlut::Own(_) => panic!("taken for ours"),
    }
}

#[test]
fn magscopes_text_reads_back_to_the_same_bits() {
    let (_dir, at) = dir();
    let table = ZlutTable { variance: None, bytes: None, n_frames_per_plane: Vec::new(), ..table(None) };
    write_zlut_text(at("lut.txt"), &table).unwrap();
    let back = read_zlut_text(at("lut.txt")).unwrap();
    assert_eq!(bits(&back.z_nm), bits(&table.z_nm));
    assert_eq!(bits(&back.profiles), bits(&table.profiles));
    let text = std::fs::read_to_string(at("lut.txt")).unwrap();
    let first = text.lines().next().unwrap();
    assert_eq!(first, "-1.000000000000000000e+02 3.000000000000000444e-01 1.000000000000000000e+02");
    assert_eq!(text.lines().count(), 5);
}

#[test]
fn comments_are_passed_over_and_a_sweep_downwards_is_turned_round() {
    let table = read_text(b"# Z-LUT\xff\n300 200 100 # nm\n\n3 2 1\r\n6\t5\t4\n").unwrap();
    assert_eq!(table.z_nm, [100.0, 200.0, 300.0]);
    assert_eq!(table.profiles, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!((table.n_planes(), table.n_bins()), (3, 2));
}

#[test]
fn text_errors_name_line_and_cause() {
    let cases: [(&[u8], &str, &str); 14] = [
        (b"", "", "the file holds no numbers"),
        (b"# nothing\n", "", "the file holds no numbers"),
        (b"1 2 3\n", "", "no radial profile"),
        (b"1\n2\n", "", "two planes or more, this one has 1"),
        (b"# c\n1 2 3\n1 2 3\n1 2\n", "line 4", "2 values here, 3 in line 2"),
        (b"1 2 3\n1 2 3 4\n", "line 2", "4 values here, 3 in line 1"),
        (b"1 nan 3\n1 2 3\n", "", "plane 2 of 3 is at NaN nm"),
        (b"1 inf 3\n1 2 3\n", "", "plane 2 of 3 is at inf nm"),
        (b"1 3 2\n1 2 3\n", "", "z turns back: plane 2 of 3 is at 3 nm, plane 3 at 2 nm"),
        (b"1 2 1\n1 2 3\n", "", "planes 1 and 3 of 3 are both at 1 nm"),
        (b"1 2 3\n1 inf 3\n", "", "bin 1 of plane 2 of 3 is infinite"),
        (b"1 2 3\n1,5 2 3\n", "line 2", "\"1,5\" is not a number"),
        (b"1 2 3\n1 2 3", "line 2", "the last line is not complete"),
        (b"1 2 3\n\0\0\0\n", "line 2", "this is not text"),
    ];
    for (content, line, cause) in cases {
        let error = read_text(content).unwrap_err();
        assert!(error.cause().contains(cause), "{error}");
        assert!(error.what().ends_with(line), "{error}");
        assert!(error.what().contains("lut.txt"), "{error}");
    }
}

#[test]
fn text_cut_anywhere_gives_an_error_or_fewer_whole_bins() {
    let good = "# z\n-1.5e+02 0.0e+00 7e+01\n1 2 3\n4 5 6\n";
    every_prefix("lut.txt", good.as_bytes(), |cut, n| {
        if let Ok(table) = read_zlut_text(cut) {
            assert!(good[..n].ends_with('\n'));
            assert_eq!((table.n_planes(), table.n_bins()), (3, 1));
        }
    });
    let masks = [0x01, 0x10, 0x80];
    every_flip("lut.txt", good.as_bytes(), &masks, |bad, _| drop(read_zlut(bad)));
}

#[test]
fn of_a_text_table_only_the_bins_are_checked_and_the_report_says_so() {
    let table = read_text(b"1 2\n1 2\n1 2\n1 2\n1 2\n").unwrap();
    let stored = StoredZlut::MagScope(table);
    let mut now = settings();
    let found = stored.check_against(&now);
    assert!(found.is_usable() && found.unchecked);
    assert!(found.warnings[0].contains("unchecked"));
    now.profile.n_bins = 32;
    let error = stored.check_against(&now).refusal("lut.txt").unwrap();
    assert_eq!(error.cause(), "profile.n_bins: 4 in the file, 32 in use");
    assert!(stored.table_for(17).is_some());
}
