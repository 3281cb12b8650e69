//! `bench live`: every row is measured, through the same children, files and commands as with full length. What the figures
//! are worth at a fifth of a second is nobody's business here.

use super::*;

/// A value of a row; its unit is in the name of the row.
#[track_caller]
fn value(row: &serde_json::Value, name: &str) -> f64 {
    let value = &row["values"][name]["value"];
    value.as_f64().unwrap_or_else(|| panic!("`{name}` is {value} in {row:#}"))
}

#[test]
fn every_row_of_the_live_bench_is_measured() {
    let folder = scratch("bench-live");
    let short = ["--seconds", "0.2", "--kills", "1", "--starts", "1", "--folder", "here"];
    let report = tetherscope(folder.path(), &[&["bench", "live", "--json"], &short[..]].concat()).fine();
    let rows = report["rows"].as_array().unwrap();
    let named = |start: &str| {
        let of = |r: &&serde_json::Value| r["what"].as_str().unwrap().starts_with(start);
        rows.iter().find(of).unwrap_or_else(|| panic!("no row {start}"))
    };
    for name in ["live:", "fast:"] {
        let row = named(name);
        assert_eq!(value(row, "frames without explanation"), 0.0);
        assert!(value(row, "rows") > 0.0, "{row:#}");
        for name in ["rate", "frame to row, p99", "frame to empty consumer, p99", "frame to disk, p99"] {
            assert!(value(row, name) > 0.0, "{name}: {row:#}");
        }
    }
    let ring = named("ring:");
    for name in ["of one memcpy", "of one memcpy, engine", "written in place, no copy: cost of a frame"] {
        assert!(value(ring, name) > 0.0, "{name}: {ring:#}");
    }
    assert!(value(named("recording:"), "frames recorded") > 0.0);
    assert!(value(named("start:"), "middle") > 0.0);
    let kill = named("kill -9:");
    assert_eq!(
        (value(kill, "recordings that open and are mended"), value(kill, "recordings with damage after that")),
        (1.0, 0.0)
    );
    assert!(value(kill, "rows kept") > 0.0 && value(kill, "lost before the end, most") > 0.0);
    if cfg!(target_os = "linux") {
        // Elsewhere the system does not tell the CPU time of threads.
        assert!(value(named("idle:"), "CPU") >= 0.0);
    }
    assert_eq!(rows.len(), 7);
}

#[test]
fn a_bench_that_cannot_be_is_refused() {
    let folder = scratch("bench-refused");
    std::fs::write(folder.path().join("file"), "").unwrap();
    tetherscope(folder.path(), &["bench", "live", "--json", "--seconds", "0"]).refused(&["--seconds is 0", "tenth"]);
    tetherscope(folder.path(), &["bench", "live", "--json", "--only", "idle", "--folder", "file"])
        .refused(&["cannot use", "--folder"]);
}
