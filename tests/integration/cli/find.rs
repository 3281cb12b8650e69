//! `track --find`: from a video without ROIs to rows, the list and the picture it writes, and what it refuses.

use super::{Ran, tetherscope};
use crate::harness::scratch;
use std::path::Path;
use std::sync::LazyLock;
use tetherscope_files::{read_rois, read_rows, read_truth};

/// ROIs are placed by whole pixels, and a bead's middle is found to a small part of one.
const NEAR_PX: f64 = 1.0;
const N_BEADS: usize = 6;

/// A folder with video.tif and truth.csv of beads that do not move, and empty.tif without beads.
fn fields() -> &'static Path {
    static FIELDS: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = scratch("fields");
        let simulate = |fixed: &str, out: &str, truth: &str| {
            let args =
                ["simulate", "--json", "--fixed", fixed, "--tethered", "0", "--size", "360x240", "--frames", "3"];
            let more = ["--nm-per-px", "200", "--focus-start-nm", "1500", "--out", out, "--truth", truth];
            tetherscope(folder.path(), &[&args[..], &more].concat()).fine();
        };
        simulate(&N_BEADS.to_string(), "video.tif", "truth.csv");
        simulate("0", "empty.tif", "nothing.csv");
        folder
    });
    FIELDS.path()
}

fn track(folder: &Path, video: &str, more: &[&str]) -> Ran {
    let video = fields().join(video).display().to_string();
    let args = ["track", &video, "--tracker", "tracker.magtrack", "--nm-per-px", "200", "--out", "rows.csv", "--json"];
    tetherscope(folder, &[&args[..], more].concat())
}

#[test]
fn beads_are_found_tracked_listed_and_drawn() {
    let folder = scratch("find");
    let wanted = ["--find", "--roi-px", "50", "--rois-out", "rois.csv", "--overlay", "seen.png"];
    let report = track(folder.path(), "video.tif", &wanted).fine();
    let found = report["found"]["beads"].as_array().unwrap();
    let truth = read_truth(fields().join("truth.csv")).unwrap();
    let first: Vec<_> = truth.iter().filter(|t| t.frame == 0).collect();
    assert_eq!((found.len(), first.len()), (N_BEADS, N_BEADS), "{report}");
    let rois = read_rois(folder.path().join("rois.csv")).unwrap();
    for t in first {
        let near = |v: &serde_json::Value, at: f64| (v.as_f64().unwrap() - at).abs() < NEAR_PX;
        let bead = found.iter().find(|b| near(&b["x_px"], t.x_px) && near(&b["y_px"], t.y_px));
        let id = bead.unwrap_or_else(|| panic!("({}, {}) is missed: {report}", t.x_px, t.y_px))["bead"].as_u64();
        let roi = rois.iter().find(|r| Some(u64::from(r.bead)) == id).unwrap();
        let middle = |corner: i32| f64::from(corner) + 24.5;
        assert!((middle(roi.x_px) - t.x_px).abs() <= NEAR_PX && (middle(roi.y_px) - t.y_px).abs() <= NEAR_PX);
    }
    let rows = read_rows(folder.path().join("rows.csv")).unwrap();
    assert_eq!((rows.len(), report["frames"].as_u64()), (3 * N_BEADS, Some(3)));
    assert!(rows.iter().all(|r| r.x_nm.is_finite()));
    assert_eq!(report["settings"]["finder"]["id"], "finder.ncc");
    assert_eq!(report["settings"]["finder"]["parameters"]["roi_px"], 50);
    let png = std::fs::read(folder.path().join("seen.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let side = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((side(16), side(20)), (360, 240));
}

#[test]
fn an_example_is_enough_to_find_the_others_and_comes_first() {
    let folder = scratch("seed");
    let truth = read_truth(fields().join("truth.csv")).unwrap();
    let seed = format!("{:.0},{:.0}", truth[1].x_px + 3.0, truth[1].y_px - 2.0);
    let report = track(folder.path(), "video.tif", &["--find", "--roi-px", "50", "--seed-roi", &seed]).fine();
    let found = report["found"]["beads"].as_array().unwrap();
    assert_eq!(found.len(), N_BEADS, "{report}");
    assert!((found[0]["x_px"].as_f64().unwrap() - truth[1].x_px).abs() < NEAR_PX);
    assert_eq!(report["settings"]["finder"]["seed"]["w_px"], 50);
    assert!(report["found"]["overlay"].is_null());
}

#[test]
fn what_cannot_be_searched_is_refused_and_leaves_no_rows() {
    let folder = scratch("find-refused");
    let refused = |video: &str, more: &[&str], words: &[&str]| {
        track(folder.path(), video, &[&["--find"][..], more].concat()).refused(words);
    };
    refused("empty.tif", &["--roi-px", "50"], &["no bead was found by finder.ncc", "--seed-roi"]);
    refused(
        "video.tif",
        &["--roi-px", "50", "--seed-roi", "5,100"],
        &["the bead at (5, 100)", "360 × 240 px", "farther"],
    );
    refused("video.tif", &["--roi-px", "50", "--seed-roi=-500,9999"], &["the bead at (-500, 9999)"]);
    refused("video.tif", &["--roi-px", "300"], &["the image has 360 x 240"]);
    refused("video.tif", &["--roi-px", "50", "--finder", "finder.nobody"], &["finder.nobody", "finder.ncc"]);
    refused("video.tif", &["--roi-px", "50", "--finder", "tracker.magtrack"], &["is a tracker, a finder is wanted"]);
    refused("video.tif", &["--roi-px", "50", "--find-param", "sharp=1"], &["`sharp`"]);
    refused("video.tif", &["--roi-px", "50", "--rois", "rois.csv"], &["--find", "--rois"]);
    refused("video.tif", &["--roi-px", "50", "--seed-roi", "here"], &["x,y"]);
    refused("video.tif", &[], &["arguments"]);
    track(folder.path(), "video.tif", &["--roi-px", "50"]).refused(&["arguments"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
