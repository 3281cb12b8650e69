use super::*;
use serde_json::{Value, json};

/// A file that was not damaged but made by somebody who means no good, or by a later version.
fn read_with(change: impl Fn(&mut Value), body: &[u8]) -> Result<ZlutFile> {
    let method = json!({"id": "a.b", "version": "1.0.0", "hash": ""});
    let section = |name: &str, kind: &str, n: u64, bytes: &[u8]| {
        let checksum = blake3::hash(bytes).to_hex().to_string();
        json!({"name": name, "kind": kind, "n": n, "blake3": checksum})
    };
    let mut header = json!({
        "created_utc": "", "program_version": "", "notes": "", "settings_hash": "",
        "report": null,
        "settings": {
            "tracker": method, "tracker_parameters": [], "strategy": method,
            "strategy_parameters": [], "roi_w_px": 1, "roi_h_px": 1, "nm_per_px": 1.0,
            "profile": {"kind": "radial", "n_bins": 1, "first_radius_px": 0, "step_px": 1},
            "focal_shift_factor": 1.0, "pixel_format": "", "significant_bits": 8,
            "gain_e_per_adu": null, "offset_adu": null, "read_noise_e": null,
        },
        "tables": [{"bead": null, "sections": [
            section("z_nm", "f64", 2, &body[..16]),
            section("profiles", "f64", 2, &body[16..32]),
        ]}],
    });
    change(&mut header);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zlut");
    std::fs::write(&path, seal(header.to_string().as_bytes(), body)).unwrap();
    read(&path)
}

fn body() -> Vec<u8> {
    f64_bytes(&[1.0, 2.0, 3.0, 4.0])
}

#[test]
fn whole_numbers_and_missing_sections_of_an_older_or_newer_writer_are_read() {
    let file = read_with(|_| (), &body()).unwrap();
    assert_eq!(file.tables[0].profiles, [3.0, 4.0]);
    let later = |h: &mut Value| {
        h["lamp"] = json!("new");
        let n = json!({"name": "later", "kind": "u8", "n": 0,
            "blake3": blake3::hash(b"").to_hex().to_string()});
        h["tables"][0]["sections"].as_array_mut().unwrap().push(n);
    };
    assert_eq!(read_with(later, &body()).unwrap(), file);
}

#[test]
fn a_header_that_lies_is_an_error_and_never_a_panic() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 8] = [
        (|h| h["tables"][0]["sections"][0]["n"] = json!(u64::MAX), "ends inside z_nm"),
        (|h| h["tables"][0]["sections"][0]["n"] = json!(1_u64 << 40), "ends inside z_nm"),
        (|h| h["tables"][0]["sections"][0]["n"] = json!(1), "checksum"),
        (|h| h["tables"][0]["sections"][0]["kind"] = json!("f16"), "unknown type"),
        (|h| h["tables"][0]["sections"] = json!([]), "too many at its end"),
        (|h| h["tables"] = json!([{"bead": -1, "sections": []}]), "can't be read"),
        (|h| h["settings"]["nm_per_px"] = json!(0), "nm_per_px is 0"),
        (|h| h["settings"]["profile"]["n_bins"] = json!(2), "the settings say 2"),
    ];
    for (change, cause) in changes {
        let error = read_with(change, &body()).unwrap_err();
        assert!(error.cause().contains(cause), "{error}");
    }
    let falling = f64_bytes(&[2.0, 1.0, 3.0, 4.0]);
    assert!(read_with(|_| (), &falling).is_err());
    let nothing = |h: &mut Value| h["tables"][0]["sections"] = json!([]);
    assert!(read_with(nothing, &body()).is_err());
}
