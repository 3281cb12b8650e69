use super::*;
use crate::spoil::{every_flip, every_prefix};
use std::path::PathBuf;

/// Rows with every awkward value: NaN, no clock, negative zero, extreme integers.
fn rows(n: u64) -> Vec<Row> {
    (0..n)
        .map(|i| {
            let t = i as f64;
            Row {
                frame: if i == 3 { u64::MAX } else { i / 2 },
                bead: if i == 4 { u32::MAX } else { (i % 2) as u32 },
                time_ns: (i % 3 != 0).then_some(1_795_000_000_000_000_000 - i as i64),
                x_nm: (t * 0.1).sin() * 5000.0,
                y_nm: if i == 5 { -0.0 } else { t / 3.0 },
                z_nm: if i % 4 == 0 { f64::NAN } else { -t * 1e-9 },
                sigma_x_nm: 0.1 + t as f32 / 7.0,
                sigma_y_nm: f32::NAN,
                sigma_z_nm: f32::MIN_POSITIVE,
                quality: 0.3,
                flags: if i == 6 { u32::MAX } else { 5 },
                roi_x_px: -3,
                roi_y_px: i32::MIN,
            }
        })
        .collect()
}

fn write(path: &Path, rows: &[Row]) {
    let mut writer = RowsWriter::create(path).unwrap();
    writer.write(rows).unwrap();
    writer.finish().unwrap();
}

fn assert_same(a: &[Row], b: &[Row]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!(a.same_bits(b), "{a:?} became {b:?}");
    }
}

fn dir() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    (dir, move |name: &str| folder.join(name))
}

#[test]
fn rows_read_back_to_the_same_bits_from_both_formats() {
    let (_dir, at) = dir();
    let rows = rows(1000);
    for name in ["a.csv", "a.parquet", "A2.CSV"] {
        write(&at(name), &rows);
        assert_same(&read_rows(at(name)).unwrap(), &rows);
    }
}

#[test]
fn a_file_without_rows_is_valid() {
    let (_dir, at) = dir();
    for name in ["a.csv", "a.parquet"] {
        write(&at(name), &[]);
        assert!(read_rows(at(name)).unwrap().is_empty());
    }
}

#[test]
fn more_than_one_row_group_keeps_order_and_batches() {
    let (_dir, at) = dir();
    let rows = rows((1 << 18) + 10);
    let mut writer = RowsWriter::create(at("a.parquet")).unwrap();
    for part in rows.chunks(100_000) {
        writer.write(part).unwrap();
    }
    assert_eq!(writer.n_rows(), rows.len() as u64);
    writer.finish().unwrap();
    let mut reader = RowsReader::open(at("a.parquet")).unwrap();
    let mut back = Vec::new();
    let mut batches = Vec::new();
    loop {
        match reader.read_batch(&mut back).unwrap() {
            0 => break,
            n => batches.push(n),
        }
    }
    assert_eq!(batches, [1 << 18, 10]);
    assert_same(&back, &rows);
}

#[test]
fn csv_looks_as_the_design_says() {
    let (_dir, at) = dir();
    write(&at("a.csv"), &rows(2));
    let text = std::fs::read_to_string(at("a.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "frame,bead,time_ns,x_nm,y_nm,z_nm,sigma_x_nm,sigma_y_nm,sigma_z_nm,quality,flags,\
         roi_x_px,roi_y_px"
    );
    assert_eq!(lines[1], "0,0,,0,0,NaN,0.1,NaN,1.1754944e-38,0.3,5,-3,-2147483648");
}

#[test]
fn parquet_keeps_the_metadata_given_at_any_time() {
    let (_dir, at) = dir();
    let mut writer = RowsWriter::create(at("a.parquet")).unwrap();
    assert!(writer.keeps_metadata());
    let entry = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
    writer.add_metadata(&entry("plugin", "tracker.magtrack 1.0.0"));
    writer.write(&rows(3)).unwrap();
    writer.add_metadata(&entry("nm_per_px", "54.2"));
    writer.add_metadata(&entry("plugin", "tracker.magtrack 1.0.1 µ"));
    writer.finish().unwrap();
    let metadata = RowsReader::open(at("a.parquet")).unwrap().metadata();
    assert_eq!(metadata["plugin"], "tracker.magtrack 1.0.1 µ");
    assert_eq!(metadata["nm_per_px"], "54.2");
    assert_eq!(metadata[ROWS_VERSION_KEY], "1");
}

#[test]
fn a_writer_dropped_unfinished_leaves_nothing_and_nothing_is_overwritten() {
    let (dir, at) = dir();
    for name in ["a.csv", "a.parquet"] {
        let mut writer = RowsWriter::create(at(name)).unwrap();
        writer.write(&rows(10)).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    write(&at("a.csv"), &rows(1));
    let error = RowsWriter::create(at("a.csv")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn another_extension_is_refused_with_the_two_that_work() {
    let (_dir, at) = dir();
    let error = RowsWriter::create(at("a.xlsx")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownFormat);
    assert!(error.to_string().contains(".xlsx"));
    assert!(error.mend().contains(".parquet"));
    let error = RowsReader::open(at("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownFormat);
}

#[test]
fn a_csv_cut_anywhere_gives_an_error_or_the_whole_rows_before() {
    let (_dir, at) = dir();
    let all = rows(4);
    write(&at("good.csv"), &all);
    let bytes = std::fs::read(at("good.csv")).unwrap();
    every_prefix("cut.csv", &bytes, |cut, n| {
        if let Ok(found) = read_rows(cut) {
            assert_eq!(bytes[n - 1], b'\n', "a cut inside a line went unseen");
            assert_same(&found, &all[..found.len()]);
        }
    });
}

#[test]
fn a_parquet_cut_anywhere_is_an_error() {
    let (_dir, at) = dir();
    write(&at("good.parquet"), &rows(20));
    let bytes = std::fs::read(at("good.parquet")).unwrap();
    every_prefix("cut.parquet", &bytes, |cut, n| {
        let error = read_rows(cut).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{n} bytes: {error}");
    });
}

#[test]
fn a_parquet_with_a_flipped_byte_never_panics() {
    let (_dir, at) = dir();
    write(&at("good.parquet"), &rows(6));
    let bytes = std::fs::read(at("good.parquet")).unwrap();
    every_flip("bad.parquet", &bytes, &[0x01, 0xff], |bad, _| {
        let _ = read_rows(bad);
    });
}

#[test]
fn csv_errors_name_file_line_and_value() {
    let (_dir, at) = dir();
    let header = ROW_COLUMNS.join(",");
    let good = "0,1,,1,2,NaN,NaN,NaN,NaN,NaN,0,0,0";
    let cases = [
        (String::new(), "the file is empty"),
        (format!("{good}\n"), "the header is missing"),
        ("frame;bead\n".to_owned(), "semicolons"),
        ("frame,bead\n".to_owned(), "column time_ns is missing"),
        (format!("{header},bead\n"), "column bead stands twice"),
        (format!("{header}\n{good},3\n"), "14 columns here, 13 in the header"),
        (format!("{header}\n-1{}\n", &good[1..]), "frame is \"-1\""),
        (format!("{header}\n{}\n", good.replace(",2,", ",two,")), "y_nm is \"two\""),
        (format!("{header}\n{}\n", good.replace(",,", ",1.5,")), "time_ns is \"1.5\""),
        (format!("{header}\n{good}\n\u{0}\n"), "not text"),
    ];
    for (content, cause) in cases {
        std::fs::write(at("a.csv"), &content).unwrap();
        let error = read_rows(at("a.csv")).unwrap_err();
        assert!(error.cause().contains(cause), "{error}");
        assert!(error.what().contains("a.csv"), "{error}");
    }
}

#[test]
fn a_parquet_of_something_else_names_the_missing_column() {
    let (_dir, at) = dir();
    std::fs::write(at("a.parquet"), "PAR1 this is none PAR1").unwrap();
    let error = read_rows(at("a.parquet")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
}
